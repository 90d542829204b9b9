package ui

import (
	"fmt"
	"time"
)

// drawDash draws the dashboard into the first bottom rows:
//
//	title, totals of the accounts, clock
//	! what needs a person
//	accounts: state, last and next round, server
//	    folders at work with bar, pace and time left
//	    connections with what each does
//	counts of this round and today
//	throughput, round trip, flights, longest turn
//	─ log ─
//	keys
func (m *Model) drawDash(f *Frame, bottom int, now time.Time) {
	busy := 0
	for _, a := range m.accounts {
		if a.active {
			busy++
		}
	}
	state := "idle"
	if busy > 0 {
		state = fmt.Sprintf("syncing %d of %d accounts", busy, len(m.accounts))
	}
	m.drawTitle(f, 0, " "+m.opt.Name+"  "+state, m.clock(now.UnixNano(), true))
	if bottom < 4 {
		return
	}
	y := 1 + m.drawTodo(f, 1, max(bottom/5, 1))
	bottom--
	m.drawKeys(f, bottom)
	logRows := max(bottom/3, 3)
	totals := m.totalRows(f.W)
	stats := 0
	if bottom-y-logRows >= 5+len(totals) {
		stats = len(totals) + 1
	}
	y += m.drawAccounts(f, y, bottom-y-logRows-stats-1, now)
	if stats > 0 {
		for _, row := range totals {
			m.drawTotals(f, y, row)
			y++
		}
		m.drawPace(f, y, now)
		y++
	}
	m.wheel = y
	if y < bottom-1 {
		m.drawRule(f, y, "log", m.logState())
		m.drawLog(f, y+1, bottom-y-1, true)
	}
}

func (m *Model) drawRule(f *Frame, y int, name, state string) {
	st := Style{Attr: Dim}
	for x := range f.W {
		f.put(x, y, 1, m.g.rule, st)
	}
	x := 2 + f.put(2, y, f.W-2, " "+name+" ", st)
	if state != "" {
		f.putCut(x+2, y, f.W-x-2, " "+state+" ", m.paint(Style{FG: Yellow, Attr: Bold}), m.g.ellipsis)
	}
}

// drawAccounts draws the accounts in at most limit rows and returns how many
// it took. Each has its row first; what is left goes to the work of the busy
// ones, shared out evenly.
func (m *Model) drawAccounts(f *Frame, y, limit int, now time.Time) int {
	if limit <= 0 {
		return 0
	}
	cols := m.columns(f.W)
	m.drawHeads(f, y, cols)
	if len(m.accounts) == 0 {
		f.putCut(2, y+min(1, limit-1), f.W-2, "no account has begun yet", Style{Attr: Dim}, m.g.ellipsis)
		return min(2, limit)
	}
	rows := limit - 1
	shown := min(len(m.accounts), rows)
	from := 0
	if shown < len(m.accounts) {
		from = min(max(m.sel-shown/2, 0), len(m.accounts)-shown)
	}
	extra, busy := rows-shown, 0
	for _, a := range m.accounts[from : from+shown] {
		if a.busy() {
			busy++
		}
	}
	used := 1
	for i, a := range m.accounts[from : from+shown] {
		m.drawAccount(f, y+used, from+i, cols, now)
		used++
		if !a.busy() {
			continue
		}
		n := m.drawWork(f, y+used, (extra+busy-1)/busy, a, now)
		used, extra, busy = used+n, extra-n, busy-1
	}
	return used
}

func (a *account) busy() bool {
	if a.active {
		return true
	}
	for i := range a.conns {
		if act := a.conns[i].act; i > 0 && act != Off && act != Idle {
			return true
		}
	}
	return false
}

// columns of the account table: where each begins; the widths follow.
type columns struct{ name, state, last, next, server int }

func (m *Model) columns(w int) columns {
	name := 7
	for _, a := range m.accounts {
		name = max(name, textWidth(Safe(a.name)))
	}
	name = min(name, max(w/4, 7))
	c := columns{name: 7}
	c.state = c.name + name + 2
	c.last = c.state + 22
	c.next = c.last + 7
	c.server = c.next + 9
	return c
}

func (m *Model) drawHeads(f *Frame, y int, c columns) {
	st := Style{Attr: Dim}
	f.put(c.name, y, c.state-c.name-1, "ACCOUNT", st)
	f.put(c.state, y, 21, "STATE", st)
	f.put(c.last, y, 6, "LAST", st)
	f.put(c.next, y, 8, "NEXT", st)
	if f.W-c.server >= 8 {
		f.put(c.server, y, f.W-c.server, "SERVER", st)
	}
}

func (m *Model) drawAccount(f *Frame, y, i int, c columns, now time.Time) {
	a := m.accounts[i]
	st := Style{}
	m.hitAccount(y, f.W, i)
	if i == m.sel {
		st.Attr = Bold
		f.put(0, y, 1, m.g.sel, m.paint(Style{FG: Cyan, Attr: Bold}))
	}
	f.put(1, y, 3, pad(fmt.Sprint(i+1), 3, true), st)
	lamp, lst := m.lamp(a.act, m.g.light)
	f.put(5, y, 1, lamp, lst)
	f.putCut(c.name, y, c.state-c.name-1, Safe(a.name), st, m.g.ellipsis)
	state, act := m.state(a)
	sst := m.style(act)
	if sst.Attr&Dim != 0 {
		sst = Style{}
	}
	f.putCut(c.state, y, 21, state, sst, m.g.ellipsis)
	f.put(c.last, y, 6, m.clock(a.last, false), Style{})
	next := m.g.none
	if a.next > 0 && !a.paused {
		next = "in " + duration((a.next-now.UnixNano()+int64(time.Second)-1)/int64(time.Second))
	}
	f.put(c.next, y, 8, next, Style{})
	if room := f.W - c.server; room >= 8 {
		f.putCut(c.server, y, room, a.server, Style{Attr: Dim}, m.g.ellipsis)
	}
}

// waitsFor is what an account is at that can do nothing for the reason of an
// attention.
var waitsFor = map[string]string{TopicPassword: "needs a password", TopicOffline: "offline", TopicThrottle: "throttled",
	TopicLock: "locked", TopicCertificate: "certificate?"}

// state says in words what an account is at.
func (m *Model) state(a *account) (string, Activity) {
	for _, t := range m.todo {
		if word := waitsFor[t.topic]; word != "" && t.account == a.name && (!a.active || t.topic == TopicPassword) {
			return word, Warning
		}
	}
	switch {
	case a.paused && !a.active:
		return "paused", Idle
	case a.active:
		s := "syncing"
		if a.act == Connecting && a.seen == 0 {
			s = "connecting"
		}
		if a.total > 0 {
			s += fmt.Sprintf(" %s/%s", count(int64(a.seen)), count(int64(a.total)))
		}
		if a.paused {
			s += ", then pause"
		}
		return s, Folder
	case a.failed:
		return "had errors", Warning
	case a.next > 0:
		return "sleeping", Idle
	case a.last > 0:
		return "done", Idle
	}
	return "starting", Idle
}

// drawWork draws what a busy account does, in at most limit rows: folders at
// work first, since they say most, then connections.
func (m *Model) drawWork(f *Frame, y, limit int, a *account, now time.Time) int {
	used := 0
	conns := 0
	for i := range a.conns {
		if i > 0 && a.conns[i].act != Off {
			conns++
		}
	}
	folders := limit - min(conns, limit/2)
	for _, w := range a.folders {
		if used >= folders {
			break
		}
		if w.active && m.passes(w) {
			m.drawFolder(f, y+used, w)
			m.hitItem(y+used, f.W, a, itemFolder, w, 0)
			used++
		}
	}
	for i := range a.conns {
		if used >= limit {
			break
		}
		if i > 0 && a.conns[i].act != Off {
			m.drawConn(f, y+used, i, &a.conns[i], now)
			m.hitItem(y+used, f.W, a, itemConn, nil, i)
			used++
		}
	}
	return used
}

// drawFolder draws a folder at work: name, bar, pace, rate and time left.
func (m *Model) drawFolder(f *Frame, y int, w *work) {
	name := max(f.W/4, 12)
	f.putCut(7, y, name, w.name, m.style(Folder), m.g.ellipsis)
	x := 7 + name + 1
	if w.total <= 0 {
		text := w.act.String()
		if w.n > 0 {
			text += " " + count(w.n)
		}
		f.putCut(x, y, f.W-x, text, m.style(w.act), m.g.ellipsis)
		return
	}
	tail := pace(w)
	if w.rate > 0 && f.W >= 80 {
		tail += "  " + size(w.rate) + "/s"
	}
	if eta := etaText(w); eta != "" {
		tail += "  " + eta
	}
	bar := min(f.W-x-len(tail)-2, 40)
	if bar >= 5 {
		f.put(x, y, bar, m.g.bar(w.n, w.total, bar), m.style(Copying))
		x += bar + 1
	}
	f.putCut(x, y, f.W-x, tail, Style{}, m.g.ellipsis)
}

func (m *Model) drawConn(f *Frame, y, i int, c *conn, now time.Time) {
	lamp, st := m.lamp(c.act, m.g.light)
	f.put(7, y, 1, lamp, st)
	text := fmt.Sprintf("#%d %s", i, c.act)
	if c.command != "" {
		text = fmt.Sprintf("#%d %s", i, c.command)
		if c.inFlight > 1 {
			text += fmt.Sprintf(" (%s in flight)", count(c.inFlight))
		}
	}
	if c.folder != "" {
		text += " " + Safe(c.folder)
	}
	if c.act == Copying && c.bytes > 0 {
		text += ", " + size(c.bytes)
	}
	if c.in > 0 && f.W >= 70 {
		text += ", received " + size(c.in)
	}
	if s := (now.UnixNano() - c.since) / int64(time.Second); c.act != Idle && c.since > 0 && s >= 2 {
		text += ", " + duration(s)
	}
	if c.act == Idle {
		st = Style{Attr: Dim}
	}
	f.putCut(9, y, f.W-9, text, st, m.g.ellipsis)
}

// total is a labelled count of what was done.
type total struct{ label, text string }

// totalRows gives this round's totals and today's: beside each other where they
// fit, else one below the other.
func (m *Model) totalRows(w int) [][]total {
	var round totals
	for _, a := range m.accounts {
		round.add(a.round)
	}
	r, t := total{"Round ", m.counts(round)}, total{"Today ", m.counts(m.today)}
	if w > 15+textWidth(r.text)+textWidth(t.text) {
		return [][]total{{r, t}}
	}
	return [][]total{{r}, {t}}
}

func (m *Model) drawTotals(f *Frame, y int, row []total) {
	x := 0
	for _, t := range row {
		x += f.put(x, y, f.W-x, t.label, Style{Attr: Dim})
		x += f.putCut(x, y, f.W-x, t.text, Style{}, m.g.ellipsis) + 3
	}
}

func (m *Model) counts(t totals) string {
	return fmt.Sprintf("%s %s %s  %s %s %s  flags %s  deletes %s", m.g.down, count(t.down), size(t.downBytes),
		m.g.up, count(t.up), size(t.upBytes), count(t.flags), count(t.deleted))
}

// drawPace draws throughput over the last seconds, and what the link and the
// loop are like.
func (m *Model) drawPace(f *Frame, y int, now time.Time) {
	sec := now.UnixNano() / int64(time.Second)
	width := min(max(f.W/4, 10), 60)
	x := f.put(0, y, f.W, "Speed ", Style{Attr: Dim})
	x += f.put(x, y, width, m.g.line(&m.spark, sec, width), m.style(Listing))
	var sum int64 // of the last five full seconds
	for t := sec - 5; t < sec; t++ {
		if t > m.spark.sec-int64(len(m.spark.vals)) && t <= m.spark.sec && t >= 0 {
			sum += m.spark.vals[t%int64(len(m.spark.vals))]
		}
	}
	text := size(sum/5) + "/s"
	if a := m.selected(); a != nil && a.rtt > 0 {
		text += fmt.Sprintf("  RTT %d ms", a.rtt.Milliseconds())
	}
	if a := m.selected(); a != nil && a.flights > 0 {
		text += fmt.Sprintf("  flights %s", count(a.flights))
	}
	if m.turn > 0 {
		text += fmt.Sprintf("  longest turn %.1f ms", float64(m.turn.Microseconds())/1000)
		if m.turnAt != "" {
			text += " (" + m.turnAt + ")"
		}
	}
	f.putCut(x+1, y, f.W-x-1, text, Style{}, m.g.ellipsis)
}
