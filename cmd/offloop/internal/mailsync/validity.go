package mailsync

import (
	"errors"
	"fmt"
	"math"
	"strings"

	imap "github.com/emersion/go-imap/v2"

	"offloop/imapproto"
	"offloop/maildir"
	"offloop/statefile"
)

// renumbering pairs a folder anew after its UIDVALIDITY changed (RFC 9051 section
// 2.3.1.1): the server migrated, was restored, or somebody deleted and made the
// folder again. Nothing is transferred and nothing deleted by it:
//
//	ask the server for every message ─> read every file ─> match
//	  ─> rename the files to their new UIDs, flush ─> replace the state ─> look again
//
// Up to the replacement the old state stands, and finds each file by the unique
// part of its name, which does not change; a stop anywhere before only means that
// all is done again. The replacement is one rename. After it the folder is looked
// at anew, in the same round, like any other; what found no partner is then simply
// new on its side.
type renumbering struct {
	f     *folder
	now   uint32 // the UIDVALIDITY that is being paired
	m     *matching
	ids   map[uint32]bool
	odd   bool // the server named a UID twice, or 0
	stray []int
	hold  bool
	// sticky is false if the server says that its numbers do not last.
	sticky bool
}

// Unpaired files are not uploaded without a word from the user if they are more
// than some and more than this share of the folder: then the mailbox is hardly
// the one that was synced.
const (
	strangerSome  = 10
	strangerShare = 4
)

func manyStrangers(n, of int) bool { return n > strangerSome && n*strangerShare > of }

// unpartnered is why such files wait; it is stored with them.
const unpartnered = "the server numbered the folder anew and no message of it is this one"

// renumbered tells whether err is a change of UIDVALIDITY that can be met.
func (f *folder) renumbered(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Validity && f.renumber == nil && f.st != nil && f.err == nil && !f.a.stopping && f.a.set.Verify == nil
}

// startRenumbering takes the place of the step that found the change.
func (f *folder) startRenumbering() {
	n := &renumbering{f: f, ids: map[uint32]bool{}}
	f.renumber = n
	if f.early != nil {
		f.early.dropAll()
		f.early = nil
	}
	if !f.local.stable {
		n.fail(&Error{Scope: ScopeFolder, Validity: true, Err: errors.New("UIDVALIDITY changed while another program moves files about in the Maildir"),
			Did: "nothing was transferred or deleted on either side; the next run pairs both sides anew"})
		return
	}
	n.ask()
}

func (n *renumbering) fail(err error) { n.f.fail(err) }

// ask lists the mailbox with all that messages are known by.
func (n *renumbering) ask() {
	f := n.f
	if f.a.link == nil || f.a.link.closed {
		n.fail(f.a.lostError())
		return
	}
	n.m = newMatching(nil, nil)
	f.a.link.turn(func(release func()) {
		f.selectNow(func(error) {})
		items := imapproto.FetchItems{Flags: true, Size: true, HeaderFields: []string{"MESSAGE-ID", "DATE"}}
		f.a.link.conn.UIDFetch(f.sel, allUIDs(1), items, n, func(err error) { n.asked(err) })
		release()
	})
}

// Body is not asked for.
func (n *renumbering) Body(*imapproto.Message, int64) imapproto.Sink { return nil }

// Vanished is not asked for.
func (n *renumbering) Vanished(imap.UIDSet) {}

// Message takes one message of the mailbox.
func (n *renumbering) Message(m *imapproto.Message) {
	switch {
	case !m.HasFlags || m.Header == nil && m.Size == 0:
		return // flags that changed meanwhile
	case m.UID == 0 || n.ids[m.UID]:
		n.odd = true
		return
	}
	n.ids[m.UID] = true
	n.m.claims = append(n.m.claims, claimed{uid: m.UID, flags: n.f.flags.fromIMAP(m.Flags), size: m.Size,
		msgID: maildir.MessageID(m.Header), date: dateField(m.Header)})
}

func (n *renumbering) asked(err error) {
	f := n.f
	var c *imapproto.CommandError
	switch {
	case f.err != nil:
		return
	case f.selErr != nil:
		n.fail(f.selErr)
	case f.data == nil:
		n.fail(f.selectError(err))
	case err != nil && !(errors.As(err, &c) && f.data.Exists == 0):
		n.fail(f.commandError("list the messages", err))
	case n.odd || len(n.m.claims) != int(f.data.Exists):
		n.fail(&Error{Scope: ScopeFolder, Validity: true,
			Err:  fmt.Errorf("UIDVALIDITY changed to %d, and the server lists %d messages though it counts %d", f.data.UIDValidity, len(n.m.claims), f.data.Exists),
			Did:  "nothing was transferred or deleted on either side; the next run pairs both sides anew",
			Hint: "if this goes on, the server is broken or in the midst of a repair"})
	default:
		n.sticky = !f.data.NotSticky
		n.m = newMatching(n.files(), n.m.claims)
		n.read(0)
	}
}

// files lists the Maildir's files with what the old state knows of them.
func (n *renumbering) files() []holder {
	f := n.f
	sep := f.a.set.InfoSep
	missing := map[uint32]bool{}
	for _, uid := range f.local.missing {
		missing[uid] = true
	}
	var l []holder
	for i := 0; i < f.st.Len(); i++ {
		r := f.st.At(i)
		if !hasFile(r.Mark) || missing[r.UID] {
			continue
		}
		h := holder{rec: r, flags: r.Flags, entry: f.entry(r, f.local.inNew.has(r.UID))}
		if c, ok := f.local.changed[r.UID]; ok {
			h.entry, h.flags = c.entry, c.flags
		} else if o, ok := f.local.odd[r.UID]; ok {
			h.entry = o
		}
		h.name = maildir.ParseName(h.entry.File, sep)
		l = append(l, h)
	}
	for _, x := range f.local.fresh {
		l = append(l, holder{entry: x.entry, name: x.name, flags: x.flags})
	}
	return l
}

// readSlice is how many files one disk job reads through.
const readSlice = 64

// read learns the identity of the files, from number i on.
func (n *renumbering) read(i int) {
	f := n.f
	if f.a.stopping {
		n.fail(errStopped)
		return
	}
	if i >= len(n.m.holders) {
		n.dropSecondNames()
		return
	}
	part := n.m.holders[i:min(i+readSlice, len(n.m.holders))]
	fs, dir := f.a.env.FS, f.dir
	var err error
	f.a.env.Loop.Disk(func() {
		for k := range part {
			if err = part[k].read(fs, dir); err != nil {
				return
			}
		}
	}, func() {
		if err != nil {
			n.fail(&Error{Scope: ScopeFolder, Validity: true, Err: fmt.Errorf("UIDVALIDITY changed, and a file that is to be paired anew cannot be read: %w", err),
				Did: "nothing was transferred or deleted on either side", Hint: "make the file readable, or move it away"})
			return
		}
		n.read(i + readSlice)
	})
}

// read runs on the disk goroutine.
func (h *holder) read(fs FS, dir string) error {
	m, err := maildir.OpenMessage(fs, dir, h.entry)
	if errors.As(err, new(*maildir.VanishedError)) {
		h.gone = true
		return nil
	}
	if err != nil {
		return err
	}
	defer m.Close()
	h.size, h.msgID, h.hash = m.Size, m.MessageID, m.Hash
	head := make([]byte, 0, 8<<10)
	for len(head) < 64<<10 && !strings.Contains(string(head), "\r\n\r\n") {
		piece := make([]byte, 8<<10)
		k, err := m.Read(piece)
		head = append(head, piece[:max0(k)]...)
		if err != nil || k == 0 {
			break
		}
	}
	h.date = dateField(head)
	return nil
}

// dropSecondNames takes away second names of one file, which a stop amid a rename
// leaves where that is a link and an unlink.
func (n *renumbering) dropSecondNames() {
	f := n.f
	first := map[string]int{}
	var twice [][2]int
	for i, h := range n.m.holders {
		if k, ok := first[h.name.Unique]; ok {
			twice = append(twice, [2]int{k, i})
			continue
		}
		first[h.name.Unique] = i
	}
	hs, k := n.m.holders, *f.look
	f.a.env.Loop.Disk(func() {
		for _, t := range twice {
			a, b := &hs[t[0]], &hs[t[1]]
			if b.rec.UID == 0 && !k.dry && !k.still && k.drop(b.entry, a.entry) {
				b.gone = true
			}
		}
	}, n.match)
}

// match finds the partners.
func (n *renumbering) match() {
	m := n.m
	for i, h := range m.holders {
		m.usedH[i] = h.gone
	}
	m.byNames()
	sums := map[uint32]string{}
	n.f.contents(m.doubts(), func(uid uint32, c content) { sums[uid] = c.sum }, func(err error) {
		if err != nil {
			n.fail(err)
			return
		}
		m.byContent(sums)
		m.byDate()
		n.decide()
	})
}

// decide counts the files that found no partner and were on the server before.
func (n *renumbering) decide() {
	m, f := n.m, n.f
	known := 0
	for i, h := range m.holders {
		if h.gone || h.rec.Mark == markKept || h.rec.UID == 0 && !n.ours(h) {
			continue
		}
		known++
		if !m.usedH[i] {
			n.stray = append(n.stray, i)
		}
	}
	n.hold = manyStrangers(len(n.stray), known)
	n.now = f.data.UIDValidity
	if f.a.set.DryRun {
		f.a.emit(Event{Kind: "plan", Folder: f.pair.local, Text: fmt.Sprintf("%s: pair %d files anew with messages the server has numbered anew (UIDVALIDITY %d), upload %d, download %d",
			f.pair.local, len(m.pairs), n.now, len(m.holders)-len(m.pairs), len(m.claims)-len(m.pairs))})
		f.fail(errDry)
		return
	}
	n.rename()
}

// ours tells whether a file that the state does not know was numbered by us: a
// download or an upload that was stopped before it was recorded.
func (n *renumbering) ours(h holder) bool {
	return h.name.HasUID && h.name.FMD5 == n.f.look.fmd5
}

// rename gives the files their new UIDs and takes the old ones out of the names of
// those that have no message now.
func (n *renumbering) rename() {
	f, m := n.f, n.m
	if f.a.set.LocalReadOnly {
		n.replace()
		return
	}
	to := make([]string, len(m.holders))
	for i, h := range m.holders {
		if !h.gone && h.rec.Mark != markKept && n.ours(h) {
			to[i] = h.name.Unique
		}
	}
	for _, p := range m.pairs {
		if h := m.holders[p.holder]; h.rec.UID != 0 {
			to[p.holder] = maildir.BaseWithUID(h.name.Unique, m.claims[p.claimed].uid, f.look.fmd5)
		}
	}
	fs, dir, sep, sync := f.a.env.FS, f.dir, f.a.set.InfoSep, f.a.set.FSync
	var err error
	f.a.env.Loop.Disk(func() {
		for i := range to {
			if h := &m.holders[i]; to[i] != "" && to[i] != h.name.Base {
				if err = h.rename(fs, dir, to[i], sep); err != nil {
					return
				}
			}
		}
		if sync {
			err = maildir.Sync(fs, dir, nil, true)
		}
	}, func() {
		if err != nil {
			n.fail(&Error{Scope: ScopeFolder, Validity: true, Err: fmt.Errorf("UIDVALIDITY changed, and the files could not be given their new numbers: %w", err),
				Did: "nothing was transferred or deleted on either side; the next run goes on", Hint: "check the permissions and the free space of the Maildir"})
			return
		}
		n.replace()
	})
}

func (h *holder) rename(fs FS, dir, base string, sep byte) error {
	to := maildir.ParseName(h.entry.File, sep)
	to.Base = base
	at, err := maildir.Rename(fs, dir, h.entry, maildir.Entry{File: to.File(sep), InNew: h.entry.InNew})
	if errors.As(err, new(*maildir.VanishedError)) {
		h.gone = true
		return nil
	}
	if err == nil {
		h.entry, h.name = at, maildir.ParseName(at.File, sep)
	}
	return err
}

// replace puts the new state in the place of the old one, in one step.
func (n *renumbering) replace() {
	f := n.f
	b, fs, path := n.state().Snapshot(), f.a.env.FS, f.a.statePath(f.pair.local)
	var err error
	f.a.env.Loop.Disk(func() { err = statefile.WriteSnapshot(fs, path, b) }, func() {
		f.goodLen = -1
		if err != nil {
			f.journalErr = err // which of the two states has the name now is not known
			n.fail(&Error{Scope: ScopeFolder, Validity: true, Err: fmt.Errorf("UIDVALIDITY changed, and the new state could not be written: %w", err),
				Did: "nothing was transferred or deleted on either side; the next run goes on", Hint: "check the free space of the metadata directory"})
			return
		}
		n.tell()
		f.again()
	})
}

// state makes the state under the new numbers. What was agreed on before still
// holds for certain partners; flags of the others are united, as in any new pair.
func (n *renumbering) state() *statefile.Folder {
	f, m := n.f, n.m
	st := statefile.NewFolder(f.pair.local, f.look.fmd5)
	for _, w := range f.st.Keywords() {
		st.KeywordBit(w, true)
	}
	for _, key := range f.st.Tokens() {
		switch key {
		case tokValidity, tokPaired, tokUIDNext, tokGen, tokTrash:
		default:
			st.SetToken(key, f.st.Token(key))
		}
	}
	st.SetToken(tokValidity, fmt.Sprint(n.now))
	st.SetToken(tokGen, fmt.Sprint(f.token.gen+1))
	for _, i := range f.st.Intents() {
		st.AddIntent(i)
	}
	for _, q := range f.st.Quarantine() {
		if q.Side == "local" {
			st.SetQuarantine(q)
		}
	}
	for _, p := range m.pairs {
		h, c := m.holders[p.holder], m.claims[p.claimed]
		if h.gone || h.rec.UID == 0 {
			continue // a file without a record is paired like any other new one
		}
		r := statefile.Record{UID: c.uid, Flags: h.flags & c.flags, Name: recordName(h.name, c.uid, f.look.fmd5)}
		if p.certain && h.rec.Mark != markKept {
			r.Flags, r.Mark = h.rec.Flags, h.rec.Mark
		}
		st.Put(r)
	}
	free := uint32(math.MaxUint32)
	for i, h := range m.holders {
		if h.rec.Mark == markKept && !m.usedH[i] && !h.gone {
			// It stays here by configuration and must not come back to the server:
			// its record needs a number that the server will never give out.
			for n.ids[free] {
				free--
			}
			st.Put(statefile.Record{UID: free, Flags: h.flags, Name: h.name.Base, Mark: markKept})
			free--
		}
	}
	if n.hold {
		for _, i := range n.stray {
			st.SetQuarantine(statefile.Quarantined{Side: "local", Key: m.holders[i].name.Base, Reason: unpartnered, Next: math.MaxInt64,
				Since: f.a.env.Loop.Now().UnixNano()})
		}
	}
	return st
}

// tell says what was found.
func (n *renumbering) tell() {
	f, m := n.f, n.m
	text := fmt.Sprintf("The server numbered the messages of %s anew (UIDVALIDITY %s -> %d): %d of %d files were paired again, %d found no message, %d messages are new there. Nothing was deleted.",
		f.pair.local, f.st.Token(tokValidity), n.now, len(m.pairs), len(m.holders), len(m.holders)-len(m.pairs), len(m.claims)-len(m.pairs))
	if !n.sticky {
		text += " It says that its numbers do not last (UIDNOTSTICKY), so every run has to do this."
	}
	f.a.emit(Event{Kind: "warn", Severity: "warn", Folder: f.pair.local, N: int64(len(m.pairs)), Total: int64(len(m.holders)), Text: text})
}

// again looks at the folder from the beginning, with the state that is on disk
// now.
func (f *folder) again() {
	f.look, f.st, f.flags, f.spec, f.first = nil, nil, nil, nil, nil
	f.list, f.local, f.remote, f.pairs = listing{}, localView{}, remoteView{}, nil
	f.known, f.remoteQuiet, f.localQuiet, f.wrote = false, false, false, true
	f.goTo(stepLoad)
}

// spareRenumbered takes the deletes out of a plan made right after a renumbering:
// they are the business of a later round, which knows both sides under the same
// numbers from its beginning.
func (f *folder) spareRenumbered() {
	p := f.plan
	if f.renumber == nil {
		return
	}
	f.open = f.open || len(p.deleteLocal)+len(p.deleteRemote)+len(p.expunge) > 0
	p.deleteLocal, p.deleteRemote, p.expunge = nil, nil, nil
	f.holdMarked = true
}

// tellStrangers reminds of files that wait because they found no partner.
func (f *folder) tellStrangers() {
	n := 0
	for _, q := range f.st.Quarantine() {
		if q.Reason == unpartnered {
			n++
		}
	}
	if n == 0 {
		return
	}
	f.a.report(&Error{Scope: ScopeFolder, Account: f.a.set.Name, Folder: f.pair.local, Validity: true,
		Err: fmt.Errorf("%d files found no partner when the server numbered the folder anew", n), Did: "they were not uploaded; everything else goes on",
		Hint: fmt.Sprintf("if the server lost them and they are to go there again: --recreate %q", f.pair.local)})
	f.a.emit(Event{Kind: "held", Severity: "debug", Folder: f.pair.local, Dest: "uidvalidity",
		Text: fmt.Sprintf("m: compare both sides anew, by content. What is on one side only goes to the other, these %d files to the server. Nothing is deleted.\nn: leave them as they are; you are asked again.", n)})
}
