package main

import (
	"errors"
	"fmt"
	"strings"

	"offloop/cmd/offloop/internal/config"
	"offloop/cmd/offloop/internal/mailsync"
	"offloop/reactor"
	"offloop/ui"
)

// hookOutput is how much of the end of what a hook prints is shown.
const hookOutput = 16 << 10

// hook runs the account's command for a moment of its round. What becomes of it
// is told and changes nothing.
func (r *runner) hook(_ *mailsync.Settings, name string, done func()) (cancel func()) {
	h := &r.acc.Hooks
	cmd := map[string]string{mailsync.HookBefore: h.Before, mailsync.HookAfter: h.After, mailsync.HookNewMail: h.NewMail}[name]
	c := reactor.Command{Shell: cmd}
	call := h.NewMailCall
	if name != mailsync.HookNewMail {
		call = nil
	}
	switch {
	case call != nil:
		var err error
		if c.Args, c.Stdin, err = call.HookCommand(); err != nil {
			done() // it is text: it can be encoded
			return func() {}
		}
		c.Shell, cmd = "", strings.TrimSpace(call.String())
	case cmd == "":
		done()
		return func() {}
	}
	say := func(format string, args ...any) {
		r.p.show(ui.Event{Kind: "hook", Account: r.acc.Name, Text: fmt.Sprintf(format, args...)})
	}
	say("Calling hook: %s", cmd)
	c.Env, c.Timeout, c.MaxOutput, c.Tail = []string{config.SyncModeVar + "=" + r.mode}, h.Timeout, hookOutput, true
	return r.p.loop.Exec(c, func(res reactor.Result) {
		if call != nil {
			if res.Err == nil {
				res.Err = config.HookAnswer(res.Stdout)
			}
			res.Stdout = nil // what the hook printed is in the other
		}
		for _, out := range []struct{ name, text string }{{"stdout", string(res.Stdout)}, {"stderr", string(res.Stderr)}} {
			for line := range strings.Lines(out.text) {
				say("Hook %s: %s", out.name, strings.TrimRight(line, "\r\n"))
			}
		}
		switch {
		case errors.Is(res.Err, reactor.ErrKilled) && r.p.stop > 0:
		case res.ExitCode >= 0:
			say("Hook return code: %d", res.ExitCode)
		}
		if res.Err != nil && r.p.stop == 0 {
			r.p.show(ui.Event{Kind: "warn", Severity: "warn", Account: r.acc.Name, Text: fmt.Sprintf("%s of account %s: %v; the sync goes on", name, r.acc.Name, hookProblem(res))})
		}
		done()
	}).Kill
}

// hookProblem says what went wrong without repeating the command and its words,
// which have been shown.
func hookProblem(res reactor.Result) string {
	var c *reactor.ChildError
	switch {
	case !errors.As(res.Err, &c):
		return res.Err.Error()
	case c.Err != nil:
		return c.Err.Error()
	case c.Signal != "":
		return "was ended by " + c.Signal
	}
	return fmt.Sprintf("ended with status %d", c.ExitCode)
}
