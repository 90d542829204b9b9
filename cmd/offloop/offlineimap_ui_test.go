package main

import (
	"bytes"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"offloop/cmd/internal/lab"
)

// machineRun runs a program with -u machineui on d's configuration.
func machineRun(t *testing.T, d *dropIn, program string) []string {
	t.Helper()
	cmd := exec.Command(program, "-c", d.config, "-o", "-u", "machineui")
	cmd.Env = append(os.Environ(), "HOME="+d.dir, "PYTHONDONTWRITEBYTECODE=1", "LC_ALL=C.UTF-8")
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v\n%s\n%s", program, err, out.String(), errs.String())
	}
	return strings.Split(strings.TrimSpace(out.String()), "\n")
}

// protocolKinds reduces lines to what both programs have in common: severity,
// command and thread of every line, and the payload, of copies without the UID: offloop
// uploads under none, OfflineIMAP under negative ones. Left out are lines for people (no
// command, and _display), the
// banner that OfflineIMAP prints before the protocol, and its threads that copy,
// which offloop does not have.
//
// OfflineIMAP deletes before it changes flags; offloop deletes last of all, as a
// rule of safety, so deletes are put where OfflineIMAP has them.
func protocolKinds(t *testing.T, lines []string) []string {
	t.Helper()
	var l, deletes []string
	flush := func() { l, deletes = append(l, deletes...), nil }
	for _, line := range lines {
		w := strings.SplitN(line, ":", 4)
		if len(w) != 4 || w[1] == "" || w[1] == "_display" || w[1] == "initbanner" {
			continue
		}
		thread, err := url.QueryUnescape(w[2])
		payload, err2 := url.QueryUnescape(w[3])
		if err != nil || err2 != nil {
			t.Errorf("not encoded as a form: %q", line)
		}
		if strings.HasPrefix(thread+payload, "Copy message") || strings.HasPrefix(payload, "Copy message") || thread == "Copy message" || w[1] == "registerthread" && strings.HasPrefix(thread, "Copy") {
			continue
		}
		switch w[1] {
		case "copyingmessage":
			_, payload, _ = strings.Cut(payload, "\n")
		}
		k := strings.Join([]string{w[0], w[1], thread, payload}, " | ")
		switch w[1] {
		case "addingflags", "deletingflags":
			deletes = append(deletes, k)
			continue
		case "deletingmessages":
			l = append(l, k)
			continue
		}
		if !strings.HasPrefix(w[1], "copying") {
			flush()
		}
		l = append(l, k)
	}
	flush()
	// OfflineIMAP's account thread may be ahead of its main thread, which says that the
	// folder's has ended.
	for i := 0; i+1 < len(l); i++ {
		if strings.HasPrefix(l[i], "msg | acctdone |") && strings.Contains(l[i+1], " | MainThread | Folder ") {
			l[i], l[i+1] = l[i+1], l[i]
		}
	}
	return l
}

// TestMachineUI lets both programs do the same work on accounts that are alike, and
// compares what their machine interfaces say, line by line.
func TestMachineUI(t *testing.T) {
	needOfflineIMAP(t)
	srv := lab.NeedDovecot(t)
	var all [2]*dropIn
	for i, user := range []string{"theirs", "ours"} {
		d := &dropIn{mailbox: newMailbox(t, srv, user)}
		d.writeTo(d.config, filepath.Join(d.dir, "meta"), d.root)
		all[i] = d
		for _, sub := range []string{"cur", "new", "tmp"} {
			if err := os.MkdirAll(filepath.Join(d.root, "INBOX", sub), 0o700); err != nil {
				t.Fatal(err)
			}
		}
	}
	steps := []struct {
		name string
		do   func(d *dropIn)
	}{
		{"nothing there", func(*dropIn) {}},
		{"new on the server", func(d *dropIn) { d.deliver(t, "1", "2", "3", "4") }},
		{"nothing to do", func(*dropIn) {}},
		{"new in the Maildir", func(d *dropIn) { d.save(t, "5", "6") }},
		{"changes in the Maildir", func(d *dropIn) {
			d.letters(t, 2, "F")
			d.remove(t, 3)
		}},
		{"changes on the server", func(d *dropIn) {
			c := d.client()
			defer c.Logout()
			if _, err := c.Select("INBOX"); err != nil {
				t.Fatal(err)
			}
			if err := c.Store("1", "+", `\Answered`); err != nil {
				t.Fatal(err)
			}
			if err := c.Store("4", "+", `\Deleted`); err != nil {
				t.Fatal(err)
			}
			if err := c.Expunge("4"); err != nil {
				t.Fatal(err)
			}
		}},
	}
	for _, s := range steps {
		s.do(all[0])
		s.do(all[1])
		theirs := protocolKinds(t, machineRun(t, all[0], "offlineimap"))
		ours := protocolKinds(t, machineRun(t, all[1], binary))
		if !slices.Equal(theirs, ours) {
			t.Errorf("%s: offlineimap says\n  %s\nand offloop\n  %s", s.name, strings.Join(theirs, "\n  "), strings.Join(ours, "\n  "))
		}
	}
}

// TestInitialRunLines lets both programs sync an account for the first time and compares
// what a reader of the log sees: the lines before the first folder in order, the others
// as far as they are not of two folders at work at once, whose order is chance.
func TestInitialRunLines(t *testing.T) {
	needOfflineIMAP(t)
	srv := lab.NeedDovecot(t)
	run := func(program, name, interf string) []string {
		d := &dropIn{mailbox: newMailbox(t, srv, name+interf)}
		d.sep = "/"
		d.writeTo(d.config, filepath.Join(d.dir, "meta"), d.root)
		c := d.client()
		defer c.Logout()
		for _, n := range []string{"Work", "Work/Sub"} {
			if err := c.Create(n); err != nil {
				t.Fatal(err)
			}
		}
		d.deliver(t, "1", "2")
		d.put("Work", "a")
		for _, sub := range []string{"cur", "new", "tmp"} {
			if err := os.MkdirAll(filepath.Join(d.root, "Mine", sub), 0o700); err != nil {
				t.Fatal(err)
			}
		}
		cmd := exec.Command(program, "-c", d.config, "-o", "-u", interf)
		cmd.Env = append(os.Environ(), "HOME="+d.dir, "PYTHONDONTWRITEBYTECODE=1", "LC_ALL=C.UTF-8")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", program, err, out)
		}
		return strings.Split(strings.TrimSpace(string(out)), "\n")
	}
	theirs, ours := peopleLines(run("offlineimap", "theirs", "basic")), peopleLines(run(binary, "ours", "basic"))
	compareRuns(t, "basic", theirs, ours, "Syncing ")

	theirs, ours = initialKinds(t, run("offlineimap", "theirs", "machineui")), initialKinds(t, run(binary, "ours", "machineui"))
	compareRuns(t, "machineui", theirs, ours, "syncfolders ")
	for _, folder := range []string{"INBOX", "Work", "Work/Sub", "Mine"} {
		of := func(l []string) (out []string) {
			for _, s := range l {
				if strings.Contains(s, "| Folder "+folder+" [") && !strings.HasPrefix(s, "messagelistloaded ") {
					out = append(out, s)
				}
			}
			return out
		}
		if a, b := of(theirs), of(ours); !slices.Equal(a, b) {
			t.Errorf("%s: offlineimap says\n  %s\nand offloop\n  %s", folder, strings.Join(a, "\n  "), strings.Join(b, "\n  "))
		}
	}
}

// compareRuns demands the same lines, and up to the first that begins with until in the
// same order.
func compareRuns(t *testing.T, what string, theirs, ours []string, until string) {
	t.Helper()
	head := func(l []string) []string {
		i := slices.IndexFunc(l, func(s string) bool { return strings.HasPrefix(s, until) })
		return l[:max(i, 0)]
	}
	if a, b := head(theirs), head(ours); len(a) < 5 || !slices.Equal(a, b) {
		t.Errorf("%s: offlineimap begins\n  %s\nand offloop\n  %s", what, strings.Join(a, "\n  "), strings.Join(b, "\n  "))
	}
	if a, b := slices.Sorted(slices.Values(theirs)), slices.Sorted(slices.Values(ours)); !slices.Equal(a, b) {
		t.Errorf("%s: offlineimap says\n  %s\nand offloop\n  %s", what, strings.Join(a, "\n  "), strings.Join(b, "\n  "))
	}
}

var (
	runTime    = regexp.MustCompile(` in \d+:\d\d$`)
	serverPort = regexp.MustCompile(`127\.0\.0\.1(:|\n)\d+`)
)

// peopleLines leaves out banners, and the databases that offloop does not have.
func peopleLines(lines []string) (out []string) {
	for _, s := range lines {
		if strings.HasPrefix(s, "Creating new Local Status db") {
			continue
		}
		if s = runTime.ReplaceAllString(s, ""); len(out) > 0 || strings.HasPrefix(s, "*** Processing") {
			out = append(out, s)
		}
	}
	return out
}

// initialKinds gives command, thread and payload of the protocol's lines, and of lines
// for people, but for OfflineIMAP's copying threads and the MainThread's.
func initialKinds(t *testing.T, lines []string) (out []string) {
	for _, line := range lines {
		w := strings.SplitN(line, ":", 4)
		if len(w) != 4 || w[1] == "_display" || w[2] == "MainThread" {
			continue
		}
		thread, err := url.QueryUnescape(w[2])
		payload, err2 := url.QueryUnescape(w[3])
		if err != nil || err2 != nil {
			t.Errorf("not encoded as a form: %q", line)
		}
		if strings.HasPrefix(thread, "Copy message") {
			continue
		}
		out = append(out, fmt.Sprintf("%s | %s | %q", w[1], thread, serverPort.ReplaceAllString(payload, "server")))
	}
	return out
}
