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
	"strings"
	"time"

	"offloop/cmd/offloop/internal/config"
	"offloop/cmd/offloop/internal/mailsync"
	"offloop/reactor"
)

// access gets an account to its server: passwords, certificates, tunnels.
type access struct {
	loop *reactor.Loop
	acc  *config.Account
	ask  func(account, user string, done func(pass string, err error))
	// roots are loaded once, aside from the loop: that takes tens of
	// milliseconds.
	roots  *x509.CertPool
	loaded bool
	pass   string
	known  bool
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
	o := reactor.DialOptions{Host: r.Host, Port: r.Port, Network: r.Network, Timeout: s.Timeout}
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

// tlsConfig makes the TLS configuration: TLS 1.2 at least, the server's name,
// the system's roots or sslcacertfile, and the pinned fingerprints.
func (x *access) tlsConfig(_ *mailsync.Settings, done func(*tls.Config, error)) {
	r := &x.acc.Remote
	c := &tls.Config{ServerName: r.Host, MinVersion: tls.VersionTLS12}
	if len(r.Fingerprints) > 0 {
		c.VerifyConnection = func(cs tls.ConnectionState) error { return checkFingerprint(cs, r.Fingerprints) }
		c.InsecureSkipVerify = !r.VerifyCA
	}
	if x.loaded || !r.VerifyCA {
		c.RootCAs = x.roots
		done(c, nil)
		return
	}
	var pool *x509.CertPool
	var err error
	x.loop.Aside(func() { pool, err = loadRoots(r.CACertFile) }, func() {
		if err != nil {
			done(nil, err)
			return
		}
		x.roots, x.loaded = pool, true
		c.RootCAs = pool
		done(c, nil)
	})
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

// password finds the account's password: configuration, file, command, netrc,
// or the person at the terminal.
func (x *access) password(s *mailsync.Settings, done func(string, error)) {
	r := &x.acc.Remote
	if r.PreauthTunnel != "" || x.known {
		done(x.pass, nil)
		return
	}
	var c config.Credentials
	var err error
	x.loop.Aside(func() { c, err = r.Credentials() }, func() {
		if err != nil {
			done("", err)
			return
		}
		x.user(s, c, func(err error) {
			if err != nil {
				done("", err)
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
			x.pass, x.known = pass, true
		}
		done(pass, err)
	}
	switch {
	case c.PassCmd != "":
		x.run("remotepasscmd", c.PassCmd, keep)
	case c.HavePass:
		keep(c.Pass, nil)
	default:
		x.ask(s.Name, s.User, keep)
	}
}

// forget makes the next round ask for the password again.
func (x *access) forget() { x.pass, x.known = "", false }

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
