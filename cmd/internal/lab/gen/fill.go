package gen

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"offloop/cmd/internal/lab/imapc"
)

// Name joins a folder's path with a server's separator. A server that
// reserves the separator gets it replaced inside an element.
func (f Folder) Name(delim string) string {
	if delim == "" {
		return strings.Join(f.Path, "-")
	}
	p := make([]string, len(f.Path))
	for i, e := range f.Path {
		p[i] = strings.ReplaceAll(e, delim, "-")
	}
	return strings.Join(p, delim)
}

// FillIMAP creates the folders of an account that are missing on a server
// and appends all messages.
func (a *Account) FillIMAP(c *imapc.Client) error {
	delim, err := c.Delim()
	if err != nil {
		return err
	}
	boxes, err := c.List()
	if err != nil {
		return err
	}
	have := map[string]bool{}
	for _, m := range boxes {
		have[m.Name] = m.Selectable()
	}
	for i, f := range a.folders {
		name := f.Name(delim)
		if !have[name] && !strings.EqualFold(name, "INBOX") {
			if err := c.Create(name); err != nil {
				return fmt.Errorf("folder %q: %w", name, err)
			}
		}
		if err := c.Subscribe(name); err != nil {
			return fmt.Errorf("folder %q: %w", name, err)
		}
		if err := a.fillFolder(c, i, name); err != nil {
			return fmt.Errorf("folder %q: %w", name, err)
		}
	}
	return nil
}

// fillFolder appends in batches of a few megabytes.
func (a *Account) fillFolder(c *imapc.Client, folder int, name string) error {
	var batch []imapc.Upload
	size := 0
	for i := range a.folders[folder].Messages {
		m := a.Message(folder, i)
		batch = append(batch, imapc.Upload{Flags: m.Flags, Date: m.Date, Body: m.Body})
		size += len(m.Body)
		if len(batch) == 500 || size > 8<<20 || i == a.folders[folder].Messages-1 {
			if _, err := c.Append(name, batch...); err != nil {
				return err
			}
			batch, size = batch[:0], 0
		}
	}
	return nil
}

// FillDovecot writes the account straight into a Maildir that Dovecot has
// not opened yet, in its fs layout; much faster than IMAP. Dovecot gives UIDs
// in order. The caller sets the owner.
func (a *Account) FillDovecot(root string) error {
	for i, f := range a.folders {
		dir := root
		if i > 0 {
			var p []string
			for _, e := range f.Path {
				p = append(p, imapc.EncodeName(e))
			}
			dir = filepath.Join(root, filepath.Join(p...))
		}
		if err := a.writeMaildir(dir, i); err != nil {
			return fmt.Errorf("folder %q: %w", dir, err)
		}
	}
	var subs strings.Builder
	for _, f := range a.folders {
		subs.WriteString(imapc.EncodeName(f.Name("/")) + "\n")
	}
	return os.WriteFile(filepath.Join(root, "subscriptions"), []byte(subs.String()), 0o600)
}

func (a *Account) writeMaildir(dir string, folder int) error {
	for _, d := range []string{"cur", "new", "tmp"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o700); err != nil {
			return err
		}
	}
	used := map[string]bool{}
	for i := range a.folders[folder].Messages {
		m := a.Message(folder, i)
		// The number after the time keeps Dovecot's order, and so its UIDs.
		name := fmt.Sprintf("%d.M%07dP1.gen:2,%s", m.Date.Unix(), i, letters(m.Flags, used))
		p := filepath.Join(dir, "cur", name)
		if err := os.WriteFile(p, bytes.ReplaceAll(m.Body, []byte("\r\n"), []byte("\n")), 0o600); err != nil {
			return err
		}
		if err := os.Chtimes(p, m.Date, m.Date); err != nil {
			return err
		}
	}
	if len(used) == 0 {
		return nil
	}
	var kw strings.Builder
	for i, k := range keywords {
		fmt.Fprintf(&kw, "%d %s\n", i, k)
	}
	return os.WriteFile(filepath.Join(dir, "dovecot-keywords"), []byte(kw.String()), 0o600)
}

// letters are the flags in a Maildir file name; keywords get Dovecot's
// letters, by their place in the list.
func letters(flags []string, used map[string]bool) string {
	var out []byte
	for _, f := range flags {
		switch f {
		case `\Seen`:
			out = append(out, 'S')
		case `\Answered`:
			out = append(out, 'R')
		case `\Flagged`:
			out = append(out, 'F')
		case `\Draft`:
			out = append(out, 'D')
		case `\Deleted`:
			out = append(out, 'T')
		default:
			if i := slices.Index(keywords, f); i >= 0 {
				out = append(out, byte('a'+i))
				used[f] = true
			}
		}
	}
	slices.Sort(out)
	return string(out)
}
