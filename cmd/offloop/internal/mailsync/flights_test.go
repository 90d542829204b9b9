package mailsync

import (
	"fmt"
	"strings"
	"testing"

	"offloop/imapproto/imaptest"
)

// The tests of this file count flights: bursts to the server and the wait for what
// they are answered. The one that takes the LOGOUT, for which nobody waits, is left
// out of the count.

// mailbag fills folders f00, f01, ... and INBOX on the server, and runs until
// nothing is left to do.
func (w *world) mailbag(folders, messages int) {
	for j := range messages {
		w.remoteAdd("INBOX", fmt.Sprintf("i%02d", j), `\Seen`)
	}
	for i := range folders {
		for j := range messages {
			w.remoteAdd(bag(i), fmt.Sprintf("m%02d%02d", i, j), `\Seen`)
		}
	}
	for range 3 {
		w.must()
	}
}

func bag(i int) string { return fmt.Sprintf("f%02d", i) }

// flights runs once and fails if that took more than most.
func (w *world) flights(most int) *Result {
	w.tb.Helper()
	var log []string
	w.srv.Faults.Before = func(c imaptest.Command) {
		n := 0
		if k := w.last.a.link; k != nil && k.conn != nil {
			n = k.conn.Flights()
		}
		log = append(log, fmt.Sprintf("%d %.100s", n, c.Line))
	}
	r := w.must()
	w.srv.Faults.Before = nil
	if n := r.Flights - 1; n > most {
		w.tb.Errorf("%d flights, want %d at most:\n%s", n, most, strings.Join(log, "\n"))
	}
	w.noComplaints()
	return r
}

// pulled changes five folders on the server: 50 messages are new, 100 have other
// flags, 20 are gone.
func (w *world) pulled() {
	for i := range 5 {
		for j := range 4 {
			w.remoteDel(bag(i*4), fmt.Sprintf("m%02d%02d", i*4, j))
		}
		for j := 4; j < 24; j++ {
			w.remoteFlags(bag(i*4), fmt.Sprintf("m%02d%02d", i*4, j), `\Flagged`)
		}
		for j := range 10 {
			w.remoteAdd(bag(i*4), fmt.Sprintf("new%02d%02d", i, j))
		}
	}
}

// TestFlights_Floor: what each kind of round may take, by what the server can do.
func TestFlights_Floor(t *testing.T) {
	bare, plain := imaptest.Bare, imaptest.QRESYNC
	for _, c := range []struct {
		name    string
		caps    imaptest.Caps
		folders int
		work    func(w *world)
		most    int
	}{
		{"unchanged, 20 folders", plain, 20, nil, 1},
		{"unchanged, 100 folders", plain, 100, nil, 1},
		{"unchanged, no extension", bare, 20, nil, 1},
		{"one new in INBOX", plain, 20, func(w *world) { w.remoteAdd("INBOX", "new") }, 1},
		{"one new elsewhere", plain, 20, func(w *world) { w.remoteAdd(bag(7), "new") }, 2},
		{"one new in each of two", plain, 20, func(w *world) { w.remoteAdd("INBOX", "new"); w.remoteAdd(bag(7), "other") }, 2},
		{"one new, no extension", bare, 20, func(w *world) { w.remoteAdd(bag(7), "new") }, 2},
		{"one moved there", plain, 20, func(w *world) { w.srv.MoveMessage("INBOX", w.uid("INBOX", "i03"), bag(7)) }, 2},
		{"50 uploads", plain, 20, func(w *world) {
			for j := range 50 {
				w.localAdd(bag(7), fmt.Sprintf("up%02d", j), "S")
			}
		}, 2},
		{"pull", plain, 20, (*world).pulled, 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, c.caps, 3)
			w.mailbag(c.folders, 24)
			if c.work != nil {
				c.work(w)
			}
			w.flights(c.most)
			w.idle()
		})
	}
}

// TestFlights_OwnUploads: the look at a folder after an upload to it does not fetch
// what was uploaded.
func TestFlights_OwnUploads(t *testing.T) {
	for _, folder := range []string{"INBOX", bag(1)} {
		t.Run(folder, func(t *testing.T) {
			w := newWorld(t, imaptest.QRESYNC, 3)
			w.mailbag(2, 3)
			for j := range 5 {
				w.localAdd(folder, fmt.Sprintf("up%02d", j), "S")
			}
			w.must()
			sent := 0
			w.srv.Faults.Fetched = func(_ string, _ uint32, b []byte) ([]byte, bool) { sent++; return b, true }
			w.flights(2)
			if sent > 0 {
				t.Errorf("%d of our own messages were fetched", sent)
			}
			w.remoteAdd(folder, "new")
			if w.flights(2); sent != 1 {
				t.Errorf("%d messages fetched for one that is new", sent)
			}
		})
	}
}

// TestFlights_OthersBetweenOwn: mail that came between what the last round saw and
// its own uploads is fetched all the same.
func TestFlights_OthersBetweenOwn(t *testing.T) {
	for folder, want := range map[string]string{
		"INBOX": "INBOX i00:S theirs:- up:S\nf00 m0000:S\nf01 m0100:S",
		bag(1):  "INBOX i00:S\nf00 m0000:S\nf01 m0100:S theirs:- up:S",
	} {
		t.Run(folder, func(t *testing.T) {
			w := newWorld(t, imaptest.QRESYNC, 3)
			w.mailbag(2, 1)
			w.localAdd(folder, "up", "S")
			w.srv.Faults.Before = func(c imaptest.Command) {
				if c.Name == "APPEND" {
					w.srv.Faults.Before = nil
					w.remoteAdd(folder, "theirs")
				}
			}
			w.must()
			w.must()
			w.expect(want)
		})
	}
}
