package ui

import (
	"strings"
	"time"
)

// Button is what a mouse did.
type Button uint8

const (
	Click Button = iota
	WheelUp
	WheelDown
)

// wheelStep is how many rows one notch of the wheel scrolls.
const wheelStep = 3

// hit is a part of the frame that a click acts on.
type hit struct {
	x, y, w, h int
	do         func(*Model)
}

// hit notes that a click into the rectangle calls do. It holds for one frame.
func (m *Model) hit(x, y, w, h int, do func(*Model)) {
	m.hits = append(m.hits, hit{x, y, w, h, do})
}

// hitAccount lets a click select account i, and a second one open its details.
func (m *Model) hitAccount(y, w, i int) {
	m.hit(0, y, w, 1, func(m *Model) {
		if m.sel == i {
			m.enter()
			return
		}
		m.sel = i
	})
}

// hitItem lets a click on the dashboard open the page of a folder or connection.
func (m *Model) hitItem(y, w int, a *account, kind itemKind, f *work, n int) {
	m.hit(0, y, w, 1, func(m *Model) {
		for i, x := range m.accounts {
			if x == a {
				m.sel = i
			}
		}
		m.open(pageAccount)
		m.selRow = n
		if kind == itemFolder {
			for i, x := range m.matching(a) {
				if x == f {
					m.selRow = len(a.conns) + i
				}
			}
		}
		m.enter()
	})
}

// hitAnswers lets clicks on the words of a question's key line answer it. Each
// word begins with its key and a colon.
func (m *Model) hitAnswers(keys string, y int) {
	x := 0
	for part := range strings.SplitSeq(keys, "  ") {
		k := Key{Code: KeyEsc}
		if part[1] == ':' {
			k = r(rune(part[0]))
		}
		m.hit(x, y, len(part), 1, func(m *Model) { m.answer(k) })
		x += len(part) + 2
	}
}

// open shows what answers the attention.
func (t *attention) open(m *Model) {
	t.aside = false
	switch {
	case t.topic == TopicBrake:
		m.confirm = t.release()
	case t.choices() != nil:
		m.confirm = t.choose()
	default:
		m.ask(t)
	}
}

// Mouse acts on what the mouse did at column x of row y of the last frame.
// While a line is typed, and while one is pasted, it does nothing.
func (m *Model) Mouse(b Button, x, y int, now time.Time) []Action {
	m.acts = nil
	if m.paste || m.mode != modeKeys {
		return nil
	}
	m.dirty = true
	if b != Click {
		m.roll(b, y)
		return m.acts
	}
	m.number()
	if m.help {
		m.help = false
		return m.acts
	}
	for i := len(m.hits) - 1; i >= 0; i-- {
		h := m.hits[i]
		if x < h.x || x >= h.x+h.w || y < h.y || y >= h.y+h.h {
			continue
		}
		if m.confirm == nil || y == m.frame.H-1 {
			h.do(m)
		}
		break
	}
	return m.acts
}

// roll acts on the wheel: it scrolls what is under it.
func (m *Model) roll(b Button, y int) {
	n := wheelStep
	if b == WheelUp {
		n = -n
	}
	switch {
	case m.confirm != nil:
		m.confirm.top = max(m.confirm.top+n, 0)
	case m.help:
		m.top = max(m.top+n, 0)
	case m.at == pageMain && y >= m.wheel || m.at == pageTrace:
		m.pane().scroll(n)
	case m.at == pageMain || m.at == pageAccount:
		m.move(n / wheelStep)
	default:
		m.move(n)
	}
}
