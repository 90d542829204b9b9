package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
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
	program := "secret-tool"
	if runtime.GOOS == "darwin" {
		program = "security"
	}
	bin, said := t.TempDir(), filepath.Join(m.dir, "said")
	fake := func(answer string) {
		os.Remove(said)
		if err := os.WriteFile(filepath.Join(bin, program), []byte("#!/bin/sh\necho \"$*\" >> "+said+"\n"+answer+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	run := func(args ...string) (string, int, string) {
		cmd := exec.Command(binary, append([]string{"-c", m.config, "-u", "basic", "--stats"}, args...)...)
		cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "HOME="+m.dir)
		out, _ := cmd.CombinedOutput()
		asked, _ := os.ReadFile(said)
		return string(out), cmd.ProcessState.ExitCode(), string(asked)
	}
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
