package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"offloop/cmd/internal/lab/dovecot"
)

// TestStatus asks from outside before, during and after a run.
func TestStatus(t *testing.T) {
	srv := filled(t, "status", 20, dovecot.Options{})
	m := newMailbox(t, srv, "status")
	m.write()
	ask := func(args ...string) (string, int) { return m.run(append([]string{"status"}, args...)...) }
	if out, code := ask(); code != 1 || !strings.Contains(out, "A: never synced") {
		t.Fatalf("before: %d %s", code, out)
	}
	m.sync()
	if out, code := ask(); code != 1 || !strings.Contains(out, "A: not running; the last sync ended at ") || !strings.Contains(out, "20 downloaded") {
		t.Fatalf("after: %d %s", code, out)
	}
	text, err := os.ReadFile(m.config)
	if err != nil {
		t.Fatal(err)
	}
	os.WriteFile(m.config, []byte(strings.Replace(string(text), "[Account A]\n", "[Account A]\nautorefresh = 60\n", 1)), 0o600)
	cmd := exec.Command(binary, "-c", m.config, "-u", "quiet")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stop := func() { cmd.Process.Signal(os.Interrupt); cmd.Wait() }
	defer stop()
	for began := time.Now(); ; time.Sleep(100 * time.Millisecond) {
		out, code := ask()
		if code == 0 && strings.Contains(out, "A: sleeping (pid ") && strings.Contains(out, ", next ") {
			break
		}
		if time.Since(began) > 20*time.Second {
			t.Fatalf("during: %d %s", code, out)
		}
	}
	out, code := ask("--json")
	var got struct {
		Running bool
		State   string
		Pid     int
	}
	if err := json.Unmarshal([]byte(out), &got); err != nil || code != 0 || !got.Running || got.State != "sleeping" || got.Pid == 0 {
		t.Errorf("json: %d %v %s", code, err, out)
	}
	if st, err := os.Stat(filepath.Join(m.dir, "meta", "offloop", "A", "status.json")); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", st, err)
	}
	stop()
	if out, code := ask(); code != 1 || !strings.Contains(out, "not running") {
		t.Errorf("after the end: %d %s", code, out)
	}
}

// TestStatusOfTheDead: a file whose process is gone, or has been silent too long,
// tells of none.
func TestStatusOfTheDead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "status.json")
	now := time.Now()
	for _, c := range []struct {
		text string
		want string
	}{
		{`{"account":"A","pid":PID,"time":"NOW","state":"syncing","folders":3,"seen":2,"folder":"INBOX\u001b[2J","n":1,"total":9}`, "A: syncing (pid "},
		{`{"account":"A","pid":999999999,"time":"NOW","state":"syncing"}`, "stopped in the middle of a sync"},
		{`{"account":"A","pid":PID,"time":"2001-01-01T00:00:00Z","state":"syncing"}`, "stopped in the middle of a sync"},
		{`{"account":"A","pid":-1,"time":"NOW","state":"sleeping"}`, "not running"},
	} {
		text := strings.NewReplacer("PID", fmt.Sprint(os.Getpid()), "NOW", now.UTC().Format(time.RFC3339)).Replace(c.text)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		s, running, err := readStatus(path, now)
		var b bytes.Buffer
		printStatus(&b, s, running, now)
		if err != nil || !strings.Contains(b.String(), c.want) || strings.Contains(b.String(), "\x1b") {
			t.Errorf("%s: %v %q", c.text, err, b.String())
		}
	}
	os.WriteFile(path, []byte("{"), 0o600)
	if _, _, err := readStatus(path, now); err == nil {
		t.Error("a damaged file is no error")
	}
}
