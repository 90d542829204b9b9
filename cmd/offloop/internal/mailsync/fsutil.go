package mailsync

import (
	"errors"
	"io"
	"os"

	"offloop/maildir"
)

// readSmall reads a whole file of at most max bytes.
func readSmall(fs FS, path string, max int) ([]byte, error) {
	fd, err := fs.Open(path, os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	defer fs.Close(fd)
	buf := make([]byte, 0, 512)
	for {
		if len(buf) > max {
			return nil, errors.New("larger than expected: " + path)
		}
		if len(buf) == cap(buf) {
			buf = append(buf, 0)[:len(buf)]
		}
		n, err := fs.Read(fd, buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+max0(n)]
		if n <= 0 || err != nil {
			if err == nil || err == io.EOF {
				return buf, nil
			}
			return nil, err
		}
	}
}

// syncFiles flushes files of a Maildir and its directories; files that are gone
// are passed over.
func syncFiles(fs FS, dir string, files []maildir.Entry) error {
	if len(files) > 8 {
		fd, err := fs.Open(dir+"/cur", os.O_RDONLY, 0)
		if err != nil {
			return err
		}
		err = fs.SyncFS(fd)
		fs.Close(fd)
		if !errors.Is(err, errors.ErrUnsupported) {
			return err
		}
	}
	for _, e := range files {
		err := maildir.Sync(fs, dir, []maildir.Entry{e}, false)
		if err != nil && !errors.As(err, new(*maildir.VanishedError)) {
			return err
		}
	}
	return maildir.Sync(fs, dir, nil, true)
}

// finderOf makes a finder for the files of a group of changes.
func finderOf[T any](fs FS, dir string, jobs []T, entry func(T) maildir.Entry) *maildir.Finder {
	group := make([]maildir.Entry, 0, len(jobs))
	for _, j := range jobs {
		group = append(group, entry(j))
	}
	return maildir.NewFinder(fs, dir, group)
}

func max0(n int) int { return max(n, 0) }

// writeSmall replaces a file: new content under another name, flushed, renamed.
func writeSmall(fs FS, dir, name string, b []byte, sync bool) error {
	tmp := dir + "/" + name + ".offloop"
	fd, err := fs.Open(tmp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	for len(b) > 0 && err == nil {
		var n int
		n, err = fs.Write(fd, b)
		b = b[max0(n):]
	}
	if err == nil && sync {
		err = fs.Fsync(fd)
	}
	if e := fs.Close(fd); err == nil {
		err = e
	}
	if err == nil {
		err = fs.Rename(tmp, dir+"/"+name)
	}
	if err != nil {
		fs.Unlink(tmp)
		return &os.PathError{Op: "write", Path: dir + "/" + name, Err: err}
	}
	if !sync {
		return nil
	}
	return maildir.SyncDir(fs, dir)
}
