package maildir

import (
	"errors"

	"golang.org/x/sys/unix"
)

// Open implements [FS]. Only the owner of a directory may read it so; others read
// it as usual.
func (u Unseen) Open(path string, flags int, perm uint32) (fd int, err error) {
	if flags&unix.O_DIRECTORY != 0 {
		if fd, err = u.OS.Open(path, flags|unix.O_NOATIME, perm); !errors.Is(err, unix.EPERM) {
			return fd, err
		}
	}
	return u.OS.Open(path, flags, perm)
}
