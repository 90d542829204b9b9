package imapproto

import (
	"slices"
	"strconv"

	"github.com/emersion/go-imap/v2"
)

// Limits on what one command carries: several servers refuse longer lines
// (RFC 7162 section 4 recommends 8192 octets; Exchange, Zimbra and others
// allow far less) or more numbers.
const (
	maxSetBytes    = 800     // of the UID set of one command, so that the line stays under 1000 (RFC 2683 section 3.2.1.5)
	maxSetElements = 500     // numbers and ranges in it
	maxRanges      = 4 << 20 // ranges accepted from the server in one set
)

// setBuilder collects UIDs into an ascending set without duplicates. Ascending
// input, the usual case, costs one append a range.
type setBuilder struct {
	set      imap.UIDSet
	unsorted bool
}

// add adds a range; it returns false when there are too many.
func (b *setBuilder) add(lo, hi uint32) bool {
	if lo > hi {
		lo, hi = hi, lo
	}
	if n := len(b.set); n > 0 {
		last := &b.set[n-1]
		switch {
		case lo < uint32(last.Start):
			b.unsorted = true
		case uint64(lo) <= uint64(last.Stop)+1:
			last.Stop = max(last.Stop, imap.UID(hi))
			return true
		}
		if n >= maxRanges {
			return false
		}
	}
	b.set = append(b.set, imap.UIDRange{Start: imap.UID(lo), Stop: imap.UID(hi)})
	return true
}

// take returns the set and empties the builder.
func (b *setBuilder) take() imap.UIDSet {
	s := b.set
	if b.unsorted {
		s = normalSet(s)
	}
	*b = setBuilder{}
	return s
}

// normalSet returns set ascending and merged. A range that ends in "*" (0) must
// not be followed by others and is kept as it is. The argument may be returned.
func normalSet(set imap.UIDSet) imap.UIDSet {
	ok := true
	for i, r := range set {
		if r.Stop != 0 && r.Stop < r.Start || r.Start == 0 ||
			i > 0 && (set[i-1].Stop == 0 || uint64(r.Start) <= uint64(set[i-1].Stop)+1) {
			ok = false
			break
		}
	}
	if ok {
		return set
	}
	s := make(imap.UIDSet, 0, len(set))
	for _, r := range set {
		if r.Start == 0 || r.Stop != 0 && r.Stop < r.Start {
			r.Start, r.Stop = r.Stop, r.Start
		}
		if r.Start == 0 { // "*" alone: the highest UID, whatever it is
			r.Start = 1<<32 - 1
		}
		s = append(s, r)
	}
	slices.SortFunc(s, func(a, b imap.UIDRange) int {
		return int(int64(a.Start) - int64(b.Start))
	})
	out := s[:0]
	for _, r := range s {
		if n := len(out); n > 0 {
			last := &out[n-1]
			if last.Stop == 0 {
				break
			}
			if uint64(r.Start) <= uint64(last.Stop)+1 {
				if r.Stop == 0 || r.Stop > last.Stop {
					last.Stop = r.Stop
				}
				continue
			}
		}
		out = append(out, r)
	}
	return out
}

// containsUID reports whether the ascending set has uid.
func containsUID(set imap.UIDSet, uid uint32) bool {
	lo, hi := 0, len(set)
	for lo < hi {
		mid := (lo + hi) >> 1
		if r := set[mid]; r.Stop != 0 && uint32(r.Stop) < uid {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo < len(set) && uint32(set[lo].Start) <= uid
}

// countUIDs returns how many numbers an ascending set holds ("*" counts as the
// largest number).
func countUIDs(set imap.UIDSet) uint64 {
	var n uint64
	for _, r := range set {
		stop := uint64(r.Stop)
		if stop == 0 {
			stop = 1<<32 - 1
		}
		n += stop - uint64(r.Start) + 1
	}
	return n
}

// appendSet appends the wire form of set.
func appendSet(b []byte, set imap.UIDSet) []byte {
	for i, r := range set {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendRange(b, r)
	}
	return b
}

func appendRange(b []byte, r imap.UIDRange) []byte {
	b = strconv.AppendUint(b, uint64(r.Start), 10)
	switch r.Stop {
	case r.Start:
	case 0:
		b = append(b, ":*"...)
	default:
		b = append(b, ':')
		b = strconv.AppendUint(b, uint64(r.Stop), 10)
	}
	return b
}

// splitSet cuts an ascending set into parts that each fit one command.
func splitSet(set imap.UIDSet) []imap.UIDSet {
	var parts []imap.UIDSet
	var scratch [24]byte
	start, size := 0, 0
	for i, r := range set {
		n := len(appendRange(scratch[:0], r)) + 1
		if i > start && (size+n > maxSetBytes || i-start >= maxSetElements) {
			parts = append(parts, set[start:i:i])
			start, size = i, 0
		}
		size += n
	}
	if start < len(set) {
		parts = append(parts, set[start:])
	}
	return parts
}

// parseSet reads a set as servers write it: "1:3,5". Empty elements and zeros
// are skipped, as some servers send them; false means it is no set, or too long.
func parseSet(b []byte) (imap.UIDSet, bool) {
	var sb setBuilder
	for len(b) > 0 {
		i := 0
		for i < len(b) && b[i] != ',' {
			i++
		}
		if !sb.element(b[:i]) {
			return nil, false
		}
		b = b[min(i+1, len(b)):]
	}
	return sb.take(), true
}

// element adds one "n" or "n:m"; empty and zero are skipped.
func (b *setBuilder) element(e []byte) bool {
	if len(e) == 0 {
		return true
	}
	lo, n := parseUint(e)
	if n == 0 || lo > 1<<32-1 {
		return false
	}
	hi := lo
	if n < len(e) {
		if e[n] != ':' {
			return false
		}
		var m int
		if hi, m = parseUint(e[n+1:]); m == 0 || n+1+m != len(e) || hi > 1<<32-1 {
			return false
		}
	}
	if lo == 0 || hi == 0 {
		lo, hi = max(lo, hi), max(lo, hi)
		if lo == 0 {
			return true
		}
	}
	return b.add(uint32(lo), uint32(hi))
}

// parseUint reads digits at the beginning of b and returns how many it took; 0
// for none or a number above 2^63.
func parseUint(b []byte) (v uint64, n int) {
	for n < len(b) && b[n]-'0' <= 9 {
		if n == 19 {
			return 0, 0
		}
		v = v*10 + uint64(b[n]-'0')
		n++
	}
	if v > 1<<63-1 {
		return 0, 0
	}
	return v, n
}
