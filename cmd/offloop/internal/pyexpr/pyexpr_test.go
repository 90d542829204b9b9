package pyexpr

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

const helpers = `import re, os, subprocess
m = {'INBOX': 'in',
     'a' 'b': 'c'}
m['x'] = 'y'
seen = []
def tr(f):
    '''A name.'''
    try:
        return m[f]
    except KeyError:
        return f.lower()
def both(d, k):
    try:
        x = d[k][5]
    except (KeyError, IndexError):
        x = 'none'
    return x
def other(d, k):
    try:
        return d[k][5]
    except KeyError:
        return 'none'
def run(a):
    return subprocess.check_output([a])
def hinted(x: str, y='a', *, z: int = 1) -> str:
    return y
def forward(x):
    import re
    return late.sub('', x) + after(x)
def after(x): return x[::-1]
late = re.compile('^[A-Z]+')
bad = open('x')
n = 1
n = 2
assert len(m) == 3, "three, not %d" % len(m)
held = {'k': 'v'}
assert held, open('x')
failed = {'k': 'v'}
assert failed == {}, "no"
good = ['a']
good.append(missing())
class C:
    pass
def twice(f):
    seen.append(f)
    return len(seen)
`

// What a pythonfile defines can be used, and what cannot be had says why.
func TestPythonfile(t *testing.T) {
	s := NewScope("f.py", helpers)
	for _, x := range []struct {
		expr, arg, want string
	}{
		{"tr", "INBOX", "in"}, {"tr", "Foo", "foo"}, {"tr", "x", "y"}, {"tr", "ab", "c"}, {"lambda f: both({}, f)", "a", "none"}, {"lambda f: both({'a': 'b'}, f)", "a", "none"},
		{"lambda f: other({'a': 'b'}, f)", "a", "IndexError: str index out of range"}, {"forward", "ABc", "ccBA"}, {"lambda f: n", "", "2"}, {"lambda f: os.path.join('a', f, '/b', 'c')", "x", "/b/c"},
		{"run", "x", "subprocess of the pythonfile is not understood: it comes from the module subprocess"},
		{"lambda f: bad", "", "bad of the pythonfile is not understood: \"open\" is not understood"},
		{"lambda f: held[f]", "k", "v"}, {"lambda f: failed[f]", "k", "failed of the pythonfile is not understood: an assert of the pythonfile fails"},
		{"lambda f: good", "", "good of the pythonfile is not understood: \"missing\" is not understood"},
		{"lambda f: C()", "", `C of the pythonfile is not understood: line 42: "class" is not understood`},
		{"lambda f: zz", "", `"zz" is not known; f.py does not define it`},
		{"lambda f: [twice(f), twice(f)]", "a", "[1 2]"},
	} {
		if got := outcome(s, x.expr, x.arg); got != x.want {
			t.Errorf("%s(%q): %s, want %s", x.expr, x.arg, got, x.want)
		}
	}
	broken := NewScope("g.py", "ok = 'fine'\ndef f(:\n  (\n")
	if got := outcome(broken, "lambda f: ok", ""); got != "fine" {
		t.Error(got)
	}
	if got := outcome(broken, "f", ""); !strings.Contains(got, "g.py:") {
		t.Error(got)
	}
}

func outcome(s *Scope, expr, arg string) string {
	e, err := s.Compile(expr)
	if err != nil {
		return err.Error()
	}
	v, err := e.Call(arg)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprint(v)
}

// A statement that fails half way leaves nothing that could be wrong.
func TestHalfDoneIsNotUsed(t *testing.T) {
	for _, text := range []string{
		"d = {}\nfor k in ['a', 'b']:\n  d[k] = k\n  open(k)\n", "d = {}\nd.update(load())\n", "d = {}\nd = other()\n", "d = {}\nd['a'] = open('x')\n", "d = {}\nif open('x'):\n  d = 1\n", "d = {}\nclass d: pass\n", "d = {}\nimport nothing as d\n", "d = {}\nd += [1]\n",
	} {
		s := NewScope("f.py", text)
		e, err := s.Compile("d")
		if err != nil {
			t.Fatal(err)
		}
		if v, err := e.Value(); err == nil {
			t.Errorf("%q: d is %v", text, v)
		}
	}
}

// Python's answers come back one for one.
func TestAnswers(t *testing.T) {
	as, err := Answers([]byte(`[{"ok": true, "true": false, "value": ""}, {"ok": false, "kind": "KeyError", "text": "'x'"}]`), 2)
	var raised *PyError
	if err != nil || as[0].Value != "" || as[0].True || !errors.As(as[1].Err, &raised) || raised.Kind != "KeyError" {
		t.Errorf("%+v %v", as, err)
	}
	for _, bad := range []string{"", "{}", `[{"ok": true}]`, "noise"} {
		if _, err := Answers([]byte(bad), 2); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

func FuzzPythonfile(f *testing.F) {
	f.Add(helpers, "tr", "INBOX")
	f.Add("def f(x):\n\ttry: return x\n\texcept: return 1\n", "f", "a")
	f.Add("import a.b as c, d\nfrom e import (f, g as h)\n", "lambda x: f'{x}{c}'", "")
	f.Add("x = {1, 2}\ny = (a for a in x)\nz = a is not None", "lambda f: re.sub('(a)', '\\\\1', f)", "ä")
	f.Fuzz(func(t *testing.T, text, expr, arg string) {
		start := time.Now()
		s := NewScope("f.py", text)
		e, err := s.Compile(expr)
		if err != nil {
			return
		}
		if v, err := e.Call(arg); err == nil {
			if s, ok := v.(string); ok && len(s) > maxSize+len(arg)+len(text)+len(expr) {
				t.Fatalf("a value of %d bytes", len(s))
			}
		}
		if d := time.Since(start); d > 20*time.Second {
			t.Fatalf("it took %v", d)
		}
	})
}
