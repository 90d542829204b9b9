package bench

import "offloop/cmd/internal/lab/mutate"

// Phase is one piece of work that every tool does.
type Phase struct {
	Name string
	// Settle runs the tool once, unmeasured, before: the phase before left
	// own changes behind.
	Settle bool
	Server *mutate.Options // changes made on the server before the run
	Local  *mutate.Options // changes made in the Maildir before the run
}

// Phases are all phases in the order they run. Each leaves the account as
// the next expects it; a run may leave out any but the first.
var Phases = []Phase{
	{Name: "initial"},
	{Name: "unchanged", Settle: true},
	{Name: "one-new", Server: &mutate.Options{Seed: 101, New: 1, In: "INBOX"}},
	{Name: "one-new-other", Settle: true, Server: &mutate.Options{Seed: 102, New: 1, In: "Archive"}},
	{Name: "pull", Settle: true, Server: &mutate.Options{Seed: 103, Folders: 5, New: 50, Flags: 100, Delete: 20}},
	{Name: "push", Settle: true, Local: &mutate.Options{Seed: 104, Folders: 5, New: 10, Flags: 50, Delete: 10}},
	{Name: "uploads-50", Settle: true, Local: &mutate.Options{Seed: 105, Folders: 1, New: 50}},
	{Name: "flags-500", Settle: true, Local: &mutate.Options{Seed: 106, Flags: 500}},
	{Name: "mixed", Settle: true, Server: &mutate.Options{Seed: 107, Folders: 5, New: 20, Flags: 40, Delete: 10, Only: odd},
		Local: &mutate.Options{Seed: 108, Folders: 5, New: 20, Flags: 40, Delete: 10, Only: even}},
}

func odd(u uint32) bool  { return u%2 == 1 }
func even(u uint32) bool { return u%2 == 0 }
