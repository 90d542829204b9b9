package imaptest

import (
	"sort"
	"strconv"
	"strings"
)

// span is a range of message numbers or UIDs, both ends included.
type span struct{ lo, hi uint32 }

// numSet is a sequence set (RFC 3501 section 9). Before resolve, 0 stands for
// "*" and ends may be in either order; after it, spans ascend and do not touch.
type numSet []span

func parseSet(text string) (numSet, bool) {
	var out numSet
	for _, part := range strings.Split(text, ",") {
		a, b, ranged := strings.Cut(part, ":")
		lo, ok := parseNum(a)
		if !ok {
			return nil, false
		}
		hi := lo
		if ranged {
			if hi, ok = parseNum(b); !ok {
				return nil, false
			}
		}
		out = append(out, span{lo, hi})
	}
	return out, true
}

func parseNum(s string) (uint32, bool) {
	if s == "*" {
		return 0, true
	}
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil || n == 0 || s[0] == '+' {
		return 0, false
	}
	return uint32(n), true
}

// resolve replaces "*" by last, orders the ends of each span and merges.
func (n numSet) resolve(last uint32) numSet {
	out := make(numSet, 0, len(n))
	for _, s := range n {
		if s.lo == 0 {
			s.lo = last
		}
		if s.hi == 0 {
			s.hi = last
		}
		if s.lo > s.hi {
			s.lo, s.hi = s.hi, s.lo
		}
		out = append(out, s)
	}
	return out.merged()
}

func (n numSet) merged() numSet {
	sort.Slice(n, func(i, j int) bool { return n[i].lo < n[j].lo })
	out := n[:0]
	for _, s := range n {
		if k := len(out) - 1; k >= 0 && uint64(s.lo) <= uint64(out[k].hi)+1 {
			out[k].hi = max(out[k].hi, s.hi)
			continue
		}
		out = append(out, s)
	}
	return out
}

// ascending reports whether the set was written in ascending order, which some
// servers insist on.
func (n numSet) ascending() bool {
	last := uint32(0)
	for _, s := range n {
		if s.lo == 0 || s.hi != 0 && s.hi < s.lo || s.lo <= last {
			return s.lo == 0 && len(n) == 1
		}
		last = s.hi
	}
	return true
}

// has works on a resolved set.
func (n numSet) has(x uint32) bool {
	i := sort.Search(len(n), func(i int) bool { return n[i].hi >= x })
	return i < len(n) && n[i].lo <= x
}

// setOf makes a resolved set of numbers in any order.
func setOf(nums []uint32) numSet {
	out := make(numSet, 0, len(nums))
	for _, x := range nums {
		if k := len(out) - 1; k >= 0 && out[k].hi+1 == x {
			out[k].hi = x
			continue
		}
		out = append(out, span{x, x})
	}
	return out.merged()
}

func (n numSet) String() string {
	var b strings.Builder
	for i, s := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.FormatUint(uint64(s.lo), 10))
		if s.hi != s.lo {
			b.WriteByte(':')
			b.WriteString(strconv.FormatUint(uint64(s.hi), 10))
		}
	}
	return b.String()
}

// listString writes numbers in the given order, runs compressed: COPYUID and
// APPENDUID pair their sets by position, so the order must survive.
func listString(nums []uint32) string {
	var n numSet
	for _, x := range nums {
		if k := len(n) - 1; k >= 0 && n[k].hi+1 == x {
			n[k].hi = x
			continue
		}
		n = append(n, span{x, x})
	}
	return n.String()
}
