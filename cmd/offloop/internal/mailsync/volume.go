package mailsync

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"offloop/maildir"
	"offloop/statefile"
)

// A Maildir that is not mounted, or whose disk was replaced, looks like an empty
// one, and an empty one looks like many deletions. So the root carries a marker, a
// small file below its hidden directory that the account's state knows, and a
// folder's state knows the inode of its cur. Whatever was copied with its hidden
// directory takes its marker along.

// markerFile is the marker's name below hidden.
const markerFile = "marker"

// readMarker reads the root's marker, "" if it has none.
func (g *ground) readMarker() (string, error) {
	b, err := readSmall(g.fs, g.s.Root+"/"+hidden+"/"+markerFile, 4096)
	if errors.Is(err, os.ErrNotExist) {
		return "", nil
	}
	return strings.TrimSpace(string(b)), err
}

// syncedBefore tells whether any folder was synced with this account before.
func (g *ground) syncedBefore() bool {
	for _, key := range g.book.Tokens() {
		if t, fits := parseFolderToken(g.book.Token(key)); strings.HasPrefix(key, tokFolder) && fits && !t.forgotten && t.validity != 0 {
			return true
		}
	}
	return false
}

// checkMarker stops the account if the root is not the one that was synced. One
// that holds every message the state knows of is taken all the same: it is a copy.
func (g *ground) checkMarker() error {
	marker, err := g.readMarker()
	if err != nil {
		return g.fail(fmt.Errorf("read the Maildir's marker: %w", err), "check the permissions of "+g.s.Root+"/"+hidden)
	}
	g.marker = marker
	want := g.book.Token(tokMarker)
	if want == "" || want == marker || g.s.AcceptRoot || !g.syncedBefore() {
		return nil
	}
	missing, total, err := g.count()
	if err != nil {
		return g.fail(err, "check the permissions of the Maildir")
	}
	if missing == 0 {
		g.copied = true
		return nil
	}
	what := "its marker is missing"
	if marker != "" {
		what = "it has the marker of another one"
	}
	return g.fail(fmt.Errorf("the Maildir root %s is not the one that was synced: %s, and %d of the %d messages known here are not in it", g.s.Root, what, missing, total),
		"mount its disk, or bring it back. If you moved the mail here and mean it as it is: --accept-root; what is missing then counts as deleted here, unless so much is missing that the brake holds")
}

// rootGone judges a root that is not there at all.
func (g *ground) rootGone(e error) error {
	s := g.s
	if g.book.Token(tokRoot) == s.Root || g.syncedBefore() && g.book.Token(tokRoot) != "" && !s.AcceptRoot {
		err := fmt.Errorf("the Maildir root %s is not there: %w", s.Root, e)
		if old := g.book.Token(tokRoot); old != s.Root {
			err = fmt.Errorf("%w (it was %s before)", err, old)
		}
		return g.fail(err, "mount it or bring it back; if it is gone for good, remove the directory "+s.StateDir+" to download everything again")
	}
	return nil
}

// setMarker makes a root's marker, once; what there is stays.
func (g *ground) setMarker() error {
	if g.marker != "" {
		return nil
	}
	g.marker = g.book.Token(tokMarker)
	if g.marker == "" {
		g.marker = fmt.Sprintf("%x-%x", g.now.UnixNano(), os.Getpid())
	}
	if err := writeSmall(g.fs, g.s.Root+"/"+hidden, markerFile, []byte(g.marker+"\n"), g.s.FSync); err != nil {
		return g.fail(err, "make localfolders a directory you can write to")
	}
	return nil
}

// count counts the messages that the state knows of and those of them that have
// no file.
func (g *ground) count() (missing, total int, err error) {
	layout := maildir.Layout{Root: g.s.Root, Sep: g.s.Sep}
	for _, key := range g.book.Tokens() {
		local, ok := strings.CutPrefix(key, tokFolder)
		t, fits := parseFolderToken(g.book.Token(key))
		if !ok || !fits || t.forgotten {
			continue
		}
		dir, err := layout.Path(local)
		if err != nil {
			continue
		}
		st, _, err := statefile.Load(g.fs, g.s.StateDir+"/"+statefile.FileName(local)+".state")
		if err != nil {
			return 0, 0, err
		}
		state, err := maildir.Exists(g.fs, dir)
		if err != nil {
			return 0, 0, err
		}
		m, n, err := g.countIn(st, dir, state == maildir.Whole)
		if err != nil {
			return 0, 0, err
		}
		missing, total = missing+m, total+n
		if state != maildir.Whole && n == 0 {
			missing, total = missing+1, total+1 // an empty folder that is gone counts too
		}
	}
	return missing, total, nil
}

func (g *ground) countIn(st *statefile.Folder, dir string, whole bool) (missing, total int, err error) {
	want := map[string]bool{}
	for i := 0; i < st.Len(); i++ {
		if hasFile(st.MarkAt(i)) {
			want[uniqueOf(st.NameAt(i))] = true
			total++
		}
	}
	if !whole {
		return total, total, nil
	}
	sc := maildir.NewScanner(g.fs, dir)
	for done := false; !done; {
		done, err = sc.Next(scanSlice, func(file string, _ bool) { delete(want, maildir.ParseName(file, g.s.InfoSep).Unique) })
		if err != nil {
			return 0, 0, err
		}
	}
	return len(want), total, nil
}

// replaced finds a folder whose cur is another directory than the one that was
// synced while messages are missing from it. Where inodes do not last, nothing can
// be said.
func (f *folder) replaced() error {
	a := f.a
	was, now := f.st.Token(tokCur), f.inode()
	if was == "" || now == "" || was == now || len(f.local.missing) == 0 || a.set.Verify != nil || a.released(f.pair.local) {
		return nil
	}
	return &Error{Scope: ScopeFolder, Err: fmt.Errorf("%s/cur is another directory than the one that was synced, and %d of %d messages are missing from it", f.dir, len(f.local.missing), f.st.Len()),
		Did: "this folder was left alone; nothing was deleted",
		Hint: fmt.Sprintf("mount its disk, or bring it back; --recreate %q downloads it again, --allow-deletes %q deletes on the server what is missing here",
			f.pair.local, f.pair.local)}
}

// inode names the folder's cur, "" where that means nothing.
func (f *folder) inode() string {
	switch kind := f.a.trust.Kind; {
	case f.a.trust.Margin == 0, kind == "vfat", kind == "exfat", kind == "msdos", kind == "msdosfs", strings.HasPrefix(kind, "fuse"):
		return ""
	}
	if ino := f.local.stamps[1].Ino; ino != 0 {
		return strconv.FormatUint(ino, 10)
	}
	return ""
}
