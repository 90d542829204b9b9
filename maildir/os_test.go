package maildir

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"offloop/maildir/maildirtest"

	"golang.org/x/sys/unix"
)

var _ FS = (*maildirtest.FS)(nil)

// The crashing file system answers as the real one does, or its tests are worth
// nothing.
func TestModelAgreesWithSystem(t *testing.T) {
	script := func(fs FS, root string) []string {
		var log []string
		note := func(what string, err error, v ...any) {
			var e unix.Errno
			errors.As(err, &e)
			log = append(log, fmt.Sprint(what, ": ", unix.ErrnoName(e), " ", fmt.Sprint(v...)))
		}
		p := func(s string) string { return root + "/" + s }
		open := func(name string, flags int) int {
			fd, err := fs.Open(p(name), flags, 0o600)
			note("open "+name, err)
			return fd
		}
		note("mkdir", fs.Mkdir(p("d"), 0o700))
		note("mkdir again", fs.Mkdir(p("d"), 0o700))
		note("mkdir without parent", fs.Mkdir(p("x/y"), 0o700))
		fd := open("d/a", unix.O_CREAT|unix.O_EXCL|unix.O_RDWR)
		open("d/a", unix.O_CREAT|unix.O_EXCL|unix.O_RDWR)
		open("d/none", unix.O_RDONLY)
		open("d/a/b", unix.O_RDONLY)
		open("d", unix.O_WRONLY)
		open("d/a", unix.O_RDONLY|unix.O_DIRECTORY)
		n, err := fs.Write(fd, []byte("hello world"))
		note("write", err, n)
		pos, err := fs.Seek(fd, 6, 0)
		note("seek", err, pos)
		buf := make([]byte, 20)
		n, err = fs.Read(fd, buf)
		note("read", err, n, string(buf[:n]))
		n, err = fs.Read(fd, buf)
		note("read at end", err, n)
		note("truncate", fs.Truncate(fd, 5))
		note("fsync", fs.Fsync(fd))
		mode, size, dev, ino, _, _, err := fs.Fstat(fd)
		note("fstat", err, mode, size)
		note("link", fs.Link(p("d/a"), p("d/b")))
		note("link to taken", fs.Link(p("d/a"), p("d/b")))
		_, _, dev2, ino2, _, _, err := fs.Stat(p("d/b"))
		note("stat of a link", err, dev == dev2, ino == ino2)
		note("rename of two links", fs.Rename(p("d/a"), p("d/b")))
		note("noreplace of two links", fs.RenameNoReplace(p("d/a"), p("d/b")))
		note("noreplace", fs.RenameNoReplace(p("d/a"), p("d/c")))
		note("noreplace of missing", fs.RenameNoReplace(p("d/a"), p("d/e")))
		note("utimes", fs.Utimes(p("d/c"), 1e18, 1e18))
		_, _, _, _, mtime, _, err := fs.Stat(p("d/b"))
		note("time", err, mtime)
		note("unlink directory", fs.Unlink(p("d")))
		note("unlink missing", fs.Unlink(p("d/a")))
		open("d/f", unix.O_CREAT|unix.O_WRONLY)
		note("replace", fs.Rename(p("d/c"), p("d/f")))
		dfd := open("d", unix.O_RDONLY|unix.O_DIRECTORY)
		var names []string
		for {
			n, err := fs.ReadNames(dfd, make([]byte, 64), func(s string) { names = append(names, s) })
			if n == 0 || err != nil {
				note("readnames", err)
				break
			}
		}
		slices.Sort(names)
		note("names", nil, names)
		note("fsync of a directory", fs.Fsync(dfd))
		lock := open("d/f", unix.O_RDWR)
		_, err = fs.TryLock(lock)
		note("lock", err)
		note("close", fs.Close(fd))
		note("close again", fs.Close(fd))
		return log
	}
	real, model := script(OS{}, t.TempDir()), script(maildirtest.New(1), "")
	for i := range real {
		if real[i] != model[i] {
			t.Errorf("the system says %q, the model %q", real[i], model[i])
		}
	}
}

func TestOnTheRealDisk(t *testing.T) {
	fs, root := OS{}, t.TempDir()
	dir := filepath.Join(root, "a", "INBOX")
	makeDirs(t, fs, dir)
	if st, err := os.Stat(dir); err != nil || st.Mode().Perm() != 0o700 {
		t.Fatal(st, err)
	}
	d := &Lot{Dir: dir}
	want := map[Entry]int{}
	namer := NewNamer("host", 1)
	for i := range 300 {
		u := namer.Next(time.Unix(1000, 0))
		tmp, err := NewTmp(fs, dir, u)
		if err != nil {
			t.Fatal(err)
		}
		tmp.Write([]byte("Message-ID: <x>\n\nbody\n"))
		p := &Place{Tmp: tmp, ToNew: i%2 == 0, File: FileName(BaseWithUID(u, uint32(i+1), "f"), 0, ':'), Mtime: time.Unix(1e9, 5)}
		want[Entry{p.File, p.ToNew}] = 1
		d.Add(p)
	}
	ps := d.Places
	commit(fs, d)
	for _, p := range ps {
		if p.Err != nil {
			t.Fatal(p.Err)
		}
	}
	s := NewScanner(fs, dir)
	if got := scanAll(t, s, 0); !maps.Equal(got, want) || !s.Stable() {
		t.Fatalf("scanned %d of %d, stable %v", len(got), len(want), s.Stable())
	}
	first := Entry{ps[0].File, ps[0].ToNew}
	to, err := Rename(fs, dir, first, Entry{ParseName(first.File, ':').Base + ":2,S", false})
	if err == nil {
		err = Sync(fs, dir, []Entry{to}, true)
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := MoveTo(fs, dir, first, filepath.Join(root, "trash")); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(root, "trash", to.File)); err != nil {
		t.Error(err)
	}
	m, err := OpenMessage(fs, dir, Entry{ps[1].File, ps[1].ToNew})
	if err != nil || m.Size != 25 || m.MessageID != "<x>" || !m.Mtime.Equal(time.Unix(1e9, 5)) {
		t.Errorf("%+v, %v", m, err)
	}
	m.Close()
	folders, err := Layout{Root: root, Sep: "/"}.Folders(fs)
	if err != nil || !slices.Equal(folders, []string{"a/INBOX"}) {
		t.Error(folders, err)
	}
	if f, err := ProbeFolding(fs, dir); err != nil {
		t.Error(f, err)
	}
	if now, err := Clock(fs, dir); err != nil || time.Since(time.Unix(0, now)).Abs() > time.Hour {
		t.Error(now, err)
	}
	if tr, err := ProbeTrust(fs, dir); err != nil || tr.Kind == "" {
		t.Error(tr, err)
	}
}

// A link and an unlink in place of the rename, on the real disk too.
type osNoAtomic struct{ OS }

func (osNoAtomic) RenameNoReplace(string, string) error { return unix.ENOSYS }

func TestLinkMoveOnTheRealDisk(t *testing.T) {
	dir := t.TempDir()
	makeDirs(t, OS{}, dir)
	os.WriteFile(dir+"/new/a:2,", []byte("x"), 0o600)
	os.WriteFile(dir+"/cur/b:2,", []byte("y"), 0o600)
	if _, err := Rename(osNoAtomic{}, dir, Entry{"a:2,", true}, Entry{"a:2,S", false}); err != nil {
		t.Fatal(err)
	}
	if _, err := Rename(osNoAtomic{}, dir, Entry{"a:2,S", false}, Entry{"b:2,", false}); !errors.As(err, new(*ExistsError)) {
		t.Errorf("taken name: %v", err)
	}
	if b, err := os.ReadFile(dir + "/cur/a:2,S"); string(b) != "x" || err != nil {
		t.Error(string(b), err)
	}
}

func TestLayoutFollowsLinksButNotForEver(t *testing.T) {
	root := t.TempDir()
	makeDirs(t, OS{}, root+"/a/b")
	if err := os.Symlink(root+"/a", root+"/a/loop"); err != nil {
		t.Skip(err)
	}
	got, err := Layout{Root: root, Sep: "/"}.Folders(OS{})
	if !slices.Contains(got, "a/b") {
		t.Error(got, err)
	}
}
