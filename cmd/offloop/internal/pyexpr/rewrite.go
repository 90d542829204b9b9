package pyexpr

import "go.starlark.net/syntax"

// rewriter replaces operators whose meaning Starlark narrows by calls of
// functions that have Python's.
type rewriter struct{}

// operators are the functions that take an operator's place.
var operators = map[syntax.Token]string{
	syntax.EQL: reserved + "eq", syntax.NEQ: reserved + "ne", syntax.PLUS: reserved + "add", syntax.MINUS: reserved + "sub", syntax.STAR: reserved + "mul", syntax.IN: reserved + "in", syntax.NOT_IN: reserved + "notin",
}

func call(fn string, pos syntax.Position, args ...syntax.Expr) syntax.Expr {
	return &syntax.CallExpr{Fn: &syntax.Ident{NamePos: pos, Name: fn}, Lparen: pos, Args: args, Rparen: pos}
}

func (r rewriter) exprs(l []syntax.Expr) {
	for i := range l {
		l[i] = r.expr(l[i])
	}
}

// param rewrites "x = default" in a parameter or argument list, where the left
// side is a name and no expression.
func (r rewriter) param(e syntax.Expr) syntax.Expr {
	if b, ok := e.(*syntax.BinaryExpr); ok && b.Op == syntax.EQ {
		b.Y = r.expr(b.Y)
		return b
	}
	return r.expr(e)
}

func (r rewriter) params(l []syntax.Expr) {
	for i := range l {
		l[i] = r.param(l[i])
	}
}

func (r rewriter) expr(e syntax.Expr) syntax.Expr {
	switch e := e.(type) {
	case *syntax.ParenExpr:
		e.X = r.expr(e.X)
	case *syntax.ListExpr:
		r.exprs(e.List)
	case *syntax.TupleExpr:
		r.exprs(e.List)
	case *syntax.DictExpr:
		r.exprs(e.List)
	case *syntax.DictEntry:
		e.Key, e.Value = r.expr(e.Key), r.expr(e.Value)
	case *syntax.CondExpr:
		e.Cond, e.True, e.False = r.expr(e.Cond), r.expr(e.True), r.expr(e.False)
	case *syntax.DotExpr:
		e.X = r.expr(e.X)
	case *syntax.CallExpr:
		e.Fn = r.expr(e.Fn)
		r.params(e.Args)
	case *syntax.UnaryExpr:
		if e.X != nil {
			e.X = r.expr(e.X)
		}
	case *syntax.BinaryExpr:
		e.X, e.Y = r.expr(e.X), r.expr(e.Y)
		if fn, ok := operators[e.Op]; ok {
			return call(fn, e.OpPos, e.X, e.Y)
		}
	case *syntax.IndexExpr:
		return call(reserved+"index", e.Lbrack, r.expr(e.X), r.expr(e.Y))
	case *syntax.SliceExpr:
		e.X = r.expr(e.X)
		for _, p := range []*syntax.Expr{&e.Lo, &e.Hi, &e.Step} {
			if *p != nil {
				*p = r.expr(*p)
			}
		}
	case *syntax.LambdaExpr:
		r.params(e.Params)
		e.Body = r.expr(e.Body)
	case *syntax.Comprehension:
		e.Body = r.expr(e.Body)
		for _, c := range e.Clauses {
			switch c := c.(type) {
			case *syntax.ForClause:
				c.X = r.expr(c.X)
			case *syntax.IfClause:
				c.Cond = r.expr(c.Cond)
			}
		}
	}
	return e
}

// target rewrites what an assignment stores to: only the parts that are read.
func (r rewriter) target(e syntax.Expr) {
	switch e := e.(type) {
	case *syntax.IndexExpr:
		e.X, e.Y = r.expr(e.X), r.expr(e.Y)
	case *syntax.DotExpr:
		e.X = r.expr(e.X)
	case *syntax.TupleExpr:
		for _, x := range e.List {
			r.target(x)
		}
	case *syntax.ListExpr:
		for _, x := range e.List {
			r.target(x)
		}
	case *syntax.ParenExpr:
		r.target(e.X)
	}
}

func (r rewriter) stmts(l []syntax.Stmt) {
	for _, s := range l {
		switch s := s.(type) {
		case *syntax.AssignStmt:
			r.target(s.LHS)
			s.RHS = r.expr(s.RHS)
			if id, ok := s.LHS.(*syntax.Ident); ok && s.Op == syntax.PLUS_EQ {
				s.RHS = call(reserved+"grow", s.OpPos, &syntax.Ident{NamePos: id.NamePos, Name: id.Name}, s.RHS)
			}
		case *syntax.ExprStmt:
			s.X = r.expr(s.X)
		case *syntax.IfStmt:
			s.Cond = r.expr(s.Cond)
			r.stmts(s.True)
			r.stmts(s.False)
		case *syntax.ForStmt:
			s.X = r.expr(s.X)
			r.stmts(s.Body)
		case *syntax.WhileStmt:
			s.Cond = r.expr(s.Cond)
			r.stmts(s.Body)
		case *syntax.DefStmt:
			r.params(s.Params)
			r.stmts(s.Body)
		case *syntax.ReturnStmt:
			if s.Result != nil {
				s.Result = r.expr(s.Result)
			}
		}
	}
}
