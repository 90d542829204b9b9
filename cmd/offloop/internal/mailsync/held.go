package mailsync

import (
	"bytes"
	"fmt"
	"mime"
	"net/mail"
	"strings"
	"syscall"

	"offloop/maildir"
)

const (
	heldMost   = 1000    // messages named one by one
	heldHeader = 8 << 10 // bytes of a file in which its subject is looked for
)

// heldMessage is a message whose deletion the brake holds back.
type heldMessage struct {
	uid   uint32
	entry maildir.Entry
	here  bool   // its file is here, to be deleted because the server's is gone
	about string // date, sender and subject
}

// listHeld names each message whose deletion is held back, so that whoever
// releases the brake knows what goes.
func (f *folder) listHeld() {
	var list []heldMessage
	add := func(uids []uint32, here bool) {
		for _, uid := range uids {
			if i, ok := f.st.Find(uid); ok && len(list) < heldMost {
				list = append(list, heldMessage{uid: uid, entry: f.entryOf(f.st.At(i)), here: here})
			}
		}
	}
	add(f.plan.heldLocal, true)
	add(f.plan.heldRemote, false)
	all := len(f.plan.heldLocal) + len(f.plan.heldRemote)
	fs, dir := f.a.env.FS, f.dir
	f.a.env.Loop.Disk(func() {
		for i := range list {
			if !list[i].here {
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
		switch {
		case h.here && i == 0:
			b.WriteString("Gone from the server, to be deleted here:\n")
		case !h.here && (i == 0 || list[i-1].here):
			b.WriteString("Gone here, to be deleted on the server:\n")
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
