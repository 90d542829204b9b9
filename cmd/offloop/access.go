package main

import (
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"offloop/cmd/offloop/internal/config"
	"offloop/cmd/offloop/internal/mailsync"
	"offloop/reactor"
	"offloop/ui"
)

// access gets an account to its server: passwords, certificates, tunnels.
type access struct {
	loop *reactor.Loop
	acc  *config.Account
	ask  func(prompt string, done func(typed string, err error))
	// roots are loaded once, aside from the loop: that takes tens of
	// milliseconds.
	roots  *x509.CertPool
	loaded bool
	pass   string
	name   string // the user's, that pass is for
	known  bool
	grant  grant
	// noKeyring says that the keyring is not to be asked; refused is the password that
	// the server did not take; keyed says that pass is in the keyring, or was tried to be
	// put there.
	noKeyring bool
	refused   string
	keyed     bool
	cert      []tls.Certificate // the client's
	say       func(ui.Event)

	trust trustFile
	doubt *doubt // the certificate that the last connection failed for
}

const commandTimeout = 60 * time.Second

// dial connects to the server, or starts the account's tunnel.
func (x *access) dial(s *mailsync.Settings, done func(mailsync.Transport, bool, error)) (cancel func()) {
	r := &x.acc.Remote
	if cmd := r.PreauthTunnel + r.TransportTunnel; cmd != "" {
		child := x.loop.Spawn(reactor.Command{Shell: cmd, Terminal: true}, func(st *reactor.Stream, err error) {
			done(transport(st), true, err)
		})
		return child.Kill
	}
	o := reactor.DialOptions{Host: r.Host, Port: r.Port, Network: r.Network, Timeout: s.Timeout, Proxy: proxyOf(r.Proxy)}
	var dialing *reactor.Dialing
	stopped := false
	start := func() {
		dialing = x.loop.Dial(o, func(st *reactor.Stream, err error) {
			secure := r.TLS == config.Implicit || r.TLS == config.Plain
			done(transport(st), secure, err)
		})
	}
	if r.TLS != config.Implicit {
		start()
	} else {
		x.tlsConfig(s, func(c *tls.Config, err error) {
			if stopped {
				return
			}
			if err != nil {
				done(nil, false, err)
				return
			}
			o.TLS = c
			start()
		})
	}
	return func() {
		stopped = true
		if dialing != nil {
			dialing.Cancel()
		}
	}
}

// transport keeps a nil stream a nil interface.
func transport(st *reactor.Stream) mailsync.Transport {
	if st == nil {
		return nil
	}
	return st
}

// tlsConfig makes the TLS configuration: TLS 1.2 at least, the server's name, the
// system's roots or sslcacertfile, the pinned fingerprints, and the client's
// certificate.
func (x *access) tlsConfig(_ *mailsync.Settings, done func(*tls.Config, error)) {
	r := &x.acc.Remote
	c := &tls.Config{ServerName: r.Host, MinVersion: tls.VersionTLS12}
	if r.TLS12Only {
		c.MaxVersion = tls.VersionTLS12
	}
	if len(r.Fingerprints) > 0 {
		c.VerifyConnection = func(cs tls.ConnectionState) error { return checkFingerprint(cs, r.Fingerprints) }
		c.InsecureSkipVerify = !r.VerifyCA
	} else {
		// What the library would do is done by verify, which knows of one more
		// reason to trust.
		c.InsecureSkipVerify = true
		c.VerifyConnection = x.verify
	}
	if x.loaded {
		c.RootCAs, c.Certificates = x.roots, x.cert
		done(c, nil)
		return
	}
	var pool *x509.CertPool
	var cert []tls.Certificate
	var err error
	trust := x.trust
	x.loop.Aside(func() {
		if r.VerifyCA {
			pool, err = loadRoots(r.CACertFile)
		}
		if err == nil && len(r.Fingerprints) == 0 {
			err = trust.load()
		}
		if err == nil && r.ClientCert != "" {
			cert, err = loadClientCert(r.ClientCert, r.ClientKey)
		}
	}, func() {
		if err != nil {
			done(nil, err)
			return
		}
		x.roots, x.cert, x.loaded, x.trust = pool, cert, true, trust
		c.RootCAs, c.Certificates = pool, cert
		done(c, nil)
	})
}

// loadClientCert does not repeat what the files hold.
func loadClientCert(file, key string) ([]tls.Certificate, error) {
	c, err := tls.LoadX509KeyPair(file, key)
	if err != nil {
		return nil, fmt.Errorf("sslclientcert %s, sslclientkey %s: %w", file, key, err)
	}
	return []tls.Certificate{c}, nil
}

func loadRoots(file string) (*x509.CertPool, error) {
	if file == "" {
		return reactor.SystemRoots()
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("sslcacertfile: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("sslcacertfile %s holds no certificate in PEM form", file)
	}
	return pool, nil
}

// checkFingerprint compares the server's certificate with the pinned ones, by
// the hash whose length they have.
func checkFingerprint(cs tls.ConnectionState, pinned []string) error {
	if len(cs.PeerCertificates) == 0 {
		return errors.New("the server showed no certificate")
	}
	der := cs.PeerCertificates[0].Raw
	s1, s224, s256, s384, s512 := sha1.Sum(der), sha256.Sum224(der), sha256.Sum256(der), sha512.Sum384(der), sha512.Sum512(der)
	sums := []string{hex.EncodeToString(s1[:]), hex.EncodeToString(s224[:]), hex.EncodeToString(s256[:]), hex.EncodeToString(s384[:]), hex.EncodeToString(s512[:])}
	for _, p := range pinned {
		for _, s := range sums {
			if p == s {
				return nil
			}
		}
	}
	return fmt.Errorf("the server's certificate has the SHA-256 fingerprint %s, which cert_fingerprint does not list; if the server's owner confirms it, add it there", sums[2])
}

// password finds the account's token, where one is configured, and its password:
// configuration, file, command, netrc, or the person at the terminal.
func (x *access) password(s *mailsync.Settings, done func(string, error)) {
	if x.acc.Remote.PreauthTunnel != "" {
		done("", nil)
		return
	}
	r := &x.acc.Remote
	if r.OAuth.Asked {
		x.acc.ForgetEvals() // tokens do not last
	}
	settle(x.loop, x.acc.Python, x.ask, x.acc.Evaluate, func(err error) {
		if err != nil {
			done("", err)
			return
		}
		if r.Host != "" {
			s.Host, s.Port = r.Host, r.Port
		}
		x.token(func(token string, err error) {
			if err != nil {
				done("", err)
				return
			}
			s.Token = token
			x.login(s, done)
		})
	})
}

// tokenOnly tells that no password is of use.
func (x *access) tokenOnly() bool {
	m := x.acc.Remote.Mechanisms
	return len(m) > 0 && !slices.ContainsFunc(m, func(m string) bool { return m != "XOAUTH2" && m != "OAUTHBEARER" })
}

// login finds the user name and the password.
func (x *access) login(s *mailsync.Settings, done func(string, error)) {
	if x.known {
		done(x.pass, nil)
		return
	}
	var c config.Credentials
	var err error
	x.loop.Aside(func() { c, err = x.acc.Remote.Credentials() }, func() {
		if err != nil {
			done("", err)
			return
		}
		x.user(s, c, func(err error) {
			if err != nil {
				done("", err)
				return
			}
			if x.tokenOnly() {
				x.known = true
				done("", nil)
				return
			}
			x.secret(s, c, done)
		})
	})
}

func (x *access) user(s *mailsync.Settings, c config.Credentials, done func(error)) {
	if c.UserCmd == "" {
		if c.User != "" {
			s.User = c.User
		}
		if s.User == "" {
			done(errors.New("no user name: give remoteuser"))
			return
		}
		done(nil)
		return
	}
	x.run("remoteusercmd", c.UserCmd, func(v string, err error) {
		s.User = v
		done(err)
	})
}

func (x *access) secret(s *mailsync.Settings, c config.Credentials, done func(string, error)) {
	keep := func(pass string, err error) {
		if err == nil {
			x.pass, x.known, x.name = pass, true, s.User
		}
		done(pass, err)
	}
	switch {
	case c.PassCmd != "":
		x.run("remotepasscmd", c.PassCmd, keep)
	case c.HavePass:
		keep(c.Pass, nil)
	default:
		x.keyring(x.acc.Remote.Host, s.User, func(pass string) {
			if pass != "" {
				x.keyed = true
				keep(pass, nil)
				return
			}
			x.ask(fmt.Sprintf("Please enter password for user '%s': ", s.User), keep)
		})
	}
}

// forget makes the next round ask for the password, and for a token, again.
func (x *access) forget() {
	x.refused = x.pass
	x.pass, x.known, x.keyed, x.grant.token = "", false, false, ""
	x.acc.ForgetEvals()
	x.acc.Python.ForgetTyped()
}

// run gets the first line a shell command prints.
func (x *access) run(key, cmd string, done func(string, error)) {
	x.loop.Exec(reactor.Command{Shell: cmd, Terminal: true, Timeout: commandTimeout, MaxOutput: 64 << 10}, func(res reactor.Result) {
		if res.Err != nil || res.ExitCode != 0 {
			err := res.Err
			if err == nil {
				err = fmt.Errorf("it ended with status %d", res.ExitCode)
			}
			if msg := strings.TrimSpace(string(res.Stderr)); msg != "" {
				err = fmt.Errorf("%w: %s", err, msg)
			}
			done("", fmt.Errorf("%s: %w", key, err))
			return
		}
		line, _, _ := strings.Cut(string(res.Stdout), "\n")
		if line = strings.TrimRight(line, "\r"); line == "" {
			done("", fmt.Errorf("%s printed nothing", key))
			return
		}
		done(line, nil)
	})
}
