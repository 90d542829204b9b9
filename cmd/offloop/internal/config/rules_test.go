package config

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"offloop/cmd/offloop/internal/pyexpr"
)

func TestFolderRule(t *testing.T) {
	for _, x := range []struct{ rule, sep, yes, no string }{
		{"INBOX", "/", "INBOX|inbox|Inbox", "INBOXX|INBOX/a|Work"},
		{"inbox, Work", "/", "INBOX|Work", "work|Work/x"},
		{"*", "/", "INBOX|a/b/c|Entwürfe", ""},
		{"*, !Spam", "/", "a|Spam/x", "Spam"},
		{"!Spam, !Spam/*", "/", "a|INBOX|Spamx", "Spam|Spam/x|Spam/x/y"},
		{"!Lists/*, Lists/go", "/", "a|Lists/go|Lists", "Lists/x"},
		{"Lists/%", "/", "Lists/a|Lists/", "Lists/a/b|Lists"},
		{"Lists.%", ".", "Lists.a|Lists.a/b", "Lists.a.b"},
		{"%", ".", "a|a/b", "a.b"},
		{"*/Sent", "/", "a/Sent|a/b/Sent|/Sent", "Sent|a/Sent/"},
		{"a*b*c", "/", "abc|aXbYc|abbcc", "ab|abcd|bc"},
		{`"a,b", "*", "!x"`, "/", "a,b|*|!x", "a|b|x|y"},
		{`"a\"b\\"`, "/", `a"b\`, `ab`},
		{`a" b "c*`, "/", "a b c|a b cd", "abc"},
		{"a\n b ,\n\n!b", "/", "a", "b|"},
		{`!""`, "/", "a", ""},
		{"[Gmail]/All Mail", "/", "[Gmail]/All Mail", "G/All Mail"},
	} {
		r, err := ParseFolders(x.rule, x.sep)
		if err != nil {
			t.Errorf("%q: %v", x.rule, err)
			continue
		}
		check := func(names string, want bool) {
			if names == "" {
				return
			}
			for _, n := range strings.Split(names, "|") {
				if r.Match(n) != want {
					t.Errorf("%q matches %q: %v", x.rule, n, !want)
				}
			}
		}
		check(x.yes, true)
		check(x.no, false)
	}
	r, _ := ParseFolders("a%", "")
	if !r.WithSep(".").Match("a/b") || r.WithSep("/").Match("a/b") || r.Match("a/b") {
		t.Error("WithSep")
	}
	only := OnlyFolders([]string{"a", "b/c"})
	if !only.Match("b/c") || only.Match("b") || only.IsZero() {
		t.Error("OnlyFolders")
	}
	if r, _ := ParseFolders(`!""`, "/"); r.Match("") {
		t.Error("the root was not excluded")
	}
}

func TestFolderRuleIsFast(t *testing.T) {
	r, err := ParseFolders(strings.Repeat("*a", 500)+"b", "/")
	if err != nil || r.Match(strings.Repeat("a", 2000)) {
		t.Error(err)
	}
}

func TestRenameRule(t *testing.T) {
	for _, x := range []struct{ rule, from, to, back string }{
		{"A -> B", "A", "B", "A"},
		{"A -> B", "C", "C", "C"},
		{"A -> B\nC->D, E -> F; G -> H", "G", "H", "G"},
		{`"a,b -> c" -> "x;y"`, "a,b -> c", "x;y", "a,b -> c"},
		{"[Gmail]/Sent Mail -> Sent, [Gmail]/* -> *", "[Gmail]/Sent Mail", "Sent", "[Gmail]/Sent Mail"},
		{"[Gmail]/Sent Mail -> Sent, [Gmail]/* -> *", "[Gmail]/Trash", "Trash", "[Gmail]/Trash"},
		{"[Gmail]/* -> g.*", "[Gmail]/a/b", "g.a/b", "[Gmail]/a/b"},
		{"[Gmail]/* -> g.*", "[Gmail]/", "[Gmail]/", "[Gmail]/"},
		{"INBOX.* -> *", "INBOX.Sent", "Sent", "INBOX.Sent"},
		{"INBOX.* -> *", "INBOX", "INBOX", "INBOX.INBOX"},
		{"* -> x/*.old", "a", "x/a.old", "a"},
		{"A -> B; B -> A", "A", "B", "A"},
		{`"*" -> star`, "*", "star", "*"},
	} {
		r, err := ParseRename(x.rule)
		if err != nil {
			t.Errorf("%q: %v", x.rule, err)
			continue
		}
		if got := r.Apply(x.from); got != x.to {
			t.Errorf("%q: %q becomes %q, want %q", x.rule, x.from, got, x.to)
		}
		if got := r.Inverse(x.to); got != x.back {
			t.Errorf("%q: back from %q is %q, want %q", x.rule, x.to, got, x.back)
		}
	}
	r, _ := ParseRename("A -> B")
	if got := r.Inverse("A"); got != NoName {
		t.Errorf("nothing becomes A, but its inverse is %q", got)
	}
	for rule, says := range map[string]string{
		"":                       "no rule",
		"A":                      "no ->",
		"A -> ":                  "empty",
		"-> B":                   "empty",
		"A -> B -> C":            "follows",
		"A* -> B":                "one side only",
		"A -> *":                 "one side only",
		"A** -> B*":              "more than one *",
		"A*b* -> B*c*":           "more than one *",
		"A -> B, A -> C":         "both",
		"A -> C, B -> C":         "both become",
		"A/* -> X/*; B* -> X/*":  "both become",
		"A/* -> X/*; A/* -> Y/*": "twice",
		`A -> "B`:                "partner",
	} {
		if _, err := ParseRename(rule); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v", rule, err)
		}
	}
	r, _ = ParseRename("a/* -> *")
	cs := r.CollisionsIn([]string{"a/x", "x", "a/y", "z"})
	if fmt.Sprint(cs) != "[{x [a/x x]}]" {
		t.Error(cs)
	}
}

func TestNamesBothWays(t *testing.T) {
	load := func(localSep, local, remote string) *Account {
		c, ps := mustLoad(t, pair("", "", "sep = "+localSep+"\n"+local, remote))
		if c.Accounts[0].Refused != nil {
			t.Fatal(ps)
		}
		return c.Accounts[0]
	}
	for _, x := range []struct {
		sep, local, remote, rsep string
		from, to                 string
	}{
		{".", "", "", "/", "Work/2024 Q1", "Work.2024 Q1"},
		{"/", "", "", ".", "Work.2024 Q1", "Work/2024 Q1"},
		{"/", "", "", "/", "a/b.c", "a/b.c"},
		{".", "", "", "", "a", "a"},
		{".", "", "rename = [Gmail]/Sent Mail -> Sent, INBOX/* -> In/*", "/", "INBOX/a/b", "In.a.b"},
		{".", "", "rename = A -> Mail.A", ".", "A", "Mail.A"},
		{"/", "nametrans = lambda f: {'sent': '[Gmail]/Sent Mail'}.get(f, f)", "nametrans = lambda f: {'[Gmail]/Sent Mail': 'sent'}.get(f, f)", "/", "[Gmail]/Sent Mail", "sent"},
		{"/", "", "nametrans = lambda f: re.sub('^x$', 'y', f)", "/", "new", "new"},
	} {
		a := load(x.sep, x.local, x.remote)
		if got, err := a.LocalName(x.from, x.rsep); err != nil || got != x.to {
			t.Errorf("%+v: %q %v", x, got, err)
		}
		if got, err := a.RemoteName(x.to, x.rsep); err != nil || got != x.from {
			t.Errorf("%+v: back %q %v", x, got, err)
		}
	}
	if _, err := load(".", "", "").LocalName("a.b", "/"); err == nil {
		t.Error("a name with the local separator was taken")
	}
	// A translation without a way back would create folders for ever.
	if s, err := load("/", "", "nametrans = lambda f: 'x' + f").RemoteName("new", "/"); err == nil || !strings.Contains(err.Error(), "way back") {
		t.Error(s, err)
	}
	if s, err := load("/", "nametrans = lambda f: f + '1'", "").RemoteName("new", "/"); err == nil || !strings.Contains(err.Error(), "leads back") {
		t.Error(s, err)
	}
	a := load("/", "", "nametrans = lambda f: f.split('/')[1]")
	if _, err := a.LocalName("INBOX", "/"); err == nil || !strings.Contains(err.Error(), "IndexError") {
		t.Error(err)
	}
}

func TestIncludes(t *testing.T) {
	c, _ := mustLoad(t, pair("", "", "", "folderfilter = lambda f: f == 'INBOX'\nfolderincludes = ['Shared/x']"))
	r := c.Accounts[0].Remote
	if !r.Folders.Match("Shared/x") || !r.Folders.Match("INBOX") || r.Folders.Match("y") || fmt.Sprint(r.Includes) != "[Shared/x]" {
		t.Errorf("%v", r.Includes)
	}
}

// What cannot be done exactly as Python does it is refused, not guessed.
func TestExpressionsRefused(t *testing.T) {
	for _, x := range []string{
		"", "f", "lambda", "lambda f", "lambda f:", "lambda f, g: f", "lambda: 1", "lambda f: g", "lambda f: f(", "lambda f: (f", "lambda f: f)", "lambda f: 'a", "lambda f:\nf",
		"lambda f: f.encode", "lambda f: os.system(f)", "lambda f: __import__('os')", "lambda f: f'{f!r}'", "lambda f: b'x'", "lambda f: '%5s' % f", "lambda f: '%r' % f", "lambda f: f if f", "lambda f: 0x10",
		"lambda f: re.sub(r'x*', 'y', f)", "lambda f: re.search(r'(?<=a)b', f)", "lambda f: re.search(r'a(?=b)', f)", "lambda f: re.search(r'(a)\\1', f)", "lambda f: re.search('a{,3}', f)", "lambda f: re.search('x', f, re.X)", "lambda f: re.search('(?U)x', f)", "lambda f: re.search('\\\\Qx', f)", "lambda f: re.search('[', f)",
		"lambda f: f\nlambda f: f", "lambda f: {'a': 1, 2}", "lambda f: not in f", "lambda f: f is 'x'", "lambda f: len(f) == 5 != True", "lambda f: 'a' < f <= 'c'", "lambda f: str([f])", "lambda f: repr(f)", "lambda f: 'ß'.upper()", "lambda f: 'ä'.isalpha()", "lambda f: _offloop_add(f, f)",
	} {
		v, err := alone("").compile(x).Call("INBOX")
		var raised *pyexpr.PyError
		if err == nil || errors.As(err, &raised) && raised.Kind != "NameError" {
			t.Errorf("%q was taken: %v, %v", x, v, err)
		}
	}
	for _, x := range []string{
		"lambda f: " + strings.Repeat("(", 5000) + "f" + strings.Repeat(")", 5000), "lambda f: " + strings.Repeat("not ", 5000) + "f",
		"lambda f: " + strings.Repeat("-", 5000) + "1", "lambda f: " + strings.Repeat("{'a':", 5000), "lambda f: [x for x in f" + strings.Repeat(" for x in f", 20) + "]",
		"lambda f: 'x' * 1000000000", "lambda f: [1] * 1000000000", "lambda f: list(range(1000000000))", "lambda f: f.replace('x', f)*1000", "lambda f: (lambda g: g(g))(lambda g: g(g))",
	} {
		start := time.Now()
		if _, err := alone("").compile(x).Call(strings.Repeat("x", 10000)); err == nil {
			t.Errorf("%.20q... was taken", x)
		}
		if d := time.Since(start); d > time.Second {
			t.Errorf("%.20q... took %v", x, d)
		}
	}
}

func TestFolderSort(t *testing.T) {
	names := []string{"b", "INBOX", "a", "Sent"}
	for _, x := range []struct{ expr, want string }{
		{"lambda a, b: cmp(a.lower(), b.lower())", "[a b INBOX Sent]"}, {"lambda a, b: -cmp(a, b)", "[b a Sent INBOX]"}, {"lambda a, b: (b == 'INBOX') - (a == 'INBOX') or cmp(a, b)", "[INBOX Sent a b]"},
	} {
		c, _ := mustLoad(t, pair("", "", "", "foldersort = "+x.expr))
		got, err := c.Accounts[0].Remote.Sort.Sort(names)
		if x.want != "" && (err != nil || fmt.Sprint(got) != x.want) {
			t.Errorf("%s: %v %v", x.expr, got, err)
		}
	}
	withoutPython(t)
	c, ps := mustLoad(t, pair("dry-run = yes", "", "", "foldersort = nothing"))
	if want(t, ps, Warning, "foldersort cannot be evaluated"); c.Accounts[0].Remote.Sort != nil || !c.DryRun {
		t.Error("an order that cannot be had is used")
	}
}

func TestNearest(t *testing.T) {
	for w, want := range map[string]string{"realdelet": "realdelete", "statusbackend": "status_backend", "ssl_versions": "ssl_version", "auth_mechanism": "auth_mechanisms", "folderfitler": "folderfilter", "xyzzy": "", "remotpass": "remotepass", "ss": "ssl"} {
		if got := nearest(w, namesIn(0xff)); got != want {
			t.Errorf("%s: %q, want %q", w, got, want)
		}
	}
}

// Files made to be slow are read in a moment, or refused.
func TestHostileFilesAreQuick(t *testing.T) {
	laughs := "[general]\naccounts = %(a)s\n"
	for c := 'a'; c < 'i'; c++ {
		laughs += fmt.Sprintf("%c = %s\n", c, strings.Repeat(fmt.Sprintf("%%(%c)s", c+1), 9))
	}
	laughs += "i =\n"
	var accounts, keys strings.Builder
	accounts.WriteString("[general]\naccounts = x\n")
	for i := range 1000 {
		fmt.Fprintf(&accounts, "[Account a%d]\nlocalrepository = L%d\nkk%d = 1\n[Repository L%d]\ntype = Maildir\nlocalfolders = /m/%d\n", i, i, i, i, i)
		fmt.Fprintf(&keys, "[general]\nkey%d = 1\n", i)
	}
	for name, text := range map[string]string{
		"laughs": laughs, "accounts": accounts.String(), "keys": keys.String(), "sections": strings.Repeat("[a]\nk=1\n[b]\n", 5000),
		"lines": "[a]\nk =\n" + strings.Repeat(" x\n", 50000), "bytes": "[a]\nk = " + strings.Repeat("x", 200000),
	} {
		start := time.Now()
		_, _, err := load("f", text, nil)
		if d := time.Since(start); d > 5*time.Second {
			t.Errorf("%s took %v", name, d)
		}
		if err == nil && name != "accounts" {
			t.Errorf("%s was taken", name)
		}
	}
}

// A reference leaves out what LIST would not name with it, INBOX among it.
func TestReference(t *testing.T) {
	for keys, want := range map[string]string{
		"reference = Mail": "Mail Mail/a Mailbox",
		"reference = Mail\nfolderfilter = lambda f: f != 'Mail/a'": "Mail Mailbox",
		"reference = Mail\nfolderincludes = ['INBOX']":             "INBOX Mail Mail/a Mailbox",
		"reference = Mail\nfolders = INBOX, Mail*, !Mailbox":       "Mail Mail/a",
		"reference = \"\"":      "INBOX Mail Mail/a Mailbox Other",
		"reference = \"Mail/\"": "Mail/a",
	} {
		c, ps := mustLoad(t, pair("", "", "", keys))
		var got []string
		for _, n := range []string{"INBOX", "Mail", "Mail/a", "Mailbox", "Other"} {
			if c.Accounts[0].Remote.Folders.Match(n) {
				got = append(got, n)
			}
		}
		if s := strings.Join(got, " "); s != want || c.Accounts[0].Refused != nil || len(ps) != 0 {
			t.Errorf("%s: %s, want %s; %v", keys, s, want, ps)
		}
	}
}
