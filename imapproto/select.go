package imapproto

import (
	"bytes"
	"strings"

	"github.com/emersion/go-imap/v2"
)

// Selection is one selecting of a mailbox, from the moment Select is called. The
// commands that work on messages are bound to one.
//
//	asked ──> confirmed ──> over
//	  └─────> failed
type Selection struct {
	name  string
	state selectionState
}

type selectionState uint8

const (
	selectionAsked     selectionState = iota // SELECT queued or unanswered
	selectionConfirmed                       // the server answered OK
	selectionFailed                          // it did not
	selectionOver                            // another mailbox took its place, or none
)

// Name returns the mailbox's name as given to Select.
func (s *Selection) Name() string { return s.name }

// Confirmed reports whether the server has answered the SELECT with OK and the
// mailbox is, as far as is known, still the selected one.
func (s *Selection) Confirmed() bool { return s.state == selectionConfirmed }

// usable returns why a command bound to s cannot work; a nil s is no binding.
func (s *Selection) usable(command string) error {
	if s != nil && s.state == selectionFailed {
		return &NotSelectedError{Command: command, Mailbox: s.name, Reason: "the mailbox could not be selected"}
	}
	return nil
}

// QResync are the parameters of a quick resynchronisation (RFC 7162 section 3.2.5).
type QResync struct {
	UIDValidity uint32
	ModSeq      uint64
	Known       imap.UIDSet // UIDs of interest, may be nil; left out if too long for one line
}

// SelectOptions say how to select a mailbox.
type SelectOptions struct {
	ReadOnly  bool     // EXAMINE
	CondStore bool     // ask for modification sequences, where the server has CONDSTORE
	QResync   *QResync // used where the server has QRESYNC; it must have been enabled (or its ENABLE queued)

	// OnMessage is given the changed messages, OnVanished the expunged UIDs, that
	// come as part of the answer to SELECT. Both may be nil.
	OnMessage  func(*Message)
	OnVanished func(earlier bool, set imap.UIDSet)
}

// SelectData is the answer to SELECT. A number the server did not tell is 0.
type SelectData struct {
	Exists, UIDValidity, UIDNext uint32
	HighestModSeq                uint64
	NoModSeq                     bool // the mailbox has no persistent modification sequences
	ReadOnly                     bool
	NotSticky                    bool     // UIDNOTSTICKY: the UIDs do not outlast the session (RFC 4315 section 2)
	Flags, PermanentFlags        []string // PermanentFlags nil: the server did not say
	MailboxID                    string
}

// selectJob is a SELECT under way.
type selectJob struct {
	c     *Conn
	o     SelectOptions
	sel   *Selection
	data  SelectData
	begun bool // what comes now is about the new mailbox
}

// maxFlagNames bounds the flags in one FLAGS, PERMANENTFLAGS or FETCH FLAGS list.
const maxFlagNames = 4096

// Select selects a mailbox, or examines it. The Selection is returned at once, so
// that commands can be queued behind it; done tells whether it worked.
func (c *Conn) Select(name string, o SelectOptions, done func(*SelectData, error)) *Selection {
	sel := &Selection{name: name}
	j := &selectJob{c: c, o: o, sel: sel}
	c.current = sel
	cmd := &command{kind: kindSelect, name: "SELECT", mailbox: name, selects: j, encode: j.encode, untag: j.untag}
	if o.ReadOnly {
		cmd.name = "EXAMINE"
	}
	cmd.settle = j.answered
	cmd.finish = func(_ *reply, err error) {
		if err != nil {
			done(nil, err)
			return
		}
		done(&j.data, nil)
	}
	c.enqueue(cmd)
	return sel
}

// Current returns the Selection that will be in force once everything queued has
// been answered; nil if none.
func (c *Conn) Current() *Selection { return c.current }

func (j *selectJob) encode(e *encoder) {
	if j.o.ReadOnly {
		e.text("EXAMINE ")
	} else {
		e.text("SELECT ")
	}
	e.mailbox(j.sel.name)
	// One parameter at most: QRESYNC implies CONDSTORE, and there are servers
	// that do not understand two.
	switch q := j.o.QResync; {
	case q != nil && q.UIDValidity != 0 && q.ModSeq != 0 && e.caps.Has("QRESYNC"):
		e.text(" (QRESYNC (")
		e.number(uint64(q.UIDValidity))
		e.text(" ")
		e.number(q.ModSeq)
		if known := appendSet(nil, normalSet(q.Known)); len(known) > 0 && len(known) <= maxSetBytes-100 {
			e.text(" " + string(known))
		}
		e.text("))")
	case (j.o.CondStore || q != nil) && e.caps.Has("CONDSTORE"):
		e.text(" (CONDSTORE)")
	}
}

// begin notes that the mailbox selected before is out of the way.
func (j *selectJob) begin() {
	if j.begun {
		return
	}
	j.begun = true
	j.c.exists = j.data.Exists
	if old := j.c.selected; old != nil {
		old.state = selectionOver
	}
	j.c.selected = j.sel
}

// own reports whether message data belongs to the mailbox being selected rather
// than to the one before.
func (j *selectJob) own() bool { return j.begun || j.c.selected == nil }

// closedBefore takes the CLOSED code: all before it was about the old mailbox
// (RFC 7162 section 3.2.11).
func (c *Conn) closedBefore() {
	if j := c.selecting(); j != nil && !j.begun {
		j.data = SelectData{}
		j.begin()
	}
}

// untag takes the untagged parts of the answer.
func (j *selectJob) untag(u *untagged) bool {
	d := &j.data
	if u.name == "FLAGS" {
		j.begin()
		d.Flags, _ = u.args.words(maxFlagNames)
		return true
	}
	r := u.reply
	if r == nil {
		return false
	}
	switch r.code {
	case "UIDVALIDITY":
		d.UIDValidity = uint32(min(r.number(), 1<<32-1))
	case "UIDNEXT":
		d.UIDNext = uint32(min(r.number(), 1<<32-1))
	case "HIGHESTMODSEQ":
		d.HighestModSeq = r.number()
	case "NOMODSEQ":
		d.NoModSeq = true
	case "PERMANENTFLAGS":
		p := cursor{b: r.arg}
		// An empty list says that no flag is kept, which is not the same as no list.
		if ws, ok := p.words(maxFlagNames); ok {
			d.PermanentFlags = append([]string{}, ws...)
		}
	case "MAILBOXID":
		d.MailboxID = string(bytes.Trim(r.arg, "() "))
	case "UIDNOTSTICKY":
		d.NotSticky = true
	case "UNSEEN":
	default:
		return false
	}
	j.begin()
	return true
}

// answered ends the SELECT. Whatever the answer, the old selection is over.
func (j *selectJob) answered(r *reply) {
	c := j.c
	if r != nil {
		j.begin()
	}
	if r == nil || r.status != "OK" {
		j.sel.state = selectionFailed
		if c.selected == j.sel {
			c.selected = nil
		}
		if c.current == j.sel {
			c.current = nil
		}
		return
	}
	j.sel.state = selectionConfirmed
	j.data.ReadOnly = r.code == "READ-ONLY" || j.o.ReadOnly
}

// mailboxSize takes EXISTS and EXPUNGE.
func (c *Conn) mailboxSize(u *untagged) {
	if u.name == "EXISTS" {
		c.exists = max(c.exists, u.num)
		if j := c.selecting(); j != nil {
			j.data.Exists = u.num
			return
		}
		c.tell(Unsolicited{Kind: UnsolicitedExists, Num: u.num})
		return
	}
	c.tell(Unsolicited{Kind: UnsolicitedExpunge, Num: u.num})
}

// bind checks that sel is what will be selected when a command queued now gets
// there, and, for commands that change messages, that the server has confirmed it.
func (c *Conn) bind(command string, sel *Selection, mustBeConfirmed bool) error {
	e := &NotSelectedError{Command: command}
	switch {
	case c.state == StateDead:
		return c.lostError()
	case sel == nil:
		e.Reason = "no mailbox given"
		return e
	case sel.state == selectionFailed:
		return sel.usable(command)
	case sel != c.current:
		e.Reason = "another mailbox has been selected since"
	case mustBeConfirmed && sel.state != selectionConfirmed:
		e.Reason = "the server has not confirmed the selection yet"
	default:
		return nil
	}
	e.Mailbox = sel.name
	return e
}

// Unselect leaves the selected mailbox without expunging anything (RFC 3691).
// Without the UNSELECT capability it completes with *UnsupportedError.
func (c *Conn) Unselect(done func(error)) {
	if c.capsKnown() && !c.caps.Has("UNSELECT") {
		done(&UnsupportedError{Command: "UNSELECT", Capability: "UNSELECT"})
		return
	}
	c.current = nil
	c.enqueue(&command{kind: kindUnselect, name: "UNSELECT",
		encode: func(e *encoder) {
			if e.need("UNSELECT", "UNSELECT") {
				e.text("UNSELECT")
			}
		},
		settle: func(r *reply) {
			if r != nil && r.status == "OK" && c.selected != nil {
				c.selected.state = selectionOver
				c.selected = nil
			}
		},
		finish: func(_ *reply, err error) { done(err) }})
}

// capsKnown reports whether c.caps can be relied on.
func (c *Conn) capsKnown() bool { return c.capsTold || c.o.Caps != nil }

// need checks a capability; without it the command is not sent.
func (e *encoder) need(command, capability string) bool {
	if e.caps.Has(capability) {
		return true
	}
	if e.err == nil {
		e.err = &UnsupportedError{Command: command, Capability: strings.ToUpper(capability)}
	}
	return false
}
