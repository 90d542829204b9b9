package main

import (
	"runtime"
	"testing"

	"offloop/cmd/offloop/internal/mailsync"
)

// instant is a disk whose calls take no time.
type instant struct{ mailsync.FS }

func (instant) Open(string, int, uint32) (int, error)                             { return 3, nil }
func (instant) Read(int, []byte) (int, error)                                     { return 0, nil }
func (instant) Write(_ int, b []byte) (int, error)                                { return len(b), nil }
func (instant) ReadNames(int, []byte, func(string)) (int, error)                  { return 0, nil }
func (instant) Rename(string, string) error                                       { return nil }
func (instant) RenameNoReplace(string, string) error                              { return nil }
func (instant) Unlink(string) error                                               { return nil }
func (instant) Stat(string) (m uint32, s int64, d, i uint64, _, _ int64, _ error) { return }

// TestPolite: whoever shares the processor with a goroutine that is at the disk has it between
// any two calls.
func TestPolite(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	fs := polite{instant{}}
	const calls = 1000
	for name, call := range map[string]func(){
		"Open":            func() { fs.Open("x", 0, 0) },
		"Read":            func() { fs.Read(3, nil) },
		"Write":           func() { fs.Write(3, nil) },
		"ReadNames":       func() { fs.ReadNames(3, nil, nil) },
		"Rename":          func() { fs.Rename("x", "y") },
		"RenameNoReplace": func() { fs.RenameNoReplace("x", "y") },
		"Unlink":          func() { fs.Unlink("x") },
		"Stat":            func() { fs.Stat("x") },
	} {
		done := make(chan bool)
		go func() {
			for range calls {
				call()
			}
			close(done)
		}()
		turns := 0
		for working := true; working; turns++ {
			select {
			case <-done:
				working = false
			default:
				runtime.Gosched()
			}
		}
		if turns < calls/2 {
			t.Errorf("%s: of %d calls, others ran between %d", name, calls, turns)
		}
	}
}
