package mailsync

import (
	"time"

	"offloop/maildir"
)

// Bounds of the way to disk.
const (
	writeMessages = 64        // so many messages are written to tmp in one job
	writeBytes    = 256 << 10 // or so many bytes
	batchMessages = 1000      // a batch is made durable at the latest when it has so many messages, see Env.Batch
	batchBytes    = 16 << 20  // or so many bytes
	batchWait     = 250 * time.Millisecond
	recordAtOnce  = 200 // messages put on record in one turn
)

// delivery takes an account's new messages to disk, those of all its folders
// together, so that a thousand of them wait for the disk as often as one:
//
//	arrived ─> in tmp ─> batch full, or nothing more to come:
//	                     contents flushed ─> named ─> names flushed ─> on record
//
// The flush of a batch's contents is also the one of the names of the batch before
// it. Nothing is put on record, and no folder's download ends, before that.
type delivery struct {
	a       *Account
	most    int         // messages of a batch
	fresh   []*incoming // arrived, in memory
	weight  int         // bytes of fresh
	open    *batch      // in tmp, or in jobs that put it there
	named   *batch      // has its names, which are not durable
	busy    bool        // a batch is being flushed
	done    []*batch    // durable, being put on record
	senders int         // downloads that more messages may come of
	timer   func()
}

// batch is messages that are made durable together.
type batch struct {
	lots  []*lot
	n     int
	bytes int64
	at    int // lots on record
}

// lot is the messages of a batch that belong to one folder.
type lot struct {
	d  *download
	in []*incoming
	at int // messages on record
	m  maildir.Lot
}

func (g *batch) add(in *incoming) {
	if k := len(g.lots); k == 0 || g.lots[k-1].d != in.d {
		g.lots = append(g.lots, &lot{d: in.d, m: maildir.Lot{Dir: in.d.f.dir}})
	}
	l := g.lots[len(g.lots)-1]
	l.in = append(l.in, in)
	l.m.Add(&in.place)
	g.n++
	g.bytes += in.size
}

// disk gives the batch as the Maildir package takes it.
func (g *batch) disk(mode maildir.SyncMode) *maildir.Group {
	if g == nil {
		return nil
	}
	m := &maildir.Group{Sync: mode}
	for _, l := range g.lots {
		m.Lots = append(m.Lots, &l.m)
	}
	return m
}

// delivery is made when it is first asked for.
func (a *Account) delivery() *delivery {
	if a.toDisk == nil {
		a.toDisk = &delivery{a: a, open: &batch{}, most: batchMessages}
		if n := a.env.Batch; n > 0 {
			a.toDisk.most = min(n, batchMessages)
		}
	}
	return a.toDisk
}

// idle tells whether every message that came is on record, or was given up.
func (v *delivery) idle() bool {
	return v == nil || len(v.fresh)+v.open.n+len(v.done) == 0 && v.named == nil && !v.busy
}

// add takes a message whose content is complete. Nothing may lie in memory for good:
// the socket may be paused until it is on disk.
func (v *delivery) add(in *incoming) {
	in.prepare()
	v.fresh = append(v.fresh, in)
	v.weight += len(in.buf)
	v.relieve()
	switch {
	case v.busy:
	case v.full():
		v.commit()
	default:
		v.soon()
	}
}

// relieve writes what is in memory once it is worth a job, or is in the way.
func (v *delivery) relieve() {
	if len(v.fresh) >= writeMessages || v.weight >= writeBytes || v.a.paused {
		v.write()
	}
}

func (v *delivery) full() bool { return v.open.n >= v.most || v.open.bytes >= batchBytes }

// due begins what can be done now: after the last message there is nothing to wait
// for.
func (v *delivery) due() {
	v.relieve()
	waiting := len(v.fresh)+v.open.n > 0
	last := v.senders == 0 || v.a.ending
	switch {
	case v.busy || !waiting && v.named == nil:
	case waiting && (last || v.full()):
		v.commit()
	case last:
		v.settle()
	default:
		v.soon()
	}
}

// soon sees to it that messages do not wait long for others.
func (v *delivery) soon() {
	if v.timer != nil {
		return
	}
	v.timer = v.a.env.Loop.After(batchWait, func() {
		v.timer = nil
		switch {
		case v.busy: // its end looks again
		case len(v.fresh)+v.open.n > 0:
			v.commit()
		case v.named != nil:
			v.settle()
		}
	})
}

// write puts what is in memory into tmp, as far as the open batch has room: each of
// its messages holds a file open.
func (v *delivery) write() {
	n := min(len(v.fresh), v.most-v.open.n)
	if n <= 0 {
		return
	}
	part := v.fresh[:n:n]
	v.fresh = v.fresh[n:]
	held := 0
	for _, in := range part {
		held += in.held
		v.weight -= len(in.buf)
		v.open.add(in)
	}
	if len(v.fresh) == 0 {
		v.fresh = nil
	}
	fs := v.a.env.FS
	v.a.env.Loop.Disk(func() {
		for _, in := range part {
			in.store(fs)
		}
	}, func() {
		for _, in := range part {
			v.a.buffers.put(in.buf)
			in.buf = nil
		}
		v.a.carry(-held)
		v.a.overspent()
	})
}

// words are a folder's keywords, which must be safe before files have their letters.
type words struct {
	l *lot
	b []byte
}

// commit makes the open batch durable and gives its messages their names. Of the
// batch before, it makes the names durable. A failed flush is never tried again:
// the files are dropped and the messages fetched again by the next run.
func (v *delivery) commit() {
	if v.timer != nil {
		v.timer()
		v.timer = nil
	}
	v.write()
	g, before := v.open, v.named
	v.open, v.named, v.busy = &batch{}, nil, true
	mode := maildir.SyncFull
	if !v.a.set.FSync {
		mode = maildir.SyncNone
	}
	// Where nothing comes that it could wait for, the group is settled at once.
	settle := mode == maildir.SyncNone || len(v.fresh) == 0 && (v.senders == 0 || v.a.ending)
	var learnt []words
	for _, l := range g.lots {
		if b := l.d.f.flags.takeDirty(); b != nil {
			learnt = append(learnt, words{l, b})
		}
	}
	fs, to, names := v.a.env.FS, g.disk(mode), before.disk(mode)
	v.a.env.Loop.Disk(func() {
		for _, w := range learnt {
			w.save(fs, g, mode == maildir.SyncFull)
		}
		to.Flush(fs, names)
		to.Name(fs)
		if settle {
			to.Settle(fs)
		}
	}, func() {
		v.busy = false
		if before != nil {
			v.record(before)
		}
		if settle {
			v.record(g)
		} else {
			v.named = g
		}
		v.due()
	})
}

// save writes a folder's keywords. If that fails none of its messages is delivered.
func (w words) save(fs FS, g *batch, sync bool) {
	err := writeSmall(fs, w.l.m.Dir, keywordsFile, w.b, sync)
	if err == nil {
		return
	}
	for _, l := range g.lots {
		for _, in := range l.in {
			if l.d == w.l.d && in.place.Err == nil {
				in.place.Err = err
			}
		}
	}
}

// settle makes the names of the last batch durable.
func (v *delivery) settle() {
	g := v.named
	v.named, v.busy = nil, true
	fs, names := v.a.env.FS, g.disk(maildir.SyncFull)
	v.a.env.Loop.Disk(func() { names.Settle(fs) }, func() {
		v.busy = false
		v.record(g)
		v.due()
	})
}

// record puts a durable batch on record, some messages a turn.
func (v *delivery) record(g *batch) {
	if v.done = append(v.done, g); len(v.done) == 1 {
		v.recordSome()
	}
}

func (v *delivery) recordSome() {
	for n := recordAtOnce; n > 0; {
		g := v.done[0]
		if g.at == len(g.lots) {
			v.done[0] = nil
			if v.done = v.done[1:]; len(v.done) == 0 {
				v.done = nil
				v.a.maybeEnd() // it may have waited for this
				return
			}
			continue
		}
		l := g.lots[g.at]
		if l.at == len(l.in) {
			g.at++
			l.d.recorded(l.in)
			continue
		}
		l.d.delivered(l.in[l.at])
		l.at++
		n--
	}
	v.a.env.Loop.NextTurn(v.recordSome)
}
