package config

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// pyBuiltins are the functions an expression may call.
var pyBuiltins = map[string]func(args []any) (any, error){
	"len": func(a []any) (any, error) {
		if len(a) == 1 {
			switch v := a[0].(type) {
			case string:
				return int64(utf8.RuneCountInString(v)), nil
			case pyList:
				return int64(len(v)), nil
			case pyTuple:
				return int64(len(v)), nil
			case pyDict:
				return int64(len(v)), nil
			}
		}
		return nil, unsupported("this use of len")
	},
	"bool": func(a []any) (any, error) {
		if len(a) != 1 {
			return nil, unsupported("this use of bool")
		}
		return truth(a[0]), nil
	},
	"str": func(a []any) (any, error) {
		if len(a) == 1 {
			if s, ok := a[0].(string); ok {
				return s, nil
			}
		}
		return nil, unsupported("this use of str")
	},
	"any": func(a []any) (any, error) { return quantify("any", a, true) },
	"all": func(a []any) (any, error) { return quantify("all", a, false) },
	"list": func(a []any) (any, error) {
		if len(a) != 1 {
			return nil, unsupported("this use of list")
		}
		v, err := iterate(a[0])
		return pyList(v), err
	},
	"tuple": func(a []any) (any, error) {
		if len(a) != 1 {
			return nil, unsupported("this use of tuple")
		}
		v, err := iterate(a[0])
		return pyTuple(v), err
	},
}

func quantify(name string, a []any, found bool) (any, error) {
	if len(a) != 1 {
		return nil, unsupported("this use of %s", name)
	}
	elems, err := iterate(a[0])
	if err != nil {
		return nil, err
	}
	for _, x := range elems {
		if truth(x) == found {
			return found, nil
		}
	}
	return !found, nil
}

// method reads "name(args)" behind a dot.
func (p *pyParser) method(of node) (node, error) {
	t := p.cur()
	f, ok := pyMethods[t.text]
	if t.kind != tokName || !ok {
		return nil, fmt.Errorf("the attribute %q is not understood", t.text)
	}
	p.pos++
	if err := p.need("("); err != nil {
		return nil, err
	}
	args, err := p.args()
	return callNode(func(e *env, a []any) (any, error) {
		v, err := f(a[0], a[1:])
		if s, ok := v.(string); ok && err == nil {
			err = e.spend(len(s))
		}
		return v, err
	}, append([]node{of}, args...)), err
}

// pyMethods are the methods of strings and dictionaries an expression may call.
var pyMethods = map[string]func(self any, args []any) (any, error){
	"get":        dictGet,
	"keys":       dictKeys,
	"lower":      strMethod(0, 0, func(s string, _ []string) (any, error) { return pyLower(s) }),
	"upper":      strMethod(0, 0, func(s string, _ []string) (any, error) { return pyUpper(s) }),
	"title":      strMethod(0, 0, func(s string, _ []string) (any, error) { return pyTitle(s) }),
	"capitalize": strMethod(0, 0, func(s string, _ []string) (any, error) { return pyCapitalize(s) }),
	"strip":      strMethod(0, 1, func(s string, a []string) (any, error) { return strip(s, a, true, true), nil }),
	"lstrip":     strMethod(0, 1, func(s string, a []string) (any, error) { return strip(s, a, true, false), nil }),
	"rstrip":     strMethod(0, 1, func(s string, a []string) (any, error) { return strip(s, a, false, true), nil }),
	"replace": strMethod(2, 2, func(s string, a []string) (any, error) {
		if grown := len(s) + strings.Count(s, a[0])*len(a[1]); grown > maxString {
			return nil, unsupported("so long a value")
		}
		return strings.ReplaceAll(s, a[0], a[1]), nil
	}),
	"startswith": affix(strings.HasPrefix),
	"endswith":   affix(strings.HasSuffix),
	"split": strMethod(1, 1, func(s string, a []string) (any, error) {
		if a[0] == "" {
			return nil, fmt.Errorf("ValueError: empty separator")
		}
		out := pyList{}
		for _, part := range strings.Split(s, a[0]) {
			out = append(out, part)
		}
		return out, nil
	}),
	"join": strJoin,
}

func strMethod(least, most int, f func(s string, args []string) (any, error)) func(any, []any) (any, error) {
	return func(self any, args []any) (any, error) {
		s, ok := self.(string)
		if !ok {
			return nil, unsupported("a string's method on %s", typeName(self))
		}
		if len(args) < least || len(args) > most {
			return nil, unsupported("a method with %d arguments", len(args))
		}
		strs := make([]string, len(args))
		for i, a := range args {
			if strs[i], ok = a.(string); !ok {
				return nil, unsupported("a method with %s as argument", typeName(a))
			}
		}
		return f(s, strs)
	}
}

// affix is startswith or endswith, which also take a tuple.
func affix(test func(s, part string) bool) func(any, []any) (any, error) {
	return func(self any, args []any) (any, error) {
		s, ok := self.(string)
		if !ok || len(args) != 1 {
			return nil, unsupported("this use of startswith or endswith")
		}
		parts := []any{args[0]}
		if t, ok := args[0].(pyTuple); ok {
			parts = t
		}
		for _, x := range parts {
			part, ok := x.(string)
			if !ok {
				return nil, unsupported("startswith or endswith with %s", typeName(x))
			}
			if test(s, part) {
				return true, nil
			}
		}
		return false, nil
	}
}

func strJoin(self any, args []any) (any, error) {
	s, ok := self.(string)
	if !ok || len(args) != 1 {
		return nil, unsupported("this use of join")
	}
	elems, err := iterate(args[0])
	if err != nil {
		return nil, err
	}
	parts, size := make([]string, len(elems)), 0
	for i, x := range elems {
		if parts[i], ok = x.(string); !ok {
			return nil, unsupported("join of %s", typeName(x))
		}
		if size += len(parts[i]) + len(s); size > maxString {
			return nil, unsupported("so long a value")
		}
	}
	return strings.Join(parts, s), nil
}

func dictGet(self any, args []any) (any, error) {
	d, ok := self.(pyDict)
	if !ok || len(args) < 1 || len(args) > 2 {
		return nil, unsupported("this use of get")
	}
	if k, ok := args[0].(string); ok {
		if v, ok := d[k]; ok {
			return v, nil
		}
	}
	if len(args) == 2 {
		return args[1], nil
	}
	return nil, nil
}

func dictKeys(self any, args []any) (any, error) {
	d, ok := self.(pyDict)
	if !ok || len(args) != 0 {
		return nil, unsupported("this use of keys")
	}
	return d, nil // only "in" looks at it
}

func strip(s string, args []string, left, right bool) string {
	in := pySpace
	if len(args) == 1 {
		in = func(r rune) bool { return strings.ContainsRune(args[0], r) }
	}
	if left {
		s = strings.TrimLeftFunc(s, in)
	}
	if right {
		s = strings.TrimRightFunc(s, in)
	}
	return s
}

// caseTrap are characters whose case Python changes by rules of more than one
// character; a name with one is not guessed at.
func caseTrap(s string) error {
	for _, r := range s {
		switch {
		case r == 'İ' || r == 'Σ' || r == 'ß' || r == 'ŉ' || r == 'ǰ' || r == 'ΐ' || r == 'ΰ' || r == 'և',
			r >= 0x1e96 && r <= 0x1e9e, r >= 0x1f50 && r <= 0x1fff, r >= 0xfb00 && r <= 0xfb17, r == utf8.RuneError:
			return fmt.Errorf("the case of %q cannot be changed just as Python would", r)
		}
	}
	return nil
}

func pyLower(s string) (any, error) { return strings.ToLower(s), caseTrap(s) }
func pyUpper(s string) (any, error) { return strings.ToUpper(s), caseTrap(s) }

func pyTitle(s string) (any, error) {
	inWord := false
	out := strings.Map(func(r rune) rune {
		cased := unicode.IsUpper(r) || unicode.IsLower(r) || unicode.IsTitle(r)
		was := inWord
		inWord = cased
		if was {
			return unicode.ToLower(r)
		}
		return unicode.ToTitle(r)
	}, s)
	return out, caseTrap(s)
}

func pyCapitalize(s string) (any, error) {
	first := true
	out := strings.Map(func(r rune) rune {
		was := first
		first = false
		if was {
			return unicode.ToTitle(r)
		}
		return unicode.ToLower(r)
	}, s)
	return out, caseTrap(s)
}
