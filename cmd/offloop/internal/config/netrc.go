package config

import (
	"fmt"
	"strings"
)

// Netrc is a parsed .netrc file.
type Netrc struct {
	entries []netrcEntry
}

// netrcEntry is one machine; host "" is the default.
type netrcEntry struct {
	host, login, password string
	isDefault             bool
}

// String does not show the entries.
func (n *Netrc) String() string { return fmt.Sprintf("Netrc{%d entries}", len(n.entries)) }

// GoString is String.
func (n *Netrc) GoString() string { return n.String() }

// ParseNetrc reads a .netrc file as Python's netrc module does: machine,
// default, login (or user), account, password and macdef; "#" comments; values
// in double quotes with backslash escapes. At what is none of these it stops
// with an error naming the line; the entries before it are kept.
func ParseNetrc(text string) (*Netrc, error) {
	lx := &netrcLexer{src: strings.ReplaceAll(text, "\r\n", "\n"), line: 1}
	n := &Netrc{}
	tok := lx.token()
	for tok != "" || lx.quoted {
		switch {
		case strings.HasPrefix(tok, "#") && !lx.quoted:
			lx.skipLine()
			tok = lx.token()
		case tok == "machine":
			host := lx.token()
			if host == "" {
				return n, fmt.Errorf("line %d: machine without a name", lx.line)
			}
			var err error
			if tok, err = n.entry(lx, netrcEntry{host: host}); err != nil {
				return n, err
			}
		case tok == "default":
			var err error
			if tok, err = n.entry(lx, netrcEntry{isDefault: true}); err != nil {
				return n, err
			}
		case tok == "macdef":
			lx.token()
			lx.skipMacro()
			tok = lx.token()
		default:
			// The word may be a part of a password: it is not repeated.
			return n, fmt.Errorf("line %d: neither machine, default nor macdef", lx.line)
		}
	}
	return n, nil
}

// entry reads what belongs to a machine and returns the token behind it.
func (n *Netrc) entry(lx *netrcLexer, e netrcEntry) (next string, err error) {
	for {
		tok := lx.token()
		switch {
		case strings.HasPrefix(tok, "#"):
			lx.skipLine()
			continue
		case tok == "" && !lx.quoted, tok == "machine", tok == "default", tok == "macdef":
			n.entries = append(n.entries, e)
			return tok, nil
		case tok == "login", tok == "user":
			e.login = lx.token()
		case tok == "password":
			e.password = lx.token()
		case tok == "account":
			lx.token()
		default:
			n.entries = append(n.entries, e)
			return "", fmt.Errorf("line %d: neither login, password nor account", lx.line)
		}
	}
}

// Lookup finds the login and password for a host: the last entry of that host
// with that login (any login if user is ""), else the default entry. An entry
// for another login is not used.
func (n *Netrc) Lookup(host, user string) (login, password string, ok bool) {
	var fallback *netrcEntry
	for i := len(n.entries) - 1; i >= 0; i-- {
		e := &n.entries[i]
		switch {
		case user != "" && e.login != "" && e.login != user:
		case e.isDefault:
			if fallback == nil {
				fallback = e
			}
		case strings.EqualFold(e.host, host):
			return e.login, e.password, true
		}
	}
	if fallback != nil {
		return fallback.login, fallback.password, true
	}
	return "", "", false
}

// netrcLexer splits a .netrc file into words.
type netrcLexer struct {
	src    string
	pos    int
	line   int
	quoted bool // the last token was in quotes
	fresh  bool // the last token ended its line
}

func (lx *netrcLexer) token() string {
	lx.quoted, lx.fresh = false, false
	for lx.pos < len(lx.src) && strings.IndexByte(" \t\n\r", lx.src[lx.pos]) >= 0 {
		lx.pass()
	}
	if lx.pos == len(lx.src) {
		return ""
	}
	if lx.src[lx.pos] == '"' {
		return lx.quotedToken()
	}
	var b strings.Builder
	for lx.pos < len(lx.src) {
		c := lx.src[lx.pos]
		if strings.IndexByte(" \t\n\r", c) >= 0 {
			lx.fresh = c == '\n'
			lx.pass()
			break
		}
		if c == '\\' && lx.pos+1 < len(lx.src) {
			lx.pos++
		}
		b.WriteByte(lx.src[lx.pos])
		lx.pass()
	}
	return b.String()
}

func (lx *netrcLexer) quotedToken() string {
	lx.pos++
	lx.quoted = true
	var b strings.Builder
	for lx.pos < len(lx.src) && lx.src[lx.pos] != '"' {
		if lx.src[lx.pos] == '\\' && lx.pos+1 < len(lx.src) {
			lx.pos++
		}
		b.WriteByte(lx.src[lx.pos])
		lx.pass()
	}
	if lx.pos < len(lx.src) {
		lx.pos++
	}
	return b.String()
}

// pass goes over one byte and counts lines.
func (lx *netrcLexer) pass() {
	if lx.src[lx.pos] == '\n' {
		lx.line++
	}
	lx.pos++
}

// skipLine drops a comment, whose first word has been read.
func (lx *netrcLexer) skipLine() {
	for !lx.fresh && lx.pos < len(lx.src) {
		lx.fresh = lx.src[lx.pos] == '\n'
		lx.pass()
	}
}

// skipMacro drops a macro up to the empty line that ends it.
func (lx *netrcLexer) skipMacro() {
	lx.skipLine()
	for lx.pos < len(lx.src) {
		lx.fresh = false
		start := lx.pos
		lx.skipLine()
		if strings.TrimSpace(lx.src[start:lx.pos]) == "" {
			return
		}
	}
}
