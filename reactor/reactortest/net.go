package reactortest

import (
	"errors"
	"io"
	"net"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
	"offloop/reactor"
)

// Faults are what goes wrong on the way to one end of a pair. The zero value is
// a perfect line.
type Faults struct {
	ReadMax  int           // most bytes one read gives; 1 is byte by byte; 0 = no limit
	WriteMax int           // most bytes one write takes; 0 = no limit
	Window   int           // bytes in flight before the writer is held up; 0 = 64 KiB
	Latency  time.Duration // virtual time between write and read
	CutAfter int64         // after this many bytes were read the line is cut; 0 = never
	CutErr   error         // what the reader then sees; nil = ECONNRESET; io.EOF = an orderly end
}

const defaultWindow = 64 << 10

// Pair returns two streams connected with each other. fa are the faults on what
// a receives (and writes: WriteMax), fb on what b does.
func (f *FakeLoop) Pair(fa, fb Faults) (a, b *reactor.Stream) {
	ea, eb := newEnds(f, fa, fb)
	return f.stream(ea, "memory:a"), f.stream(eb, "memory:b")
}

// Peer returns a stream and its far end as a test holds it: bytes to send, bytes
// received, no protocol.
func (f *FakeLoop) Peer(faults Faults) (*reactor.Stream, *Peer) {
	s, far := f.Pair(faults, Faults{})
	return s, NewPeer(far)
}

func (f *FakeLoop) stream(e *end, name string) *reactor.Stream {
	s, err := f.NewStream(e, name)
	if err != nil {
		panic(err) // Attach of an end cannot fail
	}
	return s
}

// Peer is the far end of a stream in a test's hand.
type Peer struct {
	*reactor.Stream
	got  []byte
	lost bool
	err  error
}

// NewPeer puts a Peer on a stream that has not been started.
func NewPeer(s *reactor.Stream) *Peer {
	p := &Peer{Stream: s}
	s.Start(p)
	return p
}

// Data implements reactor.Protocol.
func (p *Peer) Data(b []byte) { p.got = append(p.got, b...) }

// Lost implements reactor.Protocol.
func (p *Peer) Lost(err error) { p.lost, p.err = true, err }

// Send writes a string; it arrives once the loop turns.
func (p *Peer) Send(s string) { p.Write([]byte(s)) }

// Take returns what has arrived since the last Take.
func (p *Peer) Take() string {
	s := string(p.got)
	p.got = nil
	return s
}

// Gone reports whether the other side has closed, and how.
func (p *Peer) Gone() (bool, error) { return p.lost, p.err }

// host is one address of the simulated network.
type host struct {
	accept func(*reactor.Stream)
	faults Faults
	err    error
}

// Serve answers Dial to host:port: accept is given the server's end of each new
// connection, and starts it. faults apply to what the client receives. A dial
// with TLS does a real handshake: accept must call AcceptTLS.
func (f *FakeLoop) Serve(hostPort string, faults Faults, accept func(*reactor.Stream)) {
	f.hosts[hostPort] = host{accept: accept, faults: faults}
}

// Refuse makes Dial to host:port fail with err (nil: connection refused).
func (f *FakeLoop) Refuse(hostPort string, err error) {
	if err == nil {
		err = unix.ECONNREFUSED
	}
	f.hosts[hostPort] = host{err: err}
}

// Stall makes Dial to host:port hang until its timeout.
func (f *FakeLoop) Stall(hostPort string) { f.hosts[hostPort] = host{} }

// ServeTunnel answers Spawn of a command (as Commands names them).
func (f *FakeLoop) ServeTunnel(command string, accept func(*reactor.Stream)) {
	f.tunnel[command] = accept
}

var errNoHost = errors.New("no such host in the simulated world")

func (f *FakeLoop) dial(o reactor.DialOptions, done func(*reactor.Stream, error)) (cancel func()) {
	name := net.JoinHostPort(strings.Trim(o.Host, "[]"), strconv.Itoa(o.Port))
	h, ok := f.hosts[name]
	switch {
	case !ok:
		f.Loop.NextTurn(func() { done(nil, errNoHost) })
	case h.err != nil:
		f.Loop.NextTurn(func() { done(nil, h.err) })
	case h.accept != nil:
		connected := func() {
			client, server := newEnds(f, h.faults, Faults{Latency: h.faults.Latency})
			s := f.stream(client, name)
			h.accept(f.stream(server, "client of "+name))
			done(s, nil)
		}
		if h.faults.Latency > 0 {
			// One round trip to connect, as TCP has it.
			t := f.CallLater(2*h.faults.Latency, connected)
			return t.Cancel
		}
		f.Loop.NextTurn(connected)
	}
	return func() {}
}

func (f *FakeLoop) exec(c reactor.Command, done func(reactor.Result)) (kill func()) {
	run := f.Commands[c.String()]
	t := f.CallLater(f.ExecDelay, func() {
		if run == nil {
			done(reactor.Result{ExitCode: 127, Err: &reactor.ChildError{Command: c.String(), ExitCode: 127, Stderr: "not found"}})
			return
		}
		done(run(c.Stdin))
	})
	return func() {
		if t.Active() {
			t.Cancel()
			f.Loop.NextTurn(func() {
				done(reactor.Result{ExitCode: -1, Err: &reactor.ChildError{Command: c.String(), ExitCode: -1, Err: reactor.ErrKilled}})
			})
		}
	}
}

func (f *FakeLoop) spawn(c reactor.Command, done func(*reactor.Stream, error)) (kill func()) {
	accept := f.tunnel[c.String()]
	if accept == nil {
		f.Loop.NextTurn(func() {
			done(nil, &reactor.ChildError{Command: c.String(), ExitCode: 127, Stderr: "not found"})
		})
		return func() {}
	}
	ours, theirs := newEnds(f, Faults{}, Faults{})
	s := f.stream(ours, c.String())
	f.Loop.NextTurn(func() {
		accept(f.stream(theirs, "user of "+c.String()))
		done(s, nil)
	})
	return func() { theirs.cut(io.EOF) }
}

// end is one end of a line in memory. What it receives lies in its own buffer;
// the other end puts it there.
type end struct {
	f      *FakeLoop
	faults Faults
	peer   *end

	ready    func(reactor.Events)
	interest reactor.Events
	queued   bool
	closed   bool

	buf     []byte // arrived, readable
	flying  int    // written by the peer, not yet arrived
	arrived int64  // bytes read so far, for CutAfter
	endErr  error  // after buf, reading gives this
}

func newEnds(f *FakeLoop, fa, fb Faults) (a, b *end) {
	a, b = &end{f: f, faults: fa}, &end{f: f, faults: fb}
	a.peer, b.peer = b, a
	return a, b
}

// Attach implements reactor.Transport, as do the other exported methods.
func (e *end) Attach(_ *reactor.Loop, ready func(reactor.Events)) error {
	e.ready = ready
	return nil
}

func (e *end) Interest(ev reactor.Events) {
	e.interest = ev
	e.wake()
}

// state is what the end is ready for.
func (e *end) state() (ev reactor.Events) {
	if len(e.buf) > 0 || e.endErr != nil {
		ev |= reactor.Readable
	}
	if e.room() > 0 || e.peer.closed || e.peer.endErr != nil {
		ev |= reactor.Writable
	}
	return ev & e.interest
}

// wake queues a call of ready for the next turn if there is reason for one.
func (e *end) wake() {
	if e.queued || e.closed || e.state() == 0 {
		return
	}
	e.queued = true
	e.f.Loop.NextTurn(func() {
		e.queued = false
		if ev := e.state(); ev != 0 && !e.closed {
			e.ready(ev)
			e.wake()
		}
	})
}

// room is how much the other end can be sent.
func (e *end) room() int {
	w := e.peer.faults.Window
	if w <= 0 {
		w = defaultWindow
	}
	return w - len(e.peer.buf) - e.peer.flying
}

func (e *end) Read(p []byte) (int, error) {
	if len(e.buf) == 0 {
		if e.endErr != nil {
			return 0, e.endErr
		}
		return 0, reactor.ErrWouldBlock
	}
	n := min(len(p), len(e.buf))
	if e.faults.ReadMax > 0 {
		n = min(n, e.faults.ReadMax)
	}
	if c := e.faults.CutAfter; c > 0 {
		n = int(min(int64(n), c-e.arrived))
	}
	copy(p, e.buf[:n])
	e.buf = e.buf[n:]
	e.arrived += int64(n)
	if c := e.faults.CutAfter; c > 0 && e.arrived >= c {
		err := e.faults.CutErr
		if err == nil {
			err = unix.ECONNRESET
		}
		e.cut(err)
	}
	e.peer.wake()
	return n, nil
}

// cut breaks the line: this end reads err next, the other cannot write.
func (e *end) cut(err error) {
	e.buf, e.endErr = nil, err
	if e.peer.endErr == nil {
		e.peer.endErr = err
	}
	e.wake()
	e.peer.wake()
}

func (e *end) Write(p []byte) (int, error) {
	if e.peer.closed || e.peer.endErr != nil {
		return 0, unix.EPIPE
	}
	n := min(len(p), e.room())
	if e.faults.WriteMax > 0 {
		n = min(n, e.faults.WriteMax)
	}
	if n <= 0 {
		return 0, reactor.ErrWouldBlock
	}
	e.peer.deliver(append([]byte(nil), p[:n]...))
	return n, nil
}

func (e *end) deliver(b []byte) {
	e.later(func() {
		e.flying -= len(b)
		if e.endErr == nil {
			e.buf = append(e.buf, b...)
		}
		e.wake()
	})
	e.flying += len(b)
}

// later runs g after the line's latency, or in the next turn.
func (e *end) later(g func()) {
	if e.faults.Latency > 0 {
		e.f.CallLater(e.faults.Latency, g)
		return
	}
	e.f.Loop.NextTurn(g)
}

func (e *end) Close() error {
	if e.closed {
		return nil
	}
	e.closed = true
	p := e.peer
	p.later(func() {
		if p.endErr == nil {
			p.endErr = io.EOF
		}
		p.wake()
	})
	return nil
}
