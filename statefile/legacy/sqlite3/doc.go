// Package sqlite3 reads tables of an SQLite 3 database file, and does nothing
// else: no SQL, no indexes, no writing. It exists because a whole SQLite would
// be larger than the rest of the program, and all that is wanted of it is to
// read a small table once.
//
// It follows https://www.sqlite.org/fileformat2.html. A file is pages of equal
// size. Page 1 begins with a header of 100 bytes and is the root of the table
// that lists all tables. A table is a tree of pages:
//
//	interior page: (child page, greatest rowid in it) ... last child page
//	leaf page:     (rowid, record) ...
//	record too long for its leaf: its tail lies in a chain of overflow pages
//
// What a transaction that was cut off left in a rollback journal or write-ahead
// log is not understood: OpenFile refuses such a database, since what is in the
// main file alone may be half a transaction.
//
// The file may be hostile. What is read takes time and memory in proportion to
// the file's size at most: no tree or chain of a table may use more pages than
// the file has, rowids must ascend, the records of a page must fit in it.
package sqlite3
