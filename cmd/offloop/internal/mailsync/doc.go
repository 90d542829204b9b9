// Package mailsync keeps an IMAP account and a tree of Maildirs the same, both
// ways. It is the engine: it stands above the rooms reactor, imapproto, maildir
// and statefile, and is the only code that knows all four.
//
// # Three states
//
// Every folder has three views of its messages: what the Maildir holds (local),
// what the server holds (remote), and what both sides last agreed on (the
// state). A change on a side is a difference between that side and the state;
// merge, a pure function, turns the three views into a plan, and the plan is
// then carried out in an order that makes any stop harmless.
//
// # One round
//
// An Account round runs through these states; everything below happens on one
// goroutine, and several folders are at work at once.
//
//	Locked ─> Local ─> Connect ─> List ─> Folders ─> Deletes ─> Commit ─> Logout ─> Idle
//	   │        │          │        │        │          │          │
//	   └────────┴──────────┴────────┴────────┴──────────┴──────────┴──> Failed ─> Idle
//
// Each folder is a machine of its own (see folder.go): load the state, look at
// both sides, pair, plan, meet the others to see what moved, transfer, wait for the others,
// delete, commit.
//
// One connection carries nearly everything; share.go says what a second one takes over.
//
// # Order of durable facts
//
//   - A download: temporary file written and flushed, renamed, directory
//     flushed, then recorded. The UID in the file's name repairs a stop between
//     the last two.
//   - An upload: the mail reader's file flushed, the intent recorded and
//     flushed, APPEND, the answer's UID put into the file's name, directory
//     flushed, then recorded. A stop after APPEND is repaired by matching the
//     mailbox's new messages against the open intents (pair.go).
//   - A flag change: file renamed and flushed, STORE answered OK, then recorded.
//     Repeating either is harmless.
//   - A move on the server, after a file: intent recorded in the folder it came to
//     and flushed, second complete scan of the folder it left, UID MOVE answered,
//     file named by UID, recorded there, then dropped here. A stop is repaired as
//     with an upload (move.go).
//   - A move of a file, after a message: intent recorded, file renamed, both
//     folders flushed, recorded there, then dropped here.
//   - A deletion on the server: second complete scan, STORE \Deleted answered,
//     UID EXPUNGE answered, then dropped from the state.
//   - A deletion in the Maildir: moved into the trash, both directories
//     flushed, then dropped from the state.
//
// No delete runs in any folder of an account before all moves, downloads, uploads
// and flag changes of the round have ended.
package mailsync
