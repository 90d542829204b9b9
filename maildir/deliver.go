package maildir

import (
	"errors"
	"time"

	"golang.org/x/sys/unix"
)

// SyncMode says whether changes are flushed.
type SyncMode uint8

// The modes of flushing.
const (
	SyncFull SyncMode = iota // durable against a power cut when the call returns
	SyncNone                 // safe against the end of the process only
)

// String names the mode.
func (m SyncMode) String() string {
	if m == SyncNone {
		return "none"
	}
	return "full"
}

// Group is messages on their way into one or more folders that are made durable
// together:
//
//	NewTmp ──▶ Tmp.Write … ──▶ Flush ──▶ Name ──▶ Settle ─┬▶ in new or cur, durable
//	             └──▶ Tmp.Discard                          └▶ Place.Err: not delivered
//
// Flush makes the contents durable, Name gives the files their names, and Settle
// makes the names durable. The Flush of the next group does what Settle of this
// one would, so that a long row of groups waits for the disk once each. Only of
// messages whose Place.Err is nil after Settle may anything be recorded. Every open
// Tmp holds a file descriptor until Flush.
type Group struct {
	Sync SyncMode
	Lots []*Lot
}

// Lot is the messages of a group that go to one folder.
type Lot struct {
	Dir    string // the folder's directory
	Places []*Place

	fsKnown bool
	dev     uint64  // the file system it lies on
	touched [2]bool // cur, new: have names that are not durable
	linked  []string
}

// Add appends a place.
func (l *Lot) Add(p *Place) { l.Places = append(l.Places, p) }

// Tmp is a message being written in tmp, where nobody looks at it.
type Tmp struct {
	fs   FS
	path string
	fd   int // -1 when closed
	size int64
	err  error
}

// NewTmp creates dir/tmp/unique with mode 0600. If that name is taken (another
// process, or the leavings of one) the error is an *ExistsError: take the next
// name.
func NewTmp(fs FS, dir, unique string) (*Tmp, error) {
	path := join(dir, "tmp", unique)
	fd, err := fs.Open(path, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW, 0o600)
	if errors.Is(err, unix.EEXIST) {
		return nil, &ExistsError{Path: path}
	}
	if err != nil {
		return nil, fail("create", path, err)
	}
	return &Tmp{fs: fs, path: path, fd: fd}, nil
}

// Write appends bytes as they are (line ends already LF, see [LFWriter]). After
// an error the message can only be discarded; a Commit would refuse it.
func (t *Tmp) Write(p []byte) error {
	for len(p) > 0 && t.err == nil {
		n, err := t.fs.Write(t.fd, p)
		t.size += int64(n)
		p = p[n:]
		switch {
		case err != nil:
			t.err = fail("write", t.path, err)
		case n == 0:
			t.err = fail("write", t.path, unix.EIO)
		}
	}
	return t.err
}

// Size is the number of bytes written so far.
func (t *Tmp) Size() int64 { return t.size }

// Discard closes and removes the file. It does nothing after a Commit or an
// earlier Discard.
func (t *Tmp) Discard() {
	if t.fd < 0 {
		return
	}
	t.close()
	t.fs.Unlink(t.path)
}

// close tells of write errors that some network file systems report only now.
func (t *Tmp) close() error {
	err := t.fs.Close(t.fd)
	t.fd = -1
	if err != nil {
		return fail("close", t.path, err)
	}
	return nil
}

// Place says where a message written to tmp shall go, and what became of it.
type Place struct {
	Tmp   *Tmp
	ToNew bool      // into new, else cur
	File  string    // the file name to take
	Mtime time.Time // the file's modification time; zero = leave
	Err   error     // why this message was not delivered
}

// smallGroup is up to how many files and directories are flushed one by one:
// syncfs also waits for the data of every other program.
const smallGroup = 4

// Flush makes the contents of the group durable, and the names of the group before
// it (nil = none). What cannot be flushed gets its Place.Err and is removed; of the
// group before, nothing may be recorded then: the messages are visible but may be
// gone after a power cut, and the next scan will find what is left. A failed flush is
// never tried again. All Tmp are closed afterwards.
func (g *Group) Flush(fs FS, before *Group) {
	for _, l := range g.Lots {
		for _, p := range l.Places {
			if p.Err == nil {
				p.Err = prepare(fs, p)
			}
		}
	}
	if g.Sync == SyncFull {
		g.flushAll(fs, before)
	}
	for _, l := range g.Lots {
		for _, p := range l.Places {
			switch {
			case p.Tmp == nil:
			case p.Err != nil:
				p.Tmp.Discard()
			default:
				if p.Err = p.Tmp.close(); p.Err != nil {
					fs.Unlink(p.Tmp.path)
				}
			}
		}
	}
	if before != nil {
		before.Settle(fs)
	}
}

// flushAll flushes what lies on each file system. A failure of syncfs does not say
// whose data was lost, so it fails all of it; a failed fsync fails one.
func (g *Group) flushAll(fs FS, before *Group) {
	g.find(fs)
	done := map[uint64]bool{}
	for _, l := range g.Lots {
		if !l.fsKnown || done[l.dev] {
			continue
		}
		done[l.dev] = true
		good := g.on(l.dev)
		n := len(good)
		if before != nil {
			n += before.untold(l.dev)
		}
		if n > smallGroup && len(good) > 0 {
			err := fs.SyncFS(good[0].Tmp.fd)
			if !errors.Is(err, unix.ENOSYS) {
				if err != nil {
					err = fail("flush", good[0].Tmp.path, err)
					setErr(good, err)
				}
				before.settled(l.dev, err)
				continue
			}
		}
		for _, p := range good {
			if err := fs.Fsync(p.Tmp.fd); err != nil {
				p.Err = fail("flush", p.Tmp.path, err)
			}
		}
	}
}

// find learns which file system each folder lies on.
func (g *Group) find(fs FS) {
	for _, l := range g.Lots {
		for _, p := range l.Places {
			if l.fsKnown || p.Err != nil {
				continue
			}
			_, _, dev, _, _, _, err := fs.Fstat(p.Tmp.fd)
			if err != nil {
				p.Err = fail("look at", p.Tmp.path, err)
				continue
			}
			l.dev, l.fsKnown = dev, true
		}
	}
}

// on gives the good places on a file system.
func (g *Group) on(dev uint64) (ps []*Place) {
	for _, l := range g.Lots {
		for _, p := range l.Places {
			if l.fsKnown && l.dev == dev && p.Err == nil {
				ps = append(ps, p)
			}
		}
	}
	return ps
}

// untold counts the directories on a file system whose new names are not durable.
func (g *Group) untold(dev uint64) (n int) {
	for _, l := range g.Lots {
		if l.fsKnown && l.dev == dev {
			for _, t := range l.touched {
				if t {
					n++
				}
			}
		}
	}
	return n
}

// settled notes that all names on a file system were flushed, or why not.
func (g *Group) settled(dev uint64, err error) {
	if g == nil {
		return
	}
	for _, l := range g.Lots {
		if l.fsKnown && l.dev == dev {
			l.touched = [2]bool{}
			if err != nil {
				setErr(l.Places, err)
			}
		}
	}
}

func setErr(ps []*Place, err error) {
	for _, p := range ps {
		if p.Err == nil {
			p.Err = err
		}
	}
}

// Name gives each good message its name. One that exists is never replaced: that
// place gets an *ExistsError. Without an atomic rename the second name in tmp stays
// until the first is durable: a cut in between leaves it there, which is no harm.
func (g *Group) Name(fs FS) {
	for _, l := range g.Lots {
		for _, p := range l.Places {
			if p.Err != nil {
				continue
			}
			path, i := entryPath(l.Dir, Entry{File: p.File, InNew: p.ToNew}), 0
			if p.ToNew {
				i = 1
			}
			var link bool
			if link, p.Err = takeName(fs, p.Tmp.path, path); p.Err != nil {
				fs.Unlink(p.Tmp.path)
				continue
			}
			l.touched[i] = g.Sync == SyncFull
			if link {
				l.linked = append(l.linked, p.Tmp.path)
			}
		}
	}
}

// Settle makes the names durable that no flush has covered since. If that fails the
// folder's messages get their Place.Err, see Flush.
func (g *Group) Settle(fs FS) {
	tried := map[uint64]bool{}
	for _, l := range g.Lots {
		if l.touched != [2]bool{} && !tried[l.dev] && g.untold(l.dev) > smallGroup {
			tried[l.dev] = true
			if err := syncAll(fs, join(l.Dir, "cur")); !errors.Is(err, unix.ENOSYS) {
				g.settled(l.dev, err)
			}
		}
		for i, sub := range [...]string{"cur", "new"} {
			if !l.touched[i] {
				continue
			}
			if err := SyncDir(fs, join(l.Dir, sub)); err != nil {
				setErr(l.Places, err)
			}
			l.touched[i] = false
		}
		for _, path := range l.linked {
			fs.Unlink(path)
		}
		l.linked = nil
	}
}

// prepare checks that a Tmp is fit for delivery and sets its time, so that one
// flush covers it.
func prepare(fs FS, p *Place) error {
	switch t := p.Tmp; {
	case t.err != nil:
		return t.err
	case t.fd < 0:
		return fail("deliver", t.path, unix.EBADF)
	case p.Mtime.IsZero():
		return nil
	}
	ns := p.Mtime.UnixNano()
	if err := fs.Utimes(p.Tmp.path, ns, ns); err != nil {
		return fail("set the time of", p.Tmp.path, err)
	}
	return nil
}

// takeName renames a file of ours from tmp to a name nobody has. linked says
// that the old name is still there and must be removed once the new one is safe.
func takeName(fs FS, tmp, path string) (linked bool, err error) {
	err = fs.RenameNoReplace(tmp, path)
	if err != nil && noAtomic(err) {
		if err = fs.Link(tmp, path); err == nil {
			return true, nil
		}
		if noLinks(err) {
			err = linkMove(fs, tmp, path)
		}
	}
	if errors.Is(err, unix.EEXIST) {
		return false, &ExistsError{Path: path}
	}
	if err != nil {
		return false, fail("deliver", path, err)
	}
	return false, nil
}
