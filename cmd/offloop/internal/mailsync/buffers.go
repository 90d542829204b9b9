package mailsync

import "math/bits"

// buffers keeps the memory of messages that have reached the disk for those that
// come next, so that a long download makes no garbage. Sizes are powers of two.
type buffers struct {
	free [bufferClasses][][]byte
	kept int // bytes in free
}

const (
	smallestBuffer = 512
	bufferClasses  = 11 // 512 bytes to 512 KiB
	buffersKept    = 2 << 20
)

// bufferClass is the index of the smallest class that holds n bytes.
func bufferClass(n int) int {
	if n <= smallestBuffer {
		return 0
	}
	return bits.Len(uint(n-1)) - bits.Len(uint(smallestBuffer-1))
}

// get gives an empty buffer with room for n bytes.
func (p *buffers) get(n int) []byte {
	c := bufferClass(n)
	if c >= bufferClasses {
		return make([]byte, 0, n)
	}
	if l := p.free[c]; len(l) > 0 {
		b := l[len(l)-1]
		l[len(l)-1] = nil
		p.free[c] = l[:len(l)-1]
		p.kept -= cap(b)
		return b[:0]
	}
	return make([]byte, 0, smallestBuffer<<c)
}

// put takes a buffer back. Nobody else may hold it.
func (p *buffers) put(b []byte) {
	c := bufferClass(cap(b))
	if cap(b) != smallestBuffer<<c || c >= bufferClasses || p.kept+cap(b) > buffersKept {
		return
	}
	p.kept += cap(b)
	p.free[c] = append(p.free[c], b)
}
