package mailsync

import (
	"errors"
	"time"

	"offloop/imapproto"
)

// defaultKeepAlive is how often a connection that is kept between rounds gives a sign
// of life where the configuration does not say: below the times after which servers
// and routers forget it (RFC 9051 section 5.4 promises 30 minutes).
const defaultKeepAlive = 9 * time.Minute

// mainLink is the connection over which rounds are carried out.
func (a *Account) mainLink() *link {
	k := &link{a: a, n: 1, dialled: a.onDialed, news: a.unsolicited, ready: a.loggedIn}
	k.lost = func(err error) { a.linkLost(k, err) }
	return k
}

// usable tells whether commands may be sent.
func (k *link) usable() bool {
	return k != nil && !k.closed && k.conn != nil && k.conn.State() == imapproto.StateReady
}

// tally adds what went over the connection since the last time to the totals, and
// returns its flights.
func (a *Account) tally(k *link) (flights int) {
	if k == nil || k.conn == nil {
		return 0
	}
	if !k.closed {
		k.in, k.out = k.tr.Counts()
	}
	total := k.conn.Flights()
	flights = total - k.told.flights
	a.result.Flights += flights
	a.result.WireIn += k.in - k.told.in
	a.result.WireOut += k.out - k.told.out
	k.told.flights, k.told.in, k.told.out = total, k.in, k.out
	return flights
}

// mayHold tells whether the connection is kept for the next round. A mailbox that is
// selected is never judged by STATUS, so the server must know UNSELECT (RFC 3691).
func (a *Account) mayHold() bool {
	return a.set.Hold && !a.set.DryRun && !a.stopping && a.round.err == nil && a.link.usable() && a.has("UNSELECT")
}

// hold puts the connection at rest until the next round.
func (a *Account) hold() {
	k := a.link
	k.busy, k.queue = false, nil
	k.conn.Unselect(func(error) {})
	a.keepAlive()
}

// keepAlive sends NOOP now and then while the connection rests. One that is not
// answered ends it, and the next round makes another.
func (a *Account) keepAlive() {
	d := a.set.KeepAlive
	if d <= 0 {
		d = defaultKeepAlive
	}
	k := a.link
	a.unkeep()
	a.keeper = a.env.Loop.After(d, func() {
		a.keeper = nil
		if a.link == k && !a.Busy() && k.usable() {
			k.conn.Noop(func(error) {})
			a.keepAlive()
		}
	})
}

func (a *Account) unkeep() {
	if stop := a.keeper; stop != nil {
		a.keeper = nil
		stop()
	}
}

// resume begins a round on a connection that was kept: what a new one would ask
// behind the login is asked at once.
func (a *Account) resume() {
	a.to(accountList)
	a.list()
	if a.canTell() {
		a.speculate()
	} else {
		a.startKnown()
	}
}

// heldLost is the end of a connection between rounds. Nothing is lost by it.
func (a *Account) heldLost(k *link) {
	a.unkeep()
	a.tally(k)
	a.link = nil
}

// Release gives the connections up that are kept between rounds. It is for the end;
// a round that goes on keeps its own.
func (a *Account) Release() {
	for _, w := range a.watchers {
		w.end()
	}
	a.watchers = nil
	if k := a.link; !a.Busy() && k != nil {
		if k.usable() {
			k.conn.Logout(func(error) {})
			k.pump()
		}
		a.link = nil
		k.close()
		a.heldLost(k)
	}
}

// Suspended gives up every connection of a machine that was asleep: nobody at the
// other end knows them any more.
func (a *Account) Suspended() {
	gone := errors.New("the machine was suspended")
	for _, w := range a.watchers {
		w.broken(gone)
	}
	if a.Busy() {
		a.Reconnect()
	} else if k := a.link; k != nil {
		k.abort(gone)
	}
}
