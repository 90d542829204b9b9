package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"offloop/cmd/offloop/internal/config"
	"offloop/statefile"
)

// showState prints, or with --check verifies, what is recorded of the accounts'
// folders.
func showState(cfg *config.Config, accounts []*config.Account, o *options, stdout, stderr io.Writer) int {
	check := false
	var folders []string
	for _, a := range o.args {
		if a == "--check" {
			check = true
			continue
		}
		folders = append(folders, a)
	}
	code := 0
	for _, acc := range accounts {
		s := settings(cfg, acc, o)
		files, err := stateFiles(s.StateDir, folders)
		if err != nil {
			fmt.Fprintf(stderr, "offloop: account %s: %v\n", acc.Name, err)
			code = 1
			continue
		}
		for _, f := range files {
			if !printState(acc.Name, f, check, stdout, stderr) {
				code = 1
			}
		}
	}
	return code
}

// stateFiles names the files of the folders asked for, or all.
func stateFiles(dir string, folders []string) ([]string, error) {
	if len(folders) > 0 {
		var files []string
		for _, f := range folders {
			p := filepath.Join(dir, statefile.FileName(f)+".state")
			if _, err := os.Stat(p); err != nil {
				return nil, fmt.Errorf("nothing is recorded of folder %q (%w)", f, err)
			}
			files = append(files, p)
		}
		return files, nil
	}
	entries, err := os.ReadDir(dir)
	if os.IsNotExist(err) {
		return nil, fmt.Errorf("nothing is recorded yet; it was not synced by offloop")
	}
	var files []string
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".state") {
			files = append(files, filepath.Join(dir, e.Name()))
		}
	}
	return files, err
}

func printState(account, file string, check bool, stdout, stderr io.Writer) bool {
	if check {
		r, err := statefile.Check(statefile.OS{}, file)
		if err != nil {
			fmt.Fprintf(stderr, "offloop: account %s: %v\n", account, err)
			return false
		}
		fmt.Fprintln(stdout, r)
		for _, n := range r.Notes {
			fmt.Fprintln(stdout, "  note:", n)
		}
		return !r.Torn
	}
	f, r, err := statefile.Load(statefile.OS{}, file)
	if err != nil {
		fmt.Fprintf(stderr, "offloop: account %s: %v\n", account, err)
		return false
	}
	fmt.Fprintln(stdout, r)
	statefile.Dump(stdout, f)
	return true
}
