package mailsync

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	imap "github.com/emersion/go-imap/v2"

	"offloop/imapproto"
	"offloop/maildir"
	"offloop/statefile"
)

// A message that left one folder and appeared in another is moved on the other
// side too, instead of being sent again and deleted: nothing is transferred,
// and dates and flags stay. What moved is found out when all folders have been
// looked at (meet.go); it is carried out by the folder the message came to
// (moveserver.go, movefile.go), before its downloads and uploads.
//
// Either kind of move is announced by an intent in the state of the folder the
// message comes to, flushed before anything is done. A stop leaves a file and a
// message there that the state does not know: pairing joins them by the intent,
// as it does with uploads. The folder it came from then lacks both, and forgets
// it; or still has the message, and deletes it.

// move is one message that moves between folders.
type move struct {
	from  *folder
	uid   uint32 // in from
	flags movedFlags
	// remote is what the server shows, in the terms of the folder it comes to.
	remote statefile.Flags

	fact localFact // what its file says of itself

	// The file came: the server's message is to follow.
	file  localFile
	print string // its header's fingerprint

	// The message came: the file is to follow.
	msg   remoteMsg
	entry maildir.Entry // where it lies still
}

// movedFlags are the flags of a message that comes from another folder, in the
// terms of the folder it comes to.
type movedFlags struct {
	agreed statefile.Flags // what was agreed in the other folder
	local  statefile.Flags // what its file says
	shown  statefile.Flags // what its name can show of that so far
	name   string          // the unique part that its file is given
}

// base is what may be recorded as agreed at first. A keyword that the name does
// not show yet would never be shown later.
func (m *movedFlags) base() statefile.Flags {
	return m.agreed &^ (m.local & keywordMask &^ m.shown)
}

// moveIntent begins the ID of the intent of a move.
const moveIntent = "move-"

// moveID makes the ID of a move's intent. It carries the flags that the file
// stood for, since in another folder its keyword letters would be misread, and
// the unique part of the name it is going to have.
func moveID(local statefile.Flags, now time.Time, unique string) string {
	return fmt.Sprintf("%s%x-%x-%s", moveIntent, uint64(local), now.UnixNano(), unique)
}

// movedBy gives the flags that the intent of a move recorded; nil if id is not
// that of a move. System flags are read from the file again.
func movedBy(intents []statefile.Intent, id string, file statefile.Flags) *movedFlags {
	rest, ok := strings.CutPrefix(id, moveIntent)
	if !ok {
		return nil
	}
	hex, rest, _ := strings.Cut(rest, "-")
	_, unique, _ := strings.Cut(rest, "-")
	local, err := strconv.ParseUint(hex, 16, 64)
	k := slices.IndexFunc(intents, func(i statefile.Intent) bool { return i.ID == id })
	if err != nil || k < 0 {
		return nil
	}
	return &movedFlags{agreed: intents[k].Flags, local: file&systemMask | statefile.Flags(local)&keywordMask, shown: file, name: unique}
}

// withoutIntent leaves out one that is answered.
func withoutIntent(intents []statefile.Intent, id string) []statefile.Intent {
	if id == "" {
		return intents
	}
	return slices.DeleteFunc(slices.Clone(intents), func(i statefile.Intent) bool { return i.ID == id })
}

// translate gives flags of another folder in this one's terms: keywords have
// numbers of their own in each.
func (f *folder) translate(from *folder, fl statefile.Flags) statefile.Flags {
	return f.flags.fromIMAP(from.flags.toIMAP(fl))
}

// flagsOf gives the flags of a message that comes from another folder with its
// record and a file of this name.
func (f *folder) flagsOf(from *folder, rec statefile.Record, name maildir.Name) movedFlags {
	m := movedFlags{agreed: f.translate(from, rec.Flags)}
	switch {
	case name.HasUID && name.FMD5 == from.look.fmd5:
		m.local = f.translate(from, from.flags.fromLetters(name.Flags, rec.Flags)) // the letters are still the other folder's
	case name.Flags>>26 != 0:
		m.local = f.flags.fromLetters(name.Flags, m.agreed)
	default:
		m.local = f.flags.fromLetters(name.Flags, 0)&systemMask | m.agreed&keywordMask // a reader that knows no keywords
	}
	m.shown = f.flags.fromLetters(*f.showing(m.local), 0)
	m.name = f.a.env.Namer.Next(f.a.env.Loop.Now())
	return m
}

// showing gives the letters that a file name of this folder has for flags.
func (f *folder) showing(fl statefile.Flags) *maildir.Flags {
	m := f.flags.toLettersKnown(fl)
	return &m
}

// canMove tells whether messages can be moved on the server.
func (a *Account) canMove() bool { return a.has("MOVE") || a.canExpunge() }

// markMoves marks the records of messages that are going to be copied elsewhere
// and then deleted, or takes the mark off.
func (f *folder) markMoves(uids []uint32, mark statefile.Mark) {
	for _, uid := range uids {
		if i, ok := f.st.Find(uid); ok {
			r := f.st.At(i)
			r.Mark = mark
			f.st.Put(r)
		}
	}
}

// sortMoved finds the deletes that finish moves of an earlier run. A marked
// message whose file came back is one like any other.
func (f *folder) sortMoved() {
	var back, moved []uint32
	for i := range f.st.Marked(markMoved) {
		uid := f.st.UIDAt(i)
		if _, missing := slices.BinarySearch(f.local.missing, uid); !missing && f.local.scanned && f.local.stable {
			back = append(back, uid)
		}
		moved = append(moved, uid)
	}
	if moved = both(moved, f.plan.deleteRemote); len(moved) > 0 {
		f.plan.deleteRemote = without(f.plan.deleteRemote, moved)
		f.plan.movedOut = append(f.plan.movedOut, moved...)
	}
	f.markMoves(back, statefile.MarkNone)
}

// moves carries out the plan's moves.
func (f *folder) moves(done func(error)) {
	f.moveFiles(func(err error) {
		if err != nil {
			done(err)
			return
		}
		f.moveMessages(done)
	})
}

// arrived settles the flags of a message that has moved here and is recorded.
func (f *folder) arrived(m *move, uid uint32, e maildir.Entry) {
	i, ok := f.st.Find(uid)
	if !ok {
		return
	}
	p := pairing{uid: uid, file: localFile{flags: m.flags.shown}, flags: m.remote, moved: &m.flags}
	f.unite(f.st.At(i), p, p.target(), e)
}

// left drops the record of a message that has moved away.
func (f *folder) left(uids []uint32, done func(error)) {
	if f.st == nil {
		done(nil) // its round has ended; the next one finds the message gone on both sides
		return
	}
	for _, uid := range uids {
		f.st.Drop(uid)
	}
	f.flush(done)
}

// traits asks the server what identifies messages, as far as it is not known yet.
func (f *folder) traits(uids []uint32, done func(map[uint32]trait, error)) {
	c := &traitFetch{folder: f.pair.local, found: map[uint32]trait{}, want: map[uint32]bool{}}
	for _, u := range uids {
		if t, ok := f.asked[u]; ok {
			c.found[u] = t
		} else {
			c.want[u] = true
		}
	}
	if len(c.want) == 0 {
		done(c.found, nil)
		return
	}
	f.reading(func(sel *imapproto.Selection, err error) {
		if err != nil {
			done(nil, err)
			return
		}
		f.a.link.conn.UIDFetch(sel, uidSet(sortedKeys(c.want)), traitItems, c, func(err error) {
			if err = f.readError("ask what identifies messages", sel, err); err != nil {
				c.found = nil
			}
			done(c.found, err)
		})
	})
}

var traitItems = imapproto.FetchItems{Size: true, InternalDate: true, HeaderFields: printFields}

// askLimit is how many new messages are asked what identifies them on the promise
// of counters alone.
const askLimit = 256

// askEarly asks what identifies the first new messages, behind an unanswered
// SELECT: another folder lost some, and these may be they.
func (f *folder) askEarly(done func(error)) {
	sel, last := f.sel, uint32(min(uint64(f.firstNew())+askLimit-1, 1<<32-1))
	c := &traitFetch{folder: f.pair.local, found: map[uint32]trait{}, from: f.firstNew(), to: last}
	set := imap.UIDSet{imap.UIDRange{Start: imap.UID(c.from), Stop: imap.UID(last)}}
	f.a.link.conn.UIDFetch(sel, set, traitItems, c, func(err error) {
		if f.readError("ask what identifies messages", sel, err) == nil {
			f.asked = c.found
		}
		done(refusedIsFine(err)) // whatever is missing is asked again
	})
}

// refusedIsFine leaves only the errors of the connection.
func refusedIsFine(err error) error {
	if errors.As(err, new(*imapproto.CommandError)) || errors.As(err, new(*imapproto.NotSelectedError)) {
		return nil
	}
	return err
}

// traitFetch collects traits of the messages wanted, or of all in a range.
type traitFetch struct {
	folder   string
	want     map[uint32]bool
	from, to uint32
	found    map[uint32]trait
}

func (c *traitFetch) Body(*imapproto.Message, int64) imapproto.Sink { return nil }
func (c *traitFetch) Vanished(imap.UIDSet)                          {}
func (c *traitFetch) Message(m *imapproto.Message) {
	if m.UID == 0 || m.Header == nil || !c.want[m.UID] && !(c.from <= m.UID && m.UID <= c.to) {
		return
	}
	t := trait{folder: c.folder, size: m.Size, msgID: maildir.MessageID(m.Header)}
	t.print, t.strong = fingerprint(m.Header)
	if !m.InternalDate.IsZero() {
		t.date = m.InternalDate.Unix()
	}
	c.found[m.UID] = t
}

// readTrait reads what identifies the message in a file.
func readTrait(fs FS, dir string, e maildir.Entry) (t trait, hash string, at maildir.Entry, mtime int64, err error) {
	m, err := maildir.OpenMessage(fs, dir, e)
	if err != nil {
		return t, "", e, 0, err
	}
	defer m.Close()
	t.size, t.msgID = m.Size, m.MessageID
	var head []byte
	buf := make([]byte, 8<<10)
	for len(head) < 128<<10 && !strings.Contains(string(head), "\r\n\r\n") {
		n, err := m.Read(buf)
		head = append(head, buf[:max0(n)]...)
		if n <= 0 || err != nil {
			break
		}
	}
	t.print, t.strong = fingerprint(head)
	return t, m.Hash, m.Entry, m.Mtime.Unix(), nil
}
