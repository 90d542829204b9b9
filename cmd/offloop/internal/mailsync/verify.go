package mailsync

import (
	"errors"
	"fmt"
	"slices"

	"offloop/maildir"
	"offloop/statefile"
)

// Verification is a comparison of both sides and the state that changes nothing.
type Verification struct {
	Bytes   bool     // contents too
	Folders []string // local or server names; nil = all
	// Found is told of every difference.
	Found    func(Difference)
	Messages int // pairs that were compared
	Contents int // pairs whose contents were compared
}

// Difference is one thing that is not as the other side or the state has it.
// Folder is the local name; UID is 0 and File "" where they do not apply.
type Difference struct {
	Folder string
	UID    uint32
	File   string
	Text   string
}

func (a *Account) differs(folder string, uid uint32, file, format string, args ...any) {
	a.set.Verify.Found(Difference{Folder: folder, UID: uid, File: file, Text: fmt.Sprintf(format, args...)})
}

// verifies tells whether a folder is among those to be compared.
func (v *Verification) verifies(p pair) bool {
	return v.Folders == nil || slices.Contains(v.Folders, p.local) || slices.Contains(v.Folders, p.remote)
}

// lacks tells of a folder that only one side has.
func (a *Account) lacks(p pair, text string) {
	if t, known := parseFolderToken(a.book.Token(tokFolder + p.local)); known && t.forgotten || !a.set.Verify.verifies(p) {
		return
	}
	a.differs(p.local, 0, "", "%s", text)
}

// verify compares a folder's two sides and its state, when both have been looked at.
func (f *folder) verify(done func(error)) {
	a, v := f.a, f.a.set.Verify
	end := func(err error) {
		if err == nil {
			err = errDry
		}
		done(err)
	}
	if f.look.damaged != nil {
		a.differs(f.pair.local, 0, "", "the state cannot be read: %v", f.look.damaged)
	}
	if f.look.exists == maildir.Missing {
		a.differs(f.pair.local, 0, "", "the Maildir is missing; the state knows %d messages", f.st.Len())
		end(nil)
		return
	}
	if !f.local.stable {
		a.differs(f.pair.local, 0, "", "another program moves files about; nothing can be called missing")
	}
	if !f.remote.complete {
		a.differs(f.pair.local, 0, "", "the server's listing contradicts its message count; nothing can be called missing there")
	}
	both := f.compareRecords()
	for _, l := range f.local.fresh {
		if f.tooOld(l) {
			continue // it stays here and is no difference
		}
		a.differs(f.pair.local, 0, l.entry.String(), "only here%s", f.why("local", l.name.Base))
	}
	for _, m := range f.remote.fresh {
		a.differs(f.pair.local, m.uid, "", "only on the server%s", f.why("remote", fmt.Sprint(m.uid)))
	}
	v.Messages += len(both)
	if !v.Bytes || len(both) == 0 {
		end(nil)
		return
	}
	f.compareContents(both, end)
}

func (f *folder) why(side, key string) string {
	if q, ok := f.st.Held(side, key); ok {
		return ", set aside: " + q.Reason
	}
	return ", not yet synced"
}

// compareRecords compares what the state knows with both sides, and returns the
// records that both have.
func (f *folder) compareRecords() []statefile.Record {
	missing, vanished := map[uint32]bool{}, map[uint32]bool{}
	for _, uid := range f.local.missing {
		missing[uid] = true
	}
	for _, uid := range f.remote.vanished {
		vanished[uid] = true
	}
	mask := f.remoteMaskNow() & f.flags.mergeMask()
	var both []statefile.Record
	for i := 0; i < f.st.Len(); i++ {
		r := f.st.At(i)
		file := f.fileOf(r).String()
		switch here, there := hasFile(r.Mark) && !missing[r.UID], r.Mark != markKept && !vanished[r.UID]; {
		case here && there:
			both = append(both, r)
			l, s := r.Flags, r.Flags
			if c, ok := f.local.changed[r.UID]; ok {
				l = c.flags
			}
			if c, ok := f.remote.changed[r.UID]; ok {
				s = c
			}
			if (l^s)&mask != 0 {
				f.a.differs(f.pair.local, r.UID, file, "flags differ: %s here, %s on the server", f.words(l), f.words(s))
			}
		case !here && !there:
			f.a.differs(f.pair.local, r.UID, "", "recorded, but on neither side")
		case !here && hasFile(r.Mark):
			f.a.differs(f.pair.local, r.UID, "", "missing here")
		case !there && r.Mark != markKept:
			f.a.differs(f.pair.local, r.UID, file, "missing on the server")
		}
	}
	return both
}

// fileOf gives a record's file as the last scan saw it.
func (f *folder) fileOf(r statefile.Record) maildir.Entry {
	if c, ok := f.local.changed[r.UID]; ok {
		return c.entry
	}
	if o, ok := f.local.odd[r.UID]; ok {
		return o
	}
	return f.entry(r, f.local.inNew.has(r.UID))
}

func (f *folder) words(fl statefile.Flags) string {
	l := f.flags.toIMAP(fl)
	if len(l) == 0 {
		return "none"
	}
	return fmt.Sprint(l)
}

// content is what one side says of a message's content.
type content struct {
	sum   string
	size  int64
	msgID string
	err   error
}

// compareContents reads every message on both sides, and keeps no more of it than
// its hash.
func (f *folder) compareContents(both []statefile.Record, done func(error)) {
	uids := make([]uint32, 0, len(both))
	for _, r := range both {
		uids = append(uids, r.UID)
	}
	there, here := map[uint32]content{}, make([]content, len(both))
	open, failed := 2, error(nil)
	join := func(err error) {
		if err != nil {
			failed = err
		}
		if open--; open > 0 {
			return
		}
		if failed == nil {
			f.judgeContents(both, here, there)
		}
		done(failed)
	}
	f.contents(uids, func(uid uint32, c content) { there[uid] = c }, join)
	f.readHere(both, here, 0, join)
}

func (f *folder) readHere(both []statefile.Record, here []content, i int, done func(error)) {
	if f.a.stopping {
		done(errStopped)
		return
	}
	if i >= len(both) {
		done(nil)
		return
	}
	end := min(i+readSlice, len(both))
	files := make([]maildir.Entry, 0, readSlice)
	for _, r := range both[i:end] {
		files = append(files, f.fileOf(r))
	}
	fs, dir := f.a.env.FS, f.dir
	f.a.env.Loop.Disk(func() {
		for k, e := range files {
			m, err := maildir.OpenMessage(fs, dir, e)
			if err != nil {
				here[i+k].err = err
				continue
			}
			here[i+k] = content{sum: m.Hash, size: m.Size, msgID: m.MessageID}
			m.Close()
		}
	}, func() { f.readHere(both, here, end, done) })
}

// judgeContents tells of pairs whose contents differ. No mail reader changes a
// message in its file, and offloop never does: what has the same Message-ID but
// other bytes was altered by the server when it was uploaded.
func (f *folder) judgeContents(both []statefile.Record, here []content, there map[uint32]content) {
	for k, r := range both {
		h, file := here[k], f.fileOf(r).String()
		s, ok := there[r.UID]
		switch {
		case errors.As(h.err, new(*maildir.VanishedError)):
			f.a.differs(f.pair.local, r.UID, file, "went away while it was to be read")
			continue
		case h.err != nil:
			f.a.differs(f.pair.local, r.UID, file, "cannot be read: %v", h.err)
			continue
		case !ok:
			f.a.differs(f.pair.local, r.UID, file, "the server gave no content")
			continue
		}
		f.a.set.Verify.Contents++
		switch {
		case h.sum == s.sum:
		case h.size == 0:
			f.a.differs(f.pair.local, r.UID, file, "the file is empty; the server has %d bytes", s.size)
		case h.msgID == s.msgID:
			f.a.differs(f.pair.local, r.UID, file, "altered by server: %d bytes here, %d there (or the file was edited or damaged)", h.size, s.size)
		default:
			f.a.differs(f.pair.local, r.UID, file, "another message: %q here, %q there", h.msgID, s.msgID)
		}
	}
}
