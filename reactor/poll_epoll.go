//go:build linux

package reactor

import (
	"errors"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// readyFD is one event of a poll.
type readyFD struct {
	fd int
	ev Events
}

// pollBatch is how many events one poll collects. More are found by the next.
const pollBatch = 128

// poller is epoll behind the four functions every poller has: newPoller, set,
// wait, close.
//
// The loop does not sleep in epoll_wait. The epoll descriptor is itself readable
// when it has events, so it is registered in Go's own netpoller and the loop
// parks there. A goroutine that posts can then hand its processor straight to
// the loop; asleep in the system call the loop would wait for the runtime to
// notice, up to 17 ms with GOMAXPROCS=1.
type poller struct {
	fd     int
	ready  [pollBatch]readyFD
	n      int
	events [pollBatch]unix.EpollEvent

	file  *os.File
	raw   syscall.RawConn
	try   func(fd uintptr) bool // made once, so that parking allocates nothing
	err   error
	armed time.Time // the read deadline now set on file; zero = none
}

func newPoller() (*poller, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	p := &poller{fd: fd}
	// os.NewFile registers a descriptor in the netpoller only if it is non-blocking.
	if err := unix.SetNonblock(fd, true); err != nil {
		unix.Close(fd)
		return nil, os.NewSyscallError("fcntl", err)
	}
	p.file = os.NewFile(uintptr(fd), "epoll")
	if p.raw, err = p.file.SyscallConn(); err != nil {
		p.file.Close()
		return nil, err
	}
	p.try = func(uintptr) bool {
		p.n, p.err = p.collect(0)
		return p.n > 0 || p.err != nil
	}
	return p, nil
}

// set replaces the interest old in fd by now. Interest in nothing leaves the
// set altogether: epoll reports hang-ups whether asked for or not.
func (p *poller) set(fd int, old, now Events) error {
	var e unix.EpollEvent
	e.Fd = int32(fd)
	if now&Readable != 0 {
		e.Events |= unix.EPOLLIN
	}
	if now&Writable != 0 {
		e.Events |= unix.EPOLLOUT
	}
	switch {
	case old == 0:
		return os.NewSyscallError("epoll_ctl", unix.EpollCtl(p.fd, unix.EPOLL_CTL_ADD, fd, &e))
	case now == 0:
		return os.NewSyscallError("epoll_ctl", unix.EpollCtl(p.fd, unix.EPOLL_CTL_DEL, fd, &e))
	default:
		return os.NewSyscallError("epoll_ctl", unix.EpollCtl(p.fd, unix.EPOLL_CTL_MOD, fd, &e))
	}
}

// wait collects events into ready[:n], sleeping at most d for the first
// (d < 0: for ever). It may return early with none.
func (p *poller) wait(d time.Duration) error {
	if d == 0 {
		p.n, p.err = p.collect(0)
		return p.err
	}
	if err := p.arm(d); err != nil {
		return p.waitUnparked(d)
	}
	err := p.raw.Read(p.try)
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		p.armed = time.Time{}
		// What became ready at the same moment must not wait another turn.
		p.n, p.err = p.collect(0)
	case err != nil:
		return err
	}
	return p.err
}

// arm sets the deadline of the sleep. A deadline that is already earlier is left:
// it costs one empty turn later, but none now, and most sleeps end by input.
func (p *poller) arm(d time.Duration) error {
	if d < 0 {
		return nil
	}
	at := wallClock().Add(d)
	if !p.armed.IsZero() && !at.Before(p.armed) {
		return nil
	}
	if err := p.file.SetReadDeadline(at); err != nil {
		return err
	}
	p.armed = at
	return nil
}

// waitUnparked sleeps in epoll_wait itself, for a kernel or emulator that does
// not let one epoll descriptor watch another.
func (p *poller) waitUnparked(d time.Duration) error {
	ms := -1
	if d > 0 {
		ms = int((d + time.Millisecond - 1) / time.Millisecond)
	}
	p.n, p.err = p.collect(ms)
	return p.err
}

func (p *poller) collect(ms int) (int, error) {
	n, err := unix.EpollWait(p.fd, p.events[:], ms)
	if err != nil {
		if err == unix.EINTR {
			return 0, nil
		}
		return 0, os.NewSyscallError("epoll_wait", err)
	}
	for i, e := range p.events[:n] {
		var ev Events
		if e.Events&(unix.EPOLLIN|unix.EPOLLHUP|unix.EPOLLERR) != 0 {
			ev |= Readable
		}
		if e.Events&(unix.EPOLLOUT|unix.EPOLLHUP|unix.EPOLLERR) != 0 {
			ev |= Writable
		}
		p.ready[i] = readyFD{int(e.Fd), ev}
	}
	return n, nil
}

func (p *poller) close() error { return p.file.Close() }
