package imaptest

import (
	"fmt"
	"strings"
)

// resync is the QRESYNC parameter of SELECT (RFC 7162 section 3.2.5).
type resync struct {
	given      bool
	validity   uint32
	modseq     uint64
	known      numSet // nil = 1:*
	seqs, uids numSet // message sequence match data
}

func (s *Session) cmdSelect(c *scanner) string  { return s.selectBox(c, false) }
func (s *Session) cmdExamine(c *scanner) string { return s.selectBox(c, true) }

func (s *Session) selectBox(c *scanner, examine bool) string {
	c.sp()
	name := s.decodeName(c.astring())
	q, refusal := s.selectParams(c)
	if !c.done() {
		return bad(c)
	}
	if refusal != "" {
		return refusal
	}
	if s.sel != nil {
		s.to(StateAuthenticated)
		if s.has("QRESYNC") || s.has("IMAP4rev2") {
			s.untagged("OK [CLOSED] the previous mailbox is closed")
		}
	}
	b := s.srv.box(name)
	if b == nil {
		return "NO [NONEXISTENT] mailbox does not exist"
	}
	s.open(b, examine || b.readOnly)
	s.tellSelected()
	if q.given && q.validity == b.uidValidity {
		s.tellResync(q)
	}
	if s.sel.readOnly {
		return "OK [READ-ONLY] selected"
	}
	return "OK [READ-WRITE] selected"
}

func (s *Session) selectParams(c *scanner) (q resync, refusal string) {
	n := 0
	if !c.accept(' ') {
		return q, ""
	}
	c.list(func() {
		n++
		switch p := strings.ToUpper(c.atom()); p {
		case "CONDSTORE":
			s.condstore = true
			if !s.has("CONDSTORE") {
				refusal = "BAD CONDSTORE is not supported"
			}
		case "QRESYNC":
			c.sp()
			q = parseResync(c)
			if !s.qresync {
				s.complain("SELECT with QRESYNC before ENABLE QRESYNC")
				refusal = "BAD QRESYNC is not enabled"
			}
		default:
			refusal = "BAD unknown SELECT parameter " + p
		}
	})
	if n > 1 && s.srv.Faults.OneSelectParam {
		refusal = "BAD only one SELECT parameter is allowed"
	}
	return q, refusal
}

func parseResync(c *scanner) (q resync) {
	q.given = true
	c.expect('(')
	q.validity = uint32(c.number())
	c.sp()
	q.modseq = c.number()
	if c.accept(' ') {
		if c.peek() != '(' {
			q.known = c.set()
			if !c.accept(' ') {
				c.expect(')')
				return q
			}
		}
		c.expect('(')
		q.seqs = c.set()
		c.sp()
		q.uids = c.set()
		c.expect(')')
	}
	c.expect(')')
	return q
}

func (s *Session) open(b *box, readOnly bool) {
	w := &view{box: b, readOnly: readOnly, synced: b.modseq, atSelect: b.modseq, count: len(b.msgs)}
	w.list = make([]entry, len(b.msgs))
	for i, m := range b.msgs {
		w.list[i] = entry{m, m.modseq}
	}
	w.next, w.recent, w.news = b.uidNext, b.recent, len(b.news)
	if !readOnly {
		b.recent = b.uidNext
	}
	s.sel = w
	s.to(StateSelected)
}

func (s *Session) tellSelected() {
	w, f := s.sel, &s.srv.Faults
	b := w.box
	s.tellFlagList()
	s.untagged("%d EXISTS", s.exists(b, len(w.list)))
	if s.rev1() {
		s.untagged("%d RECENT", w.recents())
		for i, e := range w.list {
			if !hasFlag(e.m.flags, `\Seen`) {
				s.untagged("OK [UNSEEN %d] first unseen", i+1)
				break
			}
		}
	}
	s.untagged("OK [UIDVALIDITY %d] UIDs valid", b.uidValidity)
	if !f.NoUIDNext {
		s.untagged("OK [UIDNEXT %d] predicted next UID", s.uidNext(b))
	}
	if s.has("CONDSTORE") {
		if f.NoModSeq {
			s.untagged("OK [NOMODSEQ] no permanent mod-sequences")
		} else {
			s.untagged("OK [HIGHESTMODSEQ %d] highest", s.highestModSeq(b, b.modseq))
		}
	}
	if s.has("OBJECTID") {
		s.untagged("OK [MAILBOXID (%s)] mailbox id", b.id)
	}
	if !s.rev1() {
		s.untagged(`LIST () "%s" %s`, s.srv.Delim, s.wireName(b.name))
	}
}

// tellResync sends what happened since the state the client remembers.
func (s *Session) tellResync(q resync) {
	w := s.sel
	known := numSet{{1, max(w.box.uidNext, 2) - 1}}
	if q.known != nil {
		known = q.known.resolve(w.box.uidNext - 1)
	}
	s.tellEarlier(s.vanishedSince(q.modseq, known, s.matched(q)))
	for i, e := range w.list {
		if e.m.modseq > q.modseq && known.has(e.m.uid) {
			s.sendFetch(i, []fetchItem{{name: "UID"}, {name: "FLAGS"}, {name: "MODSEQ"}}, false)
		}
	}
}

// tellEarlier sends VANISHED (EARLIER), lied about if the faults say so.
func (s *Session) tellEarlier(uids []uint32) {
	f := &s.srv.Faults
	if f.Vanished != nil {
		uids = f.Vanished(s.sel.box.name, true, uids)
	}
	if len(uids) > 0 {
		s.untagged("VANISHED (EARLIER) %s", setOf(uids))
	} else if f.EmptyVanished {
		s.untagged("VANISHED (EARLIER) ")
	}
}

// vanishedSince lists the expunged UIDs of a set. If the mailbox has forgotten
// that far back, or the client's memory does not match, every missing UID counts.
func (s *Session) vanishedSince(modseq uint64, known numSet, matched uint32) (uids []uint32) {
	b := s.sel.box
	if modseq >= b.floor {
		for _, g := range b.graves {
			if g.modseq > modseq && known.has(g.uid) && !s.sel.shows(g.uid) {
				uids = append(uids, g.uid)
			}
		}
		return uids
	}
	for _, sp := range known {
		for u := max(sp.lo, matched+1); u <= sp.hi && u < b.uidNext; u++ {
			if b.find(u) == nil && !s.sel.shows(u) {
				uids = append(uids, u)
			}
		}
	}
	return uids
}

// matched finds the highest UID up to which the client's sequence numbers still
// hold: below it nothing has been expunged (RFC 7162 section 3.2.5.2).
func (s *Session) matched(q resync) uint32 {
	seqs, uids := q.seqs.nums(), q.uids.nums()
	best := uint32(0)
	for i := 0; i < len(seqs) && i < len(uids); i++ {
		at := int(seqs[i]) - 1
		if at < 0 || at >= len(s.sel.list) || s.sel.list[at].m.uid != uids[i] {
			break
		}
		best = uids[i]
	}
	return best
}

// nums lists the members of a small set.
func (n numSet) nums() (out []uint32) {
	for _, s := range n {
		for x := uint64(s.lo); x <= uint64(s.hi) && len(out) < 1<<16; x++ {
			out = append(out, uint32(x))
		}
	}
	return out
}

func (s *Session) cmdClose(c *scanner) string {
	if !c.done() {
		return bad(c)
	}
	b, gone := s.sel.box, 0
	if !s.sel.readOnly {
		gone = len(b.expunge(func(m *msg) bool { return hasFlag(m.flags, `\Deleted`) }))
	}
	s.to(StateAuthenticated)
	if s.qresync && gone > 0 {
		return fmt.Sprintf("OK [HIGHESTMODSEQ %d] closed", s.highestModSeq(b, b.modseq))
	}
	return "OK closed"
}

func (s *Session) cmdUnselect(c *scanner) string {
	if !c.done() {
		return bad(c)
	}
	s.to(StateAuthenticated)
	return "OK unselected"
}

func (s *Session) cmdCheck(c *scanner) string {
	if !c.done() {
		return bad(c)
	}
	s.sel.checked, s.sel.synced = true, 0
	return "OK checked"
}
