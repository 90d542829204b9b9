package pyexpr

import (
	"errors"
	"fmt"
	"sort"
	"strconv"
	"strings"

	"go.starlark.net/starlark"
	"go.starlark.net/syntax"
)

type builtin = func(t *starlark.Thread, args starlark.Tuple, kw []starlark.Tuple) (starlark.Value, error)

// builtins are the names every source knows: Starlark's where they are Python's,
// ours where they differ.
func builtins() starlark.StringDict {
	env := starlark.StringDict{}
	for _, n := range []string{"None", "True", "False", "any", "all", "bool", "enumerate", "hash", "len", "max", "min", "reversed", "set", "tuple", "zip", "int", "abs"} {
		if v, ok := starlark.Universe[n]; ok {
			env[n] = v
		}
	}
	for n, f := range map[string]builtin{
		"map": pyMap, "filter": pyFilter, "reduce": reduce, "sorted": sorted, "str": pyStr, "list": pyList, "dict": pyDict, "range": pyRange,
		"cmp": cmp, "sum": sum, "isinstance": isInstance, "any": quantify(true), "all": quantify(false), "int": pyInt,
		reserved + "eq": operator2(syntax.EQL), reserved + "ne": operator2(syntax.NEQ), reserved + "in": operator2(syntax.IN), reserved + "notin": operator2(syntax.NOT_IN),
		reserved + "add": arithmetic(syntax.PLUS), reserved + "mul": arithmetic(syntax.STAR), reserved + "sub": arithmetic(syntax.MINUS),
		reserved + "assert": assert, reserved + "index": index, reserved + "grow": grow, reserved + "try": try, reserved + "fstring": fstring,
	} {
		env[n] = named(n, f)
	}
	env["unicode"] = env["str"]
	env["basestring"] = env["str"]
	env["frozenset"] = env["set"]
	env["__name__"] = Str("<none>")
	env["input"], env["raw_input"] = named("input", atTerminal), named("raw_input", atTerminal)
	return env
}

func named(name string, f builtin) *starlark.Builtin {
	return starlark.NewBuiltin(name, func(t *starlark.Thread, _ *starlark.Builtin, args starlark.Tuple, kw []starlark.Tuple) (starlark.Value, error) {
		charge(t, args...)
		return f(t, args, kw)
	})
}

// atTerminal takes the place of input. The terminal is the program's, which asks at it
// for what it needs itself; a question put by a configuration would not even be seen.
func atTerminal(*starlark.Thread, starlark.Tuple, []starlark.Tuple) (starlark.Value, error) {
	return nil, raise("NoTerminal", "input() asks at the terminal, which a configuration cannot do")
}

func wrongUse(name string) error { return fmt.Errorf("this use of %s is not understood", name) }

// elements lists what can be looped over.
func elements(v starlark.Value) ([]starlark.Value, error) {
	it := starlark.Iterate(v)
	if it == nil {
		return nil, raise("TypeError", "%s is not iterable", v.Type())
	}
	defer it.Done()
	var out []starlark.Value
	var x starlark.Value
	for it.Next(&x) {
		if len(out) >= maxList {
			return nil, errTooLong
		}
		out = append(out, x)
	}
	return out, nil
}

// lazy is what map and filter return: true even if empty, and used up once.
type lazy struct{ *starlark.List }

// Truth is always true, as an iterator's.
func (lazy) Truth() starlark.Bool { return true }

// Type is "map".
func (lazy) Type() string { return "map" }

// Attr finds nothing: an iterator has no methods of a list.
func (lazy) Attr(string) (starlark.Value, error) { return nil, nil }

func pyMap(t *starlark.Thread, args starlark.Tuple, kw []starlark.Tuple) (starlark.Value, error) {
	if len(args) != 2 || len(kw) > 0 {
		return nil, wrongUse("map")
	}
	elems, err := elements(args[1])
	if err != nil {
		return nil, err
	}
	for i, x := range elems {
		if elems[i], err = starlark.Call(t, args[0], starlark.Tuple{x}, nil); err != nil {
			return nil, err
		}
	}
	return lazy{starlark.NewList(elems)}, nil
}

func pyFilter(t *starlark.Thread, args starlark.Tuple, kw []starlark.Tuple) (starlark.Value, error) {
	if len(args) != 2 || len(kw) > 0 {
		return nil, wrongUse("filter")
	}
	elems, err := elements(args[1])
	if err != nil {
		return nil, err
	}
	var out []starlark.Value
	for _, x := range elems {
		v := x
		if args[0] != starlark.None {
			if v, err = starlark.Call(t, args[0], starlark.Tuple{x}, nil); err != nil {
				return nil, err
			}
		}
		if v.Truth() {
			out = append(out, x)
		}
	}
	return lazy{starlark.NewList(out)}, nil
}

func reduce(t *starlark.Thread, args starlark.Tuple, kw []starlark.Tuple) (starlark.Value, error) {
	if len(args) < 2 || len(args) > 3 || len(kw) > 0 {
		return nil, wrongUse("reduce")
	}
	elems, err := elements(args[1])
	if err != nil {
		return nil, err
	}
	if len(args) == 3 {
		elems = append([]starlark.Value{args[2]}, elems...)
	}
	if len(elems) == 0 {
		return nil, raise("TypeError", "reduce() of empty iterable with no initial value")
	}
	acc := elems[0]
	for _, x := range elems[1:] {
		if acc, err = starlark.Call(t, args[0], starlark.Tuple{acc, x}, nil); err != nil {
			return nil, err
		}
	}
	return acc, nil
}

// sorted knows key, reverse, and Python 2's cmp.
func sorted(t *starlark.Thread, args starlark.Tuple, kw []starlark.Tuple) (starlark.Value, error) {
	var by, cmpf starlark.Value = starlark.None, starlark.None
	reverse := false
	if len(args) > 1 {
		cmpf = args[1]
	}
	for _, k := range kw {
		switch name, _ := starlark.AsString(k[0]); name {
		case "key":
			by = k[1]
		case "cmp":
			cmpf = k[1]
		case "reverse":
			reverse = bool(k[1].Truth())
		default:
			return nil, wrongUse("sorted")
		}
	}
	if len(args) < 1 || len(args) > 2 || by != starlark.None && cmpf != starlark.None {
		return nil, wrongUse("sorted")
	}
	elems, err := elements(args[0])
	if err != nil {
		return nil, err
	}
	keys := append([]starlark.Value(nil), elems...)
	for i := range keys {
		if by != starlark.None {
			if keys[i], err = starlark.Call(t, by, starlark.Tuple{keys[i]}, nil); err != nil {
				return nil, err
			}
		}
	}
	less := func(a, b starlark.Value) bool {
		if err != nil {
			return false
		}
		if cmpf == starlark.None {
			var l bool
			l, err = starlark.Compare(syntax.LT, a, b)
			return l
		}
		var v starlark.Value
		if v, err = starlark.Call(t, cmpf, starlark.Tuple{a, b}, nil); err != nil {
			return false
		}
		n, ok := v.(starlark.Int)
		if !ok {
			err = wrongUse("a comparison")
		}
		return ok && n.Sign() < 0
	}
	sort.Stable(&byKey{elems, keys, func(a, b starlark.Value) bool {
		if reverse {
			a, b = b, a
		}
		return less(a, b)
	}})
	return starlark.NewList(elems), err
}

type byKey struct {
	elems, keys []starlark.Value
	less        func(a, b starlark.Value) bool
}

func (s *byKey) Len() int           { return len(s.elems) }
func (s *byKey) Less(i, j int) bool { return s.less(s.keys[i], s.keys[j]) }
func (s *byKey) Swap(i, j int) {
	s.elems[i], s.elems[j] = s.elems[j], s.elems[i]
	s.keys[i], s.keys[j] = s.keys[j], s.keys[i]
}

func pyStr(_ *starlark.Thread, args starlark.Tuple, kw []starlark.Tuple) (starlark.Value, error) {
	if len(kw) > 0 || len(args) > 1 {
		return nil, wrongUse("str")
	}
	if len(args) == 0 {
		return Str(""), nil
	}
	s, err := plain(args[0])
	return Str(s), err
}

func pyInt(_ *starlark.Thread, args starlark.Tuple, kw []starlark.Tuple) (starlark.Value, error) {
	if len(args) != 1 || len(kw) > 0 {
		return nil, wrongUse("int")
	}
	switch v := args[0].(type) {
	case starlark.Int:
		return v, nil
	case starlark.Bool:
		return number(v), nil
	case Str:
		n, err := strconv.ParseInt(string(v), 10, 64)
		if err != nil {
			return nil, fmt.Errorf("int of this text is not understood")
		}
		return starlark.MakeInt64(n), nil
	}
	return nil, wrongUse("int")
}

func pyList(_ *starlark.Thread, args starlark.Tuple, kw []starlark.Tuple) (starlark.Value, error) {
	if len(args) > 1 || len(kw) > 0 {
		return nil, wrongUse("list")
	}
	var elems []starlark.Value
	var err error
	if len(args) == 1 {
		elems, err = elements(args[0])
	}
	return starlark.NewList(elems), err
}

// pyDict makes dict(a=1) a dictionary of our strings.
func pyDict(t *starlark.Thread, args starlark.Tuple, kw []starlark.Tuple) (starlark.Value, error) {
	v, err := starlark.Call(t, starlark.Universe["dict"], args, nil)
	if err != nil {
		return nil, err
	}
	for _, k := range kw {
		name, _ := starlark.AsString(k[0])
		if err := v.(*starlark.Dict).SetKey(Str(name), k[1]); err != nil {
			return nil, err
		}
	}
	return v, nil
}

func pyRange(t *starlark.Thread, args starlark.Tuple, kw []starlark.Tuple) (starlark.Value, error) {
	v, err := starlark.Call(t, starlark.Universe["range"], args, kw)
	if err == nil && starlark.Len(v) > maxList {
		return nil, errTooLong
	}
	return v, err
}

func cmp(_ *starlark.Thread, args starlark.Tuple, _ []starlark.Tuple) (starlark.Value, error) {
	if len(args) != 2 {
		return nil, wrongUse("cmp")
	}
	c, err := Compare(args[0], args[1])
	return starlark.MakeInt(c), err
}

// Compare orders two values as Python does: -1, 0 or 1.
func Compare(a, b starlark.Value) (int, error) {
	if l, err := starlark.Compare(syntax.LT, number(a), number(b)); err != nil || l {
		return -1, err
	}
	g, err := starlark.Compare(syntax.GT, number(a), number(b))
	if g {
		return 1, err
	}
	return 0, err
}

func sum(_ *starlark.Thread, args starlark.Tuple, kw []starlark.Tuple) (starlark.Value, error) {
	if len(args) != 1 || len(kw) > 0 {
		return nil, wrongUse("sum")
	}
	elems, err := elements(args[0])
	total := starlark.MakeInt(0)
	for _, x := range elems {
		n, ok := number(x).(starlark.Int)
		if !ok {
			return nil, wrongUse("sum")
		}
		total = total.Add(n)
	}
	return total, err
}

func isInstance(_ *starlark.Thread, args starlark.Tuple, _ []starlark.Tuple) (starlark.Value, error) {
	if len(args) == 2 {
		if b, ok := args[1].(*starlark.Builtin); ok && b.Name() == "str" {
			_, is := args[0].(Str)
			return starlark.Bool(is), nil
		}
	}
	return nil, wrongUse("isinstance")
}

func quantify(found bool) builtin {
	return func(_ *starlark.Thread, args starlark.Tuple, kw []starlark.Tuple) (starlark.Value, error) {
		if len(args) != 1 || len(kw) > 0 {
			return nil, wrongUse("any or all")
		}
		elems, err := elements(args[0])
		for _, x := range elems {
			if bool(x.Truth()) == found {
				return starlark.Bool(found), nil
			}
		}
		return starlark.Bool(!found), err
	}
}

// number makes an integer of a bool, which in Python it is.
func number(v starlark.Value) starlark.Value {
	if b, ok := v.(starlark.Bool); ok {
		if b {
			return starlark.MakeInt(1)
		}
		return starlark.MakeInt(0)
	}
	return v
}

// operator2 is a comparison or membership. A bool that meets something which is
// not one is a number.
func operator2(op syntax.Token) builtin {
	return func(_ *starlark.Thread, args starlark.Tuple, _ []starlark.Tuple) (starlark.Value, error) {
		x, y := args[0], args[1]
		if op == syntax.EQL || op == syntax.NEQ {
			same, err := starlark.Equal(number(x), number(y))
			return starlark.Bool(same == (op == syntax.EQL)), err
		}
		if _, isStr := y.(Str); !isStr && number(x).Type() == "int" {
			return among(x, y, op == syntax.IN)
		}
		if l, ok := y.(lazy); ok {
			y = l.List
		}
		if y == starlark.None {
			return nil, raise("TypeError", "argument of type 'NoneType' is not iterable")
		}
		return starlark.Binary(op, x, y)
	}
}

// among looks for a number or a bool, which may be equal.
func among(x, y starlark.Value, in bool) (starlark.Value, error) {
	elems, err := elements(y)
	for _, e := range elems {
		if same, err := starlark.Equal(number(x), number(e)); err != nil || same {
			return starlark.Bool(in), err
		}
	}
	return starlark.Bool(!in), err
}

// arithmetic is + or * with a bound on what it makes.
func arithmetic(op syntax.Token) builtin {
	return func(_ *starlark.Thread, args starlark.Tuple, _ []starlark.Tuple) (starlark.Value, error) {
		x, y := args[0], args[1]
		if err := bounded(op, x, y); err != nil {
			return nil, err
		}
		_, sx := x.(Str)
		_, sy := y.(Str)
		if op == syntax.PLUS && sx != sy {
			return nil, raise("TypeError", "%s and %s cannot be added", x.Type(), y.Type())
		}
		return starlark.Binary(op, number(x), number(y))
	}
}

func bounded(op syntax.Token, x, y starlark.Value) error {
	size, factor, most := 0, 0, maxList
	for _, v := range []starlark.Value{x, y} {
		if s, ok := v.(Str); ok {
			size, most = size+len(s), maxSize
		} else if n := starlark.Len(v); n > 0 {
			size += n
		}
		if n, ok := v.(starlark.Int); ok {
			if n.BigInt().BitLen() > 4096 {
				return errTooLong
			}
			if i, err := starlark.AsInt32(n); err == nil {
				factor = max(factor, i)
			} else if size > 0 {
				factor = most + 1
			}
		}
	}
	if size > most || op == syntax.STAR && size > 0 && factor > most/size {
		return errTooLong
	}
	return nil
}

// grow is the right side of "x += y".
func grow(_ *starlark.Thread, args starlark.Tuple, _ []starlark.Tuple) (starlark.Value, error) {
	return args[1], bounded(syntax.PLUS, args[0], args[1])
}

// index is x[y], where y may be a bool.
func index(_ *starlark.Thread, args starlark.Tuple, _ []starlark.Tuple) (starlark.Value, error) {
	x, y := args[0], args[1]
	switch x := x.(type) {
	case starlark.Mapping:
		v, found, err := x.Get(y)
		if err == nil && !found {
			v, found, err = x.Get(number(y))
		}
		if err == nil && !found {
			err = raise("KeyError", "%s", y)
		}
		return v, err
	case starlark.Indexable:
		i, err := starlark.AsInt32(number(y))
		if err != nil {
			return nil, wrongUse("an index")
		}
		n := x.Len()
		if i < 0 {
			i += n
		}
		if i < 0 || i >= n {
			return nil, raise("IndexError", "%s index out of range", x.Type())
		}
		return x.Index(i), nil
	case starlark.NoneType:
		return nil, raise("TypeError", "'NoneType' object is not subscriptable")
	}
	return nil, wrongUse("an index")
}

// try calls the second function if the first raises an exception that the
// third argument names; no names mean any.
func try(t *starlark.Thread, args starlark.Tuple, _ []starlark.Tuple) (starlark.Value, error) {
	v, err := starlark.Call(t, args[0], nil, nil)
	var py *PyError
	if !errors.As(err, &py) {
		return v, err
	}
	names := strings.Fields(string(args[2].(Str)))
	for _, n := range names {
		if n == py.Kind || n == "Exception" || n == "LookupError" && (py.Kind == "KeyError" || py.Kind == "IndexError") {
			names = nil
			break
		}
	}
	if len(names) > 0 {
		return nil, err
	}
	return starlark.Call(t, args[1], nil, nil)
}

func fstring(_ *starlark.Thread, args starlark.Tuple, _ []starlark.Tuple) (starlark.Value, error) {
	var b strings.Builder
	for _, a := range args {
		s, err := plain(a)
		if err != nil {
			return nil, err
		}
		b.WriteString(s)
	}
	return limited(b.String())
}

// assert is the statement of that name. Where it fails, Python reads nothing of the
// file.
func assert(_ *starlark.Thread, args starlark.Tuple, _ []starlark.Tuple) (starlark.Value, error) {
	if len(args) != 1 || !bool(args[0].Truth()) {
		return nil, errors.New("an assert of the pythonfile fails")
	}
	return starlark.None, nil
}
