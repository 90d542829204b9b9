package imapc

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// Mailbox is one line of LIST, with its name in UTF-8.
type Mailbox struct {
	Name  string
	Delim string // "" = no hierarchy
	Attrs []string
}

// Selectable tells whether the mailbox can hold mail.
func (m Mailbox) Selectable() bool {
	for _, a := range m.Attrs {
		if strings.EqualFold(a, `\Noselect`) || strings.EqualFold(a, `\NonExistent`) {
			return false
		}
	}
	return true
}

// Selected is what the server said about the mailbox it opened.
type Selected struct {
	Exists, UIDValidity, UIDNext uint32
	HighestModSeq                uint64
}

// Message is one message as fetched. Body is nil if it went to a sink or was
// not asked for.
type Message struct {
	UID    uint32
	Flags  []string
	Date   time.Time // INTERNALDATE
	Size   int64     // RFC822.SIZE if asked for
	ModSeq uint64
	Body   []byte
}

// List gives every mailbox.
func (c *Client) List() ([]Mailbox, error) {
	lines, err := c.Command(`LIST "" "*"`)
	if err != nil {
		return nil, err
	}
	var out []Mailbox
	for _, l := range lines {
		if len(l) < 5 || !strings.EqualFold(l[1].text, "LIST") {
			continue
		}
		m := Mailbox{Name: DecodeName(l[4].text)}
		for _, a := range l[2].list {
			m.Attrs = append(m.Attrs, a.text)
		}
		if l[3].kind == quoted {
			m.Delim = l[3].text
		}
		out = append(out, m)
	}
	return out, nil
}

// Delim is the server's hierarchy separator, asked once.
func (c *Client) Delim() (string, error) {
	if c.delim != "" {
		return c.delim, nil
	}
	lines, err := c.Command(`LIST "" ""`)
	if err != nil {
		return "", err
	}
	for _, l := range lines {
		if len(l) > 3 && strings.EqualFold(l[1].text, "LIST") {
			c.delim = l[3].text
		}
	}
	return c.delim, nil
}

// Create, Delete, Subscribe and Rename change mailboxes; names are UTF-8
// with the server's separator.
func (c *Client) Create(name string) error { return c.simple("CREATE " + mailbox(name)) }

// Delete removes a mailbox and its mail.
func (c *Client) Delete(name string) error { return c.simple("DELETE " + mailbox(name)) }

// Subscribe subscribes to a mailbox.
func (c *Client) Subscribe(name string) error { return c.simple("SUBSCRIBE " + mailbox(name)) }

// Rename moves a mailbox.
func (c *Client) Rename(from, to string) error {
	return c.simple("RENAME " + mailbox(from) + " " + mailbox(to))
}

// Noop lets the server say what is new.
func (c *Client) Noop() error { return c.simple("NOOP") }

func (c *Client) simple(line string) error {
	_, err := c.Command(line)
	return err
}

func mailbox(name string) string { return Quote(EncodeName(name)) }

// Select opens a mailbox for writing, Examine for reading only.
func (c *Client) Select(name string) (Selected, error) { return c.open("SELECT ", name) }

// Examine opens a mailbox for reading only.
func (c *Client) Examine(name string) (Selected, error) { return c.open("EXAMINE ", name) }

func (c *Client) open(verb, name string) (Selected, error) {
	var s Selected
	lines, err := c.Command(verb + mailbox(name))
	if err != nil {
		return s, err
	}
	c.mailbox = name
	for _, l := range lines {
		if len(l) < 3 {
			continue
		}
		if strings.EqualFold(l[2].text, "EXISTS") {
			s.Exists = number(l[1].text)
		}
		s.UIDValidity = max(s.UIDValidity, number(code(l[2].text, "UIDVALIDITY")))
		s.UIDNext = max(s.UIDNext, number(code(l[2].text, "UIDNEXT")))
		if m := code(l[2].text, "HIGHESTMODSEQ"); m != "" {
			s.HighestModSeq, _ = strconv.ParseUint(m, 10, 64)
		}
	}
	return s, nil
}

// Unselect leaves the mailbox without expunging; where the server cannot, it
// does nothing.
func (c *Client) Unselect() error {
	if !c.Has("UNSELECT") {
		return nil
	}
	return c.simple("UNSELECT")
}

// code finds "[NAME argument]" at the start of a response text.
func code(text, name string) string {
	inside, _, ok := strings.Cut(text, "]")
	if !ok || !strings.HasPrefix(inside, "[") {
		return ""
	}
	n, arg, _ := strings.Cut(inside[1:], " ")
	if !strings.EqualFold(n, name) {
		return ""
	}
	return arg
}

func number(s string) uint32 {
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil {
		return 0
	}
	return uint32(n)
}

// Fetch runs UID FETCH set items. Bodies go to the writer sink gives for
// them (nil sink: kept in Message.Body); each is called as messages arrive.
func (c *Client) Fetch(set, items string, sink func(size int64) io.Writer, each func(Message) error) error {
	if sink != nil {
		c.r.sink = func(item string, size int64) io.Writer {
			if strings.HasPrefix(strings.ToUpper(item), "BODY[") {
				c.deadline() // a large mailbox may take long, but bodies must keep coming
				return sink(size)
			}
			return nil
		}
		defer func() { c.r.sink = nil }()
	}
	c.deadline()
	line := "UID FETCH " + set + " " + items
	tag := c.send(line)
	if err := c.w.Flush(); err != nil {
		return fmt.Errorf("UID FETCH: %w", err)
	}
	_, err := c.wait(tag, line, func(r response) error {
		if len(r) < 4 || !strings.EqualFold(r[2].text, "FETCH") {
			return nil
		}
		m, err := message(r[3].list)
		if err != nil || m.UID == 0 {
			return err
		}
		return each(m)
	})
	return err
}

func message(items []value) (Message, error) {
	var m Message
	for i := 0; i+1 < len(items); i += 2 {
		v := items[i+1]
		switch name := strings.ToUpper(items[i].text); {
		case name == "UID":
			m.UID = number(v.text)
		case name == "FLAGS":
			for _, f := range v.list {
				m.Flags = append(m.Flags, f.text)
			}
		case name == "INTERNALDATE":
			t, err := time.Parse(dateLayout, strings.TrimSpace(v.text))
			if err != nil {
				return m, fmt.Errorf("UID %d: INTERNALDATE %q", m.UID, v.text)
			}
			m.Date = t
		case name == "RFC822.SIZE":
			m.Size = int64(number(v.text))
		case name == "MODSEQ" && len(v.list) > 0:
			m.ModSeq, _ = strconv.ParseUint(v.list[0].text, 10, 64)
		case strings.HasPrefix(name, "BODY["):
			m.Body = []byte(v.text)
		}
	}
	return m, nil
}

const dateLayout = "2-Jan-2006 15:04:05 -0700"

// UIDs lists the UIDs of the selected mailbox, ascending.
func (c *Client) UIDs() ([]uint32, error) { return c.Search("ALL") }

// Search runs UID SEARCH.
func (c *Client) Search(criteria string) ([]uint32, error) {
	lines, err := c.Command("UID SEARCH " + criteria)
	if err != nil {
		return nil, err
	}
	var out []uint32
	for _, l := range lines {
		if len(l) > 1 && strings.EqualFold(l[1].text, "SEARCH") {
			for _, v := range l[2:] {
				out = append(out, number(v.text))
			}
		}
	}
	return out, nil
}

// Store adds (op "+"), removes ("-") or replaces ("") flags of a UID set.
func (c *Client) Store(set, op string, flags ...string) error {
	return c.simple("UID STORE " + set + " " + op + "FLAGS.SILENT (" + strings.Join(flags, " ") + ")")
}

// Expunge deletes a UID set for good: marked \Deleted, then UID EXPUNGE
// (or EXPUNGE where UIDPLUS is missing).
func (c *Client) Expunge(set string) error {
	if err := c.Store(set, "+", `\Deleted`); err != nil {
		return err
	}
	if c.Has("UIDPLUS") {
		return c.simple("UID EXPUNGE " + set)
	}
	return c.simple("EXPUNGE")
}

// Set writes UIDs as a set, in ranges where they are consecutive.
func Set(uids []uint32) string {
	var sb strings.Builder
	for i := 0; i < len(uids); {
		j := i
		for j+1 < len(uids) && uids[j+1] == uids[j]+1 {
			j++
		}
		if sb.Len() > 0 {
			sb.WriteByte(',')
		}
		fmt.Fprintf(&sb, "%d", uids[i])
		if j > i {
			fmt.Fprintf(&sb, ":%d", uids[j])
		}
		i = j + 1
	}
	return sb.String()
}
