// Package peers runs synchronisers side by side on the same mail: offloop,
// mbsync, OfflineIMAP and interimap, each with a configuration made for the
// purpose, and measures them.
package peers

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"offloop/cmd/internal/lab/imapc"
	"offloop/cmd/internal/lab/verify"
)

// Account is the mail account to be synchronised.
type Account struct {
	Host       string // with TLS a name: not every tool accepts an address in a certificate
	Port       int
	User, Pass string
	TLS        bool   // implicit TLS
	CAFile     string // trusted when TLS
	// LocalCommand and LocalUser are for tools whose local side is an IMAP
	// server (interimap): a preauthenticated IMAP on standard input and output.
	LocalCommand, LocalUser string
	FSync                   bool // the tool flushes what it stores
}

// Tool is one synchroniser.
type Tool struct {
	Name   string
	Binary string // path or name
	// Verify says what of the outcome can be compared.
	Verify verify.Options
	// LocalIMAP tells that the local side is LocalUser's account on the
	// server and no Maildir tree.
	LocalIMAP bool
	Ours      bool                           // it is a build of offloop
	config    func(j *Job) map[string]string // files to write, by name
	argv      func(j *Job) []string
}

// Job is a tool set up on an account.
type Job struct {
	Tool    Tool
	Account Account
	Dir     string // configuration and state
	Maildir string // the local tree, sep "/"
}

// Available tells whether the tool's binary is there.
func (t Tool) Available() bool {
	_, err := exec.LookPath(t.Binary)
	return err == nil
}

// Setup writes the tool's configuration into a new directory.
func (t Tool) Setup(dir string, a Account) (*Job, error) {
	j := &Job{Tool: t, Account: a, Dir: dir, Maildir: filepath.Join(dir, "mail")}
	if err := os.MkdirAll(j.Maildir, 0o700); err != nil {
		return nil, err
	}
	for name, text := range t.config(j) {
		p := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o700); err != nil {
			return nil, err
		}
		if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
			return nil, err
		}
	}
	return j, nil
}

// Run synchronises once.
func (j *Job) Run(ctx context.Context) (Usage, error) {
	env := []string{"HOME=" + j.Dir, "XDG_CONFIG_HOME=" + j.Dir + "/.config", "XDG_DATA_HOME=" + j.Dir + "/.data", "TERM=dumb"}
	return Measure(ctx, j.Dir, env, j.Tool.argv(j)...)
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// Mbsync is isync's mbsync.
func Mbsync() Tool {
	return Tool{
		Name: "mbsync", Binary: "mbsync",
		// It marks what it stores with a header field of its own, knows no
		// keywords, and keeps folder names as they are on the wire.
		Verify: verify.Options{AnyNames: true, DropHeader: "X-TUID", IgnoreKeywords: true, Rename: imapc.EncodeName},
		config: func(j *Job) map[string]string {
			a := j.Account
			security := "SSLType None"
			if a.TLS {
				security = "SSLType IMAPS\nCertificateFile " + a.CAFile
			}
			return map[string]string{"mbsyncrc": fmt.Sprintf(`FSync %s
IMAPAccount a
Host %s
Port %d
User %s
Pass %s
%s
AuthMechs LOGIN
Timeout 300

IMAPStore r
Account a

MaildirStore l
Path %s/
Inbox %s/INBOX
SubFolders Verbatim

Channel c
Far :r:
Near :l:
Patterns *
Create Both
Expunge Both
SyncState *
`, yes(a.FSync), a.Host, a.Port, a.User, a.Pass, security, j.Maildir, j.Maildir)}
		},
		argv: func(j *Job) []string { return []string{"mbsync", "-c", j.Dir + "/mbsyncrc", "-q", "-a"} },
	}
}

// offlineimaprc is read by OfflineIMAP and by offloop.
func offlineimaprc(j *Job, connections int) string {
	a := j.Account
	security := "ssl = no\nstarttls = no"
	if a.TLS {
		security = "ssl = yes\nsslcacertfile = " + a.CAFile
	}
	return fmt.Sprintf(`[general]
accounts = A
metadata = %s/metadata
fsync = %s
socktimeout = 300

[Account A]
localrepository = L
remoterepository = R
utf8foldernames = yes

[Repository L]
type = Maildir
localfolders = %s
sep = /

[Repository R]
type = IMAP
remotehost = %s
remoteport = %d
%s
remoteuser = %s
remotepass = %s
maxconnections = %d
`, j.Dir, yes(a.FSync), j.Maildir, a.Host, a.Port, security, a.User, a.Pass, connections)
}

// OfflineIMAP is OfflineIMAP 8 with so many connections.
func OfflineIMAP(connections int) Tool {
	return Tool{
		Name: fmt.Sprintf("offlineimap-%d", connections), Binary: "offlineimap",
		Verify: verify.Options{IgnoreKeywords: true},
		config: func(j *Job) map[string]string {
			return map[string]string{"offlineimaprc": offlineimaprc(j, connections)}
		},
		argv: func(j *Job) []string {
			return []string{"offlineimap", "-c", j.Dir + "/offlineimaprc", "-o", "-u", "quiet"}
		},
	}
}

// Offloop is the program under test; name tells its builds apart.
func Offloop(name, binary string) Tool {
	if strings.Contains(binary, "/") { // it runs in a directory of its own
		if abs, err := filepath.Abs(binary); err == nil {
			binary = abs
		}
	}
	return Tool{
		Name: name, Binary: binary, Ours: true,
		config: func(j *Job) map[string]string {
			return map[string]string{"offlineimaprc": offlineimaprc(j, 2)}
		},
		argv: func(j *Job) []string {
			return []string{binary, "-c", j.Dir + "/offlineimaprc", "-o", "-u", "quiet", "--stats"}
		},
	}
}

// Interimap synchronises two IMAP servers; its local side is
// Account.LocalCommand.
func Interimap() Tool {
	return Tool{
		Name: "interimap", Binary: "interimap", LocalIMAP: true,
		config: func(j *Job) map[string]string {
			a := j.Account
			remote := fmt.Sprintf("type = imap\nSTARTTLS = NO\nhost = %s\nport = %d", a.Host, a.Port)
			if a.TLS {
				remote = fmt.Sprintf("type = imaps\nhost = %s\nport = %d\nSSL_verify = YES\nSSL_CAfile = %s", a.Host, a.Port, a.CAFile)
			}
			return map[string]string{".data/interimap/.keep": "", ".config/interimap/config": fmt.Sprintf(`database = a.db
compress = NO

[local]
type = tunnel
command = %s

[remote]
%s
username = %s
password = %s
`, a.LocalCommand, remote, a.User, a.Pass)}
		},
		argv: func(*Job) []string { return []string{"interimap", "--quiet"} },
	}
}
