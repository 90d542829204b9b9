package ui

import (
	"bytes"
	"time"
)

// A terminal behind a slow line looks fast: the kernel and the network take
// kilobytes at once and hand them on when they can, and a key then waits until
// all of it has been shown. So each piece of a frame ends with a question that
// every terminal since the VT100 answers, "how are you?" (DSR 5). The answer
// tells when the piece has arrived. Until then no other is drawn, and a piece is
// only as large as the line carries in pieceTime. A terminal that never answers
// is drawn on as if it were fast.
var (
	statusQuestion = []byte("\x1b[5n")
	statusAnswer   = []byte("\x1b[0n")
)

const (
	pieceTime    = 50 * time.Millisecond
	pieceLeast   = 96
	pieceFirst   = 1024
	pieceMost    = 64 << 10
	pieceProbe   = 8                      // pieces that tell nothing; then a larger one is tried
	firstAnswer  = 250 * time.Millisecond // for a terminal that has answered nothing yet
	answerLosing = 5 * time.Second        // for one that has
)

// linePace is what is known of the line to the terminal.
type linePace struct {
	asks  bool // questions are asked at all
	known bool // the terminal has answered one
	open  bool // a question is not yet answered
	asked time.Time
	bytes int           // of the piece the question ends
	room  int           // bytes the next piece may have
	trip  time.Duration // the shortest time to an answer,
	least int           // and how many bytes the piece had that it was for
	blind int           // pieces since one that told how fast the line is
}

// limit returns how many bytes the next piece may have.
func (l *linePace) limit() int {
	if !l.known {
		return pieceMost
	}
	return l.room
}

// ask returns what a piece of n bytes drawn at now ends with. Until the terminal
// has answered once, one question is enough.
func (l *linePace) ask(n int, now time.Time) []byte {
	if !l.asks || l.open && !l.known {
		return nil
	}
	l.open, l.asked, l.bytes = true, now, n
	return statusQuestion
}

// wait returns until when an open question keeps the next piece from being drawn.
func (l *linePace) wait() (time.Time, bool) {
	if !l.open {
		return time.Time{}, false
	}
	if !l.known {
		return l.asked.Add(firstAnswer), true
	}
	return l.asked.Add(answerLosing), true
}

// answered takes the answer and returns how long the line was busy with the piece.
func (l *linePace) answered(now time.Time) time.Duration {
	took := max(now.Sub(l.asked), 0)
	if !l.known {
		l.known, l.trip, l.least, l.room = true, took, l.bytes, pieceFirst
	}
	l.open = false
	if took < l.trip || took < l.trip+l.trip/16 && l.bytes < l.least {
		l.trip, l.least = min(took, l.trip), l.bytes
	}
	// The shortest time is the line's delay and what its own bytes took; so only
	// what a piece had beyond those, and took longer, tells how fast the line is.
	busy, more := took-l.trip, l.bytes-l.least
	if more < l.least/4 {
		if l.blind++; l.bytes >= l.room && (took < pieceTime || l.blind > pieceProbe) {
			l.room, l.blind = min(2*l.room, pieceMost), 0
		}
		return busy
	}
	l.blind = 0
	fits := int(int64(more) * int64(pieceTime) / int64(max(busy, time.Millisecond)))
	if fits < l.room && busy > pieceTime/2 || fits > l.room {
		l.room = min(max(fits, pieceLeast), 2*l.room, pieceMost)
	}
	return busy
}

// answers takes the answers to questions out of what was read.
func (s *Screen) answers(b []byte, now time.Time) []byte {
	for s.line.open {
		i := bytes.Index(b, statusAnswer)
		if i < 0 {
			break
		}
		b = append(b[:i:i], b[i+len(statusAnswer):]...)
		s.took, s.waiting = s.line.answered(now), false
	}
	return b
}

// Asking reports whether the terminal is about to send an answer that, once the
// screen is closed, would look like something typed.
func (s *Screen) Asking(now time.Time) bool {
	at, ok := s.line.wait()
	return ok && now.Before(at)
}

// Answered reports whether b, read after Close or Suspend, has that answer.
func (s *Screen) Answered(b []byte) bool {
	if !bytes.Contains(b, statusAnswer) {
		return false
	}
	s.line.open = false
	return true
}
