package mailsync

import (
	"errors"
	"slices"

	"offloop/imapproto"
)

// mechanisms are those to log in with, the one that did last time in front: what the
// server refuses is not tried, and counted as a failure, at every login.
func (a *Account) mechanisms() []string {
	s, last := a.set.Mechanisms, a.lastMechanism()
	switch {
	case last == "" || len(s) == 1 || len(s) == 0 && last == "PLAIN":
		return s
	case len(s) == 0: // imapproto's choice
		s = []string{"PLAIN", "LOGIN"}
	}
	return append([]string{last}, s...)
}

// lastMechanism is what logged in last; "" if nothing is known or it is not wanted
// any more.
func (a *Account) lastMechanism() string {
	if a.book == nil {
		return ""
	}
	last, s := a.book.Token(tokAuth), a.set.Mechanisms
	if slices.Contains(s, last) || len(s) == 0 && (last == "PLAIN" || last == "LOGIN") {
		return last
	}
	return ""
}

// loginAhead tells whether commands may ride behind the login: the server's
// capabilities are known, and there is no doubt which mechanism it takes. Otherwise
// the next one is tried on the same connection.
func (a *Account) loginAhead() bool {
	return a.caps != nil && (len(a.set.Mechanisms) < 2 || a.lastMechanism() != "")
}

// loggedInWith remembers the mechanism.
func (a *Account) loggedInWith(name string) {
	if a.book != nil && name != "" && a.book.Token(tokAuth) != name && !a.set.DryRun {
		a.book.SetToken(tokAuth, name)
	}
}

// loginRefused forgets a mechanism that the server does not take any more. If it
// says that the password is wrong, that is no reason to try another way.
func (a *Account) loginRefused(err error) {
	var auth *imapproto.AuthError
	if a.book != nil && errors.As(err, &auth) && auth.Code != "AUTHENTICATIONFAILED" && a.book.Token(tokAuth) != "" && !a.set.DryRun {
		a.book.SetToken(tokAuth, "")
	}
}
