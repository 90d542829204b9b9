package mailsync

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// slowly is Disk with a disk that takes its time.
func (p *proc) slowly(work, done func()) {
	w := p.w
	next := func() {
		w.fs.Now = max(w.fs.Now, p.loop.Now().UnixNano())
		w.atDoor, w.taken = true, 0
		work()
		w.atDoor = false
		p.loop.CallLater(w.taken, func() {
			if p.gone() {
				return
			}
			done() // what it hands in waits for its elders
			if p.jobs = p.jobs[1:]; len(p.jobs) > 0 {
				p.jobs[0]()
			}
		})
	}
	if p.jobs = append(p.jobs, next); len(p.jobs) == 1 {
		next()
	}
}

// TestSlowDisk: where to open, rename, unlink and flush takes half a second each, as on
// an SD card, everything is done all the same, no connection is given up for it, and
// the loop goes on turning: it answers keys all the time (any call of the file system
// on the loop fails a test of this package, see world.call).
func TestSlowDisk(t *testing.T) {
	for _, v := range servers[:2] {
		t.Run(v.name, func(t *testing.T) {
			w := newWorld(t, v.caps, 5)
			w.slow = 500 * time.Millisecond
			for i := range 250 {
				w.remoteAdd("INBOX", fmt.Sprintf("m%03d", i), `\Seen`)
			}
			for i := range 20 {
				w.remoteAdd("Work", fmt.Sprint("big", i))
			}
			keys := 0
			run := func() {
				t.Helper()
				began := w.now
				p := w.start()
				keys = 0
				var key func()
				key = func() { keys++; p.loop.CallLater(100*time.Millisecond, key) }
				p.loop.CallLater(0, key)
				p.round()
				for _, e := range p.a.result.Errors {
					t.Errorf("error: %v", e)
				}
				if d := w.now.Sub(began); keys < int(d/(100*time.Millisecond)) {
					t.Errorf("%d keys were answered in %v", keys, d)
				}
				w.wait(time.Minute)
			}
			run()
			if keys < 1000 {
				t.Errorf("the disk was not slow: %d keys", keys)
			}
			for i := range 100 {
				w.localFlags("INBOX", fmt.Sprintf("m%03d", i), "FS")
				w.localAdd("Work", fmt.Sprintf("own%03d", i), "S")
			}
			for i := 100; i < 150; i++ {
				w.remoteFlags("INBOX", fmt.Sprintf("m%03d", i), `\Answered`)
				w.localDel("INBOX", fmt.Sprintf("m%03d", i+50))
				w.remoteDel("INBOX", fmt.Sprintf("m%03d", i+100))
			}
			w.set.AllowDeletes = []string{"*"}
			run()
			run()
			w.slow = 0
			w.idle()
			if s := w.state(); strings.Contains(s, "|") || strings.Count(s, "m") != 150 {
				t.Errorf("both sides are\n%s", s)
			}
			w.noComplaints()
		})
	}
}
