package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"offloop/cmd/offloop/internal/pyexpr"
)

// evalKey is a …eval key whose value python3 is asked for before a connection
// is made.
type evalKey struct {
	key string
	x   *Expression
	set func(r *Remote, value any) error
}

// eval reads a …eval key into the repository: now if offloop can, else when
// Evaluate finds python3's answer. It reports whether the key is there.
func (b *builder) eval(a *Account, v *view, r *Remote, key string, set func(r *Remote, value any) error) (e *entry) {
	x, e := v.expression(key)
	if e == nil {
		return nil
	}
	value, err := x.Value()
	v.py.missing = nil
	var need *NeedsPython
	if errors.As(err, &need) {
		a.evals = append(a.evals, evalKey{key, x, set})
		v.uses(e, key, harmless(need.Why), false, func() error { return x.look(false) })
		return e
	}
	var raised *pyexpr.PyError
	switch {
	case errors.As(err, &raised):
		v.fail(e, key, key+" raises an exception, so this account is not synced: "+harmlessException(err).Error(), v.otherKey(key))
		return e
	case err == nil:
		err = set(r, value)
	default:
		err = errors.New(harmless(err.Error()))
	}
	if err != nil {
		v.cannot(e, key, err)
	}
	return e
}

// pending tells whether a key waits for python3.
func (a *Account) pending(key string) bool {
	return slices.ContainsFunc(a.evals, func(k evalKey) bool { return k.key == key })
}

// Evaluate fills in what the …eval keys give that offloop cannot evaluate
// itself. Its error is a *NeedsPython while python3 has to be asked.
func (a *Account) Evaluate() error {
	var need error
	for _, k := range a.evals {
		value, err := k.x.Value()
		var n *NeedsPython
		if errors.As(err, &n) {
			need = err
			continue
		}
		if err == nil {
			err = k.set(&a.Remote, value)
		} else {
			err = harmlessException(err)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", k.key, err)
		}
	}
	return need
}

// ForgetEvals makes the next Evaluate ask python3 again: a password was refused,
// or a token has run out.
func (a *Account) ForgetEvals() {
	for _, k := range a.evals {
		a.Python.Forget(k.x)
	}
}

// harmless cuts a reason that could repeat part of a secret down to the names
// in it.
func harmless(why string) string {
	if strings.Contains(why, "no python3") {
		return harmlessName(why) + ", and there is no python3 to ask"
	}
	return harmlessName(why)
}

func harmlessName(why string) string {
	for _, mark := range []string{" of the pythonfile is not understood", " is not known"} {
		if i := strings.Index(why, mark); i >= 0 {
			if _, module, ok := strings.Cut(why, "it comes from the module "); ok {
				return why[:i+len(mark)] + ": it needs the module " + strings.Split(module, ",")[0]
			}
			return why[:i+len(mark)]
		}
	}
	return "it is not understood"
}

// harmlessException keeps the text of exceptions that are about programs and
// names; of others, which could repeat a value, only the kind is told.
func harmlessException(err error) error {
	var raised *pyexpr.PyError
	if !errors.As(err, &raised) {
		return errors.New(harmless(err.Error()))
	}
	switch raised.Kind {
	case "FileNotFoundError", "PermissionError", "CalledProcessError", "ModuleNotFoundError", "ImportError", "NameError", "AttributeError", "SyntaxError", "IndentationError", "TabError", "NoTerminal":
		return err
	}
	return fmt.Errorf("python3 raised %s%s", raised.Kind, raised.Place())
}

// text takes a string without line ends; what stands in its place is refused.
func evalText(value any) (string, error) {
	s, ok := value.(string)
	if !ok {
		return "", fmt.Errorf("it is %s, not a string", typeName(value))
	}
	s = strings.TrimRight(s, "\r\n")
	if strings.ContainsAny(s, "\r\n\x00") {
		return "", errors.New("it has more than one line")
	}
	return s, nil
}

func setHost(r *Remote, value any) error {
	s, err := evalText(value)
	if err == nil && (s == "" || strings.ContainsAny(s, " \t/")) {
		err = errors.New("it is no host")
	}
	if err == nil {
		r.Host = strings.TrimSuffix(strings.TrimPrefix(s, "["), "]")
	}
	return err
}

func setPort(r *Remote, value any) error {
	n, ok := value.(int64)
	if s, isText := value.(string); isText {
		_, err := fmt.Sscan(s, &n)
		ok = err == nil
	}
	if !ok || n < 1 || n > 65535 {
		return errors.New("it is no port")
	}
	r.Port = int(n)
	return nil
}

func setUser(r *Remote, value any) (err error) {
	r.User, err = evalText(value)
	return err
}

// setPass takes None for "ask the user", as OfflineIMAP does.
func setPass(r *Remote, value any) (err error) {
	if value == nil {
		return nil
	}
	r.Pass, err = evalText(value)
	return err
}
