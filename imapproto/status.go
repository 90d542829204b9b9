package imapproto

import "strings"

// StatusSet says which fields of a Status the server told, one bit each.
type StatusSet uint8

// The bits of a StatusSet.
const (
	StatusMessages StatusSet = 1 << iota
	StatusUIDNext
	StatusUIDValidity
	StatusHighestModSeq
	StatusSize
	StatusUnseen
)

// Has reports whether all of the given fields were told.
func (s StatusSet) Has(fields StatusSet) bool { return s&fields == fields }

// Status is the answer to STATUS.
type Status struct {
	Messages, UIDNext, UIDValidity uint32
	HighestModSeq                  uint64
	Size                           int64
	Unseen                         uint32
	Set                            StatusSet // which of them the server told
}

// statusNeeds names the capability that an item needs beyond IMAP4rev1.
var statusNeeds = map[string]string{
	"HIGHESTMODSEQ": "CONDSTORE", "SIZE": "STATUS=SIZE", "MAILBOXID": "OBJECTID", "APPENDLIMIT": "APPENDLIMIT",
}

// statusItems leaves out the items the server would answer with BAD.
func statusItems(caps CapSet, items []string) []string {
	var can []string
	for _, it := range items {
		it = strings.ToUpper(it)
		if need := statusNeeds[it]; need == "" || caps.Has(need) {
			can = append(can, it)
		}
	}
	return can
}

// items writes "(A B C)".
func (e *encoder) items(items []string) {
	e.text("(")
	for i, it := range items {
		if i > 0 {
			e.text(" ")
		}
		e.word("a STATUS item named", it)
	}
	e.text(")")
}

// Status asks for the given items (MESSAGES, UIDNEXT, UIDVALIDITY, UNSEEN,
// HIGHESTMODSEQ, SIZE) of a mailbox. Items the server has no extension for are left
// out; Status.Set tells.
func (c *Conn) Status(name string, items []string, done func(Status, error)) {
	var st Status
	c.enqueue(&command{kind: kindStatus, name: "STATUS", mailbox: name,
		encode: func(e *encoder) {
			can := statusItems(e.caps, items)
			if len(can) == 0 {
				can = []string{"MESSAGES"} // an empty list is not allowed
			}
			e.text("STATUS ")
			e.mailbox(name)
			e.text(" ")
			e.items(can)
		},
		untag: func(u *untagged) bool {
			if u.name != "STATUS" {
				return false
			}
			m, ok := c.parseStatus(u.args)
			if !ok || m.Name != name && !strings.EqualFold(name, m.Name) {
				return false
			}
			st = *m.Status
			return true
		},
		finish: func(_ *reply, err error) { done(st, err) },
	})
}

// parseStatus reads "name (MESSAGES 3 UIDNEXT 7 ...)". Exchange puts a space
// behind it; unknown items are skipped.
func (c *Conn) parseStatus(p cursor) (m Mailbox, ok bool) {
	if !c.mailboxName(&p, &m) {
		return m, false
	}
	p.space()
	if !p.byte('(') {
		return m, false
	}
	st := &Status{}
	m.Status = st
	for {
		p.space()
		if p.byte(')') {
			return m, true
		}
		name := p.atom()
		p.space()
		if len(name) == 0 {
			return m, false
		}
		v, isNumber := p.number()
		if !isNumber {
			if !p.skip() {
				return m, false
			}
			continue
		}
		st.put(name, v)
	}
}

// put files one item.
func (st *Status) put(name []byte, v uint64) {
	small := uint32(min(v, 1<<32-1))
	switch {
	case equalFold(name, "MESSAGES"):
		st.Messages, st.Set = small, st.Set|StatusMessages
	case equalFold(name, "UIDNEXT"):
		st.UIDNext, st.Set = small, st.Set|StatusUIDNext
	case equalFold(name, "UIDVALIDITY"):
		st.UIDValidity, st.Set = small, st.Set|StatusUIDValidity
	case equalFold(name, "HIGHESTMODSEQ"):
		st.HighestModSeq, st.Set = v, st.Set|StatusHighestModSeq
	case equalFold(name, "SIZE"):
		st.Size, st.Set = int64(v), st.Set|StatusSize
	case equalFold(name, "UNSEEN"):
		st.Unseen, st.Set = small, st.Set|StatusUnseen
	}
}
