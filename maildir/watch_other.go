//go:build darwin || freebsd || openbsd || netbsd || dragonfly

package maildir

// Watcher is not available here: kqueue needs an open descriptor for every
// directory and tells no names, so folders are scanned instead.
type Watcher struct{}

// NewWatcher fails with ErrNoWatch.
func NewWatcher() (*Watcher, error) { return nil, ErrNoWatch }

// FD gives -1.
func (w *Watcher) FD() int { return -1 }

// Add fails with ErrNoWatch.
func (w *Watcher) Add(dir string) error { return ErrNoWatch }

// Remove does nothing.
func (w *Watcher) Remove(dir string) {}

// Read fails with ErrNoWatch.
func (w *Watcher) Read(each func(dir, name string, inNew bool)) (more, overflow bool, err error) {
	return false, false, ErrNoWatch
}

// Close does nothing.
func (w *Watcher) Close() error { return nil }
