package imapc

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// A value is one item of a response: an atom or string, a list, NIL, or a
// literal that went to a sink.
type value struct {
	text string
	list []value
	kind kind
	size int64 // of a literal
}

type kind uint8

const (
	atom kind = iota
	quoted
	literal
	list
)

const (
	maxLine  = 1 << 20
	maxDepth = 64
)

// responseReader reads one response at a time. Lines end in CRLF; a literal
// continues the response on the next line.
type responseReader struct {
	br *bufio.Reader
	// sink, where set, is asked for a writer for the literal that is the
	// value of the named item, e.g. BODY[]. nil = keep it in memory.
	sink func(item string, size int64) io.Writer
}

// fields reads the items of a response up to its CRLF. With text set, the
// items end there, and the rest of the line is given as text (after "OK",
// "NO" and so on, where anything may stand).
func (r *responseReader) fields() ([]value, error) {
	var items []value
	for {
		b, err := r.br.ReadByte()
		if err != nil {
			return items, err
		}
		switch b {
		case ' ':
			continue
		case '\r':
			if b, err = r.br.ReadByte(); err != nil {
				return items, err
			}
			if b != '\n' {
				return items, fmt.Errorf("CR without LF in a response")
			}
			return items, nil
		case '\n':
			return items, nil
		}
		r.br.UnreadByte()
		last := ""
		if len(items) > 0 {
			last = items[len(items)-1].text
		}
		v, err := r.value(last, 0)
		if err != nil {
			return items, err
		}
		items = append(items, v)
		if isStatus(items) {
			text, err := r.line()
			items = append(items, value{text: text})
			return items, err
		}
	}
}

// isStatus tells that free text follows.
func isStatus(items []value) bool {
	if len(items) == 1 {
		return items[0].text == "+"
	}
	if len(items) != 2 {
		return false
	}
	switch strings.ToUpper(items[1].text) {
	case "OK", "NO", "BAD", "BYE", "PREAUTH":
		return items[1].kind == atom
	}
	return false
}

func (r *responseReader) line() (string, error) {
	s, err := r.br.ReadString('\n')
	if len(s) > maxLine {
		return "", errors.New("response line too long")
	}
	return strings.TrimSpace(s), err
}

func (r *responseReader) value(item string, depth int) (value, error) {
	if depth > maxDepth {
		return value{}, errors.New("response nested too deeply")
	}
	b, err := r.br.ReadByte()
	if err != nil {
		return value{}, err
	}
	switch b {
	case '(':
		return r.list(depth)
	case '"':
		return r.quoted()
	case '{':
		return r.literal(item)
	}
	return r.atom(b)
}

func (r *responseReader) list(depth int) (value, error) {
	v := value{kind: list}
	for {
		b, err := r.br.ReadByte()
		if err != nil {
			return v, err
		}
		switch b {
		case ')':
			return v, nil
		case ' ', '\r', '\n':
			continue
		}
		r.br.UnreadByte()
		last := ""
		if n := len(v.list); n > 0 {
			last = v.list[n-1].text
		}
		e, err := r.value(last, depth+1)
		if err != nil {
			return v, err
		}
		v.list = append(v.list, e)
	}
}

func (r *responseReader) quoted() (value, error) {
	var out []byte
	for len(out) < maxLine {
		b, err := r.br.ReadByte()
		if err != nil {
			return value{}, err
		}
		if b == '"' {
			return value{text: string(out), kind: quoted}, nil
		}
		if b == '\\' {
			if b, err = r.br.ReadByte(); err != nil {
				return value{}, err
			}
		}
		out = append(out, b)
	}
	return value{}, errors.New("quoted string too long")
}

func (r *responseReader) literal(item string) (value, error) {
	s, err := r.br.ReadString('\n')
	if err != nil {
		return value{}, err
	}
	s = strings.TrimRight(s, "\r\n")
	n, err := strconv.ParseInt(strings.TrimSuffix(s, "}"), 10, 64)
	if err != nil || !strings.HasSuffix(s, "}") || n < 0 {
		return value{}, fmt.Errorf("bad literal size %q", s)
	}
	v := value{kind: literal, size: n}
	var w io.Writer
	if r.sink != nil {
		w = r.sink(item, n)
	}
	if w != nil {
		_, err = io.CopyN(w, r.br, n)
		return v, err
	}
	var sb strings.Builder
	_, err = io.CopyN(&sb, r.br, n)
	v.text = sb.String()
	return v, err
}

// atom reads up to a space or a closing parenthesis, but a [section] may
// hold both.
func (r *responseReader) atom(first byte) (value, error) {
	out := []byte{first}
	depth := 0
	if first == '[' {
		depth++
	}
	for len(out) < maxLine {
		b, err := r.br.ReadByte()
		if err != nil {
			return value{}, err
		}
		switch b {
		case '[':
			depth++
		case ']':
			depth--
		case ' ', '(', ')':
			if depth <= 0 {
				r.br.UnreadByte()
				return value{text: string(out)}, nil
			}
		case '\r', '\n':
			r.br.UnreadByte()
			return value{text: string(out)}, nil
		}
		out = append(out, b)
	}
	return value{}, errors.New("atom too long")
}
