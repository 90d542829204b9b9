package ui

import (
	"fmt"
	"time"
)

// drawItem draws all about the selected connection, folder or error.
func (m *Model) drawItem(f *Frame, bottom int, a *account, now time.Time) {
	kind, n := m.item(a)
	var title string
	var lines []string
	switch kind {
	case itemConn:
		title, lines = fmt.Sprintf("connection %d", n+1), m.aboutConn(a, &a.conns[n+1], now)
	case itemFolder:
		w := m.matching(a)[n]
		title, lines = w.name, m.aboutFolder(a, w)
	case itemError:
		title, lines = "error", m.aboutError(&a.errors[n])
	default:
		m.drawAccountPage(f, bottom, a, now)
		return
	}
	m.drawTitle(f, 0, " "+Safe(a.name)+"  "+title, a.server)
	end := bottom
	if bottom >= 4 {
		end--
		m.drawKeys(f, end)
	}
	var rows []string
	for _, l := range lines {
		rows = wrap(l, f.W, f.W, rows)
	}
	m.top = min(m.top, max(len(rows)-(end-1), 0))
	for i := 0; 1+i < end && m.top+i < len(rows); i++ {
		f.put(0, 1+i, f.W, rows[m.top+i], Style{})
	}
}

// field is a line of an item's page.
func field(label, text string) string { return fmt.Sprintf("%-12s %s", label, text) }

func (m *Model) aboutConn(a *account, c *conn, now time.Time) []string {
	out := []string{field("server", or(a.server, m.g.none)), field("doing", c.act.String())}
	if c.folder != "" {
		out = append(out, field("folder", Safe(c.folder)))
	}
	if c.command != "" {
		out = append(out, field("command", fmt.Sprintf("%s, %s in flight", c.command, count(c.inFlight))))
	}
	if s := (now.UnixNano() - c.since) / int64(time.Second); c.since > 0 && c.act > Idle {
		out = append(out, field("for", duration(s)))
	}
	out = append(out, field("received", size(c.in)), field("sent", size(c.out)))
	if a.rtt > 0 {
		out = append(out, field("round trip", fmt.Sprintf("%.1f ms", float64(a.rtt.Microseconds())/1000)))
	}
	if a.flights > 0 {
		out = append(out, field("flights", count(a.flights)+" in the last round"))
	}
	return append(out, "", "t shows what is said on it.")
}

func (m *Model) aboutFolder(a *account, w *work) []string {
	state := w.result
	if w.active {
		state = w.act.String()
	}
	if t := m.waits(a, w); t != nil && state == "" {
		state = "waits for you"
	}
	out := []string{field("state", or(state, m.g.none))}
	if w.total > 0 {
		out = append(out, field("progress", pace(w)+"  "+etaText(w)))
	}
	out = append(out, field("downloaded", fmt.Sprintf("%s messages, %s", count(w.down.done), size(w.down.doneBytes))),
		field("uploaded", fmt.Sprintf("%s messages, %s", count(w.up.done), size(w.up.doneBytes))))
	for _, t := range m.todo {
		if t.account == a.name && a.byName[t.folder] == w {
			out = append(append(out, ""), t.lines...)
			if t.choices() != nil {
				out = append(out, "c shows what each choice does, and asks.")
			}
		}
	}
	for _, e := range a.errors {
		if e.folder == w.name {
			out = append(append(out, "", m.clock(e.at, true)), e.lines...)
		}
	}
	return append(out, "", "s syncs this folder now.")
}

func (m *Model) aboutError(e *failure) []string {
	out := []string{field("at", m.clock(e.at, true))}
	if e.folder != "" {
		out = append(out, field("folder", e.folder))
	}
	return append(append(out, ""), e.lines...)
}
