package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"offloop/cmd/internal/lab"
	"offloop/cmd/internal/lab/dovecot"
	"offloop/cmd/internal/lab/imapc"
	"offloop/cmd/internal/lab/proxy"
	"offloop/cmd/internal/lab/verify"
)

// TestCompress: COMPRESS=DEFLATE with Dovecot, above TLS and without: asked for, it is
// used; left to offloop, on a slow line and for a hundred messages; and both sides are equal after.
func TestCompress(t *testing.T) {
	srv := lab.NeedDovecot(t, dovecot.Options{Extra: "mail_plugins = zlib\nprotocol imap {\n  mail_plugins = zlib imap_zlib\n}\n"})
	for _, c := range []struct {
		name, key, tls string
		rtt            time.Duration
		n              int
		want           bool
	}{
		{"asked for", "yes", "yes", 0, 120, true},
		{"asked for, in clear", "yes", "no", 0, 120, true},
		{"slow line", "", "yes", 30 * time.Millisecond, 120, true},
		{"too few to pay", "", "yes", 30 * time.Millisecond, 60, false},
		{"not wanted", "no", "yes", 30 * time.Millisecond, 120, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := newMailbox(t, srv, "z"+strings.NewReplacer(" ", "", ",", "").Replace(c.name))
			m.dates = false
			target := srv.TLSAddr()
			if c.tls == "no" {
				target = srv.Addr()
			}
			p, err := proxy.Start(proxy.Options{Target: target, RTT: c.rtt})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { p.Close() })
			m.extra["ssl"], m.extra["usecompression"], m.extra["remoteport"] = c.tls, c.key, fmt.Sprint(p.Port())
			m.write()
			client := m.client()
			for i := range c.n {
				body := fmt.Sprintf("Subject: %d\r\n\r\n%s", i, strings.Repeat("The same words again and again.\r\n", 60))
				if _, err := client.Append("INBOX", imapc.Upload{Body: []byte(body)}); err != nil {
					t.Fatal(err)
				}
			}
			out := m.sync()
			in, bytes := stat(t, out, "wire-in"), stat(t, out, "bytes-down")
			if got := in < bytes/2; got != c.want {
				t.Errorf("compressed: %v, want %v (%d bytes of mail in %d on the wire)", got, c.want, bytes, in)
			}
			m.equal("after the sync", verify.Options{})
			for i := range 20 { // and the other way
				body := fmt.Sprintf("Subject: up %d\n\n%s", i, strings.Repeat("Up and up and up.\n", 1000))
				if err := os.WriteFile(filepath.Join(m.root, "INBOX", "new", fmt.Sprintf("1.%d.x", i)), []byte(body), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			m.sync()
			m.equal("after the uploads", verify.Options{})
		})
	}
}

// stat is one figure of --stats.
func stat(t *testing.T, out, name string) int {
	t.Helper()
	m := regexp.MustCompile(`\b` + name + `=(\d+)`).FindStringSubmatch(out)
	if m == nil {
		t.Fatalf("no %s in\n%s", name, tail(out, 2000))
	}
	n, _ := strconv.Atoi(m[1])
	return n
}
