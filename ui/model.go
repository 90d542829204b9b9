package ui

import (
	"time"
)

// Options says how a Model draws.
type Options struct {
	Name          string         // program and version, "offloop 0.1"
	Copyright     string         // right side of the Blinkenlights banner
	Unicode       bool           // lights, bars and lines beyond ASCII
	Mono          bool           // no colours (NO_COLOR, a monochrome terminal)
	Light         string         // Blinkenlights' light; "" = "@"
	Blinkenlights bool           // begin with Blinkenlights, not the dashboard
	Debug         bool           // show debug events in the log
	Scrollback    int            // lines of log kept; 0 = 2000
	Location      *time.Location // for clock times; nil = local
}

// Model is everything the live screen knows: events and keys go in, actions
// and frames come out. It is pure: same input, same frames.
type Model struct {
	opt      Options
	g        glyphs
	accounts []*account
	byName   map[string]*account
	control  conn // the light of the program itself
	log      scrollback
	todo     []*attention
	today    totals
	day      int // day of year of today's totals
	spark    sparkline
	turn     time.Duration
	turnAt   string
	last     int64 // time of the last event
	tracing  *account
	trace    scrollback

	// what the person looks at
	blink   bool // Blinkenlights instead of the dashboard
	help    bool
	at      page // what is shown instead of the whole
	top     int  // first row shown of help or of an item's page
	sel     int  // selected account
	selRow  int  // selected item in the details; 0 = none
	hits    []hit
	wheel   int // row from which the wheel scrolls the log
	filter  string
	mode    mode
	edit    lineEdit
	paste   bool
	asking  *attention // whose password is being typed
	confirm *question
	digits  string // an account number being typed
	digitAt int64
	height  int // of the log pane when last drawn

	dirty bool
	frame Frame
	rowsB []row
	acts  []Action
}

// mode is what the keyboard is for.
type mode uint8

const (
	modeKeys     mode = iota // each key is a command
	modePassword             // typing a password
	modeSearch               // typing a search of the log
	modeFilter               // typing a folder filter
)

// conn is a light: the account itself or one of its connections.
type conn struct {
	act      Activity
	folder   string
	bytes    int64 // of the message under way
	since    int64
	command  string // the oldest command unanswered
	inFlight int64
	in, out  int64 // bytes on the wire
}

// work is a folder of an account.
type work struct {
	name           string
	act            Activity
	conn           int
	n, total       int64
	bytes, rate    int64
	perSecond      float64 // messages a second, smoothed
	lastN, lastAt  int64
	since          int64
	active, failed bool
	result         string
	down, up       tally
}

type account struct {
	name    string
	server  string
	act     Activity
	active  bool // a round is under way
	paused  bool
	failed  bool // the last round had an error
	last    int64
	next    int64 // when the next round begins; 0 = not known
	since   int64
	conns   []conn // [0] the account itself, [n] connection n
	folders []*work
	byName  map[string]*work
	total   int // folders of the account, as told
	seen    int // folders begun or skipped this round
	round   totals
	rtt     time.Duration
	flights int64
	errors  []failure // the last few, newest last
}

// failure is an error of an account, in full.
type failure struct {
	at     int64
	folder string
	lines  []string
}

// attention is something a person has to look at.
type attention struct {
	account, folder, topic string
	set                    string // which deletes a brake is about
	n                      int64
	lines                  []string
	list                   []string // each message a brake is about, or each choice
	level                  Level
	stale                  bool // not raised again since the round began
	aside                  bool // a prompt put off with Esc
}

// choice is an answer of its own to a question.
type choice struct {
	key rune
	act Action
}

// question is a decision a person is asked for.
type question struct {
	lines []string
	keys  string // what the keys do; "" = yes and no
	yes   Action
	no    *Action  // nil = nothing happens
	other []choice // answers instead of yes
	att   *attention
	once  bool // answered, the attention is over
	top   int
}

// maxConns and maxFolders bound what events can make the model remember.
const (
	maxConns    = 64
	maxFolders  = 20000
	maxErrors   = 20
	maxAttended = 200
	maxNumber   = 1e15 // more is a claim nobody can mean
	maxSleep    = 1e9
)

// NewModel returns a model that has seen nothing yet.
func NewModel(o Options) *Model {
	if o.Scrollback <= 0 {
		o.Scrollback = 2000
	}
	if o.Location == nil {
		o.Location = time.Local
	}
	m := &Model{opt: o, byName: map[string]*account{}, blink: o.Blinkenlights, dirty: true}
	m.log = scrollback{cap: o.Scrollback, pin: -1}
	m.trace = scrollback{cap: o.Scrollback, pin: -1}
	m.g = glyphsFor(o.Unicode)
	m.control.act = Sleeping
	return m
}

// Event takes note of e.
func (m *Model) Event(e Event) {
	m.dirty = true
	for _, v := range []*int64{&e.N, &e.Total, &e.Bytes, &e.Rate} {
		*v = min(max(*v, 0), maxNumber)
	}
	m.last = max(m.last, e.At)
	k := kindOf(e.Kind)
	level := LevelOf(e)
	act := k.Activity
	if act == same && level >= Warn {
		act = Warning
	}
	light := m.light(e, act)
	m.apply(e, level)
	if e.Kind == "trace" && m.tracing != nil && m.tracing.name == e.Account {
		for _, text := range Lines(e) {
			m.trace.add(logLine{e.At, Debug, Listing, e.Account, text, false})
		}
	}
	if level < Info && !m.opt.Debug {
		return
	}
	if e.Kind == "attention" && e.Text == "" {
		return
	}
	if e.Kind == "attention" && e.Dest == TopicPassword {
		m.log.add(logLine{e.At, Warn, Warning, e.Account, "*** Input Required", false})
	}
	for i, text := range Lines(e) {
		if i > 0 && (e.Kind == "attention" || e.Kind == "undo") {
			break // the list behind it is for the question
		}
		m.log.add(logLine{e.At, level, light, e.Account, text, i > 0})
	}
}

// light sets the light e is about and returns what it then shows.
func (m *Model) light(e Event, act Activity) Activity {
	if e.Account == "" {
		if act != same {
			m.control.act = act
		}
		return m.control.act
	}
	a := m.account(e.Account)
	n := e.Conn
	if n < 0 || n >= maxConns {
		n = 0
	}
	for len(a.conns) <= n {
		a.conns = append(a.conns, conn{act: Off})
	}
	c := &a.conns[n]
	if act != same {
		if c.act != act || c.folder != e.Folder {
			c.since = e.At
		}
		c.act = act
		c.folder = e.Folder
		if n == 0 {
			a.act = act
		}
	}
	switch e.Kind {
	case "copy", "upload":
		c.bytes = e.Bytes
	case "command":
		c.command, c.inFlight, c.in, c.out = Safe(e.Dest), e.N, e.Bytes, e.Total
	case "lost":
		c.command, c.inFlight = "", 0
	}
	return c.act
}

func (m *Model) account(name string) *account {
	a := m.byName[name]
	if a == nil {
		a = &account{name: name, byName: map[string]*work{}, act: Idle, conns: []conn{{act: Idle}}}
		m.byName[name] = a
		m.accounts = append(m.accounts, a)
	}
	return a
}

// apply does what the kind of e says beyond lights and lines.
func (m *Model) apply(e Event, level Level) {
	var a *account
	if e.Account != "" {
		a = m.account(e.Account)
	}
	switch e.Kind {
	case "attention":
		m.attend(e, level)
		if a != nil && e.Folder != "" && e.Text != "" {
			m.folder(a, e, level) // it can be selected then
		}
		return
	case "stats":
		m.measure(e, a)
		return
	case "held":
		m.enlist(e)
		return
	}
	if a == nil {
		return
	}
	if level >= Error {
		a.failed = true
		a.errors = append(a.errors, failure{e.At, Safe(e.Folder), Lines(e)})
		a.errors = a.errors[max(0, len(a.errors)-maxErrors):]
	}
	switch e.Kind {
	case "account-start":
		m.begin(a, e.At)
	case "account-done":
		m.end(a, e.At)
	case "connecting", "connected":
		if e.Dest != "" {
			a.server = Safe(e.Dest)
		}
		if e.Kind == "connected" {
			m.withdraw(a.name, TopicPassword, TopicOffline, TopicThrottle, TopicLock, TopicCertificate)
		}
	case "lost":
		if e.Conn > 0 && e.Conn < len(a.conns) {
			a.conns[e.Conn].act = Off
		}
	case "folders":
		a.total = int(e.N)
	case "sleep":
		a.active = false
		a.next = e.At + min(e.N, maxSleep)*int64(time.Second)
	case "wake":
		a.next = 0
	case "undo":
		m.askUndo(e)
		return
	}
	if e.Folder != "" && e.Kind != "command" {
		m.folder(a, e, level)
	}
	m.count(a, e)
}

// begin starts a round of a.
func (m *Model) begin(a *account, at int64) {
	a.active, a.failed, a.since, a.next, a.seen, a.round = true, false, at, 0, 0, totals{}
	a.rest()
	m.grow(a.name)
}

// end finishes a round of a: nothing of it is under way any more.
func (m *Model) end(a *account, at int64) {
	a.active, a.last = false, at
	a.rest()
	for i := 1; i < len(a.conns); i++ {
		if a.conns[i].act != Off {
			a.conns[i].act, a.conns[i].folder = Idle, ""
			a.conns[i].command, a.conns[i].inFlight = "", 0
		}
	}
	m.settle(a.name)
}

// rest takes the account's folders from work.
func (a *account) rest() {
	for _, f := range a.folders {
		f.active = false
	}
}

// folder follows the work on one folder.
func (m *Model) folder(a *account, e Event, level Level) {
	f := a.byName[e.Folder]
	if f == nil {
		if len(a.folders) >= maxFolders {
			return
		}
		f = &work{name: Safe(e.Folder)}
		a.byName[e.Folder] = f
		a.folders = append(a.folders, f)
	}
	if act := kindOf(e.Kind).Activity; act != same {
		f.act = act
	}
	if e.Conn > 0 {
		f.conn = e.Conn
	}
	if level >= Error {
		f.failed, f.result = true, or(first(Lines(e)), "failed")
	}
	switch e.Kind {
	case "folder-start":
		a.seen++
		*f = work{name: f.name, act: Folder, conn: e.Conn, active: true, since: e.At, lastAt: e.At}
	case "folder-skip":
		a.seen++
		f.active, f.failed, f.result = false, false, "not changed"
	case "folder-done":
		f.active = false
		if !f.failed {
			f.result = "done"
			if e.N > 0 {
				f.result = count(e.N) + " changes"
			}
		}
	case "copied", "uploaded", "progress":
		f.advance(e)
	case "copy", "upload":
		// What arrives runs ahead of what is safe on disk, which comes in groups:
		// the pace is that of the arrivals.
		f.active = true
		f.total = max(e.Total, f.total)
		f.n = max(e.N-1, f.n)
		f.pace(e.At)
	case "scan", "list", "plan":
		f.active = true
	}
}

// advance takes over the numbers of e and smooths the pace.
func (f *work) advance(e Event) {
	f.active = true
	f.n, f.total = max(e.N, f.n), e.Total
	if e.Kind == "progress" {
		f.n = e.N
	}
	if e.Kind == "progress" {
		f.bytes, f.rate = e.Bytes, e.Rate
	} else {
		f.bytes += e.Bytes
	}
	f.pace(e.At)
}

// pace smooths the messages a second.
func (f *work) pace(at int64) {
	if f.lastAt == 0 || f.n < f.lastN {
		f.lastN, f.lastAt = f.n, at
		return
	}
	dt := float64(at-f.lastAt) / 1e9
	if dt < 0.5 {
		return
	}
	now := float64(f.n-f.lastN) / dt
	if f.perSecond == 0 {
		f.perSecond = now
	} else {
		f.perSecond += 0.3 * (now - f.perSecond)
	}
	f.lastN, f.lastAt = f.n, at
}

// eta returns the seconds the rest will take; -1 = not known.
func (f *work) eta() int64 {
	if f.perSecond < 0.01 || f.total <= f.n {
		return -1
	}
	return int64(float64(f.total-f.n)/f.perSecond + 0.5)
}

func (m *Model) measure(e Event, a *account) {
	switch {
	case e.Dest == MeasureTurn:
		m.turn, m.turnAt = time.Duration(e.N), Safe(e.Text)
	case a == nil:
	case e.Dest == MeasureRTT:
		a.rtt = time.Duration(e.N)
	case e.Dest == MeasureFlights:
		a.flights = e.N
	}
}

func first(s []string) string {
	if len(s) == 0 {
		return ""
	}
	return s[0]
}
