package main

import (
	"fmt"
	"time"

	"offloop/reactor"
)

// uiMeter measures what the live screen costs the loop, for --stats. Frames are
// timed one by one; of the events only each eventSample-th is, so that it costs
// next to nothing. It is time on the clock: on a busy machine, where others are
// let in between, it says too much rather than too little.
type uiMeter struct {
	frames time.Duration
	events time.Duration
	worst  time.Duration
	count  int
}

const eventSample = 16

// painted takes the time since began, which went into painting, and whether a
// frame was drawn in it.
func (m *uiMeter) painted(loop *reactor.Loop, began time.Time, drew bool) {
	d := loop.Clock().Sub(began)
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
	return fmt.Sprintf(" screen-frames=%d screen-time=%v worst-frame=%v", frames, (m.frames + m.events*eventSample).Round(time.Microsecond), m.worst.Round(time.Microsecond))
}
