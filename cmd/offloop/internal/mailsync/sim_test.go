package mailsync

import (
	"fmt"
	"hash/fnv"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"offloop/imapproto/imaptest"
	"offloop/reactor/reactortest"
)

var full = os.Getenv("OFFLOOP_FULL") != ""

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

// play runs a scenario, interrupted as c says, and reports what is wrong.
func (s *scenario) play(t testing.TB, caps imaptest.Caps, bare bool, timing reactortest.Timing, seed uint64, c crash) (m measure, failed []string) {
	r := &recorder{TB: t}
	defer func() {
		if x := recover(); x != nil && x != r {
			failed = append(r.failed, fmt.Sprintf("panic: %v\n%s", x, stack()))
		} else {
			failed = r.failed
		}
	}()
	w := newWorld(r, caps, seed)
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
	if s.faults != nil {
		s.faults(w)
	}
	w.timing, w.piece, w.lazy = timing, 600, c.lazy
	w.events = nil
	w.pieces = 0
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
	s.judge(w, res, bare, c)
	if len(r.failed) > 0 && res != nil {
		r.failed = append(r.failed, fmt.Sprintf("the run's errors: %v", res.Errors))
	}
	return m, r.failed
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

// TestRule3_CrashAnywhere interrupts every scenario on every server at
// file-system calls (the process alone, and with the power) and at pieces on the
// wire (the process, and the connection), and demands the same end. With
// OFFLOOP_FULL=1 at every call and piece, and the resumed run once more.
func TestRule3_CrashAnywhere(t *testing.T) {
	points, broken := 0, 0
	for i := range scenarios {
		s := &scenarios[i]
		if s.noCrash {
			continue
		}
		for _, v := range servers {
			if s.only != "" && !strings.Contains(s.only, v.name) || testing.Short() && v.name != "qresync" {
				continue
			}
			t.Run(s.name+"/"+v.name, func(t *testing.T) {
				bare := v.name == "bare"
				m, failed := s.play(t, v.caps, bare, reactortest.NextTurn, 7, crash{})
				if len(failed) > 0 {
					t.Skip("the scenario fails uninterrupted")
				}
				h := fnv.New32a()
				h.Write([]byte(s.name + v.name))
				off := int(h.Sum32() >> 1)
				bad := 0
				try := func(c crash) {
					if bad >= 3 {
						return
					}
					points++
					timing := []reactortest.Timing{reactortest.NextTurn, reactortest.Immediate, reactortest.Shuffled}[(c.call+c.kill+c.cut)%3]
					if _, failed := s.play(t, v.caps, bare, timing, uint64(7+c.call+c.kill+c.cut), c); len(failed) > 0 {
						bad++
						broken++
						t.Errorf("%v (%v): %s", c, timing, strings.Join(failed, "\n"))
					}
				}
				for _, k := range steps(m.calls, 5, off) {
					power := s.name != "no fsync"
					try(crash{call: k})
					try(crash{call: k, power: power})
					if full {
						for j := 1; j < m.calls; j += 1 + m.calls/8 {
							try(crash{call: k, again: j})
						}
					} else if k%3 == 0 {
						try(crash{call: k, again: 1 + (off+k)%m.calls, power: power && k%2 == 0})
					}
				}
				for _, k := range steps(m.pieces, 2, off) {
					try(crash{kill: k})
					try(crash{cut: k})
					try(crash{kill: k, lazy: true})
					try(crash{cut: k, lazy: true})
				}
			})
		}
	}
	t.Logf("%d crash points, %d wrong", points, broken)
}

// steps chooses up to n of the numbers 1..of, all of them in a full run.
func steps(of, n, off int) []int {
	if raceOn {
		n = (n + 3) / 4
	}
	stride := 1
	if !full {
		stride = max(1, of/n)
	}
	var l []int
	for k := 1 + off%stride; k <= of; k += stride {
		l = append(l, k)
	}
	return slices.Clip(l)
}
