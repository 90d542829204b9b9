package mailsync

import (
	"errors"
	"fmt"
	"slices"

	imap "github.com/emersion/go-imap/v2"

	"offloop/imapproto"
	"offloop/statefile"
)

// expunging is what a folder sends last: its messages whose file is gone, those
// whose T flag came from this Maildir, and the flags that were kept back for it.
// On one connection a folder that deletes needs two flights by itself (the marks,
// and, once they are confirmed, the UID EXPUNGE), so its other flags go with the
// marks instead of taking a third.
//
//	SELECT ─> STORE flags, STORE \Deleted ─> UID EXPUNGE, the next folder's SELECT
type expunging struct {
	f       *folder
	d       desk
	mark    []uint32 // to be marked \Deleted
	flagged []uint32 // get their \Deleted with the flags
	open    int
	refused bool  // the server would not mark
	failed  bool  // on a helper's connection
	lost    error // the connection is
	release func()
	done    func(error)
}

// deletesThere tells whether the plan expunges something on the server.
func (f *folder) deletesThere() bool {
	p := f.plan
	return len(p.deleteRemote)+len(p.movedOut)+len(p.expunge)+len(f.marking()) > 0
}

// marking gives the messages that are to be expunged once their flags are stored.
func (f *folder) marking() (uids []uint32) {
	if f.holdMarked {
		return nil
	}
	for _, c := range f.plan.remoteFlags {
		if c.then.Mark == markExpunge && c.last && !f.localFailed[c.uid] {
			uids = append(uids, c.uid)
		}
	}
	return uids
}

// changeLate sends the flags that were kept back, if any.
func (f *folder) changeLate(done func(error)) {
	if !f.late {
		done(nil)
		return
	}
	f.late = false
	f.changeRemote(done)
}

// deleteRemote marks and expunges on the server: messages whose file is gone,
// and those whose T flag came from this Maildir.
func (f *folder) deleteRemote(done func(error)) {
	uids := append(slices.Clone(f.plan.deleteRemote), f.plan.expunge...)
	var flagged []uint32
	if f.late {
		flagged = f.marking()
	}
	if len(uids)+len(flagged) == 0 {
		f.changeLate(done)
		return
	}
	f.spareFailed(append(uids, flagged...), func(uids []uint32, err error) {
		if err != nil {
			done(err)
			return
		}
		if len(uids) == 0 {
			f.changeLate(done)
			return
		}
		f.toTrash(uids, func(uids []uint32, err error) {
			if err != nil || len(uids) == 0 {
				done(err) // no flags were kept back where there is a Trash folder
				return
			}
			f.expungeAll(uids, flagged, done)
		})
	})
}

// expungeAll deletes on the server what does not go to its Trash folder, or has
// been copied there; flagged are those of uids that get their mark with their flags.
func (f *folder) expungeAll(uids, flagged []uint32, done func(error)) {
	x := &expunging{f: f, mark: without(uids, flagged), flagged: both(uids, flagged), done: done}
	x.begin()
}

// begin records whose marks these are before the server is told.
func (x *expunging) begin() {
	f := x.f
	ready := func(err error) {
		if err != nil {
			x.done(err)
			return
		}
		f.changing(x.send)
	}
	if f.late {
		f.announceExpunges(ready)
		return
	}
	ready(nil)
}

// send stores flags and marks.
func (x *expunging) send(d desk, err error, release func()) {
	f := x.f
	if err == nil && d.data.ReadOnly {
		err = errReadOnly
	}
	if err != nil {
		release()
		x.done(err)
		return
	}
	x.d, x.release, x.open = d, release, 1
	x.tell()
	if f.late {
		f.late = false
		keys, groups := f.distinct()
		for _, k := range keys {
			x.open++
			f.store(d, k, groups[k], func(err error) { x.answered(false, err) })
		}
	}
	if len(x.mark) > 0 {
		x.open++
		d.k.conn.UIDStore(d.sel, uidSet(slices.Clone(x.mark)), imapproto.StoreAdd, []string{`\Deleted`}, 0,
			func(_ imap.UIDSet, err error) { x.answered(true, err) })
	}
	x.answered(false, nil)
}

// tell says what is deleted, once.
func (x *expunging) tell() {
	f, uids := x.f, append(slices.Clone(x.mark), x.flagged...)
	if !x.d.told {
		set := uidSet(uids).String()
		f.a.emit(Event{Kind: "delete-remote", Folder: f.pair.local, Dest: f.pair.remote, Conn: x.d.k.n, N: int64(len(uids)), Set: set,
			Text: fmt.Sprintf("Deleting %d messages (%s) in IMAP[%s]", len(uids), set, f.pair.remote)})
	}
}

// answered waits for the answer to everything that was stored.
func (x *expunging) answered(mark bool, err error) {
	switch {
	case err != nil && x.d.helps():
		x.failed = true
	case mark && errors.As(err, new(*imapproto.CommandError)):
		x.refused = true
		x.refuse("mark for deletion", len(x.mark), err)
	case err != nil:
		x.lost = err
	}
	if x.open--; x.open == 0 {
		x.stored()
	}
}

func (x *expunging) refuse(what string, n int, err error) {
	f := x.f
	f.open = true
	f.a.report(&Error{Scope: ScopeMessage, Account: f.a.set.Name, Folder: f.pair.local, Err: fmt.Errorf("%s %d messages: %w", what, n, err), Did: "the next run tries again",
		Hint: "check your rights to delete in this folder"})
}

// stored sends UID EXPUNGE (RFC 4315) of exactly the messages whose marks the
// server confirmed; the next folder's SELECT may ride behind it. A server without
// UID EXPUNGE keeps the messages marked: EXPUNGE would take other clients' marks
// along.
func (x *expunging) stored() {
	f := x.f
	defer x.release()
	var uids []uint32
	if !x.refused {
		uids = append(uids, x.mark...)
	}
	uids = append(uids, both(x.flagged, f.plan.expunge)...)
	switch {
	case x.failed:
		x.again()
	case x.lost != nil:
		x.done(x.lost)
	case len(uids) == 0:
		f.flush(x.done)
	case !f.a.canExpunge() || !f.a.set.Expunge:
		f.leaveMarked(uids)
		f.flush(x.done)
	default:
		x.d.k.conn.UIDExpunge(x.d.sel, uidSet(slices.Clone(uids)), func(err error) {
			switch {
			case err != nil && x.d.helps():
				x.again()
			case errors.As(err, new(*imapproto.CommandError)):
				x.refuse("expunge", len(uids), err)
				f.flush(x.done)
			case err != nil:
				x.done(err)
			default:
				f.expunged(uids, x.done)
			}
		})
	}
}

// again starts anew on the first connection; what was done already is repeated without
// harm, since no other message ever gets these UIDs.
func (x *expunging) again() {
	x.failed = false
	x.f.changeFirst(x.send, true)
}

// canExpunge tells whether the server can expunge chosen messages only.
func (a *Account) canExpunge() bool { return a.has("UIDPLUS") }

// unmoved counts those of uids that did not merely go to another folder.
func (f *folder) unmoved(uids []uint32) (n int) {
	for _, uid := range uids {
		if _, moved := slices.BinarySearch(f.plan.movedOut, uid); !moved {
			n++
		}
	}
	return n
}

// leaveMarked remembers messages that stay on the server, marked \Deleted,
// without a file here.
func (f *folder) leaveMarked(uids []uint32) {
	marked := 0
	for _, uid := range without(uids, f.plan.expunge) {
		i, ok := f.st.Find(uid)
		if !ok {
			continue
		}
		r := f.st.At(i)
		r.Mark, r.Flags = markGone, r.Flags|statefile.FlagT
		f.st.Put(r)
		f.a.result.DelRemote++
		if _, moved := slices.BinarySearch(f.plan.movedOut, uid); !moved {
			marked++
		}
	}
	f.countDeletes(marked)
}

// expunged drops the records; the files of messages that were deleted by their T
// flag go the way of any message the server lost.
func (f *folder) expunged(uids []uint32, done func(error)) {
	f.a.result.DelRemote += int64(len(uids))
	files := both(uids, f.plan.expunge)
	for _, uid := range without(uids, files) {
		f.st.Drop(uid)
	}
	f.countDeletes(f.unmoved(uids) - len(files)) // those with a file are counted with it
	if f.a.set.LocalReadOnly {
		for _, uid := range files {
			if i, ok := f.st.Find(uid); ok {
				r := f.st.At(i)
				r.Mark = markKept
				f.st.Put(r)
			}
		}
		files = nil
	}
	f.flush(func(err error) {
		if err != nil || len(files) == 0 {
			done(err)
			return
		}
		f.removeFiles(files, done)
	})
}
