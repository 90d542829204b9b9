package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"offloop/cmd/internal/lab"
)

// TestVerifyCommand: nothing is found where both sides are equal, each difference
// where they are not, and the status tells.
func TestVerifyCommand(t *testing.T) {
	srv := lab.NeedDovecot(t)
	b := newBad(t, srv, 12)
	b.sync()
	if out, code := b.run("verify", "--bytes"); code != 0 || strings.Count(out, "contents of 24 compared, 0 differences") != 2 {
		t.Fatalf("status %d\n%s", code, tail(out, 3000))
	}
	files, _ := filepath.Glob(filepath.Join(b.root, "Work", "*", "*:2,*"))
	old, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	os.WriteFile(files[0], append(old, "more\n"...), 0o600)
	os.Remove(files[1])
	before, here := b.snapshot(), hashTree(t, b.root)
	out, code := b.run("verify", "A")
	if code != 1 || !strings.Contains(out, "missing here") || strings.Contains(out, "altered") || strings.Contains(out, "\nB:") {
		t.Errorf("status %d\n%s", code, tail(out, 3000))
	}
	out, code = b.run("verify", "--bytes", "A", "Work")
	if code != 1 || !strings.Contains(out, "missing here") || !strings.Contains(out, "altered by server") || !strings.Contains(out, "A: 11 messages on both sides, contents of 11 compared, 2 differences") {
		t.Errorf("status %d\n%s", code, tail(out, 3000))
	}
	if out, code := b.run("verify", "A", "INBOX"); code != 0 {
		t.Errorf("status %d of a folder that is fine\n%s", code, tail(out, 3000))
	}
	if out, code := b.run("verify", "--fast"); code != 2 {
		t.Errorf("status %d of an unknown option\n%s", code, out)
	}
	b.unchanged(before)
	if hashTree(t, b.root) != here {
		t.Error("verify changed the Maildir")
	}
}

// TestQuarantineCommand: a message that is set aside is listed with its reason,
// every run says that there is one, only the run that fails with it has status 1,
// and --retry tries it at once.
func TestQuarantineCommand(t *testing.T) {
	srv := lab.NeedDovecot(t)
	b := newBad(t, srv, 3)
	b.sync()
	if out, code := b.run("quarantine"); code != 0 || !strings.Contains(out, "no message is set aside") {
		t.Errorf("status %d\n%s", code, out)
	}
	file := filepath.Join(b.root, "INBOX", "cur", "1600000000.nul.reader:2,S")
	os.WriteFile(file, []byte("Subject: nul\n\n\x00\n"), 0o600)
	b.refused(1, "NUL")
	out, code := b.run()
	if code != 0 || !strings.Contains(out, "Waiting for you:\n A: 1 messages are set aside") {
		t.Errorf("a later run: status %d\n%s", code, tail(out, 2000))
	}
	out, code = b.run("quarantine", "A", "INBOX")
	if code != 0 || !strings.Contains(out, "A, folder INBOX: file 1600000000.nul.reader: it contains a NUL byte") || !strings.Contains(out, "tried 1 times, next try 20") || !strings.Contains(out, "; since 20") {
		t.Errorf("status %d\n%s", code, out)
	}
	if out, code = b.run("quarantine", "--retry"); code != 1 || !strings.Contains(out, "NUL byte") {
		t.Errorf("tried again: status %d\n%s", code, tail(out, 2000))
	}
	if out, _ = b.run("quarantine"); !strings.Contains(out, "tried 2 times") {
		t.Errorf("after a retry\n%s", out)
	}
	os.WriteFile(file, []byte("Subject: no nul\n\nx\n"), 0o600)
	if out, code = b.run("quarantine", "--retry", "A", "INBOX"); code != 0 || stats(t, out)["uploaded"] != "1" {
		t.Errorf("tried when it is mended: status %d\n%s", code, tail(out, 2000))
	}
	if out, code = b.run("quarantine"); code != 0 || !strings.Contains(out, "no message is set aside") {
		t.Errorf("status %d\n%s", code, out)
	}
	if out, code = b.run("quarantine", "Nobody"); code != 1 {
		t.Errorf("of an unknown account: status %d\n%s", code, out)
	}
}
