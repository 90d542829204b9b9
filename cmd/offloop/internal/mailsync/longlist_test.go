package mailsync

import (
	"math/rand/v2"
	"reflect"
	"runtime"
	"slices"
	"testing"
	"unsafe"

	"offloop/imapproto"
	"offloop/statefile"
)

// Listings of any length are compared in several turns in all tests.
func init() { diffPages, longPlan, turnSlice, namesAtOnce = 0, 0, 1, 2 }

// TestDiffInPieces: compared page by page, a long listing shows the same differences
// as at once.
func TestDiffInPieces(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	for n := range 20 {
		st := statefile.NewFolder("F", "x")
		whole, parts := &listing{}, &listing{}
		for u := range uint32(3000) {
			if rng.IntN(9) > 0 {
				st.Put(statefile.Record{UID: u + 1, Flags: statefile.Flags(rng.IntN(2)), Name: "n"})
			}
			if f := statefile.Flags(rng.IntN(2)); rng.IntN(9) > 0 {
				whole.add(u+1, f)
				parts.add(u+1, f)
			}
		}
		if n == 0 { // and the first message named again at the end
			whole.add(1, 0)
			parts.add(1, 0)
		}
		tab := newFlagTable(st, nil, [26]string{}, false)
		want := diffRemote(st, whole.messages(tab), ^statefile.Flags(0))
		d := newRemoteDiff(st, ^statefile.Flags(0))
		pieces := 0
		for ; len(parts.pages) > 0; pieces++ {
			d.walk(parts.some(tab, 1))
		}
		if got := d.end(); !reflect.DeepEqual(got, want) {
			t.Fatalf("case %d: in pieces %v, at once %v", n, got, want)
		}
		if want := 3000*8/9/listPageLen + 1; n > 0 && pieces < want {
			t.Errorf("%d pieces, want %d", pieces, want)
		}
	}
}

// TestListingOfManySets: every message keeps its flags, also where there are more
// sets of them than have numbers; and a page is what the allocator deals out.
func TestListingOfManySets(t *testing.T) {
	if n := unsafe.Sizeof(listPage{}); n > 4096-8 {
		t.Errorf("a page takes %d bytes", n)
	}
	l := &listing{}
	for i := range 40 {
		l.bit(string(rune('a' + i)))
	}
	st := statefile.NewFolder("F", "x")
	tab := newFlagTable(st, nil, [26]string{}, false)
	for _, w := range l.words {
		tab.bitOf(w) // the numbers are the listing's
	}
	const n = setWide + 3*listPageLen
	flags := func(i uint32) statefile.Flags { return statefile.Flags(i*7) << firstKeyword }
	for i := range uint32(n) {
		l.add(i+1, flags(i))
		l.add(i+1, flags(i))
	}
	if l.distinct() != n {
		t.Errorf("%d distinct UIDs, want %d", l.distinct(), n)
	}
	got := 0
	for m := range l.messages(tab) {
		if want := flags(m.uid - 1); m.flags != want {
			t.Fatalf("UID %d: flags %x, want %x", m.uid, m.flags, want)
		}
		got++
	}
	if got != 2*n {
		t.Errorf("%d messages, want %d", got, 2*n)
	}
}

// TestUIDBits compares the set with a map, at the edges of its pieces too.
func TestUIDBits(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	s, want := uidBits{}, map[uint32]bool{}
	some := []uint32{0, 1, 63, 64, 511, 512, 513, 1<<32 - 1, 1<<32 - 512, 1<<32 - 513}
	for range 2000 {
		u := some[rng.IntN(len(some))]
		if rng.IntN(2) == 0 {
			u = rng.Uint32N(1500)
		}
		if rng.IntN(3) == 0 {
			s.remove(u)
			delete(want, u)
		} else {
			s.add(u)
			want[u] = true
		}
	}
	for u := range uint32(1600) {
		some = append(some, u)
	}
	for _, u := range some {
		if s.has(u) != want[u] {
			t.Errorf("%d: %v, want %v", u, s.has(u), want[u])
		}
	}
}

// TestListingOfSizes: with a size limit a listing takes no more memory than without; a
// message that is too large stays so when its flags are told once more.
func TestListingOfSizes(t *testing.T) {
	fill := func(l *listing) uint64 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for u := range uint32(100_000) {
			l.Message(&imapproto.Message{UID: u + 1, HasFlags: true, Size: int64(u % 1001)})
		}
		runtime.ReadMemStats(&after)
		return after.TotalAlloc - before.TotalAlloc
	}
	l := &listing{maxSize: 999, large: uidBits{}}
	with, without := fill(l), fill(&listing{})
	if with > without+without/10 {
		t.Errorf("a listing takes %d bytes with a size limit, %d without", with, without)
	}
	l.Message(&imapproto.Message{UID: 1001, HasFlags: true})
	if l.large.has(1000) || !l.large.has(1001) || l.large.has(1002) || !l.large.has(2002) {
		t.Error("the wrong messages are too large")
	}
}

// TestUIDBitsInOrder compares with a model.
func TestUIDBitsInOrder(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		s, model := uidBits{}, map[uint32]bool{}
		var l []remoteMsg
		for range rng.IntN(200) {
			u := rng.Uint32() >> rng.IntN(32)
			l = append(l, remoteMsg{uid: u})
			model[u] = true
		}
		s.addAll(l)
		for range rng.IntN(100) {
			u := rng.Uint32() >> rng.IntN(32)
			if s.has(u) != model[u] {
				t.Fatalf("has %d: %v", u, s.has(u))
			}
			s.remove(u)
			delete(model, u)
		}
		if got, want := s.sorted(), sortedKeys(model); !slices.Equal(got, want) {
			t.Fatalf("sorted %v, want %v", got, want)
		}
	}
}

// TestUnpaired compares with a model.
func TestUnpaired(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for range 500 {
		var fresh, want []remoteMsg
		var pairs []pairing
		for u := range uint32(12) {
			there, paired := rng.IntN(3) > 0, rng.IntN(3) == 0
			if there {
				fresh = append(fresh, remoteMsg{uid: u + 1})
			}
			if paired {
				pairs = append(pairs, pairing{uid: u + 1})
			}
			if there && !paired {
				want = append(want, remoteMsg{uid: u + 1})
			}
		}
		rng.Shuffle(len(pairs), func(i, k int) { pairs[i], pairs[k] = pairs[k], pairs[i] })
		was := slices.Clone(fresh)
		if got := unpaired(fresh, pairs); !slices.Equal(got, want) || !slices.Equal(fresh, was) {
			t.Fatalf("of %v with %v paired %v are left", was, pairs, got)
		}
	}
}

// TestManyNewMessages: a plan of many downloads is the very list of what is new, and
// leaves it as it is.
func TestManyNewMessages(t *testing.T) {
	c := newMergeCase()
	c.in.oversize = nil
	const n = 100_000
	for u := range uint32(n) {
		c.remote = append(c.remote, remoteMsg{uid: u + 1})
	}
	c.in.remote = &remoteView{fresh: c.remote, changed: map[uint32]statefile.Flags{}}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	p := merge(c.in)
	runtime.ReadMemStats(&after)
	if size := after.TotalAlloc - before.TotalAlloc; len(p.download) != n || size > 100<<10 {
		t.Errorf("a plan of %d downloads takes %d bytes", len(p.download), size)
	}
	p.dropDownloads(func(m remoteMsg) bool { return m.uid%2 == 0 })
	p.download = append(p.download, remoteMsg{uid: 7})
	for i, m := range c.in.remote.fresh {
		if m.uid != uint32(i+1) {
			t.Fatalf("UID %d in place of %d", m.uid, i+1)
		}
	}
	if len(p.download) != n/2+1 || len(c.in.remote.fresh) != n {
		t.Errorf("%d downloads are left", len(p.download))
	}
}

// turns is a loop of next turns only.
type turns struct {
	Loop
	queue []func()
}

func (l *turns) NextTurn(f func()) { l.queue = append(l.queue, f) }

// TestInTurns: everything is done, in order, some in a turn, and the rest comes last.
func TestInTurns(t *testing.T) {
	defer func(was int) { turnSlice = was }(turnSlice)
	turnSlice = 3
	for n := range 10 {
		l := &turns{}
		var did []int
		ended := 0
		f := &folder{a: &Account{env: &Env{Loop: l}}}
		f.inTurns(n, func(i int) { did = append(did, i) }, func() { ended = len(did) + 1 })
		most := len(did)
		for len(l.queue) > 0 {
			was := len(did)
			next := l.queue[0]
			l.queue = l.queue[1:]
			next()
			most = max(most, len(did)-was)
		}
		if len(did) != n || !slices.IsSorted(did) || ended != n+1 || most > 3 {
			t.Errorf("of %d things %v were done, at most %d in a turn, before the end %d", n, did, most, ended-1)
		}
	}
}
