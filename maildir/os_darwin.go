package maildir

import (
	"errors"

	"golang.org/x/sys/unix"
)

// Fsync implements [FS]. Plain fsync stops at the drive's cache on this system.
// File systems that do not know F_FULLFSYNC get the plain one.
func (OS) Fsync(fd int) error {
	err := again(func() error {
		_, err := unix.FcntlInt(uintptr(fd), unix.F_FULLFSYNC, 0)
		return err
	})
	if errors.Is(err, unix.ENOTSUP) || errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOTTY) {
		return again(func() error { return unix.Fsync(fd) })
	}
	return err
}

// RenameNoReplace implements [FS].
func (OS) RenameNoReplace(oldp, newp string) error {
	err := again(func() error { return unix.RenamexNp(oldp, newp, unix.RENAME_EXCL) })
	if errors.Is(err, unix.ENOTSUP) || errors.Is(err, unix.EINVAL) {
		return unix.ENOSYS
	}
	return err
}

// FSType implements [FS].
func (OS) FSType(path string) (name string, network bool, err error) {
	var st unix.Statfs_t
	if err := again(func() error { return unix.Statfs(path, &st) }); err != nil {
		return "", true, err
	}
	return unix.ByteSliceToString(st.Fstypename[:]), st.Flags&unix.MNT_LOCAL == 0, nil
}
