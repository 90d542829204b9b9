package imapproto

import (
	"slices"
	"strings"
)

// CapSet is a set of capability names, compared without regard to case. The
// zero value is empty.
type CapSet struct {
	m map[string]bool
}

// maxCaps bounds how many capability names are kept from one CAPABILITY line.
const maxCaps = 500

// rev2Caps are the extensions that IMAP4rev2 has built in (RFC 9051 appendix E),
// as far as this package uses them.
var rev2Caps = []string{
	"CHILDREN", "ENABLE", "ESEARCH", "IDLE", "LIST-EXTENDED", "LIST-STATUS", "LITERAL-",
	"MOVE", "NAMESPACE", "SASL-IR", "SPECIAL-USE", "STATUS=SIZE", "UIDPLUS", "UNSELECT",
}

// capNeeds names what a capability is no use without: switching that off switches it
// off too. QRESYNC must be enabled, and counts in CONDSTORE's sequences (RFC 7162
// sections 3.1 and 3.2.3); LIST-STATUS is asked for with RETURN (RFC 5819).
var capNeeds = [...]struct{ name, needs string }{
	{"QRESYNC", "CONDSTORE"}, {"QRESYNC", "ENABLE"}, {"LIST-STATUS", "LIST-EXTENDED"},
}

// NewCapSet makes a set of names: with what they imply (IMAP4rev2 implies MOVE), and
// without the disabled ones, what only these imply, and what is no use without them. A name
// disabled without its value, as AUTH, is disabled with any.
func NewCapSet(names, disabled []string) CapSet {
	s := CapSet{m: make(map[string]bool, len(names))}
	for _, n := range names {
		if len(s.m) < maxCaps {
			s.m[strings.ToUpper(n)] = true
		}
	}
	off := make(map[string]bool, len(disabled))
	for _, d := range disabled {
		off[strings.ToUpper(d)] = true
	}
	for _, n := range capNeeds {
		if off[n.needs] {
			off[n.name] = true
		}
	}
	drop := func() {
		for n := range s.m {
			kind, _, _ := strings.Cut(n, "=") // COMPRESS switches COMPRESS=DEFLATE off as well
			if off[n] || off[kind] {
				delete(s.m, n)
			}
		}
	}
	imply := func(names ...string) {
		for _, n := range names {
			s.m[n] = true
		}
	}
	drop()
	if s.m["IMAP4REV2"] {
		imply(rev2Caps...)
	}
	if s.m["QRESYNC"] {
		imply("CONDSTORE", "ENABLE")
	}
	if s.m["LIST-STATUS"] {
		imply("LIST-EXTENDED")
	}
	drop()
	return s
}

// Has reports whether name is in the set or implied by what is (IMAP4rev2
// implies MOVE, for instance), and was not disabled.
func (s CapSet) Has(name string) bool {
	if s.m[name] {
		return true
	}
	return s.m[strings.ToUpper(name)]
}

// Names returns the names in capitals, sorted.
func (s CapSet) Names() []string {
	names := make([]string, 0, len(s.m))
	for n := range s.m {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

// authMechanisms returns the SASL mechanisms of the set's AUTH= entries.
func (s CapSet) authMechanisms() []string {
	var names []string
	for _, n := range s.Names() {
		if m, ok := strings.CutPrefix(n, "AUTH="); ok {
			names = append(names, m)
		}
	}
	return names
}
