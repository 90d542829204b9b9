package mailsync

import (
	"testing"

	"offloop/imapproto/imaptest"
)

// deepest runs once and tells how many commands were under way at most.
func (w *world) deepest() (most int) {
	w.srv.Faults.Before = func(imaptest.Command) {
		if k := w.last.a.link; k != nil && k.conn != nil {
			most = max(most, k.conn.InFlight())
		}
	}
	w.sync()
	w.srv.Faults.Before = nil
	return most
}

// busy is an account all of whose folders are asked in every round.
func busy(t *testing.T, greeting string) *world {
	w := newWorld(t, imaptest.Bare, 3)
	w.srv.Greeting = greeting
	w.mailbag(40, 1)
	return w
}

// TestDepth_Table: servers known to mind get less at a time, from the first command
// of a new connection on.
func TestDepth_Table(t *testing.T) {
	for _, c := range []struct {
		greeting string
		want     int
	}{
		{"Microsoft Exchange Server 2003 IMAP4rev1 server version 6.5.7226.0 ready.", 1},
		{"The Microsoft Exchange IMAP4 service is ready.", 25},
		{"Twisted IMAP4rev1 Ready", 1},
		{"Dovecot ready.", 64},
	} {
		w := busy(t, c.greeting)
		if n := w.deepest(); n != c.want {
			t.Errorf("%s: %d commands at once, want %d", c.greeting, n, c.want)
		}
		w.noComplaints()
	}
}

// TestDepth_FirstRun: the greeting counts before anything is remembered.
func TestDepth_FirstRun(t *testing.T) {
	w := newWorld(t, imaptest.Bare, 3)
	w.srv.Greeting = "Twisted IMAP4rev1 Ready"
	for i := range 10 {
		w.remoteAdd(bag(i), "m")
	}
	if n := w.deepest(); n != 1 {
		t.Errorf("%d commands at once", n)
	}
}

// TestDepth_Halved: a connection that ends in the midst of many commands has the next
// one send half as many, and rounds that go well bring it back.
func TestDepth_Halved(t *testing.T) {
	for _, c := range []struct {
		name string
		act  imaptest.Act
		set  int
		want int
	}{
		{"bye", imaptest.Act{Kind: imaptest.ActBye, Text: "too many commands"}, 0, 32},
		{"stall", imaptest.Act{Kind: imaptest.ActHold}, 0, 32},
		{"closed without a word", imaptest.Act{Kind: imaptest.ActClose}, 0, 64},
		{"bye, but the user gave a number", imaptest.Act{Kind: imaptest.ActBye, Text: "too many commands"}, 50, 50},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := busy(t, "ready")
			w.set.Pipeline = c.set
			w.srv.Faults.Rules = []imaptest.Rule{{Name: "UID FETCH", Times: 1, Act: c.act}}
			p := w.start()
			p.round()
			if len(p.a.result.Errors) == 0 {
				t.Fatal("the connection was not lost")
			}
			if s := p.a.book.Token(tokDepth); c.want >= 50 && s != "" {
				t.Errorf("%q is remembered", s)
			}
			w.srv.Faults.Rules = nil
			if n := w.deepest(); n != c.want {
				t.Errorf("%d commands at once after it, want %d", n, c.want)
			}
			for range 10 {
				w.must()
			}
			if n, want := w.deepest(), max(c.set, 64*boolRank(c.set == 0)); n != want {
				t.Errorf("%d commands at once after good rounds, want %d", n, want)
			}
		})
	}
}

// TestDepth_Floor: it never gets below one command at a time, and another server
// begins anew.
func TestDepth_Floor(t *testing.T) {
	w := busy(t, "ready")
	for range 12 {
		w.srv.Faults.Rules = []imaptest.Rule{{Name: "UID FETCH", Times: 1, Act: imaptest.Act{Kind: imaptest.ActBye, Text: "no"}}}
		w.start().round()
	}
	w.srv.Faults.Rules = nil
	if n := w.deepest(); n < 1 || n > 2 {
		t.Errorf("%d commands at once", n)
	}
	w.srv.Greeting = "The Microsoft Exchange IMAP4 service is ready."
	w.sync()
	if n := w.deepest(); n != 25 {
		t.Errorf("%d commands at once with another server", n)
	}
}
