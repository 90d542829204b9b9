package main

import (
	"bytes"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
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
// command and thread of every line, and the payload where it is not a count or a
// list of UIDs. Left out are lines for people (no command, and _display), the
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
		case "copyingmessage", "deletingmessages", "addingflags", "deletingflags":
			_, payload, _ = strings.Cut(payload, "\n") // UIDs
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
