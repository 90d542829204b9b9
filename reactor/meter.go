package reactor

import (
	"fmt"
	"reflect"
	"runtime"
	"time"
)

// piece is the kind of thing a turn is made of, for the report of the longest.
type piece uint8

const (
	pieceNone piece = iota
	pieceEvent
	piecePost
	pieceTimer
	pieceNext
	pieceSlice
	pieceHook
	pieceFlush
	pieceJump
)

func (p piece) String() string {
	switch p {
	case pieceEvent:
		return "event"
	case piecePost:
		return "completion"
	case pieceTimer:
		return "timer"
	case pieceNext:
		return "next turn"
	case pieceSlice:
		return "slice"
	case pieceHook:
		return "before sleep"
	case pieceFlush:
		return "flush"
	case pieceJump:
		return "jump"
	}
	return "nothing"
}

// meter finds the longest turn. One clock reading a piece is its whole cost:
// names are worked out only when a record is broken. It always measures real
// time, so a simulated loop's callbacks are timed as well.
type meter struct {
	start, mark time.Time
	worst       time.Duration // the longest piece of this turn
	kind        piece
	who         any

	longest time.Duration
	what    string
}

func (m *meter) begin(now time.Time) {
	m.start, m.mark = now, now
	m.worst, m.kind, m.who = 0, pieceNone, nil
}

func (m *meter) after(k piece, who any) {
	now := wallClock()
	if d := now.Sub(m.mark); d > m.worst {
		m.worst, m.kind, m.who = d, k, who
	}
	m.mark = now
}

func (m *meter) end() {
	if total := m.mark.Sub(m.start); total > m.longest {
		m.longest = total
		m.what = fmt.Sprintf("%s %s (%v of it)", m.kind, nameOf(m.who), m.worst.Round(time.Microsecond))
	}
	m.who = nil
}

// nameOf names what ran: the protocol of a stream, else the function.
func nameOf(who any) string {
	switch w := who.(type) {
	case nil:
		return "-"
	case *Watch:
		if w.stream == nil {
			return nameOf(w.h)
		}
		return nameOf(w.stream)
	case *Stream:
		return fmt.Sprintf("%T %s", w.proto, w.remote)
	}
	if v := reflect.ValueOf(who); v.Kind() == reflect.Func {
		if f := runtime.FuncForPC(v.Pointer()); f != nil {
			return f.Name()
		}
	}
	return fmt.Sprintf("%T", who)
}

// LongestTurn returns how long the longest turn so far held the loop, poll not
// counted, and what its longest piece was.
func (l *Loop) LongestTurn() (d time.Duration, what string) {
	return l.meter.longest, l.meter.what
}

// ResetLongestTurn forgets the record, so that a phase can be measured alone.
func (l *Loop) ResetLongestTurn() { l.meter.longest, l.meter.what = 0, "" }
