package mailsync

import (
	"fmt"
	"strings"
	"time"

	"offloop/imapproto/imaptest"
)

// scenario is one situation: both sides are filled and synced, then changed, and
// synced again. That last run is the one under test; it must end at want however
// often it is interrupted.
type scenario struct {
	name   string
	set    func(s *Settings)
	before func(w *world)
	change func(w *world)
	// faults are put on the server, and settings changed, for the run under test
	// and all later ones.
	faults func(w *world)
	want   string
	// bare is the end on a server without UIDPLUS, where it differs: such a
	// server keeps deleted messages, marked.
	bare string
	// errors must be part of some error of the run; "" demands a run without.
	errors string
	// busy: a later run has its reasons not to be idle.
	busy    bool
	only    string // servers it makes sense on, "" = all
	noCrash bool
	once    func(w *world) // takes back what was said for the run under test only
	runs    int            // how many runs it takes, 0 = one
	// check looks how an uninterrupted run went about it: what is in the server's
	// log from w.logFrom on.
	check func(w *world)
}

var servers = []struct {
	name string
	caps imaptest.Caps
}{
	{"qresync", imaptest.QRESYNC}, {"condstore", imaptest.CondstoreOnly}, {"uidplus", imaptest.UIDPlusOnly}, {"bare", imaptest.Bare},
}

func three(w *world) {
	w.remoteAdd("INBOX", "a")
	w.remoteAdd("INBOX", "b", `\Seen`)
	w.remoteAdd("INBOX", "c", `\Seen`, `\Flagged`)
}

func many(w *world) {
	for i := range 20 {
		w.remoteAdd("INBOX", fmt.Sprintf("m%02d", i))
	}
}

func manyText(flags string) string {
	var l []string
	for i := range 20 {
		l = append(l, fmt.Sprintf("m%02d:%s", i, flags))
	}
	return strings.Join(l, " ")
}

var scenarios = []scenario{
	{name: "two connections", set: func(s *Settings) { s.MaxConnections = 2 }, before: sharedWorld, change: sharedChange,
		want: sharedEnd(), only: "qresync condstore uidplus", check: bothConnections},

	{name: "initial", change: func(w *world) {
		w.remoteAdd("INBOX", "a", `\Seen`)
		w.remoteAdd("INBOX", "raw1")
		w.remoteAdd("Work/Jänner & 日本", "b", `\Flagged`, `\Answered`, `\Draft`)
		w.srv.CreateMailbox("Empty box")
		w.localAdd("INBOX", "c", "FS")
		w.localAdd("Own/deep", "noid1", "")
	}, want: "Empty box\nINBOX a:S c:FS raw1:-\nOwn/deep noid1:-\nWork/Jänner & 日本 b:DFR"},

	{name: "initial, several batches in several folders", change: func(w *world) {
		for i := range 9 {
			w.remoteAdd("INBOX", fmt.Sprint("a", i), `\Seen`)
		}
		for i := range 7 {
			w.remoteAdd("Work", fmt.Sprint("b", i), "work")
		}
		for i := range 4 {
			w.remoteAdd("Old/Deep", fmt.Sprint("c", i))
		}
		w.srv.CreateMailbox("Empty box")
	}, want: "Empty box\nINBOX a0:S a1:S a2:S a3:S a4:S a5:S a6:S a7:S a8:S\nOld/Deep c0:- c1:- c2:- c3:-\nWork b0:{work} b1:{work} b2:{work} b3:{work} b4:{work} b5:{work} b6:{work}"},

	{name: "adoption", change: func(w *world) {
		for _, n := range []string{"a", "noid1", "twin1", "twin2", "raw1"} {
			w.remoteAdd("INBOX", n, `\Flagged`)
			w.localAdd("INBOX", n, "S")
		}
		w.remoteAdd("INBOX", "onlyremote")
		w.localAdd("INBOX", "onlylocal", "S")
		w.localAdd("INBOX", "twin3", "S")
	}, want: "INBOX a:FS noid1:FS onlylocal:S onlyremote:- raw1:FS twin1:FS twin2:FS twin3:S"},

	{name: "new both ways", before: three, change: func(w *world) {
		w.remoteAdd("INBOX", "d", `\Seen`)
		w.remoteAdd("INBOX", "e")
		w.localAdd("INBOX", "f", "S")
		w.localAdd("INBOX", "g", "")
		w.localAdd("INBOX", "h", "DFPRS")
	}, want: "INBOX a:- b:S c:FS d:S e:- f:S g:- h:DFPRS"},

	{name: "flags both ways", before: three, change: func(w *world) {
		w.localFlags("INBOX", "a", "S")
		w.remoteFlags("INBOX", "b", `\Seen`, `\Answered`, "$Forwarded")
		w.localFlags("INBOX", "c", "")
	}, want: "INBOX a:S b:PRS c:-"},

	{name: "flags of one message on both sides", before: three, change: func(w *world) {
		w.localFlags("INBOX", "a", "FS")
		w.remoteFlags("INBOX", "a", `\Answered`, `\Seen`)
		w.localFlags("INBOX", "c", "R")
		w.remoteFlags("INBOX", "c", `\Seen`, `\Draft`)
	}, want: "INBOX a:FRS b:S c:DR"},

	{name: "delete here", before: three, change: func(w *world) { w.localDel("INBOX", "b") },
		want: "INBOX a:- c:FS", bare: "INBOX a:- c:FS | a:- b:ST c:FS"},

	{name: "delete there", before: three, change: func(w *world) { w.remoteDel("INBOX", "b") }, want: "INBOX a:- c:FS"},

	{name: "delete on both sides", before: three, change: func(w *world) {
		w.localDel("INBOX", "b")
		w.remoteDel("INBOX", "b")
		w.localDel("INBOX", "a")
		w.remoteDel("INBOX", "c")
	}, want: "INBOX", bare: "INBOX | a:T"},

	{name: "delete against flags", before: three, change: func(w *world) {
		w.localDel("INBOX", "a")
		w.remoteFlags("INBOX", "a", `\Flagged`)
		w.remoteDel("INBOX", "b")
		w.localFlags("INBOX", "b", "FS")
	}, want: "INBOX c:FS", bare: "INBOX c:FS | a:FT c:FS"},

	{name: "everything at once", before: func(w *world) { three(w); w.remoteAdd("Work", "x"); w.remoteAdd("Work", "y") }, change: func(w *world) {
		w.localDel("INBOX", "a")
		w.remoteDel("Work", "x")
		w.localFlags("INBOX", "b", "RS")
		w.remoteFlags("INBOX", "c", `\Flagged`)
		w.localAdd("Work", "n1", "S")
		w.remoteAdd("Work", "n2", `\Seen`)
		w.localAdd("Fresh", "n3", "")
		w.remoteAdd("There", "n4")
	}, want: "Fresh n3:-\nINBOX b:RS c:F\nThere n4:-\nWork n1:S n2:S y:-", bare: "Fresh n3:-\nINBOX b:RS c:F | a:T b:RS c:F\nThere n4:-\nWork n1:S n2:S y:-"},

	{name: "new folders", before: three, change: func(w *world) {
		w.srv.CreateMailbox("R/empty")
		w.remoteAdd("R", "x", `\Seen`)
		w.localAdd("L/one", "y", "S")
		w.localAdd("L", "z", "")
	}, want: "INBOX a:- b:S c:FS\nL z:-\nL/one y:S\nR x:S\nR/empty"},

	{name: "keywords", before: func(w *world) { three(w); w.remoteAdd("INBOX", "k", "work", `\Seen`) }, change: func(w *world) {
		w.remoteFlags("INBOX", "a", "work", "Later", "$Forwarded")
		w.remoteFlags("INBOX", "k", `\Seen`)
		w.localFlags("INBOX", "b", "FSa") // a is work: offloop gave it
		w.remoteAdd("INBOX", "n", "third", "work")
	}, want: "INBOX a:P{later}{work} b:FS{work} c:FS k:S n:{third}{work}"},

	{name: "keywords by customflag", set: func(s *Settings) { s.Keywords = map[byte]string{'w': "work"} },
		before: three, change: func(w *world) {
			w.fs.WriteFile(wRoot+"/INBOX/"+keywordsFile, "22 work\n", true) // for the test's own eyes
			w.remoteFlags("INBOX", "a", "work", "other")
			w.localFlags("INBOX", "b", "Sw")
		}, want: "INBOX a:{work} b:S{work} c:FS | a:{other}{work} b:S{work} c:FS"},

	{name: "server without new keywords", before: func(w *world) { w.srv.Faults.Keywords = imaptest.KeywordsKnown; three(w) }, change: func(w *world) {
		w.localFlags("INBOX", "a", "PS")
		w.localFlags("INBOX", "b", "FS")
	}, want: "INBOX a:PS b:FS c:FS | a:S b:FS c:FS"},

	{name: "trashed here", before: three, change: func(w *world) { w.localFlags("INBOX", "b", "ST") }, want: "INBOX a:- c:FS", bare: "INBOX a:- b:ST c:FS"},

	{name: "trashed there is not ours to expunge", before: three, change: func(w *world) { w.remoteFlags("INBOX", "b", `\Deleted`) },
		want: "INBOX a:- b:T c:FS"},

	{name: "delete beside another's Deleted", before: three, change: func(w *world) {
		w.remoteFlags("INBOX", "b", `\Deleted`)
		w.localDel("INBOX", "a")
	}, want: "INBOX b:T c:FS", bare: "INBOX b:T c:FS | a:T b:T c:FS"},

	{name: "expunge off", set: func(s *Settings) { s.Expunge = false }, before: three, change: func(w *world) {
		w.localDel("INBOX", "a")
		w.localFlags("INBOX", "b", "T")
	}, want: "INBOX b:T c:FS | a:T b:T c:FS"},

	{name: "sync_deletes off", set: func(s *Settings) { s.LocalSyncDeletes, s.RemoteSyncDeletes = false, false }, before: three, change: func(w *world) {
		w.localDel("INBOX", "a")
		w.remoteDel("INBOX", "b")
		w.localFlags("INBOX", "c", "S")
	}, want: "INBOX b:S c:S | a:- c:S"},

	{name: "Maildir read-only", set: func(s *Settings) { s.LocalReadOnly = true }, before: func(w *world) {
		w.set.LocalReadOnly = false
		three(w)
	}, change: func(w *world) {
		w.set.LocalReadOnly = true
		w.remoteAdd("INBOX", "n")
		w.remoteDel("INBOX", "b")
		w.remoteFlags("INBOX", "a", `\Seen`)
		w.localFlags("INBOX", "c", "FRS")
		w.localAdd("INBOX", "l", "S")
	}, want: "INBOX a:- b:S c:FRS l:S | a:S c:FRS l:S n:-", busy: true, noCrash: true},

	{name: "server read-only", before: three, change: func(w *world) {
		w.set.RemoteReadOnly = true
		w.remoteAdd("INBOX", "n")
		w.remoteDel("INBOX", "b")
		w.localFlags("INBOX", "a", "S")
		w.remoteFlags("INBOX", "c", `\Seen`)
		w.localAdd("INBOX", "l", "S")
	}, want: "INBOX a:S c:S l:S n:- | a:- c:S n:-"},

	{name: "maxsize", set: func(s *Settings) { s.MaxSize = 1000 }, before: three, change: func(w *world) {
		w.remoteAdd("INBOX", "big1")
		w.remoteAdd("INBOX", "n")
	}, want: "INBOX a:- b:S c:FS n:- | a:- b:S big1:- c:FS n:-"},

	{name: "large messages", before: three, change: func(w *world) {
		w.remoteAdd("INBOX", "big1")
		w.localAdd("INBOX", "big2", "S")
		w.localAdd("INBOX", "n", "S")
	}, want: "INBOX a:- b:S big1:- big2:S c:FS n:S"},

	{name: "equal messages", before: three, change: func(w *world) {
		w.localAdd("INBOX", "twin1", "S")
		w.localAdd("INBOX", "twin2", "")
		w.localAdd("INBOX", "noid1", "S")
		w.localAdd("INBOX", "noid2", "S")
		w.fs.WriteFile(wRoot+"/INBOX/cur/1600000001.copy.reader:2,F", strings.ReplaceAll(w.letter("twin1"), "\r\n", "\n"), true)
	}, want: "INBOX a:- b:S c:FS noid1:S noid2:S twin1:F twin1:S twin2:-"},

	{name: "second file with one UID", before: three, change: func(w *world) {
		f := w.file("INBOX", "b")
		w.fs.WriteFile(wRoot+"/INBOX/cur/1600000002.again.reader"+f[strings.Index(f, ",U="):], strings.ReplaceAll(w.letter("z"), "\r\n", "\n"), true)
	}, want: "INBOX a:- b:S c:FS z:S"},

	{name: "moved between folders", before: func(w *world) { three(w); w.srv.CreateMailbox("Archive") }, change: func(w *world) {
		from := w.file("INBOX", "b")
		w.fs.Outside(func() {
			w.fs.Rename(from, wRoot+"/Archive/cur/"+from[strings.LastIndex(from, "/")+1:])
			w.fs.Flush()
		})
		w.srv.MoveMessage("INBOX", w.uid("INBOX", "c"), "Archive")
	}, want: "Archive b:S c:FS\nINBOX a:-", bare: "Archive b:S c:FS\nINBOX a:- | a:- b:ST"},

	{name: "no APPENDUID", before: three, faults: func(w *world) { w.srv.Faults.AppendUID = imaptest.UIDAbsent }, change: uploads,
		want: uploadsText},
	{name: "APPENDUID one too high", before: three, faults: func(w *world) { w.srv.Faults.AppendUID = imaptest.UIDWrong }, change: func(w *world) { w.localAdd("INBOX", "n1", "S") },
		want: "INBOX a:- b:S c:FS n1:S", busy: true, noCrash: true},
	{name: "APPENDUID with another UIDVALIDITY", before: three, faults: func(w *world) { w.srv.Faults.AppendUID = imaptest.UIDOldValidity }, change: uploads,
		want: uploadsText},
	{name: "APPENDUID swapped", before: three, faults: func(w *world) { w.srv.Faults.AppendUID = imaptest.UIDSwapped }, change: uploads,
		want: uploadsText},
	{name: "APPENDUID of a known message", before: three, faults: func(w *world) { w.srv.Faults.AppendUID = imaptest.UIDPaired }, change: uploads,
		want: uploadsText},

	{name: "server alters what it is given", before: three, faults: func(w *world) {
		w.srv.Faults.Stored = func(_ string, b []byte) []byte {
			out := "X-Server: was here\r\n" + string(b)
			w.mail[out] = w.mail[string(b)] + "*"
			return []byte(out)
		}
	}, change: func(w *world) { w.localAdd("INBOX", "n1", "S"); w.localAdd("INBOX", "n2", "S") },
		want: "INBOX a:- b:S c:FS n1:S n2:S | a:- b:S c:FS n1*:S n2*:S"},

	{name: "second client in between", before: three, change: uploads, faults: func(w *world) {
		n := 0
		w.srv.Faults.After = func(c imaptest.Command) {
			if c.Mailbox != "INBOX" || n > 0 || c.Name != "APPEND" {
				return
			}
			n++
			w.remoteAdd("INBOX", "late", `\Seen`)
		}
	}, want: strings.Replace(uploadsText, "n1:S", "late:S n1:S", 1), runs: 2, busy: true, noCrash: true},

	{name: "refused message", before: three, faults: func(w *world) {
		w.srv.Faults.Command = func(c imaptest.Command) imaptest.Act {
			if c.Name == "APPEND" && strings.Contains(c.Line, `\Draft`) {
				return imaptest.Act{Kind: imaptest.ActAnswer, Text: "NO [LIMIT] not this one"}
			}
			return imaptest.Act{}
		}
	}, change: func(w *world) {
		w.localAdd("INBOX", "n1", "S")
		w.localAdd("INBOX", "refuse-me", "D")
		w.localAdd("INBOX", "n2", "S")
	}, want: "INBOX a:- b:S c:FS n1:S n2:S refuse-me:D | a:- b:S c:FS n1:S n2:S", errors: "not this one"},

	{name: "message without content", before: three, faults: func(w *world) {
		w.srv.Faults.Fetched = func(_ string, uid uint32, b []byte) ([]byte, bool) { return b, w.mail[string(b)] != "hollow" }
	}, change: func(w *world) {
		w.remoteAdd("INBOX", "n1")
		w.remoteAdd("INBOX", "hollow")
		w.remoteAdd("INBOX", "n2")
	}, want: "INBOX a:- b:S c:FS n1:- n2:- | a:- b:S c:FS hollow:- n1:- n2:-", errors: "no content"},

	{name: "message never answered", before: three, faults: func(w *world) {
		w.srv.Faults.Unfetched = func(_ string, uid uint32) bool { return uid == 5 }
	}, change: func(w *world) {
		w.remoteAdd("INBOX", "n1")
		w.remoteAdd("INBOX", "hollow")
		w.remoteAdd("INBOX", "n2")
	}, want: "INBOX a:- b:S c:FS n1:- n2:- | a:- b:S c:FS hollow:- n1:- n2:-", busy: true, noCrash: true, only: "uidplus"},

	{name: "file with NUL, empty file", before: three, change: func(w *world) {
		w.fs.WriteFile(wRoot+"/INBOX/cur/1600000001.nul.reader:2,S", "Subject: x\n\na\x00b\n", true)
		w.fs.WriteFile(wRoot+"/INBOX/cur/1600000001.empty.reader:2,S", "", true)
		w.mail["Subject: x\r\n\r\na\x00b\r\n"], w.mail[""] = "nul", "empty"
		w.localAdd("INBOX", "n1", "S")
	}, want: "INBOX a:- b:S c:FS empty:S n1:S nul:S | a:- b:S c:FS n1:S", errors: "NUL"},

	{name: "UIDVALIDITY", before: func(w *world) { three(w); w.remoteAdd("Work", "x") }, change: func(w *world) {
		w.srv.SetUIDValidity("INBOX", 999, 7)
		w.localDel("INBOX", "a")
		w.remoteDel("INBOX", "c")
		w.localAdd("INBOX", "n1", "S")
		w.remoteAdd("Work", "y")
	}, want: "INBOX a:- b:S c:FS n1:S\nWork x:- y:-"}, // neither deletion can be told from a loss

	{name: "brake here", before: many, change: func(w *world) {
		for _, f := range w.files("INBOX") {
			w.fs.Outside(func() { w.fs.Unlink(f.path) })
		}
		w.fs.Flush()
		w.localAdd("INBOX", "n1", "S")
		w.remoteFlags("INBOX", "m03", `\Seen`)
	}, want: "INBOX n1:S | " + strings.Replace(manyText("-"), "m03:-", "m03:S", 1) + " n1:S"},

	{name: "brake there", before: many, change: func(w *world) {
		for _, m := range w.srv.Messages("INBOX") {
			w.srv.Expunge("INBOX", m.UID)
		}
		w.remoteAdd("INBOX", "n1")
	}, want: "INBOX " + manyText("-") + " n1:- | n1:-"},

	{name: "brake released", before: many, change: func(w *world) {
		w.set.AllowDeletes = []string{"INBOX"}
		for _, m := range w.srv.Messages("INBOX") {
			w.srv.Expunge("INBOX", m.UID)
		}
	}, want: "INBOX"},

	{name: "ten deletes", before: many, change: func(w *world) {
		for i := range 5 {
			w.localDel("INBOX", fmt.Sprintf("m%02d", i))
			w.remoteDel("INBOX", fmt.Sprintf("m%02d", 19-i))
		}
	}, want: "INBOX m05:- m06:- m07:- m08:- m09:- m10:- m11:- m12:- m13:- m14:-", only: "qresync condstore uidplus"},

	{name: "Maildir gone rests", before: func(w *world) { three(w); w.remoteAdd("Work", "x") }, change: func(w *world) {
		w.removeMaildir("Work")
		w.remoteAdd("INBOX", "n1")
	}, want: "INBOX a:- b:S c:FS n1:-\nWork (none) | x:-"},

	{name: "server folder gone rests", before: func(w *world) { three(w); w.remoteAdd("Work", "x") }, change: func(w *world) {
		w.srv.DeleteMailbox("Work")
		w.remoteAdd("INBOX", "n1")
	}, want: "INBOX a:- b:S c:FS n1:-\nWork x:- | (none)"},

	{name: "Maildir made again", before: func(w *world) { three(w); w.remoteAdd("Work", "x") }, change: func(w *world) {
		w.removeMaildir("Work")
		w.set.Recreate = []string{"Work"}
	}, want: "INBOX a:- b:S c:FS\nWork x:-", once: func(w *world) { w.set.Recreate = nil }},

	{name: "server folder made again", before: func(w *world) { three(w); w.remoteAdd("Work", "x") }, change: func(w *world) {
		w.srv.DeleteMailbox("Work")
		w.set.Recreate = []string{"Work"}
	}, want: "INBOX a:- b:S c:FS\nWork x:-", once: func(w *world) { w.set.Recreate = nil }},

	{name: "folder forgotten", before: func(w *world) { three(w); w.remoteAdd("Work", "x") }, change: func(w *world) {
		w.removeMaildir("Work")
		w.set.Forget = []string{"Work"}
	}, want: "INBOX a:- b:S c:FS\nWork (none) | x:-"},

	{name: "cur missing", before: func(w *world) { three(w); w.remoteAdd("Work", "x", `\Seen`) }, change: func(w *world) {
		w.fs.Outside(func() { w.fs.Rename(wRoot+"/Work/cur", wRoot+"/Work/elsewhere"); w.fs.Flush() })
		w.remoteAdd("INBOX", "n1")
	}, want: "INBOX a:- b:S c:FS n1:-\nWork (none) | x:S", busy: true, errors: ""},

	{name: "trash", set: func(s *Settings) { s.TrashKeep = 7 * 24 * time.Hour }, before: three, change: func(w *world) {
		w.remoteDel("INBOX", "a")
		w.remoteDel("INBOX", "b")
	}, want: "INBOX c:FS"},

	{name: "mtime from date", set: func(s *Settings) { s.MtimeFromDate = true }, before: three, change: func(w *world) { w.remoteAdd("INBOX", "n1"); w.localAdd("INBOX", "n2", "S") },
		want: "INBOX a:- b:S c:FS n1:- n2:S"},

	{name: "no fsync", set: func(s *Settings) { s.FSync = false }, before: three, change: func(w *world) { uploads(w); w.remoteAdd("INBOX", "o1"); w.localDel("INBOX", "a") },
		want: "INBOX b:S c:FS n1:S n2:- noid1:F o1:- twin1:S twin2:S", bare: "INBOX b:S c:FS n1:S n2:- noid1:F o1:- twin1:S twin2:S | a:T b:S c:FS n1:S n2:- noid1:F o1:- twin1:S twin2:S"},

	{name: "a listing too short", before: three, faults: func(w *world) {
		w.srv.Faults.Exists = func(_ string, n int) int { return n + 1 }
	}, change: func(w *world) { w.remoteDel("INBOX", "a"); w.remoteAdd("INBOX", "n1") },
		want: "INBOX a:- b:S c:FS n1:- | b:S c:FS n1:-"},

	{name: "UIDNEXT goes back", before: three, faults: func(w *world) {
		w.srv.Faults.UIDNext = func(_ string, n uint32) uint32 { return 2 }
	}, change: func(w *world) { w.remoteDel("INBOX", "a") },
		want: "INBOX a:- b:S c:FS | b:S c:FS", noCrash: true},

	{name: "another client's twin beside an open upload", before: three, faults: func(w *world) {
		w.srv.Faults.Command = func(c imaptest.Command) imaptest.Act {
			if c.Name != "APPEND" || w.holds("INBOX", "twin2") {
				return imaptest.Act{}
			}
			w.remoteAdd("INBOX", "twin2") // while ours never arrives
			return imaptest.Act{Kind: imaptest.ActClose}
		}
	}, change: func(w *world) { w.localAdd("INBOX", "twin1", "S") },
		want: "INBOX a:- b:S c:FS twin1:S twin2:-", runs: 3, busy: true, noCrash: true},

	{name: "one with an equal header comes where another went", before: func(w *world) { three(w); w.remoteAdd("INBOX", "alike1"); w.srv.CreateMailbox("Work") }, change: func(w *world) {
		w.remoteDel("INBOX", "alike1")
		w.remoteAdd("Work", "alike2")
	}, want: "INBOX a:- b:S c:FS\nWork alike2:-"},

	{name: "only the Maildir's deletes", set: func(s *Settings) { s.RemoteSyncDeletes = false }, before: three, change: func(w *world) {
		w.localDel("INBOX", "a")
		w.remoteDel("INBOX", "b")
	}, want: "INBOX b:S c:FS | c:FS", bare: "INBOX b:S c:FS | a:T c:FS"},

	{name: "only the server's deletes", set: func(s *Settings) { s.LocalSyncDeletes = false }, before: three, change: func(w *world) {
		w.localDel("INBOX", "a")
		w.remoteDel("INBOX", "b")
	}, want: "INBOX c:FS | a:- c:FS"},

	{name: "keyword taken off here, another put on there", before: func(w *world) { three(w); w.remoteAdd("INBOX", "k", "work", `\Seen`) }, change: func(w *world) {
		w.localFlags("INBOX", "k", "S")
		w.remoteFlags("INBOX", "k", "work", "Later", `\Seen`, `\Flagged`)
	}, want: "INBOX a:- b:S c:FS k:FS{later}"},

	{name: "UIDVALIDITY of every folder", before: func(w *world) { three(w); w.remoteAdd("Work", "x", `\Seen`); w.remoteAdd("Work", "y") }, change: func(w *world) {
		w.srv.SetUIDValidity("INBOX", 999, 7)
		w.srv.SetUIDValidity("Work", 998, 1)
		w.localFlags("Work", "y", "F")
		w.remoteAdd("Work", "z")
	}, want: "INBOX a:- b:S c:FS\nWork x:S y:F z:-"},

	{name: "folder deleted and made again on the server", before: func(w *world) { three(w); w.remoteAdd("Work", "x", `\Seen`); w.remoteAdd("Work", "y") }, change: func(w *world) {
		w.srv.DeleteMailbox("Work")
		w.remoteAdd("Work", "y")
		w.remoteAdd("Work", "x", `\Seen`)
		w.remoteAdd("Work", "n")
	}, want: "INBOX a:- b:S c:FS\nWork n:- x:S y:-"},

	{name: "deletes go to the Trash folder", set: func(s *Settings) { s.Trash = true }, before: threeAndTrash, change: func(w *world) {
		w.localDel("INBOX", "a")
		w.localDel("INBOX", "b")
		w.localDel("Trash", "old1")
	}, want: "INBOX c:FS noid1:- twin1:-\nTrash a:- b:S old2:-", runs: 2, only: "qresync condstore", check: copiedToTrash},

	{name: "deletes go to the Trash folder that is named", set: trashed, before: threeAndTrash, change: func(w *world) {
		w.localDel("INBOX", "a")
		w.localDel("INBOX", "b")
		w.localDel("Trash", "old1")
	}, want: "INBOX c:FS noid1:- twin1:-\nTrash a:- b:S old2:-", bare: "INBOX c:FS noid1:- twin1:- | a:T b:ST c:FS noid1:- twin1:-\nTrash a:- b:S old2:- | a:- b:S old1:T old2:-", runs: 2, check: copiedToTrash},

	{name: "deletes go to a Trash folder that is not synced", set: func(s *Settings) {
		trashed(s)
		s.RemoteWanted = func(n string) bool { return n != "Trash" }
	}, before: threeAndTrash, change: func(w *world) {
		w.localDel("INBOX", "a")
		w.localDel("INBOX", "twin1")
		w.localDel("INBOX", "noid1")
		w.remoteDel("INBOX", "b")
	}, want: "INBOX c:FS\nTrash (none) | a:- noid1:- old1:- old2:- twin1:-", bare: "INBOX c:FS | a:T c:FS noid1:T twin1:T\nTrash (none) | a:- noid1:- old1:- old2:- twin1:-"},

	{name: "marked T goes to the Trash folder", set: trashed, before: threeAndTrash, change: func(w *world) {
		w.localFlags("INBOX", "b", "ST")
		w.localAdd("INBOX", "n1", "S")
	}, want: "INBOX a:- c:FS n1:S noid1:- twin1:-\nTrash b:ST old1:- old2:-", bare: "INBOX a:- b:ST c:FS n1:S noid1:- twin1:-\nTrash old1:- old2:-", runs: 2},

	{name: "moved to the Trash folder here", set: trashed, before: threeAndTrash, change: func(w *world) {
		from := w.file("INBOX", "b")
		w.fs.Outside(func() {
			w.fs.Rename(from, wRoot+"/Trash/cur/"+from[strings.LastIndex(from, "/")+1:])
			w.fs.Flush()
		})
	}, want: "INBOX a:- c:FS noid1:- twin1:-\nTrash b:S old1:- old2:-", only: "qresync condstore uidplus"},

	{name: "no Trash folder, deletes wait", set: func(s *Settings) { s.Trash = true }, before: three, change: func(w *world) {
		w.localDel("INBOX", "a")
		w.localAdd("INBOX", "n1", "S")
	}, want: "INBOX b:S c:FS n1:S | a:- b:S c:FS n1:S"},

	{name: "brake on both sides of two folders", before: func(w *world) {
		many(w)
		for i := range 20 {
			w.remoteAdd("Work", fmt.Sprintf("m%02d", i))
		}
	}, change: func(w *world) {
		for _, f := range w.files("INBOX") {
			w.fs.Outside(func() { w.fs.Unlink(f.path) })
		}
		w.fs.Flush()
		for _, m := range w.srv.Messages("Work") {
			w.srv.Expunge("Work", m.UID)
		}
	}, want: "INBOX | " + manyText("-") + "\nWork " + manyText("-") + " |"},
}

func trashed(s *Settings) { s.Trash, s.TrashFolder = true, "Trash" }

func threeAndTrash(w *world) {
	three(w)
	w.remoteAdd("INBOX", "twin1")
	w.remoteAdd("INBOX", "noid1")
	w.srv.CreateMailbox("Trash", `\Trash`)
	w.remoteAdd("Trash", "old1")
	w.remoteAdd("Trash", "old2")
}

// copiedToTrash: nothing was sent a second time.
func copiedToTrash(w *world) {
	for _, e := range w.srv.Log[w.logFrom:] {
		if e.Name == "APPEND" {
			w.tb.Errorf("sent %s", e.Line)
		}
	}
}

// holds tells whether a message is in a folder on the server.
func (w *world) holds(folder, name string) bool {
	for _, m := range w.srv.Messages(folder) {
		if w.mail[string(m.Body)] == name {
			return true
		}
	}
	return false
}

func uploads(w *world) {
	w.localAdd("INBOX", "n1", "S")
	w.localAdd("INBOX", "n2", "")
	w.localAdd("INBOX", "noid1", "F")
	w.localAdd("INBOX", "twin1", "S")
	w.localAdd("INBOX", "twin2", "S")
}

const uploadsText = "INBOX a:- b:S c:FS n1:S n2:- noid1:F twin1:S twin2:S"

// removeMaildir takes a whole Maildir away.
func (w *world) removeMaildir(folder string) {
	w.fs.Outside(func() {
		if err := w.fs.Rename(wRoot+"/"+folder, "/elsewhere"); err != nil {
			w.tb.Fatal(err)
		}
		w.fs.Flush()
	})
}
