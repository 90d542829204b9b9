package config

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// token is one token of a Python expression.
type token struct {
	kind tokenKind
	text string // operator, name, or a string's value
	num  int64
}

type tokenKind uint8

const (
	tokEnd tokenKind = iota
	tokOp
	tokName
	tokString
	tokInt
)

// pyLexer splits an expression as Python's tokenizer does.
type pyLexer struct {
	src    string
	pos    int
	depth  int // open brackets: newlines inside mean nothing
	tokens []token
}

func lexPython(src string) ([]token, error) {
	lx := &pyLexer{src: strings.Trim(src, " \t\n\f")}
	for {
		more, err := lx.next()
		if err != nil {
			return nil, err
		}
		if !more {
			return append(lx.tokens, token{kind: tokEnd}), nil
		}
	}
}

func (lx *pyLexer) next() (more bool, err error) {
	if lx.pos >= len(lx.src) {
		return false, nil
	}
	c := lx.src[lx.pos]
	rest := lx.src[lx.pos:]
	switch {
	case c == ' ' || c == '\t' || c == '\f':
		lx.pos++
	case strings.HasPrefix(rest, "\\\n"):
		lx.pos += 2
	case c == '#':
		if i := strings.IndexByte(rest, '\n'); i >= 0 {
			lx.pos += i
		} else {
			lx.pos = len(lx.src)
		}
	case c == '\n':
		if lx.depth == 0 && strings.TrimSpace(stripComments(rest)) != "" {
			return false, fmt.Errorf("the expression goes on in a new line outside brackets")
		}
		lx.pos++
	case c == '\'' || c == '"':
		return true, lx.str("")
	case c >= '0' && c <= '9':
		return true, lx.number()
	case c == '_' || c >= utf8.RuneSelf || unicode.IsLetter(rune(c)):
		return true, lx.name()
	default:
		return true, lx.operator(rest)
	}
	return true, nil
}

func stripComments(s string) string {
	lines := strings.Split(s, "\n")
	for i, l := range lines {
		if strings.HasPrefix(strings.TrimSpace(l), "#") {
			lines[i] = ""
		}
	}
	return strings.Join(lines, "\n")
}

func (lx *pyLexer) operator(rest string) error {
	op := rest[:1]
	for _, two := range []string{"==", "!=", "<=", ">=", "**", "//", "<<", ">>", ":=", "->"} {
		if strings.HasPrefix(rest, two) {
			op = two
		}
	}
	switch op {
	case "(", "[", "{":
		lx.depth++
	case ")", "]", "}":
		lx.depth--
	case "==", "!=", "<=", ">=", "<", ">", "+", "-", ",", ".", ":", "=":
	default:
		return fmt.Errorf("%q is not understood", op)
	}
	lx.pos += len(op)
	lx.tokens = append(lx.tokens, token{kind: tokOp, text: op})
	return nil
}

func (lx *pyLexer) number() error {
	end := lx.pos
	for end < len(lx.src) && (isWordByte(lx.src[end]) || lx.src[end] == '.') {
		end++
	}
	text := lx.src[lx.pos:end]
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil || len(text) > 1 && text[0] == '0' {
		return fmt.Errorf("the number %q is not understood", text)
	}
	lx.pos = end
	lx.tokens = append(lx.tokens, token{kind: tokInt, num: n})
	return nil
}

func isWordByte(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

func (lx *pyLexer) name() error {
	end := lx.pos
	for end < len(lx.src) && (isWordByte(lx.src[end]) || lx.src[end] >= utf8.RuneSelf) {
		end++
	}
	text := lx.src[lx.pos:end]
	if end < len(lx.src) && (lx.src[end] == '\'' || lx.src[end] == '"') {
		prefix := strings.ToLower(text)
		if prefix == "r" || prefix == "u" {
			lx.pos = end
			return lx.str(prefix)
		}
		return fmt.Errorf("a string with the prefix %q is not understood", text)
	}
	lx.pos = end
	lx.tokens = append(lx.tokens, token{kind: tokName, text: text})
	return nil
}

// str reads a string literal at pos.
func (lx *pyLexer) str(prefix string) error {
	quote := lx.src[lx.pos : lx.pos+1]
	if triple := strings.Repeat(quote, 3); strings.HasPrefix(lx.src[lx.pos:], triple) {
		quote = triple
	}
	lx.pos += len(quote)
	var b strings.Builder
	for {
		rest := lx.src[lx.pos:]
		switch {
		case rest == "", rest[0] == '\n' && len(quote) == 1:
			return fmt.Errorf("a string has no closing %s", quote)
		case strings.HasPrefix(rest, quote):
			lx.pos += len(quote)
			lx.tokens = append(lx.tokens, token{kind: tokString, text: b.String()})
			return nil
		case rest[0] == '\\' && len(rest) > 1:
			if err := lx.escape(&b, rest, prefix == "r"); err != nil {
				return err
			}
		default:
			b.WriteByte(rest[0])
			lx.pos++
		}
	}
}

var simpleEscapes = map[byte]string{'\n': "", '\\': "\\", '\'': "'", '"': "\"", 'a': "\a", 'b': "\b", 'f': "\f", 'n': "\n", 'r': "\r", 't': "\t", 'v': "\v"}

// escape reads one backslash sequence. Python keeps those it does not know.
func (lx *pyLexer) escape(b *strings.Builder, rest string, raw bool) error {
	if raw {
		b.WriteString(rest[:2])
		lx.pos += 2
		return nil
	}
	if s, ok := simpleEscapes[rest[1]]; ok {
		b.WriteString(s)
		lx.pos += 2
		return nil
	}
	width := map[byte]int{'x': 2, 'u': 4, 'U': 8}[rest[1]]
	switch {
	case rest[1] >= '0' && rest[1] <= '7':
		end := 2
		for end < len(rest) && end < 4 && rest[end] >= '0' && rest[end] <= '7' {
			end++
		}
		n, _ := strconv.ParseUint(rest[1:end], 8, 32)
		b.WriteRune(rune(n))
		lx.pos += end
	case width > 0:
		if len(rest) < 2+width {
			return fmt.Errorf(`a \%c escape is too short`, rest[1])
		}
		n, err := strconv.ParseUint(rest[2:2+width], 16, 32)
		if err != nil || n > unicode.MaxRune || n >= 0xd800 && n < 0xe000 {
			return fmt.Errorf(`%s is no character`, rest[:2+width])
		}
		b.WriteRune(rune(n))
		lx.pos += 2 + width
	case rest[1] == 'N':
		return fmt.Errorf(`\N{...} is not understood`)
	default:
		b.WriteByte('\\')
		lx.pos++
	}
	return nil
}
