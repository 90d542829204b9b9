package mailsync

import (
	"slices"
	"strings"

	"offloop/imapproto"
)

// canTell reports whether the server can say which folders changed before any is
// opened: with CONDSTORE (RFC 7162) its counters show every change, whether they
// come with the folder list (LIST-STATUS, RFC 5819) or are asked for one by one.
func (a *Account) canTell() bool { return a.has("CONDSTORE") }

// counters are what tells a changed folder.
var counters = []string{"MESSAGES", "UIDNEXT", "UIDVALIDITY", "HIGHESTMODSEQ"}

// askCounters asks for the counters of the folders that are known, in one flight
// with the folder list behind them. Of one that the server says too little of
// nothing is known, so it is opened.
func (a *Account) askCounters() map[string]*imapproto.Status {
	all := map[string]*imapproto.Status{}
	for _, p := range a.knownPairs() {
		a.link.conn.Status(p.remote, counters, func(s imapproto.Status, err error) {
			if err == nil && s.Set.Has(imapproto.StatusMessages|imapproto.StatusUIDNext|imapproto.StatusUIDValidity|imapproto.StatusHighestModSeq) {
				all[p.remote] = &s
			}
		})
	}
	return all
}

// giveCounters adds what was asked for one by one to the list of folders.
func giveCounters(boxes []imapproto.Mailbox, asked map[string]*imapproto.Status) {
	for i := range boxes {
		name := boxes[i].Name
		if strings.EqualFold(name, "INBOX") {
			name = "INBOX"
		}
		if s := asked[name]; s != nil {
			boxes[i].Status = s
		}
	}
}

// knownPairs are the folders known from earlier rounds that have part in this one,
// as far as can be told before the server has listed any.
func (a *Account) knownPairs() (pairs []pair) {
	local := map[string]bool{}
	for _, n := range a.localNames {
		local[n] = true
	}
	for _, key := range a.book.Tokens() {
		name, ok := strings.CutPrefix(key, tokFolder)
		if !ok || !local[name] {
			continue
		}
		t, ok := parseFolderToken(a.book.Token(key))
		if !ok || t.forgotten || !a.wanted(t.remote, name) || slices.Contains(a.set.Recreate, name) {
			continue
		}
		pairs = append(pairs, pair{remote: t.remote, local: name})
	}
	return pairs
}
