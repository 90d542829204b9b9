package sqlite3

import "fmt"

// FormatError is a file that is not an SQLite 3 database, or one with a feature that this package
// does not know.
type FormatError struct{ What string }

// Error says what is not as expected.
func (e *FormatError) Error() string { return "not a readable SQLite 3 database: " + e.What }

// CorruptError is a database that contradicts itself.
type CorruptError struct {
	Page uint32 // from 1; 0 = the file as a whole
	What string
}

// Error says where and what.
func (e *CorruptError) Error() string {
	if e.Page == 0 {
		return "damaged SQLite database: " + e.What
	}
	return fmt.Sprintf("damaged SQLite database: page %d: %s", e.Page, e.What)
}

// UnfinishedError is a database with a rollback journal or write-ahead log beside it: a program
// that wrote to it was stopped in the middle, or is running now.
type UnfinishedError struct {
	Path   string // of the database
	Beside string // of the journal or log
}

// Error says which file is in the way and what to do.
func (e *UnfinishedError) Error() string {
	return fmt.Sprintf("%s has an unfinished transaction in %s; stop the program that uses it, or, if none does, "+
		"run OfflineIMAP once or `sqlite3 %s 'PRAGMA integrity_check'`: either completes or undoes the transaction",
		e.Path, e.Beside, quote(e.Path))
}

// BusyError is a database that another program is writing to, or that changed while it was read.
type BusyError struct{ Path string }

// Error says which file and what to do.
func (e *BusyError) Error() string {
	if e.Path == "" {
		return "the database changed while it was read; stop the program that uses it and try again"
	}
	return fmt.Sprintf("%s is in use by another program; stop that and try again", e.Path)
}

func corrupt(page uint32, format string, args ...any) error {
	return &CorruptError{Page: page, What: fmt.Sprintf(format, args...)}
}
