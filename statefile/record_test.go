package statefile

import (
	"bytes"
	"fmt"
	"math"
	"strings"
	"testing"
)

func sampleEntries() []entry {
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	return []entry{
		{kind: kindPut, uid: 1, name: []byte("1700000000_0.4242.host")},
		{kind: kindPut, uid: math.MaxUint32, flags: math.MaxUint64, name: all, mark: MarkSkipped},
		{kind: kindPut, uid: 7, flags: FlagS | FlagF | 1<<7 | 1<<63, mark: 200},
		{kind: kindPut, uid: 7, name: []byte("-"), mark: MarkExpunge},
		{kind: kindPut, uid: 7, name: []byte("%2D"), mark: MarkGone},
		{kind: kindDrop, uid: 12},
		{kind: kindFolder, key: "Entw\u00fcrfe / \n alt", value: "d41d8cd98f00b204e9800998ecf8427e"},
		{kind: kindKeyword, num: 56, key: "$Forwarded"},
		{kind: kindToken, key: "uidvalidity", value: "12345"},
		{kind: kindToken, key: "", value: ""},
		{kind: kindIntent, intent: Intent{ID: "1", Base: "a b", Size: -1, Hash: "00ff", MessageID: "<a@b>\r\n",
			UIDValidity: math.MaxUint32, UIDNext: 3, At: math.MinInt64, Flags: FlagT, Pid: 99}},
		{kind: kindDone, key: "1"},
		{kind: kindHold, hold: Quarantined{Side: "local", Key: "k", Reason: "no\x00good", Tries: 3, Next: math.MaxInt64}},
		{kind: kindFree, key: "k", value: "remote"},
		{kind: kindSnapshot}, {kind: kindEnd},
	}
}

func TestRecordRoundTrip(t *testing.T) {
	for _, e := range sampleEntries() {
		p := e.appendTo(nil)
		if i := bytes.IndexFunc(p, func(r rune) bool { return r < ' ' || r > '~' }); i >= 0 {
			t.Errorf("%q is not plain text", p)
		}
		var got entry
		if err := got.decode(p); err != nil {
			t.Errorf("%q: %v", p, err)
			continue
		}
		a, b := fmt.Sprintf("%#v", e), fmt.Sprintf("%#v", got)
		a, b = strings.ReplaceAll(a, "[]uint8(nil)", "[]uint8{}"), strings.ReplaceAll(b, "[]uint8(nil)", "[]uint8{}")
		if a != b {
			t.Errorf("%q\nwrote %s\nread  %s", p, a, b)
		}
	}
}

func TestRecordRefuses(t *testing.T) {
	for _, p := range []string{
		"", "+", "+ ", "+ 1", "+ 1 -", "+ 0 - a", "+ 01 - a", "+ 4294967296 - a", "+ -1 - a", "+ 1 - a b",
		"+ 1 - a - ", "+ 1 - a 2", "+ 1 - a e e", "+ 1 SF a", "+ 1 SS a", "+ 1 .1.0 a", "+ 1 .57 a", "+ 1 . a", "+ 1 S. a",
		"+ 1 .01 a", "+ 1  a", "+ 1 - a%", "+ 1 - a%2", "+ 1 - a%41", "+ 1 - %0a", "+ 1 - a\x00", "+ 1 - a%2Db", "+ 1 - \xc3\xa4",
		"- 0", "-", "- 1 2", "keyword 57 a", "keyword 1", "token a", "token a b c", "nonsense", "+ 1 - a 256", "intent a",
		"intent 1 a +1 h m 1 1 1 - 1", "hold l k r 1 01", "end 1", "snapshot x", "done", "free a",
	} {
		var e entry
		if e.decode([]byte(p)) == nil {
			t.Errorf("%q was accepted as %#v", p, e)
		}
	}
}

// What can be read is written again as the same bytes.
func FuzzRecord(f *testing.F) {
	for _, e := range sampleEntries() {
		f.Add(e.appendTo(nil))
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		var e entry
		if e.decode(p) != nil {
			return
		}
		if again := e.appendTo(nil); !bytes.Equal(again, p) {
			t.Fatalf("read %q, wrote %q", p, again)
		}
	})
}

// Any name survives.
func FuzzName(f *testing.F) {
	f.Add([]byte("a"), uint64(3))
	f.Add([]byte("-"), uint64(1)<<63)
	f.Fuzz(func(t *testing.T, name []byte, flags uint64) {
		e := entry{kind: kindPut, uid: 5, flags: Flags(flags), name: name}
		var got entry
		if err := got.decode(e.appendTo(nil)); err != nil || !bytes.Equal(got.name, name) || got.flags != e.flags {
			t.Fatalf("%q %x: %v, %q %x", name, flags, err, got.name, got.flags)
		}
	})
}

func TestFileName(t *testing.T) {
	long := strings.Repeat("long/", 100)
	names := []string{"", "INBOX", "inbox", "Inbox", "a/b", "a.b", "A/b", ".hidden", "..", ".", "a~1", "a~new", "a.new", "a.lock", "a%2Fb",
		"Entw\u00fcrfe", "Entwu\u0308rfe", "a b", "\x00", "~", "~~", "%", "-", long, long + "x", strings.ToUpper(long), long[:201], strings.Repeat("\xff", 67)}
	seen := map[string]string{}
	for _, n := range names {
		f := FileName(n)
		if f == "" || len(f) > maxFileName || f[0] == '.' || strings.ContainsAny(f, "/\x00 ") {
			t.Errorf("%q: bad file name %q", n, f)
		}
		for _, c := range []byte(f) {
			if c < ' ' || c > '~' {
				t.Errorf("%q: %q is not ASCII", n, f)
			}
		}
		fold := strings.ToLower(f)
		if old, ok := seen[fold]; ok {
			t.Errorf("%q and %q share %q", n, old, f)
		}
		seen[fold] = n
		back, ok := FolderName(f)
		if hashed := strings.Contains(f, "~~"); ok == hashed || ok && back != n {
			t.Errorf("%q -> %q -> %q, %v", n, f, back, ok)
		}
	}
	for f, want := range map[string]string{"INBOX~1f": "INBOX", "Archive~1": "Archive", "a%2Fb": "a/b", "~": ""} {
		if FileName(want) != f {
			t.Errorf("%q: %q, want %q", want, FileName(want), f)
		}
	}
	for _, f := range []string{"INBOX", "a~0", "a~", "%41", "%2f", "a%", "~~", ".a", "inbox~1F"} {
		if n, ok := FolderName(f); ok {
			t.Errorf("%q was taken for %q", f, n)
		}
	}
}

func FuzzFileName(f *testing.F) {
	f.Add("INBOX", "inbox")
	f.Add("a/b", "a.b")
	f.Fuzz(func(t *testing.T, a, b string) {
		x, y := FileName(a), FileName(b)
		if a != b && strings.EqualFold(x, y) {
			t.Fatalf("%q and %q share %q", a, b, x)
		}
		if n, ok := FolderName(x); ok && n != a || !ok && !strings.Contains(x, "~~") {
			t.Fatalf("%q -> %q -> %q", a, x, n)
		}
		if n, ok := FolderName(b); ok && FileName(n) != b {
			t.Fatalf("%q was taken for %q", b, n)
		}
	})
}
