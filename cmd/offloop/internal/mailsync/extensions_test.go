package mailsync

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"offloop/imapproto/imaptest"
)

// extensions are those that offloop uses where a server has them.
var extensions = []string{"QRESYNC", "CONDSTORE", "ENABLE", "ESEARCH", "LIST-STATUS", "LIST-EXTENDED", "MULTIAPPEND", "LITERAL+", "LITERAL-",
	"UIDPLUS", "MOVE", "COMPRESS=DEFLATE", "IDLE", "NOTIFY", "SASL-IR", "NAMESPACE", "SPECIAL-USE", "ID", "UNSELECT", "UTF8=ACCEPT", "STATUS=SIZE", "OBJECTID",
	"CHILDREN", "IMAP4REV2"}

// pretended has the server announce what it does not have: who uses that is refused.
func (w *world) pretended(names ...string) {
	w.srv.Faults.Response = func(_ *imaptest.Session, line []byte) []byte {
		before, after, ok := bytes.Cut(line, []byte("CAPABILITY "))
		if !ok {
			return line
		}
		return slices.Concat(before, []byte("CAPABILITY "+strings.Join(names, " ")+" "), after)
	}
}

// bothWays changes everything that can be changed, on both sides.
func bothWays(w *world) {
	w.remoteAdd("INBOX", "r1")
	w.remoteAdd("Work", "r2", `\Flagged`, "$Forwarded")
	w.remoteAdd("made/there", "r3", `\Seen`)
	w.localAdd("INBOX", "l1", "S")
	w.localAdd("INBOX", "l2", "F")
	w.localAdd("Work", "big1", "S") // longer than LITERAL- carries
	w.localAdd("made.here", "l3", "")
	w.remoteFlags("INBOX", "a", `\Answered`)
	w.localFlags("INBOX", "b", "FS")
	w.remoteFlags("Work", "f", `\Seen`)
	w.localFlags("Work", "g", "RS")
	w.remoteDel("INBOX", "c")
	w.localDel("Work", "h")
	w.localDel("INBOX", "d")
	w.srv.MoveMessage("INBOX", w.uid("INBOX", "e"), "Work")
}

const bothChanged = "INBOX a:R b:FS l1:S l2:F r1:-\nWork big1:S e:S f:S g:RS r2:FP\nmade.here l3:-\nmade/there r3:S"

// bothMarked is the end where only marks can be set.
const bothMarked = "INBOX a:R b:FS l1:S l2:F r1:- | a:R b:FS d:ST l1:S l2:F r1:-\nWork big1:S e:S f:S g:RS r2:FP | big1:S e:S f:S g:RS h:ST r2:FP\nmade.here l3:-\nmade/there r3:S"

// TestExtensionsOff: each extension switched off by itself, and all of them, on a server
// that announces it and refuses it: nothing of it is used, and both sides end up equal.
// What was remembered with all of them on is of no harm, nor the other way round.
func TestExtensionsOff(t *testing.T) {
	cases := [][]string{extensions, {"QRESYNC", "CONDSTORE"}, {"LITERAL+", "MULTIAPPEND"}, {"UIDPLUS", "MOVE"}, {"ESEARCH", "QRESYNC"}}
	for _, name := range extensions {
		cases = append(cases, []string{name})
	}
	for _, off := range cases {
		name := strings.Join(off, " ")
		if len(off) == len(extensions) {
			name = "all"
		}
		for _, late := range []bool{false, true} {
			t.Run(choose(late, name+" later", name), func(t *testing.T) {
				w := newWorld(t, imaptest.QRESYNC.With("LITERAL-"), 5)
				without := func() {
					w.set.Disable = off
					w.srv.Caps = w.srv.Caps.Without(off...)
					w.pretended(off...)
				}
				if !late {
					without()
				}
				for _, n := range []string{"a", "b", "c", "d", "e"} {
					w.remoteAdd("INBOX", n, `\Seen`)
				}
				for _, n := range []string{"f", "g", "h"} {
					w.remoteAdd("Work", n, `\Seen`)
				}
				w.must()
				w.must()
				if late {
					without()
				}
				bothWays(w)
				w.must()
				w.must()
				want := bothChanged
				if slices.Contains(off, "UIDPLUS") {
					want = bothMarked
				}
				w.expect(want)
				w.idle()
				w.set.Disable, w.srv.Caps, w.srv.Faults.Response = nil, imaptest.QRESYNC, nil
				w.remoteFlags("INBOX", "l1", `\Answered`)
				w.must()
				w.remoteFlags("INBOX", "l1", `\Seen`)
				w.must()
				w.expect(want)
				w.noComplaints()
			})
		}
	}
}
