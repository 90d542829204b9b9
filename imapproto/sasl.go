package imapproto

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
)

// mechanism is one SASL exchange (RFC 4422).
type mechanism interface {
	// initial returns the first message to the server, nil if the server speaks
	// first.
	initial() []byte
	// next answers a challenge after the initial message; false cancels.
	next(challenge []byte) ([]byte, bool)
	// proved reports whether an OK may be believed now.
	proved() bool
}

// mechanisms are the SASL mechanisms this package knows, by name.
var mechanisms = map[string]func(o *Options) mechanism{
	"PLAIN": func(o *Options) mechanism { return oneMessage(plainResponse(o)) },
	"XOAUTH2": func(o *Options) mechanism {
		return oneMessage(xoauth2Response(o))
	},
	"OAUTHBEARER":   func(o *Options) mechanism { return oneMessage(bearerResponse(o)) },
	"CRAM-MD5":      func(o *Options) mechanism { return cramMD5{o} },
	"SCRAM-SHA-1":   newScramSHA1,
	"SCRAM-SHA-256": newScramSHA256,
}

// takesToken tells of mechanisms that send a token and no password.
func takesToken(name string) bool { return name == "XOAUTH2" || name == "OAUTHBEARER" }

func xoauth2Response(o *Options) []byte {
	return []byte("user=" + o.User + "\x01auth=Bearer " + o.Token + "\x01\x01")
}

// bearerResponse is the message of OAUTHBEARER (RFC 7628 section 3.1).
func bearerResponse(o *Options) []byte {
	return []byte("n,a=" + scramName(o.User) + ",\x01auth=Bearer " + o.Token + "\x01\x01")
}

// plainResponse is the message of PLAIN (RFC 4616).
func plainResponse(o *Options) []byte {
	return []byte(o.AuthzID + "\x00" + o.User + "\x00" + o.Pass)
}

// oneMessage is a mechanism that says all it has to say at once. A further
// challenge is an error report; the empty answer makes the server end with NO.
type oneMessage []byte

func (m oneMessage) initial() []byte            { return m }
func (m oneMessage) next([]byte) ([]byte, bool) { return []byte{}, true }
func (m oneMessage) proved() bool               { return true }

// commandLogin stands for the LOGIN command among the mechanisms.
const commandLogin = "LOGIN"

// mayTryAnother tells whether another mechanism is worth a try after a refusal. A
// server that counts failures locks accounts, so a wrong password must not be sent
// with each mechanism in turn:
//   - the server does not know the command (BAD): yes;
//   - a token was refused: yes with a password, no with the same token;
//   - a challenge was answered wrongly: the server may keep no secret to compare it
//     with (crypted passwords), so the password itself is tried, once;
//   - the password itself was refused: only with no code at all, and once. With a
//     code (RFC 5530: AUTHENTICATIONFAILED, EXPIRED, LIMIT, ...) it is the server's word.
func mayTryAnother(e *AuthError, unknown bool, next string) bool {
	if unknown {
		return true
	}
	tries := 0 // with the password
	for r := e; r != nil; r = r.Before {
		if !takesToken(r.Mechanism) {
			tries++
		}
	}
	shows := next == "PLAIN" || next == commandLogin
	switch e.Mechanism {
	case "XOAUTH2", "OAUTHBEARER":
		return !takesToken(next)
	case "PLAIN", commandLogin:
		return e.Code == "" && shows && tries < 2
	}
	return (e.Code == "" || e.Code == "AUTHENTICATIONFAILED") && shows && tries < 2
}

// chooseMechanism returns the first wanted mechanism that the server offers and that
// has not been tried. With offered unknown (nil set) it trusts the order of
// preference.
func chooseMechanism(o *Options, offered CapSet, told bool, tried []string) (string, error) {
	can := func(m string) bool {
		if slices.Contains(tried, m) {
			return false
		}
		if m == commandLogin {
			return !told || !offered.Has("LOGINDISABLED")
		}
		return mechanisms[m] != nil && (o.Token != "" || !takesToken(m)) && (!told || offered.Has("AUTH="+m))
	}
	if len(o.Mechanisms) == 0 {
		switch {
		case told && can("PLAIN") && offered.Has("SASL-IR"), o.AuthzID != "" && can("PLAIN"):
			return "PLAIN", nil
		case can(commandLogin) && o.AuthzID == "":
			return commandLogin, nil
		case can("PLAIN"):
			return "PLAIN", nil
		}
	}
	for _, m := range o.Mechanisms {
		if m = strings.ToUpper(m); can(m) {
			return m, nil
		}
	}
	want := "LOGIN or PLAIN"
	if len(o.Mechanisms) > 0 {
		want = strings.Join(o.Mechanisms, ", ")
	}
	return "", &AuthError{Text: fmt.Sprintf("no common way to log in: wanted %s, the server offers %s",
		want, strings.Join(offered.authMechanisms(), ", "))}
}

// authenticate builds LOGIN or AUTHENTICATE with the chosen mechanism. proved tells
// whether the server's OK may be believed.
func (c *Conn) authenticate(name string) (_ *command, proved func() bool) {
	if name == commandLogin {
		return &command{kind: kindLogin, name: "LOGIN", encode: func(e *encoder) {
			e.text("LOGIN ")
			keep := len(e.cur)
			e.str(c.o.User)
			e.text(" ")
			e.str(c.o.Pass)
			e.hide(keep)
		}}, func() bool { return true }
	}
	m := mechanisms[name](&c.o)
	first := m.initial()
	inline := c.caps.Has("SASL-IR") && first != nil
	_, once := m.(oneMessage)
	started := false
	cmd := &command{kind: kindLogin, name: "AUTHENTICATE " + name}
	if !once {
		cmd.settle = func(*reply) { c.talking = false }
	}
	cmd.encode = func(e *encoder) {
		c.talking = !once
		e.text("AUTHENTICATE " + name)
		if inline {
			started = true
			e.text(" ")
			keep := len(e.cur)
			if len(first) == 0 {
				e.text("=")
			} else {
				e.text(base64.StdEncoding.EncodeToString(first))
			}
			e.hide(keep)
			return
		}
		// Nothing may follow until the challenge is answered: same rule, same
		// means as a synchronising literal.
		started = true
		if first == nil {
			return
		}
		e.text("\r\n")
		e.cut(false)
		e.segs = append(e.segs, segment{
			text: []byte(base64.StdEncoding.EncodeToString(first)), secret: true, sync: true,
		})
	}
	cmd.more = func(text []byte) ([]byte, bool) {
		challenge, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(text)))
		if err != nil || !started {
			return nil, false
		}
		answer, ok := m.next(challenge)
		return []byte(base64.StdEncoding.EncodeToString(answer)), ok
	}
	return cmd, m.proved
}

// hide makes everything encoded so far, but for the first keep bytes, invisible to
// the trace.
func (e *encoder) hide(keep int) {
	e.cut(true)
	for i := range e.segs {
		e.segs[i].secret = true
	}
	e.segs[0].keep = keep
}
