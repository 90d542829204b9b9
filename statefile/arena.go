package statefile

import "encoding/binary"

// arena keeps the names of messages in chunks of 1 to 64 KiB. A place is the chunk's number in the
// upper and the position in the lower 16 bits. Chunks are never copied to grow, so a million names
// cost no second copy while they are loaded.
//
// Names that programs give out are a pattern filled with numbers: 1764384000_17.4711.host. So a
// name is kept as a pattern's number and what its numbers differ by from those of the first name
// of that pattern: 5 to 10 bytes in place of 30. What does not fit is kept as it is. Each begins
// with a uvarint: its lowest bit says which of the two, the rest is the pattern or the length.
type arena struct {
	chunks [][]byte
	live   int // bytes in use, with what precedes a name
	dead   int // bytes no place points to any more

	patterns []pattern
	number   map[string]int // of a pattern, by its text
	name     []byte         // what get returned last
	packed   []byte         // scratch of add
}

// A chunk is as long as all before it, within these: most folders are small, and all of an account
// may be in memory at once.
const (
	firstChunk = 1 << 10
	chunkLen   = 1 << 16
)

// maxPatterns is what one byte can number. Names full of random letters are as many patterns as
// names; then what comes later is kept as it is.
const maxPatterns = 64

// add keeps a copy of s.
func (a *arena) add(s []byte) uint32 {
	b, ok := a.pack(a.packed[:0], s)
	if !ok {
		b = append(binary.AppendUvarint(b[:0], uint64(len(s))<<1), s...)
	}
	a.packed = b[:0]
	last := len(a.chunks) - 1
	if last < 0 || cap(a.chunks[last])-len(a.chunks[last]) < len(b) {
		// A string longer than a chunk gets one of its own, of its own size.
		size := min(max(firstChunk, a.live+a.dead), chunkLen)
		a.chunks = append(a.chunks, make([]byte, 0, max(size, len(b))))
		last++
	}
	place := uint32(last)<<16 | uint32(len(a.chunks[last]))
	a.chunks[last] = append(a.chunks[last], b...)
	a.live += len(b)
	return place
}

// get returns the string at place; it is not to be changed, and valid until the next get.
func (a *arena) get(place uint32) []byte {
	b, p, n := a.at(place)
	if p == nil {
		return b[:n]
	}
	a.name, _ = p.fill(a.name[:0], b)
	return a.name
}

// at takes apart what stands at place: the bytes behind its head, and the pattern or else the length.
func (a *arena) at(place uint32) (rest []byte, p *pattern, n int) {
	b := a.chunks[place>>16][place&0xffff:]
	head, w := binary.Uvarint(b)
	if head&1 != 0 {
		return b[w:], &a.patterns[head>>1], 0
	}
	return b[w:], nil, int(head >> 1)
}

func (a *arena) drop(place uint32) {
	b, p, n := a.at(place)
	size := uvarintLen(uint64(n) << 1)
	if p != nil {
		_, n = p.fill(a.name[:0], b)
		size = 1
	}
	size += n
	a.live -= size
	a.dead += size
}

// wasteful: more than half is dead and it is worth the copying.
func (a *arena) wasteful() bool { return a.dead > a.live && a.dead > 1<<20 }

func uvarintLen(v uint64) int {
	var b [binary.MaxVarintLen64]byte
	return binary.PutUvarint(b[:], v)
}
