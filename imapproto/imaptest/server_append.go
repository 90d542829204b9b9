package imaptest

import (
	"bytes"
	"fmt"
	"strings"
	"time"
)

// appended is one message of an APPEND.
type appended struct {
	flags []string
	date  time.Time
	body  []byte
}

func (s *Session) cmdAppend(c *scanner) string {
	c.sp()
	name := s.decodeName(c.astring())
	var msgs []appended
	for first := true; c.bad == "" && (first || !c.end()); first = false {
		msgs = append(msgs, s.appendMessage(c))
	}
	if !c.done() {
		return bad(c)
	}
	if len(msgs) > 1 && !s.has("MULTIAPPEND") {
		s.complain("MULTIAPPEND is not supported")
		return "BAD MULTIAPPEND is not supported"
	}
	b := s.srv.box(name)
	if b == nil {
		return "NO [TRYCREATE] mailbox does not exist"
	}
	if b.readOnly {
		return "NO the mailbox is read-only"
	}
	// all are checked before the first is stored: MULTIAPPEND is atomic (RFC 3502)
	var size int64
	for i := range msgs {
		m := &msgs[i]
		size += int64(len(m.body))
		if limit := s.appendLimit(); limit > 0 && int64(len(m.body)) > limit {
			return "NO [TOOBIG] message is larger than the server allows"
		}
		if bytes.IndexByte(m.body, 0) >= 0 {
			return "NO [CANNOT] NUL in message"
		}
		var refusal string
		if m.flags, refusal = s.settable(b, m.flags); refusal != "" {
			return refusal
		}
	}
	if s.overQuota(size) {
		return "NO [OVERQUOTA] quota exceeded"
	}
	return s.appendAll(b, msgs)
}

func (s *Session) appendMessage(c *scanner) (m appended) {
	c.sp()
	if c.peek() == '(' {
		m.flags = c.flags()
		c.sp()
	}
	if c.peek() == '"' {
		text := c.str()
		date, err := time.Parse("_2-Jan-2006 15:04:05 -0700", text)
		if err != nil {
			c.fail("invalid date-time " + text)
		}
		m.date = date
		c.sp()
	}
	wrapped := false
	if strings.HasPrefix(c.restOfSegment(), "UTF8 (") {
		c.p += len("UTF8 (")
		wrapped = true
	}
	if !c.atLiteral() {
		c.fail("expected a literal")
		return m
	}
	m.body = []byte(c.str())
	if wrapped {
		c.expect(')')
	}
	return m
}

func (c *scanner) restOfSegment() string {
	if c.bad != "" || c.i >= len(c.segs) {
		return ""
	}
	return strings.ToUpper(string(c.segs[c.i].text[c.p:]))
}

func (s *Session) appendAll(b *box, msgs []appended) string {
	f := &s.srv.Faults
	var uids []uint32
	merged := false
	for _, m := range msgs {
		if f.MergeAppend && b.findMessageID(m.body) != nil {
			merged = true
			continue
		}
		if m.date.IsZero() {
			m.date = s.srv.Now
		}
		body := m.body
		if f.Stored != nil {
			body = f.Stored(b.name, bytes.Clone(body))
		}
		uids = append(uids, s.srv.store(b, &msg{flags: m.flags, date: m.date, body: body}))
	}
	if merged || f.AppendUID == UIDAbsent || !s.has("UIDPLUS") && !s.has("IMAP4rev2") {
		return "OK appended"
	}
	validity, set := bend(f.AppendUID, b, uids)
	if f.AppendUID == UIDSwapped {
		return fmt.Sprintf("OK [APPENDUID %s %d] appended", set, validity)
	}
	return fmt.Sprintf("OK [APPENDUID %d %s] appended", validity, set)
}

// findMessageID finds a stored message with the Message-ID of body.
func (b *box) findMessageID(body []byte) *msg {
	id, ok := headerValue(body, "Message-ID")
	if !ok {
		return nil
	}
	for _, m := range b.msgs {
		if have, _ := headerValue(m.body, "Message-ID"); have == id {
			return m
		}
	}
	return nil
}
