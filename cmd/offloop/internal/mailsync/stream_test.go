package mailsync

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"offloop/imapproto/imaptest"
)

// TestInitialFlights: a first sync of many folders takes the login, the list, and
// one flight for everything that is in them.
func TestInitialFlights(t *testing.T) {
	for _, v := range servers {
		t.Run(v.name, func(t *testing.T) {
			w := newWorld(t, v.caps, 3)
			for i := range 20 {
				for j := range 3 {
					w.remoteAdd(fmt.Sprintf("f%02d", i), fmt.Sprintf("m%02d%d", i, j))
				}
			}
			r := w.must()
			if r.Flights > 4 || r.Down != 60 {
				t.Errorf("%d flights for %d messages, want 4 for 60, LOGOUT included", r.Flights, r.Down)
			}
			if n := len(w.commands(0, "UID FETCH")); n != 21 {
				t.Errorf("%d FETCHes for 21 folders", n)
			}
			w.idle()
			w.noComplaints()
		})
	}
}

// TestStreamWithHoles: what a stream did not bring is asked for again, and only
// what the server cannot give at all is left out.
func TestStreamWithHoles(t *testing.T) {
	for _, c := range []struct {
		name   string
		faults func(w *world)
		errors int
		want   string
	}{
		{"no content of one", func(w *world) {
			w.srv.Faults.Fetched = func(_ string, uid uint32, b []byte) ([]byte, bool) { return b, uid != 2 }
		}, 1, "INBOX a:- c:FS | a:- b:S c:FS"},
		{"one is not told of at first", func(w *world) {
			n := 0
			w.srv.Faults.Unfetched = func(_ string, uid uint32) bool { n++; return uid == 2 && n <= 3 }
		}, 0, "INBOX a:- c:FS | a:- b:S c:FS"},
		{"refused", func(w *world) {
			w.srv.Faults.Rules = []imaptest.Rule{{Name: "UID FETCH", Times: 1, Act: imaptest.Act{Kind: imaptest.ActAnswerAfter, Text: "NO some went away"}}}
		}, 0, "INBOX a:- b:S c:FS"},
		{"refused untouched", func(w *world) {
			w.srv.Faults.Rules = []imaptest.Rule{{Name: "UID FETCH", Times: 1, Act: imaptest.Act{Kind: imaptest.ActAnswer, Text: "BAD too much"}}}
		}, 0, "INBOX a:- b:S c:FS"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, imaptest.QRESYNC, 3)
			three(w)
			c.faults(w)
			r := w.sync()
			if len(r.Errors) != c.errors {
				t.Errorf("errors %v, want %d", r.Errors, c.errors)
			}
			w.expect(c.want)
			if c.errors == 0 {
				w.must()
				w.expect("INBOX a:- b:S c:FS")
			}
		})
	}
}

// TestStreamLosesNothingOfOthers: files that are there already are compared, not
// overrun by a stream.
func TestStreamLosesNothingOfOthers(t *testing.T) {
	w := newWorld(t, imaptest.QRESYNC, 3)
	three(w)
	w.localAdd("INBOX", "a", "F")
	w.localAdd("INBOX", "own", "S")
	w.must()
	w.expect("INBOX a:F b:S c:FS own:S")
	w.idle()
}

// TestDownloadPausedByItsOwnBatch: messages that are too few to be written may hold
// the memory that keeps the socket paused: their buffers were taken for CRLF line
// ends, their bytes are counted without. Then nothing arrives any more that could make
// them more.
func TestDownloadPausedByItsOwnBatch(t *testing.T) {
	w := newWorld(t, imaptest.QRESYNC, 3)
	// What came first is on its way to a slow disk while more comes.
	w.slow = 50 * time.Millisecond
	for i := range batchMessages {
		w.remoteAdd("INBOX", fmt.Sprintf("m%03d", i))
	}
	lines := strings.Repeat("\r\n", 15<<10)
	for i := range 300 {
		w.srv.AddMessage("INBOX", imaptest.Message{Body: []byte(fmt.Sprintf("Subject: %d\r\n\r\n%s", i, lines))})
	}
	paused := false
	w.piece = 4 << 10
	w.onEvent = func(Event) { paused = paused || w.last.a.paused }
	if r := w.must(); r.Down != batchMessages+300 {
		t.Errorf("%d messages came down", r.Down)
	}
	if !paused {
		t.Error("the socket was never paused: this is not the situation meant")
	}
}

// TestMaildirRemovedMeanwhile: the folder fails with a hint that fits, what came before
// is on record, and nothing is taken for deleted.
func TestMaildirRemovedMeanwhile(t *testing.T) {
	w := newWorld(t, imaptest.QRESYNC, 3)
	three(w)
	w.must()
	for i := range 20 {
		w.remoteAdd("INBOX", fmt.Sprintf("m%02d", i), `\Seen`)
	}
	w.batch, w.piece = 2, 300
	n := 0
	w.onEvent = func(e Event) {
		if e.Kind == "copied" {
			if n++; n == 4 {
				w.fs.Outside(func() { w.fs.Rename(wRoot+"/INBOX/tmp", wRoot+"/INBOX/gone") })
			}
		}
	}
	r := w.sync()
	if len(r.Errors) != 1 || !strings.Contains(r.Errors[0].Hint, "was removed meanwhile") {
		t.Fatalf("errors %v", r.Errors)
	}
	w.onEvent = nil
	w.fs.Outside(func() { w.fs.Rename(wRoot+"/INBOX/gone", wRoot+"/INBOX/tmp") })
	if r := w.must(); int(r.Down) == 0 || int(r.Down) >= 20 || r.DelRemote > 0 {
		t.Errorf("%d came down afterwards, %d were deleted there", r.Down, r.DelRemote)
	}
	w.idle()
}
