package imapproto

import (
	"bytes"
	"strings"
)

// maxDepth bounds nested parentheses in what the server sends.
const maxDepth = 64

// cursor reads the elements of one complete response, from left to right.
// Literals are in it as "{3}\r\nabc". Every method returns false (or nil) and
// stays where it is if what it looks for is not there.
type cursor struct {
	b []byte
}

// space skips spaces: servers differ in how many they send.
func (p *cursor) space() {
	for len(p.b) > 0 && p.b[0] == ' ' {
		p.b = p.b[1:]
	}
}

// byte takes one particular byte.
func (p *cursor) byte(x byte) bool {
	if len(p.b) > 0 && p.b[0] == x {
		p.b = p.b[1:]
		return true
	}
	return false
}

// atom takes everything up to a space or parenthesis. It is lenient: Gmail has
// flags with "]", Exchange mailbox names with tabs.
func (p *cursor) atom() []byte {
	i := 0
	for i < len(p.b) && p.b[i] != ' ' && p.b[i] != '(' && p.b[i] != ')' {
		i++
	}
	a := p.b[:i]
	p.b = p.b[i:]
	return a
}

// number takes digits.
func (p *cursor) number() (uint64, bool) {
	v, n := parseUint(p.b)
	p.b = p.b[n:]
	return v, n > 0
}

// str takes an atom, a quoted string or a literal; NIL gives isNil.
func (p *cursor) str() (s string, isNil, ok bool) {
	if len(p.b) == 0 {
		return "", false, false
	}
	switch p.b[0] {
	case '"':
		s, ok = p.quoted()
		return s, false, ok
	case '{', '~':
		if s, ok = p.literal(); ok {
			return s, false, true
		}
	case '(', ')':
		return "", false, false
	}
	a := p.atom()
	if equalFold(a, "NIL") {
		return "", true, true
	}
	return string(a), false, len(a) > 0
}

// quoted takes a quoted string.
func (p *cursor) quoted() (string, bool) {
	n := quotedEnd(p.b)
	if n < 0 {
		return "", false
	}
	s := unquote(nil, p.b[1:n-1])
	p.b = p.b[n:]
	return string(s), true
}

// quotedEnd returns the length of the quoted string at the start of b, quotes
// included, or -1 if it does not end.
func quotedEnd(b []byte) int {
	for i := 1; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return -1
}

// unquote appends q without its backslashes.
func unquote(dst, q []byte) []byte {
	for i := 0; i < len(q); i++ {
		if q[i] == '\\' && i+1 < len(q) {
			i++
		}
		dst = append(dst, q[i])
	}
	return dst
}

// literal takes an inlined literal.
func (p *cursor) literal() (string, bool) {
	b := bytes.TrimPrefix(p.b, []byte("~"))
	i := bytes.IndexByte(b, '\n')
	if i < 0 {
		return "", false
	}
	size, ok := literalSize(bytes.TrimSuffix(b[:i], []byte("\r")))
	if !ok || size > int64(len(b)-i-1) {
		return "", false
	}
	p.b = b[i+1+int(size):]
	return string(b[i+1 : i+1+int(size)]), true
}

// skip takes one value of any kind, lists with all that is in them.
func (p *cursor) skip() bool {
	depth := 0
	for {
		p.space()
		switch {
		case len(p.b) == 0:
			return false
		case p.byte('('):
			if depth++; depth > maxDepth {
				return false
			}
		case p.b[0] == ')':
			if depth == 0 {
				return false
			}
			p.b = p.b[1:]
			depth--
		default:
			if _, _, ok := p.str(); !ok {
				return false
			}
		}
		if depth == 0 {
			return true
		}
	}
}

// words takes a parenthesised list of atoms or strings.
func (p *cursor) words(limit int) ([]string, bool) {
	p.space()
	if !p.byte('(') {
		return nil, false
	}
	var ws []string
	for {
		p.space()
		if p.byte(')') {
			return ws, true
		}
		s, _, ok := p.str()
		if !ok || len(ws) == limit {
			return nil, false
		}
		ws = append(ws, s)
	}
}

// reply is the answer to a command, or an untagged status response.
type reply struct {
	status string // "OK", "NO", "BAD", "PREAUTH", "BYE"
	code   string // response code in capitals, "" if none
	arg    []byte // what follows the code inside the brackets
	text   string
}

// parseReply reads "OK [CODE arg] text".
func parseReply(b []byte) (*reply, bool) {
	r := &reply{}
	w := word(b)
	for _, s := range [...]string{"OK", "NO", "BAD", "PREAUTH", "BYE"} {
		if equalFold(w, s) {
			r.status = s
		}
	}
	if r.status == "" {
		return nil, false
	}
	b = bytes.TrimLeft(b[len(w):], " ")
	if len(b) > 0 && b[0] == '[' {
		n := codeEnd(b)
		inside := b[1:max(n-1, 1)]
		code := word(inside)
		r.code = strings.ToUpper(string(code))
		r.arg = bytes.Clone(bytes.TrimLeft(inside[len(code):], " "))
		b = bytes.TrimLeft(b[n:], " ")
	}
	r.text = string(b)
	return r, true
}

// codeEnd returns the length of "[CODE arg]" at the start of b. A "]" inside
// parentheses or quotes does not end it, if another one does.
func codeEnd(b []byte) int {
	depth := 0
	for i := 1; i < len(b); i++ {
		switch b[i] {
		case '(':
			depth++
		case ')':
			depth--
		case '"':
			if n := quotedEnd(b[i:]); n > 0 {
				i += n - 1
			}
		case ']':
			if depth <= 0 {
				return i + 1
			}
		}
	}
	if i := bytes.IndexByte(b, ']'); i > 0 {
		return i + 1
	}
	return len(b)
}

// number returns the code's argument as a number, 0 if it is none.
func (r *reply) number() uint64 {
	v, _ := parseUint(r.arg)
	return v
}
