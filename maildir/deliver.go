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

// Delivery is a group of messages on their way into one folder:
//
//	NewTmp ──▶ Tmp.Write … ──▶ Commit ─┬▶ in new or cur, durable
//	             └──▶ Tmp.Discard      └▶ Place.Err: not delivered, tmp removed
//
// It keeps the places for the caller; [NewTmp], [Tmp.Write] and [Commit] may be
// used without it. Every open Tmp holds a file descriptor, so groups should stay
// within a few hundred.
type Delivery struct {
	Dir    string // the folder's directory
	Sync   SyncMode
	Places []*Place
}

// Add appends a place.
func (d *Delivery) Add(p *Place) { d.Places = append(d.Places, p) }

// Commit is [Commit] of the places, which it takes out of d.
func (d *Delivery) Commit(fs FS) error {
	ps := d.Places
	d.Places = nil
	return Commit(fs, d.Dir, ps, d.Sync)
}

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

// Place says where a message written to tmp shall go, and after the Commit what
// became of it.
type Place struct {
	Tmp   *Tmp
	ToNew bool      // into new, else cur
	File  string    // the file name to take
	Mtime time.Time // the file's modification time; zero = leave
	Err   error     // set by Commit: why this message was not delivered
}

// smallGroup is up to how many files are flushed one by one: syncfs also waits
// for the data of every other program.
const smallGroup = 4

// Commit delivers a group: it flushes all files, gives each its name (an
// existing one is never replaced: that place gets an *ExistsError) and flushes
// the directories. Only when it returned nil and Place.Err is nil is a message
// delivered and, with SyncFull, durable.
//
// A non-nil result means that the whole group failed and is also in every
// Place.Err. If the files could not be flushed none has got its name; if only
// the directories could not, the messages are visible but may be gone after a
// power cut: nothing may be recorded of them, the next scan will find what is
// left. All Tmp are used up in any case. The places are best in the order the
// Tmp were created in: errors are seen from the creation of the first on.
func Commit(fs FS, dir string, ps []*Place, sync SyncMode) error {
	for _, p := range ps {
		p.Err = prepare(fs, p)
	}
	var err error
	if sync == SyncFull {
		err = flushGroup(fs, ps)
	}
	for _, p := range ps {
		if err != nil {
			p.Err = err
		}
		if p.Err != nil {
			p.Tmp.Discard()
		} else if p.Err = p.Tmp.close(); p.Err != nil {
			fs.Unlink(p.Tmp.path)
		}
	}
	if err != nil {
		return err
	}
	if err = nameGroup(fs, dir, ps, sync); err != nil {
		for _, p := range ps {
			if p.Err == nil {
				p.Err = err
			}
		}
	}
	return err
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

// flushGroup makes the data of all good places durable. A failure of syncfs
// does not say whose data was lost, so it fails them all; a failed fsync fails
// one.
func flushGroup(fs FS, ps []*Place) error {
	var good []*Place
	for _, p := range ps {
		if p.Err == nil {
			good = append(good, p)
		}
	}
	if len(good) > smallGroup {
		err := fs.SyncFS(good[0].Tmp.fd)
		if err == nil {
			return nil
		}
		if !errors.Is(err, unix.ENOSYS) {
			return fail("flush", good[0].Tmp.path, err)
		}
	}
	for _, p := range good {
		if err := fs.Fsync(p.Tmp.fd); err != nil {
			p.Err = fail("flush", p.Tmp.path, err)
		}
	}
	return nil
}

// nameGroup gives every good place its name and flushes the directories that
// got one. Without an atomic rename it links all, flushes, and unlinks in tmp
// last: a cut in between leaves a second name in tmp, which is no harm.
func nameGroup(fs FS, dir string, ps []*Place, sync SyncMode) error {
	var linked []string
	var touched [2]bool
	for _, p := range ps {
		if p.Err != nil {
			continue
		}
		path, i := entryPath(dir, Entry{File: p.File, InNew: p.ToNew}), 0
		if p.ToNew {
			i = 1
		}
		var link bool
		if link, p.Err = takeName(fs, p.Tmp.path, path); p.Err != nil {
			fs.Unlink(p.Tmp.path)
			continue
		}
		touched[i] = true
		if link {
			linked = append(linked, p.Tmp.path)
		}
	}
	var err error
	for i, sub := range [...]string{"cur", "new"} {
		if touched[i] && sync == SyncFull {
			err = errors.Join(err, SyncDir(fs, join(dir, sub)))
		}
	}
	for _, path := range linked {
		fs.Unlink(path)
	}
	return err
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
