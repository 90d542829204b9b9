package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"offloop/cmd/internal/lab/dovecot"
	"offloop/cmd/internal/lab/verify"
)

// TestUndo: messages deleted on a real server, and with it here, come back on
// both sides, once, with their flags.
func TestUndo(t *testing.T) {
	srv := filled(t, "undo", 20, dovecot.Options{})
	m := newMailbox(t, srv, "undo")
	m.write()
	m.sync()
	if out, code := m.run("undo"); code != 0 || !strings.Contains(out, "A: nothing to bring back") {
		t.Fatalf("nothing deleted: %d %s", code, out)
	}
	c := m.client()
	before := len(mailFiles(t, m.root))
	if _, err := c.Select("INBOX"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Command(`STORE 1:5 +FLAGS (\Flagged)`); err != nil {
		t.Fatal(err)
	}
	m.sync()
	for _, cmd := range []string{`STORE 1:5 +FLAGS (\Deleted)`, "EXPUNGE"} {
		if _, err := c.Command(cmd); err != nil {
			t.Fatal(err)
		}
	}
	m.sync()
	if n := len(mailFiles(t, m.root)); n != before-5 {
		t.Fatalf("%d files after the deletion, there were %d", n, before)
	}
	if out, code := m.run("undo", "A", "--list"); code != 0 || !strings.Contains(out, "A: 5 messages can be brought back") {
		t.Fatalf("list: %d %s", code, out)
	}
	if out, code := m.run("undo", "A", "Nowhere"); code != 1 || !strings.Contains(out, "hint:") {
		t.Errorf("no such folder: %d %s", code, out)
	}
	if n := len(mailFiles(t, m.root)); n != before-5 {
		t.Fatalf("listing restored")
	}
	if out, code := m.run("undo", "A", "INBOX", "--since=10m"); code != 0 || !strings.Contains(out, "A: 5 messages brought back") {
		t.Fatalf("undo: %d %s", code, out)
	}
	flagged := 0
	for _, f := range mailFiles(t, m.root) {
		if _, fl, ok := strings.Cut(filepath.Base(f), ":2,"); ok && strings.Contains(fl, "F") && strings.Contains(f, ".undone") {
			flagged++
		}
	}
	if flagged != 5 {
		t.Errorf("%d restored ones with their flag", flagged)
	}
	if out, code := m.run("undo"); code != 0 || !strings.Contains(out, "nothing to bring back") {
		t.Fatalf("again: %d %s", code, out)
	}
	if s := stats(t, m.sync()); s["uploaded"] != "5" || s["deleted-here"] != "0" {
		t.Errorf("the sync after it: %v", s)
	}
	m.equal("after undo", verify.Options{})
	if n := len(mailFiles(t, m.root)); n != before {
		t.Errorf("%d files of %d", n, before)
	}
	if s := stats(t, m.sync()); s["uploaded"]+s["downloaded"]+s["deleted-here"]+s["deleted-there"] != "0000" {
		t.Errorf("run again: %v", s)
	}
}

// mailFiles lists the messages' files of a tree.
func mailFiles(t testing.TB, root string) (l []string) {
	t.Helper()
	err := filepath.WalkDir(root, func(p string, d os.DirEntry, err error) error {
		if d != nil && d.IsDir() && d.Name() == ".offloop" {
			return filepath.SkipDir
		}
		if sub := filepath.Base(filepath.Dir(p)); err == nil && !d.IsDir() && (sub == "cur" || sub == "new") {
			l = append(l, p)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// TestUndoArguments: what cannot be meant is refused before anything is touched.
func TestUndoArguments(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"undo", "all since 1h0m0s [] "},
		{"undo --list", "list all since 0s [] "},
		{"undo --dry-run", "list all since 0s [] "},
		{"undo A", "all since 1h0m0s [A] "},
		{"undo A Work/x --since 2d", "since 48h0m0s [A] Work/x"},
		{"undo --since=90m A", "all since 1h30m0s [A] "},
		{"undo --since", "error"}, {"undo --since soon", "error"}, {"undo --since 0h", "error"}, {"undo A B C", "error"}, {"undo --all", "error"},
	} {
		o, err := parse(strings.Fields(c.args))
		if err != nil {
			t.Fatal(err)
		}
		u, err := parseUndo(o)
		got := fmt.Sprintf("since %v %v %s", u.since, o.accounts, u.folder)
		if u.all {
			got = "all " + got
		}
		if u.list {
			got = "list " + got
		}
		if err != nil {
			got = "error"
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q (%v)", c.args, got, c.want, err)
		}
	}
}
