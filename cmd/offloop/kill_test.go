package main

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"offloop/cmd/internal/lab"
	"offloop/cmd/internal/lab/dovecot"
	"offloop/cmd/internal/lab/gen"
	"offloop/cmd/internal/lab/imapc"
	"offloop/cmd/internal/lab/proxy"
	"offloop/cmd/internal/lab/verify"
)

// killFolders are the folders of a harassed account. Message traffic is spread
// over all of them, so that a kill finds several folders at work.
var killFolders = []string{"INBOX", "Work", "Lists/日本語"}

// mailID names a message by its content in wire form.
type mailID = [sha256.Size]byte

// expected is what a harness knows of one message, apart from both sides: where
// it must be and which flags it must have. Losing it on both sides is noticed.
type expected struct {
	folder  string
	flags   map[byte]bool
	settled bool // both sides were seen to hold it: its edits may be of any kind
	base    string
	name    string // for reports
}

// harassed is an account whose syncs are killed or cut, with a book of what must
// be there in the end.
type harassed struct {
	t         testing.TB
	m         *mailbox
	p         *proxy.Proxy
	r         *rand.Rand
	seed      uint64
	mail      *gen.Account
	next      int
	book      map[mailID]*expected
	gone      map[mailID]bool
	uidp      bool
	stats     struct{ kills, early, uploads, cuts int }
	log       strings.Builder // what was done, for a failure's report
	deleted   int             // most deletes in any folder
	deletedIn map[string]int
	length    time.Duration // of an uninterrupted sync of such changes
	upload    time.Duration // from its first upload to its end
}

func newHarassed(t testing.TB, srv *dovecot.Server, user string, seed uint64, set func(m *mailbox)) *harassed {
	m := newMailbox(t, srv, user)
	exe, err := plainBinary()
	if err != nil {
		t.Fatal(err)
	}
	m.exe, m.dates = exe, false
	target := srv.TLSAddr()
	if set != nil {
		set(m)
	}
	if m.extra["ssl"] == "no" {
		target = srv.Addr()
	}
	// Slow enough for a kill to find an upload under way, fast enough for
	// hundreds of kills.
	p, err := proxy.Start(proxy.Options{Target: target, RTT: 4 * time.Millisecond, Bandwidth: 600_000})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	port := p.Port()
	m.extra["remoteport"] = fmt.Sprint(port)
	m.write()
	h := &harassed{t: t, m: m, p: p, seed: seed, r: rand.New(rand.NewPCG(seed, 11)), book: map[mailID]*expected{}, gone: map[mailID]bool{}, deletedIn: map[string]int{}, uidp: m.uidplus}
	h.mail = gen.New(gen.Options{Seed: seed, Messages: 1_000_000, Folders: 1, Median: 2500, Mean: 5000, MaxSize: 100_000, Nasty: 100})
	c := m.client()
	for _, f := range killFolders[1:] {
		if err := c.Create(f); err != nil {
			t.Fatal(err)
		}
	}
	h.addThere(c, 40)
	c.Logout()
	h.settle("the initial sync")
	return h
}

func (h *harassed) folder() string { return killFolders[h.r.IntN(len(killFolders))] }

func (h *harassed) message() []byte {
	// A few bodies exist in many copies with nothing to tell them apart but
	// their number; all the others are unique.
	for {
		b := h.mail.Message(0, h.next).Body
		h.next++
		// Dovecot keeps lone CRs, but a Maildir cannot tell "\r\n" at a line's
		// end from its own line end; that is not what is tested here.
		if id := sha256.Sum256(wire(b)); h.book[id] == nil && !h.gone[id] {
			return b
		}
	}
}

// wire gives a body as IMAP carries it, after a stay in a Maildir.
func wire(b []byte) []byte {
	b = bytes.ReplaceAll(b, []byte("\r\n"), []byte("\n"))
	var out []byte
	last := byte(0)
	for _, c := range b {
		if c == '\n' && last != '\r' {
			out = append(out, '\r')
		}
		out = append(out, c)
		last = c
	}
	return out
}

// addThere puts new mail on the server.
func (h *harassed) addThere(c *imapc.Client, n int) {
	h.t.Helper()
	for range n {
		b, f := h.message(), h.folder()
		fl := map[byte]bool{}
		var names []string
		if h.r.IntN(2) == 0 {
			fl['S'], names = true, []string{`\Seen`}
		}
		if _, err := c.Append(f, imapc.Upload{Body: b, Flags: names}); err != nil {
			h.t.Fatal(err)
		}
		h.book[sha256.Sum256(b)] = &expected{folder: f, flags: fl, name: fmt.Sprintf("message %d (%d bytes)", h.next-1, len(b))}
		fmt.Fprintf(&h.log, "new on the server: %s message %d\n", f, h.next-1)
	}
}

// addHere delivers new mail into the Maildir, as an MDA or a mail reader does.
func (h *harassed) addHere(n int) {
	h.t.Helper()
	for range n {
		b, f := h.message(), h.folder()
		base := fmt.Sprintf("%d.M%dP%d.labhost", time.Now().Unix(), h.next, os.Getpid())
		tmp := filepath.Join(h.m.root, f, "tmp", base)
		if err := os.WriteFile(tmp, bytes.ReplaceAll(b, []byte("\r\n"), []byte("\n")), 0o600); err != nil {
			h.t.Fatal(err)
		}
		fl, to := map[byte]bool{}, "new/"+base
		if h.r.IntN(3) == 0 {
			fl['S'], to = true, "cur/"+base+":2,S"
		}
		if err := os.Rename(tmp, filepath.Join(h.m.root, f, to)); err != nil {
			h.t.Fatal(err)
		}
		h.book[sha256.Sum256(wire(b))] = &expected{folder: f, flags: fl, base: base, name: fmt.Sprintf("message %d (%d bytes)", h.next-1, len(b))}
		fmt.Fprintf(&h.log, "new here: %s message %d %s\n", f, h.next-1, base)
	}
}

// readMail opens new files that may be in the middle of their upload, as a
// person does who reads mail meanwhile: new/x becomes cur/x:2,S.
func (h *harassed) readMail(n int) {
	for _, e := range h.book {
		if n == 0 {
			return
		}
		if e.settled || e.base == "" || e.flags['S'] {
			continue
		}
		dir := filepath.Join(h.m.root, e.folder)
		if os.Rename(filepath.Join(dir, "new", e.base), filepath.Join(dir, "cur", e.base+":2,S")) == nil {
			e.flags['S'] = true
			n--
		}
	}
}

// sides reads both sides as they are now.
func (h *harassed) sides() (server, local verify.Tree) {
	h.t.Helper()
	c := h.m.client()
	defer c.Logout()
	server, err := verify.ReadServer(c, verify.Options{})
	if err != nil {
		h.t.Fatal(err)
	}
	local, err = verify.ReadMaildir(h.m.root, verify.Options{})
	if err != nil {
		h.t.Fatal(err)
	}
	return server, local
}

// change edits settled messages on both sides: one person here, another there,
// never the same flag, so that every edit must survive.
func (h *harassed) change() {
	h.t.Helper()
	server, local := h.sides()
	c := h.m.client()
	defer c.Logout()
	for _, f := range killFolders {
		if _, err := c.Select(f); err != nil {
			h.t.Fatal(err)
		}
		deleted := map[mailID]bool{}
		for _, e := range server[f].Messages {
			x := h.book[e.Sum]
			if x == nil || !x.settled {
				continue
			}
			uid := strconv.FormatUint(uint64(e.UID), 10)
			switch n := h.r.IntN(100); {
			case n < 4:
				if err := c.Expunge(uid); err != nil {
					h.t.Fatal(err)
				}
				deleted[e.Sum] = true
				fmt.Fprintf(&h.log, "deleted on the server: %s UID %d\n", f, e.UID)
			case n < 20:
				letter, name := byte('F'), `\Flagged`
				if n%2 == 0 {
					letter, name = 'R', `\Answered`
				}
				op := "+"
				if x.flags[letter] {
					op = "-"
				}
				if err := c.Store(uid, op, name); err != nil {
					h.t.Fatal(err)
				}
				x.flags[letter] = op == "+"
				fmt.Fprintf(&h.log, "on the server: %s UID %d %s%c\n", f, e.UID, op, letter)
			}
		}
		for _, e := range local[f].Messages {
			x := h.book[e.Sum]
			if x == nil || !x.settled || deleted[e.Sum] {
				continue
			}
			file := filepath.Join(h.m.root, f, e.File)
			switch n := h.r.IntN(100); {
			case n < 4 && h.uidp:
				if err := os.Remove(file); err != nil {
					h.t.Fatal(err)
				}
				deleted[e.Sum] = true
				fmt.Fprintf(&h.log, "deleted here: %s %s\n", f, e.File)
			case n < 20:
				letter := []byte("SD")[n%2]
				h.toggle(f, e.File, letter)
				x.flags[letter] = !x.flags[letter]
				fmt.Fprintf(&h.log, "here: %s %s %c\n", f, e.File, letter)
			}
		}
		for id := range deleted {
			delete(h.book, id)
			h.gone[id] = true
		}
		h.deletedIn[f] += len(deleted)
		h.deleted = max(h.deleted, h.deletedIn[f])
	}
}

// toggle sets or clears a letter in a file's name.
func (h *harassed) toggle(folder, file string, letter byte) {
	dir := filepath.Join(h.m.root, folder)
	base, letters, _ := strings.Cut(filepath.Base(file), ":2,")
	if i := strings.IndexByte(letters, letter); i >= 0 {
		letters = letters[:i] + letters[i+1:]
	} else {
		l := append([]byte(letters), letter)
		slices.Sort(l)
		letters = string(l)
	}
	if err := os.Rename(filepath.Join(dir, file), filepath.Join(dir, "cur", base+":2,"+letters)); err != nil {
		h.t.Fatal(err)
	}
}

// args releases the brake once so much was deleted in this hour that it would
// rightly hold the next deletes back.
func (h *harassed) args() []string {
	if h.deleted > 8 {
		return []string{"--allow-deletes", "*"}
	}
	return nil
}

// settle syncs until offloop says that all is done, and compares both sides with
// each other and with the book.
func (h *harassed) settle(when string) {
	h.t.Helper()
	out, code := h.m.run(h.args()...)
	if code != 0 {
		h.t.Fatalf("seed %d: after %s the last run ended with %d\n%s", h.seed, when, code, tail(out, 4000))
	}
	server, local := h.sides()
	h.compare(when, "the server", server)
	h.compare(when, "the Maildir", local)
	if r := verify.Compare(server, local, verify.Options{}); !r.Equal() {
		h.t.Errorf("seed %d, after %s: %s", h.seed, when, r)
	}
	if h.t.Failed() {
		state, _ := exec.Command(h.m.exe, "-c", h.m.config, "state").CombinedOutput()
		h.t.Fatalf("seed %d, after %s: see above\n%s\n--- what was done\n%s\n--- what is recorded\n%s", h.seed, when, tail(out, 4000), tail(h.log.String(), 100_000), tail(string(state), 60000))
	}
	for _, x := range h.book {
		x.settled, x.base = true, ""
	}
}

// compare finds what one side lacks, has twice, or has though it was deleted.
func (h *harassed) compare(when, side string, tree verify.Tree) {
	h.t.Helper()
	seen := map[mailID]int{}
	places := map[mailID]string{}
	for folder, f := range tree {
		for _, e := range f.Messages {
			seen[e.Sum]++
			places[e.Sum] += fmt.Sprintf(" UID %d %s;", e.UID, e.File)
			x := h.book[e.Sum]
			switch {
			case x == nil && h.gone[e.Sum]:
				h.t.Errorf("seed %d, after %s: a deleted message is back on %s: %s UID %d", h.seed, when, side, folder, e.UID)
			case x == nil:
				h.t.Errorf("seed %d, after %s: %s has a message nobody made: %s UID %d %s", h.seed, when, side, folder, e.UID, e.File)
			case x.folder != folder:
				h.t.Errorf("seed %d, after %s: on %s a message of %s is in %s", h.seed, when, side, x.folder, folder)
			default:
				var want []byte
				for _, c := range []byte("DFRST") {
					if x.flags[c] {
						want = append(want, c)
					}
				}
				if string(want) != e.Flags {
					h.t.Errorf("seed %d, after %s: on %s %s UID %d has flags %q, want %q", h.seed, when, side, folder, e.UID, e.Flags, want)
				}
			}
		}
	}
	for id, x := range h.book {
		if n := seen[id]; n != 1 {
			h.t.Errorf("seed %d, after %s: %s has %d copies of %s of %s:%s", h.seed, when, side, n, x.name, x.folder, places[id])
		}
	}
}

// child is a running offloop whose output is watched.
type child struct {
	cmd     *exec.Cmd
	began   time.Time
	upload  chan struct{} // closed at the first upload
	first   atomic.Int64  // when that was, after began
	reading chan struct{} // closed when it has said all
	out     bytes.Buffer
}

func (m *mailbox) start(args ...string) *child {
	m.t.Helper()
	c := &child{cmd: exec.Command(m.exe, append([]string{"-c", m.config, "-u", "basic"}, args...)...), upload: make(chan struct{}), reading: make(chan struct{})}
	pipe, err := c.cmd.StdoutPipe()
	if err != nil {
		m.t.Fatal(err)
	}
	c.cmd.Stderr = c.cmd.Stdout
	c.began = time.Now()
	if err := c.cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
	go func() {
		defer close(c.reading)
		sc := bufio.NewScanner(pipe)
		sc.Buffer(nil, 1<<20)
		for sc.Scan() {
			if c.first.Load() == 0 && strings.Contains(sc.Text(), "Copy message UID -") {
				c.first.Store(int64(time.Since(c.began)))
				close(c.upload)
			}
			c.out.Write(append(sc.Bytes(), '\n'))
		}
	}()
	return c
}

// wait waits for the end and gives the exit status, -1 after a signal.
func (c *child) wait() (out string, code int) {
	<-c.reading
	c.cmd.Wait()
	return c.out.String(), c.cmd.ProcessState.ExitCode()
}

// measure learns how long a sync of such changes takes.
func (h *harassed) measure() {
	h.t.Helper()
	c := h.m.client()
	h.addThere(c, 12)
	c.Logout()
	h.addHere(20)
	h.change()
	x := h.m.start(h.args()...)
	out, code := x.wait()
	if code != 0 {
		h.t.Fatalf("seed %d: exit status %d\n%s", h.seed, code, tail(out, 4000))
	}
	h.length = time.Since(x.began)
	if h.upload = h.length - time.Duration(x.first.Load()); x.first.Load() == 0 {
		h.t.Fatalf("no upload was seen in\n%s", tail(out, 4000))
	}
	h.settle("an uninterrupted sync")
}

// batch makes changes and kills n syncs in a row; between them more mail arrives
// on both sides, and each is started at once after the one before was killed.
func (h *harassed) batch(n int) {
	h.t.Helper()
	h.change()
	c := h.m.client()
	for killed, try := 0, 0; killed < n && try < 3*n; try++ {
		h.addThere(c, h.r.IntN(8))
		h.addHere(4 + h.r.IntN(12))
		h.readMail(h.r.IntN(4))
		x := h.m.start(h.args()...)
		ended := make(chan struct{})
		go func() { <-x.reading; close(ended) }()
		phase, wait := "any moment", time.Duration(h.r.Int64N(int64(h.length)))
		if h.r.IntN(3) > 0 {
			phase, wait = "upload", time.Duration(h.r.Int64N(int64(h.upload)))
			select {
			case <-x.upload:
			case <-ended:
			case <-time.After(2 * h.length):
			}
		}
		select {
		case <-time.After(wait):
		case <-ended:
		}
		x.cmd.Process.Kill()
		out, code := x.wait()
		fmt.Fprintf(&h.log, "--- killed after %v (%s), status %d:\n%s", time.Since(x.began).Round(time.Millisecond), phase, code, out)
		if code >= 0 {
			h.stats.early++ // it was through before it could be killed
			continue
		}
		killed++
		h.stats.kills++
		if phase == "upload" {
			h.stats.uploads++
		}
	}
	c.Logout()
	h.settle(fmt.Sprintf("%d kills", h.stats.kills))
}

// cutBatch breaks the connection at random bytes, up to four times in one run:
// the run reconnects by itself, unless it never reached the server at all.
func (h *harassed) cutBatch() {
	h.t.Helper()
	h.change()
	c := h.m.client()
	h.addThere(c, 5+h.r.IntN(15))
	c.Logout()
	h.addHere(10 + h.r.IntN(25))
	conn := h.p.Counts().Connections
	for i := range 4 {
		f := proxy.Fault{Conn: conn + 1 + i, Direction: proxy.Direction(h.r.IntN(2)), After: 1 + h.r.Int64N(60_000), Action: proxy.Action(h.r.IntN(2))}
		if h.r.IntN(3) == 0 {
			f.After = 1 + h.r.Int64N(3000)
		}
		h.p.Arm(f)
	}
	out, code := h.m.run(h.args()...)
	cuts := 4 - h.p.Disarm()
	h.stats.cuts += cuts
	unreached := strings.Contains(out, ": cannot connect to ") && strings.Count(out, "Establishing connection") == 1
	if code != 0 && cuts < 4 && !unreached {
		h.t.Errorf("seed %d: %d cuts were not survived (exit status %d):\n%s", h.seed, cuts, code, tail(out, 3000))
	}
	h.settle(fmt.Sprintf("%d cuts", h.stats.cuts))
}

func envInt(t testing.TB, name string, def int) int {
	v := os.Getenv(name)
	if v == "" {
		return def
	}
	n, err := strconv.Atoi(v)
	if err != nil {
		t.Fatalf("%s=%q is not a number", name, v)
	}
	return n
}

// harassedAccounts are the kinds of server and connection that are tried side by
// side.
func harassedAccounts(t *testing.T, f func(t *testing.T, h *harassed)) {
	seed := uint64(envInt(t, "OFFLOOP_SEED", int(time.Now().UnixNano()%1_000_000)))
	t.Logf("seed %d; OFFLOOP_SEED=%d repeats it", seed, seed)
	full := lab.NeedDovecot(t)
	bare := lab.NeedDovecot(t, dovecot.Options{Capability: dovecot.CapBare})
	plus := lab.NeedDovecot(t, dovecot.Options{Capability: dovecot.CapUIDPlus})
	plain := func(m *mailbox) {
		m.extra["ssl"], m.extra["starttls"], m.extra["sslcacertfile"] = "no", "no", ""
	}
	cases := []struct {
		name string
		srv  *dovecot.Server
		set  func(m *mailbox)
	}{
		{"tls", full, nil},
		{"plain", full, plain},
		{"uidplus", plus, plain},
		{"bare", bare, func(m *mailbox) { plain(m); m.uidplus = false }},
	}
	for i, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f(t, newHarassed(t, c.srv, "h-"+c.name, seed*8+uint64(i), c.set))
		})
	}
}

// TestKill kills syncs of both directions at random moments and starts the next
// one at once, while the server may still be executing what the killed one sent.
func TestKill(t *testing.T) {
	kills := envInt(t, "OFFLOOP_KILLS", 40)
	if testing.Short() {
		kills = min(kills, 8)
	}
	harassedAccounts(t, func(t *testing.T, h *harassed) {
		h.measure()
		const each = 10
		for left := (kills + 3) / 4; left > 0; left -= each {
			h.batch(min(left, each))
		}
		t.Logf("seed %d: %d kills (%d of them in uploads), %d runs ended first; a sync takes %v, its uploads %v",
			h.seed, h.stats.kills, h.stats.uploads, h.stats.early, h.length.Round(time.Millisecond), h.upload.Round(time.Millisecond))
		if h.stats.kills == 0 {
			t.Error("no run was killed")
		}
	})
}

// TestCut breaks connections at random bytes of either direction; offloop goes on
// over a new one.
func TestCut(t *testing.T) {
	rounds := max(1, envInt(t, "OFFLOOP_KILLS", 40)/20)
	if testing.Short() {
		rounds = 1
	}
	harassedAccounts(t, func(t *testing.T, h *harassed) {
		for range rounds {
			h.cutBatch()
		}
		t.Logf("seed %d: %d cuts", h.seed, h.stats.cuts)
	})
}

// TestCutAgainAfterWait: the connection breaks in an upload; the round after it
// goes well but leaves the upload to wait until the server is through with the
// first connection. When the wait is over the server is not reached at the first
// try: that is no reason to give up either.
func TestCutAgainAfterWait(t *testing.T) {
	t.Parallel()
	h := newHarassed(t, lab.NeedDovecot(t), "h-wait", 1, nil)
	h.addHere(80) // some 400 KB
	conn := h.p.Counts().Connections
	h.p.Arm(proxy.Fault{Conn: conn + 1, Direction: proxy.Up, After: 100_000, Action: proxy.Reset})
	h.p.Arm(proxy.Fault{Conn: conn + 3, Direction: proxy.Down, After: 1, Action: proxy.Reset})
	out, code := h.m.run()
	if n := h.p.Disarm(); n > 0 {
		t.Fatalf("%d of 2 cuts did not strike:\n%s", n, tail(out, 3000))
	}
	if code != 0 {
		t.Errorf("exit status %d:\n%s", code, tail(out, 3000))
	}
	if !strings.Contains(out, "Waiting until uploads of an earlier run have settled") {
		t.Errorf("nothing waited:\n%s", tail(out, 3000))
	}
	h.settle("two cuts")
}

// TestKillThenLongRound: a run is killed in its uploads. The next one looks at
// that folder too early to send anything again, and is busy elsewhere for longer
// than the wait: it must look once more before it may end well.
func TestKillThenLongRound(t *testing.T) {
	t.Parallel()
	h := newHarassed(t, lab.NeedDovecot(t), "h-long", 2, nil)
	h.addHere(60)
	x := h.m.start()
	select {
	case <-x.upload:
	case <-x.reading:
		t.Fatalf("no upload:\n%s", x.out.String())
	}
	time.Sleep(20 * time.Millisecond)
	x.cmd.Process.Kill()
	x.wait()
	c := h.m.client()
	for i := range 14 { // some 12 s at this line's speed
		b := fmt.Appendf(nil, "Subject: long %d\r\n\r\n%s", i, strings.Repeat("0123456789 0123456789 0123456789\r\n", 16_000))
		if _, err := c.Append("Work", imapc.Upload{Body: b}); err != nil {
			t.Fatal(err)
		}
		h.book[sha256.Sum256(b)] = &expected{folder: "Work", flags: map[byte]bool{}, name: fmt.Sprint("long ", i)}
	}
	c.Logout()
	h.settle("a kill and a long run")
}
