package mailsync

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"strconv"
	"strings"
	"time"

	"offloop/maildir"
	"offloop/statefile"
)

// outgoing is one file on its way to the server.
type outgoing struct {
	file   localFile
	fact   localFact
	mtime  time.Time
	body   []byte           // a small message, with CRLF line ends
	msg    *maildir.Message // a large one, still open
	err    error
	reason string // why it is left out, "" = send it
	gone   bool
	large  bool // over maxsize: it stays here
	intent string
	uid    uint32
	entry  maildir.Entry
	name   string
	agreed statefile.Flags // what both sides show already
	// letters are what the renamed file's name is to show, nil = what it shows:
	// letters of keywords mean something else in another folder.
	letters *maildir.Flags
}

// sizeLimits are the largest messages that are sent; 0 is without limit.
type sizeLimits struct{ rule, server int64 }

// appendLimit is the size of the largest message that the server says it takes
// (RFC 7889), 0 if it does not say.
func (a *Account) appendLimit() int64 {
	for _, c := range a.caps {
		if v, ok := strings.CutPrefix(c, "APPENDLIMIT="); ok {
			if n, err := strconv.ParseInt(v, 10, 64); err == nil && n > 0 {
				return n
			}
		}
	}
	return 0
}

// readBatch reads as many of the files as make up a batch, and flushes them: an
// upload may only be recorded when the reader's own file is durable.
func readBatch(fs FS, dir string, files []localFile, most sizeLimits, sync bool) ([]*outgoing, error) {
	var outs []*outgoing
	var entries []maildir.Entry
	bytes := int64(0)
	for _, l := range files {
		if bytes >= uploadBytes {
			break
		}
		o := &outgoing{file: l, entry: l.entry, agreed: l.flags}
		outs = append(outs, o)
		o.read(fs, dir, most)
		if o.err == nil && o.reason == "" && !o.large {
			bytes += o.fact.size
			entries = append(entries, o.entry)
		}
	}
	if !sync || len(entries) == 0 {
		return outs, nil
	}
	return outs, maildir.Sync(fs, dir, entries, true)
}

func (o *outgoing) read(fs FS, dir string, most sizeLimits) {
	m, err := maildir.OpenMessage(fs, dir, o.file.entry)
	if err != nil {
		o.err, o.gone = err, errors.As(err, new(*maildir.VanishedError))
		return
	}
	o.entry = m.Entry
	o.mtime = m.Mtime
	o.fact = localFact{file: o.file, size: m.Size, msgID: m.MessageID, hash: m.Hash}
	switch {
	case most.rule > 0 && m.Size > most.rule:
		o.large = true
		m.Close()
		return
	case m.HasNUL:
		o.reason = "it contains a NUL byte, which IMAP cannot carry"
	case m.Size == 0:
		o.reason = "the file is empty"
	case most.server > 0 && m.Size > most.server:
		o.reason = fmt.Sprintf("it has %d bytes and the server takes %d at most", m.Size, most.server)
	}
	if o.reason != "" || m.Size > uploadSmall {
		o.msg = m
		if o.reason != "" {
			m.Close()
			o.msg = nil
		}
		return
	}
	o.body = make([]byte, 0, m.Size)
	buf := make([]byte, 32<<10)
	for {
		n, err := m.Read(buf)
		o.body = append(o.body, buf[:max0(n)]...)
		if err != nil || n == 0 {
			if err != nil && !errors.Is(err, io.EOF) {
				o.err = err
			}
			break
		}
	}
	m.Close()
	if sum := sha256.Sum256(o.body); o.err == nil && hex.EncodeToString(sum[:]) != m.Hash {
		o.err = errors.New("its content changed while it was read")
	}
}

// close lets the content go, and the file if it is still open.
func (o *outgoing) close(l Loop) {
	o.body = nil
	if m := o.msg; m != nil {
		o.msg = nil
		l.Disk(func() { m.Close() }, func() {})
	}
}

// memSource gives a message from memory.
type memSource struct{ b []byte }

func (s *memSource) Read(p []byte) (int, error) {
	n := copy(p, s.b)
	s.b = s.b[n:]
	return n, nil
}

// fileSource gives a large message from its file, read ahead on the disk
// goroutine in pieces of bounded size.
type fileSource struct {
	f       *folder
	msg     *maildir.Message
	ready   []byte
	reading bool
	err     error
	base    string // the file's base name
	want    string // hash of what was announced
	left    int64  // bytes still to come
	sum     hash.Hash
}

// next reads the next piece. The last one is given out only if all of it is what
// was announced: a message whose file was changed meanwhile stays incomplete, and
// the server drops it.
func (s *fileSource) next(buf []byte) (int, error) {
	n, err := s.msg.Read(buf)
	s.sum.Write(buf[:max0(n)])
	s.left -= int64(max0(n))
	if s.left <= 0 && n > 0 && hex.EncodeToString(s.sum.Sum(nil)) != s.want {
		return 0, &maildir.ChangedError{Path: s.base}
	}
	return n, err
}

// setAside leaves a message out that could not be sent to its end.
func (s *fileSource) setAside(err error) {
	reason := err.Error()
	if errors.As(err, new(*maildir.ChangedError)) {
		reason = "its content changed while it was sent"
	}
	s.f.quarantine("local", s.base, reason)
	s.f.a.failedUploads["*"] = true
}

func (s *fileSource) Read(p []byte) (int, error) {
	if len(s.ready) > 0 {
		n := copy(p, s.ready)
		s.ready = s.ready[n:]
		return n, nil
	}
	if s.err != nil {
		return 0, s.err
	}
	if !s.reading {
		s.reading = true
		buf := make([]byte, 128<<10)
		var n int
		var err error
		failed := false
		s.f.a.env.Loop.Disk(func() {
			n, err = s.next(buf)
			if failed = err != nil && !(errors.Is(err, io.EOF) && n > 0); failed {
				s.msg.Close()
			}
		}, func() {
			s.reading = false
			s.ready = buf[:max0(n)]
			if failed {
				s.err = err
				s.setAside(err)
			}
			if k := s.f.a.link; k != nil && !k.closed {
				k.conn.Kick()
				k.wake()
			}
		})
	}
	return 0, nil
}
