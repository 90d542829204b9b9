package reactor

import (
	"time"

	"golang.org/x/sys/unix"
)

// clockAlarm is a timer descriptor far in the future that Linux cancels, and so
// makes readable, whenever the real-time clock is set; a resume counts as that.
// It wakes the loop at once, and an idle loop needs no periodic look.
type clockAlarm struct {
	fd int
	w  *Watch
}

func newClockAlarm(l *Loop) *clockAlarm {
	fd, err := unix.TimerfdCreate(unix.CLOCK_REALTIME, unix.TFD_CLOEXEC|unix.TFD_NONBLOCK)
	if err != nil {
		return nil
	}
	a := &clockAlarm{fd: fd}
	if !a.arm(l) {
		unix.Close(fd)
		return nil
	}
	a.w, err = l.Watch(fd, Readable, func(Events) {
		var b [8]byte
		_, _ = unix.Read(fd, b[:]) // ECANCELED is the expected answer
		if !a.arm(l) {
			a.close()
			l.jump.alarm = nil
		}
	})
	if err != nil {
		unix.Close(fd)
		return nil
	}
	return a
}

func (a *clockAlarm) arm(l *Loop) bool {
	at := l.clock().Add(365 * 24 * time.Hour)
	spec := unix.ItimerSpec{Value: unix.NsecToTimespec(at.UnixNano())}
	return unix.TimerfdSettime(a.fd, unix.TFD_TIMER_ABSTIME|unix.TFD_TIMER_CANCEL_ON_SET, &spec, nil) == nil
}

func (a *clockAlarm) close() {
	a.w.Close()
	unix.Close(a.fd)
}
