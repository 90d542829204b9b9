package ui

import (
	"fmt"
	"strconv"
	"time"
)

// drawBlink draws Blinkenlights into the first bottom rows: banner, log, and
// a row an account that grows upward from *Control in the last one.
//
//	OfflineIMAP 8.0.1                                        Copyright ...
//	! what needs a person, if anything does
//	Establishing connection to imap.example.org:993 (remote)
//	Syncing INBOX: IMAP -> Maildir
//	2: [  4:31]         work:  @
//	1: [active]         home: @@@         INBOX [####....] 412/1000 31/s 0:19
//	0: [active]     *Control: @
func (m *Model) drawBlink(f *Frame, bottom int, now time.Time) {
	if bottom <= 0 {
		return
	}
	y := 0
	if bottom >= 3 {
		m.drawTitle(f, 0, m.opt.Name+"  ?: help", or(m.logState(), m.opt.Copyright))
		y = 1
	}
	if bottom >= 6 { // not OfflineIMAP's: what needs a person, and the key that answers it
		y += m.drawTodo(f, y, max(bottom/12, 1))
	}
	all := len(m.accounts) + 1
	frames := min(all, max(bottom-y-1, 1))
	low := 0 // the frame in the last row
	if frames < all {
		low = min(max(m.sel+2-frames, 0), all-frames)
		if bottom == 1 && all > 1 {
			low = min(m.sel+1, all-1)
		}
	}
	for i := range frames {
		m.drawFrame(f, bottom-1-i, low+i, now)
		if low+i > 0 {
			m.hitAccount(bottom-1-i, f.W, low+i-1)
		}
	}
	m.drawLog(f, y, bottom-y-frames, false)
}

// drawFrame draws the row of frame n: 0 is the program, n the n-th account.
func (m *Model) drawFrame(f *Frame, y, n int, now time.Time) {
	name, state := "*Control", "active"
	lights := []conn{m.control}
	var a *account
	if n > 0 {
		a = m.accounts[n-1]
		name, state, lights = Safe(a.name), m.countdown(a, now), a.conns
	}
	digits := len(strconv.Itoa(len(m.accounts)))
	head := fmt.Sprintf("%*d: [%s] %s: ", digits, n, state, pad(name, 12, true))
	st := Style{}
	if n > 0 && n-1 == m.sel && len(m.accounts) > 1 { // whose s, p, t and u are
		st.Attr = Bold
	}
	x := f.put(0, y, f.W, head, st)
	light := or(Safe(m.opt.Light), "@")
	for i := range lights {
		text, st := m.lamp(lights[i].act, light)
		if lights[i].act == Idle { // black on black
			text = " "
		}
		x += f.put(x, y, min(1, f.W-x), text, st)
	}
	if a != nil {
		m.drawLong(f, x+1, y, a)
	}
}

// countdown is what stands in the brackets: six cells.
func (m *Model) countdown(a *account, now time.Time) string {
	switch {
	case a.paused:
		return "paused"
	case a.next > 0:
		left := max((a.next-now.UnixNano()+int64(time.Second)-1)/int64(time.Second), 0)
		if left >= 1000*60 {
			return fmt.Sprintf("%4dh ", min(left/3600, 9999))
		}
		return fmt.Sprintf("%3d:%02d", left/60, left%60)
	case !a.active && a.last > 0:
		return "  idle"
	}
	return "active"
}

// longWork is the number of messages from which work gets a bar.
const longWork = 50

// longest returns the folder with the most left to do, if it is long work.
func (a *account) longest() *work {
	var best *work
	for _, w := range a.folders {
		if w.active && w.total >= longWork && w.n < w.total && (best == nil || w.total-w.n > best.total-best.n) {
			best = w
		}
	}
	return best
}

// drawLong draws the progress of the longest work right of the lights.
func (m *Model) drawLong(f *Frame, x, y int, a *account) {
	w := a.longest()
	room := f.W - x - 1
	if w == nil || room < 12 {
		return
	}
	g := m.g
	g.open, g.close = "[", "]"
	tail := fmt.Sprintf(" %3d%%", percent(w.n, w.total))
	if room >= 44 {
		tail = " " + pace(w) + " " + etaText(w)
	}
	bar := min(max(room/4, 6), 24)
	name := min(textWidth(w.name), room-bar-len(tail)-1)
	if name >= 4 {
		x = f.W - name - 1 - bar - len(tail)
		f.putCut(x, y, name, w.name, m.style(Folder), m.g.ellipsis)
		x += name + 1
	} else {
		bar = min(bar, room-len(tail))
		x = f.W - bar - len(tail)
	}
	f.put(x, y, bar, g.bar(w.n, w.total, bar), m.style(Copying))
	f.put(x+bar, y, len(tail), tail, Style{})
}

func percent(n, total int64) int {
	if total <= 0 {
		return 0
	}
	return int(float64(min(max(n, 0), total)) / float64(total) * 100)
}

// pace is "1,234/5,000 31/s".
func pace(w *work) string {
	s := count(w.n) + "/" + count(w.total)
	if w.perSecond >= 0.05 {
		if w.perSecond < 10 {
			s += fmt.Sprintf(" %.1f/s", w.perSecond)
		} else {
			s += fmt.Sprintf(" %.0f/s", w.perSecond)
		}
	}
	return s
}

func etaText(w *work) string {
	if s := w.eta(); s >= 0 {
		return "ETA " + duration(s)
	}
	return ""
}
