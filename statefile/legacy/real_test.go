package legacy

import (
	"bufio"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "keep the state OfflineIMAP made as testdata/offlineimap")

// lab starts an IMAP server that ends with the test.
func lab(t *testing.T) (addr string) {
	t.Helper()
	if _, err := exec.LookPath("dovecot"); err != nil {
		t.Skip("no dovecot")
	}
	bin := filepath.Join(t.TempDir(), "imaplab")
	if out, err := exec.Command("go", "build", "-o", bin, "offloop/cmd/imaplab").CombinedOutput(); err != nil {
		t.Skipf("cannot build imaplab: %v\n%s", err, out)
	}
	cmd := exec.Command(bin, "serve", "-for", "2m")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait()
	})
	s := bufio.NewScanner(out)
	for s.Scan() {
		if f := strings.Fields(s.Text()); len(f) == 2 && f[0] == "imap" {
			return f[1]
		}
	}
	t.Skip("imaplab does not start a server here")
	return ""
}

// uidValidity asks the server.
func uidValidity(t *testing.T, addr, folder string) uint32 {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(10 * time.Second))
	fmt.Fprintf(c, "a LOGIN user pass\r\nb STATUS %q (UIDVALIDITY)\r\nc LOGOUT\r\n", folder)
	re := regexp.MustCompile(`^\* STATUS .*\(UIDVALIDITY (\d+)\)`)
	s := bufio.NewScanner(c)
	for s.Scan() {
		if m := re.FindStringSubmatch(s.Text()); m != nil {
			n, err := strconv.ParseUint(m[1], 10, 32)
			if err != nil {
				t.Fatal(err)
			}
			return uint32(n)
		}
	}
	t.Fatalf("no UIDVALIDITY of %q", folder)
	return 0
}

// agreed is what the names of the files in a Maildir say, which OfflineIMAP wrote there.
func agreed(t *testing.T, dir string) []Message {
	t.Helper()
	re := regexp.MustCompile(`,U=(\d+),FMD5=[0-9a-f]{32}:2,([A-Za-z]*)$`)
	var ms []Message
	for _, sub := range []string{"new", "cur"} {
		entries, err := os.ReadDir(filepath.Join(dir, sub))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			m := re.FindStringSubmatch(e.Name())
			if m == nil {
				t.Fatalf("file %q has no UID", e.Name())
			}
			uid, _ := strconv.Atoi(m[1])
			ms = append(ms, Message{UID: uint32(uid), Flags: m[2]})
		}
	}
	slices.SortFunc(ms, func(a, b Message) int { return int(a.UID) - int(b.UID) })
	return ms
}

var realFolders = []struct {
	local, remote string
	flags         []string
}{
	{"INBOX", "INBOX", []string{"", "S", "FS", "RS", "DS", "ST", "FRST"}},
	{"Arbeit/2024 Q1", "Work/2024 Q1", []string{"S", "", "F"}},
	{"Entwürfe", "Entwürfe", []string{"D"}},
	{"leer", "leer", nil},
}

// TestOfflineIMAP lets OfflineIMAP synchronise an account and compares the state it left with the
// names it gave the files and with the server.
func TestOfflineIMAP(t *testing.T) {
	if _, err := exec.LookPath("offlineimap"); err != nil {
		t.Skip("no offlineimap")
	}
	if testing.Short() {
		t.Skip("takes seconds")
	}
	addr := lab(t)
	dir := t.TempDir()
	mail := filepath.Join(dir, "mail")
	for _, f := range realFolders {
		for _, sub := range []string{"cur", "new", "tmp"} {
			if err := os.MkdirAll(filepath.Join(mail, f.local, sub), 0o700); err != nil {
				t.Fatal(err)
			}
		}
		for i, fl := range f.flags {
			name := fmt.Sprintf("%s/%s/cur/160000000%d.M%dP2.host:2,%s", mail, f.local, i, i, fl)
			text := fmt.Sprintf("From: a@example.org\nSubject: %d\nMessage-ID: <%d.%d@example.org>\n\ntext\n", i, i, len(f.local))
			if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	host, port, _ := net.SplitHostPort(addr)
	rc := filepath.Join(dir, "rc")
	err := os.WriteFile(rc, fmt.Appendf(nil, `[general]
accounts = A
metadata = %s/metadata
[Account A]
localrepository = L
remoterepository = R
utf8foldernames = yes
[Repository L]
type = Maildir
localfolders = %s
sep = /
nametrans = lambda f: f.replace('Arbeit', 'Work')
[Repository R]
type = IMAP
remotehost = %s
remoteport = %s
ssl = no
starttls = no
remoteuser = user
remotepass = pass
nametrans = lambda f: f.replace('Work', 'Arbeit')
`, dir, mail, host, port), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	for round := range 2 {
		cmd := exec.Command("offlineimap", "-c", rc, "-o", "-u", "quiet")
		cmd.Env = append(os.Environ(), "HOME="+dir, "PYTHONDONTWRITEBYTECODE=1", "LC_ALL=C.UTF-8")
		if out, err := cmd.CombinedOutput(); err != nil && round > 0 {
			// The first stumbles over the parent folder it has created on the server itself.
			t.Fatalf("offlineimap: %v\n%s", err, out)
		}
	}
	dirs := Dirs{Metadata: filepath.Join(dir, "metadata"), Account: "A", LocalRepository: "L", RemoteRepository: "R", LocalSep: "/"}
	for _, f := range realFolders {
		st, err := Read(dirs, f.local, f.remote)
		if err != nil || st == nil {
			t.Fatalf("%s: %v, %v", f.local, st, err)
		}
		if want := agreed(t, filepath.Join(mail, f.local)); !slices.EqualFunc(st.Messages, want, same) || len(want) != len(f.flags) {
			t.Errorf("%s: read %v, the names say %v", f.local, st.Messages, want)
		}
		if want := uidValidity(t, addr, utf7[f.remote]); st.UIDValidity != want {
			t.Errorf("%s: UIDVALIDITY %d, the server's is %d", f.local, st.UIDValidity, want)
		}
		if st.LocalUIDValidity != 42 || st.Format != SQLite2 || st.Skipped != 0 || st.Map != nil {
			t.Errorf("%s: %+v", f.local, st)
		}
	}
	if *update {
		keepFixture(t, dirs.Metadata)
	}
}

var utf7 = map[string]string{"INBOX": "INBOX", "Work/2024 Q1": "Work/2024 Q1", "Entwürfe": "Entw&APw-rfe", "leer": "leer"}

// same compares without mtime, which the names do not tell.
func same(a, b Message) bool { return a.UID == b.UID && a.Flags == b.Flags && a.Labels == b.Labels }

// keepFixture copies what Read looks at.
func keepFixture(t *testing.T, metadata string) {
	to := filepath.Join("testdata", "offlineimap")
	if err := os.RemoveAll(to); err != nil {
		t.Fatal(err)
	}
	for _, f := range []string{"Account-A/LocalStatus-sqlite", "Repository-R/FolderValidity", "Repository-L/FolderValidity"} {
		if err := os.CopyFS(filepath.Join(to, f), os.DirFS(filepath.Join(metadata, f))); err != nil {
			t.Fatal(err)
		}
	}
}
