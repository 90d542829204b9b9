package pyexpr

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"go.starlark.net/starlark"
)

type strMethod = func(s string, args starlark.Tuple) (starlark.Value, error)

// strMethods are the methods of strings. One that is missing here is not
// understood, which is an error and never another result.
var strMethods map[string]strMethod

func init() {
	strMethods = map[string]strMethod{
		"lower":      plainMethod(0, 0, func(s string, _ []string) (starlark.Value, error) { return caseChange(strings.ToLower, s) }),
		"upper":      plainMethod(0, 0, func(s string, _ []string) (starlark.Value, error) { return caseChange(strings.ToUpper, s) }),
		"title":      plainMethod(0, 0, func(s string, _ []string) (starlark.Value, error) { return caseChange(title, s) }),
		"capitalize": plainMethod(0, 0, func(s string, _ []string) (starlark.Value, error) { return caseChange(capitalize, s) }),
		"strip":      trim(true, true), "lstrip": trim(true, false), "rstrip": trim(false, true),
		"startswith": affix(strings.HasPrefix), "endswith": affix(strings.HasSuffix),
		"replace": replace, "split": split, "rsplit": rsplit, "join": join, "format": format,
		"removeprefix": plainMethod(1, 1, func(s string, a []string) (starlark.Value, error) { return Str(strings.TrimPrefix(s, a[0])), nil }),
		"removesuffix": plainMethod(1, 1, func(s string, a []string) (starlark.Value, error) { return Str(strings.TrimSuffix(s, a[0])), nil }),
		"find":         plainMethod(1, 1, func(s string, a []string) (starlark.Value, error) { return runeIndex(s, strings.Index(s, a[0])), nil }),
		"rfind": plainMethod(1, 1, func(s string, a []string) (starlark.Value, error) {
			return runeIndex(s, strings.LastIndex(s, a[0])), nil
		}),
		"index": plainMethod(1, 1, mustFind(strings.Index)), "rindex": plainMethod(1, 1, mustFind(strings.LastIndex)),
		"count": plainMethod(1, 1, func(s string, a []string) (starlark.Value, error) {
			return starlark.MakeInt(strings.Count(s, a[0])), nil
		}),
		"partition": plainMethod(1, 1, func(s string, a []string) (starlark.Value, error) {
			return partition(s, a[0], strings.Index(s, a[0]), false)
		}),
		"rpartition": plainMethod(1, 1, func(s string, a []string) (starlark.Value, error) {
			return partition(s, a[0], strings.LastIndex(s, a[0]), true)
		}),
		"isdigit": ascii(func(c byte) bool { return c >= '0' && c <= '9' }), "isalpha": ascii(func(c byte) bool { return isWord(c) && c != '_' && c > '9' }),
		"isalnum": ascii(func(c byte) bool { return isWord(c) && c != '_' }), "isupper": cased(unicode.IsLower), "islower": cased(unicode.IsUpper),
	}
}

// plainMethod is a method whose arguments are strings.
func plainMethod(least, most int, f func(s string, args []string) (starlark.Value, error)) strMethod {
	return func(s string, args starlark.Tuple) (starlark.Value, error) {
		if len(args) < least || len(args) > most {
			return nil, fmt.Errorf("a method with %d arguments is not understood", len(args))
		}
		strs := make([]string, len(args))
		for i, a := range args {
			t, ok := a.(Str)
			if !ok {
				return nil, fmt.Errorf("a method with a %s as argument is not understood", a.Type())
			}
			strs[i] = string(t)
		}
		return f(s, strs)
	}
}

// caseChange refuses characters whose case Python changes by rules of more than
// one character.
func caseChange(f func(string) string, s string) (starlark.Value, error) {
	for _, r := range s {
		switch {
		case strings.ContainsRune("İΣßŉǰΐΰև", r), r >= 0x1e96 && r <= 0x1e9e, r >= 0x1f50 && r <= 0x1fff, r >= 0xfb00 && r <= 0xfb17:
			return nil, fmt.Errorf("the case of %q is not changed just as Python would", r)
		}
	}
	return Str(f(s)), nil
}

func title(s string) string {
	inWord := false
	return strings.Map(func(r rune) rune {
		was := inWord
		inWord = unicode.IsUpper(r) || unicode.IsLower(r) || unicode.IsTitle(r)
		if was {
			return unicode.ToLower(r)
		}
		return unicode.ToTitle(r)
	}, s)
}

func capitalize(s string) string {
	first := true
	return strings.Map(func(r rune) rune {
		was := first
		first = false
		if was {
			return unicode.ToTitle(r)
		}
		return unicode.ToLower(r)
	}, s)
}

// space is Python's str.isspace for one character, which also counts the four
// ASCII separators.
func space(r rune) bool { return unicode.IsSpace(r) || r >= 0x1c && r <= 0x1f }

func trim(left, right bool) strMethod {
	return func(s string, args starlark.Tuple) (starlark.Value, error) {
		in := space
		if len(args) == 1 && args[0] != starlark.None {
			set, ok := args[0].(Str)
			if !ok {
				return nil, raise("TypeError", "strip arg must be None or str")
			}
			in = func(r rune) bool { return strings.ContainsRune(string(set), r) }
		} else if len(args) > 1 {
			return nil, raise("TypeError", "strip expected at most 1 argument")
		}
		if left {
			s = strings.TrimLeftFunc(s, in)
		}
		if right {
			s = strings.TrimRightFunc(s, in)
		}
		return Str(s), nil
	}
}

// affix is startswith or endswith, which also take a tuple.
func affix(test func(s, part string) bool) strMethod {
	return func(s string, args starlark.Tuple) (starlark.Value, error) {
		if len(args) != 1 {
			return nil, fmt.Errorf("startswith or endswith with %d arguments is not understood", len(args))
		}
		parts, ok := args[0].(starlark.Tuple)
		if !ok {
			parts = starlark.Tuple{args[0]}
		}
		for _, p := range parts {
			part, ok := p.(Str)
			if !ok {
				return nil, raise("TypeError", "startswith first arg must be str or a tuple of str, not %s", p.Type())
			}
			if test(s, string(part)) {
				return starlark.True, nil
			}
		}
		return starlark.False, nil
	}
}

func count(args starlark.Tuple, at int) (int, error) {
	if len(args) <= at {
		return -1, nil
	}
	n, err := starlark.AsInt32(args[at])
	if err != nil || len(args) > at+1 {
		return 0, fmt.Errorf("these arguments are not understood")
	}
	return n, nil
}

func replace(s string, args starlark.Tuple) (starlark.Value, error) {
	n, err := count(args, 2)
	if err != nil || len(args) < 2 {
		return nil, fmt.Errorf("replace with these arguments is not understood")
	}
	from, ok1 := args[0].(Str)
	to, ok2 := args[1].(Str)
	if !ok1 || !ok2 {
		return nil, raise("TypeError", "replace argument must be str")
	}
	if len(s)+strings.Count(s, string(from))*len(to) > maxSize {
		return nil, errTooLong
	}
	return Str(strings.Replace(s, string(from), string(to), n)), nil
}

// separator reads the arguments of split; sep is "" for white space.
func separator(args starlark.Tuple) (sep string, most int, err error) {
	if most, err = count(args, 1); err != nil || len(args) == 0 || args[0] == starlark.None {
		return "", most, err
	}
	t, ok := args[0].(Str)
	if !ok {
		return "", 0, raise("TypeError", "must be str or None, not %s", args[0].Type())
	}
	if t == "" {
		return "", 0, raise("ValueError", "empty separator")
	}
	return string(t), most, nil
}

func strs(parts []string) starlark.Value {
	out := make([]starlark.Value, len(parts))
	for i, p := range parts {
		out[i] = Str(p)
	}
	return starlark.NewList(out)
}

func split(s string, args starlark.Tuple) (starlark.Value, error) {
	sep, most, err := separator(args)
	switch {
	case err != nil:
		return nil, err
	case sep == "" && most >= 0:
		return nil, fmt.Errorf("split at white space with a limit is not understood")
	case sep == "":
		return strs(strings.FieldsFunc(s, space)), nil
	case most < 0:
		return strs(strings.Split(s, sep)), nil
	}
	return strs(strings.SplitN(s, sep, most+1)), nil
}

func rsplit(s string, args starlark.Tuple) (starlark.Value, error) {
	sep, most, err := separator(args)
	if err != nil || most < 0 || sep == "" {
		if err == nil && most >= 0 {
			err = fmt.Errorf("rsplit at white space with a limit is not understood")
		}
		if err != nil {
			return nil, err
		}
		return split(s, args)
	}
	var parts []string
	for ; most > 0; most-- {
		i := strings.LastIndex(s, sep)
		if i < 0 {
			break
		}
		parts = append([]string{s[i+len(sep):]}, parts...)
		s = s[:i]
	}
	return strs(append([]string{s}, parts...)), nil
}

func join(s string, args starlark.Tuple) (starlark.Value, error) {
	if len(args) != 1 {
		return nil, raise("TypeError", "join takes exactly one argument")
	}
	elems, err := elements(args[0])
	if err != nil {
		return nil, err
	}
	parts, size := make([]string, len(elems)), 0
	for i, x := range elems {
		t, ok := x.(Str)
		if !ok {
			return nil, raise("TypeError", "sequence item %d: expected str instance, %s found", i, x.Type())
		}
		parts[i] = string(t)
		if size += len(t) + len(s); size > maxSize {
			return nil, errTooLong
		}
	}
	return Str(strings.Join(parts, s)), nil
}

// format is str.format for {} and {0}.
func format(s string, args starlark.Tuple) (starlark.Value, error) {
	var b strings.Builder
	for next := 0; s != ""; {
		i := strings.IndexAny(s, "{}")
		if i < 0 {
			i = len(s)
		}
		b.WriteString(s[:i])
		if s = s[i:]; s == "" {
			break
		}
		if strings.HasPrefix(s, "{{") || strings.HasPrefix(s, "}}") {
			b.WriteByte(s[0])
			s = s[2:]
			continue
		}
		at := next
		switch {
		case strings.HasPrefix(s, "{}"):
			next++
			s = s[2:]
		case len(s) > 2 && s[0] == '{' && s[1] >= '0' && s[1] <= '9' && s[2] == '}' && next == 0:
			at = int(s[1] - '0')
			s = s[3:]
		default:
			return nil, fmt.Errorf("this format is not understood")
		}
		if at >= len(args) {
			return nil, raise("IndexError", "Replacement index %d out of range for positional args tuple", at)
		}
		t, err := plain(args[at])
		if err != nil {
			return nil, err
		}
		b.WriteString(t)
	}
	return limited(b.String())
}

func runeIndex(s string, i int) starlark.Value {
	if i < 0 {
		return starlark.MakeInt(-1)
	}
	return starlark.MakeInt(utf8.RuneCountInString(s[:i]))
}

func mustFind(f func(s, part string) int) func(string, []string) (starlark.Value, error) {
	return func(s string, a []string) (starlark.Value, error) {
		i := f(s, a[0])
		if i < 0 {
			return nil, raise("ValueError", "substring not found")
		}
		return runeIndex(s, i), nil
	}
}

func partition(s, sep string, i int, last bool) (starlark.Value, error) {
	switch {
	case sep == "":
		return nil, raise("ValueError", "empty separator")
	case i < 0 && last:
		return starlark.Tuple{Str(""), Str(""), Str(s)}, nil
	case i < 0:
		return starlark.Tuple{Str(s), Str(""), Str("")}, nil
	}
	return starlark.Tuple{Str(s[:i]), Str(sep), Str(s[i+len(sep):])}, nil
}

// ascii is a test of every character; one beyond ASCII is not understood.
func ascii(f func(byte) bool) strMethod {
	return plainMethod(0, 0, func(s string, _ []string) (starlark.Value, error) {
		all := s != ""
		for i := 0; i < len(s); i++ {
			if s[i] >= utf8.RuneSelf {
				return nil, fmt.Errorf("the class of %q is not understood", s)
			}
			all = all && f(s[i])
		}
		return starlark.Bool(all), nil
	})
}

// cased is isupper or islower: no character of the other case, and one that has
// a case.
func cased(other func(rune) bool) strMethod {
	return plainMethod(0, 0, func(s string, _ []string) (starlark.Value, error) {
		found := false
		for _, r := range s {
			if other(r) || unicode.IsTitle(r) {
				return starlark.False, nil
			}
			found = found || unicode.IsUpper(r) || unicode.IsLower(r)
		}
		return starlark.Bool(found), nil
	})
}
