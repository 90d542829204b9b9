package imapproto

// kind is the class of a command in the eyes of the pipelining rules.
type kind uint8

const (
	kindCapability kind = iota
	kindStartTLS
	kindLogin // LOGIN, AUTHENTICATE
	kindID
	kindEnable
	kindNamespace
	kindList // LIST, LSUB
	kindStatus
	kindSelect // SELECT, EXAMINE
	kindUnselect
	kindFetch
	kindSearch
	kindStore
	kindExpunge
	kindCopy
	kindMove
	kindAppend
	kindFolder // CREATE, DELETE, SUBSCRIBE
	kindNoop   // NOOP, CHECK
	kindIdle
	kindCompress
	kindLogout
	numKinds
)

var kindNames = [numKinds]string{
	"CAPABILITY", "STARTTLS", "LOGIN", "ID", "ENABLE", "NAMESPACE", "LIST", "STATUS", "SELECT", "UNSELECT",
	"FETCH", "SEARCH", "STORE", "EXPUNGE", "COPY", "MOVE", "APPEND", "FOLDER", "NOOP", "IDLE", "COMPRESS", "LOGOUT",
}

func (k kind) String() string {
	if k < numKinds {
		return kindNames[k]
	}
	return "unknown command"
}

// kindSet is a set of kinds, one bit each.
type kindSet uint32

func kinds(ks ...kind) kindSet {
	var s kindSet
	for _, k := range ks {
		s |= 1 << k
	}
	return s
}

var (
	// closed lets nothing follow: what comes next means something else, or
	// nothing, until these are answered (RFC 9051 sections 6.2.1 and 6.3.13, RFC
	// 4978 section 3).
	closed = kinds(kindStartTLS, kindIdle, kindCompress, kindLogout)
	// open is everything a command may ride behind that neither asks for trust
	// in a login nor changes what it says.
	open = kindSet(1<<numKinds-1) &^ closed &^ kinds(kindLogin)
	// reader may ride behind an unanswered LOGIN as well: if the login fails it
	// fails too, and nothing has happened.
	reader = open | kinds(kindLogin)
	// confirmed is for what changes messages: not behind a SELECT, since a
	// recreated mailbox, or the one selected before, could be hit.
	confirmed = open &^ kinds(kindSelect, kindUnselect)
)

// mayFollow is the one table of who may be sent behind whom: a command may be
// sent while commands of these kinds are unanswered (RFC 9051 section 5.5). A
// command that waits for a continuation (synchronising literal, SASL) lets
// nothing follow, whatever its kind: the sender cannot even get past it.
//
// All message numbers are UIDs, so no response can change what a later command
// means; only the selected mailbox and the login can.
var mayFollow = [numKinds]kindSet{
	kindCapability: reader,
	kindStartTLS:   kinds(kindCapability), // alone, except for the question before it
	kindLogin:      kinds(kindCapability, kindID),
	kindID:         reader,
	kindEnable:     reader,
	kindNamespace:  reader,
	kindList:       reader &^ kinds(kindList), // their answers look alike
	kindStatus:     reader,
	kindSelect:     reader, // the next SELECT too: answers come in order
	kindUnselect:   open,
	kindFetch:      reader,
	kindSearch:     reader,
	kindStore:      confirmed,
	// An expunge must know that its marks arrived, and that the copies did.
	kindExpunge:  confirmed &^ kinds(kindStore, kindCopy, kindMove, kindAppend),
	kindCopy:     confirmed,
	kindMove:     confirmed,
	kindAppend:   open,
	kindFolder:   open,
	kindNoop:     reader,
	kindIdle:     open,
	kindCompress: open,
	kindLogout:   open,
}
