// Package statefile keeps what both sides of a folder pair last agreed on: one text file a pair,
// a snapshot followed by a journal. It knows records and flushing, nothing of mail beyond UID,
// flags and a file's name.
//
// # The format, byte by byte
//
// The file is a sequence of lines
//
//	line    = payload mark sum LF
//	mark    = " " / "<" / ">" / "="
//	sum     = 8 lower-case hexadecimal digits
//	payload = word *( " " field )
//
// sum is the CRC-32C (Castagnoli) over the payloads and marks of all lines from the beginning of
// the file up to and including this one; sums and LFs are not counted. A line is so tied to what
// stands before it: one that is torn, changed, missing, doubled or left over from another file
// gives a wrong sum at that very place.
//
// mark is "<" on the first line of an append made after everything before it had been flushed,
// ">" on the last line of an append that was going to be flushed, "=" where both is true.
//
// A field is text or a number. In text every byte but visible ASCII, and %, is %XX in capitals;
// the empty text is "-" and the text "-" is %2D. Numbers are decimal without leading zeros.
// There is one way to write a thing: what can be read is written again as the same bytes.
//
//	offloop-state 1                  the first line of every file: the format's version
//	snapshot                         the second line, if the file begins with a snapshot
//	end                              the snapshot's last line; the journal follows
//	folder NAME FMD5                 which folder this is
//	keyword N NAME                   keyword N (0 to 56) of the table
//	token KEY VALUE                  an empty value removes the token
//	+ UID FLAGS NAME [MARK]          a message: new, or its new values
//	- UID                            the message is gone
//	intent ID BASE SIZE HASH MESSAGE-ID UIDVALIDITY UIDNEXT AT FLAGS PID
//	done ID                          the intent is settled
//	hold SIDE KEY REASON TRIES NEXT [SINCE]
//	                                 a message is quarantined
//	free SIDE KEY                    it no longer is
//
// FLAGS are the letters D F P R S T (X: reserved) in this order, then .N for each keyword number,
// ascending; "-" is none. MARK is e (expunge), g (gone), s (skipped), k (kept), or a number above 4. The
// file of an account differs only in what is in it: tokens.
//
// Every line states the new value of one thing and none a difference, so reading a run of lines
// twice has the effect of reading it once. That is why a repeated append, and journal lines that
// a snapshot already contains, do no harm.
//
// # What is durable when
//
// AppendJournal with sync returns nil: all lines appended to this file so far, and the file's
// name. AppendJournal without sync: nothing against a power cut, everything against the death of
// the process. SnapshotFile.Commit and WriteSnapshot return nil: the new file is whole and has
// the name; before that the old one is and has. Truncate returns nil: the tail will not come back.
//
// # Recovery
//
// Load reads until the first bad line and decides what the rest is.
//
// It is a torn tail if no whole line behind the bad one carries "<" or "=". Then nothing shows
// that the bad line was ever flushed: it belongs to the last append, or to a run of appends
// without flush, whose blocks a power cut may keep or lose in any order, later ones without
// earlier ones. Nobody was promised any of it. What stands before is a state offloop was in,
// and it goes on from there; the whole lines behind are dropped with the tail, since a later
// change without an earlier one is a state offloop never was in.
//
// It is damage if such a line is there: all before it was flushed, so something else than a crash
// changed it. It is damage, too, anywhere between "snapshot" and "end": the file got its name
// only after all of that was flushed; and if a line's sum is right and its contents are not. Load
// then returns a *DamageError and nothing is changed. A first line that is not ours is never taken
// for a torn one, unless it is the mere beginning of one or a block of zeros.
//
// An append that fails cuts the file back, so that its lines can be appended again. After a flush
// that failed the system may take for written what is not, and say so on the next flush; so a copy
// of the file, made before the failed lines, takes its place (write NAME~renew, flush, rename, flush
// the directory). An append that finds the file ending in a torn line is refused: lines behind a
// torn one could not be read again.
// A crash while a torn tail is cut leaves it torn, shorter or cut: each is one of the cases above.
// A crash while a snapshot is written leaves the old file and a file NAME~new, which the next
// snapshot overwrites; rename is atomic, and the flush before it makes that safe.
//
// # Memory
//
// 12 bytes a message and its name, in blocks that are never copied to grow. A snapshot of a large
// folder can be written in pieces (StartSnapshot) without a second copy of the folder.
package statefile
