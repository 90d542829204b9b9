package config

import (
	"fmt"
	"io"
	"strings"
)

// Place is a kind of section; values combine.
type Place uint8

const (
	// General is [general].
	General Place = 1 << iota
	// MBNames is [mbnames].
	MBNames
	// AccountSection is [Account X].
	AccountSection
	// MaildirRepo is a [Repository X] of type Maildir or GmailMaildir.
	MaildirRepo
	// IMAPRepo is a [Repository X] of type IMAP or Gmail.
	IMAPRepo

	anyRepo = MaildirRepo | IMAPRepo
)

// String returns the section headers, as "[general]" or "[Account X]".
func (p Place) String() string {
	var parts []string
	for _, x := range []struct {
		p Place
		s string
	}{
		{General, "[general]"}, {MBNames, "[mbnames]"}, {AccountSection, "[Account X]"}, {anyRepo, "[Repository X]"},
		{MaildirRepo, "[Repository X] of type Maildir"}, {IMAPRepo, "[Repository X] of type IMAP"},
	} {
		if p&x.p == x.p && p != 0 {
			parts = append(parts, x.s)
			p &^= x.p
		}
	}
	if len(parts) == 0 {
		return "nowhere"
	}
	return strings.Join(parts, ", ")
}

// Status says what offloop does with a key.
type Status uint8

const (
	// Supported keys do what they say.
	Supported Status = iota
	// Refused keys are not honoured, and ignoring them would be unsafe: an account
	// that sets one does not sync.
	Refused
	// Dead keys are ignored for good; Key.Instead says what to write.
	Dead
)

// String returns "supported", "refused" or "ignored".
func (s Status) String() string {
	switch s {
	case Supported:
		return "supported"
	case Refused:
		return "refused"
	case Dead:
		return "ignored"
	}
	return fmt.Sprintf("status(%d)", uint8(s))
}

// Type is the form of a key's value.
type Type uint8

// The types. A path's "~" and "$VAR" are expanded; a list is separated by
// commas; a secret is never repeated in a message; a Python value is an
// expression; a duration is a number of days or has a unit (s, m, h, d, w).
const (
	TypeText Type = iota
	TypeBool
	TypeInt
	TypeFloat
	TypeList
	TypePath
	TypeShell
	TypeSecret
	TypePython
	TypeDate
	TypeDuration
	TypeFolders
	TypeRename
)

// String returns a word for the help text.
func (t Type) String() string {
	names := [...]string{"text", "yes/no", "number", "number", "list", "path", "shell command", "secret", "Python", "date or days", "duration", "patterns", "rules"}
	if int(t) < len(names) {
		return names[t]
	}
	return fmt.Sprintf("type(%d)", uint8(t))
}

// Key is one row of the table of all keys.
type Key struct {
	// Name is in lower case. "customflag_x" stands for customflag_a to _z.
	Name string
	// In is where the key may be written.
	In Place
	// Type is the form of the value, Default what an absent key means.
	Type    Type
	Default string
	Status  Status
	// Doc is one line of documentation.
	Doc string
	// Why is the reason a key is Refused, as the middle of a sentence.
	Why string
	// Instead is what to write in place of a key that is not supported.
	Instead string
	// Own marks keys OfflineIMAP does not have.
	Own bool
}

// Keys returns the table of every key, in the order of the help text.
func Keys() []Key { return append([]Key(nil), keyTable...) }

// canonical maps customflag_a to the table's customflag_x.
func canonical(name string) string {
	if rest, ok := strings.CutPrefix(name, "customflag_"); ok && len(rest) == 1 && rest[0] >= 'a' && rest[0] <= 'z' {
		return "customflag_x"
	}
	return name
}

// lookup finds the row for a key in a kind of section.
func lookup(name string, in Place) *Key {
	name = canonical(name)
	for i := range keyTable {
		if keyTable[i].Name == name && keyTable[i].In&in != 0 {
			return &keyTable[i]
		}
	}
	return nil
}

// elsewhere finds the kinds of section in which a key may be written.
func elsewhere(name string) Place {
	name = canonical(name)
	var p Place
	for i := range keyTable {
		if keyTable[i].Name == name {
			p |= keyTable[i].In
		}
	}
	return p
}

func knownName(name string) bool { return elsewhere(name) != 0 }

// namesIn lists the keys of a kind of section.
func namesIn(in Place) []string {
	var out []string
	for i := range keyTable {
		if keyTable[i].In&in != 0 {
			out = append(out, keyTable[i].Name)
		}
	}
	return out
}

// Help writes the documentation of every key, by section.
func Help(w io.Writer) error {
	var b strings.Builder
	b.WriteString("Keys of the configuration file. Those marked + are offloop's own;\nOfflineIMAP ignores them, so one file can serve both programs.\n")
	for _, sec := range []struct {
		place  Place
		header string
	}{
		{General, "[general]"},
		{AccountSection, "[Account X]"},
		{anyRepo, "[Repository X], every type"},
		{MaildirRepo, "[Repository X], type = Maildir"},
		{IMAPRepo, "[Repository X], type = IMAP or Gmail"},
		{MBNames, "[mbnames]"},
	} {
		fmt.Fprintf(&b, "\n%s\n", sec.header)
		for i := range keyTable {
			if k := &keyTable[i]; shownUnder(k.In, sec.place) {
				k.help(&b)
			}
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// HelpKey writes what one key means, in each kind of section that has it, and reports
// whether there is such a key.
func HelpKey(w io.Writer, name string) (found bool) {
	for i := range keyTable {
		if k := &keyTable[i]; k.Name == name {
			var b strings.Builder
			k.help(&b)
			fmt.Fprintf(w, "%s\n%s", k.In, strings.TrimPrefix(b.String(), "  "))
			found = true
		}
	}
	return found
}

// KeyNames are the names of all keys.
func KeyNames() []string { return namesIn(0xff) }

// shownUnder puts a key under every kind of section it belongs to, but one
// that belongs to both types of repository only under their common heading.
func shownUnder(in, place Place) bool {
	if in&anyRepo == anyRepo && place&anyRepo != 0 {
		return place == anyRepo
	}
	return place != anyRepo && in&place != 0
}

func (k *Key) help(b *strings.Builder) {
	mark := " "
	if k.Own {
		mark = "+"
	}
	def := ""
	if k.Default != "" {
		def = ", default " + k.Default
	}
	fmt.Fprintf(b, "%s %s (%s%s)\n      %s\n", mark, k.Name, k.Type, def, k.Doc)
	if k.Status != Supported {
		fmt.Fprintf(b, "      [%s]", k.Status)
		if k.Instead != "" {
			fmt.Fprintf(b, " write: %s", k.Instead)
		}
		b.WriteString("\n")
	}
}
