package pyexpr

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"go.starlark.net/starlark"
)

// reserved begins the names only this package may use.
const reserved = "_offloop_"

// consts gathers the strings of a source as named constants. The names are
// counted for a whole scope, since functions look them up when they run.
type consts struct {
	values starlark.StringDict
	next   *int
}

func (c consts) name(s string) string {
	n := reserved + "s" + strconv.Itoa(*c.next)
	*c.next++
	c.values[n] = Str(s)
	return n
}

// starlarkWords are names in Python and keywords in Starlark, and the reverse;
// neither is understood.
var starlarkWords = []string{"load", "async", "await", "class", "del", "except", "finally", "global", "nonlocal", "raise", "try", "with", "yield", "assert", "print", "exec"}

// render writes a logical line as Starlark.
func (c consts) render(toks []token) (string, error) {
	toks, err := identities(toks)
	if err != nil {
		return "", err
	}
	toks = generators(toks)
	var b strings.Builder
	for i, t := range toks {
		switch {
		case t.kind == stringToken:
			b.WriteString(c.name(t.text))
		case t.kind == nameToken && slices.Contains(starlarkWords, t.text) && (i == 0 || !toks[i-1].is(".")):
			return "", fmt.Errorf("%q is not understood", t.text)
		default:
			b.WriteString(t.text)
		}
		b.WriteByte(' ')
	}
	return b.String(), nil
}

// identities turns "is None" into "== None"; of the other constants only
// identity with themselves is the same as equality.
func identities(toks []token) ([]token, error) {
	if !slices.ContainsFunc(toks, func(t token) bool { return t.kind == nameToken && t.text == "is" }) {
		return toks, nil
	}
	var out []token
	for i := 0; i < len(toks); i++ {
		if !(toks[i].kind == nameToken && toks[i].text == "is") {
			out = append(out, toks[i])
			continue
		}
		op := "=="
		if i+1 < len(toks) && toks[i+1].is("not") {
			op = "!="
			i++
		}
		if i+1 >= len(toks) || !toks[i+1].is("None") {
			return nil, fmt.Errorf(`"is" with anything but None is not understood`)
		}
		out = append(out, token{opToken, op})
	}
	return out, nil
}

// bracket is one open bracket while generators looks for what it holds.
type bracket struct {
	at      int // its index in the output
	text    string
	loop    bool // holds "for" at its own level
	colon   bool // holds ":" outside a lambda
	content bool
	lambda  int
}

// generators turns generator expressions into lists, and sets of braces into
// calls of set().
func generators(toks []token) []token {
	var out []token
	var open []*bracket
	for _, t := range toks {
		var top *bracket
		if len(open) > 0 {
			top = open[len(open)-1]
		}
		switch {
		case t.is("(") || t.is("[") || t.is("{"):
			if top != nil {
				top.content = true
			}
			open = append(open, &bracket{at: len(out), text: t.text})
			out = append(out, t)
			continue
		case (t.is(")") || t.is("]") || t.is("}")) && top != nil:
			open = open[:len(open)-1]
			out = closeBracket(out, top, t)
			continue
		}
		if top != nil {
			top.note(t)
		}
		out = append(out, t)
	}
	return out
}

func (b *bracket) note(t token) {
	switch {
	case t.is("for"):
		b.loop = true
	case t.is("lambda"):
		b.lambda++
	case t.is(":") && b.lambda > 0:
		b.lambda--
	case t.is(":"):
		b.colon = true
	}
	b.content = true
}

func closeBracket(out []token, b *bracket, t token) []token {
	switch {
	case b.text == "(" && b.loop:
		out = slices.Insert(out, b.at+1, token{opToken, "["})
		return append(out, token{opToken, "]"}, t)
	case b.text == "{" && !b.colon && b.content:
		out[b.at] = token{opToken, "["}
		out = slices.Insert(out, b.at, token{nameToken, "set"}, token{opToken, "("})
		return append(out, token{opToken, "]"}, token{opToken, ")"})
	}
	return append(out, t)
}

// program writes logical lines as Starlark source in which every logical line
// keeps its number. relax takes the import lines, which become assignments.
func (c consts) program(lines []logical, imports func([]token) ([]string, error)) (string, error) {
	var b strings.Builder
	row := 1
	for i := 0; i < len(lines); i++ {
		l := lines[i]
		for ; row < l.line; row++ {
			b.WriteByte('\n')
		}
		var text string
		var err error
		switch {
		case l.toks[0].is("import") || l.toks[0].is("from"):
			var stmts []string
			stmts, err = imports(l.toks)
			if text = strings.Join(stmts, "; "); text == "" {
				text = "pass"
			}
		case l.toks[0].is("try"):
			var used int
			text, used, err = c.tryReturn(lines[i:])
			i += used - 1
		case l.toks[0].is("def"):
			text, err = c.render(withoutHints(l.toks))
		default:
			text, err = c.render(l.toks)
		}
		if err != nil {
			return "", fmt.Errorf("line %d: %w", l.line, err)
		}
		b.WriteString(l.indent + text + "\n")
		row++
	}
	return b.String(), nil
}

// tryReturn reads the one form of try that has a meaning without exceptions:
// one value, or, where that cannot be had, another.
//
//	try:                       return _try(lambda: A, lambda: B)
//	    return A        ->
//	except KeyError:
//	    return B
func (c consts) tryReturn(lines []logical) (text string, used int, err error) {
	refuse := fmt.Errorf("this try is not understood")
	var flat []token // the tokens of "try : S except E : S", blocks inlined
	var parts [][]token
	kinds := ""
	for used < len(lines) && len(parts) < 2 {
		head := lines[used]
		colon := slices.IndexFunc(head.toks, func(t token) bool { return t.is(":") })
		if colon < 0 || head.indent != lines[0].indent || used > 0 && !head.toks[0].is("except") {
			return "", 0, refuse
		}
		flat = head.toks[colon+1:]
		used++
		if len(flat) == 0 {
			if used >= len(lines) || len(lines[used].indent) <= len(head.indent) {
				return "", 0, refuse
			}
			flat = lines[used].toks
			used++
		}
		parts = append(parts, flat)
		if len(parts) == 2 {
			var ok bool
			if kinds, ok = caught(head.toks[1:colon]); !ok {
				return "", 0, refuse
			}
		}
	}
	if len(parts) < 2 || used < len(lines) && goesOn(lines[0], lines[used]) {
		return "", 0, refuse
	}
	lead, a, b := sameLead(parts[0], parts[1])
	if lead == nil {
		return "", 0, refuse
	}
	var out [3]string
	for i, toks := range [][]token{lead, a, b} {
		if out[i], err = c.render(toks); err != nil {
			return "", 0, err
		}
	}
	return fmt.Sprintf("%s %stry(lambda: (%s), lambda: (%s), %s)", out[0], reserved, out[1], out[2], c.name(kinds)), used, nil
}

// goesOn tells whether a line still belongs to the try.
func goesOn(try, next logical) bool {
	first := next.toks[0]
	return len(next.indent) > len(try.indent) ||
		next.indent == try.indent && (first.is("except") || first.is("else") || first.is("finally"))
}

// caught reads the exceptions of an except line, all of them a PyError's.
func caught(toks []token) (kinds string, ok bool) {
	for _, t := range toks {
		switch {
		case t.kind == opToken:
		case slices.Contains([]string{"KeyError", "IndexError", "ValueError", "TypeError", "LookupError", "Exception"}, t.text):
			kinds += t.text + " "
		default:
			return "", false
		}
	}
	return kinds, true
}

// sameLead splits "return A" and "return B", or "x = A" and "x = B".
func sameLead(p, q []token) (lead, a, b []token) {
	if len(p) > 1 && len(q) > 1 && p[0].is("return") && q[0].is("return") {
		return p[:1], p[1:], q[1:]
	}
	if len(p) > 2 && len(q) > 2 && p[0].kind == nameToken && q[0] == p[0] && p[1].is("=") && q[1].is("=") {
		return p[:2], p[2:], q[2:]
	}
	return nil, nil, nil
}

// withoutHints drops the types of a def's parameters and result.
func withoutHints(toks []token) []token {
	var out []token
	depth, skip := 0, false
	for i, t := range toks {
		switch {
		case t.is("(") || t.is("[") || t.is("{"):
			depth++
		case t.is(")") || t.is("]") || t.is("}"):
			depth--
		}
		switch {
		case skip && depth == 1 && (t.is(",") || t.is("=")), skip && depth == 0 && (t.is(":") || t.is(")")):
			skip = false
		case depth == 1 && t.is(":") && i > 0 && toks[i-1].kind == nameToken && !defaultBefore(toks[:i]):
			skip = true
		case depth == 0 && t.is("->"):
			skip = true
		}
		if !skip {
			out = append(out, t)
		}
	}
	return out
}

// defaultBefore tells of a ":" that belongs to a default value, as a lambda's.
func defaultBefore(toks []token) bool {
	for i := len(toks) - 1; i >= 0; i-- {
		switch {
		case toks[i].is(","), toks[i].is("("):
			return false
		case toks[i].is("="), toks[i].is("lambda"):
			return true
		}
	}
	return false
}
