package mailsync

import (
	"errors"
	"fmt"
	"slices"
	"time"

	imap "github.com/emersion/go-imap/v2"

	"offloop/imapproto"
	"offloop/statefile"
)

// moveMessages moves messages on the server into this folder, as their files
// moved already:
//
//	record the intents ─> UID MOVE ─> look what arrived ─> name the files by UID, record ─> drop the old records
//
// Without MOVE (RFC 6851) they are copied, and deleted like others once their
// copies are recorded.
type transit struct {
	f     *folder
	cargo []*parcel
	taken map[uint32]bool // UIDs of this folder that stood for a message before
	done  func(error)
	err   error // the connection was lost, or the folder cannot be selected
}

// parcel is one message on its way.
type parcel struct {
	*move
	out     *outgoing
	claimed uint32 // the UID that COPYUID named
	refused bool   // the server answered NO: it may have moved some all the same
	sent    bool
}

func (f *folder) moveMessages(done func(error)) {
	if len(f.plan.moveRemote) == 0 {
		done(nil)
		return
	}
	t := &transit{f: f, taken: map[uint32]bool{}, done: done}
	for _, m := range f.remote.fresh {
		t.taken[m.uid] = true
	}
	now := f.a.env.Loop.Now()
	next := f.nextUID()
	for k, m := range f.plan.moveRemote {
		o := &outgoing{file: m.file, fact: m.fact, entry: m.file.entry, agreed: m.flags.base(), letters: f.showing(m.flags.local),
			intent: moveID(m.flags.local, now, m.flags.name), name: m.flags.name}
		f.st.AddIntent(statefile.Intent{ID: o.intent, Base: m.file.name.Base, Size: m.fact.size, Hash: m.fact.hash, MessageID: m.fact.msgID,
			UIDValidity: parseUint32(f.st.Token(tokValidity)), UIDNext: next, At: now.UnixNano() + int64(k), Flags: m.flags.agreed, Pid: f.a.env.Pid})
		t.cargo = append(t.cargo, &parcel{move: m, out: o})
	}
	f.flush(func(err error) {
		if err != nil {
			done(err)
			return
		}
		t.mark(t.send)
	})
}

// mark records in the folders they come from that what is going to be deleted
// there is only moved.
func (t *transit) mark(done func()) {
	if t.f.a.has("MOVE") {
		done()
		return
	}
	order, by := t.origins()
	open := len(order)
	for _, from := range order {
		var uids []uint32
		for _, p := range by[from] {
			uids = append(uids, p.uid)
		}
		from.markMoves(uids, markMoved)
		from.flush(func(err error) {
			if err != nil {
				t.err = err
			}
			if open--; open == 0 {
				done()
			}
		})
	}
}

// origins gives the folders that the messages come from, in order.
func (t *transit) origins() (order []*folder, by map[*folder][]*parcel) {
	by = map[*folder][]*parcel{}
	for _, p := range t.cargo {
		if by[p.from] == nil {
			order = append(order, p.from)
		}
		by[p.from] = append(by[p.from], p)
	}
	return order, by
}

// nextUID is the lowest UID that a message stored from now on may get.
func (f *folder) nextUID() uint32 {
	if f.data != nil && f.data.UIDNext != 0 {
		return f.data.UIDNext
	}
	return max(parseUint32(f.st.Token(tokUIDNext)), 1)
}

// send moves what comes from one folder with one command.
func (t *transit) send() {
	order, by := t.origins()
	open := len(order)
	for _, from := range order {
		t.sendFrom(from, by[from], func() {
			if open--; open == 0 {
				t.check()
			}
		})
	}
}

func (t *transit) sendFrom(from *folder, l []*parcel, done func()) {
	f, a := t.f, t.f.a
	if from.err != nil {
		t.err = from.err // it can no longer be selected safely
	}
	if t.err != nil {
		done()
		return
	}
	from.selected(func(err error, release func()) {
		defer release()
		if err != nil {
			t.err = err
			done()
			return
		}
		var uids []uint32
		for _, p := range l {
			p.sent = true
			uids = append(uids, p.uid)
		}
		set := uidSet(uids)
		a.emit(Event{Kind: "move-remote", Folder: f.pair.local, Dest: from.pair.remote, N: int64(len(l)), Conn: 1,
			Text: fmt.Sprintf("Moving %d messages (%s) from IMAP[%s] to IMAP[%s]", len(l), set.String(), from.pair.remote, f.pair.remote)})
		answer := func(d imapproto.CopyData, err error) {
			t.answered(l, d, err)
			done()
		}
		if a.has("MOVE") {
			a.link.conn.UIDMove(from.sel, set, f.pair.remote, answer)
		} else {
			a.link.conn.UIDCopy(from.sel, set, f.pair.remote, answer)
		}
	})
}

// answered notes where the server says it put the messages. A NO may mean some:
// only a look can tell.
func (t *transit) answered(l []*parcel, d imapproto.CopyData, err error) {
	var no *imapproto.CommandError
	switch {
	case errors.As(err, &no):
		t.f.a.emit(Event{Kind: "warn", Severity: "warn", Folder: t.f.pair.local,
			Text: fmt.Sprintf("the server did not move %d messages: %v; those that are not there are uploaded", len(l), err)})
		for _, p := range l {
			p.refused = true
		}
	case err != nil:
		t.err = err
	case d.UIDValidity == parseUint32(t.f.st.Token(tokValidity)):
		to := copied(d, len(l))
		seen := map[uint32]bool{}
		for _, p := range l {
			uid := to[p.uid]
			if _, known := t.f.st.Find(uid); known || seen[uid] || t.taken[uid] {
				uid = 0
			}
			p.claimed, seen[uid] = uid, true
		}
	}
}

// copied pairs the UIDs of COPYUID (RFC 4315 section 3), the n-th with the n-th.
// More than were asked for are a lie, and not expanded.
func copied(d imapproto.CopyData, most int) map[uint32]uint32 {
	src, dst := expandSome(d.Source, most), expandSome(d.Dest, most)
	m := map[uint32]uint32{}
	if len(src) == len(dst) {
		for i := range src {
			m[src[i]] = dst[i]
		}
	}
	return m
}

func expandSome(s imap.UIDSet, most int) (l []uint32) {
	for _, r := range s {
		for u := uint64(r.Start); u <= uint64(r.Stop); u++ {
			if len(l) == most {
				return nil
			}
			l = append(l, uint32(u))
		}
	}
	return l
}

// check believes COPYUID only where the message it names is the one that was
// moved.
func (t *transit) check() {
	if t.err != nil {
		t.done(t.err) // their fate is open: the intents stay
		return
	}
	var uids []uint32
	for _, p := range t.cargo {
		if p.claimed != 0 {
			uids = append(uids, p.claimed)
		}
	}
	t.f.traits(uids, func(found map[uint32]trait, err error) {
		if err != nil {
			t.done(err)
			return
		}
		missing := false
		for _, p := range t.cargo {
			if x, ok := found[p.claimed]; ok && x.size == p.fact.size && x.msgID == p.fact.msgID && x.print == p.print {
				p.out.uid = p.claimed
			}
			missing = missing || p.out.uid == 0
		}
		if !missing {
			t.record()
			return
		}
		t.look()
	})
}

// look searches the folder's new messages for those that COPYUID did not name.
func (t *transit) look() {
	f := t.f
	f.newUIDs(t.lowest(), func(uids []uint32, err error) {
		if err != nil {
			t.done(err)
			return
		}
		var locals []localFact
		byIntent := map[string]*parcel{}
		has := map[uint32]bool{}
		for _, p := range t.cargo {
			if p.out.uid != 0 {
				has[p.out.uid] = true
				continue
			}
			l := p.fact
			l.intent = p.out.intent
			l.file.hint = 0
			locals = append(locals, l)
			byIntent[l.intent] = p
		}
		uids = slices.DeleteFunc(uids, func(u uint32) bool { return t.taken[u] || has[u] })
		f.askRemote(uids, func(remotes []remoteFact, err error) {
			if err != nil {
				t.done(err)
				return
			}
			f.hashRemote(doubts(locals, remotes), func(hashes map[uint32]string, err error) {
				if err != nil {
					t.done(err)
					return
				}
				for i := range remotes {
					remotes[i].hash = hashes[remotes[i].uid]
				}
				for _, m := range matchFacts(locals, remotes) {
					byIntent[m.local.intent].out.uid = m.uid
				}
				t.record()
			})
		})
	})
}

func (t *transit) lowest() uint32 {
	low := ^uint32(0)
	for _, i := range t.f.st.Intents() {
		low = min(low, max(i.UIDNext, 1))
	}
	return low
}

// record names the files of what has arrived, and takes what has not back.
func (t *transit) record() {
	f := t.f
	var named []*outgoing
	for _, p := range t.cargo {
		switch {
		case p.out.uid != 0:
			named = append(named, p.out)
		case p.refused:
			f.st.EndIntent(p.out.intent)
			f.plan.upload = append(f.plan.upload, p.file)
			p.from.plan.deleteRemote = append(p.from.plan.deleteRemote, p.uid)
			p.from.markMoves([]uint32{p.uid}, statefile.MarkNone)
		default:
			t.wait(p)
		}
	}
	if len(named) == 0 {
		f.flush(t.done)
		return
	}
	f.nameFiles(named, func(err error) {
		if err != nil {
			t.done(err)
			return
		}
		t.recorded()
	})
}

// wait leaves a message's fate to the next round: the server took the command,
// but does not show the message. Its intent stays, and it is deleted nowhere.
func (t *transit) wait(p *parcel) {
	a := t.f.a
	t.f.open, p.from.open = true, true
	a.failedUploads[p.fact.msgID] = true
	a.result.Open++
	if at := a.env.Loop.Now().Add(a.set.Settle + time.Millisecond); a.settleAt.Before(at) {
		a.settleAt = at
	}
	a.emit(Event{Kind: "warn", Severity: "warn", Folder: t.f.pair.local,
		Text: fmt.Sprintf("the server says it moved %s to %s but does not show it there yet", p.file.entry.File, t.f.pair.remote)})
}

// recorded settles the flags of what has arrived, and lets go of where it came
// from.
func (t *transit) recorded() {
	f := t.f
	var order []*folder
	gone := map[*folder][]uint32{}
	for _, p := range t.cargo {
		if _, ok := f.st.Find(p.out.uid); !ok || p.out.uid == 0 {
			continue
		}
		f.a.result.MovedRemote++
		f.arrived(p.move, p.out.uid, p.out.entry)
		if !f.a.has("MOVE") {
			p.from.plan.movedOut = append(p.from.plan.movedOut, p.uid)
			continue
		}
		if gone[p.from] == nil {
			order = append(order, p.from)
		}
		gone[p.from] = append(gone[p.from], p.uid)
	}
	f.leave(order, gone, t.done)
}

// leave drops the records of messages in the folders they came from.
func (f *folder) leave(order []*folder, gone map[*folder][]uint32, done func(error)) {
	open, failed := 1, error(nil)
	end := func(err error) {
		if err != nil {
			failed = err
		}
		if open--; open == 0 {
			done(failed)
		}
	}
	for _, from := range order {
		open++
		from.left(gone[from], end)
	}
	end(nil)
}
