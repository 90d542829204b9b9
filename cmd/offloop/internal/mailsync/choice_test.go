package mailsync

import (
	"slices"
	"strings"
	"testing"

	"offloop/imapproto/imaptest"
)

// TestRule5_AllowedOnce: a person who lets the deletes through that were shown has not
// let more through, nor others of a later round.
func TestRule5_AllowedOnce(t *testing.T) {
	w := newWorld(t, imaptest.QRESYNC, 2)
	many(w)
	w.must()
	gone := func(from, to int) {
		for _, m := range w.srv.Messages("INBOX")[from:to] {
			w.srv.Expunge("INBOX", m.UID)
		}
	}
	files := func(want int, when string) {
		t.Helper()
		if n := len(w.files("INBOX")); n != want {
			t.Errorf("%s: %d files, want %d", when, n, want)
		}
	}
	p := w.start()
	gone(0, 12)
	p.round()
	files(20, "held back")
	p.set.Allowed = map[string]int{"INBOX": 11}
	p.round()
	files(20, "fewer were shown")
	p.set.Allowed = map[string]int{"INBOX": 12}
	p.round()
	files(8, "let through")
	p.set.Allowed = nil
	for i := range 20 {
		w.remoteAdd("INBOX", "later"+string(rune('a'+i)))
	}
	p.round()
	files(28, "new ones")
	gone(0, 5) // the twelve that a person let through do not count
	p.round()
	files(23, "a few others")
	gone(0, 11)
	p.round()
	files(23, "others later")
}

// TestRests: a folder that one side lost says what each choice would do, is forgotten
// once, and nothing of it is forgotten where it may not be made again.
func TestRests(t *testing.T) {
	for _, c := range []struct {
		name   string
		lose   func(w *world)
		forbid func(s *Settings)
		want   string
	}{
		{"here", func(w *world) { w.removeMaildir("Work") }, func(s *Settings) { s.LocalReadOnly = true },
			"m: make it again. The Maildir is made, and every message that the server has in it (1) is downloaded"},
		{"there", func(w *world) { w.srv.DeleteMailbox("Work") }, func(s *Settings) { s.CreateRemoteFolders = false },
			"m: make it again. The folder is made on the server, and every message of the Maildir is uploaded"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, imaptest.QRESYNC, 3)
			three(w)
			w.remoteAdd("Work", "x")
			w.must()
			said := func(kind string) string {
				i := slices.IndexFunc(w.events, func(e Event) bool { return e.Kind == kind && e.Dest == "missing" })
				if i < 0 {
					return ""
				}
				return w.events[i].Text
			}
			c.lose(w)
			w.must()
			if !strings.Contains(said("attention"), "Folder Work rests") || !strings.HasPrefix(said("held"), c.want) ||
				!strings.Contains(said("held"), "\nf: forget it. Nothing is made or deleted") {
				t.Errorf("%q\n%q", said("attention"), said("held"))
			}
			kept := w.set
			c.forbid(&w.set)
			w.set.Recreate = []string{"Work"}
			w.events = nil
			w.must()
			if !strings.Contains(said("attention"), "Folder Work rests") || !strings.HasPrefix(said("held"), "It cannot be made again") {
				t.Errorf("forbidden: %q\n%q", said("attention"), said("held"))
			}
			w.set = kept
			p := w.start()
			p.set.Forget = []string{"Work"}
			w.events = nil
			p.round()
			if len(p.set.Forget) != 0 || said("attention") != "" {
				t.Errorf("forgotten: %q, %q", p.set.Forget, said("attention"))
			}
			w.events = nil
			p.round()
			if said("attention") != "" {
				t.Error("a forgotten folder still waits")
			}
			p.set.Recreate = []string{"Work"}
			p.round()
			if c.name == "here" && len(w.files("Work")) != 1 || c.name == "there" && len(w.srv.Messages("Work")) != 1 {
				t.Error("it was not made again")
			}
		})
	}
}
