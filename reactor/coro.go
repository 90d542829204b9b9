package reactor

import (
	"fmt"
	"iter"
	"runtime/debug"
)

// PanicError is a panic inside a coroutine, as an error: iter.Pull would carry
// the panic over to the loop, but its stack would be lost.
type PanicError struct {
	Where string
	Value any
	Stack []byte
}

// Error gives the panic's value and its stack.
func (e *PanicError) Error() string {
	return fmt.Sprintf("internal error in %s: %v\n%s", e.Where, e.Value, e.Stack)
}

// coro runs blocking library code (a handshake, inflate) so that where the code
// would block it yields to the loop. It is a coroutine: it runs only inside
// resume and never beside the loop.
type coro struct {
	next    func() ([]byte, bool)
	stop    func()
	running bool
	ending  bool // stop as soon as it is not running
	ended   bool
}

// newCoro makes a coroutine of f. yield(nil) means "starved", yield(b) hands
// bytes out; it returns false when f shall give up. f's error goes to *errp.
func newCoro(where string, errp *error, f func(yield func([]byte) bool) error) *coro {
	c := &coro{}
	c.next, c.stop = iter.Pull(func(yield func([]byte) bool) {
		defer func() {
			if v := recover(); v != nil {
				*errp = &PanicError{where, v, debug.Stack()}
			}
		}()
		*errp = f(yield)
	})
	return c
}

// resume runs the coroutine until it yields; more is false once it has returned.
func (c *coro) resume() (b []byte, more bool) {
	if c.ended {
		return nil, false
	}
	c.running = true
	b, more = c.next()
	c.running = false
	c.ended = !more
	if c.ending {
		c.halt()
		return nil, false
	}
	return b, more
}

// halt makes the coroutine give up and frees it. From inside itself that cannot
// be done (it would be stranded for good), so it is left to resume.
func (c *coro) halt() {
	c.ending = true
	if !c.running && !c.ended {
		c.ended = true
		c.stop()
	}
}
