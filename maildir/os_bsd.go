//go:build darwin || freebsd || openbsd || netbsd || dragonfly

package maildir

import "golang.org/x/sys/unix"

// fcntl locks are all there is here; they are lost when any descriptor of the
// file is closed, so the owner of a lock must keep the only one.
const (
	setLock = unix.F_SETLK
	getLock = unix.F_GETLK
)

// SyncFS implements [FS]: there is no syncfs here.
func (OS) SyncFS(int) error { return unix.ENOSYS }

// ReadNames implements [FS] with getdirentries.
func (OS) ReadNames(fd int, buf []byte, each func(name string)) (n int, err error) {
	n, err = againN(func() (int, error) { return unix.ReadDirent(fd, buf) })
	if err != nil {
		return 0, err
	}
	_, _, names := unix.ParseDirent(buf[:n], -1, nil)
	for _, name := range names {
		each(name)
	}
	return n, nil
}
