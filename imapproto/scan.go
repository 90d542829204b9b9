package imapproto

import "bytes"

// Limits on what the scanner holds. Literals are never held here.
const (
	maxLine    = 1 << 20  // one line without its literals
	lineWindow = 64 << 10 // how much of a line is looked at in one step
	partSize   = 32 << 10 // lists of numbers are handed on in parts of about this size
	maxLiteral = 1 << 50  // a claim above this is nonsense
)

// pieceEnd says what follows a piece of a response.
type pieceEnd uint8

const (
	endLine    pieceEnd = iota // the response is complete
	endLiteral                 // a literal follows, then another piece
	endMore                    // more of the same line (only for lists of numbers)
)

// scanSink receives what the scanner finds. A response is one or more pieces with
// the literals between them. The bytes are valid only during the call.
type scanSink interface {
	piece(b []byte, first bool, end pieceEnd, size int64) error
	literal(b []byte, last bool) error
}

// scanner cuts the server's bytes into responses, whatever the fragmentation.
//
//	        line end                 "{n}" line end
//	┌──> line ──────> endLine   line ─────────────> literal ──> line (first=false)
//	└────────────────┘
//
// A whole line in one fragment is passed on where it lies; only a line that
// straddles fragments is copied.
type scanner struct {
	buf  []byte // a line begun in an earlier fragment
	lit  int64  // bytes of the literal still to come
	cont bool   // the next piece continues a response
	list bool   // this line is a list of numbers, part of it was handed on
}

// step consumes some of b, at least one byte, with at most one call of the sink
// (two for an empty literal).
func (s *scanner) step(b []byte, to scanSink) (int, error) {
	if s.lit > 0 {
		n := len(b)
		if int64(n) > s.lit {
			n = int(s.lit)
		}
		s.lit -= int64(n)
		return n, to.literal(b[:n], s.lit == 0)
	}
	if len(s.buf) == 0 && !s.cont {
		// Some servers pad with NULs or blank lines between responses.
		if n := padding(b); n > 0 {
			return n, nil
		}
	}
	w := b
	if len(w) > lineWindow {
		w = w[:lineWindow]
	}
	i := bytes.IndexByte(w, '\n')
	if i < 0 {
		s.buf = append(s.buf, w...)
		return len(w), s.overflow(to)
	}
	line := w[:i]
	if len(s.buf) > 0 {
		s.buf = append(s.buf, line...)
		line = s.buf
	}
	return i + 1, s.line(line, to)
}

// padding returns how many bytes at the start of b belong to no response.
func padding(b []byte) int {
	for i, x := range b {
		if x != 0 && x != '\r' && x != '\n' && x != ' ' {
			return i
		}
	}
	return len(b)
}

// line passes on a line whose end has been seen.
func (s *scanner) line(line []byte, to scanSink) error {
	if len(line) > maxLine {
		return protoErr("line too long", line)
	}
	if n := len(line); n > 0 && line[n-1] == '\r' {
		line = line[:n-1]
	}
	first := !s.cont
	size, lit := int64(0), false
	if !s.list && (!first || dataLine(line)) {
		size, lit = literalSize(line)
		if size > maxLiteral {
			return protoErr("impossible literal size", line[max(0, len(line)-80):])
		}
	}
	s.buf = s.buf[:0]
	if cap(s.buf) > 4*lineWindow {
		s.buf = nil // one long line must not cost memory for ever; line still holds it
	}
	s.list = false
	if !lit {
		s.cont = false
		return to.piece(line, first, endLine, 0)
	}
	s.cont, s.lit = true, size
	if err := to.piece(line, first, endLiteral, size); err != nil || size > 0 {
		return err
	}
	return to.literal(nil, true)
}

// overflow looks after a line of which the end is not in sight.
func (s *scanner) overflow(to scanSink) error {
	if len(s.buf) < partSize {
		return nil
	}
	if s.list || !s.cont && numberLine(s.buf) {
		cut := bytes.LastIndexAny(s.buf, " ,") + 1
		if cut == 0 {
			return protoErr("number too long", s.buf)
		}
		first := !s.cont
		s.cont, s.list = true, true
		if err := to.piece(s.buf[:cut], first, endMore, 0); err != nil {
			return err
		}
		s.buf = append(s.buf[:0], s.buf[cut:]...)
		return nil
	}
	if len(s.buf) > maxLine {
		return protoErr("line too long", s.buf)
	}
	return nil
}

// numberLine reports whether a line is one of the responses that may list
// every message of a mailbox.
func numberLine(b []byte) bool {
	return hasPrefixFold(b, "* SEARCH ") || hasPrefixFold(b, "* ESEARCH ") || hasPrefixFold(b, "* VANISHED ")
}

// dataLine reports whether a line can contain literals: untagged data can, but
// "* OK ..." ends in free text, which may look like one.
func dataLine(b []byte) bool {
	if len(b) < 3 || b[0] != '*' || b[1] != ' ' {
		return false
	}
	w := word(b[2:])
	return !(equalFold(w, "OK") || equalFold(w, "NO") || equalFold(w, "BAD") || equalFold(w, "BYE") || equalFold(w, "PREAUTH"))
}

// literalSize finds "{123}" or "{123+}" at the end of a line.
func literalSize(b []byte) (int64, bool) {
	n := len(b)
	if n < 3 || b[n-1] != '}' {
		return 0, false
	}
	i := n - 2
	if b[i] == '+' {
		i--
	}
	end := i + 1
	for i >= 0 && b[i]-'0' <= 9 {
		i--
	}
	if i < 0 || b[i] != '{' || i+1 == end {
		return 0, false
	}
	if i > 0 && b[i-1] != ' ' && b[i-1] != '(' && b[i-1] != '~' {
		return 0, false
	}
	if end-(i+1) > 18 {
		return maxLiteral + 1, true
	}
	v, _ := parseUint(b[i+1 : end])
	return int64(v), true
}

// word returns b up to its first space.
func word(b []byte) []byte {
	if i := bytes.IndexByte(b, ' '); i >= 0 {
		return b[:i]
	}
	return b
}

// equalFold compares b with s, which is in capitals, without regard to ASCII case.
func equalFold(b []byte, s string) bool {
	if len(b) != len(s) {
		return false
	}
	for i := 0; i < len(s); i++ {
		x := b[i]
		if 'a' <= x && x <= 'z' {
			x -= 'a' - 'A'
		}
		if x != s[i] {
			return false
		}
	}
	return true
}

// hasPrefixFold is equalFold on the beginning of b.
func hasPrefixFold(b []byte, s string) bool {
	return len(b) >= len(s) && equalFold(b[:len(s)], s)
}
