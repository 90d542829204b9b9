package imapproto

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"strings"
)

// tracing reports whether anybody listens: what nobody reads costs nothing.
func (c *Conn) tracing() bool {
	return c.o.Trace != nil && (c.o.Tracing == nil || c.o.Tracing())
}

// traceSent shows a segment that was put out.
func (c *Conn) traceSent(s *segment) {
	if !c.tracing() {
		return
	}
	switch {
	case string(s.text) == "\r\n": // ends a line already shown
	case s.secret:
		c.o.Trace(true, append(append([]byte(nil), s.text[:s.keep]...), "***"...))
	case s.src != nil:
		c.o.Trace(true, fmt.Appendf(nil, "<%d bytes>", s.size))
	case s.lit:
		c.o.Trace(true, fmt.Appendf(nil, "<%d bytes>", len(s.text)))
	default:
		c.o.Trace(true, c.maskedBytes(bytes.TrimSuffix(s.text, []byte("\r\n"))))
	}
}

// traceReceived shows a piece of a response. A challenge may be made of the
// password, so during the login continuations are not shown.
func (c *Conn) traceReceived(b []byte, end pieceEnd) {
	if c.state == StateLogin && len(b) > 0 && b[0] == '+' {
		c.o.Trace(false, []byte("+ ***"))
		return
	}
	if len(b) > 4096 {
		b = append(append([]byte(nil), b[:4096]...), "..."...)
	}
	b = c.maskedBytes(b)
	if end == endLiteral {
		b = append(append([]byte(nil), b...), " <literal>"...)
	}
	c.o.Trace(false, b)
}

// masked returns text from the server without the password, which some servers
// repeat in their complaints.
func (c *Conn) masked(s string) string {
	for _, secret := range c.secrets() {
		s = strings.ReplaceAll(s, secret, "***")
	}
	return s
}

func (c *Conn) maskedBytes(b []byte) []byte {
	for _, secret := range c.secrets() {
		b = bytes.ReplaceAll(b, []byte(secret), []byte("***"))
	}
	return b
}

// secrets returns the forms in which the password may come back. One or two
// letters hide nothing and would deface every line.
func (c *Conn) secrets() []string {
	var l []string
	b64 := func(b []byte) string { return base64.StdEncoding.EncodeToString(b) }
	if pass := c.o.Pass; len(pass) >= 3 {
		l = append(l, pass, strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(pass), b64(plainResponse(&c.o)), b64([]byte(pass)))
	}
	if len(c.o.Token) >= 3 {
		l = append(l, c.o.Token, b64(xoauth2Response(&c.o)), b64(bearerResponse(&c.o)), b64([]byte(c.o.Token)))
	}
	return l
}
