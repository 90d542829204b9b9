package statefile

import (
	"bytes"
	"encoding/binary"
	"strconv"
)

// pattern is what names have in common: the text between their numbers, and the numbers of the
// first of them.
type pattern struct {
	text  string // a NUL in place of each number
	first [maxNumbers]int64
}

// maxNumbers bounds the numbers of a packed name; more are the digits of a random text.
const maxNumbers = 10

// maxPattern bounds the length of a packed name.
const maxPattern = 128

// digits gives how many bytes at the start of s are a number that is written in one way only: no
// zero before it, at most 18 digits.
func digits(s []byte) int {
	n := 0
	for n < len(s) && s[n]-'0' <= 9 {
		n++
	}
	if n > 18 || n > 1 && s[0] == '0' {
		return 0
	}
	return n
}

// pack adds the packed form of name to dst; ok is false if it has none.
func (a *arena) pack(dst, name []byte) (_ []byte, ok bool) {
	var text [maxPattern]byte
	var num [maxNumbers]int64
	if len(name) > maxPattern || bytes.IndexByte(name, 0) >= 0 {
		return dst, false
	}
	t, n := text[:0], 0
	for i := 0; i < len(name); {
		k := digits(name[i:])
		switch {
		case k > 0 && n == maxNumbers:
			return dst, false
		case k > 0:
			v, _ := parseUint(name[i : i+k])
			num[n], n = int64(v), n+1
			t = append(t, 0)
			i += k
		default: // all of a run of digits that is no number, or one byte
			for t, i = append(t, name[i]), i+1; i < len(name) && name[i-1]-'0' <= 9 && name[i]-'0' <= 9; i++ {
				t = append(t, name[i])
			}
		}
	}
	p, ok := a.number[string(t)]
	switch {
	case n == 0 || !ok && len(a.patterns) == maxPatterns:
		return dst, false
	case !ok:
		if a.number == nil {
			a.number = map[string]int{}
		}
		p = len(a.patterns)
		a.patterns = append(a.patterns, pattern{string(t), num})
		a.number[a.patterns[p].text] = p
	}
	dst = binary.AppendUvarint(dst, uint64(p)<<1|1)
	for i := range n {
		dst = binary.AppendVarint(dst, num[i]-a.patterns[p].first[i])
	}
	return dst, true
}

// fill adds the name to dst whose numbers are packed in b, and tells how many bytes of b they are.
func (p *pattern) fill(dst, b []byte) (_ []byte, used int) {
	n := 0
	for i := 0; i < len(p.text); i++ {
		if p.text[i] != 0 {
			dst = append(dst, p.text[i])
			continue
		}
		d, w := binary.Varint(b[used:])
		dst = strconv.AppendInt(dst, p.first[n]+d, 10)
		n, used = n+1, used+w
	}
	return dst, used
}
