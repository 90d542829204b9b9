package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"offloop/cmd/internal/lab"
	"offloop/cmd/internal/lab/dovecot"
)

// pythonfile sets [general] pythonfile.
func (m *mailbox) pythonfile(text string) {
	m.t.Helper()
	file := filepath.Join(m.dir, "helpers.py")
	b, err := os.ReadFile(m.config)
	if err != nil {
		m.t.Fatal(err)
	}
	s := strings.Replace(string(b), "[general]\n", "[general]\npythonfile = "+file+"\n", 1)
	for name, text := range map[string]string{file: text, m.config: s, filepath.Join(m.dir, "secret"): dovecot.Password + "\n", filepath.Join(m.dir, "user"): m.user} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			m.t.Fatal(err)
		}
	}
}

// What offloop cannot evaluate itself, a python3 child does: a password from a
// command, a filter with a look-ahead, a translation that opens a file.
func TestPythonChild(t *testing.T) {
	srv := lab.NeedDovecot(t)
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip("python3 is not here")
	}
	m := newMailbox(t, srv, "python-child")
	c := m.client()
	for _, f := range []string{"Work", "Trash", "Other"} {
		if err := c.Create(f); err != nil {
			t.Fatal(err)
		}
	}
	m.put("Work", "one")
	m.extra["remotepass"], m.extra["remoteuser"], m.extra["remotehost"], m.extra["remoteport"] = "", "", "", ""
	m.extra["remotehosteval"] = "'" + srv.Host + "'"
	m.extra["remoteporteval"] = "port()"
	m.extra["remotepasseval"] = "secret('secret')"
	m.extra["remoteusereval"] = "secret('user')"
	m.extra["nametrans"] = "there"
	m.extra["folderfilter"] = "lambda f: not re.search('^(?=Tr)', f)"
	m.write()
	m.pythonfile(`
import subprocess, os
print("noise on standard output")
DIR = '` + m.dir + `'
def port():
    return int(str(` + fmt.Sprint(srv.TLSPort) + `).encode().decode())
def secret(what):
    return subprocess.check_output(['cat', os.path.join(DIR, what)]).decode().strip()
def there(name):
    with open(DIR + '/asked', 'a') as f:
        f.write(name + '\n')
    return {'Work': 'job'}.get(name, name)
`)
	b, _ := os.ReadFile(m.config)
	s := strings.Replace(string(b), "type = Maildir\n", "type = Maildir\nnametrans = lambda f: {'job': 'Work'}.get(f, f)\n", 1)
	os.WriteFile(m.config, []byte(s), 0o600)
	if err := os.MkdirAll(filepath.Join(m.root, "mine", "cur"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, d := range []string{"new", "tmp"} {
		os.Mkdir(filepath.Join(m.root, "mine", d), 0o700)
	}
	out, code := m.run("--info")
	for _, want := range []string{"evaluates", "remotepasseval of [Repository R]", "folderfilter", "Work -> job", "Trash -> Trash (disabled)", "Other -> Other\n"} {
		if code != 0 || !strings.Contains(out, want) {
			t.Errorf("--info lacks %q (status %d):\n%s", want, code, out)
		}
	}
	out = m.sync()
	if got := stats(t, out); got["downloaded"] != "1" {
		t.Errorf("%s", out)
	}
	if _, err := os.Stat(filepath.Join(m.root, "job", "new")); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(m.root, "Trash")); err == nil {
		t.Error("the filter let Trash through")
	}
	boxes, err := c.List()
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for _, b := range boxes {
		found = found || b.Name == "mine"
	}
	if !found {
		t.Errorf("the local folder was not created on the server: %v", boxes)
	}
	quiet(t, m.sync())
}

// TestCheckPython: check has python3 evaluate what a sync would ask it for, but for what
// asks for a password or does something, and says where it goes wrong and what to write.
func TestCheckPython(t *testing.T) {
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip("python3 is not here")
	}
	const good = `
import os
def secret(): os.system('echo > ran'); return ''
def play(): os.system('echo > ran')
def there(name): os.getpid(); return name
def order(a, b): os.getpid(); return (a > b) - (a < b)
`
	cut := func(old, new string) string { return strings.Replace(good, old, new, 1) }
	for name, c := range map[string]struct {
		file string
		code int
		says []string
	}{
		"good":         {good, 0, []string{"rc is fine"}},
		"no module":    {good + "import no_such_module", 1, []string{"helpers.py:7: error: the pythonfile cannot be run: ModuleNotFoundError: No module named 'no_such_module'. So this account is not synced (it is for remotepasseval, newmail_hook, folderfilter, nametrans, foldersort); python3 "}},
		"syntax":       {good + "def x(:", 1, []string{"helpers.py:7: error: the pythonfile cannot be run: SyntaxError: "}},
		"its secret":   {good + "raise ValueError('hunter2')", 1, []string{"helpers.py:7: error: the pythonfile cannot be run: python3 raised ValueError"}},
		"no password":  {cut("def secret", "def another"), 1, []string{"rc:15: error: remotepasseval cannot be evaluated, so this account is not synced: NameError: name 'secret' is not defined (write: remotepasscmd = "}},
		"no hook":      {cut("def play", "def another"), 0, []string{"rc:19: warning: newmail_hook cannot be evaluated, so it does nothing: NameError: name 'play' is not defined (write: newmail_cmd = ", "can be used; see the warnings above"}},
		"no order":     {cut("def order", "def another"), 0, []string{"rc:18: warning: foldersort cannot be evaluated, so it does nothing: NameError: name 'order' is not defined\n"}},
		"wrong name":   {cut("os.getpid(); return name", "os.getpidd(); return name"), 1, []string{"rc:16: error: nametrans cannot be evaluated, so this account is not synced: for every name it raises AttributeError: ", "helpers.py, line 5) (write: rename = "}},
		"no name":      {cut("return name", "return 3"), 1, []string{"rc:16: error: nametrans cannot be evaluated, so this account is not synced: nametrans of \"INBOX\" gives a number, not a name"}},
		"another name": {cut("return name", "return {'Mine': 'mine'}[name]"), 0, []string{"rc:16: warning: nametrans may not work: for each of the names tried (INBOX and others) it raises KeyError: 'INBOX' ("}},
		"some names":   {cut("return name", "return {'INBOX': 'INBOX'}[name]"), 0, []string{"rc is fine"}},
		"dies":         {cut("import os", "import os; os._exit(3)"), 1, []string{"rc:15: error: remotepasseval cannot be evaluated, so this account is not synced: python3, asked for what ", " says: it ended with status 3"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			rc := fmt.Sprintf("[general]\naccounts = A\npythonfile = %s/helpers.py\n[Account A]\nlocalrepository = L\nremoterepository = R\n"+
				"[Repository L]\ntype = Maildir\nlocalfolders = %s/mail\n[Repository R]\ntype = IMAP\nremotehost = localhost\nremoteuser = me\nssl = no\n"+
				"remotepasseval = secret()\nnametrans = there\nfolderfilter = lambda f: not re.search('^(?=Tr)', f)\nfoldersort = order\nnewmail_hook = lambda: play()\n", dir, dir)
			for file, text := range map[string]string{"rc": rc, "helpers.py": c.file} {
				if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			cmd := exec.Command(binary, "-c", dir+"/rc", "check")
			cmd.Dir = dir
			b, _ := cmd.CombinedOutput()
			out := string(b)
			for _, want := range c.says {
				if !strings.Contains(out, want) {
					t.Errorf("no %q in\n%s", want, out)
				}
			}
			if code := cmd.ProcessState.ExitCode(); code != c.code || strings.Contains(out, "hunter2") {
				t.Errorf("status %d, want %d\n%s", code, c.code, out)
			}
			if _, err := os.Stat(dir + "/ran"); err == nil {
				t.Error("a password program or a hook was run")
			}
		})
	}
}

// A function that raises stops the account and says why, without the secret.
func TestPythonChildFails(t *testing.T) {
	srv := lab.NeedDovecot(t)
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip("python3 is not here")
	}
	for name, x := range map[string]struct{ def, says string }{
		"exception": {"def secret(): raise ValueError('hunter2')", "remotepasseval: python3 raised ValueError"},
		"no module": {"import no_such_module\ndef secret(): return no_such_module.x", "No module named 'no_such_module'"},
		"no file":   {"import subprocess\ndef secret(): return subprocess.check_output(['/no/such/program'])", "FileNotFoundError"},
		"dies":      {"import os\ndef secret(): os._exit(3)", "it ended with status 3"},
		"not text":  {"import os\ndef secret(): return [os.getpid()]", "it is a list, not a string"},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMailbox(t, srv, "python-fails")
			m.extra["remotepass"], m.extra["remotepasseval"] = "", "secret()"
			m.write()
			m.pythonfile(x.def + "\n")
			out, code := m.run()
			if code != 1 || !strings.Contains(out, x.says) || strings.Contains(out, "hunter2") {
				t.Errorf("status %d, want %q:\n%s", code, x.says, out)
			}
		})
	}
}
