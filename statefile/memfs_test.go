package statefile

import (
	"errors"
	"io"
	"math/rand"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

var errCrash = errors.New("crashed")

// memFS is a file system in memory that stops at call number dieAt and can then forget what was
// not flushed, block by block.
type memFS struct {
	entries map[string]*memNode // as seen now
	durable map[string]*memNode // as on disk
	fds     map[int]*memFD
	nextFD  int
	nextIno uint64
	calls   int
	dieAt   int   // 0 = never
	failAt  int   // this call fails once with failErr
	failErr error // EIO, ENOSPC
	short   int   // most bytes a Write takes, 0 = all
	dead    bool
	rng     *rand.Rand
}

type memNode struct {
	dir  bool
	ino  uint64
	now  []byte
	disk []byte
	lock int // fd
}

type memFD struct {
	n     *memNode
	off   int64
	write bool
}

func newMemFS() *memFS {
	root := &memNode{dir: true, ino: 1}
	return &memFS{entries: map[string]*memNode{"/": root}, durable: map[string]*memNode{"/": root},
		fds: map[int]*memFD{}, nextFD: 3, nextIno: 1, rng: rand.New(rand.NewSource(1))}
}

func (m *memFS) step() error {
	if m.dead {
		return errCrash
	}
	m.calls++
	if m.calls == m.dieAt {
		m.dead = true
		return errCrash
	}
	if m.calls == m.failAt {
		return m.failErr
	}
	return nil
}

const memBlock = 16

// powerCut leaves what a disk may hold: each unflushed block old or new (zeros past the old end),
// any of the sizes between, each unflushed directory entry changed or not.
func (m *memFS) powerCut() {
	nodes := map[*memNode]bool{}
	for _, set := range []map[string]*memNode{m.entries, m.durable} {
		for _, n := range set {
			nodes[n] = true
		}
	}
	for n := range nodes {
		if n.dir {
			continue
		}
		size := len(n.disk)
		if len(n.now) != size && m.rng.Intn(4) > 0 {
			lo, hi := min(size, len(n.now)), max(size, len(n.now))
			size = lo + m.rng.Intn(hi-lo+1)
			if m.rng.Intn(2) == 0 {
				size = len(n.now)
			}
		}
		mixed := make([]byte, size)
		copy(mixed, n.disk)
		for at := 0; at < size; at += memBlock {
			if m.rng.Intn(2) == 0 && at < len(n.now) {
				copy(mixed[at:min(at+memBlock, size)], n.now[at:])
			}
		}
		n.now, n.disk = mixed, append([]byte(nil), mixed...)
	}
	names := map[string]bool{}
	for _, set := range []map[string]*memNode{m.entries, m.durable} {
		for name := range set {
			names[name] = true
		}
	}
	for name := range names {
		if m.entries[name] != m.durable[name] && m.rng.Intn(2) == 0 {
			if n := m.entries[name]; n != nil {
				m.durable[name] = n
			} else {
				delete(m.durable, name)
			}
		}
	}
	m.entries = map[string]*memNode{}
	for name, n := range m.durable {
		if m.reachable(name) {
			m.entries[name] = n
		}
	}
	m.restart()
}

func (m *memFS) reachable(name string) bool {
	for name != "/" {
		name = filepath.Dir(name)
		if m.durable[name] == nil {
			return false
		}
	}
	return true
}

// restart is the next process on what is there now.
func (m *memFS) restart() {
	m.fds, m.dead, m.dieAt, m.failAt = map[int]*memFD{}, false, 0, 0
	for _, n := range m.entries {
		n.lock = 0
	}
}

func (m *memFS) put(path string, b []byte) {
	m.nextIno++
	n := &memNode{ino: m.nextIno, now: append([]byte(nil), b...), disk: append([]byte(nil), b...)}
	m.entries[path], m.durable[path] = n, n
}

func (m *memFS) get(path string) []byte {
	if n := m.entries[path]; n != nil {
		return append([]byte(nil), n.now...)
	}
	return nil
}

func (m *memFS) Open(path string, flags int, _ uint32) (int, error) {
	if err := m.step(); err != nil {
		return -1, err
	}
	n := m.entries[path]
	if n == nil {
		if d := m.entries[filepath.Dir(path)]; flags&unix.O_CREAT == 0 || d == nil || !d.dir {
			return -1, unix.ENOENT
		}
		m.nextIno++
		n = &memNode{ino: m.nextIno}
		m.entries[path] = n
	}
	m.nextFD++
	m.fds[m.nextFD] = &memFD{n: n, write: flags&(unix.O_RDWR|unix.O_WRONLY) != 0}
	return m.nextFD, nil
}

func (m *memFS) Read(fd int, p []byte) (int, error) {
	if err := m.step(); err != nil {
		return 0, err
	}
	f := m.fds[fd]
	if f.off >= int64(len(f.n.now)) {
		return 0, nil
	}
	n := copy(p, f.n.now[f.off:])
	f.off += int64(n)
	return n, nil
}

func (m *memFS) Write(fd int, p []byte) (int, error) {
	err := m.step()
	if err != nil && (m.calls != m.dieAt && m.calls != m.failAt || len(p) == 0) {
		return 0, err
	}
	if err != nil {
		p = p[:m.rng.Intn(len(p)+1)] // part of it arrived
	} else if m.short > 0 && len(p) > m.short {
		p = p[:m.short]
	}
	f := m.fds[fd]
	if !f.write {
		return 0, unix.EBADF
	}
	if need := f.off + int64(len(p)); need > int64(len(f.n.now)) {
		f.n.now = append(f.n.now, make([]byte, need-int64(len(f.n.now)))...)
	}
	copy(f.n.now[f.off:], p)
	f.off += int64(len(p))
	return len(p), err
}

func (m *memFS) Seek(fd int, off int64, whence int) (int64, error) {
	if err := m.step(); err != nil {
		return 0, err
	}
	f := m.fds[fd]
	if whence == io.SeekEnd {
		off += int64(len(f.n.now))
	}
	f.off = off
	return off, nil
}

func (m *memFS) Truncate(fd int, size int64) error {
	if err := m.step(); err != nil {
		return err
	}
	m.fds[fd].n.now = append([]byte(nil), m.fds[fd].n.now[:size]...)
	return nil
}

func (m *memFS) Fsync(fd int) error {
	if err := m.step(); err != nil {
		return err
	}
	n := m.fds[fd].n
	if !n.dir {
		n.disk = append([]byte(nil), n.now...)
		return nil
	}
	var dir string
	for p, e := range m.entries {
		if e == n {
			dir = p
		}
	}
	in := func(p string) bool { return p != "/" && filepath.Dir(p) == dir }
	for p := range m.durable {
		if in(p) && m.entries[p] == nil {
			delete(m.durable, p)
		}
	}
	for p, e := range m.entries {
		if in(p) {
			m.durable[p] = e
		}
	}
	return nil
}

func (m *memFS) Close(fd int) error {
	if f := m.fds[fd]; f != nil && f.n.lock == fd {
		f.n.lock = 0
	}
	delete(m.fds, fd)
	return m.step()
}

func (m *memFS) Rename(oldp, newp string) error {
	if err := m.step(); err != nil {
		return err
	}
	if m.entries[oldp] == nil {
		return unix.ENOENT
	}
	m.entries[newp] = m.entries[oldp]
	delete(m.entries, oldp)
	return nil
}

func (m *memFS) Unlink(path string) error {
	if err := m.step(); err != nil {
		return err
	}
	if m.entries[path] == nil {
		return unix.ENOENT
	}
	delete(m.entries, path)
	return nil
}

func (m *memFS) Mkdir(path string, _ uint32) error {
	if err := m.step(); err != nil {
		return err
	}
	switch {
	case m.entries[path] != nil:
		return unix.EEXIST
	case m.entries[filepath.Dir(path)] == nil:
		return unix.ENOENT
	}
	m.nextIno++
	m.entries[strings.TrimSuffix(path, "/")] = &memNode{dir: true, ino: m.nextIno}
	return nil
}

func (m *memFS) Stat(path string) (uint32, int64, uint64, uint64, int64, int64, error) {
	if err := m.step(); err != nil {
		return 0, 0, 0, 0, 0, 0, err
	}
	n := m.entries[path]
	if n == nil {
		return 0, 0, 0, 0, 0, 0, unix.ENOENT
	}
	return 0o600, int64(len(n.now)), 1, n.ino, 0, 0, nil
}

func (m *memFS) Fstat(fd int) (uint32, int64, uint64, uint64, int64, int64, error) {
	if err := m.step(); err != nil {
		return 0, 0, 0, 0, 0, 0, err
	}
	n := m.fds[fd].n
	return 0o600, int64(len(n.now)), 1, n.ino, 0, 0, nil
}

func (m *memFS) TryLock(fd int) (int, error) {
	if err := m.step(); err != nil {
		return 0, err
	}
	n := m.fds[fd].n
	if n.lock != 0 && n.lock != fd {
		return 0, unix.EAGAIN
	}
	n.lock = fd
	return 0, nil
}
