package main

import (
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"offloop/cmd/internal/lab"
)

// TestHostile_CrashReport: what the runtime writes when the program is aborted amid
// a session, logged in by a server that then goes quiet, has no password in it.
func TestHostile_CrashReport(t *testing.T) {
	const secret = "S3cr3t-Kr0kodil"
	srv := lab.NeedDovecot(t)
	waiting := make(chan bool, 8)
	b := newBad(t, srv, 1)
	b.extra["remotepass"] = secret
	b.plain(fakeServer(t, login(func(c net.Conn, tag, line string) bool {
		if strings.HasPrefix(line, "LIST") {
			waiting <- true
			io.Copy(io.Discard, c)
		}
		return false
	})))
	cmd := exec.Command(binary, "-c", b.config, "-u", "basic", "-d", "all", "-a", "A")
	cmd.Env = append(os.Environ(), "GOTRACEBACK=system")
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-waiting:
	case <-time.After(30 * time.Second):
		t.Error("it never asked for the folders")
	}
	cmd.Process.Signal(syscall.SIGQUIT)
	cmd.Wait()
	if !strings.Contains(out.String(), "goroutine ") {
		t.Errorf("there is no crash report:\n%s", tail(out.String(), 2000))
	}
	if strings.Contains(out.String(), secret) {
		t.Error("the password is in the crash report")
	}
}

// TestRule10_Permissions: whatever the umask, mail and what is recorded of it is the
// user's alone.
func TestRule10_Permissions(t *testing.T) {
	srv := lab.NeedDovecot(t)
	b := newBad(t, srv, 5)
	run := func(args ...string) {
		t.Helper()
		cmd := exec.Command("/bin/sh", append([]string{"-c", `umask 0; exec "$@"`, "sh", binary, "-c", b.config, "-u", "quiet"}, args...)...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, tail(string(out), 3000))
		}
	}
	log := filepath.Join(b.dir, "log")
	run("-l", log)
	files, _ := filepath.Glob(filepath.Join(b.root, "INBOX", "*", "*:2,*"))
	os.Remove(files[0])
	c := b.client()
	fillBoth(t, c, 9, 2)
	if _, err := c.Select("Work"); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{`UID STORE 1 +FLAGS (\Deleted)`, "EXPUNGE"} {
		if _, err := c.Command(line); err != nil {
			t.Fatal(err)
		}
	}
	c.Logout()
	run("-l", log)
	n := 0
	for _, root := range []string{b.root, filepath.Join(b.dir, "meta"), log} {
		err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			info, err := d.Info()
			if err != nil {
				return err
			}
			n++
			want := fs.FileMode(0o600)
			if d.IsDir() {
				want = 0o700
			}
			if info.Mode().Perm() != want {
				t.Errorf("%s has mode %o, want %o", p, info.Mode().Perm(), want)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
	trash, _ := filepath.Glob(filepath.Join(b.root, ".offloop", "trash", "*", "*", "*"))
	if n < 30 || len(trash) == 0 {
		t.Error(fmt.Sprint(n, " files were looked at, ", len(trash), " in the trash"))
	}
}
