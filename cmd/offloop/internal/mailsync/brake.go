package mailsync

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The brake holds back deletes that look like an accident: an emptied or
// unmounted directory, a server that lost its mail. Everything else goes on.
const (
	brakeSome   = 10   // up to this many deletes are nobody's accident
	brakeShare  = 4    // more than one in four of a folder
	brakeFolder = 500  // in a folder
	brakeAll    = 1000 // in an account
	brakeMemory = time.Hour
)

// braked is the rule itself: n deletes, of a folder that holds total messages,
// in an account whose deletes come to all.
func braked(n, total, all int) bool {
	return n > brakeSome && (n*brakeShare > total || n >= total) || n > brakeFolder || all > brakeAll
}

// brake moves the plan's deletes aside if they are too many. Earlier deletes of
// the last hour count, so that a disaster in small steps is one all the same.
// Those that a person let through, having seen them, go ahead and do not count.
func (f *folder) brake() {
	p := f.plan
	if f.released() {
		return
	}
	let := readHeldSet(f.a.set.Allowed[f.pair.local], parseUint32(f.st.Token(tokValidity)))
	letLocal, local := apart(p.deleteLocal, let.here)
	letRemote, remote := apart(p.deleteRemote, let.there)
	letExpunge, expunge := apart(p.expunge, let.there)
	letMarked, marked := apart(f.markedHere(), let.there) // deletes that this round's T flags would become
	f.let = len(letLocal) + len(letRemote) + len(letExpunge) + len(letMarked)
	n := len(local) + len(remote) + len(expunge) + len(marked)
	if n == 0 {
		return
	}
	past, _ := recentDeletes(f.st.Token(tokDeletes), f.a.env.Loop.Now())
	if !braked(n+past, f.st.Len()+past, f.a.deletes+n+past) {
		f.a.deletes += n + past
		return
	}
	p.heldLocal, p.heldRemote = local, append(remote, expunge...)
	p.deleteLocal, p.deleteRemote, p.expunge = letLocal, letRemote, letExpunge
	f.holdMarked = len(marked) > 0
	before := ""
	if past > 0 {
		before = fmt.Sprintf(", after %d in the last hour", past)
	}
	f.a.emit(Event{Kind: "attention", Severity: "warn", Folder: f.pair.local, Dest: "brake", N: int64(n),
		Set: f.heldSet(marked),
		Text: fmt.Sprintf("Brake: %d of %d messages in %s would be deleted (%d in the Maildir, %d on the server)%s. They were left; everything else goes on.",
			n, f.st.Len(), f.pair.local, len(p.heldLocal), len(p.heldRemote)+len(marked), before),
		Hint: fmt.Sprintf("if this is what you want: --allow-deletes %q", f.pair.local)})
	f.listHeld(marked)
	f.a.held += n
}

// markedHere gives the messages that would be expunged for the T flag that their files
// got since the last round.
func (f *folder) markedHere() (uids []uint32) {
	if !f.a.canExpunge() {
		return nil
	}
	for _, c := range f.plan.remoteFlags {
		if c.then.Mark == markExpunge {
			uids = append(uids, c.uid)
		}
	}
	return uids
}

// released tells whether the user lets all deletes of this folder through.
func (f *folder) released() bool { return f.a.released(f.pair.local) }

func (a *Account) released(local string) bool {
	return slices.Contains(a.set.AllowDeletes, local) || slices.Contains(a.set.AllowDeletes, "*")
}

// countDeletes remembers n deletes for the brake. It counts what was done, not what
// was planned: a round that is stopped plans the same deletes again. What the user
// let through does not count against what comes after.
func (f *folder) countDeletes(n int) {
	spared := max(0, min(n, f.let))
	f.let -= spared
	if n -= spared; n == 0 || f.released() {
		return
	}
	now := f.a.env.Loop.Now()
	_, log := recentDeletes(f.st.Token(tokDeletes), now)
	f.st.SetToken(tokDeletes, strings.Join(append(log, fmt.Sprintf("%d:%d", now.Unix(), n)), ","))
}

// recentDeletes sums the deletes of the last hour; its token is
// "unixtime:count,...".
func recentDeletes(token string, now time.Time) (sum int, kept []string) {
	for part := range strings.SplitSeq(token, ",") {
		at, n, ok := strings.Cut(part, ":")
		t, err := strconv.ParseInt(at, 10, 64)
		c, err2 := strconv.Atoi(n)
		if !ok || err != nil || err2 != nil || c < 0 || now.Sub(time.Unix(t, 0)) > brakeMemory {
			continue
		}
		sum += c
		kept = append(kept, part)
	}
	return sum, kept
}
