package mailsync

import "time"

// Compress says when a connection is compressed (RFC 4978).
type Compress uint8

// CompressAuto compresses where it pays: COMPRESS costs a flight of its own, and
// both ends some work a byte.
const (
	CompressAuto Compress = iota
	CompressNo
	CompressYes
)

const (
	// compressFrom is how many new messages the server must promise. A hundred
	// are about a megabyte, of which DEFLATE saves about half: on a line slow
	// enough for the round trips to be felt, more time than the flight it costs.
	compressFrom = 100
	// compressRTT tells a line where bytes are dear from a local network.
	compressRTT = 5 * time.Millisecond
)

// compress asks for compression before the folders' commands are queued, if that
// is wanted.
func (a *Account) compress(pairs []pair) {
	k := a.link
	if a.set.Compress == CompressNo || k.compressed || !a.has("COMPRESS=DEFLATE") {
		return
	}
	if a.set.Compress == CompressAuto && (k.rtt < compressRTT || a.promised(pairs) < compressFrom) {
		return
	}
	k.compressed = true
	k.conn.Compress(func(err error) {
		if err != nil && !k.closed {
			a.emit(Event{Kind: "log", Severity: "debug", Text: "The server refuses to compress the connection: " + err.Error()})
		}
	})
}

// promised is how many messages the server seems to have that were never seen.
func (a *Account) promised(pairs []pair) int64 {
	n := int64(0)
	for _, p := range pairs {
		if p.status == nil {
			continue
		}
		t, known := parseFolderToken(a.book.Token(tokFolder + p.local))
		switch {
		case !known || t.validity != p.status.UIDValidity:
			n += int64(p.status.Messages)
		case p.status.UIDNext > t.uidNext:
			n += int64(min(p.status.UIDNext-t.uidNext, p.status.Messages))
		}
	}
	return n
}

// deflate hands the connection's bytes to DEFLATE from here on.
func (k *link) deflate(rest []byte) error {
	k.tr.Unread(rest)
	return k.tr.StartDeflate()
}

// timeFlight measures round trips: from the first byte sent while nothing was
// unanswered to the first one received. Servers take their time over a login, so
// only the shortest counts.
func (k *link) timeFlight(now time.Time) {
	if k.asked.IsZero() {
		return
	}
	if d := now.Sub(k.asked); d > 0 && (k.rtt == 0 || d < k.rtt) {
		k.rtt = d
	}
	k.asked = time.Time{}
}
