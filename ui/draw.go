package ui

import (
	"fmt"
	"strings"
	"time"
)

// dashboardW and dashboardH are the least cells the dashboard needs; anything
// smaller shows Blinkenlights.
const (
	dashboardW = 60
	dashboardH = 16
)

// Frame draws the screen of w by h cells as of now. The frame is reused by
// the next call.
func (m *Model) Frame(now time.Time, w, h int) *Frame {
	f := &m.frame
	f.reset(w, h)
	m.dirty, m.hits, m.wheel = false, m.hits[:0], 0
	bottom := m.drawPrompt(f)
	switch {
	case m.help:
		m.drawHelp(f, bottom)
	case m.selected() != nil && m.at != pageMain:
		m.drawPage(f, bottom, now)
	case m.blink || f.W < dashboardW || f.H < dashboardH:
		m.drawBlink(f, bottom, now)
	default:
		m.drawDash(f, bottom, now)
	}
	return f
}

// Dirty reports whether an event or a key came since the last frame.
func (m *Model) Dirty() bool { return m.dirty }

// Ticking reports whether the picture changes with the clock alone: a
// countdown runs or a clock is shown.
func (m *Model) Ticking() bool {
	if !m.blink {
		return true
	}
	for _, a := range m.accounts {
		if a.next > 0 {
			return true
		}
	}
	return false
}

// drawPrompt draws the open question or the line being typed at the bottom of
// f and returns the number of rows left above.
func (m *Model) drawPrompt(f *Frame) int {
	if m.confirm != nil {
		return m.drawQuestion(f)
	}
	var label, keys string
	switch m.mode {
	case modeKeys:
		return f.H
	case modePassword:
		// Nothing typed is shown, not even how much.
		label, keys = "Password for account "+Safe(m.asking.account)+": ", "Enter: use it  Esc: later"
	case modeSearch:
		label, keys = "Search the log: "+Safe(string(m.edit.text)), "Enter: keep  Esc: show all"
	case modeFilter:
		label, keys = "Show folders with: "+Safe(string(m.edit.text)), "Enter: keep  Esc: show all"
	}
	y := f.H - 1
	st := m.paint(Style{FG: Yellow, Attr: Bold})
	if m.mode == modePassword && f.H > 3 {
		// Why it is asked, above the line itself.
		f.fill(0, y-1, f.W, st)
		f.putCut(0, y-1, f.W, first(m.asking.lines), m.paint(Style{FG: Yellow}), m.g.ellipsis)
	}
	f.fill(0, y, f.W, st)
	over := textWidth(label) - (f.W - 1)
	for over > 0 { // the end is where the cursor is
		_, w, rest := cluster(label)
		label, over = rest, over-w
	}
	n := f.put(0, y, f.W, label, st)
	f.CursorX, f.CursorY = min(n, f.W-1), y
	if room := f.W - n - 4; room >= len(keys) {
		f.putRight(f.W, y, room, keys, m.paint(Style{Attr: Dim}))
	}
	if m.mode == modePassword && f.H > 3 {
		return f.H - 2
	}
	return f.H - 1
}

func (m *Model) drawQuestion(f *Frame) int {
	q := m.confirm
	var lines []string
	for _, l := range q.lines {
		lines = wrap(l, f.W, f.W, lines)
	}
	room := max(min(len(lines), f.H-2), 1) // of the text; the last row has the keys
	q.top = min(q.top, len(lines)-room)
	y0 := max(f.H-room-1, 0)
	for i := range room {
		st := m.paint(Style{FG: Yellow})
		if i+q.top == 0 {
			st.Attr |= Bold
		}
		f.fill(0, y0+i, f.W, st)
		f.put(0, y0+i, f.W, lines[i+q.top], st)
	}
	st := m.paint(Style{FG: Yellow, Attr: Bold | Reverse})
	f.fill(0, f.H-1, f.W, st)
	keys := or(q.keys, "y: yes  n: no")
	m.hitAnswers(keys, f.H-1)
	if room < len(lines) {
		keys += fmt.Sprintf("  up/down: %d of %d lines", q.top+room, len(lines))
	}
	f.putCut(0, f.H-1, f.W, keys, st, m.g.ellipsis)
	return y0
}

// drawTitle draws the blue bar in row y.
func (m *Model) drawTitle(f *Frame, y int, left, right string) {
	st := m.paint(Style{FG: White, BG: Blue, Attr: Bold})
	f.fill(0, y, f.W, st)
	n := f.putCut(0, y, f.W, left, st, m.g.ellipsis)
	if room := f.W - n - 2; textWidth(right) <= room {
		f.putRight(f.W-1, y, room, right, st)
	}
}

// drawKeys draws the key bar in row y: the commands as far as they fit.
func (m *Model) drawKeys(f *Frame, y int) {
	x := 0
	for i := range keyTable {
		k := &keyTable[i]
		if k.short == "" || !m.useful(k.label) {
			continue
		}
		short := k.short
		if a := m.selected(); k.label == "p" && a != nil && a.paused {
			short = "resume"
		}
		if x+len(k.label)+1+len(short) > f.W {
			break
		}
		m.hit(x, y, len(k.label)+1+len(short), 1, k.do)
		x += f.put(x, y, f.W-x, k.label, m.paint(Style{FG: Cyan, Attr: Bold}))
		x += f.put(x+1, y, f.W-x-1, short, Style{}) + 3
	}
}

// useful leaves keys out of the bar that would do nothing.
func (m *Model) useful(label string) bool {
	switch label {
	case "a":
		return m.nearest(isBrake) != nil
	case "c":
		return m.nearest(hasChoice) != nil
	case "i":
		for _, t := range m.todo {
			if t.topic == TopicPassword || t.topic == TopicCertificate && t.level < Error {
				return true
			}
		}
		return false
	case "Esc":
		return m.at != pageMain || m.pane().find != "" || m.filter != "" || m.pane().pin >= 0
	case "S":
		return len(m.accounts) > 1
	case "Enter":
		return len(m.accounts) > 0 && m.at < pageItem
	case "s", "p", "t", "u":
		return len(m.accounts) > 0
	}
	return true
}

// drawLog draws the log into rows y to y+h-1. With times it shows the clock
// and, where there are several accounts, whose line it is.
func (m *Model) drawLog(f *Frame, y, h int, times bool) {
	m.height = h
	if h <= 0 {
		return
	}
	left, who := 0, 0
	if times && f.W >= 40 {
		left = 9
		if len(m.accounts) > 1 && f.W >= 60 {
			for _, a := range m.accounts {
				who = max(who, min(textWidth(Safe(a.name)), 10))
			}
			left += who + 1
		}
	}
	indent := 0
	if times {
		indent = 2
	}
	m.rowsB = m.pane().rows(f.W-left, h, indent, m.rowsB)
	for i, r := range m.rowsB {
		st := m.style(r.line.light)
		switch r.line.level {
		case Error:
			st = m.paint(Style{FG: Red, Attr: Bold})
		case Warn:
			if times {
				st = m.paint(Style{FG: Yellow, Attr: Bold})
			}
		case Debug:
			st = Style{Attr: Dim}
		}
		if st.Attr&Dim != 0 && r.line.level > Debug {
			st = Style{} // an idle light is dim, its words are not
		}
		x := left
		if r.more {
			x += indent
		} else if left > 0 {
			f.put(0, y+i, 8, m.clock(r.line.at, true), Style{Attr: Dim})
			if who > 0 {
				f.putCut(9, y+i, who, Safe(r.line.account), Style{Attr: Dim}, m.g.ellipsis)
			}
		}
		f.put(x, y+i, f.W-x, r.text, st)
	}
}

// logState says what keeps the log from showing the newest lines.
func (m *Model) logState() string {
	var s []string
	if m.filter != "" {
		s = append(s, "folders with \""+Safe(m.filter)+"\"")
	}
	if m.digits != "" {
		s = append(s, "sync account "+m.digits+"_")
	}
	if find := m.pane().find; find != "" {
		s = append(s, "only \""+Safe(find)+"\", Esc shows all")
	}
	if m.pane().pin >= 0 {
		s = append(s, "scrolled back, End follows")
	}
	return strings.Join(s, "; ")
}

func (m *Model) clock(at int64, seconds bool) string {
	if at == 0 {
		return m.g.none
	}
	layout := "15:04"
	if seconds {
		layout = "15:04:05"
	}
	return time.Unix(0, at).In(m.opt.Location).Format(layout)
}

// pad returns s in exactly w cells, cut or filled with spaces; right says
// which side s is moved to.
func pad(s string, w int, right bool) string {
	n := 0
	for i := s; i != ""; {
		c, cw, rest := cluster(i)
		if n+cw > w || c == "" {
			s = s[:len(s)-len(i)]
			break
		}
		n += cw
		i = rest
	}
	fill := strings.Repeat(" ", max(w-n, 0))
	if right {
		return fill + s
	}
	return s + fill
}
