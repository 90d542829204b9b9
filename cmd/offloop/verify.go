package main

import (
	"fmt"
	"io"
	"time"

	"offloop/cmd/offloop/internal/config"
	"offloop/cmd/offloop/internal/mailsync"
	"offloop/ui"
)

// verifyAll compares server, Maildir and state of the accounts and prints every
// difference. It changes nothing and takes no lock. The status is 0 only if there
// is none and everything was compared.
func verifyAll(cfg *config.Config, accounts []*config.Account, o *options, bytes bool, folder string, started time.Time, stdout, stderr io.Writer) int {
	o.dryRun = true
	return runErrand(cfg, accounts, o, started, stdout, stderr, func(e *errand) {
		e.each(func(r *runner, next func()) {
			v := &mailsync.Verification{Bytes: bytes}
			if folder != "" {
				v.Folders = []string{folder}
			}
			differences := 0
			v.Found = func(d mailsync.Difference) {
				differences++
				fmt.Fprintln(stdout, differenceLine(r.acc.Name, d))
			}
			r.set.Verify = v
			r.state = runnerBusy // so that a signal stops it
			r.a.Round(func() {
				r.state = runnerDone
				if differences > 0 || len(r.a.Result().Errors) > 0 || e.p.stop > 0 {
					e.code = 1
				}
				fmt.Fprintln(stdout, verified(r.acc.Name, v, differences, len(r.a.Result().Errors)))
				next()
			})
		})
	})
}

func differenceLine(account string, d mailsync.Difference) string {
	line := fmt.Sprintf("%s, folder %s", account, d.Folder)
	if d.UID != 0 {
		line += fmt.Sprintf(", UID %d", d.UID)
	}
	if d.File != "" {
		line += ", " + d.File
	}
	return ui.Safe(line + ": " + d.Text)
}

func verified(account string, v *mailsync.Verification, differences, errors int) string {
	line := fmt.Sprintf("%s: %d messages on both sides", account, v.Messages)
	if v.Bytes {
		line += fmt.Sprintf(", contents of %d compared", v.Contents)
	}
	line += fmt.Sprintf(", %d differences", differences)
	if errors > 0 {
		line += fmt.Sprintf("; %d errors, so not everything was compared", errors)
	}
	return ui.Safe(line)
}
