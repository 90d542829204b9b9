package imapproto

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"
)

// attacked feeds a connection what a hostile server says after the login and
// returns how it closed; not at all is nil.
func attacked(t *testing.T, opt Options, feed func(c *Conn)) error {
	t.Helper()
	var closed error
	ended := 0
	opt.Closed = func(err error) { closed = err; ended++ }
	c := NewConn(time.Time{}, opt)
	c.Feed(time.Time{}, []byte("* PREAUTH [CAPABILITY IMAP4rev1] hi\r\n"))
	c.List(ListOptions{Pattern: "*"}, func([]Mailbox, error) {})
	c.Take(0)
	feed(c)
	if ended > 1 {
		t.Errorf("the connection ended %d times", ended)
	}
	return closed
}

func refused(t *testing.T, err error) {
	t.Helper()
	var p *ProtocolError
	if !errors.As(err, &p) {
		t.Errorf("closed with %v, not as a breach of protocol", err)
	}
}

// TestHostile_EndlessLine: a line without an end is given up, and never held beyond
// the limit.
func TestHostile_EndlessLine(t *testing.T) {
	piece := bytes.Repeat([]byte("x"), 64<<10)
	for _, begin := range []string{"* OK ", "* LIST () \"/\" \"", "* LIST (", "+ ", "A1 OK ", "* 1 FETCH (FLAGS ("} {
		fed := 0
		refused(t, attacked(t, Options{TLSActive: true}, func(c *Conn) {
			c.Feed(time.Time{}, []byte(begin))
			for ; c.State() != StateDead && fed < 64<<20; fed += len(piece) {
				c.Feed(time.Time{}, piece)
				if cap(c.scan.buf) > 4*maxLine {
					t.Fatalf("%q: %d bytes are held", begin, cap(c.scan.buf))
				}
			}
		}))
		if fed > 4*maxLine {
			t.Errorf("%q: given up after %d bytes only", begin, fed)
		}
	}
}

// TestHostile_Literals: a length is a claim. What no message can have is refused,
// and nothing is allocated for the rest before it comes.
func TestHostile_Literals(t *testing.T) {
	for _, n := range []string{"9223372036854775807", "9223372036854775808", "18446744073709551615", "18446744073709551616", "99999999999999999999999", "4294967296", "-1", ""} {
		err := attacked(t, Options{TLSActive: true}, func(c *Conn) {
			c.Feed(time.Time{}, []byte("* LIST () \"/\" {"+n+"}\r\nINBOX\r\n"))
			if cap(c.scan.buf) > 4*maxLine {
				t.Errorf("{%s}: %d bytes are held", n, cap(c.scan.buf))
			}
			for i := 0; i < 64 && c.State() != StateDead; i++ {
				c.Feed(time.Time{}, make([]byte, 64<<10))
			}
		})
		if err == nil {
			t.Errorf("{%s} was believed", n)
		}
	}
}

// TestHostile_Nesting: parentheses without end are neither followed down nor kept.
func TestHostile_Nesting(t *testing.T) {
	for _, s := range []string{
		"* 1 FETCH (UID 1 BODYSTRUCTURE " + strings.Repeat("(", 100_000) + strings.Repeat(")", 100_000) + ")\r\n",
		"* LIST " + strings.Repeat("(", 100_000) + "\r\n",
		"* STATUS INBOX " + strings.Repeat("(", 100_000) + "\r\n",
	} {
		attacked(t, Options{TLSActive: true}, func(c *Conn) { c.Feed(time.Time{}, []byte(s)) }) // must only return
	}
}

// TestHostile_PreauthUnderStartTLS: a server, or somebody in between, that claims
// to be logged in already would do without TLS.
func TestHostile_PreauthUnderStartTLS(t *testing.T) {
	var closed error
	started := false
	c := NewConn(time.Time{}, Options{RequireTLS: true, User: "joe", Pass: "s3cret", StartTLS: func() { started = true }, Closed: func(err error) { closed = err }})
	c.Feed(time.Time{}, []byte("* PREAUTH [CAPABILITY IMAP4rev1 STARTTLS] welcome\r\n"))
	out := c.Take(0)
	if c.State() != StateDead || closed == nil || started {
		t.Errorf("state %v, closed with %v", c.State(), closed)
	}
	if bytes.Contains(out, []byte("s3cret")) || bytes.Contains(out, []byte("LIST")) {
		t.Errorf("sent %q", out)
	}
}

// TestHostile_NoLoginBeforeTLS: whatever is said before the handshake, neither the
// name nor the password is sent.
func TestHostile_NoLoginBeforeTLS(t *testing.T) {
	for _, feeds := range [][]string{
		{"* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR] no TLS here\r\n", "A1 OK\r\n", "A2 OK\r\n"},
		{"* OK hi\r\n", "A1 NO not today\r\n", "A2 OK\r\n"},
		{"* OK hi\r\n", "A1 BAD what\r\n"},
		{"* OK [CAPABILITY IMAP4rev1 LOGINDISABLED] hi\r\n", "* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\nA1 OK\r\n", "+ \r\n"},
		{"* OK hi\r\n", "+ go on\r\n", "+ \r\n"},
	} {
		var sent []byte
		c := NewConn(time.Time{}, Options{RequireTLS: true, User: "joejoe", Pass: "s3cret", StartTLS: func() {}})
		for _, f := range feeds {
			c.Feed(time.Time{}, []byte(f))
			sent = append(sent, c.Take(0)...)
		}
		for _, s := range []string{"s3cret", "joejoe", "LOGIN", "AUTHENTICATE"} {
			if bytes.Contains(sent, []byte(s)) {
				t.Errorf("%q: %q was sent", feeds, sent)
			}
		}
	}
}
