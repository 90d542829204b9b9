//go:build unix

package statefile

import "golang.org/x/sys/unix"

// OS is the FS of the operating system. Its zero value is ready for use. Calls broken off by a
// signal are repeated.
type OS struct{}

// again repeats f while a signal interrupts it.
func again(f func() error) error {
	for {
		if err := f(); err != unix.EINTR {
			return err
		}
	}
}

// Open is open(2).
func (OS) Open(path string, flags int, perm uint32) (fd int, err error) {
	err = again(func() error { fd, err = unix.Open(path, flags, perm); return err })
	return fd, err
}

// Read is read(2); 0, nil is the end of the file.
func (OS) Read(fd int, p []byte) (n int, err error) {
	err = again(func() error { n, err = unix.Read(fd, p); return err })
	return max(n, 0), err
}

// Write is write(2); it may write less than all of p.
func (OS) Write(fd int, p []byte) (n int, err error) {
	err = again(func() error { n, err = unix.Write(fd, p); return err })
	return max(n, 0), err
}

// Seek is lseek(2).
func (OS) Seek(fd int, off int64, whence int) (int64, error) { return unix.Seek(fd, off, whence) }

// Truncate is ftruncate(2).
func (OS) Truncate(fd int, size int64) error {
	return again(func() error { return unix.Ftruncate(fd, size) })
}

// Fsync makes the file's data and size durable, on darwin also past the drive's own cache.
func (OS) Fsync(fd int) error { return again(func() error { return fsync(fd) }) }

// Close is close(2). It is not repeated after a signal: the descriptor is gone already.
func (OS) Close(fd int) error {
	if err := unix.Close(fd); err != unix.EINTR {
		return err
	}
	return nil
}

// Rename is rename(2).
func (OS) Rename(oldp, newp string) error { return unix.Rename(oldp, newp) }

// Unlink is unlink(2).
func (OS) Unlink(path string) error { return unix.Unlink(path) }

// Mkdir is mkdir(2).
func (OS) Mkdir(path string, perm uint32) error { return unix.Mkdir(path, perm) }

// Stat is stat(2).
func (OS) Stat(path string) (mode uint32, size int64, dev, ino uint64, mtimeNs, ctimeNs int64, err error) {
	var st unix.Stat_t
	err = again(func() error { return unix.Stat(path, &st) })
	return statValues(&st, err)
}

// Fstat is fstat(2).
func (OS) Fstat(fd int) (mode uint32, size int64, dev, ino uint64, mtimeNs, ctimeNs int64, err error) {
	var st unix.Stat_t
	err = again(func() error { return unix.Fstat(fd, &st) })
	return statValues(&st, err)
}

// The conversions are needed: the fields' widths differ between systems.
//
//nolint:unconvert
func statValues(st *unix.Stat_t, err error) (uint32, int64, uint64, uint64, int64, int64, error) {
	return uint32(st.Mode), int64(st.Size), uint64(st.Dev), uint64(st.Ino), st.Mtim.Nano(), st.Ctim.Nano(), err
}

// TryLock takes the exclusive lock on the whole file: an open file description lock where the
// kernel has them, else fcntl's lock of the process.
func (OS) TryLock(fd int) (holder int, err error) { return tryLock(fd) }

// tryProcessLock takes fcntl's classic lock. It belongs to the process, so AcquireLock itself
// must see to it that one process does not take it twice.
func tryProcessLock(fd int) (holder int, err error) {
	lk := unix.Flock_t{Type: unix.F_WRLCK}
	err = again(func() error { return unix.FcntlFlock(uintptr(fd), unix.F_SETLK, &lk) })
	if err != unix.EAGAIN && err != unix.EACCES {
		return 0, err
	}
	who := unix.Flock_t{Type: unix.F_WRLCK}
	if unix.FcntlFlock(uintptr(fd), unix.F_GETLK, &who) == nil && who.Type != unix.F_UNLCK && who.Pid > 0 {
		return int(who.Pid), unix.EAGAIN
	}
	return 0, unix.EAGAIN
}
