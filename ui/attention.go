package ui

import (
	"fmt"
	"strings"
)

// attend raises or, without a text, withdraws an attention.
func (m *Model) attend(e Event, level Level) {
	for i, t := range m.todo {
		if t.account == e.Account && t.folder == e.Folder && t.topic == e.Dest {
			if e.Text == "" {
				m.drop(i)
			} else {
				t.n, t.set, t.lines, t.list, t.level, t.stale = e.N, e.Set, Lines(e), nil, level, false
				m.ask(t)
			}
			return
		}
	}
	if e.Text == "" || len(m.todo) >= maxAttended {
		return
	}
	t := &attention{account: e.Account, folder: e.Folder, topic: e.Dest, n: e.N, set: e.Set, lines: Lines(e), level: level}
	m.todo = append(m.todo, t)
	m.ask(t)
}

// list takes the lines behind an attention: what a question shows in full.
func (m *Model) enlist(e Event) {
	for _, t := range m.todo {
		if t.account == e.Account && t.folder == e.Folder && t.topic == e.Dest {
			t.list = nil
			for _, l := range Lines(e) {
				t.list = append(t.list, strings.TrimSpace(l))
			}
			// A question that is open keeps what it showed, since that is what is answered.
			if m.confirm != nil && m.confirm.att == t && t.topic == TopicBrake && m.confirm.yes.Set == t.set {
				m.confirm.lines = t.release().lines
			}
		}
	}
}

// ask opens the prompt for t if it wants an answer of its own and the keyboard
// is free.
func (m *Model) ask(t *attention) {
	if t.aside || m.mode != modeKeys || m.confirm != nil {
		return
	}
	switch t.topic {
	case TopicPassword:
		m.mode, m.asking = modePassword, t
		m.edit.clear()
		m.digits = ""
	case TopicCertificate:
		if t.level >= Error {
			return // refused already; nobody waits for an answer
		}
		m.confirm = &question{lines: t.lines, att: t, once: true, keys: "y: trust it  n: refuse it  Esc: later",
			yes: Action{Verb: "trust", Account: t.account}, no: &Action{Verb: "distrust", Account: t.account}}
		m.digits = ""
	}
}

// askNext opens the next password prompt that was not put aside.
func (m *Model) askNext() {
	for _, t := range m.todo {
		m.ask(t)
	}
}

// drop removes attention i and what hangs on it.
func (m *Model) drop(i int) {
	t := m.todo[i]
	m.todo = append(m.todo[:i], m.todo[i+1:]...)
	if m.confirm != nil && m.confirm.att == t {
		m.confirm = nil
	}
	if m.asking == t {
		m.endInput()
	}
}

// endInput gives the keyboard back to the commands or to the next prompt.
func (m *Model) endInput() {
	m.edit.clear()
	m.mode, m.asking, m.paste = modeKeys, nil, false
	m.askNext()
}

// withdraw removes the account's attentions of the given topics.
func (m *Model) withdraw(account string, topics ...string) {
	for i := len(m.todo) - 1; i >= 0; i-- {
		for _, topic := range topics {
			if m.todo[i].account == account && m.todo[i].topic == topic {
				m.drop(i)
				break
			}
		}
	}
}

// grow marks the attentions of an account as old news: a round begins.
func (m *Model) grow(account string) {
	for _, t := range m.todo {
		t.stale = t.stale || t.account == account
	}
}

// settle removes what the round that now ended did not raise again.
func (m *Model) settle(account string) {
	for i := len(m.todo) - 1; i >= 0; i-- {
		if m.todo[i].account == account && m.todo[i].stale {
			m.drop(i)
		}
	}
}

// headline is the attention in one line, and what key answers it.
func (t *attention) headline() (text, key string) {
	where := Safe(t.account)
	if t.folder != "" {
		where += "/" + Safe(t.folder)
	}
	if where != "" {
		where += ": "
	}
	if key = t.key(); key != "" {
		word := keyWords[key]
		if t.topic == TopicPassword {
			word = "type it"
		}
		key = " (" + key + ": " + word + ")"
	}
	return where + strings.TrimPrefix(first(t.lines), where), key
}

// keyWords say what the keys of attentions do.
var keyWords = map[string]string{"a": "allow", "c": "choose", "r": "again", "i": "decide"}

// key is the key that answers the attention; "" = none does.
func (t *attention) key() string {
	switch t.topic {
	case TopicPassword:
		return "i"
	case TopicCertificate:
		if t.level < Error {
			return "i"
		}
	case TopicBrake:
		return "a"
	case TopicConfig:
		return "r"
	default:
		if t.choices() != nil {
			return "c"
		}
	}
	return ""
}

func isBrake(t *attention) bool   { return t.topic == TopicBrake }
func hasChoice(t *attention) bool { return t.choices() != nil }

// nearest returns which of the attentions that pass a key is about: that of the
// selected folder or account first. nil = there is none.
func (m *Model) nearest(pass func(*attention) bool) *attention {
	var found *attention
	score := 0
	for _, t := range m.todo {
		if !pass(t) {
			continue
		}
		s := 1
		if a := m.selected(); a != nil && a.name == t.account {
			s = 2
			kind, n := m.item(a)
			if t.folder != "" && (m.selectedName(a) == t.folder || kind == itemError && a.errors[n].folder == Safe(t.folder)) {
				s = 3
			}
		}
		if s > score {
			found, score = t, s
		}
	}
	return found
}

// release is the brake's question: how many deletes, why they were held back,
// and each of them.
func (t *attention) release() *question {
	where := Safe(t.account) + "/" + Safe(t.folder)
	head := fmt.Sprintf("Allow %s deletes in %s?", count(t.n), where)
	if t.n == 0 {
		head = "Allow the deletes held back in " + where + "?"
	}
	return &question{lines: append(append([]string{head}, t.lines...), t.list...), att: t, once: true,
		yes: Action{Verb: "allow", Account: t.account, Folder: t.folder, Set: t.set}}
}

// askAllow opens the question whether held-back deletes may go ahead.
func (m *Model) askAllow() {
	if t := m.nearest(isBrake); t != nil {
		m.confirm = t.release()
	}
}

// choiceVerbs are the choices that an attention can leave.
var choiceVerbs = [...]struct {
	key        rune
	word, verb string
}{{'m', "make it again", "recreate"}, {'f', "forget it", "forget"}}

// choices are those that t leaves; nil = none.
func (t *attention) choices() (out []choice) {
	if t.topic != TopicMissing && t.topic != TopicValidity {
		return nil
	}
	for _, v := range choiceVerbs {
		for _, l := range t.list {
			if strings.HasPrefix(l, string(v.key)+": ") {
				out = append(out, choice{v.key, Action{Verb: v.verb, Account: t.account, Folder: t.folder}})
				break
			}
		}
	}
	return out
}

// choose is the question what becomes of a folder, with what each answer does.
func (t *attention) choose() *question {
	q := &question{lines: append([]string{Safe(t.account) + ": " + first(t.lines)}, t.list...), att: t, once: true, other: t.choices()}
	for _, v := range choiceVerbs {
		for _, c := range q.other {
			if c.key == v.key {
				q.keys += string(v.key) + ": " + v.word + "  "
			}
		}
	}
	q.keys += "n: leave it"
	return q
}

// askChoice opens the question what becomes of a folder that one side lost.
func (m *Model) askChoice() {
	if t := m.nearest(hasChoice); t != nil {
		m.confirm = t.choose()
	}
}

// undoSelected asks what could be brought back in the selected account, or in the
// selected folder of its details. The answer is an event.
func (m *Model) undoSelected() {
	if a := m.selected(); a != nil {
		m.act(Action{Verb: "undo", Account: a.name, Folder: m.selectedName(a)})
	}
}

// askUndo opens the question whether to bring back what e tells of, unless the
// keyboard is in use for something else by now.
func (m *Model) askUndo(e Event) {
	if lines := Lines(e); e.N > 0 && len(lines) > 0 && m.confirm == nil && m.mode == modeKeys {
		m.confirm = &question{lines: lines, keys: "y: bring back  n: leave them", yes: Action{Verb: "restore", Account: e.Account, Folder: e.Folder}}
		m.digits = ""
	}
}
