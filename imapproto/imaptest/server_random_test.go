package imaptest

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// mirror is a client that believes what it is told and nothing else: a list of
// messages by sequence number. If the server keeps its promises, it ends up
// with the store's content.
type mirror struct {
	*client
	list []mirrored // by sequence number
}

type mirrored struct {
	uid   uint32
	flags []string
}

var (
	reFetch = regexp.MustCompile(`^\* (\d+) FETCH \((.*)\)$`)
	reUID   = regexp.MustCompile(`\bUID (\d+)`)
	reFlag  = regexp.MustCompile(`\bFLAGS \(([^)]*)\)`)
	reCount = regexp.MustCompile(`^\* (\d+) (EXISTS|EXPUNGE)$`)
	reGone  = regexp.MustCompile(`^\* VANISHED (?:\(EARLIER\) )?([0-9:,]+)$`)
)

// send runs a command and takes in what it says.
func (m *mirror) send(format string, a ...any) string {
	m.t.Helper()
	lines, answer := m.do(format, a...)
	for _, l := range lines {
		m.take(l)
	}
	// VANISHED names UIDs, so they must be known as soon as EXISTS has come
	for i, x := range m.list {
		if x.uid == 0 && m.sess.qresync && !strings.HasPrefix(format, "FETCH") {
			m.send("FETCH %d:* (UID FLAGS)", i+1)
			break
		}
	}
	return answer
}

func (m *mirror) take(line string) {
	m.t.Helper()
	if f := reFetch.FindStringSubmatch(line); f != nil {
		m.fetched(f[1], f[2])
		return
	}
	if f := reGone.FindStringSubmatch(line); f != nil {
		set, _ := parseSet(f[1])
		set = set.resolve(0)
		m.list = slices.DeleteFunc(m.list, func(x mirrored) bool { return set.has(x.uid) })
		return
	}
	f := reCount.FindStringSubmatch(line)
	if f == nil {
		return
	}
	n, _ := strconv.Atoi(f[1])
	if f[2] == "EXPUNGE" {
		if n < 1 || n > len(m.list) {
			m.t.Fatalf("%s with %d messages", line, len(m.list))
		}
		m.list = slices.Delete(m.list, n-1, n)
		return
	}
	if n < len(m.list) {
		m.t.Fatalf("%s with %d messages", line, len(m.list))
	}
	m.list = append(m.list, make([]mirrored, n-len(m.list))...)
}

func (m *mirror) fetched(seq, items string) {
	m.t.Helper()
	n, _ := strconv.Atoi(seq)
	if n < 1 || n > len(m.list) {
		m.t.Fatalf("FETCH %s with %d messages", seq, len(m.list))
	}
	x := &m.list[n-1]
	if u := reUID.FindStringSubmatch(items); u != nil {
		uid, _ := strconv.ParseUint(u[1], 10, 32)
		if x.uid != 0 && x.uid != uint32(uid) {
			m.t.Fatalf("message %d has UID %d, was %d", n, uid, x.uid)
		}
		x.uid = uint32(uid)
	}
	if f := reFlag.FindStringSubmatch(items); f != nil {
		x.flags = slices.DeleteFunc(strings.Fields(f[1]), func(s string) bool { return s == `\Recent` })
	}
}

// check brings the mirror up to date and compares it with the store.
func (m *mirror) check(box string) {
	m.t.Helper()
	m.send("NOOP")
	for i, x := range m.list {
		if x.uid == 0 {
			m.send("FETCH %d:* (UID FLAGS)", i+1)
			break
		}
	}
	var got, want []string
	for _, x := range m.list {
		slices.Sort(x.flags)
		got = append(got, fmt.Sprint(x.uid, x.flags))
	}
	for _, x := range m.srv.Messages(box) {
		slices.Sort(x.Flags)
		want = append(want, fmt.Sprint(x.UID, x.Flags))
	}
	if !slices.Equal(got, want) {
		m.t.Fatalf("client %d sees %v\nstore has   %v", m.sess.Number(), got, want)
	}
}

// ledger is the plainest model of one mailbox: what each change must do.
type ledger struct {
	next  uint32
	flags map[uint32]map[string]bool
}

func (l *ledger) add(flags []string) {
	set := map[string]bool{}
	for _, f := range flags {
		set[f] = true
	}
	l.flags[l.next] = set
	l.next++
}

func (l *ledger) check(t *testing.T, srv *Server) {
	t.Helper()
	msgs := srv.Messages("INBOX")
	if len(msgs) != len(l.flags) {
		t.Fatalf("%d messages, want %d", len(msgs), len(l.flags))
	}
	for _, m := range msgs {
		want := l.flags[m.UID]
		if want == nil || len(want) != len(m.Flags) {
			t.Fatalf("uid %d: %v, want %v", m.UID, m.Flags, want)
		}
		for _, f := range m.Flags {
			if !want[f] {
				t.Fatalf("uid %d: %v, want %v", m.UID, m.Flags, want)
			}
		}
	}
}

// TestRandom lets three clients and the test itself do random things, on every
// preset, and compares the store with the ledger and each client's picture.
func TestRandom(t *testing.T) {
	presets := map[string]Caps{"QRESYNC": QRESYNC, "CondstoreOnly": CondstoreOnly, "UIDPlusOnly": UIDPlusOnly, "Bare": Bare}
	for name, caps := range presets {
		for seed := uint64(1); seed <= 12; seed++ {
			t.Run(fmt.Sprintf("%s seed %d", name, seed), func(t *testing.T) {
				randomRun(t, caps, rand.New(rand.NewPCG(seed, 1)), 120)
			})
		}
	}
}

func randomRun(t *testing.T, caps Caps, r *rand.Rand, steps int) {
	srv := newServer()
	srv.Caps = caps
	book := &ledger{next: 1, flags: map[uint32]map[string]bool{}}
	var clients []*mirror
	for i := range 3 {
		m := &mirror{client: login(t, srv)}
		if i == 0 && caps.Has("QRESYNC") {
			m.ok("ENABLE QRESYNC")
		}
		m.send("SELECT INBOX")
		clients = append(clients, m)
	}
	all := []string{`\Seen`, `\Deleted`, `\Flagged`, "work", "$Junk"}
	for range steps {
		c := clients[r.IntN(3)]
		flag := all[r.IntN(len(all))]
		lo := uint32(1 + r.IntN(int(book.next)))
		hi := lo + uint32(r.IntN(4))
		switch r.IntN(8) {
		case 0, 1:
			text := "Subject: x\r\n\r\ny\r\n"
			c.literal(fmt.Sprintf("APPEND INBOX (%s)", flag), text)
			book.add([]string{flag})
		case 2:
			srv.AddMessage("INBOX", Message{Flags: []string{flag}, Body: []byte("x")})
			book.add([]string{flag})
		case 3:
			// what a client does not see yet it cannot change
			c.check("INBOX")
			op := []string{"+FLAGS", "-FLAGS", "+FLAGS.SILENT"}[r.IntN(3)]
			if answer := c.send("UID STORE %d:%d %s (%s)", lo, hi, op, flag); !strings.HasPrefix(answer, "OK") {
				t.Fatal(answer)
			}
			for u := lo; u <= hi; u++ {
				if set := book.flags[u]; set != nil && op[0] == '+' {
					set[flag] = true
				} else {
					delete(set, flag)
				}
			}
			if strings.HasSuffix(op, "SILENT") {
				c.send("UID FETCH %d:%d (FLAGS)", lo, hi)
			}
		case 4:
			if srv.SetFlags("INBOX", lo, flag, `\Answered`) {
				book.flags[lo] = map[string]bool{flag: true, `\Answered`: true}
			}
		case 5:
			srv.Expunge("INBOX", lo)
			delete(book.flags, lo)
		case 6:
			c.send("EXPUNGE")
			for u, set := range book.flags {
				if set[`\Deleted`] {
					delete(book.flags, u)
				}
			}
		case 7:
			c.check("INBOX")
			c.send("FETCH 1:%d (FLAGS)", max(1, len(c.list)))
		}
		book.check(t, srv)
	}
	for _, c := range clients {
		c.check("INBOX")
	}
}

// literal sends a command that ends in a literal, in whichever form is allowed.
func (m *mirror) literal(command, text string) {
	m.t.Helper()
	if m.srv.Caps.Has("LITERAL+") {
		m.send("%s {%d+}\r\n%s", command, len(text), text)
		return
	}
	m.n++
	m.sess.Feed([]byte(fmt.Sprintf("a%d %s {%d}\r\n", m.n, command, len(text))))
	if out := string(m.sess.Output()); !strings.HasPrefix(out, "+ ") {
		m.t.Fatalf("%s: %q", command, out)
	}
	m.sess.Feed([]byte(text + "\r\n"))
	for _, l := range strings.Split(string(m.sess.Output()), "\r\n") {
		m.take(l)
	}
}

// TestResyncCatchesUp compares two ways to the same knowledge: a client that
// was there all the time, and one that comes back with QRESYNC.
func TestResyncCatchesUp(t *testing.T) {
	for seed := uint64(1); seed <= 60; seed++ {
		r := rand.New(rand.NewPCG(seed, 2))
		srv := newServer()
		fill(srv, "INBOX", 20)
		c := &mirror{client: login(t, srv)}
		c.ok("ENABLE QRESYNC")
		c.send("SELECT INBOX")
		c.check("INBOX")
		box, _ := srv.Mailbox("INBOX")
		c.ok("UNSELECT")
		for range 10 {
			uid := uint32(1 + r.IntN(25))
			switch r.IntN(4) {
			case 0:
				srv.AddMessage("INBOX", Message{Body: []byte("x")})
			case 1:
				srv.SetFlags("INBOX", uid, `\Flagged`)
			case 2:
				srv.Expunge("INBOX", uid)
			case 3:
				if r.IntN(5) == 0 {
					srv.ForgetExpunges("INBOX")
				}
			}
		}
		lines, _ := c.do("SELECT INBOX (QRESYNC (%d %d))", box.UIDValidity, box.HighestModSeq)
		known := map[uint32][]string{}
		for _, x := range c.list {
			known[x.uid] = x.flags
		}
		for _, l := range lines {
			if f := reGone.FindStringSubmatch(l); f != nil {
				set, _ := parseSet(f[1])
				for u := range known {
					if set.resolve(0).has(u) {
						delete(known, u)
					}
				}
			}
			if f := reFetch.FindStringSubmatch(l); f != nil {
				u, _ := strconv.Atoi(reUID.FindStringSubmatch(f[2])[1])
				known[uint32(u)] = strings.Fields(strings.ReplaceAll(reFlag.FindStringSubmatch(f[2])[1], `\Recent`, ""))
			}
		}
		msgs := srv.Messages("INBOX")
		if len(msgs) != len(known) {
			t.Fatalf("seed %d: %d messages, the client thinks %d", seed, len(msgs), len(known))
		}
		for _, m := range msgs {
			if flags, ok := known[m.UID]; !ok || !sameFlags(flags, m.Flags) {
				t.Fatalf("seed %d: uid %d has %v, the client thinks %v", seed, m.UID, m.Flags, flags)
			}
		}
	}
}
