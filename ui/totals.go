package ui

import "time"

// totals counts what was done.
type totals struct {
	down, up, downBytes, upBytes, flags, deleted int64
}

// tally follows the copies of a folder in one direction: what was begun, and
// what is known to be done.
type tally struct{ begun, begunBytes, done, doneBytes int64 }

func (t *tally) begin(n int64) { t.begun, t.begunBytes = t.begun+1, t.begunBytes+n }

// reach raises what is done to n messages of size bytes in all, and returns
// by how much.
func (t *tally) reach(n, size int64) (dn, dsize int64) {
	dn, dsize = max(n-t.done, 0), max(size-t.doneBytes, 0)
	t.done, t.doneBytes = t.done+dn, t.doneBytes+dsize
	return dn, dsize
}

// count adds what e did to the totals. A copy counts when it is reported done:
// by its own event, by the folder's progress, or at the latest by the folder's
// end without an error.
func (m *Model) count(a *account, e Event) {
	var t totals
	f := a.byName[e.Folder]
	if f == nil {
		f = &work{}
	}
	switch e.Kind {
	case "copy":
		f.down.begin(e.Bytes)
	case "upload":
		f.up.begin(e.Bytes)
	case "copied":
		t.down, t.downBytes = f.down.reach(f.down.done+1, f.down.doneBytes+e.Bytes)
	case "uploaded":
		t.up, t.upBytes = f.up.reach(f.up.done+1, f.up.doneBytes+e.Bytes)
	case "progress":
		if f.up.begun > 0 && f.down.begun == 0 {
			t.up, t.upBytes = f.up.reach(e.N, e.Bytes)
		} else {
			t.down, t.downBytes = f.down.reach(e.N, e.Bytes)
		}
	case "folder-done":
		if !f.failed {
			t.down, t.downBytes = f.down.reach(f.down.begun, f.down.begunBytes)
			t.up, t.upBytes = f.up.reach(f.up.begun, f.up.begunBytes)
		}
	case "flags", "unflags":
		t.flags = e.N
	case "delete-local", "delete-remote":
		t.deleted = e.N
	}
	if t == (totals{}) {
		return
	}
	if day := time.Unix(0, e.At).In(m.opt.Location).YearDay(); day != m.day {
		m.day, m.today = day, totals{}
	}
	a.round.add(t)
	m.today.add(t)
	if t.downBytes+t.upBytes > 0 {
		m.spark.add(e.At/int64(time.Second), t.downBytes+t.upBytes)
	}
}

func (t *totals) add(o totals) {
	t.down += o.down
	t.up += o.up
	t.downBytes += o.downBytes
	t.upBytes += o.upBytes
	t.flags += o.flags
	t.deleted += o.deleted
}

// sparkline holds the bytes of each of the last seconds.
type sparkline struct {
	sec  int64 // the newest second
	vals [64]int64
}

func (s *sparkline) add(sec, n int64) {
	s.move(sec)
	if i := s.sec - sec; i >= 0 && i < int64(len(s.vals)) {
		s.vals[sec%int64(len(s.vals))] += n
	}
}

// move forgets what has become too old at second sec.
func (s *sparkline) move(sec int64) {
	if sec <= s.sec {
		return
	}
	if sec-s.sec >= int64(len(s.vals)) {
		s.vals = [64]int64{}
	}
	for t := max(s.sec+1, sec-int64(len(s.vals))+1); t <= sec; t++ {
		s.vals[t%int64(len(s.vals))] = 0
	}
	s.sec = sec
}
