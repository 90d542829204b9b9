package main

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"offloop/cmd/internal/lab"
	"offloop/cmd/internal/lab/dovecot"
	"offloop/cmd/internal/lab/gen"
	"offloop/cmd/internal/lab/imapc"
	"offloop/cmd/internal/lab/mutate"
)

// needOfflineIMAP skips the test where OfflineIMAP is not installed.
func needOfflineIMAP(t testing.TB) {
	t.Helper()
	if _, err := exec.LookPath("offlineimap"); err != nil {
		if lab.Required() {
			t.Fatal("offlineimap is not installed (Debian: apt-get install offlineimap3)")
		}
		t.Skip("offlineimap is not installed")
	}
}

// dropIn is an account with a configuration that both programs read.
type dropIn struct {
	*mailbox
	utf8          bool
	remote, local string // nametrans
}

func (d *dropIn) writeTo(config, meta, root string) {
	d.t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "[general]\naccounts = A\nmetadata = %s\nsocktimeout = 60\n", meta)
	fmt.Fprintf(&b, "[Account A]\nlocalrepository = L\nremoterepository = R\nutf8foldernames = %v\n", d.utf8)
	fmt.Fprintf(&b, "[Repository L]\ntype = Maildir\nlocalfolders = %s\nsep = %s\n", root, d.sep)
	if d.local != "" {
		fmt.Fprintf(&b, "nametrans = %s\n", d.local)
	}
	fmt.Fprintf(&b, "[Repository R]\ntype = IMAP\nremotehost = %s\nremoteport = %d\nssl = no\nstarttls = no\nremoteuser = %s\nremotepass = %s\n",
		d.srv.Host, d.srv.Port, d.user, dovecot.Password)
	if d.remote != "" {
		fmt.Fprintf(&b, "nametrans = %s\n", d.remote)
	}
	if err := os.WriteFile(config, []byte(b.String()), 0o600); err != nil {
		d.t.Fatal(err)
	}
}

// offlineimap runs OfflineIMAP once and gives what it printed and its exit status.
func offlineimap(t testing.TB, config string, args ...string) (string, int) {
	t.Helper()
	cmd := exec.Command("offlineimap", append([]string{"-c", config, "-o", "-u", "basic"}, args...)...)
	cmd.Env = append(os.Environ(), "HOME="+filepath.Dir(config), "PYTHONDONTWRITEBYTECODE=1", "LC_ALL=C.UTF-8")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	timer := time.AfterFunc(10*time.Minute, func() { cmd.Process.Kill() })
	defer timer.Stop()
	cmd.Wait()
	return out.String(), cmd.ProcessState.ExitCode()
}

func (d *dropIn) offlineimap(config string) {
	d.t.Helper()
	if out, code := offlineimap(d.t, config); code != 0 {
		d.t.Fatalf("offlineimap: exit status %d\n%s", code, tail(out, 4000))
	}
}

var madeBySync = regexp.MustCompile(`^\d+_\d+\.\d+\.[^,]+`)

// tree describes a tree of Maildirs, a line a message: where it is, its UID and
// digest, its flags, its content. What OfflineIMAP cannot know is left out: when
// and by which process the file was named, and P, which it never sends.
func (d *dropIn) tree(root string) []string {
	d.t.Helper()
	var l []string
	err := filepath.WalkDir(root, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() && e.Name() == ".offloop" {
			return filepath.SkipDir
		}
		sub := filepath.Base(filepath.Dir(path))
		if e.IsDir() {
			if sub := e.Name(); sub == "cur" {
				rel, _ := filepath.Rel(root, filepath.Dir(path))
				l = append(l, rel)
			}
			return nil
		}
		if sub != "cur" && sub != "new" {
			return nil
		}
		rel, _ := filepath.Rel(root, filepath.Dir(filepath.Dir(path)))
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, flags, _ := strings.Cut(e.Name(), ":2,")
		if !madeBySync.MatchString(name) {
			d.t.Errorf("%s/%s has not been named as OfflineIMAP names files", rel, e.Name())
		}
		_, uid, _ := strings.Cut(name, ",")
		l = append(l, fmt.Sprintf("%s %s %s %d bytes %.6x", rel, uid, strings.ReplaceAll(flags, "P", ""), len(b), sha256.Sum256(b)))
		return nil
	})
	if err != nil {
		d.t.Fatal(err)
	}
	slices.Sort(l)
	return l
}

// names maps every file to its inode.
func (d *dropIn) names() map[string]string {
	m := map[string]string{}
	filepath.WalkDir(d.root, func(path string, e os.DirEntry, err error) error {
		if err == nil && e.IsDir() && e.Name() == ".offloop" {
			return filepath.SkipDir
		}
		if err == nil && !e.IsDir() {
			fi, _ := e.Info()
			m[path] = fmt.Sprint(fi.Size(), fi.ModTime())
		}
		return nil
	})
	return m
}

// sameTrees compares two descriptions.
func sameTrees(t testing.TB, what string, got, want []string) {
	t.Helper()
	in := map[string]int{}
	for _, l := range want {
		in[l]++
	}
	var diff []string
	for _, l := range got {
		if in[l]--; in[l] < 0 {
			diff = append(diff, "+ "+l)
		}
	}
	for l, n := range in {
		if n > 0 {
			diff = append(diff, "- "+l)
		}
	}
	if len(diff) > 0 {
		slices.Sort(diff)
		t.Errorf("%s: %d lines differ\n%s", what, len(diff), tail(strings.Join(diff, "\n"), 3000))
	}
}

// untouched fails the test if offloop moved a byte of mail or a file.
func (d *dropIn) untouched(before map[string]string, out string) {
	d.t.Helper()
	quiet(d.t, out)
	if s := stats(d.t, out); s["bytes-down"] != "0" || s["bytes-up"] != "0" {
		d.t.Errorf("%s bytes down, %s up", s["bytes-down"], s["bytes-up"])
	}
	if after := d.names(); !maps.Equal(before, after) {
		d.t.Errorf("files changed: there were %d, there are %d", len(before), len(after))
	}
}

// TestDropIn lets OfflineIMAP sync an account and offloop take it over with the
// same configuration, once before and once after both sides have changed. What
// offloop makes of it must be what a new OfflineIMAP makes of the account.
func TestDropIn(t *testing.T) {
	needOfflineIMAP(t)
	if testing.Short() {
		t.Skip("takes long")
	}
	messages := 120
	if n, err := strconv.Atoi(os.Getenv("OFFLOOP_DROPIN_MESSAGES")); err == nil && n > 0 {
		messages = n // 10000 is the full size
	}
	work := "lambda f: re.sub('^Work', 'Arbeit', f)"
	back := "lambda f: re.sub('^Arbeit', 'Work', f)"
	cases := []struct {
		name, sep     string
		utf8          bool
		remote, local string
	}{
		{"nested", "/", true, "", ""},
		{"flat", ".", false, "", ""},
		{"nested, renamed", "/", false, work, back},
		{"flat, renamed", ".", true, work, back},
	}
	srv := lab.NeedDovecot(t)
	for i, c := range cases {
		for _, when := range []string{"before", "after"} {
			t.Run(c.name+"/changed "+when, func(t *testing.T) {
				d := &dropIn{mailbox: newMailbox(t, srv, fmt.Sprintf("user%d%s", i, when)), utf8: c.utf8, remote: c.remote, local: c.local}
				d.sep = c.sep
				d.play(messages, when == "before")
			})
		}
	}
}

func (d *dropIn) play(messages int, changedBefore bool) {
	t := d.t.(*testing.T)
	mail := gen.Options{Seed: 11, Messages: messages, Folders: 8, Median: 2000, Mean: 4000, MaxSize: 100_000, Nasty: -1, SafeNames: true, NoDots: true}
	c := d.client()
	for _, n := range []string{"Work", "Work/2024 Q1", "Entwürfe", "日本"} {
		if err := c.Create(n); err != nil {
			t.Fatal(err)
		}
	}
	if err := gen.New(mail).FillIMAP(c); err != nil {
		t.Fatal(err)
	}
	d.writeTo(d.config, filepath.Join(d.dir, "meta"), d.root)
	d.offlineimap(d.config)
	if !changedBefore {
		before := d.names()
		d.untouched(before, d.sync())
		d.untouched(before, d.sync())
	}
	n := max(messages/50, 8)
	half := func(k uint32) func(uint32) bool { return func(uid uint32) bool { return uid%2 == k } }
	there, err := mutate.Server(c, mutate.Options{Seed: 3, New: n, Flags: 2 * n, Delete: n / 2, Only: half(0), Mail: mail})
	if err != nil {
		t.Fatal(err)
	}
	here, err := mutate.Maildir(d.root, d.sep, mutate.Options{Seed: 4, New: n, Flags: 2 * n, Delete: n / 2, Only: half(1), Mail: mail})
	if err != nil {
		t.Fatal(err)
	}
	out := d.sync()
	s := stats(t, out)
	if got, want := s["downloaded"], fmt.Sprint(there.Count("new")); got != want {
		t.Errorf("downloaded %s messages, not %s", got, want)
	}
	if got, want := s["uploaded"], fmt.Sprint(here.Count("new")); got != want {
		t.Errorf("uploaded %s messages, not %s", got, want)
	}
	if got := s["deleted-here"]; got != fmt.Sprint(there.Count("delete")) {
		t.Errorf("deleted %s messages here, %d were deleted on the server", got, there.Count("delete"))
	}
	if got := s["deleted-there"]; got != fmt.Sprint(here.Count("delete")) {
		t.Errorf("deleted %s messages on the server, %d were deleted here", got, here.Count("delete"))
	}
	if t.Failed() {
		t.Logf("server:\n%v\nhere:\n%v\n%s", tail(there.String(), 2000), tail(here.String(), 2000), tail(out, 5000))
	}
	quiet(t, d.sync())

	again, root := filepath.Join(d.dir, "again"), filepath.Join(d.dir, "Mail again")
	d.writeTo(again, filepath.Join(d.dir, "meta again"), root)
	d.offlineimap(again)
	mine := d.tree(d.root)
	sameTrees(t, "offloop's tree (+) and a new one of OfflineIMAP's (-)", mine, d.tree(root))

	// OfflineIMAP moves files between new and cur as its own rule is; otherwise it
	// finds nothing to do.
	d.offlineimap(d.config)
	sameTrees(t, "OfflineIMAP, run again on offloop's tree (+), changed (-)", d.tree(d.root), mine)
	quiet(t, d.sync())
}

func letterText(name string) string {
	return "From: a@example.org\nSubject: " + name + "\nMessage-ID: <" + name + "@example.org>\n\ntext " + name + "\n"
}

// deliver puts messages into the INBOX on the server.
func (d *dropIn) deliver(t testing.TB, names ...string) {
	c := d.client()
	defer c.Logout()
	for _, n := range names {
		if _, err := c.Append("INBOX", imapc.Upload{Body: []byte(strings.ReplaceAll(letterText(n), "\n", "\r\n"))}); err != nil {
			t.Fatal(err)
		}
	}
}

// save puts messages into the INBOX of the Maildir.
func (d *dropIn) save(t testing.TB, names ...string) {
	for _, n := range names {
		if err := os.WriteFile(filepath.Join(d.root, "INBOX/cur/1600000000."+n+".reader:2,S"), []byte(letterText(n)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func (d *dropIn) fileOf(t testing.TB, uid int) string {
	l, _ := filepath.Glob(filepath.Join(d.root, fmt.Sprintf("INBOX/*/*,U=%d,*", uid)))
	if len(l) != 1 {
		t.Fatalf("UID %d has the files %q", uid, l)
	}
	return l[0]
}

// letters gives a message's file these flags.
func (d *dropIn) letters(t testing.TB, uid int, letters string) {
	from := d.fileOf(t, uid)
	base, _, _ := strings.Cut(filepath.Base(from), ":2,")
	if err := os.Rename(from, filepath.Join(d.root, "INBOX/cur", base+":2,"+letters)); err != nil {
		t.Fatal(err)
	}
}

func (d *dropIn) remove(t testing.TB, uid int) {
	if err := os.Remove(d.fileOf(t, uid)); err != nil {
		t.Fatal(err)
	}
}
