package config

import (
	"fmt"
	"strings"
)

// Override is a key set on the command line with -k.
type Override struct {
	Section, Key, Value string
}

// ParseOverride reads "[section:]key=value". An underscore in the section
// stands for a blank; the section is general if there is none.
func ParseOverride(s string) (Override, error) {
	left, value, ok := strings.Cut(s, "=")
	section, key := "general", left
	if sec, k, has := strings.Cut(left, ":"); has {
		section, key = strings.ReplaceAll(sec, "_", " "), k
	}
	key = strings.ToLower(strings.TrimSpace(key))
	if !ok || key == "" || strings.TrimSpace(section) == "" || strings.ContainsAny(left, "\n\r") {
		// The value may be a password: it is not repeated.
		return Override{}, fmt.Errorf("-k %q is not [section:]key=value", left)
	}
	return Override{Section: section, Key: key, Value: value}, nil
}

// String does not show the value, which may be a password.
func (o Override) String() string { return o.Section + ":" + o.Key + "=..." }

// GoString is String.
func (o Override) GoString() string { return o.String() }

// apply sets overrides. The section must exist; one whose name has real
// underscores is found too.
func (d *document) apply(over []Override) {
	for _, o := range over {
		section, ok := d.sectionFor(o.Section)
		key := strings.ToLower(o.Key)
		var names []string
		for _, s := range d.sections {
			names = append(names, s.name)
		}
		if !ok {
			instead := ""
			if near := nearest(o.Section, names); near != "" {
				instead = strings.ReplaceAll(near, " ", "_") + ":" + key + "=..."
			}
			d.problems = append(d.problems, Problem{File: "-k", Section: o.Section, Key: key, Severity: Error,
				Text: fmt.Sprintf("there is no section [%s]", o.Section), Instead: instead})
			continue
		}
		if err := d.set(section, key, o.Value); err != nil {
			d.problems = append(d.problems, Problem{File: "-k", Section: section, Key: key, Severity: Error, Text: "the key cannot be set"})
		}
	}
}

func (d *document) sectionFor(name string) (string, bool) {
	if _, ok := d.has(name); ok || name == defaultSection || name == "general" {
		return name, true
	}
	for _, s := range d.sections {
		if strings.ReplaceAll(s.name, "_", " ") == name {
			return s.name, true
		}
	}
	return "", false
}
