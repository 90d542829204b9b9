package ui

import (
	"fmt"
	"strings"
	"testing"
)

// find returns where the frame shows text.
func find(t *testing.T, f *Frame, text string) (x, y int) {
	t.Helper()
	for y, row := range strings.Split(f.Text(), "\n") {
		if i := strings.Index(row, text); i >= 0 {
			return textWidth(row[:i]), y
		}
	}
	t.Fatalf("no %q in\n%s", text, f.Text())
	return 0, 0
}

func (s *stage) click(t *testing.T, text string) []Action {
	t.Helper()
	f := s.m.Frame(s.now, 80, 24)
	x, y := find(t, f, text)
	return s.m.Mouse(Click, x, y, s.now)
}

func TestMouseSelectsAndOpens(t *testing.T) {
	s := newStage(uni()).asleep("work", 300).round("home")
	s.click(t, "home ")
	if s.m.selected().name != "home" || s.m.at != pageMain {
		t.Fatalf("selected %q on page %v", s.m.selected().name, s.m.at)
	}
	s.click(t, "home ")
	if s.m.at != pageAccount {
		t.Fatalf("a second click leads to %v", s.m.at)
	}
	s.click(t, "Drafts")
	s.click(t, "Drafts")
	if f := s.m.selectedFolder(); s.m.at != pageItem || f == nil || f.name != "Drafts" {
		t.Fatalf("page %v, folder %v", s.m.at, f)
	}
	s.keys("\x1b\x1b")
	s.click(t, "#2 listing")
	if k, n := s.m.item(s.m.selected()); s.m.at != pageItem || k != itemConn || n != 1 {
		t.Errorf("a click on a connection of the dashboard: page %v, item %v %d", s.m.at, k, n)
	}
}

func TestMouseOnKeyHints(t *testing.T) {
	s := newStage(uni()).asleep("home", 300).brake("home", "INBOX", 12, 2)
	if a := s.click(t, "s sync"); len(a) != 1 || a[0].Verb != "sync" || a[0].Account != "home" {
		t.Errorf("s sync: %v", a)
	}
	s.click(t, "(a: allow)")
	if s.m.confirm == nil {
		t.Fatal("the brake's line opens nothing")
	}
	if a := s.click(t, "UID 100"); len(a) != 0 || s.m.confirm == nil {
		t.Errorf("a click into the question's text answers it: %v", a)
	}
	if a := s.click(t, "n: no"); len(a) != 0 || s.m.confirm != nil {
		t.Errorf("n: %v", a)
	}
	s.click(t, "a allow")
	if a := s.click(t, "y: yes"); len(a) != 1 || a[0].Verb != "allow" || a[0].Folder != "INBOX" {
		t.Errorf("y: %v", a)
	}
}

func TestMouseWheel(t *testing.T) {
	s := newStage(uni()).asleep("work", 300).asleep("home", 300)
	for i := range 100 {
		s.ev(Event{Kind: "log", Text: fmt.Sprintf("line %d", i)})
	}
	f := s.m.Frame(s.now, 80, 24)
	s.m.Mouse(WheelUp, 5, f.H-3, s.now)
	if s.m.log.pin < 0 {
		t.Error("the wheel over the log does not scroll it")
	}
	s.m.Mouse(WheelDown, 5, 2, s.now)
	if s.m.sel != 1 {
		t.Error("the wheel over the accounts does not select")
	}
}

// TestMouseNeverTypes: while a password is typed, and in a paste, the mouse
// does nothing.
func TestMouseNeverTypes(t *testing.T) {
	s := newStage(uni()).asleep("home", 300).password("home")
	s.keys("sec")
	for y := range 24 {
		if a := s.m.Mouse(Click, 3, y, s.now); len(a) > 0 {
			t.Errorf("row %d: %v", y, a)
		}
	}
	if string(s.m.edit.text) != "sec" {
		t.Errorf("typed %q", string(s.m.edit.text))
	}
}

func TestMouseReports(t *testing.T) {
	for _, c := range []struct {
		name   string
		pieces []string
		want   bool
	}{
		{"click", []string{"\x1b[<0;3;24M\x1b[<0;3;24m"}, true},
		{"in pieces", []string{"\x1b", "[<0;", "3;24", "M"}, true},
		{"behind a key", []string{"k\x1b[<0;3;24M"}, true},
		{"with shift", []string{"\x1b[<4;3;24M"}, true},
		{"released", []string{"\x1b[<0;3;24m"}, false},
		{"right button", []string{"\x1b[<2;3;24M"}, false},
		{"pasted", []string{"\x1b[200~\x1b[<0;3;24M\x1b[201~"}, false},
		{"nonsense", []string{"\x1b[<0;3;24;5;6;7M\x1b[<;M\x1b[<999999999999;1;1M"}, false},
	} {
		x := newTerminal(t, 80, 24)
		x.Event(Event{Kind: "account-start", Account: "home", At: 1})
		x.Poll(start)
		var acts []Action
		for _, p := range c.pieces {
			acts = append(acts, x.Input([]byte(p), start)...)
		}
		if got := len(acts) == 1 && acts[0].Verb == "quit"; got != c.want {
			t.Errorf("%s: %v", c.name, acts)
		}
	}
	x := newTerminal(t, 80, 24)
	x.Poll(start)
	if out := x.take(start); !strings.Contains(out, "\x1b[?1000h") || !strings.Contains(out, "\x1b[?1006h") {
		t.Error("the terminal is not asked for the mouse")
	}
	x.Input([]byte("m"), start)
	if out := x.take(start); !strings.Contains(out, "\x1b[?1000l") || strings.Contains(out, "\x1b[?1000h") {
		t.Errorf("m: %q", out)
	}
	if !strings.Contains(string(x.Close()), "\x1b[?1000l") {
		t.Error("Close keeps the mouse")
	}
}

// TestTraceEndsWithItsPage: traces are asked for only while they are seen.
func TestTraceEndsWithItsPage(t *testing.T) {
	for _, leave := range []string{"\x1b", "t", "b"} {
		s := newStage(uni()).round("home")
		if a := s.keys("t"); len(a) != 1 || a[0] != (Action{Verb: "trace", Account: "home"}) {
			t.Fatalf("t: %v", a)
		}
		if a := s.keys(leave); len(a) != 1 || a[0] != (Action{Verb: "untrace", Account: "home"}) {
			t.Errorf("%q: %v", leave, a)
		}
	}
}

func TestCertificateQuestion(t *testing.T) {
	s := newStage(uni()).asleep("work", 300).certificate("work")
	if a := s.keys("\n"); len(a) != 0 || s.m.confirm != nil {
		t.Fatalf("Enter decides: %v", a)
	}
	if s.certificate("work"); s.m.confirm != nil {
		t.Error("put off, it comes back by itself")
	}
	s.keys("i")
	if a := s.keys("y"); len(a) != 1 || a[0] != (Action{Verb: "trust", Account: "work"}) || len(s.m.todo) != 0 {
		t.Errorf("y: %v, %d attentions", a, len(s.m.todo))
	}
	s.certificate("work")
	if a := s.keys("n"); len(a) != 1 || a[0] != (Action{Verb: "distrust", Account: "work"}) {
		t.Errorf("n: %v", a)
	}
}

// TestMouseOnShortNames: each of several matters in one row opens its own question.
func TestMouseOnShortNames(t *testing.T) {
	s := needy()
	fr := s.m.Frame(s.now, 80, 12)
	x, y := find(t, fr, "work/Work/2024: rests (c)")
	s.m.Mouse(Click, x, y, s.now)
	if s.m.confirm == nil || s.m.confirm.att.topic != TopicMissing {
		t.Error("the folder that rests opens nothing")
	}
	s.keys("n")
	fr = s.m.Frame(s.now, 120, 12)
	x, y = find(t, fr, "home/INBOX: 312 deletes (a)")
	s.m.Mouse(Click, x, y, s.now)
	if s.m.confirm == nil || s.m.confirm.att.topic != TopicBrake || s.m.confirm.att.folder != "INBOX" {
		t.Error("the brake opens nothing")
	}
}
