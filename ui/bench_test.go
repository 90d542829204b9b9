package ui

import (
	"fmt"
	"testing"
	"time"
)

// BenchmarkBusyFrame is one frame of a dashboard in the middle of a large first
// sync: between two frames a hundred copies went by, so that every row of the log
// has another text. It is split into what the model and what the terminal library
// takes.
func BenchmarkBusyFrame(b *testing.B) {
	for _, size := range [][2]int{{80, 24}, {200, 60}} {
		for _, part := range []string{"events", "model", "all"} {
			b.Run(fmt.Sprintf("%dx%d/%s", size[0], size[1], part), func(b *testing.B) {
				s := busyScreen(b, size[0], size[1])
				now, n := start, int64(0)
				b.ReportAllocs()
				for b.Loop() {
					now = now.Add(100 * time.Millisecond)
					if part != "model" {
						for range 100 {
							n++
							busyCopy(s, n, now)
						}
					}
					switch part {
					case "model":
						s.m.Frame(now, size[0], size[1])
					case "all":
						s.full = false
						s.draw(now)
						s.Wrote(len(s.Output()), now)
					}
				}
			})
		}
	}
}

// busyScreen is a screen whose log is full and whose account has ten folders at work.
func busyScreen(tb testing.TB, w, h int) *Screen {
	tb.Setenv("LC_ALL", "C.UTF-8")
	s, err := NewScreen(ScreenOptions{Options: Options{Name: "offloop", Unicode: true, Location: time.UTC}, Term: "xterm-256color", Size: func() (int, int) { return w, h }})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { s.Close() })
	s.Event(Event{Kind: "account-start", Account: "Work", At: start.UnixNano()})
	s.Event(Event{Kind: "connecting", Account: "Work", Conn: 1, Dest: "localhost:143", At: start.UnixNano()})
	for i := range 10 {
		s.Event(Event{Kind: "folder-start", Account: "Work", Folder: fmt.Sprintf("Folder.%d", i), Conn: 1, At: start.UnixNano()})
	}
	for i := range int64(3000) {
		busyCopy(s, i, start)
	}
	s.Poll(start)
	s.Wrote(len(s.Output()), start)
	return s
}

func busyCopy(s *Screen, n int64, now time.Time) {
	folder := [...]string{"Folder.0", "Folder.1", "Folder.2", "Folder.3", "Folder.4", "Folder.5", "Folder.6", "Folder.7", "Folder.8", "Folder.9"}[n/100%10]
	s.Event(Event{Kind: "copy", At: now.UnixNano(), Account: "Work", Folder: folder, Conn: 1, UID: n, N: n, Total: 50000, Bytes: 4096,
		Repo: "There", Dest: "Here", Text: fmt.Sprintf("Copy message UID %d (%d/50000) There:%s -> Here:%s", n, n, folder, folder)})
}
