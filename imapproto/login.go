package imapproto

import (
	"slices"
	"strings"
	"time"
)

// greeted takes the first line of the server.
func (c *Conn) greeted(r *reply) error {
	c.greeting = c.masked(r.text)
	switch r.status {
	case "OK":
	case "PREAUTH":
		c.preauth = true
	case "BYE":
		c.fail(&LostError{Err: &ByeError{Code: r.code, Text: c.greeting}})
		return nil
	default:
		return protoErr("refused by the server", []byte(r.status+" "+r.text))
	}
	if c.o.RequireTLS && !c.tls && c.preauth {
		// Staying would silently give up encryption.
		return &ProtocolError{Where: "the server greeted with PREAUTH, so STARTTLS, which is required, is impossible"}
	}
	c.noteCode(r)
	c.greetCaps = c.capsTold
	c.secure()
	return nil
}

// secure decides about STARTTLS.
func (c *Conn) secure() {
	switch {
	case c.tls || c.preauth || !c.o.RequireTLS && !c.o.OpportunisticTLS:
		c.login()
	case c.capsTold && c.caps.Has("STARTTLS"), !c.capsTold && c.o.RequireTLS:
		c.to(StateStartTLS)
		c.setup(&command{kind: kindStartTLS, name: "STARTTLS",
			encode: func(e *encoder) { e.text("STARTTLS") }, finish: c.startTLSAnswered})
	case c.capsTold && c.o.RequireTLS:
		c.fail(&ProtocolError{Where: "the server does not offer STARTTLS, which is required"})
	case c.capsTold:
		c.login()
	default:
		c.to(StateCapability)
		c.askCaps(func() {
			c.capsTold = true // even if it told nothing: asking again is no use
			c.secure()
		})
	}
}

func (c *Conn) startTLSAnswered(r *reply, err error) {
	if r == nil {
		return
	}
	if err != nil {
		c.fail(err)
		return
	}
	if c.o.StartTLS == nil {
		c.fail(&ProtocolError{Where: "STARTTLS was agreed, but the owner of the connection cannot wrap it"})
		return
	}
	c.to(StateHandshake) // Feed calls the owner, once it is sure that nothing follows
}

// TLSStarted says how the handshake that Options.StartTLS began has ended. What
// the server said before it is forgotten (RFC 9051 section 6.2.1).
func (c *Conn) TLSStarted(now time.Time, err error) {
	if c.state != StateHandshake {
		return
	}
	c.now, c.last, c.rebase = now, now, false
	if err != nil {
		c.fail(err)
		return
	}
	c.tls = true
	c.caps = NewCapSet(c.o.Caps, c.o.Disable)
	c.capsTold, c.greetCaps = false, false
	c.login()
}

// askCaps sends CAPABILITY. then runs whatever the answer is.
func (c *Conn) askCaps(then func()) {
	c.setup(c.capsCommand(then))
}

func (c *Conn) capsCommand(then func()) *command {
	return &command{kind: kindCapability, name: "CAPABILITY",
		encode: func(e *encoder) { e.text("CAPABILITY") },
		finish: func(r *reply, err error) {
			if r != nil {
				then()
			}
		}}
}

// login sends what is needed to log in, in one flight if it can.
func (c *Conn) login() {
	if c.preauth {
		c.authenticated()
		return
	}
	if !c.tls {
		c.fail(&AuthError{Text: "refusing to send the password in clear: the connection is not encrypted"})
		return
	}
	if !c.capsTold && c.o.Caps == nil {
		c.to(StateCapability)
		c.askCaps(func() {
			c.capsTold = true
			c.login()
		})
		return
	}
	if c.offered.told = c.capsTold; c.offered.told {
		c.offered.caps = c.caps
	}
	name, err := chooseMechanism(&c.o, c.caps, c.capsTold, nil)
	if err != nil {
		c.fail(err)
		return
	}
	c.to(StateLogin)
	c.sendID()
	c.loginWith(name)
}

// loginWith sends the login with one mechanism.
func (c *Conn) loginWith(name string) {
	cmd, proved := c.authenticate(name)
	cmd.finish = func(r *reply, err error) { c.loginAnswered(name, proved, r, err) }
	c.setup(cmd)
	c.capsTold = false
	if c.o.Caps != nil {
		// From here on commands are written for the server as it was last time.
		c.caps = NewCapSet(c.o.Caps, c.o.Disable)
		if !c.greetCaps {
			// Not a server that volunteers them. Ask in the same flight.
			c.askedAlong = true
			c.askCaps(c.ready)
		}
	}
}

func (c *Conn) loginAnswered(name string, proved func() bool, r *reply, err error) {
	if r == nil {
		return
	}
	if err != nil {
		e := &AuthError{Mechanism: name, Code: r.code, Text: c.masked(r.text), Before: c.refusal}
		c.refusal = e
		c.tried = append(c.tried, name)
		for c.o.Caps == nil {
			next, none := chooseMechanism(&c.o, c.offered.caps, c.offered.told, c.tried)
			if none != nil {
				break
			}
			if mayTryAnother(e, r.status == "BAD", next) {
				c.loginWith(next)
				return
			}
			c.tried = append(c.tried, next)
		}
		c.fail(e)
		return
	}
	if !proved() {
		c.fail(&ProtocolError{Where: "the server accepted the login without proving that it knows the password: it may be another server"})
		return
	}
	c.mechanism, c.refusal = name, nil
	if !c.askedAlong {
		c.authenticated()
	}
}

// authenticated makes sure the capabilities are known.
func (c *Conn) authenticated() {
	switch {
	case c.capsTold:
		c.ready()
	case c.o.Caps == nil:
		if c.preauth {
			c.to(StateCapability)
		}
		c.askCaps(c.ready)
	default:
		// Believed for now, verified with the next flight.
		c.setup(c.capsCommand(func() {}))
		c.ready()
	}
}

// ready opens the connection for the caller's commands.
func (c *Conn) ready() {
	c.to(StateReady)
	c.sendID()
	if c.o.Ready != nil {
		c.o.Ready(Info{Greeting: c.greeting, Caps: c.caps.Names(), PreAuth: c.preauth, Mechanism: c.mechanism})
	}
	c.wake()
}

// sendID introduces the client, once, as soon as the server is known to want it:
// some refuse to let anybody in who does not.
func (c *Conn) sendID() {
	if c.idSent || c.o.ID == nil || !c.caps.Has("ID") {
		return
	}
	c.idSent = true
	c.setup(&command{kind: kindID, name: "ID", finish: func(*reply, error) {},
		encode: func(e *encoder) {
			if len(c.o.ID) == 0 {
				e.text("ID NIL") // Exchange refuses the empty list
				return
			}
			keys := make([]string, 0, len(c.o.ID))
			for k := range c.o.ID {
				keys = append(keys, k)
			}
			slices.Sort(keys)
			e.text("ID (")
			for i, k := range keys {
				if i > 0 {
					e.text(" ")
				}
				e.str(strings.ToLower(k))
				e.text(" ")
				e.str(c.o.ID[k])
			}
			e.text(")")
		}})
}
