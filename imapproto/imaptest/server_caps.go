package imaptest

import "strings"

// Caps is a set of capability names, kept in the order they are announced.
// It is a value: With and Without return changed copies, so the presets can be
// used as starting points.
type Caps struct{ names []string }

// NewCaps returns the set of the given names (upper-cased, duplicates dropped).
func NewCaps(names ...string) Caps { return Caps{}.With(names...) }

// With returns the set with names added at its end.
func (c Caps) With(names ...string) Caps {
	out := Caps{names: append([]string(nil), c.names...)}
	for _, n := range names {
		n = strings.ToUpper(n)
		if !out.Has(n) {
			out.names = append(out.names, n)
		}
	}
	return out
}

// Without returns the set with names removed. A name ending in "=" removes
// every capability that begins so ("AUTH=").
func (c Caps) Without(names ...string) Caps {
	var out Caps
	for _, have := range c.names {
		drop := false
		for _, n := range names {
			n = strings.ToUpper(n)
			drop = drop || have == n || strings.HasSuffix(n, "=") && strings.HasPrefix(have, n)
		}
		if !drop {
			out.names = append(out.names, have)
		}
	}
	return out
}

// Has reports whether name is in the set, in any case. A name ending in "="
// matches any capability that begins so ("APPENDLIMIT=").
func (c Caps) Has(name string) bool {
	name = strings.ToUpper(name)
	for _, have := range c.names {
		if have == name || strings.HasSuffix(name, "=") && strings.HasPrefix(have, name) {
			return true
		}
	}
	return false
}

// List returns the names in the order they are announced.
func (c Caps) List() []string { return append([]string(nil), c.names...) }

// String returns the names separated by spaces.
func (c Caps) String() string { return strings.Join(c.names, " ") }

// QRESYNC is a complete modern server, in the manner of Dovecot and Cyrus.
// COMPRESS=DEFLATE is announced only while Server.OnCompress is set.
var QRESYNC = NewCaps("IMAP4rev1", "IMAP4rev2", "SASL-IR", "LITERAL+", "ID", "ENABLE", "IDLE",
	"AUTH=PLAIN", "NAMESPACE", "UIDPLUS", "UNSELECT", "CHILDREN", "LIST-EXTENDED", "LIST-STATUS",
	"SPECIAL-USE", "STATUS=SIZE", "ESEARCH", "MULTIAPPEND", "MOVE", "CONDSTORE", "QRESYNC",
	"NOTIFY", "OBJECTID", "UTF8=ACCEPT", "COMPRESS=DEFLATE")

// CondstoreOnly is a server with CONDSTORE but without QRESYNC and NOTIFY, in
// the manner of Gmail: LITERAL-, an append limit, no MULTIAPPEND.
var CondstoreOnly = NewCaps("IMAP4rev1", "SASL-IR", "LITERAL-", "ID", "ENABLE", "IDLE", "AUTH=PLAIN",
	"NAMESPACE", "UIDPLUS", "UNSELECT", "CHILDREN", "LIST-EXTENDED", "LIST-STATUS", "SPECIAL-USE",
	"ESEARCH", "MOVE", "CONDSTORE", "APPENDLIMIT=35651584")

// UIDPlusOnly has UIDPLUS and IDLE and no other help for a synchroniser.
var UIDPlusOnly = NewCaps("IMAP4rev1", "IDLE", "AUTH=PLAIN", "NAMESPACE", "UIDPLUS", "CHILDREN")

// Bare is RFC 3501 and nothing else.
var Bare = NewCaps("IMAP4rev1")

// beforeLogin is what may be told to a stranger; the rest is announced after login.
var beforeLogin = NewCaps("IMAP4rev1", "IMAP4rev2", "SASL-IR", "LITERAL+", "LITERAL-", "ID", "ENABLE", "IDLE")

// announced returns the capability list for the session's state.
func (s *Session) announced() []string {
	var out []string
	for _, n := range s.srv.Caps.names {
		auth := strings.HasPrefix(n, "AUTH=") || n == "STARTTLS" || n == "LOGINDISABLED"
		switch {
		case n == "COMPRESS=DEFLATE" && (s.srv.OnCompress == nil || s.deflate):
		case (n == "STARTTLS" || n == "LOGINDISABLED") && s.tls:
		case auth && n != "LOGINDISABLED" && n != "STARTTLS" && s.srv.Caps.Has("LOGINDISABLED") && !s.tls:
		case s.state == StateNotAuthenticated && !auth && !beforeLogin.Has(n):
		case s.state != StateNotAuthenticated && auth:
		default:
			out = append(out, spelled(n))
		}
	}
	return out
}

// spelled gives the two names that are usually written in mixed case.
func spelled(n string) string {
	switch n {
	case "IMAP4REV1":
		return "IMAP4rev1"
	case "IMAP4REV2":
		return "IMAP4rev2"
	}
	return n
}

// rev1 reports whether the session still speaks IMAP4rev1, with its \Recent.
func (s *Session) rev1() bool { return s.has("IMAP4rev1") && !s.rev2 }

// has reports whether the server supports a capability at all.
func (s *Session) has(name string) bool { return s.srv.Caps.Has(name) }
