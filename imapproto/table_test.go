package imapproto

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
)

// TestPipelineTable holds the table of who may follow whom against its golden form:
// a row for each command, an x for each kind it may be sent behind.
func TestPipelineTable(t *testing.T) {
	var b strings.Builder
	for later := kind(0); later < numKinds; later++ {
		var row []string
		for earlier := kind(0); earlier < numKinds; earlier++ {
			if mayFollow[later]&(1<<earlier) != 0 {
				row = append(row, earlier.String())
			}
		}
		fmt.Fprintf(&b, "%-10s may follow: %s\n", later, strings.Join(row, " "))
	}
	golden(t, "testdata/pipeline.txt", b.String())
}

// golden compares got with a file, or writes it with -rewrite.
func golden(t *testing.T, file, got string) {
	if flag.Lookup("rewrite").Value.String() == "true" {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil || got != string(want) {
		t.Errorf("%s: %v; got:\n%s", file, err, got)
	}
}

// TestPipelineRules states the rules that the table must keep whatever else changes.
func TestPipelineRules(t *testing.T) {
	allowed := func(later, earlier kind) bool { return mayFollow[later]&(1<<earlier) != 0 }
	writers := []kind{kindStore, kindExpunge, kindCopy, kindMove, kindAppend, kindFolder}
	for k := kind(0); k < numKinds; k++ {
		for _, c := range []kind{kindStartTLS, kindIdle, kindCompress, kindLogout} {
			if allowed(k, c) {
				t.Errorf("%v may follow %v", k, c)
			}
		}
		if slices.Contains(writers, k) && allowed(k, kindLogin) {
			t.Errorf("%v may follow an unanswered login", k)
		}
	}
	for _, k := range []kind{kindStore, kindExpunge, kindCopy, kindMove} {
		if allowed(k, kindSelect) || allowed(k, kindUnselect) {
			t.Errorf("%v may follow an unconfirmed selection", k)
		}
	}
	if allowed(kindExpunge, kindStore) {
		t.Error("EXPUNGE may follow an unanswered STORE")
	}
	for _, k := range []kind{kindSelect, kindFetch, kindSearch, kindStatus, kindList} {
		for _, e := range []kind{kindLogin, kindSelect, kindFetch, kindSearch, kindEnable} {
			if !allowed(k, e) {
				t.Errorf("%v may not follow %v: flights are lost", k, e)
			}
		}
	}
}

// TestMoves checks the table of states: all reachable, all able to die, none left
// without a name, and to() obeys.
func TestMoves(t *testing.T) {
	reached := map[State]bool{StateGreeting: true}
	for range moves {
		for from, list := range moves {
			for _, to := range list {
				if reached[State(from)] {
					reached[to] = true
				}
			}
		}
	}
	for s := State(0); s < numStates; s++ {
		if !reached[s] {
			t.Errorf("%v cannot be reached", s)
		}
		if s.String() == "unknown state" {
			t.Errorf("state %d has no name", s)
		}
		if s != StateDead && !slices.Contains(moves[s], StateDead) {
			t.Errorf("%v cannot die", s)
		}
		for to := State(0); to < numStates; to++ {
			c := NewConn(time.Time{}, Options{})
			c.state = s
			c.to(to)
			want := to
			if s != to && !slices.Contains(moves[s], to) {
				want = StateDead
			}
			if c.state != want {
				t.Errorf("%v to %v gave %v", s, to, c.state)
			}
		}
	}
}

// TestStateResponse feeds each kind of response in each state: the state that
// follows is the golden table.
func TestStateResponse(t *testing.T) {
	setups := []struct {
		name  string
		opt   Options
		feeds []string
		do    func(c *Conn)
	}{
		{"greeting", Options{TLSActive: true}, nil, nil},
		{"capability", Options{TLSActive: true}, []string{"* OK hi\r\n"}, nil},
		{"starttls", Options{RequireTLS: true, StartTLS: func() {}}, []string{"* OK hi\r\n"}, nil},
		{"handshake", Options{RequireTLS: true, StartTLS: func() {}}, []string{"* OK hi\r\n", "A1 OK\r\n"}, nil},
		{"login", Options{TLSActive: true}, []string{"* OK [CAPABILITY IMAP4rev1] hi\r\n"}, nil},
		{"ready", Options{}, []string{"* PREAUTH [CAPABILITY IMAP4rev1 IDLE] hi\r\n"}, func(c *Conn) { c.Noop(func(error) {}) }},
		{"idle", Options{}, []string{"* PREAUTH [CAPABILITY IMAP4rev1 IDLE] hi\r\n", "+ idling\r\n"}, func(c *Conn) { c.Idle(func(error) {}) }},
		{"logout", Options{}, []string{"* PREAUTH [CAPABILITY IMAP4rev1 IDLE] hi\r\n"}, func(c *Conn) { c.Logout(func(error) {}) }},
	}
	responses := []string{"* OK x", "* PREAUTH x", "* BYE x", "* NO x", "* 3 EXISTS", "* 1 FETCH (UID 1)", "+ x", "A1 OK x", "A1 NO x", "A1 BAD x", "A7 OK x", "garbage", "* 1 FETCH (UID"}
	var b strings.Builder
	for _, s := range setups {
		for _, r := range responses {
			c := NewConn(time.Time{}, s.opt)
			if s.do != nil {
				s.do(c)
			}
			for _, f := range s.feeds {
				c.Feed(time.Time{}, []byte(f))
				c.Take(0)
			}
			c.Take(0)
			if got := c.State().String(); !strings.HasSuffix(got, s.name) {
				t.Fatalf("setting up %s gave %s", s.name, got)
			}
			c.Feed(time.Time{}, []byte(r+"\r\n"))
			fmt.Fprintf(&b, "%-10s %-20s -> %v\n", s.name, r, c.State())
		}
	}
	golden(t, "testdata/states.txt", b.String())
}

// TestRule10_PlaintextBehindStartTLS: bytes that came with STARTTLS's answer, in one piece
// or later but before the handshake has ended, end the connection and are not read.
func TestRule10_PlaintextBehindStartTLS(t *testing.T) {
	for _, feeds := range [][]string{
		{"* OK hi\r\n", "A1 OK go\r\n* CAPABILITY EVIL\r\n"},
		{"* OK hi\r\n", "A1 OK go\r\n", "A2 OK [CAPABILITY EVIL]\r\n"},
	} {
		started, closed := 0, error(nil)
		c := NewConn(time.Time{}, Options{RequireTLS: true, StartTLS: func() { started++ }, Closed: func(err error) { closed = err }})
		for _, f := range feeds {
			c.Feed(time.Time{}, []byte(f))
			c.Take(0)
		}
		if _, ok := closed.(*ProtocolError); !ok || c.Caps().Has("EVIL") {
			t.Errorf("%q: closed with %v, caps %v", feeds, closed, c.Caps().Names())
		}
		if started > len(feeds)-2 {
			t.Errorf("%q: handshake begun on dirty bytes", feeds)
		}
	}
}

// TestLongNumberLine: a million numbers in one line are never held as text.
func TestLongNumberLine(t *testing.T) {
	c := NewConn(time.Time{}, Options{})
	c.Feed(time.Time{}, []byte("* PREAUTH [CAPABILITY IMAP4rev1] hi\r\n"))
	sel := c.Select("INBOX", SelectOptions{}, func(*SelectData, error) {})
	n := -1
	c.UIDSearch(sel, "ALL", func(s imap.UIDSet, err error) {
		if err != nil {
			t.Error(err)
		}
		n = len(s)
	})
	c.Take(0)
	c.Feed(time.Time{}, []byte("A1 OK\r\n* SEARCH"))
	for i := 1; i <= 1_000_000; i++ {
		c.Feed(time.Time{}, fmt.Appendf(nil, " %d", 2*i))
		if cap(c.scan.buf) > 4*lineWindow {
			t.Fatalf("%d bytes of the line are held", cap(c.scan.buf))
		}
	}
	c.Feed(time.Time{}, []byte("\r\nA2 OK\r\n"))
	if n != 1_000_000 {
		t.Errorf("%d ranges", n)
	}
}

// TestDeflateRest: what comes in one piece with the answer to COMPRESS is DEFLATE's.
func TestDeflateRest(t *testing.T) {
	var rest []byte
	calls := 0
	c := NewConn(time.Time{}, Options{TLSActive: true, Deflate: func(b []byte) error { calls++; rest = append(rest, b...); return nil }})
	c.Feed(time.Time{}, []byte("* PREAUTH [CAPABILITY IMAP4rev1 COMPRESS=DEFLATE] hi\r\n"))
	c.Compress(func(err error) {
		if err != nil {
			t.Error(err)
		}
	})
	c.Noop(func(error) {})
	if got := string(c.Take(0)); got != "A1 COMPRESS DEFLATE\r\n" {
		t.Errorf("sent %q: nothing may follow COMPRESS", got)
	}
	c.Feed(time.Time{}, []byte("A1 OK\r\n\x00\x01\r\nxyz"))
	if calls != 1 || string(rest) != "\x00\x01\r\nxyz" || c.State() != StateReady {
		t.Errorf("%d calls, rest %q, state %v", calls, rest, c.State())
	}
	if got := string(c.Take(0)); got != "A2 NOOP\r\n" {
		t.Errorf("then sent %q", got)
	}
}
