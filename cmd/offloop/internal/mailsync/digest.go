package mailsync

import (
	"crypto/sha256"
	"encoding/hex"
	"hash"

	imap "github.com/emersion/go-imap/v2"

	"offloop/imapproto"
	"offloop/maildir"
)

// headKept is how much of a message is kept to find its Message-ID in.
const headKept = 128 << 10

// contentFetch learns the hash and size of messages' contents as a Maildir would
// hold them: line ends apart, equal contents give equal hashes, whatever the
// server makes of single LFs. Nothing of a message is kept.
type contentFetch struct {
	each func(uid uint32, c content)

	lf      maildir.LFWriter
	sum     hash.Hash
	size    int64
	afterCR bool
	buf     []byte
	out     []byte
	head    []byte // the beginning, for the Message-ID
}

// Body begins a message's content.
func (c *contentFetch) Body(*imapproto.Message, int64) imapproto.Sink {
	c.lf, c.sum, c.size, c.afterCR, c.head = maildir.LFWriter{}, sha256.New(), 0, false, c.head[:0]
	return c
}

// Vanished is not asked for.
func (c *contentFetch) Vanished(imap.UIDSet) {}

// Write takes a piece of the content.
func (c *contentFetch) Write(p []byte) {
	c.buf = c.lf.Write(c.buf[:0], p)
	c.take(c.buf)
}

// take hashes a piece with LF line ends in its CRLF form, as maildir.Message does.
func (c *contentFetch) take(p []byte) {
	c.out = c.out[:0]
	for _, b := range p {
		if b == '\n' && !c.afterCR {
			c.out = append(c.out, '\r')
		}
		c.out = append(c.out, b)
		c.afterCR = b == '\r'
	}
	c.sum.Write(c.out)
	c.head = append(c.head, c.out[:min(len(c.out), max0(headKept-len(c.head)))]...)
	c.size += int64(len(c.out))
}

// Message ends a message.
func (c *contentFetch) Message(m *imapproto.Message) {
	if c.sum != nil && m.HasBody && !m.BodyNIL && m.UID != 0 {
		c.take(c.lf.Flush(c.buf[:0]))
		c.each(m.UID, content{sum: hex.EncodeToString(c.sum.Sum(nil)), size: c.size, msgID: maildir.MessageID(c.head)})
	}
	c.sum = nil
}

// contents reads messages and gives the hash and size of each.
func (f *folder) contents(uids []uint32, each func(uid uint32, c content), done func(error)) {
	if len(uids) == 0 {
		done(nil)
		return
	}
	f.reading(func(sel *imapproto.Selection, err error) {
		if err != nil {
			done(err)
			return
		}
		c := &contentFetch{each: each}
		f.a.link.conn.UIDFetch(sel, uidSet(uids), imapproto.FetchItems{Body: true}, c, func(err error) {
			done(f.readError("read messages to compare them", sel, err))
		})
	})
}
