// Package reactortest is a simulated world for a reactor.Loop: time moves only by
// Advance, disk work completes when the test's timing says so, and streams run
// through memory, with faults if wanted. Everything is deterministic: the same
// seed gives the same run. There are no goroutines, no descriptors, no sleeping.
package reactortest

import (
	"fmt"
	"math/rand/v2"
	"time"

	"offloop/reactor"
)

// Timing says when work handed to Disk and Aside is carried out and completed.
// In all of them disk jobs run, and complete, in the order handed in: the real
// door promises that, and so does this one. Aside jobs may overtake each other
// under Shuffled.
type Timing uint8

const (
	// Immediate runs work and done inside the call itself. Code that survives
	// this does not depend on the call returning first.
	Immediate Timing = iota
	// NextTurn runs both in the next turn.
	NextTurn
	// Shuffled runs work and, separately, done after random numbers of turns
	// (0 to 4 each), chosen by the seed.
	Shuffled
	// Manual runs a disk job only when the test calls DiskStep.
	Manual
)

// String names the timing, for subtests.
func (t Timing) String() string {
	switch t {
	case Immediate:
		return "Immediate"
	case NextTurn:
		return "NextTurn"
	case Shuffled:
		return "Shuffled"
	case Manual:
		return "Manual"
	}
	return fmt.Sprintf("Timing(%d)", uint8(t))
}

// FakeLoop is a simulated loop. It has every method of reactor.Loop; code under
// test is given the embedded Loop (or FakeLoop as a reactor.Scheduler).
type FakeLoop struct {
	*reactor.Loop

	// Commands answers Exec by name of the command (Shell, or Args joined by
	// blanks); a missing one fails. ExecDelay passes before the answer.
	Commands  map[string]func(stdin []byte) reactor.Result
	ExecDelay time.Duration

	now    time.Time
	timing Timing
	rnd    *rand.Rand
	disk   []*diskJob
	hosts  map[string]host
	tunnel map[string]func(*reactor.Stream)
	jobs   int
}

type diskJob struct{ work, done func() }

var _ reactor.Scheduler = (*FakeLoop)(nil)

// Epoch is the time at which every simulated world begins.
var Epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// NewFake returns a simulated loop at Epoch whose disk works in the next turn.
func NewFake() *FakeLoop { return NewFakeTiming(NextTurn, 0) }

// NewFakeTiming returns a simulated loop with the given timing; seed is used by
// Shuffled.
func NewFakeTiming(t Timing, seed uint64) *FakeLoop {
	f := &FakeLoop{
		now: Epoch, timing: t, rnd: rand.New(rand.NewPCG(seed, 0x0ff100b)),
		Commands: map[string]func([]byte) reactor.Result{},
		hosts:    map[string]host{}, tunnel: map[string]func(*reactor.Stream){},
	}
	f.Loop = reactor.NewSim(reactor.Sim{
		Clock: func() time.Time { return f.now },
		Disk:  f.handDisk, Aside: f.handAside,
		Dial: f.dial, Exec: f.exec, Spawn: f.spawn,
	})
	return f
}

// maxTurns bounds Settle: a world that is busy for so long never comes to rest.
const maxTurns = 1_000_000

// Settle runs turns until nothing is queued but timers. It panics if that does
// not happen within a million turns, which means that something queues itself.
func (f *FakeLoop) Settle() {
	for range maxTurns {
		if !f.Turn() {
			return
		}
	}
	panic("reactortest: the loop does not come to rest")
}

// Advance moves time on by d, stopping at every timer on the way, and settles
// after each. Advance(0) only settles. It ends early if the loop is stopped.
func (f *FakeLoop) Advance(d time.Duration) {
	end := f.now.Add(d)
	f.Settle()
	for {
		if stopped, _ := f.Stopped(); stopped {
			return
		}
		at, ok := f.NextTimer()
		if !ok || at.After(end) {
			break
		}
		if at.After(f.now) {
			f.now = at
		}
		f.Settle()
	}
	f.now = end
	f.Settle()
}

// Until settles, and then advances from timer to timer, until cond holds. It
// returns false if cond does not hold within limit, or nothing more can happen.
func (f *FakeLoop) Until(limit time.Duration, cond func() bool) bool {
	end := f.now.Add(limit)
	for turns := 0; turns < maxTurns; turns++ {
		if cond() {
			return true
		}
		if f.Turn() {
			continue
		}
		if cond() {
			return true
		}
		at, ok := f.NextTimer()
		if !ok || at.After(end) {
			return false
		}
		if at.After(f.now) {
			f.now = at
		}
	}
	return false
}

// Suspend moves the clock by gap without running the timers on the way, as a
// laptop's sleep does, and reports the jump.
func (f *FakeLoop) Suspend(gap time.Duration) {
	f.now = f.now.Add(gap)
	f.Jump(gap)
	f.Settle()
}

// SetTiming changes the timing for work handed in from now on.
func (f *FakeLoop) SetTiming(t Timing) { f.timing = t }

// DiskJobs returns how many disk jobs were handed in so far; DiskPending how many
// of them have not been carried out.
func (f *FakeLoop) DiskJobs() int { return f.jobs }

// DiskPending returns the number of disk jobs not yet completed.
func (f *FakeLoop) DiskPending() int { return len(f.disk) }

// DiskStep carries out and completes the oldest pending disk job (Manual timing)
// and reports whether there was one.
func (f *FakeLoop) DiskStep() bool {
	if len(f.disk) == 0 {
		return false
	}
	j := f.disk[0]
	f.disk = f.disk[1:]
	j.work()
	if j.done != nil {
		j.done()
	}
	return true
}

// DropDisk forgets all pending disk work: a crash.
func (f *FakeLoop) DropDisk() { f.disk = nil }

func (f *FakeLoop) handDisk(work, done func()) {
	f.jobs++
	j := &diskJob{work, done}
	f.disk = append(f.disk, j)
	switch f.timing {
	case Immediate:
		if len(f.disk) > 1 {
			return // a job handed in by a job waits for its elders; they go on with it
		}
		for len(f.disk) > 0 {
			f.runImmediate()
		}
	case NextTurn:
		f.Loop.NextTurn(func() { f.DiskStep() })
	case Shuffled:
		if len(f.disk) == 1 {
			f.shuffleDisk()
		}
	}
}

// runImmediate completes the oldest job but lists it until its work is over, so
// that a job handed in meanwhile keeps its place in the order.
func (f *FakeLoop) runImmediate() {
	j := f.disk[0]
	j.work()
	f.disk = f.disk[1:]
	if j.done != nil {
		j.done()
	}
}

// shuffleDisk runs the jobs one after another, each after two random waits.
func (f *FakeLoop) shuffleDisk() {
	j := f.disk[0]
	f.afterTurns(func() {
		if len(f.disk) == 0 || f.disk[0] != j {
			return // dropped
		}
		j.work()
		f.afterTurns(func() {
			if len(f.disk) == 0 || f.disk[0] != j {
				return
			}
			f.disk = f.disk[1:]
			if len(f.disk) > 0 {
				f.shuffleDisk()
			}
			if j.done != nil {
				j.done()
			}
		})
	})
}

func (f *FakeLoop) afterTurns(g func()) {
	n := f.rnd.IntN(5)
	var step func()
	step = func() {
		if n--; n < 0 {
			g()
			return
		}
		f.Loop.NextTurn(step)
	}
	f.Loop.NextTurn(step)
}

func (f *FakeLoop) handAside(work, done func()) {
	both := func() {
		work()
		if done != nil {
			done()
		}
	}
	switch f.timing {
	case Immediate:
		both()
	case Shuffled:
		f.afterTurns(both)
	default:
		f.Loop.NextTurn(both)
	}
}
