package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"offloop/cmd/internal/lab"
	"offloop/cmd/internal/lab/imapc"
	"offloop/cmd/internal/lab/verify"
)

// tmpfs mounts a small file system on dir until the test ends; it skips the test
// where that is not allowed.
func tmpfs(t *testing.T, dir, size string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "mode=0700,size="+size, "offloop-test", dir).CombinedOutput(); err != nil {
		t.Skipf("no small file system can be mounted here: %v %s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", dir).CombinedOutput(); err != nil {
			t.Logf("umount %s: %v %s", dir, err, out)
		}
	})
}

func remount(t *testing.T, dir, option string) {
	t.Helper()
	if out, err := exec.Command("mount", "-o", "remount,"+option, dir).CombinedOutput(); err != nil {
		t.Fatalf("remount %s: %v %s", dir, err, out)
	}
}

// TestFullDisk: no space for mail, then none for the state; once there is space
// again the next run completes, without a duplicate.
func TestFullDisk(t *testing.T) {
	srv := lab.NeedDovecot(t)
	t.Run("Maildir", func(t *testing.T) {
		t.Parallel()
		b := newBad(t, srv, 200)
		tmpfs(t, b.root, "600k")
		before := b.snapshot()
		b.refused(1, `no space left`, `INBOX|Work`, regexp.QuoteMeta(b.root), `(?i)space`)
		b.unchanged(before)
		left, _ := filepath.Glob(filepath.Join(b.root, "*", "tmp", "*"))
		if len(left) > 0 {
			t.Errorf("%d files were left in tmp", len(left))
		}
		remount(t, b.root, "size=64m")
		b.sync()
		b.equal("once there is space", verify.Options{})
		quiet(t, b.sync())
	})
	t.Run("Maildir, by somebody else", func(t *testing.T) {
		t.Parallel()
		b := newBad(t, srv, 20)
		tmpfs(t, b.root, "8m")
		b.sync()
		fill := filepath.Join(b.root, "fill")
		hog(t, fill)
		c := b.client()
		fillBoth(t, c, 5, 40)
		c.Logout()
		before := b.snapshot()
		b.refused(1, `no space left`)
		b.unchanged(before)
		os.Remove(fill)
		b.sync()
		b.equal("once there is space", verify.Options{})
	})
	t.Run("metadata", func(t *testing.T) {
		t.Parallel()
		b := newBad(t, srv, 100)
		meta := filepath.Join(b.dir, "meta")
		tmpfs(t, meta, "4m")
		fill := filepath.Join(meta, "fill")
		hog(t, fill)
		before := b.snapshot()
		out, code := b.run("-a", "A")
		msg, hint := firstError(out)
		if code != 1 || !strings.Contains(msg, "no space left") || !strings.Contains(msg+hint, meta) && !strings.Contains(hint, "metadata") {
			t.Errorf("exit status %d; %q, hint %q\n%s", code, msg, hint, tail(out, 3000))
		}
		clean(t, out)
		b.unchanged(before)
		os.Remove(fill)
		b.sync()
		b.equal("once there is space", verify.Options{})
		b.goodSynced()
		// And with uploads, which must not be sent without a record.
		mailHere(t, b.root, "INBOX", 30)
		hog(t, fill)
		before = b.snapshot()
		out, code = b.run("-a", "A")
		if code != 1 || !strings.Contains(out, "no space left") {
			t.Errorf("exit status %d\n%s", code, tail(out, 3000))
		}
		b.unchanged(before)
		os.Remove(fill)
		b.sync()
		b.equal("once there is space for uploads", verify.Options{})
	})
}

// hog fills a file system to the last byte.
func hog(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, n := range []int{64 << 10, 4096} {
		for {
			if _, err := f.Write(make([]byte, n)); err != nil {
				break
			}
		}
	}
}

// mailHere delivers n different messages.
func mailHere(t *testing.T, root, folder string, n int) {
	t.Helper()
	for i := range n {
		name := fmt.Sprintf("1700000000.M%dP%d.here", i, n)
		body := fmt.Sprintf("Subject: here %d\nMessage-ID: <%d.%d@here.example>\n\nbody %d\n", i, i, n, i)
		if err := os.WriteFile(filepath.Join(root, folder, "new", name), []byte(body), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// TestUnwritable: one folder of the Maildir cannot be written to; the others, and
// the other account, are synced.
func TestUnwritable(t *testing.T) {
	srv := lab.NeedDovecot(t)
	b := newBad(t, srv, 10)
	work := filepath.Join(b.root, "Work")
	if os.Getuid() == 0 {
		tmpfs(t, work, "1m") // permissions do not bind root
	}
	for _, d := range []string{"cur", "new", "tmp"} {
		if err := os.MkdirAll(filepath.Join(work, d), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if os.Getuid() == 0 {
		remount(t, work, "ro")
	} else {
		for _, d := range []string{"cur", "new", "tmp", "."} {
			os.Chmod(filepath.Join(work, d), 0o500)
		}
		t.Cleanup(func() {
			for _, d := range []string{".", "cur", "new", "tmp"} {
				os.Chmod(filepath.Join(work, d), 0o700)
			}
		})
	}
	before := b.snapshot()
	b.refused(1, `Work`, regexp.QuoteMeta(work), `read-only|permission denied`, `permission`)
	b.unchanged(before)
	if files, _ := filepath.Glob(filepath.Join(b.root, "INBOX", "*", "*,U=*")); len(files) != 10 {
		t.Errorf("INBOX holds %d messages, want 10", len(files))
	}
}

// TestMissing: what was synced before and is not there now is an accident, not a
// wish: nothing is deleted on the server.
func TestMissing(t *testing.T) {
	srv := lab.NeedDovecot(t)
	t.Run("root", func(t *testing.T) {
		t.Parallel()
		b := newBad(t, srv, 10)
		b.sync()
		before := b.snapshot()
		if err := os.Rename(b.root, b.root+".away"); err != nil {
			t.Fatal(err)
		}
		b.refused(1, regexp.QuoteMeta(b.root), `mount`)
		b.unchanged(before)
		if _, err := os.Stat(b.root); err == nil {
			t.Error("the root was made again")
		}
		os.Rename(b.root+".away", b.root)
		quiet(t, b.sync())
	})
	t.Run("root, but its mount point is there", func(t *testing.T) {
		t.Parallel()
		b := newBad(t, srv, 20)
		b.sync()
		before := b.snapshot()
		os.Rename(b.root, b.root+".away")
		os.Mkdir(b.root, 0o700)
		out, code := b.run()
		clean(t, out)
		if code == 0 && !strings.Contains(out, "rests") {
			t.Errorf("an empty root went unnoticed:\n%s", tail(out, 3000))
		}
		b.unchanged(before)
		os.RemoveAll(b.root)
		os.Rename(b.root+".away", b.root)
		b.sync()
		b.equal("with the root back", verify.Options{})
		b.unchanged(before)
	})
	for _, sub := range []string{"cur", "new", "tmp"} {
		t.Run(sub, func(t *testing.T) {
			t.Parallel()
			b := newBad(t, srv, 10)
			b.sync()
			before := b.snapshot()
			gone := filepath.Join(b.root, "Work", sub)
			if err := os.Rename(gone, gone+".away"); err != nil {
				t.Fatal(err)
			}
			c := b.client()
			fillBoth(t, c, 3, 1)
			c.Logout()
			b.refused(1, `Work`, sub)
			os.Rename(gone+".away", gone)
			b.sync()
			b.equal("with "+sub+" back", verify.Options{})
			now := b.snapshot()
			if len(now["Work"].Messages) != len(before["Work"].Messages)+1 {
				t.Errorf("Work has %d messages on the server, had %d and got one", len(now["Work"].Messages), len(before["Work"].Messages))
			}
		})
	}
	t.Run("folder here", func(t *testing.T) {
		t.Parallel()
		b := newBad(t, srv, 20)
		b.sync()
		before := b.snapshot()
		os.Rename(filepath.Join(b.root, "Work"), filepath.Join(b.dir, "Work.away"))
		out, _ := b.run()
		if !strings.Contains(out, "Work rests") || !strings.Contains(out, `--recreate "Work"`) || !strings.Contains(out, `--forget "Work"`) {
			t.Errorf("a missing folder is not told of:\n%s", tail(out, 3000))
		}
		b.unchanged(before)
		if _, err := os.Stat(filepath.Join(b.root, "Work")); err == nil {
			t.Error("the folder was made again without being asked for")
		}
		b.sync("--recreate", "Work")
		b.equal("recreated", verify.Options{})
		b.unchanged(before)
	})
	t.Run("folder there", func(t *testing.T) {
		t.Parallel()
		b := newBad(t, srv, 20)
		b.sync()
		here := hashTree(t, filepath.Join(b.root, "Work"))
		c := b.client()
		if err := c.Delete("Work"); err != nil {
			t.Fatal(err)
		}
		c.Logout()
		out, _ := b.run()
		if !strings.Contains(out, "Work rests") {
			t.Errorf("a missing folder is not told of:\n%s", tail(out, 3000))
		}
		if hashTree(t, filepath.Join(b.root, "Work")) != here {
			t.Error("the Maildir changed")
		}
		if b.snapshot()["Work"] != nil {
			t.Error("the folder was made again without being asked for")
		}
		b.sync("--recreate", "Work")
		b.equal("recreated", verify.Options{})
		if n := len(b.snapshot()["Work"].Messages); n != 20 {
			t.Errorf("Work has %d messages, want 20", n)
		}
		quiet(t, b.sync())
	})
	t.Run("forgotten", func(t *testing.T) {
		t.Parallel()
		b := newBad(t, srv, 20)
		b.sync()
		here := hashTree(t, filepath.Join(b.root, "Work"))
		c := b.client()
		c.Delete("Work")
		c.Logout()
		b.run("--forget", "Work")
		out := b.sync()
		if strings.Contains(out, "rests") || b.snapshot()["Work"] != nil || hashTree(t, filepath.Join(b.root, "Work")) != here {
			t.Errorf("a forgotten folder is not left alone:\n%s", tail(out, 3000))
		}
	})
}

// TestBadState: a damaged state file is kept aside and told of, and the sides are
// paired anew; a torn one is cut; in no case is mail lost, doubled or deleted.
func TestBadState(t *testing.T) {
	srv := lab.NeedDovecot(t)
	state := func(t *testing.T, b *bad, folder string) string {
		t.Helper()
		files, _ := filepath.Glob(filepath.Join(b.dir, "meta", "offloop", "A", folder+"*.state"))
		if len(files) != 1 {
			t.Fatalf("state files of %s: %v", folder, files)
		}
		return files[0]
	}
	damage := func(t *testing.T, path string, f func(b []byte) []byte) {
		t.Helper()
		body, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, f(bytes.Clone(body)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	flip := func(b []byte) []byte { b[len(b)/2] ^= 1; return b }
	cases := []struct {
		name   string
		folder string
		code   int // of the next run
		f      func(b []byte) []byte
	}{
		{"a flipped bit in the middle", "Work", 1, flip},
		{"a torn tail", "Work", 0, func(b []byte) []byte { return b[:len(b)-7] }},
		{"nothing but zeros", "Work", -1, func(b []byte) []byte { return make([]byte, len(b)) }},
		{"another program's file", "Work", 1, func(b []byte) []byte { return []byte("{\"version\": 3}\n") }},
		{"empty", "Work", 0, func(b []byte) []byte { return nil }},
		{"half", "Work", -1, func(b []byte) []byte { return b[:len(b)/2] }},
		{"the account's: flipped bit", "account", 1, flip},
		{"the account's: torn", "account", 0, func(b []byte) []byte { return b[:len(b)-3] }},
		{"the account's: empty", "account", 0, func(b []byte) []byte { return nil }},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := newBad(t, srv, 15)
			b.sync()
			// A second round, so that there is a journal behind a snapshot or a
			// first journal.
			cl := b.client()
			fillBoth(t, cl, 9, 4)
			cl.Logout()
			b.sync()
			before := b.snapshot()
			path := state(t, b, c.folder)
			damage(t, path, c.f)
			out, code := b.run()
			clean(t, out)
			if c.code >= 0 && code != c.code {
				t.Errorf("exit status %d, want %d", code, c.code)
			}
			if code != 0 {
				if msg, _ := firstError(out); !strings.Contains(msg, "A") || !strings.Contains(out, filepath.Base(path)) || c.folder == "Work" && !strings.Contains(msg, "Work") {
					t.Errorf("the message does not name account, folder and file: %q", msg)
				}
			}
			b.goodSynced()
			b.sync()
			b.equal("after the repair", verify.Options{})
			b.unchanged(before)
			quiet(t, b.sync())
			if out, err := exec.Command(binary, "-c", b.config, "state", "--check").CombinedOutput(); err != nil {
				t.Errorf("the state is not whole again: %v\n%s", err, out)
			}
			if t.Failed() {
				t.Log(tail(out, 4000))
			}
		})
	}
}

// TestBrake: emptied directories delete nothing on the server until the user says
// so, folder by folder.
func TestBrake(t *testing.T) {
	srv := lab.NeedDovecot(t)
	b := newBad(t, srv, 30)
	b.sync()
	before := b.snapshot()
	for _, f := range []string{"INBOX", "Work"} {
		for _, d := range []string{"cur", "new"} {
			files, _ := filepath.Glob(filepath.Join(b.root, f, d, "*"))
			for _, x := range files {
				os.Remove(x)
			}
		}
	}
	c := b.client()
	fillBoth(t, c, 4, 2)
	c.Logout()
	for range 2 {
		out, _ := b.run()
		clean(t, out)
		for _, f := range []string{"INBOX", "Work"} {
			if !strings.Contains(out, fmt.Sprintf("--allow-deletes %q", f)) || !regexp.MustCompile(`30 of 3\d messages in `+f).MatchString(out) {
				t.Errorf("the brake on %s is not told of:\n%s", f, tail(out, 3000))
			}
		}
	}
	now := b.snapshot()
	for f, x := range before {
		if len(now[f].Messages) != len(x.Messages)+2 {
			t.Errorf("%s has %d messages on the server, had %d and got 2", f, len(now[f].Messages), len(x.Messages))
		}
		// Everything else goes on.
		if files, _ := filepath.Glob(filepath.Join(b.root, f, "*", "*,U=*")); len(files) != 2 {
			t.Errorf("%s holds %d files, want the 2 new ones", f, len(files))
		}
	}
	b.run("--allow-deletes", "INBOX")
	now = b.snapshot()
	if len(now["INBOX"].Messages) != 2 || len(now["Work"].Messages) != 32 {
		t.Errorf("after --allow-deletes INBOX the server has %d and %d messages, want 2 and 32", len(now["INBOX"].Messages), len(now["Work"].Messages))
	}
	b.sync("--allow-deletes", "*")
	b.equal("after --allow-deletes *", verify.Options{})
}

// TestBrakeThere is the same accident at the other end.
func TestBrakeThere(t *testing.T) {
	srv := lab.NeedDovecot(t)
	b := newBad(t, srv, 30)
	b.sync()
	here := hashTree(t, filepath.Join(b.root, "INBOX"))
	c := b.client()
	if _, err := c.Select("INBOX"); err != nil {
		t.Fatal(err)
	}
	if err := c.Expunge("1:*"); err != nil {
		t.Fatal(err)
	}
	c.Logout()
	out, _ := b.run()
	if !strings.Contains(out, `--allow-deletes "INBOX"`) {
		t.Errorf("the brake is not told of:\n%s", tail(out, 3000))
	}
	if hashTree(t, filepath.Join(b.root, "INBOX")) != here {
		t.Error("the Maildir changed")
	}
	b.sync("--allow-deletes", "INBOX")
	b.equal("after --allow-deletes INBOX", verify.Options{})
}

// TestNewValidity: a folder deleted and made again with other mail, and most of what
// was there is not. Those files wait and the status is 2; everything else goes on,
// and --recreate uploads them.
func TestNewValidity(t *testing.T) {
	srv := lab.NeedDovecot(t)
	b := newBad(t, srv, 20)
	b.sync()
	old := b.snapshot()["Work"]
	c := b.client()
	var kept [][]byte
	if _, err := c.Select("Work"); err != nil {
		t.Fatal(err)
	}
	if err := c.Fetch("3:9", "(UID BODY.PEEK[])", nil, func(m imapc.Message) error { kept = append(kept, m.Body); return nil }); err != nil {
		t.Fatal(err)
	}
	c.Unselect()
	if err := c.Delete("Work"); err != nil {
		t.Fatal(err)
	}
	if err := c.Create("Work"); err != nil {
		t.Fatal(err)
	}
	for i, body := range append([][]byte{[]byte("Subject: fresh\r\nMessage-ID: <fresh@example.org>\r\n\r\nx\r\n")}, kept...) {
		if _, err := c.Append("Work", imapc.Upload{Body: body}); err != nil {
			t.Fatal(i, err)
		}
	}
	fillBoth(t, c, 8, 1) // one more message in each folder
	c.Logout()
	before := b.snapshot()
	for range 2 {
		b.refused(2, `Work`, `13 files found no partner`, `--recreate "Work"`)
		b.unchanged(before)
		if files, _ := filepath.Glob(filepath.Join(b.root, "Work", "*", "*:2,*")); len(files) != 22 {
			t.Errorf("Work has %d files here, want the 20 there were and the 2 new ones", len(files))
		}
	}
	if files, _ := filepath.Glob(filepath.Join(b.root, "INBOX", "*", "*,U=21,*")); len(files) != 1 {
		t.Error("the other folder was not synced")
	}
	out := b.sync("--recreate", "Work")
	b.equal("after --recreate\n"+tail(out, 3000), verify.Options{IgnoreFlags: true, IgnoreKeywords: true})
	// 20 old ones, 7 of which are still there, and 2 new ones.
	now := b.snapshot()["Work"]
	if len(now.Messages) != 22 {
		t.Errorf("Work has %d messages, want 22", len(now.Messages))
	}
	sums := map[[32]byte]int{}
	for _, e := range now.Messages {
		sums[e.Sum]++
	}
	for _, e := range old.Messages {
		if sums[e.Sum] != 1 {
			t.Errorf("%d copies of an old message", sums[e.Sum])
		}
	}
	b.sync()
	b.equal("after the run that follows", verify.Options{})
	quiet(t, b.sync())
}

// TestBadMessage: one message that cannot be sent does not stop the others.
func TestBadMessage(t *testing.T) {
	srv := lab.NeedDovecot(t)
	b := newBad(t, srv, 5)
	b.sync()
	dir := filepath.Join(b.root, "INBOX", "new")
	if err := os.WriteFile(filepath.Join(dir, "1.M1.nul"), []byte("Subject: x\n\na\x00b\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "1.M2.empty"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "1.M3.fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	mailHere(t, b.root, "INBOX", 3)
	out, code := b.run()
	clean(t, out)
	if code != 1 {
		t.Errorf("exit status %d, want 1", code)
	}
	for _, w := range []string{"1.M1.nul", "1.M2.empty"} {
		if !strings.Contains(out, w) {
			t.Errorf("%s is not named", w)
		}
	}
	if n := len(b.snapshot()["INBOX"].Messages); n != 8 {
		t.Errorf("the server has %d messages, want 8", n)
	}
	for _, w := range []string{"1.M1.nul", "1.M2.empty", "1.M3.fifo"} {
		if _, err := os.Lstat(filepath.Join(dir, w)); err != nil {
			t.Errorf("%s is gone: %v", w, err)
		}
	}
	b.goodSynced()
	if t.Failed() {
		t.Log(tail(out, 4000))
	}
}

// TestSymbolicLink: a link in a Maildir is set aside, not followed; everything else
// is synced.
func TestSymbolicLink(t *testing.T) {
	srv := lab.NeedDovecot(t)
	b := newBad(t, srv, 3)
	b.sync()
	secret := filepath.Join(b.dir, "secret")
	os.WriteFile(secret, []byte("Subject: secret\n\nsecret\n"), 0o600)
	if err := os.Symlink(secret, filepath.Join(b.root, "INBOX", "cur", "1600000000.link.reader:2,S")); err != nil {
		t.Fatal(err)
	}
	os.Symlink(secret, filepath.Join(b.root, "Work", "new", "1600000001.link.reader"))
	mailHere(t, b.root, "INBOX", 1)
	before := b.snapshot()
	b.refused(1, `160000000[01]\.link\.reader`, "symbolic link", "offloop quarantine")
	now := b.snapshot()
	if len(now["INBOX"].Messages) != len(before["INBOX"].Messages)+1 || len(now["Work"].Messages) != len(before["Work"].Messages) {
		t.Errorf("INBOX has %d messages, had %d; Work %d, had %d", len(now["INBOX"].Messages), len(before["INBOX"].Messages), len(now["Work"].Messages), len(before["Work"].Messages))
	}
}
