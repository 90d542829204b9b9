// Package imapproto speaks IMAP without touching the network: bytes from the
// server go in through [Conn.Feed], bytes for it come out of [Conn.Take], and
// the time comes in with them. There is no goroutine, no clock and no I/O here,
// so a test can cut a dialogue at every byte and replay it.
//
// The way of a response through the package:
//
//	Feed -> scanner (lines and literals) -> response.go (which kind?)
//	     -> fetch.go | numbers.go | the command at the head of the queue
//	     -> the caller's handler, or Options.Unsolicited if nobody asked
//
// The way of a command:
//
//	UIDFetch, List, ... -> queue -> pump (follow.go: may it ride behind what is
//	unanswered?) -> encoder (literals, quoting, mailbox names) -> Take
//
// Commands finish in the order they were sent, even where a server answers them in
// another. Untagged data finds the command that asked for it by its kind, its UIDs,
// mailbox name or ESEARCH tag, within the mailbox selected at that point: servers work
// on several commands at once where that does no harm. An answer that overtakes a change
// of mailbox ends the connection with a *[ProtocolError], since guessing could attach
// one mailbox's data to another.
//
// Standards: RFC 3501 and 9051 (IMAP4rev1, rev2), 2177 (IDLE), 2342 (NAMESPACE),
// 2971 (ID), 3502 (MULTIAPPEND), 3691 (UNSELECT), 4315 (UIDPLUS), 4731 (ESEARCH),
// 4959 (SASL-IR), 5161 (ENABLE), 5258 (LIST-EXTENDED), 5819 (LIST-STATUS), 6154
// (SPECIAL-USE), 6851 (MOVE), 6855 (UTF8=ACCEPT), 7162 (CONDSTORE, QRESYNC), 7888
// (LITERAL+, LITERAL-), 8438 (STATUS=SIZE), 8474 (OBJECTID).
package imapproto
