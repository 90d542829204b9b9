package main

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"offloop/cmd/offloop/internal/config"
)

// The rules of the house, as a test. Style that is not executed decays.

const (
	maxFileLines = 600
	maxFuncLines = 70
)

// topLevel is all that may stand at the top of the repository besides dotfiles.
var topLevel = []string{"cmd", "reactor", "imapproto", "maildir", "ui", "statefile", "go.mod", "go.sum", "justfile", "README.md", "LICENSE"}

// rooms are the packages that never import each other, with the external
// packages each may use.
var rooms = map[string][]string{
	"reactor":                       {"golang.org/x/sys/unix"},
	"imapproto":                     {"github.com/emersion/go-imap/v2"},
	"maildir":                       {"golang.org/x/sys/unix"},
	"statefile":                     {"golang.org/x/sys/unix"},
	"ui":                            {"github.com/gdamore/tcell/v2", "github.com/gdamore/tcell/v2/terminfo", "github.com/rivo/uniseg", "golang.org/x/term", "github.com/mattn/go-runewidth"},
	"cmd/offloop/internal/config":   {"gopkg.in/ini.v1", "offloop/cmd/offloop/internal/pyexpr"},
	"cmd/offloop/internal/pyexpr":   {"go.starlark.net/starlark", "go.starlark.net/syntax"},
	"cmd/offloop/internal/mailsync": {"github.com/emersion/go-imap/v2", "offloop/reactor", "offloop/imapproto", "offloop/maildir", "offloop/statefile", "offloop/statefile/legacy"},
}

// mayStart lists the files that may hold go statements: the doors, and the
// demonstration's server, which is another process.
var mayStart = []string{"reactor/doors.go", "ui/screen.go", "cmd/offloop/demo_server.go"}

// mayWatch lists the files that may look at the clock themselves.
var mayWatch = []string{"reactor/clock.go", "cmd/offloop/main.go", "cmd/offloop/demo_server.go"}

type source struct {
	path string // slash-separated, from the repository's root
	file *ast.File
	fset *token.FileSet
	text []byte
}

func (s source) isTest() bool { return strings.HasSuffix(s.path, "_test.go") }

// ours tells whether a file belongs to the program rather than to its test
// equipment, which may use goroutines freely.
func (s source) ours() bool {
	for _, lab := range []string{"cmd/imaplab/", "cmd/internal/lab/", "imapproto/imaptest/", "maildir/maildirtest/", "reactor/reactortest/"} {
		if strings.HasPrefix(s.path, lab) {
			return false
		}
	}
	return !s.isTest()
}

func (s source) room() string {
	dir := filepath.ToSlash(filepath.Dir(s.path))
	best := ""
	for r := range rooms {
		if (dir == r || strings.HasPrefix(dir, r+"/")) && len(r) > len(best) {
			best = r
		}
	}
	return best
}

func sources(t *testing.T) []source {
	t.Helper()
	root := filepath.Join("..", "..")
	var out []source
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() && path != root && (strings.HasPrefix(name, ".") && name != ".." || name == "testdata") {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(name, ".go") {
			return nil
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		fset := token.NewFileSet()
		f, err := parser.ParseFile(fset, path, text, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		out = append(out, source{filepath.ToSlash(rel), f, fset, text})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(out) < 50 {
		t.Fatalf("found only %d files", len(out))
	}
	return out
}

func TestTidyTopLevel(t *testing.T) {
	entries, err := os.ReadDir(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		n := e.Name()
		if strings.HasPrefix(n, ".") || slices.Contains(topLevel, n) || !e.IsDir() && (n == "offloop" || n == "imaplab") {
			continue
		}
		t.Errorf("%s does not belong at the top level", n)
	}
}

func TestTidyImports(t *testing.T) {
	for _, s := range sources(t) {
		room := s.room()
		if room == "" || s.isTest() || !s.ours() {
			continue
		}
		for _, im := range s.file.Imports {
			path := strings.Trim(im.Path.Value, `"`)
			outside := strings.Contains(strings.SplitN(path, "/", 2)[0], ".") || strings.HasPrefix(path, "offloop/")
			own := strings.HasPrefix(path, "offloop/"+room)
			if outside && !own && !slices.Contains(rooms[room], path) {
				t.Errorf("%s imports %s, which %s may not", s.path, path, room)
			}
		}
	}
}

func TestTidyOneGoroutine(t *testing.T) {
	for _, s := range sources(t) {
		if !s.ours() {
			continue
		}
		for _, im := range s.file.Imports {
			if p := strings.Trim(im.Path.Value, `"`); (p == "sync" || p == "sync/atomic") && !slices.Contains(mayStart, s.path) {
				t.Errorf("%s imports %s: one goroutine owns all state, there is nothing to lock", s.path, p)
			}
		}
		started := 0
		ast.Inspect(s.file, func(n ast.Node) bool {
			if g, ok := n.(*ast.GoStmt); ok {
				started++
				if !slices.Contains(mayStart, s.path) || s.path == "ui/screen.go" && started > 1 {
					t.Errorf("%s starts a goroutine outside the doors", s.fset.Position(g.Pos()))
				}
			}
			return true
		})
	}
}

func TestTidyClock(t *testing.T) {
	for _, s := range sources(t) {
		if !s.ours() || slices.Contains(mayWatch, s.path) {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			sel, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if x, ok := sel.X.(*ast.Ident); ok && x.Name == "time" && (sel.Sel.Name == "Now" || sel.Sel.Name == "Since" || sel.Sel.Name == "Until") {
				t.Errorf("%s asks time.%s: the loop knows the time", s.fset.Position(n.Pos()), sel.Sel.Name)
			}
			return true
		})
	}
}

func TestTidySizes(t *testing.T) {
	for _, s := range sources(t) {
		if s.isTest() {
			continue
		}
		if n := bytes.Count(s.text, []byte("\n")); n > maxFileLines {
			t.Errorf("%s has %d lines, more than %d", s.path, n, maxFileLines)
		}
		for _, d := range s.file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || f.Body == nil {
				continue
			}
			if n := s.fset.Position(f.End()).Line - s.fset.Position(f.Pos()).Line + 1; n > maxFuncLines {
				t.Errorf("%s: %s has %d lines, more than %d", s.fset.Position(f.Pos()), f.Name.Name, n, maxFuncLines)
			}
		}
	}
}

func TestTidyComments(t *testing.T) {
	hasDoc := map[string]bool{}
	for _, s := range sources(t) {
		dir := filepath.Dir(s.path)
		hasDoc[dir] = hasDoc[dir] || s.file.Doc != nil
		if !s.ours() {
			continue
		}
		for _, d := range s.file.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Name.IsExported() && d.Doc == nil && exportedReceiver(d) && !isInterfaceMethod(d.Name.Name) {
					t.Errorf("%s: %s has no doc comment", s.fset.Position(d.Pos()), d.Name.Name)
				}
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					ts, ok := spec.(*ast.TypeSpec)
					if ok && ts.Name.IsExported() && d.Doc == nil && ts.Doc == nil && ts.Comment == nil {
						t.Errorf("%s: type %s has no doc comment", s.fset.Position(ts.Pos()), ts.Name.Name)
					}
				}
			}
		}
	}
	for dir, ok := range hasDoc {
		if !ok {
			t.Errorf("package in %s has no package comment", dir)
		}
	}
}

func exportedReceiver(d *ast.FuncDecl) bool {
	if d.Recv == nil || len(d.Recv.List) == 0 {
		return true
	}
	typ := d.Recv.List[0].Type
	if p, ok := typ.(*ast.StarExpr); ok {
		typ = p.X
	}
	if ix, ok := typ.(*ast.IndexExpr); ok {
		typ = ix.X
	}
	id, ok := typ.(*ast.Ident)
	return !ok || id.IsExported()
}

// isInterfaceMethod tells of methods whose interface documents them.
func isInterfaceMethod(name string) bool {
	return slices.Contains([]string{"String", "Error", "Unwrap", "GoString", "Len", "Less", "Swap", "Read", "Write", "Close"}, name)
}

// TestTidyConfigKeys keeps the README's table of keys and the code's together.
func TestTidyConfigKeys(t *testing.T) {
	readme, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for _, k := range config.Keys() {
		known[k.Name] = true
		if k.Status == config.Supported && k.Own && !bytes.Contains(readme, []byte("`"+k.Name+"`")) {
			t.Errorf("the README does not tell of the key %s", k.Name)
		}
	}
	_, section, _ := strings.Cut(string(readme), "### Keys")
	section, _, _ = strings.Cut(section, "\n##")
	for line := range strings.Lines(section) {
		if !strings.HasPrefix(line, "| `") {
			continue
		}
		name, _, _ := strings.Cut(line[3:], "`")
		if !known[name] {
			t.Errorf("the README tells of a key %s that the program does not know", name)
		}
	}
}
