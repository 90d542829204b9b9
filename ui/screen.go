package ui

import (
	"bytes"
	"fmt"
	"os"
	"time"
	"unicode/utf8"

	"github.com/gdamore/tcell/v2"
	"github.com/gdamore/tcell/v2/terminfo"
)

// ScreenOptions says on what a Screen draws. Unicode and Mono of the embedded
// Options are narrowed to what the terminal can do.
type ScreenOptions struct {
	Options
	Term   string            // terminal type; "" = $TERM
	Size   func() (w, h int) // asked before each frame; see TerminalSize
	Ask    bool              // ask the terminal what it has shown, to know its pace
	Record *Recorder         // records what goes into the screen; nil = nothing does
}

// Frame pacing. A frame is drawn when something changed, but at most every
// frameEvery; after a key, which a person waits for, already after keyEvery.
// On a terminal that takes long over its frames both grow to frameShare times
// what the last one took, at most to frameSlowest: half of a slow line is left
// to what else uses it. While bytes of a frame are still waiting, no other is
// drawn at all. And a frame that kept the processor busy for some time is followed
// by frameRest times as long without one, unless a key was pressed, so that drawing
// never takes more than a fortieth of a busy sync, however slow the machine is. The
// rest too is frameSlowest at most: what takes longer was not drawing, but a
// processor that did something else meanwhile.
const (
	frameEvery   = 100 * time.Millisecond
	keyEvery     = 15 * time.Millisecond
	frameSlowest = 2 * time.Second
	frameShare   = 2
	frameRest    = 40
	escapeWait   = 50 * time.Millisecond // for the rest of an escape sequence
)

// Screen is the live display. It owns a Model, turns bytes read from the
// terminal into its keys, and its frames into bytes for the terminal. It does
// no input or output itself: the owner of the terminal's descriptor calls
//
//	Input   with what was read
//	Event   with what happened
//	Poll    when NextDeadline has come, and after Event or Input
//	Drew    with how long a Poll took that drew a frame
//	Output  for the bytes to write, Wrote with how many were taken
//
// A Screen belongs to one goroutine.
type Screen struct {
	m      *Model
	scr    tcell.Screen
	tty    *memTTY
	keys   tcell.InputProcessor
	events chan tcell.Event

	held   []byte // the beginning of a sequence whose rest has not come
	heldAt time.Time

	painted    []Cell // what the library was last given
	paintedW   int
	at         int    // where in the frame the next piece goes on
	lastPut    int    // the cell last given to the library
	partial    bool   // the last piece left something out
	fresh      bool   // nothing has been shown in full since the terminal was wiped
	wanted     []bool // cells that keys changed
	wants      bool   // some of them are not yet shown
	line       linePace
	last       time.Time     // when the last frame was drawn
	rest       time.Time     // until when no other is, but for a key
	took       time.Duration // how long the terminal took over it
	waiting    bool          // the last frame is not yet taken
	urgent     bool          // a key came since
	full       bool          // draw everything anew
	away       bool          // suspended or closed
	frames     int
	mouseOff   bool // the person took the mouse back
	restoreSeq []byte
	clearSeq   []byte
	rec        *Recorder
}

// NewScreen prepares the terminal for drawing: the sequences that do so are
// the first Output. Raw mode is the caller's to set ([MakeRaw]). It fails for
// a terminal type it knows nothing about; then a text interface is left.
func NewScreen(o ScreenOptions) (*Screen, error) {
	term := or(o.Term, os.Getenv("TERM"))
	if term == "" || term == "dumb" {
		return nil, fmt.Errorf("ui: terminal type %q cannot show a live screen; use -u ttyui", term)
	}
	ti, err := describe(term)
	if err != nil {
		return nil, fmt.Errorf("ui: terminal type %q: %w; set TERM to a known type or use -u ttyui", term, err)
	}
	tcell.SetEncodingFallback(tcell.EncodingFallbackASCII)
	s := &Screen{events: make(chan tcell.Event, 256), full: true, rec: o.Record}
	s.tty = &memTTY{size: func() (int, int) {
		w, h := o.Size()
		return max(w, 1), max(h, 1)
	}}
	if s.scr, err = tcell.NewTerminfoScreenFromTtyTerminfo(s.tty, ti); err != nil {
		return nil, fmt.Errorf("ui: terminal type %q: %w", term, err)
	}
	s.restoreSeq = restoreSequence(ti)
	var wipe bytes.Buffer
	ti.TPuts(&wipe, ti.AttrOff)
	ti.TPuts(&wipe, ti.Clear)
	s.clearSeq = wipe.Bytes()
	if err := s.scr.Init(); err != nil {
		return nil, fmt.Errorf("ui: terminal type %q: %w", term, err)
	}
	s.scr.EnablePaste()
	s.scr.EnableMouse(tcell.MouseButtonEvents)
	s.keys = tcell.NewInputProcessor(s.events)
	o.Unicode = o.Unicode && s.scr.CharacterSet() == "UTF-8"
	o.Mono = o.Mono || s.scr.Colors() < 8
	s.m = NewModel(o.Options)
	s.line.asks = o.Ask
	return s, nil
}

// restoreSequence is what brings a terminal of type ti back from any state,
// also from the middle of an escape sequence.
func restoreSequence(ti *terminfo.Terminfo) []byte {
	var b bytes.Buffer
	put := func(seqs ...string) {
		for _, q := range seqs {
			ti.TPuts(&b, q)
		}
	}
	put("\x1b\\")
	if ti.XTermLike {
		put("\x1b[?2026l")
	}
	put(ti.ShowCursor, ti.ResetFgBg, ti.AttrOff, ti.ExitKeypad, ti.EnableAutoMargin)
	if ti.XTermLike {
		put("\x1b[<u", "\x1b[>4;0m", "\x1b[23;2t")
	}
	if ti.Mouse != "" || ti.XTermLike {
		put("\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l", "\x1b[?2004l")
	}
	if ti.ExitCA == "" {
		put(ti.Clear)
	}
	put(ti.ExitCA)
	return b.Bytes()
}

// Model returns the model behind the screen.
func (s *Screen) Model() *Model { return s.m }

// Event takes note of e. It draws nothing; call Poll when the turn's events
// are in.
func (s *Screen) Event(e Event) {
	if s.rec != nil {
		s.rec.begin(s.m, time.Unix(0, e.At))
		s.rec.Event(e)
	}
	s.m.Event(e)
}

// Input takes bytes read from the terminal at now and returns what the person
// asked for. Besides the verbs of Action, "suspend" asks the owner to call
// Suspend, stop the process, and call Resume when it goes on.
func (s *Screen) Input(b []byte, now time.Time) []Action {
	if s.away {
		return nil
	}
	if len(s.held) > 0 {
		b = append(s.held, b...)
		s.held = nil
	}
	b = s.answers(b, now)
	keep := unfinished(b)
	if s.line.open && bytes.HasSuffix(b, statusAnswer[:3]) {
		keep = 3
	}
	if keep > 0 {
		s.held = append([]byte(nil), b[len(b)-keep:]...)
		s.heldAt = now
		b = b[:len(b)-keep]
	}
	var acts []Action
	for len(b) > 0 {
		mouse := bytes.Index(b, mouseReport)
		if mouse == 0 {
			n := 0
			n, acts = s.mouse(b, acts, now)
			b = b[n:]
			continue
		}
		// Little at a time: the processor sends into a channel only we drain.
		n := min(len(b), 64)
		for n < len(b) && n > 60 && !utf8.RuneStart(b[n]) {
			n--
		}
		if mouse > 0 {
			n = min(n, mouse)
		}
		s.keys.ScanUTF8(b[:n])
		b = b[n:]
		acts = s.drain(acts, now)
	}
	return acts
}

// unfinished returns how many bytes at the end of b begin something whose
// rest is still to come: escape characters, a cut report of the mouse, or a
// cut UTF-8 sequence.
func unfinished(b []byte) int {
	n := 0
	if i := bytes.LastIndexByte(b, 0x1b); i >= 0 && len(b)-i <= maxReport && len(bytes.TrimLeft(b[i:], "\x1b[<0123456789;")) == 0 &&
		bytes.HasPrefix(append(b[i:len(b):len(b)], mouseReport[min(len(b)-i, len(mouseReport)):]...), mouseReport) {
		n = len(b) - i
		for n < len(b) && b[len(b)-1-n] == 0x1b {
			n++
		}
		return n
	}
	for n < len(b) && b[len(b)-1-n] == 0x1b {
		n++
	}
	if n > 0 {
		return n
	}
	for n = 1; n <= min(3, len(b)); n++ {
		if tail := b[len(b)-n:]; utf8.RuneStart(tail[0]) {
			if tail[0] >= 0xC0 && !utf8.FullRune(tail) {
				return n
			}
			break
		}
	}
	return 0
}

func (s *Screen) drain(acts []Action, now time.Time) []Action {
	for len(s.events) > 0 {
		if k, ok := keyOf(<-s.events); ok {
			acts = s.press(k, acts, now)
		}
	}
	return acts
}

func (s *Screen) press(k Key, acts []Action, now time.Time) []Action {
	return s.take(s.typed(func() []Action { return s.modelKey(k, now) }, now), acts)
}

// mouseReport begins what the terminal says of the mouse: button, column and
// row in decimal, M pressed or m released. The library's own reading of it
// would need a goroutine to be told the screen's size.
var mouseReport = []byte("\x1b[<")

// maxReport is longer than any report of a mouse.
const maxReport = 24

// mouse acts on the report of the mouse that b begins with, and returns how
// long that is.
func (s *Screen) mouse(b []byte, acts []Action, now time.Time) (int, []Action) {
	n := len(mouseReport)
	var num [3]int
	field := 0
	for ; n < min(len(b), maxReport); n++ {
		switch c := b[n]; {
		case c >= '0' && c <= '9':
			num[field] = min(num[field]*10+int(c-'0'), 1e6)
			continue
		case c == ';' && field < 2:
			field++
			continue
		case c == 'M' && field == 2:
			var what Button
			switch num[0] &^ 0x1c { // shift, alt and ctrl change nothing
			case 0:
				what = Click
			case 0x40:
				what = WheelUp
			case 0x41:
				what = WheelDown
			default:
				return n + 1, acts
			}
			return n + 1, s.take(s.typed(func() []Action { return s.modelMouse(what, num[1]-1, num[2]-1, now) }, now), acts)
		case c == 'm':
			return n + 1, acts
		}
		break
	}
	return n, acts // no report after all
}

// Redraw has the next frame draw the screen anew: another program may have written to
// the terminal.
func (s *Screen) Redraw() { s.full = true }

// take does what is the screen's own to do and hands on the rest.
func (s *Screen) take(from, acts []Action) []Action {
	for _, a := range from {
		switch a.Verb {
		case "redraw":
			s.full = true
		case "mouse":
			if s.mouseOff = !s.mouseOff; s.mouseOff {
				s.scr.DisableMouse()
			} else {
				s.scr.EnableMouse(tcell.MouseButtonEvents)
			}
		default:
			acts = append(acts, a)
		}
	}
	return acts
}

// Poll does what is due at now: a lone Esc, a number typed to its end, and a
// frame if one is due and the terminal has taken the last.
func (s *Screen) Poll(now time.Time) []Action {
	if s.away {
		return nil
	}
	var acts []Action
	if len(s.held) > 0 && now.Sub(s.heldAt) >= escapeWait {
		held := s.held
		s.held = nil
		switch {
		case bytes.Trim(held, "\x1b") == nil:
			for range held { // a slow line brings what was pressed twice at once
				acts = s.press(Key{Code: KeyEsc}, acts, now)
			}
		case held[0] == 0x1b: // the rest of a sequence is slow to come
			s.keys.ScanUTF8(held)
			acts = s.drain(acts, now)
		}
	}
	acts = append(acts, s.modelTick(now)...)
	if at, ok := s.frameDue(); ok && !now.Before(at) {
		s.draw(now)
	}
	return acts
}

// NextDeadline returns when Poll wants to be called, if nothing else happens.
func (s *Screen) NextDeadline() (time.Time, bool) {
	if s.away {
		return time.Time{}, false
	}
	at, ok := s.frameDue()
	if len(s.held) > 0 {
		at, ok = earlier(at, ok, s.heldAt.Add(escapeWait))
	}
	if d, has := s.m.Deadline(); has {
		at, ok = earlier(at, ok, d)
	}
	return at, ok
}

func earlier(a time.Time, ok bool, b time.Time) (time.Time, bool) {
	if !ok || b.Before(a) {
		return b, true
	}
	return a, true
}

// frameDue returns when the next frame may be drawn. While the terminal has
// not taken the last one there is no such time.
func (s *Screen) frameDue() (time.Time, bool) {
	if len(s.tty.out) > 0 && !s.last.IsZero() {
		return time.Time{}, false
	}
	at, ok := s.nextFrame()
	if wait, open := s.line.wait(); ok && open && at.Before(wait) {
		at = wait // or the answer, whichever is first
	}
	return at, ok
}

func (s *Screen) nextFrame() (time.Time, bool) {
	gap := frameEvery
	if s.urgent || s.full || s.wants {
		gap = keyEvery
	}
	switch {
	case s.line.known && (s.urgent || s.wants || s.fresh):
		gap = 0 // the line has carried the last piece: that is pace enough
	default:
		gap = max(gap, min(frameShare*s.took, frameSlowest))
	}
	at := s.last.Add(gap)
	switch {
	case s.m.Dirty() || s.full || s.partial:
	case s.m.Ticking():
		at = s.last.Truncate(time.Second).Add(time.Second)
	default:
		return time.Time{}, false
	}
	if at.Before(s.rest) && !s.urgent && !s.full && !s.wants {
		at = s.rest
	}
	return at, true
}

// Drew tells when the drawing of the last frame, its bytes' way to the terminal
// included, began and ended. Without it a frame is taken to cost nothing.
func (s *Screen) Drew(began, ended time.Time) {
	s.rest = ended.Add(min(frameRest*max(ended.Sub(began), 0), frameSlowest))
}

// Output returns the bytes waiting for the terminal, nil if there are none.
// They are valid until the next call of any method.
func (s *Screen) Output() []byte {
	if len(s.tty.out) == 0 {
		return nil
	}
	return s.tty.out
}

// Wrote tells that the terminal took the first n bytes of Output at now.
func (s *Screen) Wrote(n int, now time.Time) {
	n = min(n, len(s.tty.out))
	rest := copy(s.tty.out, s.tty.out[n:])
	s.tty.out = s.tty.out[:rest]
	if rest == 0 && s.waiting && !s.line.known {
		s.took = max(now.Sub(s.last), 0)
		s.waiting = false
	}
}

// Frames returns the number of frames drawn.
func (s *Screen) Frames() int { return s.frames }

// Resize says that the terminal has another size, or may have.
func (s *Screen) Resize() {
	w, h := s.tty.size()
	if w != s.paintedW || w*h != len(s.painted) {
		s.full = true
	}
}

// Suspend gives the terminal back and returns the bytes that do so; they go
// straight to the terminal, before raw mode is ended. What was waiting is
// forgotten. A process that signals itself may run on for a moment: let some
// milliseconds pass before raw mode and Resume, or the shell gets a raw
// terminal.
func (s *Screen) Suspend() []byte {
	if !s.away {
		s.away = true
		s.tty.mute = true
		_ = s.scr.Suspend() // never fails on a terminal in memory
		s.tty.mute = false
		s.tty.out = s.tty.out[:0]
		s.held = nil
	}
	return s.restoreSeq
}

// Resume takes the terminal again after Suspend; raw mode must be on. The
// next Poll draws everything anew.
func (s *Screen) Resume() error {
	if !s.away {
		return nil
	}
	if err := s.scr.Resume(); err != nil {
		return fmt.Errorf("ui: taking the terminal again: %w", err)
	}
	s.away, s.full, s.waiting, s.took = false, true, false, 0
	s.line = linePace{asks: s.line.asks}
	s.last, s.rest = time.Time{}, time.Time{}
	return nil
}

// Close ends the display and returns the bytes that restore the terminal, to
// be written before raw mode is ended. It may be called more than once.
func (s *Screen) Close() []byte {
	s.away = true
	s.tty.mute = true
	s.tty.out = s.tty.out[:0]
	s.scr.Fini()
	return s.restoreSeq
}
