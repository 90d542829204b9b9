package imaptest

import "strings"

func (s *Session) cmdIdle(c *scanner) string {
	if !c.done() {
		return bad(c)
	}
	if len(s.in) > 0 {
		s.complain("%d bytes sent behind IDLE without waiting", len(s.in))
	}
	if s.srv.Faults.BarePlus {
		s.emit([]byte("+"))
	} else {
		s.emit([]byte("+ idling"))
	}
	s.update(syncAll)
	s.mode = inIdle
	return ""
}

func (s *Session) idleLine(line []byte) {
	s.mode = inLine
	if !strings.EqualFold(string(line), "DONE") {
		s.complain("%.80q instead of DONE", line)
		s.conclude("BAD expected DONE")
		return
	}
	s.conclude("OK idle ended")
}

// notifyState is what NOTIFY (RFC 5465) asked for.
type notifyState struct {
	selected, delayed bool
	items             []fetchItem // to send with each new message of the selected mailbox
	others            bool        // some set of mailboxes besides the selected one
	subscribedOnly    bool
	messages, listing bool              // which events of the others
	modseqs           map[string]uint64 // last told, by mailbox
	names             []string          // created, deleted, renamed, (un)subscribed since
}

func (s *Session) cmdNotify(c *scanner) string {
	c.sp()
	n := notifyState{modseqs: map[string]uint64{}}
	status := false
	switch strings.ToUpper(c.atom()) {
	case "NONE":
	case "SET":
		for c.bad == "" && c.accept(' ') {
			if c.peek() != '(' {
				if !strings.EqualFold(c.atom(), "STATUS") {
					c.fail("expected STATUS")
				}
				status = true
				continue
			}
			s.notifyGroup(c, &n)
		}
	default:
		c.fail("expected SET or NONE")
	}
	if !c.done() {
		return bad(c)
	}
	s.notify = n
	for _, name := range s.notified() {
		s.notify.modseqs[name] = s.srv.box(name).modseq
		if status {
			s.tellStatus(name)
		}
	}
	return "OK notify set"
}

// notifyGroup reads "(mailboxes events)".
func (s *Session) notifyGroup(c *scanner, n *notifyState) {
	c.expect('(')
	kind := strings.ToUpper(c.atom())
	switch kind {
	case "SELECTED", "SELECTED-DELAYED":
		n.selected, n.delayed = true, kind == "SELECTED-DELAYED"
	case "PERSONAL", "INBOXES":
		n.others = true
	case "SUBSCRIBED":
		n.others, n.subscribedOnly = true, true
	case "SUBTREE", "MAILBOXES":
		n.others = true
		c.sp()
		if c.peek() == '(' {
			c.list(func() { c.astring() })
		} else {
			c.astring()
		}
	default:
		c.fail("unknown mailbox filter " + kind)
	}
	c.sp()
	if c.peek() != '(' {
		if !strings.EqualFold(c.atom(), "NONE") {
			c.fail("expected events")
		}
	} else {
		c.list(func() { s.notifyEvent(c, n, strings.HasPrefix(kind, "SELECTED")) })
	}
	c.expect(')')
}

func (s *Session) notifyEvent(c *scanner, n *notifyState, selected bool) {
	switch e := strings.ToUpper(c.atom()); e {
	case "MESSAGENEW":
		if c.peek() == ' ' && c.p+1 < len(c.segs[c.i].text) && c.segs[c.i].text[c.p+1] == '(' {
			c.sp()
			n.items = s.fetchItems(c)
			if !hasItem(n.items, "UID") {
				n.items = append([]fetchItem{{name: "UID"}}, n.items...)
			}
		}
		n.messages = n.messages || !selected
	case "MESSAGEEXPUNGE", "FLAGCHANGE":
		n.messages = n.messages || !selected
	case "MAILBOXNAME", "SUBSCRIPTIONCHANGE":
		n.listing = true
	case "ANNOTATIONCHANGE", "MAILBOXMETADATACHANGE", "SERVERMETADATACHANGE":
	default:
		c.fail("unknown event " + e)
	}
}

// notified lists the mailboxes to be told about, without the selected one.
func (s *Session) notified() []string {
	if !s.notify.others || !s.notify.messages {
		return nil
	}
	var out []string
	for _, name := range s.srv.Mailboxes() {
		if name != s.Selected() && (!s.notify.subscribedOnly || s.srv.subscribed[name]) {
			out = append(out, name)
		}
	}
	return out
}

// push sends the news a session has asked to be told unasked. It is called
// whenever the client's side looks for output.
func (s *Session) push() {
	names := s.notify.names
	s.notify.names = nil
	if s.dead || s.closing || s.frozen {
		return
	}
	idle := s.mode == inIdle
	// a command under way must not be interrupted by EXPUNGE
	quiet := s.waiting == nil && s.pending == nil
	if idle || s.notify.selected && quiet && !s.notify.delayed {
		s.update(syncAll)
	} else if s.notify.selected && quiet {
		s.update(syncNoExpunge)
	}
	if s.closing || !idle && !quiet {
		return
	}
	if s.notify.listing {
		s.pushNames(names)
	}
	for _, name := range s.notified() {
		if b := s.srv.box(name); b.modseq != s.notify.modseqs[name] {
			s.notify.modseqs[name] = b.modseq
			s.tellStatus(name)
		}
	}
}

func (s *Session) pushNames(names []string) {
	told := map[string]bool{}
	for _, name := range names {
		if told[name] {
			continue
		}
		told[name] = true
		attrs, _ := s.attrs(name, listing{extended: true, retSubscribed: true, retChildren: true})
		s.untagged(`LIST (%s) "%s" %s`, strings.Join(attrs, " "), s.srv.Delim, s.wireName(name))
	}
}

func (s *Session) tellStatus(name string) {
	items := []string{"MESSAGES", "UIDNEXT", "UIDVALIDITY"}
	if s.has("CONDSTORE") {
		items = append(items, "HIGHESTMODSEQ")
	}
	if line, err := s.statusLine(name, items); err == "" {
		s.untagged("%s", line)
	}
}
