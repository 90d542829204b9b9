package maildir

import (
	"crypto/md5"
	"encoding/hex"
	"strconv"
	"strings"
	"time"
)

// Flags is a set of Maildir flag letters, one bit each: 'A' to 'Z' are bits 0
// to 25, 'a' to 'z' bits 26 to 51. Capitals have a meaning of their own (D
// draft, F flagged, P passed, R replied, S seen, T trashed); small letters
// stand for keywords, folder by folder.
type Flags uint64

// flagBit gives the bit of a letter, -1 for anything else.
func flagBit(letter byte) int {
	switch {
	case 'A' <= letter && letter <= 'Z':
		return int(letter - 'A')
	case 'a' <= letter && letter <= 'z':
		return int(letter-'a') + 26
	}
	return -1
}

// ParseFlags gives the set of the letters in s; all else in s is ignored.
func ParseFlags(s string) Flags {
	var f Flags
	for i := 0; i < len(s); i++ {
		f = f.With(s[i])
	}
	return f
}

// String gives the letters in byte order, capitals first, as they stand in a
// file name.
func (f Flags) String() string {
	var b [52]byte
	return string(f.appendTo(b[:0]))
}

func (f Flags) appendTo(b []byte) []byte {
	for i := range 26 {
		if f&(1<<i) != 0 {
			b = append(b, byte('A'+i))
		}
	}
	for i := range 26 {
		if f&(1<<(i+26)) != 0 {
			b = append(b, byte('a'+i))
		}
	}
	return b
}

// Has says whether the letter is in the set.
func (f Flags) Has(letter byte) bool {
	i := flagBit(letter)
	return i >= 0 && f&(1<<i) != 0
}

// With gives the set with the letter; anything but a letter changes nothing.
func (f Flags) With(letter byte) Flags {
	if i := flagBit(letter); i >= 0 {
		f |= 1 << i
	}
	return f
}

// Without gives the set without the letter.
func (f Flags) Without(letter byte) Flags {
	if i := flagBit(letter); i >= 0 {
		f &^= 1 << i
	}
	return f
}

// Name is a file name taken apart. Its strings are parts of the name parsed.
//
//	name   = base [ sep "2," flags extra ]
//	base   = unique *( "," field )            field: "U=" uid, "FMD5=" hash, other programs'
type Name struct {
	Base   string // all before the first sep "2,"; the whole name without one
	Unique string // Base up to its first ',' or sep: what a message keeps for life
	UID    uint32 // value of the first "U=" field, if HasUID
	FMD5   string // value of the first "FMD5=" field as it stands there
	HasUID bool   // there is a U= of 1 to 4294967295; only to be believed if FMD5 is the folder's
	Info   bool   // there is a sep "2,"
	Flags  Flags  // the letters right behind sep "2,"
	Extra  string // the rest, from the first byte on that is no letter; kept as it is
}

// ParseName takes a file name apart; every string is a name, so it cannot fail.
// sep is ':' or, where files must be legal on Windows, '!'.
func ParseName(file string, sep byte) Name {
	n := Name{Base: file}
	if i := infoAt(file, sep); i >= 0 {
		n.Base, n.Info = file[:i], true
		rest := file[i+3:]
		j := 0
		for j < len(rest) && flagBit(rest[j]) >= 0 {
			n.Flags = n.Flags.With(rest[j])
			j++
		}
		n.Extra = rest[j:]
	}
	n.Unique = n.Base
	for i := 0; i < len(n.Base); i++ {
		if c := n.Base[i]; c == ',' || c == sep {
			n.Unique = n.Base[:i]
			n.parseFields(n.Base[i:])
			break
		}
	}
	return n
}

// infoAt finds sep "2,", -1 without one.
func infoAt(file string, sep byte) int {
	for i := 0; i+3 <= len(file); i++ {
		if file[i] == sep && file[i+1] == '2' && file[i+2] == ',' {
			return i
		}
	}
	return -1
}

// parseFields reads U= and FMD5= of ",a,b,c"; the first of each counts.
func (n *Name) parseFields(s string) {
	seenUID, seenMD5 := false, false
	for s != "" {
		i := strings.IndexByte(s, ',')
		if i < 0 {
			return
		}
		s = s[i+1:]
		field, _, _ := strings.Cut(s, ",")
		if v, ok := strings.CutPrefix(field, "U="); ok && !seenUID {
			seenUID = true
			n.UID, n.HasUID = parseUID(v)
		}
		if v, ok := strings.CutPrefix(field, "FMD5="); ok && !seenMD5 {
			seenMD5 = true
			n.FMD5 = v
		}
	}
}

func parseUID(s string) (uint32, bool) {
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
	}
	v, err := strconv.ParseUint(s, 10, 32)
	if err != nil || v == 0 {
		return 0, false
	}
	return uint32(v), true
}

// File gives the file name again, its flags in canonical order. It is what was
// parsed if the flags stood in that order. A name without flags and without
// the ":2," stays without it.
func (n Name) File(sep byte) string {
	if !n.Info && n.Flags == 0 && n.Extra == "" {
		return n.Base
	}
	return FileName(n.Base, n.Flags, sep) + n.Extra
}

// FMD5 is the folder's hash in file names: MD5 of the folder's local name, in
// hexadecimal. It ties a UID to its folder, so that a file moved to another
// folder by hand is a new message there.
func FMD5(folder string) string {
	sum := md5.Sum([]byte(folder))
	return hex.EncodeToString(sum[:])
}

// BaseWithUID gives "unique,U=7,FMD5=...".
func BaseWithUID(unique string, uid uint32, fmd5 string) string {
	return unique + ",U=" + strconv.FormatUint(uint64(uid), 10) + ",FMD5=" + fmd5
}

// FileName gives base, sep "2," and the flags; the "2," is written even when
// there are none.
func FileName(base string, fl Flags, sep byte) string {
	b := make([]byte, 0, len(base)+3+8)
	b = append(b, base...)
	b = append(b, sep, '2', ',')
	return string(fl.appendTo(b))
}

// sepOf guesses the separator a file name uses: '!' only if it has "!2," and no
// ":2,".
func sepOf(file string) byte {
	if infoAt(file, ':') < 0 && infoAt(file, '!') >= 0 {
		return '!'
	}
	return ':'
}

// Namer makes unique parts: "time_seq.pid.host". The sequence counts within a
// second and is shared by all folders, so one Namer serves the whole program.
// If the clock goes back it goes on counting from the highest number ever used,
// so that no pair of time and number comes twice.
type Namer struct {
	tail string
	last int64 // the latest second seen
	seq  int
	top  int // the highest seq used
}

// NewNamer makes a Namer for this host and process. Bytes that have a meaning
// in file names are replaced by '-'.
func NewNamer(host string, pid int) *Namer {
	clean := func(r rune) rune {
		if r < 0x20 || r == 0x7f || strings.ContainsRune("/,:!", r) {
			return '-'
		}
		return r
	}
	return &Namer{tail: "." + strconv.Itoa(pid) + "." + strings.Map(clean, host), last: -1 << 62}
}

// Next gives a unique part no earlier call gave.
func (n *Namer) Next(now time.Time) string {
	sec := now.Unix()
	switch {
	case sec > n.last:
		n.last, n.seq = sec, 0
	case sec < n.last:
		n.seq = n.top + 1
	default:
		n.seq++
	}
	n.top = max(n.top, n.seq)
	return strconv.FormatInt(sec, 10) + "_" + strconv.Itoa(n.seq) + n.tail
}

// Dated gives a unique part that begins with another time than now; like Next, none
// that an earlier call gave.
func (n *Namer) Dated(at, now time.Time) string {
	sec, rest, _ := strings.Cut(n.Next(now), "_")
	return strconv.FormatInt(at.Unix(), 10) + "_" + sec + rest
}

// Leftover tells whether file is a name that a Namer of another process on this
// host gave out: found in tmp while the folder's lock is held, it is what a
// killed run left there.
func (n *Namer) Leftover(file string) bool {
	_, rest, ok := strings.Cut(file, "_")
	seq, rest, ok2 := strings.Cut(rest, ".")
	pid, host, ok3 := strings.Cut(rest, ".")
	if !ok || !ok2 || !ok3 || !allDigits(file[:strings.IndexByte(file, '_')]) || !allDigits(seq) || !allDigits(pid) {
		return false
	}
	_, mine, _ := strings.Cut(n.tail[1:], ".")
	return host == mine && "."+pid+"."+host != n.tail
}

func allDigits(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}
