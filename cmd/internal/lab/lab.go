// Package lab gives tests a real IMAP server with one call. Its parts, each
// a package of its own: dovecot (the server), proxy (a slow or failing
// link), gen (mail), imapc (a small blocking client), mutate (changes on
// either side), verify (are both sides equal?), peers (mbsync and
// OfflineIMAP on the same account) and bench.
//
// The lab is test equipment: unlike the program it tests, it uses goroutines
// freely. It stays on the loopback interface.
package lab

import (
	"errors"
	"os"

	"offloop/cmd/internal/lab/dovecot"
)

// TB is what the lab needs of testing.TB.
type TB interface {
	Helper()
	Cleanup(func())
	Failed() bool
	Logf(format string, a ...any)
	Skipf(format string, a ...any)
	Fatalf(format string, a ...any)
}

// Required tells whether a missing server is a failure
// (OFFLOOP_REQUIRE_SERVERS=1, as in CI) and not a reason to skip.
func Required() bool { return os.Getenv("OFFLOOP_REQUIRE_SERVERS") == "1" }

// NeedDovecot starts a Dovecot that is stopped when the test ends: a
// full-featured one, or as the first of the options says. Where Dovecot is
// not installed, the test is skipped, or fails if Required.
func NeedDovecot(t TB, o ...dovecot.Options) *dovecot.Server {
	t.Helper()
	var opt dovecot.Options
	if len(o) > 0 {
		opt = o[0]
	}
	s, err := dovecot.Start(opt)
	if errors.Is(err, dovecot.ErrNotInstalled) && !Required() {
		t.Skipf("%v", err)
	}
	if err != nil {
		t.Fatalf("%v", err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("dovecot's log:\n%s", s.Log())
		}
		if err := s.Stop(); err != nil {
			t.Logf("stop dovecot: %v", err)
		}
	})
	return s
}
