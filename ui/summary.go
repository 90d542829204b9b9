package ui

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// Summary remembers the errors of a run, and what waits for a person when it ends,
// to be told at its end: on a live screen both have scrolled away.
type Summary struct {
	errors []said
	more   int
	open   []waiting
}

// said is one error.
type said struct {
	account string
	lines   []string
}

// waiting is an attention that was not withdrawn.
type waiting struct {
	account, folder, topic string
	lines                  []string
	stale                  bool // not raised again in the round that is going on
}

// maxSummary bounds what a run that fails all day remembers.
const maxSummary = 200

// Event remembers e if it is an error or asks for a person.
func (s *Summary) Event(e Event) {
	switch {
	case LevelOf(e) >= Error:
		if len(s.errors) >= maxSummary {
			s.more++
			return
		}
		s.errors = append(s.errors, said{e.Account, placed(e)})
	case e.Kind == "attention" && e.Dest != TopicPassword:
		s.attend(e)
	case e.Kind == "account-start":
		for i := range s.open {
			s.open[i].stale = s.open[i].stale || s.open[i].account == e.Account
		}
	case e.Kind == "account-done":
		s.open = slices.DeleteFunc(s.open, func(w waiting) bool { return w.stale && w.account == e.Account })
	}
}

func (s *Summary) attend(e Event) {
	s.open = slices.DeleteFunc(s.open, func(w waiting) bool { return w.account == e.Account && w.folder == e.Folder && w.topic == e.Dest })
	if e.Text != "" && len(s.open) < maxSummary {
		s.open = append(s.open, waiting{account: e.Account, folder: e.Folder, topic: e.Dest, lines: placed(e)})
	}
}

func placed(e Event) []string {
	lines := Lines(e)
	if len(lines) > 0 && e.Account != "" && !names(lines[0], Safe(e.Account)) {
		lines[0] = Safe(e.Account) + ": " + lines[0]
	}
	return lines
}

// names tells whether a line begins with the account's name already.
func names(line, account string) bool {
	rest, ok := strings.CutPrefix(strings.TrimPrefix(line, "ERROR: "), account)
	return ok && (strings.HasPrefix(rest, ":") || strings.HasPrefix(rest, ","))
}

// Withdraw forgets the last error of an account: the work went on after it.
func (s *Summary) Withdraw(account string) {
	for i := len(s.errors) - 1; i >= 0; i-- {
		if s.errors[i].account == account {
			s.errors = slices.Delete(s.errors, i, i+1)
			return
		}
	}
}

// Errors returns whether any error was seen.
func (s *Summary) Errors() bool { return len(s.errors) > 0 }

// WriteTo writes the errors, if there were any, under the customary headline, and
// what is still open.
func (s *Summary) WriteTo(w io.Writer) (int64, error) {
	var out []byte
	if len(s.errors) > 0 {
		out = append(out, "ERROR: Exceptions occurred during the run!\n"...)
	}
	add := func(lines []string) {
		for _, l := range lines {
			out = append(append(append(out, ' '), l...), '\n')
		}
	}
	for _, e := range s.errors {
		add(e.lines)
	}
	if s.more > 0 {
		out = fmt.Appendf(out, " ... and %d more\n", s.more)
	}
	if len(s.open) > 0 {
		out = append(out, "Waiting for you:\n"...)
	}
	for _, o := range s.open {
		add(o.lines)
	}
	if len(out) == 0 {
		return 0, nil
	}
	n, err := w.Write(out)
	return int64(n), err
}
