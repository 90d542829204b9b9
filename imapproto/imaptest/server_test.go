package imaptest

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// client is a test's end of a session.
type client struct {
	t    *testing.T
	srv  *Server
	sess *Session
	n    int
}

func newServer() *Server { return NewServer("joe", "secret") }

func dial(t *testing.T, srv *Server) *client {
	c := &client{t: t, srv: srv, sess: srv.NewSession()}
	c.sess.Output()
	return c
}

// login opens a session that is logged in.
func login(t *testing.T, srv *Server) *client {
	c := dial(t, srv)
	c.ok("LOGIN joe secret")
	return c
}

// do sends a command and returns the untagged lines and the tagged answer.
func (c *client) do(format string, a ...any) (untagged []string, answer string) {
	c.t.Helper()
	c.n++
	tag := fmt.Sprintf("a%d", c.n)
	c.sess.Feed([]byte(tag + " " + fmt.Sprintf(format, a...) + "\r\n"))
	lines := strings.Split(strings.TrimSuffix(string(c.sess.Output()), "\r\n"), "\r\n")
	last := lines[len(lines)-1]
	if !strings.HasPrefix(last, tag+" ") {
		return lines, ""
	}
	return lines[:len(lines)-1], last[len(tag)+1:]
}

// ok demands an OK and returns the untagged lines, joined by newlines.
func (c *client) ok(format string, a ...any) string {
	c.t.Helper()
	lines, answer := c.do(format, a...)
	if !strings.HasPrefix(answer, "OK") {
		c.t.Fatalf("%s: %q %q", fmt.Sprintf(format, a...), lines, answer)
	}
	return strings.Join(lines, "\n")
}

// want demands exactly these lines, the tagged answer last and without tag.
func (c *client) want(command string, want ...string) {
	c.t.Helper()
	lines, answer := c.do("%s", command)
	got := append(lines, answer)
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		c.t.Errorf("%s\ngot  %s\nwant %s", command, strings.Join(got, "\n     "), strings.Join(want, "\n     "))
	}
}

func body(subject string) []byte {
	return []byte("From: a@example.org\r\nSubject: " + subject + "\r\nMessage-ID: <" + subject + "@x>\r\n\r\ntext of " + subject + "\r\n")
}

func fill(srv *Server, box string, n int) {
	for i := 1; i <= n; i++ {
		srv.AddMessage(box, Message{Body: body(fmt.Sprintf("m%d", i)),
			Date: time.Date(2024, 1, i%28+1, 10, 0, 0, 0, time.UTC)})
	}
}

func TestLoginListSelectFetch(t *testing.T) {
	srv := newServer()
	srv.CreateMailbox("Sent", `\Sent`)
	fill(srv, "INBOX", 2)
	srv.SetFlags("INBOX", 2, `\Seen`, "$Forwarded")
	c := dial(t, srv)
	c.want("LOGIN joe wrong", "NO [AUTHENTICATIONFAILED] authentication failed")
	c.want("SELECT INBOX", "BAD SELECT is not allowed when not authenticated")
	c.ok("LOGIN joe secret")
	c.want(`LIST "" "*"`,
		`* LIST (\HasNoChildren) "/" INBOX`,
		`* LIST (\HasNoChildren \Sent) "/" Sent`,
		"OK mailboxes listed")
	c.want(`LIST "" "*" RETURN (SUBSCRIBED SPECIAL-USE STATUS (MESSAGES UIDNEXT UIDVALIDITY HIGHESTMODSEQ))`,
		`* LIST (\Subscribed) "/" INBOX`,
		"* STATUS INBOX (MESSAGES 2 UIDNEXT 3 UIDVALIDITY 1001 HIGHESTMODSEQ 4)",
		`* LIST (\Sent) "/" Sent`,
		"* STATUS Sent (MESSAGES 0 UIDNEXT 1 UIDVALIDITY 1002 HIGHESTMODSEQ 1)",
		"OK mailboxes listed")
	c.want("SELECT inbox",
		`* FLAGS (\Answered \Flagged \Deleted \Seen \Draft $Forwarded)`,
		`* OK [PERMANENTFLAGS (\Answered \Flagged \Deleted \Seen \Draft $Forwarded \*)] flags that last`,
		"* 2 EXISTS", "* 2 RECENT", "* OK [UNSEEN 1] first unseen",
		"* OK [UIDVALIDITY 1001] UIDs valid", "* OK [UIDNEXT 3] predicted next UID",
		"* OK [HIGHESTMODSEQ 4] highest", "* OK [MAILBOXID (F1)] mailbox id",
		"OK [READ-WRITE] selected")
	c.want("UID FETCH 1:* (FLAGS)",
		`* 1 FETCH (UID 1 FLAGS (\Recent))`,
		`* 2 FETCH (UID 2 FLAGS (\Recent \Seen $Forwarded))`, "OK fetched")
	c.want("UID FETCH 2 (UID RFC822.SIZE INTERNALDATE BODY.PEEK[]<0.4> BODY.PEEK[HEADER.FIELDS (Subject)])",
		`* 2 FETCH (UID 2 RFC822.SIZE 68 INTERNALDATE " 3-Jan-2024 10:00:00 +0000" BODY[]<0> {4}`,
		"From BODY[HEADER.FIELDS (Subject)] {15}", "Subject: m2", "", ")", "OK fetched")
	if len(srv.Complaints) > 0 {
		t.Error(srv.Complaints)
	}
}

func TestStoreExpungeAppend(t *testing.T) {
	srv := newServer()
	fill(srv, "INBOX", 3)
	c := login(t, srv)
	c.ok("SELECT INBOX")
	c.want(`UID STORE 2 +FLAGS.SILENT (\Deleted)`, "OK stored")
	c.want(`UID STORE 1,3 +FLAGS (\Seen work)`,
		`* FLAGS (\Answered \Flagged \Deleted \Seen \Draft work)`,
		`* OK [PERMANENTFLAGS (\Answered \Flagged \Deleted \Seen \Draft work \*)] flags that last`,
		`* 1 FETCH (UID 1 FLAGS (\Recent \Seen work))`,
		`* 3 FETCH (UID 3 FLAGS (\Recent \Seen work))`, "OK stored")
	c.want("UID EXPUNGE 1:2", "* 2 EXPUNGE", "OK expunged")
	c.want("APPEND INBOX (\\Flagged) \" 5-Feb-2024 01:02:03 +0100\" {5+}\r\na\r\nb\n",
		"* 3 EXISTS", "* 3 RECENT", "OK [APPENDUID 1001 4] appended")
	m := srv.Messages("INBOX")
	if len(m) != 3 || m[2].UID != 4 || string(m[2].Body) != "a\r\nb\n" || m[2].Flags[0] != `\Flagged` ||
		!m[2].Date.Equal(time.Date(2024, 2, 5, 0, 2, 3, 0, time.UTC)) {
		t.Errorf("%+v", m)
	}
}

func TestWrapping(t *testing.T) {
	srv := newServer()
	c := login(t, srv)
	c.want("COMPRESS DEFLATE", "NO compression is not available")
	var rest string
	wrap := func(s *Session, r []byte) {
		rest = string(r)
		s.Secure()
	}
	srv.OnCompress, srv.OnStartTLS = wrap, wrap
	c.sess.Feed([]byte("x COMPRESS DEFLATE\r\n\x00compressed"))
	if out := string(c.sess.Output()); out != "x OK DEFLATE active\r\n" || rest != "\x00compressed" {
		t.Errorf("%q, rest %q", out, rest)
	}
	c.want("COMPRESS DEFLATE", "NO [COMPRESSIONACTIVE] compression is active already")
	srv.Caps = srv.Caps.With("STARTTLS")
	d := dial(t, srv)
	d.sess.Feed([]byte("x STARTTLS\r\ny NOOP\r\n"))
	if out := string(d.sess.Output()); out != "x OK begin TLS negotiation now\r\n" || rest != "y NOOP\r\n" || len(srv.Complaints) != 1 {
		t.Errorf("%q, rest %q, %q", out, rest, srv.Complaints)
	}
}

func TestGreetings(t *testing.T) {
	srv := newServer()
	srv.PreAuth, srv.Greeting = true, "hello"
	if out := string(srv.NewSession().Output()); !strings.HasPrefix(out, "* PREAUTH [CAPABILITY IMAP4rev1 ") || !strings.HasSuffix(out, "] hello\r\n") {
		t.Errorf("%q", out)
	}
	srv.Refuse = "too many connections"
	s := srv.NewSession()
	if out := string(s.Output()); out != "* BYE too many connections\r\n" || !s.Closed() {
		t.Errorf("%q", out)
	}
}

func TestSnapshot(t *testing.T) {
	srv := newServer()
	fill(srv, "INBOX", 3)
	before := srv.Snapshot()
	if d := before.Diff(srv.Snapshot()); d != "" || !before.Equal(srv.Snapshot()) {
		t.Error(d)
	}
	// the same mail under other numbers
	srv.SetUIDValidity("INBOX", 9, 100)
	if before.Equal(srv.Snapshot()) || before.SameMail(srv.Snapshot()) != "" {
		t.Error(before.SameMail(srv.Snapshot()))
	}
	srv.AddMessage("INBOX", srv.Messages("INBOX")[0])
	srv.AddMessage("INBOX", Message{Body: body("m1"), Date: srv.Messages("INBOX")[0].Date})
	if d := before.SameMail(srv.Snapshot()); !strings.Contains(d, `"m1" 68 bytes`) || !strings.Contains(d, "1 times, then 2") {
		t.Error(d)
	}
	srv.SetFlags("INBOX", 101, `\Seen`)
	srv.CreateMailbox("new")
	if d := before.SameMail(srv.Snapshot()); !strings.Contains(d, `"new": there false, then true`) || !strings.Contains(d, `(\Seen)`) {
		t.Error(d)
	}
	if srv.AddMessage("INBOX", Message{UID: 5}) != 0 {
		t.Error("a UID below UIDNEXT was given")
	}
	if srv.RenameMailbox("nosuch", "x") || srv.RenameMailbox("new", "INBOX") || srv.CreateMailbox("inbox") || srv.DeleteMailbox("nosuch") {
		t.Error("an impossible change was done")
	}
}

// BenchmarkFlags is what a look at a large mailbox costs a test.
func BenchmarkFlags(b *testing.B) {
	srv := newServer()
	srv.PreAuth = true
	fill(srv, "INBOX", 50000)
	s := srv.NewSession()
	s.Feed([]byte("a SELECT INBOX\r\n"))
	for b.Loop() {
		s.Feed([]byte("b UID FETCH 1:* (FLAGS)\r\n"))
		b.SetBytes(int64(len(s.Output())))
	}
}

// BenchmarkStore changes a large mailbox message by message.
func BenchmarkStore(b *testing.B) {
	srv := newServer()
	srv.PreAuth = true
	fill(srv, "INBOX", 50000)
	s := srv.NewSession()
	s.Feed([]byte("a SELECT INBOX\r\n"))
	for n := 0; b.Loop(); n++ {
		fmt.Fprintf(feeder{s}, "b UID STORE %d +FLAGS.SILENT (k%d)\r\n", n%50000+1, n/50000)
		s.Output()
	}
}

type feeder struct{ s *Session }

func (f feeder) Write(p []byte) (int, error) {
	f.s.Feed(p)
	return len(p), nil
}
