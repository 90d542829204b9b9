package reactor

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func execOne(t *testing.T, l *Loop, c Command) Result {
	t.Helper()
	var r Result
	n := 0
	l.Exec(c, func(res Result) { r = res; n++; l.Stop(nil) })
	run(t, l)
	if n != 1 {
		t.Fatalf("done called %d times", n)
	}
	return r
}

func TestExec(t *testing.T) {
	l := newTestLoop(t)
	before := countFDs(t)
	big := pattern(300 << 10)
	dir := t.TempDir()

	r := execOne(t, l, Command{Shell: "cat; echo err >&2; echo $REACTOR_VAR; pwd", Stdin: []byte("in\n"),
		Env: []string{"REACTOR_VAR=v"}, Dir: dir})
	if r.Err != nil || r.ExitCode != 0 || string(r.Stdout) != "in\nv\n"+dir+"\n" || string(r.Stderr) != "err\n" {
		t.Errorf("%+v: %q %q", r, r.Stdout, r.Stderr)
	}
	r = execOne(t, l, Command{Args: []string{"cat"}, Stdin: big})
	if r.Err != nil || string(r.Stdout) != string(big) {
		t.Errorf("300 KiB through cat: %v, %d bytes", r.Err, len(r.Stdout))
	}
	r = execOne(t, l, Command{Shell: "exit 0", Stdin: big}) // does not read its input
	if r.Err != nil {
		t.Errorf("unread input: %v", r.Err)
	}
	r = execOne(t, l, Command{Shell: "echo sorry >&2; exit 3"})
	var ce *ChildError
	if !errors.As(r.Err, &ce) || r.ExitCode != 3 || !strings.Contains(r.Err.Error(), "sorry") || !strings.Contains(r.Err.Error(), "3") {
		t.Errorf("exit 3: %v", r.Err)
	}
	r = execOne(t, l, Command{Shell: "kill -9 $$"})
	if !errors.As(r.Err, &ce) || ce.Signal != "SIGKILL" || r.ExitCode != -1 {
		t.Errorf("killed: %v", r.Err)
	}
	r = execOne(t, l, Command{Args: []string{"/no/such/program"}})
	if !errors.As(r.Err, &ce) || !errors.Is(r.Err, os.ErrNotExist) {
		t.Errorf("no program: %v", r.Err)
	}
	if r = execOne(t, l, Command{}); r.Err == nil {
		t.Error("the empty command ran")
	}
	r = execOne(t, l, Command{Shell: "yes", MaxOutput: 1000})
	if !errors.Is(r.Err, ErrMaxOutput) || len(r.Stdout) != 1000 {
		t.Errorf("too much output: %v, %d bytes", r.Err, len(r.Stdout))
	}
	if after := countFDs(t); after > before {
		t.Errorf("%d descriptors before, %d after", before, after)
	}
	if len(l.children) != 0 || len(l.streams) != 0 {
		t.Errorf("%d children and %d streams left", len(l.children), len(l.streams))
	}
}

func TestExecTimeoutKillsTheWholeGroup(t *testing.T) {
	l := newTestLoop(t)
	begin := time.Now()
	r := execOne(t, l, Command{Shell: "sleep 60 & echo $!; sleep 60; echo never", Timeout: 100 * time.Millisecond})
	if !errors.Is(r.Err, ErrTimeout) || time.Since(begin) > 5*time.Second {
		t.Errorf("%v after %v", r.Err, time.Since(begin))
	}
	pid := 0
	for _, b := range r.Stdout {
		if b >= '0' && b <= '9' {
			pid = pid*10 + int(b-'0')
		}
	}
	for i := 0; ; i++ {
		stat, err := os.ReadFile("/proc/" + itoa(pid) + "/stat")
		if err != nil || strings.Contains(string(stat), ") Z ") {
			break
		}
		if i == 100 {
			t.Fatalf("process %d started by the command still runs", pid)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func itoa(n int) string {
	if n < 10 {
		return string(rune('0' + n))
	}
	return itoa(n/10) + string(rune('0'+n%10))
}

// A command that leaves a daemon behind, which holds the pipe, is still over.
func TestExecDoesNotWaitForDaemons(t *testing.T) {
	l := newTestLoop(t)
	begin := time.Now()
	r := execOne(t, l, Command{Shell: "sleep 20 & echo done; exit 0"})
	if r.Err != nil || string(r.Stdout) != "done\n" || time.Since(begin) > 3*time.Second {
		t.Errorf("%q, %v after %v", r.Stdout, r.Err, time.Since(begin))
	}
}

func TestExecKill(t *testing.T) {
	l := newTestLoop(t)
	var r Result
	c := l.Exec(Command{Shell: "trap '' TERM; while :; do sleep 0.1; done"}, func(res Result) { r = res; l.Stop(nil) })
	if c.Pid() == 0 {
		t.Error("no pid")
	}
	begin := time.Now()
	l.CallLater(50*time.Millisecond, c.Kill)
	run(t, l)
	if !errors.Is(r.Err, ErrKilled) || time.Since(begin) < killDelay {
		t.Errorf("%v after %v", r.Err, time.Since(begin))
	}
	if c.Pid() != 0 {
		t.Error("pid of a dead child")
	}
	c.Kill()
}

func spawnOne(t *testing.T, l *Loop, c Command) (*Child, *Stream) {
	t.Helper()
	var s *Stream
	child := l.Spawn(c, func(st *Stream, err error) {
		if err != nil {
			t.Error(err)
		}
		s = st
		l.Stop(nil)
	})
	run(t, l)
	if s == nil {
		t.Fatal("no stream")
	}
	return child, s
}

func TestSpawnTunnel(t *testing.T) {
	l := newTestLoop(t)
	child, s := spawnOne(t, l, Command{Shell: "cat"})
	p := &sink{}
	p.onData = func() {
		if p.got.String() == "hello" {
			s.Close()
		}
	}
	p.onLost = func(error) { l.CallLater(100*time.Millisecond, func() { l.Stop(nil) }) }
	s.Start(p)
	s.Write([]byte("hello"))
	run(t, l)
	if p.err != nil || p.lost != 1 {
		t.Errorf("lost %d times with %v", p.lost, p.err)
	}
	if gone, code := child.Exited(); !gone || code != 0 {
		t.Errorf("the command did not end with its input: %v, %d", gone, code)
	}
}

func TestSpawnDeathSaysWhy(t *testing.T) {
	l := newTestLoop(t)
	child, s := spawnOne(t, l, Command{Shell: "echo '* PREAUTH hi'; echo 'host key changed' >&2; exit 255"})
	p := &sink{onLost: func(error) { l.Stop(nil) }}
	s.Start(p)
	run(t, l)
	var ce *ChildError
	if !errors.As(p.err, &ce) || ce.ExitCode != 255 || !strings.Contains(p.err.Error(), "host key changed") {
		t.Errorf("lost with %v", p.err)
	}
	if p.got.String() != "* PREAUTH hi\n" || !strings.Contains(string(child.Stderr()), "host key") {
		t.Errorf("got %q, stderr %q", p.got.String(), child.Stderr())
	}
}

func TestSpawnThatIgnoresTheEndOfItsInputIsKilled(t *testing.T) {
	l := newTestLoop(t)
	child, s := spawnOne(t, l, Command{Shell: "sleep 60"})
	p := &sink{}
	s.Start(p)
	s.Abort(nil)
	child.onExit = append(child.onExit, func() { l.Stop(nil) })
	run(t, l)
	if p.err != ErrAborted {
		t.Errorf("lost with %v", p.err)
	}
}

func TestSpawnFailure(t *testing.T) {
	l := newTestLoop(t)
	var got error
	l.Spawn(Command{Args: []string{"/no/such/tunnel"}}, func(s *Stream, err error) { got = err; l.Stop(nil) })
	run(t, l)
	var ce *ChildError
	if !errors.As(got, &ce) || !strings.Contains(got.Error(), "/no/such/tunnel") {
		t.Errorf("%v", got)
	}
}

// The way for kernels without pidfd, and for the BSDs.
func TestChildExitFallback(t *testing.T) {
	l := newTestLoop(t)
	null, err := unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(null)
	c, err := l.start(Command{Shell: "exit 7"}, [3]int{null, null, null})
	if err != nil {
		t.Fatal(err)
	}
	c.w.Close()
	c.onExit = append(c.onExit, func() { l.Stop(nil) })
	l.awaitExit(c.pid, c.ended)
	run(t, l)
	if ok, code := c.Exited(); !ok || code != 7 {
		t.Errorf("exited %v with %d", ok, code)
	}
}

func TestKeepTail(t *testing.T) {
	var tail []byte
	all := ""
	for _, s := range []string{"abc", "", "defgh", "0123456789ABCDEF", "x", "yz12"} {
		tail = keepTail(tail, []byte(s), 10)
		all += s
		if want := all[max(0, len(all)-10):]; string(tail) != want {
			t.Errorf("after %q: %q, want %q", s, tail, want)
		}
	}
}
