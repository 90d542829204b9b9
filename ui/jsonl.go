package ui

import (
	"bytes"
	"encoding/json"
	"io"
	"time"
	"unicode/utf8"
)

// JSONLines writes one event a line as a JSON object. The schema is stable:
// fields are only ever added. An absent field has its zero value.
//
//	time      string  RFC 3339 with nanoseconds, UTC
//	kind      string  what happened; see Kinds
//	severity  string  "debug", "info", "warn" or "error"
//	account, repo, folder, dest, text, hint, set  string
//	conn      number  connection from 1
//	uid, n, total, bytes, rate  number; rate is bytes a second
//
// Text from outside is carried in full; what could harm a terminal is written
// as \u escapes. Invalid UTF-8 becomes U+FFFD.
type JSONLines struct {
	w     io.Writer
	level Level
	buf   bytes.Buffer
	enc   *json.Encoder
	out   []byte
	err   error
	raw   bool // strings that are no UTF-8 are given as they are, too
}

type jsonEvent struct {
	Time     string `json:"time"`
	Kind     string `json:"kind"`
	Severity string `json:"severity"`
	Account  string `json:"account,omitempty"`
	Repo     string `json:"repo,omitempty"`
	Folder   string `json:"folder,omitempty"`
	Dest     string `json:"dest,omitempty"`
	Conn     int    `json:"conn,omitempty"`
	Text     string `json:"text,omitempty"`
	UID      int64  `json:"uid,omitempty"`
	N        int64  `json:"n,omitempty"`
	Total    int64  `json:"total,omitempty"`
	Bytes    int64  `json:"bytes,omitempty"`
	Rate     int64  `json:"rate,omitempty"`
	Hint     string `json:"hint,omitempty"`
	Set      string `json:"set,omitempty"`

	Raw map[string][]byte `json:"raw,omitempty"` // in a recording only
}

// NewJSONLines returns a writer of JSON lines for events of level and above.
func NewJSONLines(w io.Writer, level Level) *JSONLines {
	j := &JSONLines{w: w, level: level}
	j.enc = json.NewEncoder(&j.buf)
	j.enc.SetEscapeHTML(false)
	return j
}

// Err returns the first error of the underlying writer.
func (j *JSONLines) Err() error { return j.err }

// Event writes e as one line in one Write.
func (j *JSONLines) Event(e Event) {
	if LevelOf(e) < j.level {
		return
	}
	j.buf.Reset()
	var raw map[string][]byte
	if j.raw {
		raw = e.unclean()
	}
	err := j.enc.Encode(jsonEvent{Raw: raw,
		Time: time.Unix(0, e.At).UTC().Format(time.RFC3339Nano), Kind: e.Kind, Severity: LevelOf(e).String(),
		Account: e.Account, Repo: e.Repo, Folder: e.Folder, Dest: e.Dest, Conn: e.Conn, Text: e.Text,
		UID: e.UID, N: e.N, Total: e.Total, Bytes: e.Bytes, Rate: e.Rate, Hint: e.Hint, Set: e.Set,
	})
	if err == nil {
		j.out = asciiControls(j.out[:0], j.buf.Bytes())
		_, err = j.w.Write(j.out)
	}
	if err != nil && j.err == nil {
		j.err = err
	}
}

// asciiControls appends the JSON line b to dst, code points unfit for a
// terminal as \u escapes. Outside strings JSON has none of them.
func asciiControls(dst, b []byte) []byte {
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		if r == '\n' || r != 0x7f && r < 0x80 || r >= 0x80 && plain(r, n, "x", 1) {
			dst = append(dst, b[:n]...)
		} else {
			for _, u := range utf16(r) {
				dst = append(dst, '\\', 'u', hex(u>>12), hex(u>>8), hex(u>>4), hex(u))
			}
		}
		b = b[n:]
	}
	return dst
}

func hex(v uint16) byte { return "0123456789abcdef"[v&15] }

func utf16(r rune) []uint16 {
	if r < 0x10000 {
		return []uint16{uint16(r)}
	}
	r -= 0x10000
	return []uint16{0xD800 + uint16(r>>10), 0xDC00 + uint16(r&0x3FF)}
}
