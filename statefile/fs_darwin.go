package statefile

import "golang.org/x/sys/unix"

// fsync asks the drive to empty its cache too, which plain fsync does not do on this system. File
// systems without F_FULLFSYNC get the plain one.
func fsync(fd int) error {
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_FULLFSYNC, 0); err == nil {
		return nil
	}
	return unix.Fsync(fd)
}

func tryLock(fd int) (holder int, err error) { return tryProcessLock(fd) }
