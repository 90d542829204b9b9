package imaptest

import (
	"bytes"
	"strings"
)

// section is what BODY[...] names: "", HEADER, TEXT, HEADER.FIELDS (...) or
// HEADER.FIELDS.NOT (...). Parts of MIME messages are not modelled.
type section struct {
	name   string
	fields []string
	whole  bool // BODY[]: name is "" and this tells it from no section at all
}

func parseSection(c *scanner) section {
	sec := section{whole: true}
	c.expect('[')
	if c.peek() != ']' {
		sec.name = strings.ToUpper(c.while(func(b byte) bool { return atomChar(b) }))
		switch sec.name {
		case "HEADER", "TEXT":
		case "HEADER.FIELDS", "HEADER.FIELDS.NOT":
			c.sp()
			c.list(func() { sec.fields = append(sec.fields, c.astring()) })
		default:
			c.fail("unsupported section " + sec.name)
		}
	}
	c.expect(']')
	return sec
}

func (sec section) used() bool { return sec.whole || sec.name != "" }

func (sec section) String() string {
	if sec.fields == nil {
		return sec.name
	}
	names := make([]string, len(sec.fields))
	for i, f := range sec.fields {
		names[i] = quote(f)
	}
	return sec.name + " (" + strings.Join(names, " ") + ")"
}

// of cuts the section out of a message.
func (sec section) of(body []byte) []byte {
	head, text := splitMessage(body)
	switch sec.name {
	case "HEADER":
		return head
	case "TEXT":
		return text
	case "HEADER.FIELDS", "HEADER.FIELDS.NOT":
		var out []byte
		for _, f := range headerFields(head) {
			name, _, _ := bytes.Cut(f, []byte(":"))
			if hasFlag(sec.fields, strings.TrimSpace(string(name))) == (sec.name == "HEADER.FIELDS") {
				out = append(out, f...)
			}
		}
		return append(out, '\r', '\n')
	}
	return body
}

// splitMessage cuts behind the empty line.
func splitMessage(body []byte) (head, text []byte) {
	if bytes.HasPrefix(body, []byte("\r\n")) {
		return body[:2], body[2:]
	}
	if i := bytes.Index(body, []byte("\r\n\r\n")); i >= 0 {
		return body[:i+4], body[i+4:]
	}
	return body, nil
}

// headerFields splits a header into its fields, with their folded lines.
func headerFields(head []byte) (fields [][]byte) {
	for len(head) > 0 && !bytes.HasPrefix(head, []byte("\r\n")) {
		end := 0
		for {
			i := bytes.IndexByte(head[end:], '\n')
			if i < 0 {
				end = len(head)
				break
			}
			end += i + 1
			if end >= len(head) || head[end] != ' ' && head[end] != '\t' {
				break
			}
		}
		fields = append(fields, head[:end])
		head = head[end:]
	}
	return fields
}

// headerValue returns the unfolded value of the first field of that name.
func headerValue(body []byte, name string) (string, bool) {
	head, _ := splitMessage(body)
	for _, f := range headerFields(head) {
		n, v, ok := bytes.Cut(f, []byte(":"))
		if ok && strings.EqualFold(strings.TrimSpace(string(n)), name) {
			return strings.TrimSpace(strings.ReplaceAll(string(v), "\r\n", "")), true
		}
	}
	return "", false
}
