//go:build darwin || freebsd || openbsd || netbsd || dragonfly

package reactor

// clockAlarm does not exist here: no descriptor tells of a clock that was set.
type clockAlarm struct{}

func newClockAlarm(*Loop) *clockAlarm { return nil }

func (*clockAlarm) close() {}
