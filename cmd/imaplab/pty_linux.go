package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// onTerminal runs cmd on a terminal of its own, which takes as many bytes a
// second as r says, and presses keys meanwhile: / opens a prompt, which shows the
// cursor, and Esc closes it.
func onTerminal(cmd *exec.Cmd, r *screenRun) (string, error) {
	m, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		return "", err
	}
	defer m.Close()
	n, err := unix.IoctlGetInt(int(m.Fd()), unix.TIOCGPTN)
	if err != nil {
		return "", err
	}
	if err := unix.IoctlSetPointerInt(int(m.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		return "", err
	}
	s, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		return "", err
	}
	if err := unix.IoctlSetWinsize(int(s.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: uint16(r.rows), Col: uint16(r.cols)}); err != nil {
		return "", err
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = s, s, s
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	began := time.Now()
	if err := cmd.Start(); err != nil {
		s.Close()
		return "", err
	}
	s.Close()
	ended := make(chan error, 1)
	go func() {
		err := cmd.Wait()
		r.wall = time.Since(began)
		ended <- err
	}()
	t := &typist{m: m, r: r, next: time.Now().Add(time.Second)}
	if err := syscall.SetNonblock(int(m.Fd()), true); err != nil {
		return "", err
	}
	for t.step() {
	}
	err = <-ended
	return t.out.String(), err
}

// typist is the person and the terminal: it reads what is shown and types.
type typist struct {
	m     *os.File
	r     *screenRun
	out   bytes.Buffer
	next  time.Time // when the next key is due
	typed time.Time // when / was typed; zero while nothing is awaited
	from  int       // length of the output then
	seen  bool      // the prompt is open
}

var statusQuestion = []byte("\x1b[5n")

var cursorShown = []byte("\x1b[?25h")

// step reads what a slice of time brings; false once the terminal is closed.
func (t *typist) step() bool {
	const slice = 2 * time.Millisecond
	began := time.Now()
	room := 64 << 10
	if t.r.bytesPerSec > 0 {
		room = int(float64(t.r.bytesPerSec) * 5 * slice.Seconds())
	}
	buf := make([]byte, room)
	n, err := unix.Read(int(t.m.Fd()), buf)
	switch {
	case n > 0:
		from := max(t.out.Len()-len(statusQuestion)+1, 0)
		t.out.Write(buf[:n])
		for range bytes.Count(t.out.Bytes()[from:], statusQuestion) {
			unix.Write(int(t.m.Fd()), []byte("\x1b[0n")) // as any terminal does
		}
	case err != unix.EAGAIN && err != unix.EINTR:
		return false
	}
	t.keys(time.Now())
	if t.r.bytesPerSec > 0 {
		time.Sleep(5*slice - time.Since(began))
	} else if n <= 0 {
		time.Sleep(slice / 2)
	}
	return true
}

func (t *typist) keys(now time.Time) {
	switch {
	case !t.typed.IsZero():
		if bytes.Contains(t.out.Bytes()[t.from:], cursorShown) {
			t.r.keys = append(t.r.keys, now.Sub(t.typed))
			t.typed, t.seen = time.Time{}, true
			t.next = now.Add(200 * time.Millisecond)
		}
	case now.Before(t.next):
	case t.seen:
		unix.Write(int(t.m.Fd()), []byte("\x1b"))
		t.seen = false
		t.next = now.Add(500*time.Millisecond + time.Duration(len(t.r.keys)%7)*37*time.Millisecond)
	default:
		t.from = max(t.out.Len()-len(cursorShown)+1, 0)
		unix.Write(int(t.m.Fd()), []byte("/"))
		t.typed = now
	}
}
