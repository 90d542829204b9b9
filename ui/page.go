package ui

import (
	"fmt"
	"time"
)

// page is what the screen shows instead of the whole.
//
//	main ─Enter─> account ─Enter─> item
//	  └─────t───────┴──────t───────> trace
//
// Esc leads back: to the account from an item, else to main.
type page uint8

const (
	pageMain    page = iota // dashboard or Blinkenlights
	pageAccount             // all about the selected account
	pageItem                // all about one connection, folder or error
	pageTrace               // what the account and its server say to each other
)

var pageParent = [...]page{pageMain: pageMain, pageAccount: pageMain, pageItem: pageAccount, pageTrace: pageAccount}

// String names the page.
func (p page) String() string {
	return [...]string{"main", "account", "item", "trace"}[min(p, pageTrace)]
}

// open moves to a page. The trace ends with the page that shows it.
func (m *Model) open(p page) {
	if m.at == pageTrace && p != pageTrace && m.tracing != nil {
		m.act(Action{Verb: "untrace", Account: m.tracing.name})
		m.tracing = nil
	}
	if p == pageAccount && m.at == pageMain {
		m.selRow = 0
	}
	m.at, m.top = p, 0
}

// enter goes one page deeper.
func (m *Model) enter() {
	a := m.selected()
	switch {
	case a == nil || m.at > pageAccount:
	case m.at == pageMain:
		m.open(pageAccount)
	case m.selRow > 0 && m.selRow <= m.items(a):
		m.open(pageItem)
	default:
		m.open(pageMain)
	}
}

// traceSelected opens the trace of the selected account, or closes it.
func (m *Model) traceSelected() {
	a := m.selected()
	if a == nil {
		return
	}
	if m.at == pageTrace {
		m.back()
		return
	}
	if m.tracing != a {
		m.trace = scrollback{cap: m.trace.cap, pin: -1}
	}
	m.open(pageTrace)
	m.tracing = a
	m.act(Action{Verb: "trace", Account: a.name})
}

// pane is the log that keys scroll and search.
func (m *Model) pane() *scrollback {
	if m.at == pageTrace {
		return &m.trace
	}
	return &m.log
}

// itemKind says what an item of an account's details is.
type itemKind uint8

const (
	itemNone itemKind = iota
	itemConn
	itemFolder
	itemError
)

// items counts what can be selected in the details of a: its connections, the
// folders that pass the filter, and its errors, in this order.
func (m *Model) items(a *account) int {
	return len(a.conns) - 1 + len(m.matching(a)) + len(a.errors)
}

// item returns which kind the selected item is, and its number from 0 on.
func (m *Model) item(a *account) (itemKind, int) {
	n := m.selRow - 1
	if n < 0 || m.at == pageMain {
		return itemNone, 0
	}
	if n < len(a.conns)-1 {
		return itemConn, n
	}
	n -= len(a.conns) - 1
	if l := len(m.matching(a)); n < l {
		return itemFolder, n
	} else {
		n -= l
	}
	if n < len(a.errors) {
		return itemError, n
	}
	return itemNone, 0
}

func (m *Model) selectedFolder() *work {
	a := m.selected()
	if a == nil {
		return nil
	}
	if kind, n := m.item(a); kind == itemFolder {
		return m.matching(a)[n]
	}
	return nil
}

// drawPage draws the page of the selected account into the first bottom rows.
func (m *Model) drawPage(f *Frame, bottom int, now time.Time) {
	a := m.selected()
	switch m.at {
	case pageItem:
		m.drawItem(f, bottom, a, now)
	case pageTrace:
		m.drawTrace(f, bottom, a)
	default:
		m.drawAccountPage(f, bottom, a, now)
	}
}

// drawAccountPage draws everything known about an account: attentions, its
// connections, folders and errors, of which one can be selected.
func (m *Model) drawAccountPage(f *Frame, bottom int, a *account, now time.Time) {
	state, _ := m.state(a)
	m.drawTitle(f, 0, " "+Safe(a.name)+"  "+state, a.server)
	if bottom < 4 {
		return
	}
	bottom--
	m.drawKeys(f, bottom)
	y := 1
	for _, t := range m.todo {
		if t.account != a.name || y >= bottom/3 {
			continue
		}
		_, key := t.headline()
		for i, l := range t.lines {
			if y < bottom/3 {
				if i > 0 {
					key = ""
				}
				x := f.putCut(0, y, f.W-len(key), "! "+l, m.paint(Style{FG: Yellow, Attr: Bold}), m.g.ellipsis)
				f.put(x, y, len(key), key, m.paint(Style{FG: Yellow, Attr: Bold}))
				m.hit(0, y, f.W, 1, t.open)
				y++
			}
		}
	}
	f.putCut(0, y, f.W, fmt.Sprintf("last %s  %s%s", m.clock(a.last, true), m.counts(a.round), a.link()), Style{}, m.g.ellipsis)
	y++
	for i := 1; i < len(a.conns) && y < bottom/2; i++ {
		m.drawConn(f, y, i, &a.conns[i], now)
		m.mark(f, y, a, itemConn, i-1)
		y++
	}
	errs := min(len(a.errors), max(bottom/4, 1))
	m.drawFolders(f, y, bottom-errs, a)
	from := len(a.errors) - errs
	if kind, n := m.item(a); kind == itemError {
		from = min(from, n)
	}
	for i, e := range a.errors[from : from+errs] {
		f.putCut(1, bottom-errs+i, f.W-1, first(e.lines), m.paint(Style{FG: Red, Attr: Bold}), m.g.ellipsis)
		m.mark(f, bottom-errs+i, a, itemError, from+i)
	}
}

// link is the round trip and the flights of the last round, as far as known.
func (a *account) link() string {
	text := ""
	if a.rtt > 0 {
		text += fmt.Sprintf("  RTT %.1f ms", float64(a.rtt.Microseconds())/1000)
	}
	if a.flights > 0 {
		text += fmt.Sprintf("  flights %s", count(a.flights))
	}
	return text
}

// mark shows in row y whether item n of its kind is the selected one, and lets
// a click select it.
func (m *Model) mark(f *Frame, y int, a *account, kind itemKind, n int) {
	if k, i := m.item(a); k == kind && i == n {
		f.put(0, y, 1, m.g.sel, m.paint(Style{FG: Cyan, Attr: Bold}))
	}
	row := n + 1
	if kind != itemConn {
		row += len(a.conns) - 1
	}
	if kind == itemError {
		row += len(m.matching(a))
	}
	m.hit(0, y, f.W, 1, func(m *Model) {
		if m.selRow == row {
			m.enter()
			return
		}
		m.selRow = row
	})
}

// drawFolders draws the account's folders into rows y to end-1, moved so that
// the selected one is seen.
func (m *Model) drawFolders(f *Frame, y, end int, a *account) {
	if end-y < 2 {
		return
	}
	list := m.matching(a)
	head := fmt.Sprintf("%s folders", count(int64(len(list))))
	if len(list) == 1 {
		head = "1 folder"
	}
	if m.filter != "" {
		head += fmt.Sprintf(" of %s with \"%s\"", count(int64(len(a.folders))), Safe(m.filter))
	}
	m.drawRule(f, y, head, "")
	y++
	sel := 0
	if kind, n := m.item(a); kind == itemFolder {
		sel = n
	} else if kind == itemError {
		sel = len(list)
	}
	from := min(max(sel-(end-y)/2, 0), max(len(list)-(end-y), 0))
	for i := from; i < len(list) && y < end; i++ {
		w := list[i]
		m.mark(f, y, a, itemFolder, i)
		if w.active {
			m.drawFolder(f, y, w)
		} else {
			f.putCut(7, y, max(f.W/4, 12), w.name, Style{}, m.g.ellipsis)
			st, result := Style{Attr: Dim}, w.result
			if t := m.waits(a, w); t != nil {
				st, result = m.paint(Style{FG: Yellow, Attr: Bold}), first(t.lines)
			}
			if w.failed {
				st = m.paint(Style{FG: Red, Attr: Bold})
			}
			x := 8 + max(f.W/4, 12)
			f.putCut(x, y, f.W-x, result, st, m.g.ellipsis)
		}
		y++
	}
}

// waits returns what a folder of a waits for a person with, nil if it does not.
func (m *Model) waits(a *account, w *work) *attention {
	for _, t := range m.todo {
		if t.account == a.name && a.byName[t.folder] == w {
			return t
		}
	}
	return nil
}

// drawTrace draws what the account and its server say to each other.
func (m *Model) drawTrace(f *Frame, bottom int, a *account) {
	m.drawTitle(f, 0, " "+Safe(a.name)+"  trace", a.server)
	if bottom < 3 {
		return
	}
	if len(m.trace.lines) == 0 {
		f.putCut(0, 1, f.W, "nothing was said since this page was opened", Style{Attr: Dim}, m.g.ellipsis)
	}
	end := bottom
	if bottom >= 6 {
		end--
		m.drawKeys(f, end)
	}
	if s := m.logState(); s != "" {
		end--
		m.drawRule(f, end, "trace", s)
	}
	m.drawLog(f, 1, end-1, true)
}
