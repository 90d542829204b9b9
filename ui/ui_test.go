package ui

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand"
	"os"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/rivo/uniseg"
)

func TestRule10_Safe(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"INBOX", "INBOX"},
		{"Büro/日本", "Büro/日本"},
		{"a\x1b[2J", `a\x1b[2J`},
		{"\x9b31m", `\x9b31m`},
		{"a\u0085b", `a\u0085b`},
		{"a\u202eb", `a\u202eb`},
		{"\u2066x\u2069", `\u2066x\u2069`},
		{"a\u200bb", `a\u200bb`},
		{"\u200fa", `\u200fa`},
		{"a\xffb", `a\xffb`},
		{"a\r\n\tb", `a\r\n\tb`},
		{"\x7f", `\x7f`},
		{"می\u200cخواهم", "می\u200cخواهم"},
		{"\u0301a", `\u0301a`},
		{"\U000E0041", `\U000e0041`},
		{"❤\ufe0f", "❤"},
		{"\ufeffx", `\ufeffx`},
		{"a\u2028b", `a\u2028b`},
		{"a\u00a0b", `a\u00a0b`},
		{"\ufffd", "\ufffd"},
	} {
		if got := Safe(c.in); got != c.want {
			t.Errorf("Safe(%q) = %q, want %q", c.in, got, c.want)
		}
	}
	if n := testing.AllocsPerRun(100, func() { Safe("Syncing INBOX/Büro: IMAP -> Maildir") }); n != 0 {
		t.Errorf("Safe allocates %v times for plain text", n)
	}
}

// TestLineCharacters: the characters of rules and bars are cut off without looking
// them up, and only where that gives the same.
func TestLineCharacters(t *testing.T) {
	for r := rune(0x24F0); r < 0x25D0; r++ {
		for _, next := range []string{"", "x", "\u2500", "\u25b6", "\ufe0f", "\u0301", "\u200d", "日"} {
			s := string(r) + next
			want, rest, width, _ := uniseg.FirstGraphemeClusterInString(s, -1)
			if got, w, left := cluster(s); got != want || w != width || left != rest {
				t.Errorf("%+q: %+q of %d cells, want %+q of %d", s, got, w, want, width)
			}
		}
	}
}

func FuzzSafe(f *testing.F) {
	f.Add(hostile)
	f.Add("e\u0301\u0301\u0301\u0301\u0301\u0301")
	f.Fuzz(func(t *testing.T, s string) {
		got := Safe(s)
		if !utf8.ValidString(got) || strings.ContainsAny(got, "\x1b\n\r\t\x7f\u009b\u202e\u2066\u200b") {
			t.Fatalf("Safe(%q) = %q", s, got)
		}
		for _, r := range got {
			if r < ' ' || r >= 0x7f && r < 0xa0 {
				t.Fatalf("Safe(%q) = %q holds %U", s, got, r)
			}
		}
		if again := Safe(got); again != got {
			t.Fatalf("Safe(%q) = %q, but of that %q", s, got, again)
		}
	})
}

func TestTextUIs(t *testing.T) {
	events := []Event{
		{Kind: "banner", Text: "offloop 0.1"},
		{Kind: "account-start", Account: "home"},
		{Kind: "folder-start", Account: "home", Folder: "IN\nBOX"},
		{Kind: "account-start", Account: "work"},
		{Kind: "warn", Account: "work", Text: "odd \x1b[2J"},
		{Kind: "copied", Account: "home", Folder: "INBOX", N: 1},
		{Kind: "error", Account: "home", Text: "ERROR: disk full", Hint: "free some"},
		{Kind: "stats", Dest: MeasureTurn, N: 5, Text: "disk"},
		{Kind: "log", Text: "end"},
	}
	for _, c := range []struct {
		name string
		make func(*bytes.Buffer) interface{ Event(Event) }
		want string
	}{
		{"ttyui", func(b *bytes.Buffer) interface{ Event(Event) } { return NewTTY(b, Info) },
			"offloop 0.1\nAccount sync home:\n *** Processing account home\nFolder IN\\nBOX [acc: home]:\n Syncing IN\\nBOX: IMAP -> Maildir\n" +
				"Account sync work:\n *** Processing account work\n odd \\x1b[2J\n" +
				"Account sync home:\n ERROR: disk full\n   free some\nend\n"},
		{"basic", func(b *bytes.Buffer) interface{ Event(Event) } { return NewBasic(b, Info) },
			"offloop 0.1\n*** Processing account home\nSyncing IN\\nBOX: IMAP -> Maildir\n*** Processing account work\nodd \\x1b[2J\nERROR: disk full\n  free some\nend\n"},
		{"quiet", func(b *bytes.Buffer) interface{ Event(Event) } { return NewQuiet(b) },
			"odd \\x1b[2J\nERROR: disk full\n  free some\n"},
		{"syslog", func(b *bytes.Buffer) interface{ Event(Event) } { return NewSyslog(b, "offloop", 7, Warn) },
			"<12>offloop[7]: odd \\x1b[2J\n<11>offloop[7]: ERROR: disk full\n<11>offloop[7]:   free some\n"},
		{"journal", func(b *bytes.Buffer) interface{ Event(Event) } { return NewJournal(b, Warn) },
			"<4>odd \\x1b[2J\n<3>ERROR: disk full\n<3>  free some\n"},
		{"machineui", func(b *bytes.Buffer) interface{ Event(Event) } { return NewMachine(b, Info) },
			"msg:protocol:MainThread:7.2.0\nmsg:initbanner:MainThread:offloop+0.1\n" +
				"msg:registerthread:Account+sync+home:home\nmsg:acct:Account+sync+home:home\n" +
				"msg:registerthread:Folder+IN%0ABOX+%5Bacc%3A+home%5D:home\nmsg:syncingfolder:Folder+IN%0ABOX+%5Bacc%3A+home%5D:IMAP%0AIN%0ABOX%0AMaildir%0AIN%0ABOX%0A\n" +
				"msg:registerthread:Account+sync+work:work\nmsg:acct:Account+sync+work:work\n" +
				"warn::Account+sync+work:odd+%5Cx1b%5B2J\n" +
				"error::Account+sync+home:ERROR%3A+disk+full%0A++free+some\nmsg::MainThread:end\n"},
	} {
		var b bytes.Buffer
		u := c.make(&b)
		for _, e := range events {
			u.Event(e)
		}
		if b.String() != c.want {
			t.Errorf("%s:\ngot  %q\nwant %q", c.name, b.String(), c.want)
		}
	}
}

// TestSummaryNames: each line says whose it is, once.
func TestSummaryNames(t *testing.T) {
	var s Summary
	for _, text := range []string{"ERROR: ab, folder F: x", "ERROR: ab: h: x", "ERROR: abc: x", "ERROR: x"} {
		s.Event(Event{Kind: "error", Account: "ab", Text: text})
	}
	s.Event(Event{Kind: "attention", Account: "ab", Dest: TopicOffline, Text: "ab: the server cannot be reached"})
	var b strings.Builder
	s.WriteTo(&b)
	if want := "ERROR: Exceptions occurred during the run!\n ERROR: ab, folder F: x\n ERROR: ab: h: x\n ab: ERROR: abc: x\n ab: ERROR: x\nWaiting for you:\n ab: the server cannot be reached\n"; b.String() != want {
		t.Errorf("%q\nwant %q", b.String(), want)
	}
}

func TestSummary(t *testing.T) {
	var s Summary
	s.Event(Event{Kind: "warn", Text: "w"})
	var b bytes.Buffer
	if s.WriteTo(&b); b.Len() != 0 || s.Errors() {
		t.Errorf("a warning was summed up: %q", b.String())
	}
	for i := range 300 {
		s.Event(Event{Kind: "error", Account: "a", Text: fmt.Sprint("ERROR: ", i)})
	}
	s.WriteTo(&b)
	if !strings.HasPrefix(b.String(), "ERROR: Exceptions occurred during the run!\n a: ERROR: 0\n") || !strings.HasSuffix(b.String(), "... and 100 more\n") {
		t.Errorf("summary %q", b.String())
	}
}

func TestTTYPrompt(t *testing.T) {
	var b bytes.Buffer
	u := NewTTY(&b, Info)
	ask := func(a string) { u.Event(Event{Kind: "attention", Account: a, Dest: TopicPassword, Text: "password!"}) }
	ask("home")
	ask("work")
	if !u.Prompting() {
		t.Fatal("no prompt")
	}
	// Typed in pieces, with an arrow key, a correction, and a UTF-8 letter cut.
	var acts []Action
	for _, piece := range []string{"se", "cx\x7f", "ret\x1b[", "A\xc3", "\xa9"} {
		acts = append(acts, u.Input([]byte(piece))...)
	}
	u.Event(Event{Kind: "log", Account: "third", Text: "goes on"})
	acts = append(acts, u.Input([]byte("\r"))...)
	// Pasted with a line end inside.
	acts = append(acts, u.Input([]byte("\x1b[200~pa\nsted\n\x1b[201~\r"))...)
	want := []Action{{Verb: "password", Account: "home", Text: "secreté"}, {Verb: "password", Account: "work", Text: "pasted"}}
	if fmt.Sprint(acts) != fmt.Sprint(want) {
		t.Errorf("actions %v, want %v", acts, want)
	}
	if u.Prompting() {
		t.Error("still prompting")
	}
	for _, secret := range []string{"se", "ret", "sted"} {
		if strings.Contains(strings.ReplaceAll(b.String(), "password", ""), secret) {
			t.Errorf("the password was echoed: %q", b.String())
		}
	}
	if !strings.Contains(b.String(), "goes on\r\nPassword for account home: ") {
		t.Errorf("the prompt did not come back after a line: %q", b.String())
	}
}

// TestAllowNamesWhatWasShown: while a brake's question is open others are held back, too.
// The answer is about what the question shows.
func TestAllowNamesWhatWasShown(t *testing.T) {
	s := newStage(uni()).asleep("home", 300)
	held := func(set, list string) {
		s.ev(Event{Kind: "attention", Account: "home", Folder: "A", Dest: TopicBrake, N: 12, Set: set, Text: "Brake"})
		s.ev(Event{Kind: "held", Account: "home", Folder: "A", Dest: TopicBrake, Text: list})
	}
	held("1/1:12/", "UID 1 first")
	s.keys("a")
	held("1/1:12/", "UID 1 first, read")
	if f := s.m.Frame(s.now, 80, 24).Text(); !strings.Contains(f, "first, read") {
		t.Errorf("the list that came later is not shown:\n%s", f)
	}
	held("1/13:24/", "UID 13 other")
	if f := s.m.Frame(s.now, 80, 24).Text(); !strings.Contains(f, "UID 1 first") || strings.Contains(f, "other") {
		t.Errorf("the question changed while it was open:\n%s", f)
	}
	if acts := s.m.Key(r('y'), s.now); len(acts) != 1 || acts[0].Set != "1/1:12/" {
		t.Errorf("%v", acts)
	}
}

// TestMachineLists: the UIDs of deletes and flags are listed one by one, a thousand in a
// line.
func TestMachineLists(t *testing.T) {
	var b bytes.Buffer
	m := NewMachine(&b, Info)
	m.Event(Event{Kind: "flags", Account: "A", Folder: "F", Dest: "S, F", N: 4, Set: "1:3,10"})
	m.Event(Event{Kind: "unflags", Account: "A", Folder: "F", Dest: "S", N: 1, Set: "4294967295"})
	m.Event(Event{Kind: "delete-local", Account: "A", Folder: "F", N: 2, Set: "7,9"})
	m.Event(Event{Kind: "delete-remote", Account: "A", Folder: "F", Dest: "There", N: 2001, Set: "1:2001"})
	lines := strings.Split(b.String(), "\n")
	for i, want := range []string{"addingflags:Account+sync+A:1%0C2%0C3%0C10%0AS%0CF%0AF", "deletingflags:Account+sync+A:4294967295%0AS%0AF", "deletingmessages:Account+sync+A:7%0C9%0AMaildir%09F"} {
		if lines[i+1] != "msg:"+want {
			t.Errorf("%q, want %q", lines[i+1], want)
		}
	}
	if len(lines) != 8 || strings.Count(lines[4], "%0C") != 999 || !strings.HasPrefix(lines[5], "msg:deletingmessages:Account+sync+A:1001%0C1002%0C") || lines[6] != "msg:deletingmessages:Account+sync+A:2001%0AIMAP%09There" {
		t.Errorf("%q", lines[4:])
	}
	b.Reset()
	m.Event(Event{Kind: "delete-remote", Account: "A", Folder: "F", Set: "x,1:y,"})
	if b.Len() != 0 {
		t.Errorf("of no UIDs: %q", b.String())
	}
}

func TestMachinePassword(t *testing.T) {
	var b bytes.Buffer
	m := NewMachine(&b, Info)
	m.Event(Event{Kind: "attention", Account: "a b", Dest: TopicPassword, Text: "x"})
	if !strings.HasSuffix(b.String(), "msg:getpass:Account+sync+a+b:a+b\n") || !m.Waiting() {
		t.Fatalf("%q", b.String())
	}
	acts := append(m.Input([]byte("sec")), m.Input([]byte("ret\r\nmore\n"))...)
	if len(acts) != 1 || acts[0] != (Action{Verb: "password", Account: "a b", Text: "secret"}) || m.Waiting() {
		t.Errorf("%v", acts)
	}
}

func TestJSONLines(t *testing.T) {
	var b bytes.Buffer
	j := NewJSONLines(&b, Debug)
	j.Event(Event{Kind: "copied", At: 1500000000, Account: "home", Folder: hostile, Conn: 2, UID: 7, N: 1, Total: 2, Bytes: 3, Rate: 4, Set: "1/2/"})
	line := b.String()
	if strings.Count(line, "\n") != 1 || strings.ContainsAny(line, "\x1b\u202e\u2066\u200b\u009b") {
		t.Errorf("line %q", line)
	}
	var got map[string]any
	if err := json.Unmarshal(b.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if got["time"] != "1970-01-01T00:00:01.5Z" || got["severity"] != "debug" || got["uid"] != 7.0 || got["rate"] != 4.0 || got["set"] != "1/2/" {
		t.Errorf("%v", got)
	}
	if want := strings.ToValidUTF8(hostile, "\ufffd"); strings.ReplaceAll(got["folder"].(string), "\ufffd\ufffd", "\ufffd") != want && got["folder"] != want {
		t.Errorf("folder came back as %q, want %q", got["folder"], want)
	}
}

func TestKinds(t *testing.T) {
	seen := map[string]bool{}
	for _, k := range Kinds {
		if seen[k.Name] || k.Fields == "" || k.Meaning == "" || LevelOf(Event{Kind: k.Name}).String() != k.Severity {
			t.Errorf("kind %+v", k)
		}
		seen[k.Name] = true
	}
}

func TestKeyActions(t *testing.T) {
	for _, c := range []struct {
		keys string
		want []Action
	}{
		{"q", []Action{{Verb: "quit"}}},
		{"Q", []Action{{Verb: "quitnow"}}},
		{"s", []Action{{Verb: "sync", Account: "home"}}},
		{"js", []Action{{Verb: "sync", Account: "work"}}},
		{"2", []Action{{Verb: "sync", Account: "work"}}},
		{"9", nil},
		{"S", []Action{{Verb: "sync"}}},
		{"r", []Action{{Verb: "reload"}}},
		{"pp", []Action{{Verb: "pause", Account: "home"}, {Verb: "resume", Account: "home"}}},
		{"a", nil},
		{"an", nil},
		{"aq", nil}, // the question swallows it
		{"ay", []Action{{Verb: "allow", Account: "home", Folder: "IN\x1bBOX", Set: "1//1:300"}}},
		{"c", nil},
		{"cy", nil}, // each choice has a key of its own
		{"cn", nil},
		{"cqf\x1b", nil},
		{"cm", []Action{{Verb: "recreate", Account: "home", Folder: "Work/2024"}}},
		{"cf", []Action{{Verb: "forget", Account: "home", Folder: "Work/2024"}}},
		{"cfc", []Action{{Verb: "forget", Account: "home", Folder: "Work/2024"}}},
		{"u", []Action{{Verb: "undo", Account: "home"}}},
		{"ju", []Action{{Verb: "undo", Account: "work"}}},
		{"\n↓↓u", []Action{{Verb: "undo", Account: "home", Folder: "IN\x1bBOX"}}},
		{"\n↓↓s", []Action{{Verb: "sync", Account: "home", Folder: "IN\x1bBOX"}}},
		{"?q", []Action{{Verb: "quit"}}},
		{"/q\nq", []Action{{Verb: "quit"}}},
	} {
		s := newStage(uni())
		s.ev(Event{Kind: "folder-start", Account: "home", Folder: "A"}).ev(Event{Kind: "folder-start", Account: "home", Folder: "IN\x1bBOX"})
		s.ev(Event{Kind: "account-start", Account: "work"})
		if strings.HasPrefix(c.keys, "a") && len(c.keys) > 1 {
			s.brake("home", "IN\x1bBOX", 300, 2)
		}
		if strings.HasPrefix(c.keys, "c") && len(c.keys) > 1 {
			s.missing("home")
		}
		if got := s.keys(c.keys); fmt.Sprint(got) != fmt.Sprint(c.want) {
			t.Errorf("keys %q: %v, want %v", c.keys, got, c.want)
		}
	}
}

// TestUndoQuestion: nothing comes back before the person has seen what and said yes;
// the question never takes the keyboard from a prompt.
func TestUndoQuestion(t *testing.T) {
	for keys, want := range map[string]string{"y": "[{restore home IN\x1bBOX  }]", "n": "[]", "\x1b": "[]", "\n": "[]", "yy": "[{restore home IN\x1bBOX  }]", "q": "[]"} {
		s := newStage(uni()).asleep("home", 60).undo("home", "IN\x1bBOX")
		if text := s.m.Frame(s.now, 80, 24).Text(); !strings.Contains(text, "lunch") || !strings.Contains(text, "y: bring back") {
			t.Fatal(text)
		}
		if got := fmt.Sprint(s.keys(keys)); got != want {
			t.Errorf("%q: %s, want %s", keys, got, want)
		}
		if s.m.confirm != nil {
			t.Errorf("%q leaves the question open", keys)
		}
	}
	s := newStage(uni()).asleep("home", 60).password("home").undo("home", "")
	if s.m.confirm != nil || s.m.mode != modePassword {
		t.Error("the question took the keyboard from a password")
	}
	s = newStage(uni()).asleep("home", 60).ev(Event{Kind: "undo", Account: "home", Text: "Nothing was deleted here"})
	if s.m.confirm != nil || !strings.Contains(s.m.Frame(s.now, 80, 24).Text(), "Nothing was deleted here") {
		t.Error("nothing to bring back is asked about, or not said")
	}
}

func TestNumberOfManyAccounts(t *testing.T) {
	s := newStage(uni())
	for i := range 12 {
		s.asleep(fmt.Sprint("a", i+1), 60)
	}
	if acts := s.keys("1"); len(acts) != 0 {
		t.Fatalf("acted on 1 though 12 exists: %v", acts)
	}
	if at, ok := s.m.Deadline(); !ok || !at.Equal(s.now.Add(digitWait)) {
		t.Errorf("deadline %v %v", at, ok)
	}
	if acts := s.m.Tick(s.now.Add(digitWait)); len(acts) != 1 || acts[0].Account != "a1" {
		t.Errorf("after the wait: %v", acts)
	}
	if acts := s.keys("12"); len(acts) != 1 || acts[0].Account != "a12" {
		t.Errorf("12: %v", acts)
	}
	if acts := s.keys("5"); len(acts) != 1 || acts[0].Account != "a5" {
		t.Errorf("5: %v", acts)
	}
}

func TestPasswordPrompt(t *testing.T) {
	s := newStage(uni()).password("home")
	if acts := s.keys("qQs"); len(acts) != 0 {
		t.Errorf("letters of a password became %v", acts)
	}
	s.m.Key(Key{Code: KeyPasteStart}, s.now)
	if acts := s.keys("x\ny"); len(acts) != 0 {
		t.Errorf("a pasted line end submitted: %v", acts)
	}
	s.m.Key(Key{Code: KeyPasteEnd}, s.now)
	s.password("work")
	f := s.m.Frame(s.now, 80, 24)
	if text := f.Text(); strings.Contains(text, "qQs") || strings.Contains(text, "*****") {
		t.Errorf("the password shows:\n%s", text)
	}
	acts := s.keys("\n")
	if len(acts) != 1 || acts[0] != (Action{Verb: "password", Account: "home", Text: "qQsxy"}) {
		t.Errorf("%v", acts)
	}
	// The next one follows, and is withdrawn while it is being typed.
	s.keys("abc")
	s.ev(Event{Kind: "attention", Account: "work", Dest: TopicPassword})
	if acts := s.keys("q"); len(acts) != 1 || acts[0].Verb != "quit" {
		t.Errorf("after the prompt went away: %v", acts)
	}
	// Put aside, then taken up again: what was typed is gone.
	s.password("home")
	s.keys("abc\x1b")
	if acts := s.keys("ixyz\n"); len(acts) != 1 || acts[0].Text != "xyz" {
		t.Errorf("%v", acts)
	}
	// ctrl-c quits from inside a prompt.
	s.password("home")
	if acts := s.m.Key(ctrl('c'), s.now); len(acts) != 1 || acts[0].Verb != "quit" {
		t.Errorf("%v", acts)
	}
}

func TestPasteIsNoCommand(t *testing.T) {
	s := newStage(uni()).asleep("home", 60)
	s.m.Key(Key{Code: KeyPasteStart}, s.now)
	acts := s.keys("sQqr1")
	s.m.Key(Key{Code: KeyPasteEnd}, s.now)
	if len(acts) != 0 {
		t.Errorf("a paste did %v", acts)
	}
}

func TestAttentionLifetime(t *testing.T) {
	s := newStage(uni()).brake("home", "INBOX", 5, 0).brake("home", "Sent", 5, 0)
	s.ev(Event{Kind: "account-start", Account: "home"})
	s.brake("home", "Sent", 6, 0)
	if len(s.m.todo) != 2 {
		t.Fatalf("%d attentions in mid-round", len(s.m.todo))
	}
	s.ev(Event{Kind: "account-done", Account: "home"})
	if len(s.m.todo) != 1 || s.m.todo[0].folder != "Sent" || s.m.todo[0].n != 6 {
		t.Fatalf("after the round: %+v", s.m.todo)
	}
	s.ev(Event{Kind: "attention", Account: "home", Folder: "Sent", Dest: TopicBrake})
	if len(s.m.todo) != 0 {
		t.Error("not withdrawn")
	}
}

// TestRandom throws events, keys and sizes at the model: whatever comes, the
// frame must be whole, and nothing may panic.
func TestRandom(t *testing.T) {
	rnd := rand.New(rand.NewSource(1))
	names := []string{"", "home", "work", hostile, "日本", "שלום", "e\u0301", strings.Repeat("x", 300), "\u0301", "👨‍👩‍👧"}
	num := func() int64 {
		return [...]int64{0, 1, -1, 50, 1000, 1 << 62, -1 << 63, 1<<63 - 1, rnd.Int63n(1e6)}[rnd.Intn(9)]
	}
	name := func() string { return names[rnd.Intn(len(names))] }
	for round := range 60 {
		s := newStage(Options{Unicode: round%2 == 0, Mono: round%3 == 0, Blinkenlights: round%5 == 0, Scrollback: 1 + rnd.Intn(50), Debug: round%7 == 0})
		for range 400 {
			s.wait(time.Duration(rnd.Int63n(int64(time.Second))))
			switch rnd.Intn(8) {
			case 0:
				s.m.Key(Key{Code(rnd.Intn(int(KeyPasteEnd) + 1)), rune(rnd.Intn(0x80))}, s.now)
			case 1:
				s.m.Key(r(rune("abfhijklprs?/ \x00é1205SnyY"[rnd.Intn(24)])), s.now)
			case 2:
				s.m.Tick(s.now)
				w, h := 1+rnd.Intn(100), 1+rnd.Intn(40)
				if rnd.Intn(3) == 0 {
					w, h = rnd.Intn(4), rnd.Intn(4)
				}
				checkFrame(t, s.m.Frame(s.now, w, h))
			default:
				topics := []string{TopicPassword, TopicBrake, MeasureRTT, MeasureTurn, name()}
				s.ev(Event{Kind: append(Kinds, Kind{Name: "new"})[rnd.Intn(len(Kinds)+1)].Name, Account: name(), Repo: name(), Folder: name(),
					Dest: topics[rnd.Intn(5)], Conn: int([...]int64{0, 1, 2, 3, -1, 1 << 31}[rnd.Intn(6)]), Text: name(), UID: num(), N: num(), Total: num(), Bytes: num(), Rate: num(), Hint: name()})
			}
		}
	}
}

func TestMemoryIsBounded(t *testing.T) {
	s := newStage(uni())
	for i := range 30000 {
		s.ev(Event{Kind: "error", Account: "home", Folder: fmt.Sprint("f", i), Text: strings.Repeat("x", 5000)})
		s.ev(Event{Kind: "attention", Account: "home", Folder: fmt.Sprint("f", i), Text: "x"})
	}
	a := s.m.accounts[0]
	if len(a.folders) > maxFolders || len(a.errors) > maxErrors || len(s.m.todo) > maxAttended || len(s.m.log.lines) > 2000 || len(s.m.log.line(s.m.log.next-1).text) > maxLogText+3 {
		t.Errorf("%d folders, %d errors, %d attentions, %d lines", len(a.folders), len(a.errors), len(s.m.todo), len(s.m.log.lines))
	}
}

func TestNoTerminalLibraryInModel(t *testing.T) {
	files, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		switch n := f.Name(); {
		case !strings.HasSuffix(n, ".go") || strings.HasSuffix(n, "_test.go") || n == "screen.go" || n == "paint.go" || n == "tty.go" || n == "translate.go":
		default:
			b, err := os.ReadFile(n)
			if err != nil {
				t.Fatal(err)
			}
			if bytes.Contains(b, []byte("gdamore/tcell")) || bytes.Contains(b, []byte("time.Now()")) {
				t.Errorf("%s is not pure", n)
			}
		}
	}
}

func TestTotals(t *testing.T) {
	s := newStage(uni()).ev(Event{Kind: "account-start", Account: "a"}).ev(Event{Kind: "folder-start", Account: "a", Folder: "f"})
	copies := func(kind string, n int64) {
		for i := range n {
			s.ev(Event{Kind: kind, Account: "a", Folder: "f", N: i + 1, Total: n, Bytes: 10})
		}
	}
	want := func(what string, w totals) {
		t.Helper()
		if got := s.m.accounts[0].round; got != w {
			t.Errorf("%s: %+v, want %+v", what, got, w)
		}
	}
	copies("copy", 5)
	want("begun", totals{})
	copies("copied", 3)
	want("three done", totals{down: 3, downBytes: 30})
	s.ev(Event{Kind: "progress", Account: "a", Folder: "f", N: 4, Total: 5, Bytes: 40})
	want("four by progress", totals{down: 4, downBytes: 40})
	copies("upload", 2)
	s.ev(Event{Kind: "folder-done", Account: "a", Folder: "f"})
	want("folder done", totals{down: 5, downBytes: 50, up: 2, upBytes: 20})
	s.ev(Event{Kind: "folder-start", Account: "a", Folder: "f"})
	copies("copy", 5)
	s.ev(Event{Kind: "error", Account: "a", Folder: "f", Text: "ERROR: x"})
	s.ev(Event{Kind: "folder-done", Account: "a", Folder: "f"})
	want("folder failed", totals{down: 5, downBytes: 50, up: 2, upBytes: 20})
}

// Messages that arrive before a folder's lists are there come after the lines that say
// the lists are being read, each of which is said once.
func TestMachineEarlyCopies(t *testing.T) {
	var b bytes.Buffer
	m := NewMachine(&b, Info)
	for _, e := range []Event{
		{Kind: "account-start", Account: "a"}, {Kind: "folder-start", Account: "a", Folder: "F"},
		{Kind: "copy", Account: "a", Folder: "F", UID: 1}, {Kind: "copy", Account: "a", Folder: "F", UID: 2},
		{Kind: "scan", Account: "a", Folder: "F"}, {Kind: "list", Account: "a", Folder: "F", N: 2}, {Kind: "plan", Severity: "debug", Account: "a", Folder: "F"},
		{Kind: "folder-done", Account: "a", Folder: "F"},
	} {
		m.Event(e)
	}
	var got []string
	for line := range strings.SplitSeq(b.String(), "\n") {
		if w := strings.Split(line, ":"); len(w) > 3 && w[2] == "Folder+F+%5Bacc%3A+a%5D" {
			got = append(got, w[1])
		}
	}
	if want := "registerthread syncingfolder loadmessagelist loadmessagelist syncingmessages copyingmessage copyingmessage messagelistloaded messagelistloaded syncingmessages"; strings.Join(got, " ") != want {
		t.Errorf("%q\nnot\n%q", got, want)
	}
}
