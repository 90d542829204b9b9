package mailsync

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"offloop/imapproto/imaptest"
)

// remade deletes a server folder and makes it again with these messages, in this
// order; "name:F" has flags.
func (w *world) remade(folder string, names ...string) {
	w.srv.DeleteMailbox(folder)
	w.srv.CreateMailbox(folder)
	box, _ := w.srv.Mailbox(folder)
	w.srv.SetUIDValidity(folder, box.UIDValidity+7, 3)
	for _, n := range names {
		name, letters, _ := strings.Cut(n, ":")
		var flags []string
		for f, l := range wireLetters {
			if strings.Contains(letters, l) {
				flags = append(flags, f)
			}
		}
		w.remoteAdd(folder, name, flags...)
	}
}

func manyIn(folder string, from, to int) func(w *world) {
	return func(w *world) {
		for i := from; i < to; i++ {
			w.remoteAdd(folder, fmt.Sprintf("m%02d", i))
		}
	}
}

var validityScenarios = []scenario{
	{name: "UIDVALIDITY flags merge", before: func(w *world) { three(w); w.remoteAdd("INBOX", "d", `\Seen`, "alpha") }, change: func(w *world) {
		w.srv.SetUIDValidity("INBOX", 999, 2) // the new numbers overlap the old ones
		w.localFlags("INBOX", "b", "")
		w.localFlags("INBOX", "a", "F")
		w.remoteFlags("INBOX", "c", `\Answered`)
		w.remoteFlags("INBOX", "d", "alpha", "beta")
	}, want: "INBOX a:F b:- c:R d:{alpha}{beta}"},

	{name: "UIDVALIDITY folder made again", before: func(w *world) {
		for _, n := range []string{"a", "noid1", "twin1", "twin2", "raw1", "gone1"} {
			w.remoteAdd("Work", n, `\Seen`)
		}
		three(w)
	}, change: func(w *world) {
		w.remade("Work", "twin2:S", "raw1:S", "new1", "a:S", "noid1:SF", "twin1")
		w.localDel("Work", "raw1") // without its file it cannot be recognised
		w.localFlags("Work", "a", "FS")
		w.localAdd("Work", "n1", "S")
		w.remoteAdd("INBOX", "d")
	}, want: "INBOX a:- b:S c:FS d:-\nWork a:FS gone1:S n1:S new1:- noid1:FS raw1:S twin1:- twin2:S"},

	{name: "UIDVALIDITY of every folder", before: func(w *world) {
		three(w)
		for i := range 6 {
			w.remoteAdd(fmt.Sprintf("F%d", i), "x", `\Seen`)
			w.remoteAdd(fmt.Sprintf("F%d", i), "y")
		}
	}, change: func(w *world) {
		for i, b := range w.srv.Mailboxes() {
			w.srv.SetUIDValidity(b, uint32(5000+i), 1)
		}
		w.localFlags("F2", "x", "")
		w.remoteDel("F3", "x")
		w.localAdd("F4", "n1", "S")
		w.remoteAdd("F5", "n2")
	}, want: "F0 x:S y:-\nF1 x:S y:-\nF2 x:- y:-\nF3 x:S y:-\nF4 n1:S x:S y:-\nF5 n2:- x:S y:-\nINBOX a:- b:S c:FS"},

	{name: "UIDVALIDITY equal messages", before: func(w *world) {
		for range 3 {
			w.remoteAdd("INBOX", "noid1", `\Seen`)
		}
	}, change: func(w *world) { w.srv.SetUIDValidity("INBOX", 999, 2) }, want: "INBOX noid1:S noid1:S noid1:S"},

	{name: "UIDVALIDITY strangers wait", before: func(w *world) { manyIn("Work", 0, 20)(w); three(w) }, change: func(w *world) {
		w.remade("Work", "m03", "m04:S", "new1")
		w.remoteAdd("INBOX", "d")
	}, want: "INBOX a:- b:S c:FS d:-\nWork " + strings.Replace(manyText("-"), "m04:-", "m04:S", 1) + " new1:- | m03:- m04:S new1:-", errors: "found no partner", busy: true, once: func(w *world) { w.sync(); w.sync() }},

	{name: "UIDVALIDITY strangers confirmed", before: manyIn("Work", 0, 20), change: func(w *world) {
		w.remade("Work", "m03", "m04:S", "new1")
	}, once: func(w *world) { w.set.Recreate = []string{"Work"}; w.sync(); w.set.Recreate = nil },
		want: "INBOX\nWork " + strings.Replace(manyText("-"), "m04:-", "m04:S", 1) + " new1:-", errors: "found no partner"},

	{name: "UIDVALIDITY strangers come back", before: manyIn("Work", 0, 20), change: func(w *world) {
		w.remade("Work", "m03")
	}, once: func(w *world) {
		manyIn("Work", 0, 3)(w)
		manyIn("Work", 4, 20)(w)
		w.sync()
	}, want: "INBOX\nWork " + manyText("-"), errors: "found no partner"},

	{name: "UIDVALIDITY and what stays here", set: func(s *Settings) { s.RemoteSyncDeletes = false }, before: func(w *world) {
		three(w)
		w.must()
		w.remoteDel("INBOX", "b")
	}, change: func(w *world) { w.srv.SetUIDValidity("INBOX", 999, 2) }, want: "INBOX a:- b:S c:FS | a:- c:FS"},

	{name: "UIDVALIDITY and a large new message", before: three, change: func(w *world) {
		w.srv.SetUIDValidity("INBOX", 999, 7)
		w.localAdd("INBOX", "big1", "S")
		w.localAdd("INBOX", "n1", "")
	}, want: "INBOX a:- b:S big1:S c:FS n1:-"},
}

func init() { scenarios = append(scenarios, validityScenarios...) }

// TestRule6_Scenarios plays what this file adds by name.
func TestRule6_Scenarios(t *testing.T) {
	for _, s := range validityScenarios {
		playNamed(t, s.name)
	}
}

// TestRule6_NewNumbersEverySession: a server whose UIDVALIDITY changes with every
// session is paired anew every time; nothing is sent, fetched or doubled.
func TestRule6_NewNumbersEverySession(t *testing.T) {
	for _, v := range servers {
		t.Run(v.name, func(t *testing.T) {
			w := newWorld(t, v.caps, 5)
			three(w)
			w.must()
			next := uint32(100)
			for i := range 4 {
				next += 9
				w.srv.SetUIDValidity("INBOX", next, uint32(1+i%2))
				if i == 1 {
					w.localAdd("INBOX", "n1", "S")
					w.remoteAdd("INBOX", "n2")
				}
				r := w.must()
				if i != 1 && r.Down+r.Up+r.DelLocal+r.DelRemote+r.FlagsLocal+r.FlagsRemote > 0 {
					t.Errorf("session %d transferred: %+v", i, r)
				}
			}
			w.expect("INBOX a:- b:S c:FS n1:S n2:-")
			w.noComplaints()
		})
	}
}

// TestRule6_NewNumbersWhileLooked: numbers that change again with every SELECT
// leave the folder alone; the round ends.
func TestRule6_NewNumbersWhileLooked(t *testing.T) {
	for _, v := range servers {
		t.Run(v.name, func(t *testing.T) {
			w := newWorld(t, v.caps, 5)
			three(w)
			w.remoteAdd("Work", "x")
			w.must()
			next, inbox := uint32(100), false
			w.srv.Faults.Before = func(c imaptest.Command) {
				if c.Name == "SELECT" {
					inbox = c.Mailbox == "INBOX"
				}
			}
			w.srv.Faults.Response = func(_ *imaptest.Session, line []byte) []byte {
				if inbox && strings.HasPrefix(string(line), "* OK [UIDVALIDITY ") {
					next++
					return fmt.Appendf(nil, "* OK [UIDVALIDITY %d] anew", next)
				}
				return line
			}
			w.localAdd("Work", "n1", "S")
			w.localAdd("INBOX", "n2", "S")
			w.remoteAdd("INBOX", "n3") // so that no server calls it unchanged
			snap := w.srv.Messages("INBOX")
			for range 3 {
				if r := w.sync(); r.ExitCode() != 2 {
					t.Errorf("exit code %d: %v", r.ExitCode(), r.Errors)
				}
			}
			if n := len(w.srv.Messages("INBOX")); n != len(snap) {
				t.Errorf("%d messages on the server, were %d", n, len(snap))
			}
			w.srv.Faults.Before, w.srv.Faults.Response = nil, nil
			w.must()
			w.expect("INBOX a:- b:S c:FS n2:S n3:-\nWork n1:S x:-")
			w.idle()
		})
	}
}

// TestRule6_NothingIsDeleted: a deletion that waits when the numbers change is not
// carried out by the round that pairs anew, and one of a message whose file is
// gone not at all.
func TestRule6_NothingIsDeleted(t *testing.T) {
	for _, v := range servers {
		t.Run(v.name, func(t *testing.T) {
			w := newWorld(t, v.caps, 5)
			three(w)
			w.must()
			w.localFlags("INBOX", "a", "T")
			w.localDel("INBOX", "b")
			w.srv.SetUIDValidity("INBOX", 999, 2)
			from := len(w.srv.Log)
			w.must()
			for _, e := range w.srv.Log[from:] {
				if strings.Contains(e.Name, "EXPUNGE") {
					t.Errorf("the round that paired anew sent %s", e.Line)
				}
			}
			if len(w.srv.Messages("INBOX")) != 3 || len(w.files("INBOX")) != 3 {
				t.Errorf("something was deleted: %s", w.state())
			}
		})
	}
}

// TestRule6_DryRun: a dry run tells of the new numbers and changes nothing.
func TestRule6_DryRun(t *testing.T) {
	w := newWorld(t, imaptest.QRESYNC, 5)
	three(w)
	w.must()
	w.srv.SetUIDValidity("INBOX", 999, 2)
	w.set.DryRun = true
	before, state := w.fs.Files(wRoot), w.fs.Files(wState)
	w.must()
	told := slices.ContainsFunc(w.events, func(e Event) bool { return e.Kind == "plan" && strings.Contains(e.Text, "pair 3 files anew") })
	if !told {
		t.Error("the plan does not tell of it")
	}
	for p, c := range before {
		if w.fs.Files(wRoot)[p] != c {
			t.Errorf("%s changed", p)
		}
	}
	for p, c := range state {
		if w.fs.Files(wState)[p] != c {
			t.Errorf("%s changed", p)
		}
	}
}

// TestRule6_UnlistedMessages: a listing that lacks messages pairs nothing.
func TestRule6_UnlistedMessages(t *testing.T) {
	w := newWorld(t, imaptest.QRESYNC, 5)
	three(w)
	w.must()
	w.srv.SetUIDValidity("INBOX", 999, 2)
	w.srv.Faults.Unfetched = func(_ string, uid uint32) bool { return uid == 3 }
	before := w.fs.Files(wRoot)
	if r := w.sync(); r.ExitCode() != 2 {
		t.Errorf("exit code %d: %v", r.ExitCode(), r.Errors)
	}
	for p, c := range before {
		if !strings.HasPrefix(p, hidden) && w.fs.Files(wRoot)[p] != c {
			t.Errorf("%s changed", p)
		}
	}
	w.srv.Faults.Unfetched = nil
	w.must()
	w.expect("INBOX a:- b:S c:FS")
	w.idle()
}

// TestRule6_ReadOnlyMaildir: files that may not be renamed are known by name.
func TestRule6_ReadOnlyMaildir(t *testing.T) {
	w := newWorld(t, imaptest.QRESYNC, 5)
	three(w)
	w.must()
	w.set.LocalReadOnly = true
	w.must()
	before := w.fs.Files(wRoot)
	w.srv.SetUIDValidity("INBOX", 999, 2)
	for range 3 {
		if r := w.must(); r.Up+r.Down > 0 {
			t.Errorf("transferred: %+v", r)
		}
		for p, c := range before {
			if !strings.HasPrefix(p, hidden) && w.fs.Files(wRoot)[p] != c {
				t.Errorf("%s changed", p)
			}
		}
	}
}

// TestMatchingJoins: what the three passes join, and what they do not.
func TestRule6_MatchingJoins(t *testing.T) {
	h := func(uid uint32, id, date, hash string, size int64) holder {
		x := holder{msgID: id, date: date, hash: hash, size: size}
		x.rec.UID = uid
		return x
	}
	c := func(uid uint32, id, date string, size int64) claimed {
		return claimed{uid: uid, msgID: id, date: date, size: size}
	}
	holders := []holder{
		h(1, "<a>", "d1", "A", 10),                   // plain
		h(2, "<b>", "d1", "B", 11),                   // a draft saved again: other Date, other size
		h(3, "", "", "C", 12), h(4, "", "", "C", 12), // equal
		h(5, "<e>", "d5", "E", 13), // the server tells another size
		h(6, "<f>", "d6", "F", 14), // equal in all but its content
		h(7, "<f>", "d6", "G", 14),
	}
	claims := []claimed{c(20, "<a>", "d1", 10), c(21, "<b>", "d9", 15), c(22, "", "", 12), c(23, "", "", 12), c(24, "<e>", "d5", 99),
		c(25, "<f>", "d6", 14), c(26, "<f>", "d6", 14)}
	m := newMatching(holders, claims)
	m.byNames()
	doubts := m.doubts()
	if want := []uint32{22, 23, 25, 26}; !slices.Equal(doubts, want) {
		t.Errorf("read %v, want %v", doubts, want)
	}
	m.byContent(map[uint32]string{22: "C", 23: "C", 25: "G", 26: "F"})
	m.byDate()
	got := map[uint32]string{}
	for _, p := range m.pairs {
		got[holders[p.holder].rec.UID] = fmt.Sprint(m.claims[p.claimed].uid, p.certain)
	}
	want := map[uint32]string{1: "20true", 3: "22false", 4: "23false", 5: "24true", 6: "26true", 7: "25true"}
	if len(got) != len(want) {
		t.Errorf("pairs %v, want %v", got, want)
	}
	for k, v := range want {
		if strings.ReplaceAll(got[k], " ", "") != v {
			t.Errorf("file %d: %q, want %q", k, got[k], v)
		}
	}
	if manyStrangers(10, 10) || manyStrangers(11, 44) || !manyStrangers(11, 43) {
		t.Error("the limit is not more than 10 and more than a quarter")
	}
}
