package main

import (
	"fmt"
	"io"
	"time"

	"offloop/cmd/offloop/internal/config"
	"offloop/reactor"
)

// errand is a command of its own that needs accounts and a loop but is no sync. Its
// status is code when it ends.
type errand struct {
	p    *program
	code int
}

// runErrand makes the loop and the program around work, which begins on the first
// turn, and returns the exit status.
func runErrand(cfg *config.Config, accounts []*config.Account, o *options, started time.Time, stdout, stderr io.Writer, work func(e *errand)) int {
	loop, err := reactor.New()
	if err != nil {
		fmt.Fprintln(stderr, "offloop:", err)
		return 1
	}
	defer loop.Close()
	if o.ui == "" {
		o.ui = "quiet"
	}
	e := &errand{p: &program{loop: loop, cfg: cfg, o: o, started: started}}
	if e.p.front, err = newFront(e.p, stdout, stderr); err != nil {
		fmt.Fprintln(stderr, "offloop:", err)
		return 1
	}
	defer e.p.front.rescue()
	e.p.prepare(accounts)
	e.p.signals()
	loop.NextTurn(func() { work(e) })
	if err := loop.Run(); err != nil && err != errQuit {
		fmt.Fprintln(stderr, "offloop:", err)
		e.code = 1
	}
	e.p.front.close()
	return e.code
}

func (e *errand) end() { e.p.loop.Stop(errQuit) }

// each calls f for one account after the other, the next when f calls next, and then
// ends. An account that its configuration refuses, which has been told, is left out.
func (e *errand) each(f func(r *runner, next func())) {
	var from func(i int)
	from = func(i int) {
		switch {
		case i == len(e.p.runners) || e.p.stop > 0:
			e.end()
		case e.p.runners[i].a == nil:
			e.code = 1
			from(i + 1)
		default:
			f(e.p.runners[i], func() { e.p.loop.NextTurn(func() { from(i + 1) }) })
		}
	}
	from(0)
}
