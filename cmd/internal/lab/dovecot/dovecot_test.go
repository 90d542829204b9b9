package dovecot_test

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"offloop/cmd/internal/lab"
	"offloop/cmd/internal/lab/dovecot"
	"offloop/cmd/internal/lab/imapc"
)

func login(t *testing.T, s *dovecot.Server, user string) *imapc.Client {
	t.Helper()
	c, err := imapc.Dial(s.Addr(), imapc.Options{User: user, Pass: dovecot.Password})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// roundTrip appends one message and reads it back.
func roundTrip(t *testing.T, c *imapc.Client) {
	t.Helper()
	body := []byte("Subject: x\r\n\r\nhello\r\n")
	if _, err := c.Append("INBOX", imapc.Upload{Flags: []string{`\Seen`, "work"}, Body: body}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Examine("INBOX"); err != nil {
		t.Fatal(err)
	}
	var got []byte
	err := c.Fetch("1:*", "(UID FLAGS INTERNALDATE BODY.PEEK[])", nil, func(m imapc.Message) error { got = m.Body; return nil })
	if err != nil || !bytes.Equal(got, body) {
		t.Fatalf("read back %q, %v", got, err)
	}
}

func TestEveryWayIn(t *testing.T) {
	s := lab.NeedDovecot(t)
	conf := &tls.Config{RootCAs: s.Roots(), ServerName: "127.0.0.1"}
	for name, o := range map[string]struct {
		addr string
		o    imapc.Options
	}{
		"plain":    {s.Addr(), imapc.Options{}},
		"starttls": {s.Addr(), imapc.Options{TLS: conf, StartTLS: true}},
		"tls":      {s.TLSAddr(), imapc.Options{TLS: conf}},
	} {
		o.o.User, o.o.Pass = name, dovecot.Password
		c, err := imapc.Dial(o.addr, o.o)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		roundTrip(t, c)
		if err := c.Logout(); err != nil {
			t.Errorf("%s: logout: %v", name, err)
		}
	}
	a, b := net.Pipe()
	cmd := exec.Command("sh", "-c", s.Preauth("tunnel"))
	cmd.Stdin, cmd.Stdout = b, b
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	c, err := imapc.Attach(a, imapc.Options{})
	if err != nil {
		t.Fatalf("preauth: %v", err)
	}
	roundTrip(t, c)
	c.Logout()
	b.Close()
	cmd.Wait()
}

func TestWrongPasswordIsRefusedAtOnce(t *testing.T) {
	s := lab.NeedDovecot(t)
	start := time.Now()
	for range 3 {
		if _, err := imapc.Dial(s.Addr(), imapc.Options{User: "u", Pass: "wrong"}); err == nil {
			t.Fatal("logged in with a wrong password")
		}
	}
	if d := time.Since(start); d > 2*time.Second {
		t.Errorf("three refusals took %v", d)
	}
}

func TestCapabilityIsReduced(t *testing.T) {
	s := lab.NeedDovecot(t, dovecot.Options{Capability: dovecot.CapBare})
	c := login(t, s, "u")
	if got := c.Capabilities(); !slices.Equal(got, []string{"IMAP4REV1"}) {
		t.Errorf("capabilities %v", got)
	}
	roundTrip(t, c) // a synchronising literal
}

func TestFormats(t *testing.T) {
	for _, f := range []dovecot.Format{dovecot.MaildirPP, dovecot.Sdbox} {
		s := lab.NeedDovecot(t, dovecot.Options{Format: f})
		roundTrip(t, login(t, s, "u"))
	}
}

func TestCopiedUserKeepsUIDs(t *testing.T) {
	s := lab.NeedDovecot(t)
	c := login(t, s, "a")
	roundTrip(t, c)
	want, err := c.Select("INBOX")
	if err != nil {
		t.Fatal(err)
	}
	c.Logout()
	if err := s.CopyUser("a", "b"); err != nil {
		t.Fatal(err)
	}
	got, err := login(t, s, "b").Select("INBOX")
	if err != nil || got.UIDValidity != want.UIDValidity || got.UIDNext != want.UIDNext || got.Exists != 1 {
		t.Errorf("copy has %+v, original %+v (%v)", got, want, err)
	}
}

// TestDiesWithItsParent kills a process that runs a server.
func TestDiesWithItsParent(t *testing.T) {
	if dir := os.Getenv("LAB_DOVECOT_CHILD"); dir != "" {
		s, err := dovecot.Start(dovecot.Options{})
		if err != nil {
			os.Stdout.WriteString("error " + err.Error() + "\n")
			os.Exit(1)
		}
		os.Stdout.WriteString(s.Dir + " " + s.Addr() + "\n")
		select {}
	}
	lab.NeedDovecot(t)
	cmd := exec.Command(os.Args[0], "-test.run=TestDiesWithItsParent$", "-test.timeout=30s")
	cmd.Env = append(os.Environ(), "LAB_DOVECOT_CHILD=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 4096)
	n, _ := io.ReadAtLeast(out, b, 10)
	w := strings.Fields(string(b[:n]))
	cmd.Process.Kill()
	cmd.Wait()
	if len(w) != 2 || !filepath.IsAbs(w[0]) {
		t.Fatalf("child said %q", b[:n])
	}
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		c, err := net.Dial("tcp", w[1])
		if err == nil {
			c.Close()
		}
		_, gone := os.Stat(w[0])
		if err != nil && os.IsNotExist(gone) {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("server still there: dial %v, directory %v", err, gone)
		}
	}
}
