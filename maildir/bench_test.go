package maildir

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// BenchmarkScan100k reads a folder of 100,000 messages and reports the longest
// single slice, which is what holds up the loop.
func BenchmarkScan100k(b *testing.B) {
	const n = 100_000
	dir := b.TempDir()
	if err := Create(OS{}, dir); err != nil {
		b.Fatal(err)
	}
	for i := range n {
		name := FileName(BaseWithUID(fmt.Sprintf("1795468912_%d.7758.vm", i), uint32(i+1), inboxMD5), ParseFlags("S"), ':')
		f, err := os.Create(dir + "/cur/" + name)
		if err != nil {
			b.Fatal(err)
		}
		f.Close()
	}
	b.ReportAllocs()
	var worst time.Duration
	for b.Loop() {
		s, got := NewScanner(OS{}, dir), 0
		for done := false; !done; {
			start := time.Now()
			var err error
			if done, err = s.Next(0, func(name string, inNew bool) {
				if ParseName(name, ':').HasUID {
					got++
				}
			}); err != nil {
				b.Fatal(err)
			}
			worst = max(worst, time.Since(start))
		}
		if got != n {
			b.Fatalf("%d of %d", got, n)
		}
	}
	b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "names/s")
	b.ReportMetric(float64(worst.Microseconds()), "worst-slice-µs")
}

// BenchmarkGroupCommit1000 delivers 1,000 messages of 4 KiB as one group.
func BenchmarkGroupCommit1000(b *testing.B) {
	body := []byte(strings.Repeat(strings.Repeat("x", 63)+"\n", 64))
	for _, mode := range []SyncMode{SyncFull, SyncNone} {
		b.Run("sync="+mode.String(), func(b *testing.B) {
			const n = 1000
			for b.Loop() {
				dir := b.TempDir()
				if err := Create(OS{}, dir); err != nil {
					b.Fatal(err)
				}
				l := &Lot{Dir: dir}
				for i := range n {
					tmp, err := NewTmp(OS{}, dir, fmt.Sprint(i))
					if err == nil {
						err = tmp.Write(body)
					}
					if err != nil {
						b.Fatal(err)
					}
					l.Add(&Place{Tmp: tmp, File: fmt.Sprint(i, ":2,")})
				}
				g := &Group{Sync: mode, Lots: []*Lot{l}}
				g.Flush(OS{}, nil)
				g.Name(OS{})
				g.Settle(OS{})
				if ps := l.Places; ps[0].Err != nil || ps[n-1].Err != nil {
					b.Fatal(ps[0].Err, ps[n-1].Err)
				}
			}
			b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "messages/s")
		})
	}
}

func BenchmarkParseName(b *testing.B) {
	name := FileName(BaseWithUID("1795468912_1.7758.vm", 12345, inboxMD5), ParseFlags("FSa"), ':')
	b.ReportAllocs()
	for b.Loop() {
		if n := ParseName(name, ':'); n.UID != 12345 {
			b.Fatal(n)
		}
	}
}

func BenchmarkLFWriter(b *testing.B) {
	wire := []byte(strings.Repeat(strings.Repeat("x", 76)+"\r\n", 400))
	dst := make([]byte, 0, len(wire))
	b.SetBytes(int64(len(wire)))
	b.ReportAllocs()
	for b.Loop() {
		var w LFWriter
		dst = w.Write(dst[:0], wire)
	}
}
