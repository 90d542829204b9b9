package sqlite3

import (
	"encoding/binary"
	"math"
	"strings"
	"unicode/utf16"
)

// Kind is what a Value is.
type Kind uint8

// The kinds of values SQLite has.
const (
	Null Kind = iota
	Integer
	Real
	Text
	Blob
)

func (k Kind) String() string {
	switch k {
	case Null:
		return "NULL"
	case Integer:
		return "INTEGER"
	case Real:
		return "REAL"
	case Text:
		return "TEXT"
	case Blob:
		return "BLOB"
	}
	return "?"
}

// Value is what stands in one column of a row. SQLite's columns have no strict type: any value may
// stand anywhere.
type Value struct {
	Kind  Kind
	int   int64
	real  float64
	bytes []byte
	enc   encoding
}

// Int returns the number of an Integer, a Real (cut to a whole number that fits), 0 of all else.
func (v Value) Int() int64 {
	switch v.Kind {
	case Integer:
		return v.int
	case Real:
		switch {
		case v.real != v.real:
			return 0
		case v.real >= math.MaxInt64:
			return math.MaxInt64
		case v.real <= math.MinInt64:
			return math.MinInt64
		}
		return int64(v.real)
	}
	return 0
}

// Float returns the number of a Real or an Integer, 0 of all else.
func (v Value) Float() float64 {
	if v.Kind == Integer {
		return float64(v.int)
	}
	return v.real
}

// Text returns a copy of a Text, in UTF-8 if it is valid in the database's encoding, or of a
// Blob's bytes; "" of all else.
func (v Value) Text() string {
	if v.Kind != Text || v.enc == utf8 {
		return string(v.bytes)
	}
	var order binary.ByteOrder = binary.LittleEndian
	if v.enc == utf16be {
		order = binary.BigEndian
	}
	u := make([]uint16, len(v.bytes)/2)
	for i := range u {
		u[i] = order.Uint16(v.bytes[2*i:])
	}
	var s strings.Builder
	for _, r := range utf16.Decode(u) {
		s.WriteRune(r)
	}
	return s.String()
}

// varint reads SQLite's variable-length number: big-endian groups of seven bits, the ninth byte
// whole. It returns how many bytes it has, 0 if it is cut off.
func varint(b []byte) (uint64, int) {
	var v uint64
	for i := range min(len(b), 9) {
		if i == 8 {
			return v<<8 | uint64(b[i]), 9
		}
		v = v<<7 | uint64(b[i]&0x7f)
		if b[i] < 0x80 {
			return v, i + 1
		}
	}
	return 0, 0
}

// record splits a record into values, which share its bytes; row is reused. Columns beyond most
// are left out. ok is false if the record contradicts itself.
func record(p []byte, most int, enc encoding, row []Value) (_ []Value, ok bool) {
	row = row[:0]
	size, n := varint(p)
	if n == 0 || size < uint64(n) || size > uint64(len(p)) {
		return row, false
	}
	types, body := p[n:size], p[size:]
	for len(types) > 0 && len(row) < most {
		t, n := varint(types)
		if n == 0 {
			return row, false
		}
		types = types[n:]
		v, rest, ok := value(t, body)
		if !ok {
			return row, false
		}
		v.enc, body = enc, rest
		row = append(row, v)
	}
	return row, true
}

// value takes a value of serial type t from the front of b.
func value(t uint64, b []byte) (v Value, rest []byte, ok bool) {
	size := uint64(0)
	switch {
	case t <= 4:
		size = t
	case t == 5:
		size = 6
	case t == 6 || t == 7:
		size = 8
	case t == 10 || t == 11:
		return v, b, false // SQLite's own, never in a file
	case t >= 12:
		size = (t - 12) / 2
	}
	if size > uint64(len(b)) {
		return v, b, false
	}
	mine := b[:size:size]
	switch {
	case t == 0:
	case t <= 6:
		v.Kind, v.int = Integer, signed(mine)
	case t == 7:
		v.Kind, v.real = Real, math.Float64frombits(binary.BigEndian.Uint64(mine))
	case t <= 9:
		v.Kind, v.int = Integer, int64(t-8)
	case t%2 == 0:
		v.Kind, v.bytes = Blob, mine
	default:
		v.Kind, v.bytes = Text, mine
	}
	return v, b[size:], true
}

// signed reads a big-endian number in two's complement.
func signed(b []byte) int64 {
	var v int64
	for i, c := range b {
		if i == 0 {
			v = int64(int8(c))
		} else {
			v = v<<8 | int64(c)
		}
	}
	return v
}
