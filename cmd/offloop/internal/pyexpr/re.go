package pyexpr

import (
	"fmt"
	"regexp"
	"strings"

	"go.starlark.net/starlark"
)

// The flags of re, by Python's numbers.
const (
	flagI = 2
	flagM = 8
	flagS = 16
	flagU = 32
)

// module is a Python module as far as it is known here.
type module struct {
	name  string
	attrs starlark.StringDict
}

// String names the module.
func (m *module) String() string { return "<module " + m.name + ">" }

// Type is "module".
func (m *module) Type() string { return "module" }

// Freeze does nothing: a module does not change.
func (m *module) Freeze() {}

// Truth is true.
func (m *module) Truth() starlark.Bool { return true }

// Hash fails: modules are no keys.
func (m *module) Hash() (uint32, error) { return 0, fmt.Errorf("a module is no key") }

// Attr finds what the module holds.
func (m *module) Attr(name string) (starlark.Value, error) {
	if v, ok := m.attrs[name]; ok {
		return v, nil
	}
	return nil, fmt.Errorf("%s.%s is not understood", m.name, name)
}

// AttrNames lists nothing.
func (m *module) AttrNames() []string { return nil }

// reModule is the module re; its compiled patterns are kept.
func reModule() *module {
	m := &module{name: "re", attrs: starlark.StringDict{"error": starlark.None}}
	for name, f := range map[string]int{"I": flagI, "IGNORECASE": flagI, "M": flagM, "MULTILINE": flagM, "S": flagS, "DOTALL": flagS, "U": flagU, "UNICODE": flagU, "X": 64, "VERBOSE": 64, "A": 256, "ASCII": 256} {
		m.attrs[name] = starlark.MakeInt(f)
	}
	cache := map[string]*regexObject{}
	get := func(v starlark.Value, flags int) (*regexObject, error) {
		if r, ok := v.(*regexObject); ok && flags == 0 {
			return r, nil
		}
		src, ok := v.(Str)
		if !ok {
			return nil, raise("TypeError", "first argument must be string or compiled pattern")
		}
		key := fmt.Sprint(flags, " ", src)
		if cache[key] == nil {
			if len(cache) > 200 {
				clear(cache)
			}
			cache[key] = &regexObject{src: string(src), flags: flags, forms: map[string]*pattern{}}
		}
		return cache[key], nil
	}
	m.attrs["compile"] = named("compile", func(_ *starlark.Thread, args starlark.Tuple, kw []starlark.Tuple) (starlark.Value, error) {
		a, err := reArgs(args, kw, "pattern", "flags")
		if err != nil || a[0] == nil {
			return nil, wrongUse("re.compile")
		}
		flags, err := intArg(a[1])
		if err != nil {
			return nil, err
		}
		r, err := get(a[0], flags)
		if err == nil {
			_, err = r.form("search")
		}
		return r, err
	})
	m.attrs["escape"] = named("escape", func(_ *starlark.Thread, args starlark.Tuple, _ []starlark.Tuple) (starlark.Value, error) {
		s, ok := Str(""), false
		if len(args) == 1 {
			s, ok = args[0].(Str)
		}
		if !ok {
			return nil, wrongUse("re.escape")
		}
		return escape(string(s)), nil
	})
	for name, params := range methodParams {
		m.attrs[name] = named(name, func(t *starlark.Thread, args starlark.Tuple, kw []starlark.Tuple) (starlark.Value, error) {
			a, err := reArgs(args, kw, append([]string{"pattern"}, append(params, "flags")...)...)
			if err != nil || a[0] == nil {
				return nil, wrongUse("re." + name)
			}
			flags, err := intArg(a[len(a)-1])
			if err != nil {
				return nil, err
			}
			r, err := get(a[0], flags)
			if err != nil {
				return nil, err
			}
			return r.do(t, name, a[1:len(a)-1])
		})
	}
	return m
}

// methodParams are the parameters of the functions behind the pattern.
var methodParams = map[string][]string{
	"search": {"string"}, "match": {"string"}, "fullmatch": {"string"}, "findall": {"string"}, "sub": {"repl", "string", "count"}, "split": {"string", "maxsplit"},
}

// reArgs puts positional and named arguments in their places.
func reArgs(args starlark.Tuple, kw []starlark.Tuple, names ...string) ([]starlark.Value, error) {
	out := make([]starlark.Value, len(names))
	if len(args) > len(names) {
		return nil, wrongUse("re")
	}
	copy(out, args)
	for _, k := range kw {
		at := -1
		for i, n := range names {
			if name, _ := starlark.AsString(k[0]); name == n && out[i] == nil {
				at = i
			}
		}
		if at < 0 {
			return nil, wrongUse("re")
		}
		out[at] = k[1]
	}
	return out, nil
}

func intArg(v starlark.Value) (int, error) {
	if v == nil {
		return 0, nil
	}
	return starlark.AsInt32(v)
}

// escape is re.escape.
func escape(s string) Str {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if strings.IndexByte("()[]{}?*+-|^$\\.&~# \t\n\r\v\f", s[i]) >= 0 {
			b.WriteByte('\\')
		}
		b.WriteByte(s[i])
	}
	return Str(b.String())
}

// regexObject is what re.compile returns. Its forms are compiled on first use.
type regexObject struct {
	src   string
	flags int
	forms map[string]*pattern
}

// String names the pattern.
func (r *regexObject) String() string { return fmt.Sprintf("re.compile(%q)", r.src) }

// Type is "Pattern".
func (r *regexObject) Type() string { return "Pattern" }

// Freeze does nothing that can be seen.
func (r *regexObject) Freeze() {}

// Truth is true.
func (r *regexObject) Truth() starlark.Bool { return true }

// Hash is that of the pattern's text.
func (r *regexObject) Hash() (uint32, error) { return starlark.String(r.src).Hash() }

// AttrNames lists nothing.
func (r *regexObject) AttrNames() []string { return nil }

// Attr finds a method.
func (r *regexObject) Attr(name string) (starlark.Value, error) {
	params, ok := methodParams[name]
	if name == "pattern" {
		return Str(r.src), nil
	}
	if !ok {
		return nil, nil
	}
	return named(name, func(t *starlark.Thread, args starlark.Tuple, kw []starlark.Tuple) (starlark.Value, error) {
		a, err := reArgs(args, kw, params...)
		if err != nil {
			return nil, err
		}
		return r.do(t, name, a)
	}), nil
}

func (r *regexObject) form(how string) (*pattern, error) {
	if p := r.forms[how]; p != nil {
		return p, nil
	}
	prefix, suffix := "", ""
	switch how {
	case "match":
		prefix = `\A`
	case "fullmatch":
		prefix, suffix = `\A`, `\z`
	}
	p, err := compilePattern(r.src, r.flags, prefix, suffix, how == "sub" || how == "split" || how == "findall")
	if err == nil {
		r.forms[how] = p
	}
	return p, err
}

// do runs one of the functions; a missing argument is nil.
func (r *regexObject) do(t *starlark.Thread, how string, a []starlark.Value) (starlark.Value, error) {
	p, err := r.form(how)
	if err != nil {
		return nil, err
	}
	at := 0
	if how == "sub" {
		at = 1
	}
	subject, ok := a[at].(Str)
	if !ok {
		return nil, raise("TypeError", "expected string or bytes-like object")
	}
	s := string(subject)
	if err := p.fits(s); err != nil {
		return nil, err
	}
	t.Steps += uint64(len(s) / 4)
	switch how {
	case "sub":
		return p.sub(t, a[0], s, a[2])
	case "split":
		return p.split(s, a[1])
	case "findall":
		return p.findAll(s), nil
	}
	m := p.re.FindStringSubmatchIndex(s)
	if m == nil {
		return starlark.None, nil
	}
	return &match{p.re, s, m}, nil
}

func (p *pattern) sub(t *starlark.Thread, repl starlark.Value, s string, limit starlark.Value) (starlark.Value, error) {
	n, err := intArg(limit)
	if err != nil || n < 0 {
		return nil, wrongUse("re.sub")
	}
	if n == 0 {
		n = -1
	}
	var b strings.Builder
	last := 0
	for _, m := range p.re.FindAllStringSubmatchIndex(s, n) {
		b.WriteString(s[last:m[0]])
		last = m[1]
		switch repl := repl.(type) {
		case Str:
			if err := expand(&b, p.re, string(repl), s, m); err != nil {
				return nil, err
			}
		case starlark.Callable:
			v, err := starlark.Call(t, repl, starlark.Tuple{&match{p.re, s, m}}, nil)
			if err != nil {
				return nil, err
			}
			text, ok := v.(Str)
			if !ok {
				return nil, wrongUse("re.sub")
			}
			b.WriteString(string(text))
		default:
			return nil, wrongUse("re.sub")
		}
		if b.Len() > maxSize {
			return nil, errTooLong
		}
	}
	b.WriteString(s[last:])
	return limited(b.String())
}

func (p *pattern) split(s string, limit starlark.Value) (starlark.Value, error) {
	n, err := intArg(limit)
	if err != nil || p.re.NumSubexp() > 0 || n < 0 {
		return nil, wrongUse("re.split")
	}
	if n == 0 {
		n = -1
	} else {
		n++
	}
	return strs(p.re.Split(s, n)), nil
}

func (p *pattern) findAll(s string) starlark.Value {
	var out []starlark.Value
	for _, m := range p.re.FindAllStringSubmatch(s, -1) {
		switch len(m) {
		case 1, 2:
			out = append(out, Str(m[len(m)-1]))
		default:
			t := make(starlark.Tuple, len(m)-1)
			for i := range t {
				t[i] = Str(m[i+1])
			}
			out = append(out, t)
		}
	}
	return starlark.NewList(out)
}

// expand writes a replacement: \1 to \9, \g<1>, \g<name>, \\ and \n.
func expand(b *strings.Builder, re *regexp.Regexp, repl, subject string, m []int) error {
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
			return fmt.Errorf("a replacement that ends in a backslash is not understood")
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
			return fmt.Errorf("the replacement %q is not understood", repl)
		}
		if m[2*group] >= 0 {
			b.WriteString(subject[m[2*group]:m[2*group+1]])
		}
	}
	return nil
}

// match is a match object.
type match struct {
	re *regexp.Regexp
	s  string
	at []int
}

// String describes the match.
func (m *match) String() string { return fmt.Sprintf("<match %q>", m.s[m.at[0]:m.at[1]]) }

// Type is "Match".
func (m *match) Type() string { return "Match" }

// Freeze does nothing: a match does not change.
func (m *match) Freeze() {}

// Truth is true.
func (m *match) Truth() starlark.Bool { return true }

// Hash fails: a match is no key.
func (m *match) Hash() (uint32, error) { return 0, fmt.Errorf("a match is no key") }

// AttrNames lists nothing.
func (m *match) AttrNames() []string { return nil }

// Attr finds group, groups, start and end.
func (m *match) Attr(name string) (starlark.Value, error) {
	switch name {
	case "group":
		return named(name, func(_ *starlark.Thread, args starlark.Tuple, _ []starlark.Tuple) (starlark.Value, error) {
			if len(args) == 0 {
				return m.group(starlark.MakeInt(0))
			}
			if len(args) == 1 {
				return m.group(args[0])
			}
			out := make(starlark.Tuple, len(args))
			for i, a := range args {
				v, err := m.group(a)
				if err != nil {
					return nil, err
				}
				out[i] = v
			}
			return out, nil
		}), nil
	case "groups":
		return named(name, func(_ *starlark.Thread, args starlark.Tuple, _ []starlark.Tuple) (starlark.Value, error) {
			if len(args) > 0 {
				return nil, wrongUse("groups")
			}
			out := make(starlark.Tuple, m.re.NumSubexp())
			for i := range out {
				out[i], _ = m.group(starlark.MakeInt(i + 1))
			}
			return out, nil
		}), nil
	case "start", "end":
		at := m.at[0]
		if name == "end" {
			at = m.at[1]
		}
		return named(name, func(_ *starlark.Thread, args starlark.Tuple, _ []starlark.Tuple) (starlark.Value, error) {
			if len(args) > 0 {
				return nil, wrongUse(name)
			}
			return runeIndex(m.s, at), nil
		}), nil
	}
	return nil, nil
}

// Get is m[1] or m["name"].
func (m *match) Get(k starlark.Value) (starlark.Value, bool, error) {
	v, err := m.group(k)
	return v, err == nil, err
}

func (m *match) group(k starlark.Value) (starlark.Value, error) {
	i := -1
	switch k := k.(type) {
	case Str:
		i = m.re.SubexpIndex(string(k))
	case starlark.Int:
		if n, err := starlark.AsInt32(k); err == nil {
			i = n
		}
	}
	if i < 0 || i > m.re.NumSubexp() {
		return nil, raise("IndexError", "no such group")
	}
	if m.at[2*i] < 0 {
		return starlark.None, nil
	}
	return Str(m.s[m.at[2*i]:m.at[2*i+1]]), nil
}
