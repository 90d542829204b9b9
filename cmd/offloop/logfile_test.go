package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"offloop/cmd/internal/lab"
)

// logLine is a line of OfflineIMAP's log file; others go on with the line before.
var logLine = regexp.MustCompile(`^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d (DEBUG|INFO|WARNING|ERROR): `)

// TestLogFile: -l writes the lines OfflineIMAP writes, with the same words, in front
// of them time and level as it has them, and no password of -k.
func TestLogFile(t *testing.T) {
	srv := lab.NeedDovecot(t)
	wanted := []string{" starting...\n", "\n  Args: ", " INFO: *** Processing account A\n", " INFO: Establishing connection to ", " INFO: Syncing INBOX: IMAP -> Maildir\n",
		" INFO: Copy message UID 1 (1/1) R:INBOX -> L:INBOX\n", " INFO: *** Finished account 'A' in 0:", " ERROR: ERROR: ", " WARNING: ERROR: Exceptions occurred during the run!\n"}
	for user, program := range map[string]string{"log-theirs": "offlineimap", "log-ours": binary} {
		if _, err := exec.LookPath(program); err != nil {
			continue
		}
		d := &dropIn{mailbox: newMailbox(t, srv, user)}
		d.put("INBOX", "one")
		d.writeTo(d.config, filepath.Join(d.dir, "meta"), d.root)
		log := filepath.Join(d.dir, "log")
		for _, more := range [][]string{nil, {"-k", "Repository_R:remotepass=wrong-secret"}} {
			cmd := exec.Command(program, append([]string{"-c", d.config, "-o", "-l", log}, more...)...)
			cmd.Env = append(os.Environ(), "HOME="+d.dir, "PYTHONDONTWRITEBYTECODE=1", "LC_ALL=C.UTF-8")
			cmd.CombinedOutput()
		}
		b, err := os.ReadFile(log)
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range wanted {
			if !strings.Contains(string(b), w) {
				t.Errorf("%s: no %q in\n%s", user, w, b)
			}
		}
		if program != binary {
			continue
		}
		for line := range strings.Lines(string(b)) {
			if !logLine.MatchString(line) && !strings.HasPrefix(line, "  ") {
				t.Errorf("%q is no line of a log file", line)
			}
		}
		if strings.Contains(string(b), "wrong-secret") {
			t.Errorf("a password shows in\n%s", b)
		}
	}
}
