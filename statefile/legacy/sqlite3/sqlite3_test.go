package sqlite3

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "make testdata anew with python3")

// dump is all a database's table says, as text.
func dump(db *DB, table string) ([]string, error) {
	t, err := db.Table(table)
	if err != nil {
		return nil, err
	}
	if t == nil {
		return nil, errors.New("no such table")
	}
	lines := []string{strings.Join(t.Columns, " ")}
	err = t.Rows(func(rowid int64, row []Value) error {
		words := []string{strconv.FormatInt(rowid, 10)}
		for _, v := range row {
			words = append(words, show(v))
		}
		lines = append(lines, strings.Join(words, " "))
		return nil
	})
	return lines, err
}

func show(v Value) string {
	switch v.Kind {
	case Null:
		return "n"
	case Integer:
		return "i" + strconv.FormatInt(v.Int(), 10)
	case Real:
		return "r" + strconv.FormatFloat(v.Float(), 'g', 17, 64)
	case Text:
		return "t" + hex.EncodeToString([]byte(v.Text()))
	}
	return "b" + hex.EncodeToString([]byte(v.Text()))
}

// python3 is the system's, where there is one: wrappers take a second to start.
func python3() string {
	if _, err := os.Stat("/usr/bin/python3"); err == nil {
		return "/usr/bin/python3"
	}
	return "python3"
}

// python runs a script; without python3 the test is skipped.
func python(t testing.TB, script string, args ...string) []byte {
	t.Helper()
	cmd := exec.Command(python3(), append([]string{"-c", script}, args...)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if errors.Is(err, exec.ErrNotFound) {
		t.Skip("no python3")
	}
	if err != nil {
		t.Fatalf("python3: %v\n%s", err, stderr.Bytes())
	}
	return out
}

// many makes databases of all kinds and prints what SQLite reads from them.
const many = `
import sqlite3, sys, random, json, os, struct
dir = sys.argv[1]
def show(v):
    if v is None: return 'n'
    if isinstance(v, int): return 'i%d' % v
    if isinstance(v, float): return 'r' + v.hex()
    if isinstance(v, str): return 't' + v.encode().hex()
    return 'b' + bytes(v).hex()
def value(r, big):
    k = r.randrange(10)
    if k == 0: return None
    if k == 1: return r.choice([0, 1, -1, 127, 128, -128, -129, 32767, 32768, 8388607, -8388609, 2**31, -2**31-1, 2**47-1, 2**47, -2**63, 2**63-1])
    if k == 2: return r.randrange(-2**r.randrange(1, 63), 2**r.randrange(1, 63))
    if k == 3: return r.random() * 10**r.randrange(-20, 20)
    n = r.choice([0, 1, 5, 30, 100]) if r.randrange(8) else r.randrange(big)
    if k == 4: return r.randbytes(n)
    return ''.join(r.choices('abcFSR, ä€😀', k=n))
out = {}
no = 0
for page in (512, 1024, 4096, 65536):
    for vacuum in (0, 1, 2):
        for enc in ('UTF-8', 'UTF-16le', 'UTF-16be'):
            r = random.Random(no)
            no += 1
            name = '%d-%d-%s.db' % (page, vacuum, enc)
            c = sqlite3.connect(os.path.join(dir, name))
            c.execute('PRAGMA synchronous=0')
            c.execute('PRAGMA journal_mode=MEMORY')
            c.execute('PRAGMA page_size=%d' % page)
            c.execute('PRAGMA auto_vacuum=%d' % vacuum)
            c.execute("PRAGMA encoding='%s'" % enc)
            c.execute('CREATE TABLE other (a, b UNIQUE)')
            c.execute('CREATE TABLE "Status" (a, "i d" INTEGER PRIMARY KEY, b VARCHAR(50) CHECK (b <> 7), UNIQUE (a, b, "i d"))')
            ids = set()
            for i in range(300):
                rowid = r.choice([i, r.randrange(2**r.randrange(1, 62)), -r.randrange(1000)])
                if rowid in ids: continue
                ids.add(rowid)
                c.execute('INSERT INTO "Status" VALUES (?,?,?)', (value(r, 4*page % 30000), rowid, value(r, 3000)))
                c.execute('INSERT INTO other VALUES (?,?)', (i, 'x%d' % i))
            for rowid in r.sample(sorted(ids), len(ids)//3):
                c.execute('DELETE FROM "Status" WHERE "i d"=?', (rowid,))
            c.execute('ALTER TABLE "Status" ADD c INTEGER DEFAULT 5')
            c.execute('INSERT INTO "Status" VALUES (1, 9223372036854775807, 2, 3)')
            c.execute('CREATE VIEW v AS SELECT * FROM other')
            c.commit()
            out[name] = [[str(row[0])] + [show(v) for v in row[1:]] for row in c.execute('SELECT "i d", a, "i d", b, c FROM "Status" ORDER BY "i d"')]
            c.close()
json.dump(out, sys.stdout)
`

// TestSame reads what Python's sqlite3 has written: all page sizes, encodings, kinds of values,
// records with and without overflow, trees of several levels, deleted rows.
func TestSame(t *testing.T) {
	dir := t.TempDir()
	var want map[string][][]string
	if err := json.Unmarshal(python(t, many, dir), &want); err != nil {
		t.Fatal(err)
	}
	if len(want) != 36 {
		t.Fatalf("%d databases", len(want))
	}
	for name, rows := range want {
		db, err := OpenFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		got, err := dump(db, "status")
		if err != nil || len(got) != len(rows)+1 || got[0] != "a i d b c" {
			t.Fatalf("%s: %d rows instead of %d: %v", name, len(got)-1, len(rows), err)
		}
		for i, row := range rows {
			for j, w := range row {
				if hexa, ok := strings.CutPrefix(w, "r"); ok {
					f, _ := strconv.ParseFloat(hexa, 64)
					row[j] = show(Value{Kind: Real, real: f})
				}
			}
			// Rows from before the ALTER lack the last column.
			full, short := strings.Join(row, " "), strings.Join(row[:4], " ")
			if got[i+1] != full && (got[i+1] != short || row[4] != "i5") {
				t.Errorf("%s: %.200q\ninstead of %.200q", name, got[i+1], full)
				break
			}
		}
		if other, err := dump(db, "OTHER"); err != nil || len(other) < 200 {
			t.Errorf("%s: %d rows of other: %v", name, len(other), err)
		}
		if v, err := db.Table("v"); v != nil || err != nil {
			t.Errorf("a view passes for a table: %v, %v", v, err)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
		if err := db.Close(); err != nil {
			t.Errorf("second Close: %v", err)
		}
	}
}

// TestReserved reads a database whose pages keep bytes for an extension.
func TestReserved(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	cmd := exec.Command("sqlite3", path)
	cmd.Stdin = strings.NewReader(".filectrl reserve_bytes 32\nPRAGMA page_size=512; VACUUM; CREATE TABLE t(a, b);\n" +
		"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<500) INSERT INTO t SELECT i, printf('%.*c', i*3, 'x') FROM n;\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Skipf("no sqlite3: %v\n%s", err, out)
	}
	if h, err := os.ReadFile(path); err != nil || h[20] != 32 {
		t.Skip("this sqlite3 cannot reserve")
	}
	db, err := OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	table, err := db.Table("t")
	if err != nil {
		t.Fatal(err)
	}
	n := int64(0)
	err = table.Rows(func(rowid int64, row []Value) error {
		if n++; rowid != n || row[0].Int() != n || row[1].Text() != strings.Repeat("x", int(n)*3) {
			return fmt.Errorf("row %d: %v", rowid, row)
		}
		return nil
	})
	if err != nil || n != 500 {
		t.Errorf("%d rows, %v", n, err)
	}
}

const crash = `
import sqlite3, sys, os
c = sqlite3.connect(sys.argv[1])
c.execute('PRAGMA journal_mode=' + sys.argv[2])
c.execute('CREATE TABLE status (id INTEGER PRIMARY KEY, flags)')
c.executemany('INSERT INTO status VALUES (?, ?)', ((i, 'S') for i in range(2000)))
c.commit()
if sys.argv[3] == 'cut':
    c.execute('PRAGMA cache_size=1')
    c.execute("UPDATE status SET flags='FS'")
    os._exit(0)
c.execute("UPDATE status SET flags='F'")
c.commit()
if sys.argv[3] == 'done':
    os._exit(0)
c.close()
`

// TestUnfinished: a transaction that was cut off is refused, whatever the journal, until SQLite
// has completed or undone it; the remains of one that was not are no obstacle.
func TestUnfinished(t *testing.T) {
	for _, c := range []struct {
		mode, end string
		refused   bool
		flags     string
	}{
		{"delete", "cut", true, "S"}, {"persist", "cut", true, "S"}, {"truncate", "cut", true, "S"}, {"wal", "cut", true, "S"},
		{"delete", "done", false, "F"}, {"persist", "done", false, "F"}, {"truncate", "done", false, "F"},
		{"wal", "done", true, "F"}, {"wal", "closed", false, "F"}, {"persist", "closed", false, "F"},
	} {
		path := filepath.Join(t.TempDir(), "it's")
		python(t, crash, path, c.mode, c.end)
		before := files(t, path)
		db, err := OpenFile(path)
		if c.refused {
			var e *UnfinishedError
			if !errors.As(err, &e) || !strings.Contains(err.Error(), `it'\''s' 'PRAGMA integrity_check'`) {
				t.Errorf("%v: %v", c, err)
				continue
			}
			if after := files(t, path); !reflect.DeepEqual(before, after) {
				t.Errorf("%v: files changed: %v, then %v", c, before, after)
			}
			python(t, "import sqlite3, sys\nc = sqlite3.connect(sys.argv[1])\nc.execute('PRAGMA integrity_check').fetchall()\nc.close()\n", path)
			db, err = OpenFile(path)
		}
		if err != nil {
			t.Errorf("%v: %v", c, err)
			continue
		}
		got, err := dump(db, "status")
		if err != nil || len(got) != 2001 || got[1] != "0 i0 t"+hex.EncodeToString([]byte(c.flags)) {
			t.Errorf("%v: %d lines, %v", c, len(got), err)
		}
		db.Close()
	}
}

func files(t *testing.T, path string) map[string]string {
	m := map[string]string{}
	for _, s := range []string{"", "-journal", "-wal", "-shm"} {
		if b, err := os.ReadFile(path + s); err == nil {
			m[s] = string(b)
		}
	}
	return m
}

// TestLocks: a writer keeps us out, we keep a writer out, and a file that changes without locks is
// noticed.
func TestLocks(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	python(t, crash, path, "delete", "closed")
	cmd := exec.Command(python3(), "-c", "import sqlite3, sys\nc = sqlite3.connect(sys.argv[1], isolation_level=None)\nc.execute('BEGIN EXCLUSIVE')\nprint('ok', flush=True)\nsys.stdin.read()\n", path)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(out, make([]byte, 3)); err != nil {
		t.Fatal(err)
	}
	var busy *BusyError
	if _, err := OpenFile(path); !errors.As(err, &busy) || !strings.Contains(err.Error(), path) {
		t.Errorf("with a writer: %v", err)
	}
	in.Close()
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	db, err := OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	write := "import sqlite3, sys\nc = sqlite3.connect(sys.argv[1], timeout=0)\ntry:\n    c.execute('DELETE FROM status WHERE id=1')\n    c.commit()\n    print('wrote')\nexcept sqlite3.OperationalError as e:\n    print(e)\n"
	if got := string(python(t, write, path)); got != "database is locked\n" {
		t.Errorf("a writer got %q", got)
	}
	if got, err := dump(db, "status"); err != nil || len(got) != 2001 {
		t.Errorf("%d lines, %v", len(got), err)
	}
	db.Close()
	if got := string(python(t, write, path)); got != "wrote\n" {
		t.Errorf("afterwards a writer got %q", got)
	}

	b, _ := os.ReadFile(path)
	r := &changing{b: b}
	if db, err = Open(r, int64(len(b))); err != nil {
		t.Fatal(err)
	}
	if _, err = dump(db, "status"); !errors.As(err, &busy) {
		t.Errorf("a change under us: %v", err)
	}
}

// changing is a file that somebody writes to after the header was read.
type changing struct {
	b     []byte
	reads int
}

func (c *changing) ReadAt(p []byte, off int64) (int, error) {
	if c.reads++; c.reads == 4 {
		c.b[27]++
	}
	return bytes.NewReader(c.b).ReadAt(p, off)
}

// seeds are the small databases in testdata: page size 512, several levels, overflow.
func seeds(t testing.TB) map[string][]byte {
	t.Helper()
	m := map[string][]byte{}
	if *update {
		python(t, `
import sqlite3, sys, os
for name, n, long in (('small', 3, 0), ('deep', 200, 40), ('overflow', 4, 1500)):
    path = os.path.join(sys.argv[1], name + '.db')
    if os.path.exists(path): os.remove(path)
    c = sqlite3.connect(path)
    c.execute('PRAGMA page_size=512')
    c.execute("CREATE TABLE metadata (key VARCHAR(50) PRIMARY KEY, value VARCHAR(128))")
    c.execute("INSERT INTO metadata VALUES('db_version', '2')")
    c.execute('CREATE TABLE status (id INTEGER PRIMARY KEY, flags VARCHAR(50), mtime INTEGER, labels VARCHAR(256))')
    for i in range(1, n + 1):
        c.execute('INSERT INTO status VALUES (?,?,?,?)', (i, 'FS', 1600000000 + i, 'l' * long))
    c.commit()
    c.close()
`, "testdata")
	}
	paths, _ := filepath.Glob("testdata/*.db")
	for _, p := range paths {
		b, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		m[strings.TrimSuffix(filepath.Base(p), ".db")] = b
	}
	if len(m) != 3 {
		t.Fatalf("%d databases in testdata", len(m))
	}
	return m
}

func TestSeeds(t *testing.T) {
	for name, b := range seeds(t) {
		n, long := map[string]int{"small": 3, "deep": 200, "overflow": 4}[name], map[string]int{"deep": 40, "overflow": 1500}[name]
		db, err := Open(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			t.Fatal(err)
		}
		got, err := dump(db, "status")
		if err != nil || len(got) != n+1 {
			t.Fatalf("%s: %d lines, %v", name, len(got), err)
		}
		for i := 1; i <= n; i++ {
			if want := fmt.Sprintf("%d i%d t4653 i%d t%s", i, i, 1600000000+i, strings.Repeat("6c", long)); got[i] != want {
				t.Errorf("%s: %q", name, got[i])
			}
		}
		if x, err := db.Table("nothing"); x != nil || err != nil {
			t.Errorf("%v, %v", x, err)
		}
		// Cut anywhere, it is not read.
		for n := 1; n < len(b); n += 37 {
			if db, err := Open(bytes.NewReader(b[:n]), int64(n)); err == nil {
				t.Errorf("%s: the first %d bytes are opened: %v", name, n, db)
			}
		}
	}
	if db, err := Open(bytes.NewReader(nil), 0); err != nil {
		t.Error(err)
	} else if x, err := db.Table("status"); x != nil || err != nil {
		t.Errorf("%v, %v", x, err)
	}
}

// root is the page table status begins at.
func root(t *testing.T, b []byte) int {
	db, err := Open(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	table, err := db.Table("status")
	if err != nil {
		t.Fatal(err)
	}
	return int(table.root)
}

// TestHostile breaks one thing of a good database at a time.
func TestHostile(t *testing.T) {
	s := seeds(t)
	page := func(b []byte, no int) []byte { return b[(no-1)*512 : no*512] }
	cell := func(p []byte, i int) []byte { return p[binary.BigEndian.Uint16(p[8+2*i:]):] }
	put := binary.BigEndian.PutUint32
	for name, c := range map[string]struct {
		of   string
		harm func(b, root []byte, rootNo uint32)
		says string
	}{
		"child is its own parent": {"deep", func(b, r []byte, no uint32) { put(r[8:], no) }, "circle|too deep|follows"},
		"same child twice":        {"deep", func(b, r []byte, no uint32) { copy(r[8:12], r[binary.BigEndian.Uint16(r[12:]):]) }, "follows"},
		"child 0":                 {"deep", func(b, r []byte, no uint32) { put(r[8:], 0) }, "no such page"},
		"child outside":           {"deep", func(b, r []byte, no uint32) { put(r[8:], 1<<31) }, "no such page"},
		"child is page 1":         {"deep", func(b, r []byte, no uint32) { put(r[8:], 1) }, "follows"},
		"too many cells":          {"deep", func(b, r []byte, no uint32) { r[3] = 255 }, "more than fit"},
		"interior cell outside":   {"deep", func(b, r []byte, no uint32) { r[12], r[13] = 255, 255 }, "outside"},
		"leaf cell outside":       {"small", func(b, r []byte, no uint32) { r[8], r[9] = 255, 255 }, "outside"},
		"no table":                {"small", func(b, r []byte, no uint32) { r[0] = 10 }, "not a page of a table"},
		"row twice":               {"small", func(b, r []byte, no uint32) { copy(r[10:12], r[8:10]) }, "follows"},
		"record cut off":          {"small", func(b, r []byte, no uint32) { cell(r, 0)[0] = 100 }, "cut off|contradicts"},
		"huge record":             {"small", func(b, r []byte, no uint32) { copy(cell(r, 0), "\x84\x80\x80\x80\x00") }, "more than any row"},
		"negative size":           {"small", func(b, r []byte, no uint32) { copy(cell(r, 0), "\xff\xff\xff\xff\xff\xff\xff\xff\xff") }, "more than any row"},
		"bad header size":         {"small", func(b, r []byte, no uint32) { cell(r, 0)[2] = 100 }, "contradicts"},
		"bad type":                {"small", func(b, r []byte, no uint32) { cell(r, 0)[4] = 10 }, "contradicts"},
		"overflow circle": {"overflow", func(b, r []byte, no uint32) {
			for i := range b { // every page leads to page 5
				if i%512 == 0 && b[i] == 0 && i > 0 {
					put(b[i:], 5)
				}
			}
			copy(cell(leafOf(b, r), 0), "\xbf\xff\x7f") // 1 MiB
		}, "circle|no such page|cut off"},
		"end missing": {"small", func(b, r []byte, no uint32) { put(b[28:], 1000) }, "end is missing"},
		"no pages":    {"small", func(b, r []byte, no uint32) { b[16], b[17] = 255, 255 }, "page size"},
		"newer":       {"small", func(b, r []byte, no uint32) { b[19] = 3 }, "newer"},
		"reserved":    {"small", func(b, r []byte, no uint32) { b[20] = 33 }, "reserved"},
		"encoding":    {"small", func(b, r []byte, no uint32) { b[59] = 4 }, "encoding"},
		"fractions":   {"small", func(b, r []byte, no uint32) { b[21] = 65 }, "fractions"},
	} {
		b := bytes.Clone(s[c.of])
		no := root(t, b)
		c.harm(b, page(b, no), uint32(no))
		db, err := Open(bytes.NewReader(b), int64(len(b)))
		if err == nil {
			_, err = dump(db, "status")
		}
		var (
			ce *CorruptError
			fe *FormatError
		)
		ok := false
		for says := range strings.SplitSeq(c.says, "|") {
			ok = ok || err != nil && strings.Contains(err.Error(), says)
		}
		if !ok || !errors.As(err, &ce) && !errors.As(err, &fe) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// leafOf is r if it is a leaf, else its first child.
func leafOf(b, r []byte) []byte {
	if r[0] == leafTable {
		return r
	}
	no := int(binary.BigEndian.Uint32(r[binary.BigEndian.Uint16(r[12:]):]))
	return b[(no-1)*512 : no*512]
}

// TestOverlap: thousands of cells over the same bytes are not thousands of records.
func TestOverlap(t *testing.T) {
	const size = 65536
	b := make([]byte, 2*size)
	copy(b, seeds(t)["small"][:headerSize])
	b[16], b[17] = 0, 1 // page size 65536
	binary.BigEndian.PutUint32(b[28:], 2)
	cells := 0
	for at := 40000; at > 30000; at -= 5 { // each: 20000 bytes, its own rowid
		copy(b[at:], []byte{0x81, 0x9c, 0x20, 0x90, byte(cells % 128)})
		binary.BigEndian.PutUint16(b[headerSize+8+2*cells:], uint16(at))
		cells++
	}
	b[headerSize] = leafTable
	binary.BigEndian.PutUint16(b[headerSize+3:], uint16(cells))
	db, err := Open(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	err = db.tree(1, func(_ int64, payload []byte) error { seen += len(payload); return nil })
	if err == nil || seen > size {
		t.Errorf("%d bytes out of one page, %v", seen, err)
	}
}

func TestNotADatabase(t *testing.T) {
	dir := t.TempDir()
	if _, err := OpenFile(filepath.Join(dir, "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing: %v", err)
	}
	var fe *FormatError
	if _, err := OpenFile(dir); !errors.As(err, &fe) {
		t.Errorf("directory: %v", err)
	}
	text := filepath.Join(dir, "text")
	os.WriteFile(text, bytes.Repeat([]byte("text "), 100), 0o600)
	if _, err := OpenFile(text); !errors.As(err, &fe) {
		t.Errorf("text: %v", err)
	}
}

func TestColumns(t *testing.T) {
	for sql, want := range map[string]string{
		`CREATE TABLE status (id INTEGER PRIMARY KEY, flags VARCHAR(50), mtime INTEGER DEFAULT 0, labels VARCHAR(256) DEFAULT '')`: "id flags mtime labels 0",
		`CREATE TABLE "a(b" (a, "b, c" TEXT DEFAULT ',)(', [d e] INTEGER PRIMARY KEY AUTOINCREMENT, ` + "`f`" + `)`:                "a b, c d e f 2",
		`CREATE TABLE t(a INT PRIMARY KEY, b integer primary key desc, PRIMARY KEY (a), "primary" x, CONSTRAINT c UNIQUE(a))`:      "a b primary -1",
		`CREATE TABLE t`:    " -1",
		`CREATE TABLE t(`:   " -1",
		`CREATE TABLE t(a'`: " -1",
		``:                  " -1",
	} {
		names, rowid := columns(sql)
		if got := strings.Join(names, " ") + " " + strconv.Itoa(rowid); got != want {
			t.Errorf("%s: %q", sql, got)
		}
	}
}

// FuzzOpen: no file makes us fail otherwise than with an error, and none makes us read or hand out
// much more than it has.
func FuzzOpen(f *testing.F) {
	for _, b := range seeds(f) {
		f.Add(b)
	}
	f.Add([]byte(magic))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := &counted{b: b}
		db, err := Open(r, int64(len(b)))
		if err != nil {
			return
		}
		for _, name := range []string{"metadata", "status"} {
			table, err := db.Table(name)
			if err != nil || table == nil {
				continue
			}
			last, rows, seen := int64(0), 0, 0
			_ = table.Rows(func(rowid int64, row []Value) error {
				if rows++; rows > 1 && rowid <= last {
					t.Errorf("row %d after %d", rowid, last)
				}
				last = rowid
				for _, v := range row {
					seen += len(v.bytes)
					_, _ = v.Text(), v.Int()
				}
				return nil
			})
			if seen > len(b) || rows > len(b) {
				t.Errorf("%d rows with %d bytes out of %d", rows, seen, len(b))
			}
		}
		if r.n > 5*len(b)+1000 {
			t.Errorf("read %d bytes of %d", r.n, len(b))
		}
	})
}

type counted struct {
	b []byte
	n int
}

func (c *counted) ReadAt(p []byte, off int64) (int, error) {
	c.n += len(p)
	return bytes.NewReader(c.b).ReadAt(p, off)
}

func BenchmarkRows(b *testing.B) {
	path := filepath.Join(b.TempDir(), "db")
	python(b, "import sqlite3, sys\nc = sqlite3.connect(sys.argv[1])\nc.execute('CREATE TABLE status (id INTEGER PRIMARY KEY, flags VARCHAR(50), mtime INTEGER, labels VARCHAR(256))')\nc.executemany('INSERT INTO status VALUES (?,?,?,?)', ((i, 'FS', 0, '') for i in range(1, 1000001)))\nc.commit()\n", path)
	b.ReportAllocs()
	for b.Loop() {
		db, err := OpenFile(path)
		if err != nil {
			b.Fatal(err)
		}
		t, err := db.Table("status")
		if err != nil {
			b.Fatal(err)
		}
		n := 0
		if err := t.Rows(func(int64, []Value) error { n++; return nil }); err != nil || n != 1000000 {
			b.Fatal(n, err)
		}
		db.Close()
	}
}
