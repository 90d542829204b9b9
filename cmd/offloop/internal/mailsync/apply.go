package mailsync

import (
	"errors"
	"fmt"
	"slices"

	imap "github.com/emersion/go-imap/v2"

	"offloop/imapproto"
	"offloop/maildir"
	"offloop/statefile"
)

// transfer carries out everything of the plan that adds or changes: records,
// moves and pairs, then side by side downloads, uploads and flags.
func (f *folder) transfer(done func(error)) {
	f.settleFiles(func(err error) {
		if err != nil {
			done(err)
			return
		}
		f.recordPlan()
		f.moves(func(err error) {
			if err != nil {
				done(err)
				return
			}
			f.transferAll(done)
		})
	})
}

// settleFiles flushes what mail readers and killed runs did to the files before
// anything is recorded that relies on it: after a power cut the difference to the
// record would be taken for an edit, or a deletion.
func (f *folder) settleFiles(done func(error)) {
	p := f.plan
	if !f.a.set.FSync || len(p.pairs)+len(p.agree)+len(p.forget)+len(p.markGone)+len(p.remoteFlags)+len(p.moveRemote) == 0 {
		done(nil)
		return
	}
	fs, dir := f.a.env.FS, f.dir
	files := make([]maildir.Entry, 0, len(p.pairs))
	for _, x := range p.pairs {
		files = append(files, x.file.entry)
	}
	for _, m := range p.moveRemote {
		files = append(files, m.file.entry)
	}
	var err error
	f.a.env.Loop.Disk(func() { err = syncFiles(fs, dir, files) }, func() {
		if err != nil {
			err = &Error{Scope: ScopeFolder, Err: fmt.Errorf("flush %s: %w", dir, err), Did: "this folder's round ended; the next run tries again",
				Hint: "check the disk, its free space and the permissions of the Maildir"}
		}
		done(err)
	})
}

// transferAll carries out the plan but for its deletes.
func (f *folder) transferAll(done func(error)) {
	f.namePairs(func(err error) {
		if err == nil {
			err = f.err
		}
		if err != nil {
			done(err)
			return
		}
		if !f.trusted && f.pairsRecorded() {
			f.st.SetToken(tokPaired, "1")
		}
		open := 3
		join := func(err error) {
			if ScopeOf(err) > ScopeOf(f.transferErr) {
				f.transferErr = err
			}
			if open--; open == 0 {
				f.flush(func(err error) {
					if f.transferErr == nil {
						f.transferErr = err
					}
					done(f.transferErr)
				})
			}
		}
		transfers := 2
		arrived := func(err error) {
			if ScopeOf(err) > ScopeMessage {
				transfers++ // what it may mean for the deletes of others shows when the folder fails
			}
			if transfers--; transfers == 0 {
				f.settled = true
				f.a.checkBarrier()
			}
			join(err)
		}
		f.downloadLong(arrived)
		f.upload(arrived)
		f.remote.fresh = nil
		f.changeFlags(join)
	})
}

// longPlan is from how many downloads on a plan is left to settle before they begin:
// each of both is some milliseconds' work for a million messages. In the tests all are.
var longPlan = 10_000

// downloadLong is download in a turn of its own, if there is much to fetch.
func (f *folder) downloadLong(done func(error)) {
	if len(f.plan.download) <= longPlan {
		f.download(done)
		return
	}
	f.a.env.Loop.NextTurn(func() {
		if f.err != nil {
			done(nil) // the folder was given up meanwhile
			return
		}
		f.download(done)
	})
}

// pairsRecorded tells whether every pair of the plan has its record.
func (f *folder) pairsRecorded() bool {
	return !slices.ContainsFunc(f.plan.pairs, func(p pairing) bool {
		_, ok := f.st.Find(p.uid)
		return !ok
	})
}

// recordPlan takes over what needs no operation on either side.
func (f *folder) recordPlan() {
	p := f.plan
	for _, r := range p.agree {
		f.st.Put(r)
	}
	for _, uid := range p.forget {
		f.st.Drop(uid)
	}
	mark := func(uids []uint32, m statefile.Mark) {
		for _, uid := range uids {
			if i, ok := f.st.Find(uid); ok {
				r := f.st.At(i)
				r.Mark = m
				f.st.Put(r)
			}
		}
	}
	mark(p.markGone, markGone)
	mark(p.markKept, markKept)
	for _, m := range p.left {
		f.st.Put(statefile.Record{UID: m.uid, Flags: m.flags, Mark: markSkipped})
	}
	for _, m := range p.skip {
		f.st.Put(statefile.Record{UID: m.uid, Flags: m.flags, Mark: markSkipped})
		f.a.emit(Event{Kind: "log", Folder: f.pair.local, UID: int64(m.uid),
			Text: fmt.Sprintf("Message UID %d of %s is larger than maxsize and stays on the server", m.uid, f.pair.remote)})
	}
}

// namePairs records files and messages that were found to be the same. A file
// that does not carry its UID yet gets it; flags of both sides are united.
func (f *folder) namePairs(done func(error)) { f.namePairsFrom(0, done) }

// namesAtOnce is how many pairs are named and recorded together: of a whole Maildir,
// all would take much memory. In the tests it is two.
var namesAtOnce = 500

func (f *folder) namePairsFrom(from int, done func(error)) {
	pairs := f.plan.pairs[from:min(from+namesAtOnce, len(f.plan.pairs))]
	var rename []*outgoing
	var renamed []*pairing
	for i := range pairs {
		p := &pairs[i]
		if p.file.hint == p.uid {
			rec := statefile.Record{UID: p.uid, Flags: p.base(), Name: recordName(p.file.name, p.uid, f.look.fmd5)}
			f.st.Put(rec)
			if p.intent != "" {
				f.st.EndIntent(p.intent)
			}
			f.unite(rec, *p, p.target(), p.file.entry)
			continue
		}
		o := &outgoing{file: p.file, entry: p.file.entry, uid: p.uid, intent: p.intent, agreed: p.base(), name: f.a.env.Namer.Next(f.a.env.Loop.Now())}
		if p.moved != nil {
			o.letters, o.name = f.showing(p.moved.local), p.moved.name
			p.moved.shown = f.flags.fromLetters(*o.letters, 0)
			o.agreed = p.base()
		}
		rename, renamed = append(rename, o), append(renamed, p)
	}
	to := from + len(pairs)
	then := func(err error) {
		if err != nil || to == len(f.plan.pairs) {
			done(err)
			return
		}
		f.a.env.Loop.NextTurn(func() { f.namePairsFrom(to, done) })
	}
	switch {
	case len(rename) > 0:
		f.renamePairs(rename, renamed, then)
	case to == len(f.plan.pairs):
		f.flush(then)
	default:
		then(nil)
	}
}

// renamePairs gives files their UIDs.
func (f *folder) renamePairs(rename []*outgoing, of []*pairing, done func(error)) {
	f.nameFiles(rename, func(err error) {
		for k, o := range rename {
			i, ok := f.st.Find(o.uid)
			if !ok {
				continue
			}
			p := *of[k]
			united := p.target()
			if o.letters != nil {
				p.file.flags = f.flags.fromLetters(*o.letters, 0) // what its name shows now
			}
			f.unite(f.st.At(i), p, united, o.entry)
		}
		done(err)
	})
}

// unite adds the flag changes that make both sides of a new pair show the union
// of their flags: without an agreed value, every flag set is an edit.
func (f *folder) unite(rec statefile.Record, p pairing, united statefile.Flags, e maildir.Entry) {
	rec.Flags = united
	local := (p.file.flags^united)&f.flags.mergeMask() != 0 && !f.a.set.LocalReadOnly
	remote := (p.flags^united)&f.remoteMaskNow() != 0 && !f.a.set.RemoteReadOnly
	if local {
		f.plan.localFlags = append(f.plan.localFlags, flagChange{uid: p.uid, old: p.file.flags, target: united, entry: e, then: rec, last: !remote})
	}
	if remote {
		f.plan.remoteFlags = append(f.plan.remoteFlags, flagChange{uid: p.uid, old: p.flags, target: united, then: rec, last: true})
	}
	if !local && !remote {
		f.st.Put(rec)
	}
}

// changeFlags changes file names first, then the server's flags. Both may be
// repeated without harm, so the record comes last.
func (f *folder) changeFlags(done func(error)) {
	f.changeLocal(func(err error) {
		switch {
		case ScopeOf(err) > ScopeMessage:
			done(err)
		case f.deletesThere() && !f.trashes():
			f.late = len(f.plan.remoteFlags) > 0 // they go with the deletes
			done(nil)
		default:
			f.changeRemote(done)
		}
	})
}

type rename struct {
	c     flagChange
	set   maildir.Flags // letters to add
	clear maildir.Flags // letters to take away
	entry maildir.Entry
	err   error
}

func (f *folder) changeLocal(done func(error)) {
	changes := f.plan.localFlags
	if len(changes) == 0 {
		done(nil)
		return
	}
	jobs := make([]*rename, 0, len(changes))
	for _, c := range changes {
		was, want := f.flags.toLettersKnown(c.old), f.flags.toLetters(c.target)
		jobs = append(jobs, &rename{c: c, set: want &^ was, clear: was &^ want, entry: c.entry})
	}
	f.tellRenames(jobs)
	fs, dir, sep, sync := f.a.env.FS, f.dir, f.a.set.InfoSep, f.a.set.FSync
	words := f.flags.takeDirty()
	var err error
	f.a.env.Loop.Disk(func() {
		if words != nil {
			err = writeSmall(fs, dir, keywordsFile, words, sync)
		}
		files := finderOf(fs, dir, jobs, func(j *rename) maildir.Entry { return j.entry })
		for _, j := range jobs {
			if err == nil {
				_, j.err = files.Rename(j.entry, j.renamed(sep))
			}
		}
		if err == nil && sync {
			err = maildir.Sync(fs, dir, nil, true)
		}
	}, func() { done(f.localChanged(jobs, err)) })
}

func (f *folder) localChanged(jobs []*rename, err error) error {
	if err != nil {
		return &Error{Scope: ScopeFolder, Err: fmt.Errorf("change flags in %s: %w", f.dir, err), Did: "the next run changes them"}
	}
	for _, j := range jobs {
		var gone *maildir.VanishedError
		switch {
		case errors.As(j.err, &gone):
			f.localFailed[j.c.uid] = true // deleted meanwhile: the next round sees it
		case j.err != nil:
			f.localFailed[j.c.uid] = true
			f.a.report(&Error{Scope: ScopeMessage, Account: f.a.set.Name, Folder: f.pair.local, Message: j.entry.File, Err: j.err, Did: "its flags are changed by the next run",
				Hint: "check the permissions of the Maildir"})
		default:
			f.a.result.FlagsLocal++
			if j.c.last {
				f.st.Put(j.c.then)
			}
		}
	}
	return nil
}

// renamed gives the name of an entry with another base, or other flags.
func (e rename) renamed(sep byte) maildir.Entry {
	n := maildir.ParseName(e.entry.File, sep)
	n.Flags, n.Info = n.Flags&^e.clear|e.set, true
	return maildir.Entry{File: n.File(sep), InNew: e.entry.InNew && !n.Flags.Has('S')}
}

type storeKey struct{ add, remove statefile.Flags }

// changeRemote sends one STORE for each distinct change.
func (f *folder) changeRemote(done func(error)) {
	if len(f.plan.remoteFlags) == 0 {
		done(nil)
		return
	}
	f.announceExpunges(func(err error) {
		if err != nil {
			done(err)
			return
		}
		keys, groups := f.distinct()
		f.storeAll(keys, groups, done)
	})
}

// distinct groups the messages by what changes.
func (f *folder) distinct() (keys []storeKey, groups map[storeKey][]flagChange) {
	groups = map[storeKey][]flagChange{}
	mask := f.remoteMaskNow()
	for _, c := range f.plan.remoteFlags {
		k := storeKey{add: c.target &^ c.old & mask, remove: c.old &^ c.target & mask}
		if groups[k] == nil {
			keys = append(keys, k)
		}
		groups[k] = append(groups[k], c)
	}
	return keys, groups
}

// announceExpunges records which messages carry \Deleted because their file
// carries T before the server is told: whose mark it is could not be seen
// afterwards.
func (f *folder) announceExpunges(done func(error)) {
	for _, c := range f.plan.remoteFlags {
		if i, ok := f.st.Find(c.uid); ok && c.then.Mark == markExpunge && f.st.MarkAt(i) == statefile.MarkNone {
			r := f.st.At(i)
			r.Mark = markExpunge
			f.st.Put(r)
		}
	}
	f.flush(done)
}

func (f *folder) storeAll(keys []storeKey, groups map[storeKey][]flagChange, done func(error)) {
	f.changing(func(d desk, err error, release func()) {
		defer release()
		if err != nil {
			done(err)
			return
		}
		open := 1
		var failed error
		end := func() {
			if open--; open == 0 {
				done(failed)
			}
		}
		for _, k := range keys {
			open++
			f.store(d, k, groups[k], func(err error) {
				if err != nil && failed == nil {
					failed = err
				}
				end()
			})
		}
		end()
	})
}

// store changes one set of messages alike: an add and a removal are two
// commands, sent together. What fails on a helper's connection is done again on the
// first.
func (f *folder) store(d desk, k storeKey, changes []flagChange, done func(error)) {
	uids := make([]uint32, 0, len(changes))
	for _, c := range changes {
		uids = append(uids, c.uid)
	}
	set := uidSet(slices.Clone(uids))
	open, refused := 0, error(nil)
	var lost error
	answer := func(_ any, err error) {
		var c *imapproto.CommandError
		if errors.As(err, &c) {
			refused = err
		} else if err != nil {
			lost = err
		}
		if open--; open > 0 {
			return
		}
		if (lost != nil || refused != nil) && d.helps() {
			f.changeFirst(func(d desk, err error, release func()) {
				defer release()
				if err != nil {
					done(err)
					return
				}
				f.store(d, k, changes, done)
			}, true)
			return
		}
		if lost == nil && refused == nil {
			f.stored(changes)
		} else if refused != nil {
			f.open = true
			f.a.report(&Error{Scope: ScopeMessage, Account: f.a.set.Name, Folder: f.pair.local, Err: fmt.Errorf("the server refused to change flags of %d messages: %w", len(changes), refused), Did: "the next run tries again",
				Hint: "check your rights on this folder; if it is shared and read-only, set readonly in the remote repository"})
		}
		done(lost)
	}
	say := func(what string, fl statefile.Flags) []string {
		if !d.told {
			f.tellFlags(what, f.flags.toLettersKnown(fl), f.flags.wordsOf(fl), set, len(changes), d.k.n, f.pair.remote)
		}
		return f.flags.toIMAP(fl)
	}
	if k.add != 0 {
		open++
	}
	if k.remove != 0 {
		open++
	}
	if open == 0 {
		f.stored(changes)
		done(nil)
		return
	}
	if k.add != 0 {
		d.k.conn.UIDStore(d.sel, set, imapproto.StoreAdd, say("flags", k.add), 0, func(m imap.UIDSet, err error) { answer(m, err) })
	}
	if k.remove != 0 {
		d.k.conn.UIDStore(d.sel, set, imapproto.StoreRemove, say("unflags", k.remove), 0, func(m imap.UIDSet, err error) { answer(m, err) })
	}
}

func (f *folder) stored(changes []flagChange) {
	for _, c := range changes {
		f.a.result.FlagsRemote++
		if !c.last || f.localFailed[c.uid] {
			continue
		}
		f.st.Put(c.then)
		switch {
		case c.then.Mark != markExpunge:
		case f.holdMarked:
			f.open = true
		default:
			f.plan.expunge = append(f.plan.expunge, c.uid)
		}
	}
}
