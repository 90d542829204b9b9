package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"offloop/cmd/internal/lab"
	"offloop/cmd/internal/lab/verify"
)

// maxRSS is a child's peak memory in bytes.
func maxRSS(p *os.ProcessState) int64 {
	u, ok := p.SysUsage().(*syscall.Rusage)
	if !ok {
		return 0
	}
	if runtime.GOOS == "darwin" {
		return int64(u.Maxrss)
	}
	return int64(u.Maxrss) << 10
}

// writeLarge writes a message of about size bytes.
func writeLarge(path string, size int) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	w := bufio.NewWriterSize(f, 1<<20)
	io.WriteString(w, "From: a@example.org\nSubject: large\nMessage-ID: <large@example.org>\n\n")
	line := strings.Repeat("0123456789abcde", 5) + "\n"
	for n := 0; n < size; n += len(line) {
		w.WriteString(line)
	}
	return w.Flush()
}

// TestMemory: one message of 200 MB, up and down, in less than 40 MB of memory.
func TestMemory(t *testing.T) {
	if testing.Short() || raceEnabled {
		t.Skip("200 MB twice: not in a short run, and the race detector has memory of its own")
	}
	const size, limit = 200 << 20, 40 << 20
	srv := lab.NeedDovecot(t)
	up := newMailbox(t, srv, "large")
	up.dates = false
	up.write()
	for _, d := range []string{"cur", "new", "tmp"} {
		if err := os.MkdirAll(filepath.Join(up.root, "INBOX", d), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := writeLarge(filepath.Join(up.root, "INBOX", "new", "1.M1.large"), size); err != nil {
		t.Fatal(err)
	}
	down := newMailbox(t, srv, "large")
	down.dates = false
	down.write()
	for name, m := range map[string]*mailbox{"uploaded=1": up} {
		measure(t, m, name, limit)
	}
	measure(t, down, "downloaded=1", limit)
	up.equal("after the upload", verify.Options{})
	down.equal("after the download", verify.Options{})
}

func measure(t *testing.T, m *mailbox, want string, limit int64) {
	t.Helper()
	out, code, rss := m.measured(3 * time.Minute)
	if code != 0 || !strings.Contains(out, want) {
		t.Fatalf("exit status %d, want 0 and %s\n%s", code, want, tail(out, 3000))
	}
	t.Logf("%s: peak memory %s", want, fmt.Sprintf("%.1f MB", float64(rss)/(1<<20)))
	if rss > limit {
		t.Errorf("%s: peak memory %d MB", want, rss>>20)
	}
}
