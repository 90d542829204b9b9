package ui

import "unicode/utf8"

// lineEdit is the line being typed into a prompt.
type lineEdit struct{ text []rune }

// maxLine bounds a typed or pasted line.
const maxLine = 4096

func (l *lineEdit) insert(r rune) {
	if len(l.text) < maxLine && r >= ' ' && r != 0x7f {
		l.text = append(l.text, r)
	}
}

func (l *lineEdit) erase() {
	if n := len(l.text); n > 0 {
		l.text[n-1] = 0
		l.text = l.text[:n-1]
	}
}

// clear forgets the text, overwriting it.
func (l *lineEdit) clear() {
	clear(l.text)
	l.text = l.text[:0]
}

// wants is one account waiting for a password.
type wants struct{ account, text string }

// prompter asks for passwords on a plain terminal, one account at a time. It
// is the raw-mode line editor of ttyui.
type prompter struct {
	queue []wants
	edit  lineEdit
	shown string // the prompt as it stands on the terminal
	paste bool
	esc   []byte // an escape sequence being skipped
	part  []byte // a UTF-8 sequence cut by the read
}

func (p *prompter) active() bool { return len(p.queue) > 0 }

func (p *prompter) line() string {
	if len(p.queue) == 0 {
		return ""
	}
	return p.queue[0].text
}

func (p *prompter) event(e Event) {
	if e.Kind != "attention" || e.Dest != TopicPassword {
		return
	}
	for i, w := range p.queue {
		if w.account == e.Account {
			p.queue = append(p.queue[:i], p.queue[i+1:]...)
			if i == 0 {
				p.edit.clear()
			}
			break
		}
	}
	if e.Text != "" {
		p.queue = append(p.queue, wants{e.Account, promptText(e)})
	}
}

// promptText is the question shown for a password attention.
func promptText(e Event) string {
	return "Password for account " + Safe(e.Account) + ": "
}

// input edits the line. Escape sequences (arrows, paste brackets) are never
// part of a password; line ends inside a bracketed paste do not submit.
func (p *prompter) input(b []byte) []Action {
	var acts []Action
	for _, c := range b {
		if len(p.queue) == 0 {
			break
		}
		if len(p.esc) > 0 {
			p.escape(c)
			continue
		}
		switch {
		case c == 0x1b:
			p.esc = append(p.esc, c)
		case c == 3:
			acts = append(acts, Action{Verb: "quit"})
		case (c == '\r' || c == '\n') && p.paste:
		case c == '\r' || c == '\n' || c == 4:
			acts = append(acts, Action{Verb: "password", Account: p.queue[0].account, Text: string(p.edit.text)})
			p.queue = p.queue[1:]
			p.edit.clear()
		case c == 8 || c == 0x7f:
			p.edit.erase()
		case c == 0x15:
			p.edit.clear()
		case c >= ' ':
			p.rune(c)
		}
	}
	return acts
}

func (p *prompter) rune(c byte) {
	p.part = append(p.part, c)
	if !utf8.FullRune(p.part) {
		return
	}
	r, _ := utf8.DecodeRune(p.part)
	p.part = p.part[:0]
	p.edit.insert(r)
}

func (p *prompter) escape(c byte) {
	p.esc = append(p.esc, c)
	if len(p.esc) == 2 && (c == '[' || c == 'O') {
		return
	}
	if len(p.esc) > 2 && c < 0x40 && len(p.esc) < 32 {
		return
	}
	switch string(p.esc) {
	case "\x1b[200~":
		p.paste = true
	case "\x1b[201~":
		p.paste = false
	}
	p.esc = p.esc[:0]
}
