package imapproto

import (
	"encoding/base64"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// mutf7Base64 is the alphabet of RFC 3501 section 5.1.3: "," for "/", no padding.
var mutf7Base64 = base64.NewEncoding("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,").WithPadding(base64.NoPadding)

// EncodeMailbox returns the modified UTF-7 form of a mailbox name (RFC 3501
// section 5.1.3). Bytes that are not UTF-8 become U+FFFD.
func EncodeMailbox(name string) string {
	if plainMailbox(name) {
		return name
	}
	var out strings.Builder
	var run []byte // UTF-16BE of the characters not yet written
	flush := func() {
		if len(run) > 0 {
			out.WriteByte('&')
			out.WriteString(mutf7Base64.EncodeToString(run))
			out.WriteByte('-')
			run = run[:0]
		}
	}
	for _, r := range name {
		if r >= 0x20 && r < 0x7f {
			flush()
			out.WriteByte(byte(r))
			if r == '&' {
				out.WriteByte('-')
			}
			continue
		}
		for _, u := range utf16.AppendRune(nil, r) {
			run = append(run, byte(u>>8), byte(u))
		}
	}
	flush()
	return out.String()
}

// plainMailbox reports whether name is its own modified UTF-7 form.
func plainMailbox(name string) bool {
	for i := 0; i < len(name); i++ {
		if name[i] < 0x20 || name[i] >= 0x7f || name[i] == '&' {
			return false
		}
	}
	return true
}

// DecodeMailbox returns the UTF-8 form of a mailbox name in modified UTF-7. It
// accepts only what EncodeMailbox would have written: anything else gives false,
// so that two wire names never become one.
func DecodeMailbox(raw string) (string, bool) {
	if plainMailbox(raw) {
		return raw, true
	}
	var out []byte
	for i := 0; i < len(raw); i++ {
		b := raw[i]
		if b < 0x20 || b >= 0x7f {
			return "", false
		}
		if b != '&' {
			out = append(out, b)
			continue
		}
		end := strings.IndexByte(raw[i:], '-')
		if end < 0 {
			return "", false
		}
		if end == 1 {
			out = append(out, '&')
		} else if out = appendUTF16(out, raw[i+1:i+end]); out == nil {
			return "", false
		}
		i += end
	}
	if name := string(out); EncodeMailbox(name) == raw {
		return name, true
	}
	return "", false
}

// appendUTF16 appends the UTF-8 of one base64 run, or returns nil.
func appendUTF16(out []byte, run string) []byte {
	b, err := mutf7Base64.DecodeString(run)
	if err != nil || len(b)%2 != 0 {
		return nil
	}
	for i := 0; i < len(b); i += 2 {
		r := rune(b[i])<<8 | rune(b[i+1])
		if utf16.IsSurrogate(r) {
			if i+3 >= len(b) {
				return nil
			}
			r = utf16.DecodeRune(r, rune(b[i+2])<<8|rune(b[i+3]))
			i += 2
			if r == utf8.RuneError {
				return nil
			}
		}
		out = utf8.AppendRune(out, r)
	}
	return out
}
