package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"offloop/cmd/internal/lab"
	"offloop/cmd/internal/lab/dovecot"
	"offloop/cmd/internal/lab/proxy"
)

// output runs a command and gives what it printed.
func output(t *testing.T, run func(context.Context, []string) error, args ...string) (string, error) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	old := os.Stdout
	os.Stdout = w
	err = run(t.Context(), args)
	os.Stdout = old
	w.Close()
	b, _ := io.ReadAll(r)
	return string(b), err
}

func TestGenMutateVerify(t *testing.T) {
	s := lab.NeedDovecot(t)
	server := []string{"--server", s.Addr(), "--user", "u"}
	with := func(args ...string) []string { return append(server[:len(server):len(server)], args...) }
	if _, err := output(t, generate, with("--messages", "60", "--folders", "6")...); err != nil {
		t.Fatal(err)
	}
	out, err := output(t, runMutate, with("--new", "3", "--flags", "2", "--delete", "1")...)
	if err != nil || strings.Count(out, "\n") != 6 {
		t.Errorf("mutate printed\n%s%v", out, err)
	}
	// Dovecot's own tree, its root as INBOX, holds the same mail under other
	// names.
	root := t.TempDir()
	if err := os.CopyFS(root, os.DirFS(s.Maildir("u"))); err != nil {
		t.Fatal(err)
	}
	for _, d := range []string{"cur", "new", "tmp"} {
		os.MkdirAll(filepath.Join(root, "INBOX"), 0o700)
		if err := os.Rename(filepath.Join(root, d), filepath.Join(root, "INBOX", d)); err != nil {
			t.Fatal(err)
		}
	}
	out, err = output(t, runVerify, with("--maildir", root, "--any-names", "--ignore-keywords")...)
	if err != nil || !strings.HasPrefix(out, "equal: 62 messages in 6 folders") {
		t.Errorf("verify printed %s%v", out, err)
	}
	out, err = output(t, runVerify, with("--maildir", t.TempDir())...)
	if !errors.Is(err, errDiffer) || !strings.Contains(out, string("folder only on server")) {
		t.Errorf("verify of an empty tree printed %s%v", out, err)
	}
}

func TestServeEndsByItself(t *testing.T) {
	lab.NeedDovecot(t)
	for _, args := range [][]string{{}, {"--demo"}} {
		out, err := output(t, serve, append(args, "--for", "1ms", "--messages", "20", "--folders", "3")...)
		if err != nil || !strings.Contains(out, "imap    127.0.0.1:") || !strings.Contains(out, "pass    "+dovecot.Password) {
			t.Errorf("serve %v printed %s%v", args, out, err)
		}
	}
}

func TestFaultFlag(t *testing.T) {
	f, err := parseFault("stall:up:12")
	if err != nil || f != (proxy.Fault{Action: proxy.Stall, Direction: proxy.Up, After: 12}) {
		t.Errorf("%+v, %v", f, err)
	}
	for _, bad := range []string{"", "cut", "cut:down", "cut:down:x", "cut:sideways:1", "burn:up:1", "cut:up:-1"} {
		if _, err := parseFault(bad); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("%q", bad)) {
			t.Errorf("parseFault(%q): %v", bad, err)
		}
	}
}
