package config

import (
	"fmt"
	"regexp"
	"regexp/syntax"
	"strings"
	"unicode/utf8"
)

// reCall reads ".sub(...)", ".search(...)", ".match(...)" or ".fullmatch(...)"
// behind the name re.
func (p *pyParser) reCall() (node, error) {
	if err := p.need("."); err != nil {
		return nil, err
	}
	name := p.cur().text
	p.pos++
	least := 2
	switch name {
	case "sub":
		least = 3
	case "search", "match", "fullmatch":
	default:
		return nil, fmt.Errorf("re.%s is not understood", name)
	}
	if err := p.need("("); err != nil {
		return nil, err
	}
	var args []node
	flags := ""
	for !p.op(")") {
		named := p.flagsWord()
		if named || len(args) == least && name != "sub" && p.cur().text == "re" {
			f, err := p.reFlags()
			if err != nil {
				return nil, err
			}
			flags = f
		} else {
			n, err := p.expr()
			if err != nil {
				return nil, err
			}
			args = append(args, n)
		}
		if !p.op(",") {
			if err := p.need(")"); err != nil {
				return nil, err
			}
			break
		}
	}
	if len(args) != least {
		return nil, fmt.Errorf("re.%s with %d arguments is not understood", name, len(args))
	}
	return reNode(name, flags, args)
}

// flagsWord takes "flags=".
func (p *pyParser) flagsWord() bool {
	if t := p.cur(); t.kind != tokName || t.text != "flags" || p.toks[p.pos+1].text != "=" {
		return false
	}
	p.pos += 2
	return true
}

// reFlags reads re.I or re.IGNORECASE.
func (p *pyParser) reFlags() (string, error) {
	if !p.word("re") {
		return "", p.unexpected()
	}
	if err := p.need("."); err != nil {
		return "", err
	}
	if !p.word("I") && !p.word("IGNORECASE") {
		return "", fmt.Errorf("re.%s is not understood", p.cur().text)
	}
	return "(?i)", nil
}

// reNode compiles patterns once; one that is a constant is checked now.
func reNode(name, flags string, args []node) (node, error) {
	cache := map[string]*regexp.Regexp{}
	get := func(pattern string) (*regexp.Regexp, error) {
		if re := cache[pattern]; re != nil {
			return re, nil
		}
		re, err := compileRegexp(pattern, flags, name)
		if err == nil && len(cache) < 100 {
			cache[pattern] = re
		}
		return re, err
	}
	if v, err := (&pyFunc{body: args[0]}).call(""); err == nil {
		if s, ok := v.(string); ok {
			if _, err := get(s); err != nil {
				return nil, err
			}
		}
	}
	return callNode(func(e *env, a []any) (any, error) {
		strs := make([]string, len(a))
		for i, v := range a {
			s, ok := v.(string)
			if !ok {
				return nil, unsupported("%s in re.%s", typeName(v), name)
			}
			strs[i] = s
		}
		subject := strs[len(strs)-1]
		*e.steps += len(subject) / 16
		if !utf8.ValidString(subject) {
			return nil, unsupported("a name that is not UTF-8")
		}
		re, err := get(strs[0])
		if err != nil {
			return nil, err
		}
		if name == "sub" {
			return substitute(re, strs[1], subject)
		}
		if re.MatchString(subject) {
			return pyMatch{}, nil
		}
		return nil, nil
	}, args), nil
}

// compileRegexp translates a Python pattern for Go's regexp. It refuses what
// the two read differently.
func compileRegexp(pattern, flags, how string) (*regexp.Regexp, error) {
	if strings.HasPrefix(pattern, "(?i)") {
		flags, pattern = "(?i)", pattern[4:]
	}
	t, err := translateRegexp(pattern)
	if err != nil {
		return nil, err
	}
	switch how {
	case "match":
		t = `\A(?:` + t + `)`
	case "fullmatch":
		t = `\A(?:` + t + `)\z`
	}
	re, err := regexp.Compile(flags + t)
	if err != nil {
		return nil, &unsupportedError{fmt.Sprintf("the pattern %q is not understood", pattern)}
	}
	if how == "sub" {
		if err := checkEmpty(pattern, t); err != nil {
			return nil, err
		}
	}
	return re, nil
}

// checkEmpty refuses to replace a pattern that may match nothing or something
// at any place: Python replaces an empty match behind another, Go does not.
func checkEmpty(pattern, translated string) error {
	s, err := syntax.Parse(translated, syntax.Perl)
	if err != nil {
		return &unsupportedError{fmt.Sprintf("the pattern %q is not understood", pattern)}
	}
	if least, nothing := matchLengths(s); least == 0 && !nothing && !startsAtBegin(s) {
		return unsupported("replacing %q, which may match nothing,", pattern)
	}
	return nil
}

// matchLengths tells whether a pattern can match nothing (least 0) and whether
// nothing is all it can match. It is right or errs towards (0, false).
func matchLengths(s *syntax.Regexp) (least int, nothing bool) {
	switch s.Op {
	case syntax.OpEmptyMatch, syntax.OpBeginLine, syntax.OpEndLine, syntax.OpBeginText, syntax.OpEndText:
		return 0, true
	case syntax.OpLiteral, syntax.OpCharClass, syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return 1, false
	case syntax.OpCapture, syntax.OpPlus:
		return matchLengths(s.Sub[0])
	case syntax.OpRepeat:
		if s.Min > 0 {
			return matchLengths(s.Sub[0])
		}
	case syntax.OpConcat:
		nothing = true
		for _, sub := range s.Sub {
			l, n := matchLengths(sub)
			least = max(least, l)
			nothing = nothing && n
		}
		return least, nothing
	case syntax.OpAlternate:
		least, nothing = 1, true
		for _, sub := range s.Sub {
			l, n := matchLengths(sub)
			least = min(least, l)
			nothing = nothing && n
		}
		return least, nothing
	}
	return 0, false
}

func startsAtBegin(s *syntax.Regexp) bool {
	switch s.Op {
	case syntax.OpBeginText:
		return true
	case syntax.OpCapture:
		return startsAtBegin(s.Sub[0])
	case syntax.OpConcat:
		return startsAtBegin(s.Sub[0])
	}
	return false
}

// substitute is re.sub with Python's replacement syntax.
func substitute(re *regexp.Regexp, repl, subject string) (any, error) {
	var b strings.Builder
	last := 0
	for _, m := range re.FindAllStringSubmatchIndex(subject, -1) {
		b.WriteString(subject[last:m[0]])
		last = m[1]
		if err := expandTemplate(&b, re, repl, subject, m); err != nil {
			return nil, err
		}
		if b.Len() > maxString {
			return nil, unsupported("so long a value")
		}
	}
	b.WriteString(subject[last:])
	return b.String(), nil
}

// expandTemplate writes a replacement: \1 to \9, \g<1>, \g<name>, \\ and \n.
func expandTemplate(b *strings.Builder, re *regexp.Regexp, repl, subject string, m []int) error {
	for i := 0; i < len(repl); i++ {
		if repl[i] != '\\' {
			b.WriteByte(repl[i])
			continue
		}
		i++
		rest := repl[i:]
		group := -1
		switch {
		case rest == "":
			return unsupported("a replacement that ends in a backslash")
		case rest[0] == '\\':
			b.WriteByte('\\')
			continue
		case rest[0] == 'n':
			b.WriteByte('\n')
			continue
		case rest[0] >= '1' && rest[0] <= '9' && (len(rest) == 1 || rest[1] < '0' || rest[1] > '9'):
			group = int(rest[0] - '0')
		case strings.HasPrefix(rest, "g<") && strings.Contains(rest, ">"):
			name := rest[2:strings.IndexByte(rest, '>')]
			if len(name) == 1 && name[0] >= '0' && name[0] <= '9' {
				group = int(name[0] - '0')
			} else {
				group = re.SubexpIndex(name)
			}
			i += len(name) + 2
		}
		if group < 0 || group > re.NumSubexp() {
			return unsupported("the replacement %q", repl)
		}
		if m[2*group] >= 0 {
			b.WriteString(subject[m[2*group]:m[2*group+1]])
		}
	}
	return nil
}

// regexpEscapes are the letters behind a backslash both sides know, and what
// Go calls them. Python's \w, \d and \s know all of Unicode.
var regexpEscapes = map[byte]string{
	'A': `\A`, 'Z': `\z`, 'n': `\n`, 't': `\t`, 'r': `\r`, 'f': `\f`, 'v': `\v`, 'a': `\a`,
	'd': `[\p{Nd}]`, 'D': `[^\p{Nd}]`, 'w': `[\p{L}\p{N}_]`, 'W': `[^\p{L}\p{N}_]`,
	's': `[\s\v\p{Z}\x{85}\x{1c}-\x{1f}]`, 'S': `[^\s\v\p{Z}\x{85}\x{1c}-\x{1f}]`,
}

func translateRegexp(p string) (string, error) {
	var b strings.Builder
	inClass := false
	refuse := func(what string) error {
		return &unsupportedError{fmt.Sprintf("%s in the pattern %q is not understood", what, p)}
	}
	for i := 0; i < len(p); i++ {
		c := p[i]
		switch {
		case c == '\\':
			if i++; i == len(p) {
				return "", refuse("a final backslash")
			}
			t, ok := translateEscape(p[i], inClass)
			if !ok {
				return "", refuse(`\` + p[i:i+1])
			}
			b.WriteString(t)
			continue
		case inClass:
			if c == '[' {
				b.WriteString(`\[`) // Python has no sets in sets
				continue
			}
			if strings.HasPrefix(p[i:], "--") || strings.HasPrefix(p[i:], "&&") || strings.HasPrefix(p[i:], "||") || strings.HasPrefix(p[i:], "~~") {
				return "", refuse("a set operation")
			}
			inClass = c != ']'
		case c == '[':
			inClass = true
			b.WriteByte(c)
			if strings.HasPrefix(p[i+1:], "^") {
				i++
				b.WriteByte('^')
			}
			if strings.HasPrefix(p[i+1:], "]") {
				i++
				b.WriteString(`\]`)
			}
			continue
		case c == '{' && !repeatAt(p[i:]):
			return "", refuse("{")
		case strings.HasPrefix(p[i:], "(?") && !strings.HasPrefix(p[i:], "(?:") && !strings.HasPrefix(p[i:], "(?P<"):
			return "", refuse("a group " + p[i:min(i+4, len(p))])
		}
		b.WriteByte(c)
	}
	if inClass {
		return "", refuse("an open [")
	}
	return b.String(), nil
}

var repeatPattern = regexp.MustCompile(`^\{[0-9]+(,[0-9]*)?\}`)

func repeatAt(s string) bool { return repeatPattern.MatchString(s) }

func translateEscape(c byte, inClass bool) (string, bool) {
	if t, ok := regexpEscapes[c]; ok {
		if !inClass {
			return t, true
		}
		if strings.HasPrefix(t, "[^") || c == 'A' || c == 'Z' {
			return "", false
		}
		return strings.TrimSuffix(strings.TrimPrefix(t, "["), "]"), true
	}
	if isWordByte(c) && c != '_' || c >= utf8.RuneSelf {
		return "", false
	}
	return regexp.QuoteMeta(string(c)), true
}
