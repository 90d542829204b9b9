package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"offloop/cmd/offloop/internal/pyexpr"
)

func corpus(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/corpus/*.rc")
	if err != nil || len(files) < 60 {
		t.Fatalf("%d corpus files, %v", len(files), err)
	}
	return files
}

func python(t *testing.T, stdin any, args ...string) []byte {
	t.Helper()
	py, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("python3 is not here to compare with")
	}
	cmd := exec.Command(py, append([]string{"testdata/read.py"}, args...)...)
	if stdin != nil {
		b, err := json.Marshal(stdin)
		if err != nil {
			t.Fatal(err)
		}
		cmd.Stdin = bytes.NewReader(b)
	}
	cmd.Stderr = os.Stderr
	cmd.Env = append(os.Environ(), "PYTHONUTF8=1", "PYTHONWARNINGS=ignore")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// Every value of every corpus file is what Python's configparser reads.
func TestValuesArePythons(t *testing.T) {
	files := corpus(t)
	var want map[string]map[string]map[string]*string
	if err := json.Unmarshal(python(t, nil, files...), &want); err != nil {
		t.Fatal(err)
	}
	values := 0
	for _, f := range files {
		comparePython(t, f, want[f], &values)
	}
	if values < 380 {
		t.Errorf("only %d values compared", values)
	}
}

func comparePython(t *testing.T, file string, want map[string]map[string]*string, values *int) {
	t.Helper()
	text, _, err := readFile(file)
	if err != nil {
		t.Fatal(err)
	}
	d, err := parse(file, text)
	if err != nil {
		t.Fatal(err)
	}
	if _, refused := want["error"]; refused {
		if !HasErrors(d.problems) {
			t.Errorf("%s: Python refuses the file, we read it", file)
		}
		return
	}
	if HasErrors(d.problems) {
		t.Errorf("%s: Python reads it, we refuse: %v", file, d.problems)
		return
	}
	for section, keys := range want {
		if _, ok := d.has(section); !ok {
			t.Errorf("%s: no section %q", file, section)
		}
		for key, v := range keys {
			*values++
			got, e, err := d.get(section, key)
			switch {
			case e == nil:
				t.Errorf("%s [%s] %s: missing", file, section, key)
			case v == nil && err == nil && !d.warned[[2]string{section, key}]:
				t.Errorf("%s [%s] %s: Python cannot read it, we got %q", file, section, key, got)
			case v != nil && (err != nil || got != *v):
				t.Errorf("%s [%s] %s: got %q, %v; Python has %q", file, section, key, got, err, *v)
			}
		}
	}
	for id := range d.at {
		if id[0] == defaultSection {
			continue
		}
		if _, ok := want[id[0]][id[1]]; !ok {
			t.Errorf("%s: we have [%s] %s, Python has not", file, id[0], id[1])
		}
	}
}

// Odd spellings, one a file, read by both.
func TestOddSyntaxIsPythons(t *testing.T) {
	bodies := []string{
		"[a]\nk=v", "[a]\nk:v=w", "[a]\nk = = v", "[a]\n k = v\n  more\n\n  again\nl = 1", "[a]\nk =\n v1\n\n v2\n\n\nl=2",
		"[a]\nk = v ; c\n", "[a]\nk = v\n ; c\n # d\n w", "[a]\nk\n", "x = 1\n[a]", "[a]\n= v", "[a]\nK Ey = v", "[a]\nk = \"\"\"x\ny=1",
		"[a]\nk = `x\nl = 2", "[a]\n\"k\" = 1\n`l` = 2\n- = 3\n[x = 4\n", "[a]\nk = 'x'\nl = \"y\"", "[a] trailing\nk=1", "[a]b]\nk=1", "[]\nk=1", "[a]\nk=1\n[]=2",
		"[a]\nk=%(l)s\nl=%%x", "[DEFAULT]\nz=1\n[a]\nk=%(z)s%(z)s", "[a]\nk=%(K)s", "[a]\nk=%(b)s\nb=%(c)s\nc=%(b)s", "[a]\nk=%(nope)s", "[a]\nk=%(open", "[a]\nk=%()s",
		"[a]\n\tk = 1\n\tl = 2\n\t\tm = 3", "[a]\n  k = 1\n l = 2\n  m = 3", "[a]\nk = 1\\\n l = 2", "[a]\r\nk = 1\r\n  2\r\n", "[a.b]\nk=1\n[a]\nl=2", "[a]\nk=1\n[A]\nk=2",
		"[a]\nk=\u00a0v\u00a0\n", "[a]\nk=v\x1c\n", "[a]\nk = \n\n\n", "[a]\nk = 1\n[b]\n  l = 2\n  [c]\n  m = 3", "[a]\nk = 1\n   [c]\n", "# only\n; this", "", "[a]\nk = |x\n |y\n", "[a]\nk.k = k.\n", "[ a ]\nk=1", "[a]\nkey with = in: it", "[a]\nk=x\n\t\n\t y",
		"[a]\nk = 1\n[b]\nk = 2\n[a]\nl = 3\nk = 4", "[a]\nÄ = 1", "[a]\nk = $x ${y}", "[a]\n[DEFAULT]\nk=1\n[a]\n",
	}
	dir := t.TempDir()
	var files []string
	for i, b := range bodies {
		f := filepath.Join(dir, string(rune('a'+i/26))+string(rune('a'+i%26)))
		if err := os.WriteFile(f, []byte(b), 0o600); err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	var want map[string]map[string]map[string]*string
	var loose map[string]map[string]any
	out := python(t, nil, files...)
	if err := json.Unmarshal(out, &loose); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(out, &want); err != nil {
		t.Fatal(err)
	}
	n := 0
	for i, f := range files {
		if !t.Run(string(f[len(f)-2:]), func(t *testing.T) { comparePython(t, f, want[f], &n) }) {
			t.Logf("%q", bodies[i])
		}
	}
}

var compareNames = strings.Split("INBOX|inbox|Inbox|Work|Work/2024 Q1|INBOX.Sent|INBOX.a.b|[Gmail]/Sent Mail|[Gmail]/All Mail|[Gmail]/Spam|[Gmail]/Trash|[Gmail]/Drafts|[Gmail]/Starred|[Gmail]/Important|[Gmail]|Sent|Sent Items|Drafts|Archive|Archive/2001|Junk|Junk E-mail|Trash|Spam|Deleted Messages|Contacts|Calendar/x|drafts|sent|archive|a|b|c|x|.hidden|Entwürfe|Gesendet|Gelöscht|日本|Spam's|a\\.b|a.b/c d|Lists/golang|lists.python|UPPER CASE|Ärger/Öl|1/2/3|ab12cd|foo'bar|tail/", "|")

// asked is one expression to be evaluated by Python and by offloop.
type asked struct {
	where, text, pythonfile string
	calls                   [][]any
}

// corpusExpressions are all the expressions of the corpus that need no network,
// program or keyring.
func corpusExpressions(t *testing.T) (out []asked) {
	names := make([][]any, len(compareNames))
	pairs := make([][]any, len(compareNames))
	dicts := make([][]any, len(compareNames))
	for i, n := range compareNames {
		names[i], pairs[i] = []any{n}, []any{"MbnamesNewlines", n}
		dicts[i] = []any{map[string]any{"accountname": "Main", "foldername": n, "localfolders": "/m"}}
	}
	for _, f := range corpus(t) {
		text, _, _ := readFile(f)
		d, err := parse(f, text)
		if err != nil {
			t.Fatal(err)
		}
		py, _, _ := d.get("general", "pythonfile")
		if _, err := os.Stat(py); err != nil {
			py = ""
		}
		for id := range d.at {
			var calls [][]any
			switch k := id[1]; {
			case k == "folderfilter" && id[0] == "mbnames":
				calls = pairs
			case k == "sort_keyfunc":
				calls = dicts
			case k == "nametrans" || k == "folderfilter":
				calls = names
			case k == "folderincludes", k == "idlefolders", k == "remotehosteval", k == "remoteporteval", k == "remoteusereval":
			case id[0] == "mbnames" && (k == "header" || k == "sep" || k == "footer"):
			default:
				continue
			}
			v, _, err := d.get(id[0], id[1])
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, asked{f + " " + id[0] + " " + id[1], v, py, calls})
		}
	}
	for _, x := range extraExpressions {
		out = append(out, asked{"", x, "", names})
	}
	return out
}

// Every expression of the corpus and the list gives what Python gives, without
// python3.
func TestExpressionsArePythons(t *testing.T) {
	all := corpusExpressions(t)
	var ask [][3]any
	for _, x := range all {
		ask = append(ask, [3]any{x.text, x.calls, x.pythonfile})
	}
	var want [][][2]any
	if err := json.Unmarshal(python(t, ask, "eval"), &want); err != nil {
		t.Fatal(err)
	}
	values, good := 0, 0
	for i, x := range all {
		text := ""
		if x.pythonfile != "" {
			text, _, _ = readFile(x.pythonfile)
		}
		f := alone(text).compile(x.text)
		wrong := ""
		for j, w := range want[i] {
			values++
			if s := differs(f, x.calls, j, w); s != "" && wrong == "" {
				wrong = s
			}
		}
		if wrong == "" {
			good++
		} else {
			t.Errorf("%s: %s: %s", x.where, x.text, wrong)
		}
	}
	if len(all) < 150 || values < 6000 {
		t.Errorf("only %d expressions, %d values", len(all), values)
	}
	t.Logf("%d of %d expressions, %d values", good, len(all), values)
}

// differs tells how a value is another than Python's; "" if it is not.
func differs(f *Expression, calls [][]any, j int, want [2]any) string {
	var got any
	var err error
	var args []any
	if calls == nil {
		got, err = f.Value()
	} else {
		args = calls[j]
		got, err = f.Call(args...)
	}
	if err != nil {
		var raised *pyexpr.PyError
		if want[0] == true || !errors.As(err, &raised) {
			return fmt.Sprintf("of %v: %v; Python gives %v", args, err, want[1])
		}
		return ""
	}
	if _, truth := want[1].(bool); truth && calls != nil {
		got, _ = f.Test(args...)
	}
	a, _ := json.Marshal(got)
	b, _ := json.Marshal(want[1])
	if want[0] != true || string(a) != string(b) {
		return fmt.Sprintf("of %v: %s; Python gives %v %s", args, a, want[0], b)
	}
	return ""
}

// alone evaluates without python3.
func alone(pythonfile string) *Python {
	return &Python{scope: pyexpr.NewScope("f.py", pythonfile)}
}

var extraExpressions = []string{
	"lambda f: f not in []", "lambda f: f", "lambda f:f.replace('/','.')", "lambda f: 'x' + f + \"y\" 'z'", "(lambda f: f)", "\nlambda f: (f\n)\n",
	"lambda f: not f", "lambda f: None", "lambda f: 0", "lambda f: map(lambda x: x, [])", "lambda f: '' or f and 'b'", "lambda f: f == 'INBOX' or f.startswith('W') and not f.endswith('1')",
	`lambda f: re.sub('a|b', '', f)`, `lambda f: re.sub('^', 'INBOX.', f)`, `lambda f: re.sub('$', '.x', f)`, `lambda f: re.sub('^(.*)$', 'Q/\\1', f)`, `lambda f: re.sub('[^\w/]', '_', f)`, `lambda f: re.sub('\W', '-', f)`,
	`lambda f: re.sub('[\]\[]', '', f)`, `lambda f: re.sub('[][]', '', f)`, `lambda f: re.sub('(?i)inbox', 'X', f)`, `lambda f: re.sub('(?P<a>\d)', '<\g<a>>', f)`, `lambda f: re.sub('\s+', ' ', f)`, `lambda f: re.sub('inbox', 'X', f, flags=re.IGNORECASE)`,
	`lambda f: re.fullmatch('[a-z]{1,4}', f)`, `lambda f: re.match('\[Gmail\].*', f) is None`, `lambda f: re.search('Mail$', f) is not None`, `lambda f: re.sub('\.', '/', f)`, `lambda f: re.sub("'", '"', f)`, `lambda f: re.sub('ä|ö|ü', 'e', f)`,
	"lambda f: f[0]", "lambda f: f[-1:]", "lambda f: f[2:-1]", "lambda f: f.split('/')[1]", "lambda f: f.split('/')[-1]", "lambda f: {'a': 'b'}[f]", "lambda f: {'a': 'b'}.get(f)", "lambda f: 'Q' in f", "lambda f: f in 'INBOX Sent'",
	"lambda f: f.title()", "lambda f: f.upper()", "lambda f: f.capitalize()", "lambda f: f.strip('x[').rstrip(']/')", "lambda f: f in ['a'] + ['b'] or f in {'c', 'x'}", "lambda f: f in {'INBOX': 1}",
	"lambda f: any([x in f for x in ['a', 'b'] if x != 'a'])", "lambda f: all(f != x for x in ('a', 'Work'))", "lambda f: '\\x41\\101\\u00e4\\q\\'' + f", "lambda f: r'\\d' + f", "lambda f: '''a'b''' + f", "lambda f: f # comment", "lambda f: ('a' if f == 'b' else 'c') if f else 'd'",
	"lambda f: bool(f) == 1", "lambda f: (f == 'x') in [0, 'a']", "lambda f: 1 in (f == 'a', f == 'b')", "lambda f: f == 1", "lambda f: str(f)", "lambda f: f in list(['Work'])", "lambda f: f in {'a':'b'}.keys()", "lambda f: [1, 2, 3][f == 'a']", "lambda f: not not f in ['Work']", "lambda f: '-'.join([x.lower() for x in f.split('/')])",
}
