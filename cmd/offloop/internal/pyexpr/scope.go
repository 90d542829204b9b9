package pyexpr

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"go.starlark.net/starlark"
	"go.starlark.net/syntax"
)

// Bounds on the steps of one evaluation and of reading a pythonfile.
const (
	maxSteps     = 200_000
	maxFileSteps = 1_000_000
)

var options = &syntax.FileOptions{Set: true, While: true, TopLevelControl: true, GlobalReassign: true}

// Scope is the names an expression may use: Python's own, and those a
// pythonfile defines as far as they can be had.
type Scope struct {
	env    starlark.StringDict
	broken map[string]string // a name of the pythonfile -> why it cannot be had
	known  map[string]*module
	file   string
	consts int
}

// NewScope reads a pythonfile's text; file is its name for messages, and both
// are empty without one. A definition that cannot be had is no error until it
// is used.
func NewScope(file, text string) *Scope {
	s := &Scope{env: builtins(), broken: map[string]string{"keyring": "it comes from the module keyring"}, known: modules(), file: file}
	for name, m := range s.known {
		s.env[moduleName(name)] = m
	}
	s.env["re"] = s.known["re"]
	lines, at, err := lex(text)
	if err != nil {
		s.broken[""] = fmt.Sprintf("%s:%d: %v", file, at, err)
	}
	steps := uint64(maxFileSteps)
	for len(lines) > 0 {
		n := unit(lines)
		steps -= min(steps, s.define(lines[:n], steps))
		lines = lines[n:]
	}
	return s
}

// unit counts the lines of one top-level statement.
func unit(lines []logical) int {
	n := 1
	for n < len(lines) {
		first := lines[n].toks[0]
		deeper := len(lines[n].indent) > len(lines[0].indent)
		goesOn := first.is("else") || first.is("elif") || first.is("except") || first.is("finally")
		if !deeper && !goesOn && !lines[n-1].toks[0].is("@") {
			break
		}
		n++
	}
	return n
}

// define runs one top-level statement. If it cannot be run, no name it may have
// set or changed can be trusted any more.
func (s *Scope) define(lines []logical, most uint64) (used uint64) {
	c := consts{s.env, &s.consts}
	im := &importer{known: s.known, missing: map[string]string{}}
	src, err := c.statement(lines, im)
	for name, m := range im.missing {
		delete(s.env, name)
		s.broken[name] = "it comes from the module " + m
	}
	if err == nil {
		used, err = s.run(src, most)
	}
	if err != nil {
		for _, name := range touched(lines) {
			if v, ok := s.env[name]; ok && !s.mayChange(v) && !assigns(lines, name) {
				continue
			}
			delete(s.env, name)
			s.broken[name] = reason(err)
		}
	}
	return used
}

// statement translates one top-level statement. An assert is checked here, so that
// the names it mentions stay known; inside a function it is not understood.
func (c consts) statement(lines []logical, im *importer) (string, error) {
	if toks := lines[0].toks; len(lines) == 1 && toks[0].is("assert") {
		text, err := c.render(beforeComma(toks[1:]))
		return reserved + "assert(" + text + ")\n", err
	}
	return c.program(lines, im.lines)
}

// beforeComma are the tokens before the first comma outside brackets: the
// condition of an assert, without its message.
func beforeComma(toks []token) []token {
	depth := 0
	for i, t := range toks {
		switch {
		case t.is("(") || t.is("[") || t.is("{"):
			depth++
		case t.is(")") || t.is("]") || t.is("}"):
			depth--
		case t.is(",") && depth == 0:
			return toks[:i]
		}
	}
	return toks
}

// mayChange tells whether a value can be changed in place.
func (s *Scope) mayChange(v starlark.Value) bool {
	switch v.(type) {
	case *starlark.List, *starlark.Dict, *starlark.Set:
		return true
	}
	return false
}

// touched are the names a statement mentions.
func touched(lines []logical) []string {
	var out []string
	for _, l := range lines {
		for i, t := range l.toks {
			if t.kind == nameToken && (i == 0 || !l.toks[i-1].is(".")) {
				out = append(out, t.text)
			}
		}
	}
	return out
}

// assigns tells whether a statement may bind a name.
func assigns(lines []logical, name string) bool {
	for n, l := range lines {
		for i, t := range l.toks {
			if !t.is(name) || i > 0 && l.toks[i-1].is(".") {
				continue
			}
			before := token{}
			if i > 0 {
				before = l.toks[i-1]
			}
			for _, w := range []string{"def", "class", "import", "as", "global", "for", "del"} {
				if before.is(w) && (n == 0 || w != "def") {
					return true
				}
			}
			if l.toks[0].is("def") && n == 0 || lines[0].toks[0].is("def") || lines[0].toks[0].is("class") {
				continue // a parameter or a local name
			}
			for _, later := range l.toks[i+1:] {
				if later.kind == opToken && strings.HasSuffix(later.text, "=") && !strings.Contains("== != <= >=", later.text) {
					return true
				}
			}
			if l.toks[0].is("from") || l.toks[0].is("import") || l.toks[0].is("for") {
				return true
			}
		}
	}
	return false
}

func reason(err error) string {
	msg := err.Error()
	var ev *starlark.EvalError
	if errors.As(err, &ev) {
		msg = ev.Msg
	}
	if name, ok := unset(msg); ok {
		return fmt.Sprintf("%q is not understood", name)
	}
	return msg
}

// unset finds the name in Starlark's message about one that has no value.
func unset(msg string) (name string, ok bool) {
	const mark, end = "predeclared variable ", " is uninitialized"
	i := strings.Index(msg, mark)
	if i < 0 || !strings.HasSuffix(msg, end) {
		return "", false
	}
	return strings.TrimSuffix(msg[i+len(mark):], end), true
}

// run executes Starlark source and takes over its names.
func (s *Scope) run(src string, most uint64) (used uint64, err error) {
	f, err := options.Parse("python", src, 0)
	if err != nil {
		return 0, parseError(err)
	}
	rewriter{}.stmts(f.Stmts)
	prog, err := starlark.FileProgram(f, func(string) bool { return true })
	if err != nil {
		return 0, parseError(err)
	}
	t := &starlark.Thread{}
	t.SetMaxExecutionSteps(max(most, 1))
	globals, err := prog.Init(t, s.env)
	for n, v := range globals {
		if err == nil {
			s.env[n] = v
			delete(s.broken, n)
		}
	}
	return t.ExecutionSteps(), err
}

// parseError drops the position, which is that of the translation.
func parseError(err error) error {
	var se syntax.Error
	if errors.As(err, &se) {
		return fmt.Errorf("the syntax is not understood (%s)", se.Msg)
	}
	return fmt.Errorf("the syntax is not understood")
}

// Expr is a compiled expression. Its value is made on the first use and kept.
type Expr struct {
	scope *Scope
	src   string
	prog  *starlark.Program
	value starlark.Value
}

// Compile reads an expression.
func (s *Scope) Compile(src string) (*Expr, error) {
	lines, _, err := lex(strings.Trim(src, " \t\n\f"))
	if err != nil {
		return nil, err
	}
	if len(lines) != 1 {
		return nil, fmt.Errorf("it is not one expression")
	}
	env := make(starlark.StringDict, len(s.env)+8)
	for n, v := range s.env {
		env[n] = v
	}
	c := consts{env, &s.consts}
	text, err := c.render(lines[0].toks)
	if err != nil {
		return nil, err
	}
	e, err := options.ParseExpr("python", "("+text+")", 0)
	if err != nil {
		return nil, parseError(err)
	}
	e = rewriter{}.expr(e)
	pos := syntax.MakePosition(nil, 1, 1)
	f := &syntax.File{Path: "python", Options: options, Stmts: []syntax.Stmt{&syntax.AssignStmt{
		OpPos: pos, Op: syntax.EQ, LHS: &syntax.Ident{NamePos: pos, Name: reserved + "value"}, RHS: e}}}
	prog, err := starlark.FileProgram(f, func(string) bool { return true })
	if err != nil {
		return nil, parseError(err)
	}
	return &Expr{scope: &Scope{env: env, broken: s.broken, file: s.file}, src: src, prog: prog}, nil
}

// String is the expression's source.
func (e *Expr) String() string { return e.src }

func (e *Expr) eval() (starlark.Value, error) {
	if e.value != nil {
		return e.value, nil
	}
	t := &starlark.Thread{}
	t.SetMaxExecutionSteps(maxSteps)
	globals, err := e.prog.Init(t, e.scope.env)
	if err != nil {
		return nil, e.scope.explain(err)
	}
	e.value = globals[reserved+"value"]
	return e.value, nil
}

// Value is the value of the expression itself.
func (e *Expr) Value() (any, error) {
	v, err := e.eval()
	if err != nil {
		return nil, err
	}
	return toGo(v, 0)
}

// Call calls the function the expression is.
func (e *Expr) Call(args ...any) (any, error) {
	v, err := e.CallRaw(args...)
	if err != nil {
		return nil, err
	}
	return toGo(v, 0)
}

// CallRaw is Call with the value as it is, for Compare and Truth.
func (e *Expr) CallRaw(args ...any) (starlark.Value, error) {
	f, err := e.eval()
	if err != nil {
		return nil, err
	}
	if _, ok := f.(starlark.Callable); !ok {
		return nil, fmt.Errorf("it is no function of a name (lambda NAME: ...)")
	}
	in := make(starlark.Tuple, len(args))
	for i, a := range args {
		if in[i], err = fromGo(a); err != nil {
			return nil, err
		}
	}
	t := &starlark.Thread{}
	t.SetMaxExecutionSteps(maxSteps)
	v, err := starlark.Call(t, f, in, nil)
	return v, e.scope.explain(err)
}

// explain makes a message of an error: what cannot be had of the pythonfile is
// named with its reason.
func (s *Scope) explain(err error) error {
	if err == nil {
		return nil
	}
	var py *PyError
	if errors.As(err, &py) {
		return py
	}
	msg := err.Error()
	var ev *starlark.EvalError
	if errors.As(err, &ev) {
		msg = ev.Msg
	}
	if name, ok := unset(msg); ok {
		why := s.broken[name]
		if why == "" {
			why = s.broken[""]
		}
		switch {
		case why != "":
			return fmt.Errorf("%s of the pythonfile is not understood: %s", name, why)
		case s.file == "" && !slices.Contains(pythonBuiltins, name):
			return raise("NameError", "name %q is not defined, and there is no pythonfile", name)
		case s.file == "":
			return fmt.Errorf("%q is not understood", name)
		}
		return fmt.Errorf("%q is not known; %s does not define it", name, s.file)
	}
	return errors.New(msg)
}

// pythonBuiltins are names Python knows and this package does not.
var pythonBuiltins = strings.Fields("__import__ ascii bin bytearray bytes callable chr classmethod compile complex delattr dir divmod eval exec format float getattr globals hasattr hex id input iter locals memoryview next object oct open ord pow print property repr round setattr slice staticmethod super type vars Exception ValueError KeyError IndexError")

// toGo gives strings, int64, float64, bool, nil, []any (lists and tuples) and
// map[string]any.
func toGo(v starlark.Value, depth int) (any, error) {
	if depth > 20 {
		return nil, errTooLong
	}
	switch v := v.(type) {
	case Str:
		return string(v), nil
	case starlark.Bool:
		return bool(v), nil
	case starlark.Int:
		n, ok := v.Int64()
		if !ok {
			return nil, errTooLong
		}
		return n, nil
	case starlark.Float:
		return float64(v), nil
	case starlark.NoneType:
		return nil, nil
	case *match:
		return true, nil
	case *starlark.Dict:
		out := map[string]any{}
		for _, kv := range v.Items() {
			k, ok := kv[0].(Str)
			if !ok {
				return nil, wrongUse("a dictionary")
			}
			x, err := toGo(kv[1], depth+1)
			if err != nil {
				return nil, err
			}
			out[string(k)] = x
		}
		return out, nil
	case starlark.Iterable:
		elems, err := elements(v)
		out := make([]any, len(elems))
		for i := range elems {
			if err == nil {
				out[i], err = toGo(elems[i], depth+1)
			}
		}
		return out, err
	}
	return nil, fmt.Errorf("a %s is no value that can be used", v.Type())
}

func fromGo(v any) (starlark.Value, error) {
	switch v := v.(type) {
	case string:
		if !utf8.ValidString(v) {
			return nil, fmt.Errorf("a name that is not UTF-8 is not understood")
		}
		return Str(v), nil
	case int:
		return starlark.MakeInt(v), nil
	case []string:
		return strs(v), nil
	case map[string]any:
		d := starlark.NewDict(len(v))
		for k, x := range v {
			y, err := fromGo(x)
			if err != nil {
				return nil, err
			}
			d.SetKey(Str(k), y)
		}
		return d, nil
	}
	return nil, fmt.Errorf("a %T is no Python value", v)
}
