package ui

import (
	"time"

	"github.com/gdamore/tcell/v2"
)

// draw gives the library the cells that changed, as many as the line to the
// terminal carries at once, and has it write them.
func (s *Screen) draw(now time.Time) {
	if s.line.asks && s.line.asked.IsZero() {
		// The first question goes out with the little that prepares the terminal:
		// its answer is soon there, before anything large is drawn.
		s.tty.out = append(s.tty.out, s.line.ask(len(s.tty.out), now)...)
		return
	}
	w, h := s.tty.size()
	f := s.modelFrame("frame", now, w, h)
	if s.full || f.W*f.H != len(s.painted) || f.W != s.paintedW {
		s.wipe(f)
	}
	s.partial = !s.paint(f)
	if f.CursorX >= 0 {
		s.scr.ShowCursor(f.CursorX, f.CursorY)
	} else {
		s.scr.HideCursor()
	}
	s.scr.Show()
	for s.scr.HasPendingEvent() { // the library's own notes of the size
		s.scr.PollEvent()
	}
	s.tty.out = append(s.tty.out, s.line.ask(len(s.tty.out), now)...)
	s.last, s.urgent, s.full, s.waiting = now, false, false, true
	if s.fresh = s.fresh && s.partial; !s.partial {
		clear(s.wanted)
		s.wants = false
	}
	s.frames++
}

// wipe clears the terminal and has every cell drawn anew, blank ones too, piece by
// piece; the library's own way would send them all at once.
func (s *Screen) wipe(f *Frame) {
	s.tty.mute = true
	s.scr.Show()                                  // only this makes it notice a new size
	s.scr.Fill(' ', tcell.StyleDefault.Dim(true)) // as good as blank, but no cell of ours
	s.scr.Sync()
	s.tty.mute = false
	s.tty.out = append(s.tty.out, s.clearSeq...)
	s.painted = append(s.painted[:0], f.Cells...)
	clear(s.painted)
	s.paintedW, s.at, s.fresh = f.W, 0, true
	s.wanted, s.wants = s.wanted[:0], false
}

// paint puts the cells of f that differ from what the terminal shows: first
// those that a key changed, then the others from where the last piece ended, as
// far as the line has room. It reports whether all is shown.
func (s *Screen) paint(f *Frame) bool {
	room := s.line.limit()
	if s.wants && len(s.wanted) == len(f.Cells) {
		s.wants = false
		for k := range f.Cells {
			// The lowest row first: prompts are there.
			i := (f.H-1-k/f.W)*f.W + k%f.W
			if s.wanted[i] && f.Cells[i] != s.painted[i] {
				if room <= 0 {
					s.wants = true
					return false
				}
				room -= s.put(f, i)
			}
		}
	}
	n := len(f.Cells)
	for k := range n {
		i := s.at + k
		if i >= n {
			i -= n
		}
		if f.Cells[i] == s.painted[i] {
			continue
		}
		if room <= 0 {
			s.at = i
			return false
		}
		room -= s.put(f, i)
	}
	s.at = 0
	return true
}

// put gives the library cell i and returns about how many bytes it will take.
func (s *Screen) put(f *Frame, i int) int {
	c := &f.Cells[i]
	cost := 0
	if c.Width > 0 {
		s.scr.Put(i%f.W, i/f.W, c.Text, tcellStyle(c.Style))
		cost = len(c.Text)
		if i == 0 || s.lastPut != i-1 {
			cost += 8 // to go there
		}
		if i == 0 || c.Style != f.Cells[i-1].Style {
			cost += 12
		}
	}
	s.painted[i] = *c
	s.lastPut = i
	if c.Width == 2 && i+1 < len(f.Cells) {
		s.painted[i+1] = f.Cells[i+1]
		s.lastPut = i + 1
	}
	return cost
}

// typed has key change the model. On a slow line it finds out which cells that
// changes, to draw them before all others.
func (s *Screen) typed(key func() []Action, now time.Time) []Action {
	s.urgent = true
	if !s.line.known || s.line.room >= pieceMost {
		return key()
	}
	w, h := s.tty.size()
	before := append([]Cell(nil), s.modelFrame("look", now, w, h).Cells...)
	acts := key()
	after := s.modelFrame("look", now, w, h).Cells
	s.m.dirty = true
	if len(s.wanted) != len(after) {
		s.wanted = make([]bool, len(after))
	}
	for i := range after {
		if after[i] != before[i] {
			s.wanted[i], s.wants = true, true
		}
	}
	return acts
}
