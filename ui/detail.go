package ui

import (
	"fmt"
	"time"
)

// drawHelp draws the help, made from the key table and the table of lights.
func (m *Model) drawHelp(f *Frame, bottom int) {
	if bottom <= 0 {
		return
	}
	m.drawTitle(f, 0, " "+m.opt.Name+" help", "any key: back")
	type line struct {
		key, text string
		act       Activity
	}
	var lines []line
	for i := range keyTable {
		lines = append(lines, line{key: keyTable[i].label, text: keyTable[i].long})
	}
	lines = append(lines, line{key: "1 2 ...", text: "sync the account of that number now"}, line{})
	for act := Processing; act <= Warning; act++ {
		lines = append(lines, line{key: act.String(), text: lightMeanings[act], act: act})
	}
	rows := bottom - 1
	m.top = min(m.top, max(len(lines)-rows, 0))
	for i := 0; i < rows && m.top+i < len(lines); i++ {
		l := lines[m.top+i]
		y := 1 + i
		x := 1
		if l.act != same {
			lamp, st := m.lamp(l.act, m.g.light)
			f.put(x, y, 1, lamp, st)
			x += 2
		}
		f.put(x, y, 12, l.key, m.paint(Style{FG: Cyan, Attr: Bold}))
		f.putCut(16, y, f.W-16, l.text, Style{}, m.g.ellipsis)
	}
	if m.top+rows < len(lines) && rows > 1 {
		f.fill(0, bottom-1, f.W, Style{})
		f.put(1, bottom-1, f.W-1, "down: more", Style{Attr: Dim})
	}
}

// lightMeanings says what each light means.
var lightMeanings = [...]string{
	Processing: "a round of the account is under way",
	Connecting: "a connection is being made",
	Structure:  "folder lists, plans, flags",
	Folder:     "a folder is looked at",
	Listing:    "a message list is read",
	Copying:    "messages are copied",
	Deleting:   "messages are deleted",
	Hook:       "a hook runs",
	Sleeping:   "nothing to do until the next round",
	Woken:      "the sleep just ended",
	Warning:    "something is wrong",
}

// drawDetail draws everything known about the selected account: attentions
// and connections, its folders, of which one can be selected, and its errors.
func (m *Model) drawDetail(f *Frame, bottom int, now time.Time) {
	a := m.selected()
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
		for _, l := range t.lines {
			if y < bottom/3 {
				f.putCut(0, y, f.W, "! "+l, m.paint(Style{FG: Yellow, Attr: Bold}), m.g.ellipsis)
				y++
			}
		}
	}
	text := fmt.Sprintf("last %s  %s", m.clock(a.last, true), m.counts(a.round))
	if a.rtt > 0 {
		text += fmt.Sprintf("  RTT %d ms", a.rtt.Milliseconds())
	}
	if a.flights > 0 {
		text += fmt.Sprintf("  flights %d", a.flights)
	}
	f.putCut(0, y, f.W, text, Style{}, m.g.ellipsis)
	y++
	for i := 1; i < len(a.conns) && y < bottom/2; i++ {
		if a.conns[i].act != Off {
			m.drawConn(f, y, i, &a.conns[i], now)
			y++
		}
	}
	errs := min(len(a.errors), max(bottom/4, 1))
	m.drawFolders(f, y, bottom-errs, a)
	for i, l := range a.errors[len(a.errors)-errs:] {
		f.putCut(0, bottom-errs+i, f.W, l, m.paint(Style{FG: Red, Attr: Bold}), m.g.ellipsis)
	}
}

// drawFolders draws the account's folders into rows y to end-1, moved so that
// the selected one is seen.
func (m *Model) drawFolders(f *Frame, y, end int, a *account) {
	if end-y < 2 {
		return
	}
	list := m.matching(a)
	head := fmt.Sprintf("folders: %s", count(int64(len(list))))
	if m.filter != "" {
		head += fmt.Sprintf(" of %s with \"%s\"", count(int64(len(a.folders))), Safe(m.filter))
	}
	m.drawRule(f, y, head, "")
	y++
	m.selRow = min(m.selRow, len(list))
	from := min(max(m.selRow-(end-y)/2-1, 0), max(len(list)-(end-y), 0))
	for i := from; i < len(list) && y < end; i++ {
		w := list[i]
		if i == m.selRow-1 {
			f.put(0, y, 1, m.g.sel, m.paint(Style{FG: Cyan, Attr: Bold}))
		}
		if w.active {
			m.drawFolder(f, y, w)
		} else {
			f.putCut(7, y, max(f.W/4, 12), w.name, Style{}, m.g.ellipsis)
			st := Style{Attr: Dim}
			if w.failed {
				st = m.paint(Style{FG: Red, Attr: Bold})
			}
			x := 8 + max(f.W/4, 12)
			f.putCut(x, y, f.W-x, w.result, st, m.g.ellipsis)
		}
		y++
	}
}
