package mailsync

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	imap "github.com/emersion/go-imap/v2"

	"offloop/imapproto"
	"offloop/imapproto/imaptest"
	"offloop/maildir"
	"offloop/reactor/reactortest"
)

func init() { scenarios = append(scenarios, moveScenarios...) }

// moveAs moves a file as a mail reader does that gives it a new name.
func (w *world) moveAs(from, name, to, file string) {
	w.rename(w.file(from, name), wRoot+"/"+to+"/"+file)
}

func (w *world) rename(from, to string) {
	w.fs.Outside(func() {
		if err := w.fs.Rename(from, to); err != nil {
			w.tb.Fatal(err)
		}
		w.fs.Flush()
	})
}

// sent counts the commands of the run under test whose name is one of these.
func (w *world) sent(names ...string) (n int) {
	for _, e := range w.srv.Log[w.logFrom:] {
		if slices.Contains(names, e.Name) {
			n++
		}
	}
	return n
}

// fetched counts the bodies that were asked for in the run under test.
func (w *world) fetched() (n int) {
	for _, e := range w.srv.Log[w.logFrom:] {
		if strings.Contains(e.Line, "BODY.PEEK[]") && e.Result != "" && !w.guessed(e) {
			n++
		}
	}
	return n
}

// guessed tells of the look at INBOX that rides with the login, where nobody
// knows yet whether anything is new.
func (w *world) guessed(e imaptest.Entry) bool {
	return w.srv.Caps.Has("QRESYNC") && e.Mailbox == "INBOX"
}

// serverMoved demands that the messages went over by one MOVE or COPY for each
// folder they came from, without an upload, with their dates.
func serverMoved(commands int) func(w *world) {
	return func(w *world) {
		w.tb.Helper()
		if !w.srv.Caps.Has("UIDPLUS") {
			return
		}
		if n := w.sent("APPEND"); n > 0 {
			w.tb.Errorf("%d uploads for a move", n)
		}
		if n := w.sent("UID MOVE", "UID COPY"); n != commands {
			w.tb.Errorf("%d moves, want %d", n, commands)
		}
		w.dates()
	}
}

// dates demands that all messages have the date they came with.
func (w *world) dates() {
	for _, b := range w.srv.Mailboxes() {
		for _, m := range w.srv.Messages(b) {
			if m.Date.Year() != 2020 {
				w.tb.Errorf("UID %d of %s has the date %v", m.UID, b, m.Date)
			}
		}
	}
}

// fileMoved demands that no body was fetched and no file was thrown away.
func fileMoved(w *world) {
	w.tb.Helper()
	if n := w.fetched(); n > 0 {
		w.tb.Errorf("%d commands fetch bodies", n)
	}
	for p := range w.fs.Files(wRoot) {
		if strings.Contains(p, "/trash/") {
			w.tb.Errorf("%s was thrown away", p)
		}
	}
}

func archive(w *world) {
	three(w)
	w.remoteAdd("Archive", "o", `\Seen`)
}

func manyMoves(w *world) {
	for i := range 20 {
		w.remoteAdd("INBOX", fmt.Sprintf("m%02d", i))
	}
	w.srv.CreateMailbox("Archive")
	w.srv.CreateMailbox("Other")
}

var manyMoved = "Archive " + manyText("-") + "\nINBOX\nOther"

var moveScenarios = []scenario{
	{name: "move here, name kept", before: archive, change: func(w *world) { w.localMove("INBOX", "b", "Archive") },
		want: "Archive b:S o:S\nINBOX a:- c:FS", bare: "Archive b:S o:S\nINBOX a:- c:FS | a:- b:ST c:FS", check: serverMoved(1)},

	{name: "move here, U= taken off", before: archive, change: func(w *world) {
		f := path.Base(w.file("INBOX", "c"))
		w.moveAs("INBOX", "c", "Archive", "cur/"+f[:strings.Index(f, ",")]+":2,FS")
	}, want: "Archive c:FS o:S\nINBOX a:- b:S", bare: "Archive c:FS o:S\nINBOX a:- b:S | a:- b:S c:FST", check: serverMoved(1)},

	{name: "move here, new name", before: archive, change: func(w *world) {
		w.moveAs("INBOX", "b", "Archive", "cur/1600000009.R77.reader:2,S")
		w.moveAs("INBOX", "a", "Archive", "new/1600000009.R78.reader")
	}, want: "Archive a:- b:S o:S\nINBOX c:FS", bare: "Archive a:- b:S o:S\nINBOX c:FS | a:T b:ST c:FS", check: serverMoved(1)},

	{name: "move here with flags of both sides", before: archive, change: func(w *world) {
		f := path.Base(w.file("INBOX", "c"))
		w.moveAs("INBOX", "c", "Archive", "cur/"+strings.Replace(f, ":2,FS", ":2,RS", 1))
		w.remoteFlags("INBOX", "c", `\Seen`, `\Flagged`, `\Draft`)
	}, want: "Archive c:DRS o:S\nINBOX a:- b:S", bare: "Archive c:RS o:S\nINBOX a:- b:S | a:- b:S c:DFST", check: serverMoved(1)},

	{name: "move here with keywords", before: func(w *world) {
		archive(w)
		w.remoteAdd("INBOX", "k", "work", `\Seen`)
		w.remoteAdd("INBOX", "l", "later", "work")
		w.remoteAdd("Archive", "p", "third")
	}, change: func(w *world) {
		w.localMove("INBOX", "k", "Archive") // its letter means another keyword there
		f := path.Base(w.file("INBOX", "l"))
		w.moveAs("INBOX", "l", "Archive", "cur/"+f[:strings.Index(f, ",")]+":2,") // a reader that knows no keywords
	}, want: "Archive k:S{work} l:{later}{work} o:S p:{third}\nINBOX a:- b:S c:FS", only: "qresync condstore uidplus", check: serverMoved(1)},

	{name: "move here to a new folder", before: three, change: func(w *world) {
		w.fs.Outside(func() { maildir.Create(w.fs, wRoot+"/2020"); w.fs.Flush() })
		w.localMove("INBOX", "b", "2020")
		w.localMove("INBOX", "c", "2020")
	}, want: "2020 b:S c:FS\nINBOX a:-", bare: "2020 b:S c:FS\nINBOX a:- | a:- b:ST c:FST", check: serverMoved(1)},

	{name: "move here of equal messages", before: func(w *world) {
		archive(w)
		for _, n := range []string{"twin1", "twin2", "twin3", "noid1", "raw1"} {
			w.remoteAdd("INBOX", n, `\Seen`)
		}
	}, change: func(w *world) {
		for _, n := range []string{"twin1", "twin2", "noid1", "raw1"} {
			w.localMove("INBOX", n, "Archive")
		}
	}, want: "Archive noid1:S o:S raw1:S twin1:S twin2:S\nINBOX a:- b:S c:FS twin3:S", only: "qresync condstore uidplus"},

	{name: "move here of one, another of equal looks put there", before: func(w *world) {
		archive(w)
		w.remoteAdd("INBOX", "twin1", `\Seen`)
	}, change: func(w *world) {
		w.localDel("INBOX", "twin1")
		w.localAdd("Archive", "twin2", "S")
	}, want: "Archive o:S twin2:S\nINBOX a:- b:S c:FS", only: "qresync condstore uidplus"},

	{name: "move here of an edited message", before: archive, change: func(w *world) {
		f := w.file("INBOX", "b")
		w.moveAs("INBOX", "b", "Archive", "cur/"+path.Base(f))
		w.fs.WriteFile(wRoot+"/Archive/cur/"+path.Base(f), strings.ReplaceAll(w.letter("z"), "\r\n", "\n"), true)
	}, want: "Archive o:S z:S\nINBOX a:- c:FS", only: "qresync condstore uidplus"},

	{name: "copy here, the first gone", before: archive, change: func(w *world) {
		for i, to := range []string{"Archive/cur/", "Work/cur/"} {
			w.fs.Outside(func() { maildir.Create(w.fs, wRoot+"/Work"); w.fs.Flush() })
			w.fs.WriteFile(wRoot+"/"+to+fmt.Sprintf("160000000%d.R.reader:2,S", i), strings.ReplaceAll(w.letter("b"), "\r\n", "\n"), true)
		}
		w.localDel("INBOX", "b")
	}, want: "Archive b:S o:S\nINBOX a:- c:FS\nWork b:S", only: "qresync condstore uidplus"},

	{name: "twenty moves here", before: manyMoves, change: func(w *world) {
		for i := range 20 {
			w.localMove("INBOX", fmt.Sprintf("m%02d", i), "Archive")
		}
	}, want: manyMoved, only: "qresync condstore uidplus", check: serverMoved(1)},

	{name: "moves here crosswise", before: archive, change: func(w *world) {
		w.localMove("INBOX", "b", "Archive")
		w.localMove("Archive", "o", "INBOX")
		w.localMove("INBOX", "c", "Archive")
	}, want: "Archive b:S c:FS\nINBOX a:- o:S", only: "qresync condstore uidplus", check: serverMoved(2)},

	{name: "move here, no COPYUID", before: archive, faults: func(w *world) { w.srv.Faults.CopyUID = imaptest.UIDAbsent }, change: moveTwins,
		want: twinsMoved, only: "qresync condstore uidplus", check: serverMoved(1)},
	{name: "move here, COPYUID one too high", before: archive, faults: func(w *world) { w.srv.Faults.CopyUID = imaptest.UIDWrong }, change: moveTwins,
		want: twinsMoved, only: "qresync condstore uidplus", check: serverMoved(1)},
	{name: "move here, COPYUID with another UIDVALIDITY", before: archive, faults: func(w *world) { w.srv.Faults.CopyUID = imaptest.UIDOldValidity }, change: moveTwins,
		want: twinsMoved, only: "qresync condstore uidplus", check: serverMoved(1)},
	{name: "move here, COPYUID swapped", before: archive, faults: func(w *world) { w.srv.Faults.CopyUID = imaptest.UIDSwapped }, change: moveTwins,
		want: twinsMoved, only: "qresync condstore uidplus", check: serverMoved(1)},
	{name: "move here, COPYUID of a known message", before: archive, faults: func(w *world) { w.srv.Faults.CopyUID = imaptest.UIDPaired }, change: moveTwins,
		want: twinsMoved, only: "qresync condstore uidplus", check: serverMoved(1)},

	{name: "move here refused", before: archive, faults: func(w *world) {
		w.srv.Faults.Command = func(c imaptest.Command) imaptest.Act {
			if c.Name == "UID MOVE" || c.Name == "UID COPY" {
				return imaptest.Act{Kind: imaptest.ActAnswer, Text: "NO not here"}
			}
			return imaptest.Act{}
		}
	}, change: func(w *world) { w.localMove("INBOX", "b", "Archive") }, want: "Archive b:S o:S\nINBOX a:- c:FS", only: "qresync condstore uidplus"},

	{name: "move here of a message gone there", before: archive, change: func(w *world) {
		w.localMove("INBOX", "b", "Archive")
		w.remoteDel("INBOX", "b")
	}, want: "Archive b:S o:S\nINBOX a:- c:FS"},

	{name: "move there", before: archive, change: func(w *world) { w.srv.MoveMessage("INBOX", w.uid("INBOX", "b"), "Archive") },
		want: "Archive b:S o:S\nINBOX a:- c:FS", check: fileMoved},

	{name: "move there into the trash", set: func(s *Settings) { s.TrashKeep = 24 * time.Hour }, before: archive, change: func(w *world) {
		w.srv.MoveMessage("INBOX", w.uid("INBOX", "b"), "Archive")
		w.srv.MoveMessage("INBOX", w.uid("INBOX", "c"), "Archive")
	}, want: "Archive b:S c:FS o:S\nINBOX a:-", check: fileMoved},

	{name: "move there with flags of both sides", before: archive, change: func(w *world) {
		w.localFlags("INBOX", "c", "RS")
		w.srv.MoveMessage("INBOX", w.uid("INBOX", "c"), "Archive")
		w.remoteFlags("Archive", "c", `\Seen`, `\Flagged`, `\Draft`)
		w.localFlags("INBOX", "a", "S")
		w.srv.MoveMessage("INBOX", w.uid("INBOX", "a"), "Archive")
		w.localFlags("INBOX", "b", "")
		w.srv.MoveMessage("INBOX", w.uid("INBOX", "b"), "Archive")
	}, want: "Archive a:S b:- c:DRS o:S\nINBOX", check: fileMoved},

	{name: "move there with keywords", before: func(w *world) {
		archive(w)
		w.remoteAdd("INBOX", "k", "work", `\Seen`)
		w.remoteAdd("Archive", "p", "third")
	}, change: func(w *world) {
		w.srv.MoveMessage("INBOX", w.uid("INBOX", "k"), "Archive")
	}, want: "Archive k:S{work} o:S p:{third}\nINBOX a:- b:S c:FS", check: fileMoved},

	{name: "move there to a new folder", before: three, change: func(w *world) {
		w.srv.CreateMailbox("2020")
		w.srv.MoveMessage("INBOX", w.uid("INBOX", "b"), "2020")
	}, want: "2020 b:S\nINBOX a:- c:FS", check: fileMoved},

	{name: "move there, another of equal looks put there", before: func(w *world) {
		archive(w)
		w.remoteAdd("INBOX", "twin1", `\Seen`)
	}, change: func(w *world) {
		w.remoteDel("INBOX", "twin1")
		w.remoteAdd("Archive", "twin2", `\Seen`)
	}, want: "Archive o:S twin2:S\nINBOX a:- b:S c:FS"},

	{name: "move there of messages without Message-ID", before: func(w *world) {
		archive(w)
		w.remoteAdd("INBOX", "noid1", `\Seen`)
		w.remoteAdd("INBOX", "raw1")
	}, change: func(w *world) {
		w.srv.MoveMessage("INBOX", w.uid("INBOX", "noid1"), "Archive")
		w.srv.MoveMessage("INBOX", w.uid("INBOX", "raw1"), "Archive")
	}, want: "Archive noid1:S o:S raw1:-\nINBOX a:- b:S c:FS"},

	{name: "twenty moves there", before: manyMoves, change: func(w *world) {
		for i := range 20 {
			w.srv.MoveMessage("INBOX", w.uid("INBOX", fmt.Sprintf("m%02d", i)), "Archive")
		}
	}, once: func(w *world) {
		if w.powerCut {
			// The power may have gone when the files had their new names on disk and
			// still their old ones too. More than ten of those are the brake's.
			w.set.AllowDeletes = []string{"INBOX"}
			w.sync()
			w.set.AllowDeletes = nil
		}
	}, want: manyMoved, check: fileMoved},

	{name: "moves there with dates", set: func(s *Settings) { s.MtimeFromDate = true }, before: archive, change: func(w *world) {
		w.srv.MoveMessage("INBOX", w.uid("INBOX", "b"), "Archive")
	}, want: "Archive b:S o:S\nINBOX a:- c:FS", check: fileMoved},

	{name: "moved on both sides to one folder", before: archive, change: func(w *world) {
		w.localMove("INBOX", "b", "Archive")
		w.srv.MoveMessage("INBOX", w.uid("INBOX", "b"), "Archive")
	}, want: "Archive b:S o:S\nINBOX a:- c:FS", check: func(w *world) {
		if w.sent("APPEND") > 0 {
			w.tb.Error("it was uploaded")
		}
	}},

	{name: "moved on both sides to two folders", before: func(w *world) { archive(w); w.srv.CreateMailbox("Work") }, change: func(w *world) {
		w.localMove("INBOX", "b", "Archive")
		w.srv.MoveMessage("INBOX", w.uid("INBOX", "b"), "Work")
	}, want: "Archive b:S o:S\nINBOX a:- c:FS\nWork b:S"},

	{name: "moves both ways and all the rest", before: func(w *world) { archive(w); w.remoteAdd("Work", "x"); w.remoteAdd("Work", "y") }, change: func(w *world) {
		w.localMove("INBOX", "b", "Work")
		w.srv.MoveMessage("Work", w.uid("Work", "x"), "Archive")
		w.localAdd("Work", "n1", "S")
		w.remoteAdd("Archive", "n2")
		w.localDel("Work", "y")
		w.remoteDel("INBOX", "a")
		w.localFlags("INBOX", "c", "RS")
	}, want: "Archive n2:- o:S x:-\nINBOX c:RS\nWork b:S n1:S", only: "qresync condstore uidplus"},
}

func moveTwins(w *world) {
	for _, n := range []string{"b", "c"} {
		w.localMove("INBOX", n, "Archive")
	}
}

const twinsMoved = "Archive b:S c:FS o:S\nINBOX a:-"

// TestRule3_MovesEverywhere interrupts the scenarios with moves more often than
// the others.
func TestRule3_MovesEverywhere(t *testing.T) {
	points := 0
	for i := range moveScenarios {
		s := &moveScenarios[i]
		for _, v := range servers {
			if s.noCrash || s.only != "" && !strings.Contains(s.only, v.name) {
				continue
			}
			m, failed := s.play(t, v.caps, v.name == "bare", reactortest.NextTurn, 3, crash{})
			if len(failed) > 0 {
				t.Errorf("%s on %s: %s", s.name, v.name, strings.Join(failed, "\n"))
				continue
			}
			bad := 0
			try := func(c crash) {
				if bad > 1 {
					return
				}
				points++
				if _, failed := s.play(t, v.caps, v.name == "bare", reactortest.Shuffled, uint64(3+c.call+c.kill), c); len(failed) > 0 {
					bad++
					t.Errorf("%s on %s, %v: %s", s.name, v.name, c, strings.Join(failed, "\n"))
				}
			}
			const n = 2
			for _, k := range steps(m.calls, n, i) {
				try(crash{call: k})
				try(crash{call: k, power: true})
				try(crash{call: k, again: 1 + (k*7)%m.calls})
			}
			for _, k := range steps(m.pieces, n, i) {
				try(crash{kill: k})
				try(crash{kill: k, lazy: true})
				try(crash{cut: k})
			}
		}
	}
	t.Logf("%d crash points", points)
}

// TestRule4_MovedOutOfSight: with -f, a message whose file went to a folder that
// has no part in the run stays on the server, until a run has both in view; then
// it is moved. Other deletes go on.
func TestRule4_MovedOutOfSight(t *testing.T) {
	for _, v := range servers {
		for _, to := range []string{"Archive", "Fresh"} {
			for _, file := range []string{"", "cur/1600000009.R77.reader:2,S"} {
				t.Run(v.name+"/"+to+"/"+file, func(t *testing.T) {
					w := newWorld(t, v.caps, 5)
					archive(w)
					w.must()
					w.fs.Outside(func() { maildir.Create(w.fs, wRoot+"/"+to); w.fs.Flush() })
					if file == "" {
						w.localMove("INBOX", "b", to)
					} else {
						w.moveAs("INBOX", "b", to, file)
					}
					w.localDel("INBOX", "c")
					w.set.OnlyFolders = []string{"INBOX"}
					for range 3 {
						w.must()
						if w.count("b") != 1 {
							t.Fatalf("the server has %d copies of b", w.count("b"))
						}
					}
					if v.caps.Has("UIDPLUS") && w.count("c") != 0 {
						t.Error("a plain delete was held up")
					}
					w.set.OnlyFolders = nil
					w.logFrom = len(w.srv.Log)
					w.must()
					if v.caps.Has("UIDPLUS") {
						serverMoved(1)(w)
						if w.count("b") != 1 || w.uid(to, "b") == 0 {
							t.Error("b is not where it belongs")
						}
					}
					w.idle()
				})
			}
		}
	}
}

func TestMatchMoves(t *testing.T) {
	l := func(folder, unique string, size int64, id, print string) trait {
		return trait{folder: folder, unique: unique, size: size, msgID: id, print: print}
	}
	for _, c := range []struct {
		what        string
		lost, found []trait
		want        string
	}{
		{"one", []trait{l("A", "u", 5, "<1>", "p")}, []trait{l("B", "v", 5, "<1>", "p")}, "0>0"},
		{"the same file", []trait{l("A", "u", 5, "<1>", "p")}, []trait{l("B", "u", 5, "<1>", "p")}, "0>0!"},
		{"the same folder", []trait{l("A", "u", 5, "<1>", "p")}, []trait{l("A", "v", 5, "<1>", "p")}, ""},
		{"another size", []trait{l("A", "u", 5, "<1>", "p")}, []trait{l("B", "u", 6, "<1>", "p")}, ""},
		{"another header", []trait{l("A", "u", 5, "<1>", "p")}, []trait{l("B", "u", 5, "<1>", "q")}, ""},
		{"another id", []trait{l("A", "u", 5, "<1>", "p")}, []trait{l("B", "u", 5, "<2>", "p")}, ""},
		{"no id, the same file", []trait{l("A", "u", 5, "", "p")}, []trait{l("B", "u", 5, "", "p")}, "0>0!"},
		{"no id", []trait{l("A", "u", 5, "", "p")}, []trait{l("B", "v", 5, "", "p")}, ""},
		{"nothing known", []trait{l("A", "u", 0, "", "")}, []trait{l("B", "u", 0, "", "")}, ""},
		{"two to choose from", []trait{l("A", "u", 5, "<1>", "p")}, []trait{l("B", "v", 5, "<1>", "p"), l("C", "w", 5, "<1>", "p")}, ""},
		{"two were lost", []trait{l("A", "u", 5, "<1>", "p"), l("C", "t", 5, "<1>", "p")}, []trait{l("B", "v", 5, "<1>", "p")}, ""},
		{"names tell equals apart", []trait{l("A", "u", 5, "<1>", "p"), l("A", "t", 5, "<1>", "p")}, []trait{l("B", "t", 5, "<1>", "p"), l("C", "u", 5, "<1>", "p")}, "0>1! 1>0!"},
		{"a name for one, the rest for the other", []trait{l("A", "u", 5, "<1>", "p"), l("A", "t", 5, "<1>", "p")}, []trait{l("B", "t", 5, "<1>", "p"), l("C", "x", 5, "<1>", "p")}, "1>0! 0>1"},
	} {
		var got []string
		for _, m := range matchMoves(c.lost, c.found) {
			s := fmt.Sprintf("%d>%d", m.lost, m.found)
			if m.named {
				s += "!"
			}
			got = append(got, s)
		}
		if s := strings.Join(got, " "); s != c.want {
			t.Errorf("%s: %q, want %q", c.what, s, c.want)
		}
	}
	a, b := trait{folder: "A", size: 5, msgID: "<1>", print: "p", date: 7}, trait{folder: "B", size: 5, msgID: "<1>", print: "p", date: 8}
	if len(matchMoves([]trait{a}, []trait{b})) != 0 {
		t.Error("another date, and a move all the same")
	}
}

func TestFingerprint(t *testing.T) {
	print := func(head string) string { s, _ := fingerprint([]byte(head)); return s }
	a := "Received: by x\r\n\tfor y\r\nSubject: s\r\nX-Else: 1\r\nFrom: f\r\n\r\nSubject: body\r\n"
	for _, b := range []string{
		"Received: by x for y\r\nSubject: s\r\nFrom: f\r\n\r\n",
		"FROM:f\nsubject: s\nReceived:\n by x for y\n\nbody",
	} {
		if print(a) != print(b) {
			t.Errorf("%q and %q differ", a, b)
		}
	}
	if print(a) == print(strings.Replace(a, "by x", "by z", 1)) {
		t.Error("another Received is not seen")
	}
	if print("\r\nSubject: x\r\n") != "" || print("no header") != "" {
		t.Error("a header without fields has a fingerprint")
	}
}

// A COPYUID that claims billions of messages is not expanded, and one that names
// the wrong number of them not believed.
func TestCopied(t *testing.T) {
	all := imap.UIDSet{imap.UIDRange{Start: 1, Stop: 4294967295}}
	if m := copied(imapproto.CopyData{UIDValidity: 1, Source: all, Dest: all}, 3); len(m) != 0 {
		t.Errorf("%d UIDs", len(m))
	}
	d := imapproto.CopyData{Source: imap.UIDSet{{Start: 4, Stop: 5}, {Start: 9, Stop: 9}}, Dest: imap.UIDSet{{Start: 20, Stop: 22}}}
	if m := copied(d, 3); m[4] != 20 || m[5] != 21 || m[9] != 22 {
		t.Error(m)
	}
}

// Moving a whole folder's mail is not deleting it.
func TestRule5_MovesDoNotCount(t *testing.T) {
	for _, name := range []string{"twenty moves here", "twenty moves there"} {
		playNamed(t, name)
	}
}
