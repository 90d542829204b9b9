package main

import (
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"time"

	"offloop/cmd/offloop/internal/config"
	"offloop/cmd/offloop/internal/mailsync"
	"offloop/maildir"
	"offloop/reactor"
	"offloop/ui"

	"golang.org/x/sys/unix"
)

// program is everything that runs: the loop, the accounts, and the front that
// shows them. This file is the one place where the rooms meet.
type program struct {
	loop    *reactor.Loop
	cfg     *config.Config
	o       *options
	front   *front
	runners []*runner
	started time.Time
	env     mailsync.Env
	stop    int // how often the user asked to stop
	code    int
	writing int  // jobs for [mbnames], and undos, under way
	reload  bool // start anew with what the configuration says now

	traceAll bool // -d imap: the protocol of every account goes into the log
	turn     time.Duration
	noter    *noter
}

// engineLoop gives the engine the loop in the shape it asks for.
type engineLoop struct{ *reactor.Loop }

// After calls f once d has passed.
func (l engineLoop) After(d time.Duration, f func()) func() { return l.CallLater(d, f).Cancel }

// syncAll syncs the accounts until they are done or the user stops it.
func syncAll(cfg *config.Config, accounts []*config.Account, o *options, started time.Time, stdout, stderr io.Writer) int {
	loop, err := reactor.New()
	if err != nil {
		fmt.Fprintln(stderr, "offloop:", err)
		return 1
	}
	defer loop.Close()
	p := &program{loop: loop, cfg: cfg, o: o, started: started}
	p.front, err = newFront(p, stdout, stderr)
	if err != nil {
		fmt.Fprintln(stderr, "offloop:", err)
		return 1
	}
	defer p.front.rescue()
	defer deaf()
	p.prepare(accounts)
	p.signals()
	loop.NextTurn(p.startNext)
	err = loop.Run()
	if !p.reload {
		p.show(ui.Event{Kind: "quit", N: int64(p.exitCode())})
	}
	p.noter.end()
	p.front.close()
	if err != nil && err != errQuit {
		fmt.Fprintln(stderr, "offloop:", err)
		p.code = max(p.code, 1)
	}
	if p.reload {
		return again(stderr)
	}
	p.totals(p.front.stdout)
	p.front.drain()
	return p.exitCode()
}

func (p *program) prepare(accounts []*config.Account) {
	host, err := os.Hostname()
	if err != nil || host == "" {
		host = "localhost"
	}
	p.env = mailsync.Env{
		Loop: engineLoop{p.loop}, FS: polite{maildir.OS{}}, Namer: maildir.NewNamer(host, os.Getpid()), Pid: os.Getpid(), Started: p.started, Batch: openFiles() / 4,
		Notify: func(e mailsync.Event) { p.show(ui.Event(e)) },
		Trace:  p.trace,
	}
	p.show(ui.Event{Kind: "banner", Text: "offloop " + version})
	for _, acc := range accounts {
		p.runners = append(p.runners, newRunner(p, acc))
	}
	p.watch()
	p.note()
	p.loop.OnJump(func(gap time.Duration) {
		for _, r := range p.runners {
			r.jumped(gap)
		}
	})
}

// openFiles is how many files the process may hold open (the system's soft limit,
// which Go raises to the hard one), less what else it needs; at least 64.
func openFiles() int {
	var r unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &r) != nil {
		return 64
	}
	return max(64, int(min(uint64(r.Cur), 1<<20))-128)
}

// trace shows a line of an account's protocol; passwords are out of it already.
func (p *program) trace(account string, out bool, line []byte) {
	arrow := "<"
	if out {
		arrow = ">"
	}
	p.show(ui.Event{Kind: "trace", Severity: "debug", Account: account, Conn: 1, Text: arrow + " " + strings.TrimRight(string(line), "\r\n")})
}

// sampleEvery is how often what the connections and the loop are at is told to
// a screen.
const sampleEvery = time.Second

// watch tells a live screen, once a second, what no event of the engine says: the
// command each connection waits for, and the longest turn of the loop.
func (p *program) watch() {
	if p.front.screen == nil {
		return
	}
	for _, r := range p.runners {
		if r.state == runnerBusy {
			r.a.Sample()
		}
	}
	if d, what := p.loop.LongestTurn(); d != p.turn {
		p.turn = d
		p.show(ui.Event{Kind: "stats", Dest: ui.MeasureTurn, N: int64(d), Text: what})
	}
	p.loop.CallLater(sampleEvery, p.watch)
}

// show passes an event to the front, stamped if its maker did not.
func (p *program) show(e ui.Event) {
	if e.At == 0 {
		e.At = p.loop.Now().UnixNano()
	}
	p.front.event(e)
	p.noter.event(e)
}

// startNext starts as many accounts as may run at once, and ends the loop when
// none is left.
func (p *program) startNext() {
	running, left := 0, 0
	for _, r := range p.runners {
		switch r.state {
		case runnerBusy:
			running++
		case runnerReady, runnerSleeping:
			left++
		}
	}
	for _, r := range p.runners {
		if r.state == runnerReady && !r.offer.going && running < max(p.cfg.MaxSyncAccounts, 1) && p.stop == 0 {
			running++
			r.start()
		}
	}
	if running == 0 && p.writing == 0 && (left == 0 || p.stop > 0) {
		p.loop.Stop(errQuit)
	}
}

// act does what a person asked for with a key.
func (p *program) act(a ui.Action) {
	switch a.Verb {
	case "quit":
		p.reload = false
		p.quit()
	case "quitnow":
		p.reload, p.stop = false, 2
		p.quit()
	case "suspend":
		p.front.suspend()
	case "reload":
		p.anew()
	case "password":
		for _, r := range p.runners {
			if r.acc.Name == a.Account {
				r.answer(a.Text)
			}
		}
	default:
		for _, r := range p.runners {
			if a.Account == "" || r.acc.Name == a.Account {
				r.act(a)
			}
		}
	}
}

// quit ends every account's round: nothing new begins, what is durable is
// recorded. Asked for a third time, it does not wait for that.
func (p *program) quit() {
	p.stop++
	if p.stop >= 3 {
		p.front.close()
		os.Exit(1)
	}
	for _, r := range p.runners {
		r.quit()
	}
	p.startNext()
}

// anew starts the program anew with what the configuration says now, once what is
// under way is safe. One that cannot be used changes nothing.
func (p *program) anew() {
	if p.stop > 0 {
		return // a second r is no second wish to quit
	}
	if why := p.unusable(); why != "" {
		p.show(ui.Event{Kind: "attention", Severity: "error", Dest: ui.TopicConfig, Text: "The configuration was not read again, what was read before goes on: " + why,
			Hint: "mend it and press r again; offloop check explains more"})
		return
	}
	p.show(ui.Event{Kind: "log", Text: "Starting anew with the configuration as it is now, when what is under way is safe"})
	p.reload = true
	p.quit()
}

// unusable says what keeps the configuration, as it is now, from being used, "" if
// nothing does. An account that was refused before may still be.
func (p *program) unusable() string {
	var problems strings.Builder
	cfg, accounts, code := load(p.o, io.Discard, &problems)
	if cfg == nil || code >= 0 {
		why := ""
		for line := range strings.Lines(problems.String()) {
			if !strings.Contains(line, ": warning: ") {
				why += line
			}
		}
		return strings.TrimSpace(why)
	}
	var bad []string
	for _, acc := range accounts {
		known := slices.ContainsFunc(p.runners, func(r *runner) bool { return r.acc.Name == acc.Name && len(r.acc.Refused) > 0 })
		if len(acc.Refused) > 0 && !known {
			bad = append(bad, fmt.Sprintf("account %s would not be synced: %s", acc.Name, acc.Refused[0]))
		}
	}
	return strings.Join(bad, "\n")
}

// again replaces the process by a new one with the same arguments, which reads
// the configuration anew. Everything has been recorded and the locks are free.
func again(stderr io.Writer) int {
	self, err := os.Executable()
	if err == nil {
		err = syscall.Exec(self, os.Args, os.Environ())
	}
	fmt.Fprintln(stderr, "offloop: cannot start anew:", err)
	return 1
}

func (p *program) signals() {
	for _, s := range []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		p.loop.Signal(s, func() {
			p.reload = false
			if p.stop == 0 {
				p.show(ui.Event{Kind: "warn", Text: "Preparing to shutdown: what is being transferred is recorded; press CTRL-C three times to shutdown immediately"})
			}
			p.quit()
		})
	}
	p.loop.Signal(syscall.SIGUSR1, func() {
		for _, r := range p.runners {
			r.act(ui.Action{Verb: "sync"})
		}
	})
	for _, s := range []os.Signal{syscall.SIGUSR2, syscall.SIGABRT} {
		p.loop.Signal(s, func() {
			p.show(ui.Event{Kind: "warn", Text: "Terminating after this sync..."})
			for _, r := range p.runners {
				r.last = true
				r.wake()
			}
		})
	}
	// QUIT is the runtime's: it prints the stacks and aborts, even where the loop
	// hangs. Only a live screen has to be taken down first.
	debug.SetTraceback("crash")
	if p.front.screen != nil {
		p.loop.Signal(syscall.SIGQUIT, func() {
			p.front.close()
			signal.Reset(syscall.SIGQUIT)
			syscall.Kill(os.Getpid(), syscall.SIGQUIT)
		})
	}
	signal.Ignore(syscall.SIGPIPE)
}

// deaf drops the signals that ask the program to stop, once it has stopped: one
// that comes between the loop's end and the process's would otherwise have its
// default effect, and a sync that went well would be reported as killed.
func deaf() {
	signal.Notify(make(chan os.Signal, 1), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2,
		syscall.SIGABRT, syscall.SIGQUIT)
}

func (p *program) exitCode() int {
	code := p.code
	for _, r := range p.runners {
		c := r.code()
		if c == 1 || code == 1 {
			code = 1
		} else {
			code = max(code, c)
		}
	}
	return code
}

// totals prints what --stats asks for: one line of key=value pairs.
func (p *program) totals(w io.Writer) {
	if !p.o.stats {
		return
	}
	d, what := p.loop.LongestTurn()
	var t mailsync.Result
	for _, r := range p.runners {
		x := r.total
		t.Down += x.Down
		t.Up += x.Up
		t.FlagsLocal += x.FlagsLocal
		t.FlagsRemote += x.FlagsRemote
		t.DelLocal += x.DelLocal
		t.DelRemote += x.DelRemote
		t.MovedLocal += x.MovedLocal
		t.MovedRemote += x.MovedRemote
		t.BytesDown += x.BytesDown
		t.BytesUp += x.BytesUp
		t.Flights += x.Flights
		t.WireIn += x.WireIn
		t.WireOut += x.WireOut
	}
	fmt.Fprintf(w, "stats: downloaded=%d uploaded=%d flags-here=%d flags-there=%d deleted-here=%d deleted-there=%d moved-here=%d moved-there=%d bytes-down=%d bytes-up=%d wire-in=%d wire-out=%d flights=%d longest-turn=%.1fms longest-turn-in=%q%s\n",
		t.Down, t.Up, t.FlagsLocal, t.FlagsRemote, t.DelLocal, t.DelRemote, t.MovedLocal, t.MovedRemote, t.BytesDown, t.BytesUp, t.WireIn, t.WireOut, t.Flights, float64(d.Microseconds())/1000, what, p.front.stats())
}
