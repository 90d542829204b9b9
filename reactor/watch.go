package reactor

import (
	"errors"
	"fmt"
)

// Events says what a descriptor is, or shall be, ready for.
type Events uint8

// The two kinds of readiness. Errors and hang-ups are reported as both, so that
// the read or write that follows meets the error itself.
const (
	Readable Events = 1 << iota
	Writable
)

// String names the events, for logs and tests.
func (e Events) String() string {
	switch e {
	case 0:
		return "none"
	case Readable:
		return "readable"
	case Writable:
		return "writable"
	case Readable | Writable:
		return "readable|writable"
	}
	return fmt.Sprintf("Events(%d)", uint8(e))
}

// A Watch is the loop's interest in one descriptor.
type Watch struct {
	l      *Loop
	fd     int
	ev     Events
	h      func(Events)
	born   uint64  // the turn it was made in
	stream *Stream // for the report of the longest turn; may be nil
}

// Watch calls h on the loop whenever fd is ready for one of ev (level-triggered).
// The descriptor should be non-blocking and stays the caller's: close the Watch
// first, then the descriptor. One Watch a descriptor. Regular files cannot be
// watched; the kernel's error says so.
func (l *Loop) Watch(fd int, ev Events, h func(Events)) (*Watch, error) {
	if l.poll == nil {
		return nil, errors.New("reactor: a simulated loop watches no descriptors")
	}
	if fd < 0 {
		return nil, fmt.Errorf("reactor: watch: bad descriptor %d", fd)
	}
	for fd >= len(l.watches) {
		l.watches = append(l.watches, nil)
	}
	if l.watches[fd] != nil {
		return nil, fmt.Errorf("reactor: descriptor %d is already watched", fd)
	}
	w := &Watch{l: l, fd: fd, h: h, born: l.turn}
	l.watches[fd] = w
	if err := w.Set(ev); err != nil {
		l.watches[fd] = nil
		return nil, err
	}
	return w, nil
}

// Set changes the events waited for; 0 rests the Watch without closing it.
func (w *Watch) Set(ev Events) error {
	if ev == w.ev || w.h == nil {
		return nil
	}
	if err := w.l.poll.set(w.fd, w.ev, ev); err != nil {
		return fmt.Errorf("reactor: watch descriptor %d: %w", w.fd, err)
	}
	w.ev = ev
	return nil
}

// Close ends the Watch: its handler is not called again, not even for events
// already collected. The descriptor is not closed.
func (w *Watch) Close() {
	if w == nil || w.h == nil {
		return
	}
	// An error here means the descriptor was closed first: nothing is left to undo.
	_ = w.Set(0)
	w.h = nil
	w.l.watches[w.fd] = nil
}

// dispatch hands the collected events out. The registration is checked again
// before each: an earlier handler may have closed this one, and the number may
// even name a new descriptor by now, which born gives away.
func (l *Loop) dispatch() (n int) {
	for _, r := range l.poll.ready[:l.poll.n] {
		if r.fd >= len(l.watches) {
			continue
		}
		w := l.watches[r.fd]
		if w == nil || w.born == l.turn || w.ev&r.ev == 0 {
			continue
		}
		w.h(r.ev & w.ev)
		n++
		l.meter.after(pieceEvent, w)
	}
	l.poll.n = 0
	return n
}
