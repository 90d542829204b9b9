package imapc

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Upload is one message to append. Body is in wire form (CRLF).
type Upload struct {
	Flags []string
	Date  time.Time // zero = the server's time
	Body  []byte
}

// Limits of one pipelined burst: the answers of a burst must fit into the
// connection's buffers while we are still writing.
const (
	burstCommands = 64
	burstMessages = 100
	burstBytes    = 4 << 20
)

// Append uploads messages in order, as many at a time as the server allows:
// MULTIAPPEND, else pipelined with LITERAL+, else one by one. It gives the
// new UIDs where the server tells them.
func (c *Client) Append(name string, msgs ...Upload) ([]uint32, error) {
	plus := c.Has("LITERAL+")
	var uids []uint32
	for len(msgs) > 0 {
		n, err := 1, error(nil)
		switch {
		case plus && c.Has("MULTIAPPEND"):
			n = burst(msgs, burstMessages)
			err = c.multi(name, msgs[:n], &uids)
		case plus:
			n = burst(msgs, burstCommands)
			err = c.pipelined(name, msgs[:n], &uids)
		default:
			err = c.single(name, msgs[0], &uids)
		}
		if err != nil {
			return uids, err
		}
		msgs = msgs[n:]
	}
	return uids, nil
}

func burst(msgs []Upload, most int) int {
	n, size := 0, 0
	for n < len(msgs) && n < most && (n == 0 || size+len(msgs[n].Body) <= burstBytes) {
		size += len(msgs[n].Body)
		n++
	}
	return n
}

// multi sends one APPEND with several messages.
func (c *Client) multi(name string, msgs []Upload, uids *[]uint32) error {
	c.deadline()
	c.tag++
	tag := "L" + strconv.Itoa(c.tag)
	fmt.Fprintf(c.w, "%s APPEND %s", tag, mailbox(name))
	c.trace("C: " + tag + " APPEND ...\n")
	for _, m := range msgs {
		c.w.WriteString(head(m, "+"))
		c.w.Write(m.Body)
	}
	c.w.WriteString("\r\n")
	if err := c.w.Flush(); err != nil {
		return fmt.Errorf("APPEND: %w", err)
	}
	return c.appended(tag, uids)
}

// pipelined sends one APPEND after another, then reads all answers.
func (c *Client) pipelined(name string, msgs []Upload, uids *[]uint32) error {
	c.deadline()
	var tags []string
	for _, m := range msgs {
		c.tag++
		tag := "L" + strconv.Itoa(c.tag)
		tags = append(tags, tag)
		c.trace("C: " + tag + " APPEND ...\n")
		c.w.WriteString(tag + " APPEND " + mailbox(name) + head(m, "+"))
		c.w.Write(m.Body)
		c.w.WriteString("\r\n")
	}
	if err := c.w.Flush(); err != nil {
		return fmt.Errorf("APPEND: %w", err)
	}
	var first error
	for _, tag := range tags {
		if err := c.appended(tag, uids); err != nil && first == nil {
			first = err
		}
	}
	return first
}

// single waits for the server's leave before the literal.
func (c *Client) single(name string, m Upload, uids *[]uint32) error {
	c.deadline()
	tag := c.send("APPEND " + mailbox(name) + head(m, ""))
	if err := c.w.Flush(); err != nil {
		return fmt.Errorf("APPEND: %w", err)
	}
	for {
		f, err := c.r.fields()
		if err != nil {
			return fmt.Errorf("APPEND: %w", err)
		}
		if at(f, 0) == "+" {
			break
		}
		if at(f, 0) == tag {
			return &Error{Command: "APPEND", Status: strings.ToUpper(at(f, 1)), Text: at(f, 2)}
		}
	}
	c.w.Write(m.Body)
	c.w.WriteString("\r\n")
	if err := c.w.Flush(); err != nil {
		return fmt.Errorf("APPEND: %w", err)
	}
	return c.appended(tag, uids)
}

// appended reads one APPEND's answer and its APPENDUID.
func (c *Client) appended(tag string, uids *[]uint32) error {
	text, err := c.wait(tag, "APPEND", nil)
	if err != nil {
		return err
	}
	arg := strings.Fields(code(text, "APPENDUID"))
	if len(arg) != 2 {
		return nil
	}
	got, err := ParseSet(arg[1])
	*uids = append(*uids, got...)
	return err
}

// head is what stands between the mailbox name (or the message before) and
// the message's octets.
func head(m Upload, plus string) string {
	var sb strings.Builder
	if len(m.Flags) > 0 {
		sb.WriteString(" (" + strings.Join(m.Flags, " ") + ")")
	}
	if !m.Date.IsZero() {
		sb.WriteString(` "` + m.Date.Format("_2-Jan-2006 15:04:05 -0700") + `"`)
	}
	fmt.Fprintf(&sb, " {%d%s}", len(m.Body), plus)
	if plus != "" {
		sb.WriteString("\r\n")
	}
	return sb.String()
}

// ParseSet reads a set of at most a million UIDs, without "*".
func ParseSet(s string) ([]uint32, error) {
	var out []uint32
	for _, part := range strings.Split(s, ",") {
		lo, hi, isRange := strings.Cut(part, ":")
		a := number(lo)
		b := a
		if isRange {
			b = number(hi)
		}
		if a == 0 || b < a || b-a > 1<<20 || len(out) > 1<<20 {
			return out, errors.New("bad UID set " + strconv.Quote(s))
		}
		for u := a; ; u++ {
			out = append(out, u)
			if u == b {
				break
			}
		}
	}
	return out, nil
}
