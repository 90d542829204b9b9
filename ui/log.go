package ui

import "strings"

// logLine is one line of the log pane, already safe.
type logLine struct {
	at      int64
	level   Level
	light   Activity // the light of the connection that wrote it
	account string
	text    string
	cont    bool // goes on the line before
}

// scrollback is the log: a ring of lines, numbered from 0 on for ever. It
// holds lines, not rows, so it survives every change of width.
type scrollback struct {
	lines []logLine
	next  int // number of the line that comes next
	cap   int
	pin   int    // number of the last line shown; -1 = follow the newest
	find  string // lower case; only lines with it are shown
}

// maxLogText bounds a line: what a person can read, not what a server sends.
const maxLogText = 1000

func (s *scrollback) add(l logLine) {
	if len(l.text) > maxLogText {
		l.text = strings.ToValidUTF8(l.text[:maxLogText], "") + "..."
	}
	if len(s.lines) < s.cap {
		s.lines = append(s.lines, l)
	} else {
		s.lines[s.next%s.cap] = l
	}
	s.next++
	if s.pin >= 0 && s.pin < s.oldest() {
		s.pin = s.oldest()
	}
}

func (s *scrollback) oldest() int { return s.next - len(s.lines) }

func (s *scrollback) line(i int) *logLine { return &s.lines[i%s.cap] }

func (s *scrollback) shown(i int) bool {
	return s.find == "" || strings.Contains(strings.ToLower(s.line(i).text), s.find)
}

// scroll moves the view by n shown lines, backwards if n is negative. Moving
// past the newest line follows it again.
func (s *scrollback) scroll(n int) {
	i := s.pin
	if i < 0 {
		if n >= 0 || len(s.lines) == 0 {
			return
		}
		i = s.next - 1
	}
	last := i
	for step := 1; n != 0; {
		if step = 1; n < 0 {
			step = -1
		}
		i += step
		if i < s.oldest() {
			break
		}
		if i >= s.next {
			s.pin = -1
			return
		}
		if s.shown(i) {
			last = i
			n -= step
		}
	}
	s.pin = last
}

// row is a piece of a log line that fits the width.
type row struct {
	line *logLine
	text string
	more bool // not the first row of its line
}

// rows returns the last rows that fit into height rows of width cells, oldest
// first. indent cells are left out of all rows but the first of a line.
func (s *scrollback) rows(width, height, indent int, buf []row) []row {
	buf = buf[:0]
	if width <= 0 || height <= 0 {
		return buf
	}
	if indent >= width {
		indent = 0
	}
	i := s.next - 1
	if s.pin >= 0 {
		i = s.pin
	}
	var parts []string
	for ; i >= s.oldest() && len(buf) < height; i-- {
		if !s.shown(i) {
			continue
		}
		l := s.line(i)
		first := width
		if l.cont {
			first -= indent
		}
		parts = wrap(l.text, first, width-indent, parts[:0])
		for j := len(parts) - 1; j >= 0 && len(buf) < height; j-- {
			buf = append(buf, row{l, parts[j], j > 0 || l.cont})
		}
	}
	for a, b := 0, len(buf)-1; a < b; a, b = a+1, b-1 {
		buf[a], buf[b] = buf[b], buf[a]
	}
	return buf
}

// wrap cuts s into pieces of at most first, then rest cells. It cuts at a
// space where there is one in the last third of the row.
func wrap(s string, first, rest int, out []string) []string {
	limit := first
	for {
		if len(s) <= limit {
			return append(out, s)
		}
		end, space, used := 0, 0, 0
		for end < len(s) {
			_, w, r := cluster(s[end:])
			if used+w > limit {
				break
			}
			used += w
			end = len(s) - len(r)
			if s[end-1] == ' ' && used > limit*2/3 {
				space = end
			}
		}
		if end >= len(s) {
			return append(out, s)
		}
		if space > 0 && s[end] != ' ' {
			end = space
		}
		if end == 0 { // one wide character in a single column
			_, _, r := cluster(s)
			end = len(s) - len(r)
			out = append(out, "?")
		} else {
			out = append(out, strings.TrimRight(s[:end], " "))
		}
		if s = strings.TrimLeft(s[end:], " "); s == "" {
			return out
		}
		limit = max(rest, 1)
	}
}
