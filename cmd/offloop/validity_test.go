package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"offloop/cmd/internal/lab"
	"offloop/cmd/internal/lab/imapc"
	"offloop/cmd/internal/lab/verify"
)

// TestNumberedAnew: a real Dovecot numbers its messages anew, because its list of
// UIDs was lost or because a folder was deleted and made again. Everything is
// paired by itself: no message is transferred, doubled or deleted, and flags
// changed on either side meanwhile survive.
func TestNumberedAnew(t *testing.T) {
	srv := lab.NeedDovecot(t)
	t.Run("all folders, by a lost uidlist", func(t *testing.T) {
		t.Parallel()
		b := newBad(t, srv, 40)
		b.sync()
		// Dovecot takes the clock's second for a new UIDVALIDITY: it must be past those given.
		time.Sleep(3 * time.Second)
		n := 0
		filepath.WalkDir(srv.Maildir(b.user), func(p string, d os.DirEntry, err error) error {
			if name := filepath.Base(p); err == nil && (name == "dovecot-uidlist" || strings.HasPrefix(name, "dovecot.index") || name == "dovecot-uidvalidity" ||
				strings.HasPrefix(name, "dovecot-uidvalidity.")) && os.Remove(p) == nil {
				n++
			}
			return nil
		})
		if n < 2 {
			t.Fatalf("only %d of Dovecot's files were found", n)
		}
		out := b.sync()
		if strings.Count(out, "numbered the messages of") < 2 {
			t.Errorf("nothing is told of the new numbers:\n%s", tail(out, 3000))
		}
		s := stats(t, out)
		for _, k := range []string{"downloaded", "uploaded", "deleted-here", "deleted-there"} {
			if s[k] != "0" {
				t.Errorf("%s=%s\n%s", k, s[k], tail(out, 3000))
			}
		}
		b.equal("after the new numbers", verify.Options{})
		quiet(t, b.sync())
	})
	t.Run("deleted and made again", func(t *testing.T) {
		t.Parallel()
		b := newBad(t, srv, 20)
		b.sync()
		c := b.client()
		if _, err := c.Select("Work"); err != nil {
			t.Fatal(err)
		}
		var kept []imapc.Message
		if err := c.Fetch("1:*", "(UID FLAGS BODY.PEEK[])", nil, func(m imapc.Message) error { kept = append(kept, m); return nil }); err != nil {
			t.Fatal(err)
		}
		c.Unselect()
		if err := c.Delete("Work"); err != nil {
			t.Fatal(err)
		}
		if err := c.Create("Work"); err != nil {
			t.Fatal(err)
		}
		for i := len(kept) - 1; i >= 2; i-- {
			if _, err := c.Append("Work", imapc.Upload{Body: kept[i].Body, Flags: kept[i].Flags}); err != nil {
				t.Fatal(err)
			}
		}
		c.Logout()
		out := b.sync()
		if s := stats(t, out); s["downloaded"] != "0" || s["uploaded"] != "2" || s["deleted-here"] != "0" || s["deleted-there"] != "0" {
			t.Errorf("%v\n%s", s, tail(out, 3000))
		}
		b.equal("after the folder was made again", verify.Options{})
		quiet(t, b.sync())
	})
}
