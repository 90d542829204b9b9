package mailsync

import (
	"strings"
	"testing"

	"offloop/imapproto/imaptest"
)

// stateBytes counts what a run reads and writes of the state of INBOX.
func (w *world) stateBytes(do func()) (read, wrote int) {
	w.moved = func(write bool, path string, n int) {
		switch {
		case !strings.HasPrefix(path, wState) || !strings.Contains(path, "INBOX"):
		case write:
			wrote += n
		default:
			read += n
		}
	}
	defer func() { w.moved = nil }()
	do()
	return read, wrote
}

// TestCost_State: in a folder of thousands of messages, an unchanged round neither
// reads nor writes its state, and a round in which one flag changed, on either
// side, writes a few lines.
func TestCost_State(t *testing.T) {
	const messages, lines = 5000, 1000
	w := newWorld(t, imaptest.QRESYNC, 11)
	w.remoteAdd("INBOX", "one", `\Seen`)
	body := []byte(w.letter("many"))
	for range messages {
		w.srv.AddMessage("INBOX", imaptest.Message{Body: body, Flags: []string{`\Seen`}})
	}
	_, first := w.stateBytes(func() { w.must() })
	if first < 30*messages {
		t.Fatalf("a first sync of %d messages writes %d bytes of state: they are not counted", messages, first)
	}
	w.must()
	w.must()
	if read, wrote := w.stateBytes(func() { w.must() }); read != 0 || wrote != 0 {
		t.Errorf("unchanged: %d bytes of state read, %d written", read, wrote)
	}
	change := map[string]func(){
		"on the server": func() { w.srv.SetFlags("INBOX", 1, `\Seen`, `\Flagged`) },
		"here":          func() { w.localFlags("INBOX", "one", "FRS") },
	}
	for where, do := range change {
		do()
		read, wrote := w.stateBytes(func() { w.must() })
		t.Logf("one flag changed %s: %d bytes of state read, %d written; all of it is %d", where, read, wrote, first)
		if wrote == 0 || wrote > lines {
			t.Errorf("one flag changed %s: %d bytes of state written", where, wrote)
		}
		w.must()
		w.must()
	}
}
