package maildir

import (
	"errors"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// State is what a directory looks like as a Maildir.
type State uint8

// The states of a directory.
const (
	Missing State = iota // not there, or a directory with none of cur, new and tmp
	Damaged              // some of cur, new and tmp are there and some are not
	Whole                // a Maildir
)

// String names the state.
func (s State) String() string {
	switch s {
	case Missing:
		return "missing"
	case Damaged:
		return "damaged"
	case Whole:
		return "whole"
	}
	return "unknown"
}

// subdirs in the order they are made: a Maildir cut short in its making lacks
// cur, so nothing takes it for an empty folder.
var subdirs = [...]string{"tmp", "new", "cur"}

// Exists looks at dir. Damaged is never an empty folder: nothing may be deleted
// anywhere because of it. An error means that it could not be found out.
func Exists(fs FS, dir string) (State, error) {
	n := 0
	for _, sub := range subdirs {
		exists, isDir, err := stat(fs, join(dir, sub))
		if err != nil {
			return Missing, err
		}
		if exists && !isDir {
			return Damaged, nil
		}
		if exists {
			n++
		}
	}
	switch n {
	case 0:
		return Missing, nil
	case len(subdirs):
		return Whole, nil
	}
	return Damaged, nil
}

// Create makes dir a Maildir: dir, its parents and cur, new and tmp, with mode
// 0700, and flushes every directory that got a new entry. What exists already
// is kept, so a Create that was cut short is finished by the next one.
func Create(fs FS, dir string) error {
	flush, err := Make(fs, dir)
	if err != nil {
		return err
	}
	return SyncDirs(fs, flush)
}

// Make is [Create] without its last flush: it gives the directories that [SyncDirs]
// is to flush before anything is recorded that relies on the folder, those of several
// folders best together.
func Make(fs FS, dir string) (flush []string, err error) {
	parent := filepath.Dir(dir)
	exists, _, err := stat(fs, parent)
	switch {
	case err != nil:
	case !exists:
		err = MakeDir(fs, parent)
	case mayFlush(fs, filepath.Dir(parent)):
		// It may have been made by a call that was killed before its flush.
		flush = append(flush, filepath.Dir(parent))
	}
	if err != nil {
		return nil, err
	}
	for _, path := range append([]string{dir}, paths(dir)...) {
		exists, isDir, err := stat(fs, path)
		switch {
		case err != nil:
			return nil, err
		case exists && !isDir:
			return nil, fail("create directory", path, unix.ENOTDIR)
		case exists:
			continue
		}
		if err := fs.Mkdir(path, 0o700); err != nil && !errors.Is(err, unix.EEXIST) {
			return nil, fail("create directory", path, err)
		}
	}
	return append(flush, parent, dir), nil
}

// paths gives tmp, new and cur of a folder.
func paths(dir string) (l []string) {
	for _, sub := range subdirs {
		l = append(l, join(dir, sub))
	}
	return l
}

// mayFlush tells whether a directory is one we may read: above our own there are
// others, which are not ours to flush.
func mayFlush(fs FS, path string) bool {
	fd, err := fs.Open(path, unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err == nil {
		fs.Close(fd)
	}
	return !errors.Is(err, unix.EACCES) && !errors.Is(err, unix.EPERM)
}
