package mailsync

import (
	"slices"
	"testing"

	"offloop/maildir"
	"offloop/statefile"
)

// TestRule9_ForwardedIsP: the six letters and their IMAP names, both ways.
func TestRule9_ForwardedIsP(t *testing.T) {
	tab := newFlagTable(statefile.NewFolder("F", "x"), nil, [26]string{}, false)
	names := map[byte]string{'D': `\Draft`, 'F': `\Flagged`, 'P': `$Forwarded`, 'R': `\Answered`, 'S': `\Seen`, 'T': `\Deleted`}
	for n := range 64 {
		var m maildir.Flags
		var words []string
		for i, c := range []byte("DFPRST") {
			if n&(1<<i) != 0 {
				m = m.With(c)
				words = append(words, names[c])
			}
		}
		f := tab.fromLetters(m, 0)
		if got := tab.fromIMAP(words); got != f {
			t.Errorf("%v: fromIMAP gives %v, fromLetters %v", words, got, f)
		}
		got := tab.toIMAP(f)
		slices.Sort(got)
		slices.Sort(words)
		if !slices.Equal(got, words) {
			t.Errorf("%v -> %v", m, got)
		}
		if tab.toLetters(f) != m {
			t.Errorf("%v -> %v", m, tab.toLetters(f))
		}
	}
	if tab.fromIMAP([]string{`\SEEN`, `\recent`, `\*`, "", `\Unheard`, `$FORWARDED`}) != statefile.FlagS|statefile.FlagP {
		t.Error("case, \\Recent or unknown system flags")
	}
	if len(tab.st.Keywords()) != 0 {
		t.Errorf("keywords %q were made up", tab.st.Keywords())
	}
}

// TestRule9_KeywordTravelsThroughLetter: a keyword from the server becomes a
// letter where letters may be given, and a letter a keyword.
func TestRule9_KeywordTravelsThroughLetter(t *testing.T) {
	tab := newFlagTable(statefile.NewFolder("F", "x"), nil, [26]string{}, true)
	f := tab.fromIMAP([]string{`\Seen`, "work", "Later"})
	m := tab.toLetters(f)
	if m.String() != "Sab" {
		t.Fatalf("letters %q", m)
	}
	if string(tab.takeDirty()) != "0 work\n1 Later\n" || tab.takeDirty() != nil {
		t.Error("dovecot-keywords is not written once")
	}
	if tab.fromLetters(m, 0) != f {
		t.Error("letters do not come back as the same flags")
	}
	if got := tab.fromLetters(m.Without('a'), f); got != f&^tab.bitOf("WORK") {
		t.Error("a letter taken away is no edit")
	}
	// A table without room for letters keeps keywords in the state.
	none := newFlagTable(statefile.NewFolder("F", "x"), nil, [26]string{}, false)
	f = none.fromIMAP([]string{"work"})
	if none.toLetters(f) != 0 || none.fromLetters(0, f) != f {
		t.Error("a keyword without a letter must live on in the state")
	}
}

// TestRule9_TwentySeventhKeyword: the 27th keyword finds no letter and lives in
// the state; it is not dropped and takes no other's letter.
func TestRule9_TwentySeventhKeyword(t *testing.T) {
	tab := newFlagTable(statefile.NewFolder("F", "x"), nil, [26]string{}, true)
	var words []string
	for i := range 30 {
		words = append(words, "kw"+string(rune('A'+i)))
	}
	f := tab.fromIMAP(words)
	if m := tab.toLetters(f); m.String() != "abcdefghijklmnopqrstuvwxyz" {
		t.Errorf("letters %q", m)
	}
	if got := tab.fromLetters(tab.toLetters(f), f); got != f {
		t.Error("the state loses keywords without a letter")
	}
	if got := tab.toIMAP(f); len(got) != 30 {
		t.Errorf("%d keywords come back", len(got))
	}
}

func TestCustomFlagsFixTheTable(t *testing.T) {
	var file [26]string
	file[0] = "fromfile"
	tab := newFlagTable(statefile.NewFolder("F", "x"), map[byte]string{'c': "work", 'Z': "bad"}, file, true)
	if m := tab.toLetters(tab.fromIMAP([]string{"work", "fromfile", "other"})); m.String() != "c" {
		t.Errorf("letters %q", m)
	}
	if tab.takeDirty() != nil {
		t.Error("a mapping of the user's writes dovecot-keywords")
	}
}

// TestRule9_NewLetterIsNoEdit: a letter newly bound to a keyword the state holds
// says nothing about files written before; its absence must not remove the
// keyword from the server. (The strike.)
func TestRule9_NewLetterIsNoEdit(t *testing.T) {
	for _, how := range []string{"file", "customflag", "given"} {
		st := statefile.NewFolder("F", "x")
		bit, _ := st.KeywordBit("work", true)
		kw := statefile.Flags(1) << bit
		st.Put(statefile.Record{UID: 1, Flags: kw | statefile.FlagS, Name: "a"})
		var letters [26]string
		fixed := map[byte]string{}
		switch how {
		case "file":
			letters[3] = "Work"
		case "customflag":
			fixed['d'] = "work"
		}
		tab := newFlagTable(st, fixed, letters, how == "given")
		if how == "given" {
			tab.toLetters(kw)
		}
		old := st.FlagsAt(0)
		shown := tab.fromLetters(maildir.Flags(0).With('S'), old)
		if shown&kw != old&kw {
			t.Errorf("%s: a file that never could show the keyword shows its loss", how)
		}
		// Bound before and remembered, the absence is an edit.
		st.Put(statefile.Record{UID: 1, Flags: kw | statefile.FlagS, Name: "a"})
		tab = newFlagTable(st, fixed, letters, how == "given")
		if st.FlagsAt(0)&kw == 0 {
			t.Errorf("%s: struck again at every look", how)
		}
		if tab.fromLetters(maildir.Flags(0).With('S'), st.FlagsAt(0))&kw != 0 {
			t.Errorf("%s: a letter taken away is no edit", how)
		}
	}
}

// TestLostKeywordsFile: with dovecot-keywords gone, what its letters meant is
// still known and written again.
func TestLostKeywordsFile(t *testing.T) {
	st := statefile.NewFolder("F", "x")
	var letters [26]string
	letters[4] = "work"
	newFlagTable(st, nil, letters, true)
	tab := newFlagTable(st, nil, [26]string{}, true)
	if tab.toLettersKnown(tab.bitOf("work")).String() != "e" || string(tab.takeDirty()) != "4 work\n" {
		t.Error("the letter's meaning is lost with the file")
	}
}

func TestMergeMask(t *testing.T) {
	st := statefile.NewFolder("F", "x")
	var letters [26]string
	for i := range 25 {
		letters[i] = "k" + string(rune('a'+i))
	}
	tab := newFlagTable(st, nil, letters, true)
	one, two := tab.bitOf("one"), tab.bitOf("two")
	if m := tab.mergeMask(); m&one == 0 || m&two != 0 {
		t.Error("one free letter is for the first keyword that lacks one")
	}
	if tab.localMask()&(one|two) != 0 {
		t.Error("localMask shows keywords without a letter")
	}
	tab.auto = false
	if tab.mergeMask() != tab.localMask() {
		t.Error("no letters may be given, yet they are counted on")
	}
}

func TestRemoteMask(t *testing.T) {
	tab := newFlagTable(statefile.NewFolder("F", "x"), nil, [26]string{}, false)
	kw := tab.bitOf("work")
	for _, c := range []struct {
		perm []string
		want statefile.Flags
	}{
		{nil, ^statefile.Flags(0)},
		{[]string{}, 0},
		{[]string{`\Seen`, `\Deleted`}, statefile.FlagS | statefile.FlagT},
		{[]string{`\Seen`, `work`}, statefile.FlagS | kw},
		{[]string{`$Forwarded`}, statefile.FlagP},
	} {
		if got := tab.remoteMask([]string{`\Seen`, `\Draft`}, c.perm); got != c.want {
			t.Errorf("%q: %x, want %x", c.perm, got, c.want)
		}
	}
	// With \* a flag the mailbox knows but does not keep is refused, and one it has
	// never seen is not.
	if m := tab.remoteMask([]string{`\Seen`}, []string{`\*`}); m&kw == 0 || m&statefile.FlagP == 0 || m&statefile.FlagS != 0 || m&statefile.FlagD == 0 {
		t.Errorf(`\*: %x`, m)
	}
}

func TestParseKeywords(t *testing.T) {
	got := parseKeywords([]byte("0 a\r\n1 two words\n25 z\n26 out\n-1 x\n 2 x\n3\n4 \nx y\n99999999999999999999 q\n7 last"))
	want := [26]string{0: "a", 1: "two words", 25: "z", 7: "last"}
	if got != want {
		t.Errorf("%q", got)
	}
}

func FuzzKeywordsFile(f *testing.F) {
	f.Add([]byte("0 a\n1 b\n"))
	f.Add([]byte("25 $Forwarded\r\n007 x\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		names := parseKeywords(b)
		if again := parseKeywords(formatKeywords(names)); again != names {
			t.Errorf("%q: %q becomes %q", b, names, again)
		}
	})
}
