package mailsync

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"offloop/imapproto/imaptest"
	"offloop/reactor/reactortest"
)

// crash is one way to interrupt the run under test.
type crash struct {
	call  int // at this file-system call
	power bool
	kill  int  // the process, at this piece on the wire
	cut   int  // the connection, at this piece
	lazy  bool // the server is slow, and goes on with a dead connection's commands
	again int  // the resumed run is killed too, at this call
}

func (c crash) String() string {
	var b strings.Builder
	for _, x := range []struct {
		what string
		n    int
	}{{"call", c.call}, {"piece-kill", c.kill}, {"piece-cut", c.cut}, {"again", c.again}} {
		if x.n > 0 {
			fmt.Fprintf(&b, " %s %d", x.what, x.n)
		}
	}
	if c.power {
		b.WriteString(" power")
	}
	if c.lazy {
		b.WriteString(" lazy")
	}
	return strings.TrimSpace(b.String())
}

// recorder keeps failures of one play, so that they can be told with how to
// repeat them.
type recorder struct {
	testing.TB
	failed []string
}

func (r *recorder) Helper()                   {}
func (r *recorder) Error(a ...any)            { r.failed = append(r.failed, fmt.Sprintln(a...)) }
func (r *recorder) Errorf(f string, a ...any) { r.failed = append(r.failed, fmt.Sprintf(f, a...)) }
func (r *recorder) Fatalf(f string, a ...any) { r.Errorf(f, a...); panic(r) }
func (r *recorder) Fatal(a ...any)            { r.Error(a...); panic(r) }

// measure is what an undisturbed run took.
type measure struct{ calls, pieces int }

// base is a scenario on one server up to the run under test: it is prepared once
// and every play goes on from a copy.
type base struct {
	s    *scenario
	bare bool
	w    *world
}

// prepare fills and syncs both sides and makes the scenario's changes.
func (s *scenario) prepare(t testing.TB, caps imaptest.Caps, bare bool, seed uint64) (b *base, failed []string) {
	r := &recorder{TB: t}
	defer r.caught(&failed)
	w := newWorld(r, caps, seed)
	w.batch = 1 + len(s.name)%6 // several batches, large ones and small ones
	if s.set != nil {
		s.set(&w.set)
	}
	if s.before != nil {
		s.before(w)
		w.must()
		w.must() // so that the run under test takes every shortcut it can
	}
	if s.change != nil {
		s.change(w)
	}
	w.events = nil
	return &base{s, bare, w}, nil
}

// caught ends a play: its failures, and a panic of the code under test.
func (r *recorder) caught(failed *[]string) {
	*failed = r.failed
	if x := recover(); x != nil && x != r {
		*failed = append(r.failed, fmt.Sprintf("panic: %v\n%s", x, stack()))
	}
}

// copy is the world as prepared, for one play.
func (b *base) copy(tb testing.TB, seed uint64) *world {
	w := *b.w
	w.tb, w.seed, w.last = tb, seed, nil
	w.fs, w.srv, w.mail = b.w.fs.Clone(seed), b.w.srv.Clone(), maps.Clone(b.w.mail)
	return &w
}

// play runs a scenario, interrupted as c says, and reports what is wrong.
func (s *scenario) play(t testing.TB, caps imaptest.Caps, bare bool, timing reactortest.Timing, seed uint64, c crash) (m measure, failed []string) {
	b, failed := s.prepare(t, caps, bare, seed)
	if len(failed) > 0 {
		return m, failed
	}
	return b.play(t, timing, seed, c, nil)
}

// play plays a copy.
func (b *base) play(t testing.TB, timing reactortest.Timing, seed uint64, c crash, cov *coverage) (m measure, failed []string) {
	r, s := &recorder{TB: t}, b.s
	defer r.caught(&failed)
	w := b.copy(r, seed)
	if s.faults != nil {
		s.faults(w)
	}
	if cov != nil {
		w.fs.Coverage, w.wireSites = cov.calls, cov.wire
	}
	w.timing, w.piece, w.lazy = timing, 600, c.lazy
	w.pieces = 0
	w.logFrom = len(w.srv.Log)
	calls := w.fs.Calls()
	if c.call > 0 {
		w.fs.CrashAfter(c.call)
	}
	w.killAt, w.cutAt = c.kill, c.cut
	res := w.sync()
	w.killAt, w.cutAt = 0, 0
	m = measure{w.fs.Calls() - calls, w.pieces}
	for lives := 0; res == nil; lives++ {
		if c.power {
			w.powerCut = true
			w.fs.PowerCut()
		} else {
			w.fs.Kill()
		}
		w.wait(50 * time.Millisecond)
		if lives == 0 && c.again > 0 {
			w.fs.CrashAfter(c.again)
		}
		if c.lazy {
			at := w.pieces + 1 + int(seed%7)
			w.onPiece = func(n int) {
				if n == at {
					w.srv.Settle(-1)
				}
			}
		}
		res = w.sync()
	}
	w.fs.CrashAfter(1 << 40)
	w.onPiece = nil
	if s.once != nil {
		s.once(w)
	}
	for range s.runs - 1 {
		w.must()
	}
	s.judge(w, res, b.bare, c)
	if len(r.failed) > 0 && res != nil {
		r.failed = append(r.failed, fmt.Sprintf("the run's errors: %v", res.Errors))
	}
	return m, nil
}

func (s *scenario) judge(w *world, res *Result, bare bool, c crash) {
	want := s.want
	if bare && s.bare != "" {
		want = s.bare
	}
	w.expect(want)
	if c == (crash{}) {
		found := s.errors == ""
		for _, e := range res.Errors {
			found = found || strings.Contains(e.Error(), s.errors)
			if s.errors == "" && !s.busy {
				w.tb.Errorf("error: %v", e)
			}
		}
		if !found {
			w.tb.Errorf("no error says %q", s.errors)
		}
	}
	if s.check != nil && c == (crash{}) {
		s.check(w)
	}
	if !s.busy {
		w.idle()
		w.expect(want)
	}
	if !s.busy && s.errors == "" && c == (crash{}) && s.faults == nil {
		w.idle()
		w.still()
	}
	w.noComplaints()
}

// TestScenarios plays every scenario on every server without interruption, with
// every timing of the disk.
func TestScenarios(t *testing.T) {
	for i := range scenarios {
		s := &scenarios[i]
		for _, v := range servers {
			if s.only != "" && !strings.Contains(s.only, v.name) {
				continue
			}
			t.Run(s.name+"/"+v.name, func(t *testing.T) {
				for _, timing := range []reactortest.Timing{reactortest.NextTurn, reactortest.Immediate, reactortest.Shuffled} {
					_, failed := s.play(t, v.caps, v.name == "bare", timing, 7, crash{})
					if len(failed) > 0 {
						t.Fatalf("%v: %s", timing, strings.Join(failed, "\n"))
					}
				}
			})
		}
	}
}
