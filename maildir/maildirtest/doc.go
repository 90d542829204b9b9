// Package maildirtest has a file system in memory that crashes, for tests of
// everything that must survive a crash.
//
// [FS] has the methods of maildir.FS. It can stop at any call, fail any call,
// run out of space and descriptors, and lose in a power cut what was not
// flushed:
//
//   - file data since the last Fsync of the file: any part of the tail may be
//     gone, or be zeros;
//   - directory entries since the last Fsync of the directory: each one alone
//     may be kept or lost. A rename within a directory is kept or lost as a
//     whole; one between two directories may leave both names, never none; a
//     Link followed by an Unlink in another directory may leave none.
//   - after a failed Fsync the data is lost though the next one reports success,
//     as on Linux.
//
// Directories are listed in hash order, slice by slice, as ext4 does it: an
// entry renamed meanwhile is given once, twice or not at all.
//
// All choices come from the seed, so every run can be repeated. An FS must be
// used by one goroutine at a time.
package maildirtest
