package maildir

import (
	"errors"
	"os"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

func TestWatcher(t *testing.T) {
	w, err := NewWatcher()
	if err != nil {
		t.Skip(err)
	}
	defer w.Close()
	dir := t.TempDir()
	makeDirs(t, OS{}, dir)
	read := func() (got []string) {
		t.Helper()
		if _, overflow, err := w.Read(func(d, name string, inNew bool) {
			if d != dir {
				t.Errorf("event of %s", d)
			}
			got = append(got, Entry{name, inNew}.String())
		}); err != nil || overflow {
			t.Fatal(overflow, err)
		}
		return got
	}
	if err := w.Add(dir); err != nil {
		t.Fatal(err)
	}
	if got := read(); len(got) != 0 {
		t.Errorf("before any change: %v", got)
	}
	os.WriteFile(dir+"/tmp/x", nil, 0o600)
	os.WriteFile(dir+"/cur/.hidden", nil, 0o600)
	os.Rename(dir+"/tmp/x", dir+"/new/x")
	os.Rename(dir+"/new/x", dir+"/cur/x:2,S")
	fds := []unix.PollFd{{Fd: int32(w.FD()), Events: unix.POLLIN}}
	if n, err := unix.Poll(fds, 0); n != 1 || err != nil {
		t.Errorf("the descriptor is not readable: %d, %v", n, err)
	}
	if got := read(); !slices.Equal(got, []string{"new/x", "new/x", "cur/x:2,S"}) {
		t.Errorf("events %v", got)
	}
	os.RemoveAll(dir + "/new")
	if got := read(); !slices.Equal(got, []string{"new/"}) {
		t.Errorf("a removed directory: %v", got)
	}
	w.Remove(dir)
	os.WriteFile(dir+"/cur/y", nil, 0o600)
	if got := read(); len(got) != 0 {
		t.Errorf("after Remove: %v", got)
	}
	if err := w.Add(dir); !errors.Is(err, unix.ENOENT) {
		t.Errorf("a damaged folder: %v", err)
	}
}
