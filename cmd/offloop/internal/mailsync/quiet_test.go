package mailsync

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"offloop/imapproto/imaptest"
)

// The tests of this file are about the conditions under which a folder is taken as
// unchanged without being opened. In each of them one condition does not hold and
// all the others do, and something has changed that is missed without it.

// quietWorld has a folder Work that the last runs took as unchanged.
func quietWorld(t *testing.T, set func(w *world), want ...string) *world {
	w := newWorld(t, imaptest.QRESYNC, 3)
	if set != nil {
		set(w)
	}
	w.remoteAdd("INBOX", "i")
	for _, n := range []string{"a", "b", "c"} {
		w.remoteAdd("Work", n, `\Seen`)
	}
	for range 3 {
		w.must()
	}
	if w.looked("Work", func() { w.must() }) {
		t.Fatal("an unchanged folder is opened")
	}
	w.expect(strings.Join(append(want, "INBOX i:-\nWork a:S b:S c:S")[:1], ""))
	return w
}

// looked tells whether a folder was selected meanwhile.
func (w *world) looked(folder string, do func()) bool {
	from := len(w.srv.Log)
	do()
	return slices.ContainsFunc(w.srv.Log[from:], func(e imaptest.Entry) bool {
		return (e.Name == "SELECT" || e.Name == "EXAMINE") && e.Mailbox == folder
	})
}

// skipped tells whether a run said that it took the folder as unchanged.
func (w *world) skipped(folder string) bool {
	return slices.ContainsFunc(w.events, func(e Event) bool { return e.Kind == "folder-skip" && e.Folder == folder })
}

// sameNumbers makes the server go on telling the numbers it tells now, except for those
// named.
func (w *world) sameNumbers(folder string, except string) {
	box, _ := w.srv.Mailbox(folder)
	mod := w.token(folder).modSeq
	n := len(w.srv.Messages(folder))
	if except != "UIDNEXT" {
		w.srv.Faults.UIDNext = func(name string, u uint32) uint32 { return choose(name == folder, box.UIDNext, u) }
	}
	if except != "MESSAGES" {
		w.srv.Faults.Exists = func(name string, k int) int { return choose(name == folder, n, k) }
	}
	if except != "HIGHESTMODSEQ" {
		w.srv.Faults.ModSeq = func(name string, m uint64) uint64 { return choose(name == folder, mod, m) }
	}
}

func choose[T any](first bool, a, b T) T {
	if first {
		return a
	}
	return b
}

// token is what the last process remembered of a folder.
func (w *world) token(folder string) folderToken {
	t, ok := parseFolderToken(w.last.a.book.Token(tokFolder + folder))
	if !ok {
		w.tb.Fatalf("nothing is remembered of %s", folder)
	}
	return t
}

// TestQuiet_Numbers: any of the four numbers of STATUS that differs has the folder
// opened, though the other three are the same.
func TestQuiet_Numbers(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(w *world)
		want   string
	}{
		{"UIDVALIDITY", func(w *world) { w.remade("Work", "a:S", "b:S", "new:S") }, "a:S b:S c:S new:S"},
		{"UIDNEXT", func(w *world) { w.remoteDel("Work", "b"); w.remoteAdd("Work", "new") }, "a:S c:S new:-"},
		{"MESSAGES", func(w *world) { w.remoteDel("Work", "b") }, "a:S c:S"},
		{"HIGHESTMODSEQ", func(w *world) { w.remoteFlags("Work", "b", `\Flagged`) }, "a:S b:F c:S"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := quietWorld(t, nil)
			w.sameNumbers("Work", c.name)
			c.change(w)
			w.sync()
			w.sync() // a folder numbered anew takes two
			w.expect("INBOX i:-\nWork " + c.want)
		})
	}
}

// TestQuiet_CondstoreAdvertised: a HIGHESTMODSEQ from a server that does not announce
// CONDSTORE says nothing, however equal it is.
func TestQuiet_CondstoreAdvertised(t *testing.T) {
	w := quietWorld(t, nil)
	mod := fmt.Sprintf("HIGHESTMODSEQ %d)", w.token("Work").modSeq)
	w.set.Disable = []string{"CONDSTORE", "QRESYNC"}
	w.srv.Faults.Response = func(_ *imaptest.Session, line []byte) []byte {
		if s := string(line); strings.HasPrefix(s, "* STATUS Work (") && !strings.Contains(s, "HIGHESTMODSEQ") {
			return []byte(strings.Replace(s, ")", " "+mod, 1))
		}
		return line
	}
	w.remoteFlags("Work", "b", `\Flagged`)
	w.must()
	w.expect("INBOX i:-\nWork a:S b:F c:S")
}

// TestQuiet_ModSeqPositive: a mailbox without modification sequences always tells the
// same HIGHESTMODSEQ, 0.
func TestQuiet_ModSeqPositive(t *testing.T) {
	w := newWorld(t, imaptest.QRESYNC, 3)
	w.srv.Faults.NoModSeq = true
	w.remoteAdd("Work", "b", `\Seen`)
	w.must()
	w.must()
	w.remoteFlags("Work", "b", `\Flagged`)
	w.must()
	w.expect("INBOX\nWork b:F")
}

// TestQuiet_StatusCame: a folder the server tells no numbers of is opened.
func TestQuiet_StatusCame(t *testing.T) {
	w := quietWorld(t, nil)
	w.srv.Faults.Response = func(_ *imaptest.Session, line []byte) []byte {
		if strings.HasPrefix(string(line), "* STATUS Work ") {
			return nil
		}
		return line
	}
	w.remoteFlags("Work", "b", `\Flagged`)
	w.must()
	w.expect("INBOX i:-\nWork a:S b:F c:S")
}

// TestQuiet_ListEndedOK: numbers of a LIST that failed count for nothing: the round
// says so instead of calling the folder unchanged.
func TestQuiet_ListEndedOK(t *testing.T) {
	w := quietWorld(t, nil)
	w.remoteFlags("Work", "b", `\Flagged`)
	w.sameNumbers("Work", "")
	w.srv.Faults.Rules = []imaptest.Rule{{Name: "LIST", Act: imaptest.Act{Kind: imaptest.ActAnswerAfter, Text: "NO [SERVERBUG] numbers may be old"}}}
	w.events = nil
	if r := w.sync(); len(r.Errors) == 0 {
		t.Error("a failed LIST is no error")
	}
	if w.skipped("Work") {
		t.Error("a folder is called unchanged on the strength of a failed LIST")
	}
	w.srv.Faults = imaptest.Faults{Settle: true}
	w.must()
	w.expect("INBOX i:-\nWork a:S b:F c:S")
}

// TestQuiet_Stamps: any of the four fields of the stamp of new or of cur that differs has
// the Maildir read, though all others are the same: times are set back by restoring
// programs, directories are replaced, other file systems are mounted.
func TestQuiet_Stamps(t *testing.T) {
	for _, sub := range []string{"new", "cur"} {
		for _, field := range []string{"device", "inode", "mtime", "ctime"} {
			t.Run(sub+" "+field, func(t *testing.T) {
				w := quietWorld(t, nil)
				old := w.token("Work").stamps[choose(sub == "new", 0, 1)]
				w.stat = func(p string, dev, ino *uint64, mtime, ctime *int64) {
					if p != wRoot+"/Work/"+sub {
						return
					}
					now := *mtime
					*dev, *ino, *mtime, *ctime = old.Dev, old.Ino, old.Mtime, old.Ctime
					switch field {
					case "device":
						*dev += 9
					case "inode":
						*ino += 9
					case "mtime":
						*mtime = now
					case "ctime":
						*ctime = now
					}
				}
				w.localAdd("Work", "own", choose(sub == "new", "", "S"))
				w.must()
				w.stat = nil
				w.expect("INBOX i:-\nWork a:S b:S c:S own:" + choose(sub == "new", "-", "S"))
			})
		}
	}
}

// TestQuiet_NothingPending: what could not be done is tried again though nothing changed
// on either side since.
func TestQuiet_NothingPending(t *testing.T) {
	w := quietWorld(t, func(w *world) { w.set.FullCheck = 0 })
	w.localAdd("Work", "own", "S")
	w.srv.Faults.Rules = []imaptest.Rule{{Name: "APPEND", Act: imaptest.Act{Kind: imaptest.ActAnswer, Text: "NO [OVERQUOTA] full"}}}
	if r := w.sync(); len(r.Errors) == 0 {
		t.Error("a refused upload is no error")
	}
	w.sync()
	w.srv.Faults.Rules = nil
	w.wait(100 * time.Hour) // longer than any pause before the next attempt
	w.must()
	w.expect("INBOX i:-\nWork a:S b:S c:S own:S")
}

// TestQuiet_ConfigDigest: other rules want other messages, though both sides are as
// they were.
func TestQuiet_ConfigDigest(t *testing.T) {
	w := quietWorld(t, func(w *world) {
		w.set.MaxSize = 10000
		w.remoteAdd("Work", "big1")
	}, "INBOX i:-\nWork a:S b:S c:S | a:S b:S big1:- c:S")
	w.set.MaxSize, w.set.ConfigDigest = 0, "e"
	w.must()
	w.expect("INBOX i:-\nWork a:S b:S big1:- c:S")
}

// TestQuiet_FullCheck: what no number shows is found within a day.
func TestQuiet_FullCheck(t *testing.T) {
	w := quietWorld(t, nil)
	w.sameNumbers("Work", "")
	w.remoteFlags("Work", "b", `\Flagged`)
	w.must()
	w.expect("INBOX i:-\nWork a:S b:S c:S | a:S b:F c:S")
	w.wait(25 * time.Hour)
	w.must()
	w.expect("INBOX i:-\nWork a:S b:F c:S")
}

// TestQuiet_SelectedMailbox: a server may tell old numbers of the mailbox that is
// selected, so on a connection kept between rounds none is.
func TestQuiet_SelectedMailbox(t *testing.T) {
	w := quietWorld(t, func(w *world) { w.srv.Faults.StaleStatus, w.set.Hold = true, true })
	p := w.start()
	w.localAdd("Work", "own", "S") // so that Work is selected in the first rounds
	for range 3 {
		p.round()
		p.loop.Advance(time.Minute)
	}
	w.remoteFlags("Work", "own", `\Flagged`)
	w.looked("Work", func() { p.round() })
	p.loop.Advance(time.Minute)
	// Now Work was the last one that was selected.
	w.remoteFlags("Work", "b", `\Flagged`)
	p.round()
	w.expect("INBOX i:-\nWork a:S b:F c:S own:F")
	p.a.Release()
}

// TestQuiet_TokensFromBefore: what another client changes while our own changes are
// under way is found by the next round, since the numbers remembered are older. The
// server does not name the UIDs of uploads, so the folder is selected once more after
// the changes: it then shows numbers that count the other client's change already.
func TestQuiet_TokensFromBefore(t *testing.T) {
	for _, c := range []struct {
		command string
		both    bool // the server had something new before
	}{{"APPEND", false}, {"UID STORE", false}, {"APPEND", true}, {"UID STORE", true}} {
		t.Run(fmt.Sprint(c.command, " ", c.both), func(t *testing.T) {
			command := c.command
			w := quietWorld(t, func(w *world) { w.srv.Caps = imaptest.QRESYNC.Without("UIDPLUS", "IMAP4rev2") })
			w.localFlags("Work", "a", "F")
			if c.both {
				w.remoteFlags("Work", "c", `\Flagged`)
			}
			w.localAdd("Work", "own", "S")
			done, shown := false, false
			w.srv.Faults.After = func(c imaptest.Command) {
				switch {
				case !done && c.Name == command && c.Mailbox == "Work":
					done = true
					w.remoteFlags("Work", "b", `\Answered`)
				case done && c.Name == "SELECT" && c.Mailbox == "Work":
					shown = true
				}
			}
			w.must()
			if !done || !shown {
				t.Fatalf("not the situation meant: changed %v, numbers shown afterwards %v", done, shown)
			}
			w.must()
			w.expect("INBOX i:-\nWork a:F b:R c:" + choose(c.both, "F", "S") + " own:S")
		})
	}
}

// TestQuiet_YoungStamps: a directory may change twice within one tick of the file
// system's clock, so a stamp as young as that proves nothing; and young it is by the
// clock of the file system, which need not be ours.
func TestQuiet_YoungStamps(t *testing.T) {
	for _, c := range []struct {
		name string
		skew time.Duration
	}{{"same clock", 0}, {"an hour behind ours", -time.Hour}} {
		t.Run(c.name, func(t *testing.T) {
			w := quietWorld(t, nil)
			w.stat = func(_ string, _, _ *uint64, mtime, ctime *int64) {
				for _, at := range []*int64{mtime, ctime} {
					*at = *at - *at%int64(time.Second) + int64(c.skew)
				}
			}
			w.now = w.now.Truncate(time.Second).Add(2 * time.Second)
			w.clock()
			w.localAdd("Work", "own", "S")
			done := false
			w.onEvent = func(e Event) {
				if !done && e.Kind == "step" && e.Text == "Work: commit" { // the scan is over
					done = true
					w.localAdd("Work", "late", "S")
				}
			}
			w.must()
			w.onEvent = nil
			if !done {
				t.Fatal("the folder was not looked at")
			}
			w.must() // proves that the upload arrived, and may take only that side as changed
			w.must()
			w.stat = nil
			w.expect("INBOX i:-\nWork a:S b:S c:S late:S own:S")
		})
	}
}

// TestGuard_Enable: QRESYNC counts only if the server confirmed it; one that says
// nothing at all to ENABLE is not asked again.
func TestGuard_Enable(t *testing.T) {
	for _, c := range []struct {
		name   string
		faults func(w *world)
		runs   int
	}{
		{"not confirmed", func(w *world) { w.srv.Faults.NoEnabled = true }, 1},
		{"refused", func(w *world) {
			w.srv.Faults.Rules = []imaptest.Rule{{Name: "ENABLE", Act: imaptest.Act{Kind: imaptest.ActAnswer, Text: "BAD what"}}}
		}, 1},
		{"never answered", func(w *world) {
			w.srv.Faults.Rules = []imaptest.Rule{{Name: "ENABLE", Act: imaptest.Act{Kind: imaptest.ActMute}}}
		}, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := quietWorld(t, nil)
			c.faults(w)
			for _, f := range []string{"INBOX", "Work"} {
				w.remoteAdd(f, "new"+f)
			}
			w.remoteDel("Work", "b")
			w.remoteFlags("Work", "c", `\Flagged`)
			w.sync()
			w.expect("INBOX i:- newINBOX:-\nWork a:S c:F newWork:-")
			from := len(w.srv.Log)
			w.remoteDel("Work", "a")
			w.must()
			w.expect("INBOX i:- newINBOX:-\nWork c:F newWork:-")
			if n := len(w.commands(from, "ENABLE")); c.runs > 1 && n > 0 {
				t.Error("a server that fell silent over ENABLE is asked again")
			}
		})
	}
}

// TestRule4_ModSeqBackwards: a server set back to an earlier state deletes nothing here.
func TestRule4_ModSeqBackwards(t *testing.T) {
	w := quietWorld(t, nil)
	w.srv.Faults.ModSeq = func(_ string, m uint64) uint64 { return 1 }
	w.remoteDel("Work", "b")
	w.remoteAdd("Work", "new")
	w.events = nil
	w.must()
	w.expect("INBOX i:-\nWork a:S b:S c:S new:- | a:S c:S new:-")
	if !slices.ContainsFunc(w.events, func(e Event) bool { return strings.Contains(e.Text, "went back") }) {
		t.Error("nothing is said of it")
	}
}

// TestRule4_QResyncContradicts: what QRESYNC tells of changes is believed only if it adds
// up to the message count; else the folder is listed in full, and only what that shows
// is done.
func TestRule4_QResyncContradicts(t *testing.T) {
	for _, c := range []struct {
		name   string
		faults func(w *world)
		want   string
	}{
		{"VANISHED of a message that is there", func(w *world) {
			w.srv.Faults.Vanished = func(name string, earlier bool, uids []uint32) []uint32 {
				if name == "Work" && earlier {
					return []uint32{1, 2, 3}
				}
				return uids
			}
		}, "a:S b:S c:S new:-"},
		{"VANISHED is left out", func(w *world) {
			w.remoteDel("Work", "b")
			w.srv.Faults.Vanished = func(string, bool, []uint32) []uint32 { return nil }
		}, "a:S c:S new:-"},
		{"EXISTS too small", func(w *world) {
			w.srv.Faults.Exists = func(name string, n int) int { return choose(name == "Work", n-1, n) }
		}, "a:S b:S c:S new:-"},
		{"EXISTS too large, one gone", func(w *world) {
			w.remoteDel("Work", "b")
			w.srv.Faults.Exists = func(name string, n int) int { return choose(name == "Work", n+1, n) }
		}, "a:S b:S c:S new:- | a:S c:S new:-"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := quietWorld(t, nil)
			w.remoteAdd("Work", "new")
			c.faults(w)
			from := len(w.srv.Log)
			w.must()
			w.expect("INBOX i:-\nWork " + c.want)
			if !slices.ContainsFunc(w.commands(from, "UID FETCH"), func(l string) bool { return strings.HasSuffix(l, " 1:4294967295 (UID FLAGS)") }) {
				t.Errorf("the folder was not listed in full: %q", w.commands(from, "UID FETCH"))
			}
		})
	}
}
