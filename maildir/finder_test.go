package maildir

import (
	"errors"
	"fmt"
	"testing"

	"golang.org/x/sys/unix"

	"offloop/maildir/maildirtest"
)

func TestFindUnique(t *testing.T) {
	fs := newMaildir(1)
	for i := range 500 {
		put(fs, Entry{fmt.Sprintf("%d,U=%d:2,", i, i), i%2 == 0})
	}
	e, ok, err := FindUnique(fs, "/m", "77")
	if !ok || err != nil || e != (Entry{"77,U=77:2,", false}) {
		t.Errorf("%v %v %v", e, ok, err)
	}
	if _, ok, err = FindUnique(fs, "/m", "7777"); ok || err != nil {
		t.Errorf("found what is not there: %v %v", ok, err)
	}
	// It is never said to be gone while the directories keep changing.
	n := 0
	fs.Before = func(op, _ string) {
		if op == "readnames" {
			n++
			fs.WriteFile(fmt.Sprintf("/m/cur/x%d", n), "", false)
		}
	}
	if _, ok, err = FindUnique(fs, "/m", "7777"); ok || !errors.As(err, new(*BusyError)) {
		t.Errorf("in a changing folder: %v %v", ok, err)
	}
	if fs.OpenFiles() != 0 {
		t.Error("files left open")
	}
}

// group puts messages into /m and gives the names they are said to have.
func group(fs *maildirtest.FS, n int, real func(i int) Entry) (said []Entry) {
	for i := range n {
		put(fs, real(i))
		said = append(said, Entry{fmt.Sprintf("%d,U=%d:2,", i, i), false})
	}
	return said
}

// looks counts how often the directories are opened to be read.
func looks(fs *maildirtest.FS) *int {
	n := 0
	fs.Before = func(op, path string) {
		if op == "open" && (path == "/m/new" || path == "/m/cur") {
			n++
		}
	}
	return &n
}

func TestFinderMovedToTheOtherDirectory(t *testing.T) {
	fs := newMaildir(1)
	said := group(fs, 50, func(i int) Entry { return Entry{fmt.Sprintf("%d,U=%d:2,", i, i), true} })
	n := looks(fs)
	l := NewFinder(fs, "/m", said)
	for _, e := range said {
		if err := l.MoveTo(e, "/trash"); err != nil {
			t.Fatal(err)
		}
	}
	if *n != 0 || len(names(fs)) != 0 {
		t.Errorf("the directories were opened %d times, left %v", *n, names(fs))
	}
}

func TestFinderLooksOnceForAll(t *testing.T) {
	fs := newMaildir(1)
	said := group(fs, 50, func(i int) Entry { return Entry{fmt.Sprintf("%d,U=%d:2,R", i, i), i%2 == 0} })
	said = append(said, Entry{"gone,U=77:2,", false}, Entry{"gone too,U=78:2,", false})
	n := looks(fs)
	l := NewFinder(fs, "/m", said)
	for i, e := range said {
		got, err := l.Rename(e, Entry{e.File + "F", false})
		want := Entry{fmt.Sprintf("%d,U=%d:2,FR", i, i), i%2 == 0}
		if gone := errors.As(err, new(*VanishedError)); i >= 50 != gone || i < 50 && (err != nil || got != want) {
			t.Errorf("%v: %v, %v, want %v", e, got, err, want)
		}
	}
	if *n != 2 {
		t.Errorf("the directories were opened %d times, once each is enough", *n)
	}
}

// A mail reader that renames a message after the look loses nothing.
func TestFinderReaderRenamesAfterTheLook(t *testing.T) {
	fs := newMaildir(1)
	said := group(fs, 3, func(i int) Entry { return Entry{fmt.Sprintf("%d,U=%d:2,R", i, i), false} })
	l := NewFinder(fs, "/m", said)
	if err := l.Remove(said[0]); err != nil {
		t.Fatal(err)
	}
	fs.Outside(func() {
		fs.Rename("/m/cur/1,U=1:2,R", "/m/cur/1,U=1:2,FR")
		fs.Unlink("/m/cur/2,U=2:2,R")
	})
	if got, err := l.Rename(said[1], Entry{said[1].File + "S", false}); err != nil || got.File != "1,U=1:2,FRS" {
		t.Errorf("%v, %v", got, err)
	}
	if err := l.MoveTo(said[2], "/trash"); !errors.As(err, new(*VanishedError)) {
		t.Errorf("removed after the look: %v", err)
	}
}

func TestFinderUnreadableDirectory(t *testing.T) {
	fs := newMaildir(1)
	said := group(fs, 2, func(i int) Entry { return Entry{fmt.Sprintf("%d,U=%d:2,R", i, i), false} })
	fs.Fail = func(op, _ string, _ int) error {
		if op == "readnames" {
			return unix.EIO
		}
		return nil
	}
	if err := NewFinder(fs, "/m", said).Remove(said[0]); !errors.Is(err, unix.EIO) || len(names(fs)) != 2 {
		t.Errorf("%v, left %v", err, names(fs))
	}
}
