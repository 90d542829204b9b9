package mailsync

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"offloop/imapproto"
)

// noFolders is the error of an account that has nothing to sync.
func (a *Account) noFolders() *Error {
	e := &Error{Scope: ScopeAccount, Err: errors.New("no folder to sync"), Did: "nothing was synced",
		Hint: "check the folder rules (folders, folderfilter) of both repositories"}
	switch s := a.set; {
	case len(s.OnlyFolders) > 0:
		e.Hint = "-f takes the server's names, as --info lists them; the folder rules (folders, folderfilter) must not leave them out"
	case s.LocalReadOnly || !s.CreateLocalFolders:
		e.Hint = "no Maildir is made, since the local repository says readonly = yes or createfolders = no; " + e.Hint
	}
	return e
}

// unknownNames tells of folders that the command line names and the account has not: a
// misspelt one would be taken for done.
func (a *Account) unknownNames(boxes []imapproto.Mailbox, pairs []pair) {
	s := a.set
	local := map[string]bool{"*": true}
	called := map[string]string{} // what the server's folders are called here
	for _, p := range pairs {
		local[p.local], called[p.remote] = true, p.local
	}
	for _, n := range a.localNames {
		local[n] = true
	}
	for _, key := range a.book.Tokens() {
		if n, ok := strings.CutPrefix(key, tokFolder); ok {
			local[n] = true
		}
	}
	for _, x := range []struct {
		option string
		names  []string
	}{{"--recreate", s.Recreate}, {"--allow-deletes", s.AllowDeletes}, {"--forget", s.Forget}, {"quarantine --retry", s.Retry}} {
		for _, n := range x.names {
			if local[n] {
				continue
			}
			hint := "--info lists the folders, and what they are called here"
			if here := called[n]; here != "" {
				hint = fmt.Sprintf("here the server's %q is called %q", n, here)
			}
			if a.unknown[x.option+n] {
				continue // told in an earlier round
			}
			if a.unknown == nil {
				a.unknown = map[string]bool{}
			}
			a.unknown[x.option+n] = true
			a.emit(Event{Kind: "warn", Severity: "warn", Hint: hint,
				Text: fmt.Sprintf("%s %q did nothing: account %s has no folder of that name.", x.option, n, s.Name)})
		}
	}
	if v := s.Verify; v != nil {
		for _, n := range v.Folders {
			if !local[n] && called[n] == "" && !slices.ContainsFunc(boxes, func(b imapproto.Mailbox) bool { return b.Name == n }) {
				a.report(&Error{Scope: ScopeAccount, Err: fmt.Errorf("there is no folder %q", n), Did: "nothing was compared",
					Hint: "--info lists the folders, and what they are called here"})
			}
		}
	}
}
