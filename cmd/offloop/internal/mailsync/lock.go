package mailsync

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"offloop/imapproto"
	"offloop/maildir"
	"offloop/statefile"
)

// hidden is the directory below the Maildir root that holds the root's lock and
// the trash; mail readers and offloop pass over names that begin with a dot and
// hold no cur, new and tmp.
const hidden = ".offloop"

// lockAndLook takes the account's lock, lets the hook run that may change the
// Maildirs, and then lists these.
func (a *Account) lockAndLook(done func(error)) {
	s, fs := a.set, a.env.FS
	g := &ground{fs: fs, s: s, bookPath: a.bookPath, now: a.env.Loop.Now()}
	var err error
	look := func() {
		a.env.Loop.Disk(func() { err = g.openRoot() }, func() { a.looked(g, err, done) })
	}
	a.env.Loop.Disk(func() { err = g.openBook() }, func() {
		if err != nil {
			a.looked(g, err, done)
			return
		}
		a.hook(HookBefore, look)
	})
}

// looked takes over what was found.
func (a *Account) looked(g *ground, err error, done func(error)) {
	a.locks, a.book, a.localNames, a.fold, a.trust, a.skew = g.locks, g.book, g.names, g.fold, g.trust, g.skew
	a.bookLen = -1
	if g.report.Torn {
		a.bookLen = g.report.GoodLen
	}
	if err == nil && a.caps == nil && g.book.Token(tokCaps) != "" {
		a.caps = imapproto.NewCapSet(strings.Fields(g.book.Token(tokCaps)), a.set.Disable).Names()
	}
	if g.damage != nil {
		a.report(g.damage)
	}
	a.maimed, a.marker = g.maimed, ""
	if err == nil {
		a.marker = g.marker
	}
	if g.copied {
		a.emit(Event{Kind: "warn", Severity: "warn", Text: fmt.Sprintf("The Maildir root %s is not the one that was synced, but holds every message of it; it is taken as its copy.", a.set.Root)})
	}
	done(err)
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
	skew   time.Duration   // file system's clock minus ours
	damage *Error          // why the account's state was begun anew
	maimed map[string]bool // folders synced before that are there but lack a directory
	marker string          // the root's
	copied bool            // the root is a copy of the one that was synced
}

func (g *ground) fail(err error, hint string) error {
	return &Error{Scope: ScopeAccount, Account: g.s.Name, Err: err, Did: "the account was left alone", Hint: hint}
}

// openBook takes the account's lock and reads its state. It runs on the disk
// goroutine.
func (g *ground) openBook() error {
	fs, s := g.fs, g.s
	if s.DryRun {
		return g.loadBook()
	}
	// The account's state file was made after its directories were flushed.
	if _, _, _, _, _, _, err := fs.Stat(g.bookPath); err != nil {
		if err := maildir.MakeDir(fs, s.StateDir); err != nil {
			return g.fail(err, "make the metadata directory writable")
		}
	}
	l, err := statefile.AcquireLock(fs, s.MetaDir+"/"+lockName(s.Name))
	if err != nil {
		return g.fail(err, lockHint(err, s.MetaDir, lockHolder(fs, err)+" works on this account; wait for it to finish"))
	}
	g.locks = append(g.locks, l)
	return g.loadBook()
}

// lockName is the name OfflineIMAP gives the account's lock, as far as that is a
// file name at all.
func lockName(account string) string {
	return strings.NewReplacer("/", "%2F", "\x00", "").Replace(account) + ".lock"
}

// lockHint says what to do about a lock that was not had: busy where another has it.
func lockHint(err error, dir, busy string) string {
	if errors.As(err, new(*statefile.LockedError)) {
		return busy
	}
	return "check the owner, the permissions and the free space of " + dir
}

// lockHolder says which program holds a lock, where the system tells. OfflineIMAP locks
// the very same file, so the two keep each other out.
func lockHolder(fs FS, err error) string {
	var locked *statefile.LockedError
	if errors.As(err, &locked) && locked.Pid > 0 {
		if b, err := readSmall(fs, fmt.Sprintf("/proc/%d/comm", locked.Pid), 256); err == nil && len(b) > 0 {
			return fmt.Sprintf("%s (process %d)", strings.TrimSpace(string(b)), locked.Pid)
		}
	}
	return "another offloop or OfflineIMAP"
}

// loadBook reads the account's own state. A damaged one is kept aside, and told
// of: without it every folder is looked at in full.
func (g *ground) loadBook() (err error) {
	fs, s := g.fs, g.s
	g.book, g.report, err = statefile.Load(fs, g.bookPath)
	var damage *statefile.DamageError
	switch {
	case !errors.As(err, &damage):
	case s.DryRun:
		g.book, err = statefile.NewFolder("", ""), nil
	default:
		aside := g.bookPath + ".damaged-" + g.now.UTC().Format("20060102T150405")
		if err = fs.Rename(g.bookPath, aside); err == nil {
			g.damage = &Error{Scope: ScopeAccount, Account: s.Name, Err: damage,
				Did:  "the file was kept as " + aside + " and every folder is compared in full; nothing is deleted",
				Hint: "nothing has to be done; if it happens again, check the disk"}
			g.book, g.report, err = statefile.Load(fs, g.bookPath)
		}
	}
	if err != nil {
		return g.fail(err, "")
	}
	return nil
}

// openRoot, on the disk goroutine, looks at the Maildir tree. A root that was
// synced before and is gone is an unmounted disk, not an empty tree.
func (g *ground) openRoot() error {
	fs, s := g.fs, g.s
	if _, _, _, _, _, _, e := fs.Stat(s.Root); e != nil {
		if e := g.rootGone(e); e != nil {
			return e
		}
		if s.DryRun {
			return nil
		}
		if e := maildir.MakeDir(fs, s.Root); e != nil {
			return g.fail(e, "make localfolders a directory you can write to")
		}
	}
	if e := g.checkMarker(); e != nil {
		return e
	}
	if !s.DryRun {
		if e := g.lockRoot(); e != nil {
			return e
		}
		if e := g.setMarker(); e != nil {
			return e
		}
	}
	var err error
	if g.names, err = (maildir.Layout{Root: s.Root, Sep: s.Sep}).Folders(fs); err != nil {
		return g.fail(fmt.Errorf("list Maildirs below %s: %w", s.Root, err), "check the directory's permissions")
	}
	return g.findMaimed()
}

// findMaimed looks for folders that were synced before and are not among the
// Maildirs now because one of their directories is missing: that is damage, not
// an empty folder and not one that was removed.
func (g *ground) findMaimed() error {
	have := map[string]bool{}
	for _, n := range g.names {
		have[n] = true
	}
	g.maimed = map[string]bool{}
	for _, key := range g.book.Tokens() {
		name, ok := strings.CutPrefix(key, tokFolder)
		if t, fits := parseFolderToken(g.book.Token(key)); !ok || !fits || t.forgotten || have[name] {
			continue
		}
		dir, err := maildir.Layout{Root: g.s.Root, Sep: g.s.Sep}.Path(name)
		if err != nil {
			continue // it was accepted once; now it is like any folder that is gone
		}
		state, err := maildir.Exists(g.fs, dir)
		if err != nil {
			return g.fail(fmt.Errorf("look at %s: %w", dir, err), "check the directory's permissions")
		}
		g.maimed[name] = state == maildir.Damaged
	}
	return nil
}

func (g *ground) lockRoot() error {
	fs, dir := g.fs, g.s.Root+"/"+hidden
	if _, _, _, _, _, _, e := fs.Stat(dir); e != nil {
		if e := maildir.MakeDir(fs, dir); e != nil {
			return g.fail(e, "make localfolders a directory you can write to")
		}
	}
	l, err := statefile.AcquireLock(fs, dir+"/lock")
	if err != nil {
		return g.fail(err, lockHint(err, dir, "another account or program syncs this Maildir; give each account a tree of its own"))
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
