package config

import (
	"regexp"
	"time"
)

// Hooks are the shell commands around an account's rounds.
type Hooks struct {
	// Before and After run before and after each round (presynchook,
	// postsynchook), NewMail after one that brought unseen mail into INBOX.
	Before, After, NewMail string
	// NewMailCall is a newmail_hook that takes python3; NewMail is empty then.
	NewMailCall *Expression
	// Timeout is how long one may take before it is killed.
	Timeout time.Duration
	// Quick is how many rounds after a full one are called quick in the hooks'
	// environment: -1 for all of them, 0 for none.
	Quick int
}

// Names of the environment variable that tells a hook what kind of round it is
// about. OfflineIMAP sets the same.
const (
	// SyncModeVar is the variable.
	SyncModeVar = "OFFLINEIMAPSYNCMODE"
	// ModeFull, ModeQuick and ModeIdle are its values.
	ModeFull  = "full"
	ModeQuick = "quick"
	ModeIdle  = "idle"
)

// Mode names the kind of the n-th round, counted from 0: one full round, then
// Quick quick ones, and so on.
func (h Hooks) Mode(n int) string {
	if h.Quick < 0 || h.Quick > 0 && n%(h.Quick+1) != 0 {
		return ModeQuick
	}
	return ModeFull
}

func (b *builder) hooks(a *Account, v *view) {
	h := &a.Hooks
	h.Before, _ = v.text("presynchook")
	h.After, _ = v.text("postsynchook")
	h.Quick = int(min(v.integer("quick", 0, -1), 1<<30))
	h.Timeout = v.duration("hook_timeout", time.Hour)
}

// systemCall is the one shape of newmail_hook that can be carried out without
// Python: lambda: os.system("command").
var systemCall = regexp.MustCompile(`(?s)^\s*lambda\s*:\s*(?:os\.)?system\s*\((.*)\)\s*$`)

// newMail reads newmail_cmd, or a newmail_hook: one that only runs a command becomes
// that command, any other is called by python3. It is not evaluated to see whether it
// could be: it is there for what it does.
func (b *builder) newMail(a *Account, v *view) {
	cmd, e := v.text("newmail_cmd")
	if e != nil {
		a.Hooks.NewMail = cmd
		v.replaced("newmail_cmd", "newmail_hook")
		return
	}
	s, e := v.text("newmail_hook")
	if e == nil || s == "" {
		return
	}
	if m := systemCall.FindStringSubmatch(s); m != nil {
		if x, err := constant(m[1]); err == nil {
			if cmd, ok := x.(string); ok {
				a.Hooks.NewMail = cmd
				return
			}
		}
	}
	if v.py.Program == "" {
		k := lookup("newmail_hook", IMAPRepo)
		v.warn(e, "newmail_hook", "newmail_hook is not run: without python3 only lambda: os.system(\"COMMAND\") can be carried out", k.Instead)
		return
	}
	a.Hooks.NewMailCall = &Expression{py: v.py, text: s}
	v.uses(e, "newmail_hook", "it is called for what it does", true, func() error { return a.Hooks.NewMailCall.look(true) })
}

// between reads what a repository does between rounds.
func (b *builder) between(v *view, r *Remote) {
	r.Hold = v.boolean("holdconnectionopen", false)
	r.KeepAlive = time.Duration(min(v.integer("keepalive", 0, 0), 24*3600)) * time.Second
	r.IdleFolders = v.names("idlefolders")
}
