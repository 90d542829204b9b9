package maildir

import (
	"errors"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// FS is the part of the system's file interface this package uses. Its methods
// have only basic types, so that one crashing file system can stand in for the
// disk under several packages at once. Errors are unix.Errno values (or wrap
// one). Methods restart after EINTR where that is safe. A file descriptor is
// an int as the system gives it.
type FS interface {
	// Open opens path with the system's O_ flags; O_CLOEXEC is implied.
	Open(path string, flags int, perm uint32) (fd int, err error)
	// Read reads at the descriptor's offset; 0, nil is the end of the file.
	Read(fd int, p []byte) (int, error)
	// Write writes at the descriptor's offset. Fewer bytes than len(p) may be
	// written without an error.
	Write(fd int, p []byte) (int, error)
	Seek(fd int, off int64, whence int) (int64, error)
	Truncate(fd int, size int64) error
	// Fsync flushes a file's data or a directory's entries to the medium.
	Fsync(fd int) error
	// SyncFS flushes the whole file system fd lies on and reports every write
	// error since fd was opened. ENOSYS means that the system or the file
	// system gives no such promise: flush each file instead.
	SyncFS(fd int) error
	Close(fd int) error
	// Rename replaces newp. Of two hard links to one file it does nothing and
	// leaves both names.
	Rename(oldp, newp string) error
	// RenameNoReplace renames atomically and fails with EEXIST if newp exists.
	// ENOSYS means that there is no such call here: use Link and Unlink.
	RenameNoReplace(oldp, newp string) error
	Link(oldp, newp string) error
	Unlink(path string) error
	Mkdir(path string, perm uint32) error
	// Stat follows symbolic links. Mode holds the type bits (S_IFMT); times are
	// nanoseconds since 1970.
	Stat(path string) (mode uint32, size int64, dev, ino uint64, mtimeNs, ctimeNs int64, err error)
	Fstat(fd int) (mode uint32, size int64, dev, ino uint64, mtimeNs, ctimeNs int64, err error)
	// ReadNames makes one call for directory entries with buf and gives each
	// name but "." and ".."; n is the bytes used, 0 at the end. The strings are
	// the callee's to keep.
	ReadNames(fd int, buf []byte, each func(name string)) (n int, err error)
	Utimes(path string, atimeNs, mtimeNs int64) error
	// TryLock takes an exclusive lock on the whole file or fails at once with
	// EAGAIN; holder is then the pid of the process that has it, 0 if the
	// system does not say.
	TryLock(fd int) (holder int, err error)
	// FSType names the kind of file system path lies on ("ext4", "nfs", a
	// number where it is unknown); network is true where another machine may
	// change it behind our back, or where that cannot be ruled out.
	FSType(path string) (name string, network bool, err error)
}

// direntBuf is how much of a directory is read at once. A slice of 16 KiB takes
// well under a millisecond; one of 64 KiB was seen to take 13.
const direntBuf = 16 << 10

// maxPath bounds what we ask the system for; longer paths fail everywhere.
const maxPath = 4000

// stat says whether path exists and is a directory.
func stat(fs FS, path string) (exists, dir bool, err error) {
	mode, _, _, _, _, _, err := fs.Stat(path)
	switch {
	case err == nil:
		return true, mode&unix.S_IFMT == unix.S_IFDIR, nil
	case isMissing(err):
		return false, false, nil
	}
	return false, false, fail("look at", path, err)
}

// isMissing says that nothing is there. ENOTDIR: a parent is a file.
func isMissing(err error) bool {
	return errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR)
}

// SyncDir flushes a directory, so that the names taken and given up in it last.
func SyncDir(fs FS, path string) error {
	fd, err := fs.Open(path, unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return fail("open", path, err)
	}
	err = fs.Fsync(fd)
	fs.Close(fd)
	// Some file systems (FAT, several network ones) cannot flush a directory
	// and say EINVAL; they have no better to offer.
	if err != nil && !errors.Is(err, unix.EINVAL) {
		return fail("flush", path, err)
	}
	return nil
}

// SyncDirs is [SyncDir] of several directories, each once: many of one file system
// are flushed together where that can be done. The first error is given.
func SyncDirs(fs FS, paths []string) error {
	on := map[uint64][]string{}
	var devs []uint64
	seen := map[string]bool{}
	for _, path := range paths {
		if seen[path] {
			continue
		}
		seen[path] = true
		_, _, dev, _, _, _, err := fs.Stat(path)
		if err != nil {
			return fail("look at", path, err)
		}
		if on[dev] == nil {
			devs = append(devs, dev)
		}
		on[dev] = append(on[dev], path)
	}
	for _, dev := range devs {
		l := on[dev]
		if len(l) > smallGroup {
			if err := syncAll(fs, l[0]); !errors.Is(err, unix.ENOSYS) {
				if err != nil {
					return err
				}
				continue
			}
		}
		for _, path := range l {
			if err := SyncDir(fs, path); err != nil {
				return err
			}
		}
	}
	return nil
}

// syncAll flushes the file system that a directory lies on; ENOSYS says that this
// cannot be done.
func syncAll(fs FS, dir string) error {
	fd, err := fs.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return fail("open", dir, err)
	}
	err = fs.SyncFS(fd)
	fs.Close(fd)
	if err != nil && !errors.Is(err, unix.ENOSYS) {
		return fail("flush", dir, err)
	}
	return err
}

// MakeDir creates a directory and its missing parents, all with mode 0700, and
// flushes the parent of each one it made. The parent of the first one found is
// flushed too: it may have been made by a call that was killed before its flush.
// It is no error if path is a directory already.
func MakeDir(fs FS, path string) error {
	exists, dir, err := stat(fs, path)
	if err != nil {
		return err
	}
	parent := filepath.Dir(path)
	if exists {
		if !dir {
			return fail("create directory", path, unix.ENOTDIR)
		}
		// Above our own directories are ones we may not read: not ours to flush.
		if err := SyncDir(fs, parent); err != nil && !errors.Is(err, unix.EACCES) && !errors.Is(err, unix.EPERM) {
			return err
		}
		return nil
	}
	if parent != path {
		if err := MakeDir(fs, parent); err != nil {
			return err
		}
	}
	if err := fs.Mkdir(path, 0o700); err != nil && !errors.Is(err, unix.EEXIST) {
		return fail("create directory", path, err)
	}
	return SyncDir(fs, parent)
}

// readDir gives all names of a directory. buf is what it may read into.
func readDir(fs FS, path string, buf []byte, each func(name string)) error {
	fd, err := fs.Open(path, unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return fail("open", path, err)
	}
	defer fs.Close(fd)
	for {
		n, err := fs.ReadNames(fd, buf, each)
		if err != nil {
			return fail("read directory", path, err)
		}
		if n == 0 {
			return nil
		}
	}
}

// noAtomic says that the system has no rename that refuses a target.
func noAtomic(err error) bool {
	return errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EINVAL) ||
		errors.Is(err, unix.ENOTSUP) || errors.Is(err, unix.EOPNOTSUPP)
}

// noLinks says that the file system has no hard links (FAT and its kin).
func noLinks(err error) bool {
	return errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EMLINK) ||
		errors.Is(err, unix.ENOTSUP) || errors.Is(err, unix.EOPNOTSUPP)
}

// moveFile renames oldp to newp and never overwrites: an existing target is an
// *ExistsError. The error for a missing source wraps ENOENT.
//
// Without an atomic rename it links, flushes the directory of the new name, and
// unlinks: a power cut may then leave both names but never none. A call that
// finds both names of one file, left so by such a cut, finishes the work.
func moveFile(fs FS, oldp, newp string) error {
	if oldp == newp {
		exists, _, err := stat(fs, oldp)
		if err == nil && !exists {
			err = fail("rename", oldp, unix.ENOENT)
		}
		return err
	}
	err := fs.RenameNoReplace(oldp, newp)
	if err != nil && noAtomic(err) {
		err = linkMove(fs, oldp, newp)
	}
	if errors.Is(err, unix.EEXIST) {
		return settleBoth(fs, oldp, newp)
	}
	if err != nil {
		return fail("rename", oldp, err)
	}
	return nil
}

// linkMove is moveFile for systems without RENAME_NOREPLACE.
func linkMove(fs FS, oldp, newp string) error {
	err := fs.Link(oldp, newp)
	if err != nil && noLinks(err) {
		// The last resort has a gap between the look and the rename. Names are
		// unique by construction, so only a hostile writer could use it.
		if exists, _, serr := stat(fs, newp); serr != nil {
			return serr
		} else if exists {
			return unix.EEXIST
		}
		return fs.Rename(oldp, newp)
	}
	if err != nil {
		return err
	}
	if err := SyncDir(fs, filepath.Dir(newp)); err != nil {
		fs.Unlink(newp)
		return err
	}
	err = fs.Unlink(oldp)
	if errors.Is(err, unix.ENOENT) {
		// A mail reader was faster: it renamed the old name, or removed it.
		// Either way ours is one too many, and the caller looks again.
		fs.Unlink(newp)
	}
	return err
}

// settleBoth decides what an existing target means: another file (an error), a
// second hard link of ours (the old name goes), or the very same entry on a
// file system that folds case (a plain rename then changes the case). Taking
// the third for the second would delete the message, hence the look at the
// directory itself.
func settleBoth(fs FS, oldp, newp string) error {
	_, _, odev, oino, _, _, err := fs.Stat(oldp)
	if err != nil {
		return fail("rename", oldp, err)
	}
	_, _, ndev, nino, _, _, err := fs.Stat(newp)
	if err != nil {
		return fail("rename", newp, err)
	}
	if odev != ndev || oino != nino {
		return &ExistsError{Path: newp}
	}
	oldThere, err := listed(fs, oldp)
	if err != nil {
		return err
	}
	newThere, err := listed(fs, newp)
	if err != nil {
		return err
	}
	switch {
	case oldThere && newThere:
		err = fs.Unlink(oldp)
	case oldThere:
		err = fs.Rename(oldp, newp)
	default:
		return nil // someone finished it meanwhile
	}
	if err != nil && !errors.Is(err, unix.ENOENT) {
		return fail("rename", oldp, err)
	}
	return nil
}

// listed says whether the directory holds exactly this name.
func listed(fs FS, path string) (bool, error) {
	want, found := filepath.Base(path), false
	err := readDir(fs, filepath.Dir(path), make([]byte, direntBuf), func(name string) { found = found || name == want })
	return found, err
}

// join is filepath.Join without the cleaning, which the hot paths do not need.
func join(dir string, parts ...string) string {
	return strings.TrimSuffix(dir, "/") + "/" + strings.Join(parts, "/")
}
