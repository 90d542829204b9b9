//go:build freebsd || dragonfly

package maildir

import "golang.org/x/sys/unix"

// Fsync implements [FS].
func (OS) Fsync(fd int) error { return again(func() error { return unix.Fsync(fd) }) }

// RenameNoReplace implements [FS]: there is no such call here.
func (OS) RenameNoReplace(oldp, newp string) error { return unix.ENOSYS }

// FSType implements [FS].
func (OS) FSType(path string) (name string, network bool, err error) {
	var st unix.Statfs_t
	if err := again(func() error { return unix.Statfs(path, &st) }); err != nil {
		return "", true, err
	}
	return unix.ByteSliceToString(st.Fstypename[:]), st.Flags&unix.MNT_LOCAL == 0, nil
}
