package config

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"offloop/cmd/offloop/internal/pyexpr"
)

// Load reads a configuration file and applies overrides. The problems hold
// everything found in it that concerns the whole file or an account of
// [general] accounts, Validate's findings included.
//
// The error is not nil if nothing can be run: the file cannot be read, Python's
// configparser would refuse it as a whole (and not for a repeated key), or it
// lists no account. An Error problem with an Account stops only that account:
// see Account.Refused.
func Load(path string, over []Override) (*Config, []Problem, error) {
	text, mode, err := readFile(path)
	if err != nil {
		return nil, nil, err
	}
	c, ps, err := load(path, text, over)
	if c != nil && mode&0o004 != 0 {
		ps = append(ps, c.readableSecrets()...)
	}
	return c, ps, err
}

func readFile(path string) (string, os.FileMode, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", 0, notFound(path, err)
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return "", 0, err
	}
	if st.IsDir() {
		return "", 0, fmt.Errorf("%s is a directory: name a configuration file with -c", path)
	}
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return "", 0, fmt.Errorf("the configuration file cannot be read: %w", err)
	}
	if len(b) > maxFile {
		return "", 0, fmt.Errorf("%s is larger than %d bytes and no configuration file", path, maxFile)
	}
	return string(b), st.Mode(), nil
}

func load(path, text string, over []Override) (*Config, []Problem, error) {
	d, err := parse(path, text)
	if err != nil {
		return nil, nil, err
	}
	if HasErrors(d.problems) {
		return nil, d.problems, fmt.Errorf("%s cannot be read: %s", path, firstError(d.problems))
	}
	d.apply(over)
	b := &builder{doc: d, c: &Config{File: path, doc: d}}
	b.general()
	b.accounts()
	b.checkSections()
	for _, p := range Validate(b.c) {
		if a := b.c.account(p.Account); a != nil {
			a.add(p)
		} else {
			b.problems = append(b.problems, p)
		}
	}
	ps := append(b.problems, d.problems...)
	for _, a := range b.c.Accounts {
		ps = append(ps, a.Problems...)
	}
	ps = tidyProblems(ps)
	for _, p := range ps {
		if p.Severity == Error && p.Account == "" {
			return nil, ps, fmt.Errorf("%s cannot be used: %s", path, p.Text)
		}
	}
	return b.c, ps, nil
}

func firstError(ps []Problem) string {
	for _, p := range ps {
		if p.Severity == Error {
			return fmt.Sprintf("line %d: %s", p.Line, printable(p.Text))
		}
	}
	return "no error"
}

// tidyProblems drops repeated problems (a repository used twice) and puts them
// in the order of the file.
func tidyProblems(ps []Problem) []Problem {
	seen := map[Problem]bool{}
	var out []Problem
	for _, p := range ps {
		if !seen[p] {
			seen[p] = true
			out = append(out, p)
		}
	}
	sortProblems(out)
	return out
}

// builder makes a Config from a document.
type builder struct {
	doc      *document
	c        *Config
	problems []Problem
	guesses  int

	scope             *pyexpr.Scope
	pyFile, pyProgram string
}

func (b *builder) view(section string) *view {
	return &view{doc: b.doc, section: section, report: func(p Problem) { b.problems = append(b.problems, p) }}
}

func (b *builder) general() {
	v := b.view("general")
	c := b.c
	if _, ok := b.doc.has("general"); !ok {
		v.problem(nil, "", Error, "there is no section [general]", "[general] with accounts = NAME")
	}
	c.Metadata = absolute("~/.offlineimap")
	if s, e := v.text("metadata"); e != nil {
		if strings.TrimSpace(s) == "" {
			v.fail(e, "metadata", "metadata is empty", "metadata = ~/.offlineimap")
		} else {
			c.Metadata = absolute(s)
		}
	}
	c.FSync = v.boolean("fsync", true)
	c.DryRun = v.boolean("dry-run", false)
	c.UpdateKeyring = v.boolean("update-keyring", false)
	c.IgnoreKeyring = v.boolean("ignore-keyring", false)
	c.IgnoreReadOnly = v.boolean("ignore-readonly", false)
	c.SockTimeout = int(min(v.integer("socktimeout", 0, 0), 1<<30))
	c.MaxSyncAccounts = int(min(v.integer("maxsyncaccounts", 1, 1), 1<<16))
	c.UI = b.ui(v)
}

// interfaces are the values of ui.
var interfaces = []string{"blinkenlights", "ttyui", "basic", "quiet", "syslog", "machineui"}

// ui takes the first known name; "Curses.Blinkenlights" is an old form.
func (b *builder) ui(v *view) string {
	names, e := v.list("ui")
	if e == nil {
		return ""
	}
	for _, n := range names {
		n = strings.ToLower(n)
		short := n[strings.LastIndexByte(n, '.')+1:]
		for _, known := range interfaces {
			if short != known {
				continue
			}
			if n != known || len(names) > 1 {
				v.warn(e, "ui", "ui is an old form and read as "+known, "ui = "+known)
			}
			return known
		}
	}
	instead := "ui = " + strings.Join(interfaces, ", or ")
	if len(names) > 0 {
		if near := nearest(names[0], interfaces); near != "" {
			instead = "ui = " + near
		}
	}
	v.warn(e, "ui", "ui names no user interface and is ignored", instead)
	return ""
}

func (b *builder) accounts() {
	defined := map[string]*Account{}
	for _, s := range b.doc.sections {
		if name, ok := strings.CutPrefix(s.name, "Account "); ok {
			a := b.account(strings.TrimSpace(name), s)
			if defined[a.Name] == nil {
				defined[a.Name] = a
				b.c.Defined = append(b.c.Defined, a)
			}
		}
	}
	v := b.view("general")
	names, e := v.list("accounts")
	if len(names) == 0 {
		instead := "accounts = NAME, and a section [Account NAME]"
		if len(b.c.Defined) > 0 {
			instead = "accounts = " + b.c.accountNames()
		}
		v.fail(e, "accounts", "[general] lists no accounts", instead)
		return
	}
	listed := map[string]bool{}
	for _, n := range names {
		if listed[n] {
			continue
		}
		listed[n] = true
		a := defined[n]
		if a == nil {
			a = b.missingAccount(v, e, n)
		}
		b.c.Accounts = append(b.c.Accounts, a)
	}
}

// missingAccount stands for a listed account without a section, so that the
// others are synced and this one is reported.
func (b *builder) missingAccount(v *view, e *entry, name string) *Account {
	a := &Account{Name: name, Line: e.line}
	var have []string
	for _, d := range b.c.Defined {
		have = append(have, d.Name)
	}
	instead := "[Account " + name + "]"
	if near := nearest(name, have); near != "" {
		instead = near + " in accounts, or " + instead
	}
	a.add(Problem{File: e.file, Line: e.line, Section: "general", Key: "accounts", Account: name, Severity: Error,
		Text: "there is no section [Account " + name + "]", Instead: instead})
	return a
}

// add files a problem with the account.
func (a *Account) add(p Problem) {
	p.Account = a.Name
	a.Problems = append(a.Problems, p)
	if p.Severity == Error {
		a.Refused = append(a.Refused, p)
	}
}

func (b *builder) account(name string, at sectionAt) *Account {
	a := &Account{Name: name, Line: at.line}
	a.Python = b.python()
	v := &view{doc: b.doc, section: at.name, account: name, report: a.add, py: a.Python}
	a.MaxSize = v.integer("maxsize", 0, 0)
	a.DayBytes = v.integer("bytes_per_day", 0, 0)
	a.AutoRefresh = v.minutes("autorefresh")
	general := b.view("general")
	a.DeletedRetention = v.duration("deleted_retention", general.duration("deleted_retention", 7*24*time.Hour))
	a.FullCheck = v.duration("fullcheck", general.duration("fullcheck", 24*time.Hour))
	b.hooks(a, v)
	a.UTF8Names = v.boolean("utf8foldernames", false)
	b.checkKeys(v, AccountSection)
	if name == "" {
		v.fail(nil, "", "the account has no name", "[Account NAME]")
	}
	if strings.ContainsAny(name, "/\x00") || name == "." || name == ".." {
		v.fail(nil, "", "an account's name cannot hold a slash, since its state is kept in a directory of that name", "another name")
	}
	if sec, kind := b.repository(v, "localrepository", MaildirRepo); sec != "" {
		a.Local = b.local(a, sec, kind, v)
	}
	if sec, kind := b.repository(v, "remoterepository", IMAPRepo); sec != "" {
		a.Remote = b.remote(a, sec, kind)
		b.proxies(a, v)
	}
	b.ages(a, v)
	return a
}

// repository finds the section an account's key names, and its type. A
// repository that cannot be used for that side is reported and "".
func (b *builder) repository(v *view, key string, want Place) (section, kind string) {
	name, e := v.text(key)
	if e == nil || strings.TrimSpace(name) == "" {
		v.fail(e, key, "the account has no "+key, key+" = NAME, and a section [Repository NAME]")
		return "", ""
	}
	section = "Repository " + name
	if _, ok := b.doc.has(section); !ok {
		v.fail(e, key, "there is no section ["+section+"]", b.nearRepository(key, name))
		return "", ""
	}
	rv := &view{doc: b.doc, section: section, account: v.account, report: v.report, py: v.py}
	kind, te := rv.bare("type")
	place := repoPlace(kind)
	switch {
	case te == nil:
		rv.fail(nil, "type", "["+section+"] has no type", "type = "+map[Place]string{MaildirRepo: "Maildir", IMAPRepo: "IMAP"}[want])
	case place == 0:
		instead := "type = IMAP, Gmail, Maildir or GmailMaildir"
		if near := nearest(kind, []string{"IMAP", "Gmail", "Maildir", "GmailMaildir"}); near != "" {
			instead = "type = " + near
		}
		rv.fail(te, "type", fmt.Sprintf("%q is no type of repository", kind), instead)
	case place != want && want == MaildirRepo:
		v.fail(e, key, "the local side is an IMAP server: syncing two servers is not possible yet", "localrepository = a repository of type Maildir")
	case place != want:
		v.fail(e, key, "the remote side is a Maildir", "remoterepository = a repository of type IMAP or Gmail")
	default:
		return section, kind
	}
	return "", ""
}

func (b *builder) nearRepository(key, name string) string {
	var have []string
	for _, s := range b.doc.sections {
		if n, ok := strings.CutPrefix(s.name, "Repository "); ok {
			have = append(have, n)
		}
	}
	if near := nearest(name, have); near != "" {
		return key + " = " + near
	}
	return "[Repository " + name + "]"
}

func repoPlace(kind string) Place {
	switch kind {
	case "IMAP", "Gmail":
		return IMAPRepo
	case "Maildir", "GmailMaildir":
		return MaildirRepo
	}
	return 0
}
