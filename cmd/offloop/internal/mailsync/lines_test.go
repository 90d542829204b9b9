package mailsync

import (
	"fmt"
	"strings"
	"testing"

	"offloop/imapproto/imaptest"
)

// TestShortLines: however many messages are fetched, marked, moved, copied and expunged,
// no line is longer than the strictest servers take.
func TestShortLines(t *testing.T) {
	const n = 800
	for _, v := range []struct {
		name string
		caps imaptest.Caps
	}{{"move", imaptest.QRESYNC}, {"copy", imaptest.CondstoreOnly.Without("MOVE")}} {
		t.Run(v.name, func(t *testing.T) {
			w := newWorld(t, v.caps, 5)
			w.srv.Faults.LineLimit = 1000
			name := func(i int) string { return fmt.Sprintf("m%04d", i) }
			w.remoteAdd("INBOX", "first")
			for i := range n {
				w.remoteAdd("Work", name(i))
				w.srv.Expunge("Work", w.remoteAdd("Work", "gap")) // so that the UIDs do not make ranges
			}
			w.must()
			w.must()
			w.srv.CreateMailbox("to")
			w.must()
			from := len(w.srv.Log)
			for i := range n {
				switch i % 4 {
				case 0:
					w.localFlags("Work", name(i), "F")
				case 1:
					w.localMove("Work", name(i), "to")
				case 2:
					w.localDel("Work", name(i))
				}
			}
			w.set.AllowDeletes = []string{"Work"}
			w.must()
			w.idle()
			for _, c := range []string{"UID STORE", "UID EXPUNGE", choose(v.name == "move", "UID MOVE", "UID COPY")} {
				if k := len(w.commands(from, c)); k < 2 {
					t.Errorf("%d of %s: nothing was split", k, c)
				}
			}
			for _, e := range w.srv.Log {
				if len(e.Line) > 1000 && e.Name != "APPEND" { // the log joins the lines around literals
					t.Errorf("%d bytes: %.60s", len(e.Line), e.Line)
				}
			}
			if a, b := len(w.srv.Messages("Work")), len(w.srv.Messages("to")); a != n/2 || b != n/4 {
				t.Errorf("%d messages are left and %d moved", a, b)
			}
			if strings.Contains(w.state(), "|") {
				t.Error("the sides differ")
			}
			w.noComplaints()
		})
	}
}
