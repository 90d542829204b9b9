package imapproto

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestNextMechanism: what is tried after a refusal, and that a wrong password is not
// sent once for each mechanism.
func TestNextMechanism(t *testing.T) {
	const (
		wrong = "NO [AUTHENTICATIONFAILED] no"
		plain = "NO no"
	)
	all := []string{"XOAUTH2", "OAUTHBEARER", "SCRAM-SHA-256", "CRAM-MD5", "PLAIN", "LOGIN"}
	for _, x := range []struct {
		name    string
		wanted  []string
		token   string
		caps    []string
		answers []string
		tried   string
		ok      bool
	}{
		{name: "the first is taken", wanted: all, answers: []string{"OK"}, tried: "SCRAM-SHA-256"},
		{name: "a challenge refused, the password good", wanted: all, answers: []string{wrong, "OK in"}, tried: "SCRAM-SHA-256 PLAIN", ok: true},
		{name: "the password wrong", wanted: all, answers: []string{wrong, wrong}, tried: "SCRAM-SHA-256 PLAIN"},
		{name: "no code: two tries in all", wanted: all, answers: []string{plain, plain}, tried: "SCRAM-SHA-256 PLAIN"},
		{name: "PLAIN refused with a code", wanted: []string{"PLAIN", "LOGIN"}, answers: []string{wrong}, tried: "PLAIN"},
		{name: "PLAIN refused without", wanted: []string{"PLAIN", "LOGIN"}, answers: []string{plain, "OK in"}, tried: "PLAIN LOGIN", ok: true},
		{name: "by default as well", answers: []string{plain, "OK in"}, tried: "PLAIN LOGIN", ok: true},
		{name: "the command not known", wanted: all, answers: []string{"BAD what", "BAD what", "BAD what", "OK in"}, tried: "SCRAM-SHA-256 CRAM-MD5 PLAIN LOGIN", ok: true},
		{name: "a token, then the password", wanted: all, token: "tok", answers: []string{plain, wrong, "OK in"}, tried: "XOAUTH2 SCRAM-SHA-256 PLAIN", ok: true},
		{name: "tokens only", wanted: []string{"XOAUTH2", "OAUTHBEARER"}, token: "tok", answers: []string{plain}, tried: "XOAUTH2"},
		{name: "too many logins", wanted: all, answers: []string{"NO [LIMIT] later"}, tried: "SCRAM-SHA-256"},
		{name: "it hangs up", wanted: all, answers: []string{wrong, ""}, tried: "SCRAM-SHA-256 PLAIN"},
		{name: "a login sent ahead", wanted: all, caps: []string{"IMAP4REV1", "SASL-IR", "AUTH=CRAM-MD5", "AUTH=PLAIN"}, answers: []string{wrong}, tried: "SCRAM-SHA-256"},
	} {
		t.Run(x.name, func(t *testing.T) {
			var closed error
			ready := ""
			c := NewConn(time.Time{}, Options{TLSActive: true, User: "joe", Pass: "s3cret", Token: x.token, Mechanisms: x.wanted, Caps: x.caps, Nonce: func() string { return "n" },
				Ready: func(i Info) { ready = i.Mechanism }, Closed: func(err error) { closed = err }})
			c.Feed(time.Time{}, []byte("* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=XOAUTH2 AUTH=OAUTHBEARER AUTH=SCRAM-SHA-256 AUTH=CRAM-MD5 AUTH=PLAIN] hi\r\n"))
			var tried []string
			for _, a := range x.answers {
				tag, name := lastLogin(t, c.Take(0))
				tried = append(tried, name)
				if a == "" {
					c.Feed(time.Time{}, []byte("* BYE enough\r\n"))
					c.Lost(errors.New("end of file"))
					break
				}
				c.Feed(time.Time{}, fmt.Appendf(nil, "%s %s\r\n", tag, strings.Replace(a, "OK in", "OK [CAPABILITY IMAP4rev1] in", 1)))
			}
			rest := c.Take(0)
			if got := strings.Join(tried, " "); got != x.tried || bytes.Contains(rest, []byte("AUTHENTICATE")) || bytes.Contains(rest, []byte("LOGIN")) {
				t.Errorf("tried %s and then %q; want %s", got, rest, x.tried)
			}
			var auth *AuthError
			switch {
			case x.ok && (ready != tried[len(tried)-1] || closed != nil):
				t.Errorf("logged in with %q, %v", ready, closed)
			case !x.ok && x.answers[0] != "OK" && (!errors.As(closed, &auth) || ready != ""):
				t.Errorf("closed with %v, ready %q", closed, ready)
			}
		})
	}
}

// lastLogin is the tag and the mechanism of the login in what was sent.
func lastLogin(t *testing.T, sent []byte) (tag, name string) {
	t.Helper()
	for line := range strings.Lines(string(sent)) {
		switch w := strings.Fields(line); {
		case len(w) > 1 && w[1] == "LOGIN":
			return w[0], "LOGIN"
		case len(w) > 2 && w[1] == "AUTHENTICATE":
			return w[0], w[2]
		}
	}
	t.Fatalf("no login in %q", sent)
	return "", ""
}

// TestNoPasswordInClear: no refusal leads to a mechanism on a line without
// encryption.
func TestNoPasswordInClear(t *testing.T) {
	c := NewConn(time.Time{}, Options{User: "joe", Pass: "s3cret", Mechanisms: []string{"CRAM-MD5", "PLAIN", "LOGIN"}})
	c.Feed(time.Time{}, []byte("* OK [CAPABILITY IMAP4rev1 AUTH=CRAM-MD5 AUTH=PLAIN] hi\r\n"))
	if out := c.Take(0); len(out) > 0 || c.State() != StateDead {
		t.Errorf("sent %q, state %v", out, c.State())
	}
}
