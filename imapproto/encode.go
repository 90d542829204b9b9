package imapproto

import (
	"strconv"
	"strings"

	"github.com/emersion/go-imap/v2"
)

// maxQuoted is the longest string sent quoted rather than as a literal.
const maxQuoted = 800

// segment is a part of a command: text, or a body that its Source provides.
type segment struct {
	text   []byte
	secret bool   // the trace shows "***" instead
	keep   int    // but for this many bytes at its beginning
	src    Source // body of size bytes, if not nil
	size   int64
	lit    bool // text is the content of a literal
	sync   bool // may be sent only after a continuation ("+") from the server
}

// encoder builds the segments of one command. The first error sticks.
type encoder struct {
	caps CapSet
	utf8 bool
	raw  map[string]string // wire names that the encoding would not give back
	segs []segment
	cur  []byte
	err  error
}

func (e *encoder) bad(what, value string) {
	if e.err == nil {
		e.err = &ArgumentError{What: what, Value: value}
	}
}

func (e *encoder) text(s string)     { e.cur = append(e.cur, s...) }
func (e *encoder) number(n uint64)   { e.cur = strconv.AppendUint(e.cur, n, 10) }
func (e *encoder) set(s imap.UIDSet) { e.cur = appendSet(e.cur, s) }

// cut ends the current segment.
func (e *encoder) cut(secret bool) {
	if len(e.cur) > 0 {
		e.segs = append(e.segs, segment{text: e.cur, secret: secret})
		e.cur = nil
	}
}

// announce writes "{n}" or, where the server allows, "{n+}" (RFC 7888), and
// reports whether the content has to wait for a continuation.
func (e *encoder) announce(n int64) (sync bool) {
	sync = !(e.caps.Has("LITERAL+") || n <= 4096 && e.caps.Has("LITERAL-"))
	e.text("{")
	e.number(uint64(n))
	if !sync {
		e.text("+")
	}
	e.text("}\r\n")
	e.cut(false)
	return sync
}

// astring writes s as an atom, a quoted string or a literal, whichever will do.
func (e *encoder) astring(s string) {
	if s != "" && len(s) <= maxQuoted && strings.IndexFunc(s, notAtom) < 0 {
		e.text(s)
		return
	}
	e.str(s)
}

// str writes s as a quoted string or a literal.
func (e *encoder) str(s string) {
	quotable := len(s) <= maxQuoted
	for i := 0; i < len(s); i++ {
		switch b := s[i]; {
		case b == 0:
			e.bad("a NUL in", s)
			return
		case b == '\r' || b == '\n' || b >= 0x80 && !e.utf8:
			quotable = false
		}
	}
	if !quotable {
		sync := e.announce(int64(len(s)))
		e.segs = append(e.segs, segment{text: []byte(s), lit: true, sync: sync})
		return
	}
	e.cur = append(e.cur, '"')
	for i := 0; i < len(s); i++ {
		if s[i] == '"' || s[i] == '\\' {
			e.cur = append(e.cur, '\\')
		}
		e.cur = append(e.cur, s[i])
	}
	e.cur = append(e.cur, '"')
}

// mailbox writes a mailbox name given in UTF-8.
func (e *encoder) mailbox(name string) {
	wire := e.wireName(name)
	if e.utf8 && strings.ContainsAny(wire, "\r\n") {
		e.bad("a line break in the mailbox name", name)
		return
	}
	e.astring(wire)
}

func (e *encoder) wireName(name string) string {
	if raw, ok := e.raw[name]; ok {
		return raw
	}
	if e.utf8 {
		return name
	}
	return EncodeMailbox(name)
}

// source writes a literal whose bytes come from src.
func (e *encoder) source(src Source, size int64) {
	if size < 0 {
		e.bad("a message of negative size", strconv.FormatInt(size, 10))
		return
	}
	sync := e.announce(size)
	e.segs = append(e.segs, segment{src: src, size: size, lit: true, sync: sync})
}

// flags writes a parenthesised list of flags.
func (e *encoder) flags(flags []string) {
	e.text("(")
	for i, f := range flags {
		if i > 0 {
			e.text(" ")
		}
		if !validFlag(f) {
			e.bad("the flag", f)
			return
		}
		e.text(f)
	}
	e.text(")")
}

// word writes a name that must be an atom (capability, STATUS item, header
// field), in capitals.
func (e *encoder) word(what, s string) {
	if s == "" || len(s) > maxQuoted || strings.IndexFunc(s, notAtom) >= 0 {
		e.bad(what, s)
		return
	}
	e.text(strings.ToUpper(s))
}

// validFlag reports whether f is an atom, or a system flag (RFC 9051 section 9, flag).
func validFlag(f string) bool {
	name := strings.TrimPrefix(f, `\`)
	return name != "" && len(name) <= maxQuoted && strings.IndexFunc(name, notAtom) < 0
}

// notAtom reports whether r cannot be in an atom.
func notAtom(r rune) bool {
	return r <= ' ' || r >= 0x7f || strings.ContainsRune(`(){%*"\]`, r)
}
