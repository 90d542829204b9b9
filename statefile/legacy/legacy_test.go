package legacy

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"offloop/statefile/legacy/sqlite3"

	"golang.org/x/sys/unix"
)

var fixture = Dirs{Metadata: filepath.Join("testdata", "offlineimap"), Account: "A", LocalRepository: "L", RemoteRepository: "R", LocalSep: "/"}

// TestFixture reads state that OfflineIMAP 8 made.
func TestFixture(t *testing.T) {
	for _, f := range realFolders {
		st, err := Read(fixture, f.local, f.remote)
		if err != nil || st == nil {
			t.Fatalf("%s: %v, %v", f.local, st, err)
		}
		if len(st.Messages) != len(f.flags) || st.UIDValidity < 1e9 || st.LocalUIDValidity != 42 || st.Format != SQLite2 {
			t.Errorf("%s: %+v", f.local, st)
		}
		if want := filepath.Join(fixture.Metadata, "Account-A", "LocalStatus-sqlite", FileName(f.local)); st.Source != want {
			t.Errorf("Source is %q", st.Source)
		}
		left := map[string]int{}
		for _, fl := range f.flags {
			left[fl]++
		}
		for i, m := range st.Messages {
			if left[m.Flags]--; left[m.Flags] < 0 || m.UID != uint32(i+1) {
				t.Errorf("%s: unexpected %+v", f.local, m)
			}
		}
	}
}

// tree is a metadata directory with these files.
func tree(t *testing.T, files map[string]string) Dirs {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return Dirs{Metadata: dir, Account: "A", LocalRepository: "L", RemoteRepository: "R"}
}

func TestMissing(t *testing.T) {
	for name, files := range map[string]map[string]string{
		"nothing":         nil,
		"another folder":  {"Account-A/LocalStatus/x": magicLine + "2\n1|S|0|\n", "Repository-R/FolderValidity/x": "7\n"},
		"another account": {"Account-B/LocalStatus/INBOX": magicLine + "2\n1|S|0|\n"},
		"local only":      {"Repository-L/FolderValidity/INBOX": "42\n"},
		"empty files":     {"Account-A/LocalStatus-sqlite/INBOX": "", "Account-A/LocalStatus/INBOX": ""},
	} {
		if st, err := Read(tree(t, files), "INBOX", "INBOX"); st != nil || err != nil {
			t.Errorf("%s: %v, %v", name, st, err)
		}
	}
	for _, name := range []string{"..", "a\x00b", strings.Repeat("x", 300)} {
		if st, err := Read(tree(t, nil), name, name); st != nil || err != nil {
			t.Errorf("%.9q: %v, %v", name, st, err)
		}
	}
}

func TestValidityOnly(t *testing.T) {
	st, err := Read(tree(t, map[string]string{"Repository-R/FolderValidity/INBOX": "4294967295\n"}), "INBOX", "INBOX")
	if err != nil || st == nil || st.UIDValidity != math.MaxUint32 || st.Format != NoStatus || st.Messages != nil || st.Source != "" {
		t.Errorf("%+v, %v", st, err)
	}
}

func TestText(t *testing.T) {
	for name, c := range map[string]struct {
		text   string
		want   []Message
		format Format
		skip   int
	}{
		"version 1": {magicLine + "1\n3:FS\n1:\n2:S\n", []Message{{UID: 1}, {UID: 2, Flags: "S"}, {UID: 3, Flags: "FS"}}, Text1, 0},
		"version 2": {magicLine + "2\n1|SaF|1600000000|b,  a ,\n4294967295||0|\n",
			[]Message{{UID: 1, Flags: "FSa", MTime: 1600000000, Labels: "b, a"}, {UID: math.MaxUint32}}, Text2, 0},
		"bar in a label":     {magicLine + "2\n1|S|0|a|b, S\n", []Message{{UID: 1, Flags: "S", Labels: "a|b, S"}}, Text2, 0},
		"same text twice":    {magicLine + "2\n1|SF|0|SF\n", []Message{{UID: 1, Flags: "FS", Labels: "SF"}}, Text2, 0},
		"later one wins":     {magicLine + "1\n1:S\n2:\n1:F\n", []Message{{UID: 1, Flags: "F"}, {UID: 2}}, Text1, 0},
		"impossible UIDs":    {magicLine + "2\n0|S|0|\n-1|S|0|\n4294967296|S|0|\n5||0|\n", []Message{{UID: 5}}, Text2, 3},
		"none":               {magicLine + "2\n", nil, Text2, 0},
		"CRLF":               {magicLine + "2\r\n1|S|0|\r\n", []Message{{UID: 1, Flags: "S"}}, Text2, 0},
		"flags no letter is": {magicLine + "1\n1:S é2\n", []Message{{UID: 1, Flags: "S"}}, Text1, 0},
	} {
		st, err := Read(tree(t, map[string]string{"Account-A/LocalStatus/INBOX": c.text}), "INBOX", "INBOX")
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !reflect.DeepEqual(st.Messages, c.want) || st.Format != c.format || st.Skipped != c.skip || filepath.Base(filepath.Dir(st.Source)) != "LocalStatus" {
			t.Errorf("%s: %+v", name, st)
		}
	}
}

func TestBadText(t *testing.T) {
	for name, c := range map[string]struct{ text, says string }{
		"no magic":        {"hello\n", "does not begin"},
		"newer":           {magicLine + "3\n", "newer offloop"},
		"no UID":          {magicLine + "2\nx|S|0|\n", "line 2"},
		"few fields":      {magicLine + "2\n1|S|0|\n2|S\n", "line 3"},
		"v1 in v2":        {magicLine + "2\n1:S\n", "line 2"},
		"no mtime":        {magicLine + "2\n1|S||\n", "line 2"},
		"cut off":         {magicLine + "1\n1:S\n23:F", "cut off"},
		"cut off at once": {magicLine + "2", "cut off"},
		"endless line":    {magicLine + "1\n1:" + strings.Repeat("S", maxLine+1) + "\n", "too long"},
	} {
		st, err := Read(tree(t, map[string]string{"Account-A/LocalStatus/INBOX": c.text}), "INBOX", "INBOX")
		var e *Error
		if st != nil || !errors.As(err, &e) || !strings.Contains(err.Error(), c.says) || e.Do == "" || !strings.HasSuffix(e.Path, "LocalStatus/INBOX") {
			t.Errorf("%s: %v, %v", name, st, err)
		}
	}
}

func TestLongLine(t *testing.T) {
	labels := strings.Repeat("label, ", 60000) + "end"
	st, err := parseText(strings.NewReader(magicLine + "2\n1|S|5|" + labels + "\n2|F|6|\n"))
	if err != nil || !reflect.DeepEqual(st.Messages, []Message{{1, "S", 5, labels}, {2, "F", 6, ""}}) {
		t.Errorf("%v", err)
	}
}

func TestValidity(t *testing.T) {
	for text, want := range map[string]uint32{"1\n": 1, " 77 \nrest": 77, "5": 5} {
		if st, err := Read(tree(t, map[string]string{"Repository-R/FolderValidity/INBOX": text}), "INBOX", "INBOX"); err != nil || st.UIDValidity != want {
			t.Errorf("%q: %v, %v", text, st, err)
		}
	}
	for _, text := range []string{"", "x\n", "-1\n", "4294967296\n", strings.Repeat("1", 1000)} {
		var e *Error
		if st, err := Read(tree(t, map[string]string{"Repository-R/FolderValidity/INBOX": text}), "INBOX", "INBOX"); !errors.As(err, &e) || st != nil || e.Do == "" {
			t.Errorf("%.9q: %v, %v", text, st, err)
		}
	}
}

func TestMap(t *testing.T) {
	d := tree(t, map[string]string{
		"Repository-L/UIDMapping/a.b": "10:7\n11:5\n12:7\n", "Repository-L/FolderValidity/a.b": "99\n",
		"Repository-R/FolderValidity/x.y": "98\n", "Account-A/LocalStatus/a.b": magicLine + "2\n5|S|0|\n",
	})
	st, err := Read(d, "a/b", "x/y")
	if err != nil || !reflect.DeepEqual(st.Map, []Pair{{11, 5}, {12, 7}}) || st.LocalUIDValidity != 99 || st.UIDValidity != 98 || len(st.Messages) != 1 {
		t.Errorf("%+v, %v", st, err)
	}
	for _, text := range []string{"1:\n", ":1\n", "1\n", "1:2:3\n", "0:1\n", "-1:1\n", "1:2\n1:4294967296\n", "1:2\n\n", "1:2\n3:4"} {
		if _, err := parseMap(strings.NewReader(text)); err == nil {
			t.Errorf("%q passes for a map", text)
		}
	}
}

func TestFileName(t *testing.T) {
	for folder, want := range map[string]string{
		"": "dot", ".": "dot", "/": "dot", "a/b": "a.b", "a.b": "a.b", "INBOX": "INBOX", "a.": "a.", ".a": ".a", "a/": "a.", "Entwürfe": "Entwürfe",
	} {
		if got := FileName(folder); got != want {
			t.Errorf("%q: %q, not %q", folder, got, want)
		}
	}
	for _, c := range []struct{ local, sep, want string }{
		{"a/b", "/", "a.b"}, {"a.b", "", "a.b"}, {"a_b", "_", "a.b"}, {"", "/", "dot"}, {"a b/c.d", "/", "a b.c.d"},
	} {
		if got := StatusFileName(c.local, c.sep); got != c.want {
			t.Errorf("%q: %q, not %q", c.local, got, c.want)
		}
	}
}

// TestNames asks OfflineIMAP itself for file names.
func TestNames(t *testing.T) {
	names := []string{"", ".", "/", "a/b", "a.", ".a", "a//b", "..", "./", "x.y/z", "ü", "/a"}
	script := `
import sys
sys.dont_write_bytecode = True
sys.path.insert(0, '/usr/share/offlineimap3')
from offlineimap.folder.Base import BaseFolder
for n in sys.argv[1:]:
    f = BaseFolder.__new__(BaseFolder)
    f.name = n
    print(f.getfolderbasename())
`
	out, err := exec.Command("/usr/bin/python3", append([]string{"-c", script}, names...)...).Output()
	if err != nil {
		t.Skip("no OfflineIMAP for /usr/bin/python3")
	}
	got := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
	for i, n := range names {
		if FileName(n) != got[i] {
			t.Errorf("%q: %q, OfflineIMAP says %q", n, FileName(n), got[i])
		}
	}
}

func TestDatabaseWins(t *testing.T) {
	db, err := os.ReadFile(filepath.Join(fixture.Metadata, "Account-A", "LocalStatus-sqlite", "leer"))
	if err != nil {
		t.Fatal(err)
	}
	text := magicLine + "2\n1|S|0|\n"
	st, err := Read(tree(t, map[string]string{"Account-A/LocalStatus-sqlite/INBOX": string(db), "Account-A/LocalStatus/INBOX": text}), "INBOX", "INBOX")
	if err != nil || st.Format != SQLite2 || len(st.Messages) != 0 {
		t.Errorf("%+v, %v", st, err)
	}
	st, err = Read(tree(t, map[string]string{"Account-A/LocalStatus-sqlite/INBOX": "", "Account-A/LocalStatus/INBOX": text}), "INBOX", "INBOX")
	if err != nil || st.Format != Text2 || len(st.Messages) != 1 {
		t.Errorf("%+v, %v", st, err)
	}
}

func TestBadDatabase(t *testing.T) {
	good, err := os.ReadFile(filepath.Join(fixture.Metadata, "Account-A", "LocalStatus-sqlite", "INBOX"))
	if err != nil {
		t.Fatal(err)
	}
	journal := "\xd9\xd5\x05\xf9\x20\xa1\x63\xd7" + strings.Repeat("\x00", 600)
	var (
		unfinished *sqlite3.UnfinishedError
		corrupt    *sqlite3.CorruptError
		format     *sqlite3.FormatError
	)
	const file = "Account-A/LocalStatus-sqlite/INBOX"
	for name, c := range map[string]struct {
		files map[string]string
		kind  any
		says  string
	}{
		"journal": {map[string]string{file: string(good), file + "-journal": journal}, &unfinished, "run OfflineIMAP once"},
		"wal":     {map[string]string{file: string(good), file + "-wal": "\x37\x7f\x06\x82"}, &unfinished, "run OfflineIMAP once"},
		"half":    {map[string]string{file: string(good[:len(good)/2])}, &corrupt, "backup"},
		"text":    {map[string]string{file: strings.Repeat("hello ", 100)}, &format, "backup"},
	} {
		d := tree(t, c.files)
		st, err := Read(d, "INBOX", "INBOX")
		if st != nil || !errors.As(err, c.kind) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, %v", name, st, err)
		}
	}
	// A journal that says nothing, and the database of a folder whose name ends in -journal.
	for _, beside := range []string{strings.Repeat("\x00", 600), string(good), ""} {
		d := tree(t, map[string]string{file: string(good), file + "-journal": beside})
		if st, err := Read(d, "INBOX", "INBOX"); err != nil || len(st.Messages) != 7 {
			t.Errorf("%.5q: %v, %v", beside, st, err)
		}
	}
}

func TestNotAFile(t *testing.T) {
	for _, where := range []string{"Account-A/LocalStatus-sqlite", "Account-A/LocalStatus", "Repository-R/FolderValidity", "Repository-L/UIDMapping"} {
		for _, fifo := range []bool{false, true} {
			d := tree(t, nil)
			path := filepath.Join(d.Metadata, where, "INBOX")
			if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
				t.Fatal(err)
			}
			make := func(string, uint32) error { return os.Mkdir(path, 0o700) }
			if fifo {
				make = unix.Mkfifo
			}
			if err := make(path, 0o600); err != nil {
				t.Fatal(err)
			}
			var e *Error
			if st, err := Read(d, "INBOX", "INBOX"); st != nil || !errors.As(err, &e) {
				t.Errorf("%s: %v, %v", where, st, err)
			}
		}
	}
}

// TestVersions reads databases as Python's sqlite3 writes them.
func TestVersions(t *testing.T) {
	for name, c := range map[string]struct {
		sql    string
		want   []Message
		format Format
		skip   int
	}{
		"version 1": {`CREATE TABLE metadata (key VARCHAR(50) PRIMARY KEY, value VARCHAR(128)); INSERT INTO metadata VALUES('db_version', '1');
			CREATE TABLE status (id INTEGER PRIMARY KEY, flags VARCHAR(50)); INSERT INTO status VALUES (1,'FS'),(2,''),(9,'S');`,
			[]Message{{UID: 1, Flags: "FS"}, {UID: 2}, {UID: 9, Flags: "S"}}, SQLite1, 0},
		"upgraded": {`CREATE TABLE metadata (key VARCHAR(50) PRIMARY KEY, value VARCHAR(128)); INSERT INTO metadata VALUES('db_version', '1');
			CREATE TABLE status (id INTEGER PRIMARY KEY, flags VARCHAR(50)); INSERT INTO status VALUES (1,'FS');
			ALTER TABLE status ADD mtime INTEGER DEFAULT 0; ALTER TABLE status ADD labels VARCHAR(256) DEFAULT '';
			UPDATE metadata SET value='2' WHERE key='db_version'; INSERT INTO status VALUES (2,'S',1600000000,'a, b');`,
			[]Message{{UID: 1, Flags: "FS"}, {UID: 2, Flags: "S", MTime: 1600000000, Labels: "a, b"}}, SQLite2, 0},
		"odd values": {`CREATE TABLE metadata (key VARCHAR(50) PRIMARY KEY, value VARCHAR(128)); INSERT INTO metadata VALUES('db_version', 2);
			CREATE TABLE status (id INTEGER PRIMARY KEY, flags VARCHAR(50), mtime INTEGER, labels VARCHAR(256));
			INSERT INTO status VALUES (-1,'S',1,''),(0,'S',1,''),(1,NULL,NULL,NULL),(2,x'5346',1600000000.75,',a,,'),(4294967295,'','x',''),(4294967296,'',0,'');`,
			[]Message{{UID: 1}, {UID: 2, Flags: "FS", MTime: 1600000000, Labels: "a"}, {UID: math.MaxUint32}}, SQLite2, 3},
		"stopped while created": {`CREATE TABLE metadata (key VARCHAR(50) PRIMARY KEY, value VARCHAR(128)); INSERT INTO metadata VALUES('db_version', '2');`,
			nil, NoStatus, 0},
	} {
		d := tree(t, map[string]string{"Account-A/LocalStatus-sqlite/x": "", "Repository-R/FolderValidity/INBOX": "7\n"})
		path := filepath.Join(d.Metadata, "Account-A/LocalStatus-sqlite/INBOX")
		python(t, path, c.sql)
		before, _ := os.ReadFile(path)
		st, err := Read(d, "INBOX", "INBOX")
		if err != nil || !reflect.DeepEqual(st.Messages, c.want) || st.Format != c.format || st.Skipped != c.skip {
			t.Errorf("%s: %+v, %v", name, st, err)
		}
		if after, _ := os.ReadFile(path); !bytes.Equal(before, after) {
			t.Errorf("%s: the database was changed", name)
		}
	}
	d := tree(t, map[string]string{"Account-A/LocalStatus-sqlite/x": ""})
	python(t, filepath.Join(d.Metadata, "Account-A/LocalStatus-sqlite/INBOX"),
		`CREATE TABLE metadata (key VARCHAR(50) PRIMARY KEY, value VARCHAR(128)); INSERT INTO metadata VALUES('db_version', '3');`)
	var v *VersionError
	if _, err := Read(d, "INBOX", "INBOX"); !errors.As(err, &v) || v.Version != 3 {
		t.Errorf("%v", err)
	}
}

// python runs SQL on a database.
func python(t *testing.T, path, sql string) {
	t.Helper()
	script := "import sqlite3, sys\nc = sqlite3.connect(sys.argv[1])\nc.executescript(sys.argv[2])\nc.commit()\nc.close()\n"
	bin := "/usr/bin/python3"
	if _, err := os.Stat(bin); err != nil {
		bin = "python3"
	}
	if out, err := exec.Command(bin, "-c", script, path, sql).CombinedOutput(); err != nil {
		if errors.Is(err, exec.ErrNotFound) {
			t.Skip("no python3")
		}
		t.Fatalf("python3: %v\n%s", err, out)
	}
}

// FuzzText makes sure that no text makes us fail otherwise than with an error, and that what was
// read is in order.
func FuzzText(f *testing.F) {
	f.Add([]byte(magicLine + "1\n3:FS\n1:\n2:S\n"))
	f.Add([]byte(magicLine + "2\n1|SaF|1600000000|b,  a ,\n1||0|\n"))
	f.Add([]byte("10:7\n11:5\n12:7\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if st, err := parseText(bytes.NewReader(b)); err == nil && st != nil {
			if n := bytes.Count(b, []byte("\n")); len(st.Messages)+st.Skipped != n-1 {
				t.Errorf("%d messages from %d lines", len(st.Messages), n)
			}
			ms := inOrder(st.Messages, func(m Message) uint32 { return m.UID })
			for i := 1; i < len(ms); i++ {
				if ms[i-1].UID >= ms[i].UID {
					t.Errorf("%v", ms)
				}
			}
			var again bytes.Buffer
			fmt.Fprintf(&again, "%s2\n", magicLine)
			for _, m := range ms {
				fmt.Fprintf(&again, "%d|%s|%d|%s\n", m.UID, m.Flags, m.MTime, m.Labels)
			}
			st2, err := parseText(&again)
			if err != nil || !(len(ms) == 0 && len(st2.Messages) == 0) && !reflect.DeepEqual(st2.Messages, ms) {
				t.Errorf("%v, then %v, %v", ms, st2, err)
			}
		}
		_, _ = parseMap(bytes.NewReader(b))
	})
}
