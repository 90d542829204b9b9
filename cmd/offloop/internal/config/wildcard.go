package config

import (
	"fmt"
	"strings"
)

// word is one piece of a list: its text, and which of its bytes were quoted
// and so have no special meaning.
type word struct {
	text   string
	quoted []bool
}

// plain reports whether byte i was written without quotes.
func (w word) plain(i int) bool { return !w.quoted[i] }

// indexPlain finds an unquoted substring.
func (w word) indexPlain(sub string) int {
	for from := 0; ; {
		i := strings.Index(w.text[from:], sub)
		if i < 0 {
			return -1
		}
		i += from
		ok := true
		for j := range len(sub) {
			ok = ok && w.plain(i+j)
		}
		if ok {
			return i
		}
		from = i + 1
	}
}

// cut returns part of a word without unquoted blanks around it.
func (w word) cut(from, to int) word {
	for from < to && w.plain(from) && strings.IndexByte(" \t\n\r", w.text[from]) >= 0 {
		from++
	}
	for to > from && w.plain(to-1) && strings.IndexByte(" \t\n\r", w.text[to-1]) >= 0 {
		to--
	}
	return word{w.text[from:to], w.quoted[from:to]}
}

// splitWords splits at unquoted separators and drops empty pieces. Quotes are
// double quotes; inside them \" and \\ stand for " and \.
func splitWords(s, seps string) ([]word, error) {
	var out []word
	var cur word
	inQuote, wasQuoted := false, false
	add := func(b byte, q bool) {
		cur.text += string([]byte{b})
		cur.quoted = append(cur.quoted, q)
	}
	end := func() {
		if w := cur.cut(0, len(cur.text)); w.text != "" || wasQuoted {
			out = append(out, w)
		}
		cur, wasQuoted = word{}, false
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case inQuote && c == '\\' && i+1 < len(s) && (s[i+1] == '"' || s[i+1] == '\\'):
			i++
			add(s[i], true)
		case c == '"':
			inQuote = !inQuote
			wasQuoted = true
		case !inQuote && strings.IndexByte(seps, c) >= 0:
			end()
		default:
			add(c, inQuote)
		}
	}
	if inQuote {
		return nil, fmt.Errorf("a %q has no partner", '"')
	}
	end()
	return out, nil
}

// glob is a compiled pattern of IMAP LIST: literal bytes with * and %.
type glob struct {
	text string
	wild []bool
}

func newGlob(w word) glob {
	g := glob{text: w.text, wild: make([]bool, len(w.text))}
	literal := true
	for i := range len(w.text) {
		if (w.text[i] == '*' || w.text[i] == '%') && w.plain(i) {
			g.wild[i], literal = true, false
		}
	}
	if literal && strings.EqualFold(g.text, "INBOX") {
		g.text = "INBOX"
	}
	return g
}

// match reports whether a name matches; % stops at sep.
// The time is bounded by len(pattern) × len(name).
func (g glob) match(name, sep string) bool {
	if strings.EqualFold(name, "INBOX") {
		name = "INBOX"
	}
	cur := make([]bool, len(name)+1)
	cur[0] = true
	for i := range len(g.text) {
		next := make([]bool, len(name)+1)
		for j := range cur {
			switch {
			case !g.wild[i]:
				if j < len(name) && cur[j] && name[j] == g.text[i] {
					next[j+1] = true
				}
			case cur[j]:
				next[j] = true
			case j > 0 && next[j-1] && (g.text[i] == '*' || !endsSeparator(name[:j], sep)):
				next[j] = true
			}
		}
		cur = next
	}
	return cur[len(name)]
}

func endsSeparator(s, sep string) bool { return sep != "" && strings.HasSuffix(s, sep) }
