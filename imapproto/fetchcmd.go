package imapproto

import (
	"github.com/emersion/go-imap/v2"
)

// fetchJob is one UID FETCH under way.
type fetchJob struct {
	set   imap.UIDSet
	items FetchItems
	h     FetchHandler
}

// several runs one command a part of set and completes done once, with the first
// error, when the last has been answered.
func (c *Conn) several(set imap.UIDSet, one func(part imap.UIDSet) *command, done func(error)) {
	parts := splitSet(normalSet(set))
	left := len(parts)
	if left == 0 {
		// Nothing to do, but in its turn.
		c.enqueue(&command{kind: kindNoop, encode: func(e *encoder) { e.err = errNothing },
			finish: func(_ *reply, err error) {
				if err == errNothing {
					err = nil
				}
				done(err)
			}})
		return
	}
	var firstErr error
	for _, part := range parts {
		cmd := one(part)
		inner := cmd.finish
		cmd.finish = func(r *reply, err error) {
			if inner != nil {
				inner(r, err)
			}
			if firstErr == nil {
				firstErr = err
			}
			if left--; left == 0 {
				done(firstErr)
			}
		}
		c.enqueue(cmd)
	}
}

// errNothing marks a command that has no messages to work on.
var errNothing = &ArgumentError{What: "an empty set"}

// UIDFetch fetches items of the messages in set, which is split over as many
// commands as it needs; done is called once. A set of n:4294967295 is better than
// n:*, for which servers return the last message even if it is below n.
func (c *Conn) UIDFetch(sel *Selection, set imap.UIDSet, it FetchItems, h FetchHandler, done func(error)) {
	if err := c.bind("UID FETCH", sel, false); err != nil {
		done(err)
		return
	}
	c.several(set, func(part imap.UIDSet) *command {
		j := &fetchJob{set: part, items: it, h: h}
		return &command{kind: kindFetch, name: "UID FETCH", mailbox: sel.name, sel: sel, fetch: j, encode: j.encode}
	}, done)
}

func (j *fetchJob) encode(e *encoder) {
	it := &j.items
	condstore := e.caps.Has("CONDSTORE")
	e.text("UID FETCH ")
	e.set(j.set)
	e.text(" (UID")
	if it.Flags {
		e.text(" FLAGS")
	}
	if it.ModSeq && condstore {
		e.text(" MODSEQ")
	}
	if it.InternalDate {
		e.text(" INTERNALDATE")
	}
	if it.Size {
		e.text(" RFC822.SIZE")
	}
	if len(it.HeaderFields) > 0 {
		e.text(" BODY.PEEK[HEADER.FIELDS (")
		for i, f := range it.HeaderFields {
			if i > 0 {
				e.text(" ")
			}
			e.word("a header field named", f)
		}
		e.text(")]")
	}
	if it.Body { // last, so that the Sink is opened knowing all the rest
		e.text(" BODY.PEEK[]")
	}
	e.text(")")
	if it.ChangedSince > 0 && e.need("UID FETCH (CHANGEDSINCE)", "CONDSTORE") {
		e.text(" (CHANGEDSINCE ")
		e.number(it.ChangedSince)
		if it.Vanished && e.need("UID FETCH (VANISHED)", "QRESYNC") {
			e.text(" VANISHED")
		}
		e.text(")")
	}
}

// more reports whether the job asked for anything else than flags.
func (j *fetchJob) more() bool {
	return j.items.Body || j.items.InternalDate || j.items.Size || len(j.items.HeaderFields) > 0
}

// asker returns the command that a message belongs to, nil if nobody asked: of the
// fetches under way that have its UID, the one that asked for this kind of data.
// Flags alone are news, not an answer, to one that asked for more.
func (c *Conn) asker(m *Message, body, other bool) *command {
	var second *command
	for cmd := range c.inSession {
		j := cmd.fetch
		if j == nil || m.UID != 0 && !containsUID(j.set, m.UID) {
			continue
		}
		if body && j.items.Body || !body && other == j.more() {
			return cmd
		}
		if other && !body && second == nil {
			second = cmd
		}
	}
	return second
}

// beginBody finds out who wants the body that begins.
func (c *Conn) beginBody(size int64) {
	f := &c.fetch
	f.sink = nil
	if f.bodies++; f.bodies > 1 {
		return
	}
	f.m.HasBody = true
	if cmd := c.asker(&f.m, true, true); cmd != nil && cmd.sel.usable("") == nil {
		f.claimed, f.to = true, cmd.fetch.h
		f.sink = f.to.Body(&f.m, size)
	}
}

// endFetch passes on a complete FETCH response.
func (c *Conn) endFetch() {
	f := &c.fetch
	f.sink = nil
	if !c.countFetch() {
		return
	}
	if f.claimed {
		f.to.Message(&f.m)
		return
	}
	if f.m.UID != 0 && !f.m.HasBody {
		if cmd := c.asker(&f.m, false, f.other); cmd != nil {
			if cmd.sel.usable("") == nil { // else of a mailbox that we did not mean
				cmd.fetch.h.Message(&f.m)
			}
			return
		}
	}
	if j := c.selecting(); j != nil && j.own() && j.o.OnMessage != nil && j.o.QResync != nil {
		j.o.OnMessage(&f.m)
		return
	}
	if c.selected != nil {
		c.tell(Unsolicited{Kind: UnsolicitedFetch, Message: &f.m})
	}
}
