package reactor

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

var errTestTimeout = errors.New("test took too long")

func newTestLoop(t testing.TB) *Loop {
	t.Helper()
	l, err := New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return l
}

// run runs the loop until something stops it with nil.
func run(t testing.TB, l *Loop) {
	t.Helper()
	guard := l.CallLater(10*time.Second, func() { l.Stop(errTestTimeout) })
	err := l.Run()
	guard.Cancel()
	if err != nil {
		t.Fatal(err)
	}
}

func TestTimersFireInOrder(t *testing.T) {
	l := newTestLoop(t)
	begin := time.Now()
	var got []int
	add := func(n int) func() { return func() { got = append(got, n) } }
	l.CallLater(30*time.Millisecond, func() { add(5)(); l.Stop(nil) })
	l.CallLater(20*time.Millisecond, add(3))
	cancelled := l.CallLater(10*time.Millisecond, add(99))
	moved := l.CallLater(time.Hour, add(4))
	l.CallLater(0, add(1))
	l.CallLater(-time.Second, add(2)) // clamped: not before the one set earlier
	cancelled.Cancel()
	cancelled.Cancel()
	moved.Reset(20*time.Millisecond + time.Millisecond)
	run(t, l)
	if !slices.Equal(got, []int{1, 2, 3, 4, 5}) {
		t.Errorf("order %v", got)
	}
	if d := time.Since(begin); d < 29*time.Millisecond {
		t.Errorf("timers fired early: all done after %v", d)
	}
	if cancelled.Active() || moved.Active() {
		t.Error("timers still active")
	}
}

func TestTimerHeapMatchesSort(t *testing.T) {
	now := time.Unix(1000, 0)
	l := NewSim(Sim{Clock: func() time.Time { return now }})
	type due struct{ at, seq int }
	var want, got []due
	timers := map[int]*Timer{}
	x := uint32(1)
	rnd := func(n int) int { x = x*1664525 + 1013904223; return int(x>>8) % n }
	set := map[int]due{}
	for i := 0; i < 2000; i++ {
		id := rnd(300)
		at := rnd(50)
		switch {
		case timers[id] == nil:
			timers[id] = l.CallLater(time.Duration(at)*time.Second, func() { got = append(got, set[id]) })
		case rnd(4) == 0:
			timers[id].Cancel()
			delete(set, id)
			continue
		default:
			timers[id].Reset(time.Duration(at) * time.Second)
		}
		set[id] = due{at, i}
	}
	for _, d := range set {
		want = append(want, d)
	}
	slices.SortFunc(want, func(a, b due) int {
		if a.at != b.at {
			return a.at - b.at
		}
		return a.seq - b.seq
	})
	now = now.Add(time.Hour)
	l.Turn()
	if !slices.Equal(got, want) {
		t.Errorf("fired %d in another order than the %d set", len(got), len(want))
	}
}

func TestTurnOrder(t *testing.T) {
	l := newTestLoop(t)
	var got []string
	say := func(s string) func() { return func() { got = append(got, fmt.Sprintf("%d %s", l.turn, s)) } }
	r, w := nonblockingPipe(t)
	watch, err := l.Watch(r, Readable, func(Events) { say("event")(); drainFD(r) })
	if err != nil {
		t.Fatal(err)
	}
	defer watch.Close()
	unix.Write(w, []byte("x"))
	l.BeforeSleep(say("sleep"))
	l.CallLater(0, func() { say("timer")(); l.CallLater(0, say("timer2")) })
	n := 0
	l.NextTurn(func() {
		say("next")()
		l.NextTurn(say("next2"))
	})
	l.Slice(func() bool {
		say("slice")()
		if n++; n == 2 {
			l.Stop(nil)
			return false
		}
		return true
	})
	run(t, l)
	want := []string{
		// The descriptor was ready, so the slice waits for the second turn.
		"1 event", "1 timer", "1 next", "1 sleep",
		"2 timer2", "2 next2", "2 slice", "2 sleep",
		"3 slice", "3 sleep",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
}

func TestSlicesAreNotStarvedByInput(t *testing.T) {
	l := newTestLoop(t)
	r, w := nonblockingPipe(t)
	unix.Write(w, []byte("x")) // never read: ready in every turn
	turns := 0
	watch, err := l.Watch(r, Readable, func(Events) { turns++ })
	if err != nil {
		t.Fatal(err)
	}
	defer watch.Close()
	steps := 0
	l.Slice(func() bool {
		if steps++; steps == 10 {
			l.Stop(nil)
		}
		return steps < 10
	})
	run(t, l)
	if turns > 10*sliceEvery || turns < 5*sliceEvery {
		t.Errorf("10 slices took %d turns of input", turns)
	}
}

func TestWatchRechecksRegistration(t *testing.T) {
	l := newTestLoop(t)
	r1, w1 := nonblockingPipe(t)
	r2, w2 := nonblockingPipe(t)
	unix.Write(w1, []byte("x"))
	unix.Write(w2, []byte("x"))
	calls := 0
	var a, b *Watch
	// Whichever is called first closes the other: both were ready in one poll.
	a, _ = l.Watch(r1, Readable, func(Events) { calls++; b.Close(); a.Close(); l.Stop(nil) })
	b, _ = l.Watch(r2, Readable, func(Events) { calls++; a.Close(); b.Close(); l.Stop(nil) })
	run(t, l)
	if calls != 1 {
		t.Errorf("%d handlers called, want 1", calls)
	}
}

// A descriptor closed by one handler may come back as another file in the same
// turn: the event collected for the old one must not reach the new.
func TestReusedDescriptorGetsNoOldEvent(t *testing.T) {
	l := newTestLoop(t)
	var fds [4]int // two pipes
	fds[0], fds[1] = nonblockingPipe(t)
	fds[2], fds[3] = nonblockingPipe(t)
	spare, _ := nonblockingPipe(t) // readable never
	unix.Write(fds[1], []byte("x"))
	unix.Write(fds[3], []byte("x"))
	var watches [2]*Watch
	for i := range watches {
		mine, other := fds[2*i], fds[2-2*i]
		watches[i], _ = l.Watch(mine, Readable, func(Events) {
			watches[0].Close()
			watches[1].Close()
			if err := dup2(spare, other); err != nil {
				t.Error(err)
			}
			w, err := l.Watch(other, Readable, func(Events) { t.Error("event of the closed descriptor delivered to the new one") })
			if err != nil {
				t.Error(err)
			}
			l.CallLater(5*time.Millisecond, func() { w.Close(); l.Stop(nil) })
		})
	}
	run(t, l)
}

func TestWatchErrors(t *testing.T) {
	l := newTestLoop(t)
	r, _ := nonblockingPipe(t)
	w, err := l.Watch(r, Readable, func(Events) {})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Watch(r, Readable, func(Events) {}); err == nil {
		t.Error("a descriptor was watched twice")
	}
	w.Close()
	w.Close()
	if _, err := l.Watch(r, Writable, func(Events) {}); err != nil {
		t.Errorf("watching again after Close: %v", err)
	}
	if _, err := l.Watch(-1, Readable, func(Events) {}); err == nil {
		t.Error("descriptor -1 was accepted")
	}
	f, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if runtime.GOOS == "linux" {
		if _, err := l.Watch(int(f.Fd()), Readable, func(Events) {}); err == nil {
			t.Error("a regular file was watched")
		}
	}
}

func TestPostFromGoroutines(t *testing.T) {
	l := newTestLoop(t)
	const goroutines, each = 8, 2000
	var got [goroutines]int
	left := goroutines * each
	for g := range goroutines {
		go func() {
			for i := range each {
				l.Post(func() {
					if got[g] != i {
						t.Errorf("goroutine %d: post %d came as number %d", g, i, got[g])
					}
					got[g]++
					if left--; left == 0 {
						l.Stop(nil)
					}
				})
			}
		}()
	}
	run(t, l)
}

func TestPostWakesASleepingLoop(t *testing.T) {
	l := newTestLoop(t)
	go func() {
		time.Sleep(20 * time.Millisecond)
		l.Post(func() { l.Stop(nil) })
	}()
	run(t, l) // the guard timer is 10 s away
}

func TestPostAfterCloseIsHarmless(t *testing.T) {
	l, err := New()
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l.Post(func() { t.Error("ran after Close") })
	if err := l.Run(); err != ErrClosed {
		t.Errorf("Run after Close: %v", err)
	}
}

func TestDiskKeepsOrder(t *testing.T) {
	l := newTestLoop(t)
	var worked, done []int // worked belongs to the disk goroutine until the end
	const n = 1000         // more than the channel holds
	for i := range n {
		l.Disk(func() { worked = append(worked, i) }, func() {
			done = append(done, i)
			if i == n-1 {
				l.Stop(nil)
			}
		})
	}
	run(t, l)
	if !slices.IsSorted(worked) || !slices.IsSorted(done) || len(worked) != n || len(done) != n {
		t.Errorf("out of order or lost: %d worked, %d done", len(worked), len(done))
	}
}

func TestCloseWaitsForDiskWork(t *testing.T) {
	l, err := New()
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for range 500 {
		l.Disk(func() { n++ }, func() { t.Error("done called after Close") })
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if n != 500 {
		t.Errorf("%d of 500 jobs carried out", n)
	}
}

func TestAside(t *testing.T) {
	l := newTestLoop(t)
	v := 0
	l.Aside(func() { v = 42 }, func() { l.Stop(nil) })
	run(t, l)
	if v != 42 {
		t.Error("done ran before work")
	}
}

func TestSignal(t *testing.T) {
	l := newTestLoop(t)
	n := 0
	l.Signal(syscall.SIGUSR1, func() { n++ })
	l.Signal(syscall.SIGUSR1, func() { n += 10; l.Stop(nil) })
	l.NextTurn(func() { syscall.Kill(os.Getpid(), syscall.SIGUSR1) })
	run(t, l)
	if n != 11 {
		t.Errorf("handlers added up to %d, want 11", n)
	}
	l.Signal(syscall.SIGUSR1, nil)
}

func TestStopReturnsItsErrorAndRunGoesOn(t *testing.T) {
	l := newTestLoop(t)
	want := errors.New("enough")
	l.NextTurn(func() { l.Stop(want) })
	if err := l.Run(); err != want {
		t.Errorf("Run: %v", err)
	}
	ran := false
	l.NextTurn(func() {
		ran = true
		if err := l.Run(); err == nil {
			t.Error("Run inside Run succeeded")
		}
		if err := l.Close(); err == nil {
			t.Error("Close inside Run succeeded")
		}
		l.Stop(nil)
	})
	run(t, l)
	if !ran {
		t.Error("second Run did nothing")
	}
}

func TestNowStandsStillWithinATurn(t *testing.T) {
	l := newTestLoop(t)
	l.NextTurn(func() {
		a := l.Now()
		time.Sleep(3 * time.Millisecond)
		if !l.Now().Equal(a) {
			t.Error("Now moved within a turn")
		}
		l.Stop(nil)
	})
	run(t, l)
	a := l.Now()
	time.Sleep(3 * time.Millisecond)
	if l.Now().Sub(a) < 3*time.Millisecond {
		t.Error("Now stands still between turns")
	}
}

func TestLongestTurnNamesTheCulprit(t *testing.T) {
	l := newTestLoop(t)
	l.CallLater(0, func() { l.CallLater(0, func() { l.Stop(nil) }) })
	l.NextTurn(sleepyCallback)
	run(t, l)
	d, what := l.LongestTurn()
	if d < 10*time.Millisecond || !strings.Contains(what, "sleepyCallback") || !strings.Contains(what, "next turn") {
		t.Errorf("LongestTurn = %v, %q", d, what)
	}
	l.ResetLongestTurn()
	if d, what := l.LongestTurn(); d != 0 || what != "" {
		t.Error("reset did not reset")
	}
}

func sleepyCallback() { time.Sleep(12 * time.Millisecond) }

func TestJumpGap(t *testing.T) {
	const s, m, h = time.Second, time.Minute, time.Hour
	for _, c := range []struct {
		name                     string
		wall, mono, slept, asked time.Duration
		gap                      time.Duration
	}{
		{"ordinary", m, m, m, m, 0},
		{"a long sleep without a limit", h, h, h, -1, 0},
		{"suspended, the monotonic clock stood still", h + m, m, m, -1, h},
		{"suspended, the monotonic clock went on", h, h, h, m, h - m},
		{"a little late", 64 * s, 64 * s, 64 * s, m, 0},
		{"the clock was set back", -h, m, m, -1, -h - m},
		{"stepped by a second", m + s, m, m, m, 0},
		{"a callback that took long is no jump", h, h, s, s, 0},
	} {
		if got := jumpGap(c.wall, c.mono, c.slept, c.asked); got != c.gap {
			t.Errorf("%s: gap %v, want %v", c.name, got, c.gap)
		}
	}
}

func TestJumpAlarmOrPeriodicLook(t *testing.T) {
	l := newTestLoop(t)
	if d := l.sleepFor(); d != -1 {
		t.Errorf("an idle loop sleeps %v, want for ever", d)
	}
	l.OnJump(func(time.Duration) {})
	want := jumpPoll
	if runtime.GOOS == "linux" {
		want = -1 // the kernel wakes us
	}
	if d := l.sleepFor(); d != want {
		t.Errorf("with OnJump an idle loop sleeps %v, want %v", d, want)
	}
}

func TestNoDescriptorsLeak(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("counts /proc/self/fd")
	}
	warm, _ := New()
	warm.Close()
	before := countFDs(t)
	for range 20 {
		l, err := New()
		if err != nil {
			t.Fatal(err)
		}
		l.OnJump(func(time.Duration) {})
		l.Close()
	}
	if after := countFDs(t); after != before {
		t.Errorf("%d descriptors before, %d after", before, after)
	}
}

func countFDs(t testing.TB) int {
	t.Helper()
	e, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip(err)
	}
	return len(e)
}

// waitFDs waits until no more than want are open: a test server's goroutines
// close their ends a little later.
func waitFDs(t testing.TB, want int) {
	t.Helper()
	got := countFDs(t)
	for i := 0; got > want && i < 100; i++ {
		time.Sleep(10 * time.Millisecond)
		got = countFDs(t)
	}
	if got > want {
		t.Errorf("%d descriptors open, want %d", got, want)
	}
}

func nonblockingPipe(t testing.TB) (r, w int) {
	t.Helper()
	r, w, err := newPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := setNonblock(r, w); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeAll(r, w) })
	return r, w
}

func drainFD(fd int) {
	var b [64]byte
	unix.Read(fd, b[:])
}

// dup2 makes to another name of from. (Not every Linux port has the call.)
func dup2(from, to int) error {
	unix.Close(to)
	got, err := unix.FcntlInt(uintptr(from), unix.F_DUPFD_CLOEXEC, to)
	if err == nil && got != to {
		err = fmt.Errorf("descriptor %d instead of %d", got, to)
	}
	return err
}
