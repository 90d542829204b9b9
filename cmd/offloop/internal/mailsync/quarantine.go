package mailsync

import (
	"errors"
	"fmt"
	"slices"
	"time"

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
		Did: fmt.Sprintf("the message was left out; it is tried again in %v", wait)}
	f.a.report(e)
}

// quarantined tells whether a message is left out for now.
func (f *folder) quarantined(side, key string, now time.Time) bool {
	q, ok := f.st.Held(side, key)
	return ok && now.UnixNano() < q.Next && (q.Reason == unpartnered || !f.retried())
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
