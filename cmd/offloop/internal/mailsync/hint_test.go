package mailsync

import (
	"fmt"
	"syscall"
	"testing"

	"offloop/imapproto"
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
