// Package proxy is a TCP delay line: it puts a round-trip time and a
// bandwidth between a client and a server on one machine, breaks
// connections at an exact byte, and counts what the link saw: flights,
// bytes, connections.
//
// A flight is one burst of client bytes, ended by bytes from the server; it
// is counted at the client's end of the line. The connection's own set-up is
// modelled too: the greeting arrives two round trips after connect, as TCP's
// handshake and the greeting would take.
package proxy

import (
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// Options describe the line.
type Options struct {
	Target    string        // host:port of the server
	Listen    string        // default 127.0.0.1:0
	RTT       time.Duration // half is added to each direction
	Bandwidth int64         // bytes a second in each direction; 0 = unlimited
	// Transcript receives every line with connection number and direction.
	// It holds passwords.
	Transcript io.Writer
}

// Counts is what passed since the start or the last Reset.
type Counts struct {
	Connections int
	MostOpen    int           // connections at one time
	Flights     int           // client bursts, TLS handshake included
	Commands    int           // flights from the greeting on (TLS handshake excluded)
	Up, Down    int64         // bytes
	Waited      time.Duration // from the end of a burst to the server's next byte, summed
}

// Direction of bytes.
type Direction uint8

// Up is from client to server, Down from server to client.
const (
	Up Direction = iota
	Down
)

func (d Direction) String() string { return [...]string{"up", "down"}[d&1] }

// Action is what a fault does.
type Action uint8

// Cut ends both directions in order (FIN), Reset aborts them (RST), Stall
// holds both back until Release or Kill.
const (
	Cut Action = iota
	Reset
	Stall
)

func (a Action) String() string { return [...]string{"cut", "reset", "stall"}[a%3] }

// Fault strikes once, when exactly After bytes of a connection have been
// delivered in a direction. Conn numbers connections from 1; 0 is whichever
// gets there first.
type Fault struct {
	Conn      int
	Direction Direction
	After     int64
	Action    Action
}

// Proxy is a running delay line.
type Proxy struct {
	o  Options
	ln net.Listener
	wg sync.WaitGroup

	mu     sync.Mutex
	counts Counts
	open   int
	next   int
	links  map[*link]bool
	faults []Fault
	hold   chan struct{} // not nil while stalled
	closed bool
}

// Start opens the line. The caller calls Close.
func Start(o Options) (*Proxy, error) {
	if o.Listen == "" {
		o.Listen = "127.0.0.1:0"
	}
	ln, err := net.Listen("tcp", o.Listen)
	if err != nil {
		return nil, fmt.Errorf("proxy: %w", err)
	}
	p := &Proxy{o: o, ln: ln, links: map[*link]bool{}}
	p.wg.Add(1)
	go p.accept()
	return p, nil
}

// Addr is where clients connect, host:port.
func (p *Proxy) Addr() string { return p.ln.Addr().String() }

// Port is Addr's port.
func (p *Proxy) Port() int { return p.ln.Addr().(*net.TCPAddr).Port }

// Counts gives the counters.
func (p *Proxy) Counts() Counts {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.counts
}

// ResetCounts starts counting anew. Open connections count on.
func (p *Proxy) ResetCounts() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.counts = Counts{MostOpen: p.open}
}

// Arm adds a fault. Connections count their bytes from their own start.
func (p *Proxy) Arm(f Fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults = append(p.faults, f)
}

// Disarm drops the faults that have not struck, and tells how many.
func (p *Proxy) Disarm() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := len(p.faults)
	p.faults = nil
	return n
}

// Stall holds everything back until Release.
func (p *Proxy) Stall() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stall()
}

func (p *Proxy) stall() {
	if p.hold == nil && !p.closed {
		p.hold = make(chan struct{})
	}
}

// Release ends a stall.
func (p *Proxy) Release() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.hold != nil {
		close(p.hold)
		p.hold = nil
	}
}

// Kill aborts all open connections (RST) and tells how many.
func (p *Proxy) Kill() int {
	p.mu.Lock()
	n := 0
	for l := range p.links {
		if !l.cut.Load() {
			n++
		}
		l.abort()
	}
	p.mu.Unlock()
	p.Release()
	return n
}

// Close ends the line and its connections.
func (p *Proxy) Close() error {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	err := p.ln.Close()
	p.Kill()
	p.wg.Wait()
	return err
}

func (p *Proxy) accept() {
	defer p.wg.Done()
	for {
		c, err := p.ln.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			time.Sleep(10 * time.Millisecond)
			continue
		}
		p.wg.Add(1)
		go p.serve(c.(*net.TCPConn))
	}
}

// serve runs one connection to its end.
func (p *Proxy) serve(client *net.TCPConn) {
	defer p.wg.Done()
	began := time.Now()
	l := &link{p: p, client: client, began: began}
	if !p.enter(l) {
		client.Close()
		return
	}
	defer p.leave(l)
	// The server sees the connection half a round trip after the client's
	// handshake is complete.
	time.Sleep(p.o.RTT + p.o.RTT/2)
	c, err := net.DialTimeout("tcp", p.o.Target, 10*time.Second)
	if err != nil {
		l.abort()
		return
	}
	server := c.(*net.TCPConn)
	if !l.connect(server) {
		return
	}
	var both sync.WaitGroup
	both.Add(2)
	go func() { defer both.Done(); l.pump(Up, client, server) }()
	go func() { defer both.Done(); l.pump(Down, server, client) }()
	both.Wait()
	client.Close()
	server.Close()
}

func (p *Proxy) enter(l *link) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return false
	}
	p.next++
	l.number = p.next
	p.links[l] = true
	p.open++
	p.counts.Connections++
	p.counts.MostOpen = max(p.counts.MostOpen, p.open)
	return true
}

func (p *Proxy) leave(l *link) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.links, l)
	p.open--
	l.client.Close()
}
