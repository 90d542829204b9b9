package imapproto

import (
	"time"

	"github.com/emersion/go-imap/v2"
)

// FetchItems say what to fetch of each message; the UID always comes along.
type FetchItems struct {
	Flags, InternalDate, Size bool
	ModSeq                    bool     // where the server has CONDSTORE
	Body                      bool     // BODY.PEEK[]: all of the message, \Seen is not set
	HeaderFields              []string // BODY.PEEK[HEADER.FIELDS (...)]
	ChangedSince              uint64   // only messages changed after this; needs CONDSTORE
	Vanished                  bool     // with ChangedSince: also what was expunged; needs QRESYNC enabled
}

// Message is what one FETCH response says. It and all it points to are reused
// for the next response: copy what is to be kept.
type Message struct {
	Seq, UID     uint32 // UID is 0 if the server did not tell it
	HasFlags     bool
	Flags        []string  // each string may be kept, the slice not; system flags in canonical case
	InternalDate time.Time // zero if not told or not understood
	Size         int64     // RFC822.SIZE: a hint, some servers estimate it; 0 if not told
	ModSeq       uint64
	Header       []byte // the header fields asked for, with the empty line; at most 256 KiB of them
	BodyNIL      bool   // the server answered BODY[] NIL: it has no such text
	HasBody      bool   // BODY[] came and went to the Sink
}

// FetchHandler receives what UIDFetch brings.
//
// Besides what was asked for, a server may send a message again because its
// flags changed meanwhile; the last one counts.
type FetchHandler interface {
	// Body announces a message's text. m has what came before it in the response,
	// which may lack the UID. nil discards the text.
	Body(m *Message, size int64) Sink
	// Message is called when the response is complete, always if Body was.
	Message(m *Message)
	// Vanished is given the UIDs of VANISHED (EARLIER).
	Vanished(set imap.UIDSet)
}

// Sink takes a message's text in chunks. The chunks must not be kept. The text is
// complete when FetchHandler.Message is called; if the connection breaks before,
// it is not called.
type Sink interface{ Write(p []byte) }

// maxInterned bounds how many different flags are remembered.
const maxInterned = 4096

// interner makes strings of bytes without allocating for those seen before.
type interner struct {
	m map[string]string
}

var systemFlags = [...]string{`\Seen`, `\Answered`, `\Flagged`, `\Deleted`, `\Draft`, `\Recent`}

func (n *interner) init() {
	n.m = make(map[string]string, 32)
	for _, f := range systemFlags {
		n.m[f] = f
	}
}

func (n *interner) flag(b []byte) string {
	if s, ok := n.m[string(b)]; ok {
		return s
	}
	s := string(b)
	for _, f := range systemFlags {
		if len(b) == len(f) && equalFoldAny(b, f) {
			s = f
		}
	}
	if len(n.m) < maxInterned {
		n.m[string(b)] = s
	}
	return s
}

// equalFoldAny compares without regard to ASCII case.
func equalFoldAny(b []byte, s string) bool {
	for i := range b {
		if b[i]|0x20 != s[i]|0x20 {
			return false
		}
	}
	return true
}

// parseDate reads a date-time: "17-Jul-1996 02:44:25 -0700", the day perhaps with
// a leading space (RFC 9051 section 9). What it cannot read gives the zero time.
func parseDate(b []byte) time.Time {
	for len(b) > 0 && b[0] == ' ' {
		b = b[1:]
	}
	t, err := time.Parse("2-Jan-2006 15:04:05 -0700", string(b))
	if err != nil {
		return time.Time{}
	}
	return t
}
