package mailsync

import (
	"fmt"
	"strings"
	"syscall"
	"testing"

	"offloop/imapproto"
	"offloop/imapproto/imaptest"
	"offloop/statefile"
)

// TestHints: an error tells what to do about it, not about another one.
func TestHints(t *testing.T) {
	if h := lockHint(fmt.Errorf("open: %w", syscall.EACCES), "/mail/.offloop", "busy"); h != "check the owner, the permissions and the free space of /mail/.offloop" {
		t.Errorf("no permission: %q", h)
	}
	if h := lockHint(fmt.Errorf("lock: %w", &statefile.LockedError{}), "/mail/.offloop", "busy"); h != "busy" {
		t.Errorf("locked: %q", h)
	}
	err := connectError(&Settings{Name: "A", Host: "h"}, fmt.Errorf("connection lost: %w", &imapproto.AuthError{}))
	if want := "A: h: " + (&imapproto.AuthError{}).Error() + "; the round ended"; err.Error() != want {
		t.Errorf("login refused: %q, want %q", err, want)
	}
}

// TestUnknownNames: a folder that the command line names and the account has not is told
// of, and where it has another name here, that one.
func TestUnknownNames(t *testing.T) {
	w := newWorld(t, imaptest.QRESYNC, 2)
	three(w)
	w.must()
	w.set.Recreate, w.set.AllowDeletes, w.set.Forget, w.set.Retry = []string{"INBOX", "Wrok"}, []string{"*", "inbox"}, []string{"Gone"}, []string{"Other"}
	p := w.start()
	w.events = nil
	p.round()
	p.round() // not told again
	var said []string
	for _, e := range w.events {
		if e.Kind == "warn" {
			said = append(said, e.Text)
		}
	}
	got := strings.Join(said, "\n")
	for _, want := range []string{`--recreate "Wrok" did nothing`, `--allow-deletes "inbox" did nothing`, `--forget "Gone" did nothing`, `quarantine --retry "Other" did nothing`} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if len(said) != 4 {
		t.Errorf("%q", said)
	}
	w.set.Recreate, w.set.AllowDeletes, w.set.Forget, w.set.Retry = nil, nil, nil, nil
	w.set.OnlyFolders = []string{"Nosuch"}
	if r := w.sync(); len(r.Errors) != 1 || !strings.Contains(r.Errors[0].Hint, "-f takes the server's names") {
		t.Errorf("-f: %v", r.Errors)
	}
	empty := newWorld(t, imaptest.QRESYNC, 2)
	empty.set.LocalReadOnly = true
	if r := empty.sync(); len(r.Errors) != 1 || !strings.Contains(r.Errors[0].Hint, "no Maildir is made, since the local repository says readonly = yes") {
		t.Errorf("read-only: %v", r.Errors)
	}
	w.set.OnlyFolders, w.set.DryRun = nil, true
	w.set.Verify = &Verification{Folders: []string{"Nosuch"}, Found: func(Difference) {}}
	if r := w.sync(); len(r.Errors) != 1 || !strings.Contains(r.Errors[0].Error(), `there is no folder "Nosuch"`) {
		t.Errorf("verify: %v", r.Errors)
	}
}
