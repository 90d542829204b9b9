package reactor

import "golang.org/x/sys/unix"

// pipesTransport is the ends of two pipes: what a child reads and what it
// writes. A child gets two descriptors rather than one socket because a program
// in a pipeline that makes its input non-blocking would otherwise make the
// output of the program behind it non-blocking too, and few programs can write
// to that.
type pipesTransport struct {
	l        *Loop
	r, w     int // our ends; w is -1 once closed
	wr, ww   *Watch
	ready    func(Events)
	interest Events
}

func (t *pipesTransport) Attach(l *Loop, ready func(Events)) error {
	t.l, t.ready = l, ready
	var err error
	// A hang-up is reported as both kinds; each descriptor passes on its own.
	if t.wr, err = l.Watch(t.r, 0, func(Events) { t.pass(Readable) }); err != nil {
		return err
	}
	if t.ww, err = l.Watch(t.w, 0, func(Events) { t.pass(Writable) }); err != nil {
		t.wr.Close()
		return err
	}
	return nil
}

func (t *pipesTransport) pass(ev Events) {
	if t.interest&ev != 0 {
		t.ready(ev)
	}
}

func (t *pipesTransport) Interest(ev Events) {
	t.interest = ev
	// Both descriptors were accepted when they were first watched.
	_ = t.wr.Set(ev & Readable)
	_ = t.ww.Set(ev & Writable)
}

func (t *pipesTransport) Read(p []byte) (int, error)  { return (&fdTransport{fd: t.r}).Read(p) }
func (t *pipesTransport) Write(p []byte) (int, error) { return (&fdTransport{fd: t.w}).Write(p) }

func (t *pipesTransport) Close() error {
	t.wr.Close()
	t.ww.Close()
	werr := unix.Close(t.w)
	if err := unix.Close(t.r); err != nil {
		return err
	}
	return werr
}
