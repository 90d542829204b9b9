package maildir

import (
	"strings"
	"testing"
	"time"
)

const inboxMD5 = "7e33429f656f1e6e9d79b29c3f82c57e"

func TestFMD5(t *testing.T) {
	if got := FMD5("INBOX"); got != inboxMD5 {
		t.Errorf("FMD5(INBOX) = %s", got)
	}
	if got := FMD5("Work.2024 Q1"); !strings.HasPrefix(got, "d8dcd7d4") {
		t.Errorf("FMD5(Work.2024 Q1) = %s", got)
	}
}

func TestParseName(t *testing.T) {
	full := "1795468912_1.7758.vm,U=1,FMD5=" + inboxMD5
	for _, c := range []struct {
		file string
		sep  byte
		want Name
	}{
		{full + ":2,S", ':', Name{Base: full, Unique: "1795468912_1.7758.vm", UID: 1, HasUID: true, FMD5: inboxMD5, Info: true, Flags: ParseFlags("S")}},
		{full + "!2,Fa", '!', Name{Base: full, Unique: "1795468912_1.7758.vm", UID: 1, HasUID: true, FMD5: inboxMD5, Info: true, Flags: ParseFlags("Fa")}},
		{"abc", ':', Name{Base: "abc", Unique: "abc"}},
		{"160.M1P2.host:2,FS", ':', Name{Base: "160.M1P2.host", Unique: "160.M1P2.host", Info: true, Flags: ParseFlags("FS")}},
		{"160.M1.h,S=12,W=13:2,S", ':', Name{Base: "160.M1.h,S=12,W=13", Unique: "160.M1.h", Info: true, Flags: ParseFlags("S")}},
		{"a,U=0,U=5", ':', Name{Base: "a,U=0,U=5", Unique: "a"}},
		{"a,U=4294967296,FMD5=x", ':', Name{Base: "a,U=4294967296,FMD5=x", Unique: "a", FMD5: "x"}},
		{"a,U=4294967295,FMD5=x", ':', Name{Base: "a,U=4294967295,FMD5=x", Unique: "a", UID: 4294967295, HasUID: true, FMD5: "x"}},
		{"a,U=+5", ':', Name{Base: "a,U=+5", Unique: "a"}},
		{"a:1,xyz", ':', Name{Base: "a:1,xyz", Unique: "a"}},
		{"a:2,S;more:2,F", ':', Name{Base: "a", Unique: "a", Info: true, Flags: ParseFlags("S"), Extra: ";more:2,F"}},
		{"a:2,", ':', Name{Base: "a", Unique: "a", Info: true}},
		{"", ':', Name{}},
	} {
		if got := ParseName(c.file, c.sep); got != c.want {
			t.Errorf("ParseName(%q)\n got %+v\nwant %+v", c.file, got, c.want)
		}
	}
}

func TestNameRoundTrip(t *testing.T) {
	for _, fl := range []string{"", "S", "DFPRST", "Fa", "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"} {
		base := BaseWithUID("1_0.2.h", 77, inboxMD5)
		file := FileName(base, ParseFlags(fl), ':')
		if want := "1_0.2.h,U=77,FMD5=" + inboxMD5 + ":2," + fl; file != want {
			t.Errorf("FileName = %q, want %q", file, want)
		}
		if n := ParseName(file, ':'); n.UID != 77 || n.FMD5 != inboxMD5 || n.Flags.String() != fl || n.File(':') != file {
			t.Errorf("%q parses as %+v", file, n)
		}
	}
	if got := ParseFlags("aFS1S").String(); got != "FSa" {
		t.Errorf("flags sort as %q", got)
	}
	f := ParseFlags("FS")
	if f.Has('D') || !f.Has('F') || f.Without('F').String() != "S" || f.With('z').String() != "FSz" || f.With('1') != f || f.Has('1') {
		t.Error("Has, With or Without is wrong")
	}
}

// What parses is encoded to the same name, but for the order of flags, which is
// then stable; nothing of the name is lost.
func FuzzParseName(f *testing.F) {
	for _, s := range []string{"", "a", "1_0.2.h,U=7,FMD5=x:2,SF", "a!2,S", ":2,", "a:2,S;b", ",U=1,FMD5=", "a:1,x:2,y", "a:2,\x00"} {
		f.Add(s, true)
	}
	f.Fuzz(func(t *testing.T, file string, colon bool) {
		sep := byte('!')
		if colon {
			sep = ':'
		}
		n := ParseName(file, sep)
		again := n.File(sep)
		if m := ParseName(again, sep); m != n {
			t.Fatalf("%q → %+v → %q → %+v", file, n, again, m)
		}
		if !strings.HasPrefix(again, n.Base) || !strings.HasPrefix(file, n.Base) || !strings.HasPrefix(n.Base, n.Unique) {
			t.Fatalf("%q: base %q, unique %q", file, n.Base, n.Unique)
		}
		if !n.Info && again != file {
			t.Fatalf("%q became %q", file, again)
		}
		if n.Info {
			letters := file[len(n.Base)+3 : len(file)-len(n.Extra)]
			if ParseFlags(letters) != n.Flags || !strings.HasSuffix(again, n.Flags.String()+n.Extra) {
				t.Fatalf("%q: flags %s, extra %q", file, n.Flags, n.Extra)
			}
			if letters == n.Flags.String() && again != file {
				t.Fatalf("canonical %q became %q", file, again)
			}
		}
	})
}

func TestNamer(t *testing.T) {
	n := NewNamer("a/b:c,d", 42)
	at := time.Unix(1000, 999_999_999)
	if got := n.Next(at); got != "1000_0.42.a-b-c-d" {
		t.Errorf("first name %q", got)
	}
	if got := n.Next(at); got != "1000_1.42.a-b-c-d" {
		t.Errorf("second name %q", got)
	}
	if got := n.Next(at.Add(time.Second)); got != "1001_0.42.a-b-c-d" {
		t.Errorf("the sequence does not begin again: %q", got)
	}
	// However the clock jumps, no name comes twice.
	seen := map[string]bool{}
	n = NewNamer("h", 1)
	for i, d := range []int{0, 0, 1, 1, 1, 0, 0, -1, -1, 1, 0, 1, 2, 2, 1, 2, 0, 3, 3, 2, 3, 0} {
		name := n.Next(time.Unix(int64(1000+d), 0))
		if seen[name] {
			t.Fatalf("step %d: %q given twice", i, name)
		}
		seen[name] = true
		if u := ParseName(name+",U=1:2,", ':').Unique; u != name {
			t.Fatalf("unique part of %q is %q", name, u)
		}
	}
}

func TestLeftover(t *testing.T) {
	n := NewNamer("vm.example", 77)
	for file, want := range map[string]bool{
		"1795468912_1.7758.vm.example":               true,
		"1795468912_1.77.vm.example":                 false, // our own
		"1795468912_1.7758.other":                    false,
		"1795468912_1.7758.vm.example,U=3,FMD5=0123": false, // OfflineIMAP's
		"1795468912.M1P7758.vm.example":              false,
		"_1.7758.vm.example":                         false,
		"x_1.7758.vm.example":                        false,
		"1795468912_1.-5.vm.example":                 false,
		"":                                           false,
		n.Next(time.Unix(1795468912, 0)):             false,
		NewNamer("vm.example", 78).Next(time.Unix(1795468912, 0)): true,
	} {
		if got := n.Leftover(file); got != want {
			t.Errorf("%q: %v", file, got)
		}
	}
}
