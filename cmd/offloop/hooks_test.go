package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"offloop/cmd/internal/lab"
	"offloop/cmd/internal/lab/imapc"
)

// put delivers one message on the server.
func (m *mailbox) put(folder, subject string, flags ...string) {
	m.t.Helper()
	c := m.client()
	defer c.Logout()
	body := fmt.Sprintf("Date: Mon, 02 Jan 2006 15:04:05 +0000\r\nMessage-ID: <%s@x>\r\nSubject: %s\r\n\r\nbody\r\n", subject, subject)
	if _, err := c.Append(folder, imapc.Upload{Body: []byte(body), Flags: flags}); err != nil {
		m.t.Fatal(err)
	}
}

// accountKeys adds keys to the section [Account A].
func (m *mailbox) accountKeys(lines ...string) {
	m.t.Helper()
	b, err := os.ReadFile(m.config)
	if err != nil {
		m.t.Fatal(err)
	}
	s := strings.Replace(string(b), "[Account A]\n", "[Account A]\n"+strings.Join(lines, "\n")+"\n", 1)
	if err := os.WriteFile(m.config, []byte(s), 0o600); err != nil {
		m.t.Fatal(err)
	}
}

func lines(t *testing.T, file string) []string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return strings.Fields(string(b))
}

func TestHooks(t *testing.T) {
	srv := lab.NeedDovecot(t)
	t.Run("order and mode", func(t *testing.T) {
		t.Parallel()
		m := newMailbox(t, srv, "hooks-order")
		log := filepath.Join(m.dir, "log")
		note := func(what string) string {
			return fmt.Sprintf("echo %s-$OFFLINEIMAPSYNCMODE-$(ls %s/INBOX/new 2>/dev/null | wc -l) >> %s", what, m.root, log)
		}
		m.put("INBOX", "one")
		m.put("INBOX", "seen", `\Seen`)
		m.extra["newmail_hook"] = fmt.Sprintf("lambda: os.system('echo mail >> %s')", log)
		m.write()
		m.accountKeys("presynchook = "+note("before")+"; echo said", "postsynchook = "+note("after")+"; exit 3")
		out := m.sync()
		m.put("INBOX", "two", `\Seen`)
		m.sync("-q")
		m.sync("--dry-run")
		want := "before-full-0 mail after-full-1 before-quick-1 after-quick-1"
		if got := strings.Join(lines(t, log), " "); got != want {
			t.Errorf("hooks ran as %q, want %q", got, want)
		}
		for _, w := range []string{"Calling hook: echo before", "Hook stdout: said", "Hook return code: 0", "Hook return code: 3", "postsynchook of account A: ended with status 3; the sync goes on"} {
			if !strings.Contains(out, w) {
				t.Errorf("no %q in\n%s", w, out)
			}
		}
	})
	t.Run("new mail in Python", func(t *testing.T) {
		t.Parallel()
		if _, err := exec.LookPath("python3"); err != nil {
			t.Skip("python3 is not here")
		}
		for i, x := range []struct{ hook, ran, says string }{
			{"lambda: subprocess.call(['sh', '-c', 'echo $OFFLINEIMAPSYNCMODE >> LOG'])", "full", ""},
			{"lambda: os.system(command)", "command", ""},
			{"ring", "ring", "Hook stderr: said"},
			{"Bell('a')", "a", ""},
			{"lambda who='b': note(who)", "b", ""},
			{"lambda who: note(who)", "", "newmail_hook of account A: TypeError: "},
			{"lambda: 1/0", "", "newmail_hook of account A: ZeroDivisionError: division by zero; the sync goes on"},
		} {
			m := newMailbox(t, srv, fmt.Sprintf("hooks-py%d", i))
			log := filepath.Join(m.dir, "log")
			m.put("INBOX", "one")
			m.extra["newmail_hook"] = strings.ReplaceAll(x.hook, "LOG", log)
			m.write()
			m.pythonfile(strings.ReplaceAll("import sys\ncommand = 'echo command >> LOG'\ndef note(what):\n    with open('LOG', 'a') as f:\n        f.write(what)\ndef ring():\n    print('said')\n    note('ring')\nclass Bell:\n    def __init__(self, x):\n        self.x = x\n    def __call__(self):\n        note(self.x)\n", "LOG", log))
			out := m.sync()
			if got := strings.Join(lines(t, log), " "); got != x.ran || !strings.Contains(out, x.says) || !strings.Contains(out, "Calling hook: "+m.extra["newmail_hook"]) {
				t.Errorf("%s: %q, want %q and %q\n%s", x.hook, got, x.ran, x.says, out)
			}
		}
	})
	t.Run("what a hook changes is synced", func(t *testing.T) {
		t.Parallel()
		m := newMailbox(t, srv, "hooks-change")
		m.put("INBOX", "one", `\Seen`)
		m.write()
		m.sync()
		m.accountKeys("presynchook = cd " + m.root + "/INBOX/cur && for f in *S; do mv $f ${f%%S}FS; done")
		if s := stats(t, m.sync()); s["flags-there"] != "1" {
			t.Errorf("flags-there=%s", s["flags-there"])
		}
	})
	t.Run("timeout", func(t *testing.T) {
		t.Parallel()
		m := newMailbox(t, srv, "hooks-slow")
		m.put("INBOX", "one")
		m.write()
		m.accountKeys("presynchook = sleep 60", "hook_timeout = 1s")
		begin := time.Now()
		out := m.sync()
		if d := time.Since(begin); d > 20*time.Second || !strings.Contains(out, "presynchook of account A: took too long") {
			t.Errorf("took %v\n%s", d, out)
		}
		if stats(t, out)["downloaded"] != "1" {
			t.Errorf("nothing was synced after it\n%s", out)
		}
	})
	t.Run("a failed round has no post hook", func(t *testing.T) {
		t.Parallel()
		m := newMailbox(t, srv, "hooks-fail")
		m.extra["remotepass"] = "wrong"
		m.write()
		m.accountKeys("postsynchook = touch "+m.dir+"/ran", "presynchook = touch "+m.dir+"/before")
		if out, code := m.run(); code != 1 {
			t.Errorf("exit status %d\n%s", code, out)
		}
		if _, err := os.Stat(m.dir + "/ran"); err == nil {
			t.Error("the post hook ran")
		}
		if _, err := os.Stat(m.dir + "/before"); err != nil {
			t.Error(err)
		}
	})
}
