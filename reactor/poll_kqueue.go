//go:build darwin || freebsd || openbsd || netbsd || dragonfly

package reactor

import (
	"os"
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

// poller is kqueue behind the four functions every poller has: newPoller, set,
// wait, close. Unlike an epoll descriptor a kqueue cannot be parked in Go's
// netpoller, which asks for writability too and is refused, so the loop sleeps
// in kevent itself.
type poller struct {
	fd     int
	ready  [pollBatch]readyFD
	n      int
	events [pollBatch]unix.Kevent_t
}

func newPoller() (*poller, error) {
	fd, err := unix.Kqueue()
	if err != nil {
		return nil, os.NewSyscallError("kqueue", err)
	}
	unix.CloseOnExec(fd)
	return &poller{fd: fd}, nil
}

// set replaces the interest old in fd by now: one filter a kind of readiness.
func (p *poller) set(fd int, old, now Events) error {
	var ch [2]unix.Kevent_t
	n := 0
	for _, f := range [2]struct {
		ev     Events
		filter int
	}{{Readable, unix.EVFILT_READ}, {Writable, unix.EVFILT_WRITE}} {
		if (old^now)&f.ev == 0 {
			continue
		}
		flags := unix.EV_ADD
		if now&f.ev == 0 {
			flags = unix.EV_DELETE
		}
		unix.SetKevent(&ch[n], fd, f.filter, flags)
		n++
	}
	if n == 0 {
		return nil
	}
	_, err := unix.Kevent(p.fd, ch[:n], nil, nil)
	return os.NewSyscallError("kevent", err)
}

// wait collects events into ready[:n], sleeping at most d for the first
// (d < 0: for ever). It may return early with none. A descriptor ready both ways
// comes as two events; dispatch checks the registration before each.
func (p *poller) wait(d time.Duration) error {
	var ts *unix.Timespec
	if d >= 0 {
		t := unix.NsecToTimespec(d.Nanoseconds())
		ts = &t
	}
	n, err := unix.Kevent(p.fd, nil, p.events[:], ts)
	p.n = 0
	if err != nil {
		if err == unix.EINTR {
			return nil
		}
		return os.NewSyscallError("kevent", err)
	}
	for _, e := range p.events[:n] {
		ev := Readable
		if e.Filter == unix.EVFILT_WRITE {
			ev = Writable
		}
		p.ready[p.n] = readyFD{int(e.Ident), ev}
		p.n++
	}
	return nil
}

func (p *poller) close() error { return unix.Close(p.fd) }
