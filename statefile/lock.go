package statefile

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Lock is a held lock. The kernel gives it back when the process ends, however that happens.
type Lock struct {
	fs   FS
	path string
	fd   int
	file fileID
}

type fileID struct{ dev, ino uint64 }

// held are this process's locks, for systems whose locks belong to the process: there a second
// one would be granted, and closing its descriptor would lose the first. Used by AcquireLock and
// Release only, which run on one goroutine.
var held = map[fileID]bool{}

// lockTries bounds how often somebody may remove the lock file under us before we give up.
const lockTries = 10

// AcquireLock takes the lock of the file at path, which is created (0600) if it is missing; the
// number of the process is written into it for people to read. It never waits: a lock held by
// somebody else, or by this process already, is a *LockedError; a file system without locks is a
// *LockUnsupportedError. One lock guards an account, one each Maildir root. AcquireLock and
// Release must not run at the same time as each other.
func AcquireLock(fs FS, path string) (*Lock, error) {
	for range lockTries {
		l, err := tryAcquire(fs, path)
		if l != nil || err != nil {
			return l, err
		}
	}
	return nil, fmt.Errorf("failed to lock %s: the file is replaced again and again; stop what does that", path)
}

// tryAcquire returns nil, nil if the file was replaced meanwhile.
func tryAcquire(fs FS, path string) (*Lock, error) {
	// Asked before opening: with locks of the process, closing any descriptor loses the lock.
	if _, _, dev, ino, _, _, err := fs.Stat(path); err == nil && held[fileID{dev, ino}] {
		return nil, &LockedError{Path: path, Pid: unix.Getpid()}
	}
	fd, err := openAppend(fs, path)
	if err != nil {
		return nil, err
	}
	holder, err := fs.TryLock(fd)
	if holder > 0 || errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EACCES) {
		if holder <= 0 {
			holder = readPid(fs, fd)
		}
		_ = fs.Close(fd)
		return nil, &LockedError{Path: path, Pid: holder}
	}
	if err != nil {
		_ = fs.Close(fd)
		return nil, &LockUnsupportedError{Path: path, Err: err}
	}
	_, _, dev, ino, _, _, err := fs.Fstat(fd)
	_, _, pdev, pino, _, _, perr := fs.Stat(path)
	switch {
	case err != nil:
		_ = fs.Close(fd)
		return nil, pathError("lock", path, err)
	case perr != nil && !errors.Is(perr, unix.ENOENT):
		_ = fs.Close(fd)
		return nil, pathError("lock", path, perr)
	case perr != nil || dev != pdev || ino != pino:
		_ = fs.Close(fd)
		return nil, nil
	}
	l := &Lock{fs: fs, path: path, fd: fd, file: fileID{dev, ino}}
	held[l.file] = true
	if err := l.writePid(); err != nil {
		_ = l.Release()
		return nil, pathError("write lock file", path, err)
	}
	return l, nil
}

func (l *Lock) writePid() error {
	if err := l.fs.Truncate(l.fd, 0); err != nil {
		return err
	}
	if _, err := l.fs.Seek(l.fd, 0, io.SeekStart); err != nil {
		return err
	}
	return writeAll(l.fs, l.fd, []byte(strconv.Itoa(unix.Getpid())+"\n"))
}

// readPid reads what the holder wrote; 0 if that is no number.
func readPid(fs FS, fd int) int {
	var buf [32]byte
	n, err := fs.Read(fd, buf[:])
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(buf[:n])))
	if err != nil || pid <= 0 {
		return 0
	}
	return pid
}

// Path is the path of the lock file.
func (l *Lock) Path() string { return l.path }

// Release gives the lock back. The file stays: removing it would let two others hold it at once.
func (l *Lock) Release() error {
	if l.fd < 0 {
		return nil
	}
	delete(held, l.file)
	_ = l.fs.Truncate(l.fd, 0) // so that nobody reads a stale number
	err := l.fs.Close(l.fd)
	l.fd = -1
	if err != nil {
		return pathError("release lock", l.path, err)
	}
	return nil
}
