package main

import (
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

// silent is a server that takes connections and says nothing: a program that
// connects to it stays at work, with its lock held.
func silent(t *testing.T) (port int, connected chan struct{}) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	connected = make(chan struct{}, 100)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			defer c.Close()
			connected <- struct{}{}
		}
	}()
	t.Cleanup(func() { l.Close() })
	return l.Addr().(*net.TCPAddr).Port, connected
}

// hold starts a program that keeps the account locked until the test ends.
func hold(t *testing.T, d *dropIn, connected chan struct{}, name string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), "HOME="+d.dir, "PYTHONDONTWRITEBYTECODE=1", "LC_ALL=C.UTF-8")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	select {
	case <-connected:
	case <-time.After(time.Minute):
		t.Fatalf("%s does not connect", name)
	}
	return cmd
}

// TestLockWithOfflineIMAP: while one of the two works on an account, the other does
// not, and says why.
func TestLockWithOfflineIMAP(t *testing.T) {
	needOfflineIMAP(t)
	srv := lab.NeedDovecot(t)
	for _, first := range []string{"offlineimap", "offloop"} {
		d := &dropIn{mailbox: newMailbox(t, srv, "lock"+first)}
		hanging := *srv
		port, connected := silent(t)
		hanging.Port = port
		slow := &dropIn{mailbox: &mailbox{t: t, srv: &hanging, user: d.user, dir: d.dir, root: d.root, config: filepath.Join(d.dir, "slow"), sep: "/"}}
		meta := filepath.Join(d.dir, "meta")
		d.writeTo(d.config, meta, d.root)
		slow.writeTo(slow.config, meta, d.root)
		if first == "offlineimap" {
			hold(t, d, connected, "offlineimap", "-c", slow.config, "-o", "-u", "quiet")
			out, code := d.run()
			if code != 1 || !strings.Contains(out, "offlineimap (process ") && !strings.Contains(out, "python3 (process ") {
				t.Errorf("offloop beside offlineimap: exit status %d\n%s", code, tail(out, 2000))
			}
			continue
		}
		hold(t, d, connected, binary, "-c", slow.config, "-o", "-u", "quiet")
		if out, code := offlineimap(t, d.config); code != 1 || !strings.Contains(out, "Could not lock account") {
			t.Errorf("offlineimap beside offloop: exit status %d\n%s", code, tail(out, 2000))
		}
	}
}

// TestQuitAborts: QUIT prints the stacks and ends as by abort.
func TestQuitAborts(t *testing.T) {
	srv := lab.NeedDovecot(t)
	d := &dropIn{mailbox: newMailbox(t, srv, "quit")}
	hanging := *srv
	port, connected := silent(t)
	hanging.Port = port
	d.srv = &hanging
	d.writeTo(d.config, filepath.Join(d.dir, "meta"), d.root)
	cmd := hold(t, d, connected, binary, "-c", d.config, "-o", "-u", "quiet")
	cmd.Process.Signal(syscall.SIGQUIT)
	cmd.Wait()
	if st := cmd.ProcessState.Sys().(syscall.WaitStatus); !st.Signaled() || st.Signal() != syscall.SIGABRT {
		t.Errorf("ended with %v", cmd.ProcessState)
	}
}
