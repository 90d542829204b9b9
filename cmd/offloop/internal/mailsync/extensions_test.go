package mailsync

import (
	"bytes"
	"fmt"
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

// TestChangedSinceRefused: a server that announces CONDSTORE and does not understand it
// is listed in full, and is not asked again in the same process.
func TestChangedSinceRefused(t *testing.T) {
	for _, answer := range []string{"BAD what is that", "NO not now"} {
		t.Run(answer, func(t *testing.T) {
			w := newWorld(t, imaptest.CondstoreOnly, 5)
			w.set.Hold = true
			three(w)
			w.must()
			w.must()
			w.srv.Faults.Command = func(c imaptest.Command) imaptest.Act {
				if strings.Contains(c.Line, "CHANGEDSINCE") {
					return imaptest.Act{Kind: imaptest.ActAnswer, Text: answer}
				}
				return imaptest.Act{}
			}
			from := len(w.srv.Log)
			p := w.start()
			w.remoteDel("INBOX", "c")
			w.localFlags("INBOX", "a", "F")
			p.round()
			w.remoteFlags("INBOX", "b", `\Answered`)
			p.round()
			w.remoteAdd("INBOX", "d")
			p.round()
			w.expect("INBOX a:F b:R d:-")
			asked := 0
			for _, l := range w.commands(from, "UID FETCH") {
				if strings.Contains(l, "CHANGEDSINCE") {
					asked++
				}
			}
			if want := choose(answer[0] == 'B', 1, 3); asked != want {
				t.Errorf("asked %d times, want %d", asked, want)
			}
			p.a.Release()
			w.noComplaints()
		})
	}
}

// TestManyKeywords: a mailbox with more keywords than have numbers keeps the letters of
// those that had theirs first.
func TestManyKeywords(t *testing.T) {
	w := newWorld(t, imaptest.Bare, 5)
	w.remoteAdd("INBOX", "a")
	w.remoteAdd("INBOX", "b", "first", "second")
	w.must()
	if f := w.file("INBOX", "b"); !strings.HasSuffix(f, "ab") {
		t.Fatalf("keywords have no letters: %s", f)
	}
	var many []string
	for i := range 60 {
		many = append(many, fmt.Sprint("z", i))
	}
	w.remoteFlags("INBOX", "a", many...)
	w.must()
	w.must()
	if f := w.file("INBOX", "b"); !strings.HasSuffix(f, "ab") {
		t.Errorf("keywords that the server still has are gone here: %s", f)
	}
	w.remoteFlags("INBOX", "a")
	w.remoteFlags("INBOX", "b", "second")
	w.must()
	if f := w.file("INBOX", "b"); !strings.HasSuffix(f, "2,b") {
		t.Errorf("a keyword that was taken away on the server: %s", f)
	}
}
