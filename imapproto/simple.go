package imapproto

import "strings"

// simple queues a command that is answered by its tagged line alone.
func (c *Conn) simple(k kind, name, mailbox string, done func(error)) {
	c.enqueue(&command{kind: k, name: name, mailbox: mailbox,
		encode: func(e *encoder) {
			e.text(name)
			if k == kindFolder {
				e.text(" ")
				e.mailbox(mailbox)
			}
		},
		finish: func(_ *reply, err error) { done(err) }})
}

// Create makes a mailbox.
func (c *Conn) Create(name string, done func(error)) { c.simple(kindFolder, "CREATE", name, done) }

// Delete removes a mailbox with all that is in it.
func (c *Conn) Delete(name string, done func(error)) { c.simple(kindFolder, "DELETE", name, done) }

// Subscribe subscribes to a mailbox.
func (c *Conn) Subscribe(name string, done func(error)) {
	c.simple(kindFolder, "SUBSCRIBE", name, done)
}

// Noop sends NOOP, which lets the server tell news.
func (c *Conn) Noop(done func(error)) { c.simple(kindNoop, "NOOP", "", done) }

// Check sends CHECK, without which some servers do not show what was just appended.
func (c *Conn) Check(done func(error)) { c.simple(kindNoop, "CHECK", "", done) }

// Enable switches extensions on (RFC 5161). done is given what the server confirmed;
// some say OK and confirm nothing, and then nothing is enabled. Commands may be
// queued behind it at once. Without ENABLE it completes with *UnsupportedError.
func (c *Conn) Enable(caps []string, done func(enabled []string, err error)) {
	utf8 := false
	for _, name := range caps {
		utf8 = utf8 || strings.EqualFold(name, "UTF8=ACCEPT") || strings.EqualFold(name, "IMAP4rev2")
	}
	c.enqueue(&command{kind: kindEnable, name: "ENABLE",
		encode: func(e *encoder) {
			if !e.need("ENABLE", "ENABLE") {
				return
			}
			e.text("ENABLE")
			for _, name := range caps {
				e.text(" ")
				e.word("a capability named", name)
			}
			if len(caps) == 0 {
				e.bad("an ENABLE of nothing", "")
			}
			c.enablingUTF8 = utf8 && e.err == nil
		},
		finish: func(_ *reply, err error) {
			if utf8 {
				c.enablingUTF8 = false
			}
			var on []string
			for _, name := range caps {
				if err == nil && c.Enabled(name) {
					on = append(on, name)
				}
			}
			done(on, err)
		}})
}

// Idle waits for news (RFC 2177), which go to Options.Unsolicited. stop ends it; it
// may be called at any time and more than once, and done follows when the server has
// agreed. Nothing is sent behind IDLE until then, so a queued command waits for stop.
// Without IDLE it completes with *UnsupportedError.
func (c *Conn) Idle(done func(error)) (stop func()) {
	var running, stopping bool
	cmd := &command{kind: kindIdle, name: "IDLE"}
	cmd.encode = func(e *encoder) {
		switch {
		case stopping:
			e.err = errNothing
		case e.need("IDLE", "IDLE"):
			e.text("IDLE")
		}
	}
	cmd.more = func([]byte) ([]byte, bool) {
		if running {
			return nil, true
		}
		running = true
		c.to(StateIdle)
		if stopping {
			c.idleEnding = true
			return []byte("DONE"), true
		}
		return nil, true
	}
	cmd.finish = func(_ *reply, err error) {
		if c.state == StateIdle {
			c.to(StateReady)
		}
		c.idleEnding, running, stopping = false, false, true
		if err == errNothing {
			err = nil
		}
		done(err)
	}
	c.enqueue(cmd)
	return func() {
		if stopping || c.state == StateDead {
			return
		}
		stopping = true
		if running {
			c.idleEnding = true
			c.nextFlight(cmd)
			cmd.segs = append(cmd.segs, segment{text: []byte("DONE\r\n")})
			cmd.sent, c.sending = false, cmd
			c.wake()
		}
	}
}

// Compress switches DEFLATE on in both directions (RFC 4978). Commands queued behind
// it wait for the answer; a refusal leaves the connection as it was. Without
// COMPRESS=DEFLATE, or without Options.Deflate, it completes with *UnsupportedError.
func (c *Conn) Compress(done func(error)) {
	c.enqueue(&command{kind: kindCompress, name: "COMPRESS",
		encode: func(e *encoder) {
			if c.o.Deflate == nil {
				e.err = &UnsupportedError{Command: "COMPRESS", Capability: "COMPRESS=DEFLATE"}
			} else if e.need("COMPRESS", "COMPRESS=DEFLATE") {
				e.text("COMPRESS DEFLATE")
			}
		},
		finish: func(r *reply, err error) {
			c.deflating = r != nil && err == nil
			done(err)
		}})
}

// Logout says goodbye. When the server has answered, or has hung up instead, done
// is called with nil, then Options.Closed with nil.
func (c *Conn) Logout(done func(error)) {
	c.enqueue(&command{kind: kindLogout, name: "LOGOUT",
		encode: func(e *encoder) {
			c.to(StateLogout)
			e.text("LOGOUT")
		},
		finish: func(r *reply, err error) {
			done(err)
			if r != nil && err == nil {
				c.fail(errLoggedOut)
			} else if r != nil {
				c.fail(err)
			}
		}})
}
