package mailsync

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"offloop/maildir"
)

// Tokens of a folder's state file.
const (
	tokName     = "name"        // local folder name, for people
	tokValidity = "uidvalidity" // the server's UIDVALIDITY all records belong to
	tokUIDNext  = "uidnext"     // highest UIDNEXT seen
	tokDigest   = "rules"       // digest of the rules that select messages
	tokPaired   = "paired"      // what both sides held at the beginning has been paired
	tokOurs     = "ours"        // offloop filled this folder: keyword letters are ours to give
	tokCur      = "cur"         // inode of the folder's cur
	tokDeletes  = "deletes"     // deletes of the last hour, for the brake
	tokGen      = "generation"  // counts the rounds that changed records; the account's state knows it too
)

// Tokens of the account's state file.
const (
	tokCaps   = "caps"   // capabilities after the last login
	tokAuth   = "auth"   // the mechanism that logged in last, while the capabilities are the same
	tokRoot   = "root"   // the Maildir root that was synced
	tokMarker = "marker" // and its marker
	tokMute   = "mute"   // the server fell silent over ENABLE: it is not sent again while its capabilities are the same
	tokDepth  = "depth"  // commands to send ahead of their answers, and what the table says, if not the usual
	tokNear   = "near"   // a flight to the server takes next to no time, and INBOX is large
	tokFolder = "f/"     // + local name: what was last seen of the folder
	tokAnew   = "new/"   // + local name: the user had the folder begun anew; OfflineIMAP's state counts no more
)

// folderToken is what the account's state remembers of a folder, enough to tell
// without opening anything that nothing changed. The server's numbers are those
// of the answer that began the last comparison, never of one that followed our
// own changes: our own change makes the folder look changed once, and that look
// proves that it arrived.
type folderToken struct {
	remote    string
	validity  uint32
	uidNext   uint32
	messages  uint32
	modSeq    uint64
	stamps    [2]maildir.Stamp
	digest    string
	full      int64 // Unix time of the last full comparison
	pending   bool  // something is open: an intent, a quarantined or held-back operation
	forgotten bool  // the user gave the pair up
	// gen is the generation of the records that all this was said with. If those
	// on disk are of another one (they were damaged, cut, or restored from a
	// backup), nothing of it holds.
	gen uint64
	// above is one more than the highest UID in the records: what is below need
	// not be fetched on the promise of counters, it may be our own uploads.
	above uint32
}

// String encodes the token; parseFolderToken is its inverse.
func (t folderToken) String() string {
	flags := ""
	if t.pending {
		flags += "p"
	}
	if t.forgotten {
		flags += "x"
	}
	return fmt.Sprintf("%s %d %d %d %d %s %s %s %d -%s %d %d", url.QueryEscape(t.remote), t.validity, t.uidNext, t.messages,
		t.modSeq, url.QueryEscape(t.stamps[0].String()), url.QueryEscape(t.stamps[1].String()), url.QueryEscape("r"+t.digest), t.full, flags, t.gen, t.above)
}

func parseFolderToken(s string) (t folderToken, ok bool) {
	w := strings.Fields(s)
	if len(w) != 12 {
		return t, false
	}
	var err error
	if t.remote, err = url.QueryUnescape(w[0]); err != nil {
		return t, false
	}
	n32 := func(s string) uint32 {
		v, e := strconv.ParseUint(s, 10, 32)
		if e != nil {
			err = e
		}
		return uint32(v)
	}
	t.validity, t.uidNext, t.messages = n32(w[1]), n32(w[2]), n32(w[3])
	if v, e := strconv.ParseUint(w[4], 10, 64); e == nil {
		t.modSeq = v
	} else {
		err = e
	}
	for i := range t.stamps {
		x, e := url.QueryUnescape(w[5+i])
		if e == nil {
			t.stamps[i], e = maildir.ParseStamp(x)
		}
		if e != nil {
			err = e
		}
	}
	digest, e := url.QueryUnescape(w[7])
	if e != nil || digest == "" {
		return t, false
	}
	t.digest = digest[1:]
	if t.full, e = strconv.ParseInt(w[8], 10, 64); e != nil {
		err = e
	}
	if t.gen, e = strconv.ParseUint(w[10], 10, 64); e != nil {
		err = e
	}
	t.above = n32(w[11])
	t.pending = strings.Contains(w[9], "p")
	t.forgotten = strings.Contains(w[9], "x")
	return t, err == nil
}

// generation is gen as the folder's own state has it.
func (t folderToken) generation() string {
	if t.gen == 0 {
		return ""
	}
	return strconv.FormatUint(t.gen, 10)
}
