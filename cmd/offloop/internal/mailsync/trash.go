package mailsync

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"offloop/imapproto"
	"offloop/statefile"
)

// trash = yes: what is deleted here goes to the server's \Trash folder (RFC 6154)
// instead of being expunged. With MOVE (RFC 6851) that is one command, and safe to
// repeat. Without it the messages are copied and then expunged, and a COPY that was
// sent twice would be there twice:
//
//	record which are going to be copied ─> UID COPY ─> record that they are ─> STORE \Deleted ─> UID EXPUNGE
//
// After a stop between the first two records the Trash folder is searched, once the
// killed connection's COPY can no longer be executing, for what has arrived.

// findTrash finds the folder among those the server lists, unless the user named it.
func (a *Account) findTrash(boxes []imapproto.Mailbox) {
	a.trashBox = a.set.TrashFolder
	for _, m := range boxes {
		if a.trashBox == "" && m.HasAttr(`\Trash`) && !m.HasAttr(`\Noselect`) && !m.HasAttr(`\NonExistent`) {
			a.trashBox = m.Name
		}
	}
}

// trashes tells whether deletes of this folder go through the Trash folder. What
// is deleted in there goes for good, and expunge = no deletes nothing anyway.
func (f *folder) trashes() bool {
	return f.a.set.Trash && f.a.set.Expunge && (f.a.trashBox == "" || f.pair.remote != f.a.trashBox)
}

// toTrash brings messages to the Trash folder; done gets those that are to be
// expunged now, because they stand elsewhere.
func (f *folder) toTrash(uids []uint32, done func([]uint32, error)) {
	if !f.trashes() {
		done(uids, nil)
		return
	}
	moved := both(uids, f.plan.movedOut)
	rest := without(uids, moved)
	switch {
	case len(rest) == 0:
		done(moved, nil)
	case f.a.trashBox == "":
		f.open = true
		f.a.emit(Event{Kind: "attention", Severity: "warn", Folder: f.pair.local, Dest: "trash", N: int64(len(rest)),
			Text: fmt.Sprintf("%d deletes in %s wait: trash = yes, and the server names no folder for deleted mail", len(rest), f.pair.local),
			Hint: "name it with trashfolder, or write trash = no to delete for good"})
		done(moved, nil)
	case f.a.has("MOVE"):
		f.moveToTrash(rest, func(err error) { done(moved, err) })
	default:
		f.copyToTrash(rest, func(copied []uint32, err error) { done(append(moved, copied...), err) })
	}
}

// tellTrash says what goes where.
func (f *folder) tellTrash(uids []uint32) {
	set := uidSet(slices.Clone(uids)).String()
	f.a.emit(Event{Kind: "delete-remote", Folder: f.pair.local, Dest: f.a.trashBox, Conn: 1, N: int64(len(uids)), Set: set,
		Text: fmt.Sprintf("Moving %d deleted messages (%s) from IMAP[%s] to IMAP[%s]", len(uids), set, f.pair.remote, f.a.trashBox)})
}

// notTrashed judges a failed command: a refusal leaves the messages where they are.
func (f *folder) notTrashed(n int, err error) error {
	var no *imapproto.CommandError
	if !errors.As(err, &no) {
		return err
	}
	f.open = true
	f.a.report(&Error{Scope: ScopeMessage, Account: f.a.set.Name, Folder: f.pair.local, Err: fmt.Errorf("move %d deleted messages to %s: %w", n, f.a.trashBox, err),
		Did: "they were left where they are; the next run tries again", Hint: "make sure that the folder exists (trashfolder names another), or write trash = no"})
	return nil
}

func (f *folder) moveToTrash(uids []uint32, done func(error)) {
	f.selected(func(err error, release func()) {
		if err == nil && f.data.ReadOnly {
			err = errReadOnly
		}
		if err != nil {
			release()
			done(err)
			return
		}
		f.tellTrash(uids)
		defer release() // the next folder's SELECT may ride behind it
		f.a.link.conn.UIDMove(f.sel, uidSet(slices.Clone(uids)), f.a.trashBox, func(_ imapproto.CopyData, err error) {
			if err != nil {
				done(f.notTrashed(len(uids), err))
				return
			}
			f.expunged(uids, done)
		})
	})
}

// tokTrash is the folder's record of a way to the Trash folder by COPY, one token so
// that it changes in one step: "validity next time going there".
const tokTrash = "trash"

// trashing is what it says.
type trashing struct {
	validity, next uint32 // of the Trash folder before the COPY
	at             time.Time
	going          []uint32 // are being copied
	there          []uint32 // are copied
}

func (f *folder) trashing() (t trashing) {
	p := strings.Split(f.st.Token(tokTrash), " ")
	if len(p) != 5 {
		return t
	}
	at, _ := strconv.ParseInt(p[2], 10, 64)
	return trashing{parseUint32(p[0]), parseUint32(p[1]), time.Unix(0, at), parseUIDs(p[3]), parseUIDs(p[4])}
}

func (f *folder) setTrashing(t trashing) {
	text := ""
	if len(t.going)+len(t.there) > 0 {
		text = fmt.Sprintf("%d %d %d %s %s", t.validity, t.next, t.at.UnixNano(), uidText(t.going), uidText(t.there))
	}
	f.st.SetToken(tokTrash, text)
}

// mostTrashed bounds what a damaged record can make of itself.
const mostTrashed = 1 << 24

// parseUIDs reads what uidSet wrote.
func parseUIDs(s string) (l []uint32) {
	for part := range strings.SplitSeq(s, ",") {
		from, to, several := strings.Cut(part, ":")
		a, b := parseUint32(from), parseUint32(to)
		if !several {
			b = a
		}
		for u := uint64(a); u > 0 && u <= uint64(b) && len(l) < mostTrashed; u++ {
			l = append(l, uint32(u))
		}
	}
	return l
}

// copyToTrash copies, and gives those that are there.
func (f *folder) copyToTrash(uids []uint32, done func([]uint32, error)) {
	earlier := f.trashing()
	there := both(earlier.there, uids)
	rest := without(uids, there)
	if len(earlier.going) == 0 {
		f.copyNow(there, rest, done)
		return
	}
	late := f.a.env.Started.Add(f.a.set.Settle)
	if earlier.at.After(f.a.env.Started) {
		late = earlier.at.Add(f.a.set.Settle) // by this very run, over a connection that was lost
	}
	if f.a.began.Before(late) {
		f.open = true
		if f.a.settleAt.Before(late) {
			f.a.settleAt = late
		}
		done(there, nil) // the record has room for one COPY only
		return
	}
	f.arrivedInTrash(earlier, both(earlier.going, rest), func(found []uint32, err error) {
		if err != nil {
			done(nil, err)
			return
		}
		f.copyNow(append(there, found...), without(rest, found), done)
	})
}

// trashFolder is the Trash folder as far as it is needed to look into it. Its
// state is nobody's and is never written.
func (f *folder) trashFolder() *folder {
	return &folder{a: f.a, pair: pair{remote: f.a.trashBox, local: f.a.trashBox}, st: statefile.NewFolder(f.a.trashBox, ""), flags: f.flags}
}

// arrivedInTrash finds out which of uids an earlier COPY has brought there, by content.
func (f *folder) arrivedInTrash(t trashing, uids []uint32, done func([]uint32, error)) {
	mine := map[uint32]content{}
	f.contents(uids, func(uid uint32, c content) { mine[uid] = c }, func(err error) {
		if err != nil {
			done(nil, err)
			return
		}
		box := f.trashFolder()
		box.newUIDs(1, func(all []uint32, err error) {
			if err != nil {
				done(nil, err)
				return
			}
			if box.data.UIDValidity == t.validity {
				all = slices.DeleteFunc(all, func(u uint32) bool { return u < t.next })
			}
			box.sumsOf(all, mine, func(sums map[string]int, err error) {
				var found []uint32
				for _, uid := range uids {
					if c, ok := mine[uid]; ok && sums[c.sum] > 0 {
						sums[c.sum]--
						found = append(found, uid)
					}
				}
				done(found, err)
			})
		})
	})
}

// sumsOf counts the contents of those of the folder's messages that may be some of
// mine by their Message-ID.
func (f *folder) sumsOf(uids []uint32, mine map[uint32]content, done func(map[string]int, error)) {
	ids := map[string]bool{}
	for _, c := range mine {
		ids[c.msgID] = true
	}
	f.askRemote(uids, func(facts []remoteFact, err error) {
		if err != nil {
			done(nil, err)
			return
		}
		var read []uint32
		for _, r := range facts {
			if ids[r.msgID] {
				read = append(read, r.uid)
			}
		}
		sums := map[string]int{}
		f.contents(read, func(_ uint32, c content) { sums[c.sum]++ }, func(err error) { done(sums, err) })
	})
}

// copyNow copies what is not there yet.
func (f *folder) copyNow(there, rest []uint32, done func([]uint32, error)) {
	if len(rest) == 0 {
		f.recordTrashed(there, done)
		return
	}
	box := f.trashFolder()
	box.selected(func(err error, release func()) {
		release()
		if err != nil {
			done(nil, f.notTrashed(len(rest), err))
			return
		}
		f.setTrashing(trashing{box.data.UIDValidity, box.data.UIDNext, f.a.env.Loop.Now(), rest, there})
		f.flush(func(err error) {
			if err != nil {
				done(nil, err)
				return
			}
			f.sendCopy(there, rest, done)
		})
	})
}

func (f *folder) sendCopy(there, rest []uint32, done func([]uint32, error)) {
	f.selected(func(err error, release func()) {
		if err == nil && f.data.ReadOnly {
			err = errReadOnly
		}
		if err != nil {
			release()
			done(nil, err)
			return
		}
		f.tellTrash(rest)
		f.a.link.conn.UIDCopy(f.sel, uidSet(slices.Clone(rest)), f.a.trashBox, func(d imapproto.CopyData, err error) {
			release()
			if err != nil {
				if err = f.notTrashed(len(rest), err); err == nil {
					f.recordTrashed(there, done) // a refused COPY has copied nothing (RFC 9051 section 6.4.7)
					return
				}
				done(nil, err)
				return
			}
			if src := expandSome(d.Source, len(rest)); len(src) > 0 {
				f.open = f.open || len(src) < len(rest)
				rest = both(rest, src) // what COPYUID does not name was not copied
			}
			f.recordTrashed(append(there, rest...), done)
		})
	})
}

// recordTrashed records what stands in the Trash folder and has still to go here.
func (f *folder) recordTrashed(uids []uint32, done func([]uint32, error)) {
	f.setTrashing(trashing{there: uids})
	f.flush(func(err error) { done(uids, err) })
}

func uidText(uids []uint32) string {
	if len(uids) == 0 {
		return ""
	}
	return uidSet(slices.Clone(uids)).String()
}

// sortTrashed forgets what was copied and is no longer to be deleted: its file
// came back.
func (f *folder) sortTrashed() {
	t := f.trashing()
	if len(t.there) == 0 || !f.local.scanned || !f.local.stable {
		return
	}
	t.there = both(t.there, slices.Concat(f.plan.deleteRemote, f.plan.expunge))
	f.setTrashing(t)
}

// both gives what is in a and in b, without what is not.
func both(a, b []uint32) []uint32 {
	in := setOf(b)
	return slices.DeleteFunc(slices.Clone(a), func(u uint32) bool { return !in[u] })
}

// without gives what is in a and not in b.
func without(a, b []uint32) []uint32 {
	in := setOf(b)
	return slices.DeleteFunc(slices.Clone(a), func(u uint32) bool { return in[u] })
}

func setOf(l []uint32) map[uint32]bool {
	m := make(map[uint32]bool, len(l))
	for _, u := range l {
		m[u] = true
	}
	return m
}

var errReadOnly error = &Error{Scope: ScopeFolder, Err: errors.New("the server opened the folder read-only"), Did: "nothing was deleted"}
