package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"offloop/cmd/internal/lab"
	"offloop/cmd/internal/lab/proxy"
)

// inMaildir counts the messages of a local folder.
func (m *mailbox) inMaildir(folder string) int {
	n := 0
	for _, sub := range []string{"new", "cur"} {
		l, _ := os.ReadDir(filepath.Join(m.root, folder, sub))
		n += len(l)
	}
	return n
}

// watched is a mailbox whose INBOX is watched, with autorefresh far off.
func watched(t *testing.T, user string, rtt time.Duration, extra ...string) (*mailbox, *proxy.Proxy) {
	srv := lab.NeedDovecot(t)
	m := newMailbox(t, srv, user)
	m.put("INBOX", "first")
	line, err := proxy.Start(proxy.Options{Target: srv.TLSAddr(), RTT: rtt})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { line.Close() })
	m.extra["idlefolders"] = "['INBOX']"
	m.extra["remoteport"] = fmt.Sprint(line.Port())
	m.write()
	m.accountKeys(append([]string{"autorefresh = 30"}, extra...)...)
	return m, line
}

var sentIdle = regexp.MustCompile(`> A[0-9]+ IDLE`)

// TestIdle: what the server gets is here at once, over the connections that are open.
func TestIdle(t *testing.T) {
	m, line := watched(t, "idle", 0, "postsynchook = echo mode=$OFFLINEIMAPSYNCMODE")
	p := m.keepRunning("-d", "imap")
	idling := func() bool {
		return strings.Contains(p.output(), "> A2 IDLE") || strings.Contains(p.output(), "IDLE\n")
	}
	p.until("IDLE", func() bool { return idling() && m.inMaildir("INBOX") == 1 })
	open := line.Counts().Connections
	var worst time.Duration
	for i := range 5 {
		begin := time.Now()
		m.put("INBOX", fmt.Sprint("more", i))
		p.until("the delivery", func() bool { return m.inMaildir("INBOX") == 2+i })
		worst = max(worst, time.Since(begin))
	}
	if n := line.Counts().Connections; n != open || open != 2 {
		t.Errorf("%d connections, then %d: the two that were open should have done", open, n)
	}
	if worst > 5*time.Second {
		t.Errorf("a delivery took %v", worst)
	}
	t.Logf("the slowest delivery took %v", worst)
	out := p.stop()
	if !strings.Contains(out, "mode=full") || !strings.Contains(out, "mode=idle") || strings.Contains(out, "ERROR") {
		t.Error(out)
	}
}

// TestIdleFlight: a delivery costs one flight: half a round trip until it is known of,
// and one to fetch it.
func TestIdleFlight(t *testing.T) {
	const rtt = time.Second
	m, _ := watched(t, "flight", rtt)
	p := m.keepRunning("-d", "imap")
	p.until("IDLE", func() bool { return m.inMaildir("INBOX") == 1 && sentIdle.MatchString(p.output()) })
	time.Sleep(2 * rtt)
	m.put("INBOX", "more")
	begin := time.Now()
	p.until("the delivery", func() bool { return m.inMaildir("INBOX") == 2 })
	d := time.Since(begin)
	t.Logf("it took %v", d)
	// Dovecot itself waits half a second before it tells; a second flight would make
	// this three round trips.
	if d > 2*rtt+800*time.Millisecond {
		t.Errorf("a delivery took %v at a round trip of %v", d, rtt)
	}
	p.stop()
}

// TestIdleReconnects: connections that are cut are made again, and what came meanwhile
// is fetched.
func TestIdleReconnects(t *testing.T) {
	m, line := watched(t, "cut", 0)
	p := m.keepRunning()
	p.until("the first message", func() bool { return m.inMaildir("INBOX") == 1 && line.Counts().Connections >= 2 })
	time.Sleep(300 * time.Millisecond)
	line.Kill()
	m.put("INBOX", "while away")
	p.until("the message that came while nobody watched", func() bool { return m.inMaildir("INBOX") == 2 })
	m.put("INBOX", "and after")
	p.until("the next one", func() bool { return m.inMaildir("INBOX") == 3 })
	if out := p.stop(); strings.Contains(out, "ERROR") {
		t.Error(out)
	}
}

// TestHold: the connection is kept between rounds, and given up with those who want it
// so.
func TestHold(t *testing.T) {
	for _, hold := range []bool{true, false} {
		m, line := watched(t, fmt.Sprint("hold-", hold), 0)
		m.extra["idlefolders"] = ""
		m.extra["holdconnectionopen"] = fmt.Sprint(hold)
		m.extra["keepalive"] = "1"
		m.write()
		m.accountKeys("autorefresh = 30")
		p := m.keepRunning("-d", "imap")
		rounds := func() int { return strings.Count(p.output(), "Next refresh") }
		for i := range 3 {
			p.until("a round", func() bool { return rounds() > i })
			m.put("INBOX", fmt.Sprint("more", i))
			p.signal(syscall.SIGUSR1)
		}
		p.until("the last round", func() bool { return rounds() > 3 && m.inMaildir("INBOX") == 4 })
		want := 4
		if hold {
			want = 1
			p.until("a sign of life", func() bool { return strings.Contains(p.output(), " NOOP") })
		}
		if n := line.Counts().Connections; n != want {
			t.Errorf("hold %v: %d connections, want %d", hold, n, want)
		}
		p.stop()
	}
}
