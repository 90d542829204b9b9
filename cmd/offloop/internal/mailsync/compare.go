package mailsync

import (
	"fmt"

	"offloop/statefile"
)

// looked ends a look at both sides.
func (f *folder) looked(err error, done func(error)) {
	switch {
	case err == errContradiction:
		// What the server says of changes does not add up to its own message
		// count: nothing of it is believed.
		f.a.emit(Event{Kind: "warn", Severity: "warn", Folder: f.pair.local,
			Text: fmt.Sprintf("what the server reports as changed in %s contradicts its message count; the folder is listed in full", f.pair.local)})
		f.listAll(func(err error) {
			if err != nil {
				done(err)
				return
			}
			f.compareLong(done)
		})
	case f.renumbered(err):
		f.startRenumbering()
	default:
		done(err)
	}
}

// diffPages is how many pages of a listing are compared in one turn, a few
// milliseconds' work. In the tests each is a turn's.
var diffPages = 64

// compareLong is compare in as many turns as the listing is long.
func (f *folder) compareLong(done func(error)) {
	switch {
	case f.err != nil: // it was given up meanwhile
		done(nil)
	case f.a.stopping || f.remoteQuiet || f.list.partial || f.list.mixed || len(f.list.pages) <= diffPages:
		done(f.compare())
	default:
		if f.diff == nil {
			f.diff = newRemoteDiff(f.st, f.remoteMaskNow()&f.list.shown(f.flags))
			f.diff.v.fresh = make([]remoteMsg, 0, max0(f.list.count-f.st.Len())) // copied while it grows, it would be there twice
		}
		f.diff.walk(f.list.some(f.flags, max(diffPages, 1)))
		f.a.env.Loop.NextTurn(func() { f.compareLong(done) })
	}
}

// compare turns the mailbox's listing into its differences from the state.
func (f *folder) compare() error {
	diff := f.diff
	f.diff = nil
	if f.a.stopping {
		return errStopped
	}
	if !f.local.stable {
		f.local.missing = nil
	}
	if err := f.replaced(); err != nil {
		return err
	}
	if f.remoteQuiet {
		f.remote = remoteView{complete: true, changed: map[uint32]statefile.Flags{}}
		return nil
	}
	mask := f.remoteMaskNow() & f.list.shown(f.flags)
	if f.list.partial {
		f.remote = f.diffDelta(mask)
		if !f.remote.complete {
			return errContradiction
		}
	} else {
		if diff == nil {
			diff = newRemoteDiff(f.st, mask)
		}
		diff.walk(f.list.messages(f.flags))
		f.remote = diff.end()
		f.remote.complete = f.list.complete
	}
	if err := f.unassigned(); err != nil {
		return err
	}
	if !f.remote.complete && len(f.remote.vanished) > 0 {
		f.a.emit(Event{Kind: "warn", Severity: "warn", Folder: f.pair.local,
			Text: fmt.Sprintf("the server's listing of %s contradicts its message count; nothing is taken for deleted", f.pair.local)})
		f.remote.vanished = nil
	}
	return nil
}

// unassigned finds records under UIDs that the server has not given out yet and
// does not show: it named a wrong UID for an upload, or was set back to an
// earlier state. Its next message would be taken for another one.
func (f *folder) unassigned() error {
	if f.first == nil {
		return nil
	}
	next, gone := f.first.UIDNext, f.remote.vanished
	if next == 0 || len(gone) == 0 || gone[len(gone)-1] < next {
		return nil
	}
	return &Error{Scope: ScopeFolder,
		Err:  fmt.Errorf("the state knows UID %d, but the server's next UID is %d: it was set back, or named wrong UIDs", gone[len(gone)-1], next),
		Did:  "nothing was transferred or deleted on either side",
		Hint: fmt.Sprintf("--recreate %q pairs both sides anew by content and deletes nothing", f.pair.local)}
}
