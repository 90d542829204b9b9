package mailsync

import (
	"crypto/tls"
	"time"

	"offloop/maildir"
	"offloop/reactor"
	"offloop/statefile"
)

// Loop is what the engine needs of the reactor: time, turns and the disk door.
// *reactor.Loop serves through the program's wiring; tests give a simulated one.
type Loop interface {
	Now() time.Time
	// After calls f once d has passed; cancel forgets it.
	After(d time.Duration, f func()) (cancel func())
	NextTurn(f func())
	// Disk runs work on the one disk goroutine, jobs in order, then done on the
	// loop. work owns what it touches.
	Disk(work func(), done func())
}

// Transport is one connection to a server, TLS included: *reactor.Stream, or a
// pair in memory in tests.
type Transport interface {
	Start(p reactor.Protocol)
	Write(b []byte)
	Buffered() int
	OnDrain(f func())
	Pause()
	Resume()
	StartTLS(c *tls.Config, done func(tls.ConnectionState, error))
	Unread(b []byte)
	StartDeflate() error
	Close()
	Abort(err error)
	Counts() (in, out int64)
}

// FS is the file system seen by the Maildirs and the state files.
type FS interface {
	maildir.FS
	statefile.FS
}

// Env is the world an Account works in.
type Env struct {
	Loop Loop
	FS   FS
	// Dial opens a connection to the account's server (or starts its tunnel);
	// done is called exactly once. secure tells whether the bytes are protected
	// already: implicit TLS, a tunnel, or a loopback address.
	Dial func(s *Settings, done func(t Transport, secure bool, err error)) (cancel func())
	// TLSConfig gives the configuration for STARTTLS.
	TLSConfig func(s *Settings, done func(*tls.Config, error))
	// Password asks for the account's password: file, command, or the user.
	Password func(s *Settings, done func(pass string, err error))
	// Names, if set, is called before folders are paired with all names of both
	// sides, and prepares the functions of Settings that translate and choose
	// them; done is called exactly once.
	Names func(s *Settings, remote, local []string, delim string, done func(error))
	// Hook runs the user's command of that name (see HookBefore) and calls done,
	// once, whatever came of it; cancel ends the command. It may be nil.
	Hook    func(s *Settings, name string, done func()) (cancel func())
	Notify  func(Event)
	Trace   func(account string, out bool, line []byte)
	Tracing func(account string) bool // whether Trace is wanted just now; nil = always
	Namer   *maildir.Namer
	// Batch is how many new messages are made durable together at most. Each holds a
	// file open until then. 0 = as many as is useful.
	Batch int
	Pid   int
	// Started is when this process began: intents of a killed run may still be
	// executing on the server for a while after that.
	Started time.Time
}

// Settings is one account's configuration, resolved: names, rules and limits as
// plain values and functions.
type Settings struct {
	Name       string
	LocalRepo  string
	RemoteRepo string
	StateDir   string // directory of this account's state files
	MetaDir    string // directory of the account locks

	Root          string // the Maildir tree
	Sep           string // local hierarchy separator
	InfoSep       byte   // ':' or '!'
	MtimeFromDate bool
	// MtimeFromHeader and NameByHeader take a downloaded file's time, and the time
	// its name begins with, from its header where that has a date.
	MtimeFromHeader, NameByHeader bool

	Keywords     map[byte]string // customflag_x
	KeywordsAuto bool            // letters also in folders offloop did not fill
	KeywordsOff  bool            // no letters but those of Keywords
	FSync        bool

	Host         string
	Port         int
	User         string
	Token        string // for XOAUTH2 and OAUTHBEARER
	AuthzID      string
	Mechanisms   []string
	RequireTLS   bool
	OptionalTLS  bool
	Pipeline     int
	Compress     Compress
	Disable      []string
	Timeout      time.Duration
	PreAuth      bool          // a tunnel that is logged in already
	Hold         bool          // the connection is kept between rounds
	KeepAlive    time.Duration // between signs of life on it; 0 = a fitting time
	Subscribed   bool          // subscribed folders only
	MaxSize      int64
	DayBytes     int64         // what all connections of a day (UTC) may carry; 0 = no limit
	MaxAge       int           // days; new messages that are older are left alone; 0 = no limit
	Since        time.Time     // midnight UTC of a day; new messages from before are left alone; zero = no limit
	Settle       time.Duration // wait before an upload of a killed run is sent again
	FullCheck    time.Duration // every folder is compared in full at least this often
	TrashKeep    time.Duration // how long files deleted by the server's side are kept; 0 = not at all
	ConfigDigest string        // changes when anything that selects messages changes

	LocalReadOnly, RemoteReadOnly           bool
	LocalSyncDeletes, RemoteSyncDeletes     bool
	CreateLocalFolders, CreateRemoteFolders bool
	Expunge                                 bool
	IgnoreReadOnly                          bool // no warning about server folders that are read-only
	// RetryCount is how often the connection may break in the midst of one message
	// before that is set aside; 0 = any number.
	RetryCount int
	// MaxConnections is how many connections a round may use; less than 2 = one.
	MaxConnections int

	Trash       bool   // messages deleted here go to the server's Trash folder
	TrashFolder string // its name there; "" = the one with \Trash

	RemoteWanted func(remote string) bool
	LocalWanted  func(local string) bool
	// LocalName and RemoteName translate folder names, separators included.
	// delim is the server's separator, "" if it has none.
	LocalName  func(remote, delim string) (string, error)
	RemoteName func(local, delim string) (string, error)
	// Ignored gives the UIDs of new messages that are left on the server, by the
	// folder's local name. It may be nil.
	Ignored func(local string) map[uint32]bool
	// Rank orders folders by their local names: lower ones are begun first. It
	// may be nil.
	Rank func(local string) int
	// VisibleName is the name of a Maildir that its files carry a digest of; nil:
	// its own name. OfflineIMAP takes the local repository's nametrans of it.
	VisibleName func(local string) string
	// Earlier is OfflineIMAP's state of the account, nil if it is not to be used.
	Earlier *Earlier

	Verify       *Verification // compare only; DryRun must be set too
	DryRun       bool
	OnlyFolders  []string // -f: only these remote names
	AllowDeletes []string // brake released for these local folders; "*" = all
	// Allowed are the deletes that a person let through, having seen them, by local
	// folder: the Set of the attention that named them. Others are held back again.
	Allowed    map[string]string
	Recreate   []string // folders missing on one side to be made again, once
	AcceptRoot bool     // the Maildir root was replaced by another, and the user means it
	Retry      []string // local folders whose quarantined messages are tried at once; "*" = all
	Forget     []string // folders missing on one side whose state is dropped, once
}

// fmd5 is the digest in the names of a folder's files.
func (s *Settings) fmd5(local string) string {
	if s.VisibleName != nil {
		local = s.VisibleName(local)
	}
	return maildir.FMD5(local)
}

// Result is what an account's rounds came to.
type Result struct {
	Rounds                                                 int
	Errors                                                 []*Error
	Down, Up, FlagsLocal, FlagsRemote, DelLocal, DelRemote int64
	MovedLocal, MovedRemote                                int64 // messages that went to another folder with the other side
	BytesDown, BytesUp                                     int64
	Flights                                                int
	WireIn, WireOut                                        int64
	Open                                                   int // uploads whose fate is not yet known
}

func (r *Result) note(e *Error) { r.Errors = append(r.Errors, e) }

// Trim forgets the oldest errors of a program that has run for long.
func (r *Result) Trim() {
	const most = 500
	if n := len(r.Errors); n > 2*most {
		r.Errors = append([]*Error(nil), r.Errors[n-most:]...)
	}
}

// ExitCode is 0 if all went well, 2 if only UIDVALIDITY changes stand in the
// way, else 1.
func (r *Result) ExitCode() int {
	code := 0
	for _, e := range r.Errors {
		if !e.Validity {
			return 1
		}
		code = 2
	}
	return code
}
