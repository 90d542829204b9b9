package statefile

import (
	"bytes"
	"iter"
	"sort"
)

// table holds the records sorted by UID in blocks of parallel arrays: 12 bytes a record beside
// its name. Blocks keep insertion and removal in the middle of a million records cheap and
// nothing is copied while it grows at the end.
type table struct {
	blocks []*block
	start  []int // start[b] records stand before block b
	n      int
	hint   int // block of the last access by index

	names arena
	words []uint64          // distinct keyword sets; words[0] = none
	word  map[uint64]uint16 // their numbers
	wide  map[uint32]uint64 // by UID: keyword sets that found no number any more
}

// blockLen makes a block the allocator's 4096 bytes, a page: an account may have a hundred folders
// of some messages each in memory.
const blockLen = 340

// wordWide says: look into wide.
const wordWide = 0xffff

type block struct {
	uid, place [blockLen]uint32
	word       [blockLen]uint16
	flags      [blockLen]uint8 // bits 0..6 of Flags
	mark       [blockLen]uint8
	n          uint32
}

// find gives the place of uid, or the place where it would be inserted.
func (t *table) find(uid uint32) (b, j int, ok bool) {
	if len(t.blocks) == 0 {
		return 0, 0, false
	}
	b = sort.Search(len(t.blocks), func(i int) bool { return t.blocks[i].uid[0] > uid }) - 1
	if b < 0 {
		return 0, 0, false
	}
	lo, hi := 0, int(t.blocks[b].n)
	for lo < hi {
		if m := int(uint(lo+hi) >> 1); t.blocks[b].uid[m] < uid {
			lo = m + 1
		} else {
			hi = m
		}
	}
	return b, lo, lo < int(t.blocks[b].n) && t.blocks[b].uid[lo] == uid
}

// locate gives the block and place of record i; i must be in range.
func (t *table) locate(i int) (*block, int) {
	b := t.hint
	if b >= len(t.blocks) || i < t.start[b] || i >= t.start[b]+int(t.blocks[b].n) {
		if b+1 < len(t.blocks) && i == t.start[b+1] {
			b++
		} else {
			b = sort.Search(len(t.start), func(k int) bool { return t.start[k] > i }) - 1
		}
		t.hint = b
	}
	return t.blocks[b], i - t.start[b]
}

func (t *table) flagsOf(b *block, j int) Flags {
	fl := Flags(b.flags[j])
	switch w := b.word[j]; w {
	case 0:
	case wordWide:
		fl |= Flags(t.wide[b.uid[j]] << firstKeyword)
	default:
		fl |= Flags(t.words[w] << firstKeyword)
	}
	return fl
}

func (t *table) setFlags(b *block, j int, fl Flags) {
	if b.word[j] == wordWide {
		delete(t.wide, b.uid[j])
	}
	b.flags[j] = uint8(fl & (1<<firstKeyword - 1))
	b.word[j] = t.number(b.uid[j], uint64(fl>>firstKeyword))
}

// number finds or gives the number of a keyword set. Mailboxes use a handful of sets; should one
// use 65534, the rest is kept by UID.
func (t *table) number(uid uint32, set uint64) uint16 {
	if set == 0 {
		return 0
	}
	if w, ok := t.word[set]; ok {
		return w
	}
	if t.word == nil {
		t.word, t.words = map[uint64]uint16{}, []uint64{0}
	}
	if len(t.words) == wordWide {
		if t.wide == nil {
			t.wide = map[uint32]uint64{}
		}
		t.wide[uid] = set
		return wordWide
	}
	w := uint16(len(t.words))
	t.words, t.word[set] = append(t.words, set), w
	return w
}

// marked gives the records that have the mark m, by their indices.
func (t *table) marked(m uint8) iter.Seq[int] {
	return func(yield func(int) bool) {
		for b := 0; b < len(t.blocks); b++ {
			for j := 0; j < int(t.blocks[b].n); j++ {
				k := bytes.IndexByte(t.blocks[b].mark[j:t.blocks[b].n], m)
				if k < 0 {
					break
				}
				if j += k; !yield(t.start[b] + j) {
					return
				}
			}
		}
	}
}

// put stores a record and reports whether anything changed, and whether the name did.
func (t *table) put(uid uint32, fl Flags, m Mark, name []byte) (changed, renamed bool) {
	b, j, ok := t.find(uid)
	if !ok {
		blk, j := t.insert(b, j)
		blk.uid[j], blk.mark[j], blk.word[j] = uid, uint8(m), 0
		t.setFlags(blk, j, fl)
		blk.place[j] = t.names.add(name)
		return true, true
	}
	blk := t.blocks[b]
	if old := t.flagsOf(blk, j); old != fl {
		t.setFlags(blk, j, fl)
		changed = true
	}
	if blk.mark[j] != uint8(m) {
		blk.mark[j] = uint8(m)
		changed = true
	}
	if string(t.names.get(blk.place[j])) != string(name) {
		t.names.drop(blk.place[j])
		blk.place[j] = t.names.add(name)
		changed, renamed = true, true
		t.tidyNames()
	}
	return changed, renamed
}

// insert makes room for a record before place j of block b and returns where it now is.
func (t *table) insert(b, j int) (*block, int) {
	switch {
	case len(t.blocks) == 0 || b == len(t.blocks)-1 && j == blockLen:
		b, j = len(t.blocks), 0
		t.blocks, t.start = append(t.blocks, new(block)), append(t.start, t.n)
	case t.blocks[b].n == blockLen:
		t.split(b)
		if half := int(t.blocks[b].n); j > half {
			b, j = b+1, j-half
		}
	}
	blk := t.blocks[b]
	blk.move(j+1, j)
	blk.n++
	t.shift(b, 1)
	return blk, j
}

func (t *table) split(b int) {
	const half = blockLen / 2
	old, right := t.blocks[b], new(block)
	right.take(0, old, half, blockLen)
	old.n = half
	t.blocks = append(t.blocks, nil)
	copy(t.blocks[b+2:], t.blocks[b+1:])
	t.blocks[b+1] = right
	t.start = append(t.start, 0)
	copy(t.start[b+2:], t.start[b+1:])
	t.start[b+1] = t.start[b] + half
}

// shift corrects the counts after block b grew by d.
func (t *table) shift(b, d int) {
	t.n += d
	for k := b + 1; k < len(t.start); k++ {
		t.start[k] += d
	}
}

// remove takes out record j of block b; small neighbours are joined.
func (t *table) remove(b, j int) {
	blk := t.blocks[b]
	if blk.word[j] == wordWide {
		delete(t.wide, blk.uid[j])
	}
	t.names.drop(blk.place[j])
	blk.move(j, j+1)
	blk.n--
	t.shift(b, -1)
	if b > 0 && t.blocks[b-1].n+blk.n <= blockLen/2 {
		b--
	}
	if b+1 < len(t.blocks) && t.blocks[b].n+t.blocks[b+1].n <= blockLen/2 {
		left, right := t.blocks[b], t.blocks[b+1]
		left.take(int(left.n), right, 0, int(right.n))
		t.cut(b + 1)
	} else if blk.n == 0 {
		t.cut(b)
	}
	t.tidyNames()
}

// cut takes the block out of the list; its records are elsewhere or none.
func (t *table) cut(b int) {
	t.blocks = append(t.blocks[:b], t.blocks[b+1:]...)
	t.start = append(t.start[:b], t.start[b+1:]...)
	n := 0
	for k, blk := range t.blocks {
		t.start[k] = n
		n += int(blk.n)
	}
}

// move copies the records from place from on to place to on, within the block.
func (b *block) move(to, from int) { b.take(to, b, from, int(b.n)) }

// take copies records [from, until) of src to place to on.
func (b *block) take(to int, src *block, from, until int) {
	copy(b.uid[to:], src.uid[from:until])
	copy(b.place[to:], src.place[from:until])
	copy(b.word[to:], src.word[from:until])
	copy(b.flags[to:], src.flags[from:until])
	copy(b.mark[to:], src.mark[from:until])
	if src != b {
		b.n = max(b.n, uint32(to+until-from))
	}
}

// tidyNames gives the arena back its dead bytes, in UID order.
func (t *table) tidyNames() {
	if !t.names.wasteful() {
		return
	}
	var fresh arena
	for _, blk := range t.blocks {
		for j := range blk.n {
			blk.place[j] = fresh.add(t.names.get(blk.place[j]))
		}
	}
	t.names = fresh
}
