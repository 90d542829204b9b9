package mailsync

import (
	"errors"
	"fmt"
	"strings"
)

// Scope is how far a failure reaches: the blast radius that decides what goes on.
type Scope uint8

// The scopes, from the narrowest.
const (
	ScopeNone    Scope = iota // no error
	ScopeMessage              // one message is left out, its folder goes on
	ScopeFolder               // one folder rests, its account goes on
	ScopeAccount              // the account's round ends, other accounts go on
	ScopeProgram              // nothing can go on
)

// String names the scope.
func (s Scope) String() string {
	switch s {
	case ScopeNone:
		return "none"
	case ScopeMessage:
		return "message"
	case ScopeFolder:
		return "folder"
	case ScopeAccount:
		return "account"
	default:
		return "program"
	}
}

// Error is a failure a person can act on: where it happened, what happened,
// what offloop did about it and what to do.
type Error struct {
	Scope    Scope
	Account  string
	Folder   string // local name, "" if the failure is not one folder's
	Message  string // file name or UID, "" if it is not one message's
	Err      error
	Did      string // what offloop did
	Hint     string // what the user can do
	Validity bool   // a UIDVALIDITY change (exit code 2 when nothing worse happened)
	Lost     bool   // the connection was lost: going on at once may help
	Away     bool   // the server was not reached: trying again later may help
	Refused  bool   // the server refused the login
}

// Error gives one line: place, cause, what was done.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Account)
	if e.Folder != "" {
		fmt.Fprintf(&b, ", folder %s", e.Folder)
	}
	if e.Message != "" {
		fmt.Fprintf(&b, ", message %s", e.Message)
	}
	fmt.Fprintf(&b, ": %v", e.Err)
	if e.Did != "" {
		fmt.Fprintf(&b, "; %s", e.Did)
	}
	return b.String()
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// ScopeOf tells how far err reaches; an error of unknown kind is the account's.
func ScopeOf(err error) Scope {
	if err == nil {
		return ScopeNone
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Scope
	}
	return ScopeAccount
}
