package pyexpr

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// kind is a sort of token.
type kind uint8

const (
	opToken kind = iota
	nameToken
	numberToken
	stringToken
)

// token is one token of Python; text is a string's value.
type token struct {
	kind kind
	text string
}

func (t token) is(text string) bool { return t.kind != stringToken && t.text == text }

// logical is one logical line: what Python calls everything up to a NEWLINE.
type logical struct {
	line   int // of its first token, from 1
	indent string
	toks   []token
}

// Bounds on source, far above what people write.
const (
	maxSource = 256 << 10
	maxDepth  = 100
	maxTokens = 20_000 // of one logical line
)

// lexer splits source as Python's tokenizer does.
type lexer struct {
	src     string
	pos     int
	line    int
	depth   int // open brackets: newlines inside mean nothing
	cur     logical
	run     int  // operators in a row that each nest what follows
	started bool // cur has its indentation
	out     []logical
}

// lex reads Python source. On an error it returns the lines before it too, and
// the number of the line where it gave up.
func lex(src string) (lines []logical, at int, err error) {
	if len(src) > maxSource {
		return nil, 1, fmt.Errorf("more than %d bytes of Python", maxSource)
	}
	lx := &lexer{src: strings.ReplaceAll(src, "\r\n", "\n"), line: 1}
	for lx.pos < len(lx.src) {
		if err := lx.next(); err != nil {
			return lx.out, lx.line, err
		}
		if lx.run > maxDepth || len(lx.cur.toks) > maxTokens {
			return lx.out, lx.line, fmt.Errorf("more than is understood in one line")
		}
	}
	if lx.depth > 0 {
		return lx.out, lx.line, fmt.Errorf("a bracket is not closed")
	}
	lx.endLine()
	return lx.out, 0, nil
}

func (lx *lexer) endLine() {
	if len(lx.cur.toks) > 0 {
		lx.out = append(lx.out, lx.cur)
	}
	lx.cur, lx.started = logical{}, false
}

func (lx *lexer) add(k kind, text string) {
	if len(lx.cur.toks) == 0 {
		lx.cur.line = lx.line
	}
	lx.cur.toks = append(lx.cur.toks, token{k, text})
	switch {
	case k != stringToken && (text == "not" || text == "-" || text == "+" || text == "~" || text == "lambda"):
		lx.run++
	default:
		lx.run = 0
	}
}

func (lx *lexer) next() error {
	rest := lx.src[lx.pos:]
	c := rest[0]
	switch {
	case c == ' ' || c == '\t' || c == '\f':
		n := len(rest) - len(strings.TrimLeft(rest, " \t\f"))
		if !lx.started && lx.depth == 0 {
			lx.cur.indent, lx.started = rest[:n], true
		}
		lx.pos += n
	case strings.HasPrefix(rest, "\\\n"):
		lx.pos += 2
		lx.line++
	case c == '#':
		if i := strings.IndexByte(rest, '\n'); i >= 0 {
			lx.pos += i
		} else {
			lx.pos = len(lx.src)
		}
	case c == '\n':
		lx.pos++
		if lx.depth == 0 {
			lx.endLine()
		}
		lx.line++
	default:
		lx.started = true
		return lx.token(rest, c)
	}
	return nil
}

func (lx *lexer) token(rest string, c byte) error {
	switch {
	case c == '\'' || c == '"':
		return lx.str("")
	case c >= '0' && c <= '9':
		return lx.number(rest)
	case isWord(c) || c >= utf8.RuneSelf:
		return lx.name(rest)
	}
	return lx.operator(rest)
}

var twoChar = []string{"==", "!=", "<=", ">=", "//", "+=", "-=", "*=", "/=", "%=", "|=", "&=", "->", ":=", "**", "<<", ">>"}

func (lx *lexer) operator(rest string) error {
	op := rest[:1]
	for _, two := range twoChar {
		if strings.HasPrefix(rest, two) {
			op = two
		}
	}
	switch op {
	case "(", "[", "{":
		if lx.depth++; lx.depth > maxDepth {
			return fmt.Errorf("brackets are nested too deeply")
		}
	case ")", "]", "}":
		if lx.depth--; lx.depth < 0 {
			return fmt.Errorf("%q closes nothing", op)
		}
	case "**", ":=", "`", "!", "?", "$", "@":
		return fmt.Errorf("%q is not understood", op)
	}
	if !strings.ContainsAny(op[:1], "()[]{}=!<>+-*/%|&~^.,:;") {
		return fmt.Errorf("%q is not understood", op)
	}
	lx.pos += len(op)
	lx.add(opToken, op)
	return nil
}

func (lx *lexer) number(rest string) error {
	end := 0
	for end < len(rest) && (isWord(rest[end]) || rest[end] == '.') {
		end++
	}
	text := rest[:end]
	if _, err := strconv.ParseInt(text, 10, 64); err != nil || len(text) > 1 && text[0] == '0' {
		if _, err := strconv.ParseFloat(text, 64); err != nil || strings.ContainsAny(text, "_xXpP") {
			return fmt.Errorf("the number %q is not understood", text)
		}
	}
	lx.pos += end
	lx.add(numberToken, text)
	return nil
}

func isWord(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

func (lx *lexer) name(rest string) error {
	end := 0
	for end < len(rest) && (isWord(rest[end]) || rest[end] >= utf8.RuneSelf) {
		end++
	}
	text := rest[:end]
	for _, r := range text {
		if r >= utf8.RuneSelf && !unicode.IsLetter(r) {
			return fmt.Errorf("%q is not understood", r)
		}
	}
	if end < len(rest) && (rest[end] == '\'' || rest[end] == '"') {
		switch prefix := strings.ToLower(text); prefix {
		case "r", "u", "f":
			lx.pos += end
			return lx.str(prefix)
		default:
			return fmt.Errorf("a string with the prefix %q is not understood", text)
		}
	}
	if strings.HasPrefix(text, reserved) {
		return fmt.Errorf("the name %q is not understood", text)
	}
	lx.pos += end
	lx.add(nameToken, text)
	return nil
}

// str reads a string literal at pos and joins it to a string before it.
func (lx *lexer) str(prefix string) error {
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
			return lx.endString(b.String(), prefix)
		case rest[0] == '\\' && len(rest) > 1 && prefix == "r":
			b.WriteString(rest[:2])
			lx.pos += 2
		case rest[0] == '\\' && len(rest) > 1:
			n, err := unescape(&b, rest)
			if err != nil {
				return err
			}
			lx.pos += n
		default:
			b.WriteByte(rest[0])
			if rest[0] == '\n' {
				lx.line++
			}
			lx.pos++
		}
	}
}

func (lx *lexer) endString(s, prefix string) error {
	if !utf8.ValidString(s) {
		return fmt.Errorf("a string that is not UTF-8")
	}
	if prefix == "f" {
		return lx.fstring(s)
	}
	if n := len(lx.cur.toks); n > 0 && lx.cur.toks[n-1].kind == stringToken {
		lx.cur.toks[n-1].text += s
		return nil
	}
	lx.add(stringToken, s)
	return nil
}

// fstring turns f"a{x}b" into a call of the formatter; only plain expressions
// are understood between the braces.
func (lx *lexer) fstring(s string) error {
	refuse := fmt.Errorf("the string f%q is not understood", s)
	lx.add(nameToken, reserved+"fstring")
	lx.add(opToken, "(")
	for s != "" {
		i := strings.IndexAny(s, "{}")
		if i < 0 {
			i = len(s)
		}
		lx.add(stringToken, s[:i])
		lx.add(opToken, ",")
		if s = s[i:]; s == "" {
			break
		}
		end := strings.IndexByte(s, '}')
		if s[0] == '}' || end < 2 || strings.ContainsAny(s[1:end], "{!:=\\") {
			return refuse
		}
		inner, _, err := lex(s[1:end])
		if err != nil || len(inner) != 1 {
			return refuse
		}
		lx.cur.toks = append(lx.cur.toks, inner[0].toks...)
		lx.add(opToken, ",")
		s = s[end+1:]
	}
	lx.add(opToken, ")")
	return nil
}

var simpleEscapes = map[byte]string{'\n': "", '\\': "\\", '\'': "'", '"': "\"", 'a': "\a", 'b': "\b", 'f': "\f", 'n': "\n", 'r': "\r", 't': "\t", 'v': "\v"}

// unescape reads one backslash sequence. Python keeps those it does not know.
func unescape(b *strings.Builder, rest string) (n int, err error) {
	if s, ok := simpleEscapes[rest[1]]; ok {
		b.WriteString(s)
		return 2, nil
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
		return end, nil
	case width > 0:
		if len(rest) < 2+width {
			return 0, fmt.Errorf(`a \%c escape is too short`, rest[1])
		}
		n, err := strconv.ParseUint(rest[2:2+width], 16, 32)
		if err != nil || n > unicode.MaxRune || n >= 0xd800 && n < 0xe000 {
			return 0, fmt.Errorf(`an escape that is no character`)
		}
		b.WriteRune(rune(n))
		return 2 + width, nil
	case rest[1] == 'N':
		return 0, fmt.Errorf(`\N{...} is not understood`)
	}
	b.WriteByte('\\')
	return 1, nil
}
