package maildir

import (
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestUnseen: a scan leaves the directories' access times alone.
func TestUnseen(t *testing.T) {
	dir := t.TempDir()
	if err := Create(OS{}, dir); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dir+"/cur/1.a.b:2,S", []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	touched := func(fs FS) bool {
		old := time.Now().Add(-100 * time.Hour) // any mount but a noatime one would set it anew
		for _, sub := range []string{"new", "cur"} {
			if err := os.Chtimes(dir+"/"+sub, old, time.Now()); err != nil {
				t.Fatal(err)
			}
		}
		n := 0
		for s := NewScanner(fs, dir); s.State() != ScanDone; {
			if _, err := s.Next(0, func(string, bool) { n++ }); err != nil {
				t.Fatal(err)
			}
		}
		if n != 1 {
			t.Errorf("%d messages", n)
		}
		is := false
		for _, sub := range []string{"new", "cur"} {
			var st unix.Stat_t
			if err := unix.Stat(dir+"/"+sub, &st); err != nil {
				t.Fatal(err)
			}
			is = is || time.Unix(st.Atim.Unix()).Sub(old).Abs() > time.Second
		}
		return is
	}
	if touched(Unseen{}) {
		t.Error("reading changed an access time")
	}
	if !touched(OS{}) {
		t.Skip("this file system keeps no access times: nothing was shown")
	}
}
