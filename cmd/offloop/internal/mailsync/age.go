package mailsync

import (
	"fmt"
	"slices"
	"time"

	imap "github.com/emersion/go-imap/v2"
)

// maxage and startdate choose among new messages only. One that both sides have
// had goes on being synced however old it grows, so that age never makes a
// message seem gone from a side. What is too old when it is first seen stays
// where it is: on the server it is recorded as left there, here nothing is
// recorded of it.

// dated tells whether new messages are chosen by their age.
func (s *Settings) dated() bool { return s.MaxAge > 0 || !s.Since.IsZero() }

// since is the first day whose messages are synced, as midnight UTC.
func (s *Settings) since(now time.Time) time.Time {
	if s.MaxAge > 0 {
		return now.UTC().AddDate(0, 0, -s.MaxAge).Truncate(24 * time.Hour)
	}
	return s.Since
}

// findYoung asks which of the server's new messages are young enough. SEARCH
// SINCE goes by the day of INTERNALDATE, without regard to its time zone (RFC
// 9051 section 6.4.4).
func (f *folder) findYoung(done func(error)) {
	uids := make([]uint32, 0, len(f.remote.fresh))
	for _, m := range f.remote.fresh {
		if !f.pairedUID(m.uid) {
			uids = append(uids, m.uid)
		}
	}
	if !f.a.set.dated() || len(uids) == 0 {
		done(nil)
		return
	}
	since := f.a.set.since(f.a.env.Loop.Now())
	f.selected(func(err error, release func()) {
		if err != nil {
			release()
			done(err)
			return
		}
		f.a.link.conn.UIDSearch(f.sel, fmt.Sprintf("UID %d:%d SINCE %s", uids[0], uids[len(uids)-1], since.Format("2-Jan-2006")), f.takeYoung(done))
		release()
	})
}

func (f *folder) takeYoung(done func(error)) func(imap.UIDSet, error) {
	return func(set imap.UIDSet, err error) {
		if err != nil {
			done(f.commandError("ask for the age of new messages", err))
			return
		}
		f.young = map[uint32]bool{}
		for _, uid := range expand(set, f.data) {
			f.young[uid] = true
		}
		done(nil)
	}
}

// leaveOld takes out of the plan what is new and too old. This comes after moves
// have been found: what came from another folder is new only to this one.
func (f *folder) leaveOld() {
	if !f.a.set.dated() {
		return
	}
	p, since := f.plan, f.a.set.since(f.a.env.Loop.Now())
	// With the connection lost it was not found out what moved. Then the messages
	// stay in the plan: they cannot be fetched, which holds the deletes back.
	lost := f.a.link == nil || f.a.link.closed
	p.download = slices.DeleteFunc(p.download, func(m remoteMsg) bool {
		_, known := f.st.Find(m.uid)
		old := !known && !lost && !f.young[m.uid]
		if old {
			p.oldRemote = append(p.oldRemote, m)
		}
		return old
	})
	p.upload = slices.DeleteFunc(p.upload, func(l localFile) bool {
		at, ok := nameTime(l.name.Unique)
		old := ok && at.Before(since)
		if old {
			p.oldLocal = append(p.oldLocal, l)
		}
		if old && l.hint == 0 {
			// It may have been moved here, and so be the only other copy of a
			// message that is about to be deleted elsewhere.
			f.a.heldFiles = append(f.a.heldFiles, heldFile{f.dir, l.entry})
		}
		return old
	})
	day := since.Format("2006-01-02")
	if n := len(p.oldRemote); n > 0 {
		f.a.emit(Event{Kind: "log", Folder: f.pair.local, N: int64(n), Text: fmt.Sprintf("%d messages of %s are from before %s and stay on the server", n, f.pair.remote, day)})
	}
	if n := len(p.oldLocal); n > 0 {
		f.a.emit(Event{Kind: "log", Severity: "debug", Folder: f.pair.local, N: int64(n), Text: fmt.Sprintf("%d files of %s are from before %s and stay here", n, f.pair.local, day)})
	}
}

// nameTime is the time that a Maildir file name begins with, in seconds. A name
// that begins otherwise says nothing of its age.
func nameTime(unique string) (time.Time, bool) {
	n, digits := int64(0), 0
	for digits < len(unique) && unique[digits] >= '0' && unique[digits] <= '9' {
		if n = n*10 + int64(unique[digits]-'0'); n > 1<<40 {
			return time.Time{}, false
		}
		digits++
	}
	return time.Unix(n, 0), digits > 0
}
