// Package dovecot runs a real Dovecot for tests and benchmarks: private
// configuration, temporary directory, free loopback ports, its own
// certificate authority. It works as root and as an ordinary user, is
// stopped by its own process id, and ends by itself when the process that
// started it dies, however that happens.
package dovecot

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"offloop/cmd/internal/lab/cert"
)

// ErrNotInstalled is returned by Start when there is no Dovecot with IMAP.
var ErrNotInstalled = errors.New("dovecot with IMAP is not installed (Debian: apt-get install dovecot-imapd)")

// Password is every user's password.
const Password = "pass"

// Capability lines for Options.Capability. Dovecot then advertises only
// these; it still accepts the commands of what it does not advertise.
const (
	CapBare      = "IMAP4rev1"
	CapUIDPlus   = "IMAP4rev1 UIDPLUS"
	CapCondstore = "IMAP4rev1 UIDPLUS ENABLE CONDSTORE ESEARCH"
)

// Format is how Dovecot stores mail.
type Format string

// The storage formats. MaildirFS (the default) has real directories for
// nested folders and allows dots in names; MaildirPP is Dovecot's usual
// ".A.B" layout with "." as separator; Sdbox is its own format.
const (
	MaildirFS Format = "maildir-fs"
	MaildirPP Format = "maildir++"
	Sdbox     Format = "sdbox"
)

// Options say how a server shall be. The zero value is a full-featured
// server that never flushes to disk.
type Options struct {
	Format     Format
	Capability string // advertised after and before login; "" = all Dovecot has
	FSync      string // mail_fsync: never (default), optimized, always
	Cert       *cert.Request
	Crypted    bool   // keep the password crypted: CRAM-MD5 and its like fail
	Extra      string // appended to the configuration as it is
	Timeout    time.Duration
	// CopyMailFrom is the mail root of another server (Server.MailRoot), to
	// start with a copy of its users' mail. "" = empty.
	CopyMailFrom string
}

// Server is a running Dovecot.
type Server struct {
	Host       string // always 127.0.0.1
	Port       int    // IMAP, STARTTLS offered
	TLSPort    int    // IMAP with implicit TLS
	Dir        string // removed by Stop
	MailRoot   string // user u's home is MailRoot/u
	Config     string // path of dovecot.conf
	CAFile     string // the authority's certificate, PEM
	CA         *cert.Authority
	Leaf       *cert.Leaf
	UID, GID   int // who owns the mail
	format     Format
	imapBinary string
	cmd        *exec.Cmd
	stdin      io.WriteCloser
	exited     chan struct{}
}

// Start runs a server and returns when it answers. The caller calls Stop.
func Start(o Options) (*Server, error) {
	bin, imapBin, err := find()
	if err != nil {
		return nil, err
	}
	if o.Format == "" {
		o.Format = MaildirFS
	}
	if o.FSync == "" {
		o.FSync = "never"
	}
	if o.Timeout == 0 {
		o.Timeout = 20 * time.Second
	}
	s := &Server{Host: "127.0.0.1", format: o.Format, imapBinary: imapBin}
	if err := s.prepare(o); err != nil {
		s.remove()
		return nil, err
	}
	// A port that was free when chosen can be taken before Dovecot binds it.
	for try := 1; ; try++ {
		err = s.launch(bin, o)
		if err == nil {
			return s, nil
		}
		if try == 5 || !strings.Contains(err.Error(), "Address already in use") {
			s.remove()
			return nil, err
		}
	}
}

// prepare makes the directory, the certificates and the mail root.
func (s *Server) prepare(o Options) error {
	// Not t.TempDir: unix sockets live below, and their paths are limited to
	// about 100 bytes.
	dir, err := os.MkdirTemp("", "lab-dovecot-")
	if err != nil {
		return err
	}
	s.Dir = dir
	s.MailRoot = filepath.Join(dir, "mail")
	s.Config = filepath.Join(dir, "dovecot.conf")
	s.CAFile = filepath.Join(dir, "ca.pem")
	s.UID, s.GID = os.Getuid(), os.Getgid()
	if s.UID == 0 {
		// Dovecot refuses mail access as root.
		s.UID, s.GID = 65534, 65534
	}
	// Dovecot's unprivileged processes must get through.
	if err := os.Chmod(dir, 0o755); err != nil {
		return err
	}
	for _, d := range []string{s.MailRoot, filepath.Join(dir, "run")} {
		if err := os.Mkdir(d, 0o755); err != nil {
			return err
		}
	}
	if err := s.certificates(o); err != nil {
		return err
	}
	if o.CopyMailFrom != "" {
		if err := copyTree(o.CopyMailFrom, s.MailRoot, s.UID, s.GID); err != nil {
			return fmt.Errorf("copy mail from %s: %w", o.CopyMailFrom, err)
		}
	}
	return s.chown(s.MailRoot)
}

func (s *Server) certificates(o Options) error {
	ca, err := cert.NewAuthority()
	if err != nil {
		return err
	}
	r := cert.Request{Names: []string{"localhost", "127.0.0.1"}}
	if o.Cert != nil {
		r = *o.Cert
	}
	leaf, err := ca.Issue(r)
	if err != nil {
		return err
	}
	s.CA, s.Leaf = ca, leaf
	for name, b := range map[string][]byte{"ca.pem": ca.PEM, "cert.pem": leaf.CertPEM, "key.pem": leaf.KeyPEM} {
		// The key too is readable: whoever runs Preauth reads the whole
		// configuration, and it is nobody's key.
		if err := os.WriteFile(filepath.Join(s.Dir, name), b, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// watchdog runs Dovecot in the foreground and stops it when standard input
// ends, which it does when we close it or die. If we died (nobody wrote
// "keep"), it also removes the directory. Dovecot's master lingers a second
// for its log process; nobody needs that here, so it gets a fifth of it.
const watchdog = `
exec 3<&0
"$1" -F -c "$2" </dev/null 3<&- & pid=$!
( read _ <&3
  : >"$3/ended"
  kill -TERM $pid 2>/dev/null
  n=0; while kill -0 $pid 2>/dev/null && [ $n -lt 10 ]; do sleep 0.02; n=$((n+1)); done
  kill -KILL $pid 2>/dev/null ) & dog=$!
exec 3<&-
wait $pid; rc=$?
trap '' TERM
kill -TERM 0
if [ -e "$3/ended" ] && [ ! -e "$3/keep" ]; then rm -rf "$3"; fi
exit $rc`

// launch starts Dovecot on fresh ports and waits until it greets.
func (s *Server) launch(bin string, o Options) error {
	ports, err := freePorts(2)
	if err != nil {
		return err
	}
	s.Port, s.TLSPort = ports[0], ports[1]
	token, err := randomToken()
	if err != nil {
		return err
	}
	conf, err := s.config(o, token)
	if err != nil {
		return err
	}
	if err := os.WriteFile(s.Config, []byte(conf), 0o644); err != nil {
		return err
	}
	os.Remove(filepath.Join(s.Dir, "keep"))
	os.Remove(filepath.Join(s.Dir, "ended"))
	out, err := os.Create(filepath.Join(s.Dir, "startup.log"))
	if err != nil {
		return err
	}
	defer out.Close()
	cmd := exec.Command("/bin/sh", "-c", watchdog, "sh", bin, s.Config, s.Dir)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", bin, err)
	}
	s.cmd, s.stdin, s.exited = cmd, stdin, make(chan struct{})
	go func(done chan struct{}) { cmd.Wait(); close(done) }(s.exited)
	if err := s.ready(token, o.Timeout); err != nil {
		err = fmt.Errorf("%w\nconfiguration: %s\n%s", err, s.Config, s.Log())
		s.halt()
		return err
	}
	return nil
}

// ready polls until the server greets with our token on both ports.
func (s *Server) ready(token string, limit time.Duration) error {
	end := time.Now().Add(limit)
	for wait := 2 * time.Millisecond; ; wait = min(2*wait, 100*time.Millisecond) {
		select {
		case <-s.exited:
			return errors.New("dovecot ended while starting")
		default:
		}
		err := s.greets(token)
		if err == nil {
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("dovecot does not answer after %v: %w", limit, err)
		}
		time.Sleep(wait)
	}
}

func (s *Server) greets(token string) error {
	c, err := net.DialTimeout("tcp", s.Addr(), time.Second)
	if err != nil {
		return err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(2 * time.Second))
	var got []byte
	b := make([]byte, 512)
	for !bytes.Contains(got, []byte("\n")) {
		n, err := c.Read(b)
		got = append(got, b[:n]...)
		if err != nil {
			return err
		}
	}
	if !bytes.Contains(got, []byte(token)) {
		return fmt.Errorf("another server answers on port %d", s.Port)
	}
	return nil
}

// Addr is host:port of the plain (STARTTLS) port.
func (s *Server) Addr() string { return net.JoinHostPort(s.Host, strconv.Itoa(s.Port)) }

// TLSAddr is host:port of the implicit TLS port.
func (s *Server) TLSAddr() string { return net.JoinHostPort(s.Host, strconv.Itoa(s.TLSPort)) }

// Roots is the pool that trusts the server's certificate.
func (s *Server) Roots() *x509.CertPool { return s.CA.Pool() }

// Preauth is a shell command that talks IMAP, already logged in as user, on
// its standard input and output. Extra arguments are Dovecot's, such as
// "-o", "mail_fsync=always".
func (s *Server) Preauth(user string, args ...string) string {
	imap := s.imapBinary + " -c " + s.Config + " " + strings.Join(args, " ")
	log := " 2>>" + filepath.Join(s.Dir, "preauth.log")
	if os.Getuid() != 0 {
		return "exec " + imap + " -u " + user + log
	}
	// As root, Dovecot's imap refuses a socket as its standard output ("must
	// not be started from inetd"), and many programs give their tunnel a
	// socket pair. So it does not start as root, or, where nothing can drop
	// privileges, gets a pipe.
	if setpriv, err := exec.LookPath("setpriv"); err == nil {
		return fmt.Sprintf("exec %s --reuid %d --regid %d --clear-groups env USER=%s HOME=%s %s%s",
			setpriv, s.UID, s.GID, user, s.Home(user), imap, log)
	}
	return imap + " -u " + user + log + " | cat"
}

// Log gives the last 8 kB the server said.
func (s *Server) Log() string {
	var out strings.Builder
	for _, n := range []string{"startup.log", "dovecot.log"} {
		b, err := os.ReadFile(filepath.Join(s.Dir, n))
		if err == nil && len(b) > 0 {
			out.Write(b[max(0, len(b)-8192):])
		}
	}
	return out.String()
}

// Stop ends the server and removes its directory.
func (s *Server) Stop() error {
	err := s.halt()
	s.remove()
	return err
}

// halt ends the server process and leaves its directory.
func (s *Server) halt() error {
	if s.cmd == nil {
		return nil
	}
	if err := os.WriteFile(filepath.Join(s.Dir, "keep"), nil, 0o644); err != nil {
		return err
	}
	s.stdin.Close()
	select {
	case <-s.exited:
		s.cmd = nil
		return nil
	case <-time.After(8 * time.Second):
	}
	syscall.Kill(-s.cmd.Process.Pid, syscall.SIGKILL)
	<-s.exited
	s.cmd = nil
	return errors.New("dovecot did not end when told to and was killed")
}

func (s *Server) remove() {
	if s.Dir != "" {
		os.RemoveAll(s.Dir)
	}
}
