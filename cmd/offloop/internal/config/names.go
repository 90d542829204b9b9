package config

import (
	"errors"
	"fmt"
	"strings"
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
		f, err := compileLambda(s)
		r.text = s
		if err == nil {
			r.expr = f
			err = tryNames(func(n string) error { _, err := r.Try(n); return err })
		}
		if err != nil {
			v.cannot(e, "folderfilter", err)
		}
	}
	includes := v.includes(&r)
	return r, includes
}

func (v *view) includes(r *FolderRule) []string {
	x, e, err := v.python("folderincludes")
	if e == nil {
		return nil
	}
	list, ok := x.(pyList)
	if !ok || err != nil {
		if err == nil {
			err = fmt.Errorf("it is %s, not a list", typeName(x))
		}
		v.cannot(e, "folderincludes", err)
		return nil
	}
	var names []string
	r.include = map[string]bool{}
	for _, x := range list {
		s, ok := x.(string)
		if !ok {
			v.cannot(e, "folderincludes", fmt.Errorf("it holds %s", typeName(x)))
			return nil
		}
		names = append(names, s)
		r.include[s] = true
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
	f, err := compileLambda(s)
	r := RenameRule{text: s}
	if err == nil {
		r.expr = f
		err = tryNames(func(n string) error { _, err := r.Try(n); return err })
	}
	if err != nil {
		v.cannot(e, "nametrans", err)
	}
	return r
}

// replaced warns about keys that another takes the place of.
func (v *view) replaced(by string, keys ...string) {
	for _, k := range keys {
		if _, e := v.doc.raw(v.section, k); e != nil {
			v.warn(e, k, k+" is not used, since "+by+" takes its place", "")
		}
	}
}

// tryNames returns the first failure that is this interpreter's and not the
// expression's own.
func tryNames(f func(string) error) error {
	for _, n := range sampleNames {
		var un *unsupportedError
		if err := f(n); errors.As(err, &un) {
			return un
		}
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
