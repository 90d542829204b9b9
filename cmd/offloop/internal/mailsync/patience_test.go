package mailsync

import (
	"fmt"
	"testing"
	"time"

	"offloop/imapproto"
	"offloop/imapproto/imaptest"
)

func TestPatience(t *testing.T) {
	cmd := func(command, code, text string) error {
		return fmt.Errorf("fetch: %w", &imapproto.CommandError{Command: command, Status: "NO", Code: code, Text: text})
	}
	for _, c := range []struct {
		err   error
		want  time.Duration
		login bool // a refused login that says nothing about the password
	}{
		{cmd("UID FETCH", "THROTTLED", "slow down"), restUsual, false},
		{cmd("UID FETCH", "OVERQUOTA", "Account exceeded command or bandwidth limits."), restUsual, false},
		{cmd("APPEND", "OVERQUOTA", "Mailbox is full"), 0, false},
		{cmd("UID MOVE", "OVERQUOTA", "Mailbox is full"), 0, false},
		{cmd("APPEND", "", "Request is throttled. Suggested Backoff Time: 299961 milliseconds"), 299961 * time.Millisecond, false},
		{cmd("SELECT", "", "Request is throttled. Suggested Backoff Time: 30 seconds"), 30 * time.Second, false},
		{cmd("SELECT", "", "Backoff Time: 999999999999 milliseconds"), restMost, false},
		{cmd("SELECT", "", "Backoff Time: 0 milliseconds"), time.Second, false},
		{cmd("SELECT", "NONEXISTENT", "no such mailbox"), 0, false},
		{&imapproto.LostError{Err: &imapproto.ByeError{Text: "Too many simultaneous connections. (Failure)"}}, restUsual, false},
		{&imapproto.LostError{Err: &imapproto.ByeError{Text: "Logging out"}}, 0, false},
		{&imapproto.AuthError{Mechanism: "PLAIN", Code: "AUTHENTICATIONFAILED", Text: "no"}, 0, false},
		{&imapproto.AuthError{Mechanism: "PLAIN", Text: "Invalid credentials"}, 0, false},
		{&imapproto.AuthError{Mechanism: "PLAIN", Code: "UNAVAILABLE", Text: "try later"}, 0, true},
		{&imapproto.AuthError{Mechanism: "PLAIN", Code: "INUSE", Text: "locked"}, 0, true},
		{&imapproto.AuthError{Mechanism: "PLAIN", Code: "LIMIT", Text: "not now"}, restUsual, true},
	} {
		if got := patience(c.err); got != c.want {
			t.Errorf("patience(%v) = %v, want %v", c.err, got, c.want)
		}
		e, _ := connectError(&Settings{Name: "acc", Host: "h"}, c.err).(*Error)
		if auth, _ := c.err.(*imapproto.AuthError); auth != nil && (e.Refused == c.login || e.Away != c.login) {
			t.Errorf("%v: refused %v, away %v", c.err, e.Refused, e.Away)
		}
	}
}

// TestPatience_Round: a server that throttles a folder in mid-round is asked for
// nothing again by the engine, and the account knows how long to wait.
func TestPatience_Round(t *testing.T) {
	w := newWorld(t, imaptest.QRESYNC, 3)
	w.remoteAdd("INBOX", "a")
	w.srv.Faults.Command = func(c imaptest.Command) imaptest.Act {
		if c.Name == "UID FETCH" {
			return imaptest.Act{Kind: imaptest.ActAnswer, Text: "NO [THROTTLED] slow down"}
		}
		return imaptest.Act{}
	}
	if r := w.sync(); len(r.Errors) == 0 || w.last.a.Patience() != restUsual {
		t.Errorf("patience %v after %v", w.last.a.Patience(), r.Errors)
	}
	w.srv.Faults.Command = nil
	if w.must(); w.last.a.Patience() != 0 {
		t.Errorf("patience %v after a good round", w.last.a.Patience())
	}
}
