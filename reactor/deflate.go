package reactor

import (
	"bytes"
	"compress/flate"
	"errors"
	"fmt"
	"io"
)

// deflater is COMPRESS=DEFLATE (RFC 4978) on one stream, above TLS if there is
// any. compress/flate keeps its first read error for ever, so inflating runs in a
// coroutine that yields when starved, and yields what it has inflated.
type deflater struct {
	w   *flate.Writer
	buf bytes.Buffer // deflated bytes on their way into TLS
	co  *coro
	err error
	in  []byte
	own bool
}

// StartDeflate compresses all that is written from now on and inflates all that
// is received from now on; bytes of the current Data call that are compressed
// already must be given back with Unread first. Compression is fast rather than
// strong, to stay small in memory.
func (s *Stream) StartDeflate() error {
	switch {
	case s.state != streamOpen:
		return errors.New("reactor: DEFLATE on a closed stream")
	case s.z != nil:
		return errors.New("reactor: DEFLATE started twice")
	case s.handshaking():
		return errors.New("reactor: DEFLATE during a TLS handshake")
	}
	// What is still unsent was written uncompressed and must stay so.
	if pending := s.out[s.outHead:]; len(pending) > 0 {
		if s.tls != nil {
			if _, err := s.tls.conn.Write(pending); err != nil {
				return err
			}
		} else {
			s.wire = append(s.takeWireFor(), pending...)
		}
		s.out, s.outHead = nil, 0
	}
	z := &deflater{}
	var err error
	if z.w, err = flate.NewWriter(&z.buf, flate.BestSpeed); err != nil {
		return err
	}
	l := s.l
	if l.zbuf == nil {
		l.zbuf = make([]byte, 32<<10)
	}
	z.co = newCoro("inflate", &z.err, func(yield func([]byte) bool) error {
		src := &inflateSource{z: z, wait: func() bool { return yield(nil) }}
		r := flate.NewReader(src)
		for {
			n, err := r.Read(l.zbuf)
			if n > 0 && !yield(l.zbuf[:n]) {
				return nil
			}
			if err != nil {
				return err
			}
		}
	})
	s.z = z
	return nil
}

func (s *Stream) takeWireFor() []byte {
	if s.wire == nil {
		return s.l.takeWire()
	}
	return s.wire
}

// next returns inflated bytes, or ErrWouldBlock when more input is needed.
func (z *deflater) next() ([]byte, error) {
	b, more := z.co.resume()
	switch {
	case more && len(b) > 0:
		return b, nil
	case more:
		return nil, ErrWouldBlock
	case z.err == io.EOF || z.err == nil:
		// A final block: the peer has ended its stream in good order.
		return nil, io.EOF
	}
	return nil, fmt.Errorf("DEFLATE: %w", z.err)
}

func (z *deflater) feed(b []byte) { z.in, z.own = b, false }

func (z *deflater) keep() {
	if len(z.in) > 0 && !z.own {
		z.in, z.own = append([]byte(nil), z.in...), true
	}
}

func (z *deflater) halt() { z.co.halt() }

// inflateSource is the input of inflate. It is an io.ByteReader so that flate
// does not put a read-ahead buffer between.
type inflateSource struct {
	z    *deflater
	wait func() bool
}

func (r *inflateSource) fill() error {
	for len(r.z.in) == 0 {
		if !r.wait() {
			return io.ErrClosedPipe
		}
	}
	return nil
}

func (r *inflateSource) Read(p []byte) (int, error) {
	if err := r.fill(); err != nil {
		return 0, err
	}
	n := copy(p, r.z.in)
	r.z.in = r.z.in[n:]
	return n, nil
}

func (r *inflateSource) ReadByte() (byte, error) {
	if err := r.fill(); err != nil {
		return 0, err
	}
	b := r.z.in[0]
	r.z.in = r.z.in[1:]
	return b, nil
}

// encode puts p through DEFLATE and TLS into the wire buffer.
func (s *Stream) encode(p []byte) error {
	if z := s.z; z != nil {
		z.buf.Reset()
		if _, err := z.w.Write(p); err != nil {
			return err
		}
		if err := z.w.Flush(); err != nil {
			return err
		}
		p = z.buf.Bytes()
	}
	if s.tls != nil {
		_, err := s.tls.conn.Write(p)
		return err
	}
	s.wire = append(s.takeWireFor(), p...)
	return nil
}
