package imapproto

import "slices"

// command is one command from being queued to being answered.
//
//	queued ──> sending ──> sent ──> answered ──> finished
//	   │          └──────────────────^ (answered early: the rest of a literal
//	   │                                that was promised still has to go out)
//	   └── refused (cannot be sent; finishes when its turn to be answered comes)
type command struct {
	kind    kind
	name    string // for errors and the trace: "UID FETCH"
	mailbox string
	sel     *Selection // the mailbox it works on, nil if none
	encode  func(e *encoder)
	untag   func(u *untagged) bool           // data that may be its own; false = not mine
	more    func(text []byte) ([]byte, bool) // answers a continuation; false = give up ("*")
	settle  func(r *reply)                   // as soon as it is answered; r is nil if it never will be
	finish  func(r *reply, err error)        // exactly once, in order; r is nil if there was no answer
	fetch   *fetchJob                        // UID FETCH only
	list    *numberJob                       // UID SEARCH only
	selects *selectJob                       // SELECT, EXAMINE only

	tag     string
	segs    []segment
	seg     int
	done    int64 // bytes of the current segment already sent
	granted bool  // the continuation the current segment needs has come
	sent    bool
	refused error  // it was never sent
	answer  *reply // it was answered
	flight  int
}

// defaultPipeline is the largest number of commands in flight by default: no
// current server is known to mind, and a folder costs two.
const defaultPipeline = 64

// enqueue adds a command to the caller's queue.
func (c *Conn) enqueue(cmd *command) {
	if c.state == StateDead {
		cmd.finish(nil, c.lostError())
		return
	}
	c.queue = append(c.queue, cmd)
	c.wake()
}

// setup adds a command of the login sequence.
func (c *Conn) setup(cmd *command) {
	c.first = append(c.first, cmd)
	c.wake()
}

// wake tells the owner once that there may be something to take.
func (c *Conn) wake() {
	if !c.woken && c.o.Wake != nil {
		c.woken = true
		c.o.Wake()
	}
}

// next removes and returns the command to be sent now, nil if none may be.
func (c *Conn) next() *command {
	if len(c.first) > 0 {
		cmd := c.first[0]
		if c.blocked(cmd) {
			return nil
		}
		c.first[0] = nil
		c.first = c.first[1:]
		return cmd
	}
	if len(c.queue) == 0 {
		return nil
	}
	cmd := c.queue[0]
	switch c.state {
	case StateReady:
	case StateLogin:
		if !c.o.PipelineLogin || c.o.Caps == nil || c.flying[kindLogin] == 0 {
			return nil
		}
	default:
		return nil
	}
	if c.blocked(cmd) {
		return nil
	}
	c.queue[0] = nil
	c.queue = c.queue[1:]
	return cmd
}

// blocked reports whether cmd has to wait for an answer.
func (c *Conn) blocked(cmd *command) bool {
	if c.onWire >= c.depth || c.talking {
		return true
	}
	for k, n := range c.flying {
		if n > 0 && mayFollow[cmd.kind]&(1<<k) == 0 {
			return true
		}
	}
	// Until ENABLE UTF8=ACCEPT is answered nobody knows how names are written.
	return c.enablingUTF8 && cmd.mailbox != "" && !plainMailbox(cmd.mailbox)
}

// start encodes cmd and makes it the one being sent.
func (c *Conn) start(cmd *command) {
	c.inflight = append(c.inflight, cmd)
	e := encoder{caps: c.caps, utf8: c.utf8(), raw: c.rawNames}
	err := cmd.sel.usable(cmd.name)
	if err == nil {
		c.tags++
		cmd.tag = tagName(c.tags)
		e.text(cmd.tag + " ")
		cmd.encode(&e)
		e.text("\r\n")
		e.cut(false)
		err = e.err
	}
	if err != nil {
		if cmd.tag != "" {
			c.tags--
		}
		cmd.refused = err
		if cmd.settle != nil {
			cmd.settle(nil)
		}
		c.drain()
		return
	}
	cmd.segs = e.segs
	cmd.flight = c.answered + 1
	c.flights = max(c.flights, cmd.flight)
	c.flying[cmd.kind]++
	c.onWire++
	c.sending = cmd
}

// head returns the oldest unanswered command, nil if none.
func (c *Conn) head() *command {
	if len(c.inflight) == 0 {
		return nil
	}
	return c.inflight[0]
}

// drain finishes what is at the head of the queue and needs nothing more.
func (c *Conn) drain() {
	for len(c.inflight) > 0 && c.state != StateDead {
		cmd := c.inflight[0]
		switch {
		case cmd.refused != nil:
			c.pop()
			cmd.finish(nil, cmd.refused)
		case cmd.answer != nil && cmd.sent:
			c.pop()
			c.flying[cmd.kind]--
			c.onWire--
			cmd.finish(cmd.answer, c.commandError(cmd, cmd.answer))
		default:
			return
		}
	}
}

func (c *Conn) pop() {
	c.inflight[0] = nil
	c.inflight = c.inflight[1:]
}

// commandError turns a NO or BAD into an error, OK into nil. A command bound to a
// mailbox that could not be selected failed for that reason, whatever the server
// says: it may have kept the mailbox selected before.
func (c *Conn) commandError(cmd *command, r *reply) error {
	if err := cmd.sel.usable(cmd.name); err != nil {
		return err
	}
	if r.status == "OK" {
		return nil
	}
	return &CommandError{
		Command: cmd.name, Mailbox: cmd.mailbox, Status: r.status,
		Code: r.code, Arg: string(r.arg), Text: c.masked(r.text),
	}
}

// inMailbox reports whether cmd works on the selected mailbox or changes which that is.
func (cmd *command) inMailbox() bool {
	return cmd.sel != nil || cmd.selects != nil || cmd.kind == kindUnselect
}

// switches reports whether cmd changes which mailbox is selected.
func (cmd *command) switches() bool { return cmd.selects != nil || cmd.kind == kindUnselect }

func (cmd *command) unanswered() bool { return cmd.refused == nil && cmd.answer == nil }

// inSession returns the unanswered commands that work on the mailbox selected at this
// point of what the server says; a SELECT, if it is that SELECT's turn.
//
// Servers may work on several commands at once where that does no harm: Dovecot answers
// a UID SEARCH in the midst of the UID FETCH before it. So the oldest command is not
// always the one that is spoken of, but never is it one beyond the next SELECT.
func (c *Conn) inSession(yield func(*command) bool) {
	for i, cmd := range c.inflight {
		if !cmd.unanswered() || !cmd.inMailbox() {
			continue
		}
		if cmd.switches() {
			if i == 0 || !slices.ContainsFunc(c.inflight[:i], func(e *command) bool { return e.unanswered() && e.inMailbox() }) {
				yield(cmd)
			}
			return
		}
		if !yield(cmd) {
			return
		}
	}
}

// selecting returns the SELECT whose answer is coming in, nil if none.
func (c *Conn) selecting() *selectJob {
	for cmd := range c.inSession {
		return cmd.selects
	}
	return nil
}

// offer shows untagged data to the commands it may belong to, oldest first.
func (c *Conn) offer(u *untagged) bool {
	for _, cmd := range c.inflight {
		if cmd.untag != nil && cmd.unanswered() && (cmd.selects == nil || cmd.selects == c.selecting()) && cmd.untag(u) {
			return true
		}
	}
	return false
}

// tagged takes the answer to a command. Commands finish in the order they were sent,
// even if a server answers them in another; but an answer that overtakes a change of
// mailbox, or is overtaken by one, would make it a guess whose data was whose.
func (c *Conn) tagged(tag []byte, r *reply) error {
	i := slices.IndexFunc(c.inflight, func(cmd *command) bool {
		return cmd.refused == nil && cmd.tag == string(tag)
	})
	if i < 0 {
		return protoErr("answer to no command of ours", tag)
	}
	cmd := c.inflight[i]
	for _, earlier := range c.inflight[:i] {
		if earlier.unanswered() && earlier.inMailbox() && cmd.inMailbox() && (earlier.switches() || cmd.switches()) {
			return protoErr("answers overtake a change of mailbox (a pipeline depth of 1 may help)", tag)
		}
	}
	if cmd.answer != nil {
		return protoErr("command answered twice", tag)
	}
	cmd.answer = r
	c.unasked, c.fetched = 0, 0
	if cmd.settle != nil {
		cmd.settle(r)
	}
	c.answered = max(c.answered, cmd.flight)
	if c.sending == cmd && c.waiting() {
		// It was refused before its literal: the rest is not wanted.
		c.sending, cmd.sent = nil, true
	}
	c.drain()
	c.wake()
	return nil
}

// waiting reports whether the command being sent needs a continuation first.
func (c *Conn) waiting() bool {
	cmd := c.sending
	return cmd != nil && cmd.seg < len(cmd.segs) && cmd.segs[cmd.seg].sync && !cmd.granted
}

// continuation takes a line beginning with "+".
func (c *Conn) continuation(text []byte) {
	if c.waiting() {
		cmd := c.sending
		cmd.granted = true
		c.nextFlight(cmd)
		return
	}
	if n := len(c.inflight); n > 0 {
		cmd := c.inflight[n-1]
		if cmd.more == nil || !cmd.sent || cmd.answer != nil {
			return // nobody waits for it: some servers are talkative
		}
		line, ok := cmd.more(text)
		if !ok {
			line = []byte("*")
		}
		if line == nil {
			return
		}
		c.nextFlight(cmd)
		line = append(line, '\r', '\n')
		cmd.segs = append(cmd.segs, segment{text: line, secret: cmd.kind == kindLogin})
		cmd.sent, c.sending = false, cmd
		c.wake()
	}
}

func (c *Conn) nextFlight(cmd *command) {
	c.answered = max(c.answered, cmd.flight)
	cmd.flight = c.answered + 1
	c.flights = max(c.flights, cmd.flight)
	c.wake()
}

// tagName returns the n-th tag.
func tagName(n int) string {
	const digits = "0123456789"
	var b [12]byte
	i := len(b)
	for {
		i--
		b[i] = digits[n%10]
		if n /= 10; n == 0 {
			break
		}
	}
	i--
	b[i] = 'A'
	return string(b[i:])
}
