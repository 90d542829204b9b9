package mailsync

import "offloop/statefile"

// Names of the moments at which Env.Hook is called. They are those of the
// configuration's keys.
const (
	HookBefore  = "presynchook"  // the account is locked, nothing has been looked at
	HookAfter   = "postsynchook" // everything of the round is recorded, the lock is still held
	HookNewMail = "newmail_hook" // as HookAfter, if unseen mail came into INBOX
)

// hook lets the user's command of that name run, then goes on whatever came of
// it: a hook never stops a round.
func (a *Account) hook(name string, next func()) {
	if a.env.Hook == nil || a.set.DryRun || a.stopping {
		next()
		return
	}
	ended := false
	cancel := a.env.Hook(a.set, name, func() {
		if !ended {
			ended = true
			a.unhook = nil
			next()
		}
	})
	if !ended {
		a.unhook = cancel
	}
}

// hooksAfter runs the hooks at the end of a round. One that could not do its
// work has nothing to tell them.
func (a *Account) hooksAfter(next func()) {
	if a.round.err != nil {
		next()
		return
	}
	after := func() { a.hook(HookAfter, next) }
	if a.newMail == 0 {
		after()
		return
	}
	a.hook(HookNewMail, after)
}

// countNew counts unseen mail that came into INBOX.
func (f *folder) countNew(in *incoming) {
	if f.pair.remote == "INBOX" && in.flags&statefile.FlagS == 0 {
		f.a.newMail++
	}
}
