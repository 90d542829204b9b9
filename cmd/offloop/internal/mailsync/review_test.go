package mailsync

import (
	"bytes"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"offloop/imapproto/imaptest"
	"offloop/maildir"
	"offloop/reactor/reactortest"
)

// The tests in this file each stand for one fault that a review of the engine
// looked for.

// localMove moves a message to another folder as most mail readers do, under its
// old name.
func (w *world) localMove(from, name, to string) {
	file := w.file(from, name)
	w.fs.Outside(func() {
		if err := w.fs.Rename(file, wRoot+"/"+to+"/cur/"+path.Base(file)); err != nil {
			w.tb.Fatal(err)
		}
		w.fs.Flush()
	})
}

func (w *world) count(name string) (n int) {
	for _, b := range w.srv.Mailboxes() {
		for _, m := range w.srv.Messages(b) {
			if w.mail[string(m.Body)] == name {
				n++
			}
		}
	}
	return n
}

// A folder that waits for the others when the connection is lost must not record
// the server's counters as done: its deletes are still to come.
func TestRule3_LostBeforeDeletes(t *testing.T) {
	w := newWorld(t, imaptest.QRESYNC, 3)
	three(w)
	w.remoteAdd("Work", "x")
	w.must()
	w.wait(time.Hour)
	w.must()
	w.wait(time.Hour)
	w.remoteDel("INBOX", "b")
	w.remoteAdd("Work", "y")
	cut := false
	w.srv.Faults.Command = func(c imaptest.Command) imaptest.Act {
		if !cut && strings.EqualFold(c.Name, "UID FETCH") && c.Mailbox == "Work" {
			cut = true
			return imaptest.Act{Kind: imaptest.ActClose}
		}
		return imaptest.Act{}
	}
	w.sync()
	w.srv.Faults.Command = nil
	if !cut {
		t.Fatal("the connection was not lost")
	}
	w.sync()
	w.expect("INBOX a:- c:FS\nWork x:- y:-")
}

// A refused STORE is tried again by the next run, as the message says.
func TestRule2_RefusedStoreAgain(t *testing.T) {
	w := newWorld(t, imaptest.QRESYNC, 3)
	three(w)
	w.must()
	w.wait(time.Hour)
	w.must()
	w.localFlags("INBOX", "a", "S")
	w.wait(time.Hour)
	w.srv.Faults.Rules = []imaptest.Rule{{Name: "UID STORE", Times: 1, Act: imaptest.Act{Kind: imaptest.ActAnswer, Text: "NO not now"}}}
	w.sync()
	w.wait(time.Hour)
	w.must()
	w.expect("INBOX a:S b:S c:FS")
}

// A file that could not be deleted is deleted by the next run.
func TestReview_FailedRemovalAgain(t *testing.T) {
	w := newWorld(t, imaptest.QRESYNC, 3)
	three(w)
	w.must()
	w.wait(time.Hour)
	w.must()
	w.wait(time.Hour)
	w.remoteDel("INBOX", "b")
	file := w.file("INBOX", "b")
	failed := 0
	w.fs.Fail = func(op, p string, _ int) error {
		if (op == "unlink" || strings.HasPrefix(op, "rename") || op == "link") && p == file && failed == 0 {
			failed++
			return errTest
		}
		return nil
	}
	w.sync()
	w.fs.Fail = nil
	if failed == 0 {
		t.Fatal("nothing failed")
	}
	w.wait(time.Hour)
	w.must()
	w.expect("INBOX a:- c:FS")
}

var errTest = fmt.Errorf("test failure")

// A server that gives two messages of one batch the same UID lies about one.
func TestRule8_OneUIDForTwoUploads(t *testing.T) {
	w := newWorld(t, imaptest.UIDPlusOnly, 3)
	three(w)
	w.must()
	w.localAdd("INBOX", "p", "S")
	w.localAdd("INBOX", "q", "S")
	re := regexp.MustCompile(`APPENDUID (\d+) \d+`)
	first := ""
	w.srv.Faults.Response = func(_ *imaptest.Session, line []byte) []byte {
		if m := re.Find(line); m != nil {
			if first == "" {
				first = string(m)
			}
			return re.ReplaceAll(line, []byte(first))
		}
		return line
	}
	w.sync()
	w.srv.Faults.Response = nil
	w.wait(time.Hour)
	w.sync()
	w.wait(time.Hour)
	w.sync()
	w.expect("INBOX a:- b:S c:FS p:S q:S")
}

// Gmail stores nothing when a message of the same Message-ID is there already;
// the file must not be sent again and again.
func TestRule8_MergingServer(t *testing.T) {
	for _, caps := range []imaptest.Caps{imaptest.UIDPlusOnly, imaptest.Bare} {
		w := newWorld(t, caps, 3)
		three(w)
		w.must()
		w.srv.Faults.MergeAppend = true
		w.fs.WriteFile(wRoot+"/INBOX/cur/1600000000.Mcopy.reader:2,S", strings.ReplaceAll(w.letter("a"), "\r\n", "\n"), true)
		appends := func() (n int) {
			for _, e := range w.srv.Log {
				if e.Name == "APPEND" {
					n++
				}
			}
			return n
		}
		for range 8 {
			w.sync()
			w.wait(time.Minute)
		}
		if n := appends(); n > 2 {
			t.Errorf("the file was sent %d times in 8 minutes", n)
		}
		if n := w.count("a"); n != 1 {
			t.Errorf("%d copies on the server", n)
		}
	}
}

// A message moved to another folder whose upload is refused is not deleted where
// it was, neither now nor in later rounds while its upload is put off.
func TestRule8_RefusedMoveIsNotDeleted(t *testing.T) {
	w := newWorld(t, imaptest.QRESYNC, 3)
	three(w)
	w.remoteAdd("Work", "x")
	w.must()
	w.localMove("INBOX", "b", "Work")
	full := imaptest.Act{Kind: imaptest.ActAnswer, Text: "NO [OVERQUOTA] full"}
	w.srv.Faults.Rules = []imaptest.Rule{{Name: "UID MOVE", Act: full}, {Name: "UID COPY", Act: full}, {Name: "APPEND", Act: full}}
	from := len(w.srv.Log)
	for range 4 {
		w.sync()
		if w.count("b") == 0 {
			t.Fatal("the server has no copy of b any more")
		}
		w.wait(time.Minute)
	}
	if !slices.ContainsFunc(w.srv.Log[from:], func(e imaptest.Entry) bool { return e.Name == "UID MOVE" || e.Name == "APPEND" }) {
		t.Error("the server was not asked to take b into Work")
	}
	w.localDel("INBOX", "a") // another message, other Message-ID: goes on
	w.sync()
	if w.count("a") != 0 {
		t.Error("an unrelated delete was held up")
	}
	w.srv.Faults.Rules = nil
	w.wait(time.Hour)
	w.sync()
	w.expect("INBOX c:FS\nWork b:S x:-")
}

// The same if the folder it was moved to cannot be opened.
func TestRule8_MoveToBrokenFolder(t *testing.T) {
	w := newWorld(t, imaptest.QRESYNC, 3)
	three(w)
	w.remoteAdd("Work", "x")
	w.must()
	w.localMove("INBOX", "b", "Work")
	w.srv.Faults.Rules = []imaptest.Rule{{Name: "SELECT", Mailbox: "Work", Act: imaptest.Act{Kind: imaptest.ActAnswer, Text: "NO not now"}}}
	w.remoteAdd("Work", "y") // so that it is selected
	w.sync()
	if w.count("b") == 0 {
		t.Fatal("the server has no copy of b any more")
	}
	w.srv.Faults.Rules = nil
	w.wait(time.Hour)
	w.must()
	w.expect("INBOX a:- c:FS\nWork b:S x:- y:-")
}

// A download that was killed before its directory was flushed may only be
// recorded once that has been made up for: a power cut would lose the file, and
// the record would then delete the message on the server.
func TestRule2_RecoveredDownloadIsFlushed(t *testing.T) {
	for k := 0; k < 8*400; k++ {
		call := 1 + k/8
		w := newWorld(t, imaptest.QRESYNC, uint64(k))
		three(w)
		w.must()
		w.remoteAdd("INBOX", "n", `\Seen`)
		w.fs.CrashAfter(call)
		if w.sync() != nil {
			return
		}
		w.fs.Kill()
		w.wait(time.Minute)
		w.must()
		w.fs.PowerCut()
		w.wait(time.Minute)
		w.sync()
		w.wait(time.Minute)
		w.sync()
		if w.count("n") != 1 {
			t.Fatalf("call %d: the message is lost", call)
		}
	}
}

// The same for adopted files: their reader may never have flushed them.
func TestRule2_AdoptedFilesAreFlushed(t *testing.T) {
	for seed := uint64(1); seed < 12; seed++ {
		w := newWorld(t, imaptest.QRESYNC, seed)
		w.remoteAdd("INBOX", "a")
		w.localAdd("INBOX", "other", "S")
		w.fs.WriteFile(wRoot+"/INBOX/cur/1600000000.Ma.reader:2,S", strings.ReplaceAll(w.letter("a"), "\r\n", "\n"), false)
		w.must()
		w.fs.PowerCut()
		w.wait(time.Minute)
		w.sync()
		w.sync()
		if w.count("a") != 1 {
			t.Fatalf("seed %d: the message is lost", seed)
		}
		w.expect("INBOX a:S other:S")
	}
}

// A reader's flag edit is recorded only when its rename is durable; else a power
// cut would take it back and the next run would take that for an edit.
func TestRule2_ReadersRenameIsFlushed(t *testing.T) {
	for seed := uint64(1); seed < 12; seed++ {
		w := newWorld(t, imaptest.QRESYNC, seed)
		three(w)
		w.must()
		from := w.file("INBOX", "a")
		n := maildir.ParseName(path.Base(from), ':')
		w.fs.Outside(func() { w.fs.Rename(from, wRoot+"/INBOX/cur/"+n.Base+":2,S") })
		w.must()
		w.fs.PowerCut()
		w.wait(time.Minute)
		w.sync()
		w.expect("INBOX a:S b:S c:FS")
	}
}

// Bytes held are accounted for whatever the server sends and however it ends.
func TestReview_HeldBytesReturnToZero(t *testing.T) {
	w := newWorld(t, imaptest.QRESYNC, 3)
	three(w)
	w.must()
	w.remoteAdd("INBOX", "big1")
	w.remoteAdd("INBOX", "n1")
	w.srv.Faults.Response = func(_ *imaptest.Session, line []byte) []byte {
		if i := bytes.Index(line, []byte("BODY[] {")); i >= 0 {
			j := bytes.LastIndexByte(line, ')')
			return append(append(bytes.Clone(line[:j]), ' '), line[i:]...)
		}
		return line
	}
	w.sync()
	if n := w.last.a.heldBytes; n != 0 {
		t.Errorf("%d bytes are held after two bodies in one answer", n)
	}
	w.srv.Faults.Response = nil
	for k := 1; k < 200; k++ {
		w := newWorld(t, imaptest.QRESYNC, 3)
		three(w)
		w.must()
		w.must()
		w.remoteAdd("INBOX", "big1")
		w.remoteAdd("INBOX", "n1")
		w.localAdd("INBOX", "l1", "S")
		w.piece = 20000
		w.pieces = 0
		w.cutAt = k
		p := w.start()
		if !p.round() {
			t.Fatal("died")
		}
		if p.a.heldBytes != 0 || p.a.paused {
			t.Fatalf("cut %d: %d bytes are held, paused %v", k, p.a.heldBytes, p.a.paused)
		}
		if n := w.fs.OpenFiles(); n != 0 {
			t.Fatalf("cut %d: %d open files", k, n)
		}
		if w.pieces < k {
			break
		}
	}
}

// The same when the user stops it anywhere.
func TestReview_StopAnywhere(t *testing.T) {
	for _, dry := range []bool{false, true} {
		for k := 1; k < 400; k++ {
			w := newWorld(t, imaptest.QRESYNC, 3)
			three(w)
			w.must()
			w.remoteAdd("INBOX", "big1")
			w.remoteAdd("INBOX", "n1")
			w.localAdd("INBOX", "l1", "S")
			w.set.DryRun = dry
			w.piece = 20000
			p := w.start()
			done, turns := 0, 0
			p.a.Round(func() { done++ })
			p.loop.Until(time.Hour, func() bool {
				if turns++; turns == k {
					p.a.Stop()
				}
				return done > 0
			})
			if done != 1 {
				t.Fatalf("stopped at turn %d: the round ended %d times", k, done)
			}
			p.loop.Settle()
			if p.a.heldBytes != 0 || p.a.paused {
				t.Fatalf("stopped at turn %d: %d bytes are held, paused %v", k, p.a.heldBytes, p.a.paused)
			}
			if n := w.fs.OpenFiles(); n != 0 {
				t.Fatalf("stopped at turn %d: %d open files", k, n)
			}
			if turns < k {
				break
			}
		}
	}
}

// Stop and Reconnect while the connection is being made: the round ends, whether
// cancelling a dial is answered at once or not at all.
func TestReview_EndWhileDialling(t *testing.T) {
	for _, answer := range []bool{true, false} {
		for _, dry := range []bool{true, false} {
			for _, stop := range []bool{true, false} {
				w := newWorld(t, imaptest.QRESYNC, 3)
				three(w)
				w.must()
				w.set.DryRun = dry
				p := w.start()
				dialled, done := false, 0
				p.a.env.Dial = func(_ *Settings, d func(Transport, bool, error)) func() {
					dialled = true
					return func() {
						if answer {
							d(nil, false, fmt.Errorf("cancelled"))
						}
					}
				}
				p.a.Round(func() { done++ })
				p.loop.Until(time.Minute, func() bool { return dialled })
				if stop {
					p.a.Stop()
				} else {
					p.a.Reconnect()
				}
				p.loop.Until(time.Hour, func() bool { return done > 0 })
				if done != 1 {
					t.Errorf("answer %v dry %v stop %v: the round ended %d times", answer, dry, stop, done)
				}
			}
		}
	}
}

// What ends a round early keeps its kind though commands rode behind the login.
func TestReview_KindOfFailure(t *testing.T) {
	for _, caps := range []imaptest.Caps{imaptest.QRESYNC, imaptest.Bare} {
		w := newWorld(t, caps, 3)
		three(w)
		w.must()
		p := w.start()
		p.a.env.Password = func(_ *Settings, done func(string, error)) { done("wrong", nil) }
		p.round()
		if l := p.a.result.Errors; len(l) != 1 || !l[0].Refused || l[0].Hint == "" {
			t.Errorf("a refused login is reported as %+v", l)
		}
		w.srv.Faults.Rules = []imaptest.Rule{{Name: "LIST", Act: imaptest.Act{Kind: imaptest.ActClose}}}
		p = w.start()
		p.round()
		if l := p.a.result.Errors; len(l) != 1 || !l[0].Lost || l[0].Hint == "" {
			t.Errorf("a connection lost during LIST is reported as %+v", l)
		}
	}
}

// Lines of a state file that could not be written are not skipped by later ones.
func TestRule2_FailedJournal(t *testing.T) {
	for skip := range 12 {
		w := newWorld(t, imaptest.QRESYNC, 3)
		three(w)
		w.must()
		w.remoteAdd("INBOX", "k1", "alpha", `\Seen`)
		w.remoteAdd("INBOX", "k2", "beta")
		w.localAdd("INBOX", "u1", "S")
		w.remoteFlags("INBOX", "a", "gamma")
		n, failed := 0, false
		w.fs.Fail = func(op, p string, _ int) error {
			if op == "write" && strings.HasPrefix(p, wState) && path.Base(p) != "account.state" {
				if n++; n == skip+1 {
					failed = true
					return errTest
				}
			}
			return nil
		}
		w.sync()
		w.fs.Fail = nil
		if !failed {
			if skip == 0 {
				t.Error("nothing failed")
			}
			break
		}
		w.wait(time.Minute)
		w.remoteAdd("INBOX", "k3", "delta")
		w.remoteAdd("INBOX", "k4", "alpha")
		w.sync()
		w.wait(time.Minute)
		w.sync()
		w.expect("INBOX a:{gamma} b:S c:FS k1:S{alpha} k2:{beta} k3:{delta} k4:{alpha} u1:S")
		w.idle()
	}
}

// A read-only Maildir is not changed: no file is renamed, none is removed.
func TestRule_ReadOnlyMaildirStays(t *testing.T) {
	for _, caps := range []imaptest.Caps{imaptest.QRESYNC, imaptest.Bare} {
		w := newWorld(t, caps, 3)
		three(w)
		w.must()
		w.set.LocalReadOnly = true
		w.set.ConfigDigest = "ro"
		w.localAdd("INBOX", "n", "S")
		w.localFlags("INBOX", "b", "ST")
		w.remoteDel("INBOX", "c")
		before := w.fs.Files(wRoot + "/INBOX")
		for range 3 {
			w.sync()
			w.wait(time.Hour)
		}
		after := w.fs.Files(wRoot + "/INBOX")
		for p := range before {
			if _, ok := after[p]; !ok {
				t.Errorf("%s is gone", p)
			}
		}
		for p := range after {
			if _, ok := before[p]; !ok {
				t.Errorf("%s appeared", p)
			}
		}
		if n := w.count("n"); n != 1 {
			t.Errorf("%d copies of n on the server", n)
		}
		if n := w.count("b"); n > 1 {
			t.Errorf("%d copies of b on the server", n)
		}
	}
}

// A dry run sees flag changes of the server although EXAMINE says that no flag
// can be stored.
func TestReview_DryRunShowsServersFlags(t *testing.T) {
	w := newWorld(t, imaptest.QRESYNC, 3)
	three(w)
	w.must()
	w.remoteFlags("INBOX", "a", `\Flagged`)
	w.localFlags("INBOX", "b", "RS")
	w.set.DryRun = true
	w.srv.Faults.Response = func(_ *imaptest.Session, line []byte) []byte { // as Dovecot
		return regexp.MustCompile(`PERMANENTFLAGS \([^)]*\)`).ReplaceAll(line, []byte("PERMANENTFLAGS ()"))
	}
	w.events = nil
	w.sync()
	var plan []string
	for _, e := range w.events {
		if e.Kind == "plan" {
			plan = append(plan, e.Text)
		}
	}
	text := strings.Join(plan, "\n")
	if !strings.Contains(text, "in the Maildir: - -> F") || !strings.Contains(text, "on the server: S -> RS") {
		t.Errorf("the plan is:\n%s", text)
	}
}

// A scan that missed the file of an open intent proves nothing.
func TestRule4_IntentOfAMissedFile(t *testing.T) {
	for _, arrived := range []bool{true, false} {
		w := newWorld(t, imaptest.UIDPlusOnly, 3)
		three(w)
		w.must()
		w.localAdd("INBOX", "n", "S")
		kind := imaptest.ActClose
		if arrived {
			kind = imaptest.ActCloseAfter
		}
		w.srv.Faults.Rules = []imaptest.Rule{{Name: "APPEND", Times: 1, Act: imaptest.Act{Kind: kind}}}
		p := w.start()
		p.round()
		p.die()
		w.fs.Kill()
		// A reader renames it during each of the next run's scans, so that no scan
		// sees it.
		shown := w.file("INBOX", "n")
		p = w.start()
		unstable(w, shown)
		p.round()
		w.fs.Before = nil
		p.die()
		w.fs.Kill()
		w.fs.Outside(func() {
			w.fs.Rename(wRoot+"/INBOX/tmp/away", shown)
		})
		w.wait(time.Minute)
		w.sync()
		w.wait(time.Minute)
		w.sync()
		if n := w.count("n"); n != 1 {
			t.Errorf("arrived %v: %d copies on the server", arrived, n)
		}
		n := 0
		for _, f := range w.files("INBOX") {
			if f.name == "n" {
				n++
			}
		}
		if n != 1 {
			t.Errorf("arrived %v: %d copies in the Maildir", arrived, n)
		}
	}
}

// unstable makes every scan of INBOX miss the file and see that the directory
// changed.
func unstable(w *world, file string) {
	w.fs.Outside(func() { w.fs.Rename(file, wRoot+"/INBOX/tmp/away") })
	w.fs.Before = func(op, _ string) {
		if op == "readnames" {
			b := w.fs.Before
			w.fs.Before = nil
			w.fs.Outside(func() {
				w.fs.Rename(wRoot+"/INBOX/tmp/away", wRoot+"/INBOX/cur/x")
				w.fs.Rename(wRoot+"/INBOX/cur/x", wRoot+"/INBOX/tmp/away")
			})
			w.fs.Before = b
		}
	}
}

// What was put aside for a message that is gone does not stay for ever.
func TestReview_QuarantineOfTheGone(t *testing.T) {
	w := newWorld(t, imaptest.QRESYNC, 3)
	three(w)
	w.must()
	w.localAdd("INBOX", "n", "S")
	w.srv.Faults.Rules = []imaptest.Rule{{Name: "APPEND", Act: imaptest.Act{Kind: imaptest.ActAnswer, Text: "NO never"}}}
	w.sync()
	w.localDel("INBOX", "n")
	for range 3 {
		w.wait(time.Hour)
		w.must()
	}
	from := len(w.srv.Log)
	w.must()
	for _, e := range w.srv.Log[from:] {
		if e.Name == "UID FETCH" && strings.Contains(e.Line, "1:4294967295") {
			t.Errorf("the folder is listed in full for ever: %s", e.Line)
		}
	}
}

// Where renaming takes a link and an unlink, a stop in between leaves a file two
// names: it is one message all the same.
func TestRule6_HardLinkIsOneMessage(t *testing.T) {
	for _, caps := range []imaptest.Caps{imaptest.QRESYNC, imaptest.Bare} {
		for k := 0; k < 3000; k++ {
			call := 1 + k/3
			w := newWorld(t, caps, uint64(k))
			w.fs.NoAtomicRename = true
			three(w)
			w.must()
			w.localAdd("INBOX", "u", "S")
			w.localFlags("INBOX", "b", "FS")
			w.remoteFlags("INBOX", "a", `\Seen`)
			w.remoteDel("INBOX", "c")
			w.fs.CrashAfter(call)
			if w.sync() != nil {
				break
			}
			if k%3 == 2 {
				w.fs.PowerCut()
			} else {
				w.fs.Kill()
			}
			w.wait(time.Minute)
			w.sync()
			w.sync()
			w.expect("INBOX a:S b:FS u:S")
			if t.Failed() {
				t.Fatalf("stopped at call %d", call)
			}
		}
	}
}

// Files change their UIDs with one another when the server numbers a folder anew, and a
// power cut in the midst leaves two names of a file, one of them with the UID of another:
// that is no reason to take the file for the other message.
func TestRule6_SecondNameAmidRenumbering(t *testing.T) {
	at := slices.IndexFunc(scenarios, func(s scenario) bool { return s.name == "folder deleted and made again on the server" })
	for _, v := range servers {
		b, failed := scenarios[at].prepare(t, v.caps, v.name == "bare", 7)
		if len(failed) > 0 {
			t.Fatal(failed)
		}
		m, _ := b.play(t, reactortest.NextTurn, 7, crash{}, nil)
		for k := 100; k <= m.calls; k++ { // before, no file is renamed
			for seed := range uint64(4) {
				if _, failed := b.play(t, reactortest.NextTurn, uint64(7+k)+seed<<16, crash{call: k, power: true}, nil); len(failed) > 0 {
					t.Fatalf("%s: stopped at call %d, seed %d: %s", v.name, k, seed, failed[0])
				}
			}
		}
	}
}

// What --recreate asks for is done once, not in every round of the process: a
// later round would forget the intents of the first.
func TestRule3_RecreateIsDoneOnce(t *testing.T) {
	w := newWorld(t, imaptest.Bare, 3)
	three(w)
	w.must()
	w.localAdd("INBOX", "u", "S")
	w.set.Recreate = []string{"INBOX"}
	w.lazy = true
	held := false
	w.srv.Faults.Command = func(c imaptest.Command) imaptest.Act {
		if !held && c.Name == "APPEND" {
			held = true
			return imaptest.Act{Kind: imaptest.ActHold}
		}
		return imaptest.Act{}
	}
	p := w.start()
	var conn *wire
	p.a.Round(func() {})
	p.loop.Until(time.Minute, func() bool { return held })
	conn = p.open[len(p.open)-1]
	p.loop.Settle()
	conn.end(false)
	conn.proto.Lost(errTest)
	p.loop.Until(time.Minute, func() bool { return !p.a.Busy() })
	w.srv.Faults.Command = nil
	p.round()
	w.srv.Settle(-1) // the server now gets to the dead connection's APPEND
	p.loop.Advance(20 * time.Second)
	p.round()
	p.round()
	if n := w.count("u"); n != 1 {
		t.Errorf("%d copies of u on the server", n)
	}
}
