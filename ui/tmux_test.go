package ui

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestMain runs the screen on a real terminal when the tests start themselves
// inside one.
func TestMain(m *testing.M) {
	if os.Getenv("UI_TEST_ON_TERMINAL") != "" {
		onTerminal()
		return
	}
	os.Exit(m.Run())
}

// onTerminal is the smallest owner of a terminal: it polls its descriptor. The
// key r panics, ctrl-z suspends, q quits.
func onTerminal() {
	fd, err := OpenTerminal()
	if err != nil {
		panic(err)
	}
	raw, err := MakeRaw(fd)
	if err != nil {
		panic(err)
	}
	s, err := NewScreen(ScreenOptions{Options: Options{Name: "offloop test", Unicode: true}, Size: func() (int, int) { return TerminalSize(fd) }})
	if err != nil {
		panic(err)
	}
	defer func() {
		if p := recover(); p != nil {
			Rescue(fd, s, raw)
			fmt.Println("rescued from:", p)
			os.Exit(3)
		}
	}()
	s.Event(Event{Kind: "account-start", Account: "home", At: time.Now().UnixNano()})
	buf := make([]byte, 4096)
	var acts []Action
	for i := 0; ; i++ {
		now := time.Now()
		if n, _ := syscall.Read(fd, buf); n > 0 {
			acts = s.Input(buf[:n], now)
		}
		acts = append(acts, s.Poll(now)...)
		for _, a := range acts {
			switch a.Verb {
			case "quit":
				syscall.Write(fd, s.Close())
				raw.Restore()
				fmt.Println("left in order")
				return
			case "suspend":
				syscall.Write(fd, s.Suspend())
				raw.Restore()
				syscall.Kill(os.Getpid(), syscall.SIGSTOP)
				time.Sleep(50 * time.Millisecond) // this thread may run on a moment
				if raw, err = MakeRaw(fd); err != nil {
					panic(err)
				}
				if err := s.Resume(); err != nil {
					panic(err)
				}
			case "password":
				s.Event(Event{Kind: "log", At: now.UnixNano(), Text: fmt.Sprintf("a password of %d letters", len(a.Text))})
			case "sync":
				s.Event(Event{Kind: "attention", Account: "home", Dest: TopicPassword, At: now.UnixNano(), Text: "Who goes there?"})
			case "reload":
				panic("asked for it")
			}
		}
		acts = acts[:0]
		if out := s.Output(); out != nil {
			if n, err := syscall.Write(fd, out); err == nil {
				s.Wrote(n, now)
			} else if !errors.Is(err, syscall.EAGAIN) {
				panic(err)
			}
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// tmux is a shell in a terminal of its own.
type tmux struct {
	t      *testing.T
	socket string
}

func newTmux(t *testing.T) *tmux {
	if _, err := exec.LookPath("tmux"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("tmux is missing")
		}
		t.Skip("tmux is missing")
	}
	x := &tmux{t, filepath.Join(t.TempDir(), "s")}
	x.run("-f", "/dev/null", "new-session", "-d", "-x", "90", "-y", "24", "env", "PS1=$ ", "LC_ALL=C.UTF-8", "sh")
	t.Cleanup(func() { exec.Command("tmux", "-S", x.socket, "kill-server").Run() })
	return x
}

func (x *tmux) run(args ...string) string {
	x.t.Helper()
	out, err := exec.Command("tmux", append([]string{"-S", x.socket}, args...)...).CombinedOutput()
	if err != nil {
		x.t.Fatalf("tmux %q: %v: %s", args, err, out)
	}
	return string(out)
}

func (x *tmux) keys(keys ...string) { x.t.Helper(); x.run(append([]string{"send-keys"}, keys...)...) }

// sees waits until the terminal shows want and, if given, not the others.
func (x *tmux) sees(want string, not ...string) {
	x.t.Helper()
	screen := ""
	for range 150 {
		screen = x.run("capture-pane", "-p")
		ok := strings.Contains(screen, want)
		for _, n := range not {
			ok = ok && !strings.Contains(screen, n)
		}
		if ok {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	x.t.Fatalf("the terminal does not show %q without %q:\n%s", want, not, screen)
}

func TestOnRealTerminal(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a terminal")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	x := newTmux(t)
	x.keys("UI_TEST_ON_TERMINAL=1 "+self, "Enter")
	x.sees("Processing account home")
	x.sees("STATE") // the dashboard
	x.keys("b")
	x.sees("*Control: ", "STATE")
	x.keys("b")
	x.run("resize-window", "-x", "40", "-y", "10")
	x.sees("1: [active]")
	x.run("resize-window", "-x", "100", "-y", "30")
	x.sees("STATE")
	x.keys("?")
	x.sees("quit when the messages")
	x.keys("Escape")
	x.sees("STATE", "quit when the messages")
	// The prompt echoes nothing and takes a paste whole.
	x.keys("s")
	x.sees("Password for account home:")
	x.keys("qrs")
	x.run("set-buffer", "zap\nzip")
	x.run("paste-buffer", "-p")
	x.keys("Enter")
	x.sees("a password of 9 letters", "qrs", "zap")
	// Suspended, the shell has its terminal back, echo included.
	x.keys("C-z")
	x.sees("Stopped", "STATE")
	x.keys("echo on the shell", "Enter")
	x.sees("\non the shell")
	x.keys("fg", "Enter")
	x.sees("STATE", "on the shell")
	x.keys("q")
	x.sees("left in order", "STATE")
	x.keys("stty -a", "Enter")
	x.sees(" icanon")
	x.sees(" echo ")
	// A panic leaves the terminal as it was.
	x.keys("clear; UI_TEST_ON_TERMINAL=1 "+self+"; echo exit $?", "Enter")
	x.sees("STATE")
	x.keys("r")
	x.sees("rescued from: asked for it", "STATE")
	x.sees("exit 3")
	x.keys("clear; stty -a", "Enter")
	x.sees(" icanon")
}
