package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"offloop/cmd/offloop/internal/config"
	"offloop/cmd/offloop/internal/mailsync"
	"offloop/ui"
)

// inspectAll tells what is known of the accounts and what their servers say:
// --info, and check --connect. Nothing is changed on either side.
func inspectAll(cfg *config.Config, accounts []*config.Account, o *options, started time.Time, stdout, stderr io.Writer) int {
	o.ui = "quiet"
	return runErrand(cfg, accounts, o, started, stdout, stderr, func(e *errand) {
		e.each(func(r *runner, next func()) {
			r.a.Inspect(func(found *mailsync.Inspection, err error) {
				printAccount(stdout, r.acc)
				if err != nil {
					e.code = 1
					fmt.Fprintf(stdout, "  not reached: %s\n", ui.Safe(err.Error()))
					if known := (*mailsync.Error)(nil); errors.As(err, &known) && known.Hint != "" {
						fmt.Fprintf(stdout, "    %s\n", ui.Safe(known.Hint))
					}
				} else {
					printServer(stdout, found)
				}
				next()
			})
		})
	})
}

func printAccount(w io.Writer, acc *config.Account) {
	l, r := &acc.Local, &acc.Remote
	fmt.Fprintf(w, "Account %s\n  local repository %s: %s %s, separator %q\n", acc.Name, l.Name, l.Type, l.Root, l.Sep)
	where := fmt.Sprintf("%s:%d (%s)", r.Host, r.Port, r.TLS)
	if r.PreauthTunnel+r.TransportTunnel != "" {
		where = "through a tunnel"
	}
	fmt.Fprintf(w, "  remote repository %s: %s %s\n", r.Name, r.Type, where)
	for _, u := range acc.Python.Uses {
		fmt.Fprintf(w, "  %s evaluates %s\n", acc.Python.Program, ui.Safe(u.String()))
	}
	for _, x := range []struct{ name, rule string }{
		{"remote folders", r.Folders.String()}, {"local folders", l.Folders.String()}, {"remote names", r.Rename.String()}, {"local names", l.Rename.String()},
	} {
		if x.rule != "" {
			fmt.Fprintf(w, "  rule for %s: %s\n", x.name, ui.Safe(x.rule))
		}
	}
}

func printServer(w io.Writer, s *mailsync.Inspection) {
	fmt.Fprintf(w, "  server says: %s\n  it can: %s\n  folders:\n", ui.Safe(s.Greeting), ui.Safe(strings.Join(s.Caps, " ")))
	for _, f := range s.Folders {
		switch {
		case f.Problem != "":
			fmt.Fprintf(w, "    %s (cannot be synced: %s)\n", ui.Safe(f.Remote), ui.Safe(f.Problem))
		case !f.Wanted:
			fmt.Fprintf(w, "    %s -> %s (disabled)\n", ui.Safe(f.Remote), ui.Safe(f.Local))
		default:
			fmt.Fprintf(w, "    %s -> %s\n", ui.Safe(f.Remote), ui.Safe(f.Local))
		}
	}
}
