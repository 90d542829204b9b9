package main

import (
	"errors"
	"syscall"
)

// syslogSocket is where the system's log daemon listens on Linux and most others.
const syslogSocket = "/dev/log"

// syslogSender writes to the log daemon: each Write is a datagram. What the daemon
// does not take at once is dropped, so that the loop never waits for it.
type syslogSender struct {
	path string
	fd   int
}

func openSyslog(path string) (*syslogSender, error) {
	s := &syslogSender{path: path, fd: -1}
	return s, s.dial()
}

func (s *syslogSender) dial() error {
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_DGRAM, 0)
	if err != nil {
		return err
	}
	syscall.CloseOnExec(fd)
	if err = syscall.SetNonblock(fd, true); err == nil {
		err = syscall.Connect(fd, &syscall.SockaddrUnix{Name: s.path})
	}
	if err != nil {
		syscall.Close(fd)
		return err
	}
	s.close()
	s.fd = fd
	return nil
}

// Write sends a line, to a daemon that was started anew as well.
func (s *syslogSender) Write(b []byte) (int, error) {
	_, err := syscall.Write(s.fd, b)
	if err != nil && !errors.Is(err, syscall.EAGAIN) && !errors.Is(err, syscall.ENOBUFS) && s.dial() == nil {
		syscall.Write(s.fd, b)
	}
	return len(b), nil
}

func (s *syslogSender) close() {
	if s.fd >= 0 {
		syscall.Close(s.fd)
	}
}
