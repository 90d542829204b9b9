package maildir

import "golang.org/x/sys/unix"

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
	if err := MakeDir(fs, dir); err != nil {
		return err
	}
	for _, sub := range subdirs {
		path := join(dir, sub)
		exists, isDir, err := stat(fs, path)
		if err != nil {
			return err
		}
		if exists {
			if !isDir {
				return fail("create directory", path, unix.ENOTDIR)
			}
			continue
		}
		if err := fs.Mkdir(path, 0o700); err != nil {
			return fail("create directory", path, err)
		}
	}
	return SyncDir(fs, dir)
}
