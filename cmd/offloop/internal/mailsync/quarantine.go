package mailsync

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"offloop/imapproto"
	"offloop/statefile"
)

// quarantine leaves one message out for a while and says why.
func (f *folder) quarantine(side, key, reason string) { f.quarantineFor(side, key, reason, 0) }

// quarantineFor leaves it out for the given time at least.
func (f *folder) quarantineFor(side, key, reason string, least time.Duration) {
	now := f.a.env.Loop.Now()
	q := statefile.Quarantined{Side: side, Key: key, Reason: reason}
	q.Since = now.UnixNano()
	if old, ok := f.st.Held(side, key); ok {
		q.Tries, q.Since = old.Tries, old.Since
	}
	q.Tries++
	wait := max(min(10*time.Minute<<min(q.Tries-1, 8), 24*time.Hour), least)
	q.Next = now.Add(wait).UnixNano()
	f.st.SetQuarantine(q)
	e := &Error{Scope: ScopeMessage, Account: f.a.set.Name, Folder: f.pair.local, Message: key, Err: errors.New(reason),
		Did:  fmt.Sprintf("the message was left out; it is tried again in %v", wait),
		Hint: "mend what is wrong with it, or wait; offloop quarantine lists it, offloop quarantine --retry tries it at once"}
	f.a.report(e)
}

// brokenMail is a message in whose midst the connection broke.
type brokenMail struct {
	folder string
	uid    uint32
}

// brokeIn counts a connection that broke in the midst of a message. One in which
// it does so again and again is set aside, so that the others come.
func (f *folder) brokeIn(in *incoming, err error) {
	a := f.a
	if in == nil || in.uid == 0 || a.set.RetryCount == 0 || f.st == nil || a.stopping || !errors.As(err, new(*imapproto.LostError)) {
		return
	}
	if a.broke == nil {
		a.broke = map[brokenMail]int{}
	}
	at := brokenMail{f.pair.local, in.uid}
	if a.broke[at]++; a.broke[at] < a.set.RetryCount {
		return
	}
	f.quarantine("remote", fmt.Sprint(in.uid), fmt.Sprintf("the connection broke %d times while it was fetched", a.broke[at]))
	delete(a.broke, at)
}

// quarantined tells whether a message is left out for now.
func (f *folder) quarantined(side, key string, now time.Time) bool {
	q, ok := f.st.Held(side, key)
	return ok && now.UnixNano() < q.Next && (q.Reason == unpartnered || !f.retried())
}

// leaveHeld takes out of the plan what is not to be fetched now. Few messages are set
// aside, and a plan may have a million.
func (f *folder) leaveHeld(now time.Time) {
	held := map[uint32]bool{}
	for _, q := range f.st.Quarantine() {
		if q.Side == "remote" && f.quarantined(q.Side, q.Key, now) {
			held[parseUint32(q.Key)] = true
		}
	}
	if len(held) > 0 {
		f.plan.dropDownloads(func(m remoteMsg) bool { return held[m.uid] })
	}
}

// retried tells whether the user wants what is set aside to be tried now.
func (f *folder) retried() bool {
	return slices.Contains(f.a.set.Retry, f.pair.local) || slices.Contains(f.a.set.Retry, "*")
}

// stranger tells whether a file waits because it found no partner after the
// server had numbered the folder anew.
func (f *folder) stranger(l localFile) bool {
	q, ok := f.st.Held("local", l.name.Base)
	return ok && q.Reason == unpartnered
}

// countHeld counts a folder's messages in quarantine.
func (f *folder) countHeld() {
	if f.st == nil {
		return
	}
	for _, q := range f.st.Quarantine() {
		if q.Reason != unpartnered { // those are told of with their folder
			f.a.setAsides++
		}
	}
}

// tellHeld reminds of messages that are set aside.
func (a *Account) tellHeld() {
	if a.setAsides > 0 && a.set.Verify == nil {
		a.emit(Event{Kind: "attention", Severity: "warn", Dest: "quarantine", N: int64(a.setAsides),
			Text: fmt.Sprintf("%d messages are set aside and tried again later", a.setAsides), Hint: "offloop quarantine says which and why; offloop quarantine --retry tries them now"})
	}
}

// clearStale drops from quarantine what is not there any more.
func (f *folder) clearStale() {
	held := f.st.Quarantine()
	if len(held) == 0 {
		return
	}
	there := map[string]bool{}
	for _, l := range f.local.fresh {
		there["local "+l.name.Base] = true
	}
	for _, m := range f.remote.fresh {
		there[fmt.Sprintf("remote %d", m.uid)] = true
	}
	for _, q := range held {
		whole := f.local.scanned && f.local.stable
		if q.Side == "remote" {
			whole = f.remote.listed && f.remote.complete && !f.list.partial
		}
		if whole && !there[q.Side+" "+q.Key] {
			f.st.ClearQuarantine(q.Side, q.Key)
		}
	}
}
