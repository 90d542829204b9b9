package mailsync

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// tokSpent is the token of the account's state that says how many bytes a day's
// connections have carried: "2006-01-02 12345".
const tokSpent = "spent"

// spending counts the bytes of a day (UTC), in both directions and as they are on
// the wire. Servers close an account for a day to whoever has it carry too much;
// whoever stops before can still read mail elsewhere.
type spending struct {
	day     string
	bytes   int64
	resting bool // the round was ended for it
}

// loadSpent takes over what earlier runs carried today.
func (a *Account) loadSpent() {
	a.spent.resting = false
	if a.set.DayBytes <= 0 || a.book == nil {
		return
	}
	if day, n, ok := strings.Cut(a.book.Token(tokSpent), " "); ok && a.spent.day == "" {
		if v, err := strconv.ParseInt(n, 10, 64); err == nil && v > 0 {
			a.spent.day, a.spent.bytes = day, v
		}
	}
}

// countSpent brings the count up to date, and begins a new day.
func (a *Account) countSpent() {
	s := &a.spent
	if day := a.env.Loop.Now().UTC().Format(time.DateOnly); s.day != day {
		s.day, s.bytes = day, 0
	}
	s.bytes += a.link.unspent()
	for _, h := range a.helpers {
		s.bytes += h.k.unspent()
	}
}

// unspent gives how many bytes the connection has carried since it was last asked.
func (k *link) unspent() int64 {
	if k == nil || k.tr == nil {
		return 0
	}
	if !k.closed {
		k.in, k.out = k.tr.Counts()
	}
	was := k.spent
	k.spent = k.in + k.out
	return k.spent - was
}

// overspent tells whether the day's bytes are used up; if so, the round ends. It is
// asked where the work done is on record and more would begin.
func (a *Account) overspent() bool {
	if a.set.DayBytes <= 0 || a.set.DryRun {
		return false
	}
	a.countSpent()
	if a.spent.bytes < a.set.DayBytes {
		return false
	}
	if !a.spent.resting {
		a.spent.resting = true
		a.emit(Event{Kind: "attention", Severity: "warn", Dest: "throttle", N: a.spent.bytes,
			Text: fmt.Sprintf("The %d bytes of today (bytes_per_day) are used up; what is synced is on record, the rest goes on after 00:00 UTC.", a.set.DayBytes)})
		a.Stop()
	}
	return true
}

// recordSpent puts the count into the account's state.
func (a *Account) recordSpent() {
	if a.set.DayBytes <= 0 {
		return
	}
	a.countSpent()
	a.book.SetToken(tokSpent, fmt.Sprintf("%s %d", a.spent.day, a.spent.bytes))
}
