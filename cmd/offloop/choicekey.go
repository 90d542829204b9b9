package main

import (
	"maps"
	"slices"

	"offloop/cmd/offloop/internal/mailsync"
	"offloop/ui"
)

// choose keeps what a person decided about a folder for the next round, since the one
// under way may be past it or in the midst of it.
func (r *runner) choose(a ui.Action) {
	if r.set == nil {
		return
	}
	r.choices = append(r.choices, a)
	if r.paused {
		r.say("log", "It will be done when "+r.acc.Name+" is resumed (p)")
		return
	}
	r.sync("")
}

// chosen has the round that begins do what was decided.
func (r *runner) chosen() {
	for _, a := range r.choices {
		switch a.Verb {
		case "allow":
			// The deletes that were shown, in one round: --allow-deletes is for a whole run.
			allowed := maps.Clone(r.set.Allowed)
			if allowed == nil {
				allowed = map[string]string{}
			}
			allowed[a.Folder] = a.Set
			r.set.Allowed = allowed
		case "recreate":
			r.set.Recreate = append(slices.Clone(r.set.Recreate), a.Folder)
		case "forget":
			r.set.Forget = append(slices.Clone(r.set.Forget), a.Folder)
		}
	}
	r.choices = nil
}

// used ends what chosen allowed, with the round that could make use of it: more
// deletes are another decision.
func (r *runner) used(last mailsync.Error) {
	if last.Scope != mailsync.ScopeAccount && !r.paused && !r.part {
		r.set.Allowed = nil
	}
}
