package reactor

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	defaultMaxOutput = 1 << 20
	// stderrKept is how much of the end of a child's stderr is kept.
	stderrKept = 4 << 10
	// killDelay is the time between SIGTERM and SIGKILL.
	killDelay = 2 * time.Second
	// exitGrace is how long an exit status and the end of the output may lie
	// apart: daemons started by a command can hold its pipes open for ever.
	exitGrace = 500 * time.Millisecond
)

// Command is a program to be run.
type Command struct {
	Shell string   // run by /bin/sh -c; else
	Args  []string // program (looked up in PATH) and its arguments
	Env   []string // "NAME=value", added to our own environment
	Dir   string   // working directory; empty = ours
	Stdin []byte   // Exec only: its whole input

	Timeout   time.Duration // Exec only: after it the command is killed; 0 = none
	MaxOutput int           // Exec only: most bytes of stdout; 0 = 1 MiB
	Tail      bool          // Exec only: keep the last MaxOutput bytes, rather than kill a command that writes more

	// Terminal leaves the child in our process group, so that it may ask a
	// question on the terminal; ^C then reaches it as well as us, and Kill
	// reaches only the child itself. Without it the child leads a group of its
	// own, and Kill ends everything it has started.
	Terminal bool
}

// String is the command as a person would write it.
func (c Command) String() string {
	if c.Shell != "" {
		return c.Shell
	}
	return strings.Join(c.Args, " ")
}

// Result is the outcome of Exec.
type Result struct {
	Stdout, Stderr []byte // Stderr: its last 4 KiB
	ExitCode       int    // -1 if the command did not start or was ended by a signal
	Err            error  // nil only if it exited with 0 and all output was taken; else a *ChildError
}

// ChildError says how a command failed.
type ChildError struct {
	Command  string
	ExitCode int    // -1 if there is none
	Signal   string // the signal that ended it, or ""
	Stderr   string // the end of its stderr
	Err      error  // why it did not start, or was ended by us
}

// Error names the command, what became of it, and its last words.
func (e *ChildError) Error() string {
	what := fmt.Sprintf("exited with status %d", e.ExitCode)
	switch {
	case e.Err != nil:
		what = e.Err.Error()
	case e.Signal != "":
		what = "was ended by signal " + e.Signal
	}
	s := fmt.Sprintf("command %q: %s", e.Command, what)
	if last := strings.TrimSpace(e.Stderr); last != "" {
		s += ": " + last
	}
	return s
}

// Unwrap gives access to the cause.
func (e *ChildError) Unwrap() error { return e.Err }

// Causes of a ChildError that are our own doing.
var (
	ErrKilled    = errors.New("was killed")
	ErrTimeout   = errors.New("took too long")
	ErrMaxOutput = errors.New("wrote too much output")
)

// Child is a running command.
type Child struct {
	l     *Loop
	c     Command
	pid   int // 0 before it started and after it ended
	pidfd int
	w     *Watch

	exited  bool
	status  unix.WaitStatus
	cause   error // why we ended it
	stderr  []byte
	onExit  []func()
	hard    *Timer // SIGKILL
	simKill func()
}

// Pid returns the process number, 0 if the child is not running.
func (c *Child) Pid() int { return c.pid }

// Stderr returns the last 4 KiB the child wrote to its stderr so far.
func (c *Child) Stderr() []byte { return c.stderr }

// Exited reports whether the child has ended, and its exit status (-1: a signal).
func (c *Child) Exited() (bool, int) {
	if !c.exited {
		return false, 0
	}
	return true, c.status.ExitStatus()
}

// Kill ends the child: SIGTERM now, SIGKILL two seconds later. Whoever waits for
// it is told as always.
func (c *Child) Kill() { c.kill(ErrKilled) }

func (c *Child) kill(cause error) {
	if c.simKill != nil {
		c.simKill()
		return
	}
	if c.pid == 0 {
		return
	}
	if c.cause == nil {
		c.cause = cause
	}
	if c.hard == nil {
		c.signal(unix.SIGTERM)
		c.hard = c.l.CallLater(killDelay, func() { c.signal(unix.SIGKILL) })
	}
}

func (c *Child) signal(s syscall.Signal) {
	switch {
	case c.pid == 0:
	case c.c.Terminal:
		_ = unix.Kill(c.pid, s)
	default:
		_ = unix.Kill(-c.pid, s)
	}
}

// abandon ends the child without waiting, when the loop closes.
func (c *Child) abandon() {
	c.signal(unix.SIGTERM)
	c.hard.Cancel()
	c.w.Close()
	if c.pidfd >= 0 {
		unix.Close(c.pidfd)
		c.pidfd = -1
	}
}

// argv returns the program's path and its arguments.
func (c Command) argv() (string, []string, error) {
	if c.Shell != "" {
		return "/bin/sh", []string{"sh", "-c", c.Shell}, nil
	}
	if len(c.Args) == 0 {
		return "", nil, errors.New("the command is empty")
	}
	path, err := exec.LookPath(c.Args[0])
	return path, c.Args, err
}

// start forks. files become the child's 0, 1 and 2 and stay the caller's.
func (l *Loop) start(cmd Command, files [3]int) (*Child, error) {
	path, argv, err := cmd.argv()
	if err != nil {
		return nil, err
	}
	c := &Child{l: l, c: cmd, pidfd: -1}
	attr := &syscall.ProcAttr{
		Dir:   cmd.Dir,
		Env:   environ(cmd.Env),
		Files: []uintptr{uintptr(files[0]), uintptr(files[1]), uintptr(files[2])},
		Sys:   &syscall.SysProcAttr{Setpgid: !cmd.Terminal},
	}
	wantPidfd(attr.Sys, &c.pidfd)
	c.pid, _, err = syscall.StartProcess(path, argv, attr)
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOSYS) {
		// Emulators and sandboxes refuse a clone that asks for a pidfd.
		attr.Sys = &syscall.SysProcAttr{Setpgid: !cmd.Terminal}
		c.pidfd = -1
		c.pid, _, err = syscall.StartProcess(path, argv, attr)
	}
	if err != nil {
		return nil, err
	}
	l.children[c] = struct{}{}
	if c.pidfd >= 0 {
		if c.w, err = l.Watch(c.pidfd, Readable, func(Events) { c.reap() }); err == nil {
			return c, nil
		}
		unix.Close(c.pidfd)
		c.pidfd = -1
	}
	l.awaitExit(c.pid, c.ended)
	return c, nil
}

// reap collects the exit status that the pidfd has announced.
func (c *Child) reap() {
	var ws unix.WaitStatus
	n, err := unix.Wait4(c.pid, &ws, unix.WNOHANG, nil)
	if err == unix.EINTR || (err == nil && n == 0) {
		return
	}
	c.ended(ws)
}

func (c *Child) ended(ws unix.WaitStatus) {
	if c.exited {
		return
	}
	c.exited, c.status, c.pid = true, ws, 0
	c.hard.Cancel()
	c.w.Close()
	if c.pidfd >= 0 {
		unix.Close(c.pidfd)
		c.pidfd = -1
	}
	delete(c.l.children, c)
	for _, f := range c.onExit {
		f()
	}
	c.onExit = nil
}

// err is the child's failure, nil if it exited with 0 by itself.
func (c *Child) err() error {
	if c.cause == nil && c.exited && c.status.Exited() && c.status.ExitStatus() == 0 {
		return nil
	}
	e := &ChildError{Command: c.c.String(), ExitCode: -1, Stderr: string(c.stderr), Err: c.cause}
	switch {
	case c.exited && c.status.Signaled():
		e.Signal = unix.SignalName(c.status.Signal())
	case c.exited:
		e.ExitCode = c.status.ExitStatus()
	}
	return e
}

// keepTail appends b to tail and keeps the last limit bytes.
func keepTail(tail, b []byte, limit int) []byte {
	if len(b) >= limit {
		return append(tail[:0], b[len(b)-limit:]...)
	}
	if over := len(tail) + len(b) - limit; over > 0 {
		tail = tail[:copy(tail, tail[over:])]
	}
	return append(tail, b...)
}

// environ is our environment with add in place of variables of the same name.
func environ(add []string) []string {
	set := map[string]bool{}
	for _, kv := range add {
		name, _, _ := strings.Cut(kv, "=")
		set[name] = true
	}
	var env []string
	for _, kv := range os.Environ() {
		if name, _, _ := strings.Cut(kv, "="); !set[name] {
			env = append(env, kv)
		}
	}
	return append(env, add...)
}
