package maildir

import (
	"errors"
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"
)

// ErrNoWatch says that this system has no way to watch directories that fits.
var ErrNoWatch = errors.New("maildir: " + runtime.GOOS + " offers no way to watch a Maildir; it is scanned instead")

// Error is a failed operation on the disk.
type Error struct {
	Op   string // what was tried, as a verb: "flush", "rename"
	Path string // on what
	Err  error  // why it failed
}

// Error says what failed, on what, and what to do about it where that is known.
func (e *Error) Error() string {
	s := fmt.Sprintf("maildir: cannot %s %s: %v", e.Op, e.Path, e.Err)
	if h := e.Hint(); h != "" {
		s += " (" + h + ")"
	}
	return s
}

// Unwrap gives the cause, normally a unix.Errno.
func (e *Error) Unwrap() error { return e.Err }

// Hint says what the user can do, "" if we know nothing better than the error.
func (e *Error) Hint() string {
	for _, h := range hints {
		if errors.Is(e.Err, h.errno) {
			return h.text
		}
	}
	return ""
}

var hints = []struct {
	errno unix.Errno
	text  string
}{
	{unix.ENOSPC, "free some space"},
	{unix.EDQUOT, "your disk quota is used up; free some space"},
	{unix.EROFS, "the file system is mounted read-only"},
	{unix.EACCES, "check owner and permissions of the directory"},
	{unix.EPERM, "check owner, permissions and attributes of the directory"},
	{unix.EIO, "the disk reports an error; look at the system log before trying again"},
	{unix.EMFILE, "too many open files; raise ulimit -n"},
	{unix.ENFILE, "the system is out of open files"},
	{unix.ENAMETOOLONG, "the name is too long for this file system"},
	{unix.EXDEV, "both directories must be on one file system"},
	{unix.ESTALE, "the network file system was mounted anew; start again"},
	{unix.ELOOP, "it is a symbolic link, which is not followed; put the message itself there"},
	{unix.EILSEQ, "the file system does not take this name"},
}

// fail wraps err; an error that already tells its path is left alone.
func fail(op, path string, err error) error {
	var e *Error
	if errors.As(err, &e) {
		return err
	}
	return &Error{Op: op, Path: path, Err: err}
}

// ExistsError says that a name to be taken belongs to another file. Nothing was
// changed.
type ExistsError struct{ Path string }

// Error names the path.
func (e *ExistsError) Error() string {
	return fmt.Sprintf("maildir: %s exists already and is not replaced", e.Path)
}

// Is makes errors.Is(err, unix.EEXIST) true.
func (e *ExistsError) Is(target error) bool { return target == unix.EEXIST }

// VanishedError says that a message is in neither new nor cur under any name
// with its unique part, seen in a look at both directories while they stood
// still. It is no proof of a delete: see [Scanner] for what one needs.
type VanishedError struct{ Dir, Unique string }

// Error names the folder's directory and the message.
func (e *VanishedError) Error() string {
	return fmt.Sprintf("maildir: message %s is gone from %s", e.Unique, e.Dir)
}

// BusyError says that the directories changed under every attempt to find a
// message; try again later.
type BusyError struct{ Dir, Unique string }

// Error names the folder's directory and the message.
func (e *BusyError) Error() string {
	return fmt.Sprintf("maildir: %s changes too fast to find message %s; it is tried again later", e.Dir, e.Unique)
}

// NameError says that a folder name cannot be a directory below the root.
type NameError struct{ Name, Reason string }

// Error quotes the name, since it may come from a hostile server.
func (e *NameError) Error() string {
	return fmt.Sprintf("maildir: folder name %q is not usable: %s (rename the folder or exclude it)", e.Name, e.Reason)
}

// ChangedError says that a file's content changed while it was read. Messages
// are never edited in place by mail readers, so it counts as damaged.
type ChangedError struct{ Path string }

// Error names the path.
func (e *ChangedError) Error() string {
	return fmt.Sprintf("maildir: %s changed while it was read; it is tried again later", e.Path)
}
