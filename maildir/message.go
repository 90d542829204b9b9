package maildir

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"io"
	"time"

	"golang.org/x/sys/unix"
)

func indexCR(p []byte) int { return bytes.IndexByte(p, '\r') }

// maxHeader bounds how much of a message's beginning is kept while looking for
// its Message-ID.
const maxHeader = 128 << 10

// Message is a message file opened for sending. It is read once when it is
// opened, to learn its size on the wire, and again as it is sent.
type Message struct {
	Entry     Entry     // where it was found; differs from what was asked for if it was renamed
	Size      int64     // bytes of its CRLF form, which is what Read gives in all
	FileSize  int64     // bytes of the file
	Mtime     time.Time // the file's modification time
	Hash      string    // SHA-256 of the CRLF form, hexadecimal
	MessageID string    // see [MessageID]
	HasNUL    bool      // it holds a NUL byte, which IMAP cannot carry outside of literal8 (RFC 9051 4.3)

	fs   FS
	path string
	fd   int
	left int64 // CRLF bytes still to be read
	conv crlf
}

// OpenMessage opens a message, under its present name if a mail reader has
// renamed it (then see Message.Entry), and reads it through. A message that is
// gone is a *VanishedError. A symbolic link is not followed: it could lead to any
// file of the user's. Memory use does not depend on the message's size. Close it.
func OpenMessage(fs FS, dir string, e Entry) (*Message, error) {
	var m *Message
	err := NewFinder(fs, dir, nil).follow(e, func(now Entry) error {
		path := entryPath(dir, now)
		fd, err := fs.Open(path, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOFOLLOW, 0)
		if err != nil {
			return fail("open", path, err)
		}
		m = &Message{Entry: now, fs: fs, path: path, fd: fd}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if err := m.digest(); err != nil {
		m.Close()
		return nil, err
	}
	return m, nil
}

// digest reads the file through and rewinds it.
func (m *Message) digest() error {
	mode, size, _, _, mtime, _, err := m.fs.Fstat(m.fd)
	if err == nil && mode&unix.S_IFMT != unix.S_IFREG {
		err = unix.EINVAL // a directory or a pipe is no message
	}
	if err != nil {
		return fail("read", m.path, err)
	}
	m.FileSize, m.Mtime = size, time.Unix(0, mtime)

	var d digester
	d.sum = sha256.New()
	buf := make([]byte, 32<<10)
	for {
		n, err := m.fill(buf)
		if err != nil {
			return err
		}
		if n == 0 {
			break
		}
		d.write(buf[:n])
	}
	m.Size, m.Hash, m.HasNUL = d.size, hex.EncodeToString(d.sum.Sum(nil)), d.nul
	m.MessageID = MessageID(d.header)
	if m.conv.raw != size {
		return &ChangedError{Path: m.path}
	}
	return m.Rewind()
}

// digester learns what there is to know of a message in its CRLF form.
type digester struct {
	sum    hash.Hash
	size   int64
	nul    bool
	header []byte
}

func (d *digester) write(p []byte) {
	d.sum.Write(p)
	d.size += int64(len(p))
	d.nul = d.nul || bytes.IndexByte(p, 0) >= 0
	if room := maxHeader - len(d.header); room > 0 && (len(d.header) == 0 || !bytes.Contains(d.header, []byte("\r\n\r\n"))) {
		d.header = append(d.header, p[:min(room, len(p))]...)
	}
}

// Rewind starts reading at the beginning again.
func (m *Message) Rewind() error {
	if _, err := m.fs.Seek(m.fd, 0, io.SeekStart); err != nil {
		return fail("read", m.path, err)
	}
	m.left, m.conv = m.Size, crlf{}
	return nil
}

// Read gives the CRLF form in pieces: exactly Size bytes, then io.EOF. If the
// file has been changed since it was opened and comes out longer or shorter, the
// error is a *ChangedError. It allocates nothing.
func (m *Message) Read(p []byte) (int, error) {
	if m.left == 0 {
		return 0, io.EOF
	}
	if len(p) == 0 {
		return 0, nil
	}
	n, err := m.fill(p[:min(int64(len(p)), m.left)])
	if err != nil {
		return 0, err
	}
	if n == 0 {
		return 0, &ChangedError{Path: m.path}
	}
	m.left -= int64(n)
	if m.left == 0 && (m.conv.owesLF || m.longer()) {
		return 0, &ChangedError{Path: m.path}
	}
	return n, nil
}

// longer tells whether something was added to the file since it was opened.
func (m *Message) longer() bool {
	_, size, _, _, _, _, err := m.fs.Fstat(m.fd)
	return err != nil || size != m.FileSize
}

// fill reads a piece of the file into the second half of p and converts it
// towards the front: every byte becomes at most two, so it never overtakes
// itself. A p of one byte reads one byte and may owe the LF of a CRLF.
func (m *Message) fill(p []byte) (int, error) {
	if m.conv.owesLF {
		p[0] = '\n'
		m.conv.owesLF = false
		return 1, nil
	}
	half := p[len(p)-max(len(p)/2, 1):]
	n, err := m.fs.Read(m.fd, half)
	if err != nil {
		return 0, fail("read", m.path, err)
	}
	m.conv.raw += int64(n)
	return m.conv.convert(p, half[:n]), nil
}

// crlf is the state of a conversion from LF to CRLF: an LF behind a CR is left
// alone.
type crlf struct {
	afterCR bool
	owesLF  bool
	raw     int64 // bytes of the file so far
}

// convert writes in's CRLF form to the front of p, of which in is the end.
func (c *crlf) convert(p, in []byte) int {
	w := 0
	for _, b := range in {
		if b == '\n' && !c.afterCR {
			p[w] = '\r'
			w++
			if w == len(p) {
				c.owesLF, c.afterCR = true, false
				return w
			}
		}
		p[w] = b
		w++
		c.afterCR = b == '\r'
	}
	return w
}

// Close closes the file. A second call does nothing.
func (m *Message) Close() error {
	if m.fd < 0 {
		return nil
	}
	fd := m.fd
	m.fd = -1
	if err := m.fs.Close(fd); err != nil {
		return fail("close", m.path, err)
	}
	return nil
}

// MessageID finds the Message-ID in a message's header (RFC 5322 3.6.4), with
// either kind of line end: the first "<...>" of the first such field, or its
// whole value without white space at the ends if it has none; "" without a
// field. Folded lines are joined. What follows the header's end is not looked at.
func MessageID(header []byte) string {
	if value, ok := headerField(header, "message-id"); ok {
		return idOf(value)
	}
	return ""
}

// unfold joins value with the continuation lines that follow it.
func unfold(value, rest []byte) []byte {
	out := append([]byte(nil), value...)
	for len(rest) > 0 && (rest[0] == ' ' || rest[0] == '\t') {
		line, after, _ := bytes.Cut(rest, []byte("\n"))
		out = append(out, bytes.TrimSuffix(line, []byte("\r"))...)
		rest = after
	}
	return out
}

func idOf(value []byte) string {
	if i := bytes.IndexByte(value, '<'); i >= 0 {
		if j := bytes.IndexByte(value[i:], '>'); j >= 0 {
			return string(value[i : i+j+1])
		}
	}
	return string(bytes.TrimSpace(value))
}
