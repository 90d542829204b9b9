package proxy

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"time"
)

// link is one connection through the line. Its counters are guarded by the
// proxy's mutex.
type link struct {
	p         *Proxy
	number    int
	client    *net.TCPConn
	server    *net.TCPConn
	began     time.Time
	delivered [2]int64
	tls       bool // the client's first byte was a TLS handshake's
	started   bool // the client has sent something
	last      Direction
	bursts    int
	lastUp    time.Time
	cut       atomic.Bool // deliver nothing more
}

const (
	buffer    = 256 << 10
	inTransit = 16 << 20 // bytes one direction may hold
)

// chunk is bytes that reach the other end at a time.
type chunk struct {
	b   []byte
	due time.Time
}

func (l *link) connect(server *net.TCPConn) bool {
	l.p.mu.Lock()
	defer l.p.mu.Unlock()
	l.server = server
	if l.cut.Load() {
		server.Close()
		return false
	}
	return true
}

// abort resets both ends. The caller holds the mutex or is the link's own
// goroutine before it has a server.
func (l *link) abort() {
	l.cut.Store(true)
	for _, c := range []*net.TCPConn{l.client, l.server} {
		if c != nil {
			c.SetLinger(0)
			c.Close()
		}
	}
}

// end closes both ends in order; what still comes in is thrown away, for at
// most a second.
func (l *link) end() {
	l.cut.Store(true)
	for _, c := range []*net.TCPConn{l.client, l.server} {
		c.CloseWrite()
		c.SetReadDeadline(time.Now().Add(time.Second))
	}
}

// pump moves one direction until its source ends.
func (l *link) pump(d Direction, from, to *net.TCPConn) {
	defer to.CloseWrite()
	if l.p.o.RTT == 0 && l.p.o.Bandwidth == 0 {
		l.direct(d, from, to)
		return
	}
	l.delayed(d, from, to)
}

func (l *link) direct(d Direction, from, to *net.TCPConn) {
	b := make([]byte, buffer)
	for {
		n, err := from.Read(b)
		if n > 0 {
			if d == Up {
				l.burst(b[:n])
			}
			if !l.deliver(d, to, b[:n]) {
				io.Copy(io.Discard, from)
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// delayed reads as it comes and delivers each chunk when it is due.
func (l *link) delayed(d Direction, from, to *net.TCPConn) {
	line := make(chan chunk, 8192)
	var held atomic.Int64
	go func() {
		defer close(line)
		size := int64(buffer)
		if bw := l.p.o.Bandwidth; bw > 0 {
			size = min(max(bw/200, 1460), buffer)
		}
		b := make([]byte, size)
		free := l.began.Add(l.p.o.RTT) // nothing leaves before the handshake is over
		for {
			n, err := from.Read(b)
			if n > 0 {
				now := time.Now()
				if now.After(free) {
					free = now
				}
				if d == Up {
					l.burst(b[:n])
				}
				if bw := l.p.o.Bandwidth; bw > 0 {
					free = free.Add(time.Duration(int64(n) * int64(time.Second) / bw))
				}
				held.Add(int64(n))
				line <- chunk{b: bytes.Clone(b[:n]), due: free.Add(l.p.o.RTT / 2)}
			}
			if err != nil {
				return
			}
			for held.Load() > inTransit && !l.cut.Load() {
				time.Sleep(time.Millisecond)
			}
		}
	}()
	alive := true
	for c := range line {
		if alive {
			time.Sleep(time.Until(c.due))
			alive = l.deliver(d, to, c.b)
		}
		held.Add(-int64(len(c.b)))
	}
}

// burst notes bytes from the client, at the client's end.
func (l *link) burst(b []byte) {
	p := l.p
	p.mu.Lock()
	defer p.mu.Unlock()
	l.lastUp = time.Now()
	if !l.started {
		l.started = true
		l.tls = b[0] == 0x16
		l.last = Down
	}
	if l.last != Down {
		return
	}
	l.last = Up
	l.bursts++
	p.counts.Flights++
	// A TLS client's first two bursts, hello and finished, precede the
	// greeting.
	if !l.tls || l.bursts > 2 {
		p.counts.Commands++
	}
}

// deliver writes bytes to the other end, up to a fault. false = nothing more
// will be delivered in this direction.
func (l *link) deliver(d Direction, to *net.TCPConn, b []byte) bool {
	for len(b) > 0 {
		l.p.held()
		if l.cut.Load() {
			return false
		}
		part, fault := l.account(d, b)
		if len(part) > 0 {
			if _, err := to.Write(part); err != nil {
				return false
			}
		}
		b = b[len(part):]
		if fault == nil {
			continue
		}
		switch fault.Action {
		case Cut:
			l.end()
		case Reset:
			l.p.mu.Lock()
			l.abort()
			l.p.mu.Unlock()
		case Stall:
			l.p.Stall()
		}
	}
	return !l.cut.Load()
}

// account counts what is about to be delivered and finds the fault that
// strikes at its end.
func (l *link) account(d Direction, b []byte) ([]byte, *Fault) {
	p := l.p
	p.mu.Lock()
	defer p.mu.Unlock()
	var hit *Fault
	at := -1
	for i, f := range p.faults {
		room := f.After - l.delivered[d]
		if f.Direction == d && (f.Conn == 0 || f.Conn == l.number) && room >= 0 && room <= int64(len(b)) {
			b, at = b[:room], i
		}
	}
	if at >= 0 {
		f := p.faults[at]
		hit = &f
		p.faults = append(p.faults[:at], p.faults[at+1:]...)
	}
	l.delivered[d] += int64(len(b))
	if d == Up {
		p.counts.Up += int64(len(b))
	} else if len(b) > 0 {
		p.counts.Down += int64(len(b))
		if l.last == Up && l.started {
			p.counts.Waited += time.Since(l.lastUp)
		}
		l.last = Down
	}
	p.transcribe(l.number, d, b)
	return b, hit
}

// held waits while the line is stalled.
func (p *Proxy) held() {
	p.mu.Lock()
	hold := p.hold
	p.mu.Unlock()
	if hold != nil {
		<-hold
	}
}

// transcribe writes lines, long and binary ones shortened and quoted.
func (p *Proxy) transcribe(conn int, d Direction, b []byte) {
	if p.o.Transcript == nil {
		return
	}
	side := [...]string{"C", "S"}[d]
	for line := range bytes.Lines(b) {
		text := bytes.TrimRight(line, "\r\n")
		if len(text) > 300 {
			fmt.Fprintf(p.o.Transcript, "%d %s: %q... (%d bytes)\n", conn, side, text[:200], len(line))
		} else {
			fmt.Fprintf(p.o.Transcript, "%d %s: %s\n", conn, side, printable(text))
		}
	}
}

func printable(b []byte) string {
	for _, c := range b {
		if c < 0x20 || c > 0x7e {
			return fmt.Sprintf("%q", b)
		}
	}
	return string(b)
}
