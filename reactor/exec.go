package reactor

import (
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Exec runs a command to its end and gives its output. done is called exactly
// once, never before Exec returns, also if the command cannot be started, takes
// longer than Timeout or writes more than MaxOutput: then it is killed.
func (l *Loop) Exec(c Command, done func(Result)) *Child {
	if l.sim != nil {
		return l.simExec(c, done)
	}
	if c.MaxOutput <= 0 {
		c.MaxOutput = defaultMaxOutput
	}
	r := &running{l: l, done: done}
	child, err := r.start(c)
	if err != nil {
		l.NextTurn(func() {
			done(Result{ExitCode: -1, Err: &ChildError{Command: c.String(), ExitCode: -1, Err: err}})
		})
		return &Child{l: l, c: c, pidfd: -1}
	}
	return child
}

// running is an Exec in progress. It is over when the child has exited and both
// of its outputs have ended, or some time after the exit.
type running struct {
	l              *Loop
	done           func(Result)
	child          *Child
	out            []byte
	pipes          int // outputs that have not ended
	in, sout, serr *Stream
	timeout, wait  *Timer
}

func (r *running) start(c Command) (_ *Child, err error) {
	var fds []int
	defer func() {
		if err != nil {
			closeAll(fds...)
		}
	}()
	var ends [3][2]int // the child's and our end of 0, 1, 2
	for i := range ends {
		var rd, wr int
		if i == 0 && len(c.Stdin) == 0 {
			rd, err = unix.Open(os.DevNull, unix.O_RDONLY|unix.O_CLOEXEC, 0)
			wr = -1
		} else {
			rd, wr, err = newPipe()
		}
		if err != nil {
			return nil, err
		}
		fds = append(fds, rd, wr)
		ends[i] = [2]int{wr, rd}
	}
	ends[0][0], ends[0][1] = ends[0][1], ends[0][0]
	if r.child, err = r.l.start(c, [3]int{ends[0][0], ends[1][0], ends[2][0]}); err != nil {
		return nil, err
	}
	closeAll(ends[0][0], ends[1][0], ends[2][0])
	r.child.onExit = append(r.child.onExit, r.exited)
	if c.Timeout > 0 {
		r.timeout = r.l.CallLater(c.Timeout, func() {
			r.child.kill(fmt.Errorf("%w (over %v)", ErrTimeout, c.Timeout))
			r.wait = r.l.CallLater(killDelay+exitGrace, r.finish)
		})
	}
	r.pipes = 2
	r.sout = r.collect(ends[1][1], func(b []byte) {
		if c.Tail {
			r.out = keepTail(r.out, b, c.MaxOutput)
			return
		}
		if len(r.out)+len(b) > c.MaxOutput {
			b = b[:c.MaxOutput-len(r.out)]
			r.child.kill(fmt.Errorf("%w (over %d bytes)", ErrMaxOutput, c.MaxOutput))
		}
		r.out = append(r.out, b...)
	})
	r.serr = r.collect(ends[2][1], func(b []byte) {
		r.child.stderr = keepTail(r.child.stderr, b, stderrKept)
	})
	if ends[0][1] >= 0 {
		if r.in, err = r.l.Adopt(ends[0][1], c.String()); err == nil {
			r.in.Write(c.Stdin)
			r.in.closeWhenSent()
		}
	}
	return r.child, nil
}

// collect reads one output to its end.
func (r *running) collect(fd int, data func([]byte)) *Stream {
	s, err := r.l.Adopt(fd, r.child.c.String())
	if err != nil {
		unix.Close(fd)
		r.pipes--
		return nil
	}
	s.Start(&collector{data, func(error) { r.pipes--; r.check() }})
	return s
}

// collector is a Protocol of two functions.
type collector struct {
	data func([]byte)
	lost func(error)
}

func (c *collector) Data(b []byte)  { c.data(b) }
func (c *collector) Lost(err error) { c.lost(err) }

func (r *running) exited() {
	r.wait.Cancel()
	r.wait = r.l.CallLater(exitGrace, r.finish)
	r.check()
}

func (r *running) check() {
	if r.pipes == 0 && r.child.exited {
		r.finish()
	}
}

func (r *running) finish() {
	if r.done == nil {
		return
	}
	done := r.done
	r.done = nil
	r.timeout.Cancel()
	r.wait.Cancel()
	for _, s := range []*Stream{r.in, r.sout, r.serr} {
		if s != nil {
			s.Abort(nil)
		}
	}
	res := Result{Stdout: r.out, Stderr: r.child.stderr, ExitCode: -1, Err: r.child.err()}
	if r.child.exited {
		res.ExitCode = r.child.status.ExitStatus()
	}
	done(res)
}

// closeWhenSent closes a write-only stream once its input is all sent, however
// long the reader takes: the command's own timeout is the limit.
func (s *Stream) closeWhenSent() {
	s.Close()
	s.linger.Cancel()
}

// Spawn runs a command as a tunnel: its stdin and stdout become a Stream. done is called exactly once, in a turn to come. When the tunnel ends
// by itself, Lost's error says how the command exited and what it last wrote to
// stderr. When the stream ends, the command sees the end of its input, and is
// killed if that does not end it within two seconds.
func (l *Loop) Spawn(c Command, done func(*Stream, error)) *Child {
	if l.sim != nil {
		return l.simSpawn(c, done)
	}
	child, s, err := l.spawn(c)
	if err != nil {
		err = &ChildError{Command: c.String(), ExitCode: -1, Err: err}
		l.NextTurn(func() { done(nil, err) })
		return &Child{l: l, c: c, pidfd: -1}
	}
	l.NextTurn(func() { done(s, nil) })
	return child
}

func (l *Loop) spawn(c Command) (*Child, *Stream, error) {
	theirIn, ourOut, err := newPipe()
	if err != nil {
		return nil, nil, err
	}
	ourIn, theirOut, err := newPipe()
	if err != nil {
		closeAll(theirIn, ourOut)
		return nil, nil, err
	}
	errR, errW, err := newPipe()
	if err != nil {
		closeAll(theirIn, ourOut, ourIn, theirOut)
		return nil, nil, err
	}
	child, err := l.start(c, [3]int{theirIn, theirOut, errW})
	closeAll(theirIn, theirOut, errW)
	if err != nil {
		closeAll(ourIn, ourOut, errR)
		return nil, nil, err
	}
	var s *Stream
	if err = setNonblock(ourIn, ourOut); err == nil {
		s, err = l.NewStream(&pipesTransport{r: ourIn, w: ourOut}, c.String())
	}
	if err != nil {
		closeAll(ourIn, ourOut, errR)
		child.Kill()
		return nil, nil, err
	}
	if es, err := l.Adopt(errR, c.String()); err == nil {
		es.Start(&collector{
			func(b []byte) { child.stderr = keepTail(child.stderr, b, stderrKept) },
			func(error) {},
		})
	} else {
		unix.Close(errR)
	}
	s.explain = child.explain
	s.onRelease = func() {
		if !child.exited && child.hard == nil {
			child.hard = l.CallLater(killDelay, func() { child.hard = nil; child.Kill() })
		}
	}
	return child, s, nil
}

// explain turns the end of a tunnel's bytes into the reason the command gives
// by its exit status, which comes a moment later if it comes at all.
func (c *Child) explain(err error, tell func(error)) {
	told := false
	finish := func() {
		if told {
			return
		}
		told = true
		if cerr := c.err(); c.exited && cerr != nil {
			err = cerr
		}
		tell(err)
	}
	// A little later than the exit, so that the last of stderr has been read.
	const last = 10 * time.Millisecond
	if c.exited {
		c.l.CallLater(last, finish)
		return
	}
	wait := c.l.CallLater(exitGrace, finish)
	c.onExit = append(c.onExit, func() {
		if !told {
			wait.Reset(last)
		}
	})
}

func (l *Loop) simExec(c Command, done func(Result)) *Child {
	child := &Child{l: l, c: c, pidfd: -1, simKill: func() {}}
	if l.sim.Exec == nil {
		l.NextTurn(func() {
			done(Result{ExitCode: -1, Err: &ChildError{Command: c.String(), ExitCode: -1, Err: errNoNetwork}})
		})
		return child
	}
	child.simKill = l.sim.Exec(c, done)
	return child
}

func (l *Loop) simSpawn(c Command, done func(*Stream, error)) *Child {
	child := &Child{l: l, c: c, pidfd: -1, simKill: func() {}}
	if l.sim.Spawn == nil {
		l.NextTurn(func() { done(nil, errNoNetwork) })
		return child
	}
	child.simKill = l.sim.Spawn(c, done)
	return child
}
