package imapproto

// numberJob is a UID SEARCH under way.
type numberJob struct {
	found setBuilder
}

// numberParser reads the responses that may list every message of a mailbox:
// SEARCH, ESEARCH (RFC 4731) and VANISHED (RFC 7162). Such a line can be longer
// than anything else, so it arrives in parts, cut behind a space or comma.
type numberParser struct {
	name    string // "SEARCH", "ESEARCH", "VANISHED"
	set     setBuilder
	group   bool   // inside parentheses
	key     string // ESEARCH: what the next value belongs to
	tag     string // ESEARCH: the command it answers
	earlier bool   // VANISHED (EARLIER)
}

// numbersPiece takes one part of such a line.
func (c *Conn) numbersPiece(b []byte, first bool, end pieceEnd) error {
	p := &c.numbers
	if first {
		*p = numberParser{}
		for _, name := range [...]string{"SEARCH", "ESEARCH", "VANISHED"} {
			if hasPrefixFold(b[2:], name) {
				p.name = name
			}
		}
		b = b[2+len(p.name):]
	}
	if end == endLiteral {
		return protoErr("literal in a list of numbers", b)
	}
	for i := 0; i < len(b); {
		n, ok := p.token(b[i:])
		if !ok {
			return protoErr("number in "+p.name, b[i:])
		}
		i += n
	}
	if end == endLine {
		return c.numbersDone()
	}
	return nil
}

// token takes one element or separator.
func (p *numberParser) token(b []byte) (int, bool) {
	switch b[0] {
	case ' ', ',':
		return 1, true
	case '(':
		p.group = true
		return 1, true
	case ')':
		p.group = false
		return 1, true
	case '"':
		n := quotedEnd(b)
		if n < 0 {
			return 0, false
		}
		p.word(unquote(nil, b[1:n-1]))
		return n, true
	}
	n := 0
	for n < len(b) && b[n] != ' ' && b[n] != ',' && b[n] != '(' && b[n] != ')' {
		n++
	}
	w := b[:n]
	switch {
	case p.group:
		p.word(w)
	case p.name == "ESEARCH":
		if w[0]-'0' > 9 {
			p.key = string(upper(w))
			return n, true
		}
		if p.key == "ALL" {
			return n, p.set.element(w)
		}
	default:
		return n, p.set.element(w)
	}
	return n, true
}

// word takes a word inside parentheses: TAG "A1", EARLIER, MODSEQ 5.
func (p *numberParser) word(w []byte) {
	switch {
	case equalFold(w, "EARLIER"):
		p.earlier = true
	case equalFold(w, "TAG"):
		p.key = "TAG"
	case p.key == "TAG":
		p.tag, p.key = string(w), ""
	}
}

// numbersDone passes a complete list to whoever asked for it.
func (c *Conn) numbersDone() error {
	p := &c.numbers
	set := p.set.take()
	if p.name != "VANISHED" {
		j := c.searcher(p.tag)
		for _, r := range set {
			if j != nil && !j.found.add(uint32(r.Start), uint32(r.Stop)) {
				return protoErr("too many ranges in "+p.name, nil)
			}
		}
		return nil
	}
	if len(set) == 0 {
		return nil // James sends it empty
	}
	if j := c.selecting(); j != nil && (p.earlier || j.own()) {
		j.begin()
		if j.o.OnVanished != nil {
			j.o.OnVanished(p.earlier, set)
		}
		return nil
	}
	if p.earlier {
		for cmd := range c.inSession {
			if cmd.fetch != nil && cmd.fetch.items.Vanished {
				if cmd.sel.usable("") == nil {
					cmd.fetch.h.Vanished(set)
				}
				return nil
			}
		}
	}
	c.tell(Unsolicited{Kind: UnsolicitedVanished, Vanished: set})
	return nil
}

// searcher returns the search that a result belongs to: ESEARCH names it, SEARCH is
// for the oldest.
func (c *Conn) searcher(tag string) *numberJob {
	for cmd := range c.inSession {
		if cmd.list != nil && (tag == "" || tag == cmd.tag) {
			return cmd.list
		}
	}
	return nil
}

// upper returns b in ASCII capitals, in place of a copy.
func upper(b []byte) []byte {
	u := make([]byte, len(b))
	for i, x := range b {
		if 'a' <= x && x <= 'z' {
			x -= 'a' - 'A'
		}
		u[i] = x
	}
	return u
}
