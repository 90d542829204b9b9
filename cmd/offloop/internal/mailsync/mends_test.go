package mailsync

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"offloop/imapproto/imaptest"
)

// TestRule1_ChangedWhileSent: a file that somebody writes into while it is sent is
// set aside; nothing of it stays on the server, the others go up, and it follows
// once it stands still.
func TestRule1_ChangedWhileSent(t *testing.T) {
	for _, v := range servers {
		for _, how := range []string{"shorter", "other", "longer"} {
			t.Run(v.name+"/"+how, func(t *testing.T) {
				w := newWorld(t, v.caps, 5)
				w.must()
				w.localAdd("INBOX", "big1", "S")
				w.localAdd("INBOX", "n1", "S")
				file := w.file("INBOX", "big1")
				now := w.letter("big1")
				switch how {
				case "shorter":
					now = now[:len(now)/2]
				case "other":
					now = strings.ReplaceAll(now, "0123456789abcdef", "fedcba9876543210")
				case "longer":
					now += now
				}
				w.mail[now] = "changed"
				w.piece = 600
				done := false
				w.onPiece = func(int) {
					if c := w.last.a.link; !done && c != nil && c.conn != nil && w.last.a.state == accountFolders {
						for _, f := range w.last.a.folders {
							if f.step == stepTransfer && len(f.st.Intents()) > 0 {
								if w.last.open[len(w.last.open)-1].out > 100<<10 {
									done = true
									w.fs.WriteFile(file, strings.ReplaceAll(now, "\r\n", "\n"), true)
								}
							}
						}
					}
				}
				r := w.sync()
				w.onPiece = nil
				if !done {
					t.Fatal("the file was not changed")
				}
				if text := fmt.Sprint(r.Errors); !strings.Contains(text, "changed while it was") {
					t.Errorf("errors: %v", r.Errors)
				}
				for _, m := range w.srv.Messages("INBOX") {
					if n := w.mail[string(m.Body)]; n != "n1" {
						t.Errorf("%d bytes of %q are on the server", len(m.Body), n)
					}
				}
				w.wait(20 * time.Minute)
				w.must()
				w.expect("INBOX changed:S n1:S")
				w.idle()
				w.noComplaints()
			})
		}
	}
}

// TestRule3_RecreateWaitsForTheKilled: --recreate right after a kill does not send
// again what the server may still be about to execute.
func TestRule3_RecreateWaitsForTheKilled(t *testing.T) {
	for _, v := range servers {
		t.Run(v.name, func(t *testing.T) {
			w := newWorld(t, v.caps, 5)
			three(w)
			w.must()
			uploads(w)
			frozen := false
			w.srv.Faults.Command = func(c imaptest.Command) imaptest.Act {
				if c.Name == "APPEND" && !frozen {
					frozen = true
					w.srv.Sessions()[c.Session-1].Freeze()
				}
				return imaptest.Act{}
			}
			p := w.start()
			p.a.Round(func() {})
			p.loop.Until(20*time.Second, func() bool { return frozen })
			p.loop.Settle()
			p.die()
			w.fs.Kill()
			w.srv.Faults.Command = nil
			w.now = p.loop.Now().Add(50 * time.Millisecond)
			w.clock()

			w.set.Recreate = []string{"INBOX"}
			p = w.start()
			if !p.round() {
				t.Fatal("died")
			}
			at := p.a.SettleAt()
			if at.IsZero() {
				t.Fatal("nothing waits though an upload's fate is open")
			}
			p.loop.Advance(3 * time.Second)
			w.srv.Settle(-1)
			p.loop.Advance(at.Sub(p.loop.Now()) + 100*time.Millisecond)
			if !p.round() {
				t.Fatal("died")
			}
			w.set.Recreate = nil
			w.wait(time.Minute)
			w.must()
			w.expect(uploadsText)
			w.idle()
		})
	}
}

// TestLockName: any account name makes a file name, OfflineIMAP's where it is one.
func TestLockName(t *testing.T) {
	for name, want := range map[string]string{"Home": "Home.lock", "a/b": "a%2Fb.lock", "../x": "..%2Fx.lock", "100%": "100%.lock"} {
		if got := lockName(name); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}

// TestQuarantineRetriesWithBackoff: a refused message is tried again after ten
// minutes, then twenty, and so on up to a day, and at once when it is asked for.
func TestRule8_QuarantineBacksOff(t *testing.T) {
	w := newWorld(t, imaptest.QRESYNC, 5)
	w.must()
	tries := 0
	w.srv.Faults.Command = func(c imaptest.Command) imaptest.Act {
		if c.Name == "APPEND" {
			tries++
			return imaptest.Act{Kind: imaptest.ActAnswer, Text: "NO too ugly"}
		}
		return imaptest.Act{}
	}
	w.localAdd("INBOX", "n1", "S")
	for i, step := range []struct {
		wait  time.Duration
		retry bool
		tries int
	}{{0, false, 1}, {5 * time.Minute, false, 1}, {6 * time.Minute, false, 2}, {11 * time.Minute, false, 2}, {11 * time.Minute, false, 3}, {0, true, 4}, {0, false, 4}, {25 * time.Hour, false, 5}} {
		w.wait(step.wait)
		w.set.Retry = nil
		if step.retry {
			w.set.Retry = []string{"INBOX"}
		}
		w.events = nil
		r := w.sync()
		told := false
		for _, e := range w.events {
			told = told || e.Kind == "attention" && e.Dest == "quarantine" && e.N == 1
		}
		if tries != step.tries || !told {
			t.Errorf("step %d: %d tries, want %d; told of: %v", i, tries, step.tries, told)
		}
		if failed := len(r.Errors) > 0; failed != (i == 0 || i == 2 || i == 4 || i == 5 || i == 7) {
			t.Errorf("step %d: errors %v", i, r.Errors)
		}
	}
	w.srv.Faults.Command = nil
	w.wait(49 * time.Hour)
	w.must()
	w.expect("INBOX n1:S")
}
