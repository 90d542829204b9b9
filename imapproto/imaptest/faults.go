package imaptest

import "strings"

// ActKind says what happens to one command instead of the ordinary.
type ActKind uint8

const (
	// ActPass executes and answers the command.
	ActPass ActKind = iota
	// ActAnswer answers with Text ("NO [OVERQUOTA] full") and executes nothing.
	ActAnswer
	// ActBye sends "* BYE Text", executes nothing and closes.
	ActBye
	// ActClose executes nothing and closes without a word.
	ActClose
	// ActMute executes, answers nothing at all, and goes on with the next command.
	ActMute
	// ActUntagged executes and sends the untagged responses but no tagged one.
	ActUntagged
	// ActCloseAfter executes, answers nothing and closes.
	ActCloseAfter
	// ActAnswerAfter executes but gives Text as the tagged answer.
	ActAnswerAfter
	// ActHold does not execute until Session.Release; later commands wait too.
	ActHold
	// ActLate executes at once; its answer and all later output wait for Session.Release.
	ActLate
)

var actNames = [...]string{"pass", "answer", "bye", "close", "mute", "untagged", "close after",
	"answer after", "hold", "late"}

// String returns the kind's name.
func (k ActKind) String() string { return actNames[k] }

// Act is what a fault does to a command.
type Act struct {
	Kind ActKind
	Text string // for ActAnswer, ActAnswerAfter: "NO ...", "BAD ..."; for ActBye: the text
	// Early lets ActAnswer come in place of the continuation request of a
	// synchronising literal, so that the literal is never sent.
	Early bool
}

// Rule applies an Act to the commands it matches. Empty fields match all.
type Rule struct {
	Session int    // session number, from 1
	N       int    // command number over the whole server, from 1
	Name    string // "UID STORE", "APPEND"; in any case
	Mailbox string // the mailbox named by the command, else the selected one
	Skip    int    // matching commands to leave alone first
	Times   int    // matching commands to act on; 0 = all
	Act     Act

	seen int
}

// CutKind says what happens to the byte stream at a Cut.
type CutKind uint8

const (
	// CutClose loses this byte and all after it and closes the connection.
	CutClose CutKind = iota
	// CutStall holds this byte and all after it until Session.Release.
	CutStall
	// CutCorrupt replaces the byte by Cut.Byte.
	CutCorrupt
)

// Cut is a fault at a byte of the stream in one direction.
type Cut struct {
	Session int   // session number, from 1; 0 = every session
	At      int64 // number of the byte, from 0
	Kind    CutKind
	Byte    byte // for CutCorrupt
}

// KeywordMode says what the server does with keywords.
type KeywordMode uint8

const (
	// KeywordsAny accepts new keywords: PERMANENTFLAGS has \*.
	KeywordsAny KeywordMode = iota
	// KeywordsKnown has no \* and silently ignores keywords the mailbox lacks.
	KeywordsKnown
	// KeywordsRefused has no \* and answers NO to a command that names one.
	KeywordsRefused
)

// UIDMode says how APPENDUID and COPYUID lie.
type UIDMode uint8

const (
	// UIDTrue tells the truth.
	UIDTrue UIDMode = iota
	// UIDAbsent leaves the code out.
	UIDAbsent
	// UIDWrong gives UIDs that are one too high.
	UIDWrong
	// UIDOldValidity gives a UIDVALIDITY that is one too low.
	UIDOldValidity
	// UIDSwapped gives UID and UIDVALIDITY in the wrong order.
	UIDSwapped
	// UIDPaired gives the UID of the first message of the mailbox, which the
	// client has long known as another.
	UIDPaired
)

// Faults makes the server misbehave. The zero value is a correct server. It
// may be changed at any time between two calls of the Session.
type Faults struct {
	// In and Out are faults in the bytes from and to the client.
	In, Out []Cut
	// Rules are tried in order before Command; the first match that applies wins.
	Rules []Rule
	// Command, if set, chooses what happens to a command.
	Command func(Command) Act
	// Before and After are called around each command that is executed; they may
	// change the store (the other client).
	Before, After func(Command)
	// Response, if set, sees every response (without its CRLF; literals inside)
	// and returns what is sent instead; nil drops it. Several responses may be
	// returned, joined by CRLF.
	Response func(s *Session, line []byte) []byte
	// Settle keeps the complete commands a killed connection had sent but the
	// server not executed; Server.Settle executes them later.
	Settle bool

	Quirks
}

// Quirks are deviations seen on real servers (and a few hostile ones).
type Quirks struct {
	NoCapabilityAfterLogin bool // neither code nor untagged CAPABILITY after login
	NoEnabled              bool // ENABLE works not at all and says OK without ENABLED (iCloud)
	ShyCodes               bool // no text after response codes: "* OK [UIDNEXT 5]"
	BarePlus               bool // continuation is "+" without a space
	NULs                   int  // NUL bytes before each response
	LowerInbox             bool // LIST calls it "inbox"
	OneSelectParam         bool // BAD to more than one SELECT parameter (Purelymail)
	NoUIDNext              bool // SELECT leaves UIDNEXT out
	NoModSeq               bool // SELECT says NOMODSEQ, STATUS HIGHESTMODSEQ 0
	EchoLast               bool // a set that begins above the last UID yields the last message, even without "*"
	DescendingBad          bool // BAD to a set that does not ascend
	LineLimit              int  // longest command line in bytes; over it BAD; 0 = 64 KiB
	EmptyVanished          bool // "* VANISHED (EARLIER) " without a set in every QRESYNC SELECT (James)
	StatusSpace            bool // a space after STATUS's list (Exchange)
	StaleStatus            bool // STATUS of the selected mailbox gives its state at SELECT (Dovecot)
	EmptyIDBad             bool // BAD to ID () and ID NIL
	UIDExpungeBad          bool // BAD to UID EXPUNGE though announced (Proton)
	MergeAppend            bool // APPEND of a Message-ID already in the mailbox stores nothing and gives no APPENDUID (Gmail)
	FetchNoUID             bool // unilateral FETCH without UID even under QRESYNC
	ExpungeIssued          bool // FETCH of a message another session expunged: NO [EXPUNGEISSUED] (else its flags, BODY[] NIL and OK)
	NoContinuationCheck    bool // APPEND to a missing mailbox is refused only after its literal
	CheckNeeded            bool // new messages show only after CHECK or SELECT

	Keywords  KeywordMode
	AppendUID UIDMode
	CopyUID   UIDMode
	Quota     int64 // bytes in all mailboxes together; 0 = none

	Size      func(mailbox string, uid uint32, size int64) int64           // RFC822.SIZE
	UID       func(mailbox string, uid uint32) uint32                      // UID as told in FETCH: duplicates, 0
	UIDNext   func(mailbox string, next uint32) uint32                     // in SELECT and STATUS
	ModSeq    func(mailbox string, modseq uint64) uint64                   // HIGHESTMODSEQ in SELECT and STATUS
	Vanished  func(mailbox string, earlier bool, uids []uint32) []uint32   // VANISHED and, as sequence numbers' source, nothing else
	Search    func(mailbox string, uids []uint32) []uint32                 // results of UID SEARCH
	Exists    func(mailbox string, n int) int                              // EXISTS and STATUS MESSAGES
	Attrs     func(mailbox string, attrs []string) []string                // LIST attributes
	Fetched   func(mailbox string, uid uint32, body []byte) ([]byte, bool) // BODY[] data; false = NIL
	Unfetched func(mailbox string, uid uint32) bool                        // no FETCH response at all, yet OK (Exchange)
	Stored    func(mailbox string, body []byte) []byte                     // what APPEND keeps: servers that alter messages
}

// act picks what to do with a command.
func (f *Faults) act(c Command) Act {
	for i := range f.Rules {
		r := &f.Rules[i]
		if r.Session != 0 && r.Session != c.Session || r.N != 0 && r.N != c.N ||
			r.Name != "" && !strings.EqualFold(r.Name, c.Name) ||
			r.Mailbox != "" && foldName(r.Mailbox) != c.Mailbox {
			continue
		}
		r.seen++
		if r.seen > r.Skip && (r.Times == 0 || r.seen <= r.Skip+r.Times) {
			return r.Act
		}
	}
	if f.Command != nil {
		return f.Command(c)
	}
	return Act{}
}

// cutAt finds the first cut in [from, to) of a session's stream.
func cutAt(cuts []Cut, session int, from, to int64) (Cut, bool) {
	best, found := Cut{}, false
	for _, c := range cuts {
		if (c.Session == 0 || c.Session == session) && c.At >= from && c.At < to &&
			(!found || c.At < best.At) {
			best, found = c, true
		}
	}
	return best, found
}
