package main

import (
	"bytes"
	"errors"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// demoRun is one offloop demo in a process of its own, its directory under tmp.
type demoRun struct {
	t              *testing.T
	cmd            *exec.Cmd
	tmp            string
	stdout, stderr bytes.Buffer
}

func newDemoRun(t *testing.T, seconds string, args ...string) *demoRun {
	r := &demoRun{t: t, tmp: t.TempDir()}
	r.cmd = exec.Command(binary, append([]string{"demo"}, args...)...)
	r.cmd.Env = append(os.Environ(), "TMPDIR="+r.tmp, demoLiveEnv+"="+seconds)
	r.cmd.Stdout, r.cmd.Stderr = &r.stdout, &r.stderr
	r.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return r
}

func (r *demoRun) start() {
	r.t.Helper()
	if err := r.cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	timer := time.AfterFunc(90*time.Second, func() { r.cmd.Process.Kill() })
	r.t.Cleanup(func() { timer.Stop() })
}

func (r *demoRun) wait(code int) {
	r.t.Helper()
	var exit *exec.ExitError
	if err := r.cmd.Wait(); err != nil && !errors.As(err, &exit) {
		r.t.Fatal(err)
	}
	if got := r.cmd.ProcessState.ExitCode(); got != code {
		r.t.Fatalf("exit status %d, want %d\n%s\n%s", got, code, r.stdout.String(), tail(r.stderr.String(), 4000))
	}
}

// dir is the directory that the demonstration made, "" if there is none.
func (r *demoRun) dir() string {
	r.t.Helper()
	l, err := filepath.Glob(filepath.Join(r.tmp, "offloop-demo-*"))
	if err != nil || len(l) > 1 {
		r.t.Fatalf("%v %v", l, err)
	}
	if len(l) == 0 {
		return ""
	}
	return l[0]
}

func (r *demoRun) addr() string {
	r.t.Helper()
	b, err := os.ReadFile(filepath.Join(r.dir(), "offlineimaprc"))
	if err != nil {
		r.t.Fatal(err)
	}
	m := regexp.MustCompile(`(?m)^remoteport = (\d+)$`).FindSubmatch(b)
	if m == nil {
		r.t.Fatalf("no port in\n%s", b)
	}
	return "127.0.0.1:" + string(m[1])
}

// serverEnds fails the test unless nobody listens at addr any more, soon.
func serverEnds(t *testing.T, addr string) {
	t.Helper()
	for range 100 {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			return
		}
		c.Close()
		time.Sleep(50 * time.Millisecond)
	}
	t.Errorf("the server at %s has outlived the demonstration", addr)
}

// files counts the messages below a Maildir tree.
func files(t *testing.T, root string) (n int) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if sub := filepath.Base(filepath.Dir(path)); err == nil && !d.IsDir() && (sub == "cur" || sub == "new") {
			n++
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

var demoEqual = regexp.MustCompile(`Both sides are equal: (\d+) messages in (\d+) folders`)

// equal gives the number of messages that the demonstration found on both sides.
func (r *demoRun) equal() int {
	r.t.Helper()
	m := demoEqual.FindStringSubmatch(r.stdout.String())
	if m == nil {
		r.t.Fatalf("the sides are not equal:\n%s\n%s", r.stdout.String(), tail(r.stderr.String(), 4000))
	}
	n, err := strconv.Atoi(m[1])
	if err != nil {
		r.t.Fatal(err)
	}
	return n
}

func TestDemoText(t *testing.T) {
	t.Parallel()
	r := newDemoRun(t, "7")
	r.start()
	r.wait(0)
	n := r.equal()
	mail := filepath.Join(r.dir(), "Mail")
	if got := files(t, mail); got != n {
		t.Errorf("%d files, but %d messages", got, n)
	}
	if n < demoMail {
		t.Errorf("%d messages, fewer than at the beginning", n)
	}
	for _, folder := range []string{"Lists/日本語", "Work/Größe und Été", "with several spaces", "Travel/Été à Kyōto 京都"} {
		if files(t, filepath.Join(mail, folder)) == 0 {
			t.Errorf("no mail in %s", folder)
		}
	}
	for _, want := range []string{"mutt -f " + mail + "/INBOX", "rm -r " + r.dir()} {
		if !strings.Contains(r.stdout.String(), want) {
			t.Errorf("the closing text lacks %q:\n%s", want, r.stdout.String())
		}
	}
	// It went both ways.
	for _, want := range []string{"There:INBOX -> Here:INBOX", "Here:Drafts -> There:Drafts"} {
		if !strings.Contains(r.stderr.String(), want) {
			t.Errorf("no line with %q:\n%s", want, tail(r.stderr.String(), 6000))
		}
	}
	if i := strings.Index(strings.ToLower(r.stderr.String()), "error"); i >= 0 {
		t.Errorf("an error: %s", tail(r.stderr.String(), 6000))
	}
	serverEnds(t, r.addr())
	if b, err := os.ReadFile(filepath.Join(r.dir(), "server.log")); err == nil {
		t.Errorf("the server complained: %s", tail(string(b), 4000))
	}
}

// An account that is told to leave folders out must not be called equal.
func TestDemoDifferent(t *testing.T) {
	t.Parallel()
	r := newDemoRun(t, "0.5", "-k", "Repository_There:folders=INBOX, Sent")
	r.start()
	r.wait(1)
	if out := r.stdout.String(); !strings.Contains(out, "folder only on server") || demoEqual.MatchString(out) {
		t.Errorf("unexpected:\n%s", out)
	}
	serverEnds(t, r.addr())
}

// ctrl-c goes to the server's process as well; it must serve the last round.
func TestDemoInterrupted(t *testing.T) {
	t.Parallel()
	r := newDemoRun(t, "60")
	r.start()
	r.copied()
	if err := syscall.Kill(-r.cmd.Process.Pid, syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	r.wait(0)
	r.equal()
	serverEnds(t, r.addr())
}

// copied waits until some mail has come.
func (r *demoRun) copied() {
	r.t.Helper()
	for range 600 {
		if d := r.dir(); d != "" {
			if l, _ := filepath.Glob(filepath.Join(d, "Mail", "*", "cur", "*")); len(l) > 0 {
				return
			}
		}
		time.Sleep(20 * time.Millisecond)
	}
	r.t.Fatal("no mail has come")
}

func TestDemoKilled(t *testing.T) {
	t.Parallel()
	r := newDemoRun(t, "60")
	r.start()
	r.copied()
	addr := r.addr()
	if err := r.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	r.wait(-1)
	serverEnds(t, addr)
}

func TestDemoRefuses(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"now"}, {"-c", "/dev/null"}, {"-a", "A"}, {"--dry-run"}, {"--info"}} {
		r := newDemoRun(t, "1", args...)
		r.start()
		r.wait(2)
		if r.stderr.Len() == 0 || r.dir() != "" {
			t.Errorf("%v: said %q, made %q", args, r.stderr.String(), r.dir())
		}
	}
}

func TestDemoUnknownInterface(t *testing.T) {
	t.Parallel()
	r := newDemoRun(t, "1", "-u", "teletype")
	r.start()
	r.wait(1)
	if r.dir() != "" || strings.Count(r.stderr.String(), "teletype") != 1 {
		t.Errorf("made %q and said\n%s", r.dir(), r.stderr.String())
	}
}

func TestShellWord(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"/tmp/x", "", "/tmp/a b", "it's", "$HOME;`id`", "é", "-n"} {
		out, err := exec.Command("sh", "-c", "printf %s "+"./"+shellWord(s)).Output()
		if err != nil || string(out) != "./"+s {
			t.Errorf("%q became %q, %v", s, out, err)
		}
	}
}

// demoTerminal is a shell in a terminal of its own.
type demoTerminal struct {
	t      *testing.T
	socket string
}

func newDemoTerminal(t *testing.T, env ...string) *demoTerminal {
	if _, err := exec.LookPath("tmux"); err != nil {
		if os.Getenv("OFFLOOP_REQUIRE_SERVERS") == "1" || os.Getenv("CI") != "" {
			t.Fatal("tmux is missing")
		}
		t.Skip("tmux is missing")
	}
	dir, err := os.MkdirTemp("", "tmux-") // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	x := &demoTerminal{t, filepath.Join(dir, "s")}
	t.Cleanup(func() {
		exec.Command("tmux", "-S", x.socket, "kill-server").Run()
		os.RemoveAll(dir)
	})
	x.run(append(append([]string{"-f", "/dev/null", "new-session", "-d", "-x", "100", "-y", "40", "env", "PS1=$ ", "LC_ALL=C.UTF-8"}, env...), "sh")...)
	return x
}

func (x *demoTerminal) run(args ...string) string {
	x.t.Helper()
	out, err := exec.Command("tmux", append([]string{"-S", x.socket}, args...)...).CombinedOutput()
	if err != nil {
		x.t.Fatalf("tmux %q: %v: %s", args, err, out)
	}
	return string(out)
}

func (x *demoTerminal) line(s string) {
	x.t.Helper()
	x.run("send-keys", "-l", s)
	x.run("send-keys", "Enter")
}

// sees waits until the screen matches all patterns, and returns it.
func (x *demoTerminal) sees(patterns ...string) string {
	x.t.Helper()
	screen := ""
	for range 400 {
		screen = x.run("capture-pane", "-p")
		ok := true
		for _, p := range patterns {
			ok = ok && regexp.MustCompile(p).MatchString(screen)
		}
		if ok {
			return screen
		}
		time.Sleep(50 * time.Millisecond)
	}
	x.t.Fatalf("the terminal does not show %q:\n%s", patterns, screen)
	return ""
}

func TestDemoScreen(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a terminal")
	}
	t.Parallel()
	tmp := t.TempDir()
	x := newDemoTerminal(t, "TMPDIR="+tmp)
	x.line("stty -a > " + tmp + "/before; '" + binary + "' demo; echo status=$?; stty -a > " + tmp + "/after; echo done")
	x.sees(`Demo`, `↓ \d+`, `Copy message UID \d+ \(\d+/\d+\) There:`, `q quit`)
	// New mail arrives while one watches.
	x.sees(`Meanwhile, here: `)
	x.sees(`Copy message UID 1 \(1/1\) There:Travel/Été à Kyōto 京都 -> Here:Travel/Été à Kyōto 京都`)
	x.run("send-keys", "q")
	screen := x.sees(`Both sides are equal: 3\d\d messages in 1\d folders`, `mutt -f `, `rm -r `, `(?m)^status=0$`, `(?m)^done$`)
	if strings.Contains(screen, "q quit") {
		t.Errorf("the live screen was left behind:\n%s", screen)
	}
	var state [2]string
	for i, name := range []string{"before", "after"} {
		b, err := os.ReadFile(filepath.Join(tmp, name))
		if err != nil {
			t.Fatal(err)
		}
		state[i] = string(b)
	}
	if state[0] != state[1] || state[0] == "" {
		t.Errorf("the terminal was\n%s\nand is\n%s", state[0], state[1])
	}
	x.line("echo $((6*7))")
	x.sees(`(?m)^42$`)
}
