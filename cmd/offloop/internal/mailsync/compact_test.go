package mailsync

import (
	"fmt"
	"testing"
	"time"

	"offloop/imapproto/imaptest"
	"offloop/statefile"
)

// TestRule3_Compaction: a state that takes several pieces is written anew while it
// changes, and killed at every call of the file system on the way. What the file
// says afterwards is all that was appended, and only that.
func TestRule3_Compaction(t *testing.T) {
	for kill := 0; ; kill++ {
		w := newWorld(t, imaptest.Caps{}, uint64(kill))
		p := w.start()
		const path = wState + "/big.state"
		st := statefile.NewFolder("F", "x")
		for n := range uint32(12000) { // each is written twice
			u := n % 6000
			st.Put(statefile.Record{UID: u + 1, Flags: statefile.Flags(n / 6000), Name: fmt.Sprintf("17000000%d_%d.7.h", u/100, u%100)})
		}
		if err := statefile.AppendJournal(w.fs, path, st.TakeJournal(), true); err != nil {
			t.Fatal(err)
		}
		before := w.fs.Calls()
		if kill > 0 {
			w.fs.CrashAfter(kill)
		}
		ended, wrote, pieces := false, false, 0
		good, failed := int64(-1), error(nil)
		w.fs.Before = func(op, p string) {
			if op == "write" && p == path+"~new" {
				pieces++
			}
		}
		p.a.compact(st, path, func(err error) {
			if err != nil {
				t.Errorf("kill %d: %v", kill, err)
			}
			ended = true
		})
		var change func()
		change = func() {
			if pieces < 2 {
				p.a.env.Loop.NextTurn(change)
				return
			}
			st.Put(statefile.Record{UID: 3, Name: "changed"})
			st.Put(statefile.Record{UID: 7000, Name: "new"})
			p.a.writeJournal(st.TakeJournal(), path, &good, &failed, true, func(err error) { wrote = err == nil })
		}
		change()
		p.loop.Until(time.Minute, func() bool { return ended && wrote || p.gone() })
		calls := w.fs.Calls() - before
		if kill == 0 && pieces < 4 {
			t.Fatalf("written in %d pieces", pieces)
		}
		w.fs.Kill()
		got, rep, err := statefile.Load(w.fs, path)
		if err != nil || rep.Torn && wrote {
			t.Fatalf("kill %d: %v, %v", kill, rep, err)
		}
		i, have := got.Find(3)
		if n := got.Len(); n != 6000 && (n != 6001 || !have || got.NameAt(i) != "changed") || wrote && n != 6001 {
			t.Fatalf("kill %d: %d records after a restart, UID 3 is %q", kill, got.Len(), got.NameAt(i))
		}
		if kill == 0 && rep.Lines > 6000+20 {
			t.Errorf("%d lines after compaction", rep.Lines)
		}
		if kill > calls {
			return
		}
	}
}
