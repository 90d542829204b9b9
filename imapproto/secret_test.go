package imapproto

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"
	"time"
)

// TestRule10_TraceHidesThePassword: neither what is sent for the login nor what a
// server repeats of it stands in a trace or in an error.
func TestRule10_TraceHidesThePassword(t *testing.T) {
	const pass = `s3cr"et\x`
	for _, caps := range []string{"IMAP4rev1 SASL-IR AUTH=PLAIN", "IMAP4rev1 AUTH=PLAIN", "IMAP4rev1", "IMAP4rev1 LITERAL+"} {
		var trace bytes.Buffer
		var closed error
		c := NewConn(time.Time{}, Options{TLSActive: true, User: "joe", Pass: pass, Trace: func(_ bool, b []byte) { trace.Write(b); trace.WriteByte('\n') },
			Closed: func(err error) { closed = err }})
		sent := ""
		feed := func(s string) {
			c.Feed(time.Time{}, []byte(s))
			sent += string(c.Take(0))
		}
		feed("* OK [CAPABILITY " + caps + "] hi\r\n")
		for range 4 {
			if c.State() != StateDead {
				feed("+ \r\n")
			}
		}
		plain := base64.StdEncoding.EncodeToString([]byte("\x00joe\x00" + pass))
		if b := base64.StdEncoding.EncodeToString([]byte(pass)); !strings.Contains(sent, plain) && !strings.Contains(sent, b) && !strings.Contains(sent, `s3cr\"et\\x`) {
			t.Errorf("%s: the password was not sent: %q", caps, sent)
		}
		tag := sent[:strings.IndexByte(sent, ' ')]
		feed("* NO you said " + pass + " and " + plain + "\r\n" + tag + " NO wrong: " + pass + "\r\n")
		for _, text := range []string{trace.String(), c.greeting, errorText(closed)} {
			for _, secret := range []string{pass, `s3cr\"et\\x`, plain, base64.StdEncoding.EncodeToString([]byte(pass))} {
				if strings.Contains(text, secret) {
					t.Errorf("%s: %q shows the password", caps, text)
				}
			}
		}
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// TestRule10_NothingFromBeforeTLS: what was said before the handshake, by whomever,
// is forgotten: the capabilities are asked anew before anything of the login is sent.
func TestRule10_NothingFromBeforeTLS(t *testing.T) {
	c := NewConn(time.Time{}, Options{RequireTLS: true, User: "joe", Pass: "s3cret", StartTLS: func() {}})
	c.Feed(time.Time{}, []byte("* OK [CAPABILITY IMAP4rev1 STARTTLS SASL-IR AUTH=PLAIN EVIL] hi\r\n"))
	c.Take(0)
	c.Feed(time.Time{}, []byte("A1 OK go\r\n"))
	c.TLSStarted(time.Time{}, nil)
	if out := string(c.Take(0)); !strings.Contains(out, "CAPABILITY") || strings.Contains(out, "AUTHENTICATE") || c.Caps().Has("EVIL") {
		t.Errorf("sent %q, caps %v", out, c.Caps().Names())
	}
}
