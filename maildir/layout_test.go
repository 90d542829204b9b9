package maildir

import (
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"offloop/maildir/maildirtest"

	"golang.org/x/sys/unix"
)

func TestRule10_HostileFolderNames(t *testing.T) {
	nested, flat := Layout{Root: "/m", Sep: "/"}, Layout{Root: "/m", Sep: "."}
	for _, name := range []string{
		".", "..", "../x", "a/../b", "a/..", "/etc", "a//b", "a/", "a/./b", "a/cur", "cur", "new/x", "TMP", "a/Cur/b",
		"a\x00b", "a\nb", "a\x1b[2J", "a\x7f", "a\u0085b", "a\u2028b", "\xff\xfe", strings.Repeat("x", 256),
		strings.Repeat("x/", 2100) + "x", ".offloop-trash", ".OffLoop", "a/.offloop/b", "c\u200dur", ".\u200c.", "\u200d", "\ufb01/\u212a/t\u00admp",
	} {
		if p, err := nested.Path(name); err == nil {
			t.Errorf("nested %.40q gives %.60q", name, p)
		} else if !errors.As(err, new(*NameError)) || strings.ContainsAny(err.Error(), "\x00\n\x1b\x7f") {
			t.Errorf("nested %.40q: bad error %q", name, err)
		}
	}
	for _, name := range []string{".", "..", "a/b", "/", "../x", "cur", "NEW", "a\x00", "a\r", ".offloop-trash", "\xff", strings.Repeat("x", 256)} {
		if p, err := flat.Path(name); err == nil {
			t.Errorf("flat %.40q gives %.60q", name, p)
		}
	}
	for _, c := range []struct {
		l          Layout
		name, want string
	}{
		{nested, "", "/m"}, {nested, "INBOX", "/m/INBOX"}, {nested, "Work/2024 Q1", "/m/Work/2024 Q1"},
		{nested, "é/日本", "/m/é/日本"}, {nested, ".Sent", "/m/.Sent"}, {nested, `a\b"%#& `, `/m/a\b"%#& `}, {nested, "curt/new2", "/m/curt/new2"},
		{flat, "Work.2024", "/m/Work.2024"}, {flat, ".Sent.x", "/m/.Sent.x"}, {flat, "a..b", "/m/a..b"}, {flat, "...", "/m/..."},
	} {
		if got, err := c.l.Path(c.name); err != nil || got != c.want {
			t.Errorf("%q: %q, %v", c.name, got, err)
		}
	}
}

func FuzzLayoutPath(f *testing.F) {
	for _, s := range []string{"a/b", "..", "a/../../b", "\x00", "c\u200dur", ".off\u00adloop"} {
		f.Add(s, true)
	}
	f.Fuzz(func(t *testing.T, name string, nested bool) {
		l := Layout{Root: "/root/mail", Sep: "."}
		if nested {
			l.Sep = "/"
		}
		p, err := l.Path(name)
		if err != nil {
			return
		}
		if filepath.Clean(p) != p || p != "/root/mail" && !strings.HasPrefix(p, "/root/mail/") {
			t.Fatalf("%q leaves the root: %q", name, p)
		}
		if !nested && strings.Count(p, "/") > 3 {
			t.Fatalf("flat %q is nested: %q", name, p)
		}
	})
}

func makeDirs(t *testing.T, fs FS, dirs ...string) {
	t.Helper()
	for _, d := range dirs {
		if err := Create(fs, d); err != nil {
			t.Fatal(err)
		}
	}
}

func TestFolders(t *testing.T) {
	fs := maildirtest.New(1)
	makeDirs(t, fs, "/m/INBOX", "/m/Work", "/m/Work/2024/Q1", "/m/.offloop-trash", "/m/a.b")
	fs.WriteFile("/m/damaged/cur/x", "", true)
	fs.WriteFile("/m/file", "", true)
	fs.WriteFile("/m/INBOX/cur/msg:2,", "", true)
	got, err := Layout{Root: "/m", Sep: "/"}.Folders(fs)
	if want := []string{"INBOX", "Work", "Work/2024/Q1", "a.b"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("nested: %q, %v", got, err)
	}
	makeDirs(t, fs, "/m")
	got, err = Layout{Root: "/m", Sep: "."}.Folders(fs)
	if want := []string{"", "INBOX", "Work", "a.b"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("flat: %q, %v", got, err)
	}
	if _, err = (Layout{Root: "/none", Sep: "."}).Folders(fs); !errors.Is(err, unix.ENOENT) {
		t.Errorf("missing root: %v", err)
	}
	// A directory that cannot be read is an error, and the rest is still listed.
	fs.Fail = func(op, path string, _ int) error {
		if op == "open" && path == "/m/Work" {
			return unix.EACCES
		}
		return nil
	}
	got, err = Layout{Root: "/m", Sep: "/"}.Folders(fs)
	if !errors.Is(err, unix.EACCES) || !slices.Contains(got, "INBOX") || slices.Contains(got, "Work/2024/Q1") {
		t.Errorf("unreadable directory: %q, %v", got, err)
	}
	if n := fs.OpenFiles(); n != 0 {
		t.Errorf("%d descriptors left open", n)
	}
}

func TestExists(t *testing.T) {
	fs := maildirtest.New(1)
	makeDirs(t, fs, "/w")
	fs.WriteFile("/d/cur/x", "", true)
	fs.WriteFile("/p/sub/x", "", true)
	fs.WriteFile("/f", "", true)
	for dir, want := range map[string]State{"/w": Whole, "/d": Damaged, "/p": Missing, "/f": Missing, "/none": Missing} {
		if got, err := Exists(fs, dir); got != want || err != nil {
			t.Errorf("%s is %v, %v; want %v", dir, got, err, want)
		}
	}
	fs.Fail = func(string, string, int) error { return unix.EACCES }
	if _, err := Exists(fs, "/w"); !errors.Is(err, unix.EACCES) {
		t.Errorf("unreadable: %v", err)
	}
}

// Stopped anywhere, a second Create finishes the first and makes what the first
// one made durable, too.
func TestCreateCrash(t *testing.T) {
	calls := maildirtest.EachCrash(maildirtest.New,
		func(fs *maildirtest.FS) { Create(fs, "/a/b/c") },
		func(fs *maildirtest.FS, call int, power bool) {
			if err := Create(fs, "/a/b/c"); err != nil {
				t.Fatalf("call %d: %v", call, err)
			}
			fs.PowerCut()
			if st, err := Exists(fs, "/a/b/c"); st != Whole || err != nil {
				t.Fatalf("call %d: %v %v", call, st, err)
			}
		})
	if calls < 15 {
		t.Errorf("only %d calls", calls)
	}
	fs := maildirtest.New(9)
	makeDirs(t, fs, "/a/b/c")
	for range 5 {
		fs.PowerCut()
		if st, _ := Exists(fs, "/a/b/c"); st != Whole {
			t.Fatalf("after a power cut: %v", st)
		}
	}
}

func TestFolding(t *testing.T) {
	all, cases, forms := Folding{true, true}, Folding{Case: true}, Folding{Unicode: true}
	for _, c := range []struct {
		f    Folding
		a, b string
		same bool
	}{
		{all, "Work", "wORK", true}, {all, "É", "e\u0301", true}, {all, "한", "\u1112\u1161\u11ab", true},
		{all, "Straße", "STRASSE", true}, {all, "ﬁn", "FIN", true}, {all, "K", "\u212a", true}, {all, "Ω", "\u2126", true},
		{all, "Ǆ", "ǆ", true}, {all, "a\u0323\u0307", "a\u0307\u0323", true}, {all, "\u1e69", "s\u0307\u0323", true},
		{all, "a\u200db", "ab", true}, {all, "Σας", "σασ", true}, {all, "a", "b", false}, {all, "é", "e", false}, {all, "日", "本", false},
		{cases, "É", "é", true}, {cases, "é", "e\u0301", false}, {forms, "é", "e\u0301", true}, {forms, "É", "é", false},
		{Folding{}, "a", "A", false}, {all, "\U0001d15e", "\U0001d157\U0001d165", true}, {all, "\U0002fa1d", "\U0002a600", true},
	} {
		if got := c.f.Key(c.a) == c.f.Key(c.b); got != c.same {
			t.Errorf("%+v: %q and %q: same = %v (keys %q, %q)", c.f, c.a, c.b, got, c.f.Key(c.a), c.f.Key(c.b))
		}
	}
	for _, f := range []Folding{{}, {Case: true}, {Unicode: true}, {true, true}} {
		fs := maildirtest.New(1)
		makeDirs(t, fs, "/m")
		fs.Fold = f.Key
		if got, err := ProbeFolding(fs, "/m"); got != f || err != nil {
			t.Errorf("probe of %+v: %+v, %v", f, got, err)
		}
		if left := fs.Files("/m"); len(left) != 0 {
			t.Errorf("the probe left %v", left)
		}
	}
}

// Every entry of the tables is found and none is out of order.
func TestFoldTables(t *testing.T) {
	for _, table := range []string{decompositions, fullFolds} {
		n := 0
		var last rune
		for entry := range strings.SplitSeq(table[1:], "\x00") {
			rs := []rune(entry)
			if len(rs) < 2 || rs[0] <= last || lookup(table, rs[0]) != string(rs[1:]) {
				t.Fatalf("entry %d: %q, found %q", n, entry, lookup(table, rs[0]))
			}
			if got := lookup(table, rs[0]+1); got != "" && !strings.Contains(table, "\x00"+string(rs[0]+1)+got) {
				t.Fatalf("%U is found as %q", rs[0]+1, got)
			}
			last = rs[0]
			n++
		}
		if n < 100 {
			t.Errorf("only %d entries", n)
		}
	}
	if lookup(decompositions, 'a') != "" || lookup(decompositions, 0x10ffff) != "" || lookup("", 'a') != "" {
		t.Error("found what is not there")
	}
}

func FuzzFoldingKey(f *testing.F) {
	for _, s := range []string{"Work", "É", "Straße", "한글", "\u1e69"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, fold := range []Folding{{true, true}, {Case: true}, {Unicode: true}} {
			key := fold.Key(s)
			if again := fold.Key(key); again != key {
				t.Fatalf("%+v: %q → %q → %q", fold, s, key, again)
			}
			if fold.Case && fold.Key(strings.ToUpper(s)) != key && fold.Unicode {
				// ToUpper is not a folding for a handful of letters (ı, ẞ …).
				if strings.EqualFold(strings.ToUpper(s), s) {
					t.Fatalf("%q and its upper case have keys %q and %q", s, key, fold.Key(strings.ToUpper(s)))
				}
			}
		}
	})
}

func ExampleLayout_Path() {
	p, err := Layout{Root: "/home/me/Mail", Sep: "/"}.Path("Work/2024")
	fmt.Println(p, err)
	_, err = Layout{Root: "/home/me/Mail", Sep: "/"}.Path("../.ssh")
	fmt.Println(err)
	// Output:
	// /home/me/Mail/Work/2024 <nil>
	// maildir: folder name "../.ssh" is not usable: it would leave the Maildir root (rename the folder or exclude it)
}

// TestFoldersInOneBuffer: a walk through an account's folders reads all directories into the
// same memory.
func TestFoldersInOneBuffer(t *testing.T) {
	l := Layout{Root: t.TempDir(), Sep: "/"}
	const n = 60
	for i := range n {
		if err := Create(OS{}, filepath.Join(l.Root, fmt.Sprintf("f%02d", i))); err != nil {
			t.Fatal(err)
		}
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	found, err := l.Folders(OS{})
	runtime.ReadMemStats(&after)
	if err != nil || len(found) != n {
		t.Fatalf("%d folders: %v", len(found), err)
	}
	if size := after.TotalAlloc - before.TotalAlloc; size > n*direntBuf/4 {
		t.Errorf("looking at %d folders takes %d bytes", n, size)
	}
}
