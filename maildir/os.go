//go:build linux || darwin || freebsd || openbsd || netbsd || dragonfly

package maildir

import (
	"errors"

	"golang.org/x/sys/unix"
)

// OS is the real file system.
type OS struct{}

var _ FS = OS{}

// Unseen is the real file system, of which directories are read without changing
// their access times, where the system can do that (Linux).
type Unseen struct{ OS }

// again repeats a call interrupted by a signal.
func again(f func() error) error {
	for {
		if err := f(); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// againN is again for calls that count bytes.
func againN(f func() (int, error)) (int, error) {
	for {
		n, err := f()
		if errors.Is(err, unix.EINTR) {
			continue
		}
		return max(n, 0), err
	}
}

// Open implements [FS].
func (OS) Open(path string, flags int, perm uint32) (fd int, err error) {
	for {
		fd, err = unix.Open(path, flags|unix.O_CLOEXEC, perm)
		if !errors.Is(err, unix.EINTR) {
			return fd, err
		}
	}
}

// Read implements [FS].
func (OS) Read(fd int, p []byte) (int, error) {
	return againN(func() (int, error) { return unix.Read(fd, p) })
}

// Write implements [FS].
func (OS) Write(fd int, p []byte) (int, error) {
	return againN(func() (int, error) { return unix.Write(fd, p) })
}

// Seek implements [FS].
func (OS) Seek(fd int, off int64, whence int) (int64, error) { return unix.Seek(fd, off, whence) }

// Truncate implements [FS].
func (OS) Truncate(fd int, size int64) error {
	return again(func() error { return unix.Ftruncate(fd, size) })
}

// Close implements [FS]. It is not repeated after EINTR: the descriptor is gone
// by then and may already be another file's.
func (OS) Close(fd int) error {
	if err := unix.Close(fd); !errors.Is(err, unix.EINTR) {
		return err
	}
	return nil
}

// Rename implements [FS].
func (OS) Rename(oldp, newp string) error {
	return again(func() error { return unix.Rename(oldp, newp) })
}

// Link implements [FS].
func (OS) Link(oldp, newp string) error {
	return again(func() error { return unix.Link(oldp, newp) })
}

// Unlink implements [FS].
func (OS) Unlink(path string) error {
	return again(func() error { return unix.Unlink(path) })
}

// Mkdir implements [FS].
func (OS) Mkdir(path string, perm uint32) error {
	return again(func() error { return unix.Mkdir(path, perm) })
}

// Stat implements [FS].
func (OS) Stat(path string) (mode uint32, size int64, dev, ino uint64, mtimeNs, ctimeNs int64, err error) {
	var st unix.Stat_t
	err = again(func() error { return unix.Stat(path, &st) })
	return unpack(&st, err)
}

// Fstat implements [FS].
func (OS) Fstat(fd int) (mode uint32, size int64, dev, ino uint64, mtimeNs, ctimeNs int64, err error) {
	var st unix.Stat_t
	err = again(func() error { return unix.Fstat(fd, &st) })
	return unpack(&st, err)
}

// unpack widens: the fields have other sizes on every system.
func unpack(st *unix.Stat_t, err error) (uint32, int64, uint64, uint64, int64, int64, error) {
	if err != nil {
		return 0, 0, 0, 0, 0, 0, err
	}
	return uint32(st.Mode), st.Size, uint64(st.Dev), st.Ino, st.Mtim.Nano(), st.Ctim.Nano(), nil
}

// Utimes implements [FS].
func (OS) Utimes(path string, atimeNs, mtimeNs int64) error {
	ts := []unix.Timespec{unix.NsecToTimespec(atimeNs), unix.NsecToTimespec(mtimeNs)}
	return again(func() error { return unix.UtimesNanoAt(unix.AT_FDCWD, path, ts, 0) })
}

// TryLock implements [FS].
func (OS) TryLock(fd int) (holder int, err error) {
	lk := unix.Flock_t{Type: unix.F_WRLCK}
	err = again(func() error { return unix.FcntlFlock(uintptr(fd), setLock, &lk) })
	if err == nil {
		return 0, nil
	}
	if !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EACCES) {
		return 0, err
	}
	lk = unix.Flock_t{Type: unix.F_WRLCK}
	if unix.FcntlFlock(uintptr(fd), getLock, &lk) == nil && lk.Type != unix.F_UNLCK && lk.Pid > 0 {
		holder = int(lk.Pid)
	}
	return holder, unix.EAGAIN
}
