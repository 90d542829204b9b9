package statefile

import (
	"errors"
	"hash/crc32"
)

// A line is payload, mark, eight lower-case hexadecimal digits, LF. The digits are the CRC-32C of
// all payloads and marks from the start of the file up to and including this line, so a line out
// of its place, or left over from another file, is as wrong as a torn one.

const (
	sumLen   = 8
	trailLen = 1 + sumLen + 1 // mark, checksum, LF
	maxLine  = 16 << 20       // a longer one is bad; bounds what a tail without LF can make us buffer
)

// mark tells where in an append a line stood, seen from the flushes.
type mark byte

const (
	markPlain  mark = ' '
	markAfter  mark = '<' // all before this line had been flushed when it was written
	markBefore mark = '>' // the writer flushed after this line
	markBoth   mark = '='
)

func makeMark(after, before bool) mark {
	switch {
	case after && before:
		return markBoth
	case after:
		return markAfter
	case before:
		return markBefore
	}
	return markPlain
}

func (m mark) after() bool  { return m == markAfter || m == markBoth }
func (m mark) before() bool { return m == markBefore || m == markBoth }
func (m mark) valid() bool  { return m == markPlain || m.after() || m.before() }

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

const (
	lowerHex = "0123456789abcdef"
	upperHex = "0123456789ABCDEF"
)

// seal finishes the line that occupies dst[start:]: it adds mark, checksum and LF. prev is the
// checksum of the line before (0 for the first); the new one is returned.
func seal(dst []byte, start int, m mark, prev uint32) ([]byte, uint32) {
	dst = append(dst, byte(m))
	sum := crc32.Update(prev, castagnoli, dst[start:])
	for shift := 28; shift >= 0; shift -= 4 {
		dst = append(dst, lowerHex[sum>>shift&15])
	}
	return append(dst, '\n'), sum
}

// split takes a line without its LF apart; ok is false if it has not the shape of one. sum is
// right even then, if the line ends in one.
func split(line []byte) (payload []byte, m mark, sum uint32, ok bool) {
	n := len(line) - sumLen
	if n < 0 {
		return nil, 0, 0, false
	}
	for _, c := range line[n:] {
		d, good := unhex(c, lowerHex)
		if !good {
			return nil, 0, 0, false
		}
		sum = sum<<4 | uint32(d)
	}
	if n == 0 {
		return nil, 0, sum, false
	}
	m = mark(line[n-1])
	return line[:n-1], m, sum, m.valid()
}

// sumOf computes what the line's checksum should be after a line with checksum prev.
func sumOf(line []byte, prev uint32) uint32 {
	return crc32.Update(prev, castagnoli, line[:max(0, len(line)-sumLen)])
}

func unhex(c byte, digits string) (byte, bool) {
	switch {
	case c >= '0' && c <= '9':
		return c - '0', true
	case c >= digits[10] && c <= digits[15]:
		return c - digits[10] + 10, true
	}
	return 0, false
}

var (
	errField  = errors.New("a field is missing, empty or left over")
	errEscape = errors.New("a field is not escaped as it should be")
	errNumber = errors.New("a number is malformed or out of range")
	errFlags  = errors.New("flags are malformed")
	errTag    = errors.New("the kind of the line is unknown (written by a newer version?)")
)

// mustEscape: all that is not visible ASCII, and the escape itself. There is exactly one way to
// write a field, so a file that was read and written again is the same file.
func mustEscape(c byte) bool { return c <= ' ' || c >= 0x7f || c == '%' }

// appendField adds a space and s in its escaped form; the empty string is "-".
func appendField[T string | []byte](dst []byte, s T) []byte {
	dst = append(dst, ' ')
	switch {
	case len(s) == 0:
		return append(dst, '-')
	case len(s) == 1 && s[0] == '-':
		return append(dst, "%2D"...)
	}
	for i := 0; i < len(s); i++ {
		if c := s[i]; mustEscape(c) {
			dst = append(dst, '%', upperHex[c>>4], upperHex[c&15])
		} else {
			dst = append(dst, c)
		}
	}
	return dst
}

// unescape adds the meaning of field to dst. It takes only what appendField writes.
func unescape(dst, field []byte) ([]byte, error) {
	switch {
	case len(field) == 0:
		return dst, errField
	case len(field) == 1 && field[0] == '-':
		return dst, nil
	case string(field) == "%2D":
		return append(dst, '-'), nil
	}
	for i := 0; i < len(field); i++ {
		c := field[i]
		if c == '%' {
			if i+2 >= len(field) {
				return dst, errEscape
			}
			hi, ok1 := unhex(field[i+1], upperHex)
			lo, ok2 := unhex(field[i+2], upperHex)
			c = hi<<4 | lo
			if !ok1 || !ok2 || !mustEscape(c) {
				return dst, errEscape
			}
			i += 2
		} else if mustEscape(c) {
			return dst, errEscape
		}
		dst = append(dst, c)
	}
	return dst, nil
}
