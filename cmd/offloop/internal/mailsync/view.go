package mailsync

import (
	"cmp"
	"iter"
	"maps"
	"math/bits"
	"slices"

	"offloop/maildir"
	"offloop/statefile"
)

// localFile is a file in the Maildir that the state does not know.
type localFile struct {
	entry maildir.Entry
	name  maildir.Name
	flags statefile.Flags
	// hint is the UID in the name if it was made for this folder, else 0. A
	// hint is not an identity: who believes it must have another reason.
	hint uint32
}

// localChange is a known message whose file shows other flags, or another name,
// than the state records.
type localChange struct {
	flags statefile.Flags
	entry maildir.Entry
	name  string // the new name for the record, "" if unchanged
}

// localView is how the Maildir differs from the state.
type localView struct {
	// scanned is false if the directories' stamps said that nothing changed:
	// then there are no differences, and file names are only likely.
	scanned bool
	// stable is false if files moved during every scan that was tried: what was
	// seen is there, what was not seen may be there too.
	stable  bool
	stamps  [2]maildir.Stamp // new, cur; read before the scan
	count   int              // files seen
	changed map[uint32]localChange
	missing []uint32 // ascending
	fresh   []localFile
	inNew   uidBits // known files that lie in new/
	odd     map[uint32]maildir.Entry
}

// remoteMsg is one message as the server lists it.
type remoteMsg struct {
	uid   uint32
	flags statefile.Flags
}

// remoteView is how the server's mailbox differs from the state.
type remoteView struct {
	// listed is false if the server said that nothing changed.
	listed bool
	// complete is false if the listing contradicts the server's own counts:
	// then nothing may be called gone.
	complete bool
	changed  map[uint32]statefile.Flags // known messages with other flags
	vanished []uint32                   // ascending
	fresh    []remoteMsg                // ascending
}

// byUID is the order of messages by their UIDs.
func byUID(m remoteMsg, uid uint32) int { return cmp.Compare(m.uid, uid) }

// newMsg gives one of the new messages.
func (v *remoteView) newMsg(uid uint32) (remoteMsg, bool) {
	i, ok := slices.BinarySearchFunc(v.fresh, uid, byUID)
	if !ok {
		return remoteMsg{}, false
	}
	return v.fresh[i], true
}

// diffRemote compares a full listing, in ascending order, with the state. mask is
// the set of flags that the server can store; the others are taken as agreed.
func diffRemote(st *statefile.Folder, list iter.Seq[remoteMsg], mask statefile.Flags) remoteView {
	d := newRemoteDiff(st, mask)
	d.walk(list)
	return d.end()
}

// remoteDiff is such a comparison under way; the listing comes in pieces.
type remoteDiff struct {
	st   *statefile.Folder
	mask statefile.Flags
	v    remoteView
	i    int    // records before it have been compared
	last uint32 // the latest UID of the listing
}

func newRemoteDiff(st *statefile.Folder, mask statefile.Flags) *remoteDiff {
	return &remoteDiff{st: st, mask: mask, v: remoteView{listed: true, changed: map[uint32]statefile.Flags{}}}
}

// walk takes the next piece of the listing.
func (d *remoteDiff) walk(list iter.Seq[remoteMsg]) {
	st, n := d.st, d.st.Len()
	for m := range list {
		if m.uid == d.last {
			continue // a server that names a UID twice
		}
		d.last = m.uid
		uid := uint32(0)
		for ; d.i < n; d.i++ {
			if uid = st.UIDAt(d.i); uid >= m.uid {
				break
			}
			d.gone()
		}
		if d.i < n && uid == m.uid {
			old := st.FlagsAt(d.i)
			if f := m.flags&d.mask | old&^d.mask; f != old {
				d.v.changed[m.uid] = f
			}
			d.i++
			continue
		}
		d.v.fresh = append(d.v.fresh, m)
	}
}

// gone notes that the server does not have record i any more.
func (d *remoteDiff) gone() {
	if d.st.MarkAt(d.i) != markKept {
		d.v.vanished = append(d.v.vanished, d.st.UIDAt(d.i))
	}
}

// end gives the differences once the whole listing has been walked through.
func (d *remoteDiff) end() remoteView {
	for ; d.i < d.st.Len(); d.i++ {
		d.gone()
	}
	return d.v
}

// uidBits is a set of UIDs with a bit for each, in pieces of 512: where all of a
// million messages are in it, it takes less than 200 kB.
type uidBits map[uint32]*[8]uint64

func (s uidBits) has(uid uint32) bool {
	p := s[uid>>9]
	return p != nil && p[uid>>6&7]&(1<<(uid&63)) != 0
}

func (s uidBits) add(uid uint32) {
	p := s[uid>>9]
	if p == nil {
		p = new([8]uint64)
		s[uid>>9] = p
	}
	p[uid>>6&7] |= 1 << (uid & 63)
}

// addAll is add for each of a list, quickly where their UIDs ascend.
func (s uidBits) addAll(l []remoteMsg) {
	var p *[8]uint64
	last := uint32(0)
	for _, m := range l {
		if at := m.uid >> 9; p == nil || at != last {
			s.add(m.uid)
			p, last = s[at], at
		}
		p[m.uid>>6&7] |= 1 << (m.uid & 63)
	}
}

func (s uidBits) remove(uid uint32) {
	if p := s[uid>>9]; p != nil {
		p[uid>>6&7] &^= 1 << (uid & 63)
	}
}

// sorted gives the UIDs in ascending order.
func (s uidBits) sorted() []uint32 {
	n := 0
	for _, p := range s {
		for _, w := range p {
			n += bits.OnesCount64(w)
		}
	}
	l := make([]uint32, 0, n)
	for _, at := range slices.Sorted(maps.Keys(s)) {
		for k, w := range s[at] {
			for ; w != 0; w &= w - 1 {
				l = append(l, at<<9|uint32(k)<<6|uint32(bits.TrailingZeros64(w)))
			}
		}
	}
	return l
}
