package imapproto_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"

	"offloop/imapproto"
	"offloop/imapproto/imaptest"
)

// talk runs a whole round of work against a server reached through exchange, which
// sends bytes and returns what came back; busy says that an answer is awaited.
func talk(t *testing.T, opt imapproto.Options, exchange func(out []byte, busy bool) []byte) {
	now := time.Unix(1700000000, 0)
	opt.Closed = func(err error) {
		if err != nil {
			t.Errorf("closed: %v", err)
		}
	}
	c := imapproto.NewConn(now, opt)
	settle := func() {
		for first := true; ; first = false {
			out := c.Take(0)
			in := exchange(out, c.State() == imapproto.StateGreeting || c.InFlight() > 0 && c.State() != imapproto.StateIdle)
			if out == nil && len(in) == 0 && !first {
				return
			}
			c.Feed(now, in)
		}
	}
	check := func(what string) func(error) {
		return func(err error) {
			if err != nil {
				t.Errorf("%s: %v", what, err)
			}
		}
	}
	fatal := func(what string, ok bool, got ...any) {
		t.Helper()
		if !ok {
			t.Fatalf("%s: %v", what, got)
		}
	}

	var boxes []imapproto.Mailbox
	var enabled []string
	c.Enable([]string{"QRESYNC"}, func(on []string, err error) { enabled = on; check("enable")(err) })
	c.Create("Entwürfe & mehr", check("create"))
	c.List(imapproto.ListOptions{Status: []string{"MESSAGES", "UIDNEXT", "HIGHESTMODSEQ"}}, func(m []imapproto.Mailbox, err error) {
		boxes = m
		check("list")(err)
	})
	body := "Message-ID: <a@b>\r\nSubject: x\r\n\r\n" + strings.Repeat("line\r\n", 20000)
	var up imapproto.AppendData
	c.Append("Entwürfe & mehr", []imapproto.AppendMessage{{Flags: []string{`\Seen`, "$Forwarded"}, Date: now.UTC(), Size: int64(len(body)), Body: strings.NewReader(body)}},
		func(d imapproto.AppendData, err error) { up = d; check("append")(err) })
	c.Append("Entwürfe & mehr", []imapproto.AppendMessage{{Size: 3, Body: strings.NewReader("a\r\n")}}, func(_ imapproto.AppendData, err error) { check("append")(err) })
	settle()
	fatal("enabled", slices.Equal(enabled, []string{"QRESYNC"}), enabled)
	fatal("list", slices.ContainsFunc(boxes, func(m imapproto.Mailbox) bool { return m.Name == "Entwürfe & mehr" && m.Status != nil }), boxes)
	fatal("appenduid", len(up.UIDs) == 1 && up.UIDValidity != 0, up)

	h := &fetched{bodies: map[uint32]string{}, flags: map[uint32][]string{}}
	var sd *imapproto.SelectData
	var found imap.UIDSet
	sel := c.Select("Entwürfe & mehr", imapproto.SelectOptions{CondStore: true}, func(d *imapproto.SelectData, err error) { sd = d; check("select")(err) })
	c.UIDFetch(sel, all(), imapproto.FetchItems{Flags: true, Size: true, InternalDate: true, ModSeq: true, Body: true, HeaderFields: []string{"Message-ID"}}, h, check("fetch"))
	c.UIDSearch(sel, "ALL", func(s imap.UIDSet, err error) { found = s; check("search")(err) })
	settle()
	first := uint32(up.UIDs[0].Start)
	fatal("select", sd.Exists == 2 && sd.UIDValidity == up.UIDValidity && sd.HighestModSeq > 0, *sd)
	fatal("body", h.bodies[first] == body, len(h.bodies[first]))
	fatal("header", strings.Contains(h.header, "<a@b>"), h.header)
	fatal("flags", slices.Contains(h.flags[first], `\Seen`) && slices.Contains(h.flags[first], "$Forwarded"), h.flags)
	fatal("search", len(found) == 1 && found[0].Start == imap.UID(first), found)

	one := imap.UIDSet{{Start: imap.UID(first), Stop: imap.UID(first)}}
	var copied imapproto.CopyData
	c.UIDStore(sel, one, imapproto.StoreAdd, []string{`\Deleted`, "Work"}, 0, func(_ imap.UIDSet, err error) { check("store")(err) })
	c.UIDCopy(sel, one, "INBOX", func(d imapproto.CopyData, err error) { copied = d; check("copy")(err) })
	c.UIDExpunge(sel, one, check("expunge"))
	settle()
	fatal("copyuid", copied.UIDValidity != 0 && len(copied.Source) == 1 && len(copied.Dest) == 1, copied)

	var vanished imap.UIDSet
	c.Select("INBOX", imapproto.SelectOptions{}, func(_ *imapproto.SelectData, err error) { check("select INBOX")(err) })
	again := c.Select("Entwürfe & mehr", imapproto.SelectOptions{
		QResync:    &imapproto.QResync{UIDValidity: sd.UIDValidity, ModSeq: sd.HighestModSeq},
		OnVanished: func(_ bool, s imap.UIDSet) { vanished = s },
	}, func(_ *imapproto.SelectData, err error) { check("resync")(err) })
	c.Select("Nowhere", imapproto.SelectOptions{}, func(_ *imapproto.SelectData, err error) {
		if e, ok := err.(*imapproto.CommandError); !ok || e.Status != "NO" {
			t.Errorf("selecting nothing: %v", err)
		}
	})
	settle()
	fatal("vanished", vanished.Contains(imap.UID(first)), vanished)
	fatal("confirmed", !again.Confirmed() && c.Current() == nil)

	stopped := false
	c.Select("INBOX", imapproto.SelectOptions{}, func(_ *imapproto.SelectData, err error) { check("select INBOX")(err) })
	stop := c.Idle(func(err error) { stopped = true; check("idle")(err) })
	settle()
	fatal("idle", c.State() == imapproto.StateIdle, c.State())
	stop()
	c.Delete("Entwürfe & mehr", check("delete"))
	c.Logout(check("logout"))
	settle()
	fatal("end", stopped && c.State() == imapproto.StateDead, c.State())
}

// fetched keeps what UIDFetch brings.
type fetched struct {
	bodies map[uint32]string
	flags  map[uint32][]string
	header string
	text   strings.Builder
}

func (h *fetched) Write(p []byte) { h.text.Write(p) }
func (h *fetched) Body(*imapproto.Message, int64) imapproto.Sink {
	h.text.Reset()
	return h
}
func (h *fetched) Vanished(imap.UIDSet) {}
func (h *fetched) Message(m *imapproto.Message) {
	h.bodies[m.UID], h.flags[m.UID] = h.text.String(), slices.Clone(m.Flags)
	h.header += string(m.Header)
}

// TestModelServer talks to the model server, which must have nothing to complain of,
// with all its extensions and with literals made synchronising.
func TestModelServer(t *testing.T) {
	for _, disable := range [][]string{nil, {"LITERAL+", "LITERAL-", "ESEARCH", "SASL-IR"}} {
		srv := imaptest.NewServer("joe", "se\"cret")
		sess := srv.NewSession()
		talk(t, imapproto.Options{User: "joe", Pass: "se\"cret", TLSActive: true, Disable: disable, ID: map[string]string{"name": "offloop"}},
			func(out []byte, _ bool) []byte {
				if len(out) > 0 {
					sess.Feed(out)
				}
				return slices.Clone(sess.Output())
			})
		if len(srv.Complaints) > 0 {
			t.Errorf("the server complains: %q", srv.Complaints)
		}
	}
}
