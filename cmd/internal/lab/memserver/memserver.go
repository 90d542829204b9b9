// Package memserver is an IMAP server in memory, for machines without
// Dovecot: go-imap's, on a loopback port.
package memserver

import (
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"slices"
	"strings"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"
	"github.com/emersion/go-imap/v2/imapserver/imapmemserver"
)

// Options say who may log in. With TLS, STARTTLS is offered.
type Options struct {
	User, Pass string
	Listen     string // default 127.0.0.1:0
	TLS        *tls.Config
	Trace      io.Writer // everything sent and received, passwords too
}

// Server is a running server.
type Server struct {
	ln     net.Listener
	server *imapserver.Server
	served chan error
}

// Start runs a server with an empty INBOX. The caller calls Stop.
func Start(o Options) (*Server, error) {
	if o.Listen == "" {
		o.Listen = "127.0.0.1:0"
	}
	ln, err := net.Listen("tcp", o.Listen)
	if err != nil {
		return nil, fmt.Errorf("memory server: %w", err)
	}
	user := imapmemserver.NewUser(o.User, o.Pass)
	if err := user.Create("INBOX", nil); err != nil {
		ln.Close()
		return nil, fmt.Errorf("memory server: %w", err)
	}
	mem := imapmemserver.New()
	mem.AddUser(user)
	s := &Server{ln: ln, served: make(chan error, 1)}
	s.server = imapserver.New(&imapserver.Options{
		NewSession: func(*imapserver.Conn) (imapserver.Session, *imapserver.GreetingData, error) {
			return session{mem.NewSession().(imapserver.SessionIMAP4rev2)}, nil, nil
		},
		Caps:         imap.CapSet{imap.CapIMAP4rev1: {}, imap.CapIMAP4rev2: {}},
		TLSConfig:    o.TLS,
		InsecureAuth: true,
		DebugWriter:  o.Trace,
		Logger:       log.New(io.Discard, "", 0),
	})
	go func() { s.served <- s.server.Serve(ln) }()
	return s, nil
}

// session mends what go-imap's gets wrong.
type session struct{ imapserver.SessionIMAP4rev2 }

var systemFlags = []imap.Flag{imap.FlagSeen, imap.FlagAnswered, imap.FlagFlagged, imap.FlagDeleted, imap.FlagDraft}

// Select lists every system flag, as all servers do. Go-imap's lists those in
// use only, which says that no other can be stored (RFC 9051 section 7.1).
func (s session) Select(name string, o *imap.SelectOptions) (*imap.SelectData, error) {
	d, err := s.SessionIMAP4rev2.Select(name, o)
	if err != nil {
		return nil, err
	}
	d.Flags, d.PermanentFlags = withSystem(d.Flags), withSystem(d.PermanentFlags)
	return d, nil
}

func withSystem(flags []imap.Flag) []imap.Flag {
	out := slices.Clone(systemFlags)
	for _, f := range flags {
		// Its own are in lower case.
		if !slices.ContainsFunc(out, func(g imap.Flag) bool { return strings.EqualFold(string(f), string(g)) }) {
			out = append(out, f)
		}
	}
	return out
}

// Addr is host:port.
func (s *Server) Addr() string { return s.ln.Addr().String() }

// Port is Addr's port.
func (s *Server) Port() int { return s.ln.Addr().(*net.TCPAddr).Port }

// Stop closes all connections; the mail is gone.
func (s *Server) Stop() error {
	err := s.server.Close()
	<-s.served
	return err
}
