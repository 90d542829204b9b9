package reactor

import (
	"errors"
	"time"
)

// Sim is the world below a simulated loop: a test sets the clock, decides when
// disk work happens and what a name leads to. Package reactortest has a ready
// one. A nil Dial, Exec or Spawn fails every call.
type Sim struct {
	Clock func() time.Time
	Disk  func(work, done func())
	Aside func(work, done func())
	Dial  func(o DialOptions, done func(*Stream, error)) (cancel func())
	Exec  func(c Command, done func(Result)) (kill func())
	Spawn func(c Command, done func(*Stream, error)) (kill func())
}

// NewSim makes a loop over a simulated world. It has no descriptors and no
// goroutines; Turn drives it.
func NewSim(s Sim) *Loop {
	l := newLoop(s.Clock)
	l.sim = &s
	return l
}

// Turn runs one turn of a simulated loop without sleeping, and reports whether
// anything is queued for the next.
func (l *Loop) Turn() (busy bool) {
	if l.doors.posts.Load() != nil {
		l.NextTurn(l.takePosts)
	}
	l.runTurn(l.clock(), -1)
	return l.busy() || l.doors.posts.Load() != nil
}

// Jump calls the OnJump functions as after a suspend of gap. The simulated clock
// is the test's to move.
func (l *Loop) Jump(gap time.Duration) {
	for _, f := range l.jump.funcs {
		f(gap)
	}
}

// NextTimer returns when the next timer of the loop is due.
func (l *Loop) NextTimer() (at time.Time, ok bool) {
	if len(l.timers.a) == 0 {
		return time.Time{}, false
	}
	return l.epoch.Add(l.timers.a[0].at), true
}

// Stopped reports whether Stop was called, and with what.
func (l *Loop) Stopped() (bool, error) { return l.stopping, l.stopErr }

var errNoNetwork = errors.New("the simulated world has no network")

func (l *Loop) simDial(o DialOptions, done func(*Stream, error)) (cancel func()) {
	if l.sim.Dial == nil {
		l.NextTurn(func() { done(nil, errNoNetwork) })
		return func() {}
	}
	return l.sim.Dial(o, done)
}

// Scheduler is what a part of the program needs of the loop, for those who would
// rather name an interface. Loop is one; so is a simulated loop.
type Scheduler interface {
	Now() time.Time
	CallLater(d time.Duration, f func()) *Timer
	NextTurn(f func())
	Slice(step func() (more bool))
	BeforeSleep(f func())
	OnJump(f func(gap time.Duration))
	Post(f func())
	Disk(work func(), done func())
	Aside(work func(), done func())
	Dial(o DialOptions, done func(*Stream, error)) *Dialing
	Exec(c Command, done func(Result)) *Child
	Spawn(c Command, done func(*Stream, error)) *Child
	Stop(err error)
}

var _ Scheduler = (*Loop)(nil)
