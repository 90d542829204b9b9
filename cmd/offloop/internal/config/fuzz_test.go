package config

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// Any text is read without trouble, and ini.v1 and the pre-scan agree on it.
func FuzzLoad(f *testing.F) {
	files, _ := filepath.Glob("testdata/corpus/*.rc")
	for _, name := range files {
		text, _, err := readFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Add("[a]\nk=`\n \"\"\"\n[x\n")
	f.Add("[general]\naccounts=a\n[Account a]\nlocalrepository=%(remoterepository)s\nremoterepository=%(localrepository)s")
	f.Fuzz(func(t *testing.T, text string) {
		s := prescan("f", text)
		d, err := parse("f", text)
		if err != nil {
			t.Fatalf("ini.v1 does not read what the pre-scan wrote: %v", err)
		}
		last := map[[2]string]string{}
		for _, e := range s.entries {
			last[[2]string{e.section, e.key}] = e.raw()
		}
		for id, want := range last {
			if got, e := d.rawHere(id[0], id[1]); e == nil || got != want {
				t.Fatalf("%q: ini.v1 has %q, the pre-scan %q", id, got, want)
			}
		}
		c, ps, err := load("f", text, []Override{{"general", "ui", "quiet"}})
		if (c == nil) == (err == nil) {
			t.Fatalf("config %v, error %v", c != nil, err)
		}
		if c == nil {
			return
		}
		secretsHidden(t, c, ps)
		for _, a := range c.Defined {
			for _, n := range sampleNames {
				a.Local.Folders.Match(n)
				a.Remote.Folders.Match(n)
				if l, err := a.LocalName(n, "/"); err == nil {
					if r, err := a.RemoteName(l, "/"); err == nil {
						if back, err := a.LocalName(r, "/"); err != nil || back != l {
							t.Fatalf("%q leads to %q and back to %q", l, r, back)
						}
					}
				}
			}
		}
	})
}

// secretsHidden looks for passwords long enough not to be there by chance.
func secretsHidden(t *testing.T, c *Config, ps []Problem) {
	for _, a := range c.Accounts {
		if p := a.Remote.Pass; len(p) > 8 && strings.HasPrefix(p, "s3cret") {
			if strings.Contains(fmt.Sprintf("%v %+v %#v %v", ps, *a, *a, a.Remote), p) {
				t.Fatalf("the password %q is shown", p)
			}
		}
	}
}

func FuzzExpression(f *testing.F) {
	for _, x := range extraExpressions {
		f.Add(x, "INBOX/ä")
	}
	f.Fuzz(func(t *testing.T, src, name string) {
		if v, err := alone("").compile(src).Call(name); err == nil {
			if s, ok := v.(string); ok && len(s) > maxValue+len(name)+len(src) {
				t.Fatalf("a value of %d bytes", len(s))
			}
		}
	})
}

func FuzzRules(f *testing.F) {
	f.Add("INBOX, !a/*, %b", "a -> b; c/* -> *", "c/x")
	f.Add(`"a\"`, `"a" -> "b*"`, "a")
	f.Fuzz(func(t *testing.T, folders, rename, name string) {
		if r, err := ParseFolders(folders, "/"); err == nil {
			r.Match(name)
		}
		r, err := ParseRename(rename)
		if err != nil || name == NoName {
			return
		}
		if back := r.Inverse(name); back != NoName && r.Apply(back) != name {
			t.Fatalf("%q: the inverse of %q is %q, which becomes %q", rename, name, back, r.Apply(back))
		}
		if to := r.Apply(name); r.Inverse(to) == NoName {
			t.Fatalf("%q: %q becomes %q, which has no inverse", rename, name, to)
		}
	})
}

func FuzzNetrc(f *testing.F) {
	f.Add("machine a login b password c\ndefault login x", "a", "b")
	f.Add("macdef x\n\nmachine \"a\\\"", "a", "")
	f.Fuzz(func(t *testing.T, text, host, user string) {
		n, _ := ParseNetrc(text)
		if login, _, ok := n.Lookup(host, user); ok && user != "" && login != "" && login != user {
			t.Fatalf("%q was given the entry of %q", user, login)
		}
	})
}
