package imapproto

import (
	"bytes"
	"fmt"
	"testing"
	"unicode/utf8"
)

// recorder is a scanSink that writes down what it is given, parts joined.
type recorder struct {
	out  bytes.Buffer
	open bool
}

func (r *recorder) piece(b []byte, first bool, end pieceEnd, size int64) error {
	if first || !r.open {
		fmt.Fprintf(&r.out, "\n[%v] ", first)
	}
	r.out.Write(b)
	if r.open = end == endMore; !r.open {
		fmt.Fprintf(&r.out, " <%d %d>", end, size)
	}
	return nil
}

func (r *recorder) literal(b []byte, last bool) error {
	r.out.Write(b)
	if last {
		r.out.WriteString(" <last>")
	}
	return nil
}

// scanAll feeds b in fragments of size n (0 = whole).
func scanAll(b []byte, n int) (string, error) {
	var s scanner
	var r recorder
	for len(b) > 0 {
		f := b
		if n > 0 && len(f) > n {
			f = f[:n]
		}
		b = b[len(f):]
		for len(f) > 0 {
			k, err := s.step(f, &r)
			if err != nil {
				return r.out.String(), err
			}
			if k <= 0 || k > len(f) {
				return "", fmt.Errorf("step took %d of %d", k, len(f))
			}
			f = f[k:]
		}
	}
	return r.out.String(), nil
}

// TestScanParts: a long list of numbers comes in parts, cut where no number is; what
// never ends does not grow for ever.
func TestScanParts(t *testing.T) {
	long := append([]byte("* SEARCH 1 2"), bytes.Repeat([]byte(" 345"), 60000)...)
	long = append(long, "\r\nA1 OK\r\n"...)
	whole, err := scanAll(long, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{7, 1000, 40000, 100000} {
		if parts, err := scanAll(long, n); err != nil || parts != whole {
			t.Errorf("in fragments of %d: %v, %d bytes instead of %d", n, err, len(parts), len(whole))
		}
	}
	for _, start := range []string{"* SEARCH 1", "* LIST () x ", "A1 OK "} {
		if _, err := scanAll(append([]byte(start), bytes.Repeat([]byte("1"), maxLine+lineWindow)...), 1400); err == nil {
			t.Errorf("%q: a line of over %d bytes is no error", start, maxLine)
		}
	}
}

// FuzzScan: fragmentation makes no difference.
func FuzzScan(f *testing.F) {
	for _, s := range []string{
		"* OK hi {3}\r\n* 1 FETCH (BODY[] {3}\r\nabc FLAGS ())\r\nA1 OK\r\n",
		"\x00\r\n* LIST () \"/\" {0}\r\n\r\n", "* SEARCH 1 2 3\r\n", "* 1 FETCH (X {99999999999999999999}\r\n", "+\r\n+ x\n",
	} {
		f.Add([]byte(s), uint8(1))
	}
	f.Fuzz(func(t *testing.T, b []byte, n uint8) {
		b = append(b, "\r\n"...) // a list of numbers may be handed on before its line ends
		whole, err1 := scanAll(b, 0)
		parts, err2 := scanAll(b, int(n)+1)
		if (err1 == nil) != (err2 == nil) || err1 == nil && whole != parts {
			t.Errorf("whole %.2000q (%v)\nin parts of %d %.2000q (%v)", whole, err1, n+1, parts, err2)
		}
	})
}

// FuzzMUTF7: decoding and encoding are each other's inverse, or decoding refuses.
func FuzzMUTF7(f *testing.F) {
	for _, s := range []string{"INBOX", "&", "&-", "&AMQ-", "&AMQ", "&2D3eAA-", "&2D0-", "&3gA-", "Entw&APw-rfe", "日本語😀", "&AGE-", "a\r\nb", "&,-"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if name, ok := DecodeMailbox(s); ok && EncodeMailbox(name) != s {
			t.Errorf("%q decodes to %q, which encodes to %q", s, name, EncodeMailbox(name))
		}
		if !utf8.ValidString(s) {
			return
		}
		raw := EncodeMailbox(s)
		for i := range len(raw) {
			if raw[i] < 0x20 || raw[i] > 0x7e {
				t.Errorf("%q encodes to %q", s, raw)
			}
		}
		if name, ok := DecodeMailbox(raw); !ok || name != s {
			t.Errorf("%q encodes to %q, which decodes to %q, %v", s, raw, name, ok)
		}
	})
}
