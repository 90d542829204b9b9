package mailsync

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"offloop/imapproto/imaptest"
	"offloop/maildir"
)

func TestHeadline(t *testing.T) {
	for _, c := range []struct{ head, want string }{
		{"Date: Sun, 1 Mar 2026 12:00:00 +0000\nFrom: Ann <ann@example.org>\nSubject: =?utf-8?q?Caf=C3=A9?=\n\nbody\n", "2026-03-01  Ann <ann@example.org>  Café"},
		{"Subject: long\n  folded\nX-Cut: no e", "long folded"},
		{"Subject: " + strings.Repeat("ä", 100) + "\n\n", strings.Repeat("ä", 40) + "..."},
		{"no header at all", ""},
		{"", ""},
	} {
		if got := headline([]byte(c.head)); got != c.want {
			t.Errorf("%.40q: %q, want %q", c.head, got, c.want)
		}
	}
}

func FuzzHeadline(f *testing.F) {
	f.Add([]byte("Subject: =?utf-8?q?Caf=C3=A9?=\nFrom: a\n\nx"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if s := headline(b); len(s) > 400 || utf8.Valid(b) && !utf8.ValidString(s) {
			t.Errorf("%q", s)
		}
	})
}

func TestHeldText(t *testing.T) {
	list := []heldMessage{
		{uid: 7, entry: maildir.Entry{File: "7.a"}, about: "2026-03-01  Ann  Re: lunch"},
		{uid: 8, entry: maildir.Entry{File: "8.a"}},
		{uid: 9, entry: maildir.Entry{File: "9.a"}, why: goneHere},
	}
	want := "Gone from the server, to be deleted here:\nUID 7  2026-03-01  Ann  Re: lunch  7.a\nUID 8  8.a\nGone here, to be deleted on the server:\nUID 9  9.a\nand 2 more; --dry-run lists every one"
	if got := heldText(list, 5); got != want {
		t.Errorf("got %q", got)
	}
}

// TestRule5_EachHeldDeleteIsNamed: whoever releases the brake has seen what goes.
func TestRule5_EachHeldDeleteIsNamed(t *testing.T) {
	w := newWorld(t, imaptest.QRESYNC, 1)
	many(w)
	w.must()
	for i := range 10 { // looked at by a mail reader, but not read
		from := w.file("INBOX", fmt.Sprintf("m%02d", i))
		w.rename(from, strings.Replace(from, "/new/", "/cur/", 1))
	}
	for range 3 {
		w.must() // from the last of them on the Maildir is known to be unchanged
	}
	for _, m := range w.srv.Messages("INBOX") {
		w.srv.Expunge("INBOX", m.UID)
	}
	w.must()
	held := ""
	for _, e := range w.events {
		if e.Kind == "held" {
			held = e.Text
		}
	}
	if !strings.HasPrefix(held, "Gone from the server") || strings.Count(held, "\nUID ") != len(w.files("INBOX")) || !strings.Contains(held, "m03") {
		t.Errorf("%d files held: %q", len(w.files("INBOX")), held)
	}
	for i := range 20 {
		if name := fmt.Sprintf("x  m%02d  ", i); !strings.Contains(held, name) {
			t.Errorf("sender and subject %q are missing in %q", name, held)
		}
	}
}
