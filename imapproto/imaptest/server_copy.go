package imaptest

import "fmt"

func (s *Session) cmdCopy(c *scanner) string    { return s.copyTo(c, false, false) }
func (s *Session) cmdUIDCopy(c *scanner) string { return s.copyTo(c, true, false) }
func (s *Session) cmdMove(c *scanner) string    { return s.copyTo(c, false, true) }
func (s *Session) cmdUIDMove(c *scanner) string { return s.copyTo(c, true, true) }

func (s *Session) copyTo(c *scanner, uids, move bool) string {
	c.sp()
	set := c.set()
	c.sp()
	name := s.decodeName(c.astring())
	if !c.done() {
		return bad(c)
	}
	dst := s.srv.box(name)
	if dst == nil {
		return "NO [TRYCREATE] mailbox does not exist"
	}
	if dst.readOnly || move && s.sel.readOnly {
		return "NO the mailbox is read-only"
	}
	at, answer := s.pick(set, uids)
	if answer != "" {
		return answer
	}
	var from []*msg
	var size int64
	for _, i := range at {
		if m := s.sel.list[i].m; !m.gone {
			from = append(from, m)
			size += int64(len(m.body))
		}
	}
	if !move && s.overQuota(size) {
		return "NO [OVERQUOTA] quota exceeded"
	}
	code := s.copyMessages(from, dst)
	if !move {
		return "OK " + code + "copied"
	}
	moved := map[*msg]bool{}
	for _, m := range from {
		moved[m] = true
	}
	s.sel.box.expunge(func(m *msg) bool { return moved[m] })
	if code != "" {
		s.untagged("OK %smoved", code)
	}
	return "OK moved"
}

// copyMessages stores copies and returns the COPYUID code, "" if there is none.
func (s *Session) copyMessages(from []*msg, dst *box) string {
	var src, uids []uint32
	for _, m := range from {
		c := *m
		c.uid, c.gone = 0, false
		src = append(src, m.uid)
		uids = append(uids, s.srv.store(dst, &c))
	}
	mode := s.srv.Faults.CopyUID
	if len(src) == 0 || mode == UIDAbsent || !s.has("UIDPLUS") && !s.has("IMAP4rev2") {
		return ""
	}
	validity, to := bend(mode, dst, uids)
	if mode == UIDSwapped {
		return fmt.Sprintf("[COPYUID %d %s %s] ", validity, to, listString(src))
	}
	return fmt.Sprintf("[COPYUID %d %s %s] ", validity, listString(src), to)
}

// bend applies a UIDMode to what APPENDUID or COPYUID is to say.
func bend(mode UIDMode, b *box, uids []uint32) (validity uint32, set string) {
	validity = b.uidValidity
	uids = append([]uint32(nil), uids...)
	switch mode {
	case UIDWrong:
		for i := range uids {
			uids[i]++
		}
	case UIDOldValidity:
		validity--
	case UIDPaired:
		if len(b.msgs) > 0 {
			uids = []uint32{b.msgs[0].uid}
		}
	}
	return validity, listString(uids)
}

func (s *Session) overQuota(more int64) bool {
	if s.srv.Faults.Quota == 0 {
		return false
	}
	for _, b := range s.srv.boxes {
		more += b.size()
	}
	return more > s.srv.Faults.Quota
}
