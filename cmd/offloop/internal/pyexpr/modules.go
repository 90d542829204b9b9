package pyexpr

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.starlark.net/starlark"
)

// modules are those a pythonfile may import here. home stands for "~".
func modules() map[string]*module {
	text := func(name string, f func(string) starlark.Value) *starlark.Builtin {
		return named(name, func(_ *starlark.Thread, args starlark.Tuple, kw []starlark.Tuple) (starlark.Value, error) {
			if len(args) != 1 || len(kw) > 0 {
				return nil, wrongUse(name)
			}
			s, ok := args[0].(Str)
			if !ok {
				return nil, wrongUse(name)
			}
			return f(string(s)), nil
		})
	}
	exists := func(ok func(os.FileInfo) bool) func(string) starlark.Value {
		return func(p string) starlark.Value {
			st, err := os.Stat(p)
			return starlark.Bool(err == nil && ok(st))
		}
	}
	path := &module{name: "os.path", attrs: starlark.StringDict{
		"expanduser": text("expanduser", func(s string) starlark.Value { return Str(expandHome(s)) }),
		"basename":   text("basename", func(s string) starlark.Value { return Str(s[strings.LastIndexByte(s, '/')+1:]) }),
		"exists":     text("exists", exists(func(os.FileInfo) bool { return true })),
		"isfile":     text("isfile", exists(func(st os.FileInfo) bool { return st.Mode().IsRegular() })),
		"isdir":      text("isdir", exists(os.FileInfo.IsDir)),
		"join":       named("join", pathJoin),
		"sep":        Str("/"),
	}}
	environ := starlark.NewDict(0)
	for _, e := range os.Environ() {
		if k, v, ok := strings.Cut(e, "="); ok && k != "" {
			environ.SetKey(Str(k), Str(v))
		}
	}
	m := map[string]*module{
		"re":          reModule(),
		"os.path":     path,
		"os":          {name: "os", attrs: starlark.StringDict{"path": path, "environ": environ, "sep": Str("/"), "getenv": named("getenv", getenv)}},
		"functools":   {name: "functools", attrs: starlark.StringDict{"reduce": named("reduce", reduce)}},
		"string":      {name: "string", attrs: starlark.StringDict{"ascii_lowercase": Str("abcdefghijklmnopqrstuvwxyz"), "ascii_uppercase": Str("ABCDEFGHIJKLMNOPQRSTUVWXYZ"), "digits": Str("0123456789")}},
		"collections": {name: "collections", attrs: starlark.StringDict{"OrderedDict": named("dict", pyDict)}},
		"__future__":  {name: "__future__", attrs: starlark.StringDict{"print_function": starlark.None, "unicode_literals": starlark.None, "absolute_import": starlark.None, "division": starlark.None}},
	}
	return m
}

func expandHome(s string) string {
	if home := os.Getenv("HOME"); home != "" && (s == "~" || strings.HasPrefix(s, "~/")) {
		return strings.TrimRight(home, "/") + s[1:]
	}
	return s
}

// pathJoin is posixpath.join.
func pathJoin(_ *starlark.Thread, args starlark.Tuple, _ []starlark.Tuple) (starlark.Value, error) {
	if len(args) == 0 {
		return nil, wrongUse("os.path.join")
	}
	out := ""
	for i, a := range args {
		s, ok := a.(Str)
		switch {
		case !ok:
			return nil, wrongUse("os.path.join")
		case i == 0 || filepath.IsAbs(string(s)):
			out = string(s)
		case out == "" || strings.HasSuffix(out, "/"):
			out += string(s)
		default:
			out += "/" + string(s)
		}
	}
	return limited(out)
}

func getenv(_ *starlark.Thread, args starlark.Tuple, _ []starlark.Tuple) (starlark.Value, error) {
	if len(args) == 0 || len(args) > 2 {
		return nil, wrongUse("os.getenv")
	}
	name, ok := args[0].(Str)
	if !ok {
		return nil, wrongUse("os.getenv")
	}
	if v, ok := os.LookupEnv(string(name)); ok {
		return Str(v), nil
	}
	if len(args) == 2 {
		return args[1], nil
	}
	return starlark.None, nil
}

// importer turns import lines into assignments and keeps what is not known.
type importer struct {
	known   map[string]*module
	missing map[string]string // name -> the module it would come from
}

func moduleName(m string) string { return reserved + "m_" + strings.ReplaceAll(m, ".", "_") }

// lines are the statements for one import line. An unknown module leaves its
// name unset, which is an error only where the name is used.
func (im *importer) lines(toks []token) ([]string, error) {
	from := ""
	i := 1
	if toks[0].is("from") {
		from, i = dotted(toks, 1)
		if i >= len(toks) || !toks[i].is("import") {
			return nil, wrongUse("import")
		}
		i++
	}
	var out []string
	for i < len(toks) {
		if toks[i].is("(") || toks[i].is(")") || toks[i].is(",") || toks[i].is(";") {
			i++
			continue
		}
		if from != "" && toks[i].is("*") {
			out = append(out, im.all(from)...)
			i++
			continue
		}
		name, next := dotted(toks, i)
		if next == i {
			return nil, wrongUse("import")
		}
		as, _, _ := strings.Cut(name, ".")
		renamed := false
		if i = next; i+1 < len(toks) && toks[i].is("as") {
			as, renamed = toks[i+1].text, true
			i += 2
		}
		out = append(out, im.one(from, name, as, renamed)...)
	}
	return out, nil
}

func (im *importer) one(from, name, as string, renamed bool) []string {
	source := name
	if from != "" {
		source = from
	} else if !renamed {
		source, _, _ = strings.Cut(name, ".") // "import os.path" binds os
	}
	m := im.known[source]
	if m == nil {
		im.missing[as] = source
		return nil
	}
	if from == "" {
		return []string{as + " = " + moduleName(source)}
	}
	if _, ok := m.attrs[name]; !ok {
		im.missing[as] = from
		return nil
	}
	return []string{as + " = " + moduleName(from) + "." + name}
}

func (im *importer) all(from string) []string {
	m := im.known[from]
	if m == nil {
		return nil
	}
	var out []string
	for n := range m.attrs {
		out = append(out, n+" = "+moduleName(from)+"."+n)
	}
	slices.Sort(out)
	return out
}

// dotted reads a.b.c.
func dotted(toks []token, i int) (string, int) {
	name := ""
	for i < len(toks) && (toks[i].kind == nameToken && !toks[i].is("import") && !toks[i].is("as") || toks[i].is(".")) {
		name += toks[i].text
		i++
	}
	return name, i
}
