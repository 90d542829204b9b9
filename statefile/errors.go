package statefile

import "fmt"

// pathError says which call failed on which file.
func pathError(what, path string, err error) error {
	return fmt.Errorf("failed to %s %s: %w", what, path, err)
}

// DamageError is a state file that was changed by something else than offloop. It is left as it
// is: what it still says may be worth more than what can be found out anew.
type DamageError struct {
	Path   string
	Line   int   // first bad line, from 1
	Offset int64 // where that line begins
	Reason string
	Whole  int // lines behind it that are whole, 0 if not counted
}

// Error says what is wrong and what can be done.
func (e *DamageError) Error() string {
	after := ""
	if e.Whole > 0 {
		after = fmt.Sprintf("; %d later lines are whole", e.Whole)
	}
	return fmt.Sprintf("state file %s is damaged in line %d (byte %d): %s%s; "+
		"put a backup of the file in its place, or move it away and offloop pairs the folder anew without deleting mail",
		e.Path, e.Line, e.Offset, e.Reason, after)
}

// VersionError is a state file of a format this version does not know.
type VersionError struct {
	Path    string
	Version string
}

// Error says what is wrong and what can be done.
func (e *VersionError) Error() string {
	return fmt.Sprintf("state file %s has format %q, this offloop knows only %q; use the offloop that wrote it",
		e.Path, e.Version, version)
}

// TornError is an append to a file that does not end in a whole line.
type TornError struct{ Path string }

// Error says what is wrong and what can be done.
func (e *TornError) Error() string {
	return fmt.Sprintf("state file %s does not end in a whole line; it must be loaded and its torn end cut off before more is written", e.Path)
}

// LockedError is a lock another process holds. Pid is 0 if the system does not tell.
type LockedError struct {
	Path string
	Pid  int
}

// Error says who holds the lock and what can be done.
func (e *LockedError) Error() string {
	who := "another process"
	if e.Pid > 0 {
		who = fmt.Sprintf("process %d", e.Pid)
	}
	return fmt.Sprintf("%s is locked by %s; wait until it ends, or stop it (removing the file does not help)", e.Path, who)
}

// LockUnsupportedError is a file system on which locks do not work. Two runs on the same mail
// could double or lose messages, so there is no going on without.
type LockUnsupportedError struct {
	Path string
	Err  error
}

// Error says what is wrong and what can be done.
func (e *LockUnsupportedError) Error() string {
	return fmt.Sprintf("%s cannot be locked: %v; its file system does not support locks (network mount?): "+
		"keep it on a local disk, or mount with locking", e.Path, e.Err)
}

// Unwrap gives the system's error.
func (e *LockUnsupportedError) Unwrap() error { return e.Err }
