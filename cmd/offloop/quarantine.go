package main

import (
	"fmt"
	"io"
	"math"
	"time"

	"offloop/cmd/offloop/internal/config"
	"offloop/statefile"
	"offloop/ui"
)

// listQuarantine prints the messages that are set aside, in all folders or in one.
func listQuarantine(cfg *config.Config, accounts []*config.Account, o *options, folder string, now time.Time, stdout, stderr io.Writer) int {
	code, n := 0, 0
	for _, acc := range accounts {
		var folders []string
		if folder != "" {
			folders = []string{folder}
		}
		files, err := stateFiles(settings(cfg, acc, o).StateDir, folders)
		if err != nil {
			fmt.Fprintf(stderr, "offloop: account %s: %v\n", acc.Name, err)
			code = 1
			continue
		}
		for _, file := range files {
			f, _, err := statefile.Load(statefile.OS{}, file)
			if err != nil {
				fmt.Fprintf(stderr, "offloop: account %s: %v\n", acc.Name, err)
				code = 1
				continue
			}
			for _, q := range f.Quarantine() {
				n++
				fmt.Fprintln(stdout, quarantineLine(acc.Name, f.Name(), q, now))
			}
		}
	}
	if n == 0 && code == 0 {
		fmt.Fprintln(stdout, "no message is set aside")
	}
	return code
}

func quarantineLine(account, folder string, q statefile.Quarantined, now time.Time) string {
	what := "file " + q.Key
	if q.Side == "remote" {
		what = "UID " + q.Key + " on the server"
	}
	line := fmt.Sprintf("%s, folder %s: %s: %s", account, folder, what, q.Reason)
	if q.Since != 0 {
		line += "; since " + time.Unix(0, q.Since).Format("2006-01-02 15:04")
	}
	if q.Tries > 0 {
		line += fmt.Sprintf(", tried %d times", q.Tries)
	}
	switch next := time.Unix(0, q.Next); {
	case q.Next == math.MaxInt64:
		line += ", waits for --recreate"
	case !next.After(now):
		line += ", tried again by the next sync"
	default:
		line += ", next try " + next.Format("2006-01-02 15:04")
	}
	return ui.Safe(line)
}
