package maildir

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"offloop/maildir/maildirtest"

	"golang.org/x/sys/unix"
)

// scanAll reads a scan to its end, limit names at a time.
func scanAll(t *testing.T, s *Scanner, limit int) map[Entry]int {
	t.Helper()
	got := map[Entry]int{}
	for {
		n := 0
		done, err := s.Next(limit, func(name string, inNew bool) {
			got[Entry{name, inNew}]++
			n++
		})
		if err != nil {
			t.Fatal(err)
		}
		if limit > 0 && n > limit {
			t.Fatalf("%d names for a limit of %d", n, limit)
		}
		if done {
			return got
		}
		if n == 0 {
			t.Fatal("no progress")
		}
	}
}

func TestScan(t *testing.T) {
	fs := newMaildir(1)
	for i := range 1000 {
		put(fs, Entry{fmt.Sprintf("%d:2,S", i), i%3 == 0})
	}
	fs.WriteFile("/m/cur/.hidden", "", true)
	for _, limit := range []int{0, 1, 7, 5000} {
		s := NewScanner(fs, "/m")
		if s.Stable() {
			t.Error("stable before it began")
		}
		got := scanAll(t, s, limit)
		for e, n := range got {
			if n != 1 || e.InNew != (len(e.File) > 0 && put3(e.File)) {
				t.Fatalf("%v given %d times", e, n)
			}
		}
		if len(got) != 1000 || !s.Stable() || s.State() != ScanDone || fs.OpenFiles() != 0 {
			t.Errorf("limit %d: %d names, stable %v, %v", limit, len(got), s.Stable(), s.State())
		}
		newSt, curSt, _ := Stamps(fs, "/m")
		if a, b := s.Before(); a != newSt || b != curSt {
			t.Error("the stamps before differ from those of a quiet folder")
		}
	}
}

func put3(file string) bool {
	var i int
	fmt.Sscanf(file, "%d", &i)
	return i%3 == 0
}

// A mail reader renames messages all through the scan: whenever a scan calls
// itself stable it has every message exactly once. The model must also show that
// this is worth something: some scans do miss and some do double.
func TestRule4_ScanRacesReader(t *testing.T) {
	missed, doubled, stable := 0, 0, 0
	for seed := range uint64(24) {
		fs := newMaildir(seed)
		rng := rand.New(rand.NewPCG(seed, 1))
		const n = 1500
		where := make([]Entry, n)
		for i := range where {
			where[i] = Entry{fmt.Sprintf("%d,U=%d,FMD5=%032d:2,", i, i, 0), i%2 == 0}
			put(fs, where[i])
		}
		fs.Before = func(op, _ string) {
			if op != "readnames" || seed%4 == 0 {
				return
			}
			fs.Outside(func() {
				for range rng.IntN(20) {
					i := rng.IntN(n)
					name := ParseName(where[i].File, ':')
					name.Flags ^= ParseFlags("S") | ParseFlags("F")&Flags(rng.Uint64())
					to := Entry{name.File(':'), rng.IntN(2) == 0 && where[i].InNew}
					fs.Rename(entryPath("/m", where[i]), entryPath("/m", to))
					where[i] = to
				}
			})
		}
		s := NewScanner(fs, "/m")
		seen := map[string]int{}
		for e := range scanAll(t, s, 0) {
			seen[e.unique()]++
		}
		bad := false
		for i := range where {
			switch c := seen[fmt.Sprint(i)]; {
			case c == 0:
				missed, bad = missed+1, true
			case c > 1:
				doubled, bad = doubled+1, true
			}
		}
		if s.Stable() {
			stable++
			if bad {
				t.Fatalf("seed %d: an incomplete scan calls itself stable", seed)
			}
		}
	}
	if missed == 0 || doubled == 0 || stable == 0 {
		t.Errorf("the model shows no race: %d missed, %d doubled, %d stable", missed, doubled, stable)
	}
}

// No error, wherever it happens, lets a scan look complete.
func TestRule4_ScanErrors(t *testing.T) {
	for at := 1; ; at++ {
		fs := newMaildir(1)
		put(fs, Entry{"a:2,", true})
		base := fs.Calls()
		failed := ""
		fs.Fail = func(op, _ string, call int) error {
			if call-base == at && op != "close" {
				failed = op
				return unix.EIO
			}
			return nil
		}
		s := NewScanner(fs, "/m")
		var done bool
		var err error
		for !done && err == nil {
			done, err = s.Next(0, func(string, bool) {})
		}
		if fs.OpenFiles() != 0 {
			t.Fatalf("call %d: files left open", at)
		}
		if failed == "" {
			if done && err == nil && fs.Calls()-base < at {
				break
			}
			continue
		}
		if done || !errors.Is(err, unix.EIO) || s.Stable() || s.State() != ScanFailed {
			t.Errorf("failed %s: done %v, %v, stable %v", failed, done, err, s.Stable())
		}
		if _, err := s.Next(0, func(string, bool) {}); err == nil {
			t.Error("a failed scan goes on")
		}
	}
	fs := newMaildir(1)
	if _, err := NewScanner(fs, "/none").Next(0, nil); !errors.Is(err, unix.ENOENT) {
		t.Errorf("missing folder: %v", err)
	}
	// The directory is replaced between the stamp and the scan.
	fs.Before = func(op, path string) {
		if op == "open" && path == "/m/cur" {
			fs.Outside(func() { fs.Rename("/m/cur", "/m/old"); fs.Mkdir("/m/cur", 0o700) })
		}
	}
	s := NewScanner(fs, "/m")
	if done, err := s.Next(0, func(string, bool) {}); done || !errors.As(err, new(*ChangedError)) {
		t.Errorf("replaced directory: %v, %v", done, err)
	}
}

func TestStampText(t *testing.T) {
	s := Stamp{1, 1<<64 - 1, -5, 1795468912123456789}
	if got, err := ParseStamp(s.String()); got != s || err != nil {
		t.Errorf("%v, %v", got, err)
	}
	for _, bad := range []string{"", "1.2.3", "1.2.3.4.5", " 1.2.3.4", "1.2.3.x", "01.2.3.4", "1.2.3.4\n", "-1.2.3.4"} {
		if got, err := ParseStamp(bad); err == nil {
			t.Errorf("%q parses as %v", bad, got)
		}
	}
}

func FuzzParseStamp(f *testing.F) {
	f.Add("1.2.3.4")
	f.Fuzz(func(t *testing.T, s string) {
		if st, err := ParseStamp(s); err == nil && st.String() != s {
			t.Fatalf("%q became %q", s, st)
		}
	})
}

func TestStampsSeeEveryKindOfChange(t *testing.T) {
	for _, fs := range []FS{newMaildir(1), OS{}} {
		dir := "/m"
		if _, real := fs.(OS); real {
			dir = t.TempDir()
			makeDirs(t, fs, dir)
		}
		for _, c := range []struct {
			what string
			do   func() error
		}{
			{"create", func() error {
				fd, err := fs.Open(dir+"/cur/a", unix.O_CREAT|unix.O_WRONLY, 0o600)
				fs.Close(fd)
				return err
			}},
			{"rename", func() error { return fs.Rename(dir+"/cur/a", dir+"/cur/b") }},
			{"link", func() error { return fs.Link(dir+"/cur/b", dir+"/cur/c") }},
			{"move", func() error { return fs.Rename(dir+"/cur/c", dir+"/new/c") }},
			{"unlink", func() error { return fs.Unlink(dir + "/new/c") }},
		} {
			n1, c1, err := Stamps(fs, dir)
			time.Sleep(15 * time.Millisecond) // more than a tick of any kernel's clock
			if err == nil {
				err = c.do()
			}
			n2, c2, err2 := Stamps(fs, dir)
			if err != nil || err2 != nil || n1 == n2 && c1 == c2 {
				t.Errorf("%T: %s does not show (%v, %v)", fs, c.what, err, err2)
			}
		}
	}
}

func TestTrust(t *testing.T) {
	const sec = int64(time.Second)
	now := 1000 * sec
	local, fat, net := Trust{Margin: 2 * time.Second}, Trust{Margin: 4 * time.Second}, Trust{}
	for _, c := range []struct {
		tr           Trust
		mtime, ctime int64
		want         bool
	}{
		{local, now - 2*sec, now - 2*sec, true}, {local, now - 2*sec + 1, now - 9*sec, false}, {local, now - 9*sec, now - sec, false},
		{local, now + sec, now + sec, false}, {fat, now - 3*sec, now - 3*sec, false}, {fat, now - 4*sec, now - 4*sec, true}, {net, 0, 0, false},
	} {
		if got := c.tr.Counts(Stamp{1, 1, c.mtime, c.ctime}, now); got != c.want {
			t.Errorf("margin %v, mtime %d, ctime %d before now: %v", c.tr.Margin, now-c.mtime, now-c.ctime, got)
		}
	}
	for kind, want := range map[string]time.Duration{"ext4": 2 * time.Second, "vfat": 4 * time.Second, "msdosfs": 4 * time.Second} {
		fs := newMaildir(1)
		fs.Kind = kind
		if tr, err := ProbeTrust(fs, "/m"); tr.Margin != want || tr.Kind != kind || err != nil {
			t.Errorf("%s: %+v, %v", kind, tr, err)
		}
		fs.Network = true
		if tr, _ := ProbeTrust(fs, "/m"); tr.Margin != 0 {
			t.Errorf("%s on a network: %+v", kind, tr)
		}
	}
}

// With a coarse clock two changes share one time stamp: the second is not seen
// by comparing stamps, and exactly that is what Counts must refuse.
func TestRacyStampDoesNotCount(t *testing.T) {
	fs := newMaildir(1)
	fs.Granularity, fs.Step = int64(2*time.Second), 1
	put(fs, Entry{"a:2,", false})
	_, before, _ := Stamps(fs, "/m")
	put(fs, Entry{"b:2,", false})
	if _, after, _ := Stamps(fs, "/m"); after != before {
		t.Fatal("the model's clock is not coarse")
	}
	tr, _ := ProbeTrust(fs, "/m")
	now, err := Clock(fs, "/m")
	if err != nil || tr.Counts(before, now) {
		t.Errorf("a racy stamp counts (%v)", err)
	}
	fs.Now += int64(5 * time.Second)
	_, quiet, _ := Stamps(fs, "/m")
	if now, err = Clock(fs, "/m"); err != nil || !tr.Counts(quiet, now) {
		t.Errorf("an old stamp does not count (%v)", err)
	}
	if _, after, _ := Stamps(fs, "/m"); after != quiet || len(fs.Files("/m/tmp")) != 0 {
		t.Error("Clock changed the folder")
	}
}

func FuzzScanLimit(f *testing.F) {
	f.Add(uint64(1), 5)
	f.Fuzz(func(t *testing.T, seed uint64, limit int) {
		fs := maildirtest.New(seed)
		makeDirs(t, fs, "/m")
		n := int(seed % 300)
		for i := range n {
			put(fs, Entry{fmt.Sprint(i), i%2 == 0})
		}
		if got := scanAll(t, NewScanner(fs, "/m"), limit); len(got) != n {
			t.Fatalf("%d of %d", len(got), n)
		}
	})
}
