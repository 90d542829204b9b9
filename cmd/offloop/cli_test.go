package main

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"offloop/cmd/internal/lab"
	"offloop/ui"
)

// TestExitStatus: offloop ends with the status OfflineIMAP ends with, and where it does
// not on purpose, with the one in ours.
func TestExitStatus(t *testing.T) {
	srv := lab.NeedDovecot(t)
	d := &dropIn{mailbox: newMailbox(t, srv, "status")}
	d.writeTo(d.config, filepath.Join(d.dir, "meta"), d.root)
	rows := []struct {
		args         string
		theirs, ours int
	}{
		{"-o", 0, 0},
		{"-o -f INBOX", 0, 0},
		{"-o -1 -q", 0, 0},
		{"-o -a A", 0, 0},
		{"-o -a B", 1, 1},
		{"-o -a A,B", 1, 1},
		{"-o -u nosuch", 1, 1},
		{"-o -u TTY.TTYUI", 0, 0},
		{"-o --dry-run", 0, 0},
		{"--nosuch", 2, 2},
		{"-a", 2, 2},
		{"-o -k Repository_R:remotepass=wrong", 1, 1},
		{"-o -k Repository_R:remoteport=1", 1, 1},
		{"--mbnames-prune", 0, 0},
		{"--migrate-fmd5-using-nametrans", 1, 0}, // OfflineIMAP 8 fails itself
		{"--dry-run --delete-folder X -a A", 0, 0},
		{"--delete-folder Nosuch -a A", 0, 1}, // OfflineIMAP forgets the failure
	}
	for _, row := range rows {
		for _, program := range []string{"offlineimap", binary} {
			want := row.ours
			if program == "offlineimap" {
				if _, err := exec.LookPath(program); err != nil {
					continue
				}
				want = row.theirs
			}
			cmd := exec.Command(program, append([]string{"-c", d.config}, strings.Fields(row.args)...)...)
			cmd.Env = append(os.Environ(), "HOME="+d.dir, "PYTHONDONTWRITEBYTECODE=1", "LC_ALL=C.UTF-8")
			out, _ := cmd.CombinedOutput()
			if code := cmd.ProcessState.ExitCode(); code != want {
				t.Errorf("%s %s: exit status %d, not %d\n%s", filepath.Base(program), row.args, code, want, tail(string(out), 1500))
			}
		}
	}
}

// TestDeleteFolder: --delete-folder takes a folder from the server and no file from the
// Maildir; the next sync neither makes it again nor deletes what the Maildir holds.
func TestDeleteFolder(t *testing.T) {
	srv := lab.NeedDovecot(t)
	d := &dropIn{mailbox: newMailbox(t, srv, "delfolder")}
	d.writeTo(d.config, filepath.Join(d.dir, "meta"), d.root)
	c := d.client()
	if err := c.Create("Entwürfe"); err != nil {
		t.Fatal(err)
	}
	d.put("Entwürfe", "one")
	d.sync()
	before := d.names()
	listed := func() bool {
		out, _ := d.run("--info")
		return strings.Contains(out, "Entwürfe -> ")
	}
	if !listed() {
		t.Fatal("--info does not list the folder")
	}
	if out, code := d.run("--dry-run", "-a", "A", "--delete-folder", "Entw&APw-rfe"); code != 0 || !strings.Contains(out, "would try to remove") || !listed() {
		t.Fatalf("dry run: exit status %d\n%s", code, out)
	}
	if out, code := d.run("-a", "A", "--delete-folder", "Entw&APw-rfe"); code != 0 || !strings.Contains(out, "Folder 'Entwürfe'[R] deleted with the 1 message in it") {
		t.Fatalf("exit status %d\n%s", code, out)
	}
	d.run()
	if listed() {
		t.Error("the folder is on the server")
	}
	after := d.names()
	for name := range before {
		if _, ok := after[name]; !ok && strings.Contains(name, "U=") {
			t.Errorf("%s is gone", name)
		}
	}
}

// TestFolderOption: -f takes a folder's name in modified UTF-7, as OfflineIMAP does, and
// in UTF-8.
func TestFolderOption(t *testing.T) {
	srv := lab.NeedDovecot(t)
	for i, name := range []string{"Entw&APw-rfe", "Entwürfe"} {
		d := &dropIn{mailbox: newMailbox(t, srv, fmt.Sprintf("only%d", i))}
		d.writeTo(d.config, filepath.Join(d.dir, "meta"), d.root)
		c := d.client()
		for _, n := range []string{"Entwürfe", "Other"} {
			if err := c.Create(n); err != nil {
				t.Fatal(err)
			}
			d.put(n, "one")
		}
		d.sync("-f", name)
		if got := d.tree(d.root); len(got) != 2 || !strings.HasPrefix(got[1], "Entw&APw-rfe ") {
			t.Errorf("-f %s: %q", name, got)
		}
	}
}

// TestProfileAndLog: -P leaves a profile, -l has what happened and how it ended.
func TestProfileAndLog(t *testing.T) {
	srv := lab.NeedDovecot(t)
	d := &dropIn{mailbox: newMailbox(t, srv, "profile")}
	d.writeTo(d.config, filepath.Join(d.dir, "meta"), d.root)
	dir, log := filepath.Join(d.dir, "prof"), filepath.Join(d.dir, "log")
	d.run("-P", dir, "-l", log, "--ignore-keyring", "-k", "Repository_R:remotepass=wrong")
	if files, _ := filepath.Glob(filepath.Join(dir, "*_offloop.prof")); len(files) != 1 {
		t.Errorf("profiles: %q", files)
	} else if fi, err := os.Stat(files[0]); err != nil || fi.Size() == 0 {
		t.Errorf("the profile is empty: %v", err)
	}
	b, err := os.ReadFile(log)
	if err != nil || !bytes.Contains(b, []byte("ERROR: Exceptions occurred during the run!")) {
		t.Errorf("log: %v\n%s", err, b)
	}
}

// TestSyslog: a line is a datagram for the log daemon, one started anew included.
func TestSyslog(t *testing.T) {
	dir, err := os.MkdirTemp("", "log") // a socket's name has to be short
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "log")
	if _, err := openSyslog(path); err == nil {
		t.Fatal("nobody listens, and no error")
	}
	var s *syslogSender
	for range 2 {
		l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
		if err != nil {
			t.Fatal(err)
		}
		if s == nil {
			if s, err = openSyslog(path); err != nil {
				t.Fatal(err)
			}
		}
		ui.NewSyslog(s, "offloop", 7, ui.Info).Event(ui.Event{Kind: "log", Text: "hello"})
		l.SetReadDeadline(time.Now().Add(5 * time.Second))
		var buf [200]byte
		n, err := l.Read(buf[:])
		if got := strings.TrimSpace(string(buf[:n])); err != nil || got != "<14>offloop[7]: hello" {
			t.Errorf("%q, %v", got, err)
		}
		l.Close()
		os.Remove(path)
	}
	s.close()
}

// A long option may be cut short where only one begins so, as OfflineIMAP takes it; an
// exact name is that option though another begins with it.
func TestAbbreviatedOptions(t *testing.T) {
	o, err := parse([]string{"--mig", "--delete=Work", "--dry"})
	if err != nil || !o.migrate || o.deleteFolder != "Work" || !o.dryRun {
		t.Errorf("%+v, %v", o, err)
	}
	if o, err := parse([]string{"--re", "x"}); err == nil || o.record != "" || len(o.recreate) > 0 {
		t.Errorf("--re: %+v, %v", o, err)
	}
	if o, err := parse([]string{"--help"}); err != nil || !o.help || o.helpConfig {
		t.Errorf("--help: %+v, %v", o, err)
	}
	if o, err := parse([]string{"quarantine", "--re"}); err != nil || len(o.args) != 1 {
		t.Errorf("a command's own word: %+v, %v", o, err)
	}
}
