//go:build linux || freebsd || netbsd || dragonfly

package reactor

import (
	"runtime"

	"golang.org/x/sys/unix"
)

func setKeepalive(fd, seconds int) {
	if runtime.GOOS == "dragonfly" {
		seconds *= 1000 // its kernel counts milliseconds
	}
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, seconds)
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, seconds)
}
