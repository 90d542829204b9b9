package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"offloop/cmd/internal/lab"
	"offloop/cmd/internal/lab/dovecot"
)

// A password given nowhere is asked of the keyring's program, by the server's and
// the user's name; never with --ignore-keyring, and no longer than the server takes it.
func TestKeyring(t *testing.T) {
	m := newMailbox(t, lab.NeedDovecot(t), "keyring")
	m.put("INBOX", "one")
	m.extra["remotepass"] = ""
	m.write()
	k := newFakeKeyring(t, m)
	fake, run := k.answers, k.run
	fake("echo " + dovecot.Password)
	out, code, asked := run("-o", "-d", "imap")
	if code != 0 || stats(t, out)["downloaded"] != "1" || strings.Count(asked, "\n") != 1 || !strings.Contains(asked, m.srv.Host) || !strings.Contains(asked, "keyring") {
		t.Errorf("exit status %d, it was asked %q\n%s", code, asked, out)
	}
	fake("exit 1")
	if out, code, asked := run("-o"); code != 1 || asked == "" || !strings.Contains(out, "password") {
		t.Errorf("an empty keyring: exit status %d, it was asked %q\n%s", code, asked, out)
	}
	fake("echo " + dovecot.Password)
	if out, code, asked := run("-o", "--ignore-keyring"); code != 1 || asked != "" {
		t.Errorf("--ignore-keyring: exit status %d, it was asked %q\n%s", code, asked, out)
	}
	if out, code, asked := run("-o", "-k", "ignore-keyring=yes"); code != 1 || asked != "" {
		t.Errorf("ignore-keyring = yes: exit status %d, it was asked %q\n%s", code, asked, out)
	}
	fake("echo wrong-secret")
	if out, code, asked := run("-o"); code != 1 || strings.Count(asked, "\n") != 1 || strings.Contains(out, "wrong-secret") {
		t.Errorf("a wrong password: exit status %d, it was asked %q\n%s", code, asked, out)
	}
}

// fakeKeyring is the keyring's program as a shell script.
type fakeKeyring struct {
	m         *mailbox
	bin, said string
}

func newFakeKeyring(t *testing.T, m *mailbox) *fakeKeyring {
	return &fakeKeyring{m: m, bin: t.TempDir(), said: filepath.Join(m.dir, "said")}
}

// answers makes the program write down its arguments and then run script.
func (k *fakeKeyring) answers(script string) {
	program := "secret-tool"
	if runtime.GOOS == "darwin" {
		program = "security"
	}
	os.Remove(k.said)
	if err := os.WriteFile(filepath.Join(k.bin, program), []byte("#!/bin/sh\necho \"$*\" >> "+k.said+"\n"+script+"\n"), 0o755); err != nil {
		k.m.t.Fatal(err)
	}
}

// run gives what offloop said, its exit status, and what the keyring was asked.
func (k *fakeKeyring) run(args ...string) (string, int, string) {
	cmd := exec.Command(binary, append([]string{"-c", k.m.config, "-u", "basic", "--stats"}, args...)...)
	cmd.Env = append(os.Environ(), "PATH="+k.bin+":"+os.Getenv("PATH"), "HOME="+k.m.dir)
	out, _ := cmd.CombinedOutput()
	asked, _ := os.ReadFile(k.said)
	return string(out), cmd.ProcessState.ExitCode(), string(asked)
}

// keeps is a keyring of one password, in a file.
func (k *fakeKeyring) keeps(file string) {
	if runtime.GOOS == "darwin" {
		k.answers(`if [ "$1" = -i ]; then sed 's/.*-X //' | xxd -r -p > ` + file + `; else cat ` + file + `; fi`)
		return
	}
	k.answers(`if [ "$1" = store ]; then cat > ` + file + `; else cat ` + file + `; fi`)
}

// --update-keyring stores the password that the server took, once, never in the
// program's arguments; a wrong one is not stored, nor what came from the keyring.
func TestUpdateKeyring(t *testing.T) {
	m := newMailbox(t, lab.NeedDovecot(t), "updatekeyring")
	m.put("INBOX", "one")
	m.write()
	k, file := newFakeKeyring(t, m), filepath.Join(m.dir, "kept")
	kept := func() string {
		b, _ := os.ReadFile(file)
		os.Remove(file)
		return string(b)
	}
	k.keeps(file)
	if out, code, _ := k.run("-o", "-k", "Repository_R:remotepass=wrong", "--update-keyring"); code != 1 || kept() != "" {
		t.Errorf("a wrong password: exit status %d\n%s", code, out)
	}
	if out, code, asked := k.run("-o", "--dry-run", "--update-keyring"); code != 0 || kept()+asked != "" {
		t.Errorf("a dry run: exit status %d, the keyring was asked %q\n%s", code, asked, out)
	}
	out, code, asked := k.run("-o", "--update-keyring", "-d", "imap")
	if got := kept(); code != 0 || got != dovecot.Password || slices.Contains(strings.Fields(asked+out), dovecot.Password) || !strings.Contains(out, "into the keyring") || strings.Count(asked, "\n") != 2 {
		t.Errorf("exit status %d, kept %q, it was asked\n%s\n%s", code, got, asked, out)
	}
	if _, code, _ := k.run("-o", "-k", "update-keyring=yes"); code != 0 || kept() != dovecot.Password {
		t.Errorf("update-keyring = yes: exit status %d", code)
	}
	k.answers("exit 1")
	if out, code, _ := k.run("-o", "--update-keyring"); code != 1 || !strings.Contains(out, "put the password into the keyring") || !strings.Contains(out, "ERROR: Exceptions occurred") {
		t.Errorf("a keyring that refuses: exit status %d\n%s", code, out)
	}
	m.extra["remotepass"] = ""
	m.write()
	k.answers("echo " + dovecot.Password)
	if out, code, asked := k.run("-o", "--update-keyring"); code != 0 || strings.Count(asked, "\n") != 1 {
		t.Errorf("a password from the keyring: exit status %d, it was asked\n%s\n%s", code, asked, out)
	}
	if out, code, _ := k.run("--info", "--update-keyring"); code != 2 || !strings.Contains(out, "is for a sync") {
		t.Errorf("with --info: exit status %d\n%s", code, out)
	}
	k.bin = t.TempDir()
	t.Setenv("PATH", k.bin)
	if out, code, _ := k.run("-o", "--update-keyring"); code != 1 || !strings.Contains(out, "is not installed") {
		t.Errorf("without the program: exit status %d\n%s", code, out)
	}
}

// keyring.get_password works in the file and in a pythonfile where Python has no
// such module, by the system's own program.
func TestKeyringModule(t *testing.T) {
	py, err := exec.LookPath("python3")
	if err != nil || exec.Command(py, "-c", "import keyring").Run() == nil {
		t.Skip("python3 is not here, or has the module itself")
	}
	m := newMailbox(t, lab.NeedDovecot(t), "keyringmodule")
	m.put("INBOX", "one")
	m.extra["remotepass"] = ""
	for _, def := range []string{"", "import keyring\nfrom keyring import get_password\ndef secret():\n    assert keyring.get_password('other', 'x') == get_password('other', 'x')\n    return keyring.get_password('imap.example.org', 'jo')\n"} {
		m.extra["remotepasseval"] = "keyring.get_password('imap.example.org', 'jo')"
		if def != "" {
			m.extra["remotepasseval"] = "secret()"
		}
		m.write()
		if def != "" {
			m.pythonfile(def)
		}
		k := newFakeKeyring(t, m)
		k.answers(`case "$*" in *imap.example.org*jo*) echo ` + dovecot.Password + `;; *) exit 1;; esac`)
		if out, code, asked := k.run("-o"); code != 0 || !strings.Contains(asked, "imap.example.org") || slices.Contains(strings.Fields(out), dovecot.Password) {
			t.Errorf("%q: exit status %d, it was asked %q\n%s", def, code, asked, out)
		}
	}
	m.extra["remotepasseval"] = "ask()"
	m.write()
	m.pythonfile("def ask():\n    return input('Password: ')\n")
	if out, code := m.run("-o"); code != 1 || !strings.Contains(out, "input() asks at the terminal, which a configuration cannot do") {
		t.Errorf("input: exit status %d\n%s", code, out)
	}
}
