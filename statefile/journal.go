package statefile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// TakeJournal returns the lines of all changes since the last call, nil if there are none. They
// have no checksums yet: those depend on the file and are added by AppendJournal. The caller
// appends them in the order in which they were taken; lines whose append failed are appended
// again, before any later ones.
func (f *Folder) TakeJournal() []byte {
	b := f.journal
	f.journal = nil
	return b
}

// AppendJournal adds lines from TakeJournal to a state file. It creates the file (0600) and the
// directories above it (0700) if they are missing. With sync, all of the file is durable when it
// returns nil. On an error the file is, as far as that can be done, cut back to what it was, and
// the same lines may be appended again; after a failed flush a new file takes its place (see
// renew). A file that ends in a torn line is refused with a
// *TornError. The cost is that of the lines, whatever the size of the file.
func AppendJournal(fs FS, path string, b []byte, sync bool) error {
	if len(b) == 0 {
		return nil
	}
	if b[len(b)-1] != '\n' {
		return fmt.Errorf("failed to append to state file %s: the lines are not complete", path)
	}
	for line := range bytes.Lines(b) {
		if len(line) > maxLine-trailLen {
			return fmt.Errorf("failed to append to state file %s: a line of %d bytes could not be read again", path, len(line))
		}
	}
	fd, err := openAppend(fs, path)
	if err != nil {
		return err
	}
	err = appendTo(fs, fd, path, b, sync)
	if cerr := fs.Close(fd); err == nil && cerr != nil {
		err = pathError("close state file", path, cerr)
	}
	return err
}

func openAppend(fs FS, path string) (int, error) {
	const flags = unix.O_RDWR | unix.O_CREAT | unix.O_CLOEXEC
	fd, err := fs.Open(path, flags, 0o600)
	if errors.Is(err, os.ErrNotExist) {
		if err := makeParents(fs, path); err != nil {
			return -1, err
		}
		fd, err = fs.Open(path, flags, 0o600)
	}
	if err != nil {
		return -1, pathError("open state file", path, err)
	}
	return fd, nil
}

func appendTo(fs FS, fd int, path string, b []byte, sync bool) error {
	size, err := fs.Seek(fd, 0, io.SeekEnd)
	if err != nil {
		return pathError("read state file", path, err)
	}
	last, sum, err := lastLine(fs, fd, size)
	if errors.Is(err, errTorn) {
		return &TornError{Path: path}
	}
	if err != nil {
		return pathError("read state file", path, err)
	}
	out := make([]byte, 0, len(b)+len(b)/2+64)
	if size == 0 {
		out, sum = seal(append(out, headWord+version...), 0, markPlain, 0)
	}
	out, _ = sealAll(out, b, last.before(), sync, sum)
	err = writeAll(fs, fd, out)
	unflushed := false
	if err == nil && sync {
		err = fs.Fsync(fd)
		unflushed = err != nil
	}
	if err == nil && sync && !last.before() {
		// The last append was not flushed, or there was none: the name may not be durable either.
		if err = flushDir(fs, filepath.Dir(path)); err != nil {
			_ = fs.Truncate(fd, size) // or the next append would take the name for durable
			return err
		}
	}
	if err != nil {
		// Without this the next append would follow a torn line, or lines that were
		// written but may have been lost by the failed flush.
		_ = fs.Truncate(fd, size)
		err = pathError("append to state file", path, err)
		if unflushed {
			err = errors.Join(err, renew(fs, fd, path, size))
		}
	}
	return err
}

// renew puts a copy of the first size bytes of a file in its place. After a failed flush the
// system may take for written what never reached the disk, and every later flush of that file
// would succeed without writing it; only a file of its own can be flushed again.
func renew(fs FS, fd int, path string, size int64) error {
	if _, err := fs.Seek(fd, 0, io.SeekStart); err != nil {
		return pathError("read state file", path, err)
	}
	s, err := createBeside(fs, path, renewSuffix)
	if err != nil {
		return err
	}
	buf := make([]byte, 64<<10)
	for size > 0 && err == nil {
		p := buf[:min(size, int64(len(buf)))]
		if err = readFull(fs, fd, p); err == nil {
			err = s.Write(p)
		}
		size -= int64(len(p))
	}
	if err != nil {
		s.Discard()
		return pathError("renew state file", path, err)
	}
	return s.Commit()
}

var errTorn = errors.New("torn")

// lastLine reads the mark and the checksum at the end of the file and leaves the position there.
func lastLine(fs FS, fd int, size int64) (mark, uint32, error) {
	if size == 0 {
		return markPlain, 0, nil
	}
	if size < trailLen {
		return 0, 0, errTorn
	}
	if _, err := fs.Seek(fd, size-trailLen, io.SeekStart); err != nil {
		return 0, 0, err
	}
	var trail [trailLen]byte
	if err := readFull(fs, fd, trail[:]); err != nil {
		return 0, 0, err
	}
	_, m, sum, ok := split(trail[:trailLen-1])
	if !ok || trail[trailLen-1] != '\n' {
		return 0, 0, errTorn
	}
	return m, sum, nil
}

// sealAll adds the lines in b, sealed, to dst. after: all before them had been flushed; before:
// they will be.
func sealAll(dst, b []byte, after, before bool, sum uint32) ([]byte, uint32) {
	first := true
	for len(b) > 0 {
		i := bytes.IndexByte(b, '\n')
		start := len(dst)
		dst = append(dst, b[:i]...)
		b = b[i+1:]
		dst, sum = seal(dst, start, makeMark(first && after, before && len(b) == 0), sum)
		first = false
	}
	return dst, sum
}

// Truncate cuts a torn tail off: goodLen is Report.GoodLen. The cut is durable when it returns.
func Truncate(fs FS, path string, goodLen int64) error {
	fd, err := fs.Open(path, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return pathError("open state file", path, err)
	}
	if err = fs.Truncate(fd, goodLen); err == nil {
		if err = fs.Fsync(fd); err != nil && renew(fs, fd, path, goodLen) == nil {
			err = nil // the new file is as it should be, and durable
		}
	}
	if cerr := fs.Close(fd); err == nil {
		err = cerr
	}
	if err != nil {
		return pathError("cut the torn end off state file", path, err)
	}
	return nil
}
