package main

import (
	"fmt"
	"io"
	"time"

	"offloop/cmd/offloop/internal/config"
	"offloop/cmd/offloop/internal/mailsync"
	"offloop/maildir"
	"offloop/ui"
)

// migrate is --migrate-fmd5-using-nametrans. The status is 1 if a file that was to be
// renamed was not.
func migrate(cfg *config.Config, accounts []*config.Account, o *options, started time.Time, stdout, stderr io.Writer) int {
	return runErrand(cfg, accounts, o, started, stdout, stderr, func(e *errand) {
		e.each(func(r *runner, next func()) { r.migrate(e, stdout, stderr, next) })
	})
}

// migrate asks for the folders' translated names, and then renames the files.
func (r *runner) migrate(e *errand, stdout, stderr io.Writer, next func()) {
	var locals []string
	var out []mailsync.Migrated
	fail := func(err error) {
		e.code = 1
		fmt.Fprintln(stderr, "offloop:", ui.Safe(err.Error()))
		if known, ok := err.(*mailsync.Error); ok && known.Hint != "" {
			fmt.Fprintln(stderr, "hint:", known.Hint)
		}
	}
	var err error
	rename := func(e2 error) {
		if e2 != nil {
			fail(e2)
			next()
			return
		}
		now := r.p.loop.Now()
		r.p.loop.Aside(func() {
			err = mailsync.MigrateFMD5(maildir.OS{}, r.set, now, func(m mailsync.Migrated) { out = append(out, m) })
		}, func() {
			if !printMigrated(r.acc.Name, out, r.p.o.dryRun, stdout, stderr) {
				e.code = 1
			}
			if err != nil {
				fail(err)
			}
			next()
		})
	}
	r.p.loop.Aside(func() { locals, err = maildir.Layout{Root: r.set.Root, Sep: r.set.Sep}.Folders(maildir.OS{}) }, func() {
		if err != nil {
			fail(fmt.Errorf("account %s: list Maildirs below %s: %w", r.acc.Name, r.set.Root, err))
			next()
			return
		}
		n := names{acc: r.acc, cfg: r.p.cfg, rank: map[string]int{}}
		n.prepare(r.p.loop, r.askPassword, func(string) {})(r.set, nil, locals, "/", func(err error) {
			for _, l := range locals {
				if _, e := r.acc.Local.Rename.Try(l); e != nil && err == nil {
					err = fmt.Errorf("account %s, folder %s: nametrans: %w; no file was renamed", r.acc.Name, l, e)
				}
			}
			rename(err)
		})
	})
}

// printMigrated says what became of each file, and tells whether all went well.
func printMigrated(account string, out []mailsync.Migrated, dry bool, stdout, stderr io.Writer) bool {
	good, bad := 0, 0
	for _, m := range out {
		where := ui.Safe(account + ", folder " + m.Folder + ": " + m.File)
		switch {
		case m.Err != nil:
			bad++
			fmt.Fprintf(stderr, "offloop: %s keeps its name: %s\n", where, ui.Safe(m.Err.Error()))
			continue
		case dry:
			fmt.Fprintf(stdout, "%s -> %s\n", where, ui.Safe(m.To))
		}
		good++
	}
	what := "renamed"
	if dry {
		what = "would be renamed"
	}
	fmt.Fprintf(stdout, "%s: files of %s %s\n", account, messages(good), what)
	return bad == 0
}
