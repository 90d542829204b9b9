package statefile

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand"
	"runtime"
	"strings"
	"testing"
)

const testPath = "/meta/acc/INBOX"

func dumpOf(f *Folder) string {
	var b bytes.Buffer
	Dump(&b, f)
	return b.String()
}

// reload loads and fails the test on an error.
func reload(t testing.TB, fs FS, path string) (*Folder, Report) {
	t.Helper()
	f, rep, err := Load(fs, path)
	if err != nil {
		t.Fatal(err)
	}
	return f, rep
}

func flush(t testing.TB, fs FS, path string, f *Folder, sync bool) {
	t.Helper()
	if err := AppendJournal(fs, path, f.TakeJournal(), sync); err != nil {
		t.Fatal(err)
	}
}

// build writes a file with a snapshot of three records and then one synced append for each of
// n more; it returns the bytes and the state after the snapshot and after each append.
func build(t testing.TB, n int, sync bool) (file []byte, states []string) {
	fs := newMemFS()
	f := NewFolder("INBOX", "abc")
	f.SetToken("uidvalidity", "77")
	for uid := range uint32(3) {
		f.Put(Record{UID: uid + 1, Name: fmt.Sprintf("name.%d", uid+1)})
	}
	flush(t, fs, testPath, f, sync)
	if err := WriteSnapshot(fs, testPath, f.Snapshot()); err != nil {
		t.Fatal(err)
	}
	states = append(states, dumpOf(f))
	for i := range n {
		f.Put(Record{UID: uint32(10 + i), Flags: FlagS, Name: fmt.Sprintf("later %d", i)})
		flush(t, fs, testPath, f, sync)
		states = append(states, dumpOf(f))
	}
	return fs.get(testPath), states
}

func loadBytes(b []byte) (*Folder, Report, error) {
	fs := newMemFS()
	fs.put(testPath, b)
	f, rep, err := Load(fs, testPath)
	if !bytes.Equal(fs.get(testPath), b) {
		panic("Load changed the file")
	}
	return f, rep, err
}

func TestMissingAndEmpty(t *testing.T) {
	f, rep, err := Load(newMemFS(), testPath)
	if err != nil || !rep.Missing || f.Len() != 0 || f.Name() != "" {
		t.Fatalf("%v %+v", err, rep)
	}
	f, rep, err = loadBytes(nil)
	if err != nil || rep.Torn || rep.Missing || f.Len() != 0 {
		t.Fatalf("empty file: %v %+v", err, rep)
	}
	f.SetName("a", "b")
	fs := newMemFS()
	flush(t, fs, testPath, f, true)
	if g, _ := reload(t, fs, testPath); g.Name() != "a" || g.FMD5() != "b" {
		t.Fatal("the name is lost")
	}
}

// Cut the file at every byte: in the journal it is a torn tail, and what is left is the state
// after the last whole line; in the snapshot it is damage.
func TestTornAtEveryByte(t *testing.T) {
	file, states := build(t, 4, true)
	end := bytes.Index(file, []byte("\nend")) + len("\nend>12345678\n")
	for cut := range file {
		f, rep, err := loadBytes(file[:cut])
		if cut < end && cut > 0 {
			var d *DamageError
			if first := bytes.IndexByte(file, '\n') + 1; cut <= first {
				if err != nil || rep.Torn != (cut < first) {
					t.Fatalf("cut at %d in the head line: %v %+v", cut, err, rep)
				}
			} else if !errors.As(err, &d) && !(cut < first+18 && err == nil && f.Len() == 0) {
				t.Fatalf("cut at %d, in the snapshot: %v %+v", cut, err, rep)
			}
			continue
		}
		if err != nil {
			t.Fatalf("cut at %d: %v", cut, err)
		}
		whole := bytes.LastIndexByte(file[:cut], '\n') + 1
		if rep.Torn != (whole != cut) || rep.GoodLen != int64(whole) || rep.Size != int64(cut) || rep.TornBytes != int64(cut-whole) {
			t.Fatalf("cut at %d: %+v", cut, rep)
		}
		if cut == 0 {
			continue
		}
		if want := states[bytes.Count(file[end:cut], []byte("\n"))]; dumpOf(f) != want {
			t.Fatalf("cut at %d: got\n%s\nwant\n%s", cut, dumpOf(f), want)
		}
	}
}

// No changed byte goes unnoticed: before the last append it is damage, in it a torn tail.
func TestFlippedByteIsDetected(t *testing.T) {
	file, states := build(t, 3, true)
	last := bytes.LastIndexByte(file[:len(file)-1], '\n') + 1
	for i := range file {
		for _, x := range []byte{1, 0x20, 0x80, 0xff, file[i] ^ '\n', file[i]} {
			if x == 0 {
				continue
			}
			b := bytes.Clone(file)
			b[i] ^= x
			f, rep, err := loadBytes(b)
			var d *DamageError
			switch {
			case errors.As(err, &d):
				if i >= last {
					t.Fatalf("byte %d ^ %#x: %v", i, x, err)
				}
				if line := bytes.Count(file[:i], []byte("\n")) + 1; d.Line != line || d.Path != testPath {
					t.Fatalf("byte %d in line %d: %v", i, line, err)
				}
				if msg := d.Error(); !strings.Contains(msg, testPath) || !strings.Contains(msg, "move it away") {
					t.Fatal(msg)
				}
			case err != nil:
				t.Fatalf("byte %d: unexpected %v", i, err)
			case !rep.Torn:
				t.Fatalf("byte %d ^ %#x went unnoticed", i, x)
			case i < last-1: // the LF before the last line joins the two
				t.Fatalf("byte %d ^ %#x was taken for a torn tail", i, x)
			case i == last-1 && dumpOf(f) != states[2-1] || i >= last && dumpOf(f) != states[2]:
				t.Fatalf("byte %d: wrong state\n%s", i, dumpOf(f))
			}
		}
	}
}

// Lines that went missing, were doubled or changed places are damage, though each is whole.
func TestMovedLines(t *testing.T) {
	file, _ := build(t, 4, true)
	lines := bytes.SplitAfter(bytes.TrimSuffix(file, []byte("\n")), []byte("\n"))
	lines[len(lines)-1] = append(bytes.Clone(lines[len(lines)-1]), '\n')
	n := len(lines)
	join := func(l ...[]byte) []byte { return bytes.Join(l, nil) }
	for name, b := range map[string][]byte{
		"missing": join(join(lines[:n-3]...), join(lines[n-2:]...)),
		"swapped": join(join(lines[:n-3]...), lines[n-2], lines[n-3], lines[n-1]),
		"doubled": join(join(lines[:n-2]...), lines[n-3], lines[n-2], lines[n-1]),
	} {
		var d *DamageError
		if _, _, err := loadBytes(b); !errors.As(err, &d) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// A whole line of another file at the end is a tail that is not ours.
	_, rep, err := loadBytes(append(bytes.Clone(file), lines[4]...))
	if err != nil || !rep.Torn || rep.GoodLen != int64(len(file)) {
		t.Errorf("foreign tail: %v %+v", err, rep)
	}
}

// Blocks of one unflushed append may reach the disk in any order.
func TestHoleInUnflushedAppend(t *testing.T) {
	for _, sync := range []bool{false, true} {
		fs := newMemFS()
		f := NewFolder("x", "y")
		flush(t, fs, testPath, f, true)
		want, good := dumpOf(f), len(fs.get(testPath))
		for i := range 50 {
			f.Put(Record{UID: uint32(i + 1), Name: "n"})
		}
		flush(t, fs, testPath, f, sync)
		b := fs.get(testPath)
		copy(b[good+5:], make([]byte, 60))
		g, rep, err := loadBytes(b)
		if err != nil || !rep.Torn || rep.GoodLen != int64(good) || dumpOf(g) != want {
			t.Fatalf("sync %v: %v %+v", sync, err, rep)
		}
		// Once something was written after its flush, the same hole is damage.
		f.Put(Record{UID: 99, Name: "n"})
		flush(t, fs, testPath, f, true)
		b = fs.get(testPath)
		copy(b[good+5:], make([]byte, 60))
		_, rep, err = loadBytes(b)
		if d := (*DamageError)(nil); errors.As(err, &d) != sync {
			t.Fatalf("sync %v: %v %+v", sync, err, rep)
		}
	}
}

// TestLoadAnyLength: a line may end, and the file, anywhere in what is read at once.
func TestLoadAnyLength(t *testing.T) {
	for _, edge := range []int{firstRead, 4 * firstRead, readLen, 2 * readLen} {
		for d := -300; d <= 3; d++ {
			f := NewFolder("INBOX", "abc")
			f.SetToken("long", strings.Repeat("x", edge+d))
			for uid := range uint32(3) {
				f.Put(Record{UID: uid + 1, Name: fmt.Sprintf("name.%d", uid+1)})
			}
			fs := newMemFS()
			flush(t, fs, testPath, f, true)
			if g, _ := reload(t, fs, testPath); dumpOf(g) != dumpOf(f) {
				t.Fatalf("a line of %d bytes came back otherwise", edge+d)
			}
		}
	}
}

// TestSmallFolderIsSmall: an account of a hundred folders has them all in memory at once.
func TestSmallFolderIsSmall(t *testing.T) {
	f := NewFolder("INBOX", "7e33429f656f1e6e9d79b29c3f82c57e")
	for i := range uint32(50) {
		f.Put(Record{UID: i + 1, Flags: FlagS, Name: fmt.Sprintf("1700%06d_%d.12345.myhost", i, i%10)})
	}
	fs := newMemFS()
	flush(t, fs, testPath, f, true)
	const loads = 100
	var kept [loads]*Folder
	var before, after, live runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := range kept {
		kept[i], _ = reload(t, fs, testPath)
	}
	runtime.ReadMemStats(&after)
	runtime.GC()
	runtime.ReadMemStats(&live)
	if n := (after.TotalAlloc - before.TotalAlloc) / loads; n > 20<<10 {
		t.Errorf("loading a folder of 50 messages takes %d bytes", n)
	}
	if n := (int64(live.HeapAlloc) - int64(before.HeapAlloc)) / loads; n > 10<<10 {
		t.Errorf("a folder of 50 messages stays with %d bytes", n)
	}
	runtime.KeepAlive(kept)
}

func TestForeignFilesAreNotCut(t *testing.T) {
	huge := bytes.Repeat([]byte("x"), maxLine+5)
	for _, b := range [][]byte{[]byte("hello"), []byte("\n"), []byte("\nofflineimap state\n"), []byte("offloop-stat\n"), huge} {
		var d *DamageError
		if _, _, err := loadBytes(b); !errors.As(err, &d) {
			t.Errorf("%.20q: %v", b, err)
		}
	}
	if _, rep, err := loadBytes(make([]byte, maxLine+5)); err != nil || !rep.Torn || rep.GoodLen != 0 || rep.TornBytes != maxLine+5 {
		t.Errorf("zeros: %v %+v", err, rep)
	}
}

func TestVersionOfTheFuture(t *testing.T) {
	b, _ := seal([]byte("offloop-state 2"), 0, markPlain, 0)
	_, _, err := loadBytes(append(b, "whatever\n"...))
	var v *VersionError
	if !errors.As(err, &v) || v.Version != "2" {
		t.Fatal(err)
	}
	b, sum := seal([]byte("offloop-state 1"), 0, markPlain, 0)
	b, _ = sealAll(b, []byte("novelty 1\n"), false, false, sum)
	var d *DamageError
	if _, _, err := loadBytes(b); !errors.As(err, &d) || d.Line != 2 {
		t.Fatalf("unknown line: %v", err)
	}
}

func TestAppendRefusesTornEnd(t *testing.T) {
	file, states := build(t, 2, true)
	for cut := len(file) - 1; cut > bytes.LastIndexByte(file[:len(file)-1], '\n')+1; cut-- {
		fs := newMemFS()
		fs.put(testPath, file[:cut])
		f, rep := reload(t, fs, testPath)
		f.Put(Record{UID: 500, Name: "new"})
		b := f.TakeJournal()
		var torn *TornError
		if err := AppendJournal(fs, testPath, b, true); !errors.As(err, &torn) {
			t.Fatalf("cut at %d: %v", cut, err)
		}
		if err := Truncate(fs, testPath, rep.GoodLen); err != nil {
			t.Fatal(err)
		}
		if err := AppendJournal(fs, testPath, b, true); err != nil {
			t.Fatal(err)
		}
		g, rep := reload(t, fs, testPath)
		if rep.Torn || dumpOf(g) != dumpOf(f) || dumpOf(f) == states[1] {
			t.Fatalf("cut at %d: %+v", cut, rep)
		}
	}
}

func TestCheckNotes(t *testing.T) {
	fs := newMemFS()
	f := NewFolder("x", "y")
	f.Put(Record{UID: 1, Flags: 1 << 9, Name: "same"})
	f.Put(Record{UID: 2, Name: "same,U=2"})
	flush(t, fs, testPath, f, true)
	rep, err := Check(fs, testPath)
	if err != nil || len(rep.Notes) != 2 || rep.Records != 2 {
		t.Fatalf("%v %+v", err, rep)
	}
}

func FuzzLoad(f *testing.F) {
	file, _ := build(f, 3, true)
	f.Add(file)
	f.Add(file[:len(file)-7])
	f.Add([]byte{})
	f.Add(bytes.Replace(file, []byte("later"), []byte("Later"), 1))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, in := range [][]byte{b, resealed(b)} {
			g, rep, err := loadBytes(in)
			if err != nil {
				continue
			}
			if rep.GoodLen > int64(len(in)) || rep.Size != int64(len(in)) || rep.Torn != (rep.GoodLen < rep.Size) {
				t.Fatalf("%+v of %d bytes", rep, len(in))
			}
			want := dumpOf(g)
			h, rep2, err := loadBytes(in[:rep.GoodLen])
			if err != nil || rep2.Torn || dumpOf(h) != want {
				t.Fatalf("after the cut: %v %+v", err, rep2)
			}
			k, rep3, err := loadBytes(g.Snapshot())
			if err != nil || rep3.Torn || dumpOf(k) != want {
				t.Fatalf("snapshot: %v %+v\n%s\n%s", err, rep3, want, dumpOf(k))
			}
		}
	})
}

// resealed gives every line of b a right checksum, so that fuzzing gets behind them.
func resealed(b []byte) []byte {
	out, sum := seal([]byte(headWord+version), 0, markPlain, 0)
	rng := rand.New(rand.NewSource(int64(len(b))))
	for _, l := range bytes.Split(b, []byte("\n")) {
		if n := len(l) - sumLen - 1; n > 0 {
			l = l[:n]
		}
		start := len(out)
		out, sum = seal(append(out, l...), start, []mark{markPlain, markAfter, markBefore, markBoth}[rng.Intn(4)], sum)
	}
	return out
}

// Nothing is written that could not be read again.
func TestAppendRefusesEndlessLine(t *testing.T) {
	fs, f := newMemFS(), NewFolder("f", "5")
	flush(t, fs, testPath, f, true)
	f.SetToken("t", strings.Repeat("x", maxLine))
	if err := AppendJournal(fs, testPath, f.TakeJournal(), true); err == nil {
		t.Fatal("it was written")
	}
	if _, rep := reload(t, fs, testPath); rep.Torn || rep.Lines != 2 {
		t.Fatalf("%+v", rep)
	}
}
