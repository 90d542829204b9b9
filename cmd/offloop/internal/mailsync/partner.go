package mailsync

import (
	"bytes"
	"cmp"
	"slices"

	"offloop/maildir"
	"offloop/statefile"
)

// Finding the partners of a Maildir's files in a mailbox whose messages were all
// numbered anew. It is a pure function of what both sides say of themselves; no
// UID takes part in it, since none means anything any more.

// holder is one file that looks for its message.
type holder struct {
	rec   statefile.Record // as the state knew it under the old numbers; UID 0 = it did not
	entry maildir.Entry
	name  maildir.Name
	flags statefile.Flags // the file's
	size  int64           // with CRLF line ends
	msgID string
	date  string // the Date field, as written
	hash  string
	gone  bool // it vanished while it was read
}

// claimed is one message of the mailbox.
type claimed struct {
	uid   uint32
	flags statefile.Flags
	size  int64
	msgID string
	date  string
	hash  string // only where it was needed
}

// partnership joins a file and a message by their places in the two lists.
// certain tells that no other message could be meant: then the flags agreed on
// before still count.
type partnership struct {
	holder, claimed int
	certain         bool
}

// matching joins holders and claimed one to one, in three passes: by what is
// unique on both sides, by content, and at last messages whose size the server
// has changed or tells wrongly, by Message-ID and Date.
type matching struct {
	holders []holder
	claims  []claimed
	usedH   []bool
	usedC   []bool
	pairs   []partnership
}

func newMatching(holders []holder, claims []claimed) *matching {
	return &matching{holders: holders, claims: claims, usedH: make([]bool, len(holders)), usedC: make([]bool, len(claims))}
}

// identity is what a message is known by; "" as msgID is none.
type identity struct {
	msgID, date, hash string
	size              int64
}

// join pairs what has the same key. Of several with the same key as many as both
// sides have are paired, in order, if the key alone tells that they are equal;
// else none.
func (m *matching) join(keyH func(holder) identity, keyC func(claimed) identity, equal bool) {
	at := map[identity][]int{}
	for k, c := range m.claims {
		if id := keyC(c); !m.usedC[k] && id != (identity{}) {
			at[id] = append(at[id], k)
		}
	}
	from := map[identity][]int{}
	var order []identity
	for i, h := range m.holders {
		if id := keyH(h); !m.usedH[i] && len(at[id]) > 0 {
			if from[id] == nil {
				order = append(order, id)
			}
			from[id] = append(from[id], i)
		}
	}
	for _, id := range order {
		hs, cs := from[id], at[id]
		alone := len(hs) == 1 && len(cs) == 1
		if !alone && !equal {
			continue
		}
		slices.SortStableFunc(hs, func(a, b int) int { return cmp.Compare(rank(m.holders[a]), rank(m.holders[b])) })
		slices.SortFunc(cs, func(a, b int) int { return cmp.Compare(m.claims[a].uid, m.claims[b].uid) })
		for n := range min(len(hs), len(cs)) {
			m.usedH[hs[n]], m.usedC[cs[n]] = true, true
			m.pairs = append(m.pairs, partnership{hs[n], cs[n], alone})
		}
	}
}

// rank orders equal files as the server numbered them before; those it never
// numbered, or had lost, come last.
func rank(h holder) uint64 {
	if h.rec.UID == 0 || h.rec.Mark == markKept {
		return 1 << 33
	}
	return uint64(h.rec.UID)
}

// byNames is the first pass: Message-ID, size and date, unique on both sides.
func (m *matching) byNames() {
	m.join(func(h holder) identity {
		if h.msgID == "" {
			return identity{}
		}
		return identity{msgID: h.msgID, date: h.date, size: h.size}
	}, func(c claimed) identity {
		if c.msgID == "" {
			return identity{}
		}
		return identity{msgID: c.msgID, date: c.date, size: c.size}
	}, false)
}

// doubts names the messages whose content must be read: a file without a partner
// has their size.
func (m *matching) doubts() []uint32 {
	sizes := map[int64]bool{}
	for i, h := range m.holders {
		if !m.usedH[i] {
			sizes[h.size] = true
		}
	}
	var uids []uint32
	for k, c := range m.claims {
		if !m.usedC[k] && sizes[c.size] {
			uids = append(uids, c.uid)
		}
	}
	return uids
}

// byContent is the second pass.
func (m *matching) byContent(hashes map[uint32]string) {
	for k := range m.claims {
		m.claims[k].hash = hashes[m.claims[k].uid]
	}
	m.join(func(h holder) identity { return identity{hash: h.hash} }, func(c claimed) identity { return identity{hash: c.hash} }, true)
}

// byDate is the last pass. A message saved again by its writer keeps its
// Message-ID but not its Date, so both must agree.
func (m *matching) byDate() {
	key := func(id, date string) identity {
		if id == "" || date == "" {
			return identity{}
		}
		return identity{msgID: id, date: date}
	}
	m.join(func(h holder) identity { return key(h.msgID, h.date) }, func(c claimed) identity {
		if c.hash != "" {
			return identity{} // it was read, and is no file of ours
		}
		return key(c.msgID, c.date)
	}, false)
}

// dateField gives the value of a header's first Date field, without the white
// space around it; "" if there is none.
func dateField(header []byte) string {
	for line := range bytes.Lines(header) {
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			break
		}
		if name, value, ok := bytes.Cut(line, []byte(":")); ok && bytes.EqualFold(bytes.TrimRight(name, " \t"), []byte("date")) {
			return string(bytes.TrimSpace(value))
		}
	}
	return ""
}
