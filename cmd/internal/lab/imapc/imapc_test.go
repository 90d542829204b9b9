package imapc

import (
	"bufio"
	"bytes"
	"io"
	"slices"
	"strings"
	"testing"
)

func TestNames(t *testing.T) {
	for name, raw := range map[string]string{
		"INBOX": "INBOX", "R&D": "R&-D", "é": "&AOk-", "日本語": "&ZeVnLIqe-", "a é/日": "a &AOk-/&ZeU-",
		"📮": "&2D3c7g-", `q"\`: `q"\`, "&AOk-": "&-AOk-",
	} {
		if got := EncodeName(name); got != raw {
			t.Errorf("EncodeName(%q) = %q, want %q", name, got, raw)
		}
		if got := DecodeName(raw); got != name {
			t.Errorf("DecodeName(%q) = %q, want %q", raw, got, name)
		}
	}
	for _, bad := range []string{"&", "a&b", "&!-"} {
		if got := DecodeName(bad); got != bad {
			t.Errorf("DecodeName(%q) = %q", bad, got)
		}
	}
}

func TestResponses(t *testing.T) {
	const in = "* 1 FETCH (UID 7 FLAGS (\\Seen x) BODY[] {5}\r\na\r\n)b MODSEQ (9))\r\n" +
		"* OK [UIDVALIDITY 3] (unbalanced \"text\r\n" +
		"* LIST (\\A) \"/\" \"a \\\"b\\\\\"\r\n"
	r := responseReader{br: bufio.NewReader(strings.NewReader(in))}
	f, err := r.fields()
	if err != nil {
		t.Fatal(err)
	}
	m, err := message(f[3].list)
	if err != nil || m.UID != 7 || string(m.Body) != "a\r\n)b" || !slices.Equal(m.Flags, []string{`\Seen`, "x"}) || m.ModSeq != 9 {
		t.Errorf("message %+v, %v", m, err)
	}
	if f, _ = r.fields(); code(at(f, 2), "UIDVALIDITY") != "3" || !strings.HasSuffix(at(f, 2), `"text`) {
		t.Errorf("status %+v", f)
	}
	if f, _ = r.fields(); at(f, 4) != `a "b\` {
		t.Errorf("list %+v", f)
	}
	if _, err = r.fields(); err != io.EOF {
		t.Errorf("at the end: %v", err)
	}
}

func TestSinkTakesBodiesOnly(t *testing.T) {
	var body bytes.Buffer
	r := responseReader{br: bufio.NewReader(strings.NewReader("* 1 FETCH (BODY[] {3}\r\nabc ENVELOPE {2}\r\nxy)\r\n"))}
	r.sink = func(item string, _ int64) io.Writer {
		if item == "BODY[]" {
			return &body
		}
		return nil
	}
	f, err := r.fields()
	if err != nil || body.String() != "abc" || f[3].list[3].text != "xy" {
		t.Errorf("%q %+v %v", body.String(), f, err)
	}
}

func TestSets(t *testing.T) {
	uids := []uint32{1, 2, 3, 7, 9, 10}
	if s := Set(uids); s != "1:3,7,9:10" {
		t.Errorf("Set = %q", s)
	}
	if got, err := ParseSet("1:3,7,9:10"); err != nil || !slices.Equal(got, uids) {
		t.Errorf("ParseSet = %v, %v", got, err)
	}
	for _, bad := range []string{"", "0", "3:1", "x", "1:4294967295"} {
		if _, err := ParseSet(bad); err == nil {
			t.Errorf("ParseSet(%q) has no error", bad)
		}
	}
}
