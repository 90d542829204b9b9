package imapproto_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"offloop/imapproto"
)

const dovecotImap = "/usr/lib/dovecot/imap"

const dovecotConf = `protocols = imap
base_dir = DIR/run
state_dir = DIR/state
log_path = DIR/log
mail_location = maildir:DIR/mail
mail_home = DIR
ssl = no
mailbox_list_index = yes
mail_fsync = never
stats_writer_socket_path =
namespace inbox {
  inbox = yes
  separator = /
}
`

// noServer skips a test that has no server to talk to, or fails it where servers
// are required (OFFLOOP_REQUIRE_SERVERS=1, as in CI).
func noServer(t *testing.T, why ...any) {
	t.Helper()
	if os.Getenv("OFFLOOP_REQUIRE_SERVERS") == "1" {
		t.Fatal(why...)
	}
	t.Skip(why...)
}

// TestDovecot talks to a real Dovecot, where one is installed: its imap binary
// speaks on standard input and needs no daemon.
func TestDovecot(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a real server")
	}
	if _, err := os.Stat(dovecotImap); err != nil {
		noServer(t, "no Dovecot here: ", err)
	}
	dir, err := os.MkdirTemp("/tmp", "imapproto")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if os.WriteFile(filepath.Join(dir, "conf"), []byte(strings.ReplaceAll(dovecotConf, "DIR", dir)), 0o644) != nil ||
		os.Chmod(dir, 0o755) != nil {
		t.Fatal("cannot write", dir)
	}
	cmd := exec.Command(dovecotImap, "-c", filepath.Join(dir, "conf"))
	cmd.Env, cmd.Dir = []string{"USER=nobody", "HOME=" + dir}, dir
	if os.Getuid() == 0 {
		if os.Chown(dir, 65534, 65534) != nil {
			noServer(t, "cannot give the directory to nobody")
		}
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	}
	in, _ := cmd.StdinPipe()
	out, _ := cmd.StdoutPipe()
	if err := cmd.Start(); err != nil {
		noServer(t, "Dovecot does not start: ", err)
	}
	t.Cleanup(func() { in.Close(); cmd.Process.Kill(); cmd.Wait() })
	r := out.(*os.File)
	buf := make([]byte, 64<<10)
	talk(t, imapproto.Options{ID: map[string]string{"name": "offloop"}}, func(b []byte, busy bool) []byte {
		if len(b) > 0 {
			if _, err := in.Write(b); err != nil {
				t.Error(err)
			}
		}
		wait := 20 * time.Millisecond
		if busy || len(b) > 0 {
			wait = 5 * time.Second
		}
		if len(b) > 0 && strings.HasSuffix(string(b), "IDLE\r\n") {
			wait = time.Second
		}
		r.SetReadDeadline(time.Now().Add(wait))
		n, _ := r.Read(buf)
		return buf[:n]
	})
}
