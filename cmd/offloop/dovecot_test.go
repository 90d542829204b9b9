package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"offloop/cmd/internal/lab"
	"offloop/cmd/internal/lab/dovecot"
	"offloop/cmd/internal/lab/gen"
	"offloop/cmd/internal/lab/imapc"
	"offloop/cmd/internal/lab/mutate"
	"offloop/cmd/internal/lab/verify"
)

// binary is offloop, built once for the tests that need a process of its own.
var binary string

func TestMain(m *testing.M) {
	flag.Parse()
	// These tests wait for servers and for time to pass far more than they compute.
	set := false
	flag.Visit(func(f *flag.Flag) { set = set || f.Name == "test.parallel" })
	if !set {
		flag.Set("test.parallel", "8")
	}
	// A program built with the race detector would sleep a second at its end.
	os.Setenv("GORACE", strings.TrimSpace(os.Getenv("GORACE")+" atexit_sleep_ms=0"))
	dir, err := os.MkdirTemp("", "offloop-test-")
	if err != nil {
		panic(err)
	}
	binary = filepath.Join(dir, "offloop")
	args := []string{"-o", binary}
	if raceEnabled {
		args = append(args, "-race")
	}
	code := 1
	if err := buildOffloop(args...); err != nil {
		fmt.Fprintln(os.Stderr, err)
	} else {
		code = m.Run()
	}
	os.RemoveAll(dir)
	os.Exit(code)
}

func buildOffloop(args ...string) error {
	out, err := exec.Command("go", append(append([]string{"build"}, args...), ".")...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("build offloop: %v\n%s", err, out)
	}
	return nil
}

// plainBinary is offloop without the race detector, which makes it so slow that
// few kills would find it at work.
var plainBinary = sync.OnceValues(func() (string, error) {
	if !raceEnabled {
		return binary, nil
	}
	return binary + "-plain", buildOffloop("-o", binary+"-plain")
})

// mailbox is one account: a server's user, a Maildir, a configuration.
type mailbox struct {
	t       testing.TB
	exe     string // the offloop to run
	srv     *dovecot.Server
	user    string
	dir     string
	root    string
	config  string
	sep     string
	utf8    bool
	dates   bool
	uidplus bool
	extra   map[string]string // repository keys that replace others
}

func newMailbox(t testing.TB, srv *dovecot.Server, user string) *mailbox {
	dir := t.TempDir()
	return &mailbox{t: t, exe: binary, srv: srv, user: user, dir: dir, root: filepath.Join(dir, "Mail"), config: filepath.Join(dir, "rc"), sep: "/", utf8: true, dates: true, uidplus: true, extra: map[string]string{}}
}

// write writes the configuration: implicit TLS unless extra says otherwise.
func (m *mailbox) write() {
	remote := map[string]string{
		"type": "IMAP", "remotehost": m.srv.Host, "remoteport": fmt.Sprint(m.srv.TLSPort), "remoteuser": m.user, "remotepass": dovecot.Password, "sslcacertfile": m.srv.CAFile,
	}
	for k, v := range m.extra {
		remote[k] = v
		if v == "" {
			delete(remote, k)
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "[general]\naccounts = A\nmetadata = %s\n\n", filepath.Join(m.dir, "meta"))
	fmt.Fprintf(&b, "[Account A]\nlocalrepository = L\nremoterepository = R\nutf8foldernames = %v\n\n", m.utf8)
	fmt.Fprintf(&b, "[Repository L]\ntype = Maildir\nlocalfolders = %s\nsep = %s\nmtime_from_date = %v\n\n[Repository R]\n", m.root, m.sep, m.dates)
	for k, v := range remote {
		fmt.Fprintf(&b, "%s = %s\n", k, v)
	}
	if err := os.WriteFile(m.config, []byte(b.String()), 0o600); err != nil {
		m.t.Fatal(err)
	}
}

// run runs offloop and returns what it printed and its exit status.
func (m *mailbox) run(args ...string) (string, int) {
	m.t.Helper()
	cmd := exec.Command(m.exe, append([]string{"-c", m.config, "-u", "basic", "--stats"}, args...)...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
	timer := time.AfterFunc(3*time.Minute, func() { cmd.Process.Signal(os.Interrupt); time.Sleep(time.Second); cmd.Process.Kill() })
	defer timer.Stop()
	err := cmd.Wait()
	code := 0
	if err != nil {
		code = cmd.ProcessState.ExitCode()
	}
	return out.String(), code
}

// sync runs offloop and fails the test unless it exits 0.
func (m *mailbox) sync(args ...string) string {
	m.t.Helper()
	out, code := m.run(args...)
	if code != 0 {
		m.t.Fatalf("offloop %v: exit status %d\n%s", args, code, tail(out, 4000))
	}
	return out
}

func tail(s string, n int) string {
	if len(s) > n {
		return "…" + s[len(s)-n:]
	}
	return s
}

func (m *mailbox) client() *imapc.Client {
	m.t.Helper()
	c, err := imapc.Dial(m.srv.Addr(), imapc.Options{User: m.user, Pass: dovecot.Password})
	if err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() { c.Close() })
	return c
}

// equal fails the test unless both sides hold the same.
func (m *mailbox) equal(when string, o verify.Options) {
	m.t.Helper()
	c := m.client()
	defer c.Logout()
	o.Sep, o.Dates = m.sep, m.dates
	r, err := verify.Check(c, m.root, o)
	if err != nil {
		m.t.Fatal(err)
	}
	if !r.Equal() {
		m.t.Fatalf("%s: %s\n%s", when, r.Summary(), tail(r.String(), 6000))
	}
}

var statsField = regexp.MustCompile(`([a-z-]+)=("[^"]*"|\S+)`)

// expungeAll clears all folders of messages marked \Deleted.
func expungeAll(t testing.TB, m *mailbox) {
	c := m.client()
	boxes, err := c.List()
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range boxes {
		if _, err := c.Select(b.Name); err == nil {
			c.Command("EXPUNGE")
		}
	}
	c.Logout()
}

// stats reads the line of totals.
func stats(t testing.TB, out string) map[string]string {
	t.Helper()
	i := strings.LastIndex(out, "stats: ")
	if i < 0 {
		t.Fatalf("no totals in:\n%s", tail(out, 2000))
	}
	m := map[string]string{}
	for _, f := range statsField.FindAllStringSubmatch(out[i:], -1) {
		m[f[1]] = f[2]
	}
	return m
}

// quiet fails the test if a run transferred or changed anything.
func quiet(t testing.TB, out string) {
	t.Helper()
	s := stats(t, out)
	for _, k := range []string{"downloaded", "uploaded", "flags-here", "flags-there", "deleted-here", "deleted-there"} {
		if s[k] != "0" {
			t.Errorf("a run without changes has %s=%s\n%s", k, s[k], tail(out, 3000))
		}
	}
}

// bothWays is the main job: initial sync, changes on both sides at once, sync,
// and a run that finds nothing to do.
func bothWays(t *testing.T, m *mailbox, messages, folders int) {
	acc := gen.New(gen.Options{Seed: 7, Messages: messages, Folders: folders, Median: 3000, Mean: 8000, Keywords: true})
	c := m.client()
	if err := acc.FillIMAP(c); err != nil {
		t.Fatal(err)
	}
	m.write()
	first := m.sync()
	if got := stats(t, first)["downloaded"]; got != fmt.Sprint(messages) {
		t.Errorf("downloaded %s of %d messages", got, messages)
	}
	m.equal("after the initial sync", verify.Options{})
	quiet(t, m.sync())

	n := max(messages/100, 10)
	even := func(uid uint32) bool { return uid%2 == 0 }
	odd := func(uid uint32) bool { return uid%2 == 1 }
	there, err := mutate.Server(c, mutate.Options{Seed: 1, New: n, Flags: 2 * n, Keywords: n, Delete: n / 2, CreateFolders: 2, Only: even})
	if err != nil {
		t.Fatal(err)
	}
	c.Logout()
	here, err := mutate.Maildir(m.root, m.sep, mutate.Options{Seed: 2, New: n, Flags: 2 * n, Keywords: n, Delete: n / 2, CreateFolders: 2, Only: odd})
	if err != nil {
		t.Fatal(err)
	}
	out := m.sync()
	if !m.uidplus {
		// Without UID EXPUNGE, what was deleted here stays on the server, marked;
		// somebody else clears it away.
		expungeAll(t, m)
		m.sync()
	}
	m.equal(fmt.Sprintf("after changes on both sides\nserver:\n%v\nhere:\n%v\n%s", tail(there.String(), 1500), tail(here.String(), 1500), tail(out, 3000)), verify.Options{})
	quiet(t, m.sync())
	m.equal("after a run without changes", verify.Options{})
}

func TestSyncDovecot(t *testing.T) {
	// OFFLOOP_MESSAGES=5000 is the full size.
	messages, folders := 600, 20
	if testing.Short() {
		messages = 200
	}
	if n, err := strconv.Atoi(os.Getenv("OFFLOOP_MESSAGES")); err == nil && n > 0 {
		messages = n
	}
	full := lab.NeedDovecot(t)
	bare := lab.NeedDovecot(t, dovecot.Options{Capability: dovecot.CapBare})
	cases := []struct {
		name string
		srv  *dovecot.Server
		set  func(m *mailbox)
	}{
		{"tls", full, func(m *mailbox) {}},
		{"starttls", full, func(m *mailbox) {
			m.extra["ssl"], m.extra["remoteport"] = "no", fmt.Sprint(m.srv.Port)
			m.extra["starttls"] = "yes"
		}},
		{"plain", full, func(m *mailbox) {
			m.extra["ssl"], m.extra["starttls"], m.extra["remoteport"], m.extra["sslcacertfile"] = "no", "no", fmt.Sprint(m.srv.Port), ""
		}},
		{"preauthtunnel", full, func(m *mailbox) { m.extra["preauthtunnel"] = m.srv.Preauth(m.user) }},
		{"bare", bare, func(m *mailbox) { m.uidplus = false }},
		{"switched off", full, func(m *mailbox) {
			m.uidplus = false
			m.extra["disable_extensions"] = "QRESYNC, CONDSTORE, ENABLE, ESEARCH, LIST-STATUS, LIST-EXTENDED, MULTIAPPEND, LITERAL+, UIDPLUS, MOVE, COMPRESS, IDLE, NOTIFY, SASL-IR, NAMESPACE, SPECIAL-USE, ID, UNSELECT"
		}},
		{"no QRESYNC", full, func(m *mailbox) { m.extra["disable_extensions"] = "QRESYNC" }},
		{"flat", full, func(m *mailbox) { m.sep = "." }},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			m := newMailbox(t, c.srv, "u-"+strings.ReplaceAll(c.name, " ", ""))
			c.set(m)
			bothWays(t, m, messages, folders)
		})
	}
}
