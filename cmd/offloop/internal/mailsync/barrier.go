package mailsync

import "slices"

// No delete runs in any folder before every download, upload and move of the round
// has ended, in all of them: what left one folder may be what came to another. Flags
// are no part of that: a folder that has nothing else under way holds up no other.

// barrier is reached by a folder that waits for the deletes.
func (a *Account) barrier() { a.checkBarrier() }

// checkBarrier lets the deletes begin once every folder has ended its transfers,
// flags apart, and ends the round once every folder is done.
func (a *Account) checkBarrier() {
	if a.ending {
		a.maybeEnd()
		return
	}
	if a.state != accountFolders && a.state != accountDeletes || !a.mapped {
		return
	}
	a.checkMeet()
	waiting, settled, working := 0, 0, 0
	for _, f := range a.folders {
		switch {
		case f.step == stepWait:
			waiting++
		case f.step == stepDone:
		case f.step == stepTransfer && f.settled:
			settled++
		default:
			working++
		}
	}
	switch {
	case a.state == accountDeletes && waiting > 0:
		a.beginDeletes()
	case working > 0:
	case a.state == accountFolders && waiting > 0:
		if a.round.err == nil && !a.lookOutside() {
			return
		}
		a.to(accountDeletes)
		a.beginDeletes()
	case waiting+settled == 0:
		a.end(nil)
	}
}

// beginDeletes lets the folders go on that wait for it.
func (a *Account) beginDeletes() {
	for _, f := range a.selectedFirst() {
		switch {
		case f.step != stepWait:
		case a.round.err != nil: // not everything was transferred: delete nothing
			f.skipDeletes()
		default:
			f.then(nil)
		}
	}
}

// selectedFirst gives the folders with the one in front that is selected: it can
// change messages one flight earlier than the others.
func (a *Account) selectedFirst() []*folder {
	k := a.link
	if k == nil || k.conn == nil {
		return a.folders
	}
	i := slices.IndexFunc(a.folders, func(f *folder) bool { return f.sel != nil && f.sel == k.conn.Current() })
	if i <= 0 {
		return a.folders
	}
	l := append([]*folder{a.folders[i]}, a.folders[:i]...)
	return append(l, a.folders[i+1:]...)
}

// skipDeletes ends a folder's round with its deletes undone: they are still to
// come, whatever the counters say next time.
func (f *folder) skipDeletes() {
	p := f.plan
	f.open = f.open || f.late || len(p.deleteLocal)+len(p.deleteRemote)+len(p.expunge)+len(p.movedOut) > 0
	f.goTo(stepCommit)
}
