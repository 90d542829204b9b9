package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"offloop/cmd/internal/lab"
	"offloop/cmd/internal/lab/verify"
)

// peakMemory watches a child and gives, once it has ended, its peak memory in
// bytes. What Linux says in rusage begins with the memory of the process that
// forked, which is not the child's.
func peakMemory(pid int) (ended func(p *os.ProcessState) int64) {
	if runtime.GOOS != "linux" {
		return func(p *os.ProcessState) int64 {
			u, ok := p.SysUsage().(*syscall.Rusage)
			switch {
			case !ok:
				return 0
			case runtime.GOOS == "darwin":
				return int64(u.Maxrss)
			}
			return int64(u.Maxrss) << 10
		}
	}
	stop, peak := make(chan struct{}), make(chan int64)
	go func() {
		most := int64(0)
		for {
			status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
			if _, rest, ok := strings.Cut(string(status), "VmHWM:"); ok {
				n, _ := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
				most = max(most, n<<10)
			}
			select {
			case <-stop:
				peak <- most
				return
			case <-time.After(10 * time.Millisecond):
			}
		}
	}()
	return func(*os.ProcessState) int64 {
		close(stop)
		return <-peak
	}
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
	measure(t, up, "uploaded=1", limit)
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
	if rss == 0 || rss > limit {
		t.Errorf("%s: peak memory %d MB", want, rss>>20)
	}
}
