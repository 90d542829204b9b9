package sqlite3

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// The bytes SQLite's lock protocol uses. They lie beyond most files' ends; nothing is ever there.
const (
	pendingByte = 1 << 30
	sharedFirst = pendingByte + 2
	sharedSize  = 510
)

// OpenFile opens the database at path, never creates or changes anything, and keeps SQLite's
// shared lock until Close, so that no program that keeps to it writes meanwhile; on a file system
// without locks it goes on without. Errors besides Open's: a missing file is os.ErrNotExist,
// something else than a file a *FormatError, an unfinished transaction an *UnfinishedError, a
// program that is writing a *BusyError.
//
// The lock belongs to the process: another descriptor of the same file that is closed loses it.
func OpenFile(path string) (*DB, error) {
	// Without O_NONBLOCK a FIFO put there would stop us for ever.
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	db, err := openLocked(f, path)
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	db.close = f.Close
	return db, nil
}

func openLocked(f *os.File, path string) (*DB, error) {
	if fi, err := f.Stat(); err != nil {
		return nil, err
	} else if !fi.Mode().IsRegular() {
		return nil, &FormatError{fmt.Sprintf("%s is not a regular file", path)}
	}
	if err := lockShared(f); err != nil {
		if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EACCES) {
			return nil, &BusyError{Path: path}
		}
		// No locks here. The change counter still tells most changes.
	}
	// Only now: a journal that is there under the lock is nobody's who is still writing.
	for _, beside := range []struct {
		suffix string
		kind   func([]byte) bool
	}{{"-journal", isJournal}, {"-wal", isWAL}} {
		found, err := startsAs(path+beside.suffix, beside.kind)
		if err != nil {
			return nil, err
		}
		if found {
			return nil, &UnfinishedError{Path: path, Beside: path + beside.suffix}
		}
	}
	fi, err := f.Stat()
	if err != nil {
		return nil, err
	}
	return Open(f, fi.Size())
}

// lockShared does what SQLite does before it reads: the pending byte first, so that a waiting
// writer is not starved, then the shared range.
func lockShared(f *os.File) error {
	set := func(typ int16, start, length int64) error {
		l := unix.Flock_t{Type: typ, Whence: io.SeekStart, Start: start, Len: length}
		return unix.FcntlFlock(f.Fd(), unix.F_SETLK, &l)
	}
	if err := set(unix.F_RDLCK, pendingByte, 1); err != nil {
		return err
	}
	err := set(unix.F_RDLCK, sharedFirst, sharedSize)
	if uerr := set(unix.F_UNLCK, pendingByte, 1); err == nil {
		err = uerr
	}
	return err
}

// startsAs tells whether the file at path is there and its first bytes are of that kind.
func startsAs(path string, kind func([]byte) bool) (bool, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, unix.ENAMETOOLONG) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer func() { _ = f.Close() }()
	if fi, err := f.Stat(); err != nil || !fi.Mode().IsRegular() {
		return false, err
	}
	b := make([]byte, 8)
	n, err := io.ReadFull(f, b)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return false, err
	}
	return kind(b[:n]), nil
}

// isJournal tells whether SQLite would play the journal back. It would not if the header was
// zeroed at the end of a transaction (PERSIST) or never flushed. A file of this name may also be
// another database: that of a mail folder called X-journal.
func isJournal(b []byte) bool { return string(b) == "\xd9\xd5\x05\xf9\x20\xa1\x63\xd7" }

// isWAL tells whether the file is a write-ahead log that may hold transactions.
func isWAL(b []byte) bool {
	return len(b) >= 4 && binary.BigEndian.Uint32(b)&^1 == 0x377f0682
}

// quote makes s one word for the shell.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
