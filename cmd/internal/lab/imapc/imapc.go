// Package imapc is a small blocking IMAP client for the lab: it fills
// servers, changes them behind a synchroniser's back, and reads them back to
// compare. It is written apart from the program under test, so that the two
// cannot share a mistake. Everything is bounded in time.
package imapc

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"
)

// Options say how to connect.
type Options struct {
	User, Pass string
	TLS        *tls.Config // implicit TLS, or with StartTLS the upgrade
	StartTLS   bool
	Timeout    time.Duration // for each command; default 60 s
	Trace      io.Writer     // lines sent (C:) and, raw, bytes received
}

// Client is one logged-in connection. It is not for concurrent use.
type Client struct {
	conn    net.Conn
	w       *bufio.Writer
	r       responseReader
	o       Options
	tag     int
	caps    map[string]bool
	delim   string
	mailbox string
}

// Error is a command the server refused.
type Error struct {
	Command string
	Status  string // NO or BAD
	Text    string
}

func (e *Error) Error() string {
	return fmt.Sprintf("server refused %s: %s %s", e.Command, e.Status, e.Text)
}

// Dial connects to host:port and logs in.
func Dial(addr string, o Options) (*Client, error) {
	if o.Timeout == 0 {
		o.Timeout = time.Minute
	}
	d := net.Dialer{Timeout: o.Timeout}
	conn, err := d.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	if o.TLS != nil && !o.StartTLS {
		conn = tls.Client(conn, o.TLS)
	}
	return Attach(conn, o)
}

// Attach speaks on a connection that exists, reading the greeting first.
func Attach(conn net.Conn, o Options) (*Client, error) {
	if o.Timeout == 0 {
		o.Timeout = time.Minute
	}
	c := &Client{o: o}
	c.use(conn)
	if err := c.begin(); err != nil {
		conn.Close()
		return nil, err
	}
	return c, nil
}

func (c *Client) use(conn net.Conn) {
	c.conn = conn
	c.w = bufio.NewWriterSize(conn, 64<<10)
	var in io.Reader = conn
	if c.o.Trace != nil {
		in = io.TeeReader(conn, c.o.Trace)
	}
	c.r.br = bufio.NewReaderSize(in, 64<<10)
}

// begin goes from the greeting to the logged-in state.
func (c *Client) begin() error {
	c.deadline()
	greeting, err := c.r.fields()
	if err != nil {
		return fmt.Errorf("greeting: %w", err)
	}
	status := strings.ToUpper(at(greeting, 1))
	if status != "OK" && status != "PREAUTH" {
		return fmt.Errorf("greeting: %s %s", status, at(greeting, 2))
	}
	if c.o.StartTLS {
		if _, err := c.Command("STARTTLS"); err != nil {
			return err
		}
		t := tls.Client(c.conn, c.o.TLS)
		if err := t.Handshake(); err != nil {
			return fmt.Errorf("TLS handshake: %w", err)
		}
		c.use(t)
	}
	if status != "PREAUTH" {
		if _, err := c.Command("LOGIN " + Quote(c.o.User) + " " + Quote(c.o.Pass)); err != nil {
			return err
		}
	}
	lines, err := c.Command("CAPABILITY")
	if err != nil {
		return err
	}
	c.caps = map[string]bool{}
	for _, l := range lines {
		if len(l) > 1 && strings.EqualFold(l[1].text, "CAPABILITY") {
			for _, v := range l[2:] {
				c.caps[strings.ToUpper(v.text)] = true
			}
		}
	}
	return nil
}

// Has tells whether the server advertises a capability after login.
func (c *Client) Has(capability string) bool { return c.caps[strings.ToUpper(capability)] }

// Capabilities lists what is advertised after login, in no order.
func (c *Client) Capabilities() []string {
	var out []string
	for k := range c.caps {
		out = append(out, k)
	}
	return out
}

// Response is one untagged response, without the "*".
type response = []value

// Command sends one command line and reads up to its answer. The untagged
// responses on the way are returned; use the typed methods to read them.
func (c *Client) Command(line string) ([]response, error) {
	c.deadline()
	tag := c.send(line)
	if err := c.w.Flush(); err != nil {
		return nil, fmt.Errorf("%s: %w", verb(line), err)
	}
	var lines []response
	_, err := c.wait(tag, line, func(r response) error { lines = append(lines, r); return nil })
	return lines, err
}

// send queues a command and gives its tag.
func (c *Client) send(line string) string {
	c.tag++
	tag := "L" + strconv.Itoa(c.tag)
	c.trace("C: " + tag + " " + line + "\n")
	c.w.WriteString(tag + " " + line + "\r\n")
	return tag
}

func (c *Client) trace(s string) {
	if c.o.Trace != nil {
		io.WriteString(c.o.Trace, s)
	}
}

// wait reads responses until the one with the tag, whose text is returned.
func (c *Client) wait(tag, line string, untagged func(response) error) (string, error) {
	var failed error
	for {
		f, err := c.r.fields()
		if err != nil {
			return "", fmt.Errorf("%s: %w", verb(line), err)
		}
		switch {
		case len(f) == 0:
		case f[0].text == tag:
			if s := strings.ToUpper(at(f, 1)); s != "OK" {
				return at(f, 2), &Error{Command: verb(line), Status: s, Text: at(f, 2)}
			}
			return at(f, 2), failed
		case f[0].text == "*" && strings.EqualFold(at(f, 1), "BYE") && verb(line) != "LOGOUT":
			return "", fmt.Errorf("%s: server says BYE %s", verb(line), at(f, 2))
		case f[0].text == "*" && untagged != nil && failed == nil:
			failed = untagged(f)
		}
	}
}

func (c *Client) deadline() { c.conn.SetDeadline(time.Now().Add(c.o.Timeout)) }

// Close drops the connection at once.
func (c *Client) Close() error { return c.conn.Close() }

// Logout ends the session properly.
func (c *Client) Logout() error {
	_, err := c.Command("LOGOUT")
	c.conn.Close()
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// Quote makes a quoted string of plain text (no CR, LF or NUL).
func Quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

// verb is a command's name, with UID's second word and without arguments
// that may be secret.
func verb(line string) string {
	w := strings.Fields(line)
	if len(w) == 0 {
		return ""
	}
	if w[0] == "UID" && len(w) > 1 {
		return "UID " + w[1]
	}
	return w[0]
}

func at(v []value, i int) string {
	if i < len(v) {
		return v[i].text
	}
	return ""
}
