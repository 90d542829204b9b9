package mailsync

import (
	"fmt"
	"strings"

	"github.com/emersion/go-imap/v2"

	"offloop/maildir"
	"offloop/statefile"
)

// tellLook says, once both sides have been looked at, how many messages each holds.
func (f *folder) tellLook(done func(error)) func(error) {
	return func(err error) {
		if err == nil && f.err == nil {
			here, there := f.st.Len(), f.token.messages
			if f.local.scanned {
				here = f.local.count
			}
			if f.data != nil {
				there = f.data.Exists
			}
			f.a.emit(Event{Kind: "scan", Severity: "debug", Folder: f.pair.local, N: int64(here)})
			f.a.emit(Event{Kind: "list", Severity: "debug", Folder: f.pair.local, Conn: 1, N: int64(there)})
		}
		done(err)
	}
}

// tellRenames says which flags change in the Maildir, a line for all messages that
// change alike.
func (f *folder) tellRenames(jobs []*rename) {
	type change struct{ set, clear maildir.Flags }
	uids := map[change][]uint32{}
	var order []change
	for _, j := range jobs {
		c := change{j.set, j.clear}
		if uids[c] == nil {
			order = append(order, c)
		}
		uids[c] = append(uids[c], j.c.uid)
	}
	for _, c := range order {
		set := uidSet(uids[c])
		if c.set != 0 {
			f.tellFlags("flags", c.set, nil, set, len(uids[c]), 0, f.pair.local)
		}
		if c.clear != 0 {
			f.tellFlags("unflags", c.clear, nil, set, len(uids[c]), 0, f.pair.local)
		}
	}
}

// tellFlags says that flags are added to messages (kind "flags") or taken from them
// ("unflags"), as OfflineIMAP says it; conn is 0 for the Maildir.
func (f *folder) tellFlags(kind string, letters maildir.Flags, words []string, set imap.UIDSet, n, conn int, where string) {
	names := append(strings.Split(letters.String(), ""), words...)
	text := fmt.Sprintf("Adding flag %s to %d messages on %s", strings.Join(names, ", "), n, where)
	if kind == "unflags" {
		text = fmt.Sprintf("Deleting flag %s from %d messages on %s", strings.Join(names, ", "), n, where)
	}
	f.a.emit(Event{Kind: kind, Folder: f.pair.local, Conn: conn, N: int64(n), Dest: strings.Join(names, ", "), Set: set.String(), Text: text})
}

// wordsOf gives the keywords of fl that have no letter.
func (t *flagTable) wordsOf(fl statefile.Flags) []string {
	var l []string
	for i, k := range t.st.Keywords() {
		if b := firstKeyword + i; fl&(1<<b) != 0 && t.letter[b] == 0 {
			l = append(l, k)
		}
	}
	return l
}

// tellReadOnly warns that changes made here cannot be sent, once a folder.
func (f *folder) tellReadOnly() {
	a := f.a
	if f.data == nil || !f.data.ReadOnly || a.set.RemoteReadOnly || a.set.IgnoreReadOnly || a.set.DryRun || a.readOnlyTold[f.pair.local] {
		return
	}
	n := len(f.local.fresh) - len(f.pairs) + len(f.local.changed) + len(f.local.missing)
	if n <= 0 {
		return
	}
	if a.readOnlyTold == nil {
		a.readOnlyTold = map[string]bool{}
	}
	a.readOnlyTold[f.pair.local] = true
	a.emit(Event{Kind: "warn", Severity: "warn", Folder: f.pair.local, N: int64(n), Text: fmt.Sprintf("%s is read-only on the server: %d changes made here are not sent", f.pair.remote, n),
		Hint: "if that is as it should be, ignore-readonly = yes in [general] says so"})
}
