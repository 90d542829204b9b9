package reactor

import (
	"os"

	"golang.org/x/sys/unix"
)

// newWake returns the descriptor that Post rings: an eventfd is both ends.
func newWake() (r, w int, err error) {
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return -1, -1, os.NewSyscallError("eventfd", err)
	}
	return fd, fd, nil
}
