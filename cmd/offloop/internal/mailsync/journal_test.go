package mailsync

import (
	"bytes"
	"testing"
	"time"

	"offloop/imapproto/imaptest"
	"offloop/reactor/reactortest"
)

// TestRule2_NotedIsFlushed: the records of downloads are not flushed one batch after
// the other, but they are when the round ends, however quick the disk is.
func TestRule2_NotedIsFlushed(t *testing.T) {
	for _, timing := range []reactortest.Timing{reactortest.NextTurn, reactortest.Immediate, reactortest.Shuffled} {
		for _, batch := range []int{1, 3, 100} {
			w := newWorld(t, imaptest.QRESYNC, 3)
			w.timing, w.batch = timing, batch
			three(w)
			// One message comes later than its UID would have it: nothing else of the
			// folder changes then.
			w.srv.Faults.Response = func(_ *imaptest.Session, line []byte) []byte {
				if bytes.Contains(line, []byte("UID 2 ")) && bytes.Contains(line, []byte("BODY[]")) {
					return []byte("* 2 FETCH (UID 2 FLAGS (\\Seen) BODY[] NIL)\r\n")
				}
				return line
			}
			w.sync()
			w.sync()
			w.srv.Faults.Response = nil
			w.set.Retry = []string{"*"}
			if r := w.must(); r.Down != 1 {
				t.Fatalf("%d messages came down", r.Down)
			}
			w.set.Retry = nil
			w.fs.PowerCut()
			w.wait(time.Minute)
			before := w.fs.Files(wState)
			r := w.must()
			if r.Down+r.Up > 0 || w.fs.Files(wState)["INBOX~1f.state"] != before["INBOX~1f.state"] {
				t.Errorf("%v, batches of %d: after a power cut %d came down, %d went up, and the state was written anew", timing, batch, r.Down, r.Up)
			}
		}
	}
}
