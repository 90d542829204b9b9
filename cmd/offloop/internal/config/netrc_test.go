package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestNetrc(t *testing.T) {
	const text = `# a comment
machine a.example login al password pa
machine b.example
	login "b l" # who
	account none
	password "p \"b\" # x"
macdef init
machine not.example login x password y
cd /tmp

machine a.example user al2 password pa#2
machine c.example password \"pc
#machine d.example login d password pd
default login anon password me
`
	n, err := ParseNetrc(text)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		host, user, login, pass string
		ok                      bool
	}{
		{"a.example", "al", "al", "pa", true},
		{"A.example", "al2", "al2", "pa#2", true},
		{"a.example", "", "al2", "pa#2", true},
		{"a.example", "other", "", "", false},
		{"b.example", "b l", "b l", `p "b" # x`, true},
		{"c.example", "any", "", `"pc`, true},
		{"not.example", "x", "", "", false},
		{"d.example", "", "anon", "me", true},
		{"d.example", "anon", "anon", "me", true},
	} {
		login, pass, ok := n.Lookup(x.host, x.user)
		if login != x.login || pass != x.pass || ok != x.ok {
			t.Errorf("%+v: %q %q %v", x, login, pass, ok)
		}
	}
	for text, says := range map[string]string{
		"machine a login b password c\nhunter2\n": "line 3",
		"machine a\nlogin b hunter2":              "neither login",
		"machine":                                 "without a name",
	} {
		n, err := ParseNetrc(text)
		if err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: %v", text, err)
		}
		if _, p, _ := n.Lookup("a", "b"); says == "line 3" && p != "c" {
			t.Error("the entry before the error is lost")
		}
	}
}

func TestCredentials(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		f := filepath.Join(dir, name)
		if err := os.WriteFile(f, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return f
	}
	home := write("home", "machine h login u password hp\nmachine h2 login v password vp\n")
	etc := write("etc", "machine h3 login w password wp\n")
	pf, empty := write("pf", " secret \nmore\n"), write("empty", "\nx")
	for _, x := range []struct {
		r    Remote
		user string
		pass string
		from string
	}{
		{Remote{Host: "h", User: "u", Pass: "p"}, "u", "p", "remotepass"},
		{Remote{Host: "h", User: "u", Pass: "p", PassFile: pf}, "u", "p", "remotepass"},
		{Remote{Host: "h", User: "u", Pass: "p", PassCmd: "c"}, "u", "", "remotepasscmd"},
		{Remote{Host: "h", User: "u", PassFile: pf}, "u", "secret", "remotepassfile"},
		{Remote{Host: "h", User: "u"}, "u", "hp", home},
		{Remote{Host: "h", User: "other"}, "other", "", ""},
		{Remote{Host: "h2"}, "v", "vp", home},
		{Remote{Host: "h2", Pass: "p"}, "v", "p", "remotepass"},
		{Remote{Host: "h3"}, "w", "wp", etc},
		{Remote{Host: "h4"}, "", "", ""},
		{Remote{Host: "h", UserCmd: "c"}, "", "", ""},
		{Remote{PreauthTunnel: "t"}, "", "", ""},
	} {
		c, err := x.r.credentials(filepath.Join(dir, "missing"), home, etc)
		if err != nil || c.User != x.user || c.Pass != x.pass || c.Source != x.from || c.HavePass != (x.pass != "") {
			t.Errorf("%v: %v %q %v", x.r, c, c.Pass, err)
		}
	}
	for _, f := range []string{empty, filepath.Join(dir, "none")} {
		if _, err := (Remote{Host: "h", User: "u", PassFile: f}).credentials(); err == nil || !strings.Contains(err.Error(), f) {
			t.Error(err)
		}
	}
}
