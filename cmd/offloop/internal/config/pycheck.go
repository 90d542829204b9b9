package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"offloop/cmd/offloop/internal/pyexpr"
)

// PythonUse is a key python3 is asked about.
type PythonUse struct {
	File         string
	Line         int
	Section, Key string
	// Why says what offloop cannot evaluate itself.
	Why string

	try  func() error // evaluates it for a sample, or only looks at it; see CheckPython
	mild bool         // the account is synced without it
}

// String is the use on one line.
func (u PythonUse) String() string {
	return printable(fmt.Sprintf("%s:%d: %s of [%s] (%s)", u.File, u.Line, u.Key, u.Section, u.Why))
}

// uses notes a key that python3 is asked about.
func (v *view) uses(e *entry, key, why string, mild bool, try func() error) {
	v.py.Uses = append(v.py.Uses, PythonUse{e.file, e.line, v.section, key, why, try, mild})
}

// CheckPython has python3 say what is wrong with the account's expressions before
// anything is synced: the pythonfile is run, folderfilter, nametrans, foldersort and
// copy_ignore_eval are evaluated for some names, and of the others, which may ask for a
// password or do something, only the syntax and the names in them are looked at.
//
// The error is a *NeedsPython while python3 has to be asked.
func (a *Account) CheckPython() (ps []Problem, need error) {
	var broken []PythonUse // by a pythonfile that cannot be run
	var why *pyexpr.PyError
	for _, u := range a.Python.Uses {
		err := u.try()
		var n *NeedsPython
		var raised *pyexpr.PyError
		switch {
		case err == nil:
		case errors.As(err, &n):
			need = err
		case errors.As(err, &raised) && raised.Asks:
			ps = append(ps, u.problem(a.Name, &doubtful{errors.New("it asks for a password (getpass), and so was not tried")}))
		case errors.As(err, &raised) && raised.InFile:
			broken, why = append(broken, u), raised
		default:
			ps = append(ps, u.problem(a.Name, err))
		}
	}
	if why != nil {
		ps = append(ps, a.Python.broken(a.Name, broken, why))
	}
	return tidyProblems(ps), need
}

// PythonFailed is the problem of a python3 that gave no answers at all.
func (a *Account) PythonFailed(err error) Problem {
	i := max(0, slices.IndexFunc(a.Python.Uses, func(u PythonUse) bool { return !u.mild }))
	return a.Python.Uses[i].problem(a.Name, err)
}

func (u PythonUse) problem(account string, err error) Problem {
	p := Problem{File: u.File, Line: u.Line, Section: u.Section, Key: u.Key, Account: account, Severity: Error}
	if k := lookup(u.Key, anyRepo); k != nil {
		p.Instead = k.Instead
	}
	var doubt *doubtful
	switch {
	case errors.As(err, &doubt):
		p.Severity = Warning
		p.Text = u.Key + " may not work: " + err.Error()
	case u.mild:
		p.Severity = Warning
		p.Text = u.Key + " cannot be evaluated, so it does nothing: " + err.Error()
	default:
		p.Text = u.Key + " cannot be evaluated, so this account is not synced: " + err.Error()
	}
	return p
}

// broken is the problem of a pythonfile that ends with an exception, and of the keys that
// need it.
func (py *Python) broken(account string, uses []PythonUse, raised *pyexpr.PyError) Problem {
	p := Problem{File: py.File, Line: raised.Line, Account: account, Severity: Warning}
	what := "they do nothing"
	var keys []string
	for _, u := range uses {
		keys = append(keys, u.Key)
		if !u.mild {
			p.Severity, what = Error, "this account is not synced"
		}
	}
	why := pyexpr.PyError{Kind: raised.Kind, Text: raised.Text} // without the place, which is told
	p.Text = fmt.Sprintf("the pythonfile cannot be run: %v. So %s (it is for %s); python3 %s says more",
		harmlessException(&why), what, strings.Join(keys, ", "), py.File)
	return p
}

// doubtful is the error of a rule that raises an exception for all names that were
// tried, and may do so only for these.
type doubtful struct{ error }

func (d *doubtful) Unwrap() error { return d.error }

// hopeless are the exceptions that do not depend on a folder's name.
var hopeless = []string{"NameError", "TypeError", "AttributeError", "ImportError", "ModuleNotFoundError", "FileNotFoundError", "PermissionError", "SyntaxError", "NoTerminal"}

// tryAll evaluates a rule for all sample names. Python's exceptions for some of them
// are none of ours: such a folder is left out, or the rule is about folders that exist.
func tryAll(f func(string) error) error {
	var need *NeedsPython
	var first *pyexpr.PyError
	failed, sure := 0, 0
	for _, n := range sampleNames {
		err := f(n)
		var raised *pyexpr.PyError
		switch {
		case err == nil, errors.As(err, &need):
		case errors.As(err, &raised) && (raised.InFile || raised.Asks), !errors.As(err, &raised):
			return err
		default:
			if failed++; first == nil {
				first = raised
			}
			if slices.Contains(hopeless, raised.Kind) {
				sure++
			}
		}
	}
	switch {
	case need != nil:
		return need
	case sure == len(sampleNames):
		return fmt.Errorf("for every name it raises %w", first)
	case failed == len(sampleNames):
		return &doubtful{fmt.Errorf("for each of the names tried (%s and others) it raises %w", sampleNames[0], first)}
	}
	return nil
}

// look has python3 see whether the expression can be compiled, and whether the names in
// it are there, without evaluating it.
func (x *Expression) look(hook bool) error {
	q := pyexpr.Question{Expr: x.text, Look: true, Hook: hook}
	a, ok := x.py.answers[questionKey(q)]
	if !ok {
		x.py.missing = append(x.py.missing, q)
		return &NeedsPython{"its names are looked for"}
	}
	return a.Err
}
