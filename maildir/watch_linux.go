package maildir

import (
	"bytes"
	"encoding/binary"
	"errors"

	"golang.org/x/sys/unix"
)

// Watcher tells of changes in new and cur of any number of Maildirs. Its
// descriptor becomes readable when there is something to Read. It is a hint and
// no more: only a scan says what is there.
type Watcher struct {
	fd   int
	dirs map[int32]watched
	ids  map[watched]int32
	buf  []byte
}

type watched struct {
	dir   string
	inNew bool
}

// watchMask has no IN_MODIFY: messages are not edited in place, and ours in tmp
// are not watched.
const watchMask = unix.IN_CREATE | unix.IN_MOVED_TO | unix.IN_MOVED_FROM | unix.IN_DELETE |
	unix.IN_DELETE_SELF | unix.IN_MOVE_SELF | unix.IN_ONLYDIR

// NewWatcher makes a Watcher, with a non-blocking descriptor. On systems without
// inotify it fails with ErrNoWatch.
func NewWatcher() (*Watcher, error) {
	fd, err := unix.InotifyInit1(unix.IN_NONBLOCK | unix.IN_CLOEXEC)
	if err != nil {
		return nil, fail("watch", "directories", err)
	}
	return &Watcher{fd: fd, dirs: map[int32]watched{}, ids: map[watched]int32{}, buf: make([]byte, 16<<10)}, nil
}

// FD is the descriptor to wait for.
func (w *Watcher) FD() int { return w.fd }

// Add watches a Maildir. ENOSPC means that the user's limit of watches is
// reached (fs.inotify.max_user_watches): the folder is then not watched at all.
func (w *Watcher) Add(dir string) error {
	for _, k := range []watched{{dir, true}, {dir, false}} {
		path := join(dir, Entry{InNew: k.inNew}.Sub())
		id, err := unix.InotifyAddWatch(w.fd, path, watchMask)
		if err != nil {
			w.Remove(dir)
			return fail("watch", path, err)
		}
		w.dirs[int32(id)], w.ids[k] = k, int32(id)
	}
	return nil
}

// Remove ends the watch of a Maildir; one that is not watched is no error.
func (w *Watcher) Remove(dir string) {
	for _, k := range []watched{{dir, true}, {dir, false}} {
		if id, ok := w.ids[k]; ok {
			unix.InotifyRmWatch(w.fd, uint32(id))
			delete(w.ids, k)
			delete(w.dirs, id)
		}
	}
}

// Read gives the changes there are, at most one buffer of them: in which Maildir,
// in which of its directories, and which file (name is "" if the directory
// itself went away; the watch of it has then ended). Dot files are left out. With
// overflow changes were lost and every folder must be scanned. more says that
// there may be more to read at once.
func (w *Watcher) Read(each func(dir, name string, inNew bool)) (more, overflow bool, err error) {
	n, err := againN(func() (int, error) { return unix.Read(w.fd, w.buf) })
	if errors.Is(err, unix.EAGAIN) {
		return false, false, nil
	}
	if err != nil {
		return false, false, fail("watch", "directories", err)
	}
	for b := w.buf[:n]; len(b) >= unix.SizeofInotifyEvent; {
		id := int32(binary.NativeEndian.Uint32(b))
		mask := binary.NativeEndian.Uint32(b[4:])
		size := int(binary.NativeEndian.Uint32(b[12:]))
		b = b[unix.SizeofInotifyEvent:]
		if size > len(b) {
			return false, true, nil
		}
		name, _, _ := bytes.Cut(b[:size], []byte{0})
		b = b[size:]
		if mask&unix.IN_Q_OVERFLOW != 0 {
			overflow = true
			continue
		}
		k, known := w.dirs[id]
		switch {
		case !known:
		case mask&(unix.IN_DELETE_SELF|unix.IN_MOVE_SELF|unix.IN_UNMOUNT|unix.IN_IGNORED) != 0:
			if mask&unix.IN_MOVE_SELF != 0 {
				unix.InotifyRmWatch(w.fd, uint32(id))
			}
			delete(w.dirs, id)
			delete(w.ids, k)
			each(k.dir, "", k.inNew)
		case len(name) > 0 && name[0] != '.':
			each(k.dir, string(name), k.inNew)
		}
	}
	return n > len(w.buf)/2, overflow, nil
}

// Close ends all watches.
func (w *Watcher) Close() error { return unix.Close(w.fd) }
