package mailsync

import (
	"iter"

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

// diffRemote compares a full listing, in ascending order, with the state. mask is
// the set of flags that the server can store; the others are taken as agreed.
func diffRemote(st *statefile.Folder, list iter.Seq[remoteMsg], mask statefile.Flags) remoteView {
	v := remoteView{listed: true, changed: map[uint32]statefile.Flags{}}
	i, n, last := 0, st.Len(), uint32(0)
	gone := func(i int) {
		if m := st.MarkAt(i); m != markKept {
			v.vanished = append(v.vanished, st.UIDAt(i))
		}
	}
	for m := range list {
		if m.uid == last {
			continue // a server that names a UID twice
		}
		last = m.uid
		for i < n && st.UIDAt(i) < m.uid {
			gone(i)
			i++
		}
		if i < n && st.UIDAt(i) == m.uid {
			old := st.FlagsAt(i)
			if f := m.flags&mask | old&^mask; f != old {
				v.changed[m.uid] = f
			}
			i++
			continue
		}
		v.fresh = append(v.fresh, m)
	}
	for ; i < n; i++ {
		gone(i)
	}
	return v
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

func (s uidBits) remove(uid uint32) {
	if p := s[uid>>9]; p != nil {
		p[uid>>6&7] &^= 1 << (uid & 63)
	}
}
