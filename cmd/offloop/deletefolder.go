package main

import (
	"fmt"
	"io"
	"time"

	"offloop/cmd/offloop/internal/config"
	"offloop/ui"
)

// deleteFolder is --delete-folder: the folder goes from the server, with its
// messages; the Maildir is left alone.
func deleteFolder(cfg *config.Config, accounts []*config.Account, o *options, started time.Time, stdout, stderr io.Writer) int {
	if len(accounts) != 1 {
		fmt.Fprintln(stderr, "offloop: you must supply only one account with '-a'; nothing was deleted")
		return 1
	}
	acc := accounts[0]
	if o.dryRun {
		fmt.Fprintf(stdout, "would try to remove '%s' on remote of '%s' account\n", ui.Safe(o.deleteFolder), acc.Name)
		return 0
	}
	o.ui = "quiet"
	return runErrand(cfg, accounts, o, started, stdout, stderr, func(e *errand) {
		e.code = 1 // unless it is done
		e.each(func(r *runner, next func()) {
			name := names{acc: acc, cfg: cfg}.wire(o.deleteFolder)
			r.a.DeleteRemote(name, func(messages int64, err error) {
				if err != nil {
					fmt.Fprintf(stderr, "offloop: Folder '%s'[%s] could not be deleted: %s\n", ui.Safe(name), acc.Remote.Name, ui.Safe(err.Error()))
				} else {
					e.code = 0
					fmt.Fprintf(stdout, "Folder '%s'[%s] deleted%s; the Maildir was left alone\n", ui.Safe(name), acc.Remote.Name, held(messages))
				}
				next()
			})
		})
	})
}

func held(messages int64) string {
	switch {
	case messages < 0:
		return ""
	case messages == 1:
		return " with the 1 message in it"
	}
	return fmt.Sprintf(" with the %d messages in it", messages)
}
