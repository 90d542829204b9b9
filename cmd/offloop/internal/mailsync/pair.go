package mailsync

import (
	"math"
	"slices"
	"strings"
	"time"

	imap "github.com/emersion/go-imap/v2"

	"offloop/imapproto"
	"offloop/maildir"
	"offloop/statefile"
)

// Pairing finds files and server messages that are the same message though the
// state does not say so. It is needed after a stop between an APPEND's execution
// and its record, after a stop between a download's rename and its record, when
// the state was lost, and when a Maildir filled by another program is taken
// over. What it must not do is pair two different messages: identity is size
// and Message-ID together, or the content itself.

// remoteFact is what the server says of a message that may be one of our files.
type remoteFact struct {
	uid   uint32
	size  int64
	msgID string
	hash  string // hex SHA-256 of the content, only where it was needed
	date  int64  // INTERNALDATE in Unix seconds, 0 = not told
}

// localFact is what a file says of itself.
type localFact struct {
	file   localFile
	intent string // the intent it was announced under, "" if none
	open   bool   // whether the server took it is not known
	size   int64  // with CRLF line ends
	msgID  string
	hash   string
	next   uint32 // with open: the lowest UID that it may have been given
	date   int64  // with open: the date it was sent with, in Unix seconds; 0 = without
}

// findPairs looks for pairs among what is unknown on both sides.
func (f *folder) findPairs(done func(error)) {
	intents := f.st.Intents()
	if len(intents)+len(f.local.fresh) == 0 {
		done(nil) // all that is new is on the server, and that may be a million messages
		return
	}
	paired, announced := f.pairedUIDs(), announcedBy(intents)
	var ask []localFile // files whose identity must be read
	strangers := false
	each := f.local.fresh
	if f.adopting() {
		ask, each = slices.Clip(each), nil // all, and that may be a whole Maildir
	}
	for _, l := range each {
		m, onServer := f.remote.newMsg(l.hint)
		switch {
		case l.hint != 0 && onServer && f.trusted && !paired[l.hint]:
			// The name was made by us under this very UIDVALIDITY: a download
			// that was stopped before it was recorded.
			p := pairing{uid: l.hint, file: l, flags: m.flags, intent: f.intentOf(intents, l)}
			p.moved = movedBy(intents, p.intent, l.flags)
			intents = withoutIntent(intents, p.intent)
			f.pairs = append(f.pairs, p)
			paired[p.uid] = true
		case announced(l) && f.intentOf(intents, l) != "":
			ask = append(ask, l)
		case f.stranger(l):
			strangers = true
			ask = append(ask, l)
		}
	}
	// Which server messages may answer them?
	var uids []uint32
	low := f.lowestIntent(intents)
	for _, m := range f.remote.fresh {
		if ((f.adopting() || strangers) && len(ask) > 0 || len(intents) > 0 && m.uid >= low) && !paired[m.uid] {
			uids = append(uids, m.uid)
		}
	}
	if len(intents) == 0 && (len(ask) == 0 || len(uids) == 0) {
		done(nil)
		return
	}
	f.askLocal(ask, intents, func(locals []localFact) {
		f.askRemote(uids, func(remotes []remoteFact, err error) {
			if err != nil {
				done(err)
				return
			}
			f.settle(intents, locals, remotes, done)
		})
	})
}

// adopting tells whether both sides may hold messages that the state knows
// nothing of, because there is no state yet, or it was lost, or the round that
// was to pair them did not come to that.
func (f *folder) adopting() bool { return !f.trusted }

// pairedUIDs gives the messages that have a file already.
func (f *folder) pairedUIDs() map[uint32]bool {
	m := make(map[uint32]bool, len(f.pairs))
	for _, p := range f.pairs {
		m[p.uid] = true
	}
	return m
}

// announcedBy tells quickly which files certainly have no intent: a large upload that was
// killed leaves thousands of intents among ten thousands of files.
func announcedBy(intents []statefile.Intent) func(l localFile) bool {
	bases, moves := make(map[string]bool, len(intents)), false
	for _, i := range intents {
		bases[i.Base] = true
		moves = moves || strings.HasPrefix(i.ID, moveIntent)
	}
	return func(l localFile) bool { return moves || bases[l.name.Base] }
}

func (f *folder) intentOf(intents []statefile.Intent, l localFile) string {
	for _, i := range intents {
		if i.Base == l.name.Base || strings.HasPrefix(i.ID, moveIntent) && strings.HasSuffix(i.ID, "-"+l.name.Unique) {
			return i.ID
		}
	}
	return ""
}

func (f *folder) lowestIntent(intents []statefile.Intent) uint32 {
	low := ^uint32(0)
	for _, i := range intents {
		if parseUint32(f.st.Token(tokValidity)) != i.UIDValidity {
			return 1
		}
		low = min(low, max(i.UIDNext, 1))
	}
	return low
}

// askLocal reads the files' identities. Intents whose file is gone or renamed
// keep the identity they were announced with.
func (f *folder) askLocal(files []localFile, intents []statefile.Intent, done func([]localFact)) {
	var facts []localFact
	have := map[string]bool{}
	for _, i := range intents {
		lf := localFact{intent: i.ID, open: true, size: i.Size, msgID: i.MessageID, hash: i.Hash}
		if parseUint32(f.st.Token(tokValidity)) == i.UIDValidity {
			lf.next = i.UIDNext
		}
		for _, l := range files {
			if l.name.Base == i.Base {
				lf.file = l
				have[i.Base] = true
			}
		}
		facts = append(facts, lf)
	}
	if len(have) > 0 {
		files = slices.DeleteFunc(slices.Clone(files), func(l localFile) bool { return have[l.name.Base] })
	}
	fs, dir := f.a.env.FS, f.dir
	read := make([]localFact, 0, len(files))
	f.a.inSlices(len(facts), func(i int) {
		if e := facts[i].file.entry; e.File != "" {
			if _, _, _, _, mtime, _, err := fs.Stat(dir + "/" + e.String()); err == nil {
				facts[i].date = sentDate(time.Unix(0, mtime)).Unix()
			}
		}
	}, func() {
		f.a.inSlices(len(files), func(i int) {
			m, err := maildir.OpenMessage(fs, dir, files[i].entry)
			if err != nil {
				return
			}
			read = append(read, localFact{file: files[i], size: m.Size, msgID: m.MessageID, hash: m.Hash})
			m.Close()
		}, func() { done(filesFirst(facts, read)) })
	})
}

// filesFirst joins what is known of announced files and of others: of two equal
// messages, the one whose file has its UID already must not take the other's answer.
func filesFirst(announced, read []localFact) []localFact {
	if len(announced) == 0 {
		return read
	}
	all := append(announced, read...)
	slices.SortStableFunc(all, func(a, b localFact) int { return boolRank(a.file.entry.File == "") - boolRank(b.file.entry.File == "") })
	return all
}

// sentDate is the INTERNALDATE that a file of this time is sent with, or the zero
// time: what is from before this kind of mail is no date.
func sentDate(mtime time.Time) time.Time {
	if mtime.Year() < 1981 {
		return time.Time{}
	}
	return mtime
}

func boolRank(b bool) int {
	if b {
		return 1
	}
	return 0
}

// askRemote asks for size and Message-ID of messages.
func (f *folder) askRemote(uids []uint32, done func([]remoteFact, error)) {
	if len(uids) == 0 {
		done(nil, nil)
		return
	}
	c := &factFetch{want: uidBits{}}
	for _, u := range uids {
		c.want.add(u)
	}
	f.reading(func(sel *imapproto.Selection, err error) {
		if err != nil {
			done(nil, err)
			return
		}
		f.a.link.conn.UIDFetch(sel, uidSet(uids), imapproto.FetchItems{Size: true, InternalDate: true, HeaderFields: []string{"MESSAGE-ID"}}, c, func(err error) {
			if err = f.readError("ask for Message-IDs", sel, err); err != nil {
				done(nil, err)
				return
			}
			done(c.facts, nil)
		})
	})
}

type factFetch struct {
	want  uidBits
	facts []remoteFact
}

func (c *factFetch) Body(*imapproto.Message, int64) imapproto.Sink { return nil }
func (c *factFetch) Vanished(imap.UIDSet)                          {}
func (c *factFetch) Message(m *imapproto.Message) {
	if m.UID == 0 || !c.want.has(m.UID) || m.Header == nil && m.Size == 0 {
		return
	}
	c.want.remove(m.UID)
	r := remoteFact{uid: m.UID, size: m.Size, msgID: maildir.MessageID(m.Header)}
	if !m.InternalDate.IsZero() {
		r.date = m.InternalDate.Unix()
	}
	c.facts = append(c.facts, r)
}

// settle joins locals with remotes and decides about the intents: those that
// found their message become pairs, the others are sent again, but not before
// the commands of a killed run can no longer be executing.
func (f *folder) settle(intents []statefile.Intent, locals []localFact, remotes []remoteFact, done func(error)) {
	var doubtful []uint32
	var found []match
	var room []pairing // for a whole Maildir, tens of megabytes
	paired := len(f.pairs)
	disk := f.a.env.Loop.Disk // for the processor's time: what is compared there is nobody else's
	disk(func() { doubtful = doubts(locals, remotes) }, func() {
		f.hashRemote(doubtful, func(hashes map[uint32]string, err error) {
			if err != nil {
				done(err)
				return
			}
			disk(func() {
				for i := range remotes {
					remotes[i].hash = hashes[remotes[i].uid]
				}
				found = matchFacts(locals, remotes)
				room = make([]pairing, 0, len(found)+paired)
			}, func() {
				f.pairs = append(room, f.pairs...)
				f.matched(found, intents, locals, remotes, done)
			})
		})
	})
}

// matched takes over which files and messages are the same.
func (f *folder) matched(found []match, intents []statefile.Intent, locals []localFact, remotes []remoteFact, done func(error)) {
	answered, taken := map[string]bool{}, map[uint32]bool{}
	f.inTurns(len(found), func(i int) {
		m := &found[i]
		taken[m.uid] = true
		answered[m.local.intent] = m.local.intent != ""
		if m.local.file.entry.File == "" && !f.local.stable {
			// The scan may have missed the file: neither is the intent
			// answered nor the message a new one.
			f.open = true
			f.remote.fresh = slices.DeleteFunc(f.remote.fresh, func(r remoteMsg) bool { return r.uid == m.uid })
			return
		}
		if m.local.file.entry.File == "" {
			// Sent, but the file is gone: the message stands on the server
			// like any other new one.
			f.st.EndIntent(m.local.intent)
			return
		}
		r, _ := f.remote.newMsg(m.uid)
		f.pairs = append(f.pairs, pairing{uid: m.uid, file: m.local.file, flags: r.flags, intent: m.local.intent, moved: movedBy(intents, m.local.intent, m.local.file.flags)})
	}, func() {
		if len(intents) > 0 {
			remotes = slices.DeleteFunc(remotes, func(r remoteFact) bool { return taken[r.uid] })
			f.askAbout(locals, remotes, answered)
			f.judgeIntents(intents, answered)
		}
		f.flush(done)
	})
}

// turnSlice is how many of many things of a folder are done in one turn: a
// millisecond's work. In the tests it is one.
var turnSlice = 1000

// inTurns does one for each of n things, some in a turn, and then the rest.
func (f *folder) inTurns(n int, one func(i int), then func()) {
	var next func(from int)
	next = func(from int) {
		to := min(from+turnSlice, n)
		for i := from; i < to; i++ {
			one(i)
		}
		if to == n {
			then()
			return
		}
		f.a.env.Loop.NextTurn(func() { next(to) })
	}
	next(0)
}

// unsure is why an upload of a killed run waits for a word from the user; it is
// stored with it.
const unsure = "an upload of it was interrupted, and the server has a message of the same Message-ID that may be it, altered, or another one"

// askAbout sets files aside whose upload may have arrived altered: sent again they
// would be there twice, taken for that message they might be nowhere.
// remotes are those that no file was found to be.
func (f *folder) askAbout(locals []localFact, remotes []remoteFact, answered map[string]bool) {
	for _, l := range locals {
		if !l.open || answered[l.intent] || l.msgID == "" || l.file.entry.File == "" {
			continue
		}
		like := func(r remoteFact) bool { return r.msgID == l.msgID && r.size != l.size && r.uid >= l.next }
		if q, held := f.st.Held("local", l.file.name.Base); held && q.Reason == unsure || !slices.ContainsFunc(remotes, like) {
			continue
		}
		f.quarantine("local", l.file.name.Base, unsure)
		q, _ := f.st.Held("local", l.file.name.Base)
		q.Next = math.MaxInt64
		f.st.SetQuarantine(q)
	}
}

// judgeIntents ends or defers the intents that no message answered.
func (f *folder) judgeIntents(intents []statefile.Intent, answered map[string]bool) {
	a := f.a
	ready := a.env.Started.Add(a.set.Settle)
	fresh := make(map[string]bool, len(f.local.fresh)) // base names of files that carry no UID of ours
	for _, l := range f.local.fresh {
		fresh[l.name.Base] = true
	}
	for _, i := range intents {
		if answered[i.ID] {
			continue
		}
		if !fresh[i.Base] && !f.local.stable {
			f.open = true
			continue
		}
		if !fresh[i.Base] {
			f.st.EndIntent(i.ID) // its file carries a UID: the upload was finished
			continue
		}
		if f.quarantined("local", i.Base, a.env.Loop.Now()) {
			continue // the server took it and does not show it: that may still come
		}
		at := time.Unix(0, i.At)
		late := ready
		if at.After(a.env.Started) {
			late = at.Add(a.set.Settle) // sent by this very run, over a connection that was lost
		}
		// What counts is when the mailbox was looked at, not when the answer was
		// here: on a slow line it may have been looked at long before.
		if !a.began.Before(late) {
			f.st.EndIntent(i.ID) // it did not arrive: the file is simply a new one
			continue
		}
		f.deferred = append(f.deferred, i)
		if a.settleAt.Before(late) {
			a.settleAt = late
		}
	}
}

type match struct {
	uid   uint32
	local *localFact
}

// hashRemote reads messages and gives the hash of their content.
func (f *folder) hashRemote(uids []uint32, done func(map[uint32]string, error)) {
	sums := map[uint32]string{}
	f.contents(uids, func(uid uint32, c content) { sums[uid] = c.sum }, func(err error) { done(sums, err) })
}

// uidSet makes a set of UIDs, ascending.
func uidSet(uids []uint32) imap.UIDSet {
	slices.Sort(uids)
	uids = slices.Compact(uids)
	var s imap.UIDSet
	for i := 0; i < len(uids); {
		k := i
		for k+1 < len(uids) && uids[k+1] == uids[k]+1 {
			k++
		}
		s = append(s, imap.UIDRange{Start: imap.UID(uids[i]), Stop: imap.UID(uids[k])})
		i = k + 1
	}
	return s
}
