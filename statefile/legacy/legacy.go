// Package legacy reads the state OfflineIMAP keeps, so that a tree it has
// synchronised can be taken over without downloading or uploading anything
// again, and with pending changes and deletions of both sides understood. It
// never writes, creates or removes anything there.
//
// Below OfflineIMAP's metadata directory are, for account A, repositories L
// (local) and R (remote):
//
//	Account-A/LocalStatus-sqlite/FILE   SQLite: table status(id, flags, mtime, labels)
//	Account-A/LocalStatus/FILE          text, older versions
//	Repository-R/FolderValidity/FILE    UIDVALIDITY of the remote folder, decimal
//	Repository-L/UIDMapping/FILE        IMAP to IMAP: lines LOCALUID:REMOTEUID
//	Repository-L/FolderValidity/FILE    UIDVALIDITY of the local folder; 42 for Maildir
//
// FILE is the folder's name as FileName makes it. The status says what both
// sides last agreed on: flags by remote UID. Version 1 has no mtime and labels.
package legacy

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// Dirs says where OfflineIMAP kept the state of an account.
type Dirs struct {
	Metadata         string // [general] metadata; ~ and variables already replaced
	Account          string // the account's name in the configuration
	LocalRepository  string
	RemoteRepository string
	// LocalSep is the sep of the local repository, "" = OfflineIMAP's default, ".".
	LocalSep string
}

// Format is how the status was stored.
type Format uint8

// The formats OfflineIMAP has had.
const (
	NoStatus Format = iota // there is none
	Text1
	Text2
	SQLite1
	SQLite2
)

func (f Format) String() string {
	switch f {
	case NoStatus:
		return "no status"
	case Text1:
		return "text, version 1"
	case Text2:
		return "text, version 2"
	case SQLite1:
		return "SQLite, version 1"
	case SQLite2:
		return "SQLite, version 2"
	}
	return "?"
}

// Message is a message both sides had when they were last synchronised.
type Message struct {
	UID    uint32
	Flags  string // letters, ascending, each once: D F R S T a-z …
	MTime  int64  // of the local file, Unix seconds, 0 = unknown; OfflineIMAP sets it for Gmail only
	Labels string // Gmail's, joined by ", ", in modified UTF-7; "" = none
}

// Pair is a message of two IMAP servers.
type Pair struct{ Local, Remote uint32 }

// Status is what OfflineIMAP knew of a folder.
type Status struct {
	// UIDValidity is the remote folder's, 0 if OfflineIMAP did not save one: then whether the UIDs
	// are still valid cannot be known.
	UIDValidity uint32
	// LocalUIDValidity is the local folder's: always 42 for a Maildir, 0 if not saved.
	LocalUIDValidity uint32
	Messages         []Message // UIDs ascending, each once
	Map              []Pair    // IMAP to IMAP only: by remote UID, ascending, each once
	Format           Format
	Source           string // the file Messages were read from, "" for NoStatus
	Skipped          int    // entries whose UID no IMAP server can have; OfflineIMAP ignores them too
}

// Error is state that is there and cannot be used. Nothing was changed.
type Error struct {
	Path string
	Err  error
	Do   string // what the user can do
}

// Error says which file, what is wrong and what to do.
func (e *Error) Error() string {
	s := fmt.Sprintf("failed to read OfflineIMAP's state in %s: %v", e.Path, e.Err)
	if e.Do != "" {
		s += "; " + e.Do
	}
	return s
}

// Unwrap returns the cause, which may be one of package sqlite3's errors.
func (e *Error) Unwrap() error { return e.Err }

// doAway is the advice for a file that is beyond repair.
const doAway = "put a backup of it in its place, or move it away and the folder is paired anew by the UIDs in the file names"

// Read returns OfflineIMAP's state of a pair of folders; nil, nil if there is none. Names are as
// OfflineIMAP had them: localFolder is the local folder's, below localfolders with LocalSep in it
// ("" = the root itself); remoteFolder the server's before nametrans, with the server's separator,
// in UTF-8 if the account had utf8foldernames and in modified UTF-7 if not. The status goes by the
// former, UIDVALIDITY by the latter.
//
// A database wins over a text file, since newer versions do not look at the text; one that
// OfflineIMAP created and never filled counts as missing. If only the UIDVALIDITY is there, Status
// has no Messages and Format NoStatus. Errors are *Error. Read blocks on the disk.
func Read(dir Dirs, localFolder, remoteFolder string) (*Status, error) {
	st := &Status{}
	if err := readStatus(st, dir, StatusFileName(localFolder, dir.LocalSep)); err != nil {
		return nil, err
	}
	remote := filepath.Join(dir.Metadata, "Repository-"+dir.RemoteRepository)
	local := filepath.Join(dir.Metadata, "Repository-"+dir.LocalRepository)
	var err error
	if st.UIDValidity, err = readValidity(filepath.Join(remote, "FolderValidity"), FileName(remoteFolder)); err != nil {
		return nil, err
	}
	localFile := FileName(localFolder)
	if localFolder == dir.LocalSep {
		localFile = FileName("")
	}
	if st.LocalUIDValidity, err = readValidity(filepath.Join(local, "FolderValidity"), localFile); err != nil {
		return nil, err
	}
	if st.Map, err = readMap(filepath.Join(local, "UIDMapping"), localFile); err != nil {
		return nil, err
	}
	if st.Format == NoStatus && st.UIDValidity == 0 && len(st.Map) == 0 {
		return nil, nil
	}
	return st, nil
}

// readStatus fills st from the database or, without one, from the text file.
func readStatus(st *Status, dir Dirs, file string) error {
	account := filepath.Join(dir.Metadata, "Account-"+dir.Account)
	sources := []struct {
		dir  string
		read func(path string) (*Status, error)
	}{
		{"LocalStatus-sqlite", readDatabase},
		{"LocalStatus", readText},
	}
	for _, s := range sources {
		path, ok := filePath(filepath.Join(account, s.dir), file)
		if !ok {
			continue
		}
		got, err := s.read(path)
		if err != nil {
			return asError(path, err)
		}
		if got == nil {
			continue
		}
		*st = *got
		st.Source = path
		st.Messages = inOrder(st.Messages, func(m Message) uint32 { return m.UID })
		return nil
	}
	return nil
}

// inOrder sorts by UID. Of two with the same UID the later one wins, as in OfflineIMAP.
func inOrder[T any](list []T, uid func(T) uint32) []T {
	byUID := func(a, b T) int { return cmp.Compare(uid(a), uid(b)) }
	if !slices.IsSortedFunc(list, byUID) {
		slices.SortStableFunc(list, byUID)
	}
	kept := list[:0]
	for _, m := range list {
		if n := len(kept); n > 0 && uid(kept[n-1]) == uid(m) {
			kept[n-1] = m
		} else {
			kept = append(kept, m)
		}
	}
	return kept
}

// FileName is the name of the file OfflineIMAP keeps something about a folder in. It is not
// reversible: "a/b" and "a.b" share a file, and so a state, of which at least one is wrong; the
// caller compares FileName of its folders and takes over none of those that collide.
func FileName(folder string) string {
	name := strings.ReplaceAll(folder, "/", ".")
	if name == "" || name == "." {
		return "dot"
	}
	return name
}

// StatusFileName is the file of a folder's status. Its name comes from the remote folder's, translated
// and with "." for the server's separator. The local folder's has the local separator there.
func StatusFileName(local, sep string) string {
	if sep != "" {
		local = strings.ReplaceAll(local, sep, ".")
	}
	return FileName(local)
}

// filePath puts a file's name behind a directory. No file has one of the names refused.
func filePath(dir, file string) (string, bool) {
	if file == ".." || strings.ContainsRune(file, 0) {
		return "", false
	}
	return filepath.Join(dir, file), true
}

// asError names the file in an error that does not yet.
func asError(path string, err error) error {
	var done *Error
	if errors.As(err, &done) {
		return err
	}
	return &Error{Path: path, Err: err, Do: advice(err)}
}
