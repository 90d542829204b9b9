package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

// away is a running account A whose server is at a port of this machine.
func away(t *testing.T, port int) *live {
	dir := t.TempDir()
	m := &mailbox{t: t, dir: dir, config: filepath.Join(dir, "rc")}
	os.WriteFile(m.config, fmt.Appendf(nil, `[general]
accounts = A
metadata = %[1]s/meta
[Account A]
localrepository = L
remoterepository = R
autorefresh = 0.02
[Repository L]
type = Maildir
localfolders = %[1]s/mail
[Repository R]
type = IMAP
remotehost = 127.0.0.1
remoteport = %[2]d
ssl = no
starttls = no
remoteuser = joe
remotepass = secret
`, dir, port), 0o600)
	return m.keepRunning()
}

// TestPatience: a server that refuses logins because there are too many is left alone
// although the account is due, and that is said.
func TestPatience(t *testing.T) {
	var logins atomic.Int32
	p := away(t, fakeServer(t, login(func(c net.Conn, tag, line string) bool {
		if !strings.HasPrefix(line, "AUTHENTICATE") {
			return false
		}
		logins.Add(1)
		fmt.Fprintf(c, "%s NO [LIMIT] Too many logins\r\n", tag)
		return true
	})))
	p.until("word of the server's wish", func() bool {
		return strings.Contains(p.output(), "A: the server asks to be left alone for a while; the next try is at")
	})
	out := p.stop()
	if n := logins.Load(); n != 1 || strings.Contains(out, "remoteuser and the password") {
		t.Errorf("%d logins\n%s", n, out)
	}
}

// TestOffline: without a way to the server the account says when it tries again, and
// tries.
func TestOffline(t *testing.T) {
	p := away(t, closedPort(t))
	const said = "A: the server cannot be reached; the next try is at"
	p.until("a second try", func() bool { return strings.Count(p.output(), said) >= 2 })
	p.stop()
}
