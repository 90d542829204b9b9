package mailsync

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	imap "github.com/emersion/go-imap/v2"

	"offloop/imapproto"
	"offloop/statefile"
)

// TestDiffRemote compares with a model that works by maps.
func TestDiffRemote(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for n := range 2000 {
		st := statefile.NewFolder("F", "x")
		recs := map[uint32]statefile.Record{}
		for range rng.IntN(12) {
			r := statefile.Record{UID: 1 + rng.Uint32N(15), Flags: statefile.Flags(rng.Uint32N(4)), Name: "n", Mark: statefile.Mark(rng.IntN(5))}
			recs[r.UID] = r
			st.Put(r)
		}
		var list []remoteMsg
		first := map[uint32]statefile.Flags{}
		for range rng.IntN(12) {
			m := remoteMsg{1 + rng.Uint32N(15), statefile.Flags(rng.Uint32N(4))}
			if _, dup := first[m.uid]; !dup {
				first[m.uid] = m.flags
			}
			list = append(list, m)
		}
		mask := statefile.Flags(rng.Uint32N(4))
		if n%2 == 0 {
			sortByUID(list)
		}
		l := &listing{}
		for _, m := range list {
			l.add(m.uid, m.flags)
		}
		v := diffRemote(st, l.messages(nil), mask)
		var vanished, fresh []uint32
		changed := map[uint32]statefile.Flags{}
		for uid := uint32(1); uid <= 15; uid++ {
			r, known := recs[uid]
			fl, there := first[uid]
			switch {
			case known && !there && r.Mark != markKept:
				vanished = append(vanished, uid)
			case known && there && (fl^r.Flags)&mask != 0:
				changed[uid] = fl&mask | r.Flags&^mask
			case !known && there:
				fresh = append(fresh, uid)
			}
		}
		var gotFresh []uint32
		for _, m := range v.fresh {
			gotFresh = append(gotFresh, m.uid)
		}
		if !slices.Equal(vanished, v.vanished) || !slices.Equal(fresh, gotFresh) || fmt.Sprint(changed) != fmt.Sprint(v.changed) {
			t.Fatalf("case %d: got %+v\nwant vanished %v fresh %v changed %v", n, v, vanished, fresh, changed)
		}
	}
}

// TestLongListing: a listing of many pages comes out whole and in order, also
// when the server named one message again at the end.
func TestLongListing(t *testing.T) {
	for _, again := range []bool{false, true} {
		l := &listing{}
		for i := range uint32(5 * listPageLen) {
			l.add(i+1, statefile.Flags(i&3))
		}
		want := 5 * listPageLen
		if again {
			l.add(7, 1)
			want++
		}
		if l.distinct() != 5*listPageLen {
			t.Errorf("%d distinct UIDs", l.distinct())
		}
		n, last := 0, uint32(0)
		for m := range l.messages(nil) {
			if m.uid < last {
				t.Fatalf("UID %d after %d", m.uid, last)
			}
			n, last = n+1, m.uid
		}
		if n != want || l.count != 0 {
			t.Errorf("%d messages, %d left", n, l.count)
		}
	}
}

func TestCountDistinct(t *testing.T) {
	for _, c := range []struct {
		uids []uint32
		want int
	}{{nil, 0}, {[]uint32{1}, 1}, {[]uint32{1, 2, 9}, 3}, {[]uint32{1, 1}, 1}, {[]uint32{3, 1, 2, 3, 1}, 3}, {[]uint32{1, 2, 3, 2, 4}, 4}, {[]uint32{5, 4, 3}, 3}} {
		l := &listing{}
		for _, u := range c.uids {
			l.add(u, 0)
		}
		if got := l.distinct(); got != c.want {
			t.Errorf("%v: %d", c.uids, got)
		}
	}
}

func TestUIDSet(t *testing.T) {
	for _, c := range []struct {
		in   []uint32
		want string
	}{{nil, ""}, {[]uint32{5}, "5"}, {[]uint32{3, 1, 2}, "1:3"}, {[]uint32{7, 1, 3, 2, 9, 8}, "1:3,7:9"}, {[]uint32{^uint32(0), ^uint32(0) - 1, 1}, "1,4294967294:4294967295"}} {
		if got := uidSet(slices.Clone(c.in)).String(); got != c.want {
			t.Errorf("%v: %q, want %q", c.in, got, c.want)
		}
	}
	if (allUIDs(7)).String() != "7:4294967295" {
		t.Errorf("%v", allUIDs(7))
	}
}

// TestUIDSetKeepsTheSet: any UIDs in, the same out, ascending and without
// overlap, also if one comes twice.
func TestUIDSetKeepsTheSet(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for range 500 {
		want := map[uint32]bool{}
		var in []uint32
		for range rng.IntN(30) {
			u := 1 + rng.Uint32N(40)
			want[u] = true
			in = append(in, u)
		}
		set := uidSet(slices.Clone(in))
		last := imap.UID(0)
		for _, r := range set {
			if r.Start <= last || r.Stop < r.Start {
				t.Fatalf("%v: %v does not ascend", in, set)
			}
			last = r.Stop
		}
		nums, _ := set.Nums()
		if len(nums) != len(want) {
			t.Fatalf("%v: %v", in, set)
		}
	}
}

// TestListingKeywords: the listing's own numbers become the state's, whatever
// the state's table held before.
func TestListingKeywords(t *testing.T) {
	l := &listing{}
	l.Message(&imapproto.Message{UID: 4, HasFlags: true, Flags: []string{`\Seen`, "b", "a"}})
	l.Message(&imapproto.Message{UID: 0, HasFlags: true, Flags: []string{"never"}})
	l.Message(&imapproto.Message{UID: 5})
	l.Message(&imapproto.Message{UID: 6, HasFlags: true, Flags: []string{"A", `\Recent`}})
	st := statefile.NewFolder("F", "x")
	st.KeywordBit("z", true)
	st.KeywordBit("a", true)
	tab := newFlagTable(st, nil, [26]string{}, false)
	got := slices.Collect(l.messages(tab))
	want := []remoteMsg{{4, statefile.FlagS | tab.bitOf("a") | tab.bitOf("b")}, {6, tab.bitOf("a")}}
	if !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestParseUint32(t *testing.T) {
	for s, want := range map[string]uint32{"": 0, "0": 0, "17": 17, "4294967295": 4294967295, "4294967296": 0, "-1": 0, "1x": 0, "99999999999999999999999": 0} {
		if got := parseUint32(s); got != want {
			t.Errorf("%q: %d", s, got)
		}
	}
}

func newSelectData(exists uint32) *imapproto.SelectData {
	return &imapproto.SelectData{Exists: exists, UIDValidity: 1, UIDNext: 100}
}

// TestListingOfManyKeywords: a listing has numbers for as many keywords as the state. Of
// those that got none it does not say that they are gone; of the others it still does.
func TestListingOfManyKeywords(t *testing.T) {
	st := statefile.NewFolder("F", "x")
	var words []string
	for i := range 64 - firstKeyword {
		words = append(words, fmt.Sprint("k", i))
	}
	tab := newFlagTable(st, nil, [26]string{}, false)
	all := append(slices.Clone(words), "$FORWARDED", `\seen`)
	st.Put(statefile.Record{UID: 1, Name: "a"})
	st.Put(statefile.Record{UID: 2, Flags: tab.fromIMAP(all), Name: "b"})
	for _, c := range []struct {
		first, second []string
		gone          statefile.Flags
	}{
		{nil, all, 0},
		{[]string{"z1", "z2", "z3"}, all, 0},
		{nil, all[1:], tab.bitOf("k0")},
		{[]string{"z1"}, slices.Concat(words[1:30], words[31:], all[len(words):]), tab.bitOf("k0") | tab.bitOf("k30")},
		{append([]string{"z1", "k5", "k0"}, words...), all[1:], tab.bitOf("k0")},
	} {
		l := &listing{}
		l.Message(&imapproto.Message{UID: 1, HasFlags: true, Flags: c.first})
		l.Message(&imapproto.Message{UID: 2, HasFlags: true, Flags: c.second})
		d := newRemoteDiff(st, l.shown(tab))
		d.walk(l.messages(tab))
		v := d.end()
		got := tab.fromIMAP(all)
		if fl, ok := v.changed[2]; ok {
			got = fl
		}
		if got = tab.fromIMAP(all) &^ got; got != c.gone && !(l.crowded && got&^c.gone == 0) {
			t.Errorf("%.40q: flags %x are taken for gone, want %x", c.first, got, c.gone)
		}
	}
}

// TestGoneSet compares with a model: what the server says is gone comes in any order,
// in several answers, and overlaps.
func TestGoneSet(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 9))
	for range 500 {
		st := statefile.NewFolder("F", "x")
		l := &listing{partial: true}
		gone := map[uint32]bool{}
		for range rng.IntN(6) {
			lo := 1 + rng.Uint32N(40)
			hi := lo + rng.Uint32N(8)
			for u := lo; u <= hi; u++ {
				gone[u] = true
			}
			l.goneSet = append(l.goneSet, imap.UIDRange{Start: imap.UID(lo), Stop: imap.UID(hi)})
		}
		if rng.IntN(5) == 0 {
			l.goneSet = append(l.goneSet, imap.UIDRange{Start: 60, Stop: 1<<32 - 1})
		}
		var want []uint32
		for u := uint32(1); u < 50; u++ {
			if rng.IntN(3) == 0 {
				continue
			}
			mark := statefile.Mark(rng.IntN(5))
			st.Put(statefile.Record{UID: u, Name: "n", Mark: mark})
			if gone[u] && mark != markKept {
				want = append(want, u)
			}
		}
		named := slices.Clone(l.goneSet)
		if got := l.goneOf(st); !slices.Equal(got, want) {
			t.Fatalf("gone %v: %v, want %v", named, got, want)
		}
		// The same as the answer to a search: what is not gone is there.
		s := &listing{partial: true, search: true, alive: between(ascending(slices.Clone(named)))}
		rng.Shuffle(len(s.alive), func(i, k int) { s.alive[i], s.alive[k] = s.alive[k], s.alive[i] })
		if got := s.goneOf(st); !slices.Equal(got, want) || s.isGone(45) {
			t.Fatalf("there %v: %v are gone, want %v", s.alive, got, want)
		}
		for u := uint32(1); u < 55; u++ {
			if l.isGone(u) != gone[u] {
				t.Fatalf("gone %v: UID %d: %v", named, u, l.isGone(u))
			}
		}
	}
}
