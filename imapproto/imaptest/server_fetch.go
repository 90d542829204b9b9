package imaptest

import (
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"
)

// fetchItem is one data item of a FETCH command.
type fetchItem struct {
	name    string // in capitals: "FLAGS", "BODY[" for sections
	sec     section
	partial bool
	from    uint64
	count   uint64
	peek    bool
}

// fetchMods are the modifiers of RFC 7162 section 3.1.4.
type fetchMods struct {
	since    uint64
	hasSince bool
	vanished bool
}

func (s *Session) cmdFetch(c *scanner) string    { return s.fetch(c, false) }
func (s *Session) cmdUIDFetch(c *scanner) string { return s.fetch(c, true) }

func (s *Session) fetch(c *scanner, uids bool) string {
	c.sp()
	set := c.set()
	c.sp()
	items := s.fetchItems(c)
	mods, refusal := s.fetchMods(c, uids)
	if !c.done() {
		return bad(c)
	}
	if refusal != "" {
		return refusal
	}
	if uids && !hasItem(items, "UID") {
		items = append([]fetchItem{{name: "UID"}}, items...)
	}
	if mods.hasSince && !hasItem(items, "MODSEQ") {
		items = append(items, fetchItem{name: "MODSEQ"})
	}
	s.condstore = s.condstore || hasItem(items, "MODSEQ")
	at, answer := s.pick(set, uids)
	if answer != "" {
		return answer
	}
	if mods.vanished {
		known := set.resolve(s.sel.box.uidNext - 1)
		s.tellEarlier(s.vanishedSince(mods.since, known, 0))
	}
	return s.fetchAll(at, items, mods)
}

func (s *Session) fetchAll(at []int, items []fetchItem, mods fetchMods) string {
	f := &s.srv.Faults
	lost := false
	for _, i := range at {
		m := s.sel.list[i].m
		if m.gone && (f.ExpungeIssued || hasItem(items, "BODY[")) {
			lost = true
			if f.ExpungeIssued {
				continue
			}
		}
		if mods.hasSince && m.modseq <= mods.since || f.Unfetched != nil && f.Unfetched(s.sel.box.name, m.uid) {
			continue
		}
		s.sendFetch(i, items, true)
	}
	if lost && f.ExpungeIssued {
		return "NO [EXPUNGEISSUED] some messages were already expunged"
	}
	if lost {
		return "OK [EXPUNGEISSUED] some messages were already expunged"
	}
	return "OK fetched"
}

func hasItem(items []fetchItem, name string) bool {
	for _, it := range items {
		if it.name == name {
			return true
		}
	}
	return false
}

var fetchMacros = map[string][]string{
	"FAST": {"FLAGS", "INTERNALDATE", "RFC822.SIZE"},
	"ALL":  {"FLAGS", "INTERNALDATE", "RFC822.SIZE"},
}

func (s *Session) fetchItems(c *scanner) (items []fetchItem) {
	one := func() {
		name := strings.ToUpper(c.atom())
		if list, ok := fetchMacros[name]; ok {
			for _, n := range list {
				items = append(items, fetchItem{name: n})
			}
			return
		}
		items = append(items, s.fetchItem(c, name))
	}
	if c.peek() == '(' {
		c.list(one)
	} else {
		one()
	}
	return items
}

func (s *Session) fetchItem(c *scanner, name string) fetchItem {
	it := fetchItem{name: name, peek: true}
	supported := true
	switch name {
	case "FLAGS", "UID", "INTERNALDATE", "RFC822.SIZE":
	case "RFC822.HEADER":
		it.sec = section{name: "HEADER"}
	case "RFC822", "RFC822.TEXT":
		it.peek = false
		it.sec = section{name: strings.TrimPrefix(strings.TrimPrefix(name, "RFC822"), ".")}
	case "MODSEQ":
		supported = s.has("CONDSTORE")
	case "EMAILID", "THREADID":
		supported = s.has("OBJECTID")
	case "X-GM-MSGID", "X-GM-THRID", "X-GM-LABELS":
		supported = s.has("X-GM-EXT-1")
	case "BODY", "BODY.PEEK":
		if supported = c.peek() == '['; supported {
			it.name, it.peek = "BODY[", name == "BODY.PEEK"
			it.section(c)
		}
	default:
		supported = false
	}
	if !supported {
		s.complain("FETCH item %s is not supported", name)
		c.fail("unsupported FETCH item " + name)
	}
	return it
}

// section reads "[section]<from.count>".
func (it *fetchItem) section(c *scanner) {
	it.sec = parseSection(c)
	if c.accept('<') {
		it.partial = true
		it.from = c.number()
		c.expect('.')
		it.count = c.number()
		c.expect('>')
	}
}

func (s *Session) fetchMods(c *scanner, uids bool) (mods fetchMods, refusal string) {
	if !c.accept(' ') {
		return mods, ""
	}
	c.list(func() {
		switch strings.ToUpper(c.atom()) {
		case "CHANGEDSINCE":
			c.sp()
			mods.since, mods.hasSince = c.number(), true
			s.condstore = true
		case "VANISHED":
			mods.vanished = true
		default:
			c.fail("unknown FETCH modifier")
		}
	})
	switch {
	case !s.has("CONDSTORE"):
		refusal = "BAD FETCH modifiers are not supported"
	case mods.vanished && (!uids || !mods.hasSince || !s.qresync):
		refusal = "BAD VANISHED needs UID FETCH, CHANGEDSINCE and QRESYNC enabled"
	}
	return mods, refusal
}

// sendFetch sends one FETCH response. Reading a body without PEEK sets \Seen.
func (s *Session) sendFetch(i int, items []fetchItem, asked bool) {
	e := &s.sel.list[i]
	before := e.m.modseq
	for _, it := range items {
		if !it.peek && it.sec.used() && asked && !s.sel.readOnly && !e.m.gone && !hasFlag(e.m.flags, `\Seen`) {
			s.sel.box.setFlags(e.m, append(append([]string(nil), e.m.flags...), `\Seen`))
		}
	}
	var out []string
	for _, it := range items {
		out = append(out, s.fetchValue(e.m, it))
	}
	if e.m.modseq != before && !hasItem(items, "FLAGS") {
		out = append(out, "FLAGS "+s.flagList(e.m))
	}
	if e.m.modseq != before || hasItem(items, "FLAGS") {
		e.seen = e.m.modseq
	}
	s.untagged("%d FETCH (%s)", i+1, strings.Join(out, " "))
}

func (s *Session) fetchValue(m *msg, it fetchItem) string {
	f := &s.srv.Faults
	switch it.name {
	case "UID":
		return "UID " + strconv.FormatUint(uint64(s.toldUID(m)), 10)
	case "FLAGS":
		return "FLAGS " + s.flagList(m)
	case "INTERNALDATE":
		return `INTERNALDATE "` + m.date.Format("_2-Jan-2006 15:04:05 -0700") + `"`
	case "RFC822.SIZE":
		size := int64(len(m.body))
		if f.Size != nil {
			size = f.Size(s.sel.box.name, m.uid, size)
		}
		return "RFC822.SIZE " + strconv.FormatInt(size, 10)
	case "MODSEQ":
		return fmt.Sprintf("MODSEQ (%d)", m.modseq)
	case "EMAILID":
		return "EMAILID (" + m.id + ")"
	case "THREADID":
		return "THREADID NIL"
	case "X-GM-MSGID", "X-GM-THRID":
		h := fnv.New64a()
		h.Write(m.body)
		return fmt.Sprintf("%s %d", it.name, h.Sum64()>>1)
	case "X-GM-LABELS":
		return "X-GM-LABELS ()"
	}
	return s.bodyValue(m, it)
}

func (s *Session) bodyValue(m *msg, it fetchItem) string {
	label := it.name
	if it.name == "BODY[" {
		label = "BODY[" + it.sec.String() + "]"
		if it.partial {
			label += fmt.Sprintf("<%d>", it.from)
		}
	}
	body, ok := m.body, true
	if f := s.srv.Faults.Fetched; f != nil {
		body, ok = f(s.sel.box.name, m.uid, body)
	}
	if !ok || m.gone {
		// as Dovecot does with what another session has expunged
		return label + " NIL"
	}
	body = it.sec.of(body)
	if it.partial {
		body = body[min(it.from, uint64(len(body))):]
		body = body[:min(it.count, uint64(len(body)))]
	}
	return label + " " + literal(body)
}
