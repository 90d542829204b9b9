package maildir

import (
	"errors"

	"golang.org/x/sys/unix"
)

// lookups bounds how often a name that keeps changing is looked for.
const lookups = 5

// FindUnique looks for the message whose name has this unique part. Not found
// is certain only of the moment: the directories stood still during the look,
// else it looks again, and after some attempts gives a *BusyError.
func FindUnique(fs FS, dir, unique string) (Entry, bool, error) {
	return NewFinder(fs, dir, nil).find(unique)
}

// Finder changes messages of one folder, under their present names if a mail
// reader has renamed them, or if their names were only likely. Where several are
// not where they were said to be, the directories are read once for all of them.
// It is for one group of changes: it remembers which messages are gone.
type Finder struct {
	fs     FS
	dir    string
	wanted map[string]bool  // unique parts it may be asked for
	at     map[string]Entry // where the last look saw them; one that was tried is taken out
	gone   map[string]bool  // the last look did not see them
}

// NewFinder makes a finder for changes of these messages of the Maildir dir.
func NewFinder(fs FS, dir string, group []Entry) *Finder {
	l := &Finder{fs: fs, dir: dir}
	if len(group) > 1 {
		l.wanted = make(map[string]bool, len(group))
		for _, e := range group {
			l.wanted[e.unique()] = true
		}
	}
	return l
}

// follow runs do on e; while the file turns out to be gone it looks for the
// message's present name and runs do on that. do must return an error wrapping
// ENOENT if the file is gone and must then have changed nothing.
func (l *Finder) follow(e Entry, do func(now Entry) error) error {
	err := do(e)
	if err == nil || !errors.Is(err, unix.ENOENT) {
		return err
	}
	// Most often the name is the same, and a mail reader has moved it to cur.
	err = do(Entry{File: e.File, InNew: !e.InNew})
	if err == nil || !errors.Is(err, unix.ENOENT) {
		return err
	}
	unique := e.unique()
	for range lookups {
		now, found, ferr := l.find(unique)
		if ferr != nil {
			return ferr
		}
		if !found {
			return &VanishedError{Dir: l.dir, Unique: unique}
		}
		if err = do(now); err == nil || !errors.Is(err, unix.ENOENT) {
			return err
		}
		if now == e {
			return err // the message is there: it is the place to go to that is not
		}
		e = now
	}
	return &BusyError{Dir: l.dir, Unique: unique}
}

// find is [FindUnique], which reads the directories for all messages of the group.
func (l *Finder) find(unique string) (Entry, bool, error) {
	if e, ok := l.at[unique]; ok {
		delete(l.at, unique)
		return e, true, nil
	}
	if l.gone[unique] {
		return Entry{}, false, nil
	}
	for range lookups {
		e, found, stable, err := l.look(unique)
		if err != nil || found || stable {
			return e, found, err
		}
	}
	return Entry{}, false, &BusyError{Dir: l.dir, Unique: unique}
}

// look reads the directories once.
func (l *Finder) look(unique string) (e Entry, found, stable bool, err error) {
	l.at, l.gone = map[string]Entry{}, map[string]bool{}
	s := NewScanner(l.fs, l.dir)
	for done := false; !done; {
		done, err = s.Next(0, func(name string, inNew bool) {
			switch u := ParseName(name, sepOf(name)).Unique; {
			case u == unique:
				e, found = Entry{File: name, InNew: inNew}, true
			case l.wanted[u]:
				l.at[u] = Entry{File: name, InNew: inNew}
			}
		})
		if err != nil {
			return Entry{}, false, false, err
		}
	}
	stable = s.Stable()
	if stable {
		for u := range l.wanted {
			if _, seen := l.at[u]; !seen && u != unique {
				l.gone[u] = true
			}
		}
	}
	return e, found, stable, nil
}
