package imapproto_test

import (
	"errors"
	"fmt"
	"io"
	"sort"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"

	"offloop/imapproto"
	"offloop/imapproto/imaptest"
)

// player drives a Conn as a dialogue says and writes down what happens.
type player struct {
	t      testing.TB
	c      *imapproto.Conn
	now    time.Time
	events []string
	sent   []byte
	max    int // of each Take, 0 = default
	budget int // bytes that may still be taken before the line breaks, -1 = no limit
	sels   map[string]*imapproto.Selection
	stops  []func()
	open   map[string]int // command -> 1 pending, 0 done
	count  int
	closed int
	slow   *slowSource
	rest   []byte // given back by Deflate
}

func newPlayer(t testing.TB) *player {
	return &player{t: t, now: time.Unix(1700000000, 0), budget: -1, sels: map[string]*imapproto.Selection{}, open: map[string]int{}}
}

func (p *player) event(format string, args ...any) {
	s := fmt.Sprintf(format, args...)
	if strings.ContainsAny(s, "\r\n\x00") {
		s = strconv.Quote(s)
	}
	p.events = append(p.events, "= "+s)
}

// done returns what to call when a command is done; it must be called once.
func (p *player) done(what string) func(err error, format string, args ...any) {
	p.count++
	key := fmt.Sprintf("%s#%d", what, p.count)
	p.open[key] = 1
	return func(err error, format string, args ...any) {
		if p.open[key] != 1 {
			p.t.Errorf("%s: done called more than once", key)
		}
		p.open[key] = 0
		values := fmt.Sprintf(format, args...)
		if err != nil {
			p.event("%s: %s", what, strings.TrimRight(fmt.Sprintf("%T %v; %s", err, err, values), "; "))
			return
		}
		p.event("%s: %s", what, strings.TrimSpace("ok "+values))
	}
}

func (p *player) pending() (n int) {
	for _, v := range p.open {
		n += v
	}
	return n
}

func (p *player) simple(what string) func(error) {
	d := p.done(what)
	return func(err error) { d(err, "") }
}

// take moves what the client has to say to sent.
func (p *player) take() {
	for p.c != nil && p.budget != 0 {
		max := p.max
		if p.budget > 0 && (max == 0 || max > p.budget) {
			max = p.budget
		}
		b := p.c.Take(max)
		if b == nil {
			return
		}
		if max > 0 && len(b) > max {
			p.t.Errorf("Take(%d) gave %d bytes", max, len(b))
		}
		p.sent = append(p.sent, b...)
		if p.budget > 0 {
			p.budget -= len(b)
		}
	}
}

func words(s string) (verb string, args []string, opt map[string]string) {
	opt = map[string]string{}
	var w []string
	for s = strings.TrimSpace(s); s != ""; s = strings.TrimSpace(s) {
		i := 0
		quoted := false
		for i < len(s) && (quoted || s[i] != ' ') {
			if s[i] == '\\' && quoted {
				i++
			} else if s[i] == '"' {
				quoted = !quoted
			}
			i++
		}
		w = append(w, s[:min(i, len(s))])
		s = s[min(i, len(s)):]
	}
	for _, x := range w[1:] {
		if k, v, ok := strings.Cut(x, "="); ok && !strings.HasPrefix(x, `"`) {
			if u, err := strconv.Unquote(v); err == nil {
				v = u
			}
			opt[k] = v
		} else if u, err := strconv.Unquote(x); err == nil {
			args = append(args, u)
		} else {
			args = append(args, x)
		}
	}
	return w[0], args, opt
}

func list(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, ",")
}

func uids(s string) (set imap.UIDSet) {
	for _, e := range list(s) {
		lo, hi, ok := strings.Cut(e, ":")
		if !ok {
			hi = lo
		}
		a, _ := strconv.ParseUint(lo, 10, 32)
		b, _ := strconv.ParseUint(hi, 10, 32) // "*" is 0
		set = append(set, imap.UIDRange{Start: imap.UID(a), Stop: imap.UID(b)})
	}
	return set
}

func has(args []string, w string) bool {
	for _, a := range args {
		if a == w {
			return true
		}
	}
	return false
}

func num(s string) uint64 { n, _ := strconv.ParseUint(s, 10, 64); return n }

// options makes Options of "> new ...".
func (p *player) options(args []string, o map[string]string) imapproto.Options {
	opt := imapproto.Options{
		User: o["user"], Pass: o["pass"], Token: o["token"], AuthzID: o["authz"], Mechanisms: list(o["mech"]),
		TLSActive: has(args, "tls"), RequireTLS: has(args, "requiretls"), OpportunisticTLS: has(args, "opportunistic"),
		PipelineLogin: has(args, "pipelinelogin"), Pipeline: int(num(o["depth"])), Disable: list(o["disable"]),
		Ready: func(i imapproto.Info) {
			p.event("ready greeting=%q preauth=%v caps=%s", i.Greeting, i.PreAuth, strings.Join(i.Caps, ","))
		},
		Closed: func(err error) {
			p.closed++
			p.event("closed: %v", err)
		},
		Unsolicited: p.unsolicited,
		StartTLS:    func() { p.event("starttls") },
		Deflate: func(rest []byte) error { // the identity stands in for DEFLATE
			p.event("deflate")
			p.rest = append(p.rest, rest...)
			return nil
		},
	}
	if v, ok := o["caps"]; ok {
		opt.Caps = strings.Fields(v)
	}
	if v, ok := o["id"]; ok {
		opt.ID = map[string]string{}
		if v != "" {
			opt.ID["name"] = v
		}
	}
	if v, ok := o["nonce"]; ok {
		opt.Nonce = func() string { return v }
	}
	if has(args, "trace") {
		opt.Trace = func(out bool, b []byte) { p.event("trace %v %q", out, b) }
	}
	return opt
}

func (p *player) unsolicited(u imapproto.Unsolicited) {
	s := "unsolicited " + u.Kind.String()
	if u.Selection != nil {
		s += " in " + u.Selection.Name()
	}
	if u.Num != 0 {
		s += fmt.Sprint(" ", u.Num)
	}
	if u.Message != nil {
		s += " " + message(u.Message, "")
	}
	if u.Vanished != nil {
		s += " " + u.Vanished.String()
	}
	if u.Mailbox.Raw != "" {
		s += " " + mailbox(u.Mailbox)
	}
	if u.Cond != "" {
		s += fmt.Sprintf(" %s [%s] %s", u.Cond, u.Code, u.Text)
	}
	p.event("%s", s)
}

func mailbox(m imapproto.Mailbox) string {
	s := fmt.Sprintf("%q raw=%q delim=%q attrs=%v", m.Name, m.Raw, m.Delim, m.Attrs)
	if m.Status != nil {
		s += fmt.Sprintf(" status=%+v", *m.Status)
	}
	return s
}

func message(m *imapproto.Message, body string) string {
	s := fmt.Sprintf("seq=%d uid=%d", m.Seq, m.UID)
	if m.HasFlags {
		s += fmt.Sprintf(" flags=%v", m.Flags)
	}
	if m.ModSeq != 0 {
		s += fmt.Sprintf(" modseq=%d", m.ModSeq)
	}
	if !m.InternalDate.IsZero() {
		s += " date=" + m.InternalDate.Format(time.RFC3339)
	}
	if m.Size != 0 {
		s += fmt.Sprintf(" size=%d", m.Size)
	}
	if len(m.Header) > 0 {
		s += fmt.Sprintf(" header=%q", m.Header)
	}
	if m.BodyNIL {
		s += " body=NIL"
	}
	if m.HasBody {
		s += fmt.Sprintf(" body=%q", body)
	}
	return s
}

// collect is a FetchHandler that writes down.
type collect struct {
	p    *player
	body []byte
	deny bool
}

func (h *collect) Write(b []byte) { h.body = append(h.body, b...) }
func (h *collect) Body(m *imapproto.Message, size int64) imapproto.Sink {
	h.body = h.body[:0]
	h.p.event("body uid=%d size=%d", m.UID, size)
	if h.deny {
		return nil
	}
	return h
}
func (h *collect) Message(m *imapproto.Message) { h.p.event("message %s", message(m, string(h.body))) }
func (h *collect) Vanished(set imap.UIDSet)     { h.p.event("vanished %s", set) }

// slowSource gives what it has, and has nothing until kicked.
type slowSource struct {
	text  string
	ready bool
	fail  error
}

func (s *slowSource) Read(b []byte) (int, error) {
	if !s.ready {
		return 0, nil
	}
	if s.fail != nil {
		return 0, s.fail
	}
	if s.text == "" {
		return 0, io.EOF
	}
	n := copy(b, s.text)
	s.text = s.text[n:]
	return n, nil
}

// do carries out one "> ..." line.
func (p *player) do(line string) {
	verb, args, o := words(line)
	arg := func(i int) string {
		if i < len(args) {
			return args[i]
		}
		return ""
	}
	if verb == "new" {
		p.c = imapproto.NewConn(p.now, p.options(args, o))
		return
	}
	c := p.c
	sel := c.Current()
	if o["sel"] != "" {
		sel = p.sels[o["sel"]]
	}
	switch verb {
	case "enable":
		d := p.done("enable")
		c.Enable(args, func(on []string, err error) { d(err, "%v", on) })
	case "namespace":
		d := p.done("namespace")
		c.Namespace(func(n imapproto.Namespaces, err error) { d(err, "%+v", n) })
	case "list":
		p.list(args, o)
	case "status":
		d := p.done("status " + arg(0))
		c.Status(arg(0), list(o["items"]), func(s imapproto.Status, err error) { d(err, "%+v", s) })
	case "select":
		p.selects(arg(0), args, o)
	case "fetch":
		it := imapproto.FetchItems{
			Flags: has(args, "flags"), InternalDate: has(args, "date"), Size: has(args, "size"), ModSeq: has(args, "modseq"),
			Body: has(args, "body"), HeaderFields: list(o["header"]), ChangedSince: num(o["since"]), Vanished: has(args, "vanished"),
		}
		c.UIDFetch(sel, uids(arg(0)), it, &collect{p: p, deny: has(args, "deny")}, p.simple("fetch "+arg(0)))
	case "search":
		d := p.done("search")
		c.UIDSearch(sel, arg(0), func(s imap.UIDSet, err error) { d(err, "%s", s) })
	case "store":
		op := imapproto.StoreAdd
		if has(args, "remove") {
			op = imapproto.StoreRemove
		}
		d := p.done("store " + arg(0))
		c.UIDStore(sel, uids(arg(0)), op, list(o["flags"]), num(o["unchanged"]), func(m imap.UIDSet, err error) {
			d(err, "modified=%s", m)
		})
	case "expunge":
		c.UIDExpunge(sel, uids(arg(0)), p.simple("expunge "+arg(0)))
	case "copy", "move":
		d := p.done(verb + " " + arg(0))
		f := func(x imapproto.CopyData, err error) { d(err, "%d %s -> %s", x.UIDValidity, x.Source, x.Dest) }
		if verb == "copy" {
			c.UIDCopy(sel, uids(arg(0)), arg(1), f)
		} else {
			c.UIDMove(sel, uids(arg(0)), arg(1), f)
		}
	case "append":
		p.append(args, o)
	default:
		p.control(verb, arg(0))
	}
}

func (p *player) control(verb, arg string) {
	c := p.c
	switch verb {
	case "create":
		c.Create(arg, p.simple("create "+arg))
	case "delete":
		c.Delete(arg, p.simple("delete "+arg))
	case "subscribe":
		c.Subscribe(arg, p.simple("subscribe "+arg))
	case "noop":
		c.Noop(p.simple("noop"))
	case "check":
		c.Check(p.simple("check"))
	case "unselect":
		c.Unselect(p.simple("unselect"))
	case "logout":
		c.Logout(p.simple("logout"))
	case "compress":
		c.Compress(p.simple("compress"))
	case "idle":
		p.stops = append(p.stops, c.Idle(p.simple("idle")))
	case "stop":
		for _, f := range p.stops {
			f()
			f()
		}
		p.stops = nil
	case "lost":
		if arg != "" {
			c.Lost(errors.New(arg))
		} else {
			c.Lost(nil)
		}
	case "tls":
		if arg != "" {
			c.TLSStarted(p.now, errors.New(arg))
		} else {
			c.TLSStarted(p.now, nil)
		}
	case "kick":
		if p.slow != nil {
			p.slow.ready = true
		}
		c.Kick()
	case "wait":
		d, _ := time.ParseDuration(arg)
		if at, ok := c.Deadline(); ok && at.Before(p.now) {
			c.Expire(p.now) // the owner's timer fires at once
		}
		p.now = p.now.Add(d)
		c.Expire(p.now)
	case "state":
		cur := "none"
		if s := c.Current(); s != nil {
			cur = fmt.Sprintf("%s confirmed=%v", s.Name(), s.Confirmed())
		}
		_, due := c.Deadline()
		p.event("state %v, inflight %d, flights %d, deadline %v, current %s", c.State(), c.InFlight(), c.Flights(), due, cur)
	default:
		p.t.Fatalf("no such verb: %q", verb)
	}
}

func (p *player) list(args []string, o map[string]string) {
	d := p.done("list")
	lo := imapproto.ListOptions{
		Ref: o["ref"], Pattern: o["pattern"], Subscribed: has(args, "subscribed"), SubscribedOnly: has(args, "subscribedonly"),
		SpecialUse: has(args, "special"), Children: has(args, "children"), Status: list(o["status"]),
	}
	p.c.List(lo, func(ms []imapproto.Mailbox, err error) {
		for _, m := range ms {
			p.event("mailbox %s", mailbox(m))
		}
		d(err, "%d", len(ms))
	})
}

func (p *player) selects(name string, args []string, o map[string]string) {
	d := p.done("select " + name)
	so := imapproto.SelectOptions{
		ReadOnly: has(args, "readonly"), CondStore: has(args, "condstore"),
		OnMessage:  func(m *imapproto.Message) { p.event("select %s: message %s", name, message(m, "")) },
		OnVanished: func(e bool, s imap.UIDSet) { p.event("select %s: vanished earlier=%v %s", name, e, s) },
	}
	if q := list(o["qresync"]); len(q) > 1 {
		so.QResync = &imapproto.QResync{UIDValidity: uint32(num(q[0])), ModSeq: num(q[1]), Known: uids(o["known"])}
	}
	p.sels[name] = p.c.Select(name, so, func(sd *imapproto.SelectData, err error) {
		if err != nil {
			d(err, "")
			return
		}
		d(nil, "%+v", *sd)
	})
}

func (p *player) append(args []string, o map[string]string) {
	var msgs []imapproto.AppendMessage
	for _, body := range args[1:] {
		if body == "slow" {
			p.slow = &slowSource{text: o["body"]}
			if o["fail"] != "" {
				p.slow.fail = errors.New(o["fail"])
			}
			size := int64(len(o["body"]))
			if o["size"] != "" {
				size = int64(num(o["size"]))
			}
			msgs = append(msgs, imapproto.AppendMessage{Size: size, Body: p.slow})
			continue
		}
		m := imapproto.AppendMessage{Flags: list(o["flags"]), Size: int64(len(body)), Body: strings.NewReader(body)}
		if o["date"] != "" {
			m.Date, _ = time.Parse(time.RFC3339, o["date"])
		}
		msgs = append(msgs, m)
	}
	d := p.done("append " + args[0])
	p.c.Append(args[0], msgs, func(a imapproto.AppendData, err error) { d(err, "%d %s", a.UIDValidity, a.UIDs) })
}

// finish breaks the connection and checks that nobody is left waiting.
func (p *player) finish(what string) {
	if p.c == nil {
		return
	}
	p.c.Lost(io.ErrUnexpectedEOF)
	p.c.Lost(nil)
	if n := p.pending(); n > 0 {
		var who []string
		for k, v := range p.open {
			if v > 0 {
				who = append(who, k)
			}
		}
		sort.Strings(who)
		p.t.Errorf("%s: never done: %v", what, who)
	}
	if p.closed != 1 {
		p.t.Errorf("%s: Closed was called %d times", what, p.closed)
	}
	if p.c.State() != imapproto.StateDead || p.c.InFlight() < 0 {
		p.t.Errorf("%s: state %v, in flight %d", what, p.c.State(), p.c.InFlight())
	}
	p.feed([]byte("* OK still there\r\n")) // must be ignored
	if b := p.c.Take(0); b != nil {
		p.t.Errorf("%s: a dead connection says %q", what, b)
	}
}

// feed gives the Conn bytes, and again what it gave back for inflating.
func (p *player) feed(b []byte) {
	p.c.Feed(p.now, b)
	for len(p.rest) > 0 {
		b, p.rest = p.rest, nil
		p.c.Feed(p.now, b)
	}
}

// play runs a dialogue in one piece and returns the outputs of each step.
func (p *player) play(d *imaptest.Dialogue) [][]string {
	var got [][]string
	for _, s := range d.Steps {
		if s.Do != "" {
			p.do(s.Do)
		} else if s.Server != nil {
			p.feed(s.Server)
		}
		p.take()
		out := append(p.events, imaptest.ClientLines(p.sent)...)
		p.events, p.sent = nil, nil
		got = append(got, out)
	}
	return got
}
