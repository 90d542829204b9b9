package reactor

import "time"

// A Timer calls a function once, on the loop, after a delay. It is made by
// [Loop.CallLater] and may be used again with Reset.
type Timer struct {
	l   *Loop
	f   func()
	at  time.Duration // since the loop's epoch
	seq uint64        // order among equal times; also tells this turn's timers from older ones
	pos int           // index in the heap, -1 when not waiting
}

// CallLater calls f on the loop once d has passed. A delay of zero or less means
// the next turn. It never calls f before it returns.
func (l *Loop) CallLater(d time.Duration, f func()) *Timer {
	t := &Timer{l: l, f: f, pos: -1}
	t.Reset(d)
	return t
}

// Cancel stops the timer. Cancelling one that has fired or was cancelled does
// nothing; it is legal on a nil Timer, so a field may be cancelled unseen.
func (t *Timer) Cancel() {
	if t != nil && t.pos >= 0 {
		t.l.timers.remove(t)
	}
}

// Reset makes the timer fire d from now, whether it was waiting, has fired or
// was cancelled.
func (t *Timer) Reset(d time.Duration) {
	h := &t.l.timers
	t.at = t.l.Now().Sub(t.l.epoch) + max(d, 0)
	h.seq++
	t.seq = h.seq
	if t.pos >= 0 {
		h.fix(t.pos)
		return
	}
	h.push(t)
}

// Active reports whether the timer is waiting to fire.
func (t *Timer) Active() bool { return t != nil && t.pos >= 0 }

// runTimers fires what is due. Timers set while it runs have a later sequence
// number and wait for the next turn, even those with no delay.
func (l *Loop) runTimers() {
	since, limit := l.now.Sub(l.epoch), l.timers.seq
	for len(l.timers.a) > 0 {
		t := l.timers.a[0]
		if t.at > since || t.seq > limit {
			return
		}
		l.timers.remove(t)
		t.f()
		l.meter.after(pieceTimer, t.f)
	}
}

// timerHeap is a binary heap ordered by time, then by sequence.
type timerHeap struct {
	a   []*Timer
	seq uint64
}

func (h *timerHeap) less(i, j int) bool {
	if h.a[i].at != h.a[j].at {
		return h.a[i].at < h.a[j].at
	}
	return h.a[i].seq < h.a[j].seq
}

func (h *timerHeap) swap(i, j int) {
	h.a[i], h.a[j] = h.a[j], h.a[i]
	h.a[i].pos, h.a[j].pos = i, j
}

func (h *timerHeap) push(t *Timer) {
	t.pos = len(h.a)
	h.a = append(h.a, t)
	h.up(t.pos)
}

func (h *timerHeap) remove(t *Timer) {
	i, last := t.pos, len(h.a)-1
	if i != last {
		h.swap(i, last)
	}
	h.a[last] = nil
	h.a = h.a[:last]
	t.pos = -1
	if i != last {
		h.fix(i)
	}
}

func (h *timerHeap) fix(i int) {
	if !h.down(i) {
		h.up(i)
	}
}

func (h *timerHeap) up(i int) {
	for i > 0 {
		parent := (i - 1) / 2
		if !h.less(i, parent) {
			return
		}
		h.swap(i, parent)
		i = parent
	}
}

// down reports whether the element moved.
func (h *timerHeap) down(i int) bool {
	start := i
	for {
		child := 2*i + 1
		if child >= len(h.a) {
			break
		}
		if child+1 < len(h.a) && h.less(child+1, child) {
			child++
		}
		if !h.less(child, i) {
			break
		}
		h.swap(i, child)
		i = child
	}
	return i > start
}
