package mailsync

import (
	"errors"
	"fmt"
	"slices"

	"offloop/maildir"
	"offloop/statefile"
)

// deletes runs last, when every transfer of the account has ended.
func (f *folder) deletes(done func(error)) {
	f.plan.deleteRemote = append(f.plan.deleteRemote, sorted(f.plan.movedOut)...)
	f.deleteLocal(func(err error) {
		if ScopeOf(err) > ScopeMessage {
			done(err)
			return
		}
		f.secondScan(func(err error) {
			if ScopeOf(err) > ScopeMessage {
				done(err)
				return
			}
			f.deleteRemote(done)
		})
	})
}

// deleteLocal takes away the files of messages that the server lost: into the
// trash where that is kept, both directories flushed, then forgotten.
func (f *folder) deleteLocal(done func(error)) {
	uids := f.plan.deleteLocal
	if len(uids) == 0 {
		done(nil)
		return
	}
	set := uidSet(slices.Clone(uids)).String()
	f.a.emit(Event{Kind: "delete-local", Folder: f.pair.local, N: int64(len(uids)), Set: set,
		Text: fmt.Sprintf("Deleting %d messages (%s) in Maildir[%s]", len(uids), set, f.pair.local)})
	f.removeFiles(uids, done)
}

// entryOf gives the file of a record as it was last seen.
func (f *folder) entryOf(r statefile.Record) maildir.Entry {
	if c, ok := f.local.changed[r.UID]; ok {
		return c.entry
	}
	if e, ok := f.local.odd[r.UID]; ok {
		return e
	}
	return f.entry(r, f.local.inNew.has(r.UID))
}

type removal struct {
	uid   uint32
	entry maildir.Entry
	err   error
}

func (f *folder) removeFiles(uids []uint32, done func(error)) {
	jobs := make([]*removal, 0, len(uids))
	for _, uid := range uids {
		i, ok := f.st.Find(uid)
		if !ok {
			continue
		}
		jobs = append(jobs, &removal{uid: uid, entry: f.entryOf(f.st.At(i))})
	}
	fs, dir, sync := f.a.env.FS, f.dir, f.a.set.FSync
	trash := ""
	if f.a.set.TrashKeep > 0 {
		trash = f.a.trashDir(f.pair.local)
	}
	var err error
	f.a.env.Loop.Disk(func() { err = removeAll(fs, dir, trash, jobs, sync) }, func() {
		if err != nil {
			done(&Error{Scope: ScopeFolder, Err: fmt.Errorf("delete in %s: %w", dir, err), Did: "the next run deletes them"})
			return
		}
		dropped := 0
		for _, j := range jobs {
			if j.err != nil {
				f.open = true
				f.a.report(&Error{Scope: ScopeMessage, Account: f.a.set.Name, Folder: f.pair.local, Message: j.entry.File, Err: j.err, Did: "the file was left where it is",
					Hint: "check the permissions of the Maildir and of .offloop/trash in its root"})
				continue
			}
			f.a.result.DelLocal++
			f.st.Drop(j.uid)
			dropped++
		}
		f.countDeletes(dropped)
		f.flush(done)
	})
}

func removeAll(fs FS, dir, trash string, jobs []*removal, sync bool) error {
	if trash != "" {
		if err := maildir.MakeDir(fs, trash); err != nil {
			return err
		}
	}
	files := finderOf(fs, dir, jobs, func(j *removal) maildir.Entry { return j.entry })
	for _, j := range jobs {
		if trash == "" {
			j.err = files.Remove(j.entry)
			continue
		}
		j.err = files.MoveTo(j.entry, trash)
		switch {
		case errors.As(j.err, new(*maildir.VanishedError)):
			j.err = nil // gone already
		case errors.As(j.err, new(*maildir.ExistsError)):
			j.err = files.Remove(j.entry) // an earlier try has brought it there
		}
	}
	if !sync {
		return nil
	}
	if trash != "" {
		if err := maildir.SyncDir(fs, trash); err != nil {
			return err
		}
	}
	return maildir.Sync(fs, dir, nil, true)
}

// secondScan looks at the Maildir again before anything is deleted on the
// server.
func (f *folder) secondScan(done func(error)) {
	if len(f.plan.deleteRemote) == 0 {
		done(nil)
		return
	}
	f.lookAgain(f.plan.deleteRemote, func(found map[uint32]bool, stable bool, err error) {
		switch {
		case err != nil:
			done(&Error{Scope: ScopeFolder, Err: fmt.Errorf("second look at %s: %w", f.dir, err), Did: "nothing was deleted on the server"})
			return
		case !stable:
			f.plan.deleteRemote = nil
			f.a.emit(Event{Kind: "log", Folder: f.pair.local, Text: f.pair.local + " is being changed by another program; deletes wait for the next run"})
			f.open = true
		default:
			n := len(f.plan.deleteRemote)
			f.plan.deleteRemote = slices.DeleteFunc(f.plan.deleteRemote, func(u uint32) bool { return found[u] })
			f.open = f.open || n != len(f.plan.deleteRemote)
		}
		done(nil)
	})
}

// lookAgain scans the Maildir for the files of messages that a scan lacked: one
// that a mail reader renamed while the first scan read the directory may have
// been missed by it, but not by two.
func (f *folder) lookAgain(uids []uint32, done func(found map[uint32]bool, stable bool, err error)) {
	missing := map[string]uint32{}
	tag := map[uint32]bool{}
	for _, uid := range uids {
		if i, ok := f.st.Find(uid); ok {
			missing[uniqueOf(f.st.NameAt(i))] = uid
		}
		tag[uid] = true
	}
	found := map[uint32]bool{}
	fs, dir, sep, fmd5, sync := f.a.env.FS, f.dir, f.a.set.InfoSep, f.look.fmd5, f.a.set.FSync
	var err error
	stable := false
	f.a.env.Loop.Disk(func() {
		sc := maildir.NewScanner(fs, dir)
		for ended := false; !ended && err == nil; {
			ended, err = sc.Next(scanSlice, func(name string, _ bool) {
				n := maildir.ParseName(name, sep)
				if uid, ok := missing[n.Unique]; ok {
					found[uid] = true
				}
				if n.HasUID && n.FMD5 == fmd5 && tag[n.UID] {
					found[n.UID] = true
				}
			})
		}
		stable = sc.Stable()
		if err == nil && sync {
			err = maildir.Sync(fs, dir, nil, true) // a deletion is copied only once it is durable itself
		}
	}, func() { done(found, stable, err) })
}

// heldFile is a file whose upload waits.
type heldFile struct {
	dir   string
	entry maildir.Entry
}

// readHeld finds out which messages the files are whose upload waits. An empty
// one is nobody's copy.
func (a *Account) readHeld(done func()) {
	files, fs := a.heldFiles, a.env.FS
	a.heldFiles = nil
	var ids []string
	a.env.Loop.Disk(func() {
		for _, h := range files {
			m, err := maildir.OpenMessage(fs, h.dir, h.entry)
			switch {
			case errors.As(err, new(*maildir.VanishedError)):
			case err != nil:
				ids = append(ids, "*")
			default:
				if m.Size > 0 {
					ids = append(ids, m.MessageID)
				}
				m.Close()
			}
		}
	}, func() {
		for _, id := range ids {
			a.failedUploads[id] = true
		}
		done()
	})
}

// spareFailed leaves out messages that may be the very ones whose upload to
// another folder failed: a message is deleted nowhere before it stands
// elsewhere.
func (f *folder) spareFailed(uids []uint32, done func([]uint32, error)) {
	if len(f.a.heldFiles) > 0 {
		f.a.readHeld(func() { f.spareFailed(uids, done) })
		return
	}
	bad := f.a.failedUploads
	if len(bad) == 0 {
		done(uids, nil)
		return
	}
	if bad["*"] {
		f.open = true
		f.a.emit(Event{Kind: "warn", Severity: "warn", Folder: f.pair.local,
			Text: fmt.Sprintf("%d deletes in %s wait: an upload failed, and one of these messages may be its only other copy", len(uids), f.pair.local)})
		done(nil, nil)
		return
	}
	f.askRemote(slices.Clone(uids), func(facts []remoteFact, err error) {
		if err != nil {
			done(nil, err)
			return
		}
		spare := map[uint32]bool{}
		for _, r := range facts {
			spare[r.uid] = bad[r.msgID]
			f.open = f.open || bad[r.msgID]
		}
		done(slices.DeleteFunc(uids, func(u uint32) bool { return spare[u] }), nil)
	})
}
