package mailsync

import (
	"bytes"
	"fmt"
	"mime"
	"net/mail"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/emersion/go-imap/v2"

	"offloop/maildir"
)

const (
	heldMost   = 1000    // messages named one by one
	heldHeader = 8 << 10 // bytes of a file in which its subject is looked for
)

// heldWhy is why a message would be deleted.
type heldWhy uint8

const (
	goneThere  heldWhy = iota // the server's is gone, the file would be deleted
	goneHere                  // the file is gone, the server's would be deleted
	markedHere                // the file is marked T, the server's would be expunged
)

// heldMessage is a message whose deletion the brake holds back.
type heldMessage struct {
	uid   uint32
	entry maildir.Entry
	why   heldWhy
	about string // date, sender and subject
}

// heldSet is what a person was shown and may let through: the messages to be deleted
// here and on the server. Its text is "UIDVALIDITY/UIDs/UIDs", and a permission repeats
// it, so that nothing else passes that happens to be as many.
type heldSet struct{ here, there imap.UIDSet }

// heldSet names the deletes that the brake holds back.
func (f *folder) heldSet(marked []uint32) string {
	return fmt.Sprintf("%d/%s/%s", parseUint32(f.st.Token(tokValidity)),
		uidSet(slices.Clone(f.plan.heldLocal)), uidSet(slices.Concat(f.plan.heldRemote, marked)))
}

// readHeldSet reads what heldSet wrote. Of a text of another UIDVALIDITY, or one that
// is damaged, nothing is in it.
func readHeldSet(text string, validity uint32) heldSet {
	part := strings.Split(text, "/")
	if len(part) != 3 || part[0] != fmt.Sprint(validity) {
		return heldSet{}
	}
	here, ok := readSet(part[1])
	there, ok2 := readSet(part[2])
	if !ok || !ok2 {
		return heldSet{}
	}
	return heldSet{here, there}
}

// readSet reads a set of UIDs as [imap.UIDSet.String] writes it.
func readSet(text string) (set imap.UIDSet, ok bool) {
	if text == "" {
		return nil, true
	}
	for part := range strings.SplitSeq(text, ",") {
		lo, hi, two := strings.Cut(part, ":")
		if !two {
			hi = lo
		}
		start, err := strconv.ParseUint(lo, 10, 32)
		stop, err2 := strconv.ParseUint(hi, 10, 32)
		if err != nil || err2 != nil || start == 0 || stop < start {
			return nil, false
		}
		set = append(set, imap.UIDRange{Start: imap.UID(start), Stop: imap.UID(stop)})
	}
	return set, true
}

// apart divides uids in those of the set and the others, each in its order.
func apart(uids []uint32, set imap.UIDSet) (in, out []uint32) {
	for _, uid := range uids {
		if set.Contains(imap.UID(uid)) {
			in = append(in, uid)
		} else {
			out = append(out, uid)
		}
	}
	return in, out
}

// listHeld names each message whose deletion is held back, so that whoever
// releases the brake knows what goes.
func (f *folder) listHeld(marked []uint32) {
	var list []heldMessage
	add := func(uids []uint32, why heldWhy) {
		for _, uid := range uids {
			if i, ok := f.st.Find(uid); ok && len(list) < heldMost {
				list = append(list, heldMessage{uid: uid, entry: f.entryOf(f.st.At(i)), why: why})
			}
		}
	}
	add(f.plan.heldLocal, goneThere)
	add(f.plan.heldRemote, goneHere)
	add(marked, markedHere)
	all := len(f.plan.heldLocal) + len(f.plan.heldRemote) + len(marked)
	fs, dir := f.a.env.FS, f.dir
	f.a.env.Loop.Disk(func() {
		for i := range list {
			if list[i].why == goneHere {
				continue
			}
			if _, ok := statEntry(fs, dir, &list[i].entry); ok {
				list[i].about = about(fs, dir+"/"+list[i].entry.String())
			}
		}
	}, func() {
		f.a.emit(Event{Kind: "held", Severity: "debug", Folder: f.pair.local, Dest: "brake", Text: heldText(list, all)})
	})
}

// heldText gives a line a message.
func heldText(list []heldMessage, all int) string {
	var b strings.Builder
	for i, h := range list {
		if i == 0 || list[i-1].why != h.why {
			b.WriteString([...]string{"Gone from the server, to be deleted here:\n", "Gone here, to be deleted on the server:\n",
				"Marked as deleted here, to be deleted on the server:\n"}[h.why])
		}
		fmt.Fprintf(&b, "UID %d  %s\n", h.uid, strings.TrimSpace(h.about+"  "+h.entry.File))
	}
	if all > len(list) {
		fmt.Fprintf(&b, "and %d more; --dry-run lists every one\n", all-len(list))
	}
	return strings.TrimRight(b.String(), "\n")
}

// about reads date, sender and subject of a message's file; "" where it has none
// that can be read.
func about(fs FS, path string) string {
	fd, err := fs.Open(path, syscall.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return ""
	}
	defer fs.Close(fd)
	buf := make([]byte, heldHeader)
	n, err := fs.Read(fd, buf)
	if err != nil {
		return ""
	}
	return headline(buf[:n])
}

// headline makes date, sender and subject of the beginning of a message.
func headline(head []byte) string {
	if i := bytes.Index(head, []byte("\n\n")); i >= 0 {
		head = head[:i+2]
	} else {
		head = append(head[:bytes.LastIndexByte(head, '\n')+1:len(head)], '\n')
	}
	m, err := mail.ReadMessage(bytes.NewReader(head))
	if err != nil {
		return ""
	}
	var parts []string
	if t, err := m.Header.Date(); err == nil {
		parts = append(parts, t.Format("2006-01-02"))
	}
	words := mime.WordDecoder{}
	for _, key := range []string{"From", "Subject"} {
		v := m.Header.Get(key)
		if d, err := words.DecodeHeader(v); err == nil {
			v = d
		}
		if v = strings.Join(strings.Fields(v), " "); len(v) > 80 {
			v = strings.ToValidUTF8(v[:80], "") + "..."
		}
		if v != "" {
			parts = append(parts, v)
		}
	}
	return strings.Join(parts, "  ")
}
