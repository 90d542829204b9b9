package mailsync

import (
	"iter"
	"slices"

	"offloop/statefile"
)

// listPage is a piece of a listing: 4 KiB as the allocator deals them out. A
// listing of a million messages is a list of pages, so it never exists twice, as
// a slice does while it grows, and pages go as soon as they have been compared.
// Mailboxes use few of all sets of flags there may be: a message has the number of
// its set.
type listPage struct {
	wide []statefile.Flags // the sets themselves, where they have no number any more
	n    uint32
	uid  [listPageLen]uint32
	set  [listPageLen]uint16
}

// listPageLen leaves room for the header the allocator adds.
const listPageLen = 675

// setWide says: look into wide.
const setWide = 0xffff

// add notes a message.
func (l *listing) add(uid uint32, f statefile.Flags) {
	if uid <= l.last {
		l.mixed = true
	}
	l.last = max(l.last, uid)
	if k := len(l.pages); k == 0 || l.pages[k-1].n == listPageLen {
		l.pages = append(l.pages, new(listPage))
	}
	p := l.pages[len(l.pages)-1]
	p.uid[p.n], p.set[p.n] = uid, l.setNumber(f)
	if p.set[p.n] == setWide {
		if p.wide == nil {
			p.wide = make([]statefile.Flags, listPageLen)
		}
		p.wide[p.n] = f
	}
	p.n++
	l.count++
}

// setNumber finds or gives the number of a set of flags.
func (l *listing) setNumber(f statefile.Flags) uint16 {
	n, ok := l.setOf[f]
	switch {
	case ok:
		return n
	case len(l.sets) == setWide:
		return setWide
	case l.setOf == nil:
		l.setOf = map[statefile.Flags]uint16{}
	}
	n = uint16(len(l.sets))
	l.sets, l.setOf[f] = append(l.sets, f), n
	return n
}

// flags gives the flags of message k of a page.
func (l *listing) flags(p *listPage, k int) statefile.Flags {
	if p.set[k] == setWide {
		return p.wide[k]
	}
	return l.sets[p.set[k]]
}

// uids gives the UIDs in the order in which the server named them.
func (l *listing) uids() iter.Seq[uint32] {
	return func(yield func(uint32) bool) {
		for _, p := range l.pages {
			for _, u := range p.uid[:p.n] {
				if !yield(u) {
					return
				}
			}
		}
	}
}

// distinct counts the UIDs, which nearly always come in ascending order.
func (l *listing) distinct() int {
	if !l.mixed {
		return l.count
	}
	seen := make(map[uint32]bool, l.count)
	for u := range l.uids() {
		seen[u] = true
	}
	return len(seen)
}

// shown is the set of flags that the listing tells of, in the terms of the state's
// keyword table: all, unless there were so many keywords that some got no number. Of
// those nothing is known, least of all that they are gone.
func (l *listing) shown(t *flagTable) statefile.Flags {
	if !l.crowded {
		return ^statefile.Flags(0)
	}
	m := systemMask
	for _, w := range l.words {
		m |= t.bitOf(w)
	}
	return m
}

// messages gives the listing in ascending order of UID, of equal ones the first
// named first, in the terms of the state's own keyword table. It may be walked
// through once: it lets the listing's memory go on the way.
func (l *listing) messages(t *flagTable) iter.Seq[remoteMsg] { return l.some(t, len(l.pages)) }

// some is messages for as many pages at the front, which the listing then lacks. A
// listing in mixed order comes as a whole.
func (l *listing) some(t *flagTable, pages int) iter.Seq[remoteMsg] {
	to := make([]statefile.Flags, len(l.words))
	for i, w := range l.words {
		to[i] = t.bitOf(w)
	}
	mixed := l.mixed
	if mixed {
		pages = len(l.pages)
	}
	page := l.pages[:pages]
	if l.pages = l.pages[pages:]; len(l.pages) == 0 {
		l.pages, l.count = nil, 0
	}
	asNamed := func(yield func(remoteMsg) bool) {
		for i, p := range page {
			page[i] = nil
			for k, uid := range p.uid[:p.n] {
				f := l.flags(p, k)
				g := f & (1<<firstKeyword - 1)
				for k := 0; f>>firstKeyword != 0 && k < len(to); k++ {
					if f&(1<<(firstKeyword+k)) != 0 {
						g |= to[k]
					}
				}
				if !yield(remoteMsg{uid, g}) {
					return
				}
			}
		}
	}
	if !mixed {
		return asNamed
	}
	list := slices.Collect(asNamed)
	sortByUID(list)
	return slices.Values(list)
}
