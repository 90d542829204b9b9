package mailsync

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"offloop/imapproto/imaptest"
)

// thirtyTwo is a world with so many messages in INBOX, synced.
func thirtyTwo(t *testing.T) *world {
	w := newWorld(t, imaptest.QRESYNC, 2)
	many(w)
	for i := range 12 {
		w.remoteAdd("INBOX", fmt.Sprintf("m%02d", 20+i))
	}
	w.must()
	return w
}

// TestRule5_AllowedOnce: a person who lets the deletes through that were shown has not
// let more through, nor as many others, nor others of a later round.
func TestRule5_AllowedOnce(t *testing.T) {
	w := thirtyTwo(t)
	p := w.start()
	gone := func(from, to int) {
		for _, m := range w.srv.Messages("INBOX")[from:to] {
			w.srv.Expunge("INBOX", m.UID)
		}
	}
	// round has what of shown is let through, and returns what is held back after it.
	round := func(shown string, want int, when string) string {
		t.Helper()
		p.set.Allowed = map[string]string{"INBOX": shown}
		w.events = nil
		p.round()
		if n := len(w.files("INBOX")); n != want {
			t.Errorf("%s: %d files, want %d", when, n, want)
		}
		for _, e := range w.events {
			if e.Kind == "attention" && e.Dest == "brake" {
				return e.Set
			}
		}
		return ""
	}
	gone(0, 12)
	twelve := round("", 32, "held back")
	validity, uids, _ := strings.Cut(twelve, "/")
	if uids != "1:12/" {
		t.Fatalf("held back: %q", twelve)
	}
	for _, other := range []string{"1" + validity + "/1:12/", validity + "//1:12", validity + "/21:32/", validity + "/1:12/x", validity + "/1:12", validity + "/1:11:12/", validity + "/12:1/"} {
		if again := round(other, 32, "let through were "+other); again != twelve {
			t.Errorf("held back: %q", again)
		}
	}
	gone(0, 12)
	others := round(twelve, 20, "others are gone meanwhile")
	if others != validity+"/13:24/" {
		t.Errorf("held back: %q", others)
	}
	round(twelve, 20, "those of before")
	round(others, 8, "let through")
	for i := range 20 {
		w.remoteAdd("INBOX", "later"+string(rune('a'+i)))
	}
	round("", 28, "new ones")
	gone(0, 5) // those that a person let through do not count
	round("", 23, "a few others")
	gone(0, 11)
	round("", 23, "others later")
}

// TestRule5_AllowedThere: likewise of deletes on the server, of files that are gone and
// of files that are marked.
func TestRule5_AllowedThere(t *testing.T) {
	w := thirtyTwo(t)
	for i := range 6 {
		w.localDel("INBOX", fmt.Sprintf("m%02d", i))
	}
	mark := func(from, to int) {
		for i := from; i < to; i++ {
			w.localFlags("INBOX", fmt.Sprintf("m%02d", i), "T")
		}
	}
	mark(6, 12)
	p := w.start()
	round := func(shown string, want int) (set, list string) {
		t.Helper()
		p.set.Allowed = map[string]string{"INBOX": shown}
		w.events = nil
		p.round()
		if n := len(w.srv.Messages("INBOX")); n != want {
			t.Errorf("%d messages, want %d", n, want)
		}
		for _, e := range w.events {
			switch {
			case e.Kind == "attention" && e.Dest == "brake":
				set = e.Set
			case e.Kind == "held":
				list = e.Text
			}
		}
		return set, list
	}
	set, list := round("", 32)
	validity, uids, _ := strings.Cut(set, "/")
	if uids != "/1:12" || strings.Count(list, "\nUID ") != 12 || !strings.Contains(list, "Marked as deleted here, to be deleted on the server:\nUID 7  ") {
		t.Errorf("held back: %q, listed as\n%s", set, list)
	}
	mark(12, 24)
	others, _ := round(set, 20)
	if others != validity+"//13:24" {
		t.Errorf("held back: %q", others)
	}
	round(others, 8)
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
