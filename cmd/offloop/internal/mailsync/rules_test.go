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

// playNamed plays scenarios that show one rule, on every server.
func playNamed(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		i := slices.IndexFunc(scenarios, func(s scenario) bool { return s.name == name })
		if i < 0 {
			t.Fatalf("there is no scenario %q", name)
		}
		for _, v := range servers {
			if s := &scenarios[i]; s.only == "" || strings.Contains(s.only, v.name) {
				if _, failed := s.play(t, v.caps, v.name == "bare", reactortest.Shuffled, 11, crash{}); len(failed) > 0 {
					t.Errorf("%s on %s: %s", name, v.name, strings.Join(failed, "\n"))
				}
			}
		}
	}
}

func TestRule1_BytesBothWays(t *testing.T) {
	playNamed(t, "initial", "new both ways", "large messages", "server alters what it is given")
}
func TestRule4_ContradictionsDeleteNothing(t *testing.T) {
	playNamed(t, "a listing too short", "UIDNEXT goes back", "UIDVALIDITY", "Maildir gone rests", "server folder gone rests", "cur missing")
}
func TestRule5_BrakeHoldsAndIsReleased(t *testing.T) {
	playNamed(t, "brake here", "brake there", "brake released", "ten deletes")
}
func TestRule6_AdoptionPairsAndDeletesNothing(t *testing.T) { playNamed(t, "adoption", "UIDVALIDITY") }
func TestRule7_ExpungeOnlyOurOwn(t *testing.T) {
	playNamed(t, "trashed here", "trashed there is not ours to expunge", "delete beside another's Deleted", "expunge off")
}
func TestRule8_OneBadMessageStopsNothing(t *testing.T) {
	playNamed(t, "refused message", "message without content", "file with NUL, empty file", "APPENDUID of a known message")
}
func TestRule11_TrashFolderOfTheServer(t *testing.T) {
	playNamed(t, "deletes go to the Trash folder", "deletes go to the Trash folder that is named", "deletes go to a Trash folder that is not synced",
		"marked T goes to the Trash folder", "moved to the Trash folder here", "no Trash folder, deletes wait")
}
func TestRule9_BothSidesEditsSurvive(t *testing.T) {
	playNamed(t, "flags both ways", "flags of one message on both sides", "keywords", "keywords by customflag", "server without new keywords")
}

// TestRule2_FlushedBeforeRecorded cuts the power right after a run: what the run
// has recorded must be there, on both sides.
func TestRule2_FlushedBeforeRecorded(t *testing.T) {
	for seed := range uint64(30) {
		w := newWorld(t, imaptest.QRESYNC, seed)
		w.set.TrashKeep = 24 * time.Hour
		three(w)
		w.localAdd("Own", "o", "S")
		// The mail reader has not flushed this one.
		w.fs.WriteFile(wRoot+"/Own/cur/1600000003.lazy.reader:2,S", strings.ReplaceAll(w.letter("lazy"), "\r\n", "\n"), false)
		w.must()
		w.fs.PowerCut()
		w.powerCut = true
		w.expect("INBOX a:- b:S c:FS\nOwn lazy:S o:S")
		w.idle()
		uploads(w)
		w.remoteAdd("INBOX", "q")
		w.remoteDel("INBOX", "b")
		w.localFlags("INBOX", "a", "S")
		w.remoteFlags("INBOX", "c", `\Seen`)
		w.must()
		w.fs.PowerCut()
		want := "INBOX a:S c:S n1:S n2:- noid1:F q:- twin1:S twin2:S\nOwn lazy:S o:S"
		w.expect(want)
		w.idle()
		w.expect(want)
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

// TestRule3_UploadIntentSurvivesCrash kills the program when its APPENDs have
// been sent. The server executes them late: only after the next run has begun and
// has looked at the mailbox. Nothing may be sent again before that, and each
// message must be there once.
func TestRule3_UploadIntentSurvivesCrash(t *testing.T) {
	for _, v := range servers {
		for late := range 4 {
			t.Run(fmt.Sprintf("%s/%d", v.name, late), func(t *testing.T) {
				w := newWorld(t, v.caps, 5)
				if late > 0 {
					w.srv.Caps = v.caps.Without("MULTIAPPEND") // with it, all go in one command
				}
				three(w)
				w.must()
				uploads(w)
				seen := 0
				w.srv.Faults.Command = func(c imaptest.Command) imaptest.Act {
					if c.Name == "APPEND" {
						if seen++; seen == late+1 {
							w.srv.Sessions()[c.Session-1].Freeze()
						}
					}
					return imaptest.Act{}
				}
				p := w.start()
				p.a.Round(func() {})
				p.loop.Until(20*time.Second, func() bool { return seen > late })
				p.loop.Settle()
				p.die()
				w.fs.Kill()
				w.srv.Faults.Command = nil
				w.now = p.loop.Now().Add(50 * time.Millisecond)
				w.clock()

				p = w.start()
				from := len(w.srv.Log)
				if !p.round() {
					t.Fatal("died")
				}
				for _, e := range w.srv.Log[from:] {
					if e.Name == "APPEND" && e.Executed && !e.Orphan {
						t.Errorf("sent again at once: %s", e.Line)
					}
				}
				at := p.a.SettleAt()
				if at.IsZero() {
					t.Fatal("nothing waits though an upload's fate is open")
				}
				p.loop.Advance(3 * time.Second)
				w.srv.Settle(-1) // the dead connection's commands
				p.loop.Advance(at.Sub(p.loop.Now()) + 100*time.Millisecond)
				if !p.round() {
					t.Fatal("died")
				}
				w.wait(time.Minute)
				w.expect(uploadsText)
				w.idle()
				w.noComplaints()
			})
		}
	}
}

// TestRule3_LateAnswerIsNoLook: the mailbox is looked at right after a kill; then
// the killed connection's APPENDs are executed; the answer to the look arrives
// when the settle time is over. That answer must not let anything be sent again.
func TestRule3_LateAnswerIsNoLook(t *testing.T) {
	for _, v := range servers {
		t.Run(v.name, func(t *testing.T) {
			w := newWorld(t, v.caps, 5)
			three(w)
			w.must()
			uploads(w)
			sent := false
			w.srv.Faults.Command = func(c imaptest.Command) imaptest.Act {
				if c.Name == "APPEND" && !sent {
					sent = true
					w.srv.Sessions()[c.Session-1].Freeze()
				}
				return imaptest.Act{}
			}
			p := w.start()
			p.a.Round(func() {})
			p.loop.Until(20*time.Second, func() bool { return sent })
			p.loop.Settle()
			p.die()
			w.fs.Kill()
			w.now = p.loop.Now().Add(50 * time.Millisecond)
			w.clock()

			var late *imaptest.Session
			w.srv.Faults.Command = func(c imaptest.Command) imaptest.Act {
				if late == nil && (c.Name == "SELECT" || strings.Contains(c.Line, "STATUS")) {
					late = w.srv.Sessions()[c.Session-1]
					return imaptest.Act{Kind: imaptest.ActLate}
				}
				return imaptest.Act{}
			}
			p = w.start()
			ended := false
			p.a.Round(func() { ended = true })
			p.loop.Until(5*time.Second, func() bool { return late != nil })
			p.loop.Advance(time.Second)
			if w.srv.Settle(-1) == 0 {
				t.Fatal("the killed connection left nothing behind")
			}
			p.loop.Advance(11 * time.Second)
			if late == nil {
				t.Fatal("nothing was looked at")
			}
			late.Release()
			p.open[len(p.open)-1].pump()
			p.loop.Until(time.Hour, func() bool { return ended })
			if !ended {
				t.Fatal("the round hangs")
			}
			p.loop.Settle()
			w.now = p.loop.Now()
			w.clock()
			w.must()
			w.expect(uploadsText)
			w.idle()
			w.noComplaints()
		})
	}
}

// TestDryRunWritesNothing: the plan is told, and both sides and the state stay.
func TestDryRunWritesNothing(t *testing.T) {
	for _, v := range servers {
		t.Run(v.name, func(t *testing.T) {
			w := newWorld(t, v.caps, 5)
			three(w)
			w.must()
			w.localDel("INBOX", "a")
			w.remoteDel("INBOX", "b")
			w.localFlags("INBOX", "c", "S")
			w.localAdd("INBOX", "n1", "S")
			w.localAdd("Own", "n2", "S")
			w.remoteAdd("There", "n3")
			w.remoteAdd("INBOX", "n4")
			w.set.DryRun = true
			w.events = nil
			files, state, snap := w.fs.Files(wRoot), w.fs.Files(wState), w.srv.Snapshot()
			from := len(w.srv.Log)
			w.must()
			var plan []string
			for _, e := range w.events {
				if e.Kind == "plan" && e.Severity == "info" {
					plan = append(plan, e.Text)
				}
			}
			slices.Sort(plan)
			text := strings.Join(plan, "\n")
			for _, part := range []string{"INBOX: upload 1600000000.Mn1.reader:2,S", "INBOX: download UID 4", "INBOX: delete on the server UID 1",
				"INBOX: delete in the Maildir UID 2", "INBOX: flags of UID 3 on the server: FS -> S", "There: download UID 1"} {
				if !strings.Contains(text, part) {
					t.Errorf("the plan lacks %q:\n%s", part, text)
				}
			}
			for _, e := range w.srv.Log[from:] {
				if slices.Contains(mutating, e.Name) || e.Name == "SELECT" {
					t.Errorf("dry run: %s", e.Line)
				}
			}
			if d := snap.Diff(w.srv.Snapshot()); d != "" {
				t.Error(d)
			}
			for p, c := range files {
				if got := w.fs.Files(wRoot)[p]; got != c && !strings.HasPrefix(p, hidden) {
					t.Errorf("%s changed", p)
				}
			}
			for p, c := range state {
				if w.fs.Files(wState)[p] != c {
					t.Errorf("%s changed", p)
				}
			}
			if len(w.fs.Files(wState)) != len(state) {
				t.Error("a state file was made")
			}
			w.set.DryRun = false
			w.must()
			want := "INBOX c:S n1:S n4:-\nOwn n2:S\nThere n3:-"
			if v.name == "bare" {
				want = "INBOX c:S n1:S n4:- | a:T c:S n1:S n4:-\nOwn n2:S\nThere n3:-"
			}
			w.expect(want)
		})
	}
}

// TestUIDValidityThenRecreate: what the message about a changed UIDVALIDITY tells
// the user to do must do what it says.
func TestRule6_RecreatePairsAnew(t *testing.T) {
	for _, v := range servers {
		t.Run(v.name, func(t *testing.T) {
			w := newWorld(t, v.caps, 5)
			three(w)
			w.must()
			w.srv.SetUIDValidity("INBOX", 4242, 50)
			w.set.Recreate = []string{"INBOX"}
			w.sync()
			w.set.Recreate = nil
			w.must()
			w.expect("INBOX a:- b:S c:FS")
		})
	}
}

// TestRule4_SecondScanFindsTheFile: a file that one complete scan lacks and the
// next one has is not deleted on the server.
func TestRule4_SecondScanFindsTheFile(t *testing.T) {
	for _, v := range servers {
		t.Run(v.name, func(t *testing.T) {
			w := newWorld(t, v.caps, 5)
			three(w)
			w.must()
			file := w.file("INBOX", "b")
			move := func(from, to string) {
				w.fs.Outside(func() {
					if err := w.fs.Rename(from, to); err != nil {
						t.Error(err)
					}
				})
			}
			move(file, "/elsewhere")
			back := false
			w.onEvent = func(e Event) {
				if !back && e.Kind == "step" && e.Text == "INBOX: transfer" {
					back = true
					move("/elsewhere", file)
				}
			}
			w.must()
			if !back {
				t.Fatal("the folder never came to its transfers")
			}
			w.expect("INBOX a:- b:S c:FS")
			w.idle()
			w.expect("INBOX a:- b:S c:FS")
		})
	}
}

// TestRule3_EqualMessagesKilledTwice: of two equal files, one has been given its
// UID when the program is killed, the other was sent but not yet named. The
// intent of the first must not take the answer of the second.
func TestRule3_EqualMessagesKilledTwice(t *testing.T) {
	i := slices.IndexFunc(scenarios, func(s scenario) bool { return s.name == "equal messages" })
	for call := 50; call < 80; call += 5 {
		for again := 100; again < 200; again += 3 {
			_, failed := scenarios[i].play(t, imaptest.UIDPlusOnly, false, reactortest.NextTurn, 7+uint64(call), crash{call: call, again: again})
			if len(failed) > 0 {
				t.Fatalf("calls %d, %d: %s", call, again, strings.Join(failed, "\n"))
			}
		}
	}
}
