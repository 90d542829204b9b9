package mailsync

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"offloop/imapproto/imaptest"
)

// budgetWorld has n messages of a third of a megabyte on a side, and connections that carry 4 kB at a
// time.
func budgetWorld(t *testing.T, n int, here bool) (*world, func() int) {
	w := newWorld(t, imaptest.QRESYNC, 7)
	w.piece = 4096
	for i := range n {
		name := fmt.Sprint("big", i) // 336 kB
		if here {
			w.localAdd("INBOX", name, "S")
		} else {
			w.remoteAdd("INBOX", name)
		}
	}
	return w, func() int {
		if here {
			return len(w.srv.Messages("INBOX"))
		}
		return len(w.files("INBOX"))
	}
}

// rests tells whether a run said that the day's bytes are used up.
func (w *world) rests(do func()) bool {
	from := len(w.events)
	do()
	return slices.ContainsFunc(w.events[from:], func(e Event) bool { return e.Kind == "attention" && e.Dest == "throttle" })
}

// TestDayBytes: an account whose day is used up rests, says so, is no failure, opens no
// connection, and goes on the next day.
func TestDayBytes(t *testing.T) {
	for _, here := range []bool{false, true} {
		t.Run(fmt.Sprint("uploads ", here), func(t *testing.T) {
			const all = 60
			w, there := budgetWorld(t, all, here)
			w.set.DayBytes = 5_000_000
			if !w.rests(func() { w.must() }) {
				t.Error("nothing is said of the day's bytes")
			}
			first := there()
			if first == 0 || first > all*3/4 {
				t.Errorf("%d of %d messages with 5 MB of 20", first, all)
			}
			commands := len(w.srv.Log)
			if !w.rests(func() { w.must() }) || there() != first || len(w.srv.Log) != commands {
				t.Errorf("the account does not rest: %d messages more, %d commands", there()-first, len(w.srv.Log)-commands)
			}
			for day := 0; there() < all; day++ {
				if w.wait(24 * time.Hour); day > 6 {
					t.Fatalf("%d of %d messages after %d days", there(), all, day)
				}
				w.must()
			}
			if there() != all {
				t.Errorf("%d messages of %d", there(), all)
			}
			w.noComplaints()
		})
	}
}

// TestDayBytes_None: without the key nothing is counted, and a dry run never rests.
func TestDayBytes_None(t *testing.T) {
	w, there := budgetWorld(t, 5, false)
	if w.rests(func() { w.must() }) || there() != 5 {
		t.Errorf("%d messages", there())
	}
	w.set.DayBytes, w.set.DryRun = 1, true
	if w.rests(func() { w.must() }) {
		t.Error("a dry run rests")
	}
}
