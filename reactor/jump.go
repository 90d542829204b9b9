package reactor

import "time"

const (
	// jumpLimit is the smallest difference reported: above what clock
	// discipline steps in ordinary running, below any time-out of a protocol.
	jumpLimit = 5 * time.Second
	// jumpPoll is how often an otherwise idle loop looks at the clock where the
	// kernel cannot tell of a jump by itself.
	jumpPoll = 30 * time.Second
)

// jumpWatch notices suspend and resume, and a wall clock that was set. Most
// kernels stop the monotonic clock in a suspend, so the two clocks drift apart;
// where it goes on, and after SIGSTOP, the sleep is seen to have been too long.
type jumpWatch struct {
	last  time.Time
	funcs []func(time.Duration)
	alarm *clockAlarm // the kernel's own notice, where there is one
}

// OnJump calls f when time has passed otherwise than the loop could see: after a
// suspend (gap is how long), or when the wall clock was set (gap may be
// negative). Connections should then be taken for lost, and appointments by the
// wall clock be made again. Differences under five seconds are not reported.
func (l *Loop) OnJump(f func(gap time.Duration)) {
	l.jump.funcs = append(l.jump.funcs, f)
	if l.jump.alarm == nil && l.poll != nil {
		l.jump.alarm = newClockAlarm(l)
	}
}

func (j *jumpWatch) check(l *Loop, slept time.Time, asked time.Duration) {
	now := l.now
	// Round(0) strips the monotonic reading, so Sub compares wall clocks.
	gap := jumpGap(now.Round(0).Sub(j.last.Round(0)), now.Sub(j.last), now.Sub(slept), asked)
	j.last = now
	if gap == 0 {
		return
	}
	for _, f := range j.funcs {
		f(gap)
		l.meter.after(pieceJump, f)
	}
}

// jumpGap tells how much time passed unseen, 0 for none: wall and mono are the
// time since the last turn by either clock, slept how long the poll took by the
// monotonic one, asked how long it was to take at most (negative: no limit).
func jumpGap(wall, mono, slept, asked time.Duration) time.Duration {
	if drift := wall - mono; drift.Abs() >= jumpLimit {
		return drift
	}
	if late := slept - asked; asked >= 0 && late >= jumpLimit {
		return late
	}
	return 0
}

// limit bounds the sleep d where only looking at the clock reveals a jump.
func (j *jumpWatch) limit(d time.Duration) time.Duration {
	if len(j.funcs) == 0 || j.alarm != nil || (d >= 0 && d < jumpPoll) {
		return d
	}
	return jumpPoll
}

func (j *jumpWatch) close() {
	if j.alarm != nil {
		j.alarm.close()
		j.alarm = nil
	}
}
