package ui

import (
	"bytes"
	"reflect"
	"regexp"

	"github.com/gdamore/tcell/v2"
	"github.com/gdamore/tcell/v2/terminfo"
)

// memTTY is the terminal as the terminal library sees it: what it writes is
// kept in memory, and its reads wait until the screen is closed. So no call of
// the library can block on the real terminal, and no input passes through it.
type memTTY struct {
	out  []byte
	size func() (w, h int)
	mute bool          // forget what is written
	stop chan struct{} // closed by Drain; releases the library's reader
}

// win32Input switches on a keyboard mode in which one short sequence can stand
// for any number of key presses; we ask for none of it.
var win32Input = []byte("\x1b[?9001h")

func (t *memTTY) Start() error {
	t.stop = make(chan struct{})
	return nil
}

func (t *memTTY) Drain() error {
	close(t.stop)
	return nil
}

func (t *memTTY) Read([]byte) (int, error) {
	<-t.stop
	return 0, nil
}

func (t *memTTY) Write(b []byte) (int, error) {
	if t.mute {
		return len(b), nil
	}
	if i := bytes.Index(b, win32Input); i >= 0 {
		t.out = append(append(t.out, b[:i]...), b[i+len(win32Input):]...)
	} else {
		t.out = append(t.out, b...)
	}
	return len(b), nil
}

func (t *memTTY) WindowSize() (tcell.WindowSize, error) {
	w, h := t.size()
	return tcell.WindowSize{Width: w, Height: h}, nil
}

func (t *memTTY) Stop() error { return nil }

func (t *memTTY) Close() error { return nil }

// NotifyResize keeps no callback: called, it would draw from a goroutine of
// the library. Every frame asks for the size anyway.
func (t *memTTY) NotifyResize(func()) {}

// padding is what terminfo writes for "now wait so many milliseconds".
var padding = regexp.MustCompile(`\$<[0-9.]+[*/]*>`)

// describe returns what is known of a terminal type, without the waits: the library
// sleeps through each of them (5 ms a cursor movement on a VT100), and with it would
// the sync. The pace of a slow terminal is kept by its answers.
func describe(term string) (*terminfo.Terminfo, error) {
	known, err := tcell.LookupTerminfo(term)
	if err != nil {
		return nil, err
	}
	ti := *known
	v := reflect.ValueOf(&ti).Elem()
	for i := range v.NumField() {
		if f := v.Field(i); f.Kind() == reflect.String {
			f.SetString(padding.ReplaceAllString(f.String(), ""))
		}
	}
	return &ti, nil
}
