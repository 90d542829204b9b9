package ui

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
	"unicode/utf8"
)

// A recording is what went into the live screen, so that what came out of it can be
// looked at again: one JSON object a line. A line with "kind" is an event, as
// [JSONLines] writes it; "raw" has, in base64, those of its strings that are no
// UTF-8. The others say with "ui" what they are:
//
//	start    the options of the screen: name, copyright, light, unicode, mono,
//	         blinkenlights, debug, scrollback, zone (seconds east of UTC)
//	key      code, rune: a key was pressed
//	mouse    button, x, y
//	tick     time alone was acted on
//	frame    w, h: a frame of that size was drawn
//	look     w, h: one was made, but not drawn
//
// No password is part of it: what is typed or pasted where a password is asked for
// is recorded as so many x, and so is every letter that means nothing to the screen.
// Folder names, server addresses and subjects are in it as they were shown.
type recorded struct {
	Time          time.Time `json:"time"`
	UI            string    `json:"ui"`
	Code          Code      `json:"code,omitempty"`
	Rune          rune      `json:"rune,omitempty"`
	Button        Button    `json:"button,omitempty"`
	X             int       `json:"x,omitempty"`
	Y             int       `json:"y,omitempty"`
	W             int       `json:"w,omitempty"`
	H             int       `json:"h,omitempty"`
	Name          string    `json:"name,omitempty"`
	Copyright     string    `json:"copyright,omitempty"`
	Light         string    `json:"light,omitempty"`
	Unicode       bool      `json:"unicode,omitempty"`
	Mono          bool      `json:"mono,omitempty"`
	Blinkenlights bool      `json:"blinkenlights,omitempty"`
	Debug         bool      `json:"debug,omitempty"`
	Scrollback    int       `json:"scrollback,omitempty"`
	Zone          int       `json:"zone,omitempty"`
}

// Recorder writes a recording. Given to a [Screen] it records all that the screen is
// given; alone it records the events it is handed.
type Recorder struct {
	w     *bufio.Writer
	lines *JSONLines
	err   error
	begun bool
}

// NewRecorder returns a recorder that writes to w, a frame's worth at a time.
func NewRecorder(w io.Writer) *Recorder {
	r := &Recorder{w: bufio.NewWriterSize(w, 64<<10)}
	r.lines = NewJSONLines(r.w, Debug)
	r.lines.raw = true
	return r
}

// Flush writes what is still held back, and returns the first error there was.
func (r *Recorder) Flush() error { return errors.Join(r.err, r.lines.Err(), r.w.Flush()) }

// Event records e.
func (r *Recorder) Event(e Event) { r.lines.Event(e) }

func (r *Recorder) put(l recorded) {
	l.Time = l.Time.UTC()
	b, err := json.Marshal(l)
	if err == nil {
		_, err = r.w.Write(append(b, '\n'))
	}
	if err != nil && r.err == nil {
		r.err = err
	}
}

// begin records how m draws, before anything that depends on it.
func (r *Recorder) begin(m *Model, at time.Time) {
	if r.begun {
		return
	}
	r.begun = true
	o := m.opt
	_, zone := at.In(o.Location).Zone()
	r.put(recorded{Time: at, UI: "start", Name: o.Name, Copyright: o.Copyright, Light: o.Light, Unicode: o.Unicode, Mono: o.Mono,
		Blinkenlights: o.Blinkenlights, Debug: o.Debug, Scrollback: o.Scrollback, Zone: zone})
}

// masked is k without what may be a part of a password.
func (m *Model) masked(k Key) Key {
	if k.Code != KeyRune || m.mode == modeSearch || m.mode == modeFilter {
		return k
	}
	hidden := Key{KeyRune, 'x'}
	if m.mode == modePassword || m.paste {
		return hidden
	}
	if k.Rune >= '0' && k.Rune <= '9' || m.confirm != nil && bytes.ContainsRune([]byte("yYnNqjk "), k.Rune) {
		return k
	}
	for i := range keyTable {
		for _, b := range keyTable[i].keys {
			if b == k {
				return k
			}
		}
	}
	return hidden
}

// The Screen goes through these to its model, so that a recorder sees what goes in.

func (s *Screen) modelKey(k Key, now time.Time) []Action {
	if s.rec != nil {
		s.rec.begin(s.m, now)
		k := s.m.masked(k)
		s.rec.put(recorded{Time: now, UI: "key", Code: k.Code, Rune: k.Rune})
	}
	return s.m.Key(k, now)
}

func (s *Screen) modelMouse(b Button, x, y int, now time.Time) []Action {
	if s.rec != nil {
		s.rec.begin(s.m, now)
		s.rec.put(recorded{Time: now, UI: "mouse", Button: b, X: x, Y: y})
	}
	return s.m.Mouse(b, x, y, now)
}

func (s *Screen) modelTick(now time.Time) []Action {
	if _, ok := s.m.Deadline(); ok && s.rec != nil {
		s.rec.put(recorded{Time: now, UI: "tick"})
	}
	return s.m.Tick(now)
}

func (s *Screen) modelFrame(what string, now time.Time, w, h int) *Frame {
	if s.rec != nil {
		s.rec.begin(s.m, now)
		s.rec.put(recorded{Time: now, UI: what, W: w, H: h})
		if err := s.rec.w.Flush(); err != nil && s.rec.err == nil {
			s.rec.err = err
		}
	}
	return s.m.Frame(now, w, h)
}

// maxReplaySize bounds the frames of a recording, which is a file like any other.
const maxReplaySize = 2000

// Replay plays a recording and calls show for every frame that was drawn; the frame
// is reused by the next. A recording without a screen, or the output of [JSONLines],
// is shown once for each second of it, in 80 by 24 cells. A last line cut short is
// no error: that is how a program that was killed leaves it. An error of show ends
// the replay and is returned.
func Replay(r io.Reader, show func(at time.Time, f *Frame) error) error {
	p := player{show: show}
	in := bufio.NewReader(r)
	for n := 1; ; n++ {
		line, err := in.ReadBytes('\n')
		if err != nil && err != io.EOF {
			return err
		}
		if whole := err == nil; whole || json.Valid(line) {
			if perr := p.line(line, n); perr != nil {
				return perr
			}
		}
		if err == io.EOF {
			break
		}
	}
	if p.m != nil && !p.framed {
		return show(p.last, p.m.Frame(p.last, 80, 24))
	}
	return nil
}

// player is a replay that goes on.
type player struct {
	m      *Model
	show   func(time.Time, *Frame) error
	framed bool // the recording says when frames were drawn
	last   time.Time
	shown  time.Time
}

func (p *player) line(b []byte, n int) error {
	if b = bytes.TrimSpace(b); len(b) == 0 {
		return nil
	}
	var l recorded
	var e jsonEvent
	err := json.Unmarshal(b, &e)
	if err == nil && e.Kind == "" {
		err = json.Unmarshal(b, &l)
	}
	switch {
	case err != nil:
		return fmt.Errorf("line %d of the recording: %w", n, err)
	case e.Kind != "":
		ev, err := e.event()
		if err != nil {
			return fmt.Errorf("line %d of the recording: %w", n, err)
		}
		return p.event(ev)
	case l.UI == "start": // also in the middle, where a program was started again
		p.framed = true
		p.m = NewModel(Options{Name: l.Name, Copyright: l.Copyright, Light: l.Light, Unicode: l.Unicode, Mono: l.Mono,
			Blinkenlights: l.Blinkenlights, Debug: l.Debug, Scrollback: l.Scrollback, Location: time.FixedZone("", l.Zone)})
		return nil
	case p.m == nil:
		return fmt.Errorf("line %d of the recording: %q comes before the start", n, l.UI)
	}
	return p.input(&l, n)
}

// input gives the model what a person, the clock or the terminal did.
func (p *player) input(l *recorded, n int) error {
	w, h := min(max(l.W, 1), maxReplaySize), min(max(l.H, 1), maxReplaySize)
	switch l.UI {
	case "key":
		p.m.Key(Key{l.Code, l.Rune}, l.Time)
	case "mouse":
		p.m.Mouse(l.Button, l.X, l.Y, l.Time)
	case "tick":
		p.m.Tick(l.Time)
	case "look":
		p.m.Frame(l.Time, w, h)
	case "frame":
		return p.show(l.Time, p.m.Frame(l.Time, w, h))
	default:
		return fmt.Errorf("line %d of the recording: %q is unknown", n, l.UI)
	}
	return nil
}

func (p *player) event(e Event) error {
	at := time.Unix(0, e.At)
	if p.m == nil {
		p.m, p.shown = NewModel(Options{Name: "offloop", Unicode: true}), at
	}
	p.last = at
	p.m.Event(e)
	if !p.framed && at.Sub(p.shown) >= time.Second {
		p.shown = at
		return p.show(at, p.m.Frame(at, 80, 24))
	}
	return nil
}

// event is the event that was written as e.
func (e *jsonEvent) event() (Event, error) {
	at, err := time.Parse(time.RFC3339Nano, e.Time)
	if err != nil {
		return Event{}, err
	}
	ev := Event{Kind: e.Kind, At: at.UnixNano(), Severity: e.Severity, Account: e.Account, Repo: e.Repo, Folder: e.Folder, Dest: e.Dest, Conn: e.Conn,
		Text: e.Text, UID: e.UID, N: e.N, Total: e.Total, Bytes: e.Bytes, Rate: e.Rate, Hint: e.Hint, Set: e.Set}
	for name, s := range ev.texts() {
		if raw, ok := e.Raw[name]; ok {
			*s = string(raw)
		}
	}
	return ev, nil
}

// texts are the strings of e that come from outside.
func (e *Event) texts() map[string]*string {
	return map[string]*string{"account": &e.Account, "repo": &e.Repo, "folder": &e.Folder, "dest": &e.Dest, "text": &e.Text, "hint": &e.Hint}
}

// unclean returns those of e's strings that are no UTF-8: JSON cannot hold them.
func (e *Event) unclean() (raw map[string][]byte) {
	if utf8.ValidString(e.Account) && utf8.ValidString(e.Repo) && utf8.ValidString(e.Folder) && utf8.ValidString(e.Dest) && utf8.ValidString(e.Text) && utf8.ValidString(e.Hint) {
		return nil
	}
	raw = map[string][]byte{}
	for name, s := range e.texts() {
		if !utf8.ValidString(*s) {
			raw[name] = []byte(*s)
		}
	}
	return raw
}
