package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"offloop/cmd/internal/lab/dovecot"
	"offloop/cmd/internal/lab/verify"
	"offloop/reactor"
)

// outlets are the descriptors that may make a writer wait.
var outlets = map[string]func() (r, w int, err error){
	"pipe": func() (int, int, error) {
		var p [2]int
		err := unix.Pipe(p[:])
		return p[0], p[1], err
	},
	"socket": func() (int, int, error) {
		p, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
		return p[0], p[1], err
	},
}

// TestOutletNeverWaits: nobody reads, and more is written than is kept. What was
// kept comes whole and in order, and the gap says how many lines it has, whether the
// loop writes them later or the end does.
func TestOutletNeverWaits(t *testing.T) {
	for kind, open := range outlets {
		for _, atEnd := range []bool{false, true} {
			t.Run(fmt.Sprint(kind, " at the end ", atEnd), func(t *testing.T) {
				loop, err := reactor.New()
				if err != nil {
					t.Fatal(err)
				}
				defer loop.Close()
				r, w, err := open()
				if err != nil {
					t.Fatal(err)
				}
				o := &outlet{loop: loop, fd: w, limit: 200_000}
				o.lost = func(n int) { fmt.Fprintf(o, "%d lost\n", n) }
				const all = 100_000
				for i := range all { // would wait for ever
					fmt.Fprintf(o, "line %d\n", i)
				}
				if o.waits() > o.limit+100 || o.dropped == 0 {
					t.Fatalf("%d bytes are kept, %d lines were dropped", o.waits(), o.dropped)
				}
				got := make(chan []byte)
				go func() {
					b, _ := io.ReadAll(os.NewFile(uintptr(r), kind))
					got <- b
				}()
				if atEnd {
					o.drain(-1)
				} else {
					var look func()
					look = func() {
						if o.waits() == 0 && o.dropped == 0 {
							loop.Stop(errQuit)
						}
						loop.CallLater(time.Millisecond, look)
					}
					look()
					loop.Run()
				}
				fmt.Fprintf(o, "line %d\n", all)
				o.drain(-1)
				unix.Close(w)
				next, gaps := 0, 0
				for line := range strings.Lines(string(<-got)) {
					line = strings.TrimSuffix(line, "\n")
					if n, ok := strings.CutSuffix(line, " lost"); ok {
						lost, _ := strconv.Atoi(n)
						next, gaps = next+lost, gaps+1
						continue
					}
					if line != fmt.Sprintf("line %d", next) {
						t.Fatalf("%q, want line %d", line, next)
					}
					next++
				}
				if next != all+1 || gaps != 1 {
					t.Errorf("%d lines accounted for of %d, %d gaps", next, all+1, gaps)
				}
			})
		}
	}
}

// TestOutletEnds: a reader that is gone ends nothing, and one that does not read
// does not hold up a program that was asked to stop.
func TestOutletEnds(t *testing.T) {
	for kind, open := range outlets {
		loop, err := reactor.New()
		if err != nil {
			t.Fatal(err)
		}
		defer loop.Close()
		r, w, err := open()
		if err != nil {
			t.Fatal(err)
		}
		o := &outlet{loop: loop, fd: w, limit: keptForPeople}
		line := strings.Repeat("x", 999) + "\n"
		for range 1000 {
			io.WriteString(o, line)
		}
		o.drain(20 * time.Millisecond) // returns
		if o.waits() != 0 {
			t.Errorf("%s: %d bytes wait", kind, o.waits())
		}
		unix.Close(r)
		for range 1000 {
			if _, err := io.WriteString(o, line); err != nil {
				t.Fatal(err)
			}
		}
		if o.drain(-1); o.kind != outletGone || len(o.buf) > 0 {
			t.Errorf("%s: %d bytes for a reader that is gone", kind, len(o.buf))
		}
		unix.Close(w)
	}
}

// arrive waits until the Maildirs hold n messages, while a sync fills them.
func (m *mailbox) arrive(n int) {
	m.t.Helper()
	have := 0
	for deadline := time.Now().Add(2 * time.Minute); have < n; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			m.t.Fatalf("%d of %d messages are here", have, n)
		}
		have = 0
		filepath.WalkDir(m.root, func(p string, d os.DirEntry, err error) error {
			if sub := filepath.Base(filepath.Dir(p)); err == nil && !d.IsDir() && (sub == "cur" || sub == "new") {
				have++
			}
			return nil
		})
	}
}

// TestNobodyReads: a sync goes on while nobody reads what it says, as text or as
// JSON; what is read later is whole.
func TestNobodyReads(t *testing.T) {
	srv := filled(t, "unread", 1500, dovecot.Options{})
	for _, args := range [][]string{{"-u", "basic"}, {"-u", "machineui"}, {"--json", "-d", "maildir"}, {"-u", "ttyui"}} {
		t.Run(args[len(args)-1], func(t *testing.T) {
			m := newMailbox(t, srv, "unread")
			m.write()
			cmd := exec.Command(binary, append([]string{"-c", m.config, "-o"}, args...)...)
			cmd.Env = append(os.Environ(), "HOME="+m.dir)
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			cmd.Stdout, cmd.Stderr = w, w
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			w.Close()
			const want = 1500
			defer cmd.Process.Kill()
			m.arrive(want)
			lines, last := 0, ""
			for sc := bufio.NewScanner(r); sc.Scan(); lines++ {
				if last = sc.Text(); args[0] == "--json" && !json.Valid(sc.Bytes()) {
					t.Fatalf("line %d: %q", lines, last)
				}
				if strings.Contains(last, "are missing here") {
					t.Errorf("line %d: %q", lines, last)
				}
			}
			if err := cmd.Wait(); err != nil {
				t.Error(err)
			}
			if lines < want || args[0] == "--json" && !strings.Contains(last, `"kind":"quit"`) {
				t.Errorf("%d lines about %d messages, the last is %q", lines, want, last)
			}
			m.equal("unread", verify.Options{})
		})
	}
}

// TestStoppedTerminal: ctrl-s stops the lines on a terminal, not the sync.
func TestStoppedTerminal(t *testing.T) {
	x := newTerminal(t)
	srv := filled(t, "stopped", 1500, dovecot.Options{})
	m := newMailbox(t, srv, "stopped")
	m.write()
	m.accountKeys("presynchook = while [ -e " + m.dir + "/hold ]; do sleep 0.05; done")
	if err := os.WriteFile(m.dir+"/hold", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	x.keys(binary+" -u ttyui -o -c "+m.config+"; echo status $?", "Enter")
	x.sees("Calling hook")
	x.keys("C-s")
	if err := os.Remove(m.dir + "/hold"); err != nil {
		t.Fatal(err)
	}
	m.arrive(1500)
	m.equal("on a stopped terminal", verify.Options{})
	if screen := x.run("capture-pane", "-p"); strings.Contains(screen, "Finished account") {
		t.Errorf("the terminal was not stopped:\n%s", screen)
	}
	x.keys("C-q")
	x.sees("Finished account")
	x.sees("status 0")
}
