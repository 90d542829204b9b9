package config

import "fmt"

// node is a parsed expression; it evaluates itself in an environment.
type node func(e *env) (any, error)

// pyFunc is a lambda of one parameter, or a constant if param is "".
type pyFunc struct {
	param string
	body  node
}

// pyParser is a recursive-descent parser for the part of Python's expressions
// that people write in folder rules. It makes closures rather than a tree.
type pyParser struct {
	toks  []token
	pos   int
	depth int
	names map[string]int // parameters and loop variables in scope
}

// maxNesting bounds recursion, for hostile input.
const maxNesting = 200

// compileLambda reads "lambda x: ...".
func compileLambda(src string) (*pyFunc, error) {
	p, err := newPyParser(src)
	if err != nil {
		return nil, err
	}
	for p.op("(") { // (lambda f: ...)
	}
	if !p.word("lambda") {
		return nil, p.notLambda()
	}
	p.pos -= 1
	open := p.pos
	f, err := p.lambda()
	if err != nil {
		return nil, err
	}
	for range open {
		if !p.op(")") {
			return nil, p.unexpected()
		}
	}
	if p.cur().kind != tokEnd {
		return nil, p.unexpected()
	}
	return f, nil
}

// evalConstant evaluates an expression without variables.
func evalConstant(src string) (any, error) {
	p, err := newPyParser(src)
	if err != nil {
		return nil, err
	}
	body, err := p.expr()
	if err != nil {
		return nil, err
	}
	if p.cur().kind != tokEnd {
		return nil, p.unexpected()
	}
	return (&pyFunc{body: body}).call("")
}

func newPyParser(src string) (*pyParser, error) {
	toks, err := lexPython(src)
	if err != nil {
		return nil, err
	}
	return &pyParser{toks: toks, names: map[string]int{}}, nil
}

func (p *pyParser) cur() token { return p.toks[p.pos] }

// op and word take the next token if it is the one given.
func (p *pyParser) op(s string) bool   { return p.take(tokOp, s) }
func (p *pyParser) word(s string) bool { return p.take(tokName, s) }

func (p *pyParser) take(k tokenKind, s string) bool {
	if t := p.cur(); t.kind == k && t.text == s {
		p.pos++
		return true
	}
	return false
}

func (p *pyParser) need(s string) error {
	if !p.op(s) {
		return p.unexpected()
	}
	return nil
}

func (p *pyParser) unexpected() error {
	switch t := p.cur(); t.kind {
	case tokEnd:
		return fmt.Errorf("the expression ends too early")
	case tokString:
		return fmt.Errorf("a string is not understood here")
	case tokInt:
		return fmt.Errorf("%d is not understood here", t.num)
	default:
		return fmt.Errorf("%q is not understood here", t.text)
	}
}

func (p *pyParser) notLambda() error {
	if t := p.cur(); t.kind == tokName {
		return fmt.Errorf("%q is not known (names of pythonfile cannot be used)", t.text)
	}
	return fmt.Errorf("it is not a lambda")
}

func (p *pyParser) lambda() (*pyFunc, error) {
	if !p.word("lambda") {
		return nil, p.unexpected()
	}
	param := p.cur()
	if param.kind != tokName {
		return nil, fmt.Errorf("a lambda of one parameter is needed")
	}
	p.pos++
	if p.op(",") {
		return nil, fmt.Errorf("a lambda of one parameter is needed")
	}
	if err := p.need(":"); err != nil {
		return nil, err
	}
	p.names[param.text]++
	body, err := p.expr()
	p.names[param.text]--
	return &pyFunc{param: param.text, body: body}, err
}

// expr is a conditional expression or anything below it.
func (p *pyParser) expr() (node, error) {
	p.depth++
	defer func() { p.depth-- }()
	if p.depth > maxNesting {
		return nil, fmt.Errorf("it is nested too deeply")
	}
	yes, err := p.or()
	if err != nil || !p.word("if") {
		return yes, err
	}
	cond, err := p.or()
	if err != nil {
		return nil, err
	}
	if !p.word("else") {
		return nil, p.unexpected()
	}
	no, err := p.expr()
	return func(e *env) (any, error) {
		v, err := e.eval(cond)
		if err != nil {
			return nil, err
		}
		if truth(v) {
			return e.eval(yes)
		}
		return e.eval(no)
	}, err
}

func (p *pyParser) or() (node, error)  { return p.logic("or", true, p.and) }
func (p *pyParser) and() (node, error) { return p.logic("and", false, p.not) }

// logic reads operands joined by a word; the first whose truth is stop is the
// value, else the last.
func (p *pyParser) logic(word string, stop bool, operand func() (node, error)) (node, error) {
	first, err := operand()
	if err != nil {
		return nil, err
	}
	all := []node{first}
	for p.word(word) {
		n, err := operand()
		if err != nil {
			return nil, err
		}
		all = append(all, n)
	}
	if len(all) == 1 {
		return first, nil
	}
	return func(e *env) (v any, err error) {
		for _, n := range all {
			if v, err = e.eval(n); err != nil || truth(v) == stop {
				break
			}
		}
		return v, err
	}, nil
}

func (p *pyParser) not() (node, error) {
	p.depth++
	defer func() { p.depth-- }()
	if p.depth > maxNesting {
		return nil, fmt.Errorf("it is nested too deeply")
	}
	if !p.word("not") {
		return p.comparison()
	}
	n, err := p.not()
	return func(e *env) (any, error) {
		v, err := e.eval(n)
		return !truth(v), err
	}, err
}

// comparison reads a chain a < b in c, each operand evaluated once.
func (p *pyParser) comparison() (node, error) {
	first, err := p.sum()
	if err != nil {
		return nil, err
	}
	var ops []string
	var operands []node
	for {
		op := p.compareOp()
		if op == "" {
			break
		}
		n, err := p.sum()
		if err != nil {
			return nil, err
		}
		ops, operands = append(ops, op), append(operands, n)
	}
	if len(ops) == 0 {
		return first, nil
	}
	return func(e *env) (any, error) {
		left, err := e.eval(first)
		if err != nil {
			return nil, err
		}
		for i, n := range operands {
			right, err := e.eval(n)
			if err != nil {
				return nil, err
			}
			ok, err := compare(ops[i], left, right)
			if err != nil || !ok {
				return false, err
			}
			left = right
		}
		return true, nil
	}, nil
}

func (p *pyParser) compareOp() string {
	for _, op := range []string{"==", "!=", "<=", ">=", "<", ">"} {
		if p.op(op) {
			return op
		}
	}
	switch {
	case p.word("in"):
		return "in"
	case p.cur().kind == tokName && p.cur().text == "not" && p.pos+1 < len(p.toks) && p.toks[p.pos+1].text == "in" && p.toks[p.pos+1].kind == tokName:
		p.pos += 2
		return "not in"
	case p.word("is"):
		if p.word("not") {
			return "is not"
		}
		return "is"
	}
	return ""
}

func (p *pyParser) sum() (node, error) {
	left, err := p.unary()
	for err == nil {
		op := ""
		switch {
		case p.op("+"):
			op = "+"
		case p.op("-"):
			op = "-"
		default:
			return left, nil
		}
		var right node
		if right, err = p.unary(); err == nil {
			left = addNode(op, left, right)
		}
	}
	return nil, err
}

func addNode(op string, left, right node) node {
	return func(e *env) (any, error) {
		a, err := e.eval(left)
		if err != nil {
			return nil, err
		}
		b, err := e.eval(right)
		if err != nil {
			return nil, err
		}
		return e.add(op, a, b)
	}
}

func (p *pyParser) unary() (node, error) {
	if !p.op("-") {
		return p.postfix()
	}
	n, err := p.postfix()
	return func(e *env) (any, error) {
		v, err := e.eval(n)
		if err != nil {
			return nil, err
		}
		i, ok := v.(int64)
		if !ok {
			return nil, unsupported("- before %s", typeName(v))
		}
		return -i, nil
	}, err
}
