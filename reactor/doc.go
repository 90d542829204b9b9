// Package reactor is an event loop: file descriptors, time and bytes, all
// handled by the one goroutine that calls [Loop.Run]. It knows nothing of mail.
//
// The words are Twisted's where they fit: a [Protocol] receives Data and, once,
// Lost; a [Stream] is the transport below it, over TCP, a child process or, in
// tests, memory. Nothing here blocks, nothing needs a lock, and every callback
// runs on the loop. Other goroutines may call [Loop.Post] and nothing else.
//
// # The order of a turn
//
// A turn begins when the poll returns and ends before the next poll:
//
//  1. the clock is read ([Loop.Now] keeps that time for the whole turn), and a
//     jump of the wall clock is reported to OnJump;
//  2. ready descriptors, each at most one read buffer (fairness); posts of other
//     goroutines are one of these. Input comes before timers, so that an answer
//     which arrived while the program was stopped beats its own time-out;
//  3. timers that are due, earliest first, equal ones in the order they were set;
//  4. functions queued by NextTurn during the turn before;
//  5. one background slice, if nothing above was input, or if eight turns have
//     passed without one;
//  6. the BeforeSleep hooks (the screen is redrawn here);
//  7. everything written during the turn, one system call a stream.
//
// What a callback queues (NextTurn, CallLater(0)) runs in the next turn, never in
// this one: no callback can keep the loop from reading its descriptors.
//
// # Other goroutines
//
// doors.go is the only file that starts goroutines: blocking disk work, name
// lookup and the system's certificates, signals, and the exit of children where
// the kernel cannot report it on a descriptor. Each owns the values it works on
// and answers by Post. TLS handshakes and DEFLATE run in coroutines (iter.Pull):
// they run only while the loop waits for them, so they are no second thread.
package reactor
