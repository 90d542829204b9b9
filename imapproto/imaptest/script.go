package imaptest

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
)

// Dialogue is a scripted conversation: what is done and what the server says are
// inputs, what the client says and what happens are outputs. As a text file:
//
//	What this dialogue is about, in prose.
//
//	> login user=joe          something the client is told to do
//	S: * OK ready             a line from the server, CRLF is added
//	S\ "no line end"          bytes from the server, as a Go string
//	C: A1 NOOP                a line from the client
//	C\ "A1 NO"                bytes from the client that are no whole line
//	= something happened      an event
//
// The outputs (C and =) belong to the input before them.
type Dialogue struct {
	Name  string
	Steps []Step
}

// Step is one input with its outputs, and the prose before it.
type Step struct {
	Prose  []string // lines, blank ones included
	Do     string   // "> ..." without the mark; "" if Server is the input
	Server []byte   // bytes from the server
	source string   // the input's line, as written
	Want   []string // output lines, as written
}

// ParseDialogue reads a dialogue.
func ParseDialogue(name string, text []byte) (*Dialogue, error) {
	d := &Dialogue{Name: name}
	var prose []string
	for i, line := range strings.Split(strings.TrimSuffix(string(text), "\n"), "\n") {
		mark, rest, _ := strings.Cut(line, " ")
		switch mark {
		case ">":
			d.Steps = append(d.Steps, Step{Prose: prose, Do: rest, source: line})
			prose = nil
		case "S:":
			d.Steps = append(d.Steps, Step{Prose: prose, Server: []byte(rest + "\r\n"), source: line})
			prose = nil
		case `S\`:
			s, err := strconv.Unquote(rest)
			if err != nil {
				return nil, fmt.Errorf("%s:%d: not a Go string: %s", name, i+1, rest)
			}
			d.Steps = append(d.Steps, Step{Prose: prose, Server: []byte(s), source: line})
			prose = nil
		case "C:", `C\`, "=":
			if len(d.Steps) == 0 {
				return nil, fmt.Errorf("%s:%d: an output before any input", name, i+1)
			}
			s := &d.Steps[len(d.Steps)-1]
			s.Want = append(s.Want, line)
		default:
			prose = append(prose, line)
		}
	}
	if len(prose) > 0 {
		d.Steps = append(d.Steps, Step{Prose: prose})
	}
	return d, nil
}

// Format writes the dialogue with other outputs, one list a step.
func (d *Dialogue) Format(got [][]string) []byte {
	var b bytes.Buffer
	for i, s := range d.Steps {
		for _, p := range s.Prose {
			b.WriteString(p + "\n")
		}
		if s.source != "" {
			b.WriteString(s.source + "\n")
		}
		if i < len(got) {
			for _, o := range got[i] {
				b.WriteString(o + "\n")
			}
		}
	}
	return b.Bytes()
}

// ClientLines writes what a client sent as output lines.
func ClientLines(b []byte) []string {
	var lines []string
	for len(b) > 0 {
		line, rest, whole := bytes.Cut(b, []byte("\r\n"))
		switch {
		case !whole, bytes.ContainsAny(line, "\r\n"):
			n := len(line)
			if whole {
				n += 2
			}
			lines = append(lines, `C\ `+strconv.Quote(string(b[:n])))
		case len(line) == 0:
			lines = append(lines, `C\ "\r\n"`)
		default:
			lines = append(lines, "C: "+string(line))
		}
		b = rest
	}
	return lines
}
