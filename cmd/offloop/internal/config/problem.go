package config

import (
	"fmt"
	"strings"
	"unicode"
)

// Severity says how much a Problem stops.
type Severity uint8

const (
	// Warning stops nothing.
	Warning Severity = iota + 1
	// Error stops the account it names, or everything if it names none.
	Error
)

// String returns "warning" or "error".
func (s Severity) String() string {
	switch s {
	case Warning:
		return "warning"
	case Error:
		return "error"
	}
	return fmt.Sprintf("severity(%d)", uint8(s))
}

// Problem is one thing wrong with a configuration. It never holds the value of
// a key that may be a password.
type Problem struct {
	// File is the file's name, or "-k" for an override of the command line.
	File string
	// Line counts from 1; 0 means the problem has no line.
	Line int
	// Section and Key name the place; either may be empty.
	Section, Key string
	// Account names the account that must not be synced because of an Error.
	// Empty: the problem concerns the whole file.
	Account string
	// Severity is Warning or Error.
	Severity Severity
	// Text says what is wrong.
	Text string
	// Instead is what to write, empty if there is nothing to write.
	Instead string
}

// String returns "file:line: severity: text (write: instead)", on one line and
// without control characters.
func (p Problem) String() string {
	var b strings.Builder
	b.WriteString(p.File)
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d", p.Line)
	}
	fmt.Fprintf(&b, ": %s: %s", p.Severity, p.Text)
	if p.Instead != "" {
		fmt.Fprintf(&b, " (write: %s)", p.Instead)
	}
	return printable(b.String())
}

// Error makes a Problem usable as an error value.
func (p Problem) Error() string { return p.String() }

// printable replaces what could move a terminal's cursor.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' {
			return ' '
		}
		if !unicode.IsPrint(r) && r != ' ' {
			return unicode.ReplacementChar
		}
		return r
	}, s)
}

// HasErrors reports whether any of the problems is an Error.
func HasErrors(ps []Problem) bool {
	for _, p := range ps {
		if p.Severity == Error {
			return true
		}
	}
	return false
}
