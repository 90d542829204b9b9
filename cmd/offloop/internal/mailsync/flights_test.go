package mailsync

import (
	"fmt"
	"strings"
	"testing"

	"offloop/imapproto/imaptest"
	"offloop/reactor/reactortest"
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
	bare, plain, gmail := imaptest.Bare, imaptest.QRESYNC, imaptest.CondstoreOnly
	const list = "LIST-STATUS"
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
		{"unchanged, no QRESYNC", gmail, 20, nil, 1},
		{"unchanged, no LIST-STATUS", plain.Without(list), 20, nil, 1},
		{"unchanged, neither", gmail.Without(list), 20, nil, 1},
		{"one new elsewhere, no QRESYNC", gmail, 20, func(w *world) { w.remoteAdd(bag(7), "new") }, 2},
		{"one new elsewhere, no LIST-STATUS", plain.Without(list), 20, func(w *world) { w.remoteAdd(bag(7), "new") }, 2},
		{"one new elsewhere, neither", gmail.Without(list), 20, func(w *world) { w.remoteAdd(bag(7), "new") }, 2},
		{"pull, neither", gmail.Without(list), 20, (*world).pulled, 3},
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
		// On one connection a flight can change one folder at most, since what changes
		// messages waits for the SELECT of its folder. One that expunges takes two.
		{"flags in 20 folders", plain, 20, func(w *world) {
			for i := range 20 {
				w.localFlags(bag(i), fmt.Sprintf("m%02d03", i), "FS")
			}
		}, 1 + 1 + 20},
		{"deletes and flags in 5 folders", plain, 20, func(w *world) {
			for i := range 5 {
				w.localDel(bag(i), fmt.Sprintf("m%02d03", i))
				w.localFlags(bag(i), fmt.Sprintf("m%02d04", i), "FS")
			}
		}, 2 + 2*5},
		{"deletes in 5 folders, flags in 5 others", plain, 20, func(w *world) {
			for i := range 5 {
				w.localDel(bag(i), fmt.Sprintf("m%02d03", i))
				w.localFlags(bag(10+i), fmt.Sprintf("m%02d04", 10+i), "FS")
			}
		}, 2 + 2*5 + 5},
		{"marks to be expunged in 5 folders", plain, 20, func(w *world) {
			for i := range 5 {
				w.localFlags(bag(i), fmt.Sprintf("m%02d03", i), "ST")
				w.localFlags(bag(i), fmt.Sprintf("m%02d04", i), "FS")
			}
		}, 2 + 2*5},
		// What is new may be what is gone: that is asked first, and what is sent must be
		// there before anything is deleted.
		{"push", plain, 20, (*world).pushed, 1 + 1 + 1 + 2*5},
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

// pushed changes five folders in the Maildir.
func (w *world) pushed() {
	for i := range 5 {
		f := bag(i * 4)
		for j := range 2 {
			w.localDel(f, fmt.Sprintf("m%02d%02d", i*4, j))
		}
		for j := 4; j < 14; j++ {
			w.localFlags(f, fmt.Sprintf("m%02d%02d", i*4, j), []string{"F", "", "S", "RS"}[j%4])
		}
		for j := range 2 {
			w.localAdd(f, fmt.Sprintf("up%02d%02d", i, j), "S")
		}
	}
}

// TestRule4_DeletesComeLast: in no folder is anything marked or expunged before all
// that is sent in other folders has arrived, however much goes in one flight.
func TestRule4_DeletesComeLast(t *testing.T) {
	for _, timing := range []reactortest.Timing{reactortest.Immediate, reactortest.NextTurn, reactortest.Shuffled} {
		t.Run(fmt.Sprint(timing), func(t *testing.T) {
			w := newWorld(t, imaptest.QRESYNC, 3)
			w.mailbag(20, 24)
			w.timing = timing
			w.pushed()
			w.remoteAdd(bag(3), "new")
			w.localFlags(bag(5), "m0503", "FS") // flags alone hold up nobody
			w.srv.CreateMailbox("to")
			w.srv.MoveMessage(bag(6), w.uid(bag(6), "m0603"), "to")
			from := len(w.srv.Log)
			w.must()
			begun := false
			for _, e := range w.srv.Log[from:] {
				switch {
				case e.Name == "UID EXPUNGE", strings.Contains(e.Line, `\Deleted`):
					begun = true
				case begun && (e.Name == "APPEND" || e.Name == "UID MOVE" || strings.Contains(e.Line, "BODY.PEEK[]")):
					t.Errorf("after a delete: %.80s", e.Line)
				}
			}
			if !begun {
				t.Error("nothing was deleted")
			}
			w.idle()
		})
	}
}

// TestRule7_MarkRefused: what the server would not mark with its other flags is not
// expunged, and all else is.
func TestRule7_MarkRefused(t *testing.T) {
	w := newWorld(t, imaptest.QRESYNC, 3)
	w.mailbag(1, 4)
	w.localFlags(bag(0), "m0000", "ST")
	w.localFlags(bag(0), "m0001", "FS")
	w.localDel(bag(0), "m0002")
	w.srv.Faults.Command = func(c imaptest.Command) imaptest.Act {
		if c.Name == "UID STORE" && strings.Contains(c.Line, fmt.Sprintf(" %d +FLAGS", w.uid(bag(0), "m0000"))) {
			return imaptest.Act{Kind: imaptest.ActAnswer, Text: "NO not this one"}
		}
		return imaptest.Act{}
	}
	from := len(w.srv.Log)
	if r := w.sync(); len(r.Errors) != 1 {
		t.Errorf("errors: %v", r.Errors)
	}
	w.expect("INBOX i00:S i01:S i02:S i03:S\nf00 m0000:ST m0001:FS m0003:S | m0000:S m0001:FS m0003:S")
	if l := w.commands(from, "UID EXPUNGE"); len(l) != 1 || !strings.HasSuffix(l[0], " 3") {
		t.Errorf("expunged: %q", l)
	}
	w.srv.Faults.Command = nil
	w.must()
	w.expect("INBOX i00:S i01:S i02:S i03:S\nf00 m0001:FS m0003:S")
}

// TestRule4_DeleteWaitsForTheUpload: an edited message that was put into another
// folder may be what is gone here: until the server has taken it nothing is deleted,
// and if it refuses nothing is at all.
func TestRule4_DeleteWaitsForTheUpload(t *testing.T) {
	for _, refused := range []bool{false, true} {
		t.Run(fmt.Sprint("refused ", refused), func(t *testing.T) {
			w := newWorld(t, imaptest.QRESYNC, 3)
			w.mailbag(3, 2)
			w.remoteAdd(bag(2), "twin1", `\Seen`)
			w.must()
			w.localDel(bag(2), "twin1")
			w.localAdd(bag(1), "twin2", "S")
			w.localFlags(bag(0), "m0000", "FS")
			want := "INBOX i00:S i01:S\nf00 m0000:FS m0001:S\nf01 m0100:S m0101:S twin2:S\nf02 m0200:S m0201:S"
			if refused {
				want = "INBOX i00:S i01:S\nf00 m0000:FS m0001:S\nf01 m0100:S m0101:S twin2:S | m0100:S m0101:S\nf02 m0200:S m0201:S | m0200:S m0201:S twin1:S"
				w.srv.Faults.Rules = []imaptest.Rule{{Name: "APPEND", Act: imaptest.Act{Kind: imaptest.ActAnswer, Text: "NO [OVERQUOTA] full"}}}
			}
			answered := false
			w.onEvent = func(e Event) {
				switch {
				case e.Kind == "uploaded":
					answered = true
				case e.Kind == "delete-remote" && !answered:
					t.Error("a delete is sent before the upload is answered")
				}
			}
			w.sync()
			w.expect(want)
		})
	}
}

// TestFlights_QuietWithoutListStatus: a server that has CONDSTORE but no LIST-STATUS is
// asked for the counters of each folder, and opens none that is quiet; a folder it
// does not tell of is opened.
func TestFlights_QuietWithoutListStatus(t *testing.T) {
	for _, c := range []struct {
		name   string
		answer string
		opened bool
	}{{"told", "", false}, {"refused", "NO no counters", true}, {"too old for it", "BAD what", true}} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, imaptest.CondstoreOnly.Without("LIST-STATUS"), 3)
			w.mailbag(3, 3)
			if c.answer != "" {
				w.srv.Faults.Rules = []imaptest.Rule{{Name: "STATUS", Mailbox: bag(1), Act: imaptest.Act{Kind: imaptest.ActAnswer, Text: c.answer}}}
			}
			if opened := w.looked(bag(1), func() { w.flights(2) }); opened != c.opened {
				t.Errorf("opened: %v, want %v", opened, c.opened)
			}
			for _, f := range []string{"INBOX", bag(0), bag(2)} {
				if w.looked(f, func() { w.must() }) {
					t.Errorf("the quiet folder %s was opened", f)
				}
			}
			w.remoteFlags(bag(1), "m0101", `\Flagged`)
			w.must()
			w.expect("INBOX i00:S i01:S i02:S\nf00 m0000:S m0001:S m0002:S\nf01 m0100:S m0101:F m0102:S\nf02 m0200:S m0201:S m0202:S")
		})
	}
}
