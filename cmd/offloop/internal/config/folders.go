package config

import (
	"fmt"
	"strings"
)

// FolderRule chooses folders by name. The zero rule takes every folder.
//
// Its declarative form is a list of patterns, separated by commas or lines. In
// a pattern "*" matches any text, levels included, and "%" any text within one
// level, as in IMAP's LIST (RFC 3501, 6.3.8); "!" in front excludes; a part in
// double quotes is taken literally. The last pattern that matches decides. A
// name no pattern matches is left out, or, if the list begins with "!", taken.
// INBOX is matched in any case.
type FolderRule struct {
	pats    []folderPattern
	expr    *Expression
	exact   map[string]bool // from -f
	include map[string]bool // folderincludes
	prefix  string          // reference: what LIST would have named begins with it
	sep     string
	text    string
}

type folderPattern struct {
	glob    glob
	exclude bool
}

// ParseFolders reads the declarative form. sep is the level separator "%"
// stops at; see WithSep.
func ParseFolders(value, sep string) (FolderRule, error) {
	words, err := splitWords(value, ",\n")
	if err != nil {
		return FolderRule{}, err
	}
	r := FolderRule{sep: sep, text: value}
	for _, w := range words {
		p := folderPattern{}
		if w.text != "" && w.text[0] == '!' && w.plain(0) {
			p.exclude = true
			w = w.cut(1, len(w.text))
		}
		p.glob = newGlob(w)
		r.pats = append(r.pats, p)
	}
	if len(r.pats) == 0 {
		return FolderRule{}, fmt.Errorf("no pattern")
	}
	return r, nil
}

// OnlyFolders is a rule that takes exactly the names given (-f).
func OnlyFolders(names []string) FolderRule {
	r := FolderRule{exact: map[string]bool{}, text: strings.Join(names, ", ")}
	for _, n := range names {
		r.exact[n] = true
	}
	return r
}

// WithSep returns the rule for a side whose level separator is sep.
func (r FolderRule) WithSep(sep string) FolderRule {
	r.sep = sep
	return r
}

// Match reports whether a folder is to be synced. A name a Python expression
// cannot be evaluated for is not; Try tells why.
func (r FolderRule) Match(name string) bool {
	ok, err := r.Try(name)
	return ok && err == nil
}

// Try is Match with the reason an expression failed for this name, as Python
// would have failed too (a list index out of range, say).
func (r FolderRule) Try(name string) (bool, error) {
	if r.exact != nil {
		return r.exact[name], nil
	}
	if r.include[name] {
		return true, nil
	}
	if !strings.HasPrefix(name, r.prefix) {
		return false, nil
	}
	if r.expr != nil {
		is, err := r.expr.Test(name)
		if err != nil {
			return false, fmt.Errorf("folderfilter of %q: %w", name, err)
		}
		return is, nil
	}
	if len(r.pats) == 0 {
		return true, nil
	}
	sep := r.sep
	if sep == "" {
		sep = "/"
	}
	take := r.pats[0].exclude
	for _, p := range r.pats {
		if p.glob.match(name, sep) {
			take = !p.exclude
		}
	}
	return take, nil
}

// Python reports whether the rule is an expression.
func (r FolderRule) Python() bool { return r.expr != nil }

// IsZero reports whether the rule takes every folder.
func (r FolderRule) IsZero() bool {
	return r.exact == nil && r.expr == nil && len(r.pats) == 0 && r.prefix == ""
}

// String returns the rule as written.
func (r FolderRule) String() string { return r.text }
