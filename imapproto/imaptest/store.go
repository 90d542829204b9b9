package imaptest

import (
	"bytes"
	"fmt"
	"sort"
	"strings"
	"time"
)

// Message is one stored message, as tests put it in and look at it. Body is
// the message as the wire carries it (CRLF); it is never altered.
type Message struct {
	UID    uint32   // 0 in AddMessage: the next free UID
	Flags  []string // "\Seen", keywords; order of setting
	Date   time.Time
	Body   []byte
	ModSeq uint64 // set by the server
	ID     string // OBJECTID EMAILID; set by the server, kept by COPY and MOVE
}

// Mailbox is the state of one mailbox, without its messages.
type Mailbox struct {
	Name          string
	Attrs         []string // special use and other attributes given at creation
	UIDValidity   uint32
	UIDNext       uint32
	HighestModSeq uint64
	Messages      int
	ID            string // OBJECTID MAILBOXID
	Subscribed    bool
	ReadOnly      bool
}

type msg struct {
	uid    uint32
	flags  []string
	date   time.Time
	body   []byte
	modseq uint64 // of the last change, as CONDSTORE defines it
	gone   bool   // expunged; sessions may still have it in their view
	id     string
}

type grave struct {
	uid    uint32
	modseq uint64
}

// box is one mailbox. modseq counts every change (new, flags, expunge), so an
// unchanged modseq means nothing changed at all.
type box struct {
	name        string
	attrs       []string
	uidValidity uint32
	uidNext     uint32
	modseq      uint64
	msgs        []*msg // ascending UID
	graves      []grave
	news        []*msg   // every flag change and expunge, in order; views remember how far they are
	floor       uint64   // expunges at or before this modseq are forgotten
	keywords    []string // in the order first used
	recent      uint32   // UIDs from here on no session has been told about
	id          string
	readOnly    bool
	deleted     bool // no longer in the store; sessions that have it open must leave
}

func (b *box) find(uid uint32) *msg {
	i := sort.Search(len(b.msgs), func(i int) bool { return b.msgs[i].uid >= uid })
	if i < len(b.msgs) && b.msgs[i].uid == uid {
		return b.msgs[i]
	}
	return nil
}

func (b *box) add(m *msg) {
	b.modseq++
	m.modseq = b.modseq
	if m.uid == 0 {
		m.uid = b.uidNext
	}
	b.uidNext = m.uid + 1
	b.msgs = append(b.msgs, m)
	m.flags = b.canonical(m.flags)
}

// setFlags replaces the flags and reports whether that changed anything.
func (b *box) setFlags(m *msg, flags []string) bool {
	flags = b.canonical(flags)
	if sameFlags(flags, m.flags) {
		return false
	}
	b.modseq++
	m.flags, m.modseq = flags, b.modseq
	b.news = append(b.news, m)
	return true
}

// expunge removes the messages that kill says, each with a modseq of its own.
func (b *box) expunge(kill func(*msg) bool) []uint32 {
	var uids []uint32
	kept := b.msgs[:0]
	for _, m := range b.msgs {
		if !kill(m) {
			kept = append(kept, m)
			continue
		}
		b.modseq++
		m.gone = true
		b.graves = append(b.graves, grave{m.uid, b.modseq})
		b.news = append(b.news, m)
		uids = append(uids, m.uid)
	}
	clear(b.msgs[len(kept):])
	b.msgs = kept
	return uids
}

// canonical drops \Recent and duplicates, spells system flags as RFC 3501 does
// and keywords as they were first used in the mailbox.
func (b *box) canonical(flags []string) []string {
	out := make([]string, 0, len(flags))
	for _, f := range flags {
		if f = b.spell(f); f == `\Recent` || hasFlag(out, f) {
			continue
		}
		out = append(out, f)
	}
	return out
}

var systemFlags = []string{`\Answered`, `\Flagged`, `\Deleted`, `\Seen`, `\Draft`, `\Recent`}

func (b *box) spell(f string) string {
	for _, list := range [2][]string{systemFlags, b.keywords} {
		for _, k := range list {
			if strings.EqualFold(k, f) {
				return k
			}
		}
	}
	if !strings.HasPrefix(f, `\`) {
		b.keywords = append(b.keywords, f)
	}
	return f
}

func hasFlag(flags []string, f string) bool {
	for _, g := range flags {
		if strings.EqualFold(f, g) {
			return true
		}
	}
	return false
}

func sameFlags(a, b []string) bool {
	if len(a) != len(b) {
		return false
	}
	for _, f := range a {
		if !hasFlag(b, f) {
			return false
		}
	}
	return true
}

func (b *box) size() (n int64) {
	for _, m := range b.msgs {
		n += int64(len(m.body))
	}
	return n
}

// foldName gives INBOX its one spelling (RFC 3501 section 5.1).
func foldName(name string) string {
	if strings.EqualFold(name, "INBOX") {
		return "INBOX"
	}
	if len(name) > 6 && strings.EqualFold(name[:5], "INBOX") {
		return "INBOX" + name[5:]
	}
	return name
}

func (v *Server) box(name string) *box { return v.boxes[foldName(name)] }

func (v *Server) newBox(name string, attrs []string) *box {
	v.validity++
	v.objects++
	b := &box{name: foldName(name), attrs: attrs, uidValidity: v.validity, uidNext: 1, modseq: 1,
		recent: 1, id: fmt.Sprintf("F%d", v.objects)}
	v.boxes[b.name] = b
	v.changed(b.name)
	return b
}

// changed tells the NOTIFY listeners that the list of mailboxes changed.
func (v *Server) changed(name string) {
	for _, s := range v.sessions {
		if s.notify.listing && !s.closing {
			s.notify.names = append(s.notify.names, name)
		}
	}
}

// CreateMailbox makes a mailbox with the given attributes (`\Sent`); false if
// it exists.
func (v *Server) CreateMailbox(name string, attrs ...string) bool {
	if v.box(name) != nil || name == "" {
		return false
	}
	v.newBox(name, attrs)
	return true
}

// DeleteMailbox removes a mailbox and its messages; children stay. Sessions
// that have it selected are sent away with BYE. False if it does not exist.
func (v *Server) DeleteMailbox(name string) bool {
	b := v.box(name)
	if b == nil {
		return false
	}
	b.deleted = true
	delete(v.boxes, b.name)
	v.changed(b.name)
	return true
}

// RenameMailbox renames a mailbox and its children, keeping UIDVALIDITY, UIDs
// and MAILBOXID. INBOX itself stays, its messages move (RFC 3501 section
// 6.3.5). False if from does not exist or a target does.
func (v *Server) RenameMailbox(from, to string) bool {
	from, to = foldName(from), foldName(to)
	if v.box(from) == nil && !v.hasChildren(from) || v.box(to) != nil || to == "" ||
		strings.HasPrefix(to, from+v.Delim) {
		return false
	}
	if from == "INBOX" {
		src, dst := v.box(from), v.newBox(to, nil)
		for _, m := range src.msgs {
			c := *m
			c.uid = 0
			dst.add(&c)
		}
		src.expunge(func(*msg) bool { return true })
		return true
	}
	var olds []string
	for name := range v.boxes {
		if name == from || strings.HasPrefix(name, from+v.Delim) {
			if v.box(to+name[len(from):]) != nil {
				return false
			}
			olds = append(olds, name)
		}
	}
	sort.Strings(olds)
	for _, name := range olds {
		b := v.boxes[name]
		delete(v.boxes, name)
		b.name = foldName(to + name[len(from):])
		v.boxes[b.name] = b
		v.changed(name)
		v.changed(b.name)
	}
	return true
}

func (v *Server) hasChildren(name string) bool {
	for n := range v.boxes {
		if strings.HasPrefix(n, name+v.Delim) {
			return true
		}
	}
	return false
}

// Subscribe adds name to the subscriptions or removes it.
func (v *Server) Subscribe(name string, on bool) {
	if name = foldName(name); on {
		v.subscribed[name] = true
	} else {
		delete(v.subscribed, name)
	}
	v.changed(name)
}

// SetReadOnly makes a mailbox read-only for every client.
func (v *Server) SetReadOnly(name string, on bool) bool {
	b := v.box(name)
	if b != nil {
		b.readOnly = on
	}
	return b != nil
}

// SetUIDValidity gives the mailbox a new UIDVALIDITY (0 is possible: some
// servers do that) and numbers its messages again from first. The history of
// expunges is lost and sessions that have it selected are sent away.
func (v *Server) SetUIDValidity(name string, validity, first uint32) bool {
	old := v.box(name)
	if old == nil {
		return false
	}
	b := *old
	b.uidValidity, b.uidNext, b.recent = validity, first, first
	b.graves, b.msgs, b.news = nil, nil, nil
	for _, m := range old.msgs {
		c := *m
		c.uid = 0
		b.add(&c)
	}
	b.floor = b.modseq
	old.deleted = true
	v.boxes[b.name] = &b
	v.validity = max(v.validity, validity)
	return true
}

// SkipUIDs raises UIDNEXT, as if messages had come and gone.
func (v *Server) SkipUIDs(name string, n uint32) bool {
	b := v.box(name)
	if b != nil {
		b.uidNext += n
	}
	return b != nil
}

// ForgetExpunges drops the record of expunged UIDs: a QRESYNC client that asks
// about an earlier state is told every UID that does not exist (RFC 7162
// section 3.2.5.1).
func (v *Server) ForgetExpunges(name string) bool {
	b := v.box(name)
	if b != nil {
		b.graves, b.floor = nil, b.modseq
	}
	return b != nil
}

// AddMessage stores a message, creating the mailbox if need be, and returns its
// UID. A zero Date is the server's Now. A given UID below UIDNEXT is refused
// with 0: the store itself never breaks the rule that UIDs ascend.
func (v *Server) AddMessage(mailbox string, m Message) uint32 {
	b := v.box(mailbox)
	if b == nil {
		b = v.newBox(mailbox, nil)
	}
	if m.UID != 0 && m.UID < b.uidNext || m.UID == 1<<32-1 {
		return 0
	}
	if m.Date.IsZero() {
		m.Date = v.Now
	}
	return v.store(b, &msg{uid: m.UID, flags: m.Flags, date: m.Date, body: bytes.Clone(m.Body)})
}

func (v *Server) store(b *box, m *msg) uint32 {
	if m.id == "" {
		v.objects++
		m.id = fmt.Sprintf("M%d", v.objects)
	}
	b.add(m)
	return m.uid
}

// SetFlags replaces the flags of a message; false if there is no such message.
func (v *Server) SetFlags(mailbox string, uid uint32, flags ...string) bool {
	b := v.box(mailbox)
	if b == nil || b.find(uid) == nil {
		return false
	}
	b.setFlags(b.find(uid), flags)
	return true
}

// Expunge removes messages, whatever their flags, and returns how many there were.
func (v *Server) Expunge(mailbox string, uids ...uint32) int {
	b := v.box(mailbox)
	if b == nil {
		return 0
	}
	set := setOf(append([]uint32(nil), uids...))
	return len(b.expunge(func(m *msg) bool { return set.has(m.uid) }))
}

// MoveMessage moves a message as another client would (same EMAILID, new UID)
// and returns the new UID, 0 if there is no such message or target.
func (v *Server) MoveMessage(from string, uid uint32, to string) uint32 {
	src, dst := v.box(from), v.box(to)
	if src == nil || dst == nil || src.find(uid) == nil {
		return 0
	}
	c := *src.find(uid)
	c.uid = 0
	dst.add(&c)
	v.Expunge(from, uid)
	return c.uid
}
