// Package maildir is the local side: names, folders, scans, delivery and
// changes of messages in Maildirs, with OfflineIMAP's file names.
//
// A Maildir is a directory with three others in it. A message is one file. It
// is written in tmp, appears by a rename in new (no mail reader has looked at
// it) or cur, and its name holds its flags:
//
//	1795468912_1.7758.vm,U=12,FMD5=7e33429f656f1e6e9d79b29c3f82c57e:2,FS
//	└────── unique ────┘ └ UID ┘└── MD5 of the folder's name ─────┘  └ flags
//
// # Rules of this package
//
//  1. A file is never overwritten and a name never taken over: every new name
//     is taken with a rename that refuses an existing target, or with link and
//     unlink where the system has no such rename.
//  2. Nothing is durable until it was flushed, and a failed flush is never
//     tried again: the kernel may have thrown the data away and would now
//     report success. The caller must treat what was to be flushed as lost.
//  3. A mail reader may rename any message at any moment. A name that is gone
//     is looked up again by its unique part before it counts as gone, and a
//     scan is complete only if both directories stood still ([Scanner.Stable]).
//  4. Every function is a plain blocking call and keeps no global state, so it
//     may run on any one goroutine at a time, as long as the values passed in
//     are not used elsewhere meanwhile.
//  5. All access to the disk goes through [FS], so that tests can stop it at any
//     call, lose what was not flushed and look at what is left.
//
// Errors are [Error] values (what, where, what to do) or one of [ExistsError],
// [VanishedError], [NameError] and [ChangedError] where a caller must branch.
package maildir
