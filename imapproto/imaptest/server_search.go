package imaptest

import (
	"fmt"
	"strings"
	"time"
)

// test decides for one message, given its sequence number.
type test func(m *msg, seq uint32) bool

func (s *Session) cmdSearch(c *scanner) string    { return s.search(c, false) }
func (s *Session) cmdUIDSearch(c *scanner) string { return s.search(c, true) }

func (s *Session) search(c *scanner, uids bool) string {
	c.sp()
	var ret []string
	extended := false
	if strings.HasPrefix(c.restOfSegment(), "RETURN ") {
		c.atom()
		c.sp()
		ret, extended = c.atoms(), true
		c.sp()
	}
	if strings.HasPrefix(c.restOfSegment(), "CHARSET ") {
		c.atom()
		c.sp()
		if cs := strings.ToUpper(c.astring()); cs != "UTF-8" && cs != "US-ASCII" {
			return "NO [BADCHARSET (US-ASCII UTF-8)] unknown charset"
		}
		c.sp()
	}
	s.byModSeq = false
	want := s.searchKeys(c, false)
	if !c.done() {
		return bad(c)
	}
	if extended && !s.has("ESEARCH") && !s.has("IMAP4rev2") {
		s.complain("SEARCH RETURN without ESEARCH")
		return "BAD SEARCH RETURN is not supported"
	}
	var found []uint32
	var highest uint64
	for i, e := range s.sel.list {
		if !e.m.gone && want(e.m, uint32(i+1)) {
			highest = max(highest, e.m.modseq)
			if uids {
				found = append(found, e.m.uid)
			} else {
				found = append(found, uint32(i+1))
			}
		}
	}
	if f := s.srv.Faults.Search; f != nil && uids {
		found = f(s.sel.box.name, found)
	}
	if extended || s.rev2 {
		s.tellESearch(found, ret, uids, highest)
	} else {
		line := strings.TrimSuffix(" "+strings.Trim(fmt.Sprint(found), "[]"), " ")
		if s.byModSeq && len(found) > 0 {
			line += fmt.Sprintf(" (MODSEQ %d)", highest)
		}
		s.untagged("SEARCH%s", line)
	}
	return "OK searched"
}

// tellESearch sends an ESEARCH response (RFC 4731); no options mean ALL.
func (s *Session) tellESearch(found []uint32, ret []string, uids bool, highest uint64) {
	out := fmt.Sprintf(`ESEARCH (TAG "%s")`, s.waiting.cmd.Tag)
	if uids {
		out += " UID"
	}
	if len(ret) == 0 {
		ret = []string{"ALL"}
	}
	for _, r := range ret {
		switch {
		case r == "COUNT":
			out += fmt.Sprintf(" COUNT %d", len(found))
		case len(found) == 0:
		case r == "MIN":
			out += fmt.Sprintf(" MIN %d", found[0])
		case r == "MAX":
			out += fmt.Sprintf(" MAX %d", found[len(found)-1])
		case r == "ALL":
			out += " ALL " + setOf(append([]uint32(nil), found...)).String()
		}
	}
	if s.byModSeq && len(found) > 0 {
		out += fmt.Sprintf(" MODSEQ %d", highest)
	}
	s.untagged("%s", out)
}

// searchKeys reads keys up to the end or, inside parentheses, up to ")".
func (s *Session) searchKeys(c *scanner, inside bool) test {
	var all []test
	for {
		all = append(all, s.searchKey(c))
		if c.bad != "" || c.end() || inside && c.peek() == ')' {
			break
		}
		c.sp()
	}
	return func(m *msg, seq uint32) bool {
		for _, t := range all {
			if !t(m, seq) {
				return false
			}
		}
		return true
	}
}

func (s *Session) searchKey(c *scanner) test {
	if c.accept('(') {
		t := s.searchKeys(c, true)
		c.expect(')')
		return t
	}
	if b := c.peek(); b >= '0' && b <= '9' || b == '*' {
		r := c.set().resolve(uint32(len(s.sel.list)))
		return func(_ *msg, seq uint32) bool { return r.has(seq) }
	}
	name := strings.ToUpper(c.atom())
	if t := flagKey(name); t != nil {
		return t
	}
	if t := s.textKey(c, name); t != nil {
		return t
	}
	switch name {
	case "ALL":
		return func(*msg, uint32) bool { return true }
	case "NOT":
		c.sp()
		t := s.searchKey(c)
		return func(m *msg, seq uint32) bool { return !t(m, seq) }
	case "OR":
		c.sp()
		a := s.searchKey(c)
		c.sp()
		b := s.searchKey(c)
		return func(m *msg, seq uint32) bool { return a(m, seq) || b(m, seq) }
	case "RECENT", "OLD", "NEW":
		from := s.sel.recent
		return func(m *msg, _ uint32) bool {
			return (m.uid >= from) == (name != "OLD") && (name != "NEW" || !hasFlag(m.flags, `\Seen`))
		}
	}
	return s.numberKey(c, name)
}

// flagKey is a key about one system flag, nil if name is none.
func flagKey(name string) test {
	bare, un := strings.CutPrefix(name, "UN")
	for _, f := range systemFlags[:5] {
		if strings.EqualFold(f[1:], bare) {
			return func(m *msg, _ uint32) bool { return hasFlag(m.flags, f) != un }
		}
	}
	return nil
}

// textKey is a key that takes strings, nil if name is none.
func (s *Session) textKey(c *scanner, name string) test {
	arg := func() string { c.sp(); return c.astring() }
	holds := func(text, part string) bool { return strings.Contains(strings.ToLower(text), strings.ToLower(part)) }
	field := func(name, part string) test {
		return func(m *msg, _ uint32) bool {
			v, ok := headerValue(m.body, name)
			return ok && holds(v, part)
		}
	}
	switch name {
	case "KEYWORD", "UNKEYWORD":
		k := arg()
		return func(m *msg, _ uint32) bool { return hasFlag(m.flags, k) == (name == "KEYWORD") }
	case "HEADER":
		f := arg()
		return field(f, arg())
	case "SUBJECT", "FROM", "TO", "CC", "BCC":
		return field(name, arg())
	case "BODY", "TEXT":
		part := arg()
		return func(m *msg, _ uint32) bool {
			text := m.body
			if name == "BODY" {
				_, text = splitMessage(text)
			}
			return holds(string(text), part)
		}
	case "SINCE", "BEFORE", "ON":
		day, err := time.Parse("_2-Jan-2006", arg())
		if err != nil {
			c.fail("invalid date")
		}
		return func(m *msg, _ uint32) bool {
			y, mo, d := m.date.Date()
			return sign(time.Date(y, mo, d, 0, 0, 0, 0, time.UTC).Compare(day), name)
		}
	case "EMAILID":
		id := arg()
		return func(m *msg, _ uint32) bool { return m.id == id }
	}
	return nil
}

func sign(cmp int, name string) bool {
	switch name {
	case "SINCE":
		return cmp >= 0
	case "BEFORE":
		return cmp < 0
	}
	return cmp == 0
}

// numberKey is a key that takes numbers.
func (s *Session) numberKey(c *scanner, name string) test {
	switch name {
	case "UID":
		c.sp()
		r := c.set().resolve(s.sel.lastUID())
		return func(m *msg, _ uint32) bool { return r.has(m.uid) }
	case "LARGER", "SMALLER":
		c.sp()
		n := int64(c.number())
		return func(m *msg, _ uint32) bool {
			return (name == "LARGER") == (int64(len(m.body)) > n) && int64(len(m.body)) != n
		}
	case "MODSEQ":
		c.sp()
		n := c.number()
		s.condstore, s.byModSeq = true, true
		return func(m *msg, _ uint32) bool { return m.modseq >= n }
	}
	c.fail("unsupported search key " + name)
	return func(*msg, uint32) bool { return false }
}
