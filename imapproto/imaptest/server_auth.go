package imaptest

import (
	"bytes"
	"encoding/base64"
	"strings"
)

func (s *Session) cmdCapability(c *scanner) string {
	if !c.done() {
		return bad(c)
	}
	s.untagged("CAPABILITY %s", capList(s.announced()))
	return "OK capabilities listed"
}

func (s *Session) cmdNoop(c *scanner) string {
	if !c.done() {
		return bad(c)
	}
	return "OK nothing done"
}

func (s *Session) cmdLogout(c *scanner) string {
	if !c.done() {
		return bad(c)
	}
	s.untagged("BYE logging out")
	s.shut()
	return "OK goodbye"
}

func (s *Session) cmdID(c *scanner) string {
	c.sp()
	pairs := 0
	if c.peek() == '(' {
		c.list(func() { c.nstring(); pairs++ })
	} else {
		c.nstring()
	}
	if !c.done() {
		return bad(c)
	}
	if pairs == 0 && s.srv.Faults.EmptyIDBad {
		return "BAD ID without parameters"
	}
	s.untagged(`ID ("name" "imaptest" "vendor" "offloop")`)
	return "OK pleased to meet you"
}

func (s *Session) cmdStartTLS(c *scanner) string {
	if !c.done() {
		return bad(c)
	}
	if s.tls {
		return "BAD TLS is active already"
	}
	rest := s.in
	s.in = nil
	if len(rest) > 0 {
		s.complain("%d bytes sent behind STARTTLS", len(rest))
	}
	s.conclude("OK begin TLS negotiation now")
	if s.srv.OnStartTLS == nil {
		s.tls = true
	} else {
		s.srv.OnStartTLS(s, rest)
	}
	return ""
}

func (s *Session) cmdCompress(c *scanner) string {
	c.sp()
	if alg := c.atom(); !c.done() || !strings.EqualFold(alg, "DEFLATE") {
		return "BAD only DEFLATE is known"
	}
	if s.srv.OnCompress == nil {
		return "NO compression is not available"
	}
	if s.deflate {
		return "NO [COMPRESSIONACTIVE] compression is active already"
	}
	s.deflate = true
	rest := s.in
	s.in = nil
	s.conclude("OK DEFLATE active")
	s.srv.OnCompress(s, rest)
	return ""
}

func (s *Session) mayLogin() string {
	if s.has("LOGINDISABLED") && !s.tls {
		s.complain("credentials offered without TLS though LOGINDISABLED")
		return "NO [PRIVACYREQUIRED] TLS is required"
	}
	return ""
}

func (s *Session) cmdLogin(c *scanner) string {
	c.sp()
	user := c.astring()
	c.sp()
	pass := c.astring()
	if !c.done() {
		return bad(c)
	}
	if no := s.mayLogin(); no != "" {
		return no
	}
	return s.login(user, pass)
}

func (s *Session) login(user, pass string) string {
	if user != s.srv.User || pass != s.srv.Pass {
		return "NO [AUTHENTICATIONFAILED] authentication failed"
	}
	s.to(StateAuthenticated)
	if s.srv.Faults.NoCapabilityAfterLogin {
		return "OK logged in"
	}
	return "OK [CAPABILITY " + capList(s.announced()) + "] logged in"
}

func (s *Session) cmdAuthenticate(c *scanner) string {
	c.sp()
	mech := strings.ToUpper(c.atom())
	initial, given := "", false
	if c.accept(' ') {
		initial, given = c.while(func(b byte) bool { return b > ' ' }), true
	}
	if !c.done() {
		return bad(c)
	}
	if !s.has("AUTH=" + mech) {
		return "NO mechanism is not supported"
	}
	if no := s.mayLogin(); no != "" {
		return no
	}
	if given && !s.has("SASL-IR") {
		s.complain("initial response without SASL-IR")
		return "BAD initial response is not supported"
	}
	if given {
		return s.sasl([]byte(initial))
	}
	if len(s.in) > 0 {
		s.complain("%d bytes sent before the SASL continuation", len(s.in))
	}
	if s.srv.Faults.BarePlus {
		s.emit([]byte("+"))
	} else {
		s.emit([]byte("+ "))
	}
	s.mode = inSASL
	return ""
}

func (s *Session) saslLine(line []byte) {
	s.mode = inLine
	if string(line) == "*" {
		s.conclude("BAD authentication cancelled")
		return
	}
	s.conclude(s.sasl(line))
}

// sasl is PLAIN (RFC 4616): authzid NUL user NUL password.
func (s *Session) sasl(line []byte) string {
	raw, err := base64.StdEncoding.DecodeString(string(line))
	if err != nil {
		return "BAD invalid base64"
	}
	parts := bytes.Split(raw, []byte{0})
	if len(parts) != 3 {
		return "BAD invalid PLAIN message"
	}
	return s.login(string(parts[1]), string(parts[2]))
}

func (s *Session) cmdEnable(c *scanner) string {
	var asked []string
	for c.accept(' ') {
		asked = append(asked, strings.ToUpper(c.atom()))
	}
	if len(asked) == 0 {
		c.fail("expected capabilities")
	}
	if !c.done() {
		return bad(c)
	}
	if s.srv.Faults.NoEnabled {
		return "OK enabled"
	}
	var done []string
	for _, n := range asked {
		if s.enable(n) {
			done = append(done, spelled(n))
		}
	}
	s.untagged("ENABLED%s%s", map[bool]string{true: " "}[len(done) > 0], strings.Join(done, " "))
	return "OK enabled"
}

func (s *Session) enable(name string) bool {
	if !s.has(name) {
		return false
	}
	switch name {
	case "QRESYNC":
		s.qresync, s.condstore = true, true
	case "CONDSTORE":
		s.condstore = true
	case "UTF8=ACCEPT":
		s.utf8 = true
	case "IMAP4REV2":
		s.rev2 = true
	default:
		return false
	}
	return true
}

func (s *Session) cmdNamespace(c *scanner) string {
	if !c.done() {
		return bad(c)
	}
	s.untagged(`NAMESPACE (("%s" "%s")) NIL NIL`, s.srv.Prefix, s.srv.Delim)
	return "OK namespaces listed"
}
