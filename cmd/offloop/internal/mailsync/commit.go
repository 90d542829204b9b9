package mailsync

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"offloop/maildir"
	"offloop/statefile"
)

// commit records what this round saw of the folder. The server's numbers are
// those of the SELECT that began the comparison.
func (f *folder) commit(done func(error)) {
	t := f.token
	t.remote, t.digest, t.forgotten = f.pair.remote, f.a.set.ConfigDigest, false
	t.pending = f.isOpen()
	switch {
	case f.first != nil:
		t.validity, t.uidNext, t.messages, t.modSeq = f.first.UIDValidity, f.first.UIDNext, f.first.Exists, f.first.HighestModSeq
		if f.first.NoModSeq {
			t.modSeq = 0
		}
		if next := parseUint32(f.st.Token(tokUIDNext)); f.first.UIDNext > next {
			f.st.SetToken(tokUIDNext, fmt.Sprint(f.first.UIDNext))
		}
	}
	if t.above = 0; f.st.Len() > 0 {
		t.above = f.st.UIDAt(f.st.Len()-1) + 1
	}
	now := f.a.env.Loop.Now()
	if f.local.scanned {
		t.stamps = f.a.settled(f.local.stamps)
		if !f.local.stable {
			t.stamps = [2]maildir.Stamp{}
		}
	}
	if ino := f.inode(); f.local.scanned && ino != "" {
		f.st.SetToken(tokCur, ino)
	}
	if f.local.scanned && f.remote.listed && !f.list.partial {
		t.full = now.Unix()
	}
	// A torn tail is cut by the next write: there is to be one.
	if f.wrote || f.goodLen >= 0 || f.st.Token(tokGen) != t.generation() {
		t.gen++
		f.st.SetToken(tokGen, fmt.Sprint(t.gen))
	}
	f.a.book.SetToken(tokFolder+f.pair.local, t.String())
	compact := f.st.NeedsCompaction() && f.err == nil
	f.flush(func(err error) {
		if err != nil || !compact {
			f.committed(done, err)
			return
		}
		f.a.compact(f.st, f.a.statePath(f.pair.local), func(err error) {
			if err != nil {
				// The journal is still whole: nothing is lost but space.
				f.a.emit(Event{Kind: "warn", Severity: "warn", Folder: f.pair.local, Text: fmt.Sprintf("could not compact the state of %s: %v", f.pair.local, err)})
			}
			f.committed(done, nil)
		})
	})
}

// snapshotPiece is how much of a new state file is made in one turn: a few
// milliseconds' work, and all of it that is ever in memory.
const snapshotPiece = 64 << 10

// compact writes the state file anew, piece by piece. Lines that are taken
// meanwhile go to the old file and into the new one; the end of the new file takes
// its place in the same job, so that whatever is taken later follows it.
func (a *Account) compact(st *statefile.Folder, path string, done func(error)) {
	fs, shot := a.env.FS, st.StartSnapshot()
	var file *statefile.SnapshotFile
	var err error
	var piece func()
	piece = func() {
		if err != nil {
			shot.Stop()
			done(err)
			return
		}
		b, more := shot.Next(snapshotPiece)
		write := func() {
			if file == nil {
				if file, err = statefile.CreateSnapshot(fs, path); err != nil {
					return
				}
			}
			if err = file.Write(b); err != nil {
				file.Discard()
			} else if !more {
				err = file.Commit()
			}
		}
		if !more {
			a.env.Loop.Disk(write, func() { done(err) })
			return
		}
		a.env.Loop.Disk(write, piece)
	}
	piece()
}

func (f *folder) committed(done func(error), err error) {
	f.a.emit(Event{Kind: "folder-done", Severity: "debug", Folder: f.pair.local, Text: f.pair.local + " done"})
	done(err)
}

// isOpen tells whether something of this folder waits for another round.
func (f *folder) isOpen() bool {
	p := f.plan
	return f.open || f.err != nil || f.transferErr != nil || len(f.st.Intents()) > 0 || len(f.st.Quarantine()) > 0 || !f.remote.complete && f.remote.listed ||
		p != nil && (len(p.heldLocal)+len(p.heldRemote)+len(p.deferred) > 0) || len(f.localFailed) > 0 || f.flags.full
}

// settled gives stamps that may be compared next time; ones that are too young
// by the file system's own clock, or that come from a file system whose stamps
// cannot be believed, are given up.
func (a *Account) settled(s [2]maildir.Stamp) [2]maildir.Stamp {
	now := a.env.Loop.Now().Add(a.skew).UnixNano()
	if !a.trust.Counts(s[0], now) || !a.trust.Counts(s[1], now) {
		return [2]maildir.Stamp{}
	}
	return s
}

// commit records the account's own state, and empties what is too old in the
// trash.
func (a *Account) commit(done func()) {
	if a.book == nil || a.set.DryRun {
		done()
		return
	}
	if a.marker != "" { // else the root was not reached
		a.book.SetToken(tokRoot, a.set.Root)
		a.book.SetToken(tokMarker, a.marker)
	}
	a.recordSpent()
	a.settleMade()
	a.writeJournal(a.book.TakeJournal(), a.bookPath, &a.bookLen, new(error), a.set.FSync, func(err error) {
		if err != nil {
			a.report(&Error{Scope: ScopeAccount, Err: fmt.Errorf("write %s: %w", a.bookPath, err), Did: "the next run looks at every folder again"})
		}
		if a.book.NeedsCompaction() && err == nil {
			a.compact(a.book, a.bookPath, func(error) { a.purge(done) })
			return
		}
		a.purge(done)
	})
}

// trashDir is where files deleted today from a folder are kept.
func (a *Account) trashDir(local string) string {
	return a.set.Root + "/" + hidden + "/trash/" + a.env.Loop.Now().UTC().Format(trashDay) + "/" + statefile.FileName(local)
}

const trashDay = "2006-01-02"

// purge removes the trash of days that are over, once a day: also where nothing
// is deleted any more and the program runs on.
func (a *Account) purge(done func()) {
	if a.set.TrashKeep <= 0 || len(a.folders) == 0 || !a.purged.IsZero() && a.env.Loop.Now().Sub(a.purged) < 24*time.Hour {
		done()
		return
	}
	a.purged = a.env.Loop.Now()
	fs, dir := a.env.FS, a.set.Root+"/"+hidden+"/trash"
	limit := a.env.Loop.Now().Add(-a.set.TrashKeep - 24*time.Hour)
	a.env.Loop.Disk(func() {
		days := namesIn(fs, dir)
		for _, day := range days {
			t, err := time.Parse(trashDay, day)
			if err != nil || t.After(limit) {
				continue
			}
			for _, folder := range namesIn(fs, dir+"/"+day) {
				for _, file := range namesIn(fs, dir+"/"+day+"/"+folder) {
					fs.Unlink(dir + "/" + day + "/" + folder + "/" + file)
				}
			}
		}
	}, done)
}

// namesIn lists a directory; one that cannot be read is empty.
func namesIn(fs FS, dir string) []string {
	names, err := listNames(fs, dir)
	if err != nil {
		return nil
	}
	return names
}

// listNames lists a directory without what is hidden; one that does not exist
// is empty.
func listNames(fs FS, dir string) (names []string, err error) {
	fd, err := fs.Open(dir, os.O_RDONLY, 0)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, &os.PathError{Op: "open", Path: dir, Err: err}
	}
	defer fs.Close(fd)
	buf := make([]byte, 4<<10) // mostly of a folder's tmp, with nothing in it
	for {
		n, err := fs.ReadNames(fd, buf, func(s string) {
			if !strings.HasPrefix(s, ".") {
				names = append(names, s)
			}
		})
		switch {
		case err != nil:
			return names, &os.PathError{Op: "list", Path: dir, Err: err}
		case n <= 0:
			return names, nil
		}
	}
}
