package mailsync

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"offloop/maildir"
)

// Migrated is a file whose name carried the digest of its folder's own name, where
// the local repository's nametrans gives the folder another.
type Migrated struct {
	Folder string // local name
	File   string // as it was called
	To     string // as it is called now, or would be
	Err    error  // why it was left as it was
}

// MigrateFMD5 renames the files of the Maildirs whose FMD5 is that of the folder's
// own name, as OfflineIMAP wrote them before version 6.3.5, so that they carry that
// of its translated name (Settings.VisibleName). It blocks, and takes both locks of
// the account. Each rename replaces nothing, and one that is done is not done again,
// so it may be stopped anywhere. A file whose UID another file of the folder has
// already keeps its name: what it would become is not its own. With DryRun it only
// says what it would do.
func MigrateFMD5(fs FS, s *Settings, now time.Time, each func(Migrated)) error {
	g := &ground{fs: fs, s: s, now: now}
	if !s.DryRun {
		defer g.release()
		if err := g.lockAll(); err != nil {
			return err
		}
	}
	layout := maildir.Layout{Root: s.Root, Sep: s.Sep}
	names, err := layout.Folders(fs)
	if err != nil {
		return g.fail(fmt.Errorf("list Maildirs below %s: %w", s.Root, err), "check the directory's permissions")
	}
	for _, name := range names {
		dir, err := layout.Path(name)
		if err == nil {
			err = g.migrateFolder(name, dir, each)
		}
		if err != nil {
			return &Error{Scope: ScopeFolder, Account: s.Name, Folder: name, Err: err, Did: "the files not yet renamed keep their names",
				Hint: "check the permissions of the Maildir, and say the same again"}
		}
	}
	return nil
}

func (g *ground) migrateFolder(name, dir string, each func(Migrated)) error {
	from, to := maildir.FMD5(name), g.s.fmd5(name)
	if from == to {
		return nil
	}
	var old []maildir.Entry
	taken := map[uint32]bool{}
	scan := maildir.NewScanner(g.fs, dir)
	defer scan.Close()
	for done := false; !done; {
		var err error
		done, err = scan.Next(0, func(file string, inNew bool) {
			switch n := maildir.ParseName(file, g.s.InfoSep); {
			case n.FMD5 == from:
				old = append(old, maildir.Entry{File: file, InNew: inNew})
			case n.FMD5 == to && n.HasUID:
				taken[n.UID] = true
			}
		})
		if err != nil {
			return fmt.Errorf("read %s: %w", dir, err)
		}
	}
	for _, e := range old {
		m := Migrated{Folder: name, File: e.File, To: strings.Replace(e.File, ",FMD5="+from, ",FMD5="+to, 1)}
		n := maildir.ParseName(e.File, g.s.InfoSep)
		switch {
		case n.HasUID && taken[n.UID]:
			m.Err = fmt.Errorf("another file has UID %d already; the next sync takes this one for a new message", n.UID)
		case !g.s.DryRun:
			_, err := maildir.Rename(g.fs, dir, e, maildir.Entry{File: m.To, InNew: e.InNew})
			if errors.As(err, new(*maildir.VanishedError)) {
				continue // a mail reader deleted it
			}
			m.Err = err
		}
		if m.Err == nil && n.HasUID {
			taken[n.UID] = true
		}
		each(m)
	}
	if g.s.DryRun {
		return nil
	}
	// A run that was killed may have renamed files and not come this far: the directories
	// are flushed even if nothing was left to rename.
	return maildir.Sync(g.fs, dir, nil, true)
}
