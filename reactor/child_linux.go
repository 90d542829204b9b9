package reactor

import "syscall"

// wantPidfd asks for a descriptor that becomes readable when the child exits;
// *fd stays -1 on kernels before 5.3.
func wantPidfd(a *syscall.SysProcAttr, fd *int) { a.PidFD = fd }
