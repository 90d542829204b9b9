package reactor

import (
	"errors"
	"io"

	"golang.org/x/sys/unix"
)

// reading reports whether the transport should be read: there is someone to
// take the bytes, and none are left over from before.
func (s *Stream) reading() bool {
	if s.state != streamOpen || s.raw.err != nil {
		return false
	}
	if s.tls != nil && s.tls.phase == tlsHandshake {
		return true
	}
	return s.wantsData() && !s.pumpQueued && !s.raw.left() && len(s.unread) == 0
}

func (s *Stream) wantsData() bool {
	return s.state == streamOpen && s.started && !s.paused && (s.tls == nil || s.tls.phase == tlsOn)
}

func (s *Stream) updateInterest() {
	if s.state == streamDead {
		return
	}
	var ev Events
	if s.reading() {
		ev |= Readable
	}
	if s.blocked {
		ev |= Writable
	}
	if ev != s.interest {
		s.interest = ev
		s.t.Interest(ev)
	}
}

func (s *Stream) onReady(ev Events) {
	if ev&Writable != 0 && s.blocked {
		s.blocked = false
		s.markDirty()
	}
	if ev&Readable != 0 && s.reading() {
		s.readable()
	}
	s.updateInterest()
}

// readable reads one buffer, whatever more there may be: others wait.
func (s *Stream) readable() {
	n, err := s.t.Read(s.l.rbuf)
	switch {
	case n > 0:
		s.in += int64(n)
		s.raw.in = s.l.rbuf[:n]
	case err == ErrWouldBlock:
		return
	default:
		s.raw.err = err
	}
	s.advance()
}

// advance moves new input, or its end, on to whoever waits for it.
func (s *Stream) advance() {
	if s.tls != nil && s.tls.phase == tlsHandshake {
		s.raw.keep()
		s.tls.step()
		return
	}
	s.pump()
}

// schedulePump has held input looked at in the next turn.
func (s *Stream) schedulePump() {
	if s.pumpQueued || s.state != streamOpen {
		return
	}
	if s.tls == nil && s.z == nil && !s.raw.left() && len(s.unread) == 0 && s.raw.err == nil {
		return // a plain stream holds nothing back by itself
	}
	s.pumpQueued = true
	s.l.NextTurn(s.pumpNext)
}

func (s *Stream) pumpLater() {
	s.pumpQueued = false
	if s.wantsData() {
		s.pump()
	}
	s.updateInterest()
}

// pump decodes and delivers until there is no more, the protocol pauses, or the
// turn's budget is spent. What is left is kept, since it lies in shared buffers.
func (s *Stream) pump() {
	budget := decodeBudget
	for s.wantsData() {
		if budget <= 0 {
			s.schedulePump()
			break
		}
		b, err := s.chunk()
		if len(b) > 0 {
			budget -= len(b)
			s.proto.Data(b)
			continue
		}
		if err != ErrWouldBlock {
			s.inputEnded(err)
		}
		break
	}
	if s.state == streamDead {
		return
	}
	s.raw.keep()
	if s.z != nil {
		s.z.keep()
	}
}

// chunk returns the next decoded bytes: from the wire, through TLS, through
// inflate. ErrWouldBlock means that more input is needed.
func (s *Stream) chunk() ([]byte, error) {
	if s.z == nil {
		return s.encoded()
	}
	for {
		b, err := s.z.next()
		if err != ErrWouldBlock {
			return b, err
		}
		in, err := s.encoded()
		if len(in) == 0 {
			return nil, err
		}
		s.z.feed(in)
	}
}

// encoded returns the next bytes above TLS (where there is any).
func (s *Stream) encoded() ([]byte, error) {
	if len(s.unread) > 0 {
		b := s.unread
		s.unread = nil
		return b, nil
	}
	if s.tls != nil {
		return s.tls.read()
	}
	if len(s.raw.in) > 0 {
		b := s.raw.in
		s.raw.in, s.raw.own = nil, false
		return b, nil
	}
	if s.raw.err != nil {
		return nil, s.raw.err
	}
	return nil, ErrWouldBlock
}

// inputEnded is the end of reading. If sending failed first, that is the reason:
// reading merely went on to hear the peer's last words.
func (s *Stream) inputEnded(err error) {
	if s.writeErr != nil {
		err = s.writeErr
	} else if err == io.EOF {
		err = nil
	}
	s.die(err)
}

func (s *Stream) markDirty() {
	if !s.dirty && !s.blocked && s.state != streamDead {
		s.dirty = true
		s.l.dirty = append(s.l.dirty, s)
	}
}

// flush offers the transport what is buffered, in one write.
func (s *Stream) flush() {
	if s.state == streamDead || s.blocked {
		return
	}
	b, err := s.offer()
	if err != nil {
		s.die(err)
		return
	}
	if len(b) > 0 {
		n, err := s.t.Write(b)
		if err != nil && err != ErrWouldBlock {
			s.writeFailed(err)
			return
		}
		s.sent += int64(n)
		s.took(n)
		s.blocked = n < len(b)
	}
	if !s.blocked && s.Buffered() > 0 && !s.handshaking() {
		s.markDirty() // encoded in chunks; the next goes in the next turn
	}
	s.flushed()
	s.updateInterest()
}

func (s *Stream) handshaking() bool { return s.tls != nil && s.tls.phase != tlsOn }

// offer returns the bytes to write next, encoding some if none are ready.
func (s *Stream) offer() ([]byte, error) {
	if s.wireHead < len(s.wire) || s.handshaking() {
		return s.wire[s.wireHead:], nil
	}
	if s.tls == nil && s.z == nil {
		return s.out[s.outHead:], nil
	}
	if s.outHead < len(s.out) {
		end := min(len(s.out), s.outHead+encodeChunk)
		if err := s.encode(s.out[s.outHead:end]); err != nil {
			return nil, err
		}
		s.consume(end - s.outHead)
	} else if s.state == streamClosing && s.tls != nil {
		if err := s.tls.farewell(); err != nil {
			return nil, err
		}
	}
	return s.wire[s.wireHead:], nil
}

// took drops n bytes that the transport has taken.
func (s *Stream) took(n int) {
	if s.wireHead < len(s.wire) {
		if s.wireHead += n; s.wireHead == len(s.wire) {
			s.l.freeWire(s.wire)
			s.wire, s.wireHead = nil, 0
		}
		return
	}
	s.consume(n)
}

// consume drops n bytes of output, and the buffer itself if it had grown large.
func (s *Stream) consume(n int) {
	if s.outHead += n; s.outHead < len(s.out) {
		return
	}
	s.outHead = 0
	if s.out = s.out[:0]; cap(s.out) >= encodeChunk {
		s.l.freeWire(s.out)
		s.out = nil
	}
}

// flushed tells those who wait for the buffer to empty.
func (s *Stream) flushed() {
	if s.above && s.Buffered() < lowWater {
		s.above = false
		if s.onDrain != nil && s.state == streamOpen {
			s.onDrain()
		}
	}
	if s.state == streamClosing && s.Buffered() == 0 && (s.tls == nil || s.tls.farewelled) {
		s.die(nil)
	} else if s.state == streamClosing {
		s.markDirty()
	}
}

// writeFailed keeps the stream for reading if the peer has merely stopped to
// listen: a server that hangs up has often said why, and that is still unread.
func (s *Stream) writeFailed(err error) {
	gone := errors.Is(err, unix.EPIPE) || errors.Is(err, unix.ECONNRESET) || errors.Is(err, io.ErrClosedPipe)
	if !gone || s.state != streamOpen || !s.started || s.handshaking() {
		s.die(err)
		return
	}
	s.writeErr, s.blocked = err, false
	s.l.freeWire(s.wire)
	s.out, s.outHead, s.wire, s.wireHead = nil, 0, nil, 0
	s.updateInterest()
}

// wireSpare is how many encoding buffers the loop keeps for the next stream.
const wireSpare = 4

// takeWire and freeWire pass the buffers of encoded bytes around, so that an idle
// connection holds none and a busy one allocates none.
func (l *Loop) takeWire() []byte {
	if n := len(l.wires); n > 0 {
		b := l.wires[n-1]
		l.wires = l.wires[:n-1]
		return b[:0]
	}
	return make([]byte, 0, encodeChunk+4096)
}

func (l *Loop) freeWire(b []byte) {
	if cap(b) >= encodeChunk && cap(b) <= 4*encodeChunk && len(l.wires) < wireSpare {
		l.wires = append(l.wires, b[:0])
	}
}
