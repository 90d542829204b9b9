package maildirtest

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"path"
	"strings"

	"golang.org/x/sys/unix"
)

// ErrCrashed is what every call returns from the crash on until PowerCut or
// Kill.
var ErrCrashed = errors.New("maildirtest: crashed")

// FS is the file system. The exported fields may be set at any time between
// calls.
type FS struct {
	Before         func(op, path string)                 // runs before every call: to be slow, or to do as a mail reader does (inside Outside)
	Fail           func(op, path string, call int) error // a non-nil result is the call's error; the call has no effect
	ReadOnly       bool                                  // every change is EROFS
	MaxFiles       int                                   // more open files are EMFILE; 0 = no limit
	NoSyncFS       bool                                  // SyncFS is ENOSYS
	NoAtomicRename bool                                  // RenameNoReplace is ENOSYS
	NoLinks        bool                                  // Link is EPERM
	Ordered        bool                                  // a power cut keeps the unflushed entries up to one moment, as a journal does, instead of any of them
	Fold           func(name string) string              // names with one result are the same; nil = exact
	Kind           string                                // FSType's answer; "" = "test"
	Network        bool                                  // FSType's answer
	Now            int64                                 // the clock, ns since 1970
	Step           int64                                 // how far each call moves it
	Granularity    int64                                 // time stamps are multiples of it
	Coverage       *Coverage                             // where call sites are counted; may be shared

	rng     *rand.Rand
	seed    uint64
	root    *node
	nodes   map[uint64]*node
	lastIno uint64
	files   map[int]*file
	lastFD  int
	ops     []*dirOp
	held    map[uint64]int // inode → pid of a foreign lock holder
	calls   int
	crashAt int
	dead    bool
	tearing bool
	outside bool
	limited bool
	space   int64
	mounts  uint64
}

type node struct {
	ino, dev     uint64
	dir          bool
	perm         uint32
	links        int
	data, synced []byte
	shared       bool // data is also a clone's: copied before it is changed in place
	dirty        bool // data was changed since synced
	kept         int  // so many bytes at its start are as flushed
	lost         bool // a flush failed: later ones do nothing
	entries      map[string]*node
	durable      map[string]*node
	sorted       []string // entries in hash order; nil = to be made
	mtime, ctime int64
	lockedBy     *file
}

type file struct {
	fd     int
	path   string
	node   *node
	flags  int
	off    int64
	cursor string // the last name listed
	listed bool
}

// New makes an empty file system with the directory "/". The same seed makes
// the same choices.
func New(seed uint64) *FS {
	f := &FS{
		Now: 1_700_000_000_000_000_000, Step: 1_000_000, Granularity: 1,
		rng: rand.New(rand.NewPCG(seed, 0x6f66666c6f6f70)), seed: seed,
		nodes: map[uint64]*node{}, files: map[int]*file{}, held: map[uint64]int{}, lastFD: 2,
	}
	f.root = f.newNode(true, 0o755)
	f.root.links, f.root.dev = 1, 1
	return f
}

func (f *FS) newNode(dir bool, perm uint32) *node {
	f.lastIno++
	n := &node{ino: f.lastIno, dir: dir, perm: perm, mtime: f.stamp(), ctime: f.stamp()}
	if dir {
		n.entries, n.durable = map[string]*node{}, map[string]*node{}
	}
	f.nodes[n.ino] = n
	return n
}

func (f *FS) stamp() int64 { return f.Now - f.Now%max(f.Granularity, 1) }

// find resolves a path; the node is nil if only the last part is missing.
func (f *FS) find(p string) (parent *node, name string, n *node, err error) {
	p = path.Clean("/" + p)
	if p == "/" {
		return f.root, "", f.root, nil
	}
	cur := f.root
	parts := strings.Split(p[1:], "/")
	for i, part := range parts {
		if !cur.dir {
			return nil, "", nil, unix.ENOTDIR
		}
		if len(part) > 255 {
			return nil, "", nil, unix.ENAMETOOLONG
		}
		part = f.stored(cur, part)
		next := cur.entries[part]
		if i == len(parts)-1 {
			return cur, part, next, nil
		}
		if next == nil {
			return nil, "", nil, unix.ENOENT
		}
		cur = next
	}
	return nil, "", nil, unix.ENOENT
}

// stored gives the entry a name means: itself, or the one it folds to.
func (f *FS) stored(dir *node, name string) string {
	if f.Fold == nil || dir.entries[name] != nil {
		return name
	}
	key := f.Fold(name)
	for have := range dir.entries {
		if f.Fold(have) == key {
			return have
		}
	}
	return name
}

// existing is find for what must be there.
func (f *FS) existing(p string) (*node, error) {
	_, _, n, err := f.find(p)
	if err == nil && n == nil {
		err = unix.ENOENT
	}
	return n, err
}

func (f *FS) handle(fd int) (*file, error) {
	if h := f.files[fd]; h != nil {
		return h, nil
	}
	return nil, unix.EBADF
}

// pathOf names an open file in hooks.
func (f *FS) pathOf(fd int) string {
	if h := f.files[fd]; h != nil {
		return h.path
	}
	return ""
}

// Open opens or creates a file.
func (f *FS) Open(p string, flags int, perm uint32) (fd int, err error) {
	fd = -1
	err = f.call("open", p, func() error {
		parent, name, n, err := f.find(p)
		if err != nil {
			return err
		}
		write := flags&(unix.O_WRONLY|unix.O_RDWR|unix.O_CREAT|unix.O_TRUNC) != 0
		switch {
		case n == nil && flags&unix.O_CREAT == 0:
			return unix.ENOENT
		case n != nil && flags&unix.O_CREAT != 0 && flags&unix.O_EXCL != 0:
			return unix.EEXIST
		case n != nil && n.dir && write:
			return unix.EISDIR
		case n != nil && !n.dir && flags&unix.O_DIRECTORY != 0:
			return unix.ENOTDIR
		case f.ReadOnly && write:
			return unix.EROFS
		case f.MaxFiles > 0 && len(f.files) >= f.MaxFiles:
			return unix.EMFILE
		case n == nil && f.limited && f.space <= 0:
			return unix.ENOSPC
		}
		if n == nil {
			n = f.newNode(false, perm)
			f.add(parent, name, n)
		} else if flags&unix.O_TRUNC != 0 {
			f.resize(n, 0)
		}
		f.lastFD++
		fd = f.lastFD
		f.files[fd] = &file{fd: fd, path: p, node: n, flags: flags}
		return nil
	})
	if err != nil {
		return -1, err
	}
	return fd, nil
}

// Close closes a descriptor and gives up its lock.
func (f *FS) Close(fd int) error {
	return f.call("close", f.pathOf(fd), func() error {
		h, err := f.handle(fd)
		if err != nil {
			return err
		}
		if h.node.lockedBy == h {
			h.node.lockedBy = nil
		}
		delete(f.files, fd)
		return nil
	})
}

// Read reads at the descriptor's offset.
func (f *FS) Read(fd int, p []byte) (n int, err error) {
	err = f.call("read", f.pathOf(fd), func() error {
		h, err := f.handle(fd)
		if err != nil {
			return err
		}
		if h.node.dir {
			return unix.EISDIR
		}
		if h.flags&unix.O_ACCMODE == unix.O_WRONLY {
			return unix.EBADF
		}
		if h.off < int64(len(h.node.data)) {
			n = copy(p, h.node.data[h.off:])
			h.off += int64(n)
		}
		return nil
	})
	return n, err
}

// Write writes at the descriptor's offset, or at the end with O_APPEND. A crash
// in it may leave any part of p written; short of space it writes what fits.
func (f *FS) Write(fd int, p []byte) (n int, err error) {
	err = f.call("write", f.pathOf(fd), func() error {
		h, err := f.handle(fd)
		if err != nil {
			return err
		}
		if h.flags&unix.O_ACCMODE == unix.O_RDONLY {
			return unix.EBADF
		}
		if f.ReadOnly {
			return unix.EROFS
		}
		if f.tearing {
			p = p[:f.rng.IntN(len(p)+1)]
		}
		if h.flags&unix.O_APPEND != 0 {
			h.off = int64(len(h.node.data))
		}
		n, err = f.write(h.node, h.off, p)
		h.off += int64(n)
		return err
	})
	return n, err
}

func (f *FS) write(n *node, off int64, p []byte) (int, error) {
	if grow := off + int64(len(p)) - int64(len(n.data)); f.limited && grow > f.space {
		fits := int64(len(p)) - (grow - f.space)
		if fits <= 0 {
			return 0, unix.ENOSPC
		}
		p = p[:fits]
	}
	if off < int64(len(n.data)) {
		n.kept = min(n.kept, int(off))
		if n.shared {
			n.data, n.shared = bytes.Clone(n.data), false
		}
	}
	if end := off + int64(len(p)); end > int64(len(n.data)) {
		f.space -= end - int64(len(n.data))
		n.data = append(n.data, make([]byte, end-int64(len(n.data)))...)
	}
	copy(n.data[off:], p)
	f.changed(n)
	return len(p), nil
}

func (f *FS) changed(n *node) {
	n.dirty = true
	n.mtime, n.ctime = f.stamp(), f.stamp()
}

func (f *FS) resize(n *node, size int64) {
	f.space += int64(len(n.data)) - size
	if size <= int64(len(n.data)) {
		n.data = append([]byte(nil), n.data[:size]...)
	} else {
		n.data = append(n.data, make([]byte, size-int64(len(n.data)))...)
	}
	// What stands before the cut is not endangered by it.
	n.kept = min(n.kept, int(size))
	f.changed(n)
}

// Truncate sets an open file's size.
func (f *FS) Truncate(fd int, size int64) error {
	return f.call("truncate", f.pathOf(fd), func() error {
		h, err := f.handle(fd)
		if err != nil {
			return err
		}
		if f.ReadOnly {
			return unix.EROFS
		}
		f.resize(h.node, size)
		return nil
	})
}

// Seek moves the offset; of a directory only back to the beginning.
func (f *FS) Seek(fd int, off int64, whence int) (pos int64, err error) {
	err = f.call("seek", f.pathOf(fd), func() error {
		h, err := f.handle(fd)
		if err != nil {
			return err
		}
		switch whence {
		case io.SeekCurrent:
			off += h.off
		case io.SeekEnd:
			off += int64(len(h.node.data))
		}
		if off < 0 {
			return unix.EINVAL
		}
		h.off, h.cursor, h.listed, pos = off, "", false, off
		return nil
	})
	return pos, err
}
