package imapproto

import (
	"errors"
	"fmt"
	"io"
	"time"
)

const (
	defaultTimeout = 60 * time.Second
	defaultTake    = 64 << 10
)

// Conn is the client's end of one IMAP connection. It is not safe for concurrent
// use: everything is called from one goroutine, and the callbacks run inside it.
type Conn struct {
	o      Options
	state  State
	now    time.Time // as last told
	last   time.Time // when the server was last heard, or was last sent something
	rebase bool      // something was sent since the time was last told
	err    error     // why it is dead

	// login.go
	greeting   string
	tls        bool
	preauth    bool
	caps       CapSet
	capsTold   bool // by the server, since the greeting, STARTTLS or the login
	greetCaps  bool // the greeting told them
	askedAlong bool // CAPABILITY rides behind the login
	idSent     bool
	mechanism  string // that logged in
	tried      []string
	refusal    *AuthError // of the mechanism tried last
	offered    struct {   // what the server offered before the login
		caps CapSet
		told bool
	}
	talking bool // a login of several steps is under way: nothing may follow it
	enabled CapSet

	// queue.go
	first        []*command // the login sequence
	queue        []*command // not yet sent
	inflight     []*command // sent or refused, not yet finished; oldest first
	sending      *command   // the last of inflight, if not all of it has been sent
	flying       [numKinds]int
	onWire       int
	depth        int
	tags         int
	enablingUTF8 bool
	deflating    bool // the answer to COMPRESS has just been read
	idleEnding   bool // DONE was sent or is about to be
	answered     int  // the latest flight that was answered
	flights      int
	woken        bool

	// sending
	out     []byte
	off     int
	taking  bool
	starved bool // the Source of the body being sent has nothing ready

	// receiving
	scan    scanner
	reading readMode
	held    []byte // a response with literals in it, being put together
	lit     literalUse
	fetch   fetchParser
	numbers numberParser
	intern  interner
	unasked int // responses nobody asked for, since a command was answered
	fetched int // FETCH responses since then

	// mailboxes
	exists   uint32            // the largest size of the selected mailbox that the server told
	current  *Selection        // selected once the queue is through
	selected *Selection        // selected at this point of what the server says
	rawNames map[string]string // wire names of mailboxes whose names do not encode back
}

// NewConn returns a Conn that waits for the server's greeting.
func NewConn(now time.Time, o Options) *Conn {
	if o.Timeout <= 0 {
		o.Timeout = defaultTimeout
	}
	c := &Conn{o: o, now: now, last: now, tls: o.TLSActive, depth: o.Pipeline}
	if c.depth <= 0 {
		c.depth = defaultPipeline
	}
	c.caps = NewCapSet(o.Caps, o.Disable)
	c.intern.init()
	return c
}

// SetPipeline changes the largest number of commands in flight, see
// Options.Pipeline. Commands in flight stay there.
func (c *Conn) SetPipeline(n int) {
	if n <= 0 {
		n = defaultPipeline
	}
	c.depth = n
	c.wake()
}

// Feed takes bytes from the server, in any fragmentation. The bytes are not kept.
func (c *Conn) Feed(now time.Time, b []byte) {
	c.now, c.last, c.rebase = now, now, false
	for len(b) > 0 && c.state != StateDead {
		if c.state == StateHandshake {
			c.fail(errPlaintext(b))
			return
		}
		n, err := c.scan.step(b, c)
		if err != nil {
			c.fail(err)
			return
		}
		b = b[n:]
		if c.deflating {
			c.deflating = false
			if err := c.o.Deflate(b); err != nil {
				c.fail(&LostError{Err: err})
			}
			return
		}
		if c.state == StateHandshake {
			if len(b) > 0 {
				c.fail(errPlaintext(b))
				return
			}
			c.o.StartTLS()
		}
	}
}

// errPlaintext reports bytes between the answer to STARTTLS and the handshake. What
// an attacker could have put there must not be taken for the server's words (RFC 9051
// section 11.1).
func errPlaintext(b []byte) error {
	return protoErr("bytes in clear behind the answer to STARTTLS", b)
}

// Take returns the next bytes to send, at most max (0 = 64 KiB), or nil if
// nothing may be sent now. The bytes are valid until the next call of Take and
// count as sent.
func (c *Conn) Take(max int) []byte {
	if c.taking || c.state == StateDead {
		return nil
	}
	if max <= 0 {
		max = defaultTake
	}
	c.woken = false
	if c.off == len(c.out) {
		c.out, c.off = c.out[:0], 0
	} else if c.off > 0 {
		c.out = append(c.out[:0], c.out[c.off:]...)
		c.off = 0
	}
	c.taking = true
	c.pump(max)
	c.taking = false
	if len(c.out) == 0 {
		return nil
	}
	c.rebase = true
	c.off = min(max, len(c.out))
	return c.out[:c.off]
}

// pump fills the output up to max bytes, if the queue has that much to say.
func (c *Conn) pump(max int) {
	for len(c.out) < max && c.state != StateDead {
		if c.sending != nil {
			if !c.send(max) {
				return
			}
			continue
		}
		cmd := c.next()
		if cmd == nil {
			return
		}
		c.start(cmd)
	}
}

// send puts out some of the command being sent; false if it has to wait.
func (c *Conn) send(max int) bool {
	cmd := c.sending
	if c.waiting() {
		return false
	}
	s := &cmd.segs[cmd.seg]
	if s.src == nil {
		c.out = append(c.out, s.text...)
		c.traceSent(s)
		c.endSegment(cmd)
		return true
	}
	if cmd.done < s.size {
		return c.sendBody(cmd, s, max)
	}
	c.traceSent(s)
	c.endSegment(cmd)
	return true
}

func (c *Conn) endSegment(cmd *command) {
	cmd.segs[cmd.seg] = segment{} // lets go of the Source
	cmd.seg++
	cmd.done, cmd.granted = 0, false
	if cmd.seg == len(cmd.segs) {
		c.sending, cmd.sent = nil, true
		c.drain() // it may have been answered early
	}
}

// sendBody asks the Source for more; false if it has nothing ready.
func (c *Conn) sendBody(cmd *command, s *segment, max int) bool {
	n := int64(max - len(c.out))
	if left := s.size - cmd.done; n > left {
		n = left
	}
	have := len(c.out)
	if need := have + int(n); cap(c.out) < need {
		c.out = append(make([]byte, 0, need), c.out...)
	}
	got, err := s.src.Read(c.out[have : have+int(n)])
	if got < 0 || got > int(n) {
		err, got = errors.New("source returned an impossible count"), 0
	}
	if c.state == StateDead {
		return false
	}
	c.out = c.out[:have+got]
	cmd.done += int64(got)
	c.starved = got == 0 && err == nil
	if err != nil && cmd.done < s.size {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		// A literal that was begun cannot be taken back (RFC 9051 section 4.3).
		c.fail(fmt.Errorf("%s: reading the message: %w after %d of %d bytes", cmd.name, err, cmd.done, s.size))
		return false
	}
	return !c.starved
}

// Kick says that a Source that had nothing ready may have something now.
func (c *Conn) Kick() {
	c.starved = false
	c.wake()
}

// Progress says that the transport is getting rid of bytes taken earlier: as long as
// it does, the server cannot be expected to have answered.
func (c *Conn) Progress(now time.Time) { c.now, c.last, c.rebase = now, now, false }

// Deadline returns when Expire should be called, and false if nothing is awaited
// from the server. It changes with every Feed, Take and Expire; a deadline in the
// past is normal after a long rest and only makes Expire take the time anew.
func (c *Conn) Deadline() (time.Time, bool) {
	if !c.awaiting() {
		return time.Time{}, false
	}
	return c.last.Add(c.o.Timeout), true
}

// awaiting reports whether it is the server's turn.
func (c *Conn) awaiting() bool {
	switch c.state {
	case StateDead:
		return false
	case StateGreeting, StateHandshake:
		return true
	case StateIdle:
		return c.idleEnding
	}
	return c.onWire > 0 && !c.starved
}

// Expire fails the Conn with a *TimeoutError if the deadline has passed.
func (c *Conn) Expire(now time.Time) {
	c.now = now
	if c.rebase {
		c.last, c.rebase = now, false
		return
	}
	if !c.awaiting() || now.Before(c.last.Add(c.o.Timeout)) {
		return
	}
	e := &TimeoutError{State: c.state, Waited: now.Sub(c.last)}
	if h := c.head(); h != nil {
		e.Command = h.name
	}
	c.fail(e)
}

// Lost says that the transport is gone; err is nil for an orderly end. Every
// command completes with a *LostError, in order.
func (c *Conn) Lost(err error) {
	if c.state == StateLogout {
		if h := c.head(); h != nil && h.kind == kindLogout {
			err = errLoggedOut
		}
	}
	c.fail(err)
}

// errLoggedOut ends a connection that both sides wanted to end.
var errLoggedOut = errors.New("logged out")

// fail ends the Conn: nothing more is sent or understood, and every command
// completes. It may be called from within callbacks; the first call counts.
func (c *Conn) fail(err error) {
	if c.state == StateDead {
		return
	}
	if c.state == StateLogin && c.refusal != nil && !errors.As(err, new(*AuthError)) {
		err = c.refusal // the server hung up, or worse, on the second try
	}
	c.state = StateDead // every state may move here
	c.err = err
	all := append(append(c.inflight, c.first...), c.queue...)
	c.inflight, c.first, c.queue, c.sending = nil, nil, nil, nil
	c.out, c.off, c.held = nil, 0, nil
	c.current, c.selected = nil, nil
	for _, cmd := range all {
		if cmd.settle != nil && cmd.unanswered() {
			cmd.settle(nil)
		}
		switch {
		case cmd.refused != nil:
			cmd.finish(nil, cmd.refused)
		case cmd.kind == kindLogout && err == errLoggedOut:
			cmd.finish(nil, nil)
		default:
			cmd.finish(nil, c.lostError())
		}
	}
	if c.o.Closed != nil {
		if err == errLoggedOut {
			c.o.Closed(nil)
		} else if _, ok := err.(*LostError); ok || err == nil {
			c.o.Closed(c.lostError())
		} else {
			c.o.Closed(err)
		}
	}
}

// lostError is what a command on a dead connection completes with.
func (c *Conn) lostError() error {
	if e, ok := c.err.(*LostError); ok {
		return e
	}
	return &LostError{Err: c.err}
}

// State returns what the connection is doing.
func (c *Conn) State() State { return c.state }

// Caps returns the capabilities as last told, or else as remembered.
func (c *Conn) Caps() CapSet { return c.caps }

// InFlight returns how many commands have been sent, at least in part, and are
// not yet answered.
func (c *Conn) InFlight() int { return c.onWire }

// Oldest names the oldest command that is not yet answered, and the mailbox it is
// about; both are "" if there is none.
func (c *Conn) Oldest() (command, mailbox string) {
	cmd := c.head()
	if cmd == nil {
		return "", ""
	}
	mailbox = cmd.mailbox
	if cmd.sel != nil {
		mailbox = cmd.sel.Name()
	}
	return cmd.name, mailbox
}

// Flights returns the length of the longest chain of bursts in which each had to
// wait for an answer to the one before: the number of round trips the dialogue
// has needed since the greeting.
func (c *Conn) Flights() int { return c.flights }

// Enabled reports whether the server confirmed ENABLE for a capability.
func (c *Conn) Enabled(capability string) bool { return c.enabled.Has(capability) }

// utf8 reports whether mailbox names travel as UTF-8 (RFC 6855, RFC 9051).
func (c *Conn) utf8() bool {
	return c.enabled.Has("UTF8=ACCEPT") || c.enabled.m["IMAP4REV2"]
}
