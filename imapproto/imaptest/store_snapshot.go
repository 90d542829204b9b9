package imaptest

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"sort"
	"strings"
)

// Mailboxes returns the names of all mailboxes, sorted.
func (v *Server) Mailboxes() []string {
	out := make([]string, 0, len(v.boxes))
	for name := range v.boxes {
		out = append(out, name)
	}
	sort.Strings(out)
	return out
}

// Mailbox returns the state of a mailbox; false if it does not exist.
func (v *Server) Mailbox(name string) (Mailbox, bool) {
	b := v.box(name)
	if b == nil {
		return Mailbox{}, false
	}
	return Mailbox{Name: b.name, Attrs: b.attrs, UIDValidity: b.uidValidity, UIDNext: b.uidNext,
		HighestModSeq: b.modseq, Messages: len(b.msgs), ID: b.id, Subscribed: v.subscribed[b.name],
		ReadOnly: b.readOnly}, true
}

// Messages returns copies of a mailbox's messages in UID order, nil if there is
// no such mailbox. Bodies are shared: do not change them.
func (v *Server) Messages(mailbox string) []Message {
	b := v.box(mailbox)
	if b == nil {
		return nil
	}
	out := make([]Message, len(b.msgs))
	for i, m := range b.msgs {
		out[i] = Message{UID: m.uid, Flags: append([]string(nil), m.flags...), Date: m.date,
			Body: m.body, ModSeq: m.modseq, ID: m.id}
	}
	return out
}

// MailboxSnapshot is one mailbox of a Snapshot.
type MailboxSnapshot struct {
	UIDValidity, UIDNext uint32
	Messages             []Message
}

// Snapshot is the whole store at one moment, by mailbox name.
type Snapshot map[string]MailboxSnapshot

// Snapshot copies the store. Bodies are shared, never changed.
func (v *Server) Snapshot() Snapshot {
	out := Snapshot{}
	for name, b := range v.boxes {
		out[name] = MailboxSnapshot{b.uidValidity, b.uidNext, v.Messages(name)}
	}
	return out
}

// Equal reports whether the two stores are the same: mailboxes, UIDVALIDITY,
// UIDs, flags (in any order), dates and bytes. UIDNEXT and mod-sequences are
// not compared.
func (s Snapshot) Equal(o Snapshot) bool { return s.Diff(o) == "" }

// Diff says where o differs from s, one line a difference, "" if Equal.
func (s Snapshot) Diff(o Snapshot) string {
	return s.diff(o, func(box MailboxSnapshot) map[string]int {
		out := map[string]int{fmt.Sprintf("UIDVALIDITY %d", box.UIDValidity): 1}
		for _, m := range box.Messages {
			out[fmt.Sprintf("uid %d ", m.UID)+m.summary()]++
		}
		return out
	})
}

// SameMail compares what a user cares about: for every mailbox the multiset of
// (bytes, flags, date), without UIDs and UIDVALIDITY. It returns the
// differences, one a line, "" if there are none.
func (s Snapshot) SameMail(o Snapshot) string {
	return s.diff(o, func(box MailboxSnapshot) map[string]int {
		out := map[string]int{}
		for _, m := range box.Messages {
			out[m.summary()]++
		}
		return out
	})
}

func (s Snapshot) diff(o Snapshot, lines func(MailboxSnapshot) map[string]int) string {
	names := map[string]bool{}
	for n := range s {
		names[n] = true
	}
	for n := range o {
		names[n] = true
	}
	var out []string
	for n := range names {
		a, inA := s[n]
		b, inB := o[n]
		if inA != inB {
			out = append(out, fmt.Sprintf("%q: there %v, then %v", n, inA, inB))
			continue
		}
		have, want := lines(a), lines(b)
		for l, k := range have {
			if want[l] < k {
				out = append(out, fmt.Sprintf("%q: - %s (%d times, then %d)", n, l, k, want[l]))
			}
		}
		for l, k := range want {
			if have[l] < k {
				out = append(out, fmt.Sprintf("%q: + %s (%d times, then %d)", n, l, have[l], k))
			}
		}
	}
	sort.Strings(out)
	return strings.Join(out, "\n")
}

// summary names a message by everything but its UID.
func (m Message) summary() string {
	flags := append([]string(nil), m.Flags...)
	sort.Strings(flags)
	subject := ""
	for _, l := range bytes.Split(m.Body[:min(len(m.Body), 2000)], []byte("\r\n")) {
		if len(l) > 8 && strings.EqualFold(string(l[:8]), "Subject:") {
			subject = strings.TrimSpace(string(l[8:]))
		}
	}
	sum := sha256.Sum256(m.Body)
	return fmt.Sprintf("%q %d bytes sha %x (%s) %s", subject, len(m.Body), sum[:6],
		strings.Join(flags, " "), m.Date.UTC().Format("2006-01-02T15:04:05"))
}
