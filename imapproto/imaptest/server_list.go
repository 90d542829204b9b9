package imaptest

import (
	"fmt"
	"sort"
	"strings"
)

// listing is a LIST command (RFC 9051 section 6.3.9, RFC 5258, 5819, 6154).
type listing struct {
	ref                          string
	patterns                     []string
	selSubscribed, selSpecial    bool
	retSubscribed, retChildren   bool
	retSpecial, recursive        bool
	status                       []string
	extended, wantStatus, isLsub bool
}

func (s *Session) cmdList(c *scanner) string {
	l, ok := s.parseList(c)
	if !ok {
		return bad(c)
	}
	if l.extended && !s.has("LIST-EXTENDED") && !s.has("IMAP4rev2") {
		s.complain("extended LIST without LIST-EXTENDED")
		return "BAD extended LIST is not supported"
	}
	if l.wantStatus && !s.has("LIST-STATUS") && !s.has("IMAP4rev2") {
		s.complain("LIST RETURN (STATUS) without LIST-STATUS")
		return "BAD LIST-STATUS is not supported"
	}
	if !l.extended && len(l.patterns) == 1 && l.patterns[0] == "" {
		s.untagged(`LIST (\Noselect) "%s" ""`, s.srv.Delim)
		return "OK delimiter listed"
	}
	s.list(l)
	return "OK mailboxes listed"
}

func (s *Session) cmdLsub(c *scanner) string {
	l := listing{isLsub: true, selSubscribed: true}
	c.sp()
	l.ref = s.decodeName(c.astring())
	c.sp()
	l.patterns = []string{s.decodeName(c.pattern())}
	if !c.done() {
		return bad(c)
	}
	s.list(l)
	return "OK subscriptions listed"
}

func (s *Session) parseList(c *scanner) (l listing, ok bool) {
	c.sp()
	if c.peek() == '(' {
		l.extended = true
		for _, o := range c.atoms() {
			switch o {
			case "SUBSCRIBED":
				l.selSubscribed, l.retSubscribed = true, true
			case "SPECIAL-USE":
				l.selSpecial, l.retSpecial = true, true
			case "RECURSIVEMATCH":
				l.recursive = true
			case "REMOTE":
			default:
				c.fail("unknown selection option " + o)
			}
		}
		c.sp()
	}
	l.ref = s.decodeName(c.astring())
	c.sp()
	if c.peek() == '(' {
		l.extended = true
		c.list(func() { l.patterns = append(l.patterns, s.decodeName(c.pattern())) })
	} else {
		l.patterns = []string{s.decodeName(c.pattern())}
	}
	if c.accept(' ') {
		l.extended = true
		if a := c.atom(); !strings.EqualFold(a, "RETURN") {
			c.fail("expected RETURN")
		}
		c.sp()
		c.list(func() { s.listReturn(c, &l) })
	}
	return l, c.done()
}

func (s *Session) listReturn(c *scanner, l *listing) {
	switch o := strings.ToUpper(c.atom()); o {
	case "SUBSCRIBED":
		l.retSubscribed = true
	case "CHILDREN":
		l.retChildren = true
	case "SPECIAL-USE":
		l.retSpecial = true
	case "STATUS":
		c.sp()
		l.wantStatus, l.status = true, c.atoms()
	default:
		c.fail("unknown return option " + o)
	}
}

// listed collects the names a LIST may show: mailboxes, their missing parents,
// and, if asked for, subscriptions without a mailbox.
func (s *Session) listed(l listing) []string {
	names := map[string]bool{}
	for n := range s.srv.boxes {
		names[n] = true
		for i := strings.LastIndex(n, s.srv.Delim); s.srv.Delim != "" && i > 0; i = strings.LastIndex(n[:i], s.srv.Delim) {
			names[n[:i]] = true
		}
	}
	if l.selSubscribed {
		clear(names)
		for n := range s.srv.subscribed {
			names[n] = true
		}
	}
	out := make([]string, 0, len(names))
	for n := range names {
		for _, p := range l.patterns {
			if s.srv.matches(l.ref+p, n) {
				out = append(out, n)
				break
			}
		}
	}
	sort.Strings(out)
	return out
}

func (s *Session) list(l listing) {
	for _, n := range s.listed(l) {
		attrs, shown := s.attrs(n, l)
		if !shown {
			continue
		}
		word := "LIST"
		if l.isLsub {
			word = "LSUB"
		}
		delim := `"` + s.srv.Delim + `"`
		if s.srv.Delim == "" {
			delim = "NIL"
		}
		s.untagged("%s (%s) %s %s", word, strings.Join(attrs, " "), delim, s.wireName(n))
		if l.wantStatus && s.srv.box(n) != nil {
			if line, err := s.statusLine(n, l.status); err == "" {
				s.untagged("%s", line)
			}
		}
	}
}

func (s *Session) attrs(name string, l listing) (attrs []string, shown bool) {
	b := s.srv.box(name)
	special := b != nil && len(b.attrs) > 0
	if l.selSpecial && !special {
		return nil, false
	}
	if b == nil {
		attrs = append(attrs, `\Noselect`)
		if l.extended {
			attrs[0] = `\NonExistent`
		}
	}
	// Dovecot and Cyrus tell about children unless RETURN options exclude it
	if !l.isLsub && (l.retChildren || !l.extended) && (s.has("CHILDREN") || s.has("IMAP4rev2")) {
		if s.srv.hasChildren(name) {
			attrs = append(attrs, `\HasChildren`)
		} else {
			attrs = append(attrs, `\HasNoChildren`)
		}
	}
	if special && (l.retSpecial || !l.extended) && s.has("SPECIAL-USE") {
		attrs = append(attrs, b.attrs...)
	}
	if l.retSubscribed && s.srv.subscribed[name] {
		attrs = append(attrs, `\Subscribed`)
	}
	if f := s.srv.Faults.Attrs; f != nil {
		attrs = f(name, attrs)
	}
	return attrs, true
}

// matches applies LIST wildcards: "*" is anything, "%" anything without the delimiter.
func (v *Server) matches(pattern, name string) bool {
	if len(pattern) >= 5 && strings.EqualFold(pattern[:5], "INBOX") {
		pattern = "INBOX" + pattern[5:]
	}
	return wild(pattern, name, v.Delim)
}

func wild(p, n, delim string) bool {
	for p != "" {
		if p[0] != '*' && p[0] != '%' {
			if n == "" || n[0] != p[0] {
				return false
			}
			p, n = p[1:], n[1:]
			continue
		}
		for i := 0; ; i++ {
			if wild(p[1:], n[i:], delim) {
				return true
			}
			if i == len(n) || p[0] == '%' && strings.HasPrefix(n[i:], delim) && delim != "" {
				return false
			}
		}
	}
	return n == ""
}

func (s *Session) cmdStatus(c *scanner) string {
	c.sp()
	name := s.decodeName(c.astring())
	c.sp()
	items := c.atoms()
	if len(items) == 0 {
		c.fail("expected STATUS items")
	}
	if !c.done() {
		return bad(c)
	}
	if s.srv.box(name) == nil {
		return "NO [NONEXISTENT] mailbox does not exist"
	}
	line, err := s.statusLine(name, items)
	if err != "" {
		return err
	}
	s.untagged("%s", line)
	return "OK status told"
}

// statusLine writes a STATUS response without "* ".
func (s *Session) statusLine(name string, items []string) (line, err string) {
	b := s.srv.box(name)
	f := &s.srv.Faults
	count, modseq := len(b.msgs), b.modseq
	if s.sel != nil && s.sel.box == b && f.StaleStatus {
		count, modseq = s.sel.count, s.sel.atSelect
	}
	var out []string
	for _, item := range items {
		var val string
		switch {
		case item == "MESSAGES":
			val = fmt.Sprint(s.exists(b, count))
		case item == "RECENT" && s.rev1():
			val = fmt.Sprint(b.countFrom(b.recent))
		case item == "UIDNEXT":
			val = fmt.Sprint(s.uidNext(b))
		case item == "UIDVALIDITY":
			val = fmt.Sprint(b.uidValidity)
		case item == "UNSEEN":
			val = fmt.Sprint(b.without(`\Seen`))
		case item == "DELETED" && s.has("IMAP4rev2"):
			val = fmt.Sprint(len(b.msgs) - b.without(`\Deleted`))
		case item == "SIZE" && (s.has("STATUS=SIZE") || s.has("IMAP4rev2")):
			val = fmt.Sprint(b.size())
		case item == "HIGHESTMODSEQ" && s.has("CONDSTORE"):
			s.condstore = true
			val = fmt.Sprint(s.highestModSeq(b, modseq))
		case item == "MAILBOXID" && s.has("OBJECTID"):
			val = "(" + b.id + ")"
		case item == "APPENDLIMIT" && s.has("APPENDLIMIT="):
			val = fmt.Sprint(s.appendLimit())
		default:
			s.complain("STATUS item %s is not supported", item)
			return "", "BAD unknown STATUS item " + item
		}
		out = append(out, item+" "+val)
	}
	line = "STATUS " + s.wireName(b.name) + " (" + strings.Join(out, " ") + ")"
	if f.StatusSpace {
		line += " "
	}
	return line, ""
}

func (b *box) countFrom(uid uint32) (n int) {
	for i := len(b.msgs) - 1; i >= 0 && b.msgs[i].uid >= uid; i-- {
		n++
	}
	return n
}

func (b *box) without(flag string) (n int) {
	for _, m := range b.msgs {
		if !hasFlag(m.flags, flag) {
			n++
		}
	}
	return n
}

func (s *Session) uidNext(b *box) uint32 {
	if f := s.srv.Faults.UIDNext; f != nil {
		return f(b.name, b.uidNext)
	}
	return b.uidNext
}

func (s *Session) highestModSeq(b *box, n uint64) uint64 {
	if s.srv.Faults.NoModSeq {
		return 0
	}
	if f := s.srv.Faults.ModSeq; f != nil {
		return f(b.name, n)
	}
	return n
}
