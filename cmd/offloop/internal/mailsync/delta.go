package mailsync

import (
	"cmp"
	"errors"
	"math"
	"slices"
	"strings"

	imap "github.com/emersion/go-imap/v2"

	"offloop/imapproto"
	"offloop/statefile"
)

// errContradiction says that a partial listing does not fit the mailbox's count.
var errContradiction = errors.New("contradiction")

// usableToken tells whether what was last seen of the folder is a fit base for
// asking only what changed since. A folder in which something is open is always
// listed in full: the server would not report again what was not carried out.
func (f *folder) usableToken() bool {
	t := f.token
	return f.known && !t.pending && t.validity != 0 && t.modSeq > 0 && t.digest == f.a.set.ConfigDigest &&
		!f.a.fullCheckDue(t) && f.a.set.MaxSize == 0 && !f.a.noDelta
}

// listDelta asks only for what changed since the folder was last seen: with
// QRESYNC (RFC 7162 section 3.2.5) SELECT itself tells, with CONDSTORE alone
// FETCH CHANGEDSINCE and a search for the UIDs that are still there. It returns
// false where neither may be used.
func (f *folder) listDelta(done func(error)) bool {
	if !f.usableToken() || f.st != nil && parseUint32(f.st.Token(tokValidity)) != f.token.validity {
		return false
	}
	qresync := f.a.qresync()
	if !qresync && !(f.a.has("CONDSTORE") && f.a.has("ESEARCH")) {
		return false
	}
	f.list = listing{partial: true, search: !qresync}
	f.a.link.turn(func(release func()) {
		defer release()
		end := func(err error) { f.deltaDone(err, done) }
		if qresync {
			f.selectChanged(end)
			return
		}
		k := f.a.link.conn
		f.selectWith(imapproto.SelectOptions{CondStore: true}, func(error) {})
		var failed error
		k.UIDFetch(f.sel, allUIDs(1), imapproto.FetchItems{Flags: true, ChangedSince: f.token.modSeq}, &f.list, func(err error) { failed = err })
		f.readEarly(func(error) {})
		k.UIDSearch(f.sel, "ALL", func(set imap.UIDSet, err error) {
			f.list.alive = append(f.list.alive, set...)
			end(errors.Join(failed, err))
		})
	})
	return true
}

// selectChanged selects with QRESYNC, and fetches promised messages right behind.
func (f *folder) selectChanged(end func(error)) {
	o := imapproto.SelectOptions{QResync: &imapproto.QResync{UIDValidity: f.token.validity, ModSeq: f.token.modSeq},
		OnMessage: f.list.Message, OnVanished: func(_ bool, set imap.UIDSet) { f.list.goneSet = append(f.list.goneSet, set...) }}
	if f.spec != nil && f.mayFetchEarly() {
		f.selectWith(o, func(error) {})
		f.fetchEarly(end)
		return
	}
	if !f.mayReadEarly() {
		f.selectWith(o, end)
		return
	}
	f.selectWith(o, func(error) {})
	f.readEarly(end)
}

// mayReadEarly tells whether readEarly has something to ask.
func (f *folder) mayReadEarly() bool {
	return f.promised(askLimit) && (f.movedHere() || f.promised(earlyLimit))
}

// readEarly asks for promised messages right behind the SELECT: for their content,
// or, where they may have come from another folder, for what identifies them.
func (f *folder) readEarly(done func(error)) {
	switch {
	case !f.mayReadEarly():
		done(nil)
	case f.movedHere():
		f.askEarly(done)
	default:
		f.fetchEarly(done)
	}
}

// deltaDone judges a partial listing; where it may not be believed, the folder
// is listed in full.
func (f *folder) deltaDone(err error, done func(error)) {
	var refused *imapproto.CommandError
	switch {
	case f.err != nil:
		done(nil)
	case errors.As(f.selErr, &refused) && strings.EqualFold(refused.Status, "BAD"):
		f.a.noDelta = true // a server that does not know its own parameters
		f.listAll(done)
	case f.selErr != nil:
		done(f.selErr)
	case f.data == nil:
		done(f.selectError(err))
	case errors.As(err, &refused):
		f.a.noDelta = f.a.noDelta || strings.EqualFold(refused.Status, "BAD")
		f.listAll(done)
	case err != nil:
		done(err)
	default:
		f.first = f.data
		if !f.credible() {
			f.listAll(done)
			return
		}
		done(nil)
	}
}

// credible tells whether a partial listing may be used at all: the server must
// have understood the question, and its counters must not have gone back.
func (f *folder) credible() bool {
	d, t := f.first, f.token
	if d.NoModSeq || d.HighestModSeq < t.modSeq || d.UIDNext != 0 && d.UIDNext < t.uidNext {
		return false
	}
	return f.list.search || f.a.link.conn.Enabled("QRESYNC") // else ENABLE was not answered
}

// expand gives the UIDs of a set that is as large as the mailbox at most.
func expand(set imap.UIDSet, d *imapproto.SelectData) []uint32 {
	var l []uint32
	limit := 0
	if d != nil {
		limit = int(d.Exists) + 1<<16
	}
	for _, r := range set {
		for u := uint64(r.Start); u <= uint64(r.Stop) && len(l) < limit; u++ {
			l = append(l, uint32(u))
		}
	}
	return l
}

// diffDelta compares a partial listing with the state, and with the count the
// server gave: known messages, less those gone, plus new ones, must be what
// EXISTS says.
func (f *folder) diffDelta(mask statefile.Flags) remoteView {
	st := f.st
	v := remoteView{listed: true, changed: map[uint32]statefile.Flags{}}
	msgs := slices.Collect(f.list.messages(f.flags))
	gone := f.list.goneOf(st)
	for i, m := range msgs {
		if i+1 < len(msgs) && msgs[i+1].uid == m.uid || f.list.isGone(m.uid) {
			continue // a later report of the same message counts
		}
		k, ok := st.Find(m.uid)
		if !ok || st.MarkAt(k) == markKept {
			v.fresh = append(v.fresh, m)
			continue
		}
		old := st.FlagsAt(k)
		if fl := m.flags&mask | old&^mask; fl != old {
			v.changed[m.uid] = fl
		}
	}
	there := st.Len()
	for range st.Marked(markKept) {
		there--
	}
	v.vanished = gone
	v.complete = f.first != nil && there-len(gone)+len(v.fresh) == int(f.first.Exists)
	return v
}

// goneOf gives the known messages that the server no longer has. It looks at no other
// records: a folder may hold a million.
func (l *listing) goneOf(st *statefile.Folder) []uint32 {
	l.goneSet = ascending(l.goneSet)
	set := l.goneSet
	if l.search {
		set = between(ascending(l.alive))
	}
	var out []uint32
	i := 0
	for _, r := range set {
		if i < st.Len() && imap.UID(st.UIDAt(i)) < r.Start {
			i, _ = st.Find(uint32(r.Start))
		}
		for ; i < st.Len() && imap.UID(st.UIDAt(i)) <= r.Stop; i++ {
			if st.MarkAt(i) != markKept {
				out = append(out, st.UIDAt(i))
			}
		}
	}
	return out
}

// between gives the UIDs that are not in an ascending set.
func between(set imap.UIDSet) (out imap.UIDSet) {
	next := uint64(1)
	for _, r := range set {
		if uint64(r.Start) > next {
			out = append(out, imap.UIDRange{Start: imap.UID(next), Stop: r.Start - 1})
		}
		next = max(next, uint64(r.Stop)+1)
	}
	if next <= math.MaxUint32 {
		out = append(out, imap.UIDRange{Start: imap.UID(next), Stop: math.MaxUint32})
	}
	return out
}

// isGone tells whether a message is in goneSet, which goneOf has sorted.
func (l *listing) isGone(uid uint32) bool {
	k, _ := slices.BinarySearchFunc(l.goneSet, imap.UID(uid), func(r imap.UIDRange, u imap.UID) int { return cmp.Compare(r.Stop, u) })
	return k < len(l.goneSet) && l.goneSet[k].Start <= imap.UID(uid)
}

// ascending sorts ranges and joins those that overlap: a mailbox may lose as many as it
// holds, and they come in several responses.
func ascending(set imap.UIDSet) imap.UIDSet {
	slices.SortFunc(set, func(a, b imap.UIDRange) int { return cmp.Compare(a.Start, b.Start) })
	out := set[:0]
	for _, r := range set {
		if n := len(out); n > 0 && r.Start <= out[n-1].Stop {
			out[n-1].Stop = max(out[n-1].Stop, r.Stop)
			continue
		}
		out = append(out, r)
	}
	return out
}

// promised tells whether the server announced new messages, few enough to be
// asked for in the same flight as the SELECT, before anything else is known of
// them.
func (f *folder) promised(limit int64) bool {
	s := f.pair.status
	if s == nil {
		return false
	}
	n := int64(s.UIDNext) - int64(f.firstNew())
	return f.mayFetchEarly() && n > 0 && n <= limit
}

// firstNew is the lowest UID of messages that are new and not our own uploads, as
// far as the records of the last round tell.
func (f *folder) firstNew() uint32 { return max(f.token.uidNext, f.token.above) }

// earlyLimit is how many messages are fetched on the promise of counters alone.
const earlyLimit = 64

func (f *folder) mayFetchEarly() bool {
	s := f.a.set
	return !s.DryRun && !s.LocalReadOnly && !s.chooses() && f.token.uidNext > 0
}

// speculation is a look at a folder in the same flight as the login, because it
// is the one that usually has new mail. What changed is asked, and the first new
// messages with it, before the server has said that there are any.
type speculation struct {
	f     *folder
	used  bool
	ended bool
	err   error
	next  func(error)
}

// then calls next when the answer is there.
func (s *speculation) then(next func(error)) {
	if s.ended {
		next(s.err)
		return
	}
	s.next = next
}

func (s *speculation) end(err error) {
	s.ended, s.err = true, err
	if next := s.next; next != nil {
		s.next = nil
		next(err)
	}
}

// speculate begins the look at a folder.
func (f *folder) speculate() {
	s := &speculation{f: f}
	f.spec = s
	f.list = listing{partial: true}
	f.a.link.turn(func(release func()) {
		defer release()
		f.selectChanged(s.end)
	})
}

// specQuiet tells whether a speculated folder turned out unchanged.
func (f *folder) specQuiet() bool {
	t, d := f.token, f.data
	return f.spec.err == nil && d != nil && f.selErr == nil && f.list.count == 0 && len(f.list.goneSet) == 0 && (f.early == nil || len(f.early.aside) == 0) &&
		f.a.link.conn.Enabled("QRESYNC") &&
		d.UIDValidity == t.validity && d.UIDNext == t.uidNext && d.Exists == t.messages && d.HighestModSeq == t.modSeq
}

// fetchEarly fetches the first new messages blindly, behind an unanswered
// SELECT. What arrives is kept aside, and dropped unless the plan asks for it.
func (f *folder) fetchEarly(done func(error)) {
	d := &download{f: f, sel: f.sel, gated: true, want: uidBits{}, from: f.firstNew()}
	f.early = d
	set := imap.UIDSet{imap.UIDRange{Start: imap.UID(d.from), Stop: imap.UID(min(uint64(d.from)+earlyLimit-1, 1<<32-1))}}
	items := imapproto.FetchItems{Flags: true, Body: true, InternalDate: f.a.set.MtimeFromDate}
	f.a.link.conn.UIDFetch(f.sel, set, items, d, func(err error) {
		d.dropCurrent()
		done(refusedIsFine(err)) // whatever is missing is fetched later
	})
}
