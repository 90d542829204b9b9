package imaptest

import (
	"fmt"
	"strings"
)

func (s *Session) cmdStore(c *scanner) string    { return s.storeFlags(c, false) }
func (s *Session) cmdUIDStore(c *scanner) string { return s.storeFlags(c, true) }

// change is what a STORE does to flags.
type change struct {
	op       byte // '+', '-', '='
	silent   bool
	flags    []string
	hasSince bool
	since    uint64 // UNCHANGEDSINCE
}

func (s *Session) parseStore(c *scanner) (set numSet, ch change) {
	c.sp()
	set = c.set()
	c.sp()
	if c.accept('(') {
		if !strings.EqualFold(c.atom(), "UNCHANGEDSINCE") {
			c.fail("unknown STORE modifier")
		}
		c.sp()
		ch.since, ch.hasSince = c.number(), true
		c.expect(')')
		c.sp()
	}
	ch.op = '='
	if b := c.peek(); b == '+' || b == '-' {
		c.accept(b)
		ch.op = b
	}
	switch strings.ToUpper(c.atom()) {
	case "FLAGS":
	case "FLAGS.SILENT":
		ch.silent = true
	default:
		c.fail("unknown STORE item")
	}
	c.sp()
	if c.peek() == '(' {
		ch.flags = c.flags()
	} else {
		ch.flags = append(ch.flags, c.flag())
		for c.accept(' ') {
			ch.flags = append(ch.flags, c.flag())
		}
	}
	return set, ch
}

func (s *Session) storeFlags(c *scanner, uids bool) string {
	set, ch := s.parseStore(c)
	if !c.done() {
		return bad(c)
	}
	if ch.hasSince && !s.has("CONDSTORE") {
		s.complain("STORE with UNCHANGEDSINCE without CONDSTORE")
		return "BAD UNCHANGEDSINCE is not supported"
	}
	if s.sel.readOnly {
		return "NO the mailbox is read-only"
	}
	at, answer := s.pick(set, uids)
	if answer == "" {
		ch.flags, answer = s.settable(s.sel.box, ch.flags)
	}
	if answer != "" {
		return answer
	}
	s.condstore = s.condstore || ch.hasSince
	// a keyword becomes known to the mailbox even if no message takes it
	ch.flags = s.sel.box.canonical(ch.flags)
	s.tellKeywords()
	if !uids {
		s.complain("STORE by sequence number")
	}
	var refused []uint32
	for _, i := range at {
		if e := s.sel.list[i]; !s.storeOne(i, ch, uids) {
			if refused = append(refused, uint32(i+1)); uids {
				refused[len(refused)-1] = e.m.uid
			}
		}
	}
	if len(refused) > 0 {
		return fmt.Sprintf("OK [MODIFIED %s] conditional store failed", setOf(refused))
	}
	return "OK stored"
}

// storeOne changes one message; false if UNCHANGEDSINCE forbids it.
func (s *Session) storeOne(i int, ch change, uids bool) bool {
	e := &s.sel.list[i]
	if e.m.gone {
		return true
	}
	if ch.hasSince && e.m.modseq > ch.since {
		return false
	}
	unseen := e.m.modseq > e.seen
	changed := s.sel.box.setFlags(e.m, ch.apply(e.m.flags))
	switch {
	case !changed && !unseen:
		// nothing to tell; Dovecot is silent here too
	case !ch.silent:
		s.tellFlagsOf(i, uids || s.qresync, true)
	case unseen:
		// another client's change has not been told yet: the news that follow will
		// tell it, silent or not
	case changed && s.condstore:
		s.tellFlagsOf(i, true, false)
	default:
		e.seen = e.m.modseq
	}
	return true
}

func (ch change) apply(have []string) []string {
	switch ch.op {
	case '+':
		return append(append([]string(nil), have...), ch.flags...)
	case '-':
		var out []string
		for _, f := range have {
			if !hasFlag(ch.flags, f) {
				out = append(out, f)
			}
		}
		return out
	}
	return ch.flags
}

// settable filters the flags a client may set, or refuses them.
func (s *Session) settable(b *box, flags []string) (out []string, refusal string) {
	for _, f := range flags {
		switch {
		case strings.EqualFold(f, `\Recent`) || f == `\*`:
			s.complain("client sets %s", f)
			return nil, "BAD " + f + " cannot be set"
		case strings.HasPrefix(f, `\`) && !hasFlag(systemFlags, f):
			return nil, "BAD unknown system flag " + f
		case strings.HasPrefix(f, `\`) || s.srv.Faults.Keywords == KeywordsAny:
			out = append(out, f)
		case s.srv.Faults.Keywords == KeywordsRefused:
			return nil, "NO keywords are not supported"
		case hasFlag(b.keywords, f):
			out = append(out, f)
		}
	}
	return out, ""
}

func (s *Session) cmdExpunge(c *scanner) string {
	if !c.done() {
		return bad(c)
	}
	return s.expungeDeleted(func(*msg) bool { return true })
}

func (s *Session) cmdUIDExpunge(c *scanner) string {
	c.sp()
	set := c.set()
	if !c.done() {
		return bad(c)
	}
	if s.srv.Faults.UIDExpungeBad {
		return "BAD UID EXPUNGE is not supported"
	}
	r := set.resolve(s.sel.lastUID())
	return s.expungeDeleted(func(m *msg) bool { return r.has(m.uid) })
}

func (s *Session) expungeDeleted(among func(*msg) bool) string {
	if s.sel.readOnly {
		return "NO the mailbox is read-only"
	}
	s.sel.box.expunge(func(m *msg) bool { return hasFlag(m.flags, `\Deleted`) && among(m) })
	return "OK expunged"
}
