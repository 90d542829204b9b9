package maildir

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Layout says how folder names become directories below Root.
//
// With Sep "/" folders are nested: "Work/2024" is Root/Work/2024. With any
// other Sep they lie side by side: "Work.2024" is Root/Work.2024, one directory
// whose name holds the separators. In both, Root itself may be a Maildir; its
// name is "".
type Layout struct {
	Root string // absolute
	Sep  string
}

// reserved begins the names of our own directories below a root (the trash).
const reserved = ".offloop"

var (
	reservedKey = Folding{Case: true, Unicode: true}.Key(reserved)
	subdirKeys  = [...]string{
		Folding{Case: true, Unicode: true}.Key("cur"),
		Folding{Case: true, Unicode: true}.Key("new"),
		Folding{Case: true, Unicode: true}.Key("tmp"),
	}
)

// Path gives the directory of a folder, whose name uses Sep. The name may come
// from a hostile server: what could leave Root, hide inside another Maildir,
// take a name of our own or not be a file name at all is a *NameError.
//
// A leading dot is allowed (OfflineIMAP users make Maildir++ trees with it).
// ".", "..", ".offloop...", cur, new, tmp and whatever a file system could take
// for one of them are not. Whether two names meet in one directory on a file system that
// folds case or Unicode forms is another question: see [Folding].
func (l Layout) Path(folder string) (string, error) {
	if folder == "" {
		return l.Root, nil
	}
	parts := []string{folder}
	if l.Sep == "/" {
		parts = strings.Split(folder, "/")
	}
	for _, p := range parts {
		if why := badComponent(p); why != "" {
			return "", &NameError{Name: folder, Reason: why}
		}
	}
	path := join(l.Root, folder)
	if len(path) > maxPath {
		return "", &NameError{Name: folder, Reason: fmt.Sprintf("its path is longer than %d bytes", maxPath)}
	}
	return path, nil
}

// badComponent says why p cannot be one directory of a folder's path, "" if it
// can.
func badComponent(p string) string {
	if p == "" {
		return "a part of it is empty"
	}
	if len(p) > 255 {
		return "a part of it is longer than 255 bytes"
	}
	// As the most forgiving file system sees it: without case and without the
	// invisible characters that HFS+ and ext4 skip.
	key := Folding{Case: true, Unicode: true}.Key(p)
	sub := key == subdirKeys[0] || key == subdirKeys[1] || key == subdirKeys[2]
	switch {
	case key == "" || key == "." || key == "..":
		return "it would leave the Maildir root"
	case !utf8.ValidString(p):
		return "it is not valid UTF-8"
	case strings.ContainsRune(p, '/'):
		return "it holds a '/', which is not the separator of this Maildir"
	case strings.HasPrefix(key, reservedKey):
		return "names beginning with " + reserved + " are kept for this program"
	case sub: // also when flat: Root may be a Maildir itself
		return "cur, new and tmp are parts of a Maildir"
	}
	for _, r := range p {
		if r < 0x20 || 0x7f <= r && r < 0xa0 || r == 0x2028 || r == 0x2029 {
			return "it holds a control character"
		}
	}
	return ""
}

// maxDepth bounds the walk through nested folders; symbolic links may form a
// ring.
const maxDepth = 32

// Folders lists the folders there are: every directory with cur, new and tmp,
// by its name with Sep, sorted; Root itself, if it is one, as "". As OfflineIMAP
// does, Sep "/" looks into subdirectories and any other Sep only at those of
// Root.
//
// If a directory could not be read the rest is still listed and the error says
// which; a folder that is not in such a list is not known to be missing.
func (l Layout) Folders(fs FS) ([]string, error) {
	w := walk{fs: fs, layout: l, buf: make([]byte, direntBuf)}
	w.dir(l.Root, "", 0)
	w.check("", l.Root)
	slices.Sort(w.found)
	return w.found, w.err
}

type walk struct {
	fs     FS
	layout Layout
	buf    []byte // free again before the walk goes deeper
	found  []string
	err    error
}

// check adds dir if it is a Maildir.
func (w *walk) check(folder, dir string) {
	switch st, err := Exists(w.fs, dir); {
	case err != nil:
		w.err = errors.Join(w.err, err)
	case st == Whole:
		w.found = append(w.found, folder)
	}
}

// dir looks at every directory in path.
func (w *walk) dir(path, folder string, depth int) {
	var names []string
	if err := readDir(w.fs, path, w.buf, func(n string) { names = append(names, n) }); err != nil {
		w.err = errors.Join(w.err, err)
		return
	}
	for _, name := range names {
		if name == "cur" || name == "new" || name == "tmp" || strings.HasPrefix(name, reserved) {
			continue
		}
		sub := join(path, name)
		switch exists, isDir, err := stat(w.fs, sub); {
		case err != nil:
			w.err = errors.Join(w.err, err)
			continue
		case !exists || !isDir:
			continue
		}
		f := name
		if folder != "" {
			f = folder + "/" + name
		}
		w.check(f, sub)
		if w.layout.Sep == "/" && depth < maxDepth {
			w.dir(sub, f, depth+1)
		}
	}
}
