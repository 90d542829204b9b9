package reactor

import (
	"errors"
	"io"

	"golang.org/x/sys/unix"
)

// ErrWouldBlock is a Transport's answer when it can take or give nothing now.
var ErrWouldBlock = errors.New("reactor: would block")

// Transport carries a Stream's bytes. Streams over descriptors have one of their
// own; tests bring theirs to [Loop.NewStream]. Nothing in it may block.
type Transport interface {
	// Attach is called once, before anything else. From then on ready is to be
	// called on the loop, never from within a method of the Transport, whenever
	// the transport is ready for what Interest last asked (level-triggered).
	Attach(l *Loop, ready func(Events)) error
	// Interest sets what the stream waits for.
	Interest(ev Events)
	// Read returns at least one byte, or 0 and ErrWouldBlock, io.EOF or an error.
	Read(p []byte) (int, error)
	// Write takes as much of p as it can; ErrWouldBlock if that is nothing.
	Write(p []byte) (int, error)
	// Close ends it; ready is not called again.
	Close() error
}

// fdTransport is a non-blocking descriptor: a socket or one end of a pipe.
type fdTransport struct {
	l      *Loop
	fd     int
	w      *Watch
	ready  func(Events)
	stream *Stream
}

func (t *fdTransport) Attach(l *Loop, ready func(Events)) error {
	t.l, t.ready = l, ready
	return nil
}

func (t *fdTransport) Interest(ev Events) {
	if t.w == nil {
		if ev == 0 {
			return
		}
		w, err := t.l.Watch(t.fd, ev, t.ready)
		if err != nil {
			t.fail(err)
			return
		}
		w.stream = t.stream
		t.w = w
		return
	}
	if err := t.w.Set(ev); err != nil {
		t.fail(err)
	}
}

// fail ends the stream when the kernel refuses to watch its descriptor (out of
// watches or memory): better a lost connection than one that is never heard of.
func (t *fdTransport) fail(err error) {
	if t.stream != nil {
		t.stream.die(err)
	}
}

func (t *fdTransport) Read(p []byte) (int, error) {
	for {
		n, err := unix.Read(t.fd, p)
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.EAGAIN:
			return 0, ErrWouldBlock
		case err != nil:
			return 0, err
		case n == 0:
			return 0, io.EOF
		}
		return n, nil
	}
}

func (t *fdTransport) Write(p []byte) (int, error) {
	for {
		n, err := unix.Write(t.fd, p)
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.EAGAIN:
			return 0, ErrWouldBlock
		case err != nil:
			return 0, err
		}
		return n, nil
	}
}

func (t *fdTransport) Close() error {
	t.w.Close()
	return unix.Close(t.fd)
}

// NewStream makes a Stream over a transport. name is what RemoteAddr returns.
func (l *Loop) NewStream(t Transport, name string) (*Stream, error) {
	s := &Stream{l: l, t: t, remote: name}
	s.pumpNext = s.pumpLater
	if f, ok := t.(*fdTransport); ok {
		f.stream = s
	}
	if err := t.Attach(l, s.onReady); err != nil {
		return nil, err
	}
	l.streams[s] = struct{}{}
	return s, nil
}

// Adopt makes a Stream over a descriptor (socket, pipe, terminal), which it sets
// non-blocking and from then on owns.
func (l *Loop) Adopt(fd int, name string) (*Stream, error) {
	if err := setNonblock(fd); err != nil {
		return nil, err
	}
	return l.NewStream(&fdTransport{fd: fd}, name)
}
