package imapproto

import "bytes"

// maxHeader bounds the header fields kept of one message.
const maxHeader = 256 << 10

// fetchItem is one thing a FETCH response tells.
type fetchItem uint8

const (
	itemOther fetchItem = iota
	itemUID
	itemFlags
	itemModSeq
	itemSize
	itemDate
	itemBody
	itemHeader
)

// fetchParser reads FETCH responses as their pieces arrive; between two pieces lies
// one literal. It lives as long as the connection and is reused, so that a response
// costs no allocation.
//
//	"* 12 FETCH (" ──> name ──> value ──> name ... ──> ")"
//	                              │  ^
//	                              v  │ next piece
//	                            literal
type fetchParser struct {
	m       Message
	flags   []string
	head    []byte // header fields
	text    []byte // an unquoted body
	depth   int    // open parentheses of a value being skipped
	claimed bool   // the handler was told of the body: it gets the message
	bodies  int
	other   bool // something else than flags, modification sequence and UID came
	to      FetchHandler
	sink    Sink
}

// isFetch reports whether a line begins "* 123 FETCH".
func isFetch(b []byte) bool {
	i := 2
	for i < len(b) && b[i]-'0' <= 9 {
		i++
	}
	return i > 2 && i+7 <= len(b) && b[i] == ' ' && equalFold(b[i+1:i+6], "FETCH") && (b[i+6] == ' ' || b[i+6] == '(')
}

// fetchPiece takes one piece of a FETCH response.
func (c *Conn) fetchPiece(b []byte, first bool, end pieceEnd, size int64) error {
	f := &c.fetch
	i := 0
	if first {
		f.reset()
		seq, n := parseUint(b[2:])
		if n == 0 || seq > 1<<32-1 {
			return protoErr("sequence number", b)
		}
		f.m.Seq = uint32(seq)
		for i = 2 + n + len(" FETCH"); i < len(b) && b[i] == ' '; i++ {
		}
		if i == len(b) || b[i] != '(' {
			return protoErr("FETCH response", b)
		}
		i++
	}
	for {
		if f.depth > 0 {
			n := f.skip(b[i:])
			if n < 0 {
				return protoErr("nesting in a FETCH response", b)
			}
			if i += n; f.depth > 0 {
				c.lit = literalSkip
				return f.expectLiteral(b, end)
			}
		}
		for i < len(b) && b[i] == ' ' {
			i++
		}
		if i == len(b) {
			return protoErr("FETCH response without an end", b)
		}
		if b[i] == ')' {
			if end != endLine {
				return protoErr("literal behind a FETCH response", b)
			}
			c.endFetch()
			return nil
		}
		item, n := itemName(b[i:])
		if n <= 0 {
			return protoErr("FETCH item", b[i:])
		}
		for i += n; i < len(b) && b[i] == ' '; i++ {
		}
		n, lit := c.value(item, b[i:], end, size)
		if lit {
			return nil
		}
		if n <= 0 {
			return protoErr("value of a FETCH item", b[i:])
		}
		i += n
	}
}

func (f *fetchParser) reset() {
	*f = fetchParser{flags: f.flags[:0], head: f.head[:0], text: f.text[:0]}
	if cap(f.text) > maxHeader {
		f.text = nil
	}
}

func (f *fetchParser) expectLiteral(b []byte, end pieceEnd) error {
	if end != endLiteral {
		return protoErr("FETCH response without an end", b)
	}
	return nil
}

// itemName reads the name of an item and returns its length, or 0.
func itemName(b []byte) (fetchItem, int) {
	i := 0
	for i < len(b) && b[i] != ' ' && b[i] != '(' && b[i] != ')' && b[i] != '[' && b[i] != '"' {
		i++
	}
	name := b[:i]
	if i < len(b) && b[i] == '[' {
		return sectionName(b, i)
	}
	switch i {
	case 3:
		if equalFold(name, "UID") {
			return itemUID, i
		}
	case 5:
		if equalFold(name, "FLAGS") {
			return itemFlags, i
		}
	case 6:
		if equalFold(name, "MODSEQ") {
			return itemModSeq, i
		}
	case 11:
		if equalFold(name, "RFC822.SIZE") {
			return itemSize, i
		}
	case 12:
		if equalFold(name, "INTERNALDATE") {
			return itemDate, i
		}
	}
	return itemOther, i
}

// sectionName reads "BODY[section]<origin>", of which "BODY" is b[:i].
func sectionName(b []byte, i int) (fetchItem, int) {
	isBody := equalFold(b[:i], "BODY")
	section := b[i+1:]
	n := 0
	for n < len(section) && section[n] != ']' {
		if section[n] == '"' {
			q := quotedEnd(section[n:])
			if q < 0 {
				return itemOther, 0
			}
			n += q - 1
		}
		n++
	}
	if n == len(section) {
		return itemOther, 0
	}
	section, i = section[:n], i+1+n+1
	partial := i < len(b) && b[i] == '<'
	if partial {
		n := bytes.IndexByte(b[i:], '>')
		if n < 0 {
			return itemOther, 0
		}
		i += n + 1
	}
	switch {
	case !isBody || partial:
		return itemOther, i
	case len(section) == 0:
		return itemBody, i
	case hasPrefixFold(section, "HEADER"):
		return itemHeader, i
	}
	return itemOther, i
}

// value takes the value of an item at the start of b. It returns how many bytes it
// took, 0 if there is no value, or lit if the value is the literal that follows.
func (c *Conn) value(item fetchItem, b []byte, end pieceEnd, size int64) (n int, lit bool) {
	f := &c.fetch
	if len(b) == 0 {
		return 0, false
	}
	switch item {
	case itemUID:
		v, n := parseUint(b)
		if v > 1<<32-1 {
			return 0, false
		}
		f.m.UID = uint32(v)
		return n, false
	case itemFlags:
		return c.flagList(b), false
	case itemModSeq:
		return f.modSeq(b), false
	case itemSize:
		f.other = true
		v, n := parseUint(b)
		if n > 0 {
			f.m.Size = int64(v)
			return n, false
		}
		return atomEnd(b), false // NIL, null: some servers do not know
	}
	f.other = true
	if b[0] == '{' || b[0] == '~' {
		if end == endLiteral && bytes.IndexByte(b, ' ') < 0 {
			c.literalValue(item, size)
			return 0, true
		}
		return 0, false
	}
	return c.stringValue(item, b)
}

// literalValue prepares for a literal as the value of an item.
func (c *Conn) literalValue(item fetchItem, size int64) {
	switch item {
	case itemBody:
		c.lit = literalBody
		c.beginBody(size)
	case itemHeader:
		c.lit = literalHeader
		c.fetch.m.Header = c.fetch.head
	default:
		c.lit = literalSkip
	}
}

// stringValue takes a quoted string, NIL, an atom or the beginning of a list.
func (c *Conn) stringValue(item fetchItem, b []byte) (int, bool) {
	f := &c.fetch
	switch b[0] {
	case '(':
		f.depth = 1
		return 1, false
	case '"':
		n := quotedEnd(b)
		if n < 0 {
			return 0, false
		}
		switch q := b[1 : n-1]; item {
		case itemDate:
			f.m.InternalDate = parseDate(q)
		case itemBody:
			f.text = unquote(f.text[:0], q)
			c.beginBody(int64(len(f.text)))
			f.write(f.text)
		case itemHeader:
			f.text = unquote(f.text[:0], q)
			f.header(f.text)
		}
		return n, false
	}
	n := atomEnd(b)
	if item == itemBody && equalFold(b[:n], "NIL") {
		f.m.BodyNIL = true
	}
	return n, false
}

// atomEnd returns the length of the atom at the start of b.
func atomEnd(b []byte) int {
	i := 0
	for i < len(b) && b[i] != ' ' && b[i] != ')' && b[i] != '(' {
		i++
	}
	return i
}

// flagList takes "(\Seen $Forwarded)". Only spaces and the parenthesis end a flag:
// Gmail has some with brackets in them.
func (c *Conn) flagList(b []byte) int {
	f := &c.fetch
	if b[0] != '(' {
		return 0
	}
	f.flags = f.flags[:0]
	i := 1
	for i < len(b) {
		if b[i] == ' ' {
			i++
			continue
		}
		if b[i] == ')' {
			f.m.Flags, f.m.HasFlags = f.flags, true
			return i + 1
		}
		start := i
		for i < len(b) && b[i] != ' ' && b[i] != ')' {
			i++
		}
		if len(f.flags) == maxFlagNames {
			return 0
		}
		f.flags = append(f.flags, c.intern.flag(b[start:i]))
	}
	return 0
}

// modSeq takes "(123)".
func (f *fetchParser) modSeq(b []byte) int {
	if b[0] != '(' {
		return 0
	}
	v, n := parseUint(b[1:])
	if n == 0 || 1+n >= len(b) || b[1+n] != ')' {
		return 0
	}
	f.m.ModSeq = v
	return n + 2
}

// skip reads over a value with parentheses and returns how far it got: to the end
// of the value, or, if a literal is in the way, to the end of b. -1 is an error.
func (f *fetchParser) skip(b []byte) int {
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '(':
			if f.depth++; f.depth > maxDepth {
				return -1
			}
		case ')':
			if f.depth--; f.depth == 0 {
				return i + 1
			}
		case '"':
			n := quotedEnd(b[i:])
			if n < 0 {
				return -1
			}
			i += n - 1
		}
	}
	return len(b)
}

// write passes body text on.
func (f *fetchParser) write(b []byte) {
	if f.sink != nil && len(b) > 0 {
		f.sink.Write(b)
	}
}

// header keeps header text, as much as is sensible.
func (f *fetchParser) header(b []byte) {
	if room := maxHeader - len(f.head); len(b) > room {
		b = b[:room]
	}
	f.head = append(f.head, b...)
	f.m.Header = f.head
}
