package ui

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
