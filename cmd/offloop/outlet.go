package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"offloop/reactor"
	"offloop/ui"
)

// What an outlet keeps for a reader that does not read: for people a screenful is
// enough, a program is to miss nothing unless memory is at stake.
const (
	keptForPeople   = 1 << 20
	keptForPrograms = 16 << 20
)

// outlet writes to standard output or standard error without ever waiting for
// whoever reads it: a terminal stopped with ctrl-s, a pager, a program that hangs.
// What is not taken is kept, and beyond a limit whole lines are dropped and counted;
// in their place the lost function says how many.
//
// The descriptor is shared with the shell and others, so its mode is left alone: a
// terminal is opened anew, a socket is sent to without waiting, and into a pipe goes
// no more at once than it has room for when it says that it has.
type outlet struct {
	loop    *reactor.Loop
	fd      int
	kind    outletKind
	limit   int
	lost    func(lines int)
	buf     []byte
	at      int // how much of buf is taken
	dropped int // lines since the last that was kept
	watch   *reactor.Watch
	ending  bool // there is no loop any more
}

type outletKind uint8

const (
	outletNew      outletKind = iota // not yet looked at
	outletDirect                     // a file or a device: it takes everything
	outletPipe                       // asked before each write
	outletSocket                     // sent to with MSG_DONTWAIT
	outletTerminal                   // a descriptor of our own that does not block
	outletGone                       // nobody will ever read it
)

// pipeChunk is what a pipe that is ready to be written takes without blocking: a
// page on Linux, PIPE_BUF elsewhere (POSIX allows no less than 512).
var pipeChunk = map[bool]int{true: 4096, false: 512}[runtime.GOOS == "linux"]

// open looks at what the descriptor leads to.
func (o *outlet) open() {
	o.kind = outletDirect
	var st unix.Stat_t
	if unix.Fstat(o.fd, &st) != nil {
		return
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFIFO:
		o.kind = outletPipe
	case unix.S_IFSOCK:
		o.kind = outletSocket
	case unix.S_IFCHR:
		// Only our controlling terminal has a process group to tell us of.
		if _, err := unix.IoctlGetInt(o.fd, unix.TIOCGPGRP); err == nil {
			if own, err := ui.OpenTerminal(); err == nil {
				o.fd, o.kind = own, outletTerminal
			}
		}
	}
}

// waits is how much is not yet taken.
func (o *outlet) waits() int { return len(o.buf) - o.at }

// Write takes b, one or more whole lines, and never waits. It never fails: a reader
// that is gone does not end the work.
func (o *outlet) Write(b []byte) (int, error) {
	if o.kind == outletNew {
		o.open()
	}
	switch {
	case o.kind == outletGone:
	case o.dropped > 0 || o.waits() > 0 && o.waits()+len(b) > o.limit:
		o.dropped += max(bytes.Count(b, []byte("\n")), 1)
	default:
		o.buf = append(o.buf, b...)
		if o.watch == nil {
			o.flush()
		}
	}
	return len(b), nil
}

// flush writes what is taken now and waits, on the loop, for the rest.
func (o *outlet) flush() {
	for o.waits() > 0 {
		n := o.some(o.buf[o.at:])
		if n <= 0 {
			break
		}
		o.at += n
	}
	o.tidy()
	if n := o.dropped; n > 0 && o.waits() <= o.limit/2 {
		o.dropped = 0
		if o.lost != nil {
			o.lost(n)
		}
	}
	switch {
	case o.waits() == 0 || o.ending:
		o.watch.Close()
		o.watch = nil
	case o.watch == nil:
		w, err := o.loop.Watch(o.fd, reactor.Writable, func(reactor.Events) { o.flush() })
		if err == nil {
			o.watch = w
		}
	}
}

// tidy forgets what is taken. After a jam its memory goes too.
func (o *outlet) tidy() {
	if o.at <= len(o.buf)/2 && o.waits() > 0 {
		return // moving much for little
	}
	o.buf, o.at = o.buf[:copy(o.buf, o.buf[o.at:])], 0
	if cap(o.buf) > 64<<10 && len(o.buf) < cap(o.buf)/4 {
		o.buf = append([]byte(nil), o.buf...)
	}
}

// some writes a part of b, as much as is taken at once: 0 if that is nothing.
func (o *outlet) some(b []byte) int {
	for {
		var n int
		var err error
		switch o.kind {
		case outletPipe:
			if !o.ready(0) {
				return 0
			}
			n, err = unix.Write(o.fd, chunk(b))
		case outletSocket:
			n, err = unix.SendmsgN(o.fd, b, nil, nil, unix.MSG_DONTWAIT)
		default:
			n, err = unix.Write(o.fd, b)
		}
		switch err {
		case nil:
			return n
		case unix.EINTR:
			continue
		case unix.EAGAIN, unix.ENOBUFS:
			return 0
		}
		o.kind, o.buf, o.at, o.dropped = outletGone, nil, 0, 0
		return 0
	}
}

// chunk is the part of b that a pipe takes at once; it ends with a line where it
// can, for standard error may lead into the same pipe.
func chunk(b []byte) []byte {
	if len(b) <= pipeChunk {
		return b
	}
	if i := bytes.LastIndexByte(b[:pipeChunk], '\n'); i >= 0 {
		return b[:i+1]
	}
	return b[:pipeChunk]
}

// ready waits at most d until the descriptor takes something, or is gone.
func (o *outlet) ready(d time.Duration) bool {
	p := []unix.PollFd{{Fd: int32(o.fd), Events: unix.POLLOUT}}
	n, err := unix.Poll(p, int(d.Milliseconds()))
	return err == nil && n > 0
}

// drain is for the end, when there is no loop any more: it waits until all is
// taken, like any program's output, or for the given time unless that is negative.
// While it waits, signals that ask the program to stop have their usual effect again.
func (o *outlet) drain(limit time.Duration) {
	o.ending = true
	for began := o.loop.Clock(); o.waits() > 0 || o.dropped > 0; o.flush() {
		if o.ready(10 * time.Millisecond) {
			continue
		}
		if limit >= 0 && o.loop.Clock().Sub(began) >= limit {
			o.buf, o.at, o.dropped = nil, 0, 0
			break
		}
		signal.Reset(syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	}
	o.watch.Close()
	o.watch = nil
}

// outlet is w, without the waiting if it is the process's own output.
func (f *front) outlet(w io.Writer) io.Writer {
	fd := -1
	switch w {
	case os.Stdout:
		fd = 1
	case os.Stderr:
		fd = 2
	default:
		return w
	}
	o := &outlet{loop: f.p.loop, fd: fd, limit: keptForPeople, lost: f.lost}
	f.outlets = append(f.outlets, o)
	return o
}

// lost tells, in the place of them, how many lines nobody took.
func (f *front) lost(lines int) {
	f.view.Event(ui.Event{Kind: "dropped", At: f.p.loop.Now().UnixNano(), N: int64(lines), Text: fmt.Sprintf("%d lines are missing here: nobody took them", lines)})
}

// keep sets how much an output may hold back.
func keep(w io.Writer, limit int) {
	if o, ok := w.(*outlet); ok {
		o.limit = limit
	}
}

// drain waits for whoever reads the output to take the rest of it; not for long
// once the user asked to stop.
func (f *front) drain() {
	limit := time.Duration(-1)
	if f.p.stop > 0 {
		limit = time.Second / time.Duration(f.p.stop*f.p.stop)
	}
	for _, o := range f.outlets {
		o.drain(limit)
	}
}
