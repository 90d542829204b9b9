package main

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"time"

	"offloop/reactor"
	"offloop/ui"
)

// viewer is a user interface that takes events.
type viewer interface{ Event(ui.Event) }

// front is what the user sees: a live screen or lines of text, the log file, and
// the terminal's keys.
type front struct {
	p       *program
	view    viewer
	text    *ui.Text
	machine *ui.Machine
	screen  *ui.Screen
	log     viewer
	syslog  viewer
	summary ui.Summary
	stdout  io.Writer // never waits for its reader where it is an outlet
	stderr  io.Writer
	outlets []*outlet

	fd     int
	term   *ui.TermState
	watch  *reactor.Watch
	timer  func()
	wakeAt time.Time // when it rings
	due    bool
	closed bool
	meter  uiMeter
	logf   *os.File
	tape   *tape
}

// newFront chooses the interface: -u, --json, the configuration's ui, else the
// live screen on a terminal and ttyui without one.
func newFront(p *program, stdout, stderr io.Writer) (*front, error) {
	f := &front{p: p, fd: -1}
	f.stdout, f.stderr = f.outlet(stdout), f.outlet(stderr)
	level := ui.Info
	if p.o.debug != "" {
		level = ui.Debug
	}
	if p.o.logFile != "" {
		w, err := os.OpenFile(p.o.logFile, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
		if err != nil {
			return nil, fmt.Errorf("log file: %w", err)
		}
		f.logf = w
		debug.SetCrashOutput(w, debug.CrashOptions{})
		f.log = ui.NewLog(stamped{w, p.loop}, level)
		p.logStart(w)
	}
	if p.o.record != "" {
		var err error
		if f.tape, err = newTape(p.o.record); err != nil {
			return nil, err
		}
	}
	p.traceAll = strings.Contains(p.o.debug, "imap") || strings.Contains(p.o.debug, "all")
	name := strings.ToLower(p.o.ui)
	if name == "" {
		name = p.cfg.UI
	}
	if i := strings.LastIndexByte(name, '.'); i >= 0 {
		name = name[i+1:] // Curses.Blinkenlights and the like
	}
	if p.o.json {
		name = "json"
	}
	onTerminal := ui.IsTerminal(1) && ui.IsTerminal(0)
	if name == "" && onTerminal && !p.o.dryRun && !p.o.info {
		name = "dashboard"
	}
	if p.o.syslog && name != "syslog" {
		f.syslog = f.systemLog(io.Discard, level)
	}
	return f, f.choose(name, level, f.stdout, f.stderr)
}

// systemLog writes to the log daemon; where none listens, to a standard error that
// the systemd journal may read.
func (f *front) systemLog(stderr io.Writer, level ui.Level) *ui.Text {
	s, err := openSyslog(syslogSocket)
	if err != nil {
		return ui.NewJournal(stderr, level)
	}
	return ui.NewSyslog(s, "offloop", os.Getpid(), level)
}

func (f *front) choose(name string, level ui.Level, stdout, stderr io.Writer) error {
	switch name {
	case "dashboard", "blinkenlights":
		if err := f.openScreen(name == "blinkenlights", level == ui.Debug); err != nil {
			fmt.Fprintf(stderr, "offloop: no live screen here, so lines of text: %v\n", err)
			return f.choose("ttyui", level, stdout, stderr)
		}
	case "", "ttyui":
		f.text = ui.NewTTY(stderr, level)
		f.view = f.text
	case "basic":
		f.text = ui.NewBasic(stdout, level)
		f.view = f.text
	case "quiet":
		f.text = ui.NewQuiet(stderr)
		f.view = f.text
	case "machineui":
		keep(stdout, keptForPrograms)
		f.machine = ui.NewMachine(stdout, level)
		f.view = f.machine
	case "json":
		keep(stdout, keptForPrograms)
		f.view = ui.NewJSONLines(stdout, level)
	case "syslog":
		f.text = f.systemLog(stderr, level)
		f.view = f.text
	default:
		return fmt.Errorf("no user interface %q: there are dashboard, blinkenlights, ttyui, basic, quiet, syslog and machineui", name)
	}
	return nil
}

// logStart writes the first lines of a run, as OfflineIMAP does. The values of -k,
// which may be passwords, are left out.
func (p *program) logStart(w io.Writer) {
	args := slices.Clone(os.Args)
	for i, a := range args {
		if name, _, ok := strings.Cut(a, "="); ok && (strings.HasPrefix(a, "-k") || i > 0 && args[i-1] == "-k") {
			args[i] = name + "=***"
		}
	}
	fmt.Fprintf(stamped{w, p.loop}, "INFO: offloop %s starting...\n", version)
	fmt.Fprintf(w, "  Go: %s Platform: %s\n  Args: %s\n", runtime.Version(), runtime.GOOS, ui.Safe(strings.Join(args, " ")))
}

// stamped puts the time before each line of the log file.
type stamped struct {
	w    io.Writer
	loop *reactor.Loop
}

func (s stamped) Write(b []byte) (int, error) {
	for line := range strings.Lines(string(b)) {
		if _, err := fmt.Fprintf(s.w, "%s %s", s.loop.Now().Format("2006-01-02 15:04:05"), line); err != nil {
			return 0, err
		}
	}
	return len(b), nil
}

func (f *front) openScreen(blink, debug bool) error {
	fd, err := ui.OpenTerminal()
	if err != nil {
		return err
	}
	f.fd = fd
	size := func() (int, int) { return ui.TerminalSize(fd) }
	utf8 := strings.Contains(strings.ToUpper(cmp.Or(os.Getenv("LC_ALL"), os.Getenv("LC_CTYPE"), os.Getenv("LANG"))), "UTF")
	f.screen, err = ui.NewScreen(ui.ScreenOptions{Size: size, Ask: true, Record: f.tape.recorder(), Options: ui.Options{
		Name: "offloop " + version, Copyright: "MIT license", Unicode: utf8, Mono: os.Getenv("NO_COLOR") != "", Blinkenlights: blink, Debug: debug}})
	if err != nil {
		syscall.Close(fd)
		f.fd = -1
		return err
	}
	if f.term, err = ui.MakeRaw(fd); err != nil {
		f.screen = nil
		syscall.Close(fd)
		f.fd = -1
		return err
	}
	f.view = f.screen
	if f.watch, err = f.p.loop.Watch(fd, reactor.Readable, f.terminal); err != nil {
		ui.Rescue(fd, f.screen, f.term)
		return err
	}
	f.p.loop.Signal(syscall.SIGWINCH, func() {
		if f.screen != nil {
			f.screen.Resize()
			f.soon()
		}
	})
	f.soon()
	return nil
}

// terminal is called when the terminal has keys for us, or takes output again.
func (f *front) terminal(ev reactor.Events) {
	if f.closed {
		return
	}
	if ev&reactor.Readable != 0 {
		var buf [1024]byte
		n, err := syscall.Read(f.fd, buf[:])
		switch {
		case n > 0 && f.screen != nil:
			f.do(f.screen.Input(buf[:n], f.p.loop.Now()))
		case n > 0 && f.text != nil:
			f.do(f.text.Input(buf[:n]))
			f.askText()
		case n == 0 || err != syscall.EAGAIN && err != syscall.EINTR:
			f.watch.Close() // the terminal is gone; the work goes on
			f.watch = nil
			f.p.quit()
			return
		}
	}
	f.paint()
}

func (f *front) do(acts []ui.Action) {
	for _, a := range acts {
		f.p.act(a)
	}
}

// paint lets the screen draw what changed and gives the terminal as much of it as
// it takes now; what it does not take waits for it, and frames are left out
// meanwhile.
func (f *front) paint() {
	if f.screen == nil || f.closed {
		return
	}
	f.due = false
	now := f.p.loop.Now()
	if at, ok := f.screen.NextDeadline(); ok && !now.Before(at) {
		began, frames := f.p.loop.Clock(), f.screen.Frames()
		f.draw(now)
		if f.screen.Frames() > frames && !f.closed {
			f.screen.Drew(began, f.p.loop.Clock())
		}
		f.meter.painted(f.p.loop, began, f.screen.Frames() > frames)
	} else {
		f.draw(now)
	}
	if !f.closed {
		f.arm(now)
	}
}

// draw has the screen do what is due and gives the terminal what it takes.
func (f *front) draw(now time.Time) {
	f.do(f.screen.Poll(now))
	if f.closed {
		return
	}
	want := reactor.Readable
	for b := f.screen.Output(); len(b) > 0; b = f.screen.Output() {
		n, err := syscall.Write(f.fd, b)
		if n > 0 {
			f.screen.Wrote(n, now)
		}
		if err != nil || n <= 0 {
			want |= reactor.Writable
			break
		}
	}
	if f.watch != nil {
		f.watch.Set(want)
	}
}

func (f *front) arm(now time.Time) {
	if f.timer != nil {
		f.timer()
		f.timer = nil
	}
	if at, ok := f.screen.NextDeadline(); ok {
		f.wakeAt = at
		f.timer = f.p.loop.CallLater(max(at.Sub(now), time.Millisecond), func() {
			f.timer = nil
			f.paint()
		}).Cancel
	}
}

// soon arranges for painting once the turn's events are in.
func (f *front) soon() {
	if f.due || f.screen == nil {
		return
	}
	f.due = true
	f.p.loop.NextTurn(f.paint)
}

func (f *front) event(e ui.Event) {
	if f.closed {
		return
	}
	timed := f.screen != nil && f.meter.sample()
	var began time.Time
	if timed {
		began = f.p.loop.Clock()
	}
	if f.screen == nil {
		f.tape.event(e) // a screen records what it is given itself
	}
	f.view.Event(e)
	f.summary.Event(e)
	if timed {
		f.meter.events += f.p.loop.Clock().Sub(began)
	}
	if f.log != nil {
		f.log.Event(e)
	}
	if f.syslog != nil {
		f.syslog.Event(e)
	}
	if f.screen != nil {
		f.changed()
	}
	f.askText()
}

// changed arranges for a frame at the time one is due, unless that is done: of many
// events between two frames only the first costs a turn.
func (f *front) changed() {
	at, ok := f.screen.NextDeadline()
	if ok && (f.timer == nil || at.Before(f.wakeAt)) {
		f.soon()
	}
}

// canAsk tells whether a password can be asked for.
func (f *front) canAsk() bool {
	return f.screen != nil || f.machine != nil || f.text != nil && ui.IsTerminal(0)
}

// askText reads the terminal in raw mode while a text interface asks for a
// password.
func (f *front) askText() {
	switch {
	case f.text == nil || f.closed:
	case f.text.Prompting() && f.fd < 0:
		fd, err := ui.OpenTerminal()
		if err != nil {
			return
		}
		f.fd = fd
		f.term, _ = ui.MakeRaw(fd)
		f.watch, _ = f.p.loop.Watch(fd, reactor.Readable, f.terminal)
	case !f.text.Prompting() && f.fd >= 0:
		f.release()
	}
	if f.machine != nil && f.watch == nil {
		f.readMachine()
	}
}

// readMachine takes the answers of the program that drives machineui.
func (f *front) readMachine() {
	if !f.machine.Waiting() {
		return
	}
	w, err := f.p.loop.Watch(0, reactor.Readable, func(reactor.Events) {
		var buf [1024]byte
		n, _ := syscall.Read(0, buf[:])
		if n > 0 {
			f.do(f.machine.Input(buf[:n]))
		}
		if n <= 0 || !f.machine.Waiting() {
			f.watch.Close()
			f.watch = nil
		}
	})
	if err == nil {
		f.watch = w
	}
}

func (f *front) release() {
	if f.watch != nil {
		f.watch.Close()
		f.watch = nil
	}
	f.term.Restore()
	if f.fd >= 0 {
		syscall.Close(f.fd)
		f.fd = -1
	}
}

// suspend gives the terminal back and stops the process, as ctrl-z does.
func (f *front) suspend() {
	if f.screen == nil {
		return
	}
	f.writeAll(f.screen.Suspend())
	f.lastAnswer()
	f.term.Restore()
	syscall.Kill(0, syscall.SIGTSTP)
	f.p.loop.CallLater(50*time.Millisecond, func() {
		if f.closed {
			return
		}
		f.term, _ = ui.MakeRaw(f.fd)
		if f.screen.Resume() == nil {
			f.soon()
		}
	})
}

// repaint draws the live screen anew after a child that may have asked at the terminal.
func (f *front) repaint() {
	if f.screen != nil && !f.closed {
		f.screen.Redraw()
		f.soon()
	}
}

func (f *front) writeAll(b []byte) {
	for try := 0; len(b) > 0 && try < 200; try++ {
		n, err := syscall.Write(f.fd, b)
		if n > 0 {
			b = b[n:]
		} else if err == syscall.EAGAIN {
			time.Sleep(time.Millisecond) // only on the way out or into the background
		} else if err != syscall.EINTR {
			return
		}
	}
}

// lastAnswer waits a moment for what the terminal is about to answer: the shell
// would take it for something typed.
func (f *front) lastAnswer() {
	if f.fd < 0 || !f.screen.Asking(f.p.loop.Now()) {
		return
	}
	var buf [256]byte
	for range 60 {
		n, err := syscall.Read(f.fd, buf[:])
		switch {
		case n > 0 && f.screen.Answered(buf[:n]), n == 0, err != nil && err != syscall.EAGAIN && err != syscall.EINTR:
			return
		}
		time.Sleep(5 * time.Millisecond) // only on the way out or into the background
	}
}

// close restores the terminal; on a live screen the errors are said again, for
// they were lost with it.
func (f *front) close() {
	if f.closed {
		return
	}
	f.closed = true
	if f.timer != nil {
		f.timer()
	}
	if f.screen != nil {
		f.writeAll(f.screen.Close())
		f.lastAnswer()
	}
	if f.fd >= 0 || f.watch != nil {
		f.release()
	}
	f.summary.WriteTo(f.stderr)
	f.tape.end(f.stderr)
	f.drain()
	if f.logf != nil {
		var b bytes.Buffer
		f.summary.WriteTo(&b)
		for line := range strings.Lines(b.String()) {
			io.WriteString(stamped{f.logf, f.p.loop}, "WARNING: "+line)
		}
		f.logf.Close()
	}
}

// stats is what --stats says of the live screen.
func (f *front) stats() string {
	if f.screen == nil {
		return ""
	}
	return f.meter.stats(f.screen.Frames())
}

// rescue restores the terminal on the way out of a panic.
func (f *front) rescue() {
	if r := recover(); r != nil {
		if !f.closed && f.fd >= 0 {
			ui.Rescue(f.fd, f.screen, f.term)
		}
		panic(r)
	}
}
