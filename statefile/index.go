package statefile

import (
	"bytes"
	"hash/maphash"
)

// nameIndex is a hash table of UIDs, keyed by the unique part of the names. It holds no names: a
// candidate is compared with its record. So entries of dropped or renamed records may simply stay
// until the table is built anew. The seed is random: names come from other programs.
type nameIndex struct {
	seed maphash.Seed
	slot []uint32 // 0 = free; length is a power of two
	used int
}

// uniqueOf cuts what a base name says behind its unique part.
func uniqueOf(name []byte) []byte {
	if i := bytes.IndexByte(name, ','); i >= 0 {
		return name[:i]
	}
	return name
}

func newNameIndex(t *table) *nameIndex {
	x := &nameIndex{seed: maphash.MakeSeed()}
	x.build(t)
	return x
}

func (x *nameIndex) build(t *table) {
	size := 64
	for size/2 < t.n {
		size *= 2
	}
	x.slot, x.used = make([]uint32, size), 0
	for _, b := range t.blocks {
		for j := range b.n {
			x.insert(b.uid[j], t.names.get(b.place[j]))
		}
	}
}

func (x *nameIndex) insert(uid uint32, name []byte) {
	i := int(maphash.Bytes(x.seed, uniqueOf(name))) & (len(x.slot) - 1)
	for x.slot[i] != 0 {
		if x.slot[i] == uid { // a leftover of this very record, right again
			return
		}
		i = (i + 1) & (len(x.slot) - 1)
	}
	x.slot[i] = uid
	x.used++
}

// add is called after a record got a new name.
func (x *nameIndex) add(t *table, uid uint32, name []byte) {
	if x.used >= len(x.slot)*3/4 {
		x.build(t) // holds the new one already
		return
	}
	x.insert(uid, name)
}

func (x *nameIndex) find(t *table, name string) (uid uint32, ok bool) {
	want := uniqueOf([]byte(name))
	i := int(maphash.Bytes(x.seed, want)) & (len(x.slot) - 1)
	for ; x.slot[i] != 0; i = (i + 1) & (len(x.slot) - 1) {
		u := x.slot[i]
		if ok && u >= uid {
			continue
		}
		if b, j, have := t.find(u); have {
			blk := t.blocks[b]
			if bytes.Equal(uniqueOf(t.names.get(blk.place[j])), want) {
				uid, ok = u, true
			}
		}
	}
	return uid, ok
}
