package reactor

import (
	"errors"
	"time"
)

const (
	// readBuffer is what one handler may read in one turn. One such buffer
	// serves the whole loop.
	readBuffer = 64 << 10
	// sliceEvery bounds how long background slices can be starved by input.
	sliceEvery = 8
)

// ErrClosed is the error of calls on a closed loop.
var ErrClosed = errors.New("reactor: the loop is closed")

// Loop is the event loop. Every method except Post must be called on the loop's
// own goroutine: the one that calls Run, before, during or after it.
type Loop struct {
	clock func() time.Time
	epoch time.Time
	now   time.Time
	turn  uint64

	inTurn, running, stopping, closed bool
	stopErr                           error

	poll    *poller // nil in a simulated loop
	sim     *Sim    // nil in a real one
	watches []*Watch
	timers  timerHeap

	next, nextSpare []func()
	slices          []func() bool
	sinceSlice      int // turns with input since the last slice
	hooks           []func()
	jump            jumpWatch
	dirty           []*Stream // streams with something to flush at the end of the turn

	doors    doors
	roots    rootsCache
	streams  map[*Stream]struct{}
	children map[*Child]struct{}

	rbuf  []byte // what a read fills; valid until the next read
	plain []byte // one decrypted TLS record
	zbuf  []byte // inflated bytes
	wires [][]byte

	meter meter
}

// New makes a loop. It opens a poller and a wake-up descriptor, which Close gives
// back; goroutines are started only when a door is first used.
func New() (*Loop, error) {
	p, err := newPoller()
	if err != nil {
		return nil, err
	}
	l := newLoop(wallClock)
	l.poll = p
	if err := l.openDoors(); err != nil {
		p.close()
		return nil, err
	}
	return l, nil
}

func newLoop(clock func() time.Time) *Loop {
	now := clock()
	return &Loop{
		clock: clock, epoch: now, now: now,
		jump:    jumpWatch{last: now},
		streams: map[*Stream]struct{}{}, children: map[*Child]struct{}{},
		rbuf: make([]byte, readBuffer),
	}
}

// Run runs turns until Stop and returns Stop's error. It may be called again.
func (l *Loop) Run() error {
	switch {
	case l.closed:
		return ErrClosed
	case l.running:
		return errors.New("reactor: Run called from inside Run")
	case l.poll == nil:
		return errors.New("reactor: a simulated loop is driven by Turn")
	}
	l.running = true
	defer func() { l.running = false }()
	for !l.stopping {
		d := l.sleepFor()
		slept := l.clock()
		if err := l.poll.wait(d); err != nil {
			return err
		}
		l.runTurn(slept, d)
	}
	l.stopping = false
	return l.stopErr
}

// Stop makes Run return err after the turn that is running, whose writes are
// still flushed. Streams and children stay as they are; see Close.
func (l *Loop) Stop(err error) { l.stopping, l.stopErr = true, err }

// Close releases what the loop holds: it drops streams (without Lost), ends
// children, and waits until disk work already handed in has been carried out,
// though its done functions are not called. It must not be called inside Run.
func (l *Loop) Close() error {
	if l.running {
		return errors.New("reactor: Close called from inside Run")
	}
	if l.closed {
		return nil
	}
	l.closed = true
	for s := range l.streams {
		s.release()
	}
	for c := range l.children {
		c.abandon()
	}
	l.jump.close()
	l.closeDoors()
	l.watches, l.next, l.slices, l.hooks = nil, nil, nil, nil
	l.timers.a = nil
	if l.poll == nil {
		return nil
	}
	return l.poll.close()
}

// Now is the time at the start of this turn; between turns it is the present.
func (l *Loop) Now() time.Time {
	if !l.inTurn {
		l.now = l.clock()
	}
	return l.now
}

// NextTurn runs f in the next turn, before the loop polls again.
func (l *Loop) NextTurn(f func()) { l.next = append(l.next, f) }

// Slice runs step over and over, one step a turn, as long as it returns true:
// only in turns without input, but at least once in eight. Several slices take
// turns. A step should take at most a few milliseconds.
func (l *Loop) Slice(step func() (more bool)) { l.slices = append(l.slices, step) }

// BeforeSleep runs f at the end of every turn, before the turn's writes go out.
func (l *Loop) BeforeSleep(f func()) { l.hooks = append(l.hooks, f) }

// sleepFor tells how long the poll may sleep: not at all if anything is queued,
// until the next timer, else for ever (-1).
func (l *Loop) sleepFor() time.Duration {
	if l.busy() {
		return 0
	}
	d := time.Duration(-1)
	if len(l.timers.a) > 0 {
		d = max(l.timers.a[0].at-l.clock().Sub(l.epoch), 0)
	}
	return l.jump.limit(d)
}

func (l *Loop) busy() bool {
	return len(l.next) > 0 || len(l.slices) > 0 || len(l.dirty) > 0
}

// runTurn is one turn; the package comment gives its order. The poll slept from
// slept for at most d.
func (l *Loop) runTurn(slept time.Time, d time.Duration) {
	l.turn++
	l.now = l.clock()
	l.inTurn = true
	if l.sim == nil {
		l.meter.begin(l.now)
	} else {
		l.meter.begin(wallClock())
	}
	l.jump.check(l, slept, d)

	run := l.next
	l.next = l.nextSpare[:0]
	events := 0
	if l.poll != nil {
		events = l.dispatch()
	}
	l.runTimers()
	for i, f := range run {
		run[i] = nil
		f()
		l.meter.after(pieceNext, f)
	}
	l.nextSpare = run[:0]
	l.runSlice(events)
	for _, f := range l.hooks {
		f()
		l.meter.after(pieceHook, f)
	}
	l.flush()
	l.meter.end()
	l.inTurn = false
}

func (l *Loop) runSlice(events int) {
	if len(l.slices) == 0 {
		return
	}
	if l.sinceSlice++; events > 0 && l.sinceSlice < sliceEvery {
		return
	}
	l.sinceSlice = 0
	step := l.slices[0]
	l.slices = append(l.slices[:0], l.slices[1:]...)
	if step() {
		l.slices = append(l.slices, step)
	}
	l.meter.after(pieceSlice, step)
}

// flush writes what the turn has produced. A stream that produces more while it
// is flushed (a drain callback may write) waits for the next turn, which then
// does not sleep.
func (l *Loop) flush() {
	if len(l.dirty) == 0 {
		return
	}
	n := len(l.dirty)
	for i := 0; i < n; i++ {
		s := l.dirty[i]
		s.dirty = false
		s.flush()
		l.meter.after(pieceFlush, s)
	}
	rest := copy(l.dirty, l.dirty[n:])
	clear(l.dirty[rest:])
	l.dirty = l.dirty[:rest]
}
