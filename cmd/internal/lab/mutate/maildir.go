package mutate

import (
	"bytes"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"offloop/cmd/internal/lab/gen"
	"offloop/cmd/internal/lab/imapc"
)

// maildir is a tree of Maildirs, changed as mail readers change it.
type maildir struct {
	root, s string
	n       int
}

func (m *maildir) sep() string { return m.s }

func (m *maildir) dir(folder string) string { return filepath.Join(m.root, folder) }

func (m *maildir) folders() ([]string, error) {
	var out []string
	err := filepath.WalkDir(m.root, func(p string, d os.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		switch d.Name() {
		case "cur", "new", "tmp":
			return filepath.SkipDir
		}
		for _, sub := range []string{"cur", "new", "tmp"} {
			if _, err := os.Stat(filepath.Join(p, sub)); err != nil {
				return nil
			}
		}
		rel, err := filepath.Rel(m.root, p)
		if rel != "." {
			out = append(out, rel)
		}
		return err
	})
	// Some tools name folders as on the wire; the order, and so the choice,
	// is to be the same for all.
	slices.SortFunc(out, func(a, b string) int {
		return strings.Compare(imapc.DecodeName(a), imapc.DecodeName(b))
	})
	return out, err
}

// files maps keys to files ("cur/name"). The key is the UID in the name, or
// a hash of the unique part where there is none.
func (m *maildir) files(folder string) (map[uint32]string, error) {
	out := map[uint32]string{}
	for _, sub := range []string{"new", "cur"} {
		ents, err := os.ReadDir(filepath.Join(m.dir(folder), sub))
		if err != nil {
			return nil, err
		}
		for _, e := range ents {
			if !strings.HasPrefix(e.Name(), ".") {
				out[key(e.Name())] = sub + "/" + e.Name()
			}
		}
	}
	return out, nil
}

func key(name string) uint32 {
	base, _, _ := strings.Cut(name, ":2,")
	if _, rest, ok := strings.Cut(base, ",U="); ok {
		digits, _, _ := strings.Cut(rest, ",")
		if n, err := strconv.ParseUint(digits, 10, 32); err == nil {
			return uint32(n)
		}
	}
	h := fnv.New32a()
	h.Write([]byte(base))
	return h.Sum32() | 1<<31
}

func (m *maildir) messages(folder string) ([]uint32, error) {
	files, err := m.files(folder)
	if err != nil {
		return nil, err
	}
	var out []uint32
	for k := range files {
		out = append(out, k)
	}
	slices.Sort(out)
	return out, nil
}

// add delivers as an MDA does: tmp, then new; every fourth message is put
// into cur with flags, as mail readers save copies.
func (m *maildir) add(folder string, msg gen.Message, r *rand.Rand) (Change, error) {
	m.n++
	name := fmt.Sprintf("%d.M%dP%d_%d.labhost", msg.Date.Unix(), r.IntN(1_000_000), os.Getpid(), m.n)
	tmp := filepath.Join(m.dir(folder), "tmp", name)
	if err := os.WriteFile(tmp, bytes.ReplaceAll(msg.Body, []byte("\r\n"), []byte("\n")), 0o600); err != nil {
		return Change{}, err
	}
	now := time.Now().Add(-time.Duration(r.IntN(86400)) * time.Second)
	if err := os.Chtimes(tmp, now, now); err != nil {
		return Change{}, err
	}
	to := "new/" + name
	if r.IntN(4) == 0 {
		to = "cur/" + name + ":2,S"
	}
	err := os.Rename(tmp, filepath.Join(m.dir(folder), to))
	return Change{What: "new", Folder: folder, Detail: fmt.Sprintf("%v, %d bytes, %s", msg.Kind, len(msg.Body), to)}, err
}

func (m *maildir) flags(folder string, k uint32, r *rand.Rand) (Change, error) {
	return m.toggle(folder, k, toggled[r.IntN(len(toggled))].letter, "flags")
}

// keyword sets a letter the folder has; without any it does nothing.
func (m *maildir) keyword(folder string, k uint32, r *rand.Rand) (Change, error) {
	b, err := os.ReadFile(filepath.Join(m.dir(folder), "dovecot-keywords"))
	if err != nil {
		return Change{}, nil
	}
	n := min(26, bytes.Count(b, []byte("\n")))
	if n == 0 {
		return Change{}, nil
	}
	return m.toggle(folder, k, byte('a'+r.IntN(n)), "keyword")
}

// toggle renames into cur, with one letter added or taken.
func (m *maildir) toggle(folder string, k uint32, letter byte, what string) (Change, error) {
	files, err := m.files(folder)
	if err != nil {
		return Change{}, err
	}
	from := files[k]
	base, letters, _ := strings.Cut(filepath.Base(from), ":2,")
	op := "+"
	if strings.IndexByte(letters, letter) >= 0 {
		letters, op = strings.ReplaceAll(letters, string(letter), ""), "-"
	} else {
		l := append([]byte(letters), letter)
		slices.Sort(l)
		letters = string(l)
	}
	c := Change{What: what, Folder: folder, Detail: op + string(letter)}
	if k < 1<<31 {
		c.UID = k
	}
	return c, os.Rename(filepath.Join(m.dir(folder), from), filepath.Join(m.dir(folder), "cur", base+":2,"+letters))
}

func (m *maildir) remove(folder string, keys []uint32) error {
	files, err := m.files(folder)
	if err != nil {
		return err
	}
	for _, k := range keys {
		if err := os.Remove(filepath.Join(m.dir(folder), files[k])); err != nil {
			return err
		}
	}
	return nil
}

func (m *maildir) createFolder(name string) error {
	for _, d := range []string{"cur", "new", "tmp"} {
		if err := os.MkdirAll(filepath.Join(m.dir(name), d), 0o700); err != nil {
			return err
		}
	}
	return nil
}

func (m *maildir) deleteFolder(name string) error { return os.RemoveAll(m.dir(name)) }

func (m *maildir) renameFolder(from, to string) error { return os.Rename(m.dir(from), m.dir(to)) }
