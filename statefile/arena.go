package statefile

import "encoding/binary"

// arena keeps byte strings in chunks of 64 KiB. A place is the chunk's number in the upper and
// the position in the lower 16 bits; each string is preceded by its length. Chunks are never
// copied to grow, so a million names cost no second copy while they are loaded.
type arena struct {
	chunks [][]byte
	live   int // bytes in use, lengths included
	dead   int // bytes no place points to any more
}

const chunkLen = 1 << 16

func sizeIn(n int) int {
	size := n + 1
	for ; n >= 0x80; n >>= 7 {
		size++
	}
	return size
}

func (a *arena) add(s []byte) uint32 {
	size := sizeIn(len(s))
	last := len(a.chunks) - 1
	if last < 0 || cap(a.chunks[last])-len(a.chunks[last]) < size {
		// A string longer than a chunk gets one of its own, of its own size.
		a.chunks = append(a.chunks, make([]byte, 0, max(chunkLen, size)))
		last++
	}
	c := a.chunks[last]
	place := uint32(last)<<16 | uint32(len(c))
	c = binary.AppendUvarint(c, uint64(len(s)))
	a.chunks[last] = append(c, s...)
	a.live += size
	return place
}

// get returns the string at place; it is not to be changed.
func (a *arena) get(place uint32) []byte {
	b := a.chunks[place>>16][place&0xffff:]
	n, w := binary.Uvarint(b)
	return b[w : w+int(n)]
}

func (a *arena) drop(place uint32) {
	size := sizeIn(len(a.get(place)))
	a.live -= size
	a.dead += size
}

// wasteful: more than half is dead and it is worth the copying.
func (a *arena) wasteful() bool { return a.dead > a.live && a.dead > 1<<20 }
