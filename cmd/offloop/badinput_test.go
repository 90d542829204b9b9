package main

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"offloop/cmd/internal/lab"
	"offloop/cmd/internal/lab/cert"
	"offloop/cmd/internal/lab/dovecot"
	"offloop/cmd/internal/lab/gen"
	"offloop/cmd/internal/lab/imapc"
	"offloop/cmd/internal/lab/proxy"
	"offloop/cmd/internal/lab/verify"
)

// bad is an account A with something wrong, beside an account B that is fine and
// must be synced all the same.
type bad struct {
	*mailbox
	good    *mailbox
	general map[string]string
}

// newBad gives both accounts a few messages in INBOX and Work on the server.
func newBad(t *testing.T, srv *dovecot.Server, messages int) *bad {
	name := regexp.MustCompile(`[^a-z0-9]+`).ReplaceAllString(strings.ToLower(t.Name()), "-")
	b := &bad{mailbox: newMailbox(t, srv, name+"-a"), good: newMailbox(t, srv, name+"-b"), general: map[string]string{}}
	b.dates, b.good.dates = false, false
	for i, m := range []*mailbox{b.mailbox, b.good} {
		c := m.client()
		if err := c.Create("Work"); err != nil {
			t.Fatal(err)
		}
		fillBoth(t, c, uint64(len(name))*7+uint64(i), messages)
		c.Logout()
	}
	b.write()
	return b
}

// fillBoth puts n messages into each of INBOX and Work.
func fillBoth(t testing.TB, c *imapc.Client, seed uint64, n int) {
	t.Helper()
	mail := gen.New(gen.Options{Seed: seed, Messages: 2 * n, Folders: 1, Median: 2000, Mean: 4000})
	for i := range 2 * n {
		m := mail.Message(0, i)
		if _, err := c.Append([]string{"INBOX", "Work"}[i%2], imapc.Upload{Body: m.Body, Flags: m.Flags}); err != nil {
			t.Fatal(err)
		}
	}
}

// write writes one configuration for both accounts.
func (b *bad) write() {
	general := map[string]string{"accounts": "A, B", "metadata": filepath.Join(b.dir, "meta"), "maxsyncaccounts": "2"}
	for k, v := range b.general {
		general[k] = v
	}
	var s strings.Builder
	s.WriteString("[general]\n")
	for k, v := range general {
		fmt.Fprintf(&s, "%s = %s\n", k, v)
	}
	for name, m := range map[string]*mailbox{"A": b.mailbox, "B": b.good} {
		remote := map[string]string{"type": "IMAP", "remotehost": m.srv.Host, "remoteport": fmt.Sprint(m.srv.TLSPort),
			"remoteuser": m.user, "remotepass": dovecot.Password, "sslcacertfile": m.srv.CAFile}
		for k, v := range m.extra {
			remote[k] = v
			if v == "" {
				delete(remote, k)
			}
		}
		fmt.Fprintf(&s, "\n[Account %s]\nlocalrepository = L%s\nremoterepository = R%s\nutf8foldernames = yes\n", name, name, name)
		fmt.Fprintf(&s, "[Repository L%s]\ntype = Maildir\nlocalfolders = %s\n[Repository R%s]\n", name, m.root, name)
		for k, v := range remote {
			fmt.Fprintf(&s, "%s = %s\n", k, v)
		}
	}
	if err := os.WriteFile(b.config, []byte(s.String()), 0o600); err != nil {
		b.t.Fatal(err)
	}
}

// plain makes account A talk to a port of this machine without TLS.
func (b *bad) plain(port int) {
	b.extra["ssl"], b.extra["starttls"], b.extra["sslcacertfile"] = "no", "no", ""
	b.extra["remotehost"], b.extra["remoteport"] = "127.0.0.1", fmt.Sprint(port)
	b.write()
}

var stackTrace = regexp.MustCompile(`goroutine \d+ \[|panic:|runtime error|\.go:\d+`)

// refused runs offloop and checks what every bad situation has in common: the
// status, a message that names the account and what else it must, a hint in the
// line behind it, no stack trace, no password, and account B synced.
func (b *bad) refused(code int, want ...string) string {
	b.t.Helper()
	out, got := b.run()
	b.judge(out, got, code, want...)
	return out
}

func (b *bad) judge(out string, got, code int, want ...string) {
	b.t.Helper()
	if got != code {
		b.t.Errorf("exit status %d, want %d", got, code)
	}
	msg, hint := firstError(out)
	if msg == "" {
		b.t.Errorf("there is no ERROR line")
	}
	if hint == "" {
		b.t.Errorf("nothing says what to do about it: %q", msg)
	}
	for _, w := range append([]string{"A"}, want...) {
		if !regexp.MustCompile(w).MatchString(msg + "\n" + hint) {
			b.t.Errorf("%q is not in the message %q and its hint %q", w, msg, hint)
		}
	}
	clean(b.t, out)
	b.goodSynced()
	if b.t.Failed() {
		b.t.Fatalf("output:\n%s", tail(out, 5000))
	}
}

// clean fails the test if output shows a stack trace or raw control characters.
func clean(t testing.TB, out string) {
	t.Helper()
	if m := stackTrace.FindString(out); m != "" {
		t.Errorf("a stack trace is shown: %s", m)
	}
	if i := strings.IndexFunc(out, func(r rune) bool { return r < ' ' && r != '\n' && r != '\t' || 0x7f <= r && r < 0xa0 }); i >= 0 {
		t.Errorf("a control character reaches the terminal: %q", out[max(0, i-20):min(len(out), i+20)])
	}
}

// firstError finds the first error of account A and the indented lines behind it.
func firstError(out string) (msg, hint string) {
	lines := strings.Split(out, "\n")
	for i, l := range lines {
		if !strings.HasPrefix(l, "ERROR: A") {
			continue
		}
		for _, h := range lines[i+1:] {
			if !strings.HasPrefix(h, "  ") {
				break
			}
			hint += h + "\n"
		}
		return l, hint
	}
	return "", ""
}

// goodSynced fails the test unless account B is the same on both sides.
func (b *bad) goodSynced() {
	b.t.Helper()
	b.good.t = b.t
	b.good.equal("the account that is fine", verify.Options{})
}

// snapshot is what the server holds of account A.
func (m *mailbox) snapshot() verify.Tree {
	m.t.Helper()
	c := m.client()
	defer c.Logout()
	tree, err := verify.ReadServer(c, verify.Options{})
	if err != nil {
		m.t.Fatal(err)
	}
	return tree
}

// unchanged fails the test if the server holds anything else than before.
func (m *mailbox) unchanged(before verify.Tree) {
	m.t.Helper()
	now := m.snapshot()
	if len(now) != len(before) {
		m.t.Errorf("the server has %d folders, had %d", len(now), len(before))
	}
	for name, f := range before {
		g := now[name]
		if g == nil {
			m.t.Errorf("folder %s is gone from the server", name)
			continue
		}
		if !slices.EqualFunc(f.Messages, g.Messages, func(x, y verify.Entry) bool { return x.UID == y.UID && x.Sum == y.Sum && x.Flags == y.Flags }) {
			m.t.Errorf("folder %s changed on the server: %d messages, had %d", name, len(g.Messages), len(f.Messages))
		}
	}
}

// hashTree gives a hash of all names, contents and modification times below dir.
func hashTree(t testing.TB, dir string) string {
	t.Helper()
	h := sha256.New()
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		fmt.Fprintf(h, "%s %v %v\n", p, info.Mode(), info.ModTime())
		if info.Mode().IsRegular() {
			body, err := os.ReadFile(p)
			if err != nil {
				return err
			}
			h.Write(body)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%x", h.Sum(nil))
}

// fakeServer runs serve for every connection to a loopback port.
func fakeServer(t testing.TB, serve func(c net.Conn)) int {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				c.SetDeadline(time.Now().Add(time.Minute))
				serve(c)
			}()
		}
	}()
	return ln.Addr().(*net.TCPAddr).Port
}

// closedPort is a port that refuses connections.
func closedPort(t testing.TB) int {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().(*net.TCPAddr).Port
}

// TestBadServer: what keeps account A from its server. Nothing of the Maildir or
// the server may change, and account B is synced.
func TestBadServer(t *testing.T) {
	srv := lab.NeedDovecot(t)
	otherName := lab.NeedDovecot(t, dovecot.Options{Cert: &cert.Request{Names: []string{"mail.elsewhere.example"}}})
	silent := fakeServer(t, func(c net.Conn) { io.Copy(io.Discard, c) })
	noTLS := fakeServer(t, func(c net.Conn) {
		io.WriteString(c, "* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] hello\r\n")
		answer(c, func(tag, line string) string {
			if strings.HasPrefix(line, "LOGIN") || strings.HasPrefix(line, "AUTHENTICATE") {
				return tag + " OK in clear text\r\n"
			}
			return tag + " BAD no\r\n"
		})
	})
	ca, err := cert.NewAuthority()
	if err != nil {
		t.Fatal(err)
	}
	wrongCA := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(wrongCA, ca.PEM, 0o644); err != nil {
		t.Fatal(err)
	}
	cases := []struct {
		name  string
		limit time.Duration
		set   func(b *bad)
		want  []string
	}{
		{"wrong password", 10 * time.Second, func(b *bad) { b.extra["remotepass"] = "wr0ng-s3cret" }, []string{`remoteuser|password`, `127\.0\.0\.1`}},
		{"unknown host", 30 * time.Second, func(b *bad) { b.extra["remotehost"] = "mail.nowhere.invalid" }, []string{`mail\.nowhere\.invalid`}},
		{"refused port", 30 * time.Second, func(b *bad) { b.extra["remoteport"] = fmt.Sprint(closedPort(b.t)) }, []string{`refused`, `127\.0\.0\.1`}},
		{"silent", 40 * time.Second, func(b *bad) { b.plain(silent); b.general["socktimeout"] = "2" }, []string{`127\.0\.0\.1`, `2s|2 s`}},
		{"silent under TLS", 40 * time.Second, func(b *bad) { b.extra["remoteport"] = fmt.Sprint(silent); b.general["socktimeout"] = "2" }, []string{`127\.0\.0\.1`, `2s|2 s`}},
		{"wrong authority", 20 * time.Second, func(b *bad) { b.extra["sslcacertfile"] = wrongCA }, []string{`certificate`, `CA file`}},
		{"wrong name", 20 * time.Second, func(b *bad) {
			b.extra["remoteport"], b.extra["sslcacertfile"] = fmt.Sprint(otherName.TLSPort), otherName.CAFile
		}, []string{`certificate`, `mail\.elsewhere\.example|127\.0\.0\.1`}},
		{"wrong fingerprint", 20 * time.Second, func(b *bad) { b.extra["cert_fingerprint"] = strings.Repeat("ab", 32) }, []string{`fingerprint`, b64less(srv)}},
		{"no STARTTLS", 20 * time.Second, func(b *bad) { b.plain(noTLS); b.extra["starttls"] = "yes" }, []string{`(?i)starttls`}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := newBad(t, srv, 5)
			b.sync()
			before, tree := b.snapshot(), hashTree(t, filepath.Join(b.root, "INBOX"))
			c.set(b)
			b.write()
			began := time.Now()
			out := b.refused(1, c.want...)
			if d := time.Since(began); d > c.limit {
				t.Errorf("it took %v to give up", d)
			}
			if strings.Contains(out, "wr0ng-s3cret") {
				t.Error("the password is shown")
			}
			b.unchanged(before)
			if hashTree(t, filepath.Join(b.root, "INBOX")) != tree {
				t.Error("the Maildir changed")
			}
		})
	}
}

func b64less(s *dovecot.Server) string { return s.Leaf.Fingerprint() }

// answer reads commands, literals not included, and writes what reply says.
func answer(c net.Conn, reply func(tag, line string) string) {
	r := newLineReader(c)
	for {
		line, err := r.line()
		if err != nil {
			return
		}
		tag, rest, _ := strings.Cut(line, " ")
		if _, err := io.WriteString(c, reply(tag, rest)); err != nil {
			return
		}
	}
}

type lineReader struct {
	r   io.Reader
	buf []byte
}

func newLineReader(r io.Reader) *lineReader { return &lineReader{r: r} }

func (l *lineReader) line() (string, error) {
	for {
		if i := bytes.IndexByte(l.buf, '\n'); i >= 0 {
			s := strings.TrimRight(string(l.buf[:i]), "\r")
			l.buf = l.buf[i+1:]
			return s, nil
		}
		b := make([]byte, 4096)
		n, err := l.r.Read(b)
		l.buf = append(l.buf, b[:n]...)
		if err != nil {
			return "", err
		}
	}
}

// login answers the commands before the mailbox work as any server would; what
// comes then is up to then.
func login(then func(c net.Conn, tag, line string) bool) func(net.Conn) {
	return func(c net.Conn) {
		io.WriteString(c, "* OK [CAPABILITY IMAP4rev1 SASL-IR LITERAL+ UIDPLUS AUTH=PLAIN] hello\r\n")
		r := newLineReader(c)
		for {
			line, err := r.line()
			if err != nil {
				return
			}
			tag, rest, _ := strings.Cut(line, " ")
			switch verb, _, _ := strings.Cut(rest, " "); {
			case then(c, tag, rest):
			case verb == "CAPABILITY":
				fmt.Fprintf(c, "* CAPABILITY IMAP4rev1 SASL-IR LITERAL+ UIDPLUS AUTH=PLAIN\r\n%s OK\r\n", tag)
			case verb == "SELECT" || verb == "EXAMINE":
				fmt.Fprintf(c, "* FLAGS (\\Seen)\r\n* 1 EXISTS\r\n* OK [PERMANENTFLAGS (\\Seen \\*)] x\r\n* OK [UIDVALIDITY 7] x\r\n* OK [UIDNEXT 2] x\r\n%s OK [READ-WRITE] x\r\n", tag)
			case verb == "LIST":
				fmt.Fprintf(c, "* LIST () \"/\" INBOX\r\n%s OK x\r\n", tag)
			case verb == "LOGOUT":
				fmt.Fprintf(c, "* BYE x\r\n%s OK x\r\n", tag)
				return
			default:
				fmt.Fprintf(c, "%s OK x\r\n", tag)
			}
		}
	}
}

// flood writes the same for ever, or until the client has had enough.
func flood(c net.Conn, s string) {
	b := []byte(strings.Repeat(s, 64<<10/len(s)+1))
	for {
		if _, err := c.Write(b); err != nil {
			return
		}
	}
}

// TestGarbageServer: servers that talk nonsense, without end or with an intent.
// offloop ends with one clear error, in bounded time and memory.
func TestGarbageServer(t *testing.T) {
	srv := lab.NeedDovecot(t)
	random := func(seed uint64) []byte {
		r := rand.New(rand.NewPCG(seed, 1))
		b := make([]byte, 100_000)
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		return b
	}
	list := func(s string) func(net.Conn) {
		return login(func(c net.Conn, tag, line string) bool {
			if !strings.HasPrefix(line, "LIST") {
				return false
			}
			io.WriteString(c, s)
			fmt.Fprintf(c, "%s OK x\r\n", tag)
			return true
		})
	}
	fetch := func(f func(c net.Conn)) func(net.Conn) {
		return login(func(c net.Conn, tag, line string) bool {
			if !strings.HasPrefix(line, "UID FETCH") {
				return false
			}
			f(c)
			fmt.Fprintf(c, "%s OK x\r\n", tag)
			return true
		})
	}
	cases := []struct {
		name  string
		serve func(net.Conn)
	}{
		{"random bytes", func(c net.Conn) { c.Write(random(1)) }},
		{"random bytes behind a greeting", login(func(c net.Conn, tag, line string) bool { c.Write(random(2)); return true })},
		{"an endless line", func(c net.Conn) { io.WriteString(c, "* OK "); flood(c, "x") }},
		{"an endless list", list("* LIST (" + strings.Repeat("\\A ", 1<<20) + ") \"/\" INBOX\r\n")},
		{"endless flags", fetch(func(c net.Conn) { io.WriteString(c, "* 1 FETCH (UID 1 FLAGS ("); flood(c, "\\Flag ") })},
		{"endless nesting", fetch(func(c net.Conn) { io.WriteString(c, "* 1 FETCH (UID 1 BODYSTRUCTURE "); flood(c, "(") })},
		{"a literal of 2^63-1 in LIST", list("* LIST () \"/\" {9223372036854775807}\r\nINBOX\r\n")},
		{"a literal of 2^64 in LIST", list("* LIST () \"/\" {18446744073709551616}\r\nINBOX\r\n")},
		{"a literal of 2^63-1 for a body", fetch(func(c net.Conn) {
			io.WriteString(c, "* 1 FETCH (UID 1 FLAGS () BODY[] {9223372036854775807}\r\n"+strings.Repeat("y", 100_000))
			c.Close()
		})},
		{"a negative literal", list("* LIST () \"/\" {-1}\r\nINBOX\r\n")},
		{"a flood of notices", func(c net.Conn) { flood(c, "* OK still here\r\n") }},
		{"a flood of notices after login", list(strings.Repeat("* OK still here\r\n", 1000))},
		{"a flood of EXISTS", login(func(c net.Conn, tag, line string) bool {
			if strings.HasPrefix(line, "LIST") {
				flood(c, "* 5 EXISTS\r\n")
			}
			return false
		})},
		{"a flood of folders", login(func(c net.Conn, tag, line string) bool {
			if strings.HasPrefix(line, "LIST") {
				for i := 0; ; i++ {
					if _, err := fmt.Fprintf(c, "* LIST () \"/\" \"folder %d %s\"\r\n", i, strings.Repeat("z", 200)); err != nil {
						return true
					}
				}
			}
			return false
		})},
		{"a flood of alerts", login(func(c net.Conn, tag, line string) bool {
			if strings.HasPrefix(line, "LIST") {
				flood(c, "* OK [ALERT] look here\r\n")
			}
			return false
		})},
		{"a flood of messages", fetch(func(c net.Conn) { flood(c, "* 1 FETCH (UID 1 FLAGS ())\r\n") })},
		{"BYE", func(c net.Conn) { io.WriteString(c, "* BYE \x1b[2Jgo away\x07\r\n") }},
		{"an answer to nothing", login(func(c net.Conn, tag, line string) bool { fmt.Fprintf(c, "ZZ%s OK x\r\n", tag); return true })},
		{"nothing but NO", login(func(c net.Conn, tag, line string) bool { fmt.Fprintf(c, "%s NO \x1b]0;x\x07no\r\n", tag); return true })},
	}
	for _, x := range cases {
		t.Run(x.name, func(t *testing.T) {
			t.Parallel()
			b := newBad(t, srv, 3)
			b.general["socktimeout"] = "3"
			b.plain(fakeServer(t, x.serve))
			if x.name == "a flood of notices after login" {
				b.run() // 1,000 of them are merely odd
				b.goodSynced()
				return
			}
			began := time.Now()
			out, code, rss := b.measured(90 * time.Second)
			b.judge(out, code, 1, `127\.0\.0\.1|INBOX`)
			if d := time.Since(began); d > 60*time.Second {
				t.Errorf("it took %v to end", d)
			}
			if limit := int64(100 << 20); rss > limit && !raceEnabled {
				t.Errorf("it took %d MB of memory", rss>>20)
			}
			if n := len(out); n > 100_000 {
				t.Errorf("it printed %d bytes", n)
			}
		})
	}
}

// measured is run with a time limit, and the child's peak memory in bytes.
func (m *mailbox) measured(limit time.Duration, args ...string) (out string, code int, rss int64) {
	m.t.Helper()
	cmd := exec.Command(binary, append([]string{"-c", m.config, "-u", "basic", "--stats"}, args...)...)
	var b bytes.Buffer
	cmd.Stdout, cmd.Stderr = &b, &b
	if err := cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
	peak := peakMemory(cmd.Process.Pid)
	timer := time.AfterFunc(limit, func() { cmd.Process.Kill() })
	cmd.Wait()
	if !timer.Stop() {
		m.t.Errorf("it did not end within %v", limit)
	}
	return b.String(), cmd.ProcessState.ExitCode(), peak(cmd.ProcessState)
}

// TestRule10_HostileNames: folder names that try to leave the Maildir root or to talk to
// the terminal, and an ALERT that does. The honest folder beside them is synced.
func TestRule10_HostileNames(t *testing.T) {
	srv := lab.NeedDovecot(t)
	b := newBad(t, srv, 3)
	names := []string{"../../../escaped", "/absolute", "Work/../../escaped", "INBOX/cur", "a\x1b[2Jb", "new", ".offloop", strings.Repeat("long", 200)}
	b.plain(fakeServer(t, login(func(c net.Conn, tag, line string) bool {
		switch {
		case strings.HasPrefix(line, "LIST"):
			io.WriteString(c, "* OK [ALERT] \x1b[2J\x1b]0;pwned\x07 pay \x9b1m here\r\n* LIST () \"/\" INBOX\r\n")
			for _, n := range names {
				fmt.Fprintf(c, "* LIST () \"/\" {%d}\r\n%s\r\n", len(n), n)
			}
			fmt.Fprintf(c, "%s OK x\r\n", tag)
		case strings.HasPrefix(line, "UID FETCH") && strings.Contains(line, "BODY"):
			fmt.Fprintf(c, "* 1 FETCH (UID 1 FLAGS (\\Seen) INTERNALDATE \"01-Jan-2024 00:00:00 +0000\" BODY[] {14}\r\nSubject: x\r\n\r\n)\r\n%s OK x\r\n", tag)
		case strings.HasPrefix(line, "UID FETCH"):
			fmt.Fprintf(c, "* 1 FETCH (UID 1 FLAGS (\\Seen))\r\n%s OK x\r\n", tag)
		default:
			return false
		}
		return true
	})))
	out := b.refused(1, `escaped`)
	if !strings.Contains(out, "pay") {
		t.Errorf("the server's ALERT is not shown:\n%s", out)
	}
	files, _ := filepath.Glob(filepath.Join(b.root, "INBOX", "cur", "*"))
	if len(files) != 1 {
		t.Errorf("INBOX holds %d messages, want 1:\n%s", len(files), tail(out, 3000))
	}
	for _, dir := range []string{b.dir, filepath.Dir(b.dir)} {
		if found, _ := filepath.Glob(filepath.Join(dir, "escaped*")); len(found) > 0 {
			t.Errorf("%v was made outside the root", found)
		}
	}
}

// TestRule10_Credentials: no password in any output, log or process list, whatever is
// logged and whatever the server says.
func TestRule10_Credentials(t *testing.T) {
	const secret = "S3cr3t-Kr0kodil"
	srv := lab.NeedDovecot(t, dovecot.Options{Extra: "passdb {\n  driver = static\n  args = password=" + secret + "\n}\n"})
	bare := lab.NeedDovecot(t, dovecot.Options{Capability: dovecot.CapBare, Extra: "passdb {\n  driver = static\n  args = password=" + secret + "\n}\n"})
	echo := fakeServer(t, func(c net.Conn) {
		io.WriteString(c, "* OK [CAPABILITY IMAP4rev1 LOGINDISABLEDNOT] hi\r\n")
		answer(c, func(tag, line string) string {
			if strings.HasPrefix(line, "CAPABILITY") {
				return "* CAPABILITY IMAP4rev1\r\n" + tag + " OK\r\n"
			}
			return tag + " NO [AUTHENTICATIONFAILED] cannot: " + line + " password " + secret + " is wrong\r\n"
		})
	})
	cases := []struct {
		name string
		srv  *dovecot.Server
		set  func(b *bad)
		code int
	}{
		{"sasl", srv, func(b *bad) { b.extra["remotepass"] = secret }, 0},
		{"login", bare, func(b *bad) { b.extra["remotepass"] = secret; b.extra["auth_mechanisms"] = "LOGIN" }, 0},
		{"file", srv, func(b *bad) {
			file := filepath.Join(b.dir, "pass")
			if err := os.WriteFile(file, []byte(secret+"\n"), 0o600); err != nil {
				b.t.Fatal(err)
			}
			b.extra["remotepass"], b.extra["remotepassfile"] = "", file
		}, 0},
		{"command", srv, func(b *bad) { b.extra["remotepass"], b.extra["remotepasscmd"] = "", "echo "+secret }, 0},
		{"wrong", srv, func(b *bad) { b.extra["remotepass"] = secret + "x" }, 1},
		{"echoed", srv, func(b *bad) { b.extra["remotepass"] = secret; b.plain(echo) }, 1},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := newBad(t, c.srv, 3)
			c.set(b)
			b.write()
			logfile := filepath.Join(b.dir, "log")
			x := b.start("-d", "all", "-l", logfile, "--stats")
			cmdline, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", x.cmd.Process.Pid))
			environ, _ := os.ReadFile(fmt.Sprintf("/proc/%d/environ", x.cmd.Process.Pid))
			out, code := x.wait()
			if code != c.code {
				t.Errorf("exit status %d, want %d\n%s", code, c.code, tail(out, 4000))
			}
			logged, err := os.ReadFile(logfile)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(out, "> A1 ") {
				t.Errorf("-d all shows no protocol:\n%s", tail(out, 2000))
			}
			encoded := base64.StdEncoding.EncodeToString([]byte("\x00" + b.user + "\x00" + secret))
			for _, s := range []string{secret, encoded, encoded[:len(encoded)-4], base64.StdEncoding.EncodeToString([]byte(secret))[:16]} {
				for where, text := range map[string][]byte{"the output": []byte(out), "the log file": logged, "the command line": cmdline, "the environment": environ} {
					if i := bytes.Index(text, []byte(s)); i >= 0 {
						t.Errorf("the password is in %s: %q", where, text[max(0, i-60):min(len(text), i+len(s)+10)])
					}
				}
			}
			err = filepath.WalkDir(filepath.Join(b.dir, "meta"), func(p string, d fs.DirEntry, err error) error {
				if err != nil || d.IsDir() {
					return err
				}
				body, err := os.ReadFile(p)
				if bytes.Contains(body, []byte(secret)) {
					t.Errorf("the password is in %s", p)
				}
				return err
			})
			if err != nil {
				t.Error(err)
			}
			if st, err := os.Stat(logfile); err != nil || st.Mode().Perm()&0o077 != 0 {
				t.Errorf("the log file is readable by others: %v %v", st.Mode(), err)
			}
		})
	}
}

// TestBadConfig: a configuration that cannot be read says where, and one bad
// account does not stop the other.
func TestBadConfig(t *testing.T) {
	srv := lab.NeedDovecot(t)
	t.Run("unparsable", func(t *testing.T) {
		b := newBad(t, srv, 2)
		text, err := os.ReadFile(b.config)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(b.config, append(text, "\nthis is not a key\n[unclosed\n"...), 0o600); err != nil {
			t.Fatal(err)
		}
		out, code := b.run()
		line := bytes.Count(text, []byte("\n")) + 2
		if code != 1 || !strings.Contains(out, fmt.Sprintf("%s:%d", b.config, line)) {
			t.Errorf("exit status %d, want 1 and line %d named:\n%s", code, line, out)
		}
		clean(t, out)
		if _, err := os.Stat(b.root); err == nil {
			t.Error("it synced with a configuration it could not read")
		}
	})
	t.Run("missing", func(t *testing.T) {
		b := newBad(t, srv, 2)
		b.config = filepath.Join(b.dir, "nosuch")
		out, code := b.run()
		if code != 1 || !strings.Contains(out, b.config) {
			t.Errorf("exit status %d, want 1 and the file named:\n%s", code, out)
		}
		clean(t, out)
	})
	t.Run("one account", func(t *testing.T) {
		b := newBad(t, srv, 2)
		b.extra["remoteport"] = "many"
		b.write()
		out, code := b.run()
		if code != 1 || !strings.Contains(out, "remoteport") {
			t.Errorf("exit status %d, want 1 and the key named:\n%s", code, out)
		}
		clean(t, out)
		b.goodSynced()
	})
	t.Run("missing authority file", func(t *testing.T) {
		b := newBad(t, srv, 2)
		b.extra["sslcacertfile"] = filepath.Join(b.dir, "nosuch.pem")
		b.write()
		out, code := b.run()
		if code != 1 || !strings.Contains(out, "nosuch.pem") || !strings.Contains(out, "account A") {
			t.Errorf("exit status %d, want 1 and account and file named:\n%s", code, out)
		}
		clean(t, out)
		b.goodSynced()
	})
	t.Run("unknown account", func(t *testing.T) {
		b := newBad(t, srv, 2)
		out, code := b.run("-a", "A,Nobody")
		if code != 1 || !strings.Contains(out, "Nobody") {
			t.Errorf("exit status %d, want 1 and the account named:\n%s", code, out)
		}
		clean(t, out)
	})
}

// TestSignals: SIGINT and SIGTERM end a sync within a second, whatever it is at,
// and the next run ends with both sides equal.
func TestSignals(t *testing.T) {
	srv := lab.NeedDovecot(t)
	silent := fakeServer(t, func(c net.Conn) { io.Copy(io.Discard, c) })
	limit := time.Second
	if raceEnabled {
		limit = 5 * time.Second
	}
	stop := func(t *testing.T, x *child, after time.Duration, sig syscall.Signal) {
		t.Helper()
		time.Sleep(after)
		at := time.Now()
		x.cmd.Process.Signal(sig)
		out, code := x.wait()
		if d := time.Since(at); d > limit {
			t.Errorf("%v after %v: it took %v to end\n%s", sig, after, d, tail(out, 3000))
		}
		if code < 0 && strings.Contains(out, "Processing") { // before that it has only begun to exist
			t.Errorf("%v after %v: it died of a signal\n%s", sig, after, tail(out, 3000))
		}
		clean(t, out)
	}
	t.Run("connecting", func(t *testing.T) {
		t.Parallel()
		b := newBad(t, srv, 2)
		b.plain(silent)
		stop(t, b.start("-a", "A"), 400*time.Millisecond, syscall.SIGINT)
	})
	t.Run("ended", func(t *testing.T) { // the sync has ended, the process not quite
		t.Parallel()
		b := newBad(t, srv, 2)
		cmd := exec.Command(binary, "-c", b.config, "-u", "basic", "-a", "B")
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		for sc := bufio.NewScanner(out); sc.Scan() && !strings.Contains(sc.Text(), "Finished account"); {
		}
		ended := make(chan struct{})
		go func() { io.Copy(io.Discard, out); cmd.Wait(); close(ended) }()
		for {
			cmd.Process.Signal(syscall.SIGTERM)
			select {
			case <-ended:
				if code := cmd.ProcessState.ExitCode(); code < 0 {
					t.Errorf("it died of a signal after its sync had ended: %v", cmd.ProcessState)
				}
				return
			case <-time.After(time.Millisecond):
			}
		}
	})
	t.Run("working", func(t *testing.T) {
		t.Parallel()
		h := newHarassed(t, srv, "signals", 99, nil)
		h.measure()
		c := h.m.client()
		for i := range 8 {
			h.addThere(c, 6)
			h.addHere(8)
			sig := []syscall.Signal{syscall.SIGINT, syscall.SIGTERM}[i%2]
			stop(t, h.m.start(), time.Duration(i)*h.length/8+10*time.Millisecond, sig)
			if out, err := exec.Command(binary, "-c", h.m.config, "state", "--check").CombinedOutput(); err != nil {
				t.Errorf("after %v: the state is damaged: %v\n%s", sig, err, out)
			}
		}
		c.Logout()
		h.settle("8 interruptions")
		// While it waits for the uploads of a killed run to settle.
		h.addHere(20)
		x := h.m.start()
		<-x.upload
		x.cmd.Process.Kill()
		x.wait()
		x = h.m.start()
		stop(t, x, 3*time.Second, syscall.SIGTERM)
		h.settle("an interrupted wait")
	})
}

// TestTwoAtOnce: a second offloop on the same account refuses, naming the lock.
func TestTwoAtOnce(t *testing.T) {
	srv := lab.NeedDovecot(t)
	b := newBad(t, srv, 20)
	p, err := proxy.Start(proxy.Options{Target: srv.Addr(), RTT: 300 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	b.plain(p.Port())
	first := b.start("-a", "A")
	lock := filepath.Join(b.dir, "meta", "A.lock")
	for i := 0; i < 100; i++ {
		if _, err := os.Stat(lock); err == nil {
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	time.Sleep(50 * time.Millisecond)
	began := time.Now()
	b.refused(1, regexp.QuoteMeta(lock), fmt.Sprint(first.cmd.Process.Pid))
	if d := time.Since(began); d > 5*time.Second {
		t.Errorf("the second took %v to refuse", d)
	}
	if out, code := first.wait(); code != 0 {
		t.Errorf("the first ended with %d:\n%s", code, tail(out, 3000))
	}
	b.equal("after two at once", verify.Options{})
}

// TestDryRun: a plan is printed and nothing at all is changed.
func TestDryRun(t *testing.T) {
	srv := lab.NeedDovecot(t)
	b := newBad(t, srv, 10)
	dirs := []string{b.root, b.good.root, filepath.Join(b.dir, "meta")}
	check := func(when string, want ...string) {
		t.Helper()
		before, there := "", b.snapshot()
		for _, d := range dirs {
			before += hashTree(t, d)
		}
		out, code := b.run("--dry-run", "-a", "A")
		if code != 0 {
			t.Errorf("%s: exit status %d", when, code)
		}
		for _, w := range want {
			if !regexp.MustCompile(w).MatchString(out) {
				t.Errorf("%s: %q is not in the plan", when, w)
			}
		}
		after := ""
		for _, d := range dirs {
			after += hashTree(t, d)
		}
		if before != after {
			t.Errorf("%s: something was changed here", when)
		}
		b.unchanged(there)
		if t.Failed() {
			t.Fatal(tail(out, 4000))
		}
	}
	check("before the first sync", `INBOX.*download UID 1\b`, `Work.*download UID 10\b`)
	for _, d := range dirs {
		if _, err := os.Stat(d); err == nil {
			t.Errorf("a dry run made %s", d)
		}
	}
	b.sync()
	check("unchanged")
	c := b.client()
	fillBoth(t, c, 77, 3)
	if _, err := c.Select("INBOX"); err != nil {
		t.Fatal(err)
	}
	c.Store("2", "+", `\Flagged`)
	c.Expunge("3")
	c.Create("Only there")
	c.Logout()
	in := filepath.Join(b.root, "INBOX")
	if err := os.WriteFile(filepath.Join(in, "new", "1.M1.x"), []byte("Subject: x\n\nx\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	files, _ := filepath.Glob(filepath.Join(in, "*", "*,U=5,*"))
	if len(files) != 1 {
		t.Fatalf("files of UID 5: %v", files)
	}
	os.Remove(files[0])
	for _, d := range []string{"cur", "new", "tmp"} {
		os.MkdirAll(filepath.Join(b.root, "Only here", d), 0o700)
	}
	check("changed on both sides", `download UID 11`, `upload .*1\.M1\.x`, `flags of UID 2`, `delete in the Maildir UID 3`, `delete on the server UID 5`, `Only there`, `Only here`)
	b.sync()
	b.equal("after the real run", verify.Options{})
}
