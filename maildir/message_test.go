package maildir

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"testing/iotest"

	"offloop/maildir/maildirtest"
)

var lineEnds = []struct{ wire, disk string }{
	{"", ""},
	{"a\r\nb\r\n", "a\nb\n"},
	{"a\rb\nc\r\n", "a\rb\nc\n"},
	{"\r\r\n", "\r\n"},
	{"\r", "\r"},
	{"a\r", "a\r"},
	{"\n\n", "\n\n"},
	{"\r\n", "\n"},
	{"x\r\r\r", "x\r\r\r"},
}

func TestRule1_LFWriterAnySplit(t *testing.T) {
	for _, c := range lineEnds {
		for i := 0; i <= len(c.wire); i++ {
			for j := i; j <= len(c.wire); j++ {
				var w LFWriter
				var out []byte
				for _, part := range []string{c.wire[:i], c.wire[i:j], c.wire[j:]} {
					out = w.Write(out, []byte(part))
				}
				if out = w.Flush(out); string(out) != c.disk {
					t.Fatalf("%q split at %d, %d: %q, want %q", c.wire, i, j, out, c.disk)
				}
			}
		}
	}
}

func FuzzLFWriter(f *testing.F) {
	for _, c := range lineEnds {
		f.Add([]byte(c.wire), 1)
	}
	f.Fuzz(func(t *testing.T, wire []byte, size int) {
		size = min(max(size, 1), 64)
		var w LFWriter
		var out []byte
		for p := wire; len(p) > 0; p = p[min(size, len(p)):] {
			out = w.Write(out, p[:min(size, len(p))])
		}
		if out = w.Flush(out); string(out) != strings.ReplaceAll(string(wire), "\r\n", "\n") {
			t.Fatalf("%q became %q", wire, out)
		}
	})
}

// wireForm is what a file's content is on the wire, the slow way.
func wireForm(disk string) string {
	var b strings.Builder
	for i := range len(disk) {
		if disk[i] == '\n' && (i == 0 || disk[i-1] != '\r') {
			b.WriteByte('\r')
		}
		b.WriteByte(disk[i])
	}
	return b.String()
}

func openText(t *testing.T, text string) (*maildirtest.FS, *Message) {
	t.Helper()
	fs := maildirtest.New(1)
	for _, sub := range subdirs {
		fs.WriteFile("/m/"+sub+"/.x", "", true)
	}
	fs.WriteFile("/m/cur/a:2,S", text, true)
	m, err := OpenMessage(fs, "/m", Entry{File: "a:2,S"})
	if err != nil {
		t.Fatal(err)
	}
	return fs, m
}

func TestMessageForms(t *testing.T) {
	for _, text := range []string{"", "\n", "\r", "\r\n", "a\nb", "a\r\nb\nc\r\r\n\n", "S: x\nMessage-Id: <q@h>\n\n\x00", strings.Repeat("line\n", 20000)} {
		want := wireForm(text)
		sum := sha256.Sum256([]byte(want))
		for _, size := range []int{1, 2, 3, 5, 64, 4096, 1 << 20} {
			fs, m := openText(t, text)
			if m.Size != int64(len(want)) || m.Hash != hex.EncodeToString(sum[:]) || m.FileSize != int64(len(text)) {
				t.Fatalf("%.20q: size %d, file %d, hash %s", text, m.Size, m.FileSize, m.Hash)
			}
			if m.HasNUL != strings.Contains(text, "\x00") {
				t.Errorf("%.20q: HasNUL = %v", text, m.HasNUL)
			}
			var got []byte
			buf := make([]byte, size)
			for {
				n, err := m.Read(buf)
				got = append(got, buf[:n]...)
				if err == io.EOF {
					break
				}
				if err != nil || n == 0 {
					t.Fatalf("%.20q by %d: read %d, %v", text, size, n, err)
				}
			}
			if string(got) != want {
				t.Fatalf("%.20q by %d: %.40q, want %.40q", text, size, got, want)
			}
			m.Rewind()
			if err := iotest.TestReader(m, []byte(want)); err != nil {
				t.Fatalf("%.20q: %v", text, err)
			}
			m.Close()
			if fs.OpenFiles() != 0 {
				t.Fatal("descriptor left open")
			}
		}
	}
}

func TestMessageChangedMeanwhile(t *testing.T) {
	fs, m := openText(t, strings.Repeat("0123456789\n", 1000))
	fs.WriteFile("/m/cur/a:2,S", "short\n", true)
	_, err := io.Copy(io.Discard, m)
	var changed *ChangedError
	if !errors.As(err, &changed) {
		t.Fatalf("a shortened file reads with %v", err)
	}
}

// A file that grows while it is read through is not taken for a whole message.
func TestMessageGrowsWhileOpened(t *testing.T) {
	fs, m := openText(t, "a\n")
	m.Close()
	fs.Before = func(op, _ string) {
		if op == "read" {
			fs.Before = nil
			fs.WriteFile("/m/cur/a:2,S", "a\nand more\n", true)
		}
	}
	if _, err := OpenMessage(fs, "/m", Entry{File: "a:2,S"}); !errors.As(err, new(*ChangedError)) {
		t.Errorf("opened with %v", err)
	}
}

func TestOpenMessageRenamedAndGone(t *testing.T) {
	fs, m := openText(t, "x\n")
	m.Close()
	fs.Outside(func() { fs.Rename("/m/cur/a:2,S", "/m/cur/a:2,FS") })
	m, err := OpenMessage(fs, "/m", Entry{File: "a:2,S"})
	if err != nil || m.Entry.File != "a:2,FS" {
		t.Fatalf("renamed message: %+v, %v", m, err)
	}
	m.Close()
	fs.Outside(func() { fs.Unlink("/m/cur/a:2,FS") })
	var gone *VanishedError
	if _, err = OpenMessage(fs, "/m", Entry{File: "a:2,S"}); !errors.As(err, &gone) {
		t.Fatalf("message that is gone: %v", err)
	}
}

func TestMessageID(t *testing.T) {
	for _, c := range []struct{ header, want string }{
		{"Message-ID: <a@b>\r\n\r\n", "<a@b>"},
		{"Subject: x\nMESSAGE-ID:<a@b>\n\nMessage-ID: <c>\n", "<a@b>"},
		{"Subject: Message-ID: <n>\n y\nMessage-Id:\r\n  <long\r\n\t@b>\r\n\r\n", "<long\t@b>"},
		{"Message-ID: plain  \n\n", "plain"},
		{"Message-ID: (c) <a> <b>\n", "<a>"},
		{"Message-ID : <a>\n", "<a>"},
		{"X: y\n\nMessage-ID: <body>\n", ""},
		{" Message-ID: <folded>\n", ""},
		{"Message-ID: <one>\nMessage-ID: <two>\n", "<one>"},
		{"Message-ID: <open\n", "<open"},
		{"", ""},
	} {
		if got := MessageID([]byte(c.header)); got != c.want {
			t.Errorf("MessageID(%q) = %q, want %q", c.header, got, c.want)
		}
	}
}

// TestLinkIsNotFollowed: a symbolic link in a Maildir could lead to any file.
func TestLinkIsNotFollowed(t *testing.T) {
	dir := t.TempDir()
	if err := Create(OS{}, dir+"/M"); err != nil {
		t.Fatal(err)
	}
	os.WriteFile(dir+"/secret", []byte("Subject: x\n\nsecret\n"), 0o600)
	if err := os.Symlink(dir+"/secret", dir+"/M/cur/1.link:2,S"); err != nil {
		t.Fatal(err)
	}
	m, err := OpenMessage(OS{}, dir+"/M", Entry{File: "1.link:2,S"})
	if err == nil {
		m.Close()
		t.Fatal("the link was followed")
	}
	if !strings.Contains(err.Error(), "symbolic link") {
		t.Errorf("the error does not say what is wrong: %v", err)
	}
}
