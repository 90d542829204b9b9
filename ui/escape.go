package ui

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Safe returns s fit for a terminal: one line, without anything that could
// move the cursor, change colours, reverse the reading direction or hide text.
// Control characters, invalid UTF-8, bidirectional controls, invisible format
// characters and unassigned code points become visible escapes (\x1b, \u202e);
// newlines and tabs become \n and \t. Emoji variation selectors, on whose width
// no two terminals agree, are left out. Ordinary text is returned unchanged
// and without allocation.
func Safe(s string) string {
	for i := 0; i < len(s); i++ {
		if s[i] < ' ' || s[i] > '~' {
			return safeSlow(s, i)
		}
	}
	return s
}

func safeSlow(s string, clean int) string {
	dirty := false
	for i := clean; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		if !plain(r, n, s, i) {
			dirty = true
			break
		}
		i += n
	}
	if !dirty {
		return s
	}
	var b strings.Builder
	b.Grow(len(s) + 16)
	marks := 0
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		if unicode.Is(unicode.Mn, r) || unicode.Is(unicode.Me, r) {
			marks++
		} else {
			marks = 0
		}
		switch {
		case r == 0xFE0E || r == 0xFE0F:
		case marks > maxMarks:
		case r == utf8.RuneError && n == 1:
			writeHex(&b, 'x', uint32(s[i]), 2)
		case plain(r, n, s, i):
			b.WriteString(s[i : i+n])
		default:
			writeEscape(&b, r)
		}
		i += n
	}
	return b.String()
}

// maxMarks bounds the combining marks on one base character: beyond it they
// paint over neighbouring lines and overrun the terminal library's buffer.
const maxMarks = 4

func plain(r rune, n int, s string, i int) bool {
	switch {
	case r >= ' ' && r <= '~':
		return true
	case r < ' ' || r == 0x7f || (r == utf8.RuneError && n == 1):
		return false
	case r == 0x200C || r == 0x200D:
		return joins(s[:i], s[i+n:])
	case r == 0x2E3A || r == 0x2E3B: // dashes three and four cells wide
		return false
	case r == 0xFE0E || r == 0xFE0F:
		return false
	case unicode.Is(unicode.Mn, r) || unicode.Is(unicode.Me, r):
		// A mark needs something before it to sit on, and not too many others.
		return i > 0 && !crowded(s[:i])
	}
	return unicode.IsGraphic(r) && !unicode.Is(unicode.Zs, r) && r != 0x3164 && r != 0xFFA0 && r != 0x115F && r != 0x1160 || r == 0x3000
}

// crowded reports whether s ends in maxMarks combining marks.
func crowded(s string) bool {
	for range maxMarks {
		r, n := utf8.DecodeLastRuneInString(s)
		if !unicode.Is(unicode.Mn, r) && !unicode.Is(unicode.Me, r) {
			return false
		}
		s = s[:len(s)-n]
	}
	return true
}

// joins reports whether a joiner between before and after belongs to the
// spelling of a word (Persian, the scripts of India), where it is needed and
// takes no cell. Anywhere else it hides.
func joins(before, after string) bool {
	a, _ := utf8.DecodeLastRuneInString(before)
	b, _ := utf8.DecodeRuneInString(after)
	return unicode.In(a, joining...) && unicode.In(b, joining...)
}

var joining = []*unicode.RangeTable{unicode.Arabic, unicode.Syriac, unicode.Mongolian,
	unicode.Devanagari, unicode.Bengali, unicode.Gurmukhi, unicode.Gujarati, unicode.Oriya,
	unicode.Tamil, unicode.Telugu, unicode.Kannada, unicode.Malayalam, unicode.Sinhala}

func writeEscape(b *strings.Builder, r rune) {
	switch {
	case r == '\n':
		b.WriteString(`\n`)
	case r == '\r':
		b.WriteString(`\r`)
	case r == '\t':
		b.WriteString(`\t`)
	case r == 0x2E3A || r == 0x2E3B:
		b.WriteString("--")
	case r < 0x80:
		writeHex(b, 'x', uint32(r), 2)
	case r <= 0xFFFF:
		writeHex(b, 'u', uint32(r), 4)
	default:
		writeHex(b, 'U', uint32(r), 8)
	}
}

func writeHex(b *strings.Builder, kind byte, v uint32, digits int) {
	b.WriteByte('\\')
	b.WriteByte(kind)
	for d := digits - 1; d >= 0; d-- {
		b.WriteByte("0123456789abcdef"[v>>(4*d)&15])
	}
}
