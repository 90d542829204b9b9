package mailsync

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"offloop/imapproto/imaptest"
	"offloop/reactor/reactortest"
)

// TestWorthwhile: a connection more only where it makes a round 1.3 times as fast and
// saves a noticeable time.
func TestWorthwhile(t *testing.T) {
	const ms = time.Millisecond
	for _, c := range []struct {
		flights, most int
		setup, rtt    time.Duration
		want          int
	}{
		{20, 2, 120 * ms, 40 * ms, 2},
		{20, 1, 120 * ms, 40 * ms, 1},
		{9, 2, 120 * ms, 40 * ms, 2},
		{8, 2, 120 * ms, 40 * ms, 1},         // 12 flights would become 9.5
		{20, 5, 120 * ms, 40 * ms, 2},        // 15.5 would become 12.7
		{40, 5, 120 * ms, 40 * ms, 3},        // 25.5 become 19.3, which would become 16.3
		{20, 2, 5 * time.Second, 40 * ms, 1}, // its login would take longer
		{20, 2, 1 * ms, 1 * ms, 1},           // a local network: 10 ms
		{0, 2, 120 * ms, 40 * ms, 1},
		{20, 2, 0, 0, 1},
		{20, 0, 120 * ms, 40 * ms, 1},
	} {
		if got := worthwhile(c.flights, c.most, c.setup, c.rtt); got != c.want {
			t.Errorf("%+v: %d connections", c, got)
		}
	}
	for greeting, want := range map[string]int{"Dovecot (Debian) ready.": 5, "Courier-IMAP ready.": 2, "Microsoft Exchange Server 2003 IMAP4rev1": 1, "hello": 4} {
		if got := mostFor(greeting); got != want {
			t.Errorf("%q: %d connections", greeting, got)
		}
	}
}

const sharedFolders = 6

// sharedWorld has folders in which flags are changed and messages deleted here, on a
// line with a noticeable delay.
func sharedWorld(w *world) {
	for i := range sharedFolders {
		for _, n := range []string{"a", "b", "c", "d"} {
			w.remoteAdd(fmt.Sprint("F", i), fmt.Sprint(n, i))
		}
	}
}

func sharedChange(w *world) {
	w.latency = 40 * time.Millisecond
	for i := range sharedFolders {
		f := fmt.Sprint("F", i)
		w.localFlags(f, fmt.Sprint("a", i), "FS")
		w.localFlags(f, fmt.Sprint("d", i), "T")
		w.localDel(f, fmt.Sprint("b", i))
		w.localAdd(f, fmt.Sprint("e", i), "S")
	}
}

// sharedEnd is what both sides hold then.
func sharedEnd() string {
	var l []string
	for i := range sharedFolders {
		l = append(l, fmt.Sprintf("F%d a%d:FS c%d:- e%d:S", i, i, i, i))
	}
	return strings.Join(append(l, "INBOX"), "\n")
}

// bothConnections demands that messages were changed on two connections.
func bothConnections(w *world) {
	if on := w.on(); count(on[1], "UID STORE") == 0 || count(on[2], "UID STORE") == 0 {
		w.tb.Errorf("the connections' commands are %v", on)
	}
}

// shared is sharedWorld, synced and changed.
func shared(t testing.TB, caps imaptest.Caps) *world {
	w := newWorld(t, caps, 7)
	w.piece, w.set.MaxConnections = 600, 2
	sharedWorld(w)
	w.must()
	w.must()
	sharedChange(w)
	w.logFrom, w.events = len(w.srv.Log), nil
	return w
}

// on gives the names of the commands of the run under test, by connection from 1.
func (w *world) on() map[int][]string {
	m := map[int][]string{}
	first := 0
	for _, e := range w.srv.Log[w.logFrom:] {
		if first == 0 {
			first = e.Session
		}
		m[e.Session-first+1] = append(m[e.Session-first+1], e.Name)
	}
	return m
}

func count(l []string, word string) (n int) {
	for _, s := range l {
		if s == word {
			n++
		}
	}
	return n
}

// TestSecondConnection: two connections share the folders, and each folder is changed
// once.
func TestSecondConnection(t *testing.T) {
	for _, v := range servers {
		if v.name == "bare" {
			continue // keeps what is deleted
		}
		t.Run(v.name, func(t *testing.T) {
			w := shared(t, v.caps)
			w.set.DayBytes = 1 << 40
			w.must()
			w.last.loop.Advance(time.Second) // for LOGOUT, which is not waited for
			w.expect(sharedEnd())
			on := w.on()
			one, two := on[1], on[2]
			if len(on) != 2 || count(two, "UID EXPUNGE") < 2 || count(one, "UID EXPUNGE")+count(two, "UID EXPUNGE") != sharedFolders {
				t.Errorf("the connections' commands are %v", on)
			}
			if n := count(two, "APPEND") + count(two, "UID MOVE") + count(two, "UID COPY"); n > 0 {
				t.Errorf("the second connection adds messages: %q", two)
			}
			if two[len(two)-1] != "LOGOUT" {
				t.Errorf("the second connection ends with %s", two[len(two)-1])
			}
			var sum int64
			for _, c := range w.last.open {
				sum += c.in + c.out
			}
			if got := w.last.a.spent.bytes; got < sum-200 || got > sum { // the day's count is recorded before LOGOUT
				t.Errorf("%d bytes are counted of %d", got, sum)
			}
			conns := map[int]int{}
			for _, e := range w.events {
				if e.Kind == "delete-remote" {
					conns[e.Conn]++
				}
			}
			if conns[1]+conns[2] != sharedFolders || conns[2] != count(two, "UID EXPUNGE") {
				t.Errorf("the deletes are told of connections %v", conns)
			}
			w.idle()
			w.noComplaints()
		})
	}
}

// TestMaxConnectionsOne: never more than the user's value, and none where it does not
// pay.
func TestMaxConnectionsOne(t *testing.T) {
	for name, change := range map[string]func(w *world){
		"one":      func(w *world) { w.set.MaxConnections = 1 },
		"near":     func(w *world) { w.latency = time.Millisecond },
		"limit":    func(w *world) { w.srv.Greeting = "Microsoft Exchange Server 2003" },
		"a tunnel": func(w *world) { w.set.PreAuth = true },
	} {
		t.Run(name, func(t *testing.T) {
			w := shared(t, imaptest.QRESYNC)
			change(w)
			w.must()
			w.expect(sharedEnd())
			if on := w.on(); len(on) != 1 {
				t.Errorf("there are %d connections", len(on))
			}
		})
	}
}

// second calls f with each piece of a run's second connection, counted from 1; true
// cuts it.
func (w *world) second(f func(c *wire, n int) bool) {
	n := 0
	w.cutHere = func(c *wire) bool {
		if len(c.p.open) < 2 || c.p.open[1] != c {
			return false
		}
		n++
		return f(c, n)
	}
}

// TestSecondConnectionLost: at whichever piece it is lost, and however late the server
// still does what it was told on it, the round goes on and ends well, and no message is
// sent twice.
func TestSecondConnectionLost(t *testing.T) {
	w := shared(t, imaptest.QRESYNC)
	all := 0
	w.second(func(_ *wire, n int) bool { all = n; return false })
	w.must()
	if all < 12 {
		t.Fatalf("the second connection has %d pieces", all)
	}
	b := shared(t, imaptest.QRESYNC)
	from := &base{s: &scenario{}, w: b}
	for k := 1; k <= all; k++ {
		for _, lazy := range []bool{false, true} {
			for _, timing := range []reactortest.Timing{reactortest.NextTurn, reactortest.Shuffled} {
				r := &recorder{TB: t}
				w := from.copy(r, uint64(k))
				w.timing, w.lazy = timing, lazy
				cut := 0
				w.second(func(_ *wire, n int) bool {
					if n == k {
						cut = w.pieces
					}
					return n == k
				})
				w.onPiece = func(n int) {
					if cut > 0 && n == cut+k%7 {
						w.srv.Settle(-1)
					}
				}
				func() {
					var failed []string
					defer r.caught(&failed)
					w.must()
				}()
				w.cutHere, w.onPiece = nil, nil
				if cut == 0 && !lazy {
					r.Errorf("nothing was cut")
				}
				w.expect(sharedEnd())
				appends := 0
				for _, e := range w.srv.Log[w.logFrom:] {
					if e.Name == "APPEND" {
						appends++
					}
				}
				if appends > sharedFolders {
					r.Errorf("%d messages were sent", appends)
				}
				w.idle()
				w.expect(sharedEnd())
				w.noComplaints()
				if len(r.failed) > 0 {
					t.Fatalf("cut at piece %d of %d (lazy %v, %v): %s", k, all, lazy, timing, strings.Join(r.failed, "\n"))
				}
			}
		}
	}
}

// TestSecondConnectionRefused: a server that wants no second connection, in whatever
// way it says so, gets along with one, and is left alone for a day.
func TestSecondConnectionRefused(t *testing.T) {
	// the session's number is that of the run's second connection
	for name, refuse := range map[string]func(w *world, session int){
		"login": func(w *world, n int) {
			w.rule(n, "AUTHENTICATE", imaptest.Act{Kind: imaptest.ActAnswer, Text: "NO [LIMIT] too many connections"})
		},
		"bye": func(w *world, n int) {
			w.rule(n, "AUTHENTICATE", imaptest.Act{Kind: imaptest.ActBye, Text: "too many connections"})
		},
		"closed": func(w *world, n int) { w.rule(n, "AUTHENTICATE", imaptest.Act{Kind: imaptest.ActClose}) },
		"then": func(w *world, n int) {
			w.rule(n, "SELECT", imaptest.Act{Kind: imaptest.ActBye, Text: "too many connections"})
		},
		"greeting": func(w *world, n int) {
			w.second(func(*wire, int) bool { return true })
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := shared(t, imaptest.QRESYNC)
			refuse(w, len(w.srv.Sessions())+2)
			before := len(w.srv.Sessions())
			w.must()
			w.cutHere = nil
			if len(w.srv.Faults.Rules) > 0 && !w.refused() {
				t.Error("nothing was refused")
			}
			w.expect(sharedEnd())
			if n := len(w.srv.Sessions()) - before; n != 2 {
				t.Errorf("%d connections were made", n)
			}
			w.idle()
			w.srv.Faults.Rules = nil
			again := func() int {
				for i := range sharedFolders {
					w.localFlags(fmt.Sprint("F", i), fmt.Sprint("a", i), "S")
					w.localFlags(fmt.Sprint("F", i), fmt.Sprint("c", i), "T")
				}
				before := len(w.srv.Sessions())
				w.must()
				return len(w.srv.Sessions()) - before
			}
			if n := again(); n != 1 {
				t.Errorf("%d connections in the next round", n)
			}
		})
	}
}

// rule puts a fault on commands of one session.
func (w *world) rule(session int, name string, act imaptest.Act) {
	w.srv.Faults.Rules = append(w.srv.Faults.Rules, imaptest.Rule{Session: session, Name: name, Act: act})
}

// refused tells whether the server executed some command of the second connection otherwise.
func (w *world) refused() bool {
	return slices.ContainsFunc(w.srv.Log[w.logFrom:], func(e imaptest.Entry) bool { return !e.Executed && e.Session == w.srv.Log[w.logFrom].Session+1 })
}

// TestSecondConnectionAgain: a day later a server is asked again.
func TestSecondConnectionAgain(t *testing.T) {
	w := shared(t, imaptest.QRESYNC)
	w.rule(len(w.srv.Sessions())+2, "AUTHENTICATE", imaptest.Act{Kind: imaptest.ActAnswer, Text: "NO busy"})
	w.must()
	w.wait(25 * time.Hour)
	w.must() // compares all in full
	for i := range sharedFolders {
		f := fmt.Sprint("F", i)
		w.localFlags(f, fmt.Sprint("a", i), "S")
		w.localDel(f, fmt.Sprint("c", i))
	}
	before := len(w.srv.Sessions())
	w.must()
	if n := len(w.srv.Sessions()) - before; n != 2 {
		t.Errorf("%d connections a day later", n)
	}
}

// TestSecondConnectionSilent: a connection that never gets as far as to open a folder is
// not waited for.
func TestSecondConnectionSilent(t *testing.T) {
	for _, name := range []string{"AUTHENTICATE", "SELECT"} {
		w := shared(t, imaptest.QRESYNC)
		w.rule(len(w.srv.Sessions())+2, name, imaptest.Act{Kind: imaptest.ActHold})
		from := w.now
		w.must()
		if d := w.now.Sub(from) - time.Minute; d > 10*time.Second { // a minute passes after each run
			t.Errorf("%s: the round took %v", name, d)
		}
		w.expect(sharedEnd())
		w.idle()
	}
}

// TestSecondConnectionRefusesChanges: what the server refuses on the second connection
// is tried on the first before it is called refused.
func TestSecondConnectionRefusesChanges(t *testing.T) {
	for _, name := range []string{"SELECT", "UID STORE", "UID EXPUNGE"} {
		for _, text := range []string{"NO [INUSE] another session has it", "BAD what"} {
			w := shared(t, imaptest.QRESYNC)
			w.rule(len(w.srv.Sessions())+2, name, imaptest.Act{Kind: imaptest.ActAnswer, Text: text})
			w.must()
			w.expect(sharedEnd())
			if on := w.on(); count(on[1], "UID EXPUNGE") < sharedFolders && name != "SELECT" {
				t.Errorf("%s: the first connection expunged %d times", name, count(on[1], "UID EXPUNGE"))
			}
			told := map[string]int{}
			for _, e := range w.events {
				if e.Kind == "delete-remote" || e.Kind == "flags" && e.Conn > 0 {
					told[e.Folder+e.Kind+e.Dest]++
				}
			}
			for what, n := range told {
				if n > 1 {
					t.Errorf("%s %s: %s is told %d times", name, text, what, n)
				}
			}
			w.idle()
		}
	}
}

// TestSecondConnectionValidity: a mailbox made anew meanwhile is changed on neither
// connection.
func TestSecondConnectionValidity(t *testing.T) {
	w := shared(t, imaptest.QRESYNC)
	second, selects, done := len(w.srv.Sessions())+2, 0, map[string]bool{}
	w.srv.Faults.Before = func(c imaptest.Command) {
		if c.Session != second || c.Name != "SELECT" {
			return
		}
		if selects++; selects == 2 { // the folder of the first may go to the other connection
			done[c.Mailbox] = true
			w.srv.SetUIDValidity(c.Mailbox, 4711, 1)
		}
	}
	res := w.sync()
	if len(done) == 0 || res.ExitCode() != 2 {
		t.Errorf("%v: %v", done, res.Errors)
	}
	for _, e := range w.srv.Log[w.logFrom:] {
		if done[e.Mailbox] && slices.Contains([]string{"UID STORE", "UID EXPUNGE"}, e.Name) {
			t.Errorf("%d: %s", e.Session, e.Line)
		}
	}
}

// TestSecondConnectionStop: whoever stops a round, or wakes the machine, ends both
// connections at once, whatever is under way on them.
func TestSecondConnectionStop(t *testing.T) {
	for name, end := range map[string]func(a *Account){"stop": (*Account).Stop, "suspend": (*Account).Suspended} {
		w := shared(t, imaptest.QRESYNC)
		second := len(w.srv.Sessions()) + 2
		w.rule(second, "UID STORE", imaptest.Act{Kind: imaptest.ActHold})
		w.srv.Faults.Before = func(c imaptest.Command) {
			if c.Session == second && c.Name == "SELECT" {
				w.srv.Faults.Before = nil
				p := w.last
				procLoop{p}.After(time.Second, func() { end(p.a) })
			}
		}
		from := w.now
		w.sync()
		if d := w.now.Sub(from) - time.Minute; d > 10*time.Second { // a minute passes after each run
			t.Errorf("%s: the round took %v", name, d)
		}
		w.last.loop.Advance(time.Second)
		for i, c := range w.last.open[:2] {
			if !c.ended {
				t.Errorf("%s: connection %d is still open", name, i+1)
			}
		}
		w.srv.Faults.Rules = nil
		w.must()
		w.expect(sharedEnd())
		w.idle()
	}
}
