package ui

import "fmt"

// drawTodo draws what needs a person, in at most limit rows, and returns how
// many it took. Where there are more matters than rows, the last row names what is
// left, shortly.
func (m *Model) drawTodo(f *Frame, y, limit int) int {
	var list []*attention
	for _, t := range m.todo {
		if t != m.asking { // the prompt shows that one
			list = append(list, t)
		}
	}
	n := min(len(list), limit)
	for i := range n {
		if i == n-1 && len(list) > n {
			m.drawRest(f, y+i, list[i:], i == 0)
			break
		}
		t := list[i]
		st := m.urgency(t)
		text, key := t.headline()
		f.put(0, y+i, 2, "! ", st)
		x := 2 + f.putCut(2, y+i, f.W-2-len(key), text, st, m.g.ellipsis)
		f.put(x, y+i, len(key), key, st)
		if key != "" {
			m.hit(0, y+i, f.W, 1, t.open)
		}
	}
	return n
}

// urgency is the look of what needs a person.
func (m *Model) urgency(t *attention) Style {
	if t.level >= Error {
		return m.paint(Style{FG: Red, Attr: Bold})
	}
	return m.paint(Style{FG: Yellow, Attr: Bold})
}

// drawRest names several matters in one row, as many as there is room for, and says
// how many are left out. all says that nothing else is above it. Each can be clicked.
func (m *Model) drawRest(f *Frame, y int, list []*attention, all bool) {
	head := fmt.Sprintf("! %s more: ", count(int64(len(list))))
	switch {
	case all && f.W >= 60:
		head = fmt.Sprintf("! %s need you: ", count(int64(len(list))))
	case all:
		head = fmt.Sprintf("! %s: ", count(int64(len(list))))
	}
	plain := m.paint(Style{FG: Yellow, Attr: Bold})
	x := f.put(0, y, f.W, head, plain)
	for i, t := range list {
		text := t.short(len(m.accounts) > 1)
		comma, more := "", ""
		if i > 0 {
			comma = ", "
		}
		if left := len(list) - i - 1; left > 0 {
			more = ", +" + count(int64(left))
		}
		if i > 0 && x+len(comma)+textWidth(text)+len(more) > f.W {
			f.put(x, y, f.W-x, ", +"+count(int64(len(list)-i)), plain)
			return
		}
		x += f.put(x, y, f.W-x, comma, plain)
		w := f.putCut(x, y, f.W-x-len(more), text, m.urgency(t), m.g.ellipsis)
		if t.key() != "" {
			m.hit(x, y, w, 1, t.open)
		}
		x += w
	}
}

// short is the attention in a few words, with the key that answers it. The account is
// left out where there is only one.
func (t *attention) short(named bool) string {
	where := Safe(t.folder)
	if named || where == "" {
		where = Safe(t.account)
		if t.folder != "" {
			where += "/" + Safe(t.folder)
		}
	}
	what := map[string]string{
		TopicPassword: "password", TopicBrake: count(t.n) + " deletes", TopicValidity: "made anew on the server", TopicQuarantine: count(t.n) + " set aside",
		TopicCertificate: "certificate", TopicLock: "in use elsewhere", TopicThrottle: "throttled", TopicOffline: "offline",
		TopicMissing: "rests", TopicConfig: "configuration", TopicTrash: count(t.n) + " deletes wait",
	}[t.topic]
	if what == "" {
		what = first(t.lines)
	}
	if where != "" {
		where += ": "
	}
	if k := t.key(); k != "" {
		return where + what + " (" + k + ")"
	}
	return where + what
}
