package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"offloop/cmd/offloop/internal/config"
	"offloop/cmd/offloop/internal/mailsync"
	"offloop/maildir"
	"offloop/ui"
)

const undoUsage = "[ACCOUNT [FOLDER]] [--since 1h] [--list]"

// undoSince is how far back undo goes unless told otherwise: far enough for an
// accident just noticed, not so far that it brings back what was deleted on
// purpose all week.
const undoSince = time.Hour

// undoArgs are what stands behind "undo".
type undoArgs struct {
	folder string
	all    bool // every folder
	list   bool
	since  time.Duration // 0 = whatever is kept
}

func parseUndo(o *options) (u undoArgs, err error) {
	var names []string
	since := ""
	for args := o.args; len(args) > 0; args = args[1:] {
		switch a := args[0]; {
		case a == "--list":
			u.list = true
		case a == "--since" && len(args) > 1:
			args = args[1:]
			since = args[0]
		case strings.HasPrefix(a, "--since="):
			since = strings.TrimPrefix(a, "--since=")
		case strings.HasPrefix(a, "-") || len(names) == 2:
			return u, fmt.Errorf("undo does not understand %q; it is called as: offloop undo %s", a, undoUsage)
		default:
			names = append(names, a)
		}
	}
	u.list, u.all = u.list || o.dryRun, len(names) < 2
	if len(names) > 0 {
		o.accounts = names[:1]
	}
	if !u.all {
		u.folder = names[1]
	}
	switch d, ok := config.ParseDuration(since); {
	case since == "" && !u.list:
		u.since = undoSince
	case since == "":
	case !ok || d == 0:
		return u, fmt.Errorf("--since %s: give a time like 90m, 2h or 3d", since)
	default:
		u.since = d
	}
	return u, nil
}

// undo restores, or lists, what the trash of the accounts holds. It returns 1 if
// something could not be restored.
func undo(cfg *config.Config, accounts []*config.Account, o *options, u undoArgs, now time.Time, stdout, stderr io.Writer) int {
	code := 0
	for _, acc := range accounts {
		opt := mailsync.UndoOptions{Folder: u.folder, All: u.all, List: u.list}
		if u.since > 0 {
			opt.Since = now.Add(-u.since)
		}
		s := settings(cfg, acc, o)
		found, err := mailsync.Undo(maildir.OS{}, s, now, opt)
		if !printUndone(acc.Name, found, u.list, stdout, stderr) || err != nil {
			code = 1
		}
		if err != nil {
			fmt.Fprintln(stderr, "offloop:", ui.Safe(err.Error()))
			if e, ok := err.(*mailsync.Error); ok && e.Hint != "" {
				fmt.Fprintln(stderr, "hint:", e.Hint)
			}
			continue
		}
		if len(found) > 0 || u.since == 0 {
			continue
		}
		opt.Since, opt.List = time.Time{}, true
		if older, err := mailsync.Undo(maildir.OS{}, s, now, opt); err == nil && len(older) > 0 {
			fmt.Fprintf(stdout, "hint: %s deleted earlier are kept; offloop undo --list shows them, --since 3d brings back those of three days\n", messages(len(older)))
		}
	}
	return code
}

// printUndone says what became of each file, and tells whether all went well.
func printUndone(account string, found []*mailsync.Trashed, list bool, stdout, stderr io.Writer) bool {
	good, bad := 0, 0
	for _, t := range found {
		folder := t.Folder + t.Lost
		switch {
		case t.Err != nil:
			bad++
			fmt.Fprintf(stderr, "offloop: %s, folder %s, %s: %s\n", account, ui.Safe(folder), ui.Safe(t.File), ui.Safe(t.Err.Error()))
			continue
		case list && t.Lost != "":
			folder += " (no such Maildir)"
		case t.Dest == "" && !list:
			continue // the error that ended it says so
		}
		good++
		fmt.Fprintf(stdout, "%s %s: %s\n", t.At.Local().Format("2006-01-02 15:04:05"), ui.Safe(folder), ui.Safe(t.File))
	}
	switch {
	case list:
		fmt.Fprintf(stdout, "%s: %s can be brought back\n", account, messages(good))
	case good == 0 && bad == 0:
		fmt.Fprintf(stdout, "%s: nothing to bring back\n", account)
	case good > 0:
		fmt.Fprintf(stdout, "%s: %s brought back; the next sync uploads them\n", account, messages(good))
	}
	return bad == 0
}

func messages(n int) string {
	if n == 1 {
		return "1 message"
	}
	return fmt.Sprintf("%d messages", n)
}
