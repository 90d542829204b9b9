package maildir

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// Folding says which different names a directory takes for the same one.
type Folding struct {
	Case    bool // "Work" and "work" (APFS, NTFS, FAT, ext4 with casefold)
	Unicode bool // "é" in one character and in two (APFS, HFS+, ext4 with casefold)
}

// ProbeFolding finds out how a directory compares names, by making a file there
// and asking for it under other names.
func ProbeFolding(fs FS, dir string) (Folding, error) {
	const made, other, decomposed = "-Probe-\u00e9", "-pROBE-\u00e9", "-Probe-e\u0301"
	path := join(dir, reserved)
	fd, err := fs.Open(path+made, unix.O_WRONLY|unix.O_CREAT|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return Folding{}, fail("create", path+made, err)
	}
	fs.Close(fd)
	var f Folding
	f.Case, _, err = stat(fs, path+other)
	if err == nil {
		f.Unicode, _, err = stat(fs, path+decomposed)
	}
	if uerr := fs.Unlink(path + made); err == nil && uerr != nil && !isMissing(uerr) {
		err = fail("remove", path+made, uerr)
	}
	return f, err
}

// Key gives the same string for all names such a directory takes for one; two
// folders with one key must not both be created there. It errs on the safe
// side: a few names get one key that a particular system keeps apart.
//
// Where Unicode is folded some systems (HFS+) also give names back in another
// form than they were created in, so folders found by a listing must be matched
// to known ones by key.
func (f Folding) Key(name string) string {
	if !f.Case && !f.Unicode {
		return name
	}
	out := make([]rune, 0, len(name))
	for _, r := range name {
		out = f.appendFolded(out, r)
	}
	if f.Unicode {
		sortMarks(out)
	}
	return string(out)
}

// appendFolded appends what r is compared as.
func (f Folding) appendFolded(out []rune, r rune) []rune {
	if r < utf8.RuneSelf {
		if f.Case && 'A' <= r && r <= 'Z' {
			r += 'a' - 'A'
		}
		return append(out, r)
	}
	if f.Unicode {
		if unicode.Is(unicode.Cf, r) || unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector) {
			return out
		}
		if d := lookup(decompositions, r); d != "" {
			for _, x := range d {
				out = f.appendFolded(out, x)
			}
			return out
		}
		if r >= hangulBase && r < hangulEnd {
			return appendJamo(out, r)
		}
	}
	if f.Case {
		if d := lookup(fullFolds, r); d != "" {
			for _, x := range d {
				out = f.appendFolded(out, x)
			}
			return out
		}
		if s := foldRune(r); s != r {
			return f.appendFolded(out, s)
		}
	}
	return append(out, r)
}

// foldRune gives one member for each set of runes that differ only in case: the
// lowest, or for those with an ASCII letter its small form.
func foldRune(r rune) rune {
	low := r
	for x := unicode.SimpleFold(r); x != r; x = unicode.SimpleFold(x) {
		low = min(low, x)
	}
	if 'A' <= low && low <= 'Z' {
		low += 'a' - 'A'
	}
	return low
}

// Hangul syllables decompose by arithmetic (Unicode 3.12).
const (
	hangulBase, hangulEnd  = 0xac00, 0xac00 + 11172
	jamoL, jamoV, jamoT    = 0x1100, 0x1161, 0x11a7
	jamoVCount, jamoTCount = 21, 28
)

func appendJamo(out []rune, r rune) []rune {
	i := r - hangulBase
	out = append(out, jamoL+i/(jamoVCount*jamoTCount), jamoV+i/jamoTCount%jamoVCount)
	if t := i % jamoTCount; t != 0 {
		out = append(out, jamoT+t)
	}
	return out
}

// sortMarks puts every run of combining marks in one order. The canonical order
// keeps some marks in the order they were typed; for comparing names the
// stricter rule only means that more of them meet.
func sortMarks(rs []rune) {
	for i := 0; i < len(rs); {
		j := i
		for j < len(rs) && unicode.Is(unicode.Mn, rs[j]) {
			j++
		}
		slices.Sort(rs[i:j])
		i = max(j, i+1)
	}
}

// lookup finds r in a table of entries "\x00" rune replacement, sorted by rune;
// "" if it is not there.
func lookup(table string, r rune) string {
	lo, hi := 0, len(table)
	for lo < hi {
		start := strings.LastIndexByte(table[:(lo+hi)/2+1], 0)
		entry, _, _ := strings.Cut(table[start+1:], "\x00")
		got, n := utf8.DecodeRuneInString(entry)
		switch {
		case got == r:
			return entry[n:]
		case got < r:
			lo = start + 1 + len(entry)
		default:
			hi = start
		}
	}
	return ""
}
