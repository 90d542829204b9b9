package imaptest

import (
	"bytes"
	"strconv"
	"strings"
)

// inMode says what the next bytes from the client are.
type inMode uint8

const (
	inLine    inMode = iota // a command line, or its continuation after a literal
	inLiteral               // the bytes of a literal
	inSASL                  // one line of an authentication exchange
	inIdle                  // DONE
)

// segment is a piece of a command: text, or the bytes of a literal.
type segment struct {
	text    []byte
	literal bool
}

// pending is a complete command and what is to become of it.
type pending struct {
	cmd      Command
	args     *scanner
	act      Act
	released bool
	entry    int // index in Server.Log
}

func (p *pending) held() bool { return p.act.Kind == ActHold && !p.released }

const (
	maxLine    = 64 << 10
	maxLiteral = 128 << 20
)

// step makes one move: execute, or read one line or literal. False: there is
// nothing to do before more bytes come or something is released.
func (s *Session) step(execute bool) bool {
	if s.pending != nil {
		if !execute || s.pending.held() {
			return false
		}
		s.execute()
		return true
	}
	if s.mode == inLiteral {
		return s.readLiteral()
	}
	i := bytes.IndexByte(s.in, '\n')
	if i < 0 {
		if len(s.in) > 2*maxLine {
			s.untagged("BYE command line too long")
			s.shut()
		}
		return false
	}
	line := s.in[:i]
	s.in = s.in[i+1:]
	if k := len(line) - 1; k >= 0 && line[k] == '\r' {
		line = line[:k]
	} else {
		s.complain("line ends in bare LF: %.80q", line)
	}
	switch s.mode {
	case inSASL:
		s.saslLine(line)
	case inIdle:
		s.idleLine(line)
	default:
		s.readLine(line)
	}
	return true
}

// readLine takes one line of a command: it is complete, or a literal follows.
func (s *Session) readLine(line []byte) {
	size, sync, eight, rest, isLiteral := literalAt(line)
	s.line = append(s.line, segment{text: bytes.Clone(rest)})
	limit := maxLine
	if s.srv.Faults.LineLimit > 0 {
		limit = s.srv.Faults.LineLimit
	}
	if len(line) > limit {
		s.refuse("BAD command line too long")
	}
	if !isLiteral {
		s.complete()
		return
	}
	s.utf8Lit = eight
	if !sync {
		s.acceptUnasked(size)
		return
	}
	if answer := s.refuseLiteral(size); answer != "" {
		p := s.begin()
		s.line, s.begun, s.refusal, s.pending = nil, nil, "", nil
		s.answer(p, answer, false)
		return
	}
	if len(s.in) > 0 {
		s.complain("%d bytes sent behind a synchronising literal without waiting", len(s.in))
	}
	s.literal, s.mode = size, inLiteral
	if s.srv.Faults.BarePlus {
		s.emit([]byte("+"))
	} else {
		s.emit([]byte("+ OK"))
	}
}

// acceptUnasked is a non-synchronising literal (RFC 7888): its bytes come
// whatever the server thinks of them.
func (s *Session) acceptUnasked(size int64) {
	s.literal, s.mode = size, inLiteral
	switch {
	case s.has("LITERAL+"):
	case s.has("LITERAL-") && size <= 4096:
	case s.has("LITERAL-"):
		s.complain("non-synchronising literal of %d bytes under LITERAL-", size)
		s.refuse("BAD [TOOBIG] literal- is limited to 4096 bytes")
	default:
		s.complain("non-synchronising literal without LITERAL+")
		s.refuse("BAD non-synchronising literals are not supported")
	}
	if size > maxLiteral {
		s.refuse("NO [TOOBIG] literal too large")
	}
	s.swallow = s.refusal != ""
}

func (s *Session) refuse(answer string) {
	if s.refusal == "" {
		s.refusal = answer
	}
}

// refuseLiteral decides whether a synchronising literal is declined; "" = send it.
func (s *Session) refuseLiteral(size int64) string {
	if s.refusal != "" {
		return s.refusal
	}
	if size > maxLiteral {
		return "NO [TOOBIG] literal too large"
	}
	p := s.begin()
	if p.act.Kind == ActAnswer && p.act.Early {
		return p.act.Text
	}
	if p.cmd.Name != "APPEND" || s.srv.Faults.NoContinuationCheck || p.act.Kind != ActPass {
		return ""
	}
	if limit := s.appendLimit(); limit > 0 && size > limit {
		return "NO [TOOBIG] message is larger than the server allows"
	}
	if s.state != StateNotAuthenticated && s.srv.box(p.cmd.Mailbox) == nil {
		return "NO [TRYCREATE] mailbox does not exist"
	}
	return ""
}

func (s *Session) appendLimit() int64 {
	for _, n := range s.srv.Caps.names {
		if v, ok := strings.CutPrefix(n, "APPENDLIMIT="); ok {
			limit, _ := strconv.ParseInt(v, 10, 64)
			return limit
		}
	}
	return 0
}

func (s *Session) readLiteral() bool {
	if s.swallow {
		n := min(int64(len(s.in)), s.literal)
		s.in = s.in[n:]
		s.literal -= n
		if s.literal > 0 {
			return false
		}
	} else if int64(len(s.in)) < s.literal {
		return false
	}
	s.line = append(s.line, segment{text: bytes.Clone(s.in[:s.literal]), literal: true})
	s.in = s.in[s.literal:]
	s.literal, s.mode, s.swallow = 0, inLine, false
	return true
}

// complete hands the assembled command over for execution.
func (s *Session) complete() {
	if len(s.line) == 1 && len(s.line[0].text) == 0 {
		s.line = nil
		return
	}
	p := s.begin()
	p.args.segs = s.line
	line, refusal := s.line, s.refusal
	s.line, s.begun, s.refusal = nil, nil, ""
	p.cmd.Line = printable(p.cmd.Name, line)
	s.srv.Log[p.entry].Line = p.cmd.Line
	if refusal != "" && p.act.Kind == ActPass {
		p.act = Act{Kind: ActAnswer, Text: refusal}
	}
	s.pending = p
}

// begin numbers the command being assembled and asks the faults for its fate,
// once, when its first line is there.
func (s *Session) begin() *pending {
	if s.begun != nil {
		return s.begun
	}
	sc := &scanner{segs: s.line}
	s.srv.commands++
	p := &pending{args: sc, entry: len(s.srv.Log)}
	p.cmd = Command{N: s.srv.commands, Session: s.num, Tag: sc.tag()}
	sc.sp()
	p.cmd.Name = strings.ToUpper(sc.atom())
	if p.cmd.Name == "UID" {
		sc.sp()
		p.cmd.Name += " " + strings.ToUpper(sc.atom())
	}
	p.cmd.Line = printable(p.cmd.Name, s.line)
	p.cmd.Mailbox = s.named(p.cmd.Name, *sc)
	p.act = s.srv.Faults.act(p.cmd)
	s.srv.Log = append(s.srv.Log, Entry{Command: p.cmd})
	s.begun = p
	return p
}

// named finds the mailbox a command is about.
func (s *Session) named(name string, sc scanner) string {
	switch name {
	case "SELECT", "EXAMINE", "STATUS", "APPEND", "CREATE", "DELETE", "RENAME", "SUBSCRIBE", "UNSUBSCRIBE":
		sc.sp()
		if box := s.decodeName(sc.astring()); sc.bad == "" {
			return foldName(box)
		}
	}
	return s.Selected()
}

// literalAt recognises "{n}", "{n+}" and "~{n}" at the end of a line.
func literalAt(line []byte) (size int64, sync, eight bool, rest []byte, ok bool) {
	n := len(line)
	if n < 3 || line[n-1] != '}' {
		return 0, false, false, line, false
	}
	i := bytes.LastIndexByte(line, '{')
	if i < 0 {
		return 0, false, false, line, false
	}
	num := line[i+1 : n-1]
	sync = !bytes.HasSuffix(num, []byte("+"))
	size, err := strconv.ParseInt(string(bytes.TrimSuffix(num, []byte("+"))), 10, 64)
	if err != nil || size < 0 || len(num) == 0 || num[0] < '0' || num[0] > '9' {
		return 0, false, false, line, false
	}
	if i > 0 && line[i-1] == '~' {
		eight = true
		i--
	}
	return size, sync, eight, line[:i], true
}

// printable writes a command for logs: literals as {n}, no credentials.
func printable(name string, segs []segment) string {
	var b strings.Builder
	for _, g := range segs {
		if g.literal {
			b.WriteString("{" + strconv.Itoa(len(g.text)) + "}")
			continue
		}
		b.Write(g.text)
	}
	text := b.String()
	if name == "LOGIN" || name == "AUTHENTICATE" {
		if i := strings.Index(strings.ToUpper(text), name); i >= 0 {
			text = text[:i+len(name)] + " (credentials)"
		}
	}
	return text
}
