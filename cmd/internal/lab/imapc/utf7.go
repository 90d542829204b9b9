package imapc

import (
	"encoding/base64"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

var utf7 = base64.NewEncoding("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,").WithPadding(base64.NoPadding)

// EncodeName writes a mailbox name in modified UTF-7 (RFC 3501 5.1.3).
func EncodeName(name string) string {
	var out strings.Builder
	for name != "" {
		r, n := utf8.DecodeRuneInString(name)
		switch {
		case r == '&':
			out.WriteString("&-")
			name = name[n:]
		case r >= 0x20 && r <= 0x7e:
			out.WriteByte(name[0])
			name = name[n:]
		default:
			var wide []byte
			for name != "" {
				r, n := utf8.DecodeRuneInString(name)
				if r >= 0x20 && r <= 0x7e {
					break
				}
				for _, u := range utf16.Encode([]rune{r}) {
					wide = append(wide, byte(u>>8), byte(u))
				}
				name = name[n:]
			}
			out.WriteString("&" + utf7.EncodeToString(wide) + "-")
		}
	}
	return out.String()
}

// DecodeName reads modified UTF-7. What is not valid is kept as it is.
func DecodeName(raw string) string {
	var out strings.Builder
	for {
		before, after, found := strings.Cut(raw, "&")
		out.WriteString(before)
		if !found {
			return out.String()
		}
		code, rest, found := strings.Cut(after, "-")
		if !found {
			out.WriteString("&" + after)
			return out.String()
		}
		raw = rest
		if code == "" {
			out.WriteByte('&')
			continue
		}
		b, err := utf7.DecodeString(code)
		if err != nil || len(b)%2 != 0 {
			out.WriteString("&" + code + "-")
			continue
		}
		units := make([]uint16, 0, len(b)/2)
		for i := 0; i < len(b); i += 2 {
			units = append(units, uint16(b[i])<<8|uint16(b[i+1]))
		}
		out.WriteString(string(utf16.Decode(units)))
	}
}
