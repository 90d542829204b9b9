package main

import (
	"fmt"
	"io"
	"os"

	"offloop/ui"
)

// tape is the file that --record names.
type tape struct {
	file *os.File
	rec  *ui.Recorder
}

// newTape opens the file, for its owner only: it names folders, servers and subjects.
// What it holds already stays, for the program may have been started anew by a key.
func newTape(path string) (*tape, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("recording: %w", err)
	}
	return &tape{f, ui.NewRecorder(f)}, nil
}

func (t *tape) recorder() *ui.Recorder {
	if t == nil {
		return nil
	}
	return t.rec
}

func (t *tape) event(e ui.Event) {
	if t != nil {
		t.rec.Event(e)
	}
}

// end writes the rest; that something could not be written is said once, here.
func (t *tape) end(stderr io.Writer) {
	if t == nil {
		return
	}
	err := t.rec.Flush()
	if cerr := t.file.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		fmt.Fprintln(stderr, "offloop: the recording is not whole:", err)
	}
}
