package config

import (
	"fmt"
	"strings"
	"time"
)

// TLSMode says how a connection is protected.
type TLSMode uint8

const (
	// Implicit speaks TLS from the first byte (usually port 993).
	Implicit TLSMode = iota
	// StartTLS requires STARTTLS before anything else is sent.
	StartTLS
	// Plain speaks without TLS. It is only chosen for a loopback address, a
	// tunnel, or where "ssl = no" and "starttls = no" are both written, so
	// credentials may be sent.
	Plain
)

// String returns "tls", "starttls" or "plain".
func (m TLSMode) String() string {
	switch m {
	case Implicit:
		return "tls"
	case StartTLS:
		return "starttls"
	case Plain:
		return "plain"
	}
	return fmt.Sprintf("tlsmode(%d)", uint8(m))
}

// Config is a whole configuration file.
type Config struct {
	// File is the name it was read from.
	File string
	// Metadata is the absolute path of the state directory.
	Metadata string
	// UI is the wanted user interface in lower case, "" for the default.
	UI string
	// FSync says whether files are flushed before they count as stored.
	FSync bool
	// IgnoreReadOnly says not to warn about server folders that are read-only.
	IgnoreReadOnly bool
	// DryRun says to change nothing on either side.
	DryRun bool
	// UpdateKeyring says that passwords the servers take are put into the keyring.
	UpdateKeyring bool
	// IgnoreKeyring says that the system's keyring is not asked for a password.
	IgnoreKeyring bool
	// SockTimeout is in seconds; 0 means the built-in default.
	SockTimeout int
	// MaxSyncAccounts is at least 1.
	MaxSyncAccounts int
	// Accounts are those [general] accounts lists, in its order.
	Accounts []*Account
	// Defined are all accounts that have a section, listed or not.
	Defined []*Account

	// MBNames is the list of folders to write, nil for none.
	MBNames *FolderList

	doc *document
}

// Account is one pair of repositories.
type Account struct {
	// Name is the X of [Account X]; Line is where the section begins.
	Name string
	Line int

	Local  Local
	Remote Remote

	// MaxSize is in bytes; larger messages are left alone. 0: no limit.
	MaxSize int64
	// DayBytes is how many bytes the account's connections may carry a day, both
	// ways. 0: no limit.
	DayBytes int64
	// MaxAge, in days, and Since, midnight UTC of a day, are how old new messages
	// may be (maxage, startdate); at most one is set. 0 and zero: any age.
	MaxAge int
	Since  time.Time
	// AutoRefresh is the time from one round to the next; 0: run once.
	AutoRefresh time.Duration
	// DeletedRetention is how long a file deleted because the server deleted
	// its message is kept in the trash; 0: not at all.
	DeletedRetention time.Duration
	// FullCheck is the longest time a folder goes without a full comparison.
	FullCheck time.Duration
	// Hooks are the commands around a round.
	Hooks Hooks
	// UTF8Names says that folder names on disk are UTF-8 rather than the
	// wire's modified UTF-7 (utf8foldernames).
	UTF8Names bool

	// Python evaluates the account's expressions.
	Python *Python

	evals []evalKey

	// Refused holds the reasons this account must not be synced; nil if it may.
	Refused []Problem
	// Problems holds everything found about this account, Refused included.
	Problems []Problem
}

// Local is a Maildir repository.
type Local struct {
	// Name is the X of [Repository X].
	Name string
	// Type is "Maildir" or "GmailMaildir".
	Type string
	// Root is an absolute path.
	Root string
	// Sep is "." (flat) or "/" (nested directories), or another character.
	Sep string
	// Folders chooses by local names.
	Folders FolderRule
	// Rename translates local names to remote ones; often empty, since the
	// remote side's rule has an inverse. See Account.RemoteName.
	Rename RenameRule

	CreateFolders, ReadOnly, SyncDeletes bool
	// MtimeFromDate sets a file's time to the message's INTERNALDATE.
	MtimeFromDate bool
	// MtimeFromHeader sets it to that of the Date: header; MtimeFromDate wins.
	MtimeFromHeader bool
	// NameByHeader begins file names with the time of the Date: header.
	NameByHeader bool
	// KeepAtime reads directories without touching their access times.
	KeepAtime bool
	// Keywords maps file name letters 'a'..'z' to IMAP keywords.
	Keywords map[byte]string
	// KeywordsAuto gives unmapped keywords letters by themselves in every
	// folder; KeywordsOff never does. Neither: only where it is safe.
	KeywordsAuto, KeywordsOff bool
	// InfoSep is ':' or, for Windows file systems, '!'.
	InfoSep byte
}

// Remote is an IMAP repository. Its String and GoString never show credentials.
type Remote struct {
	// Name is the X of [Repository X].
	Name string
	// Type is "IMAP" or "Gmail".
	Type string
	// Host and Port are where to connect; empty and 0 through a tunnel.
	Host string
	Port int
	// Network is "tcp", "tcp4" or "tcp6".
	Network string

	// User, or UserCmd: a shell command printing it.
	User, UserCmd string
	// Pass, PassFile (first line) or PassCmd (a shell command printing it).
	// See Credentials for the order.
	Pass, PassFile, PassCmd string
	// AuthzID is the identity to act as, "" for the user's own.
	AuthzID string
	// Mechanisms in order of preference; empty: as the server allows.
	Mechanisms []string
	// OAuth says how to get a token for XOAUTH2 and OAUTHBEARER.
	OAuth OAuth
	// Proxy is what to connect through, nil for directly.
	Proxy *Proxy

	TLS TLSMode
	// VerifyCA says that the certificate must be signed by a known authority:
	// CACertFile, or the system's if that is empty. False only if fingerprints
	// are given and no sslcacertfile.
	VerifyCA   bool
	CACertFile string
	// Fingerprints are lower-case hex without colons, of the leaf certificate;
	// one must match if there are any.
	Fingerprints []string
	// ClientCert and ClientKey are files in PEM form, "" for none.
	ClientCert, ClientKey string
	// TLS12Only forbids TLS 1.3 (ssl_version = tls1_2).
	TLS12Only bool

	// Hold keeps the connection between rounds; KeepAlive is the time between signs
	// of life on it, 0 for a fitting one.
	Hold      bool
	KeepAlive time.Duration
	// IdleFolders are watched for news between rounds.
	IdleFolders []string
	// MaxConnections is at least 1.
	MaxConnections int
	// Folders chooses by untranslated remote names.
	Folders FolderRule
	// Rename translates remote names to local ones.
	Rename RenameRule
	// Sort compares two local names (foldersort); nil without.
	Sort *Expression
	// Ignored gives the UIDs that are left on the server (copy_ignore_eval); nil
	// without.
	Ignored *IgnoreRule
	// Includes are folders to sync although LIST may not show them.
	Includes []string

	CreateFolders, ReadOnly, SyncDeletes, Expunge, SubscribedOnly bool
	// Trash moves messages deleted here to TrashFolder, "" for the one marked so.
	Trash       bool
	TrashFolder string
	// PreauthTunnel and TransportTunnel are shell commands; at most one is set.
	PreauthTunnel, TransportTunnel string
	// Compress is usecompression; nil where the file does not say.
	Compress *bool
	// RetryCount is how often the connection may break in the midst of one message
	// before that is set aside; at least 1.
	RetryCount int
	// Pipeline is the most commands in flight; 0: automatic.
	Pipeline int
	// Disable names capabilities to ignore, in upper case.
	Disable []string
}

// String describes the repository without credentials and commands.
func (r Remote) String() string {
	secret := func(s string) string {
		if s == "" {
			return "no"
		}
		return "set"
	}
	return fmt.Sprintf("Remote{%s %s %s:%d %s user=%q pass:%s passfile:%s passcmd:%s tunnel:%s}",
		r.Name, r.Type, r.Host, r.Port, r.TLS, r.User, secret(r.Pass), secret(r.PassFile), secret(r.PassCmd),
		secret(r.PreauthTunnel+r.TransportTunnel))
}

// GoString is String: %#v does not show credentials either.
func (r Remote) GoString() string { return r.String() }

// Select returns the accounts to sync: those named, or those of
// [general] accounts if names is empty. An unknown name is an error, whatever
// the others are.
func (c *Config) Select(names []string) ([]*Account, error) {
	if len(names) == 0 {
		return c.Accounts, nil
	}
	var out []*Account
	seen := map[string]bool{}
	for _, n := range names {
		n = strings.TrimSpace(n)
		if n == "" || seen[n] {
			continue
		}
		seen[n] = true
		a := c.account(n)
		if a == nil {
			return nil, c.unknownAccount(n)
		}
		out = append(out, a)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("no account named; %s defines %s", c.File, c.accountNames())
	}
	return out, nil
}

func (c *Config) account(name string) *Account {
	for _, list := range [][]*Account{c.Defined, c.Accounts} {
		for _, a := range list {
			if a.Name == name {
				return a
			}
		}
	}
	return nil
}

func (c *Config) accountNames() string {
	var names []string
	for _, a := range c.Defined {
		names = append(names, a.Name)
	}
	if len(names) == 0 {
		return "no account"
	}
	return strings.Join(names, ", ")
}

func (c *Config) unknownAccount(name string) error {
	var names []string
	for _, a := range c.Defined {
		names = append(names, a.Name)
	}
	hint := ""
	if near := nearest(name, names); near != "" {
		hint = fmt.Sprintf("; did you mean %q?", near)
	}
	return fmt.Errorf("%s: no account %q%s (defined: %s)", c.File, name, hint, c.accountNames())
}

// Value returns the text of a key after interpolation, for keys that have no
// field. ok is false if the key is absent or cannot be interpolated.
func (c *Config) Value(section, key string) (value string, ok bool) {
	if c.doc == nil {
		return "", false
	}
	v, e, err := c.doc.get(section, strings.ToLower(key))
	return v, e != nil && err == nil
}
