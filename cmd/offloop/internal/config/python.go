package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"sort"

	"offloop/cmd/offloop/internal/pyexpr"
)

// Python evaluates the expressions of one account, or of [mbnames]: here where
// that is possible, else with the answers of a real python3. It remembers what
// it could not answer; the program asks python3 and brings the answers.
type Python struct {
	// File is the pythonfile's absolute path, "" for none.
	File string
	// Program is the path of python3, "" where there is none.
	Program string
	// Uses are the keys that need python3, with the reason.
	Uses []PythonUse

	scope   *pyexpr.Scope
	answers map[string]pyexpr.Answer
	missing []pyexpr.Question
	typed   map[string]string // what a person typed for getpass, by its prompts
}

// NeedsPython is the error of a value that python3 has not been asked for yet.
type NeedsPython struct{ Why string }

// Error tells why offloop did not evaluate it itself.
func (e *NeedsPython) Error() string { return "python3 has to be asked: " + e.Why }

// maxAnswers bounds what is remembered: folders times functions, generously.
const maxAnswers = 100_000

// Missing returns what python3 is to be asked, each once, and forgets it.
func (p *Python) Missing() []pyexpr.Question {
	seen := map[string]bool{}
	var out []pyexpr.Question
	for _, q := range p.missing {
		if key := questionKey(q); !seen[key] {
			seen[key] = true
			out = append(out, q)
		}
	}
	p.missing = nil
	return out
}

// Answered brings python3's answers to questions. Where getpass asks a person
// first, its prompt is returned, for Typed; without that the answer is an exception.
func (p *Python) Answered(qs []pyexpr.Question, as []pyexpr.Answer) (prompt string, asks bool) {
	if p.answers == nil || len(p.answers) > maxAnswers {
		p.answers = map[string]pyexpr.Answer{}
	}
	for i, q := range qs {
		p.answers[questionKey(q)] = as[i]
		if as[i].Asks && !asks {
			prompt, asks = as[i].Prompt, true
		}
	}
	return prompt, asks
}

// Typed brings what a person typed at a prompt of getpass. What was asked for is open
// again.
func (p *Python) Typed(prompt, text string) {
	if p.typed == nil {
		p.typed = map[string]string{}
	}
	p.typed[prompt] = text
	maps.DeleteFunc(p.answers, func(_ string, a pyexpr.Answer) bool { return a.Asks })
}

// ForgetTyped makes getpass ask again: what was typed was wrong.
func (p *Python) ForgetTyped() {
	clear(p.typed)
	maps.DeleteFunc(p.answers, func(_ string, a pyexpr.Answer) bool { return a.Asks })
}

// Forget drops an expression's answers, a password python3 gave for instance.
func (p *Python) Forget(x *Expression) {
	if x != nil {
		delete(p.answers, questionKey(pyexpr.Question{Expr: x.text}))
	}
}

// Command is the child that answers questions: see pyexpr.Command.
func (p *Python) Command(qs []pyexpr.Question) (args []string, stdin []byte, err error) {
	return pyexpr.Command(p.Program, p.File, qs, p.typed)
}

func questionKey(q pyexpr.Question) string {
	b, err := json.Marshal(q)
	if err != nil {
		return q.Expr
	}
	return string(b)
}

// Expression is a Python value of the file. A nil one is of a key that is not
// set.
type Expression struct {
	py   *Python
	text string
	expr *pyexpr.Expr
	why  error // why it cannot be evaluated here
}

func (p *Python) compile(text string) *Expression {
	x := &Expression{py: p, text: text}
	x.expr, x.why = p.scope.Compile(text)
	return x
}

// HookCommand is the child that calls the expression for what it does: see
// pyexpr.Command. What it prints is for HookAnswer.
func (x *Expression) HookCommand() (args []string, stdin []byte, err error) {
	return x.py.Command([]pyexpr.Question{{Expr: x.text, Call: true, Hook: true}})
}

// HookAnswer is the exception that a hook ended with, or nil.
func HookAnswer(stdout []byte) error {
	a, err := pyexpr.Answers(stdout, 1)
	if err == nil {
		err = a[0].Err
	}
	return err
}

// String is the expression as written.
func (x *Expression) String() string { return x.text }

// Value is the expression's own value: a string, int64, float64, bool, nil,
// []any or map[string]any. The error is a *NeedsPython, or says what is wrong.
func (x *Expression) Value() (any, error) {
	v, _, err := x.do(pyexpr.Question{Expr: x.text}, func() (any, bool, error) {
		v, err := x.expr.Value()
		return v, false, err
	})
	return v, err
}

// Call calls the function the expression is.
func (x *Expression) Call(args ...any) (any, error) {
	v, _, err := x.do(pyexpr.Question{Expr: x.text, Call: true, Args: args}, func() (any, bool, error) {
		v, err := x.expr.Call(args...)
		return v, false, err
	})
	return v, err
}

// Test is the truth of Call's value.
func (x *Expression) Test(args ...any) (bool, error) {
	_, is, err := x.do(pyexpr.Question{Expr: x.text, Call: true, Args: args}, func() (any, bool, error) {
		v, err := x.expr.CallRaw(args...)
		if err != nil {
			return nil, false, err
		}
		return nil, bool(v.Truth()), nil
	})
	return is, err
}

// do evaluates here, or takes python3's answer, or asks for one.
func (x *Expression) do(q pyexpr.Question, here func() (any, bool, error)) (any, bool, error) {
	why := x.why
	if why == nil {
		v, is, err := here()
		var raised *pyexpr.PyError
		if err == nil || errors.As(err, &raised) {
			return v, is, err
		}
		why = err
	}
	if a, ok := x.py.answers[questionKey(q)]; ok {
		if f, isNumber := a.Value.(float64); isNumber && f == float64(int64(f)) {
			a.Value = int64(f)
		}
		return a.Value, a.True, a.Err
	}
	if x.py.Program == "" {
		return nil, false, fmt.Errorf("%w, and there is no python3 to ask", why)
	}
	x.py.missing = append(x.py.missing, q)
	return nil, false, &NeedsPython{why.Error()}
}

// Sort puts names in the order of an expression that compares two (foldersort).
func (x *Expression) Sort(names []string) ([]string, error) {
	args := make([]any, len(names))
	for i, n := range names {
		args[i] = n
	}
	v, _, err := x.do(pyexpr.Question{Expr: x.text, Sort: true, Args: args}, func() (any, bool, error) {
		out := append([]string(nil), names...)
		var failed error
		sort.SliceStable(out, func(i, j int) bool {
			if failed != nil {
				return false
			}
			c, err := x.expr.Call(out[i], out[j])
			n, ok := c.(int64)
			if err == nil && !ok {
				err = fmt.Errorf("foldersort gives %s, not a number", typeName(c))
			}
			failed = err
			return err == nil && n < 0
		})
		return out, false, failed
	})
	switch v := v.(type) {
	case []string:
		return v, err
	case []any:
		out := make([]string, 0, len(v))
		for _, x := range v {
			if s, ok := x.(string); ok {
				out = append(out, s)
			}
		}
		if len(out) != len(names) {
			return nil, fmt.Errorf("foldersort lost a name")
		}
		return out, err
	}
	return nil, err
}

// typeName is what a message calls a value.
func typeName(v any) string {
	switch v.(type) {
	case string:
		return "a string"
	case int64, float64:
		return "a number"
	case bool:
		return "a bool"
	case nil:
		return "None"
	case []any:
		return "a list"
	case map[string]any:
		return "a dictionary"
	}
	return "a value"
}

// python is the Python of one account.
func (b *builder) python() *Python {
	if b.scope == nil {
		b.pythonfile()
	}
	return &Python{File: b.pyFile, Program: b.pyProgram, scope: b.scope}
}

// pythonfile reads [general] pythonfile. One that cannot be read is told of;
// what uses it fails by itself.
func (b *builder) pythonfile() {
	b.pyProgram, _ = findPython("python3")
	v := b.view("general")
	s, e := v.text("pythonfile")
	if e == nil || s == "" {
		b.scope = pyexpr.NewScope("", "")
		return
	}
	b.pyFile = absolute(s)
	text := ""
	_, err := os.Stat(b.pyFile)
	if err == nil {
		text, _, err = readFile(b.pyFile)
	}
	if err != nil {
		v.warn(e, "pythonfile", fmt.Sprintf("the pythonfile cannot be read: %v", err), "pythonfile = the path of a Python file")
	}
	b.scope = pyexpr.NewScope(b.pyFile, text)
}

// findPython is exec.LookPath; tests take python3 away.
var findPython = exec.LookPath

// expression reads a key as Python; nil if it is not set.
func (v *view) expression(key string) (*Expression, *entry) {
	s, e := v.text(key)
	if e == nil {
		return nil, nil
	}
	return v.py.compile(s), e
}

// usable reports an expression that neither offloop nor python3 can evaluate,
// and notes one that needs python3. f evaluates it for a folder's name.
func (v *view) usable(key string, e *entry, f func(string) error) bool {
	err := tryNames(f)
	v.py.missing = nil
	var need *NeedsPython
	var raised *pyexpr.PyError
	switch {
	case err == nil || errors.As(err, &raised):
		return true
	case errors.As(err, &need):
		v.uses(e, key, need.Why, false, func() error { return tryAll(f) })
		return true
	}
	v.cannot(e, key, err)
	return false
}

// constant evaluates an expression that names nothing of a pythonfile.
func constant(src string) (any, error) {
	x, err := pyexpr.NewScope("", "").Compile(src)
	if err != nil {
		return nil, err
	}
	return x.Value()
}
