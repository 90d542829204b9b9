package bench

import (
	"bytes"
	"fmt"
	"net"
	"strings"
	"time"

	"offloop/cmd/internal/lab/dovecot"
	"offloop/cmd/internal/lab/imapc"
)

// drain measures the other floor of a first sync: the same connection, one
// SELECT and one FETCH of everything for each folder, all sent at once, and
// whatever comes back thrown away. No program that gets the mail from this
// server by one connection can be faster.
func (x *bout) drain() {
	wall, err := x.readAll()
	if err != nil {
		x.b.logf("%s: reading alone: %v", x.label, err)
		return
	}
	x.b.runs = append(x.b.runs, Run{Workload: x.b.o.Workload, Tool: "reading alone (" + x.job.Tool.Name + ")", Phase: "initial", Repetition: x.rep, Wall: wall.Seconds()})
}

func (x *bout) readAll() (time.Duration, error) {
	c, err := x.b.dial(x.user)
	if err != nil {
		return 0, err
	}
	boxes, err := c.List()
	c.Logout()
	if err != nil {
		return 0, err
	}
	var ask strings.Builder
	fmt.Fprintf(&ask, "a LOGIN %s %s\r\n", x.user, dovecot.Password)
	for _, m := range boxes {
		if m.Selectable() {
			fmt.Fprintf(&ask, "b EXAMINE %q\r\nc UID FETCH 1:* (FLAGS BODY.PEEK[])\r\n", imapc.EncodeName(m.Name))
		}
	}
	ask.WriteString("z LOGOUT\r\n")
	addr := x.b.server.Addr()
	if x.line != nil {
		addr = x.line.Addr()
	}
	began := time.Now()
	conn, err := net.DialTimeout("tcp", addr, 10*time.Second)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	conn.SetDeadline(began.Add(x.b.o.RunTimeout))
	if _, err := conn.Write([]byte(ask.String())); err != nil {
		return 0, err
	}
	buf, end := make([]byte, 128<<10), []byte(nil)
	for {
		n, err := conn.Read(buf)
		end = append(end, buf[max(0, n-200):n]...)
		end = end[max(0, len(end)-200):]
		if bytes.Contains(end, []byte("\r\nz OK")) {
			return time.Since(began), nil
		}
		if err != nil {
			return 0, err
		}
	}
}
