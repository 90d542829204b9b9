package imapproto

import (
	"bytes"
	"time"

	"github.com/emersion/go-imap/v2"
)

// AppendMessage is a message to upload.
type AppendMessage struct {
	Flags []string
	Date  time.Time // INTERNALDATE; zero = the server decides
	Size  int64     // bytes that Body will give
	Body  Source
}

// Source gives a message's text, CRLF line ends included, exactly Size bytes in all.
//
// Read returning (0, nil) means that nothing is ready: call Conn.Kick when it is. An
// error, io.EOF before the end included, ends the connection, since a literal that
// was begun cannot be taken back. After the command's done no more is read.
type Source interface {
	Read(p []byte) (int, error)
}

// AppendData is what APPENDUID told (RFC 4315 section 3).
type AppendData struct {
	UIDValidity uint32
	UIDs        imap.UIDSet // of the messages in their order; nil = not told
}

// Append uploads messages to a mailbox. More than one go in one command (RFC 3502),
// all or none; without MULTIAPPEND that completes with *UnsupportedError.
func (c *Conn) Append(mailbox string, msgs []AppendMessage, done func(AppendData, error)) {
	c.enqueue(&command{kind: kindAppend, name: "APPEND", mailbox: mailbox,
		encode: func(e *encoder) { encodeAppend(e, mailbox, msgs) },
		finish: func(r *reply, err error) {
			if err != nil {
				done(AppendData{}, err)
				return
			}
			done(parseAppendUID(r, len(msgs)), nil)
		}})
}

func encodeAppend(e *encoder, mailbox string, msgs []AppendMessage) {
	if len(msgs) == 0 {
		e.bad("an APPEND without a message", "")
		return
	}
	if len(msgs) > 1 && !e.need("APPEND", "MULTIAPPEND") {
		return
	}
	e.text("APPEND ")
	e.mailbox(mailbox)
	for _, m := range msgs {
		e.text(" ")
		if len(m.Flags) > 0 {
			e.flags(m.Flags)
			e.text(" ")
		}
		if y := m.Date.Year(); !m.Date.IsZero() && y >= 1 && y <= 9999 {
			e.text(m.Date.Format(`"_2-Jan-2006 15:04:05 -0700"`) + " ")
		}
		e.source(m.Body, m.Size)
	}
}

// parseAppendUID reads "APPENDUID validity uids". It is believed only if it tells as
// many UIDs as messages were sent.
func parseAppendUID(r *reply, n int) AppendData {
	if r.code != "APPENDUID" {
		return AppendData{}
	}
	f := bytes.Fields(r.arg)
	if len(f) != 2 {
		return AppendData{}
	}
	v, _ := parseUint(f[0])
	uids, ok := parseSet(f[1])
	if !ok || v == 0 || v > 1<<32-1 || countUIDs(uids) != uint64(n) || !ascending(f[1]) {
		return AppendData{}
	}
	return AppendData{UIDValidity: uint32(v), UIDs: uids}
}
