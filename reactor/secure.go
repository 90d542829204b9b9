package reactor

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

// tlsPhase is where TLS is on a stream:
//
//	Roots ──certificates loaded──▶ Handshake ──done──▶ On
//	  └────────lost, refused───────────┴──▶ Failed ◀────┘ (lost)
//
// crypto/tls is written for blocking connections, and a handshake that saw
// "would block" fails for good. So the handshake alone runs in a coroutine whose
// connection yields when starved; after it, the connection answers with a
// temporary net.Error, which tls.Conn.Read takes for "again later".
//
// While the handshake is suspended it holds a mutex that Write and
// ConnectionState want: neither is called then, or the loop would hang for ever.
type tlsPhase uint8

const (
	tlsRoots     tlsPhase = iota // the system's certificates are being loaded
	tlsHandshake                 // the coroutine is alive
	tlsOn
	tlsFailed
)

func (p tlsPhase) String() string {
	switch p {
	case tlsRoots:
		return "Roots"
	case tlsHandshake:
		return "Handshake"
	case tlsOn:
		return "On"
	case tlsFailed:
		return "Failed"
	}
	return "tlsPhase(?)"
}

// secure is TLS on one stream.
type secure struct {
	s          *Stream
	phase      tlsPhase
	conn       *tls.Conn
	server     bool
	co         *coro
	err        error
	done       func(tls.ConnectionState, error)
	cs         tls.ConnectionState
	farewelled bool // our close_notify is written
}

// StartTLS begins a TLS handshake as the client. Bytes written earlier go out
// first, in the clear; bytes written from now on wait for the handshake. done is
// called once, never before StartTLS returns; with an error the stream is lost
// too. If bytes have arrived that were not delivered yet, done gets ErrPlaintext:
// a TLS server does not speak first. Bytes of the Data call that StartTLS is made
// in are the caller's to check, or to give back with Unread.
//
// c is cloned. TLS 1.2 is the minimum unless c says otherwise; without RootCAs
// the system's are used, loaded aside.
func (s *Stream) StartTLS(c *tls.Config, done func(tls.ConnectionState, error)) {
	if err := s.checkSilence(); err != nil {
		s.refuseTLS(err, done)
		return
	}
	s.startTLS(c, false, done)
}

// AcceptTLS is StartTLS as the server; c must hold a certificate.
func (s *Stream) AcceptTLS(c *tls.Config, done func(tls.ConnectionState, error)) {
	s.startTLS(c, true, done)
}

func (s *Stream) startTLS(c *tls.Config, server bool, done func(tls.ConnectionState, error)) {
	switch {
	case s.state != streamOpen:
		s.refuseTLS(net.ErrClosed, done)
		return
	case s.tls != nil || s.z != nil:
		s.refuseTLS(errors.New("reactor: TLS started twice, or after DEFLATE"), done)
		return
	case s.writeErr != nil:
		s.refuseTLS(s.writeErr, done)
		return
	}
	// What is still unsent is plaintext and must stay so.
	s.wire, s.out, s.outHead = append(s.l.takeWire(), s.out[s.outHead:]...), nil, 0
	t := &secure{s: s, server: server, done: done}
	s.tls = t
	s.updateInterest()
	conf := clientConfig(c)
	if server || conf.RootCAs != nil || conf.InsecureSkipVerify {
		s.l.NextTurn(func() { t.begin(conf) })
		return
	}
	s.l.loadRoots(func(err error) {
		if err != nil && t.phase == tlsRoots && s.state == streamOpen {
			s.die(fmt.Errorf("load the system's certificates: %w", err))
			return
		}
		t.begin(conf)
	})
}

// refuseTLS ends the stream: one that was to be encrypted must not go on in the
// clear.
func (s *Stream) refuseTLS(err error, done func(tls.ConnectionState, error)) {
	s.explain = nil
	s.die(err)
	s.l.NextTurn(func() { done(tls.ConnectionState{}, err) })
}

// checkSilence fails if plaintext is at hand. Looking into the socket costs one
// system call and finds what arrived since the last read.
func (s *Stream) checkSilence() error {
	if s.state != streamOpen || s.tls != nil {
		return nil // startTLS has its own answer to these
	}
	if len(s.unread) > 0 || s.raw.left() {
		return ErrPlaintext
	}
	var one [1]byte // not the loop's buffer: the caller may be in the middle of reading that
	n, err := s.t.Read(one[:])
	switch {
	case n > 0:
		return ErrPlaintext
	case err == io.EOF:
		return errors.New("the server closed the connection before the TLS handshake")
	case err != ErrWouldBlock:
		return err
	}
	return nil
}

func clientConfig(c *tls.Config) *tls.Config {
	if c == nil {
		c = &tls.Config{}
	}
	c = c.Clone()
	if c.MinVersion == 0 {
		c.MinVersion = tls.VersionTLS12
	}
	c.Renegotiation = tls.RenegotiateNever // it would be a handshake outside the coroutine
	c.DynamicRecordSizingDisabled = true   // small first records help pages to render, not mail
	return c
}

func (t *secure) begin(conf *tls.Config) {
	s := t.s
	if t.phase != tlsRoots || s.state != streamOpen {
		return
	}
	s.raw.s = s
	if t.server {
		t.conn = tls.Server(&s.raw, conf)
	} else {
		t.conn = tls.Client(&s.raw, conf)
	}
	t.to(tlsHandshake)
	t.co = newCoro("the TLS handshake", &t.err, func(yield func([]byte) bool) error {
		s.raw.wait = func() bool { return yield(nil) }
		return t.conn.Handshake()
	})
	t.step()
	s.updateInterest()
}

func (t *secure) to(p tlsPhase) { t.phase = p }

// step lets the handshake go on with the input there is.
func (t *secure) step() {
	s := t.s
	_, more := t.co.resume()
	if s.state == streamDead {
		return // a callback of the handshake gave the stream up
	}
	s.markDirty()
	if more {
		return
	}
	s.raw.wait = nil
	if t.err != nil {
		// The alert that tells the peer why is in the buffer: send it if it fits.
		_, _ = s.t.Write(s.wire[s.wireHead:])
		s.die(handshakeError(t.err))
		return
	}
	t.to(tlsOn)
	t.cs = t.conn.ConnectionState()
	done := t.done
	t.done = nil
	done(t.cs, nil)
	s.schedulePump() // the peer's first bytes may have come with the handshake's last
	s.updateInterest()
}

func handshakeError(err error) error {
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("TLS handshake: the server closed the connection: %w", io.ErrUnexpectedEOF)
	}
	return fmt.Errorf("TLS handshake: %w", err)
}

// abandon tells the waiting caller of StartTLS that the stream died first.
func (t *secure) abandon(err error) {
	done := t.done
	t.done = nil
	if t.phase != tlsOn {
		t.to(tlsFailed)
	}
	if done == nil {
		return
	}
	if err == nil {
		err = net.ErrClosed
	}
	t.s.l.NextTurn(func() { done(tls.ConnectionState{}, err) })
}

func (t *secure) halt() {
	if t.co != nil {
		t.co.halt()
	}
}

// read returns one record's plaintext, in the loop's buffer.
func (t *secure) read() ([]byte, error) {
	l := t.s.l
	if l.plain == nil {
		l.plain = make([]byte, 16<<10)
	}
	n, err := t.conn.Read(l.plain)
	if len(t.s.wire) > t.s.wireHead {
		t.s.markDirty() // the answer to a key update
	}
	if n > 0 {
		return l.plain[:n], nil
	}
	var ne net.Error
	if errors.As(err, &ne) && ne == net.Error(errStarved) {
		return nil, ErrWouldBlock
	}
	if err == io.EOF && !t.s.raw.ended {
		return nil, io.EOF // by the peer's close_notify
	}
	if err == io.EOF {
		// crypto/tls lets an EOF between records pass; an attacker can make one.
		err = io.ErrUnexpectedEOF
	}
	return nil, fmt.Errorf("TLS: %w", err)
}

// farewell writes the close_notify alert.
func (t *secure) farewell() error {
	if t.farewelled {
		return nil
	}
	t.farewelled = true
	return t.conn.CloseWrite()
}

// starved is the temporary error that lets tls.Conn.Read be called again.
type starved struct{}

func (*starved) Error() string   { return ErrWouldBlock.Error() }
func (*starved) Timeout() bool   { return true }
func (*starved) Temporary() bool { return true }

var errStarved = &starved{}

// rawConn is a stream's undecoded input and, for crypto/tls, its net.Conn.
// Write appends to the stream's wire buffer and never blocks or yields.
type rawConn struct {
	s   *Stream
	in  []byte
	own bool // in is ours, not the loop's read buffer
	err error
	// ended: crypto/tls has met err, rather than a close_notify before it.
	ended bool
	wait  func() bool // set while the handshake runs: yields for more input
}

func (r *rawConn) left() bool { return len(r.in) > 0 }

// keep makes what is left of the input outlive the loop's read buffer.
func (r *rawConn) keep() {
	if len(r.in) == 0 {
		r.in, r.own = nil, false
	} else if !r.own {
		r.in, r.own = append([]byte(nil), r.in...), true
	}
}

func (r *rawConn) Read(p []byte) (int, error) {
	for len(r.in) == 0 {
		if r.err != nil {
			r.ended = true
			return 0, r.err
		}
		if r.wait == nil {
			return 0, errStarved
		}
		if !r.wait() {
			return 0, net.ErrClosed
		}
	}
	n := copy(p, r.in)
	r.in = r.in[n:]
	return n, nil
}

func (r *rawConn) Write(p []byte) (int, error) {
	s := r.s
	if s.state == streamDead {
		return 0, net.ErrClosed
	}
	if s.wire == nil {
		s.wire, s.wireHead = s.l.takeWire(), 0
	}
	s.wire = append(s.wire, p...)
	return len(p), nil
}

func (r *rawConn) Close() error                     { return nil }
func (r *rawConn) LocalAddr() net.Addr              { return rawAddr("local") }
func (r *rawConn) RemoteAddr() net.Addr             { return rawAddr(r.s.remote) }
func (r *rawConn) SetDeadline(time.Time) error      { return nil }
func (r *rawConn) SetReadDeadline(time.Time) error  { return nil }
func (r *rawConn) SetWriteDeadline(time.Time) error { return nil }

type rawAddr string

func (rawAddr) Network() string  { return "tcp" }
func (a rawAddr) String() string { return string(a) }

// rootsCache remembers that the system's certificates are loaded, so that no
// handshake has to do it on the loop.
type rootsCache struct {
	loaded, loading bool
	waiting         []func(error)
}

func (l *Loop) loadRoots(f func(error)) {
	r := &l.roots
	if r.loaded {
		l.NextTurn(func() { f(nil) })
		return
	}
	r.waiting = append(r.waiting, f)
	if r.loading {
		return
	}
	r.loading = true
	var err error
	l.Aside(func() { _, err = SystemRoots() }, func() {
		waiting := r.waiting
		r.loaded, r.loading, r.waiting = err == nil, false, nil
		for _, f := range waiting {
			f(err)
		}
	})
}
