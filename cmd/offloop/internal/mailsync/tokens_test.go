package mailsync

import (
	"strings"
	"testing"

	"offloop/maildir"
)

func TestFolderTokenRoundTrip(t *testing.T) {
	st := func(n uint64) maildir.Stamp {
		return maildir.Stamp{Dev: n, Ino: n + 1, Mtime: int64(n) * 3, Ctime: -int64(n)}
	}
	for _, tok := range []folderToken{
		{remote: "x"},
		{remote: "INBOX", validity: 1, uidNext: 2, messages: 3, modSeq: 4, digest: "abc", full: 5},
		{remote: "日本 / é %20 + \n\x00\"", validity: ^uint32(0), uidNext: ^uint32(0), messages: ^uint32(0), modSeq: ^uint64(0), stamps: [2]maildir.Stamp{st(7), st(1 << 63)}, digest: "a b%", full: -1, pending: true},
		{remote: "x", forgotten: true}, {remote: "x", pending: true, forgotten: true, gen: 1 << 63, above: 7},
	} {
		s := tok.String()
		got, ok := parseFolderToken(s)
		if !ok || got != tok {
			t.Errorf("%q\n gives %+v %v\nwant %+v", s, got, ok, tok)
		}
		w := strings.Fields(s)
		for i := range w {
			if _, ok := parseFolderToken(strings.Join(append(w[:i:i], w[i+1:]...), " ")); ok {
				t.Errorf("%q without field %d is taken", s, i)
			}
		}
	}
	for _, bad := range []string{"", "x", "a 4294967296 0 0 0 - - r 0 - 0", "a -1 0 0 0 - - r 0 - 0", "%zz 1 0 0 0 - - r 0 - 0"} {
		if _, ok := parseFolderToken(bad); ok {
			t.Errorf("%q is taken", bad)
		}
	}
}

func FuzzFolderToken(f *testing.F) {
	f.Add(folderToken{remote: "INBOX", digest: "x"}.String())
	f.Add("a 1 2 3 4 - - rx 5 -px")
	f.Fuzz(func(t *testing.T, s string) {
		a, ok := parseFolderToken(s)
		if !ok {
			return
		}
		b, ok := parseFolderToken(a.String())
		if !ok || a != b {
			t.Errorf("%q: %+v becomes %+v", s, a, b)
		}
	})
}
