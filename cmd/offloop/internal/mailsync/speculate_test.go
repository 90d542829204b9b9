package mailsync

import (
	"fmt"
	"testing"
	"time"

	"offloop/imapproto/imaptest"
)

// TestSpeculate_LargeInbox: INBOX is opened with the login, but a large one only where
// a flight takes longer than that takes the server. It is found changed all the same.
func TestSpeculate_LargeInbox(t *testing.T) {
	w := newWorld(t, imaptest.QRESYNC, 3)
	for i := range largeMailbox {
		w.remoteAdd("INBOX", fmt.Sprintf("m%d", i), `\Seen`)
	}
	opened := func() bool { return w.looked("INBOX", func() { w.must() }) }
	for _, c := range []struct {
		latency time.Duration
		want    bool
	}{
		{time.Millisecond, false}, {6 * time.Millisecond, false}, {10 * time.Millisecond, true}, {6 * time.Millisecond, true}, {time.Millisecond, false},
	} {
		w.latency = c.latency
		w.must() // what a round finds out counts from the next
		w.must()
		if got := opened(); got != c.want {
			t.Errorf("%v: INBOX is opened: %v", c.latency, got)
		}
	}
	w.remoteAdd("INBOX", "new")
	w.must()
	if n := len(w.files("INBOX")); n != largeMailbox+1 {
		t.Errorf("%d files: new mail is missed", n)
	}
}

func TestSpeculate_SmallInboxNearBy(t *testing.T) {
	w := newWorld(t, imaptest.QRESYNC, 3)
	w.remoteAdd("INBOX", "a")
	w.latency = time.Millisecond
	for range 3 {
		w.must()
	}
	if !w.looked("INBOX", func() { w.must() }) {
		t.Error("INBOX is not opened with the login")
	}
}
