package config

import (
	"fmt"
	"path/filepath"
	"strings"
)

// Validate checks what no single key shows: accounts that share a Maildir, and
// state kept inside one. Load calls it and files what it finds with the
// accounts concerned.
func Validate(c *Config) []Problem {
	var out []Problem
	meta := resolve(c.Metadata)
	roots := make([]string, len(c.Accounts))
	for i, a := range c.Accounts {
		if a.Local.Root == "" {
			continue
		}
		roots[i] = resolve(a.Local.Root)
		for j, b := range c.Accounts[:i] {
			if roots[j] != "" {
				out = append(out, sharedRoot(c, a, b, roots[i], roots[j])...)
			}
		}
		out = append(out, metadataPlace(c, a, meta, roots[i])...)
		out = append(out, bothReadOnly(c, a)...)
	}
	return out
}

// resolve follows symbolic links as far as the path exists.
func resolve(path string) string {
	rest := ""
	for p := filepath.Clean(path); ; {
		if r, err := filepath.EvalSymlinks(p); err == nil {
			return filepath.Join(r, rest)
		}
		parent := filepath.Dir(p)
		if parent == p {
			return filepath.Clean(path)
		}
		rest = filepath.Join(filepath.Base(p), rest)
		p = parent
	}
}

// inside reports whether path is dir or below it.
func inside(path, dir string) bool {
	return path == dir || strings.HasPrefix(path, strings.TrimSuffix(dir, "/")+"/")
}

func (c *Config) placeOf(a *Account, key string) (file string, line int, section string) {
	section = "Repository " + a.Local.Name
	if c.doc != nil {
		if e := c.doc.at[[2]string{section, key}]; e != nil {
			return e.file, e.line, section
		}
	}
	return c.File, a.Line, section
}

func sharedRoot(c *Config, a, b *Account, ra, rb string) []Problem {
	about := func(x, y *Account, text string) Problem {
		file, line, section := c.placeOf(x, "localfolders")
		return Problem{File: file, Line: line, Section: section, Key: "localfolders", Account: x.Name, Severity: Error,
			Text: fmt.Sprintf(text, x.Name, y.Name), Instead: "another localfolders for each account"}
	}
	switch {
	case ra == rb:
		const text = "the accounts %s and %s have one Maildir; each would take the other's mail for its own"
		return []Problem{about(a, b, text), about(b, a, text)}
	case inside(ra, rb) && b.Local.Sep == "/", inside(rb, ra) && a.Local.Sep == "/":
		const text = "the Maildirs of the accounts %s and %s lie one inside the other, where sep = / looks for folders"
		return []Problem{about(a, b, text), about(b, a, text)}
	}
	return nil
}

func metadataPlace(c *Config, a *Account, meta, root string) []Problem {
	file, line, section := c.placeOf(a, "localfolders")
	p := Problem{File: file, Line: line, Section: section, Key: "localfolders", Account: a.Name}
	switch {
	case meta == root:
		p.Severity, p.Text, p.Instead = Error, "localfolders is the metadata directory", "localfolders = ~/Mail/"+a.Name
	case inside(meta, root):
		p.Severity, p.Text, p.Instead = Warning, "the metadata directory lies inside the Maildir, where mail readers may take it for folders", "metadata = ~/.offlineimap in [general]"
	case inside(root, meta):
		p.Severity, p.Text, p.Instead = Warning, "the Maildir lies inside the metadata directory", "localfolders = ~/Mail/"+a.Name
	default:
		return nil
	}
	return []Problem{p}
}

func bothReadOnly(c *Config, a *Account) []Problem {
	if !a.Local.ReadOnly || !a.Remote.ReadOnly {
		return nil
	}
	file, line, section := c.placeOf(a, "readonly")
	return []Problem{{File: file, Line: line, Section: section, Key: "readonly", Account: a.Name, Severity: Warning,
		Text: "both sides are readonly, so nothing will be synced", Instead: "readonly = no on one side"}}
}
