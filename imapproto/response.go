package imapproto

import (
	"bytes"
	"strings"
)

// maxHeld bounds a response that is put together because of its literals
// (mailbox names and the like; message data is never held).
const maxHeld = 256 << 10

// readMode says who understands the response being received.
type readMode uint8

const (
	readWhole   readMode = iota // response(), once it is complete
	readFetch                   // fetch.go, piece by piece
	readNumbers                 // numbers.go, piece by piece
)

// literalUse says where the bytes of a literal go.
type literalUse uint8

const (
	literalHold literalUse = iota
	literalBody
	literalHeader
	literalSkip
)

// untagged is a complete untagged response, other than FETCH and lists of numbers.
type untagged struct {
	name  string // in capitals: "LIST", "EXISTS"
	num   uint32 // of "* 5 EXISTS"
	args  cursor // what follows the name
	reply *reply // for OK, NO, BAD
}

// piece implements scanSink.
func (c *Conn) piece(b []byte, first bool, end pieceEnd, size int64) error {
	if c.tracing() {
		c.traceReceived(b, end)
	}
	if first {
		c.reading = readWhole
		if c.state != StateGreeting && len(b) > 2 && b[0] == '*' && b[1] == ' ' {
			if isFetch(b) {
				c.reading = readFetch
			} else if numberLine(b) || equalFold(b, "* SEARCH") || equalFold(b, "* VANISHED") || equalFold(b, "* ESEARCH") {
				c.reading = readNumbers
			}
		}
	}
	switch c.reading {
	case readFetch:
		return c.fetchPiece(b, first, end, size)
	case readNumbers:
		return c.numbersPiece(b, first, end)
	}
	if end == endLine && len(c.held) == 0 {
		return c.response(b)
	}
	if int64(len(c.held)+len(b))+size > maxHeld {
		return protoErr("response too long", b)
	}
	c.held = append(c.held, b...)
	if end == endLiteral {
		c.held = append(c.held, '\r', '\n')
		c.lit = literalHold
		return nil
	}
	whole := c.held
	c.held = nil
	return c.response(whole)
}

// literal implements scanSink.
func (c *Conn) literal(b []byte, last bool) error {
	switch c.lit {
	case literalHold:
		c.held = append(c.held, b...)
	case literalBody:
		c.fetch.write(b)
	case literalHeader:
		c.fetch.header(b)
	}
	return nil
}

// response takes one complete response.
func (c *Conn) response(b []byte) error {
	if c.state == StateGreeting {
		r, ok := parseReply(bytes.TrimPrefix(b, []byte("* ")))
		if !ok || !bytes.HasPrefix(b, []byte("* ")) {
			return protoErr("this is not an IMAP greeting", b)
		}
		return c.greeted(r)
	}
	switch {
	case len(b) > 0 && b[0] == '+':
		c.continuation(bytes.TrimLeft(b[1:], " "))
		return nil
	case len(b) > 1 && b[0] == '*' && b[1] == ' ':
		return c.untagged(b)
	}
	tag := word(b)
	r, ok := parseReply(bytes.TrimLeft(b[len(tag):], " "))
	if !ok || len(tag) == 0 || r.status == "BYE" || r.status == "PREAUTH" {
		return protoErr("neither an answer nor untagged data", b)
	}
	c.noteCode(r)
	if c.state == StateDead {
		return nil
	}
	return c.tagged(tag, r)
}

// untagged takes one complete untagged response.
func (c *Conn) untagged(b []byte) error {
	p := cursor{b: b[2:]}
	p.space()
	u := untagged{}
	if num, ok := p.number(); ok {
		if num > 1<<32-1 {
			return protoErr("number too large", b)
		}
		u.num = uint32(num)
		p.space()
	}
	rest := p.b
	u.name = strings.ToUpper(string(p.atom()))
	p.space()
	u.args = p
	switch u.name {
	case "":
		return protoErr("untagged response without a name", b)
	case "OK", "NO", "BAD", "PREAUTH", "BYE":
		u.reply, _ = parseReply(rest)
		if u.reply == nil {
			return protoErr("status response", b)
		}
		c.status(&u)
	case "CAPABILITY":
		c.setCaps(p.b)
	case "ENABLED":
		c.addEnabled(p.b)
	case "EXISTS", "EXPUNGE":
		c.mailboxSize(&u)
	case "LIST", "LSUB", "XLIST", "STATUS":
		return c.listed(&u, b)
	default:
		c.offer(&u) // NAMESPACE, FLAGS; what nobody wants is not an error
	}
	return nil
}

// status takes an untagged OK, NO, BAD or BYE.
func (c *Conn) status(u *untagged) {
	r := u.reply
	c.noteCode(r)
	if r.status == "BYE" {
		if c.state == StateLogout {
			return
		}
		c.tell(Unsolicited{Kind: UnsolicitedBye, Cond: "BYE", Code: r.code, Text: c.masked(r.text)})
		c.fail(&LostError{Err: &ByeError{Code: r.code, Text: c.masked(r.text)}})
		return
	}
	if r.code == "CLOSED" {
		c.closedBefore()
		return
	}
	if c.offer(u) {
		return
	}
	if r.code != "ALERT" && r.code != "CAPABILITY" {
		c.tell(Unsolicited{Kind: UnsolicitedNotice, Cond: r.status, Code: r.code, Text: c.masked(r.text)})
	}
}

// noteCode looks after the codes that mean the same wherever they appear.
func (c *Conn) noteCode(r *reply) {
	switch r.code {
	case "CAPABILITY":
		c.setCaps(r.arg)
	case "ALERT":
		c.tell(Unsolicited{Kind: UnsolicitedAlert, Cond: r.status, Code: r.code, Text: c.masked(r.text)})
	}
}

// A server that talks for ever and answers nothing would keep the connection busy
// without end: what it says between two answers is counted.
const (
	maxUnasked   = 1 << 20
	noticeWeight = 1 << 6  // a mailbox may change a million times; nobody has as many remarks
	maxFetched   = 1 << 24 // and never more than twice the mailbox's size by far
)

// countFetch counts a FETCH response; false ends the connection.
func (c *Conn) countFetch() bool {
	c.fetched++
	if uint64(c.fetched) > min(2*uint64(c.exists)+maxUnasked, maxFetched) {
		c.fail(protoErr("FETCH responses without end", nil))
		return false
	}
	return true
}

// tell passes on what nobody asked for.
func (c *Conn) tell(u Unsolicited) {
	c.unasked++
	if u.Kind == UnsolicitedNotice || u.Kind == UnsolicitedAlert {
		c.unasked += noticeWeight
	}
	if c.unasked > maxUnasked && c.state != StateDead {
		c.fail(protoErr("untagged responses without end", nil))
		return
	}
	if c.o.Unsolicited == nil {
		return
	}
	if u.Selection == nil {
		u.Selection = c.selected
	}
	c.o.Unsolicited(u)
}

// setCaps takes a list of capabilities.
func (c *Conn) setCaps(b []byte) {
	c.caps = NewCapSet(strings.Fields(string(b)), c.o.Disable)
	c.capsTold = true
}

// addEnabled takes an ENABLED response (RFC 5161 section 3.2).
func (c *Conn) addEnabled(b []byte) {
	names := append(c.enabled.Names(), strings.Fields(string(b))...)
	c.enabled = CapSet{m: make(map[string]bool, len(names))}
	for _, n := range names {
		if len(c.enabled.m) < maxCaps {
			c.enabled.m[strings.ToUpper(n)] = true
		}
	}
}
