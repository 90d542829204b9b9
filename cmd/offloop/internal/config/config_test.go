package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// read loads a text as if it were a file.
func read(t testing.TB, text string, over ...Override) (*Config, []Problem, error) {
	t.Helper()
	f := filepath.Join(t.TempDir(), "rc")
	if err := os.WriteFile(f, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return Load(f, over)
}

// pair is a file with one account, whose sections get more lines.
func pair(general, account, local, remote string) string {
	return "[general]\naccounts = A\n" + general + "\n[Account A]\nlocalrepository = L\nremoterepository = R\n" + account +
		"\n[Repository L]\ntype = Maildir\nlocalfolders = /m/a\n" + local +
		"\n[Repository R]\ntype = IMAP\nremotehost = h.example\nremoteuser = u\n" + remote + "\n"
}

func mustLoad(t *testing.T, text string, over ...Override) (*Config, []Problem) {
	t.Helper()
	c, ps, err := read(t, text, over...)
	if err != nil {
		t.Fatal(err)
	}
	return c, ps
}

// want checks that exactly one problem has the severity and all the parts.
func want(t *testing.T, ps []Problem, s Severity, parts ...string) Problem {
	t.Helper()
	for _, p := range ps {
		ok := p.Severity == s
		for _, part := range parts {
			ok = ok && strings.Contains(p.String(), part)
		}
		if ok {
			return p
		}
	}
	t.Errorf("no %s with %q among %v", s, parts, ps)
	return Problem{}
}

func TestDefaults(t *testing.T) {
	t.Setenv("HOME", "/home/jo")
	c, ps := mustLoad(t, pair("", "", "", "remotepass = x"))
	if len(ps) != 0 {
		t.Errorf("problems: %v", ps)
	}
	a := c.Accounts[0]
	if c.Metadata != "/home/jo/.offlineimap" || !c.FSync || c.MaxSyncAccounts != 1 || c.SockTimeout != 0 || c.UI != "" {
		t.Errorf("general: %+v", c)
	}
	if a.Name != "A" || a.Line != 4 || a.MaxSize != 0 || a.AutoRefresh != 0 || a.DeletedRetention != 7*24*time.Hour || a.FullCheck != 24*time.Hour || a.Refused != nil {
		t.Errorf("account: %+v", a)
	}
	if l := a.Local; l.Name != "L" || l.Root != "/m/a" || l.Sep != "." || !l.CreateFolders || l.ReadOnly || !l.SyncDeletes || l.InfoSep != ':' || l.KeywordsAuto || l.KeywordsOff {
		t.Errorf("local: %+v", l)
	}
	r := a.Remote
	if r.Host != "h.example" || r.Port != 993 || r.TLS != Implicit || !r.VerifyCA || r.MaxConnections != 2 || !r.Expunge || r.Pass != "x" || r.User != "u" || r.Network != "tcp" || r.Pipeline != 0 {
		t.Errorf("remote: %v", r)
	}
	if !r.Folders.Match("anything") || r.Rename.Apply("x") != "x" {
		t.Error("no rule should take and keep every name")
	}
}

func TestEveryValue(t *testing.T) {
	t.Setenv("HOME", "/home/jo")
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	c, ps := mustLoad(t, pair("metadata = $HOME/meta\nmaxsyncaccounts = 4\nfsync = OFF\nsocktimeout = 30\nui = Quiet\ndeleted_retention=1w",
		"maxsize = 1_000\nautorefresh = 0.5\nfullcheck = 90m\nutf8foldernames = on\nmaildir-windows-compatible = 1",
		"sep = /\nreadonly = true\ncreatefolders = no\nsync_deletes = 0\nmtime_from_date = yes\nkeywords = off\ncustomflag_c = $Work",
		"remotepassfile = ~/pw\nremoteport = 1143\nssl = no\nsslcacertfile = "+ca+"\ncert_fingerprint = "+strings.Repeat("Ab:", 19)+"CD\nmaxconnections = 3\nexpunge = no\nsubscribedonly = yes\nipv6 = no\npipeline = 1\ndisable_extensions = idle, Compress=Deflate\nremote_identity = boss\nauth_mechanisms = login, PLAIN"))
	if len(ps) != 0 {
		t.Errorf("problems: %v", ps)
	}
	a := c.Accounts[0]
	got := fmt.Sprintln(c.Metadata, c.MaxSyncAccounts, c.FSync, c.SockTimeout, c.UI, a.DeletedRetention, a.MaxSize, a.AutoRefresh, a.FullCheck, a.UTF8Names,
		a.Local.InfoSep, a.Local.Sep, a.Local.ReadOnly, a.Local.CreateFolders, a.Local.SyncDeletes, a.Local.MtimeFromDate, a.Local.KeywordsOff, a.Local.Keywords)
	if want := "/home/jo/meta 4 false 30 quiet 168h0m0s 1000 30s 1h30m0s true 33 / true false false true true map[99:$Work]\n"; got != want {
		t.Errorf("got  %swant %s", got, want)
	}
	r := a.Remote
	got = fmt.Sprintln(r.PassFile, r.Port, r.TLS, r.VerifyCA, r.CACertFile == ca, r.Fingerprints, r.MaxConnections, r.Expunge, r.SubscribedOnly, r.Network, r.Pipeline, r.Disable, r.AuthzID, r.Mechanisms)
	if want := "/home/jo/pw 1143 starttls true true [" + strings.Repeat("ab", 19) + "cd] 3 false true tcp4 1 [IDLE COMPRESS=DEFLATE] boss [LOGIN PLAIN]\n"; got != want {
		t.Errorf("got  %swant %s", got, want)
	}
}

func TestRule10_TLSMode(t *testing.T) {
	for _, x := range []struct {
		host, keys string
		want       TLSMode
		port       int
	}{
		{"h.example", "", Implicit, 993},
		{"localhost", "", Implicit, 993},
		{"h.example", "ssl = no", StartTLS, 143},
		{"h.example", "ssl = no\nstarttls = yes", StartTLS, 143},
		{"h.example", "ssl = no\nstarttls = no", Plain, 143},
		{"localhost", "ssl = no", Plain, 143},
		{"LocalHost.", "ssl = no", Plain, 143},
		{"127.3.2.1", "ssl = no", Plain, 143},
		{"::1", "ssl = no", Plain, 143},
		{"[::1]", "ssl = no", Plain, 143},
		{"localhost", "ssl = no\nstarttls = yes", StartTLS, 143},
		{"localhost.example", "ssl = no", StartTLS, 143},
		{"127.0.0.1.example", "ssl = no", StartTLS, 143},
		{"10.0.0.1", "ssl = no", StartTLS, 143},
		{"h.example", "transporttunnel = t", Plain, 0},
		{"h.example", "transporttunnel = t\nssl = no\nstarttls = yes", StartTLS, 0},
		{"h.example", "preauthtunnel = t\nstarttls = yes", Plain, 0},
	} {
		c, _ := mustLoad(t, strings.Replace(pair("", "", "", x.keys), "h.example", x.host, 1))
		if r := c.Accounts[0].Remote; r.TLS != x.want || r.Port != x.port || c.Accounts[0].Refused != nil {
			t.Errorf("%s %q: %v port %d, want %v %d; %v", x.host, x.keys, r.TLS, r.Port, x.want, x.port, c.Accounts[0].Refused)
		}
	}
}

func TestVerifyCA(t *testing.T) {
	fp := "cert_fingerprint = " + strings.Repeat("ab", 32)
	for keys, want := range map[string]bool{"": true, fp: false, fp + "\nsslcacertfile = OS-DEFAULT": true, "sslcacertfile = OS-DEFAULT": true} {
		c, _ := mustLoad(t, pair("", "", "", keys))
		if got := c.Accounts[0].Remote.VerifyCA; got != want {
			t.Errorf("%q: VerifyCA %v", keys, got)
		}
	}
}

// Each broken value refuses the account, names the line and says what to write.
func TestBrokenValuesRefuseTheAccount(t *testing.T) {
	withoutPython(t)
	for _, x := range []struct{ general, account, local, remote, says string }{
		{"", "maxsize = big", "", "", "rc:7: error: maxsize is not a whole number (write: maxsize = "},
		{"", "maxsize = -1", "", "", "at least 0"},
		{"", "maxage = 0", "", "", "rc:7: error: maxage is 0 days, not 1 to 36500 (write: maxage = 30, or maxage = 2024-12-31)"},
		{"", "maxage = soon", "", "", "maxage is no date"},
		{"", "maxage = 2023-02-29", "", "", "maxage is no date"},
		{"", "maxage = 2999-01-01", "", "", "in the year 2999"},
		{"", "maxage = 1899-12-31", "", "", "in the year 1899"},
		{"", "", "startdate = 30", "", "rc:11: error: startdate is no date (write: startdate = 2024-12-31)"},
		{"", "maxage = 30", "", "startdate = 2020-01-01", "maxage and startdate of [Repository R] are both set"},
		{"", "", "startdate = 2020-01-01", "startdate = 2020-01-01", "startdate of [Repository L] and startdate of [Repository R] are both set"},
		{"", "autorefresh = often", "", "", "(write: autorefresh = 5)"},
		{"", "fullcheck = x", "", "", "(write: fullcheck = 7d"},
		{"", "", "readonly = maybe", "", "rc:11: error: readonly is neither yes nor no (write: readonly = yes, or readonly = no)"},
		{"", "", "sep = ab", "", "sep is not one character"},
		{"", "", "keywords = on", "", "keywords = auto, or keywords = off"},
		{"", "", "customflag_a = a b", "", "no IMAP keyword"},
		{"", "", "customflag_a = x\ncustomflag_b = X", "", "customflag_a already"},
		{"", "", "localfolders =", "", "has no localfolders"},
		{"", "", "", "remoteport = 99999", "not a port"},
		{"", "", "", "remotehost =", "no usable remotehost"},
		{"", "", "", "sslcacertfile = /no/such/file", "there is no file /no/such/file (write: sslcacertfile = OS-DEFAULT"},
		{"", "", "", "cert_fingerprint = abcd", "fingerprint is not the hexadecimal"},
		{"", "", "", "auth_mechanisms = PLAIM", `"PLAIM" is no authentication mechanism (write: PLAIN)`},
		{"", "", "", "auth_mechanisms = XOAUTH2", "the mechanisms named need a token, and none is configured"},
		{"", "", "", "preauthtunnel = a\ntransporttunnel = b", "both preauthtunnel and transporttunnel"},
		{"", "", "", "pipeline = 0", "at least 1"},
		{"", "", "", "folders = \"a", "has no partner"},
		{"", "", "", "folders =", "no pattern"},
		{"", "", "", "folder = INBOX", "did you mean folders?"},
		{"", "", "", "rename = a", "has no ->"},
		{"", "", "", "rename = a -> c; b -> c", `"a" and "b" both become "c"`},
		{"", "", "", "nametrans = my_names", "pythonfile"},
		{"", "", "", "nametrans = lambda f: f %% 2", "(write: rename = [Gmail]/Sent Mail -> Sent)"},
		{"", "", "", "folderfilter = lambda f: os.path.exists(f)", "rc:16: error: folderfilter cannot be evaluated, so this account is not synced"},
		{"", "", "", "folderfilter = lambda f: f + 1", "folderfilter cannot be evaluated"},
		{"", "", "", "folderfilter = lambda f: re.search('(?!x)', f)", "(write: folders = INBOX, Archive/*, !Spam)"},
		{"", "", "", "nametrans = lambda f: f == 'a'", ""},
		{"", "", "", "folderincludes = f()", "(write: folders = *, NAME)"},
		{"", "", "", "remotepasseval = get('x')", "(write: remotepasscmd = COMMAND"},
		{"", "", "", "remoteusereval = get('x')", "(write: remoteusercmd = COMMAND"},
		{"", "", "", "remotehosteval = get('x')", "(write: remotehost = HOST)"},
		{"", "", "", "remoteporteval = get('x')", "(write: remoteport = PORT)"},
		{"", "synclabels = yes", "", "type = Gmail", "synclabels is not honoured and cannot be ignored safely: it keeps Gmail's labels in a header of every message"},
		{"", "", "", "remoteusereval = input('User: ')", "remoteusereval raises an exception, so this account is not synced: NoTerminal: input() asks at the terminal, which a configuration cannot do (write: remoteusercmd = COMMAND, or remoteuser = NAME)"},
		{"", "", "", "remotepasseval = raw_input()", "NoTerminal"},
		{"", "", "", "remotepasseval = get('hunter2')", `NameError: name "get" is not defined, and there is no pythonfile`},
		{"", "", "", "nametrans = lambda f: f.decode('imap4-utf-7')", "for every name it raises AttributeError: 'str' object has no attribute 'decode'"},
		{"", "proxy = SOCKS6:h:1", "", "", "(write: proxy = SOCKS5:localhost:9999)"},
		{"", "", "", "ssl_version = tls9", "is no version of TLS"},
		{"", "", "", "oauth2_refresh_token = x\noauth2_request_url = http://h.example/", "in clear"},
		{"", "", "", "oauth2_refresh_token_eval = get()", "(write: oauth2_access_token_cmd = COMMAND)"},
		{"", "", "", "sslclientkey = /x", "sslclientcert = FILE"},
		{"", "filterheaders = X-Spam", "", "", "filterheaders is not honoured and cannot be ignored safely"},
		{"", "", "", "copy_ignore_eval = lambda f: 1", "gives a number, not a list of UIDs"},
		{"", "", "", "copy_ignore_eval = lambda f: ['1']", "which is no UID"},
		{"", "", "", "copy_ignore_eval = lambda f: [0]", "which is no UID"},
		{"", "", "", "remoteuser = %(x)s", "neither in this section nor in [DEFAULT]"},
		{"", "", "", "remotehost = %(a)s\na = %(b)s\nb = %(a)s", "rc:16: error: the value of remotehost cannot be filled in: it refers to itself"},
		{"deleted_retention = never", "", "", "", ""},
	} {
		c, ps, err := read(t, pair(x.general, x.account, x.local, x.remote))
		if x.general != "" {
			if err == nil {
				t.Errorf("%q: a broken [general] must stop everything", x.general)
			}
			continue
		}
		if err != nil {
			t.Errorf("%+v: %v", x, err)
			continue
		}
		if x.says == "" { // not caught before the run: Python too only sees it then
			if _, err := c.Accounts[0].Remote.Rename.Try("a"); err == nil {
				t.Errorf("%+v: no error", x)
			}
			if c.Accounts[0].Remote.Rename.Apply("a") != NoName {
				t.Errorf("%+v: Apply gives a usable name", x)
			}
			continue
		}
		want(t, ps, Error, x.says)
		if len(c.Accounts[0].Refused) == 0 {
			t.Errorf("%+v: the account is not refused", x)
		}
	}
}

// One account's trouble does not stop the next.
func TestOtherAccountsGoOn(t *testing.T) {
	c, ps := mustLoad(t, `[general]
accounts = Bad, Gone, Good
[Account Bad]
localrepository = L
remoterepository = R
maxsize = x
[Account Godo]
[Account Good]
localrepository = L2
remoterepository = R
[Repository L]
type = Maildir
localfolders = /m/1
[Repository L2]
type = Maildir
localfolders = /m/2
[Repository R]
type = IMAP
remotehost = h
remoteuser = u
`)
	var names []string
	for _, a := range c.Accounts {
		names = append(names, fmt.Sprint(a.Name, a.Refused == nil))
	}
	if got := strings.Join(names, " "); got != "Badfalse Gonefalse Goodtrue" {
		t.Error(got)
	}
	want(t, ps, Error, "rc:2:", "[Account Gone]")
	for _, p := range ps {
		if p.Account == "Godo" {
			t.Errorf("an account that is not listed is reported: %v", p)
		}
	}
}

func TestSectionTrouble(t *testing.T) {
	for text, says := range map[string]string{
		"":                       "no section [general]",
		"[general]\n":            "lists no accounts",
		"[general]\naccounts = ": "lists no accounts",
		"[general]\naccounts\n":  `accounts without "="`,
		"accounts = A\n":         "before the first section",
	} {
		c, ps, err := read(t, text)
		if err == nil || c != nil {
			t.Errorf("%q was read", text)
		}
		want(t, ps, Error, says)
	}
	base := pair("", "", "", "")
	for _, x := range [][3]string{
		{"[Account A]", "[account A]", "(write: [Account A])"},
		{"[Repository R]", "[Repository r]", "(write: remoterepository = r)"},
		{"type = IMAP", "type = imap", "(write: type = IMAP)"},
		{"type = IMAP", "tpye = IMAP", "has no type (write: type = IMAP)"},
		{"type = IMAP", "type = Maildir\nlocalfolders = /x", "the remote side is a Maildir"},
		{"type = Maildir", "type = IMAP", "two servers is not possible yet"},
		{"localrepository = L", "", "has no localrepository"},
		{"[Repository R]", "[Repository R]\n[Repositry X]", "(write: [Repository X])"},
		{"[Repository R]", "[ui.Curses.Blinkenlights]\nstatuschar = .\n[Repository R]", "has no effect"},
	} {
		_, ps, err := read(t, strings.Replace(base, x[0], x[1], 1))
		if err != nil {
			t.Errorf("%v: %v", x, err)
		}
		found := false
		for _, p := range ps {
			found = found || strings.Contains(p.String(), x[2])
		}
		if !found {
			t.Errorf("%v: %v", x, ps)
		}
	}
}

func TestWarnings(t *testing.T) {
	c, ps := mustLoad(t, pair("ui = TTY.TTYUI\nmaxsyncaccounts = 3 ; three\nui = Curses.Blinkenlights, TTY\nfsnc = no\npythonfile = x\nssl = yes",
		"keepalive = 60\nquick = 10\nmaxage = 3\nsynclabels = yes\nlabelsheader = X-Label\nignorelabels = a\nstatus_backend = sqlite\nautorefresh = -5\nspamfolder = x",
		"maxconnections = 3\nutime_from_header = yes\nrestoreatime = no",
		"remotepass = 50%off\nrealdelete = yes\nremotpass = x\nxyzzy = 1\nport = 99\nremoteport = 143\nfolders = *\nfolderfilter = nonsense(\nauth_mechanisms = CRAM-MD5, PLAIN\nusecompression = no\nidlefolders = ['INBOX']"))
	for _, w := range [][]string{
		{"rc:6: warning: the key", "fsnc", "did you mean fsync?"}, {"rc:5: warning: ui is set again (first in line 3); this one counts"}, {"ui is an old form and read as blinkenlights"},
		{"maxsyncaccounts", "no comments behind a value"}, {"the pythonfile cannot be read"}, {"ssl has no effect in [general] (write: ssl in [Repository X] of type IMAP)"},
		{"keepalive has no effect in [Account A]"}, {"spamfolder has no effect in [Account A] (write: nothing"}, {"status_backend has no effect (write: nothing; delete the line)"}, {"autorefresh is negative"},
		{"maxconnections has no effect in [Repository L]"}, {"labelsheader has no effect", "only means something with synclabels"}, {"ignorelabels has no effect"},
		{"synclabels has no effect", "type is not Gmail"},
		{"a single % in the value of remotepass"}, {"realdelete has no effect"}, {"remotpass", "did you mean remotepass?"}, {`"xyzzy" is not known`}, {"did you mean remoteport?"}, {"port 143 does not speak TLS"},
		{"folderfilter is not used, since folders takes its place"},
	} {
		want(t, ps, Warning, w...)
	}
	for _, p := range ps {
		if p.Severity == Error || p.Key == "restoreatime" || p.Key == "usecompression" {
			t.Errorf("unexpected: %v", p)
		}
		if p.Line == 0 {
			t.Errorf("no line: %v", p)
		}
	}
	if c.UI != "blinkenlights" || c.MaxSyncAccounts != 3 || c.Accounts[0].Remote.Pass != "50%off" || c.Accounts[0].AutoRefresh != 0 {
		t.Errorf("%+v %q", c.UI, c.Accounts[0].Remote.Pass)
	}
}

func TestProblemString(t *testing.T) {
	p := Problem{File: "f", Line: 3, Severity: Error, Text: "bad\x1b[2J\nline", Instead: "good"}
	if got := p.String(); got != "f:3: error: bad\ufffd[2J line (write: good)" {
		t.Errorf("%q", got)
	}
	if got := (Problem{File: "f", Severity: Warning, Text: "t"}).String(); got != "f: warning: t" {
		t.Errorf("%q", got)
	}
}

func TestVariablesAreNotUnknownKeys(t *testing.T) {
	_, ps := mustLoad(t, "[DEFAULT]\ndom = example.org\n"+pair("", "", "", "sub = imap\nremotehost = %(sub)s.%(dom)s"))
	want(t, ps, Warning, "remotehost is set again")
	for _, p := range ps {
		if strings.Contains(p.Text, "not known") {
			t.Errorf("%v", p)
		}
	}
}

func TestOverride(t *testing.T) {
	for s, want := range map[string]Override{
		"maxsyncaccounts=3":         {"general", "maxsyncaccounts", "3"},
		"Account_A:AutoRefresh=5=x": {"Account A", "autorefresh", "5=x"},
		"Repository_R:remotepass=:": {"Repository R", "remotepass", ":"},
	} {
		if got, err := ParseOverride(s); err != nil || got != want {
			t.Errorf("%s: %v %v", s, got, err)
		}
	}
	for _, s := range []string{"", "x", "=y", ":k=v", "a:=v"} {
		if _, err := ParseOverride(s); err == nil {
			t.Errorf("%q accepted", s)
		}
	}
	c, ps := mustLoad(t, strings.ReplaceAll(pair("", "autorefresh = 1", "", "remotepass = a"), "Repository R]", "Repository my_R]")+"\n",
		Override{"Account A", "autorefresh", "2"}, Override{"Account A", "remoterepository", "my_R"}, Override{"Repository my R", "remotepass", "%%new"}, Override{"general", "maxsyncaccounts", "7"})
	a := c.Accounts[0]
	if a.AutoRefresh != 2*time.Minute || a.Remote.Pass != "%new" || c.MaxSyncAccounts != 7 {
		t.Errorf("%v %q %d %v", a.AutoRefresh, a.Remote.Pass, c.MaxSyncAccounts, ps)
	}
	_, ps, err := read(t, pair("", "", "", ""), Override{"Acount A", "autorefresh", "2"})
	if err == nil {
		t.Error("an override of a missing section was accepted")
	}
	want(t, ps, Error, "-k: error: there is no section [Acount A] (write: Account_A:autorefresh=...)")
}

func TestSelect(t *testing.T) {
	c, _ := mustLoad(t, strings.Replace(pair("", "", "", ""), "[Account A]", "[Account B]\nlocalrepository = L\nremoterepository = R\n[Account A]", 1))
	if as, err := c.Select(nil); err != nil || len(as) != 1 || as[0].Name != "A" {
		t.Error(as, err)
	}
	if as, err := c.Select([]string{"B", " A", "B"}); err != nil || len(as) != 2 || as[0].Name != "B" {
		t.Error(as, err)
	}
	if _, err := c.Select([]string{"A", "b"}); err == nil || !strings.Contains(err.Error(), `did you mean "B"`) {
		t.Error(err)
	}
}

// No password is shown, however a value is printed.
func TestSecretsAreNotShown(t *testing.T) {
	const s = "hunter2%(secret"
	text := pair("", "", "", "remotepass = "+s+"\nremotepasseval = x('"+s+"')\nremotpass = "+s+"\nremotepass = "+s)
	c, ps, _ := read(t, text, Override{"Repository R", "oauth2_access_token", s})
	out := fmt.Sprintf("%v %+v %#v %v %+v %#v %v", c, c, c, ps, ps, ps, Override{"a", "b", s})
	if c != nil {
		out += fmt.Sprintf("%v %+v %#v %s", *c.Accounts[0], *c.Accounts[0], *c.Accounts[0], c.Accounts[0].Remote)
	}
	if strings.Contains(out, "hunter2") {
		t.Errorf("shown: %s", out)
	}
	c, _ = mustLoad(t, pair("", "", "", "remotepass = hunter2"))
	cr, err := c.Accounts[0].Remote.Credentials()
	out = fmt.Sprintf("%v %+v %#v %v %v %+v %#v", *c.Accounts[0], *c.Accounts[0], *c.Accounts[0], err, cr, cr, cr)
	if cr.Pass != "hunter2" || strings.Contains(out, "hunter2") {
		t.Errorf("shown: %s", out)
	}
	_, ps, err = read(t, "[general]\naccounts = A\nremotepass hunter2\n hunter2\nhunter2 and more\n")
	if err == nil || strings.Contains(fmt.Sprint(ps, err), "hunter2") {
		t.Errorf("%v %v", ps, err)
	}
}

func TestReadableSecretsWarn(t *testing.T) {
	f := filepath.Join(t.TempDir(), "rc")
	for _, x := range []struct {
		mode os.FileMode
		keys string
		n    int
	}{{0o600, "remotepass = x", 0}, {0o644, "remotepass = x", 1}, {0o644, "remotepasscmd = x", 0}} {
		if err := os.WriteFile(f, []byte(pair("", "", "", x.keys)), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(f, x.mode); err != nil {
			t.Fatal(err)
		}
		_, ps, err := Load(f, nil)
		if err != nil || len(ps) != x.n {
			t.Errorf("%v %q: %v %v", x.mode, x.keys, ps, err)
		}
	}
}

func TestValidate(t *testing.T) {
	two := func(rootA, rootB, sep, general string) string {
		return "[general]\naccounts = A, B\n" + general + "\n[Account A]\nlocalrepository = LA\nremoterepository = R\n[Account B]\nlocalrepository = LB\nremoterepository = R\n" +
			"[Repository LA]\ntype = Maildir\nsep = " + sep + "\nlocalfolders = " + rootA + "\n[Repository LB]\ntype = Maildir\nlocalfolders = " + rootB + "\n[Repository R]\ntype = IMAP\nremotehost = h\nremoteuser = u\n"
	}
	dir := t.TempDir()
	if err := os.Mkdir(dir+"/real", 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(dir+"/real", dir+"/link"); err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		a, b, sep, general, says string
		refused                  int
	}{
		{"/m/a", "/m/b", "/", "", "", 0},
		{"/m/a", "/m/ab", "/", "", "", 0},
		{"/m/a", "/m/a/", "/", "", "one Maildir", 2},
		{dir + "/real/x", dir + "/link/x", ".", "", "one Maildir", 2},
		{"/m", "/m/b", "/", "", "one inside the other", 2},
		{"/m", "/m/b", ".", "", "", 0},
		{"/m/a", "/m/b", "/", "metadata = /m/a/state", "metadata directory lies inside", 0},
		{"/m/a", "/m/b", "/", "metadata = /m/a", "is the metadata directory", 1},
		{"/m/a", "/m/b", "/", "metadata = /m", "lies inside the metadata", 0},
	} {
		c, ps := mustLoad(t, two(x.a, x.b, x.sep, x.general))
		refused := 0
		for _, a := range c.Accounts {
			if a.Refused != nil {
				refused++
			}
		}
		if refused != x.refused || (x.says == "") != (len(ps) == 0) || !strings.Contains(fmt.Sprint(ps), x.says) {
			t.Errorf("%+v: %d refused, %v", x, refused, ps)
		}
	}
}

func TestFindAndPaths(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("XDG_CONFIG_HOME", "")
	t.Setenv("V", "v")
	if _, err := Find(""); err == nil || !strings.Contains(err.Error(), ".offlineimaprc") {
		t.Error(err)
	}
	rc, xdg := filepath.Join(home, ".offlineimaprc"), filepath.Join(home, ".config/offlineimap/config")
	if err := os.WriteFile(rc, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := Find(""); got != rc || err != nil {
		t.Error(got, err)
	}
	if err := os.MkdirAll(filepath.Dir(xdg), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(xdg, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := Find(""); got != xdg || err != nil {
		t.Error(got, err)
	}
	if got, err := Find("~/.offlineimaprc"); got != rc || err != nil {
		t.Error(got, err)
	}
	if _, err := Find("/no/such"); err == nil {
		t.Error("a missing file was found")
	}
	for in, want := range map[string]string{"~": home, "~/x": home + "/x", "x~": "x~", "$V/${V}x/$NOPE_/${NOPE_}/$": "v/vx/$NOPE_/${NOPE_}/$", "~nosuchuser_/x": "~nosuchuser_/x", "${V": "${V"} {
		if got := ExpandPath(in); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
	if _, _, err := Load(home, nil); err == nil || !strings.Contains(err.Error(), "is a directory") {
		t.Error(err)
	}
}

func TestSampleAndHelp(t *testing.T) {
	c, ps := mustLoad(t, Sample())
	if len(ps) != 0 || len(c.Accounts) != 1 || c.Accounts[0].Refused != nil {
		t.Errorf("%v", ps)
	}
	// The commented keys work too.
	text := strings.NewReplacer("# autorefresh", "autorefresh", "# folders", "folders", "# rename", "rename", "# ui", "ui").Replace(Sample())
	if _, ps = mustLoad(t, text); len(ps) != 0 {
		t.Errorf("%v", ps)
	}
	var b strings.Builder
	if err := Help(&b); err != nil {
		t.Fatal(err)
	}
	for _, k := range Keys() {
		if !strings.Contains(b.String(), " "+k.Name+" (") || k.Doc == "" || !strings.HasSuffix(k.Doc, ".") && !strings.HasSuffix(k.Doc, "%s") {
			t.Errorf("%s is not documented: %q", k.Name, k.Doc)
		}
		if (k.Status == Dead || k.Status == Refused) && k.Instead == "" {
			t.Errorf("%s: nothing to write instead", k.Name)
		}
		if (k.Status == Refused) != (k.Why != "") {
			t.Errorf("%s: the reason it is refused for is %q", k.Name, k.Why)
		}
		if k.In == 0 || k.Name != strings.ToLower(k.Name) {
			t.Errorf("%+v", k)
		}
	}
}

// withoutPython takes python3 off the machine.
func withoutPython(t *testing.T) {
	t.Helper()
	old := findPython
	findPython = func(string) (string, error) { return "", errors.New("not here") }
	t.Cleanup(func() { findPython = old })
}

// The corpus gives accounts as meant.
func TestCorpus(t *testing.T) {
	withoutPython(t)
	t.Setenv("HOME", "/home/jo")
	refused := map[string]string{"19": "synclabels"}
	for _, id := range []string{"06", "82", "83", "84", "85", "86", "103", "104", "111", "112"} { // they start programs, or need modules
		refused[id] = "remotepasseval"
	}
	refused["98"] = "oauth2_access_token_eval"
	for _, f := range corpus(t) {
		c, ps, err := Load(f, nil)
		if err != nil {
			t.Errorf("%s: %v %v", f, err, ps)
			continue
		}
		id, _, _ := strings.Cut(filepath.Base(f), "-")
		for _, a := range c.Accounts {
			if why, ok := refused[id]; ok != (a.Refused != nil) || ok && a.Refused[0].Key != why {
				t.Errorf("%s: account %s refused: %v", f, a.Name, a.Refused)
			}
		}
	}
	c, _, _ := Load("testdata/corpus/24-declarative.rc", nil)
	a := c.Accounts[0]
	for name, want := range map[string]bool{"INBOX": true, "inbox": true, "Archive/2001": false, "Archive/2001/x": true, "Archive": false, "Lists/a": true, "Lists/a/b": false, "A, B*": true, "A, Bx": false, "Other": false} {
		if a.Remote.Folders.Match(name) != want {
			t.Errorf("folders: %s is %v", name, !want)
		}
	}
	if got := a.Remote.Rename.Apply("[Gmail]/Sent Mail") + a.Remote.Rename.Apply("[Gmail]/x/y"); got != "Sentg/x/y" {
		t.Error(got)
	}
}

// Every key OfflineIMAP reads is a row of the table, and a row that is not one
// of its keys is marked as our own.
func TestTableIsComplete(t *testing.T) {
	b, err := os.ReadFile("testdata/offlineimap.keys")
	if err != nil {
		t.Fatal(err)
	}
	places := map[string]Place{"[general]": General, "[mbnames]": MBNames, "[Account X]": AccountSection, "[Maildir]": MaildirRepo, "[IMAP]": IMAPRepo}
	var in Place
	theirs := map[string]bool{}
	for line := range strings.Lines(string(b)) {
		line = strings.TrimSpace(line)
		if p, ok := places[line]; ok {
			in = p
			continue
		}
		if strings.HasPrefix(line, "#") {
			continue
		}
		for _, key := range strings.Fields(line) {
			theirs[canonical(key)] = true
			if lookup(key, in) == nil {
				t.Errorf("%s: %s is not in the table", in, key)
			}
		}
	}
	for _, k := range Keys() {
		if k.Own == theirs[k.Name] {
			t.Errorf("%s: own is %v", k.Name, k.Own)
		}
	}
}
