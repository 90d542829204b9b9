package config

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// The values of an expression: string, int64, bool, nil, and these.
type (
	pyList  []any
	pyTuple []any
	pyIter  []any // what map() returns: true even if empty
	pyDict  map[string]any
	pyMatch struct{} // a match object, of which only the truth is used
)

// env is one evaluation: the variables, and what bounds its cost.
type env struct {
	vars  map[string]any
	steps *int
}

// Bounds on one evaluation, for hostile expressions.
const (
	maxSteps  = 200_000
	maxString = 64 << 10
)

// unsupportedError marks what this interpreter cannot do, as against an
// evaluation that fails in Python too.
type unsupportedError struct{ text string }

func (e *unsupportedError) Error() string { return e.text }

func unsupported(format string, args ...any) error {
	return &unsupportedError{fmt.Sprintf(format, args...) + " is not understood"}
}

// call evaluates the function for one argument.
func (f *pyFunc) call(arg string) (any, error) {
	steps := 0
	e := &env{vars: map[string]any{f.param: arg}, steps: &steps}
	return e.eval(f.body)
}

func (e *env) eval(n node) (any, error) {
	if *e.steps++; *e.steps > maxSteps {
		return nil, unsupported("an expression of more than %d steps", maxSteps)
	}
	return n(e)
}

// with returns an environment with one more variable.
func (e *env) with(name string, v any) *env {
	vars := make(map[string]any, len(e.vars)+1)
	for k, x := range e.vars {
		vars[k] = x
	}
	vars[name] = v
	return &env{vars: vars, steps: e.steps}
}

// spend accounts for the size of a made value.
func (e *env) spend(n int) error {
	*e.steps += n / 64
	if n > maxString {
		return unsupported("a value of more than %d bytes", maxString)
	}
	return nil
}

func typeName(v any) string {
	switch v.(type) {
	case string:
		return "a string"
	case int64:
		return "a number"
	case bool:
		return "a bool"
	case nil:
		return "None"
	case pyList:
		return "a list"
	case pyTuple:
		return "a tuple"
	case pyIter:
		return "a map"
	case pyDict:
		return "a dictionary"
	case pyMatch:
		return "a match"
	}
	return "a value"
}

// truth is Python's truth of a value.
func truth(v any) bool {
	switch v := v.(type) {
	case string:
		return v != ""
	case int64:
		return v != 0
	case bool:
		return v
	case nil:
		return false
	case pyList:
		return len(v) > 0
	case pyTuple:
		return len(v) > 0
	case pyDict:
		return len(v) > 0
	}
	return true
}

// iterate lists the elements of a value.
func iterate(v any) ([]any, error) {
	switch v := v.(type) {
	case pyList:
		return v, nil
	case pyTuple:
		return v, nil
	case pyIter:
		return v, nil
	case string:
		var out []any
		for _, r := range v {
			out = append(out, string(r))
		}
		return out, nil
	}
	return nil, unsupported("a loop over %s", typeName(v))
}

func asInt(v any) (int64, bool) {
	switch v := v.(type) {
	case int64:
		return v, true
	case bool:
		if v {
			return 1, true
		}
		return 0, true
	}
	return 0, false
}

// equal is Python's ==.
func equal(a, b any) bool {
	if x, ok := asInt(a); ok {
		y, ok := asInt(b)
		return ok && x == y
	}
	switch a := a.(type) {
	case string:
		b, ok := b.(string)
		return ok && a == b
	case nil:
		return b == nil
	case pyList:
		b, ok := b.(pyList)
		return ok && equalAll(a, b)
	case pyTuple:
		b, ok := b.(pyTuple)
		return ok && equalAll(a, b)
	}
	return false
}

func equalAll(a, b []any) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !equal(a[i], b[i]) {
			return false
		}
	}
	return true
}

func compare(op string, a, b any) (bool, error) {
	switch op {
	case "==", "!=":
		if _, ok := a.(pyDict); ok {
			return false, unsupported("%s between dictionaries", op)
		}
		return equal(a, b) == (op == "=="), nil
	case "in":
		return contains(a, b)
	case "not in":
		ok, err := contains(a, b)
		return !ok, err
	case "is", "is not":
		if a != nil && b != nil {
			return false, unsupported("%q between values other than None", op)
		}
		return (a == nil && b == nil) == (op == "is"), nil
	}
	c := 0
	x, xok := asInt(a)
	y, yok := asInt(b)
	s, sok := a.(string)
	t, tok := b.(string)
	switch {
	case xok && yok && x < y, sok && tok && s < t:
		c = -1
	case xok && yok && x > y, sok && tok && s > t:
		c = 1
	case !(xok && yok) && !(sok && tok):
		return false, unsupported("%s between %s and %s", op, typeName(a), typeName(b))
	}
	return op == "<" && c < 0 || op == "<=" && c <= 0 || op == ">" && c > 0 || op == ">=" && c >= 0, nil
}

// contains is "a in b".
func contains(a, b any) (bool, error) {
	switch b := b.(type) {
	case string:
		s, ok := a.(string)
		if !ok {
			return false, unsupported("%s in a string", typeName(a))
		}
		return strings.Contains(b, s), nil
	case pyDict:
		s, ok := a.(string)
		_, has := b[s]
		return ok && has, nil
	}
	elems, err := iterate(b)
	if err != nil {
		return false, unsupported("in %s", typeName(b))
	}
	for _, x := range elems {
		if equal(a, x) {
			return true, nil
		}
	}
	return false, nil
}

func (e *env) add(op string, a, b any) (any, error) {
	x, xok := asInt(a)
	y, yok := asInt(b)
	if xok && yok {
		if op == "-" {
			y = -y
		}
		if sum := x + y; sum < 1<<40 && sum > -1<<40 {
			return sum, nil
		}
		return nil, unsupported("so large a number")
	}
	if op == "+" {
		switch a := a.(type) {
		case string:
			if b, ok := b.(string); ok {
				return a + b, e.spend(len(a) + len(b))
			}
		case pyList:
			if b, ok := b.(pyList); ok {
				return append(append(pyList{}, a...), b...), e.spend(16 * (len(a) + len(b)))
			}
		case pyTuple:
			if b, ok := b.(pyTuple); ok {
				return append(append(pyTuple{}, a...), b...), e.spend(16 * (len(a) + len(b)))
			}
		}
	}
	return nil, unsupported("%s between %s and %s", op, typeName(a), typeName(b))
}

// index is v[i].
func index(v, i any) (any, error) {
	if d, ok := v.(pyDict); ok {
		k, ok := i.(string)
		x, has := d[k]
		if !ok || !has {
			return nil, fmt.Errorf("KeyError: the dictionary has no %v", i)
		}
		return x, nil
	}
	n, ok := asInt(i)
	if !ok {
		return nil, unsupported("%s as an index", typeName(i))
	}
	if _, ok := v.(pyIter); ok {
		return nil, unsupported("an index of a map")
	}
	elems, err := iterate(v)
	if err != nil {
		return nil, unsupported("an index of %s", typeName(v))
	}
	if n < 0 {
		n += int64(len(elems))
	}
	if n < 0 || n >= int64(len(elems)) {
		return nil, fmt.Errorf("IndexError: %v is out of range", i)
	}
	return elems[n], nil
}

// slice is v[from:to]; None stands for an absent bound.
func slice(v, from, to any) (any, error) {
	clamp := func(b any, size, absent int) (int, error) {
		if b == nil {
			return absent, nil
		}
		n, ok := asInt(b)
		if !ok {
			return 0, unsupported("%s in a slice", typeName(b))
		}
		if n < 0 {
			n += int64(size)
		}
		return int(min(max(n, 0), int64(size))), nil
	}
	cut := func(size int) (int, int, error) {
		a, err := clamp(from, size, 0)
		if err != nil {
			return 0, 0, err
		}
		b, err := clamp(to, size, size)
		return a, max(a, b), err
	}
	switch v := v.(type) {
	case string:
		runes := []rune(v)
		if !utf8.ValidString(v) {
			return nil, unsupported("a name that is not UTF-8")
		}
		a, b, err := cut(len(runes))
		return string(runes[a:b]), err
	case pyList:
		a, b, err := cut(len(v))
		return v[a:b:b], err
	case pyTuple:
		a, b, err := cut(len(v))
		return v[a:b:b], err
	}
	return nil, unsupported("a slice of %s", typeName(v))
}
