package mailsync

import (
	"fmt"

	"offloop/maildir"
	"offloop/statefile"
)

// flush writes the journal and flushes it.
func (f *folder) flush(done func(error)) { f.save(f.a.set.FSync, done) }

// note writes the journal; the next flush that writes anything makes it durable.
func (f *folder) note(done func(error)) { f.save(false, done) }

func (f *folder) save(sync bool, done func(error)) {
	var b []byte
	if f.st != nil && !f.a.set.DryRun {
		b = f.st.TakeJournal()
	}
	if len(b) == 0 {
		done(nil)
		return
	}
	f.wrote = true // before anything is called: the last flush of the round depends on it
	f.a.settleMade()
	f.a.writeJournal(b, f.a.statePath(f.pair.local), &f.goodLen, &f.journalErr, sync, func(err error) {
		if err != nil {
			err = &Error{Scope: ScopeFolder, Folder: f.pair.local, Err: fmt.Errorf("write state: %w", err),
				Did: "the folder's round ended; the next run finds out what was done", Hint: "check the free space of the metadata directory"}
		}
		done(err)
	})
}

// madeMaildir is a Maildir made in this round, and the directories to be flushed
// before anything is recorded of it: a folder that has a state but no Maildir any
// more would be taken for one that the user removed.
type madeMaildir struct {
	f    *folder
	dirs []string
}

// settleMade flushes the Maildirs made since, all together. If that fails their
// journals stay shut.
func (a *Account) settleMade() {
	made := a.made
	a.made = nil
	if len(made) == 0 || !a.set.FSync {
		return
	}
	var dirs []string
	for _, m := range made {
		dirs = append(dirs, m.dirs...)
	}
	fs := a.env.FS
	a.env.Loop.Disk(func() {
		err := maildir.SyncDirs(fs, dirs)
		for _, m := range made {
			if m.f.journalErr == nil {
				m.f.journalErr = err
			}
		}
	}, func() {})
}

// writeJournal appends what TakeJournal gave to a state file. good is the length to
// cut the file to first, -1 if it is whole; failed is the disk goroutine's: once an
// append has failed none follows it.
func (a *Account) writeJournal(b []byte, path string, good *int64, failed *error, sync bool, done func(error)) {
	if len(b) == 0 {
		done(nil)
		return
	}
	cut := *good
	*good = -1
	var err error
	fs := a.env.FS
	a.env.Loop.Disk(func() {
		if err = *failed; err != nil {
			return
		}
		if cut >= 0 {
			err = statefile.Truncate(fs, path, cut)
		}
		if err == nil {
			err = statefile.AppendJournal(fs, path, b, sync)
		}
		*failed = err
	}, func() { done(err) })
}
