package config

import "fmt"

// postfix is an atom followed by calls, methods and subscripts.
func (p *pyParser) postfix() (node, error) {
	n, err := p.atom()
	for err == nil {
		switch {
		case p.op("."):
			n, err = p.method(n)
		case p.op("["):
			n, err = p.subscript(n)
		case p.op("("):
			return nil, fmt.Errorf("a call is not understood here")
		default:
			return n, nil
		}
	}
	return nil, err
}

func (p *pyParser) atom() (node, error) {
	t := p.cur()
	switch t.kind {
	case tokString:
		s := ""
		for ; p.cur().kind == tokString; p.pos++ {
			s += p.cur().text
		}
		return constant(s), nil
	case tokInt:
		p.pos++
		return constant(t.num), nil
	case tokName:
		p.pos++
		return p.nameAtom(t.text)
	case tokOp:
		switch {
		case p.op("("):
			return p.paren()
		case p.op("["):
			return p.listOrLoop()
		case p.op("{"):
			return p.dict()
		}
	}
	return nil, p.unexpected()
}

func constant(v any) node { return func(*env) (any, error) { return v, nil } }

func (p *pyParser) nameAtom(name string) (node, error) {
	if p.names[name] > 0 {
		return func(e *env) (any, error) { return e.vars[name], nil }, nil
	}
	switch name {
	case "True":
		return constant(true), nil
	case "False":
		return constant(false), nil
	case "None":
		return constant(nil), nil
	case "lambda":
		return nil, fmt.Errorf("a lambda is not understood here")
	case "re":
		return p.reCall()
	case "map":
		if p.op("(") {
			return p.mapCall()
		}
	}
	if f, ok := pyBuiltins[name]; ok && p.op("(") {
		if v := p.loopVariable(); v != "" {
			n, err := p.loop(v, ")")
			return callNode(func(_ *env, a []any) (any, error) { return f(a) }, []node{n}), err
		}
		args, err := p.args()
		return callNode(func(e *env, a []any) (any, error) { return f(a) }, args), err
	}
	return nil, fmt.Errorf("%q is not known (names of pythonfile cannot be used)", name)
}

func callNode(f func(e *env, args []any) (any, error), args []node) node {
	return func(e *env) (any, error) {
		vals := make([]any, len(args))
		for i, a := range args {
			v, err := e.eval(a)
			if err != nil {
				return nil, err
			}
			vals[i] = v
		}
		return f(e, vals)
	}
}

// args reads arguments up to ")".
func (p *pyParser) args() ([]node, error) {
	var out []node
	for !p.op(")") {
		n, err := p.expr()
		if err != nil {
			return nil, err
		}
		out = append(out, n)
		if !p.op(",") {
			return out, p.need(")")
		}
	}
	return out, nil
}

// paren is a parenthesised expression or a tuple.
func (p *pyParser) paren() (node, error) {
	items, comma, err := p.items(")")
	if err != nil {
		return nil, err
	}
	if len(items) == 1 && !comma {
		return items[0], nil
	}
	return callNode(func(_ *env, a []any) (any, error) { return pyTuple(a), nil }, items), nil
}

func (p *pyParser) items(end string) (out []node, comma bool, err error) {
	for !p.op(end) {
		n, err := p.expr()
		if err != nil {
			return nil, false, err
		}
		out = append(out, n)
		if comma = p.op(","); !comma {
			return out, len(out) > 1, p.need(end)
		}
	}
	return out, len(out) != 1 || comma, nil
}

func listNode(items []node) node {
	return callNode(func(_ *env, a []any) (any, error) { return pyList(a), nil }, items)
}

// listOrLoop is [a, b] or [x for v in y if z].
func (p *pyParser) listOrLoop() (node, error) {
	if v := p.loopVariable(); v != "" {
		return p.loop(v, "]")
	}
	items, _, err := p.items("]")
	return listNode(items), err
}

// loopVariable looks ahead for "for v in" at this bracket's level.
func (p *pyParser) loopVariable() string {
	depth := 0
	for i := p.pos; i+2 < len(p.toks); i++ {
		switch t := p.toks[i]; {
		case t.kind == tokOp && (t.text == "(" || t.text == "[" || t.text == "{"):
			depth++
		case t.kind == tokOp && (t.text == ")" || t.text == "]" || t.text == "}"):
			if depth--; depth < 0 {
				return ""
			}
		case depth == 0 && t.kind == tokName && t.text == "for" && p.toks[i+1].kind == tokName:
			return p.toks[i+1].text
		}
	}
	return ""
}

func (p *pyParser) loop(v, end string) (node, error) {
	p.names[v]++
	item, err := p.expr()
	p.names[v]--
	if err != nil {
		return nil, err
	}
	if !p.word("for") || !p.word(v) || !p.word("in") {
		return nil, p.unexpected()
	}
	over, err := p.or()
	if err != nil {
		return nil, err
	}
	var cond node = constant(true)
	if p.word("if") {
		p.names[v]++
		cond, err = p.or()
		p.names[v]--
		if err != nil {
			return nil, err
		}
	}
	return loopNode(v, item, over, cond), p.need(end)
}

func loopNode(name string, item, over, cond node) node {
	return func(e *env) (any, error) {
		src, err := e.eval(over)
		if err != nil {
			return nil, err
		}
		elems, err := iterate(src)
		if err != nil {
			return nil, err
		}
		out := pyList{}
		for _, x := range elems {
			in := e.with(name, x)
			if c, err := in.eval(cond); err != nil {
				return nil, err
			} else if !truth(c) {
				continue
			}
			v, err := in.eval(item)
			if err != nil {
				return nil, err
			}
			out = append(out, v)
		}
		return out, nil
	}
}

// mapCall reads map(lambda v: ..., list) behind its "(".
func (p *pyParser) mapCall() (node, error) {
	f, err := p.lambda()
	if err != nil {
		return nil, err
	}
	if err := p.need(","); err != nil {
		return nil, err
	}
	over, err := p.expr()
	if err != nil {
		return nil, err
	}
	p.op(",")
	list := loopNode(f.param, f.body, over, constant(true))
	return callNode(func(_ *env, a []any) (any, error) { return pyIter(a[0].(pyList)), nil }, []node{list}), p.need(")")
}

// dict is {k: v, ...} or a set {a, b}.
func (p *pyParser) dict() (node, error) {
	var keys, vals []node
	for !p.op("}") {
		k, err := p.expr()
		if err != nil {
			return nil, err
		}
		keys = append(keys, k)
		if p.op(":") {
			v, err := p.expr()
			if err != nil {
				return nil, err
			}
			vals = append(vals, v)
		}
		if !p.op(",") {
			if err := p.need("}"); err != nil {
				return nil, err
			}
			break
		}
	}
	if len(vals) == 0 && len(keys) > 0 {
		return listNode(keys), nil
	}
	if len(vals) != len(keys) {
		return nil, fmt.Errorf("a dictionary lacks a value")
	}
	return callNode(func(_ *env, a []any) (any, error) {
		d := pyDict{}
		for i := range keys {
			k, ok := a[i].(string)
			if !ok {
				return nil, unsupported("%s as the key of a dictionary", typeName(a[i]))
			}
			d[k] = a[len(keys)+i]
		}
		return d, nil
	}, append(keys, vals...)), nil
}

// subscript reads an index or a slice behind its "[".
func (p *pyParser) subscript(of node) (node, error) {
	bound := func() (node, error) {
		if t := p.cur(); t.kind == tokOp && (t.text == ":" || t.text == "]") {
			return nil, nil
		}
		return p.expr()
	}
	from, err := bound()
	if err != nil {
		return nil, err
	}
	if !p.op(":") {
		if from == nil {
			return nil, p.unexpected()
		}
		return callNode(func(_ *env, a []any) (any, error) { return index(a[0], a[1]) }, []node{of, from}), p.need("]")
	}
	to, err := bound()
	if err != nil {
		return nil, err
	}
	orNone := func(n node) node {
		if n == nil {
			return constant(nil)
		}
		return n
	}
	return callNode(func(_ *env, a []any) (any, error) { return slice(a[0], a[1], a[2]) },
		[]node{of, orNone(from), orNone(to)}), p.need("]")
}
