package maildir

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// ScanState is where a [Scanner] stands.
type ScanState uint8

// The states of a scan. It reads new before cur, so that a message a mail
// reader moves from new to cur meanwhile is seen at least once.
//
//	ScanIdle ──▶ ScanNew ──▶ ScanCur ──▶ ScanDone
//	    └───────────┴───────────┴──────▶ ScanFailed
const (
	ScanIdle   ScanState = iota // nothing read yet
	ScanNew                     // reading new
	ScanCur                     // reading cur
	ScanDone                    // both read to the end
	ScanFailed                  // an error or Close ended it; what was given is not all
)

// String names the state.
func (s ScanState) String() string {
	switch s {
	case ScanIdle:
		return "idle"
	case ScanNew:
		return "reading new"
	case ScanCur:
		return "reading cur"
	case ScanDone:
		return "done"
	case ScanFailed:
		return "failed"
	}
	return "unknown"
}

// Scanner lists the messages of a folder in slices. Files are not looked at:
// everything there is to know stands in their names.
//
// A file renamed while its directory is read may be given twice, once, or not
// at all. A scan is complete only if [Scanner.Stable] says so, and even then a
// message that is missing from it is not known to be deleted before a second
// complete scan, begun later, lacks its unique part too.
type Scanner struct {
	fs      FS
	dir     string
	state   ScanState
	fd      int
	buf     []byte
	pending []string // names read and not yet given
	given   int      // how many of pending are given

	newBefore, curBefore Stamp
	newAfter, curAfter   Stamp
}

// NewScanner makes a scan of the Maildir dir. Nothing is read before Next.
func NewScanner(fs FS, dir string) *Scanner {
	return &Scanner{fs: fs, dir: dir, fd: -1}
}

// State says where the scan stands.
func (s *Scanner) State() ScanState { return s.state }

// to is the only place where the state changes.
func (s *Scanner) to(st ScanState) { s.state = st }

// Next gives up to limit names (0 or less: one slice of the directory) and says
// whether the scan is done. Names beginning with a dot are not messages and are
// skipped. After an error the scan is over and incomplete.
func (s *Scanner) Next(limit int, each func(name string, inNew bool)) (done bool, err error) {
	for n := 0; ; {
		for s.given < len(s.pending) && (limit <= 0 || n < limit) {
			name := s.pending[s.given]
			s.given++
			n++
			each(name, s.state == ScanNew)
		}
		if s.given < len(s.pending) || n > 0 && (limit <= 0 || n >= limit) {
			return false, nil
		}
		if err := s.step(); err != nil {
			s.Close()
			return false, err
		}
		if s.state == ScanDone {
			return true, nil
		}
	}
}

// step makes one slice of progress.
func (s *Scanner) step() error {
	switch s.state {
	case ScanIdle:
		var err error
		if s.newBefore, s.curBefore, err = Stamps(s.fs, s.dir); err != nil {
			return err
		}
		if err := s.open("new", s.newBefore); err != nil {
			return err
		}
		s.to(ScanNew)
	case ScanNew, ScanCur:
		return s.read()
	case ScanDone:
	case ScanFailed:
		return fmt.Errorf("maildir: the scan of %s is over", s.dir)
	}
	return nil
}

// open opens one of the two directories and makes sure it is the one the stamp
// was taken of.
func (s *Scanner) open(sub string, st Stamp) error {
	path := join(s.dir, sub)
	fd, err := s.fs.Open(path, unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return fail("open", path, err)
	}
	s.fd = fd
	_, _, dev, ino, _, _, err := s.fs.Fstat(fd)
	if err != nil {
		return fail("look at", path, err)
	}
	if dev != st.Dev || ino != st.Ino {
		return &ChangedError{Path: path}
	}
	if s.buf == nil {
		s.buf = make([]byte, direntBuf)
	}
	return nil
}

// read reads one slice; at the end of new it goes on to cur, at the end of cur
// it takes the stamps again.
func (s *Scanner) read() error {
	sub := "new"
	if s.state == ScanCur {
		sub = "cur"
	}
	s.pending, s.given = s.pending[:0], 0
	n, err := s.fs.ReadNames(s.fd, s.buf, func(name string) {
		if name != "" && name[0] != '.' {
			s.pending = append(s.pending, name)
		}
	})
	if err != nil {
		return fail("read directory", join(s.dir, sub), err)
	}
	if n > 0 {
		return nil
	}
	s.fs.Close(s.fd)
	s.fd = -1
	if s.state == ScanNew {
		if err := s.open("cur", s.curBefore); err != nil {
			return err
		}
		s.to(ScanCur)
		return nil
	}
	if s.newAfter, s.curAfter, err = Stamps(s.fs, s.dir); err != nil {
		return err
	}
	s.to(ScanDone)
	s.buf, s.pending = nil, nil
	return nil
}

// Stable says that the scan is done and that neither directory changed from
// before its beginning to its end, as far as their stamps tell: a change within
// one tick of the file system's clock (milliseconds on older kernels) can hide
// in a stamp that is no older, see [Trust.Counts].
func (s *Scanner) Stable() bool {
	return s.state == ScanDone && s.newBefore == s.newAfter && s.curBefore == s.curAfter
}

// Before gives the stamps taken before the scan: the ones to remember with what
// was found.
func (s *Scanner) Before() (newDir, curDir Stamp) { return s.newBefore, s.curBefore }

// Close ends a scan early. It is not needed after the scan was done.
func (s *Scanner) Close() {
	if s.fd >= 0 {
		s.fs.Close(s.fd)
		s.fd = -1
	}
	if s.state != ScanDone {
		s.to(ScanFailed)
	}
	s.buf, s.pending, s.given = nil, nil, 0
}
