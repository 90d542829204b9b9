package mailsync

import (
	"strconv"
	"strings"

	"offloop/maildir"
	"offloop/statefile"
)

// Short names for the marks a record may carry.
const (
	markGone    = statefile.MarkGone
	markSkipped = statefile.MarkSkipped
	markExpunge = statefile.MarkExpunge
	markKept    = statefile.MarkKept
	// markMoved: its file went to another folder, and so does the message: its
	// deletion here is no matter for the brake.
	markMoved = statefile.Mark(5)
)

// firstKeyword is the first bit of statefile.Flags that stands for a keyword.
const firstKeyword = 7

// systemFlags are the flags with a fixed letter in a Maildir file name
// (https://cr.yp.to/proto/maildir.html) and their IMAP names. P, "passed", is
// the registered keyword $Forwarded (RFC 5788).
var systemFlags = [...]struct {
	bit    statefile.Flags
	letter byte
	imap   string
}{
	{statefile.FlagD, 'D', `\Draft`},
	{statefile.FlagF, 'F', `\Flagged`},
	{statefile.FlagP, 'P', `$Forwarded`},
	{statefile.FlagR, 'R', `\Answered`},
	{statefile.FlagS, 'S', `\Seen`},
	{statefile.FlagT, 'T', `\Deleted`},
}

const keywordMask = ^statefile.Flags(1<<firstKeyword - 1)

const systemMask = statefile.FlagD | statefile.FlagF | statefile.FlagP | statefile.FlagR | statefile.FlagS | statefile.FlagT

// maildirFlags gives the letters of the system flags alone.
func maildirFlags(f statefile.Flags) maildir.Flags {
	var m maildir.Flags
	for _, s := range systemFlags {
		if f&s.bit != 0 {
			m = m.With(s.letter)
		}
	}
	return m
}

// flagTable translates one folder's flags between IMAP names, the state's bits
// and file name letters.
type flagTable struct {
	st     *statefile.Folder
	auto   bool       // letters may be given out and recorded in dovecot-keywords
	letter [64]byte   // bit -> letter, 0 = none
	bit    [26]int    // letter -> bit, 0 = none
	names  [26]string // the dovecot-keywords table
	dirty  bool       // the dovecot-keywords table must be written
	full   bool       // a keyword found no room in the state's table
}

// lettersToken is the state token that remembers which letter meant which
// keyword when the files were last looked at: "a=NonJunk b=work".
const lettersToken = "letters"

// newFlagTable builds the table. letters is the content of the folder's
// dovecot-keywords file; auto allows giving out more letters.
//
// A letter that is newly bound to a keyword the state already holds says nothing
// about the files: they could not show it until now. So that its absence is not
// taken for an edit, the keyword is first struck from what was agreed.
func newFlagTable(st *statefile.Folder, fixed map[byte]string, letters [26]string, auto bool) *flagTable {
	t := &flagTable{st: st, auto: auto && len(fixed) == 0}
	prev := parseLetters(st.Token(lettersToken))
	if len(fixed) > 0 {
		letters = [26]string{}
		for c, name := range fixed {
			if c >= 'a' && c <= 'z' {
				letters[c-'a'] = name
			}
		}
	} else {
		for i, name := range prev {
			if letters[i] == "" && name != "" && t.auto {
				letters[i] = name // the file was lost: what its letters meant is still known
				t.dirty = true
			}
		}
	}
	t.names = letters
	var fresh statefile.Flags
	for i, name := range letters {
		if name == "" {
			continue
		}
		if b, ok := st.KeywordBit(name, true); ok && b < 64 {
			t.bind(b, byte('a'+i))
			if !strings.EqualFold(prev[i], name) {
				fresh |= 1 << b
			}
		}
	}
	t.strike(fresh)
	t.remember()
	return t
}

// strike takes bits out of every record's agreed flags.
func (t *flagTable) strike(bits statefile.Flags) {
	if bits == 0 {
		return
	}
	for i := 0; i < t.st.Len(); i++ {
		if t.st.FlagsAt(i)&bits != 0 {
			r := t.st.At(i)
			r.Flags &^= bits
			t.st.Put(r)
		}
	}
}

func (t *flagTable) remember() {
	var b strings.Builder
	for i, n := range t.names {
		if n != "" {
			if b.Len() > 0 {
				b.WriteByte(' ')
			}
			b.WriteByte(byte('a' + i))
			b.WriteByte('=')
			b.WriteString(n)
		}
	}
	if t.st.Token(lettersToken) != b.String() {
		t.st.SetToken(lettersToken, b.String())
	}
}

func parseLetters(s string) (names [26]string) {
	for _, w := range strings.Fields(s) {
		if len(w) > 2 && w[0] >= 'a' && w[0] <= 'z' && w[1] == '=' {
			names[w[0]-'a'] = w[2:]
		}
	}
	return names
}

func (t *flagTable) bind(bit int, letter byte) {
	if bit < 64 && t.letter[bit] == 0 {
		t.letter[bit], t.bit[letter-'a'] = letter, bit
	}
}

// fromIMAP gives the bits of IMAP flags. \Recent and flags the table has no
// room for are left out.
func (t *flagTable) fromIMAP(flags []string) statefile.Flags {
	var f statefile.Flags
	for _, s := range flags {
		f |= t.bitOf(s)
	}
	return f
}

// systemFlag gives the bit of an IMAP flag with a fixed letter, 0 for one that is not
// stored (\Recent, \*, or one that no standard knows). It is false for a keyword.
func systemFlag(s string) (bit statefile.Flags, ok bool) {
	switch s { // the usual spellings first
	case `\Seen`:
		return statefile.FlagS, true
	case `\Answered`:
		return statefile.FlagR, true
	case `\Flagged`:
		return statefile.FlagF, true
	case `\Deleted`:
		return statefile.FlagT, true
	case `\Draft`:
		return statefile.FlagD, true
	case `\Recent`, `\*`, "":
		return 0, true
	}
	if s[0] != '\\' && s[0] != '$' {
		return 0, false
	}
	for _, y := range systemFlags {
		if strings.EqualFold(s, y.imap) {
			return y.bit, true
		}
	}
	return 0, s[0] == '\\'
}

// bitOf gives the bit of one IMAP flag, 0 if the table has no room for it.
func (t *flagTable) bitOf(s string) statefile.Flags {
	if b, ok := systemFlag(s); ok {
		return b
	}
	b, ok := t.st.KeywordBit(s, true)
	if !ok {
		t.full = true
		return 0
	}
	return 1 << b
}

// toIMAP gives the IMAP names of f.
func (t *flagTable) toIMAP(f statefile.Flags) []string {
	var l []string
	for _, s := range systemFlags {
		if f&s.bit != 0 {
			l = append(l, s.imap)
		}
	}
	for i, k := range t.st.Keywords() {
		if f&(1<<(firstKeyword+i)) != 0 {
			l = append(l, k)
		}
	}
	return l
}

// toLetters gives the file name letters of f, giving out letters to new keywords
// where that is allowed. Keywords without a letter live in the state only.
func (t *flagTable) toLetters(f statefile.Flags) maildir.Flags {
	m := maildirFlags(f)
	if f>>firstKeyword == 0 {
		return m
	}
	for i, k := range t.st.Keywords() {
		b := firstKeyword + i
		if f&(1<<b) == 0 {
			continue
		}
		if t.letter[b] == 0 && t.auto {
			t.give(b, k)
		}
		if t.letter[b] != 0 {
			m = m.With(t.letter[b])
		}
	}
	return m
}

func (t *flagTable) give(bit int, keyword string) {
	for i := range t.names {
		if t.names[i] == "" {
			t.names[i] = keyword
			t.bind(bit, byte('a'+i))
			t.strike(1 << bit)
			t.remember()
			t.dirty = true
			return
		}
	}
}

// fromLetters gives the bits of file name letters. For what a name cannot show,
// the value of old stands.
func (t *flagTable) fromLetters(m maildir.Flags, old statefile.Flags) statefile.Flags {
	f := old &^ t.localMask()
	for _, s := range systemFlags {
		if m.Has(s.letter) {
			f |= s.bit
		}
	}
	if m>>26 == 0 {
		return f
	}
	for i, b := range t.bit {
		if b != 0 && m.Has(byte('a'+i)) {
			f |= 1 << b
		}
	}
	return f
}

// localMask is the set of flags a file name of this folder can show.
func (t *flagTable) localMask() statefile.Flags {
	m := systemMask
	for _, b := range t.bit {
		if b != 0 {
			m |= 1 << b
		}
	}
	return m
}

// mergeMask is localMask widened by the keywords that will be given a letter as
// soon as a file needs one.
func (t *flagTable) mergeMask() statefile.Flags {
	m := t.localMask()
	if !t.auto {
		return m
	}
	free := 0
	for _, n := range t.names {
		if n == "" {
			free++
		}
	}
	for i := range t.st.Keywords() {
		if b := firstKeyword + i; t.letter[b] == 0 && free > 0 {
			m |= 1 << b
			free--
		}
	}
	return m
}

// remoteMask is the set of flags the server can store, by its PERMANENTFLAGS
// (RFC 9051 section 7.1); a server that sends none can store all. Some servers
// list only the flags in use, with \* for the rest: there a system flag counts as
// refused only if the mailbox knows it and does not keep it.
func (t *flagTable) remoteMask(flags, permanent []string) statefile.Flags {
	if permanent == nil {
		return ^statefile.Flags(0)
	}
	var m, refused statefile.Flags
	any := false
	for _, s := range permanent {
		any = any || s == `\*`
		m |= t.bitOf(s)
	}
	if !any {
		return m
	}
	for _, s := range flags {
		refused |= t.bitOf(s) & systemMask &^ statefile.FlagP &^ m
	}
	return m | (systemMask|keywordMask)&^refused
}

// parseKeywords reads Dovecot's dovecot-keywords file: lines "number keyword",
// number 0 being the letter a. Lines it does not understand are left out.
func parseKeywords(b []byte) (names [26]string) {
	for line := range strings.Lines(string(b)) {
		num, name, ok := strings.Cut(strings.TrimRight(line, "\r\n"), " ")
		if !ok || name == "" || num == "" {
			continue
		}
		n := 0
		for _, c := range []byte(num) {
			if c < '0' || c > '9' || n > 25 {
				n = -1
				break
			}
			n = n*10 + int(c-'0')
		}
		if n >= 0 && n < 26 {
			names[n] = name
		}
	}
	return names
}

// formatKeywords writes what parseKeywords reads.
func formatKeywords(names [26]string) []byte {
	var b strings.Builder
	for i, n := range names {
		if n != "" {
			b.WriteString(strconv.Itoa(i))
			b.WriteByte(' ')
			b.WriteString(n)
			b.WriteByte('\n')
		}
	}
	return []byte(b.String())
}

// toLettersKnown is toLetters without giving out letters.
func (t *flagTable) toLettersKnown(f statefile.Flags) maildir.Flags {
	m := maildirFlags(f)
	for b := firstKeyword; b < 64; b++ {
		if f&(1<<b) != 0 && t.letter[b] != 0 {
			m = m.With(t.letter[b])
		}
	}
	return m
}

// takeDirty gives the content for the dovecot-keywords file if it must be
// written, else nil.
func (t *flagTable) takeDirty() []byte {
	if !t.dirty {
		return nil
	}
	t.dirty = false
	return formatKeywords(t.names)
}
