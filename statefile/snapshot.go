package statefile

import (
	"bytes"
	"path/filepath"
	"slices"
)

// compactSlack: so many lines a file may have in vain before rewriting it is considered.
const compactSlack = 1000

// NeedsCompaction reports that the file has more than twice the lines a snapshot would have, and
// some. So rewriting costs each change no more than a fixed amount.
func (f *Folder) NeedsCompaction() bool {
	return f.snap == nil && f.lines > 2*f.live()+compactSlack
}

// live is about the number of lines a snapshot has.
func (f *Folder) live() int {
	return f.table.n + len(f.tokens) + len(f.keywords) + len(f.intents) + len(f.held) + 4
}

// Snapshot returns the whole state as the contents of a new file, for WriteSnapshot. Changes that
// TakeJournal has not given out yet are in it, and are still given out afterwards; appending them
// to the new file is harmless. For folders of hundreds of thousands of messages StartSnapshot
// does the same in pieces.
func (f *Folder) Snapshot() []byte {
	s := f.StartSnapshot()
	out := make([]byte, 0, f.table.n*64+4096)
	for more := true; more; {
		out, more = s.next(out, 1<<30)
	}
	return out
}

// Snapshotter gives out the contents of a new state file piece by piece, while the Folder goes on
// changing: what changes meanwhile follows as journal lines before the end. It is used on the
// Folder's goroutine; its pieces go to a SnapshotFile.
//
// Journal lines taken before the last piece is given out belong to the old file: they must be
// appended before SnapshotFile.Commit. Lines taken after it must be appended after Commit.
type Snapshotter struct {
	f     *Folder
	sum   uint32
	begun bool
	uid   uint64 // records below it are out
	since []byte // lines noted since the start
	done  bool
}

// StartSnapshot begins a snapshot. Only one is under way at a time: an unfinished earlier one is
// abandoned.
func (f *Folder) StartSnapshot() *Snapshotter {
	if f.snap != nil {
		f.snap.Stop()
	}
	f.snap = &Snapshotter{f: f}
	return f.snap
}

// Next returns the next piece, of about max bytes, and whether there are more.
func (s *Snapshotter) Next(max int) (piece []byte, more bool) {
	return s.next(make([]byte, 0, max+512), max)
}

// Stop abandons the snapshot; the SnapshotFile is to be discarded.
func (s *Snapshotter) Stop() {
	s.done, s.since = true, nil
	if s.f.snap == s {
		s.f.snap = nil
	}
}

func (s *Snapshotter) next(dst []byte, max int) ([]byte, bool) {
	if s.done {
		return dst, false
	}
	limit := len(dst) + max
	if !s.begun {
		s.begun = true
		dst = s.preamble(dst)
	}
	var e entry
	b, j, _ := s.f.table.find(uint32(s.uid))
	for ; s.uid < 1<<32 && b < len(s.f.table.blocks); b, j = b+1, 0 {
		blk := s.f.table.blocks[b]
		for ; j < int(blk.n); j++ {
			if len(dst) >= limit {
				return dst, true
			}
			e = entry{kind: kindPut, uid: blk.uid[j], flags: s.f.table.flagsOf(blk, j),
				mark: Mark(blk.mark[j]), name: s.f.table.names.get(blk.place[j])}
			dst = s.add(dst, &e)
			s.uid = uint64(e.uid) + 1
		}
	}
	return s.finish(dst), false
}

// preamble writes everything but the records.
func (s *Snapshotter) preamble(dst []byte) []byte {
	f := s.f
	start := len(dst)
	dst, s.sum = seal(append(dst, headWord+version...), start, markPlain, 0)
	dst = s.add(dst, &entry{kind: kindSnapshot})
	dst = s.add(dst, &entry{kind: kindFolder, key: f.name, value: f.fmd5})
	for i, k := range f.keywords {
		if k != "" {
			dst = s.add(dst, &entry{kind: kindKeyword, num: i, key: k})
		}
	}
	for _, k := range f.Tokens() {
		dst = s.add(dst, &entry{kind: kindToken, key: k, value: f.tokens[k]})
	}
	for _, n := range f.Intents() {
		dst = s.add(dst, &entry{kind: kindIntent, intent: n})
	}
	for _, q := range f.Quarantine() {
		dst = s.add(dst, &entry{kind: kindHold, hold: q})
	}
	return dst
}

func (s *Snapshotter) finish(dst []byte) []byte {
	dst, s.sum = sealAll(dst, s.since, false, false, s.sum)
	start := len(dst)
	dst, s.sum = seal((&entry{kind: kindEnd}).appendTo(dst), start, markBefore, s.sum)
	s.f.lines = s.f.live() + bytes.Count(s.since, newline) + bytes.Count(s.f.journal, newline)
	s.Stop()
	return dst
}

func (s *Snapshotter) add(dst []byte, e *entry) []byte {
	start := len(dst)
	dst, s.sum = seal(e.appendTo(dst), start, markPlain, s.sum)
	return dst
}

var newline = []byte{'\n'}

// newSuffix names the file a snapshot is written to, renewSuffix that of a copy that takes the
// place of a file whose flush failed. FileName never gives a name that ends so.
const (
	newSuffix   = "~new"
	renewSuffix = "~renew"
)

// SnapshotFile is a state file being written beside the one it will replace.
type SnapshotFile struct {
	fs   FS
	path string
	tmp  string
	fd   int
}

// CreateSnapshot begins a new state file for path. The file at path stays as it is until Commit.
func CreateSnapshot(fs FS, path string) (*SnapshotFile, error) {
	return createBeside(fs, path, newSuffix)
}

func createBeside(fs FS, path, suffix string) (*SnapshotFile, error) {
	s := &SnapshotFile{fs: fs, path: path, tmp: path + suffix}
	var err error
	if s.fd, err = openAppend(fs, s.tmp); err != nil {
		return nil, err
	}
	if err := fs.Truncate(s.fd, 0); err != nil { // left over from a crash
		s.Discard()
		return nil, pathError("write state file", s.tmp, err)
	}
	return s, nil
}

// Write adds a piece from Snapshotter.Next.
func (s *SnapshotFile) Write(p []byte) error {
	if err := writeAll(s.fs, s.fd, p); err != nil {
		return pathError("write state file", s.tmp, err)
	}
	return nil
}

// Commit flushes the new file, puts it in the place of the old one and flushes the directory. On
// an error the old file is still there, or the whole new one.
func (s *SnapshotFile) Commit() error {
	if err := s.fs.Fsync(s.fd); err != nil {
		s.Discard()
		return pathError("flush state file", s.tmp, err)
	}
	err := s.fs.Close(s.fd)
	s.fd = -1
	if err == nil {
		err = s.fs.Rename(s.tmp, s.path)
	}
	if err != nil {
		s.Discard()
		return pathError("replace state file", s.path, err)
	}
	dir := filepath.Dir(s.path)
	if err = flushDir(s.fs, dir); err != nil {
		// The new file is in use from now on: its name must not stay undurable
		// because of one call that failed.
		err = flushDir(s.fs, dir)
	}
	return err
}

// Discard removes the new file. After Commit it has no effect that matters.
func (s *SnapshotFile) Discard() {
	if s.fd >= 0 {
		_ = s.fs.Close(s.fd)
		s.fd = -1
	}
	_ = s.fs.Unlink(s.tmp)
}

// WriteSnapshot replaces the file at path by one with the contents b, made by Snapshot: write
// new, flush, rename, flush the directory. It is always flushed: the old file is the only other
// copy. On an error the old file is still there, or the whole new one.
func WriteSnapshot(fs FS, path string, b []byte) error {
	s, err := CreateSnapshot(fs, path)
	if err != nil {
		return err
	}
	for piece := range slices.Chunk(b, 1<<20) {
		if err := s.Write(piece); err != nil {
			s.Discard()
			return err
		}
	}
	return s.Commit()
}
