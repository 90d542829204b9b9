package mailsync

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	imap "github.com/emersion/go-imap/v2"

	"offloop/imapproto"
	"offloop/statefile"
)

// Bounds of the download path. What has been received but is not yet on disk is
// limited by pausing the socket, so memory depends neither on the size of a
// message nor on that of a folder.
const (
	spoolAt  = 256 << 10 // a larger body goes to its file while it arrives
	inHand   = 512       // what a message not yet on disk takes besides its buffer, about
	heldHigh = 3 << 19   // bytes held for messages not yet on disk: stop reading the socket
	heldLow  = 3 << 18   // and go on
)

// download fetches the bodies of the plan's new messages and hands them to the
// account's delivery.
type download struct {
	f     *folder
	sel   *imapproto.Selection // under which the messages are fetched
	want  uidBits
	total int
	n     int
	cur   *incoming
	aside []*incoming // gated: what has arrived
	bytes int         // of aside, in memory
	left  int         // messages handed over that are not on record yet
	sends bool        // counted as one that more messages may come of
	ended bool
	err   error
	done  func(error)
	safe  int   // messages on disk and recorded
	full  error // the disk goroutine's: why a message could not be written

	// gated: nothing is known of these messages yet, so they are kept aside
	// until a plan asks for them. Only UIDs from from on are taken.
	gated bool
	from  uint32

	// stream: everything the mailbox holds is listed and wanted. UIDs ascend; from
	// is the last one seen.
	stream  bool
	refused error // the server did not give everything
}

func (f *folder) download(done func(error)) {
	d := f.early
	f.early = nil
	if d == nil {
		d = &download{f: f, want: uidBits{}}
	}
	d.done, d.total = done, len(f.plan.download)
	d.want.addAll(f.plan.download)
	f.plan.download = nil // of a million messages they are a fourth of what the round may take
	if d.gated {
		d.open()
	}
	uids := d.want.sorted()
	if len(uids) == 0 {
		d.ended = true
		f.a.delivery().due()
		d.finish()
		return
	}
	items := imapproto.FetchItems{Flags: true, Body: true, InternalDate: f.a.set.MtimeFromDate}
	if f.st.Len() == 0 && f.local.count == 0 {
		f.ours()
	}
	if k := f.a.link; k == nil || k.closed {
		d.fetched(f.a.lostError()) // what was kept aside is delivered all the same
		return
	}
	f.a.link.turn(func(release func()) {
		c := f.a.link.conn
		if f.sel == nil || c.Current() != f.sel {
			f.selectNow(func(error) {})
		}
		d.begin(f.sel)
		c.UIDFetch(f.sel, uidSet(uids), items, d, d.fetched)
		release()
	})
}

// begin says under which selection messages are going to come.
func (d *download) begin(sel *imapproto.Selection) {
	d.sel = sel
	if !d.sends {
		d.sends = true
		d.f.a.delivery().senders++
	}
}

// ours notes that offloop fills this folder: its keyword letters are ours to give.
func (f *folder) ours() {
	f.st.SetToken(tokOurs, "1")
	f.flags.auto = f.flags.auto || len(f.a.set.Keywords) == 0 && !f.a.set.KeywordsOff
}

// Body opens a sink for a message's content.
func (d *download) Body(m *imapproto.Message, size int64) imapproto.Sink {
	if d.f.err != nil || d.err != nil || m.UID != 0 && !d.wants(m.UID) {
		return nil
	}
	d.dropCurrent() // a server that gives two bodies
	d.cur = &incoming{d: d, uid: m.UID}
	d.cur.buf = d.f.a.buffers.get(int(min(max(size, 0), spoolAt)))
	d.cur.weigh()
	return d.cur
}

// carry counts bytes received but not yet on disk, and stops or restarts the
// socket.
func (a *Account) carry(n int) {
	a.heldBytes += n
	switch {
	case a.heldBytes > heldHigh && !a.paused && a.link != nil && !a.link.closed:
		a.paused = true
		a.link.tr.Pause()
		a.delivery().due()
	case a.heldBytes < heldLow && a.paused:
		a.paused = false
		if a.link != nil && !a.link.closed {
			a.link.tr.Resume()
		}
	}
}

// Vanished is not asked for.
func (d *download) Vanished(imap.UIDSet) {}

// Message ends a message: it joins the batch.
func (d *download) Message(m *imapproto.Message) {
	in := d.cur
	d.cur = nil
	wanted := m.UID != 0 && d.wants(m.UID)
	if d.stream && d.sel == d.f.checked {
		d.take(m)
	}
	if in == nil {
		if d.sel == d.f.checked && m.UID != 0 && d.want.has(m.UID) && m.HasBody && m.BodyNIL {
			d.f.quarantine("remote", fmt.Sprint(m.UID), "the server gave no content")
			d.want.remove(m.UID)
		}
		return
	}
	in.buf = in.lf.Flush(in.buf)
	in.weigh()
	if !wanted || !m.HasBody || m.BodyNIL || d.sel != d.f.checked {
		d.discard(in)
		return
	}
	d.want.remove(m.UID)
	in.uid, in.date = m.UID, m.InternalDate
	if d.gated {
		d.keepAside(in, m)
		return
	}
	if m.HasFlags {
		in.flags = d.f.flags.fromIMAP(m.Flags)
	}
	d.deliver(in)
}

// deliver hands a message over.
func (d *download) deliver(in *incoming) {
	d.left++
	d.tell(in)
	d.f.a.delivery().add(in)
}

// tell announces a message that has arrived.
func (d *download) tell(in *incoming) {
	f := d.f
	d.n++
	f.a.emit(Event{Kind: "copy", Folder: f.pair.local, Conn: 1, UID: int64(in.uid), N: int64(d.n), Total: int64(d.total), Bytes: in.size,
		Text: fmt.Sprintf("Copy message UID %d (%d/%d) %s:%s -> %s:%s", in.uid, d.n, d.total, f.a.set.RemoteRepo, f.pair.remote, f.a.set.LocalRepo, f.pair.local)})
}

// wants tells whether a message is to be taken.
func (d *download) wants(uid uint32) bool {
	switch {
	case d.gated:
		return uid >= d.from
	case d.stream:
		return uid > d.from
	}
	return d.want.has(uid)
}

// keepAside keeps a message nobody has asked for yet, on disk if there are many.
func (d *download) keepAside(in *incoming, m *imapproto.Message) {
	for _, w := range m.Flags {
		in.words = append(in.words, strings.Clone(w))
	}
	d.aside = append(d.aside, in)
	d.bytes += len(in.buf)
	if d.bytes > 1<<20 {
		for _, x := range d.aside {
			if len(x.buf) > 0 {
				x.spool()
			}
		}
		d.bytes = 0
	}
}

// open lets through what the plan asks for and drops the rest.
func (d *download) open() {
	d.gated = false
	aside := d.aside
	d.aside, d.bytes = nil, 0
	for _, in := range aside {
		if !d.want.has(in.uid) {
			d.discard(in)
			continue
		}
		d.want.remove(in.uid)
		in.flags = d.f.flags.fromIMAP(in.words)
		in.words = nil
		d.deliver(in)
	}
}

// dropCurrent drops a message whose end did not come.
func (d *download) dropCurrent() {
	if d.cur != nil {
		d.discard(d.cur)
		d.cur = nil
	}
}

// dropAll drops everything that was kept aside.
func (d *download) dropAll() {
	d.dropCurrent()
	for _, in := range d.aside {
		d.discard(in)
	}
	d.aside = nil
}

func (d *download) discard(in *incoming) {
	n := in.held
	d.f.a.env.Loop.Disk(func() {
		if in.tmp != nil {
			in.tmp.Discard()
		}
	}, func() { d.f.a.carry(-n) })
}

// fetched is the end of the FETCH command, or of the connection.
func (d *download) fetched(err error) {
	d.ended = true
	d.f.brokeIn(d.cur, err)
	d.dropCurrent()
	switch {
	case d.f.selErr != nil:
		d.err = d.f.selErr
	case d.stream && errors.As(err, new(*imapproto.CommandError)):
		d.refused = err
	case err != nil:
		d.err = d.f.commandError("fetch messages", err)
	}
	if d.err == nil && d.f.err == nil && d.sel == d.f.checked {
		for _, uid := range d.want.sorted() {
			d.f.quarantine("remote", fmt.Sprint(uid), "the server answered OK but sent no content")
		}
	}
	v := d.f.a.delivery()
	if d.sends {
		d.sends = false
		v.senders--
	}
	v.due()
	d.finish()
}

func (d *download) finish() {
	if !d.ended || d.left > 0 || len(d.aside) > 0 {
		return
	}
	if done := d.done; done != nil {
		d.done = nil
		done(d.err)
	}
}

// delivered records a message that is durable now, or notes why it is not.
func (d *download) delivered(in *incoming) {
	f := d.f
	if err := in.place.Err; err != nil {
		if d.err == nil {
			d.err = &Error{Scope: ScopeFolder, Err: fmt.Errorf("write to %s: %w", f.dir, err), Did: "messages not yet written are fetched again by the next run", Hint: writeHint(err)}
		}
		return
	}
	f.st.Put(statefile.Record{UID: in.uid, Flags: in.flags, Name: in.name})
	f.st.ClearQuarantine("remote", fmt.Sprint(in.uid))
	f.countNew(in)
	f.a.result.Down++
	f.a.result.BytesDown += in.size
	d.safe++
	f.a.emit(Event{Kind: "copied", Severity: "debug", Folder: f.pair.local, Conn: 1, UID: int64(in.uid), N: int64(d.safe), Total: int64(d.total), Bytes: in.size})
}

// writeHint says what a person can do about a message that could not be written.
func writeHint(err error) string {
	if errors.Is(err, os.ErrNotExist) {
		return "cur, new or tmp of the Maildir was removed meanwhile: bring it back if that was not meant"
	}
	return "check the free space and the permissions of the Maildir"
}

// recorded ends a lot of messages. Their records need not be durable yet: without
// them the files are found again by the UIDs in their names.
func (d *download) recorded(in []*incoming) {
	d.f.note(func(err error) {
		if err != nil && d.err == nil {
			d.err = err
		}
		d.left -= len(in)
		d.finish()
		d.f.a.overspent()
	})
}

func sortedKeys(m map[uint32]bool) []uint32 {
	l := make([]uint32, 0, len(m))
	for k := range m {
		l = append(l, k)
	}
	slices.Sort(l)
	return l
}
