package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"offloop/cmd/internal/lab"
	"offloop/cmd/internal/lab/imapc"
	"offloop/cmd/internal/lab/verify"
)

// TestMaxAge: with a real server, old mail of either side stays where it is; when
// the key is gone it comes.
func TestMaxAge(t *testing.T) {
	m := newMailbox(t, lab.NeedDovecot(t), "maxage")
	m.dates = false
	m.write()
	plain, err := os.ReadFile(m.config)
	if err != nil {
		t.Fatal(err)
	}
	c := m.client()
	defer c.Logout()
	for i, days := range []int{1, 10, 100, 200} {
		body := fmt.Sprintf("Message-ID: <%d@x>\r\nSubject: %d\r\n\r\nbody\r\n", days, days)
		if _, err := c.Append("INBOX", imapc.Upload{Body: []byte(body), Date: time.Now().AddDate(0, 0, -days)}); err != nil {
			t.Fatal(i, err)
		}
	}
	count := func() int {
		t.Helper()
		if _, err := c.Select("INBOX"); err != nil {
			t.Fatal(err)
		}
		uids, err := c.UIDs()
		if err != nil {
			t.Fatal(err)
		}
		return len(uids)
	}
	m.accountKeys("maxage = 30")
	m.sync()
	for name, at := range map[string]time.Time{"old": time.Now().AddDate(0, 0, -60), "young": time.Now().AddDate(0, 0, -5)} {
		file := filepath.Join(m.root, "INBOX", "new", fmt.Sprintf("%d.%s.x", at.Unix(), name))
		if err := os.WriteFile(file, []byte("Subject: "+name+"\n\nbody\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		m.sync()
		if here, there := m.inMaildir("INBOX"), count(); here != 4 || there != 5 {
			t.Errorf("%d messages here and %d there, want 4 and 5", here, there)
		}
	}
	if err := os.WriteFile(m.config, plain, 0o600); err != nil {
		t.Fatal(err)
	}
	m.sync()
	if n := count(); n != 6 {
		t.Errorf("%d messages on the server, want 6", n)
	}
	m.equal("without maxage", verify.Options{})
}

// TestFilesByHeader: what the configuration says of names, times and UIDs reaches the
// files.
func TestFilesByHeader(t *testing.T) {
	m := newMailbox(t, lab.NeedDovecot(t), "byheader")
	m.dates = false
	m.extra["copy_ignore_eval"] = "lambda folder: [2] if folder == 'INBOX' else None"
	m.write()
	b, err := os.ReadFile(m.config)
	if err != nil {
		t.Fatal(err)
	}
	s := strings.Replace(string(b), "[Account A]", "utime_from_header = yes\nfilename_use_mail_timestamp = yes\n\n[Account A]", 1)
	s = strings.Replace(s, "type = Maildir", "type = Maildir\nrestoreatime = yes", 1)
	if err := os.WriteFile(m.config, []byte(s), 0o600); err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		m.put("INBOX", fmt.Sprint("s", i)) // dated 2 January 2006
	}
	for range 2 {
		m.sync()
		l, err := os.ReadDir(filepath.Join(m.root, "INBOX", "new"))
		if err != nil || len(l) != 2 {
			t.Fatalf("%d files, want 2: %v", len(l), err)
		}
		for _, f := range l {
			at := time.Date(2006, 1, 2, 15, 4, 5, 0, time.UTC)
			if i, err := f.Info(); err != nil || !i.ModTime().Equal(at) || !strings.HasPrefix(f.Name(), fmt.Sprint(at.Unix(), "_")) || strings.Contains(f.Name(), ",U=2,") {
				t.Errorf("%s %v %v", f.Name(), i.ModTime(), err)
			}
		}
	}
}
