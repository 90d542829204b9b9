package reactor

import (
	"crypto/tls"
	"errors"
	"time"
)

const (
	// highWater is the amount of unsent output above which a writer should
	// wait, lowWater the amount below which OnDrain tells it to go on.
	highWater = 128 << 10
	lowWater  = 32 << 10
	// encodeChunk is how much output is encrypted or compressed per flush, and
	// so bounds the encoded bytes a slow peer makes us hold.
	encodeChunk = 64 << 10
	// decodeBudget bounds what one turn decodes for one stream: 64 KiB of
	// DEFLATE may stand for 64 MiB.
	decodeBudget = 256 << 10
	// lingerTime is how long Close waits for a peer that takes no bytes.
	lingerTime = 5 * time.Second
)

// Protocol is what sits on a Stream.
type Protocol interface {
	// Data receives bytes in order. b is valid only during the call.
	Data(b []byte)
	// Lost is called exactly once, after the last Data. A nil error means an
	// orderly end: the peer's EOF, or Close once everything was sent.
	Lost(err error)
}

// streamState is where a stream is in its life:
//
//	Open ──Close──▶ Closing ──flushed──▶ Dead
//	  └──EOF, error, Abort──────────────▲
//
// TLS has a small machine of its own (see tlsPhase): the two are independent.
type streamState uint8

const (
	streamOpen    streamState = iota
	streamClosing             // no more Data; what is buffered is still being sent
	streamDead                // transport closed; Lost is called in the next turn
)

func (s streamState) String() string {
	switch s {
	case streamOpen:
		return "Open"
	case streamClosing:
		return "Closing"
	case streamDead:
		return "Dead"
	}
	return "streamState(?)"
}

// ErrPlaintext is StartTLS's error when bytes came in the clear behind the answer
// that promised TLS. An attacker may have put them there (RFC 3207 section 6
// tells of the same for SMTP): the connection must not be used.
var ErrPlaintext = errors.New("unencrypted bytes arrived behind the STARTTLS answer; the connection may be tampered with")

// ErrAborted is Lost's error after Abort(nil).
var ErrAborted = errors.New("connection given up")

// Stream is a two-way flow of bytes over a transport, with buffered writing,
// and TLS or DEFLATE where started. All of its methods may be called from inside
// its Protocol's.
type Stream struct {
	l      *Loop
	t      Transport
	remote string
	proto  Protocol
	state  streamState

	started, paused bool
	interest        Events
	pumpNext        func() // pumpLater as a value, made once
	pumpQueued      bool

	out      []byte // written by the protocol, not yet encoded
	outHead  int
	wire     []byte // encoded, not yet taken by the transport
	wireHead int
	blocked  bool // the transport took less than it was offered
	dirty    bool // in the loop's flush list
	above    bool // was above high water since the last drain
	onDrain  func()
	writeErr error // nothing can be sent any more; reading goes on to the end

	raw    rawConn // undecoded input; the net.Conn below TLS
	unread []byte  // given back by Unread; plain streams only
	tls    *secure
	z      *deflater

	lost      error
	told      bool                     // Lost is queued or has been called
	explain   func(error, func(error)) // lets a child's exit status become the reason
	onRelease func()                   // the transport is closed
	linger    *Timer
	in, sent  int64
}

// Start sets the protocol and begins reading. If the stream has died in the
// meantime the protocol's Lost is called in the next turn.
func (s *Stream) Start(p Protocol) {
	s.proto, s.started = p, true
	if s.state == streamDead {
		s.tell()
		return
	}
	s.schedulePump()
	s.updateInterest()
}

// Write queues a copy of b; it is sent at the end of the turn. Writing is legal
// before Start and while a handshake runs; on a closed stream it does nothing.
func (s *Stream) Write(b []byte) {
	if s.state != streamOpen || len(b) == 0 || s.writeErr != nil {
		return
	}
	if s.out == nil && len(b) > 4<<10 {
		s.out = s.l.takeWire()
	}
	if s.outHead > 0 && len(s.out)+len(b) > cap(s.out) {
		s.out = s.out[:copy(s.out, s.out[s.outHead:])]
		s.outHead = 0
	}
	s.out = append(s.out, b...)
	if s.Buffered() >= highWater {
		s.above = true
	}
	s.markDirty()
}

// Buffered returns how many bytes wait to be sent. A writer of bulk data should
// stop at 128 KiB and go on when OnDrain's function is called.
func (s *Stream) Buffered() int {
	return len(s.out) - s.outHead + len(s.wire) - s.wireHead
}

// OnDrain sets the function called each time the buffer falls below 32 KiB after
// it was at 128 KiB or more.
func (s *Stream) OnDrain(f func()) { s.onDrain = f }

// Pause stops Data, also of bytes already received but not decoded. The peer is
// held back by TCP once its window is full.
func (s *Stream) Pause() {
	s.paused = true
	s.updateInterest()
}

// Resume undoes Pause; held bytes are delivered from the next turn on.
func (s *Stream) Resume() {
	if !s.paused {
		return
	}
	s.paused = false
	s.schedulePump()
	s.updateInterest()
}

// Unread gives back the tail of the bytes of the current Data call, to be
// delivered (or, after StartDeflate, inflated) later. It serves protocols that
// learn in mid-buffer that what follows is encoded otherwise.
func (s *Stream) Unread(b []byte) {
	if s.state != streamOpen || len(b) == 0 {
		return
	}
	s.unread = append(append([]byte(nil), b...), s.unread...)
	s.schedulePump()
	s.updateInterest()
}

// Close sends what is buffered, ends TLS properly, closes the transport and then
// calls Lost(nil). No Data comes after it. A peer that takes no bytes for five
// seconds is cut off.
func (s *Stream) Close() {
	if s.state != streamOpen {
		return
	}
	if s.handshaking() {
		s.explain = nil
		s.die(nil) // nothing may be sent in the middle of a handshake
		return
	}
	s.state, s.explain = streamClosing, nil
	s.linger = s.l.CallLater(lingerTime, func() { s.die(errors.New("the peer took no more bytes")) })
	s.markDirty()
	s.updateInterest()
}

// Abort closes the transport at once, dropping unsent bytes; Lost(err) follows in
// the next turn (ErrAborted if err is nil).
func (s *Stream) Abort(err error) {
	if err == nil {
		err = ErrAborted
	}
	s.explain = nil
	s.die(err)
}

// Counts returns the bytes received and sent on the wire, encoding included.
func (s *Stream) Counts() (in, out int64) { return s.in, s.sent }

// TLSState returns the state of the finished handshake, and false without TLS.
func (s *Stream) TLSState() (tls.ConnectionState, bool) {
	if s.tls == nil || s.tls.phase != tlsOn {
		return tls.ConnectionState{}, false
	}
	return s.tls.cs, true
}

// RemoteAddr names the peer: "address:port", or the command of a child.
func (s *Stream) RemoteAddr() string { return s.remote }

// die ends the stream. It may run inside the TLS coroutine (a verification
// callback may call Abort), so stopping that is left to release or step.
func (s *Stream) die(err error) {
	if s.state == streamDead {
		return
	}
	s.lost = err
	tls := s.tls
	s.release()
	if tls != nil {
		tls.abandon(err)
	}
	if s.explain != nil {
		s.explain(err, func(err error) { s.lost = err; s.explain = nil; s.tell() })
		return
	}
	s.tell()
}

// release gives everything back; no callback follows from it.
func (s *Stream) release() {
	if s.state == streamDead {
		return
	}
	s.state = streamDead
	delete(s.l.streams, s)
	s.linger.Cancel()
	_ = s.t.Close() // the descriptor is gone either way
	s.l.freeWire(s.wire)
	s.out, s.outHead, s.wire, s.wireHead, s.unread = nil, 0, nil, 0, nil
	if s.onRelease != nil && !s.l.closed {
		s.onRelease()
	}
	if s.tls != nil {
		s.tls.halt()
	}
	if s.z != nil {
		s.z.halt()
	}
}

// tell queues Lost, once, as soon as there is both a protocol and a death.
func (s *Stream) tell() {
	if s.proto == nil || s.told || s.explain != nil {
		return
	}
	s.told = true
	s.l.NextTurn(func() { s.proto.Lost(s.lost) })
}
