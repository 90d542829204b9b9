package statefile

import (
	"errors"
	"io"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// FS is the part of a file system this package uses. Only basic types occur in it, so that a
// test's file system need not know this package. Flags are those of open(2), permissions those
// of chmod(2), times are nanoseconds since 1970. Errors are errno values: errors.Is(err,
// os.ErrNotExist) must work on them. Read returns 0, nil at the end of the file.
//
// TryLock takes an exclusive lock on the whole file without waiting. Busy is reported by a
// holder > 0 (the process holding it, where the system tells) or by EAGAIN or EACCES.
type FS interface {
	Open(path string, flags int, perm uint32) (fd int, err error)
	Read(fd int, p []byte) (int, error)
	Write(fd int, p []byte) (int, error)
	Seek(fd int, off int64, whence int) (int64, error)
	Truncate(fd int, size int64) error
	Fsync(fd int) error
	Close(fd int) error
	Rename(oldp, newp string) error
	Unlink(path string) error
	Mkdir(path string, perm uint32) error
	Stat(path string) (mode uint32, size int64, dev, ino uint64, mtimeNs, ctimeNs int64, err error)
	Fstat(fd int) (mode uint32, size int64, dev, ino uint64, mtimeNs, ctimeNs int64, err error)
	TryLock(fd int) (holder int, err error)
}

// writeAll writes all of p or returns an error.
func writeAll(fs FS, fd int, p []byte) error {
	for len(p) > 0 {
		n, err := fs.Write(fd, p)
		if err != nil {
			return err
		}
		if n <= 0 {
			return io.ErrShortWrite
		}
		p = p[n:]
	}
	return nil
}

// readFull fills p or returns an error.
func readFull(fs FS, fd int, p []byte) error {
	for len(p) > 0 {
		n, err := fs.Read(fd, p)
		if err != nil {
			return err
		}
		if n <= 0 {
			return io.ErrUnexpectedEOF
		}
		p = p[n:]
	}
	return nil
}

// makeParents creates the missing directories above path, 0700, and flushes each directory that
// got a new entry: a durable file in a directory that a power cut takes away is not durable.
func makeParents(fs FS, path string) error {
	dir := filepath.Dir(path)
	err := fs.Mkdir(dir, 0o700)
	switch {
	case err == nil:
		return flushDir(fs, filepath.Dir(dir))
	case errors.Is(err, unix.EEXIST):
		return nil
	case errors.Is(err, unix.ENOENT) && filepath.Dir(dir) != dir:
		if err := makeParents(fs, dir); err != nil {
			return err
		}
		if err := fs.Mkdir(dir, 0o700); err != nil && !errors.Is(err, unix.EEXIST) {
			return pathError("create directory", dir, err)
		}
		return flushDir(fs, filepath.Dir(dir))
	}
	// A directory that is there may still answer EACCES, EROFS or EISDIR to mkdir.
	if _, _, _, _, _, _, serr := fs.Stat(dir); serr == nil {
		return nil
	}
	return pathError("create directory", dir, err)
}

// flushDir makes the entries of dir durable. File systems that cannot flush a directory say
// EINVAL or ENOTSUP; there is nothing more to be done on them.
func flushDir(fs FS, dir string) error {
	fd, err := fs.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return pathError("open directory", dir, err)
	}
	err = fs.Fsync(fd)
	if cerr := fs.Close(fd); err == nil {
		err = cerr
	}
	if err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOTSUP) {
		return pathError("flush directory", dir, err)
	}
	return nil
}
