package config

import (
	"fmt"
	"strings"

	"gopkg.in/ini.v1"
)

// defaultSection is the section whose keys appear in all others.
const defaultSection = "DEFAULT"

// document is a file as ini.v1 read it, with the place of every key.
type document struct {
	file     string
	ini      *ini.File
	sections []sectionAt
	at       map[[2]string]*entry // (section, key) -> where it was last written
	keys     map[string][]string  // section -> its keys, in order
	lines    map[string]int       // section -> its line
	used     map[[2]string]bool   // keys other keys refer to by %(key)s
	warned   map[[2]string]bool   // keys whose lone % was reported
	problems []Problem
}

// The pre-scan's text is written out again for ini.v1 in a form it reads as
// Python would: keys and value lines carry a mark in front, so that quotes,
// back quotes, brackets, dashes, and blank lines inside values mean nothing.
const (
	keyMark   = "k."
	valueMark = "|"
)

var iniOptions = ini.LoadOptions{
	InsensitiveKeys:            true,
	AllowPythonMultilineValues: true,
	IgnoreInlineComment:        true,
	IgnoreContinuation:         true,
	PreserveSurroundedQuote:    true,
	KeyValueDelimiters:         "=",
	ChildSectionDelimiter:      "\x00",
}

// parse reads a file's text. Problems with severity Error mean that Python
// would not read the file at all.
func parse(file, text string) (*document, error) {
	s := prescan(file, text)
	d := &document{
		file: file, sections: s.sections, problems: s.problems,
		at: map[[2]string]*entry{}, keys: map[string][]string{}, lines: map[string]int{}, used: map[[2]string]bool{}, warned: map[[2]string]bool{},
	}
	normal := normalise(s)
	opts := iniOptions
	opts.ReaderBufferSize = len(normal) + 1
	f, err := ini.LoadSources(opts, []byte(normal))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	d.ini = f
	for _, s := range s.sections {
		d.lines[s.name] = s.line
	}
	for _, e := range s.entries {
		d.put(e)
	}
	return d, nil
}

func (d *document) put(e *entry) {
	id := [2]string{e.section, e.key}
	if d.at[id] == nil {
		d.keys[e.section] = append(d.keys[e.section], e.key)
	}
	d.at[id] = e
}

// normalise writes logical lines for ini.v1.
func normalise(s scanned) string {
	var b strings.Builder
	section := ""
	for _, sec := range s.sections {
		fmt.Fprintf(&b, "[%s]\n", sec.name)
		section = sec.name
	}
	for _, e := range s.entries {
		if e.section != section {
			fmt.Fprintf(&b, "[%s]\n", e.section)
			section = e.section
		}
		fmt.Fprintf(&b, "%s%s=%s%s\n", keyMark, e.key, valueMark, e.lines[0])
		for _, l := range e.lines[1:] {
			fmt.Fprintf(&b, "\t%s%s\n", valueMark, l)
		}
	}
	return b.String()
}

// rawHere returns a key's value in exactly this section, before interpolation.
func (d *document) rawHere(section, key string) (string, *entry) {
	e := d.at[[2]string{section, key}]
	if e == nil {
		return "", nil
	}
	sec, err := d.ini.GetSection(section)
	if err != nil || !sec.HasKey(keyMark+key) {
		return "", nil
	}
	lines := strings.Split(sec.Key(keyMark+key).Value(), "\n")
	for i, l := range lines {
		lines[i] = strings.TrimPrefix(strings.TrimPrefix(l, "\t"), valueMark)
	}
	return strings.TrimRightFunc(strings.Join(lines, "\n"), pySpace), e
}

// raw also looks in [DEFAULT].
func (d *document) raw(section, key string) (string, *entry) {
	if v, e := d.rawHere(section, key); e != nil {
		return v, e
	}
	return d.rawHere(defaultSection, key)
}

// has reports whether a section was written.
func (d *document) has(section string) (line int, ok bool) {
	line, ok = d.lines[section]
	return line, ok
}

// set overrides a key.
func (d *document) set(section, key, value string) error {
	key = strings.ToLower(key)
	lines := strings.Split(value, "\n")
	sec, err := d.ini.NewSection(section)
	if err != nil {
		return err
	}
	stored := valueMark + strings.Join(lines, "\n\t"+valueMark)
	if _, err := sec.NewKey(keyMark+key, stored); err != nil {
		return err
	}
	d.put(&entry{file: "-k", section: section, key: key, lines: lines})
	return nil
}

// get returns a key's value with %(x)s and %% resolved. A missing key has a
// nil entry and no error.
func (d *document) get(section, key string) (string, *entry, error) {
	v, e := d.raw(section, key)
	if e == nil {
		return "", nil, nil
	}
	if !strings.Contains(v, "%") {
		return v, e, nil
	}
	x := &interpolation{doc: d, section: section, entry: e}
	x.expand(v, 1)
	if x.err != nil {
		return "", e, x.err
	}
	return x.out.String(), e, nil
}

// interpolation is one run of configparser's BasicInterpolation.
type interpolation struct {
	doc     *document
	section string
	entry   *entry
	out     strings.Builder
	refs    int
	err     error
}

// maxDepth is configparser's MAX_INTERPOLATION_DEPTH.
const maxDepth = 10

// maxReferences bounds the work of one value.
const maxReferences = 1000

func (x *interpolation) expand(rest string, depth int) {
	if x.refs++; x.refs > maxReferences || depth > maxDepth {
		x.fail("it refers to itself, directly or through other keys")
		return
	}
	for rest != "" && x.err == nil {
		if x.out.Len() > maxValue {
			x.fail(fmt.Sprintf("it becomes longer than %d bytes", maxValue))
			return
		}
		p := strings.IndexByte(rest, '%')
		if p < 0 {
			x.out.WriteString(rest)
			return
		}
		x.out.WriteString(rest[:p])
		rest = rest[p+1:]
		switch {
		case strings.HasPrefix(rest, "%"):
			x.out.WriteByte('%')
			rest = rest[1:]
		case strings.HasPrefix(rest, "("):
			rest = x.reference(rest, depth)
		default:
			x.out.WriteByte('%')
			x.lonePercent()
		}
	}
}

// reference expands one "(name)s" and returns what follows it.
func (x *interpolation) reference(rest string, depth int) string {
	end := strings.IndexByte(rest, ')')
	if end < 2 || !strings.HasPrefix(rest[end+1:], "s") {
		x.fail("a %( that is not %(name)s; a percent sign is written %%")
		return ""
	}
	name := strings.ToLower(rest[1:end])
	v, e := x.doc.raw(x.section, name)
	if e == nil {
		x.fail(fmt.Sprintf("%%(%s)s names a key that is neither in this section nor in [DEFAULT]", name))
		return ""
	}
	x.doc.used[[2]string{e.section, name}] = true
	x.expand(v, depth+1)
	return rest[end+2:]
}

// lonePercent accepts what Python 2 accepted and Python 3 does not.
func (x *interpolation) lonePercent() {
	id := [2]string{x.entry.section, x.entry.key}
	if x.doc.warned[id] {
		return
	}
	x.doc.warned[id] = true
	x.doc.problems = append(x.doc.problems, Problem{
		File: x.entry.file, Line: x.entry.line, Section: x.entry.section, Key: x.entry.key, Severity: Warning,
		Text: "a single % in the value of " + x.entry.key + " is taken as it is", Instead: "%% for each %",
	})
}

func (x *interpolation) fail(text string) {
	if x.err == nil {
		x.err = Problem{File: x.entry.file, Line: x.entry.line, Section: x.entry.section, Key: x.entry.key,
			Severity: Error, Text: "the value of " + x.entry.key + " cannot be filled in: " + text}
	}
}
