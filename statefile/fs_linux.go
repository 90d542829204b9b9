package statefile

import "golang.org/x/sys/unix"

func fsync(fd int) error { return unix.Fsync(fd) }

// tryLock prefers the open file description lock: closing some other descriptor of the same file
// does not lose it, and a second open in the same process finds it taken. Kernels before 3.15
// answer EINVAL.
func tryLock(fd int) (holder int, err error) {
	lk := unix.Flock_t{Type: unix.F_WRLCK}
	err = again(func() error { return unix.FcntlFlock(uintptr(fd), unix.F_OFD_SETLK, &lk) })
	if err == unix.EINVAL {
		return tryProcessLock(fd)
	}
	if err == unix.EAGAIN || err == unix.EACCES {
		// A holder with the older kind of lock is known to the kernel; one of our kind is -1.
		who := unix.Flock_t{Type: unix.F_WRLCK}
		if unix.FcntlFlock(uintptr(fd), unix.F_OFD_GETLK, &who) == nil && who.Type != unix.F_UNLCK && who.Pid > 0 {
			return int(who.Pid), unix.EAGAIN
		}
	}
	return 0, err
}
