package mailsync

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"offloop/maildir"
	"offloop/statefile"
)

// hidden is the directory below the Maildir root that holds the root's lock and
// the trash; mail readers and offloop pass over names that begin with a dot and
// hold no cur, new and tmp.
const hidden = ".offloop"

// lockAndLook takes the locks, reads the account's state and lists the Maildirs,
// all in one job on the disk goroutine.
func (a *Account) lockAndLook(done func(error)) {
	s, fs := a.set, a.env.FS
	g := &ground{fs: fs, s: s, bookPath: a.bookPath, now: a.env.Loop.Now()}
	var err error
	a.env.Loop.Disk(func() { err = g.take() }, func() {
		a.locks, a.book, a.localNames, a.fold, a.trust, a.skew = g.locks, g.book, g.names, g.fold, g.trust, g.skew
		a.bookLen = -1
		if g.report.Torn {
			a.bookLen = g.report.GoodLen
		}
		if err == nil && a.caps == nil && g.book.Token(tokCaps) != "" {
			a.caps = strings.Fields(g.book.Token(tokCaps))
		}
		done(err)
	})
}

// ground is what an account stands on: its locks, its own state, the Maildir
// root and what can be expected of its file system.
type ground struct {
	fs       FS
	s        *Settings
	bookPath string
	now      time.Time

	locks  []*statefile.Lock
	book   *statefile.Folder
	report statefile.Report
	names  []string
	fold   maildir.Folding
	trust  maildir.Trust
	skew   time.Duration // file system's clock minus ours
}

func (g *ground) fail(err error, hint string) error {
	return &Error{Scope: ScopeAccount, Account: g.s.Name, Err: err, Did: "the account was left alone", Hint: hint}
}

// take runs on the disk goroutine.
func (g *ground) take() error {
	if err := g.openBook(); err != nil {
		return err
	}
	return g.openRoot()
}

func (g *ground) openBook() error {
	fs, s := g.fs, g.s
	if err := mkdirAll(fs, s.StateDir); err != nil {
		return g.fail(err, "make the metadata directory writable")
	}
	l, err := statefile.AcquireLock(fs, s.MetaDir+"/"+s.Name+".lock")
	if err != nil {
		return g.fail(err, "another offloop or OfflineIMAP works on this account; wait for it to finish")
	}
	g.locks = append(g.locks, l)
	g.book, g.report, err = statefile.Load(fs, g.bookPath)
	if errors.As(err, new(*statefile.DamageError)) {
		aside := g.bookPath + ".damaged-" + g.now.UTC().Format("20060102T150405")
		if err = fs.Rename(g.bookPath, aside); err == nil {
			g.book, g.report, err = statefile.Load(fs, g.bookPath)
		}
	}
	if err != nil {
		return g.fail(err, "")
	}
	return nil
}

// openRoot looks at the Maildir tree. A root that was synced before and is gone
// is an unmounted disk, not an empty tree.
func (g *ground) openRoot() error {
	fs, s := g.fs, g.s
	if _, _, _, _, _, _, e := fs.Stat(s.Root); e != nil {
		if g.book.Token(tokRoot) == s.Root {
			return g.fail(fmt.Errorf("the Maildir root %s is not there: %w", s.Root, e),
				"mount it or bring it back; if it is gone for good, remove "+g.bookPath+" to download everything again")
		}
		if s.DryRun {
			return nil
		}
		if e := mkdirAll(fs, s.Root); e != nil {
			return g.fail(e, "make localfolders a directory you can write to")
		}
	}
	if !s.DryRun {
		if e := g.lockRoot(); e != nil {
			return e
		}
	}
	var err error
	if g.names, err = (maildir.Layout{Root: s.Root, Sep: s.Sep}).Folders(fs); err != nil {
		return g.fail(fmt.Errorf("list Maildirs below %s: %w", s.Root, err), "check the directory's permissions")
	}
	return nil
}

func (g *ground) lockRoot() error {
	fs, dir := g.fs, g.s.Root+"/"+hidden
	if e := mkdirAll(fs, dir); e != nil {
		return g.fail(e, "make localfolders a directory you can write to")
	}
	l, err := statefile.AcquireLock(fs, dir+"/lock")
	if err != nil {
		return g.fail(err, "another account or program syncs this Maildir; give each account a tree of its own")
	}
	g.locks = append(g.locks, l)
	if g.fold, err = maildir.ProbeFolding(fs, dir); err != nil {
		return g.fail(err, "make localfolders a directory you can write to")
	}
	if g.trust, err = maildir.ProbeTrust(fs, dir); err != nil {
		g.trust = maildir.Trust{} // stamps then never count
	}
	if _, _, _, _, mtime, _, err := fs.Stat(dir + "/lock"); err == nil {
		g.skew = time.Unix(0, mtime).Sub(g.now)
	}
	return nil
}

func (a *Account) unlock(done func()) {
	locks := a.locks
	a.locks = nil
	a.env.Loop.Disk(func() {
		for _, l := range locks {
			l.Release()
		}
	}, done)
}

// mkdirAll makes a directory and its parents, 0700.
func mkdirAll(fs FS, dir string) error {
	if _, _, _, _, _, _, err := fs.Stat(dir); err == nil {
		return nil
	}
	for i := 1; i <= len(dir); i++ {
		if i < len(dir) && dir[i] != '/' {
			continue
		}
		if _, _, _, _, _, _, err := fs.Stat(dir[:i]); err == nil {
			continue
		}
		if err := fs.Mkdir(dir[:i], 0o700); err != nil && !errors.Is(err, os.ErrExist) {
			return fmt.Errorf("create %s: %w", dir[:i], err)
		}
	}
	return nil
}
