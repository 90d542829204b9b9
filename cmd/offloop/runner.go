package main

import (
	"errors"
	"fmt"
	"time"

	"offloop/cmd/offloop/internal/config"
	"offloop/cmd/offloop/internal/mailsync"
	"offloop/maildir"
	"offloop/statefile"
	"offloop/ui"
)

// runnerState is where an account's rounds stand.
//
//	Ready ─> Busy ─> Sleeping ─> Ready …
//	           └───> Done
type runnerState uint8

const (
	runnerReady runnerState = iota
	runnerBusy
	runnerSleeping
	runnerDone
)

// String names the state.
func (s runnerState) String() string {
	return [...]string{"ready", "busy", "sleeping", "done"}[s]
}

// maxReconnects is how often a run that is to happen once goes on after a lost
// connection.
const maxReconnects = 3

// runner runs an account's rounds: once, or again and again with autorefresh.
type runner struct {
	p      *program
	acc    *config.Account
	set    *mailsync.Settings
	named  []string // the folders that -f names, by all their names
	access *access
	a      *mailsync.Account
	state  runnerState
	timer  func()
	total  mailsync.Result
	last   bool // end after this round
	paused bool
	again  bool
	until  time.Time
	fails  int
	met    bool // a round of this run has reached the server
	known  int  // errors of earlier rounds
	rounds int  // that count for quick
	mode   string
	listed bool   // its folders are known to [mbnames]
	news   bool   // the next round is for news of a watched folder
	only   string // the local folder the next round is for; "" = all
	part   bool   // the round under way is for one folder

	waiting func(string, error) // the engine waits for a password
	traced  bool                // someone looks at the account's protocol
	doubted *mailsync.Error     // what the last round failed for, while the person decides
	offer   undoOffer           // what the key u has shown
	choices []ui.Action         // what a person decided, for the next round
}

func newRunner(p *program, acc *config.Account) *runner {
	r := &runner{p: p, acc: acc}
	r.access = newAccess(p, acc, r.askPassword)
	if len(acc.Refused) > 0 {
		r.state = runnerDone
		r.total.Errors = append(r.total.Errors, &mailsync.Error{Scope: mailsync.ScopeAccount, Account: acc.Name, Err: errors.New("refused by its configuration")})
		p.show(ui.Event{Kind: "error", Severity: "error", Account: acc.Name, Text: fmt.Sprintf("ERROR: account %s is not synced: its configuration has errors", acc.Name), Hint: "offloop check explains them"})
		return r
	}
	r.set = settings(p.cfg, acc, p.o)
	r.named = r.set.OnlyFolders
	n := names{acc: acc, cfg: p.cfg, rank: map[string]int{}}
	if acc.Remote.Sort != nil {
		r.set.Rank = func(local string) int { return n.rank[local] }
	}
	env := p.env
	if acc.Local.KeepAtime {
		env.FS = polite{maildir.Unseen{}}
	}
	env.Dial = r.access.dial
	env.TLSConfig = r.access.tlsConfig
	env.Password = func(s *mailsync.Settings, done func(string, error)) {
		if r.access.known && !acc.Remote.OAuth.Asked {
			r.access.password(s, done)
			return
		}
		r.access.password(s, func(pass string, err error) {
			p.front.repaint() // a program that gives passwords asks at the terminal itself, pinentry for one
			done(pass, err)
		})
	}
	env.Names = n.prepare(p.loop, r.askPassword, func(text string) {
		p.show(ui.Event{Kind: "log", Severity: "warn", Account: acc.Name, Text: text})
	})
	env.Hook = r.hook
	env.Tracing = func(string) bool { return p.traceAll || r.traced }
	r.a = mailsync.New(&env, r.set)
	return r
}

func (r *runner) start() {
	r.state = runnerBusy
	r.again = false
	r.doubted, r.access.doubt = nil, nil
	r.a.Result().Trim()
	r.known = len(r.a.Result().Errors)
	r.mode = r.acc.Hooks.Mode(r.rounds)
	if r.p.o.quick {
		r.mode = config.ModeQuick
	}
	r.narrow()
	r.chosen()
	switch {
	case r.news:
		r.mode, r.news = config.ModeIdle, false
	case !r.part:
		r.rounds++
	}
	r.a.Round(r.keepPassword)
}

// narrow makes the round that begins one for the folder asked for, if there is one
// that is synced; else the round is for what the command line says.
func (r *runner) narrow() {
	remote, ok := "", false
	if r.only != "" {
		remote, ok = r.a.RemoteFolder(r.only)
	}
	r.only, r.part = "", ok
	if r.set.OnlyFolders = r.named; ok {
		r.set.OnlyFolders = []string{remote}
	}
}

// ended decides what comes after a round.
func (r *runner) ended() {
	res := r.a.Result()
	now := r.p.loop.Now()
	last := lastError(res.Errors[r.known:])
	lost, refused, away := last.Lost, last.Refused, last.Away
	r.total = *res
	r.used(last)
	switch {
	case refused:
		r.access.forget()
	case !lost && !away:
		r.fails = 0
	}
	r.met = r.met || !away && !refused
	refresh := r.acc.AutoRefresh
	if r.p.o.once || r.p.o.dryRun {
		refresh = 0
	}
	if !r.part {
		r.until = now.Add(refresh) // a round for one folder does not put off the next for all
	}
	if refresh > 0 && r.met && !r.last && r.p.stop == 0 {
		r.a.Watch(r.idleFolders(), r.heard)
	}
	switch at := r.a.SettleAt(); {
	case r.p.stop > 0 || r.last:
		r.state = runnerDone
	case r.access.doubt != nil && r.p.front.screen != nil && !r.p.o.dryRun && last.Scope == mailsync.ScopeAccount:
		r.askTrust(res)
	case r.paused:
		r.state = runnerSleeping
		r.only = ""
	case r.again:
		r.state = runnerReady
	case !at.IsZero() && (!lost || r.fails < maxReconnects):
		// Due even if a long round has reached that time: it looked before.
		r.p.show(ui.Event{Kind: "log", Account: r.acc.Name, Text: "Waiting until uploads of an earlier run have settled"})
		if lost {
			r.fails++
			r.dropLost(res)
		}
		r.sleep(max(0, at.Sub(now))+100*time.Millisecond, false)
	case r.a.Patience() > 0 && refresh > 0:
		r.sleep(max(r.a.Patience(), r.until.Sub(now)), false)
	case r.a.Patience() > 0: // a run that is to happen once does not press on
		r.state = runnerDone
	case ((lost || away && r.met) && r.fails < maxReconnects || (lost || away) && refresh > 0) && !r.p.o.dryRun:
		r.fails++
		r.dropLost(res)
		r.sleep(backoff(r.fails, refresh), false)
	case refresh > 0:
		r.sleep(max(r.until.Sub(now), 0), true)
	default:
		r.state = runnerDone
	}
	switch r.state {
	case runnerDone:
		r.a.Release()
	case runnerSleeping:
		r.tellRest(last)
	}
	if !r.part {
		r.p.noteFolders(r)
	}
	if r.offer.wanted {
		r.restore()
	}
	r.p.loop.NextTurn(r.p.startNext)
}

// tellRest says, where an account is kept from its work, what keeps it and when it
// tries again.
func (r *runner) tellRest(last mailsync.Error) {
	topic, why := "", ""
	switch {
	case r.a.Patience() > 0:
		topic, why = ui.TopicThrottle, "the server asks to be left alone for a while"
	case errors.As(last.Err, new(*statefile.LockedError)):
		topic, why = ui.TopicLock, "another program works on this account"
	case last.Away:
		topic, why = ui.TopicOffline, "the server cannot be reached"
	default:
		return
	}
	r.p.show(ui.Event{Kind: "attention", Severity: "warn", Account: r.acc.Name, Dest: topic,
		Text: fmt.Sprintf("%s: %s; the next try is at %s", r.acc.Name, why, r.until.Format("15:04:05"))})
}

// heard is called when something happened in a watched folder: it is synced at once,
// or as soon as the round under way has ended.
func (r *runner) heard() {
	r.only = ""
	switch r.state {
	case runnerBusy:
		r.news, r.again = true, true
	case runnerSleeping:
		r.news = true
		r.wake()
	}
}

// idleFolders are the folders to watch, by their names in UTF-8.
func (r *runner) idleFolders() []string {
	n := names{acc: r.acc, cfg: r.p.cfg}
	var l []string
	for _, f := range r.acc.Remote.IdleFolders {
		l = append(l, n.wire(f))
	}
	return l
}

// backoff grows from one second to five minutes, or to the refresh time.
func backoff(n int, refresh time.Duration) time.Duration {
	limit := 5 * time.Minute
	if refresh > 0 {
		limit = min(limit, refresh)
	}
	return min(time.Second<<min(n-1, 10), limit)
}

// lastError is the error that ended the last round, or none.
func lastError(errs []*mailsync.Error) mailsync.Error {
	if len(errs) == 0 {
		return mailsync.Error{}
	}
	if e := errs[len(errs)-1]; e.Scope == mailsync.ScopeAccount {
		return *e
	}
	return mailsync.Error{}
}

// dropLost takes a lost connection off the record once the work goes on after
// it: what counts is how it ends.
func (r *runner) dropLost(res *mailsync.Result) {
	res.Errors = res.Errors[:len(res.Errors)-1]
	r.p.front.summary.Withdraw(r.acc.Name)
}

func (r *runner) sleep(d time.Duration, tell bool) {
	r.state = runnerSleeping
	r.until = r.p.loop.Now().Add(d)
	if tell {
		r.p.show(ui.Event{Kind: "sleep", Account: r.acc.Name, N: int64(d.Seconds()), Text: fmt.Sprintf("Next refresh in %.1f minutes", d.Minutes())})
	}
	r.timer = r.p.loop.CallLater(d, r.wake).Cancel
}

// wake ends the sleep.
func (r *runner) wake() {
	if r.state != runnerSleeping || r.paused {
		return
	}
	if r.timer != nil {
		r.timer()
		r.timer = nil
	}
	r.p.show(ui.Event{Kind: "wake", Severity: "debug", Account: r.acc.Name})
	r.state = runnerReady
	if r.last {
		r.state = runnerDone
		r.a.Release()
	}
	r.p.loop.NextTurn(r.p.startNext)
}

// jumped reacts to a suspended machine: connections are dead, and what was due
// is due now.
func (r *runner) jumped(time.Duration) {
	switch r.state {
	case runnerBusy:
		r.a.Suspended()
	case runnerSleeping:
		r.a.Suspended()
		if !r.p.loop.Now().Before(r.until) {
			r.wake()
		}
	}
}

// sync runs a round as soon as may be: for a folder, or for all with "".
func (r *runner) sync(folder string) {
	text := "Requested synchronization for " + r.acc.Name
	if folder != "" {
		text = "Requested synchronization of folder " + folder + " of " + r.acc.Name
	}
	r.p.show(ui.Event{Kind: "log", Account: r.acc.Name, Text: text})
	switch r.state {
	case runnerBusy:
		if r.again && r.only != folder {
			folder = "" // two wishes at once: everything serves both
		}
		r.again, r.only = true, folder
	case runnerSleeping:
		if !r.paused {
			r.only = folder
		}
	}
	if folder == "" {
		r.rounds = 0 // who asks wants a full one
	}
	r.wake()
}

func (r *runner) act(a ui.Action) {
	switch a.Verb {
	case "sync":
		r.sync(a.Folder)
	case "pause":
		r.paused = true
		if r.state == runnerBusy {
			r.a.Stop() // what is durable is recorded; resume goes on from there
		}
	case "resume":
		r.paused = false
		r.wake()
	case "trust", "distrust":
		r.decided(a.Verb == "trust")
	case "undo":
		r.lookBack(a.Folder)
	case "restore":
		r.restore()
	case "trace", "untrace":
		r.traced = a.Verb == "trace"
	case "allow", "recreate", "forget":
		r.choose(a)
	}
}

func (r *runner) quit() {
	switch r.state {
	case runnerBusy:
		r.a.Stop()
	case runnerReady, runnerSleeping:
		if r.timer != nil {
			r.timer()
		}
		r.state = runnerDone
		r.undecided()
		r.a.Release()
	}
	if r.waiting != nil {
		r.answerError(errors.New("stopped by the user"))
	}
}

func (r *runner) code() int { return r.total.ExitCode() }

// askPassword opens a prompt; other accounts go on meanwhile.
func (r *runner) askPassword(prompt string, done func(string, error)) {
	if !r.p.front.canAsk() {
		done("", errors.New("there is no terminal to ask at"))
		return
	}
	r.waiting = done
	r.p.show(ui.Event{Kind: "attention", Severity: "warn", Account: r.acc.Name, Dest: ui.TopicPassword, Text: prompt})
}

func (r *runner) answer(pass string) {
	if done := r.waiting; done != nil {
		r.waiting = nil
		r.p.show(ui.Event{Kind: "attention", Account: r.acc.Name, Dest: ui.TopicPassword})
		done(pass, nil)
	}
}

func (r *runner) answerError(err error) {
	done := r.waiting
	r.waiting = nil
	done("", err)
}
