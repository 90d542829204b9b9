package mailsync

import (
	"errors"
	"fmt"
	"slices"

	"offloop/imapproto"
	"offloop/maildir"
	"offloop/statefile"
	"offloop/statefile/legacy"
)

// Taking over: a folder that offloop has no state of, and OfflineIMAP has, begins
// with what OfflineIMAP knew as the agreed state. So nothing is transferred again,
// and what was changed or deleted on either side since its last run is understood.
//
//	Load: OfflineIMAP's state is read ─> Look: SELECT confirms its UIDVALIDITY
//	    ─> the records are made ─> the scan finds their files
//	    ─> all of it is written as one new state file ─> pair, merge …
//
// Up to the state file's rename nothing is written that a later run would take for
// the folder's own state, so a run stopped before it begins again, and one stopped
// after it goes on as from any state of offloop's. Wherever the old state cannot be
// believed (unreadable, another UIDVALIDITY or none, two folders sharing a file),
// both sides are paired by their files and contents instead, which deletes nothing.
// OfflineIMAP's files are only read.

// Earlier gives the engine OfflineIMAP's state. Folder names are those of the
// engine: below the Maildir root, and on the server in UTF-8.
type Earlier struct {
	// Read returns nil if there is none. It runs on the disk goroutine.
	Read func(local, remote string) (*legacy.Status, error)
	// Files names the two files it reads for a folder. The names are not
	// reversible; folders that share one have at least one wrong state.
	Files func(local, remote string) (status, validity string)
}

// noFile is the name of a record whose file has not been found. No file can have
// it, so the message counts as deleted in the Maildir unless a file with its UID
// turns up.
const noFile = "/"

// errNotTaken keeps the journal of a folder shut while its state is taken over.
var errNotTaken = errors.New("OfflineIMAP's state of this folder has not been taken over yet")

// readEarlier gives the function that reads OfflineIMAP's state of f, nil where it
// must not be used: offloop knew the folder before, or the user chose to begin anew.
func (f *folder) readEarlier() func() (*legacy.Status, error) {
	a, p := f.a, f.pair
	if a.set.Earlier == nil || f.known || a.book.Token(tokFolder+p.local) != "" || a.book.Token(tokAnew+p.local) != "" {
		return nil
	}
	read, clash := a.set.Earlier.Read, a.clashes[p.local]
	return func() (*legacy.Status, error) {
		st, err := read(p.local, p.remote)
		if clash && (st != nil || err != nil) {
			return nil, errors.New("it was kept in one file with another folder's")
		}
		return st, err
	}
}

// loadEarlier runs on the disk goroutine, when the folder's own state has been
// loaded and the Maildir looked for, and before anything is created.
func (k *localLook) loadEarlier() {
	if k.readEarlier == nil || k.damaged != nil || k.st.Len() > 0 || k.st.Token(tokName) != "" {
		return
	}
	k.earlier, k.earlierErr = k.readEarlier()
	if k.exists != maildir.Missing || k.earlier == nil && k.earlierErr == nil {
		return
	}
	// The Maildir is gone, and is filled again as OfflineIMAP would do. A run
	// stopped while it is still empty must not see everything deleted.
	k.earlier = nil
	if k.dry {
		return
	}
	k.st.SetToken(tokName, k.name)
	k.st.SetToken(tokDigest, k.digest)
	k.err = k.writeState()
}

// writeState replaces the state file by all there is to say.
func (k *localLook) writeState() error {
	k.st.TakeJournal()
	if err := statefile.WriteSnapshot(k.fs, k.statePath, k.st.Snapshot()); err != nil {
		return fmt.Errorf("write state file %s: %w", k.statePath, err)
	}
	return nil
}

// beginTakeOver shuts the journal if the state is to be taken over.
func (f *folder) beginTakeOver() {
	k := f.look
	if k.earlierErr != nil {
		f.doubtEarlier(k.earlierErr.Error())
		k.earlier = nil
	}
	if k.earlier != nil && k.earlier.Format == legacy.NoStatus {
		k.earlier = nil
	}
	if k.earlier != nil {
		f.journalErr = errNotTaken
	}
}

// doubtEarlier tells that OfflineIMAP's state is not used.
func (f *folder) doubtEarlier(why string) {
	f.a.emit(Event{Kind: "warn", Severity: "warn", Folder: f.pair.local,
		Text: fmt.Sprintf("OfflineIMAP's state of %s is not used: %s. Both sides are paired by their contents; nothing is deleted.", f.pair.local, why)})
}

// lookAndTake is lookBoth for a folder that is taken over: the server is asked
// first, since the records are worth nothing under another UIDVALIDITY.
func (f *folder) lookAndTake(done func(error)) {
	k, old := f.look, f.look.earlier
	k.earlier = nil
	f.listRemote(func(err error) {
		if ScopeOf(err) > ScopeMessage || f.err != nil || f.a.stopping || f.data == nil {
			if err == nil && f.a.stopping {
				err = errStopped
			}
			done(err)
			return
		}
		switch now := f.data.UIDValidity; old.UIDValidity {
		case now:
			f.a.emit(Event{Kind: "log", Folder: f.pair.local, N: int64(len(old.Messages)),
				Text: fmt.Sprintf("Taking over OfflineIMAP's state of %s: %d messages", f.pair.local, len(old.Messages))})
			f.take(old, done)
			return
		case 0:
			f.doubtEarlier("it does not say which UIDVALIDITY it belongs to")
		default:
			f.doubtEarlier(fmt.Sprintf("it belongs to UIDVALIDITY %d, and the server's is %d", old.UIDValidity, now))
		}
		f.journalErr = nil
		f.scanLocal(done)
	})
}

// take makes the records, lets the scan find their files and writes the state.
func (f *folder) take(old *legacy.Status, done func(error)) {
	k, a := f.look, f.a
	a.env.Loop.Disk(func() { k.take(old) }, func() {
		f.scanLocal(func(err error) {
			switch {
			case ScopeOf(err) > ScopeMessage || a.stopping:
				done(err)
			case !f.local.stable:
				done(&Error{Scope: ScopeFolder, Err: fmt.Errorf("%s is being changed by another program", f.dir),
					Did: "the folder was left alone", Hint: "the next run takes over OfflineIMAP's state"})
			default:
				f.taken(old, done)
			}
		})
	})
}

// taken ends the taking over: from here on the folder has a state of its own.
func (f *folder) taken(old *legacy.Status, done func(error)) {
	k, a := f.look, f.a
	var err error
	doubtful := false
	a.env.Loop.Disk(func() {
		if doubtful = k.otherDigest(); doubtful {
			for _, m := range old.Messages {
				k.st.Drop(m.UID)
			}
		}
		if !a.set.DryRun {
			err = k.writeState()
		}
		if err == nil {
			f.journalErr = nil
		}
	}, func() {
		switch {
		case err != nil:
			done(&Error{Scope: ScopeFolder, Err: err, Did: "this folder was left alone", Hint: "check the free space of the metadata directory"})
			return
		case doubtful:
			f.doubtEarlier("the files carry the digest of another folder name, as after a change of the local nametrans")
			f.scanLocal(done)
			return
		}
		f.wrote = !a.set.DryRun
		done(nil)
	})
}

// otherDigest tells whether the messages that seem deleted are more likely there,
// in files named when the folder had another name.
func (k *localLook) otherDigest() bool {
	same := 0
	for _, f := range k.view.fresh {
		if i, ok := k.st.Find(f.name.UID); ok && f.hint == 0 && f.name.HasUID && k.st.NameAt(i) == noFile {
			same++
		}
	}
	return 2*same > len(k.view.missing)
}

// take runs on the disk goroutine. OfflineIMAP never sends P to the server though
// it notes it, so P was never agreed on.
func (k *localLook) take(old *legacy.Status) {
	for _, m := range old.Messages {
		fl := k.flags.fromLetters(maildir.ParseFlags(m.Flags), 0) &^ statefile.FlagP
		k.st.Put(statefile.Record{UID: m.UID, Flags: fl, Name: noFile})
	}
}

// claim gives a record without a file the file that carries its UID.
func (k *localLook) claim(i int, n maildir.Name) bool {
	if k.st.NameAt(i) != noFile {
		return false
	}
	r := k.st.At(i)
	r.Name = recordName(n, r.UID, k.fmd5)
	k.st.Put(r)
	return true
}

// findClashes finds the folders whose state OfflineIMAP kept in the same file as
// another's: "a/b" and "a.b" do. Folders that are not synced count as well, since
// they may have been once.
func (a *Account) findClashes(boxes []imapproto.Mailbox) {
	a.clashes = map[string]bool{}
	if a.set.Earlier == nil {
		return
	}
	type names struct{ local, remote string }
	users := map[string][]names{}
	add := func(n names) {
		status, validity := a.set.Earlier.Files(n.local, n.remote)
		for _, file := range []string{"s " + status, "v " + validity} {
			if file != "v " && !slices.Contains(users[file], n) {
				users[file] = append(users[file], n)
			}
		}
	}
	paired := map[string]bool{}
	for _, m := range boxes {
		if m.HasAttr(`\Noselect`) || m.HasAttr(`\NonExistent`) {
			continue
		}
		if local, err := a.set.LocalName(m.Name, m.Delim); err == nil {
			add(names{local, m.Name})
			paired[local] = true
		}
	}
	for _, local := range a.localNames {
		if !paired[local] {
			add(names{local, ""})
		}
	}
	for _, l := range users {
		for _, n := range l {
			a.clashes[n.local] = a.clashes[n.local] || len(l) > 1
		}
	}
}
