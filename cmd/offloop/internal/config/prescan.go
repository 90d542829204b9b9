package config

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits of what is read. A real file is a few kilobytes.
const (
	maxFile  = 256 << 10
	maxValue = 64 << 10
	maxLines = 4000 // of one value
)

// entry is one key as written.
type entry struct {
	file    string
	line    int
	section string
	key     string   // lower-cased
	lines   []string // the value's lines, stripped
}

// raw is the value as configparser joins it.
func (e *entry) raw() string {
	return strings.TrimRightFunc(strings.Join(e.lines, "\n"), pySpace)
}

// scanned is what prescan found: logical lines in the order of the file.
type scanned struct {
	sections []sectionAt
	entries  []*entry
	problems []Problem
}

type sectionAt struct {
	name string
	line int
}

// prescanner walks the physical lines as configparser's _read does.
type prescanner struct {
	file    string
	out     scanned
	section string // "" before the first
	open    *entry // what a deeper indented line continues
	indent  int
	size    int  // of open's value
	cut     bool // open's value is too long, which was said
	seenKey map[[2]string]int
	seenSec map[string]int
}

// prescan splits a file into sections and keys with their line numbers. It
// never fails; what Python would refuse is in the problems.
func prescan(file, text string) scanned {
	p := &prescanner{file: file, seenKey: map[[2]string]int{}, seenSec: map[string]int{}}
	text = strings.TrimPrefix(text, "\ufeff")
	text = strings.ReplaceAll(text, "\r\n", "\n")
	text = strings.ReplaceAll(text, "\r", "\n")
	for i, line := range strings.Split(text, "\n") {
		p.line(i+1, line)
	}
	return p.out
}

func (p *prescanner) line(no int, line string) {
	if !utf8.ValidString(line) {
		p.problem(no, "", Warning, "this line is not UTF-8", "the file in UTF-8")
	}
	text := strings.TrimFunc(line, pySpace)
	if strings.HasPrefix(text, "#") || strings.HasPrefix(text, ";") {
		return
	}
	if text == "" {
		if p.open != nil {
			p.open.lines = append(p.open.lines, "")
			p.grow(no, 1)
		}
		return
	}
	indent := utf8.RuneCountInString(line[:strings.IndexFunc(line, func(r rune) bool { return !pySpace(r) })])
	if p.open != nil && indent > p.indent {
		p.open.lines = append(p.open.lines, text)
		p.grow(no, len(text)+1)
		return
	}
	p.indent = indent
	if end := strings.LastIndexByte(text, ']'); text[0] == '[' && end > 1 {
		p.header(no, text[1:end])
		return
	}
	p.pair(no, text)
}

// grow keeps one value from taking all memory; its rest is dropped.
func (p *prescanner) grow(no, n int) {
	p.size += n
	if p.size <= maxValue && len(p.open.lines) <= maxLines {
		return
	}
	if !p.cut {
		p.problem(no, p.open.key, Error, fmt.Sprintf("the value of %s is longer than %d bytes or %d lines", p.open.key, maxValue, maxLines), "")
	}
	p.cut = true
	p.open.lines = p.open.lines[:len(p.open.lines)-1]
}

func (p *prescanner) header(no int, name string) {
	if first, dup := p.seenSec[name]; dup {
		p.section = name
		p.problem(no, "", Warning, fmt.Sprintf("section [%s] was begun in line %d already; both are used", name, first), "one section of that name")
	} else {
		p.seenSec[name] = no
		p.out.sections = append(p.out.sections, sectionAt{name, no})
	}
	p.section, p.open = name, nil
}

func (p *prescanner) pair(no int, text string) {
	at := strings.IndexAny(text, "=:")
	if p.section == "" {
		p.problem(no, "", Error, "text before the first section", "[general] above it")
		p.open = nil
		return
	}
	if at < 0 {
		p.noDelimiter(no, text)
		return
	}
	key := strings.ToLower(strings.TrimRightFunc(text[:at], pySpace))
	if key == "" {
		p.problem(no, "", Error, "a value without a key", "key = value")
		return
	}
	id := [2]string{p.section, key}
	if first, dup := p.seenKey[id]; dup {
		p.problem(no, key, Warning, fmt.Sprintf("%s is set again (first in line %d); this one counts", key, first), "one line for "+key)
	}
	p.seenKey[id] = no
	value := strings.TrimFunc(text[at+1:], pySpace)
	p.open = &entry{file: p.file, line: no, section: p.section, key: key, lines: []string{value}}
	p.size, p.cut = 0, false
	p.out.entries = append(p.out.entries, p.open)
	p.grow(no, len(value))
	if len(p.open.lines) == 0 {
		p.open.lines = []string{""}
	}
}

// noDelimiter reports a line that is no key. It may be part of a password, so
// only a known key's name is repeated.
func (p *prescanner) noDelimiter(no int, text string) {
	what, instead := `a line that is neither a section nor "key = value"`, "key = value, or indent the line to continue the value above"
	if first, _, _ := strings.Cut(text, " "); knownName(strings.ToLower(first)) {
		what = fmt.Sprintf(`%s without "=" or ":"`, strings.ToLower(first))
		instead = strings.ToLower(first) + " = ..."
	}
	p.problem(no, "", Error, what, instead)
}

func (p *prescanner) problem(no int, key string, s Severity, text, instead string) {
	p.out.problems = append(p.out.problems, Problem{File: p.file, Line: no, Section: p.section, Key: key, Severity: s, Text: text, Instead: instead})
}

// pySpace is Python's str.isspace for one character, which also counts the
// four ASCII separators.
func pySpace(r rune) bool { return unicode.IsSpace(r) || r >= 0x1c && r <= 0x1f }
