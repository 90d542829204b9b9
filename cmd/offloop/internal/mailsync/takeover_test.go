package mailsync

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"offloop/imapproto"
	"offloop/imapproto/imaptest"
	"offloop/maildir"
	"offloop/reactor/reactortest"
	"offloop/statefile/legacy"
)

// offlineIMAP puts messages on both sides of a folder, as OfflineIMAP leaves them,
// and its state of them: "a:S b:- c:FS".
func (w *world) offlineIMAP(folder, mail string) *legacy.Status {
	st := &legacy.Status{Format: legacy.SQLite2}
	dir := wRoot + "/" + folder
	w.fs.Outside(func() {
		if err := maildir.Create(w.fs, dir); err != nil {
			w.tb.Fatal(err)
		}
		w.fs.Flush()
	})
	names := map[byte]string{'D': `\Draft`, 'F': `\Flagged`, 'R': `\Answered`, 'S': `\Seen`, 'T': `\Deleted`}
	for _, m := range strings.Fields(mail) {
		name, letters, _ := strings.Cut(m, ":")
		letters = strings.Trim(letters, "-")
		var flags []string
		for _, c := range []byte(letters) {
			if names[c] != "" {
				flags = append(flags, names[c])
			}
		}
		uid := w.remoteAdd(folder, name, flags...)
		sub := "new"
		if strings.Contains(letters, "S") {
			sub = "cur"
		}
		file := fmt.Sprintf("%s/%s/1600000000_%d.99.host,U=%d,FMD5=%s:2,%s", dir, sub, uid, uid, maildir.FMD5(folder), letters)
		w.fs.WriteFile(file, strings.ReplaceAll(w.letter(name), "\r\n", "\n"), true)
		st.Messages = append(st.Messages, legacy.Message{UID: uid, Flags: letters})
	}
	box, _ := w.srv.Mailbox(folder)
	st.UIDValidity = box.UIDValidity
	w.earlier(folder, func() (*legacy.Status, error) { c := *st; return &c, nil })
	return st
}

// earlier makes read the way OfflineIMAP's state of a folder is read.
func (w *world) earlier(folder string, read func() (*legacy.Status, error)) {
	old := w.set.Earlier
	w.set.Earlier = &Earlier{
		Read: func(local, remote string) (*legacy.Status, error) {
			switch {
			case local == folder:
				return read()
			case old != nil:
				return old.Read(local, remote)
			}
			return nil, nil
		},
		Files: func(local, remote string) (string, string) { return legacy.FileName(local), legacy.FileName(remote) },
	}
}

// away takes a directory out of the Maildir tree.
func (w *world) away(dir string) {
	w.fs.Outside(func() {
		if err := w.fs.Rename(wRoot+dir, "/gone"); err != nil {
			w.tb.Fatal(err)
		}
		w.fs.Flush()
	})
}

func taken(w *world) { w.offlineIMAP("INBOX", "a:- b:S c:FS d:RS e:S f:S g:S") }

// pending are changes of both sides that OfflineIMAP has not seen.
func pending(w *world) {
	w.localDel("INBOX", "a")
	w.remoteDel("INBOX", "b")
	w.localFlags("INBOX", "c", "S")
	w.remoteFlags("INBOX", "d", `\Seen`)
	w.localFlags("INBOX", "e", "RS")
	w.remoteFlags("INBOX", "e", `\Seen`, `\Flagged`)
	w.localDel("INBOX", "f")
	w.remoteDel("INBOX", "f")
	w.remoteAdd("INBOX", "r1", `\Seen`)
	w.localAdd("INBOX", "l1", "S")
}

const pendingWant = "INBOX c:S d:S e:FRS g:S l1:S r1:S"

// adopted is the end where OfflineIMAP's state cannot be used: nothing is known to
// be deleted, and flags of both sides are joined.
const adopted = "INBOX a:- c:FS d:RS e:FRS g:S l1:S r1:S"

func init() {
	scenarios = append(scenarios,
		scenario{name: "taken over", change: func(w *world) { taken(w); pending(w) },
			want: pendingWant, bare: pendingWant + " | a:T c:S d:S e:FRS g:S l1:S r1:S"},
		scenario{name: "taken over, two folders", change: func(w *world) {
			taken(w)
			w.offlineIMAP("Work/x", "h:S i:S k:S")
			pending(w)
			w.localDel("Work/x", "h")
			w.remoteDel("Work/x", "i")
		}, want: pendingWant + "\nWork/x k:S", bare: pendingWant + " | a:T c:S d:S e:FRS g:S l1:S r1:S\nWork/x k:S | h:ST k:S"},
		scenario{name: "taken over, a file half renamed", change: func(w *world) {
			taken(w)
			w.fs.Outside(func() { // a new unique part, as some readers give
				from := w.file("INBOX", "g")
				w.fs.Rename(from, wRoot+"/INBOX/cur/1700000000.X.reader"+from[strings.IndexByte(from, ','):])
				w.fs.Flush()
			})
		}, want: "INBOX a:- b:S c:FS d:RS e:S f:S g:S"},
		scenario{name: "taken over, the Maildir is gone", change: func(w *world) {
			taken(w)
			w.away("/INBOX")
		}, want: "INBOX a:- b:S c:FS d:RS e:S f:S g:S"},
		scenario{name: "taken over, another UIDVALIDITY", change: func(w *world) {
			st := w.offlineIMAP("INBOX", "a:- b:S c:FS d:RS e:S f:S g:S")
			st.UIDValidity++
			pendingKept(w)
		}, want: adopted},
		scenario{name: "taken over, damaged", change: func(w *world) {
			taken(w)
			w.earlier("INBOX", func() (*legacy.Status, error) { return nil, errors.New("database disk image is malformed") })
			pendingKept(w)
		}, want: adopted},
	)
}

// pendingKept is pending without the deletions that adoption must take for uploads.
func pendingKept(w *world) {
	w.localDel("INBOX", "a")
	w.localDel("INBOX", "b")
	w.remoteDel("INBOX", "b")
	w.localFlags("INBOX", "e", "RS")
	w.remoteFlags("INBOX", "e", `\Seen`, `\Flagged`)
	w.localDel("INBOX", "f")
	w.remoteDel("INBOX", "f")
	w.remoteAdd("INBOX", "r1", `\Seen`)
	w.localAdd("INBOX", "l1", "S")
}

// bodies counts the commands that carry messages since log entry from.
func bodies(w *world, from int) (n int) {
	for _, e := range w.srv.Log[from:] {
		if e.Name == "APPEND" || strings.Contains(e.Line, "BODY.PEEK[]") {
			n++
		}
	}
	return n
}

// TestTakeOverMovesNothing: a tree that OfflineIMAP left equal on both sides is
// taken over without a body, a flag change or a rename.
func TestTakeOverMovesNothing(t *testing.T) {
	for _, v := range servers {
		w := newWorld(t, v.caps, 3)
		taken(w)
		files := w.fs.Files(wRoot)
		if r := w.must(); r.Down+r.Up+r.FlagsLocal+r.FlagsRemote+r.DelLocal+r.DelRemote != 0 {
			t.Errorf("%s: %+v", v.name, r)
		}
		if n := bodies(w, 0); n > 0 {
			t.Errorf("%s: %d commands carry messages", v.name, n)
		}
		for p := range files {
			if _, ok := w.fs.Files(wRoot)[p]; !ok {
				t.Errorf("%s: %s was renamed", v.name, p)
			}
		}
		w.expect("INBOX a:- b:S c:FS d:RS e:S f:S g:S")
		w.idle()
		w.still()
	}
}

// TestTakeOverKeepsPassed: OfflineIMAP notes P and never sends it.
func TestTakeOverKeepsPassed(t *testing.T) {
	w := newWorld(t, imaptest.QRESYNC, 3)
	w.offlineIMAP("INBOX", "a:PS b:S")
	w.must()
	w.expect("INBOX a:PS b:S")
}

// TestRule5_TakeOver: the brake holds deletes that OfflineIMAP's state makes known.
func TestRule5_TakeOver(t *testing.T) {
	for _, side := range []string{"Maildir", "server"} {
		w := newWorld(t, imaptest.QRESYNC, 3)
		var mail []string
		for i := range 20 {
			mail = append(mail, fmt.Sprintf("m%02d:S", i))
		}
		w.offlineIMAP("INBOX", strings.Join(mail, " "))
		for i := range 15 {
			if side == "Maildir" {
				w.localDel("INBOX", fmt.Sprintf("m%02d", i))
			} else {
				w.remoteDel("INBOX", fmt.Sprintf("m%02d", i))
			}
		}
		w.sync()
		if l, r := len(w.files("INBOX")), len(w.srv.Messages("INBOX")); max(l, r) != 20 {
			t.Errorf("%s: %d files, %d messages: the brake did not hold", side, l, r)
		}
		w.sync()
		w.set.AllowDeletes = []string{"INBOX"}
		w.must()
		if l, r := len(w.files("INBOX")), len(w.srv.Messages("INBOX")); l != 5 || r != 5 {
			t.Errorf("%s: released, there are %d files and %d messages", side, l, r)
		}
	}
}

// TestTakeOverDamagedMaildir: a folder without cur is damaged, not emptied.
func TestTakeOverDamagedMaildir(t *testing.T) {
	w := newWorld(t, imaptest.QRESYNC, 3)
	w.offlineIMAP("INBOX", "a:- b:-")
	w.away("/INBOX/cur")
	r := w.sync()
	if len(r.Errors) == 0 || !strings.Contains(r.Errors[0].Error(), "lacks") {
		t.Errorf("errors: %v", r.Errors)
	}
	if n := len(w.srv.Messages("INBOX")); n != 2 {
		t.Errorf("%d messages are left", n)
	}
}

// TestTakeOverOnce: offloop's own state comes first, and a folder begun anew by the
// user is not taken over again.
func TestTakeOverOnce(t *testing.T) {
	w := newWorld(t, imaptest.QRESYNC, 3)
	taken(w)
	w.must()
	w.localDel("INBOX", "a")
	w.must()
	w.remoteDel("INBOX", "b")
	w.must()
	reads := 0
	w.earlier("INBOX", func() (*legacy.Status, error) { reads++; return nil, nil })
	w.set.Recreate = []string{"INBOX"}
	w.must()
	w.set.Recreate = nil
	w.must()
	if reads > 0 {
		t.Errorf("OfflineIMAP's state was read %d times", reads)
	}
	w.expect("INBOX c:FS d:RS e:S f:S g:S")
}

// TestTakeOverOtherDigest: files that carry another folder name's digest are not
// taken for missing.
func TestTakeOverOtherDigest(t *testing.T) {
	w := newWorld(t, imaptest.QRESYNC, 3)
	taken(w)
	w.set.VisibleName = func(local string) string { return "other " + local }
	r := w.must()
	if r.Up+r.Down+r.DelLocal+r.DelRemote > 0 || bodies(w, 0) > 0 {
		t.Errorf("%+v, %d commands with messages", r, bodies(w, 0))
	}
	w.expect("INBOX a:- b:S c:FS d:RS e:S f:S g:S")
	w.idle()
}

// TestTakeOverClash: two folders in one status file are paired by content.
func TestTakeOverClash(t *testing.T) {
	w := newWorld(t, imaptest.QRESYNC, 3)
	w.offlineIMAP("a/b", "x:S y:S")
	w.offlineIMAP("a.b", "p:S q:S")
	w.offlineIMAP("c", "z:S")
	w.localDel("a/b", "x")
	w.localDel("c", "z")
	w.must()
	w.expect("INBOX\na.b p:S q:S\na/b x:S y:S\nc")
	if n := strings.Count(fmt.Sprint(w.events), "is not used"); n != 2 {
		t.Errorf("%d warnings", n)
	}
}

// TestFindClashes: folders that are not synced count too.
func TestFindClashes(t *testing.T) {
	w := newWorld(t, imaptest.QRESYNC, 3)
	taken(w)
	a := New(&Env{}, &w.set)
	a.localNames = []string{"INBOX", "x.y"}
	a.findClashes([]imapproto.Mailbox{{Name: "INBOX"}, {Name: "x/y"}, {Name: "z"}})
	if a.clashes["INBOX"] || a.clashes["z"] || !a.clashes["x/y"] || !a.clashes["x.y"] {
		t.Errorf("%v", a.clashes)
	}
}

// TestRule3_TakeOver stops a taking over at every file-system call and every piece
// on the wire: what was deleted before it must not come back.
func TestRule3_TakeOver(t *testing.T) {
	i := slices.IndexFunc(scenarios, func(s scenario) bool { return s.name == "taken over" })
	s := &scenarios[i]
	m, failed := s.play(t, imaptest.QRESYNC, false, reactortest.NextTurn, 7, crash{})
	if len(failed) > 0 {
		t.Fatal(strings.Join(failed, "\n"))
	}
	stride := 1
	if raceOn {
		stride = 5
	}
	var all []crash
	for k := 1; k <= m.calls; k += stride {
		all = append(all, crash{call: k}, crash{call: k, power: true})
	}
	for k := 1; k <= m.pieces; k++ {
		all = append(all, crash{kill: k}, crash{cut: k}, crash{kill: k, lazy: true})
	}
	for _, c := range all {
		if _, failed := s.play(t, imaptest.QRESYNC, false, reactortest.NextTurn, uint64(7+c.call+c.kill+c.cut), c); len(failed) > 0 {
			t.Fatalf("%v: %s", c, strings.Join(failed, "\n"))
		}
	}
	t.Logf("%d crash points", len(all))
}
