package main

import (
	"fmt"
	"syscall"
	"time"
)

// uiMeter measures what the live screen costs, for --stats: processor time, so
// that a busy machine does not count as ours. Frames are measured one by one; of
// the events only each eventSample-th is, so that it costs next to nothing.
type uiMeter struct {
	frames time.Duration
	events time.Duration
	worst  time.Duration
	count  int
}

// cpuTime is the processor time this process has used.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

const eventSample = 16

// painted takes what was used since began, which went into painting, and whether
// a frame was drawn in it.
func (m *uiMeter) painted(began time.Duration, drew bool) {
	d := cpuTime() - began
	m.frames += d
	if drew {
		m.worst = max(m.worst, d)
	}
}

// sample reports whether this event is to be timed.
func (m *uiMeter) sample() bool {
	m.count++
	return m.count%eventSample == 0
}

// stats is the screen's part of the line of stats.
func (m *uiMeter) stats(frames int) string {
	return fmt.Sprintf(" screen-frames=%d screen-cpu=%v worst-frame=%v", frames, (m.frames + m.events*eventSample).Round(time.Microsecond), m.worst.Round(time.Microsecond))
}
