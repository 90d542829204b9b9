package main

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"offloop/cmd/internal/lab/dovecot"
	"offloop/cmd/internal/lab/verify"
)

// files waits until a folder's Maildir holds n files.
func (x *terminal) files(m *mailbox, folder string, n int) {
	x.t.Helper()
	for range 400 {
		if m.inMaildir(folder) == n {
			return
		}
		time.Sleep(25 * time.Millisecond)
	}
	x.t.Fatalf("%s has %d messages, want %d\n%s", folder, m.inMaildir(folder), n, x.run("capture-pane", "-p"))
}

// restored fails unless the shell has its terminal back, echo included.
func (x *terminal) restored() {
	x.t.Helper()
	x.types("clear; stty -a", " icanon")
	x.sees(" echo ")
}

// TestScreenAllow: a shows each delete that the brake holds back; n leaves them, y
// lets these through, and others later wait again.
func TestScreenAllow(t *testing.T) {
	x := newTerminal(t)
	srv := filled(t, "allowkey", 10, dovecot.Options{})
	m := newMailbox(t, srv, "allowkey")
	c := m.client()
	if err := c.Create("Many"); err != nil {
		t.Fatal(err)
	}
	for i := range 32 {
		m.put("Many", fmt.Sprintf("subject number %02d.", i))
	}
	m.write()
	m.accountKeys("autorefresh = 60")
	gone := func(uids string) {
		t.Helper()
		if _, err := c.Select("Many"); err != nil {
			t.Fatal(err)
		}
		for _, cmd := range []string{`UID STORE ` + uids + ` +FLAGS (\Deleted)`, "EXPUNGE"} {
			if _, err := c.Command(cmd); err != nil {
				t.Fatal(err)
			}
		}
	}
	x.keys(binary+" -c "+m.config+"; echo status $?", "Enter")
	x.sees("sleeping")
	x.files(m, "Many", 32)
	gone("1:12")
	x.keys("s")
	x.sees("! A/Many: Brake: 12 of 32")
	x.sees("(a: allow)", "syncing")
	x.keys("a")
	x.sees("Allow 12 deletes in A/Many?")
	screen := x.sees("subject number 11.")
	for i := range 12 {
		if !strings.Contains(screen, fmt.Sprintf("subject number %02d.", i)) {
			t.Errorf("delete %d is not shown:\n%s", i, screen)
		}
	}
	x.keys("n")
	x.sees("(a: allow)", "y: yes")
	x.files(m, "Many", 32)
	x.keys("a")
	x.sees("y: yes")
	x.keys("y")
	x.files(m, "Many", 20)
	x.sees("sleeping", "(a: allow)")
	gone("13:24")
	x.keys("s")
	x.sees("! A/Many: Brake: 12 of 20")
	x.sees("sleeping")
	x.files(m, "Many", 20)
	x.keys("q")
	x.sees("status 0")
	m.sync("-o", "--allow-deletes", "Many")
	m.equal("after all", verify.Options{})
}

// TestScreenReload: r takes up a changed configuration; one with errors is refused in
// words, and the old one goes on.
func TestScreenReload(t *testing.T) {
	x := newTerminal(t)
	srv := filled(t, "reloadkey", 10, dovecot.Options{})
	m := newMailbox(t, srv, "reloadkey")
	m.write()
	m.accountKeys("autorefresh = 60")
	good, err := os.ReadFile(m.config)
	if err != nil {
		t.Fatal(err)
	}
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(m.config, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	x.keys(binary+" -c "+m.config+"; echo status $?", "Enter")
	x.sees("sleeping")
	for _, broken := range []string{"[general\n", strings.Replace(string(good), "accounts = A", "accounts = Z", 1),
		strings.Replace(string(good), "remotehost", "remotehots", 1), strings.Replace(string(good), "autorefresh = 60", "autorefresh = soon", 1)} {
		write(broken)
		x.keys("r")
		x.sees("! The configuration was not read again, what was read before goes on: ")
		x.sees("(r: again)")
		x.keys("s")
		x.sees("sleeping")
		write(string(good))
		x.keys("r")
		x.sees("sleeping", "(r: again)", "not read again")
	}
	m.put("INBOX", "seen by the old one")
	write(strings.Replace(string(good), "autorefresh = 60", "autorefresh = 5", 1))
	x.keys("r")
	x.sees("Next refresh in 5.0 minutes")
	x.sees("sleeping")
	m.equal("after the last", verify.Options{})
	x.keys("q")
	x.sees("status 0")
	x.restored()
}

// TestScreenQuitNow: Q does not wait for what is under way, restores the terminal, and
// the next run goes on from there.
func TestScreenQuitNow(t *testing.T) {
	x := newTerminal(t)
	srv := filled(t, "quitnow", 10, dovecot.Options{})
	m := newMailbox(t, srv, "quitnow")
	m.write()
	hold := m.dir + "/hold"
	m.accountKeys("autorefresh = 60", "presynchook = while [ -e "+hold+" ]; do sleep 0.05; done")
	if err := os.WriteFile(hold, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	x.keys(binary+" -c "+m.config+"; echo status $?", "Enter")
	x.sees("Calling hook")
	x.keys("Q")
	x.sees("status 1", "STATE")
	x.restored()
	if err := os.Remove(hold); err != nil {
		t.Fatal(err)
	}
	m.sync("-o")
	m.equal("after the next run", verify.Options{})
}

// TestScreenSignals: a signal that ends the program leaves the terminal as it was.
func TestScreenSignals(t *testing.T) {
	x := newTerminal(t)
	srv := filled(t, "screensignals", 10, dovecot.Options{})
	m := newMailbox(t, srv, "screensignals")
	m.write()
	m.accountKeys("autorefresh = 60")
	for _, signal := range []string{"INT", "HUP"} {
		x.keys("clear; "+binary+" -c "+m.config+" & echo $! > "+m.dir+"/pid; fg; echo ended by "+signal+" with $?", "Enter")
		x.sees("sleeping")
		pid, err := os.ReadFile(m.dir + "/pid")
		if err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command("kill", "-"+signal, strings.TrimSpace(string(pid))).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		x.sees("\nended by "+signal+" with 0", "STATE")
		x.restored()
		x.types("clear; echo $((40+2)) on the shell", "42 on the shell")
	}
	m.equal("after both", verify.Options{})
}

// TestScreenGetpass: what getpass asks in a pythonfile is asked in the live screen's own
// prompt, again if it was wrong, and leaves the screen as it was.
func TestScreenGetpass(t *testing.T) {
	x := newTerminal(t)
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip("python3 is not here")
	}
	srv := filled(t, "getpass", 10, dovecot.Options{})
	m := newMailbox(t, srv, "getpass")
	m.extra["remotepass"], m.extra["remotepasseval"] = "", "secret()"
	m.write()
	m.pythonfile("from getpass import getpass\ndef secret():\n    return getpass('The key of the vault: ')[1:]\n")
	m.accountKeys("autorefresh = 60")
	x.keys(binary+" -c "+m.config+"; echo status $?", "Enter")
	x.sees("The key of the vault:")
	x.keys("wrong", "Enter")
	x.sees("login failed")
	x.keys("s")
	x.sees("Password for account A:")
	x.keys("x"+dovecot.Password, "Enter")
	screen := x.sees("sleeping", "Password for account A:")
	if !strings.HasPrefix(screen, " offloop "+version) || strings.Contains(screen, "wrong") || strings.Contains(screen, dovecot.Password) {
		t.Errorf("the screen:\n%s", screen)
	}
	m.equal("typed", verify.Options{})
	x.keys("s") // not asked again
	x.sees("sleeping", "Password for account A:")
	x.keys("q")
	x.sees("status 1") // for the wrong one
	x.restored()
	if out, code := m.run("-o", "-u", "basic"); code != 1 || !strings.Contains(out, "getpass, asked for by remotepasseval: there is no terminal to ask at") {
		t.Errorf("without a terminal: status %d\n%s", code, out)
	}
	m.pythonfile("from getpass import getpass\nKEY = getpass()\ndef secret():\n    return KEY\n")
	if out, code := m.run("check"); code != 0 || !strings.Contains(out, "remotepasseval may not work: it asks for a password (getpass), and so was not tried") {
		t.Errorf("check: status %d\n%s", code, out)
	}
}

// TestScreenAfterPinentry: what a program that gives the password writes to the terminal is
// painted over once it has ended.
func TestScreenAfterPinentry(t *testing.T) {
	x := newTerminal(t)
	srv := filled(t, "pinentry", 10, dovecot.Options{})
	m := newMailbox(t, srv, "pinentry")
	m.extra["remotepass"], m.extra["remotepasscmd"] = "", "printf '\\033[1;60HPassphrase' >/dev/tty; sleep 0.3; echo "+dovecot.Password
	m.write()
	m.accountKeys("autorefresh = 60")
	x.keys(binary+" -c "+m.config+"; echo status $?", "Enter")
	screen := x.sees("sleeping", "Passphrase")
	if !strings.HasPrefix(screen, " offloop "+version) || strings.Count(screen, "ACCOUNT") != 1 {
		t.Errorf("the screen:\n%s", screen)
	}
	x.keys("q")
	x.sees("status 0")
	x.restored()
}
