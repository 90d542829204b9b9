package main

import (
	"runtime"
	"runtime/debug"
	"testing"
	"time"
)

// TestTune: one processor and a small heap, smaller yet after the first collection, unless
// the environment says otherwise.
func TestTune(t *testing.T) {
	was, gc := runtime.GOMAXPROCS(2), debug.SetGCPercent(100)
	defer func() {
		runtime.GOMAXPROCS(was)
		debug.SetGCPercent(gc)
	}()
	t.Setenv("GOMAXPROCS", "2")
	t.Setenv("GOGC", "100")
	tune()
	if n := runtime.GOMAXPROCS(0); n != 2 {
		t.Errorf("GOMAXPROCS=2 in the environment: %d processors", n)
	}
	if p := debug.SetGCPercent(100); p != 100 {
		t.Errorf("GOGC=100 in the environment: %d", p)
	}
	t.Setenv("GOMAXPROCS", "")
	t.Setenv("GOGC", "")
	tune()
	if n := runtime.GOMAXPROCS(0); n != 1 {
		t.Errorf("%d processors", n)
	}
	if p := debug.SetGCPercent(50); p != 50 {
		t.Errorf("garbage is first collected at %d %%", p)
	}
	for end := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		runtime.GC()
		p := debug.SetGCPercent(50)
		if p == 25 {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("garbage is collected at %d %% more after the first time", p)
		}
	}
}
