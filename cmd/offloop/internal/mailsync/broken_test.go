package mailsync

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"offloop/imapproto/imaptest"
	"offloop/statefile"
)

// The tests in this file each fail for one way of breaking a rule that no other
// test named after the rule notices.

func TestRule2_EmptyFileStaysHere(t *testing.T) { playNamed(t, "file with NUL, empty file") }

func TestRule3_AnothersTwinIsNotOurs(t *testing.T) {
	playNamed(t, "another client's twin beside an open upload")
}

// TestRule4_LostAmidTransfers: when the connection is lost amid the transfers,
// nothing is deleted on either side in that round.
func TestRule4_LostAmidTransfers(t *testing.T) {
	for _, v := range servers {
		t.Run(v.name, func(t *testing.T) {
			w := newWorld(t, v.caps, 3)
			three(w)
			w.remoteAdd("Work", "x")
			w.must()
			w.remoteDel("INBOX", "b")
			w.localAdd("Work", "n1", "S")
			w.srv.Faults.Command = func(c imaptest.Command) imaptest.Act {
				if c.Name == "APPEND" {
					return imaptest.Act{Kind: imaptest.ActClose}
				}
				return imaptest.Act{}
			}
			p := w.start()
			if !p.round() {
				t.Fatal("the process died")
			}
			w.expect("INBOX a:- b:S c:FS | a:- c:FS\nWork n1:S x:- | x:-")
			w.srv.Faults.Command = nil
			w.wait(time.Minute)
			w.must()
			w.expect("INBOX a:- c:FS\nWork n1:S x:-")
		})
	}
}

// TestRule4_UnreadableDirectory: a directory that cannot be read to its end is not
// one whose files are gone.
func TestRule4_UnreadableDirectory(t *testing.T) {
	for _, op := range []string{"open", "readnames"} {
		t.Run(op, func(t *testing.T) {
			w := newWorld(t, imaptest.QRESYNC, 3)
			three(w)
			w.remoteAdd("Work", "x")
			w.must()
			w.localAdd("INBOX", "n1", "S") // so that it is looked at
			w.remoteAdd("Work", "y")
			failed := 0
			w.fs.Fail = func(o, p string, _ int) error {
				if o == op && p == wRoot+"/INBOX/cur" {
					failed++
					return errTest
				}
				return nil
			}
			r := w.sync()
			w.fs.Fail = nil
			if failed == 0 {
				t.Fatal("nothing failed")
			}
			if !strings.Contains(fmt.Sprint(r.Errors), errTest.Error()) {
				t.Errorf("errors: %v", r.Errors)
			}
			w.expect("INBOX a:- b:S c:FS n1:S | a:- b:S c:FS\nWork x:- y:-")
			w.must()
			w.expect("INBOX a:- b:S c:FS n1:S\nWork x:- y:-")
		})
	}
}

// TestRule5_AccountSum: deletes that are few in each folder but over a thousand in
// the account are held back from where the sum is over it.
func TestRule5_AccountSum(t *testing.T) {
	w := newWorld(t, imaptest.QRESYNC, 3)
	p := w.start()
	var held []string
	for i := range 4 {
		st := statefile.NewFolder("f", "")
		plan := &Plan{}
		for uid := range uint32(2000) {
			st.Put(statefile.Record{UID: uid + 1, Name: fmt.Sprint(uid)})
			if uid < 400 {
				plan.deleteRemote = append(plan.deleteRemote, uid+1)
			}
		}
		f := &folder{a: p.a, st: st, plan: plan, look: &localLook{}, flags: &flagTable{}, pair: pair{local: fmt.Sprint("f", i)}}
		f.brake()
		if len(plan.deleteRemote) == 0 && len(plan.heldRemote) == 400 {
			held = append(held, f.pair.local)
		}
	}
	if fmt.Sprint(held) != "[f2 f3]" {
		t.Errorf("held back: %v", held)
	}
}

// TestRule6_HintNeedsProof: the UID in a file's name is believed only if the size
// or the Message-ID agrees, and nothing speaks against it.
func TestRule6_HintNeedsProof(t *testing.T) {
	for _, c := range []struct {
		local  localFact
		remote remoteFact
		want   bool
	}{
		{localFact{size: 100}, remoteFact{uid: 5, size: 100}, true},
		{localFact{size: 100}, remoteFact{uid: 5, size: 101}, false},
		{localFact{size: 100, msgID: "<a>"}, remoteFact{uid: 5, size: 101}, false},
		{localFact{size: 100, msgID: "<a>"}, remoteFact{uid: 5, size: 101, msgID: "<a>"}, true},
		{localFact{size: 100, msgID: "<a>"}, remoteFact{uid: 5, size: 100, msgID: "<b>"}, false},
		{localFact{size: 100, msgID: "<a>"}, remoteFact{uid: 6, size: 102}, false},
	} {
		c.local.file.hint = 5
		for _, match := range []func([]localFact, []remoteFact) []match{matchFacts, matchMany} {
			if got := len(match([]localFact{c.local}, []remoteFact{c.remote})) == 1; got != c.want {
				t.Errorf("%+v is %+v: %v", c.local, c.remote, got)
			}
		}
	}
}

// TestRule10_CollidingNames: of two server folders that are one on this file
// system neither is synced into the other's directory.
func TestRule10_CollidingNames(t *testing.T) {
	for _, v := range servers {
		t.Run(v.name, func(t *testing.T) {
			w := newWorld(t, v.caps, 3)
			w.fs.Fold = strings.ToLower
			three(w)
			w.remoteAdd("Work", "x")
			w.remoteAdd("WORK", "y")
			r := w.sync()
			if !strings.Contains(fmt.Sprint(r.Errors), "its local name is also that of") {
				t.Errorf("errors: %v", r.Errors)
			}
			if n := len(w.files("Work")) + len(w.files("WORK")); n != 0 {
				t.Errorf("%d files in a directory that is two folders'", n)
			}
			if n := len(w.files("INBOX")); n != 3 {
				t.Errorf("%d files in INBOX", n)
			}
			if n := len(w.srv.Messages("Work")) + len(w.srv.Messages("WORK")); n != 2 {
				t.Errorf("%d messages on the server", n)
			}
		})
	}
}

// TestRule10_FilesAreTheUsersAlone: whatever is written, mail, state or trash, is
// readable by nobody else.
func TestRule10_FilesAreTheUsersAlone(t *testing.T) {
	w := newWorld(t, imaptest.QRESYNC, 3)
	w.set.TrashKeep = 24 * time.Hour
	three(w)
	w.remoteAdd("Work/deep", "x", "keyword")
	w.must()
	uploads(w)
	w.remoteDel("INBOX", "b")
	w.localFlags("INBOX", "a", "S")
	own := map[string]bool{}
	w.fs.Before = func(op, p string) { own[p] = true }
	w.must()
	w.fs.Before = nil
	n := 0
	look := func(p string, want uint32) {
		mode, _, _, _, _, _, err := w.fs.Stat(p)
		if err != nil {
			return
		}
		if n++; mode&0o777 != want {
			t.Errorf("%s has mode %o, want %o", p, mode&0o777, want)
		}
	}
	w.fs.Outside(func() {
		for _, root := range []string{wRoot, wMeta} {
			for p := range w.fs.Files(root) {
				look(root+"/"+p, 0o600)
				for i := range p {
					if p[i] == '/' {
						look(root+"/"+p[:i], 0o700)
					}
				}
			}
		}
	})
	if n < 30 {
		t.Errorf("only %d were looked at", n)
	}
}

// TestRule8_OneFolderStopsNothing: a folder that cannot be opened or written to
// leaves the others alone.
func TestRule8_OneFolderStopsNothing(t *testing.T) {
	for _, v := range servers {
		t.Run(v.name, func(t *testing.T) {
			w := newWorld(t, v.caps, 3)
			three(w)
			w.remoteAdd("Bad", "x")
			w.remoteAdd("Sad", "y")
			w.srv.Faults.Command = func(c imaptest.Command) imaptest.Act {
				if c.Name == "SELECT" && strings.Contains(c.Line, "Bad") {
					return imaptest.Act{Kind: imaptest.ActAnswer, Text: "NO not for you"}
				}
				return imaptest.Act{}
			}
			w.fs.Fail = func(_, p string, _ int) error {
				if strings.HasPrefix(p, wRoot+"/Sad/") {
					return errTest
				}
				return nil
			}
			r := w.sync()
			w.fs.Fail, w.srv.Faults.Command = nil, nil
			if text := fmt.Sprint(r.Errors); !strings.Contains(text, "not for you") || !strings.Contains(text, errTest.Error()) {
				t.Errorf("errors: %v", r.Errors)
			}
			if n := len(w.files("INBOX")); n != 3 {
				t.Errorf("%d files in INBOX", n)
			}
			w.must()
			w.expect("Bad x:-\nINBOX a:- b:S c:FS\nSad y:-")
		})
	}
}

// TestRule3_AlteredTwinIsNotOurs: an upload never arrived, and another client has
// stored a message of the same Message-ID and another size meanwhile. It may be what
// the server made of ours, so the file is not sent again without a word; but it is not
// taken for it either.
func TestRule3_AlteredTwinIsNotOurs(t *testing.T) {
	for _, v := range servers {
		t.Run(v.name, func(t *testing.T) {
			w := newWorld(t, v.caps, 3)
			three(w)
			w.must()
			w.localAdd("INBOX", "twin1", "S")
			w.srv.Faults.Command = func(c imaptest.Command) imaptest.Act {
				if c.Name != "APPEND" || w.holds("INBOX", "twin22") {
					return imaptest.Act{}
				}
				w.remoteAdd("INBOX", "twin22")
				return imaptest.Act{Kind: imaptest.ActClose}
			}
			r := w.sync()
			w.srv.Faults.Command = nil
			for range 3 {
				w.wait(25 * time.Hour)
				w.sync()
			}
			w.expect("INBOX a:- b:S c:FS twin1:S twin22:- | a:- b:S c:FS twin22:-")
			if !strings.Contains(fmt.Sprint(r.Errors), "may be it, altered") {
				t.Errorf("errors: %v", r.Errors)
			}
			w.set.Retry = []string{"INBOX"}
			w.must()
			w.set.Retry = nil
			w.expect("INBOX a:- b:S c:FS twin1:S twin22:-")
			w.idle()
		})
	}
}

// TestRule3_OwnTwinLeavesNoDoubt: of two files with one Message-ID the first arrived, the
// second did not, and nothing was answered. The message that is the first is no reason
// to take the second for altered.
func TestRule3_OwnTwinLeavesNoDoubt(t *testing.T) {
	for _, v := range servers {
		t.Run(v.name, func(t *testing.T) {
			w := newWorld(t, v.caps, 3)
			three(w)
			w.must()
			w.localAdd("INBOX", "twin1", "S")
			w.localAdd("INBOX", "twin22", "S")
			cut := false
			w.srv.Faults.Command = func(c imaptest.Command) imaptest.Act {
				if c.Name != "APPEND" || cut {
					return imaptest.Act{}
				}
				cut = true
				w.remoteAdd("INBOX", "twin1", `\Seen`)
				return imaptest.Act{Kind: imaptest.ActClose}
			}
			w.sync()
			w.srv.Faults.Command = nil
			w.must()
			w.expect("INBOX a:- b:S c:FS twin1:S twin22:S")
			w.idle()
		})
	}
}

// TestRule11_PowerCutKeepsTheFile: wherever the power is cut while files go to the
// trash, each is in the Maildir or in the trash afterwards.
func TestRule11_PowerCutKeepsTheFile(t *testing.T) {
	for seed := range uint64(8) {
		for k := 1; ; k++ {
			w := newWorld(t, imaptest.QRESYNC, seed)
			w.set.TrashKeep = 24 * time.Hour
			three(w)
			w.must()
			w.remoteDel("INBOX", "a")
			w.remoteDel("INBOX", "b")
			w.fs.CrashAfter(k)
			if w.sync() != nil {
				break
			}
			w.fs.PowerCut()
			there := map[string]bool{}
			for p, content := range w.fs.Files(wRoot) {
				if !strings.Contains(p, "/tmp/") {
					there[w.named(strings.ReplaceAll(content, "\n", "\r\n"))] = true
				}
			}
			if !there["a"] || !there["b"] || !there["c"] {
				t.Fatalf("seed %d, call %d: what is left is %v", seed, k, there)
			}
		}
	}
}

// TestRule11_FlushOrder: the trash is flushed before the Maildir the file went out
// of, and both before the state forgets the message.
func TestRule11_FlushOrder(t *testing.T) {
	w := newWorld(t, imaptest.QRESYNC, 3)
	w.set.TrashKeep = 24 * time.Hour
	three(w)
	w.must()
	w.remoteDel("INBOX", "b")
	var order []string
	w.fs.Before = func(op, p string) {
		switch {
		case strings.HasPrefix(op, "rename") && strings.HasPrefix(p, wRoot+"/INBOX/"):
			order = append(order, "move")
		case op != "fsync" || len(order) == 0:
		case strings.HasPrefix(p, wRoot+"/"+hidden+"/trash/"):
			order = append(order, "trash")
		case p == wRoot+"/INBOX/cur":
			order = append(order, "cur")
		case strings.HasPrefix(p, wState+"/INBOX"):
			order = append(order, "state")
		}
	}
	w.must()
	w.fs.Before = nil
	if got := strings.Join(order, " "); !strings.HasPrefix(got, "move trash cur state") {
		t.Errorf("the order is %s", got)
	}
}
