package ui

// Event tells what happened: past tense, plain fields, complete in itself.
// Only Kind and At are always set; [Kinds] says which others a kind carries.
type Event struct {
	Kind     string // what happened; one of Kinds
	At       int64  // when, in Unix nanoseconds
	Severity string // "debug", "info", "warn" or "error"; "" = the kind's own
	Account  string // "" = the program as a whole
	Repo     string // repository (one side of an account)
	Folder   string
	Dest     string // the side or folder a line is about, or the topic of an attention
	Conn     int    // connection number from 1; 0 = the account itself
	Text     string // the log line, without time; "" = composed from the fields
	UID      int64
	N        int64
	Total    int64
	Bytes    int64
	Rate     int64  // bytes a second
	Hint     string // what the user should do, for errors and attentions
	Set      string // UIDs that flags or deletes are about, as "1:5,10"; of an attention of
	// the brake which deletes: "UIDVALIDITY/UIDs here/UIDs on the server"
}

// Action is what a person asked for with a key.
type Action struct {
	// Verb is one of "sync", "quit", "quitnow", "pause", "resume",
	// "password", "allow" (the deletes of Set, no others), "recreate" and
	// "forget" (the folder that one side lost), "trust" and "distrust" (the certificate the account
	// asked about), "undo" (tell, by an undo event, which deleted messages could be
	// brought back) and "restore" (bring back those it told of), "trace" and
	// "untrace" (send trace events, or no more), "reload" and "suspend" (give the
	// terminal back and stop, as ctrl-z does).
	Verb    string
	Account string // "" = every account
	Folder  string // "" = every folder
	Text    string // the password; never to be logged
	Set     string // the Set of the attention that is answered
}

// Kind describes one kind of event.
type Kind struct {
	Name     string
	Severity string   // used where an event brings none
	Activity Activity // what the light of the account or connection then shows
	Command  string   // its name in the machine interface; "" = a plain line
	Fields   string   // fields it carries besides Kind, At and Severity
	Meaning  string
}

// Topics of an attention (Event.Dest). An attention stays on the screen until
// one of the same account, folder and topic comes with an empty Text, or until
// a round of its account ends in which it was not raised again.
const (
	TopicPassword    = "password"    // the account waits for a password; a prompt opens
	TopicBrake       = "brake"       // N deletes are held back; the key a allows them
	TopicValidity    = "uidvalidity" // the folder was recreated on the server
	TopicQuarantine  = "quarantine"  // N messages set aside
	TopicCertificate = "certificate" // the server's certificate is not trusted; a warning opens a question
	TopicLock        = "lock"        // another process holds the account
	TopicThrottle    = "throttle"    // the server asks for patience
	TopicOffline     = "offline"     // no way to the server
	TopicMissing     = "missing"     // a folder is gone on one side; the key c asks what becomes of it
	TopicConfig      = "config"      // the configuration cannot be read again
	TopicTrash       = "trash"       // N deletes wait for a Trash folder on the server
)

// Measures of a stats event (Event.Dest); without one it is a plain line.
const (
	MeasureRTT     = "rtt"     // N nanoseconds, round trip of the last round
	MeasureFlights = "flights" // N flights used by the last round
	MeasureTurn    = "turn"    // N nanoseconds, longest turn of the loop; Text names it
)

// Kinds is every kind of event, in the order of a round.
var Kinds = []Kind{
	{"banner", "info", same, "initbanner", "Text", "program name and version, once at start"},
	{"account-start", "info", Processing, "acct", "Account", "a round of the account begins"},
	{"connecting", "info", Connecting, "connecting", "Account Repo Conn Dest=host:port", "a connection is being made"},
	{"connected", "info", Connecting, "connected", "Account Repo Conn Dest=host:port", "logged in"},
	{"lost", "warn", Off, "", "Account Conn Text Hint", "a connection ended; without Text it was closed in order"},
	{"folders", "info", Structure, "syncfolders", "Account N", "the folder lists of both sides are known"},
	{"create", "info", Structure, "", "Account Repo Folder", "a folder was created in Repo"},
	{"folder-start", "info", Folder, "syncingfolder", "Account Folder Conn Repo Dest", "work on a folder begins"},
	{"folder-skip", "info", Folder, "skippingfolder", "Account Folder", "nothing changed in the folder"},
	{"scan", "info", Listing, "loadmessagelist", "Account Folder N", "the local folder is being read"},
	{"list", "info", Listing, "loadmessagelist", "Account Folder Conn N", "the server's list is being read"},
	{"plan", "info", Structure, "syncingmessages", "Account Folder N", "what is to be done is known: N operations"},
	{"copy", "info", Copying, "copyingmessage", "Account Folder Conn UID N Total Bytes", "a download begins: message N of Total, Bytes long"},
	{"copied", "debug", Copying, "", "Account Folder Conn UID N Total Bytes", "message N of Total is safe on disk"},
	{"upload", "info", Copying, "copyingmessage", "Account Folder Conn UID N Total Bytes", "an upload begins"},
	{"uploaded", "debug", Copying, "", "Account Folder Conn UID N Total Bytes", "the server has stored message N of Total"},
	{"flags", "info", Structure, "addingflags", "Account Folder Conn N Set Dest=flags", "flags of N messages changed"},
	{"move-local", "info", Copying, "", "Account Folder N", "N files go to Folder because their messages did on the server"},
	{"move-remote", "info", Copying, "", "Account Folder Conn N Dest", "N messages go from Dest to Folder on the server because their files did"},
	{"unflags", "info", Structure, "deletingflags", "Account Folder Conn N Set Dest=flags", "flags of N messages taken away"},
	{"delete-local", "info", Deleting, "deletingmessages", "Account Folder N Set", "N messages deleted here because the server's are gone"},
	{"delete-remote", "info", Deleting, "deletingmessages", "Account Folder Conn N Set", "N messages deleted on the server because the local ones are gone"},
	{"hook", "info", Hook, "callhook", "Account Text", "a hook runs"},
	{"progress", "debug", same, "", "Account Folder Conn N Total Bytes Rate", "long work: N of Total done, Bytes so far, Rate bytes a second"},
	{"folder-done", "debug", Idle, "", "Account Folder Conn N", "work on the folder ended; N operations"},
	{"account-done", "info", Idle, "acctdone", "Account N", "the round ended after N seconds"},
	{"sleep", "info", Sleeping, "sleeping", "Account N", "N seconds to the next round"},
	{"wake", "info", Woken, "sleeping", "Account", "the sleep ended"},
	{"attention", "warn", Warning, "", "Account Folder Dest=topic N Text Hint Set", "a person is needed; empty Text withdraws it"},
	{"warn", "warn", Warning, "", "Account Folder Text Hint", "something odd, the work goes on"},
	{"error", "error", Warning, "", "Account Folder Text Hint", "something was not done"},
	{"stats", "info", same, "", "Account Dest=measure N Text", "a measure (rtt, flights, turn) or, without Dest, a line of totals"},
	{"log", "info", same, "", "Account Folder Text", "any other line"},
	{"held", "debug", same, "", "Account Folder Dest=topic Text", "each message an attention is about, or each choice it leaves (m: make it again, f: forget it), one a line"},
	{"undo", "info", same, "", "Account Folder N Text", "N messages deleted here could be brought back; a screen asks whether to"},
	{"command", "debug", same, "", "Account Conn Dest=command N Bytes Total", "the oldest unanswered command of N; Bytes received and Total sent on the wire so far"},
	{"trace", "debug", same, "", "Account Conn Text", "a line to (>) or from (<) the server, without passwords and message bodies"},
	{"state", "debug", same, "", "Account Text", "the account's machine moved"},
	{"step", "debug", same, "", "Account Folder Text", "a folder's machine moved"},
	{"dropped", "warn", same, "", "N Text", "N lines of this output were dropped: nobody took them in time"},
	{"quit", "info", Idle, "terminate", "N=exit code, Text", "the program ends"},
}

var kindByName = func() map[string]*Kind {
	m := make(map[string]*Kind, len(Kinds))
	for i := range Kinds {
		m[Kinds[i].Name] = &Kinds[i]
	}
	return m
}()

var unknownKind = &Kind{Name: "log", Severity: "info", Activity: same}

// kindOf never returns nil: an unknown kind is treated as a plain line.
func kindOf(name string) *Kind {
	if k := kindByName[name]; k != nil {
		return k
	}
	return unknownKind
}

// Level orders severities: debug < info < warn < error.
type Level uint8

const (
	Debug Level = iota
	Info
	Warn
	Error
)

// String returns "debug", "info", "warn" or "error".
func (l Level) String() string {
	return [...]string{"debug", "info", "warn", "error"}[min(l, Error)]
}

// LevelOf returns the severity of e: its own, or else its kind's.
func LevelOf(e Event) Level {
	s := e.Severity
	if s == "" {
		s = kindOf(e.Kind).Severity
	}
	switch s {
	case "debug":
		return Debug
	case "warn":
		return Warn
	case "error":
		return Error
	}
	return Info
}

// Activity is what a light shows.
type Activity uint8

const (
	same       Activity = iota // the event says nothing about it
	Off                        // connection closed, account finished
	Idle                       // connected, nothing to do
	Processing                 // account round under way
	Connecting                 // connection being made
	Structure                  // folder lists, plans, flags
	Folder                     // working on a folder, or skipping it
	Listing                    // reading a message list
	Copying                    // moving message bodies
	Deleting                   // deleting messages
	Hook                       // a hook runs
	Sleeping                   // waiting for the next round
	Woken                      // the wait just ended
	Warning                    // something is wrong
)

var activityNames = [...]string{"", "off", "idle", "processing", "connecting", "folders",
	"folder", "listing", "copying", "deleting", "hook", "sleeping", "waking", "warning"}

// String returns the word shown for the activity.
func (a Activity) String() string {
	if int(a) < len(activityNames) {
		return activityNames[a]
	}
	return "?"
}
