package mailsync

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"offloop/maildir"
	"offloop/maildir/maildirtest"
)

// undo runs Undo as a process of its own.
func (w *world) undo(o UndoOptions) []*Trashed {
	w.tb.Helper()
	found, err := Undo(newLifeFS(w.fs), &w.set, w.now, o)
	if err != nil {
		w.tb.Fatal(err)
	}
	for _, t := range found {
		if t.Err != nil {
			w.tb.Errorf("%s: %v", t.File, t.Err)
		}
	}
	return found
}

// deleted is a world where the server has deleted messages, one of them in a
// folder below another and one file marked T.
func deleted(w *world) {
	w.set.TrashKeep = 7 * 24 * time.Hour
	three(w)
	w.remoteAdd("Work/2024", "x", `\Flagged`)
	w.must()
	w.remoteDel("INBOX", "a")
	w.remoteDel("INBOX", "b")
	w.remoteDel("Work/2024", "x")
	w.set.AllowDeletes = []string{"*"}
	w.must()
	w.expect("INBOX c:FS\nWork/2024")
}

// TestRule11_Undo restores what the server deleted; the next sync uploads it,
// once, with its flags, however often it is restored.
func TestRule11_Undo(t *testing.T) {
	for _, v := range servers {
		w := newWorld(t, v.caps, 1)
		deleted(w)
		if l := w.undo(UndoOptions{All: true, List: true}); len(l) != 3 {
			t.Errorf("listed %d", len(l))
		}
		if l := w.undo(UndoOptions{All: true, Since: w.now.Add(time.Second)}); len(l) != 0 {
			t.Errorf("restored %d files that were deleted before", len(l))
		}
		w.expect("INBOX c:FS\nWork/2024")
		if l := w.undo(UndoOptions{Folder: "Work/2024", Since: w.now.Add(-time.Hour)}); len(l) != 1 {
			t.Errorf("restored %d of one folder", len(l))
		}
		if l := w.undo(UndoOptions{All: true}); len(l) != 2 {
			t.Errorf("restored %d", len(l))
		}
		if l := w.undo(UndoOptions{All: true}); len(l) != 0 {
			t.Errorf("restored %d again", len(l))
		}
		want := "INBOX a:- b:S c:FS\nWork/2024 x:F"
		w.must()
		w.expect(want)
		w.idle()
		// And once more with the same messages.
		w.remoteDel("INBOX", "a")
		w.must()
		w.undo(UndoOptions{All: true})
		w.must()
		w.expect(want)
		w.idle()
		w.noComplaints()
	}
}

// TestRule11_UndoOfThese: what was deleted after the list was shown is none of what
// the person said yes to; the newest of the list are told by name.
func TestRule11_UndoOfThese(t *testing.T) {
	w := newWorld(t, servers[0].caps, 1)
	deleted(w)
	listed := w.undo(UndoOptions{All: true, List: true, About: 2})
	if len(listed) != 3 || listed[0].About != "" || listed[1].About == "" || listed[2].About == "" {
		t.Fatalf("%+v", listed)
	}
	w.remoteDel("INBOX", "c")
	w.must()
	if l := w.undo(UndoOptions{All: true, These: listed}); len(l) != 3 {
		t.Errorf("restored %d of the three", len(l))
	}
	w.must()
	w.expect("INBOX a:- b:S\nWork/2024 x:F")
	w.idle()
}

// TestUndoWhileSyncing: while a sync holds a lock nothing is restored.
func TestUndoWhileSyncing(t *testing.T) {
	for _, lock := range []string{wMeta + "/acc.lock", wRoot + "/.offloop/lock"} {
		w := newWorld(t, servers[0].caps, 1)
		deleted(w)
		if err := w.fs.HoldLock(lock, 77); err != nil {
			t.Fatal(err)
		}
		_, err := Undo(newLifeFS(w.fs), &w.set, w.now, UndoOptions{All: true})
		var e *Error
		if !errors.As(err, &e) || e.Hint == "" {
			t.Errorf("%s is held: %v", lock, err)
		}
		w.expect("INBOX c:FS\nWork/2024")
		if w.fs.OpenFiles() != 0 {
			t.Error("files stay open")
		}
	}
}

// TestUndoWithoutMaildir: a file whose Maildir is gone is told of and stays.
func TestUndoWithoutMaildir(t *testing.T) {
	w := newWorld(t, servers[0].caps, 1)
	deleted(w)
	w.removeMaildir("Work/2024")
	found, err := Undo(newLifeFS(w.fs), &w.set, w.now, UndoOptions{All: true})
	if err != nil || len(found) != 3 {
		t.Fatalf("%v %v", found, err)
	}
	for _, f := range found {
		if (f.Err != nil) != (f.Lost != "") || (f.Lost != "") != (f.Folder != "INBOX") {
			t.Errorf("%+v", f)
		}
	}
	if l, _ := Undo(newLifeFS(w.fs), &w.set, w.now, UndoOptions{All: true, List: true}); len(l) != 1 {
		t.Errorf("%d are left", len(l))
	}
}

// TestRule11_UndoCrashes stops Undo at every call, with and without the power, with and
// without an atomic rename; a mail reader then renames what it finds; Undo runs
// again; every message is back once.
func TestRule11_UndoCrashes(t *testing.T) {
	set := Settings{Name: "acc", StateDir: wState, MetaDir: wMeta, Root: wRoot, Sep: "/", InfoSep: ':', FSync: true}
	trash := wRoot + "/.offloop/trash/2026-01-02/INBOX~1f/"
	for _, noAtomic := range []bool{false, true} {
		build := func(seed uint64) *maildirtest.FS {
			fs := maildirtest.New(seed)
			fs.NoAtomicRename = noAtomic
			fs.Outside(func() {
				for _, d := range []string{wMeta, trash} {
					if err := maildir.MakeDir(fs, d); err != nil {
						t.Fatal(err)
					}
				}
				if err := maildir.Create(fs, wRoot+"/INBOX"); err != nil {
					t.Fatal(err)
				}
			})
			fs.WriteFile(trash+"1.a.h,U=1,FMD5=x:2,ST", "a", true)
			fs.WriteFile(trash+"2.b.h", "b", true)
			fs.WriteFile(trash+"3.c.h,U=3,FMD5=x:2,", "c", true)
			fs.Outside(fs.Flush)
			return fs
		}
		run := func(fs *maildirtest.FS) {
			_, _ = Undo(newLifeFS(fs), &set, time.Unix(0, fs.Now), UndoOptions{All: true})
		}
		// A sync may come between the two, which gives the file another name.
		maildirtest.EachCrash(build, run, func(fs *maildirtest.FS, call int, power bool) {
			for _, sub := range []string{"/INBOX/cur/", "/INBOX/new/"} {
				for p, text := range fs.Files(wRoot + sub) {
					fs.Outside(func() { fs.Rename(wRoot+sub+p, wRoot+"/INBOX/cur/9."+text+".h,U=9,FMD5=x:2,S") })
				}
			}
			if _, err := Undo(newLifeFS(fs), &set, time.Unix(0, fs.Now), UndoOptions{All: true}); err != nil {
				t.Errorf("call %d: %v", call, err)
			}
			var got []string
			for p, text := range fs.Files(wRoot + "/INBOX") {
				if !strings.HasPrefix(p, "tmp/") {
					got = append(got, text)
				}
			}
			slices.Sort(got)
			if fmt.Sprint(got) != "[a b c]" {
				t.Errorf("call %d, power cut %v, a sync after it: %v", call, power, got)
			}
		})
		n := maildirtest.EachCrash(build, run, func(fs *maildirtest.FS, call int, power bool) {
			cur := wRoot + "/INBOX/cur/"
			for p := range fs.Files(cur) {
				n := maildir.ParseName(p, ':')
				fs.Outside(func() { fs.Rename(cur+p, cur+n.Base+":2,"+n.Flags.With('R').String()) })
			}
			if found, err := Undo(newLifeFS(fs), &set, time.Unix(0, fs.Now), UndoOptions{All: true}); err != nil {
				t.Errorf("call %d: %v", call, err)
			} else {
				for _, f := range found {
					if f.Err != nil {
						t.Errorf("call %d: %s: %v", call, f.File, f.Err)
					}
				}
			}
			var got []string
			for p, text := range fs.Files(wRoot) {
				switch dir := path.Dir(p); {
				case dir == "INBOX/cur" || dir == "INBOX/new":
					n := maildir.ParseName(path.Base(p), ':')
					if n.HasUID || n.Flags.Has('T') || !strings.HasSuffix(n.Unique, undone) || (text == "a") != n.Flags.Has('S') {
						t.Errorf("call %d: restored as %s", call, p)
					}
					got = append(got, text)
				case strings.Contains(p, "trash/"):
					t.Errorf("call %d: %s is left", call, p)
				}
			}
			if s := fmt.Sprint(len(got), strings.Count(strings.Join(got, ""), "a"), strings.Count(strings.Join(got, ""), "b"), strings.Count(strings.Join(got, ""), "c")); s != "3 1 1 1" {
				t.Errorf("call %d, power cut %v: %v", call, power, got)
			}
		})
		if n < 20 {
			t.Errorf("%d calls only", n)
		}
		t.Logf("%d calls, each crashed at 4 times", n)
	}
}

// TestUndoBetweenMoveAndRecord stops the sync that deletes files at every
// fourth of its calls (with OFFLOOP_FULL=1 at every one), restores, and syncs: what was in the trash is back on both sides and
// what was not yet is deleted; nothing is there twice.
func TestUndoBetweenMoveAndRecord(t *testing.T) {
	step := 4
	if full {
		step = 1
	}
	for i, v := range servers {
		for call := 1 + i%step; ; call += step {
			w := newWorld(t, v.caps, uint64(call))
			w.set.TrashKeep = 7 * 24 * time.Hour
			three(w)
			w.must()
			w.remoteDel("INBOX", "a")
			w.remoteDel("INBOX", "b")
			w.fs.CrashAfter(call)
			w.sync()
			crashed := w.fs.Crashed()
			w.fs.CrashAfter(1 << 40)
			if crashed {
				if call%3 == 0 {
					w.powerCut = true
					w.fs.PowerCut()
				} else {
					w.fs.Kill()
				}
				w.wait(time.Minute)
			}
			back := map[string]bool{}
			for _, f := range w.undo(UndoOptions{All: true}) {
				c, err := w.fs.ReadFile(f.Dest)
				if err != nil {
					t.Fatal(err)
				}
				back[w.named(strings.ReplaceAll(c, "\n", "\r\n"))] = true
			}
			w.must()
			want := "INBOX"
			for _, x := range []struct{ name, flags string }{{"a", "-"}, {"b", "S"}} {
				if back[x.name] {
					want += " " + x.name + ":" + x.flags
				}
			}
			w.expect(want + " c:FS")
			w.idle()
			if t.Failed() {
				t.Fatalf("%s, call %d", v.name, call)
			}
			if !crashed {
				t.Logf("%s: stopped at %d calls", v.name, call/step)
				break
			}
		}
	}
}

// TestTrashIsEmptiedInALongRun: a process that goes on running, and deletes
// nothing more, still lets go of what is kept too long, and looks for it once a
// day only.
func TestTrashIsEmptiedInALongRun(t *testing.T) {
	w := newWorld(t, servers[0].caps, 1)
	w.set.TrashKeep = 2 * 24 * time.Hour
	three(w)
	p := w.start()
	p.round()
	w.remoteDel("INBOX", "a")
	p.round()
	looks := 0
	w.fs.Before = func(op, path string) {
		if op == "open" && path == wRoot+"/.offloop/trash" {
			looks++
		}
	}
	kept := func() int { return len(w.fs.Files(wRoot + "/.offloop/trash")) }
	for hour := 1; hour <= 4*24; hour++ {
		p.loop.Advance(time.Hour)
		p.round()
		if hour < 48 && kept() != 1 {
			t.Fatalf("%d files are kept after %d hours", kept(), hour)
		}
	}
	if kept() != 0 {
		t.Errorf("%d files are kept after four days", kept())
	}
	if looks < 3 || looks > 4 {
		t.Errorf("it looked %d times in four days", looks)
	}
}
