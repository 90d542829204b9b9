package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"offloop/cmd/internal/lab"
	"offloop/cmd/internal/lab/dovecot"
	"offloop/cmd/internal/lab/gen"
	"offloop/cmd/internal/lab/verify"
)

// TestMovesOnDovecot moves messages between folders, first as two kinds of mail
// readers do it here (one keeps the file's name, one gives it a new one), then
// on the server. Nothing may be sent or fetched again, dates and flags stay, and
// the run after it does nothing. One server has MOVE, one only COPY.
func TestMovesOnDovecot(t *testing.T) {
	for _, v := range []struct{ name, caps string }{{"full", ""}, {"UIDPLUS only", dovecot.CapUIDPlus}} {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			m := newMailbox(t, lab.NeedDovecot(t, dovecot.Options{Capability: v.caps}), "moves")
			c := m.client()
			if err := gen.New(gen.Options{Seed: 7, Messages: 40, Folders: 1, SafeNames: true}).FillIMAP(c); err != nil {
				t.Fatal(err)
			}
			if err := c.Create("Archive"); err != nil {
				t.Fatal(err)
			}
			m.write()
			m.sync()
			m.equal("before", verify.Options{})
			movedThere := m.moveFiles("INBOX", "Archive", 20)
			s := stats(t, m.sync())
			t.Logf("moved here: %v", s)
			m.sent(s, "20 files moved here", map[string]string{"moved-there": fmt.Sprint(movedThere), "uploaded": "0", "bytes-up": "0", "downloaded": "0", "bytes-down": "0"})
			if n, err := strconv.Atoi(s["wire-out"]); err != nil || n > 10_000 {
				t.Errorf("%d bytes were sent for a move here (%v)", n, err)
			}
			m.equal("after a move here", verify.Options{})
			m.nothing("after a move here")

			inodes := m.inodes("INBOX")
			if _, err := c.Select("INBOX"); err != nil {
				t.Fatal(err)
			}
			commands := []string{"UID MOVE 1:* Archive"}
			if v.caps != "" {
				commands = []string{"UID COPY 1:* Archive", `STORE 1:* +FLAGS.SILENT (\Deleted)`, "EXPUNGE"}
			}
			for _, cmd := range commands {
				if _, err := c.Command(cmd); err != nil {
					t.Fatal(err)
				}
			}
			s = stats(t, m.sync())
			t.Logf("moved there: %v", s)
			m.sent(s, "moved there", map[string]string{"moved-here": fmt.Sprint(len(inodes)), "uploaded": "0", "bytes-up": "0", "downloaded": "0", "bytes-down": "0"})
			if n, err := strconv.Atoi(s["wire-in"]); err != nil || n > 60_000 {
				t.Errorf("%d bytes came for a move there (%v)", n, err)
			}
			m.equal("after a move there", verify.Options{})
			now := m.inodes("Archive")
			for _, ino := range inodes {
				if !slices.Contains(now, ino) {
					t.Errorf("the file with inode %d was not moved but written anew", ino)
				}
			}
			m.nothing("after a move there")
		})
	}
}

// TestTrashOnDovecot: with trash = yes what is deleted here stands in the server's
// Trash folder afterwards, and what is deleted in there is gone.
func TestTrashOnDovecot(t *testing.T) {
	for _, v := range []struct{ name, caps string }{{"full", ""}, {"UIDPLUS only", dovecot.CapUIDPlus}} {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			m := newMailbox(t, lab.NeedDovecot(t, dovecot.Options{Capability: v.caps}), "trash")
			c := m.client()
			if err := gen.New(gen.Options{Seed: 8, Messages: 20, Folders: 1, SafeNames: true}).FillIMAP(c); err != nil {
				t.Fatal(err)
			}
			if err := c.Create("Trash"); err != nil {
				t.Fatal(err)
			}
			m.extra["trash"] = "yes"
			m.extra["trashfolder"] = "Trash"
			m.write()
			m.sync()
			files := mailFiles(t, filepath.Join(m.root, "INBOX"))
			for _, p := range files[:5] {
				if err := os.Remove(p); err != nil {
					t.Fatal(err)
				}
			}
			m.sync()
			m.sync()
			m.equal("after the deletes", verify.Options{})
			if n := len(mailFiles(t, filepath.Join(m.root, "Trash"))); n != 5 {
				t.Errorf("the Trash folder holds %d messages", n)
			}
			m.nothing("after the deletes")
			for _, p := range mailFiles(t, filepath.Join(m.root, "Trash"))[:2] {
				if err := os.Remove(p); err != nil {
					t.Fatal(err)
				}
			}
			m.sync()
			m.equal("after deletes in the Trash folder", verify.Options{})
			m.nothing("after deletes in the Trash folder")
		})
	}
}

// moveFiles moves n files, every other one under a name of its own.
func (m *mailbox) moveFiles(from, to string, n int) int {
	m.t.Helper()
	done := 0
	for _, p := range mailFiles(m.t, filepath.Join(m.root, from)) {
		if done == n {
			break
		}
		base := filepath.Base(p)
		sub := filepath.Base(filepath.Dir(p))
		if done%2 == 1 {
			_, info, marked := strings.Cut(base, ":")
			base = fmt.Sprintf("1600000000.M%d.reader", done)
			if marked {
				base += ":" + info
			}
		}
		if err := os.Rename(p, filepath.Join(m.root, to, sub, base)); err != nil {
			m.t.Fatal(err)
		}
		done++
	}
	if done != n {
		m.t.Fatalf("%d files in %s", done, from)
	}
	return done
}

func (m *mailbox) sent(got map[string]string, when string, want map[string]string) {
	m.t.Helper()
	for k, v := range want {
		if got[k] != v {
			m.t.Errorf("%s: %s=%s, want %s", when, k, got[k], v)
		}
	}
}

// nothing runs once more: nothing may happen.
func (m *mailbox) nothing(when string) {
	m.t.Helper()
	m.sent(stats(m.t, m.sync()), "the run "+when, map[string]string{"moved-here": "0", "moved-there": "0", "uploaded": "0", "downloaded": "0", "flags-here": "0", "flags-there": "0", "deleted-here": "0", "deleted-there": "0"})
}

func (m *mailbox) inodes(folder string) (l []uint64) {
	m.t.Helper()
	for _, p := range mailFiles(m.t, filepath.Join(m.root, folder)) {
		var st syscall.Stat_t
		if err := syscall.Stat(p, &st); err != nil {
			m.t.Fatal(err)
		}
		l = append(l, st.Ino)
	}
	return l
}
