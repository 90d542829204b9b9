//go:build darwin || freebsd || openbsd || netbsd || dragonfly

package reactor

import "syscall"

// wantPidfd does nothing: there are no process descriptors to be had here.
func wantPidfd(*syscall.SysProcAttr, *int) {}
