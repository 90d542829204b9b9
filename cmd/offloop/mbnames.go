package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"offloop/cmd/offloop/internal/config"
	"offloop/ui"
)

// mbnamesDir holds each account's folders, as OfflineIMAP keeps them.
func mbnamesDir(cfg *config.Config) string { return filepath.Join(cfg.Metadata, "mbnames") }

// noteFolders remembers an account's folders, and writes the list for the mail reader
// once all accounts have been synced.
func (p *program) noteFolders(r *runner) {
	m := p.cfg.MBNames
	if m == nil || p.o.dryRun || p.stop > 0 {
		return
	}
	var boxes []config.Mailbox
	for _, f := range r.a.Folders() {
		boxes = append(boxes, config.Mailbox{Account: r.acc.Name, Folder: f, Root: r.acc.Local.Root})
	}
	r.listed = r.listed || len(boxes) > 0
	write := m.Incremental || !p.some(func(r *runner) bool { return !r.listed && r.state != runnerDone })
	var err error
	p.writing++
	p.loop.Disk(func() {
		if len(boxes) > 0 {
			err = saveBoxes(mbnamesDir(p.cfg), r.acc.Name, boxes)
		}
		if err == nil && write {
			err = writeMBNames(p.cfg, nil)
		}
	}, func() {
		p.writing--
		if err != nil {
			p.show(ui.Event{Kind: "warn", Severity: "warn", Account: r.acc.Name, Text: fmt.Sprintf("mbnames: %v", err)})
		}
		p.loop.NextTurn(p.startNext)
	})
}

func (p *program) some(is func(*runner) bool) bool {
	for _, r := range p.runners {
		if is(r) {
			return true
		}
	}
	return false
}

func saveBoxes(dir, account string, boxes []config.Mailbox) error {
	b, err := json.Marshal(boxes)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return writeWhole(filepath.Join(dir, fileSafe(account)+".json"), b)
}

// writeMBNames writes the list of all accounts' folders; keep, if not nil, says of
// which accounts, and the others are forgotten.
func writeMBNames(cfg *config.Config, keep map[string]bool) error {
	files, err := filepath.Glob(filepath.Join(mbnamesDir(cfg), "*.json"))
	if err != nil {
		return err
	}
	var all []config.Mailbox
	for _, f := range files {
		if keep != nil && !keep[strings.TrimSuffix(filepath.Base(f), ".json")] {
			if err := os.Remove(f); err != nil {
				return err
			}
			continue
		}
		b, err := os.ReadFile(f)
		if err != nil {
			return err
		}
		var boxes []config.Mailbox
		if err := json.Unmarshal(b, &boxes); err != nil {
			return fmt.Errorf("%s: %w", f, err)
		}
		all = append(all, boxes...)
	}
	text, err := cfg.MBNames.Text(all)
	if err != nil {
		return err
	}
	return writeWhole(cfg.MBNames.Path, []byte(text))
}

// writeWhole writes a file whole or not at all. One that is there already in the same
// words is left alone.
func writeWhole(path string, b []byte) error {
	if old, err := os.ReadFile(path); err == nil && string(old) == string(b) {
		return nil
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(b)
	if err == nil {
		err = f.Chmod(0o644)
	}
	if err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	return err
}

// pruneMBNames forgets the folders of accounts that the configuration no longer lists.
func pruneMBNames(cfg *config.Config, stderr io.Writer) int {
	if cfg.MBNames == nil {
		fmt.Fprintln(stderr, "offloop: [mbnames] is not enabled, so there is nothing to prune")
		return 0
	}
	keep := map[string]bool{}
	for _, a := range cfg.Accounts {
		keep[fileSafe(a.Name)] = true
	}
	if err := writeMBNames(cfg, keep); err != nil {
		fmt.Fprintln(stderr, "offloop: mbnames:", err)
		return 1
	}
	return 0
}
