package imaptest

import (
	"slices"
	"sort"
	"strconv"
	"strings"
)

// entry is one message as a session knows it.
type entry struct {
	m    *msg
	seen uint64 // the message's modseq when the session was last told its flags
}

// view is a session's picture of the selected mailbox. Sequence numbers are
// positions in it, so it changes only when the client is told.
type view struct {
	box      *box
	readOnly bool
	list     []entry
	next     uint32 // first UID not yet in the list
	synced   uint64 // box.modseq up to which the client was told everything
	news     int    // how far in box.news
	owed     bool   // expunges are being held back
	keywords int    // how many of box.keywords the client knows
	recent   uint32 // messages from this UID on are \Recent here
	atSelect uint64 // box.modseq at SELECT, for the stale STATUS quirk
	count    int    // messages at SELECT, likewise
	checked  bool
}

func (w *view) lastUID() uint32 {
	if len(w.list) == 0 {
		return 0
	}
	return w.list[len(w.list)-1].m.uid
}

// recents counts the messages that are \Recent in this session.
func (w *view) recents() (n int) {
	for i := len(w.list) - 1; i >= 0 && w.list[i].m.uid >= w.recent; i-- {
		n++
	}
	return n
}

// position finds the first message with at least that UID.
func (w *view) position(uid uint32) int {
	return sort.Search(len(w.list), func(i int) bool { return w.list[i].m.uid >= uid })
}

// shows reports whether the client still counts a message, expunged or not.
func (w *view) shows(uid uint32) bool {
	i := w.position(uid)
	return i < len(w.list) && w.list[i].m.uid == uid
}

// leave sends the client away if its selected mailbox is gone.
func (s *Session) leave() bool {
	if s.sel == nil || !s.sel.box.deleted {
		return false
	}
	s.untagged("BYE the selected mailbox was deleted or replaced")
	s.shut()
	return true
}

// update tells the client what changed in the selected mailbox.
func (s *Session) update(mode syncMode) {
	w := s.sel
	if mode == syncNone || w == nil || s.closing || s.leave() {
		return
	}
	if w.synced == w.box.modseq && !(w.owed && mode == syncAll) {
		return
	}
	// flags first, expunges from the end, so that numbers can be read either way
	s.tellKeywords()
	s.tellFlags()
	if mode == syncAll && w.owed {
		s.tellExpunged()
		w.owed = false
	}
	s.tellNew()
	w.synced = w.box.modseq
}

func (s *Session) tellExpunged() {
	w := s.sel
	var uids []uint32
	for i := len(w.list) - 1; i >= 0; i-- {
		if m := w.list[i].m; m.gone {
			uids = append(uids, m.uid)
			if !s.qresync {
				s.untagged("%d EXPUNGE", i+1)
			}
		}
	}
	w.list = slices.DeleteFunc(w.list, func(e entry) bool { return e.m.gone })
	if f := s.srv.Faults.Vanished; f != nil {
		uids = f(w.box.name, false, uids)
	}
	if s.qresync && len(uids) > 0 {
		s.untagged("VANISHED %s", setOf(uids))
		s.toldGone = true
	}
}

func (s *Session) tellNew() {
	w := s.sel
	if s.srv.Faults.CheckNeeded && !w.checked {
		return
	}
	w.checked = false
	fresh := 0
	for i := len(w.box.msgs) - 1; i >= 0 && w.box.msgs[i].uid >= w.next; i-- {
		fresh++
	}
	if fresh == 0 {
		return
	}
	for _, m := range w.box.msgs[len(w.box.msgs)-fresh:] {
		w.list = append(w.list, entry{m, m.modseq})
	}
	w.next = w.lastUID() + 1
	if !w.readOnly {
		w.box.recent = w.next
	}
	s.untagged("%d EXISTS", s.exists(w.box, len(w.list)))
	if s.rev1() {
		s.untagged("%d RECENT", w.recents())
	}
	if s.notify.items != nil {
		for i := len(w.list) - fresh; i < len(w.list); i++ {
			s.sendFetch(i, s.notify.items, false)
		}
	}
}

// exists is the message count as told to the client.
func (s *Session) exists(b *box, n int) int {
	if f := s.srv.Faults.Exists; f != nil {
		return f(b.name, n)
	}
	return n
}

func (s *Session) tellKeywords() {
	if w := s.sel; w.keywords < len(w.box.keywords) {
		s.tellFlagList()
	}
}

// tellFlagList sends FLAGS and PERMANENTFLAGS.
func (s *Session) tellFlagList() {
	w := s.sel
	w.keywords = len(w.box.keywords)
	flags := append([]string{`\Answered`, `\Flagged`, `\Deleted`, `\Seen`, `\Draft`}, w.box.keywords...)
	s.untagged("FLAGS (%s)", strings.Join(flags, " "))
	if w.readOnly {
		flags = nil
	} else if s.srv.Faults.Keywords == KeywordsAny {
		flags = append(flags, `\*`)
	}
	s.untagged("OK [PERMANENTFLAGS (%s)] flags that last", strings.Join(flags, " "))
}

// tellFlags tells the changes by others and notices expunges.
func (s *Session) tellFlags() {
	w := s.sel
	uid := s.qresync || s.waiting != nil && strings.HasPrefix(s.waiting.cmd.Name, "UID ")
	var at []int
	for _, m := range w.box.news[w.news:] {
		if m.gone {
			w.owed = true
		} else if w.shows(m.uid) {
			at = append(at, w.position(m.uid))
		}
	}
	w.news = len(w.box.news)
	slices.Sort(at)
	for _, i := range at {
		// a message that changed twice is told once
		if e := &w.list[i]; e.m.modseq > e.seen {
			s.tellFlagsOf(i, uid && !s.srv.Faults.FetchNoUID, true)
		}
	}
}

// tellFlagsOf sends the flags of one message, or of a silent STORE only the
// mod-sequence.
func (s *Session) tellFlagsOf(i int, uid, flags bool) {
	e := &s.sel.list[i]
	e.seen = e.m.modseq
	var items []string
	if uid {
		items = append(items, "UID "+strconv.FormatUint(uint64(s.toldUID(e.m)), 10))
	}
	if s.condstore {
		items = append(items, "MODSEQ ("+strconv.FormatUint(e.m.modseq, 10)+")")
	}
	if flags {
		items = append(items, "FLAGS "+s.flagList(e.m))
	}
	if len(items) > 0 {
		s.untagged("%d FETCH (%s)", i+1, strings.Join(items, " "))
	}
}

func (s *Session) toldUID(m *msg) uint32 {
	if f := s.srv.Faults.UID; f != nil {
		return f(s.sel.box.name, m.uid)
	}
	return m.uid
}

func (s *Session) flagList(m *msg) string {
	flags := m.flags
	if m.uid >= s.sel.recent && s.rev1() {
		flags = append([]string{`\Recent`}, flags...)
	}
	return "(" + strings.Join(flags, " ") + ")"
}

// pick finds the messages a set names, as positions in the view. Of a UID set,
// "n:*" includes the last message even if n lies above it (RFC 3501 section 6.4.8).
// ok is false if the set breaks a rule of this server.
func (s *Session) pick(n numSet, uids bool) (at []int, answer string) {
	w := s.sel
	if s.srv.Faults.DescendingBad && !n.ascending() {
		return nil, "BAD a set must ascend"
	}
	if !uids {
		r := n.resolve(uint32(len(w.list)))
		for _, p := range r {
			if p.hi > uint32(len(w.list)) || p.lo == 0 {
				return nil, "BAD invalid message sequence number"
			}
			for i := p.lo; i <= p.hi; i++ {
				at = append(at, int(i-1))
			}
		}
		return at, ""
	}
	last := w.lastUID()
	r := n.resolve(last)
	for _, p := range r {
		i := w.position(p.lo)
		for ; i < len(w.list) && w.list[i].m.uid <= p.hi; i++ {
			at = append(at, i)
		}
	}
	if len(at) == 0 && len(r) > 0 && r[0].lo > last && last > 0 && s.srv.Faults.EchoLast {
		at = []int{len(w.list) - 1}
	}
	return at, ""
}
