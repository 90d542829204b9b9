package pyexpr

import (
	"fmt"
	"regexp"
	"regexp/syntax"
	"strings"
	"unicode/utf8"
)

// pattern is a compiled regular expression.
type pattern struct {
	re  *regexp.Regexp
	src string
	// asciiOnly marks one that would read text beyond ASCII otherwise than
	// Python does (\b).
	asciiOnly bool
}

// compilePattern translates a Python pattern for Go's regexp. It refuses what
// the two read differently. prefix and suffix go around the translation.
func compilePattern(src string, flags int, prefix, suffix string, replaces bool) (*pattern, error) {
	set := ""
	for _, f := range []struct {
		bit  int
		mark string
	}{{flagI, "i"}, {flagM, "m"}, {flagS, "s"}} {
		if flags&f.bit != 0 {
			set += f.mark
		}
	}
	if flags&^(flagI|flagM|flagS|flagU) != 0 {
		return nil, fmt.Errorf("these flags of re are not understood")
	}
	body := src
	if strings.HasPrefix(body, "(?i)") {
		set, body = set+"i", body[4:]
	}
	t, err := translatePattern(body)
	if err != nil {
		return nil, err
	}
	if set != "" {
		set = "(?" + set + ")"
	}
	re, err := regexp.Compile(prefix + set + "(?:" + t + ")" + suffix)
	if err != nil {
		return nil, fmt.Errorf("the pattern %q is not understood", src)
	}
	if replaces {
		if err := checkEmpty(src, set+t); err != nil {
			return nil, err
		}
	}
	return &pattern{re: re, src: src, asciiOnly: strings.Contains(t, `\b`) || strings.Contains(t, `\B`)}, nil
}

// fits tells whether the pattern may be used on a subject.
func (p *pattern) fits(s string) error {
	for i := 0; p.asciiOnly && i < len(s); i++ {
		if s[i] >= utf8.RuneSelf {
			return fmt.Errorf(`\b beyond ASCII in the pattern %q is not understood`, p.src)
		}
	}
	return nil
}

// checkEmpty refuses to replace a pattern that may match nothing or something
// at any place: Python replaces an empty match behind another, Go does not.
func checkEmpty(pattern, translated string) error {
	s, err := syntax.Parse(translated, syntax.Perl)
	if err != nil {
		return fmt.Errorf("the pattern %q is not understood", pattern)
	}
	if least, nothing := matchLengths(s); least == 0 && !nothing && !startsAtBegin(s) {
		return fmt.Errorf("replacing %q, which may match nothing, is not understood", pattern)
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

// regexpEscapes are the letters behind a backslash both sides know, and what
// Go calls them. Python's \w, \d and \s know all of Unicode.
var regexpEscapes = map[byte]string{
	'A': `\A`, 'Z': `\z`, 'n': `\n`, 't': `\t`, 'r': `\r`, 'f': `\f`, 'v': `\v`, 'a': `\a`,
	'd': `[\p{Nd}]`, 'D': `[^\p{Nd}]`, 'w': `[\p{L}\p{N}_]`, 'W': `[^\p{L}\p{N}_]`,
	's': `[\s\v\p{Z}\x{85}\x{1c}-\x{1f}]`, 'S': `[^\s\v\p{Z}\x{85}\x{1c}-\x{1f}]`,
}

func translatePattern(p string) (string, error) {
	var b strings.Builder
	inClass := false
	refuse := func(what string) error {
		return fmt.Errorf("%s in the pattern %q is not understood", what, p)
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
	if (c == 'b' || c == 'B') && !inClass {
		return `\` + string(c), true
	}
	if t, ok := regexpEscapes[c]; ok {
		if !inClass {
			return t, true
		}
		if strings.HasPrefix(t, "[^") || c == 'A' || c == 'Z' {
			return "", false
		}
		return strings.TrimSuffix(strings.TrimPrefix(t, "["), "]"), true
	}
	if isWord(c) && c != '_' || c >= utf8.RuneSelf {
		return "", false
	}
	return regexp.QuoteMeta(string(c)), true
}
