package pyexpr

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// Question is one value to be asked of a real Python.
type Question struct {
	// Expr is the expression.
	Expr string `json:"expr"`
	// Call says that the expression is a function, called with Args; with Sort
	// it compares two values, and Args are put in order by it.
	Call bool  `json:"call,omitempty"`
	Sort bool  `json:"sort,omitempty"`
	Args []any `json:"args,omitempty"`
	// Hook says that the expression is called for what it does: os and subprocess
	// are there even if the pythonfile does not import them.
	Hook bool `json:"hook,omitempty"`
	// Look says that the expression is not evaluated: an exception tells of its
	// syntax, or of a name in it that is not there.
	Look bool `json:"look,omitempty"`
}

// Answer is what Python says to one Question.
type Answer struct {
	// Value is a string, float64, bool, nil, []any or map[string]any.
	Value any
	// True is the value's truth in Python.
	True bool
	// Err is Python's exception, or nil.
	Err error
	// Kind is the exception's name.
	Kind string
	// Prompt is what getpass asked a person for, and Asks that it did: the question is to
	// be put again with what was typed. Err tells of one that cannot be.
	Prompt string
	Asks   bool
}

// Command is a short program that answers questions: its arguments, and what it
// reads. What it prints is for Answers. Nothing of the questions, which may
// hold a password, is in the arguments. typed is what getpass gives, by its prompts.
func Command(python, pythonfile string, questions []Question, typed map[string]string) (args []string, stdin []byte, err error) {
	stdin, err = json.Marshal(struct {
		File  string            `json:"file"`
		Ask   []Question        `json:"ask"`
		Typed map[string]string `json:"typed"`
	}{pythonfile, questions, typed})
	return []string{python, "-W", "ignore", "-c", answerer}, stdin, err
}

// Answers reads what the program printed: one answer a question.
func Answers(output []byte, n int) ([]Answer, error) {
	var rows []struct {
		OK    bool   `json:"ok"`
		Value any    `json:"value"`
		True  bool   `json:"true"`
		Kind  string `json:"kind"`
		Text  string `json:"text"`
		File  string `json:"file"`
		Line  int    `json:"line"`
		Load  bool   `json:"load"`
		Asks  bool   `json:"asks"`
	}
	if err := json.Unmarshal(bytes.TrimSpace(output), &rows); err != nil || len(rows) != n {
		return nil, fmt.Errorf("python3 gave no answer that can be read")
	}
	out := make([]Answer, n)
	for i, r := range rows {
		out[i] = Answer{Value: r.Value, True: r.True, Kind: r.Kind}
		if r.Asks {
			out[i].Prompt, out[i].Asks = r.Text, true
			r.Kind, r.Text = "NoTerminal", "getpass() asks at the terminal, which cannot be done here"
		}
		if !r.OK {
			out[i].Err = &PyError{Kind: r.Kind, Text: r.Text, File: r.File, Line: r.Line, InFile: r.Load, Asks: r.Asks}
		}
	}
	return out, nil
}

// answerer runs the pythonfile once and then every question. What the file
// prints goes to standard error; reduce and cmp are there as in Python 2.
//
// Where Python has no module keyring, one stands in whose get_password asks the
// system's keyring for what that module would: the item of this service and user
// name. keyring is there without an import too. input raises, see atTerminal. getpass
// does not read the terminal, which may be full of a live screen that reads it too: what
// it asks is an answer of its own, and once a person has typed it, all is done again.
const answerer = `
import sys, os, json, re, functools
req = json.load(sys.stdin)
out = os.fdopen(os.dup(1), 'w', encoding='ascii')
os.dup2(2, 1)
sys.stdin = open(os.devnull)
cmp = lambda a, b: (a > b) - (a < b)
class NoTerminal(Exception):
    pass
def no_input(*a):
    raise NoTerminal('input() asks at the terminal, which a configuration cannot do')
import builtins
builtins.input = no_input
class Asks(BaseException):
    pass
times = {}
def own_getpass(prompt='Password: ', stream=None, **_):
    prompt = str(prompt)
    if prompt not in (req['typed'] or {}):
        raise Asks(prompt)
    times[prompt] = times.get(prompt, 0) + 1
    if times[prompt] > 9:
        raise NoTerminal('getpass() asks the same again and again: ' + prompt)
    return req['typed'][prompt]
import getpass
getpass.getpass = own_getpass
ns = {'__name__': '<none>', 'cmp': cmp, 'reduce': functools.reduce, 'unicode': str, 'raw_input': no_input}
def keyring_program():
    import shutil
    if sys.platform == 'darwin':
        path = shutil.which('security')
        return path and (lambda s, u: [path, 'find-generic-password', '-s', s, '-a', u, '-w'])
    path = shutil.which('secret-tool')
    return path and (lambda s, u: [path, 'lookup', 'service', s, 'username', u])
class OwnKeyring:
    def find_spec(self, name, path=None, target=None):
        args = name == 'keyring' and keyring_program()
        if not args:
            return None
        import importlib.machinery
        self.args = args
        return importlib.machinery.ModuleSpec(name, self)
    def create_module(self, spec):
        return None
    def exec_module(self, module):
        import subprocess
        def get_password(service_name, username):
            p = subprocess.run(self.args(service_name, username), stdout=subprocess.PIPE)
            s = p.stdout.decode('utf-8')
            return None if p.returncode else s[:-1] if s.endswith('\n') else s
        module.get_password = get_password
sys.meta_path.append(OwnKeyring())
failed = None
if req['file']:
    ns['__file__'] = req['file']
    try:
        with open(req['file'], 'rb') as f:
            exec(compile(f.read(), req['file'], 'exec'), ns)
    except BaseException as e:
        failed = e
ns['re'] = re
def plain(v):
    if v is None or isinstance(v, (str, bool, int, float)):
        return v
    if isinstance(v, bytes):
        return v.decode('utf-8')
    if isinstance(v, dict):
        return {str(k): plain(x) for k, x in v.items()}
    if hasattr(v, '__iter__') and not callable(v):
        return [plain(x) for x in v]
    return str(type(v).__name__)
def ask(q):
    if failed is not None:
        raise failed
    for m in ('os', 'subprocess') if q.get('hook') else ():
        ns.setdefault(m, __import__(m))
    if 'keyring' in q['expr'] and 'keyring' not in ns:
        try:
            ns['keyring'] = __import__('keyring')
        except ImportError:
            pass
    if q.get('look'):
        look(compile(q['expr'].strip(), '<expression>', 'eval'))
        return None
    v = eval(q['expr'].strip(), ns)
    if q.get('sort'):
        return sorted(q['args'], key=functools.cmp_to_key(v))
    if q.get('call'):
        v = v(*(q.get('args') or []))
    return v
def look(code):
    import dis
    ops = list(dis.get_instructions(code))
    here = [i.argval for i in ops if i.opname.startswith('STORE_')]
    for i in ops:
        if i.opname in ('LOAD_NAME', 'LOAD_GLOBAL') and i.argval not in here and i.argval not in ns and not hasattr(builtins, i.argval):
            raise NameError("name '%s' is not defined" % i.argval)
    for c in code.co_consts:
        if hasattr(c, 'co_code'):
            look(c)
def place(e):
    if isinstance(e, SyntaxError) and e.lineno and e.filename and os.path.isabs(e.filename):
        return e.filename, e.lineno
    line, tb = 0, e.__traceback__
    while tb:
        if req['file'] and tb.tb_frame.f_code.co_filename == req['file']:
            line = tb.tb_lineno
        tb = tb.tb_next
    return (req['file'], line) if line else ('', 0)
rows = []
for q in req['ask']:
    try:
        v = ask(q)
        rows.append({'ok': True, 'true': bool(v), 'value': plain(v)})
    except BaseException as e:
        file, line = place(e)
        asks = isinstance(e, Asks)
        text = e.msg if isinstance(e, SyntaxError) else e
        rows.append({'ok': False, 'kind': type(e).__name__, 'text': str(text)[:300], 'file': file, 'line': line, 'load': e is failed, 'asks': asks})
json.dump(rows, out)
out.close()
`
