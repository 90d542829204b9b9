package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"time"

	"offloop/ui"
)

// errShown ends a replay whose wanted frame was shown.
var errShown = errors.New("shown")

// runReplay shows what a live screen showed: the frames of a recording, one after
// another in the time they took, or one of them with its attributes, in the form of
// the golden screens of package ui.
func runReplay(ctx context.Context, args []string) error {
	f := flag.NewFlagSet("imaplab replay", flag.ContinueOnError)
	f.Usage = func() {
		fmt.Fprintln(f.Output(), "usage: imaplab replay [flags] FILE")
		f.PrintDefaults()
	}
	frame := f.Int("frame", 0, "print this frame only, from 1; -1 is the last")
	speed := f.Float64("speed", 1, "how many times as fast as it was; 0 = without waiting")
	if err := f.Parse(args); err != nil {
		return err
	}
	if f.NArg() != 1 {
		return errors.New("say which file")
	}
	file, err := os.Open(f.Arg(0))
	if err != nil {
		return err
	}
	defer file.Close()
	r := replay{ctx: ctx, out: bufio.NewWriter(os.Stdout), only: *frame, speed: *speed}
	if err := ui.Replay(file, r.show); err != nil && err != errShown {
		return err
	}
	switch {
	case r.n == 0:
		return errors.New("there is no frame in it")
	case r.only > r.n:
		return fmt.Errorf("there are only %d frames in it", r.n)
	case r.only < 0:
		r.out.WriteString(r.last)
	}
	return r.out.Flush()
}

// replay is a recording being shown.
type replay struct {
	ctx   context.Context
	out   *bufio.Writer
	only  int // the one frame that is wanted; 0 = all, -1 = the last
	speed float64
	n     int
	at    time.Time // of the frame before
	last  string
}

func (r *replay) show(at time.Time, f *ui.Frame) error {
	wait := at.Sub(r.at)
	if r.n++; r.n == 1 {
		wait = 0
	}
	r.at = at
	head := fmt.Sprintf("frame %d  %s  %dx%d cursor %d,%d\n", r.n, at.Format("15:04:05.000"), f.W, f.H, f.CursorX, f.CursorY)
	switch {
	case r.only != 0:
		if r.n == r.only || r.only < 0 {
			r.last = head + f.Text() + "====================\n" + f.Looks()
		}
		if r.n == r.only {
			r.out.WriteString(r.last)
			return errShown
		}
		return nil
	case r.speed > 0:
		select {
		case <-r.ctx.Done():
			return r.ctx.Err()
		case <-time.After(time.Duration(float64(wait) / r.speed)):
		}
		fmt.Fprint(r.out, "\x1b[H\x1b[2J")
	}
	fmt.Fprint(r.out, f.Text(), head)
	return r.out.Flush()
}
