package statefile

import (
	"bytes"
	"fmt"
	"math/rand"
	"slices"
	"strings"
	"testing"
)

// model is what a Folder should be: plain maps.
type model struct {
	recs    map[uint32]Record
	tokens  map[string]string
	intents map[string]Intent
	held    map[heldKey]Quarantined
	words   []string
}

func (m *model) uids() []uint32 {
	var u []uint32
	for uid := range m.recs {
		u = append(u, uid)
	}
	slices.Sort(u)
	return u
}

func (m *model) check(t *testing.T, f *Folder) {
	t.Helper()
	uids := m.uids()
	if f.Len() != len(uids) {
		t.Fatalf("Len %d, want %d", f.Len(), len(uids))
	}
	marked := map[Mark][]int{}
	for i, uid := range uids {
		r := m.recs[uid]
		if got := f.At(i); got != r {
			t.Fatalf("At(%d) = %+v, want %+v", i, got, r)
		}
		if k, ok := f.Find(uid); !ok || k != i {
			t.Fatalf("Find(%d) = %d, %v, want %d", uid, k, ok, i)
		}
		if _, there := m.recs[uid+1]; !there {
			if k, ok := f.Find(uid + 1); ok || k != i+1 {
				t.Fatalf("Find(%d) = %d, %v, want %d", uid+1, k, ok, i+1)
			}
		}
		marked[r.Mark] = append(marked[r.Mark], i)
		if string(f.AppendName([]byte("x"), i)) != "x"+r.Name {
			t.Fatalf("AppendName of record %d", i)
		}
		if f.UIDAt(i) != uid || f.FlagsAt(i) != r.Flags || f.MarkAt(i) != r.Mark || f.NameAt(i) != r.Name {
			t.Fatalf("record %d read singly is not %+v", i, r)
		}
	}
	for k := range Mark(8) {
		if got := slices.Collect(f.Marked(k)); !slices.Equal(got, marked[k]) {
			t.Fatalf("marked %v: %v, want %v", k, got, marked[k])
		}
	}
	if len(f.Tokens()) != len(m.tokens) || len(f.Intents()) != len(m.intents) || len(f.Quarantine()) != len(m.held) {
		t.Fatal("tokens, intents or quarantine differ in number")
	}
	for _, k := range f.Tokens() {
		if f.Token(k) != m.tokens[k] {
			t.Fatalf("token %q", k)
		}
	}
	for _, n := range f.Intents() {
		if m.intents[n.ID] != n {
			t.Fatalf("intent %+v", n)
		}
	}
	for _, q := range f.Quarantine() {
		if m.held[heldKey{q.Side, q.Key}] != q {
			t.Fatalf("quarantine %+v", q)
		}
	}
	if !slices.Equal(f.Keywords(), m.words) {
		t.Fatalf("keywords %q, want %q", f.Keywords(), m.words)
	}
}

func (m *model) checkNames(t *testing.T, f *Folder, rng *rand.Rand) {
	t.Helper()
	first := map[string]uint32{}
	for _, uid := range m.uids() {
		u, _, _ := strings.Cut(m.recs[uid].Name, ",")
		if _, ok := first[u]; !ok {
			first[u] = uid
		}
	}
	for range 300 {
		name := randomName(rng)
		u, _, _ := strings.Cut(name, ",")
		i, ok := f.FindName(name)
		want, there := first[u]
		if ok != there || ok && f.UIDAt(i) != want {
			t.Fatalf("FindName(%q): %v, want uid %d, %v", name, ok, want, there)
		}
	}
}

// Few enough names that many records share one and names come back.
func randomName(rng *rand.Rand) string {
	n := fmt.Sprintf("1700.%d.h\xfc st", rng.Intn(3000))
	if rng.Intn(3) == 0 {
		n += fmt.Sprintf(",U=%d", rng.Intn(5))
	}
	return n
}

func (m *model) randomChange(f *Folder, rng *rand.Rand, span int) {
	uid := uint32(rng.Intn(span) + 1)
	switch rng.Intn(12) {
	case 0, 1, 2, 3, 4:
		r := Record{UID: uid, Flags: Flags(rng.Intn(128)), Name: randomName(rng), Mark: Mark(rng.Intn(6))}
		if rng.Intn(2) == 0 {
			r.Flags |= Flags(rng.Uint64()) << firstKeyword
		}
		f.Put(r)
		m.recs[uid] = r
	case 5, 6, 7:
		f.Drop(uid)
		delete(m.recs, uid)
	case 8:
		k, v := fmt.Sprint("t", rng.Intn(9)), []string{"", "-", "a b"}[rng.Intn(3)]
		f.SetToken(k, v)
		if m.tokens[k] = v; v == "" {
			delete(m.tokens, k)
		}
	case 9:
		id := fmt.Sprint(rng.Intn(9))
		if rng.Intn(2) == 0 {
			f.EndIntent(id)
			delete(m.intents, id)
		} else {
			n := Intent{ID: id, Base: randomName(rng), At: int64(rng.Intn(5)), MessageID: "<x>"}
			f.AddIntent(n)
			m.intents[id] = n
		}
	case 10:
		k := heldKey{[]string{"local", "remote"}[rng.Intn(2)], fmt.Sprint(rng.Intn(9))}
		if rng.Intn(2) == 0 {
			f.ClearQuarantine(k.side, k.key)
			delete(m.held, k)
		} else {
			q := Quarantined{Side: k.side, Key: k.key, Reason: randomName(rng), Tries: rng.Intn(3)}
			f.SetQuarantine(q)
			m.held[k] = q
		}
	case 11:
		w := fmt.Sprintf("$K%d", rng.Intn(70))
		bit, ok := f.KeywordBit(strings.ToLower(w), true)
		i := slices.IndexFunc(m.words, func(s string) bool { return strings.EqualFold(s, w) })
		if i < 0 && len(m.words) < maxKeywords {
			i, m.words = len(m.words), append(m.words, strings.ToLower(w))
		}
		if ok != (i >= 0) || ok && bit != firstKeyword+i {
			panic(fmt.Sprintf("KeywordBit(%q) = %d, %v", w, bit, ok))
		}
	}
}

// Random changes against the model, with journal, compaction, reload and lookups by name mixed in.
func TestAgainstModel(t *testing.T) {
	for seed := range int64(6) {
		rng := rand.New(rand.NewSource(seed))
		span := []int{40, 3000, 9000}[seed%3]
		fs := newMemFS()
		m := &model{recs: map[uint32]Record{}, tokens: map[string]string{}, intents: map[string]Intent{}, held: map[heldKey]Quarantined{}}
		f := NewFolder("f", "5")
		for round := range 25 {
			for range rng.Intn(2 * span) {
				m.randomChange(f, rng, span)
			}
			if round%7 == 6 { // most of it goes
				for _, uid := range m.uids() {
					if rng.Intn(20) > 0 {
						f.Drop(uid)
						delete(m.recs, uid)
					}
				}
			}
			m.check(t, f)
			if round%2 == 0 {
				m.checkNames(t, f, rng)
			}
			flush(t, fs, testPath, f, rng.Intn(2) == 0)
			if f.NeedsCompaction() {
				if err := WriteSnapshot(fs, testPath, f.Snapshot()); err != nil {
					t.Fatal(err)
				}
				if f.NeedsCompaction() {
					t.Fatal("compaction leads to compaction")
				}
			}
			g, rep := reload(t, fs, testPath)
			if rep.Torn {
				t.Fatalf("%+v", rep)
			}
			m.check(t, g)
			if rng.Intn(3) == 0 {
				f = g
			}
		}
	}
}

// What is so already is not noted: a round without changes writes nothing.
func TestNoChangeNoJournal(t *testing.T) {
	f := NewFolder("f", "5")
	do := func() {
		f.SetName("f", "5")
		f.Put(Record{UID: 5, Flags: FlagS | 1<<40, Name: "n", Mark: MarkGone})
		f.Drop(6)
		f.SetToken("a", "b")
		f.SetToken("none", "")
		f.KeywordBit("$x", true)
		f.KeywordBit("$X", true)
		f.KeywordBit("$unknown", false)
		f.AddIntent(Intent{ID: "1"})
		f.EndIntent("2")
		f.SetQuarantine(Quarantined{Side: "s", Key: "k"})
		f.ClearQuarantine("s", "other")
	}
	do()
	if b := f.TakeJournal(); bytes.Count(b, []byte("\n")) != 6 {
		t.Fatalf("%q", b)
	}
	do()
	if b := f.TakeJournal(); b != nil {
		t.Fatalf("%q", b)
	}
	if err := AppendJournal(newMemFS(), testPath, nil, true); err != nil {
		t.Fatal(err)
	}
}

// More keyword sets than there are numbers for them.
func TestManyKeywordSets(t *testing.T) {
	f := NewFolder("f", "5")
	const n = 70000
	set := func(i uint32) Flags { return Flags(i)<<firstKeyword | FlagS }
	for i := uint32(1); i <= n; i++ {
		f.Put(Record{UID: i, Flags: set(i)})
	}
	f.Drop(n)
	f.Put(Record{UID: n, Flags: set(n)})
	wide := len(f.table.wide)
	f.Put(Record{UID: n - 1, Flags: FlagT})
	if len(f.table.wide) != wide-1 {
		t.Fatal("a set is kept for nobody")
	}
	f.Put(Record{UID: n - 1, Flags: set(n - 1)})
	for i := range f.Len() {
		if f.FlagsAt(i) != set(f.UIDAt(i)) {
			t.Fatalf("uid %d: %x", f.UIDAt(i), f.FlagsAt(i))
		}
	}
}

func TestLongNames(t *testing.T) {
	fs, f := newMemFS(), NewFolder("f", "5")
	for i, n := range []int{0, 127, 128, 65530, 65536, 300000, 1} {
		f.Put(Record{UID: uint32(i + 1), Name: strings.Repeat("\xff", n)})
	}
	flush(t, fs, testPath, f, true)
	if g, _ := reload(t, fs, testPath); dumpOf(g) != dumpOf(f) || len(g.NameAt(5)) != 300000 {
		t.Fatal("not the same")
	}
}

// Dump lets nothing from outside control the terminal.
func TestDumpIsPlain(t *testing.T) {
	f := NewFolder("\x1b[2J", "5")
	f.KeywordBit("\u009b", true)
	f.SetToken("\a", "\xff")
	f.SetQuarantine(Quarantined{Side: "local", Key: "\r", Reason: "\u202e"})
	f.AddIntent(Intent{ID: "\x7f", MessageID: "a\nb"})
	f.Put(Record{UID: 3, Flags: 1<<7 | 1<<9 | FlagS, Name: "x\x00", Mark: MarkGone})
	d := dumpOf(f)
	for _, r := range d {
		if r != '\n' && (r < ' ' || r > '~') {
			t.Fatalf("%q in\n%q", r, d)
		}
	}
	if !strings.Contains(d, `3 S["\u009b" keyword 2] "x\x00" gone`) {
		t.Fatal(d)
	}
}

func TestChangesDuringSnapshot(t *testing.T) {
	for seed := range int64(40) {
		rng := rand.New(rand.NewSource(seed))
		fs := newMemFS()
		m := &model{recs: map[uint32]Record{}, tokens: map[string]string{}, intents: map[string]Intent{}, held: map[heldKey]Quarantined{}}
		f := NewFolder("f", "5")
		for range 2000 {
			m.randomChange(f, rng, 3000)
		}
		flush(t, fs, testPath, f, true)
		old := f.StartSnapshot()
		old.Next(500)
		s := f.StartSnapshot()
		if b, more := old.Next(500); len(b) != 0 || more {
			t.Fatal("an abandoned snapshot goes on")
		}
		file, err := CreateSnapshot(fs, testPath)
		if err != nil {
			t.Fatal(err)
		}
		for more := true; more; {
			var b []byte
			b, more = s.Next(3000)
			if err := file.Write(b); err != nil {
				t.Fatal(err)
			}
			if more {
				for range 30 {
					m.randomChange(f, rng, 3000)
				}
				if rng.Intn(2) == 0 {
					flush(t, fs, testPath, f, false)
				}
			}
		}
		if err := file.Commit(); err != nil {
			t.Fatal(err)
		}
		g, _ := reload(t, fs, testPath)
		m.check(t, g)
		m.randomChange(f, rng, 3000)
		flush(t, fs, testPath, f, true)
		g, _ = reload(t, fs, testPath)
		m.check(t, g)
		if len(fs.fds) != 0 || fs.entries[testPath+newSuffix] != nil {
			t.Fatal("something is left over")
		}
	}
}
