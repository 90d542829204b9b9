package mailsync

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"offloop/maildir"
	"offloop/statefile"
)

// undone ends the unique part of a restored file's name. The name it had may
// still stand in the folder's state, where a run was stopped between the move
// into the trash and the record of it: the restored file must not be taken for
// that message, which the server no longer has, but is a new one.
const undone = ".undone"

// A Trashed is a file that was deleted here because the server deleted its
// message, and is kept.
type Trashed struct {
	Folder string    // local name; "" with Lost set if no Maildir is called so
	Lost   string    // the name of its directory in the trash, if there is no such Maildir
	File   string    // its name in the trash
	At     time.Time // when it was deleted
	Dest   string    // path it was restored to
	Err    error     // why it was not
	About  string    // date, sender and subject, where UndoOptions.About asks for them

	dir string // its directory
}

// UndoOptions choose what Undo restores.
type UndoOptions struct {
	Folder string     // this local folder; see All
	All    bool       // every folder
	Since  time.Time  // what was deleted at this time or later; zero = all that is kept
	List   bool       // change nothing
	About  int        // with List: read what so many of the newest are about
	These  []*Trashed // only these, which an earlier List found; nil = whatever the others choose
}

// Undo brings files that were deleted because the server deleted their messages
// back into their Maildirs, as new messages: the next sync uploads them. With
// List it only says which these are. It blocks, and takes both locks of the
// account, so it fails while a sync is going on. What it returns is sorted by
// the time of deletion; where some files could not be restored, they say why.
func Undo(fs FS, s *Settings, now time.Time, o UndoOptions) ([]*Trashed, error) {
	trash := s.Root + "/" + hidden + "/trash"
	g := &ground{fs: fs, s: s, now: now}
	if days, err := listNames(fs, trash); err != nil {
		return nil, g.fail(err, "check the directory's permissions")
	} else if len(days) == 0 {
		return nil, nil // nothing was ever deleted: nothing to lock
	}
	if !o.List {
		defer g.release()
		if err := g.lockAll(); err != nil {
			return nil, err
		}
	}
	names, err := maildir.Layout{Root: s.Root, Sep: s.Sep}.Folders(fs)
	if err != nil {
		return nil, g.fail(fmt.Errorf("list Maildirs below %s: %w", s.Root, err), "check the directory's permissions")
	}
	if !o.All && !slices.Contains(names, o.Folder) {
		return nil, g.fail(fmt.Errorf("there is no Maildir %q", o.Folder), "name the folder as it is called below "+s.Root+", and make it again if it was removed")
	}
	found, err := lookIntoTrash(fs, trash, names, o)
	if err != nil {
		return nil, g.fail(err, "check the directory's permissions")
	}
	if o.List {
		for _, t := range found[max(len(found)-o.About, 0):] {
			t.About = about(fs, t.dir+"/"+t.File)
		}
		return found, nil
	}
	if o.These != nil {
		found = among(found, o.These)
	}
	return found, g.restoreAll(found)
}

// among keeps of found what is in these: deleted since the list was made, a
// message is none of those that were meant.
func among(found, these []*Trashed) []*Trashed {
	meant := map[string]bool{}
	for _, t := range these {
		meant[t.dir+"/"+t.File] = true
	}
	return slices.DeleteFunc(found, func(t *Trashed) bool { return !meant[t.dir+"/"+t.File] })
}

// lockAll takes the locks of a sync.
func (g *ground) lockAll() error {
	l, err := statefile.AcquireLock(g.fs, g.s.MetaDir+"/"+lockName(g.s.Name))
	if err != nil {
		return g.fail(err, "another offloop or OfflineIMAP works on this account; wait for it to finish")
	}
	g.locks = append(g.locks, l)
	if l, err = statefile.AcquireLock(g.fs, g.s.Root+"/"+hidden+"/lock"); err != nil {
		return g.fail(err, "another account or program syncs this Maildir; wait for it to finish")
	}
	g.locks = append(g.locks, l)
	return nil
}

func (g *ground) release() {
	for _, l := range g.locks {
		l.Release()
	}
}

// lookIntoTrash lists what the options choose. A file's ctime is when it was
// moved there.
func lookIntoTrash(fs FS, trash string, names []string, o UndoOptions) (found []*Trashed, err error) {
	folders := map[string]string{}
	for _, n := range names {
		folders[statefile.FileName(n)] = n
	}
	days, err := listNames(fs, trash)
	for _, day := range days {
		if _, perr := time.Parse(trashDay, day); perr != nil {
			continue
		}
		dirs, derr := listNames(fs, trash+"/"+day)
		err = errors.Join(err, derr)
		for _, d := range dirs {
			name, known := folders[d]
			if !o.All && (!known || name != o.Folder) {
				continue
			}
			dir := trash + "/" + day + "/" + d
			files, derr := listNames(fs, dir)
			err = errors.Join(err, derr)
			for _, file := range files {
				mode, _, _, _, _, ctime, serr := fs.Stat(dir + "/" + file)
				t := &Trashed{Folder: name, File: file, At: time.Unix(0, ctime), dir: dir}
				if serr != nil || mode&0o170000 != 0o100000 || t.At.Before(o.Since) {
					continue // gone, no message, or older
				}
				if !known {
					t.Lost = d
				}
				found = append(found, t)
			}
		}
	}
	slices.SortStableFunc(found, func(x, y *Trashed) int {
		if c := x.At.Compare(y.At); c != 0 {
			return c
		}
		return strings.Compare(x.dir+"/"+x.File, y.dir+"/"+y.File)
	})
	return found, err
}

// restoreAll restores directory by directory: what came into a Maildir is
// flushed before the trash is.
func (g *ground) restoreAll(found []*Trashed) error {
	byDir := map[string][]*Trashed{}
	var dirs []string
	for _, t := range found {
		if t.Lost != "" {
			t.Err = errors.New("there is no Maildir for it any more; make it again, or copy the file from " + t.dir)
			continue
		}
		if byDir[t.dir] == nil {
			dirs = append(dirs, t.dir)
		}
		byDir[t.dir] = append(byDir[t.dir], t)
	}
	for _, d := range dirs {
		if err := g.restore(d, byDir[d]); err != nil {
			return &Error{Scope: ScopeAccount, Account: g.s.Name, Folder: byDir[d][0].Folder, Err: err,
				Did: "what was not restored is still in the trash", Hint: "offloop undo can be run again; it restores nothing twice"}
		}
	}
	return nil
}

func (g *ground) restore(trash string, files []*Trashed) error {
	dir, err := maildir.Layout{Root: g.s.Root, Sep: g.s.Sep}.Path(files[0].Folder)
	if err != nil {
		return err
	}
	// An earlier try may have been stopped while a file had both names, and a mail
	// reader or a sync may have renamed it since.
	earlier := map[string]maildir.Entry{}
	var here []maildir.Entry
	sc := maildir.NewScanner(g.fs, dir)
	for ended := false; !ended && err == nil; {
		ended, err = sc.Next(scanSlice, func(name string, inNew bool) {
			here = append(here, maildir.Entry{File: name, InNew: inNew})
			if u := maildir.ParseName(name, g.s.InfoSep).Unique; strings.HasSuffix(u, undone) {
				earlier[u] = maildir.Entry{File: name, InNew: inNew}
			}
		})
	}
	if err != nil {
		return err
	}
	byIno := map[[2]uint64]maildir.Entry{}
	for _, e := range here {
		if id, ok := inodeOf(g.fs, dir+"/"+e.String()); ok {
			byIno[id] = e
		}
	}
	for _, t := range files {
		to := restoredAs(t.File, g.s.InfoSep)
		id, _ := inodeOf(g.fs, t.dir+"/"+t.File)
		unique := func(file string) string { return maildir.ParseName(file, g.s.InfoSep).Unique }
		if e, ok := byIno[id]; ok && unique(e.File) != unique(t.File) {
			to = e // restored, and synced since: only its name in the trash is taken away
		} else if e, ok := earlier[maildir.ParseName(to.File, g.s.InfoSep).Unique]; ok {
			to = e
		}
		if t.Err = maildir.Restore(g.fs, t.dir+"/"+t.File, dir, to); t.Err == nil {
			t.Dest = dir + "/" + to.String()
		} else if !errors.As(t.Err, new(*maildir.ExistsError)) && !errors.Is(t.Err, os.ErrNotExist) {
			return t.Err
		}
	}
	if !g.s.FSync {
		return nil
	}
	if err := maildir.Sync(g.fs, dir, nil, true); err != nil {
		return err
	}
	return maildir.SyncDir(g.fs, trash)
}

// inodeOf names a file whatever it is called.
func inodeOf(fs FS, path string) (id [2]uint64, ok bool) {
	_, _, dev, ino, _, _, err := fs.Stat(path)
	return [2]uint64{dev, ino}, err == nil && ino != 0
}

// restoredAs is the name of a restored file: a new message with the flags of the
// old one, but not marked for deletion.
func restoredAs(file string, sep byte) maildir.Entry {
	n := maildir.ParseName(file, sep)
	inNew := !n.Info
	n.Base, n.Flags = n.Unique+undone, n.Flags.Without('T')
	return maildir.Entry{File: n.File(sep), InNew: inNew}
}
