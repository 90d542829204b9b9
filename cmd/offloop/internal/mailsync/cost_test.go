package mailsync

import (
	"fmt"
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

// TestCost_Flushes: a first sync waits for the disk as often for a few messages in
// many folders as its folders have states and keywords, not once more for each batch
// of each folder; many messages in one folder cost one flush a batch.
func TestCost_Flushes(t *testing.T) {
	count := func(fill func(w *world)) map[string]int {
		w := newWorld(t, imaptest.QRESYNC, 11)
		fill(w)
		n := map[string]int{}
		before := w.fs.Before
		w.fs.Before = func(op, path string) {
			before(op, path)
			if op == "syncfs" || op == "fsync" {
				n[op]++
			}
		}
		w.must()
		t.Log(n)
		return n
	}
	folders := func(messages int) func(w *world) {
		return func(w *world) {
			for f := range 20 {
				for i := range messages {
					w.remoteAdd(fmt.Sprint("F", f), fmt.Sprintf("m%d-%d", f, i))
				}
			}
		}
	}
	one, ten := count(folders(1)), count(folders(10))
	if one["fsync"] != ten["fsync"] || ten["syncfs"] != one["syncfs"] {
		t.Errorf("20 folders of one message: %v, of ten: %v", one, ten)
	}
	if one["syncfs"] > 3 || one["fsync"] > 2*21+14 {
		t.Errorf("20 folders of one message: %v", one)
	}
	large := func(batches int) func(w *world) {
		return func(w *world) {
			w.batch = 10
			for i := range 10 * batches {
				w.remoteAdd("INBOX", fmt.Sprint("m", i))
			}
		}
	}
	few, many := count(large(2)), count(large(12))
	if many["syncfs"] != few["syncfs"]+10 || many["fsync"] != few["fsync"] {
		t.Errorf("2 batches: %v, 12 batches: %v", few, many)
	}
}
