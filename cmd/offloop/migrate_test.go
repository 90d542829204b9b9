package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"offloop/cmd/internal/lab"
	"offloop/maildir"
)

// TestMigrateFMD5: files named by the folder's own name get the digest of its
// translated one, with and without state; nothing is transferred afterwards. A dry
// run changes nothing, and a UID that is taken is not given twice.
func TestMigrateFMD5(t *testing.T) {
	m := newMailbox(t, lab.NeedDovecot(t), "migrate")
	if err := m.client().Create("Work"); err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{"one", "two", "three"} {
		m.put("Work", s, `\Seen`)
		m.put("INBOX", s)
	}
	m.extra["nametrans"] = "lambda f: re.sub('^Work$', 'job', f)"
	m.write()
	b, err := os.ReadFile(m.config)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(string(b), "[Repository L]\n", "[Repository L]\nnametrans = lambda f: re.sub('^job$', 'Work', f)\n", 1)
	if err := os.WriteFile(m.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	m.sync()
	mine, theirs := ",FMD5="+maildir.FMD5("job"), ",FMD5="+maildir.FMD5("Work")
	count := func(digest string) (n int) {
		for _, f := range mailFiles(t, filepath.Join(m.root, "job")) {
			if strings.Contains(f, digest) {
				n++
			}
		}
		return n
	}
	if count(theirs) != 3 {
		t.Fatalf("%v", mailFiles(t, m.root))
	}
	// as names what OfflineIMAP before 6.3.5 would have.
	asOf := func(most int) {
		for _, f := range mailFiles(t, filepath.Join(m.root, "job")) {
			if most--; most < 0 {
				return
			}
			if err := os.Rename(f, strings.Replace(f, theirs, mine, 1)); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, c := range []struct {
		name  string
		files int
		state bool
		says  string
	}{
		{"no state", 3, false, "3 messages"}, {"with state", 3, true, "3 messages"}, {"stopped half way", 2, false, "2 messages"},
	} {
		asOf(c.files)
		if !c.state {
			os.RemoveAll(filepath.Join(m.dir, "meta"))
		}
		if out, code := m.run("--migrate-fmd5-using-nametrans", "--dry-run"); code != 0 || !strings.Contains(out, c.says+" would be renamed") || count(mine) != c.files {
			t.Errorf("%s: a dry run: %d, %d files left\n%s", c.name, code, count(mine), out)
		}
		if out, code := m.run("--migrate-fmd5-using-nametrans"); code != 0 || !strings.Contains(out, c.says+" renamed") || count(theirs) != 3 {
			t.Errorf("%s: %d, %d files renamed\n%s", c.name, code, count(theirs), out)
		}
		out := m.sync()
		if s := stats(t, out); s["downloaded"] != "0" || s["uploaded"] != "0" || count(theirs) != 3 {
			t.Errorf("%s: the sync after it: %v\n%s", c.name, s, out)
		}
	}
	first := mailFiles(t, filepath.Join(m.root, "job"))[0]
	data, err := os.ReadFile(first)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(strings.Replace(filepath.Dir(first)+"/other-"+filepath.Base(first), theirs, mine, 1), data, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, code := m.run("--migrate-fmd5-using-nametrans"); code != 1 || !strings.Contains(out, "another file has UID") || count(mine) != 1 {
		t.Errorf("a UID twice: %d\n%s", code, out)
	}
}
