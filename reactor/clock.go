package reactor

import "time"

// wallClock is the one place where the package looks at a clock. Its result
// carries both the wall and the monotonic reading; see jump.go for why both.
func wallClock() time.Time { return time.Now() }

// Clock tells the time at this moment, where [Loop.Now] tells when the turn
// began: it is for measuring how long something within a turn took.
func (l *Loop) Clock() time.Time { return wallClock() }
