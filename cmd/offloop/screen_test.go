package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"offloop/cmd/internal/lab"
	"offloop/cmd/internal/lab/dovecot"
	"offloop/cmd/internal/lab/gen"
	"offloop/cmd/internal/lab/verify"
	"offloop/ui"
)

// terminal is a shell in a real terminal, tmux's.
type terminal struct {
	t      *testing.T
	socket string
}

func newTerminal(t *testing.T) *terminal {
	t.Helper()
	if testing.Short() {
		t.Skip("starts a terminal")
	}
	if _, err := exec.LookPath("tmux"); err != nil {
		t.Skip("tmux is missing")
	}
	x := &terminal{t, filepath.Join(t.TempDir(), "s")}
	x.run("-f", "/dev/null", "new-session", "-d", "-x", "100", "-y", "30", "env", "PS1=$ ", "LC_ALL=C.UTF-8", "sh")
	t.Cleanup(func() { exec.Command("tmux", "-S", x.socket, "kill-server").Run() })
	return x
}

func (x *terminal) run(args ...string) string {
	x.t.Helper()
	out, err := exec.Command("tmux", append([]string{"-S", x.socket}, args...)...).CombinedOutput()
	if err != nil {
		x.t.Fatalf("tmux %q: %v: %s", args, err, out)
	}
	return string(out)
}

func (x *terminal) keys(keys ...string) {
	x.t.Helper()
	x.run(append([]string{"send-keys"}, keys...)...)
}

// types types a line until the terminal shows want: a program that has just given the
// terminal back may have taken the first try with it.
func (x *terminal) types(line, want string) {
	x.t.Helper()
	for range 10 {
		x.keys(line, "Enter")
		for range 100 {
			if strings.Contains(x.run("capture-pane", "-p"), want) {
				return
			}
			time.Sleep(25 * time.Millisecond)
		}
	}
	x.sees(want)
}

// sees waits until the terminal shows want, and none of not.
func (x *terminal) sees(want string, not ...string) string {
	x.t.Helper()
	screen := ""
	for range 400 {
		screen = x.run("capture-pane", "-p")
		ok := strings.Contains(screen, want)
		for _, n := range not {
			ok = ok && !strings.Contains(screen, n)
		}
		if ok {
			return screen
		}
		time.Sleep(25 * time.Millisecond)
	}
	x.t.Fatalf("the terminal does not show %q without %q:\n%s", want, not, screen)
	return ""
}

// filled starts a server with n messages for user.
func filled(t *testing.T, user string, n int, o dovecot.Options) *dovecot.Server {
	t.Helper()
	srv := lab.NeedDovecot(t, o)
	m := newMailbox(t, srv, user)
	if err := gen.New(gen.Options{Seed: 5, Messages: n, Folders: 4, SafeNames: true}).FillIMAP(m.client()); err != nil {
		t.Fatal(err)
	}
	return srv
}

// TestScreenTrustsACertificate: nothing vouches for the server; the person sees
// its fingerprint and says yes; the next run does not ask. With another
// certificate it does, and says what changed.
func TestScreenTrustsACertificate(t *testing.T) {
	x := newTerminal(t)
	srv := filled(t, "trust", 20, dovecot.Options{})
	m := newMailbox(t, srv, "trust")
	m.extra["sslcacertfile"] = ""
	m.write()
	if out, code := m.run(); code != 1 || !strings.Contains(out, "cert_fingerprint = ") || !strings.Contains(out, "neither name nor password was sent") {
		t.Fatalf("without a terminal: exit status %d\n%s", code, out)
	}
	x.keys(binary+" -c "+m.config+"; echo status $?", "Enter")
	x.sees("y: trust it  n: refuse it")
	x.keys("n")
	x.sees("status 1")
	x.keys("clear; "+binary+" -c "+m.config+"; echo status $?", "Enter")
	x.sees("y: trust it  n: refuse it") // the end of the first run said the rest too
	x.sees("It is the first one seen here")
	x.keys("y")
	x.sees("status 0")
	m.equal("after trust", verify.Options{})
	file := filepath.Join(m.dir, "meta", "offloop", "A", "trusted-certificates")
	if st, err := os.Stat(file); err != nil || st.Mode().Perm() != 0o600 {
		t.Fatalf("%v, %v", st, err)
	}
	m.sync() // without a terminal too

	text, _ := os.ReadFile(file)
	other := strings.Repeat("ab", 32)
	fields := strings.Fields(string(text)[strings.Index(string(text), "\n"):])
	if err := os.WriteFile(file, []byte(strings.ReplaceAll(string(text), fields[1], other)), 0o600); err != nil {
		t.Fatal(err)
	}
	x.keys("clear; "+binary+" -c "+m.config, "Enter")
	x.sees("CHANGED: on ")
	x.sees("ab:ab:ab")
	x.keys("q")
	x.sees("! A: The certificate of")
	x.keys("q")
	x.sees("Waiting for you:")
	os.WriteFile(file, []byte("what is this\n"), 0o600)
	if out, code := m.run(); code != 1 || !strings.Contains(out, "line 1 of ") {
		t.Errorf("a damaged file: exit status %d\n%s", code, out)
	}
}

// TestScreenEndToEnd starts the program in a terminal and does what people do
// with it.
func TestScreenEndToEnd(t *testing.T) {
	x := newTerminal(t)
	srv := filled(t, "screen", 60, dovecot.Options{})
	m := newMailbox(t, srv, "screen")
	m.extra["remotepass"] = ""
	m.write()
	text, _ := os.ReadFile(m.config)
	os.WriteFile(m.config, []byte(strings.Replace(string(text), "[Account A]\n", "[Account A]\nautorefresh = 60\n", 1)), 0o600)
	tape := filepath.Join(m.dir, "tape")
	x.keys(binary+" --record "+tape+" -c "+m.config+"; echo status $?", "Enter")
	x.sees("Password for account A: ")
	x.keys(dovecot.Password, "Enter")
	x.sees("sleeping", dovecot.Password)
	x.sees("RTT ")
	// The protocol of a round, and no password in it.
	x.keys("t", "s")
	x.sees(" LOGOUT", dovecot.Password)
	x.keys("Escape")
	x.sees("folders ──")
	x.keys("Escape")
	x.sees("STATE")
	// Blinkenlights, sizes, the mouse.
	x.keys("b")
	x.sees("*Control:", "STATE")
	x.run("resize-window", "-x", "40", "-y", "12")
	x.sees("1: [ 59:")
	x.run("resize-window", "-x", "1", "-y", "1")
	x.run("resize-window", "-x", "100", "-y", "30")
	x.keys("b")
	x.sees("STATE")
	x.keys("?")
	x.sees("give the mouse to the terminal")
	x.keys("Escape")
	x.sees("STATE", "give the mouse")
	// The background and back.
	x.keys("C-z")
	x.sees("Stopped", "STATE")
	x.keys("clear; echo on the shell", "Enter")
	x.sees("on the shell\n$")
	x.keys("fg", "Enter")
	x.sees("STATE", "on the shell")
	x.keys("q")
	x.sees("\n$", "STATE")
	x.types("clear; stty -a", " icanon")
	x.sees(" echo ")
	m.replays(tape)
	// A signal leaves the terminal as it was too.
	x.keys("clear; "+binary+" -c "+m.config+" & echo $! > "+m.dir+"/pid; fg; echo ended", "Enter")
	x.sees("Password for account A: ")
	x.keys("C-l")
	pid, err := os.ReadFile(m.dir + "/pid")
	if err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("kill", "-TERM", strings.TrimSpace(string(pid))).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	x.sees("ended", "STATE")
	x.types("clear; stty -a", " icanon")
	x.sees(" echo ")
}

// replays looks at a recording of what TestScreenEndToEnd does: the frames show it,
// and the password is not in it.
func (m *mailbox) replays(tape string) {
	m.t.Helper()
	b, err := os.ReadFile(tape)
	if err != nil {
		m.t.Fatal(err)
	}
	if st, err := os.Stat(tape); err != nil || st.Mode().Perm() != 0o600 {
		m.t.Errorf("%v, %v", st, err)
	}
	typed := ""
	for line := range strings.Lines(string(b)) {
		var c rune
		if _, key, ok := strings.Cut(line, `"ui":"key","rune":`); ok {
			fmt.Sscan(strings.TrimRight(key, "}\n"), &c)
			typed += string(c)
		}
	}
	if bytes.Contains(b, []byte(`"`+dovecot.Password+`"`)) || strings.Contains(typed, dovecot.Password) || !strings.HasPrefix(typed, strings.Repeat("x", len(dovecot.Password))) {
		m.t.Errorf("typed %q", typed)
	}
	seen := map[string]bool{}
	err = ui.Replay(bytes.NewReader(b), func(_ time.Time, f *ui.Frame) error {
		text := f.Text()
		for _, want := range []string{"Password for account A: ", "sleeping", " LOGOUT", "*Control:", "give the mouse to the terminal"} {
			seen[want] = seen[want] || strings.Contains(text, want)
		}
		seen[fmt.Sprint(f.W, "x", f.H)] = true
		return nil
	})
	for _, want := range []string{"Password for account A: ", "sleeping", " LOGOUT", "*Control:", "give the mouse to the terminal", "100x30", "40x12"} {
		if !seen[want] {
			m.t.Errorf("the replay shows no %q (%v)", want, err)
		}
	}
}

// TestScreenSyncsAFolder: s on a folder, in its account's details, syncs that folder
// and no other; s on the account syncs them all.
func TestScreenSyncsAFolder(t *testing.T) {
	x := newTerminal(t)
	srv := filled(t, "onefolder", 30, dovecot.Options{})
	m := newMailbox(t, srv, "onefolder")
	if err := m.client().Create("Elsewhere"); err != nil {
		t.Fatal(err)
	}
	m.put("INBOX", "first")
	m.put("Elsewhere", "second")
	m.write()
	m.accountKeys("autorefresh = 60")
	x.keys(binary+" -c "+m.config+"; echo status $?", "Enter")
	x.sees("sleeping")
	m.put("Elsewhere", "third")
	m.put("INBOX", "fourth")
	inbox, elsewhere := m.inMaildir("INBOX"), m.inMaildir("Elsewhere")
	x.keys("Enter")
	x.sees("folders ──")
	x.keys("f")
	x.sees("Show folders with")
	x.keys("INBOX", "Enter")
	x.sees("folder of ")
	x.keys("j", "j", "j", "j", "s", "Escape", "Escape")
	x.sees("of folder INBOX of A")
	x.sees("Next refresh in 6")
	for range 400 {
		if m.inMaildir("INBOX") > inbox {
			break
		}
		time.Sleep(25 * time.Millisecond)
	}
	x.sees("sleeping")
	if n := m.inMaildir("INBOX"); n != inbox+1 {
		t.Errorf("INBOX has %d messages, want %d\n%s", n, inbox+1, x.run("capture-pane", "-p"))
	}
	if n := m.inMaildir("Elsewhere"); n != elsewhere {
		t.Errorf("Elsewhere, which was not asked for, has %d messages", n)
	}
	x.keys("s")
	for range 400 {
		if m.inMaildir("Elsewhere") > elsewhere {
			break
		}
		time.Sleep(25 * time.Millisecond)
	}
	x.sees("sleeping")
	m.equal("after both", verify.Options{})
	x.keys("q")
	x.sees("status 0")
}

// TestScreenChoice: a folder that one side lost waits; c says what each choice does; m
// makes it again, f forgets it, and nothing else happens to either.
func TestScreenChoice(t *testing.T) {
	x := newTerminal(t)
	srv := filled(t, "choicekey", 20, dovecot.Options{})
	m := newMailbox(t, srv, "choicekey")
	c := m.client()
	for _, folder := range []string{"Local", "Distant", "Unwanted"} {
		if err := c.Create(folder); err != nil {
			t.Fatal(err)
		}
		m.put(folder, "only one of "+folder)
	}
	m.write()
	m.sync()
	if err := os.RemoveAll(filepath.Join(m.root, "Local")); err != nil {
		t.Fatal(err)
	}
	for _, folder := range []string{"Distant", "Unwanted"} {
		if err := c.Delete(folder); err != nil {
			t.Fatal(err)
		}
	}
	m.accountKeys("autorefresh = 60")
	x.keys(binary+" -c "+m.config+"; echo status $?", "Enter")
	x.sees("! A/Local: Folder Local rests: the Maildir is gone")
	x.sees("sleeping")
	x.sees("c choose")
	choose := func(folder, says, key string) {
		t.Helper()
		x.keys("Enter")
		x.sees("folders ──")
		x.keys("f")
		x.sees("Show folders with")
		x.keys(folder, "Enter")
		x.sees("folder of ")
		x.keys("j", "j", "j", "c")
		x.sees("A: Folder " + folder + " rests: ")
		x.sees(says)
		x.keys("n") // leaves it as it is
		x.sees("folder of ", "n: leave it")
		x.keys("c")
		x.sees("m: make it again  f: forget it  n: leave it")
		x.keys(key)
		x.sees("folder of ", "n: leave it")
		x.keys("Escape", "Escape")
		x.sees("Speed", "! A/"+folder, "syncing")
	}
	choose("Local", "every message that the server has in it (1)", "m")
	choose("Distant", "every message of the Maildir is uploaded", "m")
	choose("Unwanted", "the Maildir stays as it is, and is no longer synced", "f")
	x.sees("Folder Unwanted is no longer synced")
	if n := m.inMaildir("Local"); n != 1 {
		t.Errorf("Local has %d files", n)
	}
	if n, err := c.Select("Distant"); err != nil || n.Exists != 1 {
		t.Errorf("Distant: %v, %v", n, err)
	}
	if _, err := c.Select("Unwanted"); err == nil || m.inMaildir("Unwanted") != 1 {
		t.Errorf("Unwanted was made again, or lost its %d files", m.inMaildir("Unwanted"))
	}
	x.keys("q")
	x.sees("status 0")
	if out := m.sync("-o"); strings.Contains(out, "rests") {
		t.Error(out)
	}
}

// TestScreenUndo: u shows what the server's deletions took from here; y brings it
// back, also while a sync is going on, after it; the next sync uploads it.
func TestScreenUndo(t *testing.T) {
	x := newTerminal(t)
	srv := filled(t, "undokey", 20, dovecot.Options{})
	m := newMailbox(t, srv, "undokey")
	for _, subject := range []string{"first of these", "second of these"} {
		m.put("INBOX", subject) // the newest of all
	}
	m.write()
	m.accountKeys("autorefresh = 60", "presynchook = while [ -e "+m.dir+"/hold ]; do sleep 0.05; done")
	x.keys(binary+" -c "+m.config+"; echo status $?", "Enter")
	x.sees("sleeping")
	x.keys("u")
	x.sees("Nothing was deleted here")
	before := m.inMaildir("INBOX")
	c := m.client()
	if _, err := c.Select("INBOX"); err != nil {
		t.Fatal(err)
	}
	for _, cmd := range []string{fmt.Sprintf(`STORE %d:%d +FLAGS (\Deleted)`, before-1, before), "EXPUNGE"} {
		if _, err := c.Command(cmd); err != nil {
			t.Fatal(err)
		}
	}
	wait := func(n int) {
		t.Helper()
		for range 400 {
			if m.inMaildir("INBOX") == n {
				return
			}
			time.Sleep(25 * time.Millisecond)
		}
		t.Fatalf("INBOX has %d messages, want %d\n%s", m.inMaildir("INBOX"), n, x.run("capture-pane", "-p"))
	}
	x.keys("s")
	wait(before - 2)
	x.sees("sleeping")
	x.keys("u")
	x.sees("y: bring back")
	x.sees("Bring back 2 messages")
	x.sees("second of these")
	x.keys("n")
	x.sees("sleeping", "y: bring back")
	wait(before - 2)
	// While a round goes on it waits for the end of it.
	if err := os.WriteFile(m.dir+"/hold", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	x.keys("s")
	x.sees("Calling hook")
	x.sees("syncing")
	x.keys("u")
	x.sees("y: bring back")
	x.keys("y")
	x.sees("when the sync that is going on has ended")
	wait(before - 2)
	if err := os.Remove(m.dir + "/hold"); err != nil {
		t.Fatal(err)
	}
	x.sees("2 messages brought back; the next sync")
	wait(before)
	x.keys("u")
	x.sees("Nothing was deleted here")
	x.keys("s")
	for range 400 {
		if n, err := c.Select("INBOX"); err == nil && int(n.Exists) == before {
			break
		}
		time.Sleep(25 * time.Millisecond)
	}
	x.sees("sleeping")
	m.equal("after the undo", verify.Options{})
	x.keys("q")
	x.sees("status 0")
}
