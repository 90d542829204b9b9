package imapproto

import (
	"slices"
	"strings"
)

// Mailbox is one line of LIST.
type Mailbox struct {
	Name   string   // UTF-8; INBOX in capitals; the wire form if that cannot be decoded
	Raw    string   // as the server wrote it
	Delim  string   // hierarchy delimiter, "" = none
	Attrs  []string // as the server wrote them: \HasNoChildren, \Sent
	Status *Status  // with ListOptions.Status, if the server told it
}

// HasAttr reports whether m has an attribute, compared without regard to case.
func (m Mailbox) HasAttr(a string) bool {
	return slices.ContainsFunc(m.Attrs, func(b string) bool { return strings.EqualFold(a, b) })
}

// ListOptions say what to list. What the server has no extension for is left out.
type ListOptions struct {
	Ref, Pattern   string   // UTF-8; Pattern "" means "*"
	Subscribed     bool     // mark the subscribed ones (\Subscribed); needs LIST-EXTENDED
	SubscribedOnly bool     // list only those; LSUB where LIST-EXTENDED is missing
	SpecialUse     bool     // mark special uses (RFC 6154)
	Children       bool     // mark children (RFC 3348)
	Status         []string // STATUS items to come along; needs LIST-STATUS
}

const (
	maxMailboxes = 1 << 17
	maxAttrs     = 64
	maxRawNames  = 1 << 16
)

// listJob is a LIST under way.
type listJob struct {
	boxes  []Mailbox
	byName map[string]int // by Raw; built when a STATUS does not follow its LIST
}

// List lists mailboxes.
func (c *Conn) List(o ListOptions, done func([]Mailbox, error)) {
	j := &listJob{}
	cmd := &command{kind: kindList, name: "LIST", mailbox: ""}
	cmd.encode = func(e *encoder) { o.encode(e) }
	cmd.untag = func(u *untagged) bool { return j.take(c, u) }
	cmd.finish = func(_ *reply, err error) { done(j.boxes, err) }
	c.enqueue(cmd)
}

func (o *ListOptions) encode(e *encoder) {
	extended := e.caps.Has("LIST-EXTENDED")
	switch {
	case o.SubscribedOnly && !extended:
		e.text("LSUB ")
	case o.SubscribedOnly:
		e.text("LIST (SUBSCRIBED) ")
	default:
		e.text("LIST ")
	}
	e.str(e.wireName(o.Ref))
	e.text(" ")
	pattern := o.Pattern
	if pattern == "" {
		pattern = "*"
	}
	e.str(e.wireName(pattern))
	if !extended {
		return
	}
	sep := " RETURN ("
	option := func(s string) {
		e.text(sep + s)
		sep = " "
	}
	if o.Subscribed {
		option("SUBSCRIBED")
	}
	if o.Children {
		option("CHILDREN")
	}
	if o.SpecialUse && e.caps.Has("SPECIAL-USE") {
		option("SPECIAL-USE")
	}
	if items := statusItems(e.caps, o.Status); len(items) > 0 && e.caps.Has("LIST-STATUS") {
		option("STATUS ")
		e.items(items)
	}
	if sep == " " {
		e.text(")")
	}
}

// take files a LIST, LSUB or STATUS line.
func (j *listJob) take(c *Conn, u *untagged) bool {
	switch u.name {
	case "LIST", "LSUB", "XLIST":
		m, ok := c.parseList(u.args)
		if !ok {
			return false
		}
		if len(j.boxes) == maxMailboxes {
			c.fail(protoErr("more mailboxes than anybody has", nil)) // a part of them would look like all
			return true
		}
		j.boxes = append(j.boxes, m)
		if j.byName != nil {
			j.byName[m.Raw] = len(j.boxes) - 1
		}
		return true
	case "STATUS":
		m, ok := c.parseStatus(u.args)
		if !ok || len(j.boxes) == 0 {
			return false
		}
		i := len(j.boxes) - 1
		if j.boxes[i].Raw != m.Raw && !strings.EqualFold(m.Name, "INBOX") {
			i, ok = j.find(m.Raw)
		} else if j.boxes[i].Name != m.Name {
			i = slices.IndexFunc(j.boxes, func(b Mailbox) bool { return b.Name == m.Name })
			ok = i >= 0
		}
		if ok {
			j.boxes[i].Status = m.Status
		}
		return ok
	}
	return false
}

func (j *listJob) find(raw string) (int, bool) {
	if j.byName == nil {
		j.byName = make(map[string]int, len(j.boxes))
		for i, b := range j.boxes {
			j.byName[b.Raw] = i
		}
	}
	i, ok := j.byName[raw]
	return i, ok
}

// listed takes LIST, LSUB and STATUS lines.
func (c *Conn) listed(u *untagged, line []byte) error {
	if c.offer(u) {
		return nil
	}
	parse, kind := c.parseList, UnsolicitedList
	if u.name == "STATUS" {
		parse, kind = c.parseStatus, UnsolicitedStatus
	}
	m, ok := parse(u.args)
	if !ok {
		return protoErr(u.name+" response", line)
	}
	c.tell(Unsolicited{Kind: kind, Mailbox: m})
	return nil
}

// parseList reads "(\attrs) "/" name ...".
func (c *Conn) parseList(p cursor) (m Mailbox, ok bool) {
	if m.Attrs, ok = p.words(maxAttrs); !ok {
		return m, false
	}
	p.space()
	if m.Delim, _, ok = p.str(); !ok { // NIL leaves it empty
		return m, false
	}
	p.space()
	ok = c.mailboxName(&p, &m)
	return m, ok
}

// mailboxName reads a mailbox name. An unquoted one may have parentheses in it and,
// on Exchange, tabs; it ends at a space.
func (c *Conn) mailboxName(p *cursor, m *Mailbox) bool {
	var ok bool
	if len(p.b) > 0 && (p.b[0] == '"' || p.b[0] == '{' || p.b[0] == '~') {
		if m.Raw, _, ok = p.str(); !ok {
			return false
		}
	} else {
		w := word(p.b)
		m.Raw, p.b = string(w), p.b[len(w):]
	}
	m.Name, ok = m.Raw, true
	if !c.utf8() {
		if m.Name, ok = DecodeMailbox(m.Raw); !ok {
			m.Name = m.Raw
		}
	}
	if strings.EqualFold(m.Name, "INBOX") {
		m.Name = "INBOX"
	} else if !ok && len(c.rawNames) < maxRawNames {
		// The encoding of this name would be another name: remember.
		if c.rawNames == nil {
			c.rawNames = make(map[string]string)
		}
		c.rawNames[m.Name] = m.Raw
	}
	return true
}

// Namespace is one entry of a NAMESPACE response.
type Namespace struct {
	Prefix string // UTF-8
	Delim  string // "" = flat
}

// Namespaces are the answer to NAMESPACE (RFC 2342).
type Namespaces struct {
	Personal, Other, Shared []Namespace
}

// Namespace asks for the namespaces; *UnsupportedError without the capability.
func (c *Conn) Namespace(done func(Namespaces, error)) {
	var ns Namespaces
	c.enqueue(&command{kind: kindNamespace, name: "NAMESPACE",
		encode: func(e *encoder) {
			if e.need("NAMESPACE", "NAMESPACE") {
				e.text("NAMESPACE")
			}
		},
		untag: func(u *untagged) bool {
			if u.name != "NAMESPACE" {
				return false
			}
			p := u.args
			for _, list := range []*[]Namespace{&ns.Personal, &ns.Other, &ns.Shared} {
				if !c.parseNamespaces(&p, list) {
					break
				}
			}
			return true
		},
		finish: func(_ *reply, err error) { done(ns, err) },
	})
}

// parseNamespaces reads "NIL" or "(("prefix" "/" extensions...) ...)".
func (c *Conn) parseNamespaces(p *cursor, list *[]Namespace) bool {
	p.space()
	if !p.byte('(') {
		_, isNil, _ := p.str()
		return isNil
	}
	for {
		p.space()
		if p.byte(')') {
			return true
		}
		if !p.byte('(') || len(*list) == maxAttrs {
			return false
		}
		var m Mailbox
		raw, _, ok := p.str()
		if !ok {
			return false
		}
		if m.Name, ok = DecodeMailbox(raw); !ok || c.utf8() {
			m.Name = raw
		}
		p.space()
		delim, _, ok := p.str()
		if !ok {
			return false
		}
		for p.space(); !p.byte(')'); p.space() {
			if !p.skip() {
				return false
			}
		}
		*list = append(*list, Namespace{Prefix: m.Name, Delim: delim})
	}
}
