package config

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// view reads the keys of one section and reports what is wrong with them,
// either for one account (which then refuses to sync) or for the whole file.
type view struct {
	doc     *document
	section string
	account string
	py      *Python
	report  func(Problem)
}

func (v *view) problem(e *entry, key string, s Severity, text, instead string) {
	p := Problem{File: v.doc.file, Section: v.section, Key: key, Severity: s, Text: text, Instead: instead, Account: v.account}
	if e != nil {
		p.File, p.Line = e.file, e.line
	} else if line, ok := v.doc.has(v.section); ok {
		p.Line = line
	}
	v.report(p)
}

// fail reports an Error about a key.
func (v *view) fail(e *entry, key, text, instead string) { v.problem(e, key, Error, text, instead) }

// warn reports a Warning about a key.
func (v *view) warn(e *entry, key, text, instead string) { v.problem(e, key, Warning, text, instead) }

// text returns a key's value; e is nil if the key is absent or cannot be
// interpolated, which is reported.
func (v *view) text(key string) (string, *entry) {
	s, e, err := v.doc.get(v.section, key)
	if err != nil {
		if p, ok := err.(Problem); ok {
			v.fail(e, key, p.Text, p.Instead)
		}
		return "", nil
	}
	return s, e
}

// bare is text for values of a fixed form: a comment behind the value, which
// Python would not accept, is dropped with a warning.
func (v *view) bare(key string) (string, *entry) {
	s, e := v.text(key)
	if e == nil {
		return "", nil
	}
	for _, mark := range []string{" #", " ;", "\t#", "\t;"} {
		if i := strings.Index(s, mark); i >= 0 {
			s = strings.TrimSpace(s[:i])
			v.warn(e, key, "there are no comments behind a value; the rest of the line of "+key+" is ignored", "the comment in a line of its own")
		}
	}
	return s, e
}

func (v *view) boolean(key string, def bool) bool {
	b, _ := v.booleanSet(key, def)
	return b
}

func (v *view) booleanSet(key string, def bool) (value, set bool) {
	s, e := v.bare(key)
	if e == nil {
		return def, false
	}
	switch strings.ToLower(s) {
	case "1", "yes", "true", "on":
		return true, true
	case "0", "no", "false", "off":
		return false, true
	}
	v.fail(e, key, fmt.Sprintf("%s is neither yes nor no", key), key+" = yes, or "+key+" = no")
	return def, false
}

func (v *view) integer(key string, def, least int64) int64 {
	s, e := v.bare(key)
	if e == nil {
		return def
	}
	n, err := strconv.ParseInt(strings.ReplaceAll(s, "_", ""), 10, 64)
	if err != nil {
		v.fail(e, key, fmt.Sprintf("%s is not a whole number", key), fmt.Sprintf("%s = %d", key, max(def, least)))
		return def
	}
	if n < least {
		v.fail(e, key, fmt.Sprintf("%s must be at least %d", key, least), fmt.Sprintf("%s = %d", key, max(def, least)))
		return def
	}
	return n
}

// minutes reads a number of minutes with a fraction, cut to seconds.
func (v *view) minutes(key string) time.Duration {
	s, e := v.bare(key)
	if e == nil {
		return 0
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || f != f || f > 1e9 {
		v.fail(e, key, fmt.Sprintf("%s is not a number of minutes", key), key+" = 5")
		return 0
	}
	if f < 0 {
		v.warn(e, key, fmt.Sprintf("%s is negative and counts as 0", key), key+" = 0")
		return 0
	}
	return time.Duration(int64(f*60)) * time.Second
}

// duration reads days, or a number with a unit.
func (v *view) duration(key string, def time.Duration) time.Duration {
	s, e := v.bare(key)
	if e == nil {
		return def
	}
	d, ok := ParseDuration(s)
	if !ok {
		v.fail(e, key, fmt.Sprintf("%s is not a length of time", key), key+" = 7d (or 12h, 30m, 2w)")
		return def
	}
	return d
}

// ParseDuration reads a number with a unit: s, m, h, d (also without one) or w.
func ParseDuration(s string) (time.Duration, bool) {
	unit := 24 * time.Hour
	if s != "" {
		switch s[len(s)-1] | 0x20 {
		case 's':
			unit = time.Second
		case 'm':
			unit = time.Minute
		case 'h':
			unit = time.Hour
		case 'd':
		case 'w':
			unit *= 7
		default:
			s += "d"
		}
		s = strings.TrimSpace(s[:len(s)-1])
	}
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil || n > 36500 && unit >= 24*time.Hour {
		return 0, false
	}
	return time.Duration(n) * unit, true
}

// list reads a comma list; blanks around the items and empty items are dropped.
func (v *view) list(key string) ([]string, *entry) {
	s, e := v.text(key)
	if e == nil {
		return nil, nil
	}
	var out []string
	for _, item := range strings.Split(s, ",") {
		if item = strings.TrimFunc(item, pySpace); item != "" {
			out = append(out, item)
		}
	}
	return out, e
}
