// Package mutate changes an account on a server, or a Maildir the way a mail
// reader does, at random but repeatably: one seed, one state, one set of
// changes.
package mutate

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"offloop/cmd/internal/lab/gen"
	"offloop/cmd/internal/lab/imapc"
)

// Options say how many changes, spread over Folders folders.
type Options struct {
	Seed     uint64
	Folders  int // touched; 0 = all that have mail
	New      int // messages added
	Flags    int // messages whose system flags change
	Keywords int // messages that get a keyword (on a server, or where the folder has letters)
	Delete   int // messages deleted for good
	// Folders made, removed with their mail, renamed. Never INBOX, never one
	// that has children.
	CreateFolders, DeleteFolders, RenameFolders int
	// Only limits flag changes and deletes to messages by UID, e.g. so that
	// two sides do not touch the same ones. nil = all.
	Only func(uid uint32) bool
	// In limits all changes of messages to one folder.
	In string
	// Mail is how new messages look; its Seed, Messages and Folders are set here.
	Mail gen.Options
}

// Change is one thing done.
type Change struct {
	What   string // new, flags, keyword, delete, create folder, …
	Folder string
	UID    uint32 // 0 if not known
	Detail string
}

func (c Change) String() string {
	s := c.What + " " + fmt.Sprintf("%q", c.Folder)
	if c.UID != 0 {
		s += fmt.Sprintf(" UID %d", c.UID)
	}
	if c.Detail != "" {
		s += ": " + c.Detail
	}
	return s
}

// Changes is what was done, in order.
type Changes []Change

func (c Changes) String() string {
	var sb strings.Builder
	for _, x := range c {
		sb.WriteString(x.String() + "\n")
	}
	return sb.String()
}

// Count counts the changes of one kind.
func (c Changes) Count(what string) int {
	n := 0
	for _, x := range c {
		if x.What == what {
			n++
		}
	}
	return n
}

// side is what a server and a Maildir have in common. Folder names use the
// side's own separator.
type side interface {
	folders() ([]string, error) // sorted
	sep() string
	messages(folder string) ([]uint32, error) // keys, ascending; UIDs where known
	add(folder string, m gen.Message, r *rand.Rand) (Change, error)
	flags(folder string, key uint32, r *rand.Rand) (Change, error)
	keyword(folder string, key uint32, r *rand.Rand) (Change, error)
	remove(folder string, keys []uint32) error
	createFolder(name string) error
	deleteFolder(name string) error
	renameFolder(from, to string) error
}

// Server changes an account through IMAP.
func Server(c *imapc.Client, o Options) (Changes, error) {
	d, err := c.Delim()
	if err != nil {
		return nil, err
	}
	return run(&server{c: c, delim: d}, o)
}

// Maildir changes a tree of Maildirs below root; sep as in the
// synchroniser's configuration ("/" nested, else flat).
func Maildir(root, sep string, o Options) (Changes, error) {
	return run(&maildir{root: root, s: sep}, o)
}

func run(s side, o Options) (Changes, error) {
	r := rand.New(rand.NewPCG(o.Seed, 77))
	var done Changes
	all, err := s.folders()
	if err != nil {
		return nil, err
	}
	chosen, err := choose(s, o, all, r)
	if err != nil {
		return nil, err
	}
	mail := o.Mail
	mail.Seed, mail.Folders, mail.Messages = o.Seed^0x6e6577, 1, max(1, o.New)
	account := gen.New(mail)
	for i, f := range chosen {
		part := func(n int) int { return n/len(chosen) + b2i(i < n%len(chosen)) }
		if err := touch(s, f, part(o.Delete), part(o.Flags), part(o.Keywords), o, r, &done); err != nil {
			return done, fmt.Errorf("folder %q: %w", f, err)
		}
		for k := range part(o.New) {
			ch, err := s.add(f, account.Message(0, k*len(chosen)+i), r)
			if err != nil {
				return done, fmt.Errorf("folder %q: %w", f, err)
			}
			done = append(done, ch)
		}
	}
	err = reshape(s, all, o, r, &done)
	return done, err
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// choose picks the folders to touch, preferring those with enough mail.
func choose(s side, o Options, all []string, r *rand.Rand) ([]string, error) {
	if o.In != "" {
		return []string{o.In}, nil
	}
	var out []string
	order := slices.Clone(all)
	r.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	want := len(order)
	if o.Folders > 0 {
		want = min(o.Folders, want)
	}
	need := (o.Delete + o.Flags + o.Keywords) / max(1, want)
	for _, least := range []int{need + 1, 1, 0} {
		for _, f := range order {
			if len(out) == want || slices.Contains(out, f) {
				continue
			}
			m, err := s.messages(f)
			if err != nil {
				return nil, fmt.Errorf("folder %q: %w", f, err)
			}
			if len(m) >= least {
				out = append(out, f)
			}
		}
	}
	slices.Sort(out)
	return out, nil
}

// touch deletes and flags different messages of one folder.
func touch(s side, f string, del, flag, kw int, o Options, r *rand.Rand, done *Changes) error {
	if del+flag+kw == 0 {
		return nil
	}
	keys, err := s.messages(f)
	if err != nil {
		return err
	}
	if o.Only != nil {
		keys = slices.DeleteFunc(keys, func(u uint32) bool { return !o.Only(u) })
	}
	r.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
	take := func(n int) []uint32 {
		n = min(n, len(keys))
		t := keys[:n]
		keys = keys[n:]
		slices.Sort(t)
		return t
	}
	gone := take(del)
	for _, k := range take(flag) {
		c, err := s.flags(f, k, r)
		if err != nil {
			return err
		}
		*done = append(*done, c)
	}
	for _, k := range take(kw) {
		c, err := s.keyword(f, k, r)
		if err != nil {
			return err
		}
		if c.What != "" {
			*done = append(*done, c)
		}
	}
	if len(gone) == 0 {
		return nil
	}
	if err := s.remove(f, gone); err != nil {
		return err
	}
	for _, k := range gone {
		*done = append(*done, Change{What: "delete", Folder: f, UID: k})
	}
	return nil
}

// reshape makes, renames and removes folders.
func reshape(s side, all []string, o Options, r *rand.Rand, done *Changes) error {
	free := slices.DeleteFunc(slices.Clone(all), func(f string) bool {
		return strings.EqualFold(f, "INBOX") || f == "" || slices.ContainsFunc(all, func(g string) bool { return strings.HasPrefix(g, f+s.sep()) })
	})
	r.Shuffle(len(free), func(i, j int) { free[i], free[j] = free[j], free[i] })
	next := func() string {
		if len(free) == 0 {
			return ""
		}
		f := free[0]
		free = free[1:]
		return f
	}
	for i := range o.CreateFolders {
		name := fmt.Sprintf("Neu é %d-%d", o.Seed, i)
		if len(all) > 0 && r.IntN(2) == 0 {
			name = all[r.IntN(len(all))] + s.sep() + name
		}
		if err := s.createFolder(name); err != nil {
			return fmt.Errorf("create folder %q: %w", name, err)
		}
		*done = append(*done, Change{What: "create folder", Folder: name})
	}
	for range o.DeleteFolders {
		if f := next(); f != "" {
			if err := s.deleteFolder(f); err != nil {
				return fmt.Errorf("delete folder %q: %w", f, err)
			}
			*done = append(*done, Change{What: "delete folder", Folder: f})
		}
	}
	for i := range o.RenameFolders {
		if f := next(); f != "" {
			to := fmt.Sprintf("Renamed %d-%d", o.Seed, i)
			if err := s.renameFolder(f, to); err != nil {
				return fmt.Errorf("rename folder %q: %w", f, err)
			}
			*done = append(*done, Change{What: "rename folder", Folder: f, Detail: "to " + to})
		}
	}
	return nil
}

// toggled are the flags that changes turn on or off.
var toggled = []struct {
	imap   string
	letter byte
}{{`\Seen`, 'S'}, {`\Flagged`, 'F'}, {`\Answered`, 'R'}}
