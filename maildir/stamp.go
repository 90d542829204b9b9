package maildir

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// Stamp identifies a directory and its last change: creating, renaming, linking
// and removing an entry all change it; changing a message's content does not.
type Stamp struct {
	Dev, Ino     uint64
	Mtime, Ctime int64 // nanoseconds since 1970
}

// String gives the form [ParseStamp] reads: four numbers with dots between.
func (s Stamp) String() string {
	return fmt.Sprintf("%d.%d.%d.%d", s.Dev, s.Ino, s.Mtime, s.Ctime)
}

// ParseStamp reads what String wrote and nothing else.
func ParseStamp(text string) (Stamp, error) {
	var s Stamp
	if _, err := fmt.Sscanf(text, "%d.%d.%d.%d", &s.Dev, &s.Ino, &s.Mtime, &s.Ctime); err != nil || s.String() != text {
		return Stamp{}, fmt.Errorf("maildir: %.60q is not a stamp (device.inode.mtime.ctime)", text)
	}
	return s, nil
}

// Stamps reads the stamps of a folder's new and cur.
func Stamps(fs FS, dir string) (newDir, curDir Stamp, err error) {
	if newDir, err = stampOf(fs, join(dir, "new")); err == nil {
		curDir, err = stampOf(fs, join(dir, "cur"))
	}
	return newDir, curDir, err
}

func stampOf(fs FS, path string) (Stamp, error) {
	mode, _, dev, ino, mtime, ctime, err := fs.Stat(path)
	if err == nil && mode&unix.S_IFMT != unix.S_IFDIR {
		err = unix.ENOTDIR
	}
	if err != nil {
		return Stamp{}, fail("look at", path, err)
	}
	return Stamp{Dev: dev, Ino: ino, Mtime: mtime, Ctime: ctime}, nil
}

// Trust says how far a file system's stamps can be believed.
type Trust struct {
	Kind   string        // the kind of file system, for messages
	Margin time.Duration // how old a stamp must be to count; 0: they never count
}

// ProbeTrust finds out what kind of file system dir lies on. Where another
// machine may write, stamps never count: they come from caches. FAT keeps times
// in steps of two seconds, so its margin is wider.
func ProbeTrust(fs FS, dir string) (Trust, error) {
	kind, network, err := fs.FSType(dir)
	if err != nil {
		return Trust{}, fail("look at the file system of", dir, err)
	}
	t := Trust{Kind: kind, Margin: 2 * time.Second}
	switch {
	case network:
		t.Margin = 0
	case kind == "vfat" || kind == "exfat" || kind == "msdos" || kind == "msdosfs":
		t.Margin = 4 * time.Second
	}
	return t, nil
}

// Counts says whether an unchanged stamp proves an unchanged directory. fsNow
// is the file system's own time, from [Clock]. A stamp younger than the margin
// is racy: the directory may have changed again within the same tick of the
// file system's clock. One in the future says nothing at all.
func (t Trust) Counts(s Stamp, fsNow int64) bool {
	if t.Margin <= 0 {
		return false
	}
	limit := fsNow - int64(t.Margin)
	return s.Mtime <= limit && s.Ctime <= limit
}

// clockFile is written and removed in tmp, which no mail reader looks at.
const clockFile = ".offloop-clock"

// Clock gives the time by the file system's own clock, in nanoseconds since
// 1970: the time stamp of a file just written in dir's tmp. It changes neither
// new nor cur.
func Clock(fs FS, dir string) (int64, error) {
	path := join(dir, "tmp", clockFile)
	fd, err := fs.Open(path, unix.O_WRONLY|unix.O_CREAT|unix.O_TRUNC|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return 0, fail("create", path, err)
	}
	_, err = fs.Write(fd, []byte{'\n'})
	var mtime int64
	if err == nil {
		_, _, _, _, mtime, _, err = fs.Fstat(fd)
	}
	fs.Close(fd)
	if uerr := fs.Unlink(path); err == nil && !isMissing(uerr) {
		err = uerr
	}
	if err != nil {
		return 0, fail("write", path, err)
	}
	return mtime, nil
}
