package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"offloop/cmd/offloop/internal/pyexpr"
)

// sampleNames are tried at once, so that an expression offloop cannot evaluate
// is refused before any folder is looked at.
var sampleNames = []string{"INBOX", "Work", "Work/2024 Q1", "INBOX.Sent", "[Gmail]/Sent Mail", "[Gmail]/All Mail", "Entwürfe", "a.b/c d"}

// folderRule reads folders, or folderfilter and folderincludes.
func (v *view) folderRule(sep string) (FolderRule, []string) {
	if s, e := v.text("folders"); e != nil {
		r, err := ParseFolders(s, sep)
		if err != nil {
			v.fail(e, "folders", "folders cannot be understood: "+err.Error(), "folders = INBOX, Archive/*, !Spam")
		}
		v.replaced("folders", "folderfilter", "folderincludes")
		return r, nil
	}
	r := FolderRule{sep: sep}
	if s, e := v.text("folderfilter"); e != nil {
		r.expr, r.text = v.py.compile(s), s
		v.usable("folderfilter", e, func(n string) error { _, err := r.Try(n); return err })
	}
	includes := v.includes(&r)
	return r, includes
}

func (v *view) includes(r *FolderRule) []string {
	names := v.names("folderincludes")
	if len(names) > 0 {
		r.include = map[string]bool{}
	}
	for _, s := range names {
		r.include[s] = true
	}
	return names
}

// names reads a Python list of folder names. It has to be known before there is
// a loop, so it cannot be asked of python3.
func (v *view) names(key string) []string {
	x, e := v.expression(key)
	if e == nil {
		return nil
	}
	value, err := x.Value()
	v.py.missing = nil
	var need *NeedsPython
	if errors.As(err, &need) {
		err = errors.New(need.Why)
	}
	list, ok := value.([]any)
	if err == nil && !ok {
		err = fmt.Errorf("it is %s, not a list", typeName(value))
	}
	var names []string
	for _, n := range list {
		s, ok := n.(string)
		if !ok {
			err = fmt.Errorf("it holds %s", typeName(n))
		}
		names = append(names, s)
	}
	if err != nil {
		v.cannot(e, key, err)
		return nil
	}
	return names
}

// renameRule reads rename, or nametrans.
func (v *view) renameRule() RenameRule {
	if s, e := v.text("rename"); e != nil {
		r, err := ParseRename(s)
		if err != nil {
			v.fail(e, "rename", "rename cannot be understood: "+err.Error(), "rename = [Gmail]/Sent Mail -> Sent")
		}
		v.replaced("rename", "nametrans")
		return r
	}
	s, e := v.text("nametrans")
	if e == nil {
		return RenameRule{}
	}
	r := RenameRule{text: s, expr: v.py.compile(s)}
	v.usable("nametrans", e, func(n string) error { _, err := r.Try(n); return err })
	return r
}

// folderSort reads foldersort. An order that cannot be had is no reason not to
// sync.
func (v *view) folderSort() *Expression {
	x, e := v.expression("foldersort")
	if e == nil {
		return nil
	}
	_, err := x.Sort(sampleNames)
	v.py.missing = nil
	var need *NeedsPython
	switch {
	case errors.As(err, &need):
		v.uses(e, "foldersort", need.Why, true, func() error { _, err := x.Sort(sampleNames); return err })
	case err != nil:
		v.warn(e, "foldersort", "foldersort cannot be evaluated, so folders are synced by name: "+err.Error(), "nothing; delete the line")
		return nil
	}
	return x
}

// replaced warns about keys that another takes the place of.
func (v *view) replaced(by string, keys ...string) {
	for _, k := range keys {
		if _, e := v.doc.raw(v.section, k); e != nil {
			v.warn(e, k, k+" is not used, since "+by+" takes its place", "")
		}
	}
}

// tryNames returns the first failure that is not Python's own, or one that
// does not depend on the name.
func tryNames(f func(string) error) error {
	hopeless := 0
	var last error
	for _, n := range sampleNames {
		err := f(n)
		var raised *pyexpr.PyError
		if !errors.As(err, &raised) {
			if err != nil {
				return err
			}
			continue
		}
		if last = raised; slices.Contains([]string{"NameError", "TypeError", "AttributeError", "NoTerminal"}, raised.Kind) {
			hopeless++
		}
	}
	if hopeless == len(sampleNames) {
		return fmt.Errorf("for every name it raises %s", last.Error())
	}
	return nil
}

// LocalName returns the local folder for a remote one: translated, with the
// remote separator replaced by the local one. A name that cannot be kept apart
// locally is an error that says why.
func (a *Account) LocalName(remote, remoteSep string) (string, error) {
	name, err := a.Remote.Rename.Try(remote)
	if err != nil {
		return "", err
	}
	sep := a.Local.Sep
	if remoteSep == sep || remoteSep == "" {
		return name, nil
	}
	if sep != "/" && strings.Contains(name, sep) {
		return "", fmt.Errorf("the folder %q holds %q, which separates levels in the Maildir: use sep = / or rename it", name, sep)
	}
	return strings.ReplaceAll(name, remoteSep, sep), nil
}

// RemoteName returns the remote folder to create for a new local one: by the
// local side's rule if it has one, else by the inverse of the remote side's.
// The name must lead back to the local folder; if it does not, creating it
// would go on for ever, and that is an error.
func (a *Account) RemoteName(local, remoteSep string) (string, error) {
	sep := a.Local.Sep
	swap := func(s string) string {
		if remoteSep == "" || remoteSep == sep {
			return s
		}
		return strings.ReplaceAll(s, sep, remoteSep)
	}
	var candidates []string
	if !a.Local.Rename.IsZero() {
		s, err := a.Local.Rename.Try(local)
		if err != nil {
			return "", err
		}
		candidates = []string{swap(s)}
	} else {
		candidates = []string{a.Remote.Rename.Inverse(swap(local)), a.Remote.Rename.Inverse(local)}
	}
	for _, c := range candidates {
		if back, err := a.LocalName(c, remoteSep); c != NoName && err == nil && back == local {
			return c, nil
		}
	}
	if a.Remote.Rename.expr != nil && a.Local.Rename.IsZero() {
		return "", fmt.Errorf("the nametrans of [Repository %s] has no way back for the local folder %q: write a nametrans in [Repository %s], or rename rules", a.Remote.Name, local, a.Local.Name)
	}
	return "", fmt.Errorf("the local folder %q has no remote name that leads back to it: the rename rules of [Repository %s] and [Repository %s] do not fit", local, a.Remote.Name, a.Local.Name)
}
