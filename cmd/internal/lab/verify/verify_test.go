package verify

import (
	"bytes"
	"crypto/md5"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"offloop/cmd/internal/lab"
	"offloop/cmd/internal/lab/dovecot"
	"offloop/cmd/internal/lab/gen"
	"offloop/cmd/internal/lab/imapc"
)

// mirror writes a faithful local copy of a server account, as OfflineIMAP
// would name it.
func mirror(t *testing.T, c *imapc.Client, root, sep string) {
	t.Helper()
	boxes, err := c.List()
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range boxes {
		name := strings.ReplaceAll(b.Name, "/", sep)
		dir := filepath.Join(root, name)
		for _, d := range []string{"cur", "new", "tmp"} {
			os.MkdirAll(filepath.Join(dir, d), 0o700)
		}
		s, err := c.Examine(b.Name)
		if err != nil {
			t.Fatal(err)
		}
		if s.Exists == 0 {
			continue
		}
		os.WriteFile(filepath.Join(dir, "dovecot-keywords"), []byte("0 work\n1 NonJunk\n"), 0o600)
		err = c.Fetch("1:*", "(UID FLAGS INTERNALDATE BODY.PEEK[])", nil, func(m imapc.Message) error {
			letters, keywords := split(m.Flags)
			for _, k := range keywords {
				if i := strings.Index("work nonjunk", k); i >= 0 {
					letters += string("ab"[min(i, 1)])
				}
			}
			file := fmt.Sprintf("1_%d.1.h,U=%d,FMD5=%x:2,%s", m.UID, m.UID, md5.Sum([]byte(name)), letters)
			p := filepath.Join(dir, "cur", file)
			if err := os.WriteFile(p, bytes.ReplaceAll(m.Body, []byte("\r\n"), []byte("\n")), 0o600); err != nil {
				return err
			}
			return os.Chtimes(p, m.Date, m.Date)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// start gives a server with a filled account.
func start(t *testing.T, messages int) *imapc.Client {
	t.Helper()
	s := lab.NeedDovecot(t)
	c, err := imapc.Dial(s.Addr(), imapc.Options{User: "u", Pass: dovecot.Password})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := gen.New(gen.Options{Seed: 5, Messages: messages, Folders: 20, Nasty: 300, NoDots: true, Keywords: true}).FillIMAP(c); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestFaithfulCopyIsEqual(t *testing.T) {
	c := start(t, 200)
	for _, sep := range []string{"/", "."} {
		root := t.TempDir()
		mirror(t, c, root, sep)
		r, err := Check(c, root, Options{Sep: sep, Dates: true})
		if err != nil {
			t.Fatal(err)
		}
		if !r.Equal() || r.Server != 200 || r.Local != 200 || r.Folders != 20 {
			t.Errorf("sep %q: %v", sep, r)
		}
	}
}

// TestEveryDifferenceIsFound damages a faithful copy in each way and looks
// for exactly that finding.
func TestEveryDifferenceIsFound(t *testing.T) {
	c := start(t, 60)
	inbox := func(root string) []string {
		m, _ := filepath.Glob(filepath.Join(root, "INBOX", "cur", "*"))
		return m
	}
	rename := func(from, old, new string) { os.Rename(from, strings.Replace(from, old, new, 1)) }
	for _, x := range []struct {
		kind   Kind
		damage func(root string)
	}{
		{OnlyServer, func(root string) { os.Remove(inbox(root)[0]) }},
		{OnlyLocal, func(root string) {
			os.WriteFile(filepath.Join(root, "INBOX", "new", fmt.Sprintf("9.1.h,U=9999,FMD5=%x:2,", md5.Sum([]byte("INBOX")))), []byte("X: y\n\n"), 0o600)
		}},
		{BytesDiffer, func(root string) {
			f, _ := os.OpenFile(inbox(root)[0], os.O_APPEND|os.O_WRONLY, 0)
			f.WriteString("x")
			f.Close()
		}},
		{FlagsDiffer, func(root string) { rename(inbox(root)[0], ":2,", ":2,T") }},
		{KeywordsDiffer, func(root string) { f := inbox(root)[0]; os.Rename(f, f+"z") }},
		{DateDiffers, func(root string) { f := inbox(root)[0]; now := fileTime(f).Add(1e9); os.Chtimes(f, now, now) }},
		{DuplicateLocal, func(root string) {
			f := inbox(root)[0]
			b, _ := os.ReadFile(f)
			os.WriteFile(strings.Replace(f, "1_", "2_", 1), b, 0o600)
		}},
		{BadName, func(root string) { rename(inbox(root)[0], "FMD5=", "FMD5=0") }},
		{FolderOnlyServer, func(root string) { os.RemoveAll(filepath.Join(root, "Sent")) }},
		{FolderOnlyLocal, func(root string) {
			for _, d := range []string{"cur", "new", "tmp"} {
				os.MkdirAll(filepath.Join(root, "Extra", d), 0o700)
			}
		}},
	} {
		root := t.TempDir()
		mirror(t, c, root, "/")
		x.damage(root)
		r, err := Check(c, root, Options{Dates: true})
		if err != nil {
			t.Fatal(err)
		}
		if r.Count(x.kind) != 1 {
			t.Errorf("want one %q, got %v", x.kind, r)
		}
	}
}

func fileTime(p string) (tm time.Time) {
	st, err := os.Stat(p)
	if err != nil {
		return
	}
	return st.ModTime()
}

func TestDigestDropsOneField(t *testing.T) {
	sum := func(s, drop string, wire bool) [32]byte {
		d := newDigest(drop, wire)
		for i := range len(s) { // byte by byte
			d.Write([]byte{s[i]})
		}
		h, _ := d.result()
		return h
	}
	with := "A: b\r\nX-TUID: 123\r\nC: d\r\n\r\nX-TUID: in the body\r\n"
	without := "A: b\nC: d\n\nX-TUID: in the body\n"
	if sum(with, "X-TUID", true) != sum(without, "", false) {
		t.Error("the field was not dropped, or more than it")
	}
	if sum(with, "", true) == sum(without, "", false) {
		t.Error("the field does not count without being dropped")
	}
}
