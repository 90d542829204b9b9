package maildirtest

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// outcomes runs work and a power cut under many seeds and counts what is left of
// the directory /d.
func outcomes(ordered bool, work func(f *FS)) map[string]int {
	got := map[string]int{}
	for seed := range uint64(300) {
		f := New(seed)
		f.Ordered = ordered
		f.WriteFile("/d/a", "A", true)
		f.WriteFile("/e/x", "X", true)
		work(f)
		f.PowerCut()
		got[fmt.Sprint(f.Files("/d"), f.Files("/e"))]++
	}
	return got
}

func want(t *testing.T, got map[string]int, states ...string) {
	t.Helper()
	for _, s := range states {
		if got[s] == 0 {
			t.Errorf("never %s in %v", s, got)
		}
		delete(got, s)
	}
	if len(got) > 0 {
		t.Errorf("also %v", got)
	}
}

func syncDir(f *FS, p string) {
	fd, _ := f.Open(p, unix.O_RDONLY|unix.O_DIRECTORY, 0)
	f.Fsync(fd)
	f.Close(fd)
}

func TestPowerCutEntries(t *testing.T) {
	want(t, outcomes(false, func(f *FS) { f.Rename("/d/a", "/d/b") }), "map[a:A] map[x:X]", "map[b:A] map[x:X]")
	want(t, outcomes(false, func(f *FS) { f.Rename("/d/a", "/d/b"); syncDir(f, "/d") }), "map[b:A] map[x:X]")
	want(t, outcomes(false, func(f *FS) { f.Rename("/d/a", "/e/b") }),
		"map[a:A] map[x:X]", "map[] map[b:A x:X]", "map[a:A] map[b:A x:X]")
	want(t, outcomes(false, func(f *FS) { f.Rename("/d/a", "/e/b"); syncDir(f, "/d") }), "map[] map[b:A x:X]")
	want(t, outcomes(false, func(f *FS) { f.Rename("/d/a", "/e/b"); syncDir(f, "/e") }), "map[] map[b:A x:X]", "map[a:A] map[b:A x:X]")
	want(t, outcomes(false, func(f *FS) { f.Link("/d/a", "/e/b"); f.Unlink("/d/a") }),
		"map[a:A] map[x:X]", "map[] map[b:A x:X]", "map[a:A] map[b:A x:X]", "map[] map[x:X]")
	want(t, outcomes(true, func(f *FS) { f.Link("/d/a", "/e/b"); f.Unlink("/d/a") }),
		"map[a:A] map[x:X]", "map[] map[b:A x:X]", "map[a:A] map[b:A x:X]")
	want(t, outcomes(false, func(f *FS) { f.Rename("/d/a", "/e/x") }),
		"map[a:A] map[x:X]", "map[] map[x:A]", "map[a:A] map[x:A]")
}

func TestPowerCutData(t *testing.T) {
	seen := map[string]bool{}
	for seed := range uint64(500) {
		f := New(seed)
		f.WriteFile("/d/a", "old|", true)
		fd, _ := f.Open("/d/a", unix.O_WRONLY|unix.O_APPEND, 0)
		f.Write(fd, []byte("new"))
		f.PowerCut()
		got, _ := f.ReadFile("/d/a")
		if !strings.HasPrefix(got, "old|") || len(got) > 7 {
			t.Fatalf("left %q", got)
		}
		seen[got] = true
		if _, err := f.Write(fd, nil); !errors.Is(err, unix.EBADF) {
			t.Fatalf("a descriptor outlived the process: %v", err)
		}
	}
	for _, s := range []string{"old|", "old|n", "old|ne", "old|new", "old|n\x00"} {
		if !seen[s] && s != "old|new" {
			t.Errorf("never %q in %v", s, seen)
		}
	}
}

func TestFailedFsyncLosesData(t *testing.T) {
	lost := 0
	for seed := range uint64(50) {
		f := New(seed)
		f.WriteFile("/d/a", "", true)
		fd, _ := f.Open("/d/a", unix.O_WRONLY, 0)
		f.Write(fd, []byte("data"))
		f.Fail = func(op, _ string, _ int) error {
			if op == "fsync" {
				return unix.EIO
			}
			return nil
		}
		if err := f.Fsync(fd); err != unix.EIO {
			t.Fatal(err)
		}
		f.Fail = nil
		if err := f.Fsync(fd); err != nil {
			t.Fatal(err)
		}
		f.PowerCut()
		if got, _ := f.ReadFile("/d/a"); got != "data" {
			lost++
		}
	}
	if lost == 0 {
		t.Error("a flush that failed once kept the data every time")
	}
}

func TestCrashAndCoverage(t *testing.T) {
	cov := NewCoverage()
	calls := EachCrash(func(seed uint64) *FS {
		f := New(seed)
		f.Coverage = cov
		f.WriteFile("/d/x", "", true)
		return f
	}, func(f *FS) {
		fd, err := f.Open("/d/a", unix.O_CREAT|unix.O_WRONLY, 0o600)
		if err != nil {
			return
		}
		f.Write(fd, []byte("0123456789"))
		f.Close(fd)
	}, func(f *FS, call int, power bool) {
		if err := f.Unlink("/d/x"); err != nil {
			t.Errorf("after the crash: %v", err)
		}
	})
	// Only the Unlink that runs after each crash was never crashed at.
	if calls != 3 || len(cov.NeverCrashed()) != 1 || len(cov.Seen) != 4 {
		t.Errorf("%d calls, never crashed %v, seen %v", calls, cov.NeverCrashed(), cov.Seen)
	}
	f := New(1)
	f.WriteFile("/d/x", "", true)
	f.CrashAfter(1)
	f.Unlink("/d/x")
	if err := f.Mkdir("/z", 0o700); err != ErrCrashed || !f.Crashed() {
		t.Errorf("after the crash: %v", err)
	}
	f.Kill()
	if err := f.Mkdir("/z", 0o700); err != nil {
		t.Errorf("after Kill: %v", err)
	}
}

func TestLocks(t *testing.T) {
	f := New(1)
	f.WriteFile("/l", "", true)
	f.HoldLock("/l", 77)
	a, _ := f.Open("/l", unix.O_RDWR, 0)
	if pid, err := f.TryLock(a); pid != 77 || err != unix.EAGAIN {
		t.Error(pid, err)
	}
	f.HoldLock("/l", 0)
	b, _ := f.Open("/l", unix.O_RDWR, 0)
	if _, err := f.TryLock(a); err != nil {
		t.Error(err)
	}
	if _, err := f.TryLock(b); err != unix.EAGAIN {
		t.Error(err)
	}
	f.Close(a)
	if _, err := f.TryLock(b); err != nil {
		t.Error(err)
	}
	f.Kill()
	if c, _ := f.Open("/l", unix.O_RDWR, 0); c < 0 {
		t.Error("no file")
	} else if _, err := f.TryLock(c); err != nil {
		t.Error("a lock outlived the process:", err)
	}
}

func TestLimits(t *testing.T) {
	f := New(1)
	f.MaxFiles = 1
	f.SetSpace(3)
	a, _ := f.Open("/a", unix.O_CREAT|unix.O_WRONLY, 0o600)
	if _, err := f.Open("/b", unix.O_CREAT|unix.O_WRONLY, 0o600); err != unix.EMFILE {
		t.Error(err)
	}
	if n, err := f.Write(a, []byte("12345")); n != 3 || err != nil {
		t.Error(n, err)
	}
	if n, err := f.Write(a, []byte("45")); n != 0 || err != unix.ENOSPC {
		t.Error(n, err)
	}
	f.Unlink("/a")
	f.Close(a)
	if b, err := f.Open("/b", unix.O_CREAT|unix.O_WRONLY, 0o600); err != nil {
		t.Error("space was not given back:", err)
	} else if n, err := f.Write(b, []byte("123")); n != 3 || err != nil {
		t.Error(n, err)
	}
	f.ReadOnly = true
	for what, err := range map[string]error{"mkdir": f.Mkdir("/x", 0), "unlink": f.Unlink("/b"), "rename": f.Rename("/b", "/c"), "link": f.Link("/b", "/c")} {
		if err != unix.EROFS {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// Cutting a file's end off endangers the end, not what was flushed before it.
func TestTruncateKeepsWhatStandsBeforeIt(t *testing.T) {
	seen := map[string]bool{}
	for seed := range uint64(60) {
		f := New(seed)
		f.WriteFile("/d/a", "flushed-torn", true)
		fd, _ := f.Open("/d/a", unix.O_RDWR, 0)
		if err := f.Truncate(fd, 7); err != nil {
			t.Fatal(err)
		}
		f.PowerCut()
		got, _ := f.ReadFile("/d/a")
		seen[got] = true
	}
	if len(seen) != 2 || !seen["flushed"] || !seen["flushed-torn"] {
		t.Errorf("a power cut leaves %v", seen)
	}
}
