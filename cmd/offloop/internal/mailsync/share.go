package mailsync

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"offloop/imapproto"
)

// One connection does the work of a round, since all that only reads, and APPEND,
// travels for many folders in one flight. What changes flags or deletes must wait, in
// each folder, for the answer to its SELECT: there a second connection halves the
// flights. Only such work is shared, since all of it may be repeated without harm:
// whatever a helper's connection does not finish, the first one does again. APPEND,
// COPY and MOVE stay on the first connection.

const (
	// shareGain is how much faster, in hundredths, a round must become by one more
	// connection; shareSaved what it must save at least.
	shareGain  = 130
	shareSaved = 50 * time.Millisecond
	// roundFlights is about what a round takes besides the changes: the list, what
	// changed on the server, and the connection itself.
	roundFlights = 4
	// aloneTime is how long a server that refused a second connection is not asked again.
	aloneTime = 24 * time.Hour
)

// tokAlone is the account's token that says until when (Unix seconds) it works with
// one connection, since the server refused another.
const tokAlone = "alone"

// mostConns is how many connections servers let a user have, by a word of the
// greeting, less some for the user's other programs.
var mostConns = []serverLimit{
	{"exchange server 2003", 1},
	{"exchange server 2007", 1},
	{"twisted", 1},
	{"courier", 2}, // 4 an address
	{"dovecot", 5}, // 10 a user and address
	{"gimap", 7},   // 15 an account
}

const usualMost = 4

func mostFor(greeting string) int { return limitFor(mostConns, greeting, usualMost) }

// desk is where a folder changes messages: its mailbox, open and confirmed on one of
// the account's connections.
type desk struct {
	k    *link
	sel  *imapproto.Selection
	data *imapproto.SelectData
	told bool // the user knows of it: it failed on another connection
}

// change is a folder's wish for a desk. use must call release when another folder may
// select.
type change struct {
	f     *folder
	use   func(d desk, err error, release func())
	by    *helper // has selected the folder, or is about to
	begun bool    // use has its desk, or the first connection is getting one
}

// helper is a further connection and what it is at.
type helper struct {
	k      *link
	busy   bool // a folder has it, or it has failed one
	proven bool // it has served a folder
	off    bool // it takes no more
}

// working tells whether something is under way on it.
func (h *helper) working() bool { return h.busy || h.k.conn != nil && h.k.conn.InFlight() > 0 }

// worthwhile gives how many connections, up to most, a round should have whose changes
// take so many flights one after the other; setup is how long a new one is in the making.
func worthwhile(flights, most int, setup, rtt time.Duration) int {
	took := func(n int) time.Duration {
		return (time.Duration(flights)*rtt + time.Duration(n-1)*setup) / time.Duration(n)
	}
	n := 1
	for ; n < most; n++ {
		one, more := took(n), took(n+1)
		if one-more < shareSaved || 100*(roundFlights*rtt+one) < shareGain*(roundFlights*rtt+more) {
			break
		}
	}
	return n
}

// owe notes how many flights the folder's changes on the server will take.
func (f *folder) owe(n int) {
	f.a.owed += n - f.owed
	f.owed = n
	if a := f.a; a.owed == 0 && len(a.helpers) > 0 {
		a.env.Loop.NextTurn(func() { // this may be a helper's own doing
			if a.owed == 0 && !slices.ContainsFunc(a.helpers, (*helper).working) {
				a.dismiss()
			}
		})
	}
}

// planned estimates what the plan's changes take, and makes more connections if that
// pays.
func (f *folder) planned() {
	n := 0
	if len(f.plan.remoteFlags) > 0 {
		n = 1
	}
	if f.deletesThere() {
		n = 2
	}
	f.owe(n)
	f.a.hire()
}

// mayHire is how many connections the round may have, those that watch folders
// left out.
func (a *Account) mayHire() int {
	if a.set.DryRun || a.set.PreAuth || a.alone || a.stopping || a.ending || a.round.err != nil || !a.link.usable() {
		return 1
	}
	if until, _ := strconv.ParseInt(a.book.Token(tokAlone), 10, 64); until > a.env.Loop.Now().Unix() && until <= a.env.Loop.Now().Add(aloneTime).Unix() {
		return 1
	}
	return min(a.set.MaxConnections, mostFor(a.greeting)-len(a.watchers))
}

// hire makes as many more connections as pay.
func (a *Account) hire() {
	most := a.mayHire()
	if most <= 1+len(a.helpers) {
		return
	}
	for n := worthwhile(a.owed, most, a.link.setup, a.link.rtt); 1+len(a.helpers) < n; {
		h := &helper{}
		a.helpers = append(a.helpers, h)
		a.call(h, 1+len(a.watchers)+len(a.helpers))
	}
}

// call makes a helper's connection. Its first SELECT rides with the login where the
// capabilities are known; nothing that changes anything does.
func (a *Account) call(h *helper, n int) {
	k := &link{a: a, n: n, news: a.unsolicited}
	h.k = k
	k.dialled = func() {
		if a.loginAhead() {
			a.help(h)
		}
	}
	k.ready = func(i imapproto.Info) {
		a.emit(Event{Kind: "connected", Severity: "debug", Repo: a.set.RemoteRepo, Conn: n, Dest: fmt.Sprintf("%s:%d", a.set.Host, a.set.Port), Text: "Connected: " + i.Greeting})
		a.help(h)
	}
	k.lost = func(err error) { a.helperLost(h, err) }
	a.env.Password(a.set, func(pass string, err error) {
		switch {
		case h.off:
		case err != nil:
			h.off, a.alone = true, true
		default:
			k.open(pass, func(err error) {
				if err != nil {
					a.helperLost(h, err)
				}
			})
		}
	})
}

// helperLost is the end of a helper's connection, or of the attempt to make one. The
// commands under way have failed, and their folders have gone back to the first
// connection. A server that served nothing on it wants no second one.
func (a *Account) helperLost(h *helper, err error) {
	if h.off {
		return
	}
	h.off, a.alone = true, true
	a.emit(Event{Kind: "log", Severity: "debug", Conn: h.k.n, Text: fmt.Sprintf("Connection %d ended (%v); the first one goes on with its folders", h.k.n, err)})
	a.emit(Event{Kind: "lost", Severity: "debug", Conn: h.k.n})
	if !h.proven && a.round.err == nil && a.link.usable() { // else it may be the network
		a.book.SetToken(tokAlone, fmt.Sprint(a.env.Loop.Now().Add(aloneTime).Unix()))
	}
}

// help gives a helper the next folder.
func (a *Account) help(h *helper) {
	k := h.k
	if h.busy || h.off || k.closed || k.conn.State() == imapproto.StateDead || a.round.err != nil || len(a.changes) == 0 {
		return
	}
	c := a.changes[len(a.changes)-1]
	a.changes = a.changes[:len(a.changes)-1]
	c.by, h.busy = h, true
	var sel *imapproto.Selection
	sel = k.conn.Select(c.f.pair.remote, imapproto.SelectOptions{}, func(d *imapproto.SelectData, err error) {
		next := func() {
			h.busy = false
			a.help(h)
		}
		fits := err == nil && !d.ReadOnly && d.UIDValidity != 0 && d.UIDValidity == parseUint32(c.f.st.Token(tokValidity))
		h.proven = h.proven || err == nil
		switch {
		case c.begun: // the first connection was quicker
			next()
		case fits:
			c.begun = true
			c.use(desk{k: k, sel: sel, data: d}, nil, next)
		default:
			c.begun = true
			c.f.changeFirst(c.use, false) // what is wrong with the folder shows there
			if err == nil {
				next()
			} // else it is given no other
		}
	})
}

// changing calls use when the folder is open, with the UIDVALIDITY of the state, on
// whichever connection is free first.
func (f *folder) changing(use func(d desk, err error, release func())) {
	a := f.a
	c := &change{f: f, use: use}
	if k := a.link; k == nil || k.closed {
		use(desk{}, a.lostError(), func() {})
		return
	}
	a.changes = append(a.changes, c)
	a.link.turn(func(release func()) {
		if c.begun || c.by != nil && c.by.proven {
			release()
			return
		}
		c.begun = true // a helper that has shown nothing yet is not waited for
		a.changes = slices.DeleteFunc(a.changes, func(x *change) bool { return x == c })
		f.selectedHere(func(err error, release func()) { use(f.desk(), err, release) }, release)
	})
	for _, h := range a.helpers {
		if h.k.usable() || h.k.conn != nil && a.loginAhead() {
			a.help(h)
		}
	}
}

// changeFirst is changing on the first connection, after it went wrong on another.
func (f *folder) changeFirst(use func(d desk, err error, release func()), told bool) {
	f.selected(func(err error, release func()) {
		d := f.desk()
		d.told = told
		use(d, err, release)
	})
}

// desk is the folder's mailbox on the first connection.
func (f *folder) desk() desk { return desk{k: f.a.link, sel: f.sel, data: f.data} }

// helps tells whether the desk is a helper's: whatever goes wrong there is done again
// on the first connection.
func (d desk) helps() bool { return d.k != nil && d.k != d.k.a.link }

// dismiss ends the further connections; nothing is under way on them.
func (a *Account) dismiss() {
	for _, h := range a.helpers {
		if !h.off {
			a.emit(Event{Kind: "lost", Severity: "debug", Conn: h.k.n})
		}
		h.off = true
		if k := h.k; k.usable() {
			k.conn.Logout(func(error) {})
			k.pump()
		}
		h.k.close()
		a.countSpent()
		a.helperFlights += a.tally(h.k)
	}
	a.helpers = nil
}
