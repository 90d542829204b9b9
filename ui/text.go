package ui

import (
	"fmt"
	"io"
	"strconv"
)

// Text writes one line an event for people and log files: the interfaces
// ttyui, basic, quiet and syslog. Each event is one Write call.
type Text struct {
	w      io.Writer
	style  textStyle
	level  Level
	tag    string // syslog: "offloop[123]: "
	group  string // account of the last line (ttyui)
	folder string // and folder, "" for the account itself
	buf    []byte
	err    error

	prompt prompter // ttyui only
}

type textStyle uint8

const (
	styleTTY textStyle = iota
	stylePlain
	styleSyslog
	styleJournal
	styleLog
)

// NewTTY returns the default interface, meant for standard error: lines of an
// account stand together, indented by one cell, under a line that names it.
// It can ask for passwords; see [Text.Prompting].
func NewTTY(w io.Writer, level Level) *Text {
	return &Text{w: w, style: styleTTY, level: level}
}

// NewBasic returns plain lines without grouping, meant for standard output.
func NewBasic(w io.Writer, level Level) *Text {
	return &Text{w: w, style: stylePlain, level: level}
}

// NewQuiet returns plain lines for warnings and errors only.
func NewQuiet(w io.Writer) *Text {
	return &Text{w: w, style: stylePlain, level: Warn}
}

// NewSyslog returns lines for the local log socket ("/dev/log"): a priority of
// facility user, "tag[pid]: " and the text, one line a Write.
func NewSyslog(w io.Writer, tag string, pid int, level Level) *Text {
	return &Text{w: w, style: styleSyslog, level: level, tag: tag + "[" + strconv.Itoa(pid) + "]: "}
}

// NewLog returns lines for a log file as OfflineIMAP's -l writes them, but for the
// time, which the writer puts in front: "INFO: " and the text, the word being
// DEBUG, INFO, WARNING or ERROR.
func NewLog(w io.Writer, level Level) *Text {
	return &Text{w: w, style: styleLog, level: level}
}

// NewJournal returns lines for a standard error read by the systemd journal:
// "<6>" and the text, the number being the syslog severity.
func NewJournal(w io.Writer, level Level) *Text {
	return &Text{w: w, style: styleJournal, level: level}
}

// Err returns the first error of the underlying writer. Events after it are
// still offered to the writer.
func (t *Text) Err() error { return t.err }

// Event writes e if it is severe enough and says anything.
func (t *Text) Event(e Event) {
	if t.style == styleTTY {
		t.prompt.event(e)
	}
	level := LevelOf(e)
	if level >= t.level {
		t.lines(e, level)
	}
	if t.prompt.shown != t.prompt.line() {
		t.showPrompt()
	}
}

// heading is the line above the lines of one account or folder, as OfflineIMAP names its
// threads: folders are made before they have one.
func (t *Text) heading(e Event, end string) {
	folder := e.Folder
	if e.Kind == "create" || e.Account == "" {
		folder = ""
	}
	switch {
	case e.Account == "" || e.Account == t.group && folder == t.folder:
	case folder == "":
		t.buf = fmt.Appendf(t.buf, "Account sync %s:%s", Safe(e.Account), end)
	default:
		t.buf = fmt.Appendf(t.buf, "Folder %s [acc: %s]:%s", Safe(folder), Safe(e.Account), end)
	}
	t.group, t.folder = e.Account, folder
}

func (t *Text) lines(e Event, level Level) {
	lines := Lines(e)
	if len(lines) == 0 {
		return
	}
	t.buf = t.buf[:0]
	end := "\n"
	if t.style == styleTTY {
		if t.prompt.shown != "" {
			t.buf = append(t.buf, "\r\x1b[K"...)
			t.prompt.shown = ""
		}
		if t.prompt.active() {
			end = "\r\n" // the terminal is raw while a prompt is open
		}
		t.heading(e, end)
	}
	for i, line := range lines {
		switch t.style {
		case styleTTY:
			if e.Account != "" {
				t.buf = append(t.buf, ' ')
			}
		case styleSyslog:
			t.buf = fmt.Appendf(t.buf, "<%d>%s", 8+syslogSeverity(level), t.tag)
		case styleJournal:
			t.buf = fmt.Appendf(t.buf, "<%d>", syslogSeverity(level))
		case styleLog:
			t.buf = append(t.buf, [...]string{"DEBUG: ", "INFO: ", "WARNING: ", "ERROR: "}[min(level, Error)]...)
		}
		t.buf = append(append(t.buf, line...), end...)
		if t.style == styleSyslog && i < len(lines)-1 {
			t.flush() // a datagram holds one line
		}
	}
	t.flush()
}

func (t *Text) flush() {
	if _, err := t.w.Write(t.buf); err != nil && t.err == nil {
		t.err = err
	}
	t.buf = t.buf[:0]
}

func syslogSeverity(l Level) int {
	return [...]int{7, 6, 4, 3}[min(l, Error)]
}

// Prompting reports whether a password prompt is open. While it is, the owner
// keeps the terminal in raw mode ([MakeRaw]) and hands what is typed to Input.
func (t *Text) Prompting() bool { return t.prompt.active() }

// Input takes bytes typed while a prompt is open and returns what they asked
// for: passwords, or "quit" for ctrl-c.
func (t *Text) Input(b []byte) []Action {
	acts := t.prompt.input(b)
	if t.prompt.shown != t.prompt.line() {
		t.showPrompt()
	}
	return acts
}

// showPrompt ends the prompt line shown before, if any, and shows the next.
func (t *Text) showPrompt() {
	t.buf = t.buf[:0]
	if t.prompt.shown != "" {
		t.buf = append(t.buf, "\r\n"...)
	}
	t.prompt.shown = t.prompt.line()
	t.buf = append(t.buf, t.prompt.shown...)
	t.flush()
}
