// Package imaptest is a model IMAP server for tests: in-process, deterministic
// and without I/O. A Server is one user's mailboxes; a Session is one
// connection to it: bytes in, bytes out, nothing happens in between.
//
//	srv := imaptest.NewServer("joe", "secret")
//	srv.AddMessage("INBOX", imaptest.Message{Body: []byte("Subject: hi\r\n\r\nhello\r\n")})
//	sess := srv.NewSession()
//	sess.Feed([]byte("a LOGIN joe secret\r\n"))
//	os.Stdout.Write(sess.Output())
//
// It speaks IMAP4rev1 and IMAP4rev2 (RFC 3501, RFC 9051) with the extensions of
// its Caps, each of which can be taken away; Faults makes it break, lie, lose
// and delay. No part of it is safe for use by several goroutines at once.
package imaptest

import (
	"bytes"
	"fmt"
	"time"
)

// Server is the store of one user and what all sessions have in common.
type Server struct {
	User, Pass string
	Caps       Caps
	Faults     Faults
	// Now is the server's clock. Only the caller moves it.
	Now time.Time
	// Delim separates levels of mailbox names; Prefix is what NAMESPACE tells
	// ("INBOX." on Courier). Both may be changed before the first session.
	Delim, Prefix string
	// PreAuth greets with PREAUTH; Greeting replaces the greeting's text.
	PreAuth  bool
	Greeting string
	// Refuse greets with BYE and this text and closes.
	Refuse string
	// Pace is how many complete commands a session executes each time Output is
	// called; 0 = all of them in Feed already, negative = none but by
	// Session.Step. With a pace, a killed connection leaves commands behind.
	Pace int
	// OnStartTLS is called when STARTTLS has been granted: Output up to now is
	// plain, all later bytes are under TLS. rest is what the client had wrongly
	// sent behind the command; it is dropped. Nil: the switch is only simulated.
	OnStartTLS func(s *Session, rest []byte)
	// OnCompress is called when COMPRESS has been granted: Output up to now is
	// plain, what follows must be deflated, rest and what follows inflated
	// before Feed. While it is nil COMPRESS=DEFLATE is not announced.
	OnCompress func(s *Session, rest []byte)
	// Log has an entry for each command, in the order of arrival.
	Log []Entry
	// Complaints are breaches of protocol by the client that a tolerant server
	// would overlook; a test may demand that there are none.
	Complaints []string

	boxes      map[string]*box
	subscribed map[string]bool
	sessions   []*Session
	validity   uint32
	objects    uint32
	commands   int
}

// Command names one command to faults and hooks.
type Command struct {
	N       int    // over the whole server, from 1
	Session int    // session number, from 1
	Tag     string // as sent
	Name    string // in capitals: "SELECT", "UID FETCH"
	Line    string // as sent, literals as {n}, credentials removed
	Mailbox string // the mailbox named by the command, else the selected one
}

// Entry is a Command with its fate, for Server.Log.
type Entry struct {
	Command
	Executed bool   // false: refused by a fault, or still waiting
	Result   string // the tagged answer without tag, whether or not it was sent
	Orphan   bool   // executed after its connection had died
}

// NewServer returns a server with an empty INBOX, the QRESYNC capabilities,
// delimiter "/" and a clock at 2024-01-01 12:00 UTC.
func NewServer(user, pass string) *Server {
	v := &Server{User: user, Pass: pass, Caps: QRESYNC, Delim: "/",
		Now:   time.Date(2024, 1, 1, 12, 0, 0, 0, time.UTC),
		boxes: map[string]*box{}, subscribed: map[string]bool{}, validity: 1000}
	v.newBox("INBOX", nil)
	v.subscribed["INBOX"] = true
	return v
}

// NewSession opens a connection; the greeting is its first Output.
func (v *Server) NewSession() *Session {
	s := &Session{srv: v, num: len(v.sessions) + 1, hold: -1}
	v.sessions = append(v.sessions, s)
	text := v.Greeting
	if text == "" {
		text = "model server ready"
	}
	kind := "OK"
	if v.PreAuth {
		kind = "PREAUTH"
		s.to(StateAuthenticated)
	}
	if v.Refuse != "" {
		s.untagged("BYE %s", v.Refuse)
		s.shut()
		return s
	}
	s.untagged("%s [CAPABILITY %s] %s", kind, capList(s.announced()), text)
	return s
}

// Sessions returns all sessions ever opened, in order.
func (v *Server) Sessions() []*Session { return v.sessions }

// Settle lets killed connections execute up to n of the commands they had
// received (all if n < 0), oldest connection first, and returns how many ran.
func (v *Server) Settle(n int) int {
	done := 0
	for _, s := range v.sessions {
		if !s.dead {
			continue
		}
		s.frozen = false
		if s.pending != nil {
			s.pending.released = true
		}
		for (n < 0 || done < n) && s.Step() {
			done++
		}
	}
	return done
}

// State is where a session stands (RFC 3501 section 3):
//
//	NotAuthenticated -> Authenticated <-> Selected
//	        \________________|______________/ -> Logout
type State uint8

// The states.
const (
	StateNotAuthenticated State = iota
	StateAuthenticated
	StateSelected
	StateLogout
)

var stateNames = [...]string{"not authenticated", "authenticated", "selected", "logout"}

// String returns the state's name in RFC 3501's words.
func (s State) String() string { return stateNames[s] }

// Session is one connection.
type Session struct {
	srv   *Server
	num   int
	state State
	tls   bool // TLS, real or simulated
	// from the client
	in       []byte
	inCount  int64
	stalled  []byte // behind a CutStall
	inStall  bool
	mode     inMode
	line     []segment // of the command being assembled
	literal  int64     // bytes missing of the literal being read
	utf8Lit  bool
	frozen   bool // execute nothing until Release
	pending  *pending
	waiting  *pending // in IDLE or AUTHENTICATE: the command that is not over
	begun    *pending // the command being assembled, once its fate was asked for
	refusal  string   // answer to the command being assembled, in place of executing it
	swallow  bool     // the literal being read is not kept
	ran      int      // commands executed
	toldGone bool     // VANISHED was sent in this command
	byModSeq bool     // the SEARCH in execution has a MODSEQ key
	// to the client
	out      []byte
	outCount int64
	hold     int64 // output from this byte on waits for Release; -1 = none
	past     int64 // cuts before this byte are over
	mute     bool  // answers of the command in execution are dropped
	closing  bool  // no more commands; close when out is drained
	dead     bool  // the transport is gone
	// what the client turned on
	qresync, condstore, utf8, rev2, deflate bool
	sel                                     *view
	notify                                  notifyState
}

// Number is the session's number, from 1, as Cut and Rule use it.
func (s *Session) Number() int { return s.num }

// State returns the session's state.
func (s *Session) State() State { return s.state }

// Selected returns the selected mailbox's name, "" if none.
func (s *Session) Selected() string {
	if s.sel == nil {
		return ""
	}
	return s.sel.box.name
}

// to is the only place where the state changes.
func (s *Session) to(st State) {
	if s.state == StateLogout {
		return
	}
	if st != StateSelected {
		s.sel = nil
	}
	s.state = st
}

// Feed takes bytes from the client, in any fragmentation.
func (s *Session) Feed(b []byte) {
	if s.closing || s.dead {
		return
	}
	if s.inStall {
		s.stalled = append(s.stalled, b...)
		return
	}
	b = bytes.Clone(b)
	from := s.inCount
	for {
		cut, ok := cutAt(s.srv.Faults.In, s.num, from, s.inCount+int64(len(b)))
		if !ok {
			break
		}
		k := cut.At - s.inCount
		switch cut.Kind {
		case CutCorrupt:
			b[k] = cut.Byte
			from = cut.At + 1
			continue
		case CutStall:
			// the byte counts as seen, so that Release does not stall on it again
			s.inStall, s.stalled = true, bytes.Clone(b[k:])
		case CutClose:
			defer s.shut()
		}
		b = b[:k]
		break
	}
	s.inCount += int64(len(b))
	s.in = append(s.in, b...)
	s.run()
}

// Output returns the bytes for the client since the last call, nil if none.
// Sessions that are told of changes unasked (IDLE, NOTIFY) look for them here.
func (s *Session) Output() []byte {
	for i := 0; i < s.srv.Pace && s.Step(); i++ {
	}
	s.push()
	avail := int64(len(s.out))
	if s.hold >= 0 {
		avail = min(avail, s.hold-s.outCount)
	}
	if s.dead || avail <= 0 {
		return nil
	}
	b := s.out[:avail:avail]
	s.out = s.out[avail:]
	from := max(s.outCount, s.past)
	for {
		cut, ok := cutAt(s.srv.Faults.Out, s.num, from, s.outCount+int64(len(b)))
		if !ok {
			break
		}
		k := cut.At - s.outCount
		if cut.Kind == CutCorrupt {
			b[k] = cut.Byte
			from = cut.At + 1
			continue
		}
		if cut.Kind == CutStall {
			s.hold, s.past = cut.At, cut.At+1
			s.out = append(bytes.Clone(b[k:]), s.out...)
		} else {
			s.shut()
			s.out = nil
		}
		b = b[:k]
		break
	}
	s.outCount += int64(len(b))
	return b
}

// Closed reports that the server has closed the connection and all it had to
// say has been taken.
func (s *Session) Closed() bool { return s.dead || s.closing && len(s.out) == 0 }

// Bytes returns how many bytes came in and went out so far.
func (s *Session) Bytes() (in, out int64) { return s.inCount, s.outCount }

// shut closes from the server's side; what has been said is still delivered.
func (s *Session) shut() {
	s.closing = true
	s.to(StateLogout)
}

// Kill tells the session that the transport is gone. Commands it had received
// but not executed are dropped, or with Faults.Settle kept for Server.Settle.
func (s *Session) Kill() {
	if s.dead {
		return
	}
	s.dead, s.out = true, nil
	if s.waiting != nil || !s.srv.Faults.Settle {
		s.in, s.pending, s.closing = nil, nil, true
	}
}

// Freeze makes the session execute nothing until Release, as a server does
// whose disk is busy.
func (s *Session) Freeze() { s.frozen = true }

// Release ends everything that waits: Freeze, a CutStall, ActHold, ActLate.
func (s *Session) Release() {
	s.frozen, s.hold = false, -1
	if p := s.pending; p != nil {
		p.released = true
	}
	if s.inStall {
		s.inStall = false
		b := s.stalled
		s.stalled = nil
		s.inCount += int64(len(b))
		s.in = append(s.in, b...)
	}
	s.run()
}

// Secure tells the session that its bytes are under TLS from now on.
func (s *Session) Secure() { s.tls = true }

// Step executes one complete command that is waiting; false if there is none.
func (s *Session) Step() bool {
	for n := s.ran; s.ran == n; {
		if s.stopped() || !s.step(true) {
			return false
		}
	}
	return true
}

func (s *Session) stopped() bool { return s.closing || s.frozen }

// run reads and executes as far as it may.
func (s *Session) run() {
	for !s.stopped() && s.step(s.srv.Pace == 0) {
	}
}

// Say sends a response (without "* " in front and CRLF behind) that nobody asked
// for and that need not be true.
func (s *Session) Say(format string, a ...any) {
	if !s.closing {
		s.untagged(format, a...)
	}
}

// complain records a breach of protocol that is overlooked.
func (s *Session) complain(format string, a ...any) {
	s.srv.Complaints = append(s.srv.Complaints, fmt.Sprintf("session %d: ", s.num)+fmt.Sprintf(format, a...))
}
