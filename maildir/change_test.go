package maildir

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"offloop/maildir/maildirtest"

	"golang.org/x/sys/unix"
)

// put makes a durable message as a mail reader would.
func put(fs *maildirtest.FS, e Entry) { fs.WriteFile(entryPath("/m", e), "text of "+e.unique(), true) }

// names are all messages of the folder, "cur/…" or "new/…".
func names(fs *maildirtest.FS) map[string]string {
	got := fs.Files("/m")
	for path := range got {
		if strings.HasPrefix(path, "tmp/") {
			delete(got, path)
		}
	}
	return got
}

func TestRename(t *testing.T) {
	for _, c := range []struct {
		what           string
		from, to       Entry
		reader         Entry // where a mail reader has put it meanwhile
		want           Entry
		blocked, gone_ bool
	}{
		{what: "flag", from: Entry{"a:2,", true}, to: Entry{"a:2,S", false}, reader: Entry{"a:2,", true}, want: Entry{"a:2,S", false}},
		{what: "name", from: Entry{"a", true}, to: Entry{"b,U=1,FMD5=x:2,", true}, reader: Entry{"a", true}, want: Entry{"b,U=1,FMD5=x:2,", true}},
		{what: "same", from: Entry{"a:2,", true}, to: Entry{"a:2,", true}, reader: Entry{"a:2,", true}, want: Entry{"a:2,", true}},
		{what: "both edits stay", from: Entry{"a:2,FT", false}, to: Entry{"a:2,F", false}, reader: Entry{"a:2,FRST", false}, want: Entry{"a:2,FRS", false}},
		{what: "the reader's removal stays", from: Entry{"a:2,F", false}, to: Entry{"a:2,FS", false}, reader: Entry{"a:2,", true}, want: Entry{"a:2,S", false}},
		{what: "S goes to cur", from: Entry{"a:2,", true}, to: Entry{"a:2,F", true}, reader: Entry{"a:2,S", false}, want: Entry{"a:2,FS", false}},
		{what: "UID and reader", from: Entry{"a:2,", true}, to: Entry{"a,U=7,FMD5=x:2,", true}, reader: Entry{"a:2,S", false}, want: Entry{"a,U=7,FMD5=x:2,S", false}},
		{what: "no info yet", from: Entry{"a", true}, to: Entry{"a:2,F", true}, reader: Entry{"a:2,R;x", false}, want: Entry{"a:2,FR;x", false}},
		{what: "what lies in new stays there", from: Entry{"a:2,", false}, to: Entry{"a:2,F", false}, reader: Entry{"a:2,", true}, want: Entry{"a:2,F", true}},
		{what: "what was moved to cur stays there", from: Entry{"a:2,", true}, to: Entry{"a:2,F", true}, reader: Entry{"a:2,", false}, want: Entry{"a:2,F", false}},
		{what: "windows", from: Entry{"a!2,", true}, to: Entry{"a!2,F", true}, reader: Entry{"a!2,S", false}, want: Entry{"a!2,FS", false}},
		{what: "target taken", from: Entry{"a:2,", true}, to: Entry{"other:2,", false}, reader: Entry{"a:2,", true}, blocked: true},
		{what: "gone", from: Entry{"z:2,", true}, to: Entry{"z:2,S", false}, reader: Entry{"a:2,", true}, gone_: true},
	} {
		for _, noAtomic := range []bool{false, true} {
			fs := newMaildir(1)
			fs.NoAtomicRename = noAtomic
			put(fs, c.reader)
			put(fs, Entry{"other:2,", false})
			got, err := Rename(fs, "/m", c.from, c.to)
			switch {
			case c.blocked:
				if !errors.As(err, new(*ExistsError)) {
					t.Errorf("%s: %v", c.what, err)
				}
			case c.gone_:
				if !errors.As(err, new(*VanishedError)) {
					t.Errorf("%s: %v", c.what, err)
				}
			case err != nil || got != c.want:
				t.Errorf("%s: %v, %v, want %v", c.what, got, err, c.want)
			}
			left := names(fs)
			text, ok := left[c.want.String()]
			if !c.blocked && !c.gone_ && (!ok || text != "text of a") || len(left) != 2 {
				t.Errorf("%s: left %v", c.what, left)
			}
			if fs.OpenFiles() != 0 {
				t.Errorf("%s: files left open", c.what)
			}
		}
	}
}

// A mail reader renames the message under every single call in turn; where there
// are two names for a moment, one or the other of them.
func TestRenameRacesReader(t *testing.T) {
	for _, noAtomic := range []bool{false, true} {
		for at := 1; at < 40; at++ {
			for _, last := range []bool{false, true} {
				fs := newMaildir(uint64(at))
				fs.NoAtomicRename = noAtomic
				put(fs, Entry{"a:2,", true})
				base := fs.Calls()
				fs.Before = func(string, string) {
					if fs.Calls()-base == at-1 {
						fs.Outside(func() { readMessage(fs, last) })
					}
				}
				got, err := Rename(fs, "/m", Entry{"a:2,", true}, Entry{"a,U=5,FMD5=x:2,F", true})
				if err != nil {
					t.Fatalf("call %d: %v", at, err)
				}
				fs.Before = nil
				left := names(fs)
				if len(left) != 1 {
					t.Fatalf("call %d: %v", at, left)
				}
				for path := range left {
					if n := ParseName(path[4:], ':'); n.UID != 5 || !n.Flags.Has('F') {
						t.Fatalf("call %d: %s (Rename said %v)", at, path, got)
					}
				}
			}
		}
	}
}

// readMessage gives the first or last name of the folder R and S, in cur.
func readMessage(fs *maildirtest.FS, last bool) {
	paths := slices.Sorted(maps.Keys(names(fs)))
	path := paths[0]
	if last {
		path = paths[len(paths)-1]
	}
	n := ParseName(path[4:], ':')
	n.Flags = n.Flags.With('R').With('S')
	fs.Rename("/m/"+path, "/m/cur/"+n.File(':'))
}

// Stopped anywhere, the message is there under the old name, the new one, or
// both names of one file, and the next Rename ends with the new one alone.
func TestRule3_RenameCrash(t *testing.T) {
	from, to := Entry{"a:2,", false}, Entry{"a,U=1,FMD5=x:2,F", true}
	for _, noAtomic := range []bool{false, true} {
		for _, dir := range []Entry{to, {to.File, false}} {
			to := dir
			maildirtest.EachCrash(func(seed uint64) *maildirtest.FS {
				fs := newMaildir(seed)
				fs.NoAtomicRename = noAtomic
				put(fs, from)
				return fs
			}, func(fs *maildirtest.FS) {
				if _, err := Rename(fs, "/m", from, to); err == nil {
					Sync(fs, "/m", []Entry{to}, true)
				}
			}, func(fs *maildirtest.FS, call int, power bool) {
				left := names(fs)
				if len(left) == 0 {
					t.Fatalf("noAtomic %v, call %d, power %v: the message is lost", noAtomic, call, power)
				}
				for path, text := range left {
					if path != from.String() && path != to.String() || text != "text of a" {
						t.Fatalf("call %d: %s: %q", call, path, text)
					}
				}
				if _, old := left[from.String()]; !old {
					return
				}
				if _, err := Rename(fs, "/m", from, to); err != nil {
					t.Fatalf("call %d, again: %v", call, err)
				}
				if left := names(fs); len(left) != 1 || left[to.String()] == "" {
					t.Fatalf("call %d, again: %v", call, left)
				}
			})
		}
	}
}

// After Rename and Sync no power cut takes the new name away.
func TestRule2_SyncMakesRenamesDurable(t *testing.T) {
	for seed := range uint64(40) {
		fs := newMaildir(seed)
		put(fs, Entry{"a:2,", true})
		to, err := Rename(fs, "/m", Entry{"a:2,", true}, Entry{"a:2,S", false})
		if err == nil {
			err = Sync(fs, "/m", []Entry{to}, true)
		}
		if err != nil {
			t.Fatal(err)
		}
		fs.PowerCut()
		if left := names(fs); len(left) != 1 || left[to.String()] != "text of a" {
			t.Fatalf("seed %d: %v", seed, left)
		}
	}
}

// The mail reader's own file is flushed by Sync, under whatever name it has.
func TestRule2_SyncFlushesOthersFiles(t *testing.T) {
	for seed := range uint64(20) {
		fs := newMaildir(seed)
		fs.WriteFile("/m/cur/a:2,RS", "written by a reader", false)
		if err := Sync(fs, "/m", []Entry{{"a:2,S", false}}, true); err != nil {
			t.Fatal(err)
		}
		fs.PowerCut()
		if left := names(fs); left["cur/a:2,RS"] != "written by a reader" {
			t.Fatalf("seed %d: %v", seed, left)
		}
	}
	fs := newMaildir(1)
	if err := Sync(fs, "/m", []Entry{{"a:2,S", false}}, true); !errors.As(err, new(*VanishedError)) {
		t.Errorf("missing file: %v", err)
	}
	fs.Fail = func(op, _ string, _ int) error {
		if op == "fsync" {
			return unix.EIO
		}
		return nil
	}
	if err := Sync(fs, "/m", nil, true); !errors.Is(err, unix.EIO) {
		t.Errorf("failed flush: %v", err)
	}
}

// On a file system that folds case "a:2,F" and "a:2,f" are one entry: taking it
// for two links of one file would delete the message.
func TestRenameCaseOnly(t *testing.T) {
	for _, noAtomic := range []bool{false, true} {
		for _, noLinks := range []bool{false, true} {
			fs := newMaildir(1)
			fs.Fold, fs.NoAtomicRename, fs.NoLinks = strings.ToLower, noAtomic, noLinks
			put(fs, Entry{"a:2,F", false})
			got, err := Rename(fs, "/m", Entry{"a:2,F", false}, Entry{"a:2,f", false})
			if left := names(fs); err != nil || got.File != "a:2,f" || len(left) != 1 || left["cur/a:2,f"] == "" {
				t.Errorf("noAtomic %v, noLinks %v: %v, %v, left %v", noAtomic, noLinks, got, err, left)
			}
		}
	}
}

// rename(2) of two links to one file does nothing; ours leaves the new name.
func TestRenameTwoLinks(t *testing.T) {
	fs := newMaildir(1)
	put(fs, Entry{"a:2,", false})
	fs.Outside(func() { fs.Link("/m/cur/a:2,", "/m/new/a:2,F") })
	if _, err := Rename(fs, "/m", Entry{"a:2,", false}, Entry{"a:2,F", true}); err != nil {
		t.Fatal(err)
	}
	if left := names(fs); len(left) != 1 || left["new/a:2,F"] == "" {
		t.Errorf("left %v", left)
	}
}

func TestRemove(t *testing.T) {
	fs := newMaildir(1)
	put(fs, Entry{"a:2,S", false})
	put(fs, Entry{"b:2,", true})
	if err := Remove(fs, "/m", Entry{"a:2,", true}); err != nil {
		t.Fatal(err)
	}
	if err := Remove(fs, "/m", Entry{"a:2,", true}); err != nil {
		t.Errorf("already gone: %v", err)
	}
	if left := names(fs); len(left) != 1 || left["new/b:2,"] == "" {
		t.Errorf("left %v", left)
	}
	// A folder that is gone as a whole is not a removed message.
	if err := Remove(fs, "/none", Entry{"a:2,", true}); !errors.Is(err, unix.ENOENT) {
		t.Errorf("missing folder: %v", err)
	}
	fs.ReadOnly = true
	if err := Remove(fs, "/m", Entry{"b:2,", true}); !errors.Is(err, unix.EROFS) {
		t.Errorf("read-only: %v", err)
	}
}

func TestRule11_MoveToTrashCrash(t *testing.T) {
	for _, noAtomic := range []bool{false, true} {
		maildirtest.EachCrash(func(seed uint64) *maildirtest.FS {
			fs := newMaildir(seed)
			fs.NoAtomicRename = noAtomic
			put(fs, Entry{"a:2,S", false})
			return fs
		}, func(fs *maildirtest.FS) {
			if MoveTo(fs, "/m", Entry{"a:2,", false}, "/trash/m") == nil {
				if SyncDir(fs, "/trash/m") == nil {
					Sync(fs, "/m", nil, true)
				}
			}
		}, func(fs *maildirtest.FS, call int, power bool) {
			in, out := fs.Files("/m")["cur/a:2,S"], fs.Files("/trash/m")["a:2,S"]
			if in != "text of a" && out != "text of a" {
				t.Fatalf("noAtomic %v, call %d, power %v: neither here nor there", noAtomic, call, power)
			}
			if in == "" {
				return
			}
			if err := MoveTo(fs, "/m", Entry{"a:2,", false}, "/trash/m"); err != nil {
				t.Fatalf("call %d, again: %v", call, err)
			}
			if len(names(fs)) != 0 || fs.Files("/trash/m")["a:2,S"] != "text of a" {
				t.Fatalf("call %d, again: %v, %v", call, names(fs), fs.Files("/trash/m"))
			}
		})
	}
	fs := newMaildir(1)
	put(fs, Entry{"a:2,S", false})
	fs.WriteFile("/trash/a:2,S", "older", true)
	if err := MoveTo(fs, "/m", Entry{"a:2,S", false}, "/trash"); !errors.As(err, new(*ExistsError)) {
		t.Errorf("taken name: %v", err)
	}
	if err := MoveTo(fs, "/m", Entry{"z:2,S", false}, "/trash"); !errors.As(err, new(*VanishedError)) {
		t.Errorf("missing message: %v", err)
	}
}

func TestMoveEntry(t *testing.T) {
	fs := newMaildir(1)
	makeDirs(t, fs, "/n")
	put(fs, Entry{"a,U=1,FMD5=m:2,S", false})
	to := Entry{"a,U=9,FMD5=n:2,S", false}
	if got, err := MoveEntry(fs, "/m", Entry{"a,U=1,FMD5=m:2,", true}, "/n", to); err != nil || got != to {
		t.Fatal(got, err)
	}
	if len(names(fs)) != 0 || fs.Files("/n")["cur/"+to.File] != "text of a" {
		t.Errorf("%v, %v", names(fs), fs.Files("/n"))
	}
}

// A missing destination is told as such, not as a message that cannot be found.
func TestMoveToMissingMaildir(t *testing.T) {
	fs := newMaildir(1)
	put(fs, Entry{"a:2,S", false})
	_, err := MoveEntry(fs, "/m", Entry{"a:2,", true}, "/none", Entry{"b:2,", true})
	if !errors.Is(err, unix.ENOENT) || len(names(fs)) != 1 {
		t.Errorf("%v, left %v", err, names(fs))
	}
	put(fs, Entry{"b:2,", false})
	fs.Outside(func() { fs.Rename("/m/new", "/elsewhere") })
	if _, err := Rename(fs, "/m", Entry{"a:2,S", false}, Entry{"a:2,", true}); !errors.Is(err, unix.ENOENT) {
		t.Errorf("damaged folder: %v", err)
	}
}

func TestErrorTellsWhatToDo(t *testing.T) {
	err := fail("flush", "/m/cur", fail("open", "/m/cur", unix.EMFILE))
	if got := err.Error(); got != "maildir: cannot open /m/cur: too many open files (too many open files; raise ulimit -n)" {
		t.Error(got)
	}
	if !errors.Is(err, unix.EMFILE) {
		t.Error("the cause is lost")
	}
}
