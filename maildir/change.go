package maildir

import (
	"errors"

	"golang.org/x/sys/unix"
)

// Entry is where a message lies: its file name, in new or in cur.
type Entry struct {
	File  string
	InNew bool
}

// Sub is the directory's name, "new" or "cur".
func (e Entry) Sub() string {
	if e.InNew {
		return "new"
	}
	return "cur"
}

// String gives "cur/name".
func (e Entry) String() string { return e.Sub() + "/" + e.File }

func entryPath(dir string, e Entry) string { return join(dir, e.Sub(), e.File) }

// unique is the part of the name that stays when a mail reader renames it.
func (e Entry) unique() string { return ParseName(e.File, sepOf(e.File)).Unique }

// Rename gives a message another name, to change its flags or to write its UID
// into it, and never replaces a file. It returns where the message is now.
//
// If a mail reader has renamed the message meanwhile, its edit is kept: the
// letters that differ between from and to are changed in the present name, the
// base is to's, and a message that has S goes to cur; one that it has moved between
// new and cur stays where it is. The result then differs from to. If it is gone the
// error is a *VanishedError. Nothing is flushed: see [Sync].
func Rename(fs FS, dir string, from, to Entry) (Entry, error) {
	return NewFinder(fs, dir, nil).Rename(from, to)
}

// Rename is the function [Rename].
func (l *Finder) Rename(from, to Entry) (Entry, error) {
	result := to
	err := l.follow(from, func(now Entry) error {
		result = rebase(from, to, now)
		return moveFile(l.fs, entryPath(l.dir, now), entryPath(l.dir, result))
	})
	if err != nil {
		return Entry{}, err
	}
	return result, nil
}

// rebase applies the change from→to to a message that is called now.
func rebase(from, to, now Entry) Entry {
	if now == from {
		return to
	}
	sep := sepOf(to.File)
	was, want := ParseName(from.File, sepOf(from.File)), ParseName(to.File, sep)
	have := ParseName(now.File, sepOf(now.File))
	want.Flags = have.Flags&^(was.Flags&^want.Flags) | want.Flags&^was.Flags
	want.Info = want.Info || have.Info
	if want.Extra == was.Extra {
		want.Extra = have.Extra
	}
	inNew := to.InNew
	if inNew == from.InNew {
		inNew = now.InNew
	}
	return Entry{File: want.File(sep), InNew: inNew && !want.Flags.Has('S')}
}

// Remove deletes a message, under its present name if a mail reader has renamed
// it. A message that is gone already is no error. Nothing is flushed: see [Sync].
func Remove(fs FS, dir string, e Entry) error { return NewFinder(fs, dir, nil).Remove(e) }

// Remove is the function [Remove].
func (l *Finder) Remove(e Entry) error {
	err := l.follow(e, func(now Entry) error {
		path := entryPath(l.dir, now)
		if err := l.fs.Unlink(path); err != nil {
			return fail("remove", path, err)
		}
		return nil
	})
	if _, gone := errors.AsType[*VanishedError](err); gone {
		return nil
	}
	return err
}

// MoveTo moves a message, as it is now called, into destDir, a plain directory
// (the trash) that is made with mode 0700 if it is missing. It must lie on the
// same file system, else the error wraps EXDEV. Nothing is replaced: an
// *ExistsError says that destDir has the name already. A message that is gone is
// a *VanishedError. Before the move is recorded both sides must be flushed, with
// [SyncDir] of destDir and [Sync] of dir, in this order.
func MoveTo(fs FS, dir string, e Entry, destDir string) error {
	return NewFinder(fs, dir, nil).MoveTo(e, destDir)
}

// MoveTo is the function [MoveTo].
func (l *Finder) MoveTo(e Entry, destDir string) error {
	if exists, _, err := stat(l.fs, destDir); err != nil {
		return err
	} else if !exists {
		if err := MakeDir(l.fs, destDir); err != nil {
			return err
		}
	}
	return l.follow(e, func(now Entry) error {
		return moveFile(l.fs, entryPath(l.dir, now), join(destDir, now.File))
	})
}

// MoveEntry moves a message to another Maildir of the same file system under the
// name of to, and returns where it is now. The rules are those of [MoveTo], but
// the Maildir must exist; and if a mail reader has renamed the message meanwhile,
// its edit is kept as [Rename] keeps it.
func MoveEntry(fs FS, dir string, e Entry, destDir string, to Entry) (Entry, error) {
	result := to
	err := NewFinder(fs, dir, nil).follow(e, func(now Entry) error {
		result = rebase(e, to, now)
		return moveFile(fs, entryPath(dir, now), entryPath(destDir, result))
	})
	if err != nil {
		return Entry{}, err
	}
	return result, nil
}

// Restore brings a file that lies outside every Maildir (in the trash) back into
// the Maildir dir as the message to. Nothing is replaced: an *ExistsError says
// that another message has the name. If to is the same file already, as an
// interrupted try may leave it, only the old name is taken away. Before the
// trash is believed to lack it, dir must be flushed with [Sync], then the
// file's old directory with [SyncDir].
func Restore(fs FS, path, dir string, to Entry) error {
	return moveFile(fs, path, entryPath(dir, to))
}

// Sync flushes the files given, under their present names, and with dirs also
// new and cur. It is to be called before anything is recorded that relies on
// them, also for files a mail reader has written: it may not have flushed them.
// After an error nothing may be recorded.
func Sync(fs FS, dir string, files []Entry, dirs bool) error {
	for _, e := range files {
		err := NewFinder(fs, dir, nil).follow(e, func(now Entry) error {
			path := entryPath(dir, now)
			fd, err := fs.Open(path, unix.O_RDONLY, 0)
			if err != nil {
				return fail("open", path, err)
			}
			defer fs.Close(fd)
			if err := fs.Fsync(fd); err != nil {
				return fail("flush", path, err)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	if !dirs {
		return nil
	}
	// cur first: a message moves from new to cur far more often than back, and
	// its new name should be safe before the old one is gone.
	if err := SyncDir(fs, join(dir, "cur")); err != nil {
		return err
	}
	return SyncDir(fs, join(dir, "new"))
}
