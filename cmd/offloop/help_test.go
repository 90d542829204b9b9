package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestWords: what is misspelt is refused, with what was meant; help explains each
// command, option and key.
func TestWords(t *testing.T) {
	for _, c := range []struct {
		args string
		code int
		want string
	}{
		{"help", 0, "usage: offloop [options]"},
		{"help check", 0, "usage: offloop [options] check [--connect]\n  say what is wrong"},
		{"help --dry-run", 0, "--dry-run\n  say what would be done"},
		{"help -u", 0, "-u, --ui UI\n  dashboard, "},
		{"help recreate", 0, "--recreate FOLDER\n"},
		{"help maxage", 0, "[Account X]\n"},
		{"help fullcheck trash", 0, "trash (yes/no"},
		{"help sync", 0, "offloop [options]"},
		{"help chek", 2, "did you mean check?"},
		{"help --dryrun", 2, "did you mean dry-run?"},
		{"help xyzzy", 2, `"xyzzy" is no command, option or key of the configuration` + "\n"},
		{"verfy", 2, "did you mean verify?"},
		{"synch", 2, "offloop without a command syncs"},
		{"xyzzy", 2, `unknown command "xyzzy"; offloop -h`},
		{"check --conect", 2, `check knows no "--conect"; offloop help check`},
		{"status nonsense", 2, `status knows no "nonsense"`},
		{"demo please", 2, `demo knows no "please"`},
		{"-d wire", 2, `-d knows no "wire": there are imap, maildir and all`},
		{"-d imap,maildir,thread -V", 0, "offloop " + version},
	} {
		var out, errs bytes.Buffer
		code := run(strings.Fields(c.args), &out, &errs)
		if said := out.String() + errs.String(); code != c.code || !strings.Contains(said, c.want) {
			t.Errorf("%s: status %d, want %d and %q:\n%s", c.args, code, c.code, c.want, said)
		}
	}
	rc := filepath.Join(t.TempDir(), "rc")
	if err := os.WriteFile(rc, []byte("[general]\naccounts = A\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	if code := run([]string{"-c", rc, "check"}, &out, &errs); code != 1 || !strings.Contains(errs.String(), "there is no section [Account A]") || !strings.Contains(out.String(), "account A: will not be synced") {
		t.Errorf("an account without a section: status %d\n%s%s", code, out.String(), errs.String())
	}
	for _, name := range known() {
		var out, errs bytes.Buffer
		if code := help([]string{name}, &out, &errs); code != 0 || out.Len() == 0 {
			t.Errorf("help %s: status %d\n%s", name, code, errs.String())
		}
	}
}
