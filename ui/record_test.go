package ui

import (
	"bytes"
	"fmt"
	"hash/fnv"
	"math/rand"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestReplay records a screen under everything that can happen to it, hostile names,
// prompts, the mouse, sizes and a slow line included, and replays it: the same
// frames at the same times, cell by cell. No password is in it.
func TestReplay(t *testing.T) {
	const secret = "tjbkplSf" // every letter is a command where no password is asked for
	const late = "WvEzw"      // none is
	rnd := rand.New(rand.NewSource(7))
	for round := range 8 {
		var file bytes.Buffer
		x := newTerminal(t, 80, 24)
		x.rec = NewRecorder(&file)
		x.m.opt.Mono, x.m.opt.Location = round%3 == 0, time.FixedZone("here", 3600*(round%5))
		if round%4 == 1 {
			x.line = linePace{asks: true, known: true, room: 200}
		}
		var want []uint64
		now := start
		poll := func() {
			frames := x.Frames()
			x.Poll(now)
			x.take(now)
			if x.line.open {
				x.Input(statusAnswer, now)
			}
			if x.Frames() > frames && x.m.frame.W > 0 {
				want = append(want, picture(now, &x.m.frame))
			}
		}
		x.Event(Event{Kind: "account-start", At: now.UnixNano(), Account: "home"})
		names := []string{"", "home", "work", hostile, "日本", strings.Repeat("x", 300), "\xff\xfe"}
		name := func() string { return names[rnd.Intn(len(names))] }
		for range 400 {
			now = now.Add(time.Duration(rnd.Int63n(int64(300 * time.Millisecond))))
			switch rnd.Intn(8) {
			case 0:
				x.Input([]byte([]string{"\x1b[A", "\x1b[B", "\r", "?", "b", "j", "k", "/ab\r", "fx\r", "t", "a", "y", "n", "1", "\x1b[5~", "p", "l", "h"}[rnd.Intn(18)]), now)
			case 1:
				x.Input(fmt.Appendf(nil, "\x1b[<%d;%d;%dM", []int{0, 64, 65}[rnd.Intn(3)], 1+rnd.Intn(80), 1+rnd.Intn(24)), now)
			case 2:
				x.w, x.h = 1+rnd.Intn(120), 1+rnd.Intn(40)
				x.Resize()
			case 3:
				x.Event(Event{Kind: "attention", At: now.UnixNano(), Account: "home", Dest: TopicPassword, Text: "Please enter password"})
				if x.m.mode == modePassword { // else a question is open, and the letters are its answers
					x.Input([]byte(secret), now)
				}
				poll()
				x.Input([]byte("\x1b[200~"+secret+"\x1b[201~\r"), now)
				x.Input([]byte(late), now)
			default:
				x.Event(Event{Kind: Kinds[rnd.Intn(len(Kinds))].Name, At: now.UnixNano(), Account: name(), Folder: name(), Conn: rnd.Intn(3), Dest: name(),
					Text: name(), Hint: name(), N: rnd.Int63n(100), Total: rnd.Int63n(200), Bytes: rnd.Int63n(1e6), UID: rnd.Int63n(1000)})
			}
			poll()
		}
		if err := x.rec.Flush(); err != nil {
			t.Fatal(err)
		}
		if keys := keysOf(file.String()); strings.Contains(file.String(), secret) || strings.Contains(keys, secret) || strings.ContainsAny(keys, late) {
			t.Fatalf("the password is in the recording: %q", keys)
		}
		var got []uint64
		err := Replay(bytes.NewReader(file.Bytes()), func(at time.Time, f *Frame) error {
			got = append(got, picture(at, f))
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got, want) {
			n := 0
			for n < min(len(got), len(want)) && got[n] == want[n] {
				n++
			}
			t.Fatalf("round %d: %d frames of %d, number %d is another", round, len(got), len(want), n)
		}
		// Cut anywhere, as a kill leaves it, it replays up to there.
		cut := file.Bytes()[:rnd.Intn(file.Len())]
		if err := Replay(bytes.NewReader(cut), func(time.Time, *Frame) error { return nil }); err != nil {
			t.Errorf("cut: %v", err)
		}
	}
}

// picture tells frames and their times apart.
func picture(at time.Time, f *Frame) uint64 {
	h := fnv.New64a()
	fmt.Fprint(h, at.UnixNano(), f.W, f.H, f.CursorX, f.CursorY)
	for _, c := range f.Cells {
		h.Write([]byte(c.Text))
		h.Write([]byte{c.Width, byte(c.Style.FG), byte(c.Style.BG), byte(c.Style.Attr)})
	}
	return h.Sum64()
}

// keysOf is what was typed, as far as a recording tells.
func keysOf(file string) string {
	var b strings.Builder
	for line := range strings.Lines(file) {
		var c rune
		if _, after, ok := strings.Cut(line, `"ui":"key","rune":`); ok {
			fmt.Sscan(strings.TrimRight(after, "}\n"), &c)
			b.WriteRune(c)
		}
	}
	return b.String()
}

// TestReplayOfJSON: the lines of --json are a recording too; what is none is refused
// by its line.
func TestReplayOfJSON(t *testing.T) {
	var file bytes.Buffer
	j := NewJSONLines(&file, Info)
	for i := range 50 {
		j.Event(Event{Kind: "log", At: start.Add(time.Duration(i) * 100 * time.Millisecond).UnixNano(), Text: fmt.Sprint("line ", i)})
	}
	frames, last := 0, ""
	if err := Replay(&file, func(at time.Time, f *Frame) error { frames, last = frames+1, f.Text(); return nil }); err != nil {
		t.Fatal(err)
	}
	if frames != 5 || !strings.Contains(last, "line 49") {
		t.Errorf("%d frames, the last is\n%s", frames, last)
	}
	ev := `{"time":"2026-03-01T12:00:00Z","kind":"log"}` + "\n"
	for in, want := range map[string]string{
		"what\n":    "line 1 ",
		ev + "{}\n": "line 2 ",
		ev + `{"time":"soon","kind":"log"}` + "\n": "line 2 ",
		`{"ui":"frame","w":3,"h":3}` + "\n":        "before the start",
		ev + `{"ui":"dance"}` + "\n":               "unknown",
	} {
		if err := Replay(strings.NewReader(in), func(time.Time, *Frame) error { return nil }); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", in, err, want)
		}
	}
}

func FuzzReplay(f *testing.F) {
	f.Add([]byte(`{"time":"2026-03-01T12:00:00Z","ui":"start"}` + "\n" + `{"time":"2026-03-01T12:00:00Z","ui":"frame","w":9,"h":9}` + "\n"))
	f.Add([]byte(`{"time":"2026-03-01T12:00:00Z","kind":"log","raw":{"text":"/w=="}}` + "\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		frames := 0
		Replay(bytes.NewReader(b), func(_ time.Time, f *Frame) error {
			if frames++; frames > 50 {
				return fmt.Errorf("enough")
			}
			checkFrame(t, f)
			return nil
		})
	})
}
