package statefile

import (
	"errors"
	"fmt"
	"testing"

	"golang.org/x/sys/unix"

	"offloop/maildir/maildirtest"
)

// A flush fails, and what the system then takes for written never reaches the
// disk, whatever later flushes say. The program appends the same lines again, or
// ends and another one goes on; then the power fails. Nothing that was promised
// after the failure may be lost.
func TestRule2_FailedFlush(t *testing.T) {
	flushes := 0
	for at := 1; ; at++ {
		reached := false
		for seed := range uint64(12) {
			fs := maildirtest.New(seed)
			what := fmt.Sprintf("call %d, seed %d", at, seed)
			fs.WriteFile("/s/other", "", true)
			path := "/s/state"
			f, n, step := NewFolder("INBOX", "abc"), 0, 0
			fs.Fail = func(op, _ string, _ int) error {
				if n++; n == at && op == "fsync" {
					reached = true
					return unix.EIO
				}
				return nil
			}
			for ; step < 9; step++ {
				f.Put(Record{UID: uint32(step + 1), Name: fmt.Sprintf("abcdefghijklmnopqrstuvwxyz%d", step)})
				lines := f.TakeJournal()
				err := AppendJournal(fs, path, lines, true)
				if err != nil && seed%2 == 0 {
					err = AppendJournal(fs, path, lines, true)
				} else if err != nil {
					f, err = goOn(fs, path)
					f.Put(Record{UID: uint32(step + 1), Name: fmt.Sprintf("abcdefghijklmnopqrstuvwxyz%d", step)})
					err = errors.Join(err, AppendJournal(fs, path, f.TakeJournal(), true))
				}
				if err != nil {
					t.Fatalf("%s: %v", what, err)
				}
				if step == 4 {
					_ = WriteSnapshot(fs, path, f.Snapshot()) // the old file stays good
				}
			}
			fs.Fail = nil
			want := dumpOf(f)
			fs.PowerCut()
			g, err := goOn(fs, path)
			if err != nil {
				t.Fatalf("%s: %v", what, err)
			}
			if dumpOf(g) != want {
				t.Fatalf("%s: after the power cut\n%s\nwant\n%s", what, dumpOf(g), want)
			}
			if n < at {
				if flushes < 10 {
					t.Fatalf("only %d flushes failed", flushes)
				}
				return
			}
		}
		if reached {
			flushes++
		}
	}
}

// goOn is what a new process does: it loads the state and cuts a torn end off.
func goOn(fs FS, path string) (*Folder, error) {
	f, rep, err := Load(fs, path)
	if err == nil && rep.Torn {
		err = Truncate(fs, path, rep.GoodLen)
	}
	if err == nil && f.Name() == "" {
		f.SetName("INBOX", "abc")
	}
	return f, err
}

// The cut of a torn end is durable when Truncate returns, also if its flush
// failed.
func TestRule2_FailedFlushOfACut(t *testing.T) {
	for seed := range uint64(20) {
		fs := maildirtest.New(seed)
		fs.WriteFile("/s/other", "", true)
		f := NewFolder("INBOX", "abc")
		if err := AppendJournal(fs, "/s/state", f.TakeJournal(), true); err != nil {
			t.Fatal(err)
		}
		good, _ := fs.ReadFile("/s/state")
		fs.WriteFile("/s/state", good+"torn", true)
		failed := false
		fs.Fail = func(op, _ string, _ int) error {
			if op == "fsync" && !failed {
				failed = true
				return unix.EIO
			}
			return nil
		}
		if err := Truncate(fs, "/s/state", int64(len(good))); err != nil {
			t.Fatal(err)
		}
		f.Put(Record{UID: 1, Name: "x"})
		if err := AppendJournal(fs, "/s/state", f.TakeJournal(), true); err != nil {
			t.Fatal(err)
		}
		fs.PowerCut()
		g, _, err := Load(fs, "/s/state")
		if err != nil || dumpOf(g) != dumpOf(f) {
			t.Fatalf("seed %d: %v\n%s", seed, err, dumpOf(g))
		}
	}
}
