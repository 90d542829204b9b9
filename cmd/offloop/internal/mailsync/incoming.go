package mailsync

import (
	"time"

	"offloop/maildir"
	"offloop/statefile"
)

// incoming is one message on its way to disk.
type incoming struct {
	d     *download
	uid   uint32
	flags statefile.Flags
	date  time.Time
	sent  time.Time // by its header
	lf    maildir.LFWriter
	buf   []byte
	tmp   *maildir.Tmp // set on the disk goroutine once the body is spooled
	jobs  bool         // parts of the body are being spooled
	err   error
	size  int64
	held  int // bytes it is counted for in Account.heldBytes while it is in memory
	place maildir.Place
	name  string
	words []string // gated: the flags as the server wrote them
}

// Write takes a piece of the content, with CRLF line ends as IMAP carries it.
func (in *incoming) Write(p []byte) {
	in.buf = in.lf.Write(in.buf, p)
	in.size += int64(len(p))
	in.weigh()
	if len(in.buf) >= spoolAt {
		in.spool()
	}
}

// weigh counts the memory the message takes: of small ones the buffer is not the
// greater part.
func (in *incoming) weigh() {
	n := cap(in.buf) + inHand
	in.d.f.a.carry(n - in.held)
	in.held = n
}

// spool hands what has arrived of a large body to the disk.
func (in *incoming) spool() {
	d, b, name := in.d, in.buf, in.unique()
	in.buf, in.jobs = nil, true
	in.held -= cap(b)
	fs, dir := d.f.a.env.FS, d.f.dir
	d.f.a.env.Loop.Disk(func() {
		if in.tmp == nil && in.err == nil {
			in.tmp, in.err = maildir.NewTmp(fs, dir, name)
		}
		if in.err == nil {
			in.err = in.tmp.Write(b)
		}
	}, func() {
		d.f.a.carry(-cap(b))
		d.f.a.buffers.put(b)
	})
}

// unique gives the unique part of the file's name. It is first asked for while all
// that has arrived of the message is in memory, its header among it.
func (in *incoming) unique() string {
	if in.name != "" {
		return in.name
	}
	env, s := in.d.f.a.env, in.d.f.a.set
	if s.MtimeFromHeader {
		in.sent, _ = maildir.HeaderDate(in.buf, "Date")
	}
	in.name = env.Namer.Next(env.Loop.Now())
	if s.NameByHeader {
		if at, ok := maildir.HeaderDate(in.buf, "Date", "Delivery-date"); ok {
			in.name = env.Namer.Dated(at, env.Loop.Now())
		}
	}
	return in.name
}

// prepare decides the file's final name.
func (in *incoming) prepare() {
	f := in.d.f
	base := maildir.BaseWithUID(in.unique(), in.uid, f.look.fmd5)
	in.place = maildir.Place{
		ToNew: in.flags&statefile.FlagS == 0,
		File:  maildir.FileName(base, f.flags.toLetters(in.flags), f.a.set.InfoSep),
	}
	if in.place.Mtime = in.sent; f.a.set.MtimeFromDate {
		in.place.Mtime = in.date
	}
}

// store is the disk's part of it: the message, or what is left of it in memory,
// goes to tmp. A full disk for one is a full disk for all of the folder.
func (in *incoming) store(fs FS) {
	d := in.d
	if in.err == nil {
		in.err = d.full
	}
	if in.err == nil && in.tmp == nil {
		in.tmp, in.err = maildir.NewTmp(fs, d.f.dir, in.name)
	}
	if in.err == nil && len(in.buf) > 0 {
		in.err = in.tmp.Write(in.buf)
	}
	if in.err != nil {
		d.full = in.err
		if in.tmp != nil {
			in.tmp.Discard()
		}
	}
	in.place.Tmp, in.place.Err = in.tmp, in.err
}
