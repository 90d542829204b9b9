package mailsync

import (
	"slices"
	"strings"
	"time"
)

// INBOX is opened in the first flight, with the login, since it is where mail comes
// most often: what is new there then costs no flight of its own. To open a large
// mailbox is work for the server, though (Dovecot reads the whole Maildir), and on a
// line where a flight takes next to no time nothing is gained by it.
const (
	// largeMailbox is from how many messages on opening a mailbox takes longer
	// than a flight to a server near by: 50,000 take Dovecot 20 ms.
	largeMailbox = 10_000
	// A server is near if a flight takes less than nearRTT, and stays so up to
	// farRTT: what is remembered should not change from round to round.
	nearRTT = 3 * time.Millisecond
	farRTT  = 8 * time.Millisecond
)

// speculate looks at INBOX in the first flight, where the server can say what
// changed since last time.
func (a *Account) speculate() {
	if !a.qresync() {
		return
	}
	p, t, ok := a.knownInbox()
	if !ok || !a.wanted(p.remote, p.local) || !slices.Contains(a.localNames, p.local) || slices.Contains(a.set.Recreate, p.local) ||
		t.messages >= largeMailbox && a.book.Token(tokNear) != "" {
		return
	}
	f := a.addFolder(p)
	if !f.usableToken() {
		a.folders = nil
		return
	}
	f.speculate()
	f.run()
}

// knownInbox gives what is remembered of INBOX.
func (a *Account) knownInbox() (p pair, t folderToken, ok bool) {
	for _, key := range a.book.Tokens() {
		name, is := strings.CutPrefix(key, tokFolder)
		t, fits := parseFolderToken(a.book.Token(key))
		if is && fits && !t.forgotten && t.remote == "INBOX" {
			return pair{remote: t.remote, local: name}, t, true
		}
	}
	return p, t, false
}

// noteDistance remembers whether the server is near, where that makes a difference.
func (a *Account) noteDistance() {
	if a.book == nil || a.set.DryRun || a.link == nil || a.link.rtt == 0 {
		return
	}
	_, t, _ := a.knownInbox()
	was := a.book.Token(tokNear)
	now := was
	switch d := a.link.rtt; {
	case t.messages < largeMailbox || d > farRTT:
		now = ""
	case d < nearRTT:
		now = "1"
	}
	if now != was {
		a.book.SetToken(tokNear, now)
	}
}
