package imapproto

import (
	"time"

	"github.com/emersion/go-imap/v2"
)

// Options say how to log in and whom to tell what. The functions may be nil
// except where noted; they are called from within the Conn's own methods and may
// queue commands, but must not call Feed, Lost or Expire.
type Options struct {
	User, Pass, AuthzID string
	// Token is what XOAUTH2 and OAUTHBEARER send; without it they are passed over.
	Token string
	// Nonce gives SCRAM its random text; nil = from the system.
	Nonce func() string
	// Mechanisms in order of preference: "PLAIN", "LOGIN" (the command), "CRAM-MD5",
	// "SCRAM-SHA-1", "SCRAM-SHA-256", "XOAUTH2", "OAUTHBEARER". Empty: PLAIN with an initial response,
	// else LOGIN, else PLAIN, as the server allows. If one is refused, the next may be
	// tried on the same connection, where that does not risk that the server locks
	// the account for a wrong password; never with Caps set.
	Mechanisms []string
	// RequireTLS demands STARTTLS before anything else. A server without it, a
	// PREAUTH greeting, or bytes behind STARTTLS's OK end the connection.
	RequireTLS bool
	// TLSActive says the bytes are under TLS already, or need not be (a tunnel, a
	// loopback address). Without it no password is sent before STARTTLS.
	TLSActive bool
	// OpportunisticTLS uses STARTTLS if it is offered.
	OpportunisticTLS bool
	// Caps are the capabilities remembered from the last login; nil = unknown.
	Caps []string
	// PipelineLogin lets queued read-only commands ride behind the unanswered
	// login. It has no effect without Caps.
	PipelineLogin bool
	// Pipeline is the largest number of commands in flight; 0 = 64.
	Pipeline int
	// Disable names capabilities to ignore.
	Disable []string
	// ID is sent (RFC 2971) if the server offers ID; nil = never.
	ID map[string]string
	// Timeout is the silence allowed while an answer is awaited; 0 = 60 s.
	Timeout time.Duration

	StartTLS func() // wrap the stream in TLS, then call TLSStarted; needed if STARTTLS may be used
	// Deflate is called from within Feed, or nothing is compressed: what is sent and
	// received from here on is to go through DEFLATE, beginning with rest.
	Deflate     func(rest []byte) error
	Ready       func(Info)         // logged in, or greeted with PREAUTH
	Wake        func()             // there may be something to Take, which is to be called soon, not from within
	Closed      func(error)        // once, when the Conn is of no further use; nil after LOGOUT
	Unsolicited func(Unsolicited)  // what the server told unasked
	Trace       func(bool, []byte) // each line sent (true) or received, without credentials and literals
	Tracing     func() bool        // whether Trace is wanted just now; nil = always
}

// Info is what is known once logged in.
type Info struct {
	Greeting string   // the greeting's text
	Caps     []string // capabilities in capitals, sorted, disabled ones left out
	PreAuth  bool     // the server greeted with PREAUTH
	// Mechanism is what logged in; "" with PREAUTH.
	Mechanism string
}

// UnsolicitedKind says what an Unsolicited is about.
type UnsolicitedKind uint8

// The kinds of unsolicited data, and the fields of Unsolicited that go with each.
const (
	UnsolicitedExists   UnsolicitedKind = iota // Num messages are in the mailbox now
	UnsolicitedExpunge                         // sequence number Num is gone
	UnsolicitedVanished                        // Vanished is gone
	UnsolicitedFetch                           // Message: flags or modification sequence changed; UID may be 0
	UnsolicitedStatus                          // Mailbox, with its Status
	UnsolicitedList                            // Mailbox
	UnsolicitedAlert                           // Text must be shown to the user (RFC 9051 section 7.1)
	UnsolicitedNotice                          // untagged OK, NO or BAD with text or a code: Cond, Code, Text
	UnsolicitedBye                             // the server hangs up: Code, Text; Closed follows
)

func (k UnsolicitedKind) String() string {
	names := [...]string{"EXISTS", "EXPUNGE", "VANISHED", "FETCH", "STATUS", "LIST", "ALERT", "notice", "BYE"}
	if int(k) < len(names) {
		return names[k]
	}
	return "unknown"
}

// Unsolicited is something the server told without a command having asked.
type Unsolicited struct {
	Kind      UnsolicitedKind
	Selection *Selection // the mailbox selected at that point of the stream, nil if none
	Num       uint32
	Message   *Message // valid only during the call
	Vanished  imap.UIDSet
	Mailbox   Mailbox
	Cond      string // "OK", "NO", "BAD"
	Code      string // response code in capitals
	Text      string
}
