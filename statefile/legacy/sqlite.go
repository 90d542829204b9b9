package legacy

import (
	"errors"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"

	"offloop/statefile/legacy/sqlite3"
)

// newest is the last version of both formats OfflineIMAP has had.
const newest = 2

// readDatabase reads a status of LocalStatus-sqlite; nil, nil if there is none.
func readDatabase(path string) (*Status, error) {
	db, err := sqlite3.OpenFile(path)
	if missing(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = db.Close() }()
	version, err := databaseVersion(db)
	if version == 0 || err != nil {
		return nil, err
	}
	table, err := db.Table("status")
	if table == nil || err != nil {
		return nil, err // not there yet: OfflineIMAP was stopped while it created the database
	}
	st := &Status{Format: SQLite1}
	if version == 2 {
		st.Format = SQLite2
	}
	return st, st.rows(table)
}

// rows takes the messages from the table status. Columns are found by name: version 1 has fewer,
// and a stopped upgrade may have added them without saying so.
func (st *Status) rows(t *sqlite3.Table) error {
	id, flags, mtime, labels := t.Column("id"), t.Column("flags"), t.Column("mtime"), t.Column("labels")
	if id < 0 || flags < 0 {
		return fmt.Errorf("its table %q has no column id or flags", t.Name)
	}
	known := newIntern()
	return t.Rows(func(rowid int64, row []sqlite3.Value) error {
		at := func(column int) (v sqlite3.Value) {
			if column >= 0 && column < len(row) {
				v = row[column]
			}
			return v
		}
		uid := at(id).Int()
		if uid <= 0 || uid > math.MaxUint32 {
			st.Skipped++
			return nil
		}
		st.Messages = append(st.Messages, Message{
			UID:    uint32(uid),
			Flags:  known.flags(at(flags).Text()),
			MTime:  at(mtime).Int(),
			Labels: known.labels(at(labels).Text()),
		})
		return nil
	})
}

// databaseVersion returns the version the table metadata tells, 0 if there is none yet.
func databaseVersion(db *sqlite3.DB) (int, error) {
	t, err := db.Table("metadata")
	if t == nil || err != nil {
		return 0, err
	}
	key, value := t.Column("key"), t.Column("value")
	if key < 0 || value < 0 {
		return 0, errors.New("its table metadata has no column key or value: it is not OfflineIMAP's")
	}
	text := ""
	err = t.Rows(func(_ int64, row []sqlite3.Value) error {
		if max(key, value) < len(row) && row[key].Text() == "db_version" {
			if text = row[value].Text(); text == "" {
				text = strconv.FormatInt(row[value].Int(), 10)
			}
		}
		return nil
	})
	if err != nil || text == "" {
		return 0, err
	}
	version, err := strconv.Atoi(strings.TrimSpace(text))
	if err != nil || version < 1 {
		return 0, fmt.Errorf("its version %q is not a number", text)
	}
	if version > newest {
		return 0, &VersionError{Version: version}
	}
	return version, nil
}

// VersionError is state of a newer OfflineIMAP than this package knows.
type VersionError struct{ Version int }

// Error says which version.
func (e *VersionError) Error() string {
	return fmt.Sprintf("it has format %d, and only formats up to %d are known", e.Version, newest)
}

// missing tells errors that mean: there is no such file.
func missing(err error) bool { return errors.Is(err, os.ErrNotExist) || nameTooLong(err) }

// advice is what the user can do about an error, if the error does not say so itself.
func advice(err error) string {
	var (
		unfinished *sqlite3.UnfinishedError
		busy       *sqlite3.BusyError
		version    *VersionError
	)
	switch {
	case errors.As(err, &unfinished), errors.As(err, &busy):
		return ""
	case errors.As(err, &version):
		return "ask for a newer offloop, or go on with OfflineIMAP until there is one"
	case errors.Is(err, os.ErrPermission):
		return "make it readable for this user"
	}
	return doAway
}
