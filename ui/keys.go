package ui

import (
	"strings"
	"time"
)

// Code names a key.
type Code uint8

const (
	KeyRune Code = iota // Key.Rune was typed
	KeyCtrl             // Key.Rune, a small letter, with ctrl
	KeyEnter
	KeyEsc
	KeyTab
	KeyBackspace
	KeyUp
	KeyDown
	KeyLeft
	KeyRight
	KeyHome
	KeyEnd
	KeyPageUp
	KeyPageDown
	KeyPasteStart // what follows is pasted, not typed
	KeyPasteEnd
)

// Key is a key that was pressed.
type Key struct {
	Code Code
	Rune rune
}

// binding is a row of the key table: what the help and the key bar say, and
// what the key does, come from one place.
type binding struct {
	keys  []Key
	label string // the key as a person reads it
	short string // for the key bar; "" = not there
	long  string // for the help
	do    func(*Model)
}

func r(c rune) Key    { return Key{KeyRune, c} }
func ctrl(c rune) Key { return Key{KeyCtrl, c} }

// keyTable is every command, the most wanted first: the key bar shows as many
// as fit. Digits and the keys of prompts are not commands.
var keyTable = []binding{
	{[]Key{r('q'), ctrl('c')}, "q", "quit", "quit when the messages under way are safe", func(m *Model) { m.act(Action{Verb: "quit"}) }},
	{[]Key{{Code: KeyEsc}}, "Esc", "back", "back: a page, from a search or filter to all, to the newest line", (*Model).back},
	{[]Key{r('?')}, "?", "help", "this help", func(m *Model) { m.help, m.top = !m.help, 0 }},
	{[]Key{r('i')}, "i", "answer", "answer what an account waits for: a password, a certificate", (*Model).askAgain},
	{[]Key{r('a')}, "a", "allow", "show the deletes held back, then allow them", (*Model).askAllow},
	{[]Key{r('c')}, "c", "choose", "make again what one side lost, or forget it; asks first", (*Model).askChoice},
	{[]Key{r('s')}, "s", "sync", "sync the selected account (or folder, in its details) now", (*Model).syncSelected},
	{[]Key{r('b')}, "b", "lights", "switch between dashboard and Blinkenlights", func(m *Model) { m.blink = !m.blink; m.open(pageMain) }},
	{[]Key{{Code: KeyEnter}}, "Enter", "details", "details of the account; there, of a connection, folder, error", (*Model).enter},
	{[]Key{r('t')}, "t", "trace", "what the account and its server say, passwords left out", (*Model).traceSelected},
	{[]Key{r('p')}, "p", "pause", "pause or resume the selected account", (*Model).pauseSelected},
	{[]Key{r('u')}, "u", "undo", "bring back what the server had deleted here; asks first", (*Model).undoSelected},
	{[]Key{r('/')}, "/", "search", "show only log lines with a text", func(m *Model) { m.mode = modeSearch }},
	{[]Key{r('f')}, "f", "filter", "show only folders with a text", func(m *Model) { m.mode = modeFilter }},
	{[]Key{r('S')}, "S", "sync all", "sync every account now", func(m *Model) { m.act(Action{Verb: "sync"}) }},
	{[]Key{r('r')}, "r", "reload", "read the configuration again", func(m *Model) { m.act(Action{Verb: "reload"}) }},
	{[]Key{r('Q')}, "Q", "", "quit now; what is under way is done again next time", func(m *Model) { m.act(Action{Verb: "quitnow"}) }},
	{[]Key{{Code: KeyUp}, r('k')}, "up k", "", "select what is above", func(m *Model) { m.move(-1) }},
	{[]Key{{Code: KeyDown}, r('j')}, "down j", "", "select what is below", func(m *Model) { m.move(1) }},
	{[]Key{{Code: KeyLeft}, r('h')}, "left h", "", "back", (*Model).back},
	{[]Key{{Code: KeyRight}, r('l')}, "right l", "", "details", (*Model).enter},
	{[]Key{{Code: KeyPageUp}}, "PgUp", "", "scroll the log back", func(m *Model) { m.page(-1) }},
	{[]Key{{Code: KeyPageDown}}, "PgDn", "", "scroll the log forward", func(m *Model) { m.page(1) }},
	{[]Key{{Code: KeyHome}}, "Home", "", "to the oldest log line", func(m *Model) { m.pane().scroll(-m.pane().cap) }},
	{[]Key{{Code: KeyEnd}}, "End", "", "to the newest log line, and follow it", func(m *Model) { m.pane().pin = -1 }},
	{[]Key{r('m')}, "m", "", "give the mouse to the terminal (to select text), or take it", func(m *Model) { m.act(Action{Verb: "mouse"}) }},
	{[]Key{ctrl('l')}, "ctrl-l", "", "draw the screen anew", func(m *Model) { m.act(Action{Verb: "redraw"}) }},
	{[]Key{ctrl('z')}, "ctrl-z", "", "suspend; fg brings the screen back", func(m *Model) { m.act(Action{Verb: "suspend"}) }},
}

// digitWait is how long a number may wait for its next digit, where more than
// nine accounts make one possible.
const digitWait = 700 * time.Millisecond

// Key acts on a key pressed at now and returns what it asks for.
func (m *Model) Key(k Key, now time.Time) []Action {
	m.dirty = true
	m.acts = nil
	switch {
	case k.Code == KeyPasteStart || k.Code == KeyPasteEnd:
		m.paste = k.Code == KeyPasteStart
	case m.paste && m.mode == modeKeys:
		// A paste is text. No command is ever taken from one.
	case m.confirm != nil && !m.global(k):
		m.answer(k)
	case m.mode != modeKeys && !m.global(k):
		m.typed(k)
	default:
		m.command(k, now)
	}
	return m.acts
}

// global reports whether k works inside prompts and questions too.
func (m *Model) global(k Key) bool {
	return k == ctrl('c') || k == ctrl('z') || k == ctrl('l')
}

func (m *Model) act(a Action) { m.acts = append(m.acts, a) }

func (m *Model) command(k Key, now time.Time) {
	if k.Code == KeyRune && k.Rune >= '0' && k.Rune <= '9' {
		m.digit(byte(k.Rune), now)
		return
	}
	m.number()
	if m.help && k != (Key{KeyRune, '?'}) && m.scrollHelp(k) {
		return
	}
	for i := range keyTable {
		for _, b := range keyTable[i].keys {
			if b == k {
				keyTable[i].do(m)
				return
			}
		}
	}
}

// scrollHelp moves through the help; any key that does not leaves it.
func (m *Model) scrollHelp(k Key) bool {
	switch k {
	case Key{Code: KeyDown}, r('j'):
		m.top++
	case Key{Code: KeyUp}, r('k'):
		m.top = max(m.top-1, 0)
	case Key{Code: KeyPageDown}:
		m.top += max(m.frame.H-2, 1)
	case Key{Code: KeyPageUp}:
		m.top = max(m.top-max(m.frame.H-2, 1), 0)
	case Key{Code: KeyEsc}, Key{Code: KeyEnter}, Key{Code: KeyLeft}, r('h'):
		m.help, m.top = false, 0
	default:
		m.help, m.top = false, 0
		return false
	}
	return true
}

// digit takes a digit of an account's number. It acts at once where no longer
// number can be meant.
func (m *Model) digit(d byte, now time.Time) {
	m.digits += string(d)
	m.digitAt = now.UnixNano()
	n := atoi(m.digits)
	if n*10 > len(m.accounts) || n == 0 {
		m.number()
	}
}

// number acts on the digits typed so far, if any.
func (m *Model) number() {
	if m.digits == "" {
		return
	}
	n := atoi(m.digits)
	m.digits = ""
	if n < 1 || n > len(m.accounts) {
		return
	}
	m.sel = n - 1
	m.request(m.accounts[n-1], "")
}

func atoi(s string) int {
	n := 0
	for _, c := range s {
		n = min(n*10+int(c-'0'), 1e6)
	}
	return n
}

// Tick acts on time alone: a number nobody went on typing.
func (m *Model) Tick(now time.Time) []Action {
	m.acts = nil
	if m.digits != "" && now.UnixNano()-m.digitAt >= int64(digitWait) {
		m.dirty = true
		m.number()
	}
	return m.acts
}

// Deadline returns when Tick wants to be called next.
func (m *Model) Deadline() (time.Time, bool) {
	if m.digits == "" {
		return time.Time{}, false
	}
	return time.Unix(0, m.digitAt).Add(digitWait), true
}

// request asks for a sync; the log line about it is an event like any other.
func (m *Model) request(a *account, folder string) {
	m.act(Action{Verb: "sync", Account: a.name, Folder: folder})
}

func (m *Model) selected() *account {
	if m.sel < 0 || m.sel >= len(m.accounts) {
		return nil
	}
	return m.accounts[m.sel]
}

// folderName returns the name f has in events.
func (a *account) folderName(f *work) string {
	for name, w := range a.byName {
		if w == f {
			return name
		}
	}
	return ""
}

func (m *Model) syncSelected() {
	a := m.selected()
	if a == nil {
		return
	}
	m.request(a, m.selectedName(a))
}

// selectedName returns the name that the selected folder of a has in events, ""
// where none is selected.
func (m *Model) selectedName(a *account) string {
	if f := m.selectedFolder(); f != nil {
		return a.folderName(f)
	}
	return ""
}

func (m *Model) pauseSelected() {
	a := m.selected()
	if a == nil {
		return
	}
	a.paused = !a.paused
	verb := "resume"
	if a.paused {
		verb = "pause"
	}
	m.act(Action{Verb: verb, Account: a.name})
}

func (m *Model) askAgain() {
	for _, t := range m.todo {
		t.aside = false
	}
	m.askNext()
}

func (m *Model) move(n int) {
	switch m.at {
	case pageAccount:
		if a := m.selected(); a != nil {
			m.selRow = min(max(m.selRow+n, 0), m.items(a))
		}
	case pageItem:
		m.top = max(m.top+n, 0)
	case pageTrace:
		m.pane().scroll(n)
	default:
		m.sel = min(max(m.sel+n, 0), max(len(m.accounts)-1, 0))
	}
}

func (m *Model) back() {
	switch {
	case m.at == pageTrace && m.trace.find != "":
		m.trace.find = ""
	case m.at != pageMain:
		m.open(pageParent[m.at])
	case m.log.find != "":
		m.log.find = ""
	case m.filter != "":
		m.filter = ""
	default:
		m.log.pin = -1
	}
}

func (m *Model) page(dir int) {
	if m.at == pageItem {
		m.top = max(m.top+dir*max(m.frame.H-2, 1), 0)
		return
	}
	m.pane().scroll(dir * max(m.height-1, 1))
}

// matching returns the folders of a that pass the filter.
func (m *Model) matching(a *account) []*work {
	if m.filter == "" {
		return a.folders
	}
	var out []*work
	for _, f := range a.folders {
		if m.passes(f) {
			out = append(out, f)
		}
	}
	return out
}

// passes tells whether f is to be shown.
func (m *Model) passes(f *work) bool {
	return m.filter == "" || strings.Contains(strings.ToLower(f.name), m.filter)
}

// answer takes a key for the open question.
func (m *Model) answer(k Key) {
	q := m.confirm
	for i := range q.other {
		if k == r(q.other[i].key) {
			m.decide(&q.other[i].act)
			return
		}
	}
	switch k {
	case r('y'), r('Y'):
		if q.other == nil {
			m.decide(&q.yes)
		}
	case r('n'), r('N'):
		m.decide(q.no)
	case r('q'), Key{Code: KeyEsc}, Key{Code: KeyEnter}:
		m.decide(nil)
	case r('j'), Key{Code: KeyDown}:
		q.top++
	case r('k'), Key{Code: KeyUp}:
		q.top = max(q.top-1, 0)
	case Key{Code: KeyPageDown}, r(' '):
		q.top += max(m.frame.H-2, 1)
	case Key{Code: KeyPageUp}:
		q.top = max(q.top-max(m.frame.H-2, 1), 0)
	}
}

// decide closes the open question with an action, or puts it off with none.
func (m *Model) decide(a *Action) {
	q := m.confirm
	m.confirm = nil
	switch {
	case a != nil:
		m.act(*a)
		if q.once {
			for i, t := range m.todo {
				if t == q.att {
					m.drop(i)
					break
				}
			}
		}
	case q.att != nil:
		q.att.aside = true
	}
	m.askNext()
}

// typed takes a key for the line being typed.
func (m *Model) typed(k Key) {
	switch k.Code {
	case KeyRune:
		m.edit.insert(k.Rune)
	case KeyBackspace:
		m.edit.erase()
	case KeyCtrl:
		if k.Rune == 'u' {
			m.edit.clear()
		}
	case KeyTab:
		if m.mode == modePassword && !m.paste {
			m.nextPassword()
		}
	case KeyEsc:
		switch m.mode {
		case modePassword:
			m.asking.aside = true
		case modeSearch:
			m.pane().find = ""
		case modeFilter:
			m.filter = ""
		}
		m.endInput()
	case KeyEnter:
		// The line end a pasted text brings along is not a decision.
		if !m.paste {
			m.submit()
		}
	}
	if m.mode == modeSearch {
		m.pane().find = strings.ToLower(string(m.edit.text))
	} else if m.mode == modeFilter {
		m.filter = strings.ToLower(string(m.edit.text))
	}
}

func (m *Model) submit() {
	if m.mode != modePassword {
		m.endInput()
		return
	}
	t := m.asking
	m.act(Action{Verb: "password", Account: t.account, Text: string(m.edit.text)})
	for i := range m.todo {
		if m.todo[i] == t {
			m.drop(i)
			return
		}
	}
	m.endInput()
}

// nextPassword goes on to the next account that waits for one.
func (m *Model) nextPassword() {
	var waiting []*attention
	at := 0
	for _, t := range m.todo {
		if t.topic == TopicPassword {
			if t == m.asking {
				at = len(waiting)
			}
			waiting = append(waiting, t)
		}
	}
	if len(waiting) > 1 {
		m.edit.clear()
		m.asking = waiting[(at+1)%len(waiting)]
		m.asking.aside = false
	}
}
