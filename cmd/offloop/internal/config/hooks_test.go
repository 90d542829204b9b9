package config

import (
	"os/exec"
	"testing"
	"time"
)

func TestHooks(t *testing.T) {
	c, ps := mustLoad(t, pair("", "presynchook = a %%b\npostsynchook = c\nquick = 2\nhook_timeout = 30s", "", `newmail_hook = lambda: os.system("play 'x'" )`))
	h := c.Accounts[0].Hooks
	if h != (Hooks{Before: "a %b", After: "c", NewMail: "play 'x'", Timeout: 30 * time.Second, Quick: 2}) || len(ps) != 0 {
		t.Errorf("%+v %v", h, ps)
	}
	for quick, want := range map[int]string{0: "ffffff", -1: "qqqqqq", 1: "fqfqfq", 2: "fqqfqq"} {
		got := ""
		for n := range 6 {
			got += (Hooks{Quick: quick}).Mode(n)[:1]
		}
		if got != want {
			t.Errorf("quick = %d: %s, want %s", quick, got, want)
		}
	}
	for _, bad := range []string{"lambda: ring()", "ring", "lambda: os.system(x)", "lambda: os.system(1)"} {
		c, ps := mustLoad(t, pair("", "", "", "newmail_hook = "+bad))
		if _, err := exec.LookPath("python3"); err == nil && (c.Accounts[0].Hooks.NewMailCall == nil || len(c.Accounts[0].Python.Uses) != 1 || len(ps) != 0) {
			t.Errorf("%s: %+v %v", bad, c.Accounts[0].Hooks, ps)
		}
		back := findPython
		findPython = func(string) (string, error) { return "", exec.ErrNotFound }
		c, ps = mustLoad(t, pair("", "", "", "newmail_hook = "+bad))
		findPython = back
		want(t, ps, Warning, "newmail_hook is not run", "newmail_cmd = COMMAND")
		if c.Accounts[0].Hooks.NewMail != "" || c.Accounts[0].Hooks.NewMailCall != nil {
			t.Error(bad)
		}
	}
	c, ps = mustLoad(t, pair("", "", "", "newmail_hook = ring\nnewmail_cmd = play"))
	want(t, ps, Warning, "newmail_hook is not used")
	if c.Accounts[0].Hooks.NewMail != "play" {
		t.Error("newmail_cmd does not win")
	}
}
