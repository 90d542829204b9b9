package imaptest

import (
	"strconv"
	"strings"
)

// scanner reads the arguments of a command. The first thing it does not
// understand is kept in bad; after that every call returns zero values, so the
// commands check once at their end.
type scanner struct {
	segs []segment
	i, p int
	bad  string
}

func (c *scanner) fail(what string) {
	if c.bad == "" {
		c.bad = what
	}
}

// peek returns the next byte, 0 at the end of the text (or before a literal).
func (c *scanner) peek() byte {
	if c.bad != "" || c.i >= len(c.segs) || c.p >= len(c.segs[c.i].text) {
		return 0
	}
	return c.segs[c.i].text[c.p]
}

func (c *scanner) atLiteral() bool {
	return c.bad == "" && c.i+1 < len(c.segs) && c.p == len(c.segs[c.i].text) && c.segs[c.i+1].literal
}

// end reports whether all was read.
func (c *scanner) end() bool { return c.bad != "" || c.peek() == 0 && !c.atLiteral() }

// done demands that all was read.
func (c *scanner) done() bool {
	if !c.end() {
		c.fail("unexpected arguments")
	}
	return c.bad == ""
}

// accept takes b if it is next.
func (c *scanner) accept(b byte) bool {
	if c.peek() != b {
		return false
	}
	c.p++
	return true
}

func (c *scanner) expect(b byte) {
	if !c.accept(b) {
		c.fail("expected " + strconv.QuoteRune(rune(b)))
	}
}

func (c *scanner) sp() { c.expect(' ') }

func (c *scanner) while(ok func(byte) bool) string {
	if c.bad != "" || c.i >= len(c.segs) {
		return ""
	}
	text := c.segs[c.i].text
	from := c.p
	for c.p < len(text) && ok(text[c.p]) {
		c.p++
	}
	return string(text[from:c.p])
}

func atomChar(b byte) bool { return b > ' ' && b != 0x7f && !strings.ContainsRune(`(){%*"\]`, rune(b)) }

func (c *scanner) nonEmpty(s, what string) string {
	if s == "" {
		c.fail("expected " + what)
	}
	return s
}

func (c *scanner) tag() string {
	return c.nonEmpty(c.while(func(b byte) bool { return atomChar(b) && b != '+' || b == ']' }), "a tag")
}

func (c *scanner) atom() string {
	return c.nonEmpty(c.while(func(b byte) bool { return atomChar(b) && b != '[' }), "an atom")
}

// flag is an atom that may begin with a backslash, or "\*".
func (c *scanner) flag() string {
	slash := ""
	if c.accept('\\') {
		slash = `\`
	}
	return slash + c.nonEmpty(c.while(func(b byte) bool { return atomChar(b) || b == ']' }), "a flag")
}

func (c *scanner) number() uint64 {
	n, err := strconv.ParseUint(c.while(func(b byte) bool { return b >= '0' && b <= '9' }), 10, 64)
	if err != nil {
		c.fail("expected a number")
	}
	return n
}

func (c *scanner) set() numSet {
	n, ok := parseSet(c.while(func(b byte) bool { return b >= '0' && b <= '9' || strings.IndexByte(":,*", b) >= 0 }))
	if !ok {
		c.fail("expected a set of numbers")
	}
	return n
}

// str is a quoted string or a literal.
func (c *scanner) str() string {
	if c.atLiteral() {
		c.i, c.p = c.i+2, 0
		return string(c.segs[c.i-1].text)
	}
	c.expect('"')
	var b strings.Builder
	for c.bad == "" {
		x := c.peek()
		c.p++
		switch x {
		case 0:
			c.p--
			c.fail("string without end")
		case '"':
			return b.String()
		case '\\':
			if x = c.peek(); x != '"' && x != '\\' {
				c.fail("bad escape in a string")
			}
			c.p++
			b.WriteByte(x)
		default:
			b.WriteByte(x)
		}
	}
	return ""
}

func (c *scanner) astring() string {
	if c.peek() == '"' || c.atLiteral() {
		return c.str()
	}
	return c.nonEmpty(c.while(func(b byte) bool { return atomChar(b) || b == ']' }), "a string")
}

// pattern is a LIST pattern: an astring with wildcards.
func (c *scanner) pattern() string {
	if c.peek() == '"' || c.atLiteral() {
		return c.str()
	}
	return c.nonEmpty(c.while(func(b byte) bool { return atomChar(b) || strings.IndexByte("]%*", b) >= 0 }), "a pattern")
}

// nstring is a string or NIL.
func (c *scanner) nstring() string {
	if c.peek() == '"' || c.atLiteral() {
		return c.str()
	}
	if !strings.EqualFold(c.atom(), "NIL") {
		c.fail("expected a string or NIL")
	}
	return ""
}

// list reads "(" item *(SP item) ")" with each reading one item.
func (c *scanner) list(each func()) {
	c.expect('(')
	for first := true; c.bad == "" && !c.accept(')'); first = false {
		if !first {
			c.sp()
		}
		each()
	}
}

// atoms reads a list of atoms, in capitals.
func (c *scanner) atoms() []string {
	var out []string
	c.list(func() { out = append(out, strings.ToUpper(c.atom())) })
	return out
}

func (c *scanner) flags() []string {
	var out []string
	c.list(func() { out = append(out, c.flag()) })
	return out
}
