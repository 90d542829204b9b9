package imaptest

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// syncMode says which untagged news may come with a command's answer.
type syncMode uint8

const (
	syncNone      syncMode = iota // the command gives its own picture
	syncNoExpunge                 // sequence numbers must hold (RFC 3501 section 7.4.1)
	syncAll
)

// verb is one command: where it is allowed, what it needs, what runs. run
// returns the tagged answer without tag, or "" if the answer comes later.
type verb struct {
	states []State
	need   string // capability; several separated by "|"
	sync   syncMode
	run    func(*Session, *scanner) string
}

var (
	anywhere  = []State{StateNotAuthenticated, StateAuthenticated, StateSelected}
	stranger  = []State{StateNotAuthenticated}
	loggedIn  = []State{StateAuthenticated, StateSelected}
	inMailbox = []State{StateSelected}
	verbs     map[string]verb
)

func init() {
	verbs = map[string]verb{
		"CAPABILITY":   {anywhere, "", syncAll, (*Session).cmdCapability},
		"NOOP":         {anywhere, "", syncAll, (*Session).cmdNoop},
		"LOGOUT":       {anywhere, "", syncNone, (*Session).cmdLogout},
		"ID":           {anywhere, "ID", syncNone, (*Session).cmdID},
		"STARTTLS":     {stranger, "STARTTLS", syncNone, (*Session).cmdStartTLS},
		"LOGIN":        {stranger, "", syncNone, (*Session).cmdLogin},
		"AUTHENTICATE": {stranger, "", syncNone, (*Session).cmdAuthenticate},
		"ENABLE":       {loggedIn, "ENABLE|IMAP4REV2", syncNone, (*Session).cmdEnable},
		"NAMESPACE":    {loggedIn, "NAMESPACE|IMAP4REV2", syncAll, (*Session).cmdNamespace},
		"COMPRESS":     {loggedIn, "COMPRESS=DEFLATE", syncNone, (*Session).cmdCompress},
		"LIST":         {loggedIn, "", syncAll, (*Session).cmdList},
		"LSUB":         {loggedIn, "", syncAll, (*Session).cmdLsub},
		"STATUS":       {loggedIn, "", syncAll, (*Session).cmdStatus},
		"CREATE":       {loggedIn, "", syncAll, (*Session).cmdCreate},
		"DELETE":       {loggedIn, "", syncAll, (*Session).cmdDelete},
		"RENAME":       {loggedIn, "", syncAll, (*Session).cmdRename},
		"SUBSCRIBE":    {loggedIn, "", syncAll, (*Session).cmdSubscribe},
		"UNSUBSCRIBE":  {loggedIn, "", syncAll, (*Session).cmdUnsubscribe},
		"SELECT":       {loggedIn, "", syncNone, (*Session).cmdSelect},
		"EXAMINE":      {loggedIn, "", syncNone, (*Session).cmdExamine},
		"APPEND":       {loggedIn, "", syncAll, (*Session).cmdAppend},
		"IDLE":         {loggedIn, "IDLE|IMAP4REV2", syncAll, (*Session).cmdIdle},
		"NOTIFY":       {loggedIn, "NOTIFY", syncAll, (*Session).cmdNotify},
		"CHECK":        {inMailbox, "", syncAll, (*Session).cmdCheck},
		"CLOSE":        {inMailbox, "", syncNone, (*Session).cmdClose},
		"UNSELECT":     {inMailbox, "UNSELECT|IMAP4REV2", syncNone, (*Session).cmdUnselect},
		"EXPUNGE":      {inMailbox, "", syncAll, (*Session).cmdExpunge},
		"UID EXPUNGE":  {inMailbox, "UIDPLUS|IMAP4REV2", syncAll, (*Session).cmdUIDExpunge},
		"FETCH":        {inMailbox, "", syncNoExpunge, (*Session).cmdFetch},
		"UID FETCH":    {inMailbox, "", syncAll, (*Session).cmdUIDFetch},
		"STORE":        {inMailbox, "", syncNoExpunge, (*Session).cmdStore},
		"UID STORE":    {inMailbox, "", syncAll, (*Session).cmdUIDStore},
		"SEARCH":       {inMailbox, "", syncNoExpunge, (*Session).cmdSearch},
		"UID SEARCH":   {inMailbox, "", syncAll, (*Session).cmdUIDSearch},
		"COPY":         {inMailbox, "", syncAll, (*Session).cmdCopy},
		"UID COPY":     {inMailbox, "", syncAll, (*Session).cmdUIDCopy},
		"MOVE":         {inMailbox, "MOVE|IMAP4REV2", syncAll, (*Session).cmdMove},
		"UID MOVE":     {inMailbox, "MOVE|IMAP4REV2", syncAll, (*Session).cmdUIDMove},
	}
}

// execute runs the pending command, or does to it what the faults say.
func (s *Session) execute() {
	p := s.pending
	s.pending = nil
	s.ran++
	switch p.act.Kind {
	case ActAnswer:
		s.answer(p, p.act.Text, false)
		return
	case ActBye:
		s.untagged("BYE %s", p.act.Text)
		s.shut()
		return
	case ActClose:
		s.shut()
		return
	case ActMute, ActCloseAfter:
		s.mute = true
	case ActLate:
		if s.hold < 0 {
			s.hold = s.outCount + int64(len(s.out))
		}
	}
	if f := s.srv.Faults.Before; f != nil {
		f(p.cmd)
	}
	s.srv.Log[p.entry].Executed = true
	s.srv.Log[p.entry].Orphan = s.dead
	s.waiting = p
	if result := s.dispatch(p); result != "" {
		s.conclude(result)
	}
}

// dispatch checks whether the command may run here and runs it.
func (s *Session) dispatch(p *pending) string {
	if p.args.bad != "" {
		return "BAD " + p.args.bad
	}
	if s.leave() {
		return "NO the selected mailbox is gone"
	}
	v, ok := verbs[p.cmd.Name]
	if !ok {
		return "BAD unknown command"
	}
	allowed := v.need == ""
	for _, c := range strings.Split(v.need, "|") {
		allowed = allowed || s.has(c)
	}
	if !allowed {
		s.complain("%s is not supported", p.cmd.Name)
		return "BAD unknown command"
	}
	if !slices.Contains(v.states, s.state) {
		return "BAD " + p.cmd.Name + " is not allowed when " + s.state.String()
	}
	return v.run(s, p.args)
}

// conclude ends the command in execution: news, then the tagged answer.
func (s *Session) conclude(result string) {
	p := s.waiting
	s.toldGone = false
	if v, ok := verbs[p.cmd.Name]; ok {
		s.update(v.sync)
	}
	if text, ok := strings.CutPrefix(result, "OK "); ok && s.toldGone && text[0] != '[' {
		// RFC 7162 section 3.2.8, and Dovecot in every command
		result = fmt.Sprintf("OK [HIGHESTMODSEQ %d] %s", s.highestModSeq(s.sel.box, s.sel.box.modseq), text)
	}
	s.waiting = nil
	kind := p.act.Kind
	if kind == ActAnswerAfter {
		result = p.act.Text
	}
	s.answer(p, result, kind == ActUntagged)
	s.mute = false
	if kind == ActCloseAfter {
		s.shut()
	}
	if f := s.srv.Faults.After; f != nil {
		f(p.cmd)
	}
}

func (s *Session) answer(p *pending, result string, silent bool) {
	s.srv.Log[p.entry].Result = result
	if silent {
		return
	}
	tag := p.cmd.Tag
	if tag == "" {
		tag = "*"
	}
	s.emit([]byte(tag + " " + result))
}

// untagged sends one untagged response; literals are written by literal.
func (s *Session) untagged(format string, a ...any) {
	s.emit([]byte("* " + fmt.Sprintf(format, a...)))
}

// emit puts one response into the output, as bent by the faults.
func (s *Session) emit(line []byte) {
	if s.mute || s.dead {
		return
	}
	f := &s.srv.Faults
	if f.ShyCodes {
		line = withoutText(line)
	}
	if f.Response != nil {
		if line = f.Response(s, line); line == nil {
			return
		}
	}
	s.out = append(s.out, make([]byte, f.NULs)...)
	s.out = append(append(s.out, line...), '\r', '\n')
}

// withoutText drops the text behind a response code.
func withoutText(line []byte) []byte {
	words := bytes.SplitN(line, []byte(" "), 3)
	if len(words) < 3 || len(words[2]) == 0 || words[2][0] != '[' {
		return line
	}
	switch string(words[1]) {
	case "OK", "NO", "BAD", "BYE", "PREAUTH":
		if i := bytes.IndexByte(line, ']'); i > 0 {
			return line[:i+1]
		}
	}
	return line
}

func literal(b []byte) string { return "{" + strconv.Itoa(len(b)) + "}\r\n" + string(b) }

func capList(names []string) string { return strings.Join(names, " ") }

// bad is the answer to arguments that do not parse.
func bad(c *scanner) string { return "BAD " + c.bad }
