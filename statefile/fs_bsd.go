//go:build unix && !linux && !darwin

package statefile

import "golang.org/x/sys/unix"

func fsync(fd int) error { return unix.Fsync(fd) }

func tryLock(fd int) (holder int, err error) { return tryProcessLock(fd) }
