package statefile

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"testing"
)

// million writes a state file of a million messages as a snapshot, in pieces.
func million(b *testing.B, path string) *Folder {
	f := NewFolder("INBOX", "7e33429f656f1e6e9d79b29c3f82c57e")
	for i := range 1000000 {
		r := Record{UID: uint32(i*3 + 1), Flags: FlagS, Name: fmt.Sprintf("1700%06d_%d.12345.myhost", i, i%10)}
		if i%5 == 0 {
			r.Flags |= 1 << 9
		}
		f.Put(r)
		if i%10000 == 0 {
			f.TakeJournal()
		}
	}
	f.TakeJournal()
	s, err := CreateSnapshot(OS{}, path)
	shot := f.StartSnapshot()
	for more := true; err == nil && more; {
		var p []byte
		p, more = shot.Next(1 << 20)
		err = s.Write(p)
	}
	if err == nil {
		err = s.Commit()
	}
	if err != nil {
		b.Fatal(err)
	}
	return f
}

func heap() float64 {
	runtime.GC()
	debug.FreeOSMemory()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc) / 1e6
}

// BenchmarkLoadMillion also reports the memory: live-MB the Folder holds, extra-MB the load
// allocated beyond that.
func BenchmarkLoadMillion(b *testing.B) {
	path := filepath.Join(b.TempDir(), "s")
	million(b, path)
	if st, err := os.Stat(path); err == nil {
		b.SetBytes(st.Size())
	}
	var live, total float64
	for b.Loop() {
		b.StopTimer()
		before := heap()
		var m0, m1 runtime.MemStats
		runtime.ReadMemStats(&m0)
		b.StartTimer()
		f, rep, err := Load(OS{}, path)
		b.StopTimer()
		if err != nil || rep.Records != 1000000 {
			b.Fatal(rep, err)
		}
		runtime.ReadMemStats(&m1)
		live = heap() - before
		total = float64(m1.TotalAlloc-m0.TotalAlloc) / 1e6
		if live > 24 {
			b.Errorf("a million messages take %.1f MB", live)
		}
		runtime.KeepAlive(f)
		b.StartTimer()
	}
	b.ReportMetric(live, "live-MB")
	b.ReportMetric(total-live, "extra-MB")
}

// BenchmarkAppend is one change in a folder of a million messages.
func BenchmarkAppend(b *testing.B) {
	path := filepath.Join(b.TempDir(), "s")
	f := million(b, path)
	i := 0
	for b.Loop() {
		i++
		f.Put(Record{UID: uint32(i%1000000*3 + 1), Flags: Flags(i%64) | 1<<20, Name: "n"})
		if err := AppendJournal(OS{}, path, f.TakeJournal(), false); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkDropSpread removes messages all over a folder of a million.
func BenchmarkDropSpread(b *testing.B) {
	f := million(b, filepath.Join(b.TempDir(), "s"))
	i := 0
	for b.Loop() {
		i++
		f.Drop(uint32(i*7919%1000000*3 + 1))
		f.TakeJournal()
	}
}

// BenchmarkFindName looks names up in a folder of a million.
func BenchmarkFindName(b *testing.B) {
	f := million(b, filepath.Join(b.TempDir(), "s"))
	before := heap()
	f.FindName("")
	b.ReportMetric(heap()-before, "index-MB")
	i := 0
	for b.Loop() {
		i = (i + 7919) % 1000000
		if k, ok := f.FindName(f.NameAt(i)); !ok || k != i {
			b.Fatal(i, k, ok)
		}
	}
}
