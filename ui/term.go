package ui

import (
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/term"
)

// IsTerminal reports whether fd is a terminal.
func IsTerminal(fd int) bool { return term.IsTerminal(fd) }

// TerminalSize returns the size of the terminal fd in cells, 80 by 24 where
// it does not tell.
func TerminalSize(fd int) (w, h int) {
	w, h, err := term.GetSize(fd)
	if err != nil || w <= 0 || h <= 0 {
		return 80, 24
	}
	return w, h
}

// OpenTerminal opens the controlling terminal for reading and writing without
// blocking. It is opened anew, since the descriptors inherited from the shell
// share their flags with it: a shell whose input has become non-blocking ends.
func OpenTerminal() (fd int, err error) {
	fd, err = syscall.Open("/dev/tty", syscall.O_RDWR|syscall.O_NONBLOCK|syscall.O_CLOEXEC|syscall.O_NOCTTY, 0)
	if err != nil {
		return -1, &os.PathError{Op: "open", Path: "/dev/tty", Err: err}
	}
	return fd, nil
}

// TermState is the mode a terminal was in.
type TermState struct {
	fd    int
	state *term.State
}

// MakeRaw puts the terminal fd into raw mode, in which every key arrives at
// once and none is echoed, and returns the mode it was in.
func MakeRaw(fd int) (*TermState, error) {
	st, err := term.MakeRaw(fd)
	if err != nil {
		return nil, fmt.Errorf("ui: setting the terminal to raw mode: %w", err)
	}
	return &TermState{fd, st}, nil
}

// Restore puts the terminal back into the mode it was in. It may be called on
// nil and more than once.
func (t *TermState) Restore() error {
	if t == nil {
		return nil
	}
	if err := term.Restore(t.fd, t.state); err != nil {
		return fmt.Errorf("ui: restoring the terminal: %w", err)
	}
	return nil
}

// Rescue restores the terminal at fd on the way out of a panic: it uses
// nothing a panic may have left half done, and gives up on a terminal that
// takes nothing for 200 ms. Both s and st may be nil.
func Rescue(fd int, s *Screen, st *TermState) {
	if s != nil {
		b := s.restoreSeq
		for tries := 0; len(b) > 0 && tries < 40; tries++ {
			n, err := syscall.Write(fd, b)
			if n > 0 {
				b = b[n:]
			}
			if err != nil && err != syscall.EAGAIN && err != syscall.EINTR {
				break
			}
			if len(b) > 0 {
				time.Sleep(5 * time.Millisecond)
			}
		}
	}
	_ = st.Restore() // nothing is left to try
}
