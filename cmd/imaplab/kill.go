package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	"offloop/cmd/internal/lab/dovecot"
	"offloop/cmd/internal/lab/kills"
)

// runKill kills synchronisers and prints a line for each.
func runKill(ctx context.Context, args []string) error {
	f := flag.NewFlagSet("imaplab kill", flag.ContinueOnError)
	tools := f.String("peer", "offloop,mbsync,offlineimap", "offloop, mbsync, offlineimap, offlineimap-4; separated by commas")
	binary := f.String("offloop", "offloop", "offloop's binary")
	n := f.Int("n", 300, "kills of each")
	parallel := f.Int("parallel", 4, "accounts at one time")
	seed := f.Uint64("seed", uint64(time.Now().Unix()), "repeats the same mail and waits")
	keep := f.String("keep", "", "keep the tools' files in this directory")
	if err := parse(f, args); err != nil {
		return err
	}
	srv, err := dovecot.Start(dovecot.Options{})
	if err != nil {
		return err
	}
	defer srv.Stop()
	dir := *keep
	if dir == "" {
		if dir, err = os.MkdirTemp("", "imaplab-kill-"); err != nil {
			return err
		}
		defer os.RemoveAll(dir)
	}
	for _, t := range strings.Split(*tools, ",") {
		tool, err := toolNamed(t, *binary, "")
		if err != nil {
			return err
		}
		if tool.LocalIMAP {
			return fmt.Errorf("%s keeps no Maildir", t)
		}
		if !tool.Available() {
			fmt.Printf("%s is not installed\n", tool.Binary)
			continue
		}
		r, err := kills.Run(ctx, kills.Options{Tool: tool, Server: srv, Dir: dir, Kills: *n, Seed: *seed, Parallel: *parallel})
		fmt.Println(r)
		if r.Refused > 0 {
			fmt.Println(r.First)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
