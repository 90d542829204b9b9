package mailsync

import (
	"errors"
	"time"

	"offloop/imapproto"
)

// A folder that is empty here and unknown to the state has nothing to compare:
// every message is new. Then the listing and the contents are one command behind
// the SELECT, and messages are delivered while they arrive. What does not come
// that way (a message the server could not give, one that was listed twice) is
// left to the plan, like any other new message.

// waveWait is how long folders that are ready to be streamed wait for the others,
// so that one burst asks for all of them.
const waveWait = 50 * time.Millisecond

// wave collects the first questions of folders that begin together.
type wave struct {
	coming int // folders that have not said yet what they need
	ready  []func()
	timer  func()
	sent   bool
}

// join adds a folder's question; nil: it has none.
func (a *Account) join(ask func()) {
	w := &a.wave
	w.coming--
	if ask != nil {
		w.ready = append(w.ready, ask)
	}
	switch {
	case w.coming <= 0 || w.sent:
		a.sendWave()
	case w.timer == nil && len(w.ready) > 0:
		w.timer = a.env.Loop.After(waveWait, func() {
			w.timer = nil
			w.sent = true
			a.sendWave()
		})
	}
}

func (a *Account) sendWave() {
	w := &a.wave
	if w.timer != nil {
		w.timer()
		w.timer = nil
	}
	ready := w.ready
	w.ready = nil
	for _, ask := range ready {
		ask()
	}
}

// joinWave is join for a folder of the wave, once.
func (f *folder) joinWave(ask func()) {
	switch {
	case f.inWave:
		f.inWave = false
		f.a.join(ask)
	case ask != nil:
		ask()
	}
}

// mayStream tells whether the folder is new here, as far as the state knows.
func (f *folder) mayStream() bool {
	s := f.a.set
	return !f.known && f.st.Len() == 0 && len(f.st.Intents()) == 0 && len(f.st.Quarantine()) == 0 && f.spec == nil && f.early == nil && f.look.earlier == nil && f.renumber == nil &&
		!f.remoteQuiet && s.MaxSize == 0 && !s.chooses() && !s.DryRun && !s.LocalReadOnly && !f.movedHere()
}

// lookNew looks at a folder that may be streamed: the Maildir first, since only
// if it is empty may the mailbox come down unseen.
func (f *folder) lookNew(done func(error)) {
	f.scanLocal(func(err error) {
		switch l := &f.local; {
		case err != nil || f.err != nil || f.a.stopping:
			done(err)
		case !l.scanned || !l.stable || l.count > 0 || len(l.fresh) > 0:
			f.joinWave(func() { f.listRemote(func(err error) { f.compared(err, done) }) })
		default:
			f.joinWave(func() { f.stream(func(err error) { f.compared(err, done) }) })
		}
	})
}

// compared ends a look whose listing has come.
func (f *folder) compared(err error, done func(error)) {
	if err != nil {
		done(err)
		return
	}
	f.compareLong(done)
}

// stream lists and fetches everything in one flight.
func (f *folder) stream(done func(error)) {
	if f.a.link == nil || f.a.link.closed {
		done(f.a.lostError())
		return
	}
	f.ours()
	f.list = listing{}
	d := &download{f: f, want: uidBits{}, stream: true}
	d.done = func(err error) { f.streamed(d, err, done) }
	f.a.link.turn(func(release func()) {
		f.selectNow(func(err error) {
			if err != nil {
				return
			}
			d.total = int(f.data.Exists)
			// Both sides have been compared, since one of them is empty.
			f.st.SetToken(tokPaired, "1")
			f.trusted = true
		})
		d.begin(f.sel)
		items := imapproto.FetchItems{Flags: true, Body: true, InternalDate: f.a.set.MtimeFromDate}
		f.a.link.conn.UIDFetch(f.sel, allUIDs(1), items, d, d.fetched)
		release()
	})
}

// streamed ends a stream. What the server refused is asked for in the ordinary
// way.
func (f *folder) streamed(d *download, err error, done func(error)) {
	var refused *imapproto.CommandError
	switch {
	case f.err != nil:
		done(nil)
	case err != nil:
		done(err)
	case errors.As(d.refused, &refused) && f.data != nil && f.data.Exists > 0:
		f.listAll(done)
	default:
		done(f.listed(nil))
	}
}

// take notes a message of a stream. Flags alone may be told at any time, of
// messages whose content is still to come.
func (d *download) take(m *imapproto.Message) {
	d.f.list.Message(m)
	if m.HasBody && m.UID > d.from {
		d.from = m.UID
	}
}
