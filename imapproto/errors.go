package imapproto

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// CommandError says that the server answered a command NO or BAD.
type CommandError struct {
	Command string // as sent, without arguments: "UID FETCH"
	Mailbox string // UTF-8; "" if the command names none
	Status  string // "NO" or "BAD"
	Code    string // response code in capitals, "" if none: "OVERQUOTA"
	Arg     string // what followed the code inside the brackets
	Text    string // the server's words
}

func (e *CommandError) Error() string {
	var b strings.Builder
	b.WriteString(e.Command)
	if e.Mailbox != "" {
		fmt.Fprintf(&b, " %q", e.Mailbox)
	}
	b.WriteString(": server answered " + e.Status)
	if e.Code != "" {
		b.WriteString(" [" + e.Code)
		if e.Arg != "" {
			b.WriteString(" " + e.Arg)
		}
		b.WriteString("]")
	}
	if e.Text != "" {
		b.WriteString(": " + e.Text)
	}
	return b.String()
}

// ProtocolError says that the server sent something this client cannot make
// sense of. The connection is of no further use.
type ProtocolError struct {
	Where string // what was expected or went wrong
	Bytes string // the offending bytes, quoted, at most 80 of them
}

func (e *ProtocolError) Error() string {
	if e.Bytes == "" {
		return "IMAP protocol error: " + e.Where
	}
	return "IMAP protocol error: " + e.Where + ": " + e.Bytes
}

// protoErr builds a ProtocolError that shows the beginning of b.
func protoErr(where string, b []byte) *ProtocolError {
	if len(b) > 80 {
		b = b[:80]
	}
	return &ProtocolError{Where: where, Bytes: strconv.Quote(string(b))}
}

// LostError says that the connection ended before the command was answered;
// whether the server carried the command out is unknown.
type LostError struct {
	Err error // why; nil for an orderly end of the stream
}

func (e *LostError) Error() string {
	if e.Err == nil {
		return "connection closed by the server"
	}
	return "connection lost: " + e.Err.Error()
}

// Unwrap returns the reason.
func (e *LostError) Unwrap() error { return e.Err }

// ByeError is what the server said when it hung up (RFC 9051 section 7.1.5).
type ByeError struct {
	Code string // response code in capitals, "" if none
	Text string
}

func (e *ByeError) Error() string {
	if e.Code != "" {
		return "server said BYE [" + e.Code + "] " + e.Text
	}
	return "server said BYE: " + e.Text
}

// TimeoutError says that the server was silent for too long.
type TimeoutError struct {
	State   State
	Command string // the oldest unanswered command, "" if none
	Waited  time.Duration
}

func (e *TimeoutError) Error() string {
	what := e.Command
	if what == "" {
		what = e.State.String()
	}
	return fmt.Sprintf("no answer to %s for %s", what, e.Waited.Round(time.Second))
}

// AuthError says that logging in failed, or was refused by this side because
// the password would have travelled in clear.
type AuthError struct {
	Mechanism string // "LOGIN", "PLAIN", ...; "" if none could be chosen
	Code      string // response code in capitals, "" if none
	Text      string
	Before    *AuthError // what was refused before it on this connection, nil if nothing
}

func (e *AuthError) Error() string {
	s := "login failed"
	if e.Mechanism != "" {
		s += " (" + e.Mechanism + ")"
	}
	if e.Code != "" {
		s += " [" + e.Code + "]"
	}
	s += ": " + e.Text
	for b := e.Before; b != nil; b = b.Before {
		s += "; " + b.Mechanism + " was refused before: " + b.Text
	}
	return s
}

// NotSelectedError says that a command was bound to a mailbox that is not, or
// no longer, or not yet for sure, the selected one.
type NotSelectedError struct {
	Command string
	Mailbox string
	Reason  string
}

func (e *NotSelectedError) Error() string {
	return fmt.Sprintf("%s %q: %s", e.Command, e.Mailbox, e.Reason)
}

// UnsupportedError says that a command was not sent because the server does
// not offer the capability it needs.
type UnsupportedError struct {
	Command    string
	Capability string
}

func (e *UnsupportedError) Error() string {
	return e.Command + ": the server does not offer " + e.Capability
}

// ArgumentError says that an argument cannot be sent over IMAP.
type ArgumentError struct {
	What  string
	Value string
}

func (e *ArgumentError) Error() string {
	if e.Value == "" {
		return "IMAP cannot carry " + e.What
	}
	v := e.Value
	if len(v) > 80 {
		v = v[:80]
	}
	return fmt.Sprintf("IMAP cannot carry %s %q", e.What, v)
}
