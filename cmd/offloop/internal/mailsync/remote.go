package mailsync

import (
	"errors"
	"fmt"
	"math"
	"strings"

	imap "github.com/emersion/go-imap/v2"

	"offloop/imapproto"
	"offloop/statefile"
)

// listing collects what the server says of a mailbox. It works before the
// state is free to be touched: keywords get numbers of the listing's own, which
// messages translates afterwards.
type listing struct {
	pages    []*listPage
	count    int               // messages in pages
	last     uint32            // the highest UID so far
	mixed    bool              // UIDs did not come in ascending order, each once
	sets     []statefile.Flags // the sets of flags seen
	setOf    map[statefile.Flags]uint16
	words    []string
	wordBit  map[string]int
	crowded  bool    // it met more keywords than have numbers
	maxSize  int64   // 0: no limit is set
	large    uidBits // larger messages
	complete bool
	partial  bool        // only what changed since the folder was last seen
	goneSet  imap.UIDSet // partial: what the server reported as expunged; may be ranges of billions
	alive    imap.UIDSet // partial, without QRESYNC: all UIDs there are
	search   bool        // alive was asked for
}

// Body is not asked for in a listing.
func (l *listing) Body(*imapproto.Message, int64) imapproto.Sink { return nil }

// Vanished is not used by a full listing.
func (l *listing) Vanished(imap.UIDSet) {}

// Message takes one message of the listing.
func (l *listing) Message(m *imapproto.Message) {
	if m.UID == 0 || !m.HasFlags {
		return
	}
	var f statefile.Flags
	for _, s := range m.Flags {
		f |= l.bit(s)
	}
	l.add(m.UID, f)
	if l.maxSize > 0 && m.Size > l.maxSize {
		l.large.add(m.UID)
	}
}

// bit gives a flag's bit in the listing's own terms.
func (l *listing) bit(s string) statefile.Flags {
	if b, ok := systemFlag(s); ok {
		return b
	}
	if b, ok := l.wordBit[s]; ok {
		return 1 << b
	}
	if len(l.words) >= 64-firstKeyword {
		l.crowded = true
		return 0
	}
	if l.wordBit == nil {
		l.wordBit = map[string]int{}
	}
	b := firstKeyword + len(l.words)
	l.words = append(l.words, strings.Clone(s))
	l.wordBit[l.words[len(l.words)-1]] = b
	return 1 << b
}

// allUIDs is 1:4294967295. The number, not "*", so that an empty range is not
// answered with the last message (RFC 9051 section 9, seq-range).
func allUIDs(from uint32) imap.UIDSet {
	return imap.UIDSet{imap.UIDRange{Start: imap.UID(from), Stop: imap.UID(math.MaxUint32)}}
}

// listRemote selects the mailbox and lists all its messages' flags, in one
// flight with whatever other folders send.
func (f *folder) listRemote(done func(error)) {
	if f.remoteQuiet {
		done(nil)
		return
	}
	if f.spec != nil && !f.spec.used {
		f.spec.used = true
		f.spec.then(func(err error) {
			if err == nil && !f.known {
				f.listAll(done) // it was asked on the strength of records that are gone
				return
			}
			f.deltaDone(err, done)
		})
		return
	}
	if f.a.link == nil || f.a.link.closed {
		done(f.a.lostError())
		return
	}
	if f.listDelta(done) {
		return
	}
	f.listAll(done)
}

// listAll lists the flags of all messages.
func (f *folder) listAll(done func(error)) {
	f.list = listing{maxSize: f.a.set.MaxSize, large: uidBits{}}
	items := imapproto.FetchItems{Flags: true, Size: f.a.set.MaxSize > 0}
	if f.a.link == nil || f.a.link.closed {
		done(f.a.lostError())
		return
	}
	f.a.link.turn(func(release func()) {
		f.selectNow(func(error) {})
		sel := f.sel
		f.a.link.conn.UIDFetch(sel, allUIDs(1), items, &f.list, func(err error) { done(f.listed(err)) })
		release()
	})
}

func (a *Account) lostError() error {
	if a.stopping {
		return errStopped
	}
	return &imapproto.LostError{Err: errors.New("the connection is closed")}
}

// listed judges a finished listing.
func (f *folder) listed(err error) error {
	switch {
	case f.err != nil:
		return nil
	case f.selErr != nil:
		return f.selErr
	case f.data == nil:
		return f.selectError(err)
	}
	var c *imapproto.CommandError
	if err != nil && !(errors.As(err, &c) && f.data.Exists == 0) {
		return f.commandError("list the messages", err)
	}
	f.first = f.data
	f.list.complete = f.list.distinct() == int(f.data.Exists)
	if t := f.token; t.validity == f.data.UIDValidity && f.data.HighestModSeq != 0 && f.data.HighestModSeq < t.modSeq {
		f.list.complete = false
		f.a.emit(Event{Kind: "warn", Severity: "warn", Folder: f.pair.local,
			Text: fmt.Sprintf("the server's HIGHESTMODSEQ of %s went back from %d to %d; nothing is taken for deleted in this round", f.pair.local, t.modSeq, f.data.HighestModSeq)})
	}
	if next := f.st.Token(tokUIDNext); f.data.UIDNext != 0 && next != "" && parseUint32(next) > f.data.UIDNext {
		f.list.complete = false
		f.a.emit(Event{Kind: "warn", Severity: "warn", Folder: f.pair.local,
			Text: fmt.Sprintf("the server's UIDNEXT of %s went back from %s to %d; nothing is taken for deleted", f.pair.local, next, f.data.UIDNext)})
	}
	return nil
}

// selectNow queues a SELECT (EXAMINE in a dry run) of this folder.
func (f *folder) selectNow(done func(error)) { f.selectWith(imapproto.SelectOptions{}, done) }

func (f *folder) selectWith(o imapproto.SelectOptions, done func(error)) {
	o.ReadOnly = f.a.set.DryRun
	f.data, f.selErr = nil, nil
	var sel *imapproto.Selection
	sel = f.a.link.conn.Select(f.pair.remote, o, func(d *imapproto.SelectData, err error) {
		if err != nil {
			f.selErr = f.selectError(err)
		} else {
			f.data = d
			f.selErr = f.checkValidity()
		}
		if f.selErr == nil {
			f.checked = sel
		}
		done(f.selErr)
	})
	f.sel = sel
}

// selected calls use once the folder is selected and the server has confirmed
// it with the UIDVALIDITY of the state; use must call release when other folders
// may select again.
func (f *folder) selected(use func(err error, release func())) {
	k := f.a.link
	if k == nil || k.closed {
		use(f.a.lostError(), func() {})
		return
	}
	k.turn(func(release func()) { f.selectedHere(use, release) })
}

// selectedHere is selected for whoever has the turn.
func (f *folder) selectedHere(use func(err error, release func()), release func()) {
	if f.sel != nil && f.a.link.conn.Current() == f.sel && f.sel.Confirmed() && f.data != nil && f.selErr == nil {
		use(nil, release)
		return
	}
	f.selectNow(func(err error) { use(err, release) })
}

// reading calls use as soon as the folder's SELECT is on its way: FETCH and SEARCH
// may ride behind it unanswered, those of many folders in one flight. What they
// bring counts only if readError of the selection says so.
func (f *folder) reading(use func(sel *imapproto.Selection, err error)) {
	k := f.a.link
	if k == nil || k.closed {
		use(nil, f.a.lostError())
		return
	}
	k.turn(func(release func()) {
		defer release()
		if f.sel == nil || k.conn.Current() != f.sel || f.selErr != nil {
			f.selectNow(func(error) {})
		}
		use(f.sel, nil)
	})
}

// readError tells why what was read under sel does not count, nil if it does.
func (f *folder) readError(what string, sel *imapproto.Selection, err error) error {
	switch {
	case sel == f.checked && err == nil:
		return nil
	case sel != f.checked && f.selErr != nil:
		return f.selErr
	case err == nil:
		err = &imapproto.NotSelectedError{Command: what, Mailbox: f.pair.remote, Reason: "the server did not confirm the folder it opened"}
	}
	return f.commandError(what, err)
}

// checkValidity stops the folder if its UIDVALIDITY is not the one that the
// state's UIDs belong to (RFC 9051 section 2.3.1.1).
func (f *folder) checkValidity() error {
	if f.st == nil {
		return nil // looked at before its state was loaded; loaded makes up for it
	}
	now := f.data.UIDValidity
	if now == 0 {
		return &Error{Scope: ScopeFolder, Err: errors.New("the server gives no UIDVALIDITY, so its message numbers mean nothing tomorrow"), Did: "this folder was left alone"}
	}
	old := parseUint32(f.st.Token(tokValidity))
	switch {
	case old == now:
		return nil
	case f.renumber != nil && f.look != nil && (f.renumber.now == 0 || f.renumber.now == now):
		f.renumber.now = now
		return nil
	case f.st.Len() == 0:
		f.st.SetToken(tokValidity, fmt.Sprint(now))
		f.st.SetToken(tokPaired, "")
		f.trusted = false
		return nil
	}
	return &Error{Scope: ScopeFolder, Validity: true,
		Err: fmt.Errorf("UIDVALIDITY changed from %d to %d: the server numbered its messages anew", old, now),
		Did: "nothing more was transferred or deleted on either side; the next run pairs them anew"}
}

func (f *folder) selectError(err error) error { return f.commandError("open the folder", err) }

// commandError gives a refused command the scope of the folder; a lost
// connection stays what it is.
func (f *folder) commandError(what string, err error) error {
	var c *imapproto.CommandError
	var n *imapproto.NotSelectedError
	if errors.As(err, &c) || errors.As(err, &n) {
		return &Error{Scope: ScopeFolder, Folder: f.pair.local, Err: fmt.Errorf("%s: %w", what, err), Did: "this folder's round ended; the next run tries again"}
	}
	return err
}

func parseUint32(s string) uint32 {
	var n uint64
	for _, c := range []byte(s) {
		if c < '0' || c > '9' || n > math.MaxUint32 {
			return 0
		}
		n = n*10 + uint64(c-'0')
	}
	if n > math.MaxUint32 {
		return 0
	}
	return uint32(n)
}
