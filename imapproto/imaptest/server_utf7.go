package imaptest

import (
	"encoding/base64"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

var base64UTF7 = base64.NewEncoding("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,").WithPadding(base64.NoPadding)

// encodeUTF7 writes a name in modified UTF-7 (RFC 3501 section 5.1.3).
func encodeUTF7(name string) string {
	var b strings.Builder
	var run []rune
	flush := func() {
		if len(run) == 0 {
			return
		}
		var raw []byte
		for _, u := range utf16.Encode(run) {
			raw = append(raw, byte(u>>8), byte(u))
		}
		b.WriteString("&" + base64UTF7.EncodeToString(raw) + "-")
		run = run[:0]
	}
	for _, r := range name {
		if r < 0x20 || r > 0x7e {
			run = append(run, r)
			continue
		}
		flush()
		b.WriteRune(r)
		if r == '&' {
			b.WriteByte('-')
		}
	}
	flush()
	return b.String()
}

// decodeUTF7 is its inverse; false if the text is not modified UTF-7.
func decodeUTF7(text string) (string, bool) {
	var b strings.Builder
	for text != "" {
		i := strings.IndexByte(text, '&')
		if i < 0 {
			b.WriteString(text)
			break
		}
		b.WriteString(text[:i])
		code, rest, ok := strings.Cut(text[i+1:], "-")
		if !ok {
			return "", false
		}
		text = rest
		if code == "" {
			b.WriteByte('&')
			continue
		}
		raw, err := base64UTF7.DecodeString(code)
		if err != nil || len(raw)%2 != 0 {
			return "", false
		}
		units := make([]uint16, 0, len(raw)/2)
		for k := 0; k < len(raw); k += 2 {
			units = append(units, uint16(raw[k])<<8|uint16(raw[k+1]))
		}
		for _, r := range utf16.Decode(units) {
			if r == utf8.RuneError {
				return "", false
			}
			b.WriteRune(r)
		}
	}
	return b.String(), true
}

// wideNames reports whether names travel as UTF-8 (RFC 6855, RFC 9051).
func (s *Session) wideNames() bool { return s.utf8 || s.rev2 }

// decodeName turns a name from the wire into the store's UTF-8.
func (s *Session) decodeName(raw string) string {
	if s.wideNames() {
		return raw
	}
	for i := 0; i < len(raw); i++ {
		if raw[i] >= 0x80 {
			s.complain("8-bit mailbox name %.80q without UTF8=ACCEPT", raw)
			return raw
		}
	}
	name, ok := decodeUTF7(raw)
	if !ok {
		s.complain("mailbox name %.80q is not modified UTF-7", raw)
		return raw
	}
	return name
}

// wireName writes a name for the client, as an atom where that is possible.
func (s *Session) wireName(name string) string {
	if name == "INBOX" && s.srv.Faults.LowerInbox {
		name = "inbox"
	}
	if !s.wideNames() && utf8.ValidString(name) {
		name = encodeUTF7(name)
	}
	return quote(name)
}

// quote writes an astring: atom, quoted string or literal, whichever will do.
func quote(text string) string {
	plain := text != "" && !strings.EqualFold(text, "NIL")
	for i := 0; i < len(text); i++ {
		b := text[i]
		if b == 0 || b == '\r' || b == '\n' {
			return literal([]byte(text))
		}
		plain = plain && atomChar(b) && b < 0x80
	}
	if plain {
		return text
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `"`
}
