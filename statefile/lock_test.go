//go:build unix

package statefile

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// The test binary is its own second process: it takes the lock, says so, and holds it until its
// input ends.
func TestMain(m *testing.M) {
	if path := os.Getenv("STATEFILE_TEST_LOCK"); path != "" {
		l, err := AcquireLock(OS{}, path)
		if os.Getenv("STATEFILE_TEST_OLD") != "" && err == nil {
			_ = l.Release()
			fd, _ := OS{}.Open(path, unix.O_RDWR, 0)
			_, err = tryProcessLock(fd)
		}
		var locked *LockedError
		switch {
		case errors.As(err, &locked):
			fmt.Println("locked", locked.Pid)
		case err != nil:
			fmt.Println("error", err)
		default:
			fmt.Println("held", os.Getpid())
			_, _ = io.Copy(io.Discard, os.Stdin)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

type other struct {
	cmd   *exec.Cmd
	in    io.Closer
	said  string
	saidN int
}

func startOther(t *testing.T, path string, env ...string) *other {
	t.Helper()
	o := &other{cmd: exec.Command(os.Args[0])}
	o.cmd.Env = append(append(os.Environ(), "STATEFILE_TEST_LOCK="+path), env...)
	in, err := o.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := o.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := o.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	o.in = in
	t.Cleanup(func() { _ = o.cmd.Process.Kill(); _ = o.cmd.Wait() })
	line, _ := bufio.NewReader(out).ReadString('\n')
	word, num, _ := strings.Cut(strings.TrimSpace(line), " ")
	o.said = word
	o.saidN, _ = strconv.Atoi(num)
	return o
}

func TestLockBetweenProcesses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "acc", "a.lock")
	for _, env := range []string{"A=1", "STATEFILE_TEST_OLD=1"} {
		o := startOther(t, path, env)
		if o.said != "held" {
			t.Fatalf("%+v", o)
		}
		_, err := AcquireLock(OS{}, path)
		var locked *LockedError
		if !errors.As(err, &locked) || locked.Pid != o.cmd.Process.Pid {
			t.Fatalf("%v, want it held by %d", err, o.cmd.Process.Pid)
		}
		if msg := err.Error(); !strings.Contains(msg, path) || !strings.Contains(msg, strconv.Itoa(locked.Pid)) {
			t.Fatal(msg)
		}
		// The kernel frees it when its holder is killed.
		_ = o.cmd.Process.Kill()
		_ = o.cmd.Wait()
		l, err := AcquireLock(OS{}, path)
		if err != nil {
			t.Fatal(err)
		}
		if p := startOther(t, path); p.said != "locked" || p.saidN != os.Getpid() {
			t.Fatalf("%+v", p)
		}
		// Our own second attempt must neither get it nor lose it for us.
		if _, err := AcquireLock(OS{}, path); !errors.As(err, &locked) || locked.Pid != os.Getpid() {
			t.Fatal(err)
		}
		if p := startOther(t, path); p.said != "locked" {
			t.Fatalf("after our second attempt: %+v", p)
		}
		if err := l.Release(); err != nil {
			t.Fatal(err)
		}
		if err := l.Release(); err != nil {
			t.Fatal(err)
		}
		if p := startOther(t, path); p.said != "held" {
			t.Fatalf("after the release: %+v", p)
		} else {
			_ = p.cmd.Process.Kill()
			_ = p.cmd.Wait()
		}
	}
}

// processLockFS has only locks that belong to the process.
type processLockFS struct{ OS }

func (processLockFS) TryLock(fd int) (int, error) { return tryProcessLock(fd) }

// With such locks the system would grant a process its own lock twice, and lose the first when
// the second is given up.
func TestProcessLockIsNotTakenTwice(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.lock")
	l, err := AcquireLock(processLockFS{}, path)
	if err != nil {
		t.Fatal(err)
	}
	var locked *LockedError
	if _, err := AcquireLock(processLockFS{}, path); !errors.As(err, &locked) || locked.Pid != os.Getpid() {
		t.Fatal(err)
	}
	if o := startOther(t, path); o.said != "locked" || o.saidN != os.Getpid() {
		t.Fatalf("after our second attempt: %+v", o)
	}
	if err := l.Release(); err != nil {
		t.Fatal(err)
	}
}

func TestLockFilePermissions(t *testing.T) {
	path := filepath.Join(t.TempDir(), "deep", "er", "x.lock")
	l, err := AcquireLock(OS{}, path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Release()
	for p, want := range map[string]os.FileMode{path: 0o600, filepath.Dir(path): 0o700} {
		if st, err := os.Stat(p); err != nil || st.Mode().Perm() != want {
			t.Fatalf("%s: %v %v", p, st.Mode(), err)
		}
	}
	if b, _ := os.ReadFile(path); strings.TrimSpace(string(b)) != strconv.Itoa(os.Getpid()) {
		t.Fatalf("%q", b)
	}
}

// hookFS does something between the open and the lock.
type hookFS struct {
	OS
	hook func()
	err  error
}

func (h *hookFS) TryLock(fd int) (int, error) {
	if h.err != nil {
		return 0, h.err
	}
	if h.hook != nil {
		h.hook()
	}
	return OS{}.TryLock(fd)
}

// A lock file that is removed while we take it would leave us with a lock nobody else sees.
func TestLockPathMustNameTheLockedFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.lock")
	times := 0
	fs := &hookFS{hook: func() {
		if times++; times <= 2 {
			_ = os.Remove(path)
		}
		if times == 2 {
			_ = os.WriteFile(path, nil, 0o600)
		}
	}}
	l, err := AcquireLock(fs, path)
	if err != nil || times != 3 {
		t.Fatal(err, times)
	}
	if o := startOther(t, path); o.said != "locked" {
		t.Fatalf("%+v", o)
	}
	_ = l.Release()
	fs.hook = func() { _ = os.Remove(path) }
	if _, err := AcquireLock(fs, path); err == nil {
		t.Fatal("a lock on a removed file")
	}
}

func TestLockRefusedWhereItDoesNotWork(t *testing.T) {
	for _, errno := range []error{unix.ENOLCK, unix.ENOTSUP, unix.ENOSYS, unix.EIO} {
		path := filepath.Join(t.TempDir(), "x.lock")
		_, err := AcquireLock(&hookFS{err: errno}, path)
		var no *LockUnsupportedError
		if !errors.As(err, &no) || !errors.Is(err, errno) || !strings.Contains(err.Error(), "local disk") {
			t.Fatal(err)
		}
	}
}

// The whole thing once on a real file system.
func TestOnRealFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "meta", "acc", FileName("INBOX"))
	f := NewFolder("INBOX", "5")
	for i := range 3000 {
		f.Put(Record{UID: uint32(i%100 + 1), Flags: Flags(i), Name: fmt.Sprint("n", i%7)})
		if i%500 == 0 {
			if err := AppendJournal(OS{}, path, f.TakeJournal(), i%1000 == 0); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := AppendJournal(OS{}, path, f.TakeJournal(), true); err != nil {
		t.Fatal(err)
	}
	if !f.NeedsCompaction() {
		t.Fatal("3000 lines for 100 messages")
	}
	if err := WriteSnapshot(OS{}, path, f.Snapshot()); err != nil {
		t.Fatal(err)
	}
	b, _ := os.ReadFile(path)
	if err := os.WriteFile(path, append(b, "+ 5 - torn"...), 0o600); err != nil {
		t.Fatal(err)
	}
	g, rep := reload(t, OS{}, path)
	if !rep.Torn || rep.TornBytes != 10 || dumpOf(g) != dumpOf(f) {
		t.Fatalf("%+v", rep)
	}
	if err := Truncate(OS{}, path, rep.GoodLen); err != nil {
		t.Fatal(err)
	}
	if rep, err := Check(OS{}, path); err != nil || rep.Torn || rep.Records != 100 {
		t.Fatal(rep, err)
	}
	if st, _ := os.Stat(path); st.Mode().Perm() != 0o600 {
		t.Fatal(st.Mode())
	}
}
