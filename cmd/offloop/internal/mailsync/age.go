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

// chooses tells whether some new messages are left on the server by a rule that
// has to be known before their contents are asked for.
func (s *Settings) chooses() bool { return s.dated() || s.Ignored != nil }

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
	if !f.a.set.dated() {
		done(nil)
		return
	}
	uids := make([]uint32, 0, len(f.remote.fresh))
	paired := f.pairedUIDs()
	for _, m := range f.remote.fresh {
		if !paired[m.uid] {
			uids = append(uids, m.uid)
		}
	}
	if len(uids) == 0 {
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

// leaveOut takes out of the plan what is new and too old, or named by
// copy_ignore_eval. This comes after moves have been found: what came from another
// folder is new only to this one.
func (f *folder) leaveOut() {
	if !f.a.set.chooses() {
		return
	}
	f.leaveThere()
	if f.a.set.dated() {
		f.leaveHere()
	}
}

func (f *folder) leaveThere() {
	// With the connection lost it was not found out what moved. Then the messages
	// stay in the plan: they cannot be fetched, which holds the deletes back.
	if f.a.link == nil || f.a.link.closed {
		return
	}
	p, s := f.plan, f.a.set
	var ignored map[uint32]bool
	if s.Ignored != nil {
		ignored = s.Ignored(f.pair.local)
	}
	old := 0
	p.download = slices.DeleteFunc(slices.Clone(p.download), func(m remoteMsg) bool {
		if _, known := f.st.Find(m.uid); known {
			return false
		}
		switch {
		case ignored[m.uid]:
			f.a.emit(Event{Kind: "log", Folder: f.pair.local, UID: int64(m.uid), Text: fmt.Sprintf("Message UID %d of %s is named by copy_ignore_eval and stays on the server", m.uid, f.pair.remote)})
		case s.dated() && !f.young[m.uid]:
			old++
		default:
			return false
		}
		p.left = append(p.left, m)
		return true
	})
	if old > 0 {
		f.a.emit(Event{Kind: "log", Folder: f.pair.local, N: int64(old), Text: fmt.Sprintf("%d messages of %s are from before %s and stay on the server", old, f.pair.remote, s.since(f.a.env.Loop.Now()).Format(time.DateOnly))})
	}
}

func (f *folder) leaveHere() {
	p, since := f.plan, f.a.set.since(f.a.env.Loop.Now())
	p.upload = slices.DeleteFunc(p.upload, func(l localFile) bool {
		old := f.tooOld(l)
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
	if n := len(p.oldLocal); n > 0 {
		f.a.emit(Event{Kind: "log", Severity: "debug", Folder: f.pair.local, N: int64(n), Text: fmt.Sprintf("%d files of %s are from before %s and stay here", n, f.pair.local, since.Format(time.DateOnly))})
	}
}

// tooOld tells whether a new file is from before what is synced.
func (f *folder) tooOld(l localFile) bool {
	at, ok := nameTime(l.name.Unique)
	return f.a.set.dated() && ok && at.Before(f.a.set.since(f.a.env.Loop.Now()))
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
