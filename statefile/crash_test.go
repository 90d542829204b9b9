package statefile

import (
	"errors"
	"fmt"
	"math/rand"
	"testing"

	"golang.org/x/sys/unix"
)

// workload makes the same changes each time, with a compaction in the middle of them: once in one
// piece, once in pieces with changes between. It notes the state after every single change, and
// how far it is durable, or at least safe from the death of the process.
type workload struct {
	fs      *memFS
	f       *Folder
	sync    bool
	states  []string
	written int // states[:written+1] were given to AppendJournal with success
	flushed int // of these, those that also survive a power cut
}

func (w *workload) note() { w.states = append(w.states, dumpOf(w.f)) }

func (w *workload) append() error {
	err := AppendJournal(w.fs, testPath, w.f.TakeJournal(), w.sync)
	if err == nil {
		w.written = len(w.states) - 1
		if w.sync {
			w.flushed = w.written
		}
	}
	return err
}

func (w *workload) change(i int) {
	f := w.f
	f.Put(Record{UID: uint32(100 - i), Flags: FlagS, Name: fmt.Sprintf("n%d", i)})
	w.note()
	switch i % 5 {
	case 0:
		f.SetToken("uidnext", fmt.Sprint(i))
	case 1:
		f.AddIntent(Intent{ID: fmt.Sprint(i), Base: "b", Size: int64(i)})
	case 2:
		f.EndIntent(fmt.Sprint(i - 1))
	case 3:
		f.Drop(uint32(100 - i + 2))
	case 4:
		f.SetQuarantine(Quarantined{Side: "local", Key: fmt.Sprint(i), Reason: "r"})
	}
	w.note()
}

// run goes on from step i until the end or the crash; the folder is in memory already.
func (w *workload) run(i int) error {
	for ; i < 14; i++ {
		w.change(i)
		if i != 7 {
			w.change(i + 50)
		}
		if err := w.append(); err != nil {
			return err
		}
		if i == 4 {
			if err := WriteSnapshot(w.fs, testPath, w.f.Snapshot()); err != nil {
				return err
			}
			w.flushed = w.written
		}
		if i == 9 {
			if err := w.compactInPieces(); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *workload) compactInPieces() error {
	s := w.f.StartSnapshot()
	file, err := CreateSnapshot(w.fs, testPath)
	for n, more := 0, true; err == nil && more; n++ {
		var b []byte
		if b, more = s.Next(100); n%3 == 0 && more {
			w.change(20 + n%15)
			if err = w.append(); err != nil {
				break
			}
		}
		err = file.Write(b)
	}
	if err == nil {
		err = file.Commit()
	}
	if err == nil {
		w.flushed = w.written
	}
	return err
}

// recover loads what is there after a crash and says which state it is.
func (w *workload) recover(t *testing.T, what string, from int) int {
	t.Helper()
	f, rep, err := Load(w.fs, testPath)
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	if rep.Torn {
		if err := Truncate(w.fs, testPath, rep.GoodLen); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	got := dumpOf(f)
	for i := len(w.states) - 1; i >= from; i-- {
		if w.states[i] == got {
			w.f = f
			return i
		}
	}
	t.Fatalf("%s: the state is none of those from %d on:\n%s\nexpected at least\n%s", what, from, got, w.states[from])
	return 0
}

func newWorkload(seed int64, sync bool) *workload {
	w := &workload{fs: newMemFS(), f: emptyFolder(), sync: sync}
	w.fs.rng = rand.New(rand.NewSource(seed))
	w.note()
	w.f.SetName("INBOX", "abc")
	w.note()
	return w
}

// Stop at every file system call; the process dies or the power fails; also a second time while
// recovering. The state is one the folder was in, and not older than what was promised.
func TestCrashAtEveryCall(t *testing.T) {
	for _, sync := range []bool{true, false} {
		for _, power := range []bool{false, true} {
			seeds := int64(1)
			if power {
				seeds = 4
			}
			for die := 1; ; die++ {
				done := false
				for seed := range seeds {
					w := newWorkload(seed, sync)
					w.fs.dieAt = die
					what := fmt.Sprintf("sync %v, power cut %v, seed %d, call %d", sync, power, seed, die)
					err := w.run(0)
					if done = err == nil; done {
						break
					}
					if !errors.Is(err, errCrash) {
						t.Fatalf("%s: %v", what, err)
					}
					crashTwice(t, w, what, power)
				}
				if done {
					if die < 50 {
						t.Fatalf("only %d calls", die)
					}
					break
				}
			}
		}
	}
}

func crashTwice(t *testing.T, w *workload, what string, power bool) {
	from := w.written
	down := w.fs.restart
	if power {
		from, down = w.flushed, w.fs.powerCut
	}
	down()
	w.fs.dieAt = w.fs.calls + 1 + w.fs.rng.Intn(8)
	if f, rep, err := Load(w.fs, testPath); err == nil && rep.Torn {
		_ = f
		_ = Truncate(w.fs, testPath, rep.GoodLen)
	}
	down()
	w.recover(t, what, from)
	w.states, w.written, w.flushed = []string{dumpOf(w.f)}, 0, 0
	if err := w.run(0); err != nil {
		t.Fatalf("%s: after recovery: %v", what, err)
	}
	w.fs.restart()
	if k := w.recover(t, what, len(w.states)-1); w.states[k] != w.states[len(w.states)-1] {
		t.Fatalf("%s: the end is not reached", what)
	}
}

// Each call fails once, as on a full or failing disk; the caller appends the same lines again, or
// leaves the compaction for later. Nothing is lost.
func TestFailureOfEveryCall(t *testing.T) {
	for _, errno := range []error{unix.ENOSPC, unix.EIO} {
		for at := 1; ; at++ {
			fs := newMemFS()
			fs.failAt, fs.failErr, fs.short = at, errno, 7
			f := NewFolder("INBOX", "abc")
			failed := 0
			for i := range 6 {
				f.Put(Record{UID: uint32(i + 1), Name: "abcdefghijklmnopqrstuvwxyz"})
				b := f.TakeJournal()
				for try := 0; ; try++ {
					err := AppendJournal(fs, testPath, b, true)
					if err == nil {
						break
					}
					if failed++; !errors.Is(err, errno) || try > 0 {
						t.Fatalf("call %d: %v", at, err)
					}
				}
				if i == 3 {
					if err := WriteSnapshot(fs, testPath, f.Snapshot()); err != nil {
						failed++
					}
				}
			}
			total := fs.calls
			fs.failAt = 0
			g, rep := reload(t, fs, testPath)
			if rep.Torn || dumpOf(g) != dumpOf(f) {
				t.Fatalf("call %d: %+v\n%s", at, rep, dumpOf(g))
			}
			if fs.entries[testPath+newSuffix] != nil && failed == 0 {
				t.Fatalf("call %d: the temporary file stays", at)
			}
			if at > total {
				break
			}
		}
	}
}
