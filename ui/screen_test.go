package ui

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// terminal is a screen whose output is taken as the test says.
type terminal struct {
	*Screen
	w, h int
}

func newTerminal(t *testing.T, w, h int) *terminal {
	t.Helper()
	t.Setenv("LC_ALL", "C.UTF-8")
	t.Setenv("NO_COLOR", "")
	x := &terminal{w: w, h: h}
	s, err := NewScreen(ScreenOptions{Options: Options{Name: "offloop", Unicode: true, Location: time.UTC},
		Term: "xterm-256color", Size: func() (int, int) { return x.w, x.h }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	x.Screen = s
	return x
}

// take takes all output at now.
func (x *terminal) take(now time.Time) string {
	out := string(x.Output())
	x.Wrote(len(out), now)
	return out
}

func (x *terminal) busy(now time.Time) {
	x.Event(Event{Kind: "log", At: now.UnixNano(), Text: fmt.Sprint("now ", now)})
}

func TestScreenPaintsAndRestores(t *testing.T) {
	x := newTerminal(t, 80, 24)
	x.Event(Event{Kind: "account-start", Account: "home", At: start.UnixNano()})
	x.Poll(start)
	out := x.take(start)
	if !strings.Contains(out, "\x1b[?1049h") || !strings.Contains(out, "Processing account home") {
		t.Errorf("first output %q", out)
	}
	if strings.Contains(out, "\x1b[?9001h") {
		t.Error("asked for win32 input mode")
	}
	for _, seq := range []string{"\x1b[?1049l", "\x1b[?25h", "\x1b[?2004l", "\x1b[?7h"} {
		if !strings.Contains(string(x.Close()), seq) {
			t.Errorf("Close leaves out %q: %q", seq, x.Close())
		}
	}
	if x.Output() != nil || x.Poll(start.Add(time.Hour)) != nil || x.Output() != nil {
		t.Error("a closed screen still draws")
	}
	if _, ok := x.NextDeadline(); ok {
		t.Error("a closed screen has a deadline")
	}
}

func TestScreenWritesOnlyWhatChanged(t *testing.T) {
	x := newTerminal(t, 200, 60)
	x.Poll(start)
	x.take(start)
	x.busy(start)
	x.Poll(start.Add(time.Second))
	if n := len(x.Output()); n == 0 || n > 600 {
		t.Errorf("one log line costs %d bytes", n)
	}
}

func TestScreenPacesFrames(t *testing.T) {
	x := newTerminal(t, 80, 24)
	x.Poll(start)
	x.take(start)
	before := x.Frames()
	for i := range 2000 { // an event and a turn each millisecond, for two seconds
		now := start.Add(time.Duration(i) * time.Millisecond)
		x.busy(now)
		x.Poll(now)
		x.take(now)
	}
	if n := x.Frames() - before; n < 18 || n > 20 {
		t.Errorf("%d frames in two seconds, want 20 at most", n)
	}
}

// TestDrawingIsAFortieth: whatever a frame costs, a busy sync spends at most a
// fortieth of its time on frames; a key is answered at once all the same. A frame in
// the middle of which the processor was away for long does not stop the picture.
func TestDrawingIsAFortieth(t *testing.T) {
	for _, size := range [][2]int{{80, 24}, {200, 60}} {
		for _, cost := range []time.Duration{100 * time.Microsecond, 2 * time.Millisecond, 5 * time.Millisecond, 50 * time.Millisecond} {
			x := newTerminal(t, size[0], size[1])
			now, began := start, start
			var spent, worstKey time.Duration
			poll := func() bool {
				frames := x.Frames()
				x.Poll(now)
				x.take(now)
				if x.Frames() == frames {
					return false
				}
				x.Drew(now, now.Add(cost))
				now = now.Add(cost)
				return true
			}
			for now.Before(began.Add(20 * time.Second)) {
				now = now.Add(time.Millisecond)
				x.busy(now)
				if poll() {
					spent += cost
				}
			}
			if share := float64(spent) / float64(now.Sub(began)); share > 1.0/40 {
				t.Errorf("%v: frames of %v took %.1f %% of the time", size, cost, share*100)
			}
			if at, ok := x.NextDeadline(); !ok || at.Sub(now) > frameSlowest {
				t.Errorf("%v: frames of %v: the next is due in %v", size, cost, at.Sub(now))
			}
			for range 20 {
				for drawn := false; !drawn; drawn = poll() { // in the midst of the frame's rest
					now = now.Add(time.Millisecond)
					x.busy(now)
				}
				x.Input([]byte("?"), now)
				pressed := now
				for !poll() {
					now = now.Add(time.Millisecond)
				}
				worstKey = max(worstKey, now.Sub(pressed)-cost)
			}
			if worstKey > keyEvery {
				t.Errorf("%v: frames of %v: a key waits for %v", size, cost, worstKey)
			}
		}
	}
	x := newTerminal(t, 80, 24)
	x.Poll(start)
	x.take(start)
	x.Drew(start, start.Add(10*time.Second))
	x.busy(start)
	if at, ok := x.NextDeadline(); !ok || at.Sub(start) > 10*time.Second+frameSlowest {
		t.Errorf("after a frame of 10 s the next is due at %v", at.Sub(start))
	}
}

// TestSlowTerminal has a terminal take 2 kB a second: frames are dropped, not
// queued, and each frame shown is a recent one.
func TestSlowTerminal(t *testing.T) {
	x := newTerminal(t, 160, 50)
	most, credit := 0, 0
	for i := range 20_000 {
		now := start.Add(time.Duration(i) * time.Millisecond)
		x.busy(now)
		x.Poll(now)
		most = max(most, len(x.Output()))
		if credit += 2; len(x.Output()) > 0 {
			n := min(credit, len(x.Output()))
			x.Wrote(n, now)
			credit -= n
		} else {
			credit = 0
		}
	}
	if x.Frames() < 4 || x.Frames() > 60 {
		t.Errorf("%d frames in 20 s at 2 kB/s", x.Frames())
	}
	if most > 40_000 {
		t.Errorf("%d bytes were waiting", most)
	}
}

// slowLine is a terminal behind a line that takes any amount at once and hands on
// bytesPerMs of it, after a delay. It answers questions.
type slowLine struct {
	*terminal
	pipe  []byte // taken, not yet shown
	shown []byte
	back  []int // ms at which answers are due
	delay int
}

func (l *slowLine) step(ms, bytesPerMs int) {
	now := start.Add(time.Duration(ms) * time.Millisecond)
	for len(l.back) > 0 && l.back[0] <= ms {
		l.back = l.back[1:]
		l.Input([]byte("\x1b[0n"), now)
	}
	l.Poll(now)
	l.pipe = append(l.pipe, l.take(now)...)
	n := min(len(l.pipe), bytesPerMs)
	seen := len(l.shown)
	l.shown, l.pipe = append(l.shown, l.pipe[:n]...), l.pipe[n:]
	for range bytes.Count(l.shown[max(seen-3, 0):], []byte("\x1b[5n")) {
		l.back = append(l.back, ms+l.delay)
	}
}

// TestKeyOnASlowLine: a line that takes everything and hands on 2 kB a second. A
// key is answered before what was still to be drawn.
func TestKeyOnASlowLine(t *testing.T) {
	for _, size := range [][2]int{{80, 24}, {200, 60}} {
		x := newTerminal(t, size[0], size[1])
		x.line.asks = true
		l := &slowLine{terminal: x, delay: 20}
		worst, most := 0, 0
		ms := 0
		run := func(for_ int, until string) int {
			from := len(l.shown)
			for i := range for_ {
				if ms++; ms%2 == 0 {
					x.busy(start.Add(time.Duration(ms) * time.Millisecond))
				}
				l.step(ms, 2)
				most = max(most, len(l.pipe))
				if until != "" && bytes.Contains(l.shown[from:], []byte(until)) {
					return i
				}
			}
			return for_
		}
		run(20_000, "")
		most = 0
		for range 10 {
			x.Input([]byte("/"), start.Add(time.Duration(ms)*time.Millisecond))
			worst = max(worst, run(3000, "Search"))
			x.Input([]byte("\x1b"), start.Add(time.Duration(ms)*time.Millisecond))
			run(337, "")
		}
		t.Logf("%d×%d: worst key %d ms, %d bytes on the way at most", size[0], size[1], worst, most)
		if worst > 150 || most > 300 {
			t.Errorf("%d×%d: a key took %d ms, %d bytes were on the way", size[0], size[1], worst, most)
		}
		shown := string(l.shown)
		if x.Frames() < 30 || !strings.Contains(shown, "log") {
			t.Errorf("only %d pieces drawn", x.Frames())
		}
	}
}

// TestPieceFollowsTheLine: what one piece may have follows the line's speed up and
// down, whatever its delay.
func TestPieceFollowsTheLine(t *testing.T) {
	for _, delay := range []int{1, 20, 300} {
		x := newTerminal(t, 200, 60)
		x.line.asks = true
		l := &slowLine{terminal: x, delay: delay}
		ms := 0
		run := func(bytesPerMs int) int {
			for range 20_000 {
				ms++
				x.busy(start.Add(time.Duration(ms) * time.Millisecond))
				l.step(ms, bytesPerMs)
				if ms%1000 == 0 {
					x.Input([]byte("\x0c"), start.Add(time.Duration(ms)*time.Millisecond)) // draw all
				}
			}
			return x.line.room
		}
		for _, c := range []struct{ speed, least, most int }{{1000, 4000, pieceMost}, {20, 500, 2500}, {2, pieceLeast, 400}, {20, 300, 2500}, {1000, 4000, pieceMost}} {
			if room := run(c.speed); room < c.least || room > c.most {
				t.Errorf("delay %d ms, %d bytes a ms: pieces of %d, want %d to %d", delay, c.speed, room, c.least, c.most)
			}
		}
	}
}

// TestAnswersAreNoKeys: what the terminal says of itself is not typed, whole or in
// pieces; a terminal that says nothing is drawn on all the same.
func TestAnswersAreNoKeys(t *testing.T) {
	x := newTerminal(t, 80, 24)
	x.line.asks = true
	x.Poll(start)
	if out := x.take(start); strings.Count(out, "\x1b[5n") != 1 || len(out) > 300 {
		t.Fatalf("asked with %q", out)
	}
	x.Input([]byte("/a\x1b[0nb\x1b[0"), start.Add(time.Millisecond))
	x.Input([]byte("n"), start.Add(2*time.Millisecond))
	if got := string(x.m.edit.text); got != "ab" || !x.line.known || x.line.open {
		t.Errorf("typed %q, %+v", got, x.line)
	}
	for _, b := range []string{"\x1b[0n", "\x1b[", "0n"} { // of an older question
		x.Input([]byte(b), start.Add(3*time.Millisecond))
	}
	if got := string(x.m.edit.text); got != "ab" {
		t.Errorf("typed %q", got)
	}
	mute := newTerminal(t, 80, 24)
	mute.line.asks = true
	mute.Poll(start)
	mute.take(start)
	mute.busy(start)
	if at, ok := mute.NextDeadline(); !ok || at.After(start.Add(firstAnswer)) {
		t.Errorf("the next frame is due at %v, %v", at, ok)
	}
	mute.Poll(start.Add(firstAnswer))
	if out := mute.take(start.Add(firstAnswer)); !strings.Contains(out, "now ") || strings.Contains(out, "\x1b[5n") {
		t.Errorf("without an answer: %q", out)
	}
}

func TestStoppedTerminal(t *testing.T) {
	x := newTerminal(t, 80, 24)
	for i := range 1000 {
		now := start.Add(time.Duration(i) * time.Second)
		x.busy(now)
		x.Poll(now)
		if at, ok := x.NextDeadline(); ok {
			t.Fatalf("wants a frame at %v though none is taken", at)
		}
	}
	if x.Frames() != 1 {
		t.Errorf("%d frames drawn for a terminal that takes nothing", x.Frames())
	}
	later := start.Add(time.Hour)
	x.take(later)
	x.Poll(later.Add(frameSlowest))
	if x.Frames() != 2 {
		t.Error("no frame once the terminal goes on")
	}
}

func TestKeyIsAnsweredSoon(t *testing.T) {
	x := newTerminal(t, 80, 24)
	x.Event(Event{Kind: "account-start", Account: "home", At: start.UnixNano()})
	x.Poll(start)
	x.take(start)
	x.Input([]byte("?"), start.Add(time.Millisecond))
	at, ok := x.NextDeadline()
	if !ok || at.Sub(start) > 50*time.Millisecond {
		t.Fatalf("frame after a key due at %v", at.Sub(start))
	}
	x.Poll(at)
	if out := x.take(at); !strings.Contains(out, "help") {
		t.Errorf("after the key: %q", out)
	}
}

func TestEscapeSequences(t *testing.T) {
	for _, c := range []struct {
		name   string
		pieces []string
		want   string // codes of the keys
	}{
		{"arrow", []string{"\x1b[A"}, "6"},
		{"arrow in pieces", []string{"\x1b", "[", "A"}, "6"},
		{"letters", []string{"ab"}, "a b"},
		{"utf8 cut", []string{"\xe6\x97", "\xa5"}, "日"},
		{"utf8 cut thrice", []string{"\xe6", "\x97", "\xa5x"}, "日 x"},
		{"ctrl-c", []string{"\x03"}, "^c"},
		{"enter", []string{"\r"}, "2"},
		{"kitty ctrl-c", []string{"\x1b[99;5u"}, "^c"},
		{"alt-q is no q", []string{"\x1bq"}, ""},
		{"backspace", []string{"\x7f\b"}, "5 5"},
	} {
		x := newTerminal(t, 80, 24)
		var got []string
		for i, p := range c.pieces {
			b := append(x.held, p...)
			x.held = nil
			keep := unfinished(b)
			if keep > 0 {
				x.held = append([]byte(nil), b[len(b)-keep:]...)
			}
			x.keys.ScanUTF8(b[:len(b)-keep])
			for len(x.events) > 0 {
				k, ok := keyOf(<-x.events)
				switch {
				case !ok:
				case k.Code == KeyRune:
					got = append(got, string(k.Rune))
				case k.Code == KeyCtrl:
					got = append(got, "^"+string(k.Rune))
				default:
					got = append(got, fmt.Sprint(k.Code))
				}
			}
			_ = i
		}
		if s := strings.Join(got, " "); s != c.want {
			t.Errorf("%s: keys %q, want %q", c.name, s, c.want)
		}
	}
}

// TestTwoEscapes: what was pressed twice and comes at once is two keys.
func TestTwoEscapes(t *testing.T) {
	s := newTerminal(t, 80, 24)
	now := start
	s.Event(Event{Kind: "folder-start", Account: "home", Folder: "A", Conn: 1})
	s.Input([]byte("\rj\r"), now)
	if s.m.at != pageItem {
		t.Fatal(s.m.at)
	}
	s.Input([]byte("\x1b\x1b"), now)
	s.Poll(now.Add(time.Second))
	if s.m.at != pageMain {
		t.Errorf("on page %v", s.m.at)
	}
}

func TestLoneEscape(t *testing.T) {
	x := newTerminal(t, 80, 24)
	x.Poll(start)
	x.take(start)
	x.Input([]byte("?"), start)
	x.Input([]byte("\x1b"), start)
	if !x.m.help {
		t.Fatal("Esc acted before it was known to be one")
	}
	at, ok := x.NextDeadline()
	if !ok || at.After(start.Add(escapeWait)) {
		t.Fatalf("deadline %v", at)
	}
	x.Poll(start.Add(escapeWait))
	if x.m.help {
		t.Error("Esc was not seen")
	}
}

func TestBigPaste(t *testing.T) {
	x := newTerminal(t, 80, 24)
	x.Event(Event{Kind: "attention", Account: "home", Dest: TopicPassword, Text: "pw"})
	word := strings.Repeat("pä日\n", 300)
	acts := x.Input([]byte("\x1b[200~"+word+"\x1b[201~"), start)
	acts = append(acts, x.Input([]byte("\r"), start)...)
	if len(acts) != 1 || acts[0].Text != strings.ReplaceAll(word, "\n", "") {
		t.Errorf("%d actions; a paste of %d bytes gave %.80v", len(acts), len(word), acts)
	}
}

func FuzzInput(f *testing.F) {
	f.Add([]byte("\x1b[200~x\x1b[201~\x1b\x1b[A\xe6\x97q"), uint8(3))
	f.Fuzz(func(t *testing.T, b []byte, cut uint8) {
		if bytes.IndexByte(b, '_') >= 0 {
			t.Skip("repeat counts of win32 input mode, which we never switch on")
		}
		t.Setenv("LC_ALL", "C.UTF-8")
		s, err := NewScreen(ScreenOptions{Term: "xterm", Size: func() (int, int) { return 20, 5 }})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		s.Event(Event{Kind: "account-start", Account: "a"})
		s.Event(Event{Kind: "attention", Account: "a", Dest: TopicPassword, Text: "pw"})
		now := start
		for n := int(cut)%7 + 1; len(b) > 0; {
			n = min(n, len(b))
			s.Input(b[:n], now)
			b = b[n:]
			now = now.Add(time.Millisecond)
		}
		s.Poll(now.Add(time.Second))
		checkFrame(t, &s.m.frame)
	})
}

func TestResizeRepaints(t *testing.T) {
	x := newTerminal(t, 80, 24)
	x.Event(Event{Kind: "log", At: 1, Text: "here I stay"})
	now := start
	for _, size := range [][2]int{{80, 24}, {1, 1}, {2, 50}, {200, 3}, {0, 0}, {120, 40}} {
		x.w, x.h = size[0], size[1]
		x.Resize()
		now = now.Add(time.Second)
		x.Poll(now)
		out := x.take(now)
		if size[0] >= 80 && size[1] > 3 && !strings.Contains(out, "here I stay") {
			t.Errorf("%v: the log is not repainted: %q", size, out)
		}
	}
}

func TestSuspendResume(t *testing.T) {
	x := newTerminal(t, 80, 24)
	x.Event(Event{Kind: "log", At: 1, Text: "here I stay"})
	x.Poll(start)
	x.take(start)
	acts := x.Input([]byte{0x1a}, start)
	if len(acts) != 1 || acts[0].Verb != "suspend" {
		t.Fatalf("ctrl-z: %v", acts)
	}
	if b := x.Suspend(); !strings.Contains(string(b), "\x1b[?1049l") {
		t.Errorf("%q", b)
	}
	x.busy(start)
	if x.Poll(start.Add(time.Second)); x.Output() != nil {
		t.Errorf("a suspended screen wrote %q", x.Output())
	}
	if err := x.Resume(); err != nil {
		t.Fatal(err)
	}
	x.Poll(start.Add(time.Minute))
	if out := x.take(start); !strings.Contains(out, "\x1b[?1049h") || !strings.Contains(out, "here I stay") || !strings.Contains(out, "\x1b[?2004h") {
		t.Errorf("after fg: %q", out)
	}
}

func TestRescue(t *testing.T) {
	x := newTerminal(t, 80, 24)
	x.Poll(start)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	func() {
		defer func() {
			if recover() == nil {
				t.Error("no panic")
			}
			Rescue(int(w.Fd()), x.Screen, nil)
		}()
		panic("in the middle of it")
	}()
	w.Close()
	b := make([]byte, 1000)
	n, _ := r.Read(b)
	if !strings.Contains(string(b[:n]), "\x1b[?1049l") {
		t.Errorf("%q", b[:n])
	}
	// A terminal that takes nothing does not hold the way out.
	r2, w2, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r2.Close()
	defer w2.Close()
	fd := int(w2.Fd())
	syscall.SetNonblock(fd, true)
	for {
		if _, err := syscall.Write(fd, make([]byte, 1<<16)); err != nil {
			break
		}
	}
	began := time.Now()
	Rescue(fd, x.Screen, nil)
	if d := time.Since(began); d > 2*time.Second {
		t.Errorf("took %v", d)
	}
}

// TestNoWaits: what is written for a terminal never asks the library to sleep.
func TestNoWaits(t *testing.T) {
	for _, term := range []string{"vt100", "vt102", "vt220", "xterm", "linux"} {
		ti, err := describe(term)
		if err != nil {
			t.Errorf("%s: %v", term, err)
		} else if s := fmt.Sprintf("%+v", *ti); strings.Contains(s, "$<") || ti.SetCursor == "" {
			t.Errorf("%s: %s", term, s)
		}
	}
}

func TestUnknownTerminal(t *testing.T) {
	for _, term := range []string{"dumb", "no-such-terminal"} {
		if _, err := NewScreen(ScreenOptions{Term: term, Size: func() (int, int) { return 80, 24 }}); err == nil || !strings.Contains(err.Error(), "ttyui") {
			t.Errorf("%s: %v", term, err)
		}
	}
}

// BenchmarkBusySecond is one second of a busy sync: 5,000 events and the ten
// frames they cause, painted into terminal bytes.
func BenchmarkBusySecond(b *testing.B) {
	for _, size := range [][2]int{{80, 24}, {200, 60}} {
		b.Run(fmt.Sprintf("%dx%d", size[0], size[1]), func(b *testing.B) {
			b.Setenv("LC_ALL", "C.UTF-8")
			s, err := NewScreen(ScreenOptions{Options: Options{Name: "offloop", Unicode: true}, Term: "xterm-256color", Size: func() (int, int) { return size[0], size[1] }})
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			now := start
			s.Event(Event{Kind: "account-start", Account: "home"})
			b.ReportAllocs()
			bytesOut := 0
			var worst time.Duration
			for b.Loop() {
				for i := range int64(5000) {
					now = now.Add(200 * time.Microsecond)
					kind := "copy"
					if i%2 == 1 {
						kind = "copied"
					}
					s.Event(Event{Kind: kind, At: now.UnixNano(), Account: "home", Folder: "Archive/2024", Conn: 1, UID: i, N: i, Total: 50000, Bytes: 4096,
						Text: "Copy message UID 12345 (123/50000) remote:Archive/2024 -> local"})
					began := time.Now()
					s.Poll(now)
					worst = max(worst, time.Since(began))
					bytesOut += len(s.Output())
					s.Wrote(len(s.Output()), now)
				}
			}
			b.ReportMetric(float64(bytesOut)/float64(b.N), "outB/op")
			b.ReportMetric(float64(worst.Microseconds())/1000, "worst-ms")
		})
	}
}
