package mailsync

import (
	"slices"
	"strings"
	"testing"
	"time"

	"offloop/imapproto/imaptest"
	"offloop/maildir"
)

// day is a time some days before the simulated worlds begin: they do so on 1 January
// 2026, so that a window of 30 days begins on 2 December.
func day(ago int) time.Time { return time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC).AddDate(0, 0, -ago) }

func month(s *Settings) { s.MaxAge = 30 }

// ages has messages of either side of a window of 30 days on the server.
func ages(w *world) {
	w.remoteDated("INBOX", "a", day(5), `\Seen`)
	w.remoteDated("INBOX", "b", day(10))
	w.remoteDated("INBOX", "c", day(400), `\Seen`)
	w.remoteDated("Work", "d", day(29))
}

func init() {
	scenarios = append(scenarios, scenario{name: "maxage", set: month, before: ages, change: func(w *world) {
		w.remoteDated("INBOX", "e", time.Date(2025, 12, 2, 0, 0, 0, 0, time.UTC))    // the first second of the window
		w.remoteDated("INBOX", "f", time.Date(2025, 12, 1, 23, 59, 59, 0, time.UTC)) // the last one before
		w.remoteFlags("INBOX", "c", `\Flagged`)
		w.remoteDel("INBOX", "b")
		w.localAdd("INBOX", "g", "S") // its name is of 2020
		w.localDated("INBOX", "h", day(3), "S")
		w.localDated("INBOX", "i", time.Date(2025, 12, 2, 0, 0, 0, 0, time.UTC), "S")
		w.localDated("INBOX", "j", time.Date(2025, 12, 1, 23, 59, 59, 0, time.UTC), "S")
	}, want: "INBOX a:S e:- g:S h:S i:S j:S | a:S c:F e:- f:- h:S i:S\nWork d:-"},

		scenario{name: "startdate", set: func(s *Settings) { s.Since = time.Date(2025, 12, 25, 0, 0, 0, 0, time.UTC) }, before: ages, change: func(w *world) {
			w.remoteDated("INBOX", "e", day(7)) // 25 December
			w.remoteDated("INBOX", "f", day(8))
			w.localDated("INBOX", "g", day(8), "S")
			w.localDated("INBOX", "h", day(7), "")
		}, want: "INBOX a:S e:- g:S h:- | a:S b:- c:S e:- f:- h:-\nWork | d:-"},

		scenario{name: "synced messages grow old", set: month, before: func(w *world) { ages(w); w.remoteDated("INBOX", "k", day(1)) }, change: func(w *world) {
			w.wait(60 * 24 * time.Hour) // all that was synced is from before the window now
			w.remoteFlags("INBOX", "a", `\Seen`, `\Flagged`)
			w.localFlags("INBOX", "b", "RS")
			w.localDel("INBOX", "k")
			w.remoteDel("Work", "d")
			w.remoteDated("INBOX", "e", day(5)) // new, and too old by now
			w.remoteDated("INBOX", "f", day(-59))
		}, want: "INBOX a:FS b:RS f:- | a:FS b:RS c:S e:- f:-\nWork", bare: "INBOX a:FS b:RS f:- | a:FS b:RS c:S e:- f:- k:T\nWork"},

		scenario{name: "maxage taken away", set: month, before: func(w *world) { ages(w); w.localAdd("INBOX", "g", "S") }, change: func(w *world) {
			w.set.MaxAge, w.set.ConfigDigest = 0, "e"
		}, want: "INBOX a:S b:- c:S g:S\nWork d:-"},

		scenario{name: "maxage set later", before: func(w *world) { ages(w); w.localAdd("INBOX", "g", "S") }, change: func(w *world) {
			w.set.MaxAge, w.set.ConfigDigest = 7, "e"
			w.remoteDel("INBOX", "b")
			w.localFlags("INBOX", "c", "FS")
			w.remoteDated("INBOX", "f", day(8))
		}, want: "INBOX a:S c:FS g:S | a:S c:FS f:- g:S\nWork d:-"},

		scenario{name: "old messages move", before: func(w *world) {
			ages(w)
			w.remoteAdd("INBOX", "m")
			w.remoteAdd("INBOX", "n")
			w.srv.CreateMailbox("Old")
		}, change: func(w *world) {
			w.set.MaxAge, w.set.ConfigDigest = 7, "e"
			w.remoteDel("INBOX", "m")
			w.remoteAdd("Old", "m")
			w.localDel("INBOX", "n")
			w.localAdd("Old", "n", "S") // under a name of 2020
		}, want: "INBOX a:S b:- c:S\nOld m:- n:S\nWork d:-", bare: "INBOX a:S b:- c:S | a:S b:- c:S n:-\nOld m:- n:S | m:-\nWork d:-", busy: true})
}

// ignoreSome names messages of INBOX as copy_ignore_eval does.
func ignoreSome(uids ...uint32) func(string) map[uint32]bool {
	m := map[uint32]bool{}
	for _, u := range uids {
		m[u] = true
	}
	return func(local string) map[uint32]bool {
		if local == "INBOX" {
			return m
		}
		return nil
	}
}

func init() {
	scenarios = append(scenarios, scenario{name: "messages to ignore", set: func(s *Settings) { s.Ignored = ignoreSome(2, 5) }, before: func(w *world) { three(w); w.remoteAdd("Work", "v"); w.remoteAdd("Work", "x") }, change: func(w *world) {
		w.remoteAdd("INBOX", "d")
		w.remoteAdd("INBOX", "e", `\Seen`) // UID 5
		w.remoteFlags("INBOX", "b", `\Flagged`)
	}, want: "INBOX a:- c:FS d:- | a:- b:F c:FS d:- e:S\nWork v:- x:-"},

		scenario{name: "ignored no more, and ignored too late", set: func(s *Settings) { s.Ignored = ignoreSome(2) }, before: three, change: func(w *world) {
			w.set.Ignored, w.set.ConfigDigest = ignoreSome(1), "e"
			w.remoteFlags("INBOX", "a", `\Seen`)
		}, want: "INBOX a:S b:S c:FS"})
}

// TestAge_NeverBlind: where age decides, no content is fetched before the dates are
// known, and a folder in which nothing happened is not asked for them again.
func TestAge_NeverBlind(t *testing.T) {
	for _, srv := range servers {
		t.Run(srv.name, func(t *testing.T) {
			w := newWorld(t, srv.caps, 1)
			month(&w.set)
			ages(w)
			w.must()
			for _, name := range []string{"e", "f", "g"} {
				w.remoteDated("INBOX", name, day(100))
			}
			before := len(w.srv.Log)
			w.must()
			for _, c := range w.srv.Log[before:] {
				if strings.Contains(c.Line, "BODY") {
					t.Errorf("content was fetched: %s", c.Line)
				}
			}
			w.expect("INBOX a:S b:- | a:S b:- c:S e:- f:- g:-\nWork d:-")
			before = len(w.srv.Log)
			w.must()
			for _, c := range w.srv.Log[before:] {
				if strings.Contains(c.Line, "SINCE") {
					t.Errorf("dates were asked for again: %s", c.Line)
				}
			}
		})
	}
}

// TestAge_SearchRefused: a server that does not say how old its messages are gets
// nothing fetched and nothing deleted.
func TestAge_SearchRefused(t *testing.T) {
	w := newWorld(t, imaptest.QRESYNC, 1)
	month(&w.set)
	ages(w)
	w.must()
	w.remoteDated("INBOX", "e", day(1))
	w.remoteDel("INBOX", "a")
	w.srv.Faults.Rules = []imaptest.Rule{{Name: "UID SEARCH", Act: imaptest.Act{Kind: imaptest.ActAnswer, Text: "NO not today"}}}
	r := w.sync()
	if len(r.Errors) != 1 || !strings.Contains(r.Errors[0].Error(), "age of new messages") {
		t.Errorf("errors: %v", r.Errors)
	}
	w.expect("INBOX a:S b:- | b:- c:S e:-\nWork d:-")
	w.srv.Faults.Rules = nil
	w.must()
	w.expect("INBOX b:- e:- | b:- c:S e:-\nWork d:-")
}

// TestRule4_OldFileIsNobodysReplacement: a file that is not uploaded for its age may
// be the only other copy of a message whose file is gone elsewhere: that message is
// deleted nowhere.
func TestRule4_OldFileIsNobodysReplacement(t *testing.T) {
	w := newWorld(t, imaptest.Bare, 1) // which cannot move
	ages(w)
	w.remoteAdd("INBOX", "n")
	w.srv.CreateMailbox("Old")
	w.must()
	w.set.MaxAge, w.set.ConfigDigest = 7, "e"
	w.localDel("INBOX", "n")
	w.localAdd("Old", "n", "S")
	w.sync()
	w.expect("INBOX a:S b:- c:S | a:S b:- c:S n:-\nOld n:S |\nWork d:-")
}

func TestNameTime(t *testing.T) {
	for name, want := range map[string]int64{"1600000000_0.12.host": 1600000000, "1600000000.M1P2.host": 1600000000, "0.x": 0, "msg.abc": -1, "": -1, "99999999999999999999.x": -1} {
		at, ok := nameTime(maildir.ParseName(name, ':').Unique)
		if ok != (want >= 0) || ok && at.Unix() != want {
			t.Errorf("%q: %v %v", name, at, ok)
		}
	}
}

func TestSince(t *testing.T) {
	now := time.Date(2026, 3, 15, 1, 2, 3, 0, time.FixedZone("", 5*3600)) // still the 14th in UTC
	for _, c := range []struct {
		set  Settings
		want string
	}{
		{Settings{MaxAge: 1}, "2026-03-13"}, {Settings{MaxAge: 14}, "2026-02-28"}, {Settings{Since: time.Date(2020, 2, 29, 0, 0, 0, 0, time.UTC)}, "2020-02-29"},
	} {
		if got := c.set.since(now); got.Format(time.DateOnly) != c.want || got.Hour() != 0 || !c.set.dated() {
			t.Errorf("%d %v: %v", c.set.MaxAge, c.set.Since, got)
		}
	}
	if (&Settings{}).dated() {
		t.Error("no limit is one")
	}
}

// TestAge_DryRun names what stays.
func TestAge_DryRun(t *testing.T) {
	w := newWorld(t, imaptest.QRESYNC, 1)
	month(&w.set)
	ages(w)
	w.localAdd("INBOX", "g", "S")
	w.set.DryRun = true
	w.sync()
	var got []string
	for _, e := range w.events {
		if e.Kind == "plan" && e.Severity == "info" {
			got = append(got, e.Text)
		}
	}
	want := []string{"INBOX: download UID 1", "INBOX: download UID 2", "INBOX: leave 1600000000.Mg.reader:2,S in the Maildir", "INBOX: leave UID 3 on the server", "Work: download UID 1"}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

// TestVerify_MaxAge: what stays on its side for its age is no difference.
func TestVerify_MaxAge(t *testing.T) {
	w := newWorld(t, imaptest.QRESYNC, 3)
	month(&w.set)
	ages(w)
	w.localAdd("INBOX", "old", "S") // its name is of 2020
	w.must()
	if d := w.verify(false); len(d) > 0 {
		t.Errorf("differences: %q", d)
	}
	w.localDated("INBOX", "new", day(3), "S")
	if d := w.verify(false); len(d) != 1 || !strings.Contains(d[0], "not yet synced") {
		t.Errorf("a new message: %q", d)
	}
}
