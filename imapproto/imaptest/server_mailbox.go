package imaptest

import "strings"

// oneName reads the single mailbox argument of a command.
func (s *Session) oneName(c *scanner) (string, bool) {
	c.sp()
	name := s.decodeName(c.astring())
	return foldName(name), c.done()
}

func (s *Session) cmdCreate(c *scanner) string {
	c.sp()
	name := foldName(s.decodeName(c.astring()))
	var attrs []string
	if c.accept(' ') {
		c.list(func() {
			if !strings.EqualFold(c.atom(), "USE") {
				c.fail("unknown CREATE parameter")
			}
			c.sp()
			attrs = c.flags()
		})
	}
	if !c.done() {
		return bad(c)
	}
	if s.srv.Delim != "" {
		name = strings.TrimSuffix(name, s.srv.Delim)
	}
	if name == "" || s.srv.Delim != "" && (strings.HasPrefix(name, s.srv.Delim) || strings.Contains(name, s.srv.Delim+s.srv.Delim)) {
		return "NO [CANNOT] invalid mailbox name"
	}
	if !s.srv.CreateMailbox(name, attrs...) {
		return "NO [ALREADYEXISTS] mailbox exists"
	}
	if s.has("OBJECTID") {
		return "OK [MAILBOXID (" + s.srv.box(name).id + ")] created"
	}
	return "OK created"
}

func (s *Session) cmdDelete(c *scanner) string {
	name, ok := s.oneName(c)
	switch {
	case !ok:
		return bad(c)
	case name == "INBOX":
		return "NO [CANNOT] INBOX cannot be deleted"
	case s.sel != nil && s.sel.box == s.srv.box(name):
		// the client's own selection ends with the mailbox
		s.to(StateAuthenticated)
	}
	if !s.srv.DeleteMailbox(name) {
		return "NO [NONEXISTENT] mailbox does not exist"
	}
	return "OK deleted"
}

func (s *Session) cmdRename(c *scanner) string {
	c.sp()
	from := s.decodeName(c.astring())
	c.sp()
	to := s.decodeName(c.astring())
	if !c.done() {
		return bad(c)
	}
	switch {
	case s.srv.box(from) == nil && !s.srv.hasChildren(from):
		return "NO [NONEXISTENT] mailbox does not exist"
	case s.srv.box(to) != nil:
		return "NO [ALREADYEXISTS] mailbox exists"
	case !s.srv.RenameMailbox(from, to):
		return "NO [CANNOT] cannot rename"
	}
	return "OK renamed"
}

func (s *Session) cmdSubscribe(c *scanner) string {
	name, ok := s.oneName(c)
	if !ok {
		return bad(c)
	}
	s.srv.Subscribe(name, true)
	return "OK subscribed"
}

func (s *Session) cmdUnsubscribe(c *scanner) string {
	name, ok := s.oneName(c)
	if !ok {
		return bad(c)
	}
	s.srv.Subscribe(name, false)
	return "OK unsubscribed"
}
