package pyexpr

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"go.starlark.net/starlark"
	"go.starlark.net/syntax"
)

// Bounds on a string in bytes and on a list in elements.
const (
	maxSize = 64 << 10
	maxList = 4096
)

// charge counts the size of a builtin's arguments as steps, which Starlark
// counts only for its own instructions.
func charge(t *starlark.Thread, args ...starlark.Value) {
	for _, a := range args {
		if s, ok := a.(Str); ok {
			t.Steps += uint64(len(s) / 16)
		} else if n := starlark.Len(a); n > 0 {
			t.Steps += uint64(n / 4)
		}
	}
}

// Str is a Python string: a sequence of characters, not of bytes.
type Str string

var (
	_ starlark.Sliceable  = Str("")
	_ starlark.Comparable = Str("")
	_ starlark.HasBinary  = Str("")
	_ starlark.HasAttrs   = Str("")
	_ starlark.Sequence   = Str("")
	_ starlark.Container  = Str("")
)

// PyError is an error Python raises as well.
type PyError struct {
	// Kind is the exception's name.
	Kind string
	Text string
	// File and Line are where a real Python raised it: in the pythonfile, or where the
	// syntax is wrong. File is "" where neither is known.
	File string
	Line int
	// InFile says that the pythonfile itself could not be run.
	InFile bool
	// Asks says that it is getpass that would have asked a person.
	Asks bool
}

// Error is "Kind: text", and the place where it is known.
func (e *PyError) Error() string { return e.Kind + ": " + e.Text + e.Place() }

// Place is " (file, line N)", or "".
func (e *PyError) Place() string {
	if e.File == "" {
		return ""
	}
	return fmt.Sprintf(" (%s, line %d)", e.File, e.Line)
}

func raise(kind, format string, args ...any) error {
	return &PyError{Kind: kind, Text: fmt.Sprintf(format, args...)}
}

var errTooLong = errors.New("a value that long is not understood")

// String is the string quoted, as in messages.
func (s Str) String() string { return fmt.Sprintf("%q", string(s)) }

// Type is "str".
func (s Str) Type() string { return "str" }

// Freeze does nothing: strings never change.
func (s Str) Freeze() {}

// Truth is whether there is a character.
func (s Str) Truth() starlark.Bool { return s != "" }

// Hash is that of the bytes.
func (s Str) Hash() (uint32, error) { return starlark.String(s).Hash() }

// Len counts characters.
func (s Str) Len() int { return utf8.RuneCountInString(string(s)) }

// Index is one character.
func (s Str) Index(i int) starlark.Value { return Str([]rune(string(s))[i : i+1]) }

// Slice is every step-th character.
func (s Str) Slice(start, end, step int) starlark.Value {
	rs := []rune(string(s))
	if step == 1 {
		return Str(rs[start:end])
	}
	var out []rune
	for i := start; step > 0 && i < end || step < 0 && i > end; i += step {
		out = append(out, rs[i])
	}
	return Str(out)
}

// CompareSameType orders by character, as Python does.
func (s Str) CompareSameType(op syntax.Token, y starlark.Value, _ int) (bool, error) {
	c := strings.Compare(string(s), string(y.(Str)))
	switch op {
	case syntax.EQL:
		return c == 0, nil
	case syntax.NEQ:
		return c != 0, nil
	case syntax.LT:
		return c < 0, nil
	case syntax.LE:
		return c <= 0, nil
	case syntax.GT:
		return c > 0, nil
	}
	return c >= 0, nil
}

// Has is "part in string".
func (s Str) Has(y starlark.Value) (bool, error) {
	part, ok := y.(Str)
	if !ok {
		return false, raise("TypeError", "'in <string>' requires string as left operand, not %s", y.Type())
	}
	return strings.Contains(string(s), string(part)), nil
}

// Binary is +, * and %.
func (s Str) Binary(op syntax.Token, y starlark.Value, side starlark.Side) (starlark.Value, error) {
	switch op {
	case syntax.PLUS:
		if t, ok := y.(Str); ok {
			if side == starlark.Right {
				s, t = t, s
			}
			return limited(string(s) + string(t))
		}
	case syntax.STAR:
		if n, ok := y.(starlark.Int); ok {
			i, err := starlark.AsInt32(n)
			if err != nil || i > 0 && len(s) > maxSize/i {
				return nil, errTooLong
			}
			return Str(strings.Repeat(string(s), max(i, 0))), nil
		}
	case syntax.PERCENT:
		if side == starlark.Left {
			return percent(string(s), y)
		}
	}
	return nil, nil
}

func limited(s string) (starlark.Value, error) {
	if len(s) > maxSize {
		return nil, errTooLong
	}
	return Str(s), nil
}

type strIterator struct{ rest []rune }

// Iterate goes over the characters.
func (s Str) Iterate() starlark.Iterator { return &strIterator{[]rune(string(s))} }

// Next gives the next character.
func (it *strIterator) Next(p *starlark.Value) bool {
	if len(it.rest) == 0 {
		return false
	}
	*p = Str(it.rest[:1])
	it.rest = it.rest[1:]
	return true
}

// Done does nothing.
func (it *strIterator) Done() {}

// Attr finds a method.
func (s Str) Attr(name string) (starlark.Value, error) {
	m, ok := strMethods[name]
	if name == "decode" { // Python 2's
		return nil, raise("AttributeError", "'str' object has no attribute 'decode'")
	}
	if !ok {
		return nil, nil
	}
	return starlark.NewBuiltin(name, func(t *starlark.Thread, _ *starlark.Builtin, args starlark.Tuple, kw []starlark.Tuple) (starlark.Value, error) {
		if len(kw) > 0 {
			return nil, fmt.Errorf("%s with named arguments is not understood", name)
		}
		charge(t, s)
		charge(t, args...)
		return m(string(s), args)
	}), nil
}

// AttrNames lists nothing: dir() is not offered.
func (s Str) AttrNames() []string { return nil }

// plain is str() of a value.
func plain(v starlark.Value) (string, error) {
	switch v := v.(type) {
	case Str:
		return string(v), nil
	case starlark.Int:
		return v.String(), nil
	case starlark.Bool, starlark.NoneType:
		return v.String(), nil
	}
	return "", fmt.Errorf("str of a %s is not understood", v.Type())
}

// percent is "%s" formatting; widths and other verbs are not understood.
func percent(format string, arg starlark.Value) (starlark.Value, error) {
	args, isTuple := arg.(starlark.Tuple)
	if !isTuple {
		args = starlark.Tuple{arg}
	}
	mapping, _ := arg.(*starlark.Dict)
	var b strings.Builder
	used := 0
	for i := 0; i < len(format); i++ {
		if format[i] != '%' {
			b.WriteByte(format[i])
			continue
		}
		if i++; i == len(format) {
			return nil, raise("ValueError", "incomplete format")
		}
		if format[i] == '%' {
			b.WriteByte('%')
			continue
		}
		var v starlark.Value
		if format[i] == '(' && mapping != nil {
			end := strings.IndexByte(format[i:], ')')
			if end < 0 || i+end+1 >= len(format) {
				return nil, raise("ValueError", "incomplete format key")
			}
			key := format[i+1 : i+end]
			got, found, err := mapping.Get(Str(key))
			if err != nil || !found {
				return nil, raise("KeyError", "%q", key)
			}
			v, i = got, i+end+1
			used = len(args)
		} else if used < len(args) {
			v = args[used]
			used++
		} else {
			return nil, raise("TypeError", "not enough arguments for format string")
		}
		_, isInt := v.(starlark.Int)
		if format[i] != 's' && !((format[i] == 'd' || format[i] == 'i') && isInt) {
			return nil, fmt.Errorf("the format %%%c is not understood", format[i])
		}
		s, err := plain(v)
		if err != nil {
			return nil, err
		}
		b.WriteString(s)
	}
	if used < len(args) && (mapping == nil || isTuple) {
		return nil, raise("TypeError", "not all arguments converted during string formatting")
	}
	return limited(b.String())
}
