package sqlite3

import (
	"slices"
	"strings"
)

// maxColumns bounds what is read of a row.
const maxColumns = 64

// Table is a table of a database.
type Table struct {
	Name    string
	Columns []string // in the order of Rows' values
	db      *DB
	root    uint32
	rowid   int // the column that is another name of the rowid, -1 = none
}

// Table finds a table by its name, whose case does not matter. It returns nil, nil if there is
// none. A table WITHOUT ROWID, or a virtual one, is found, but reading its rows is an error.
func (db *DB) Table(name string) (*Table, error) {
	if db.pages == 0 {
		return nil, nil
	}
	var found *Table
	// The columns are: type, name, tbl_name, rootpage, sql.
	var row []Value
	err := db.tree(1, func(rowid int64, payload []byte) error {
		var ok bool
		row, ok = record(payload, 5, db.enc, row)
		if !ok || len(row) < 5 {
			return corrupt(1, "the list of tables has a bad row %d", rowid)
		}
		if found != nil || row[0].Text() != "table" || !strings.EqualFold(row[1].Text(), name) {
			return nil
		}
		root := row[3].Int()
		if root < 0 || root > int64(db.pages) {
			return corrupt(uint32(min(max(root, 0), 1<<32-1)), "table %q begins there, and there is no such page", name)
		}
		found = &Table{Name: row[1].Text(), db: db, root: uint32(root)}
		found.Columns, found.rowid = columns(row[4].Text())
		return nil
	})
	if err != nil {
		return nil, err
	}
	return found, db.unchanged()
}

// Column returns the place of a column, -1 if there is none of that name. Case does not matter.
func (t *Table) Column(name string) int {
	return slices.IndexFunc(t.Columns, func(c string) bool { return strings.EqualFold(c, name) })
}

// Rows calls each for every row, rowids ascending, until it returns an error, which Rows returns.
// row and its values are valid during the call only. row is shorter than Columns where the row is
// older than a column: what is missing has the column's default.
func (t *Table) Rows(each func(rowid int64, row []Value) error) error {
	var row []Value
	err := t.db.tree(t.root, func(rowid int64, payload []byte) error {
		var ok bool
		row, ok = record(payload, min(len(t.Columns), maxColumns), t.db.enc, row)
		if !ok {
			return corrupt(0, "row %d of table %q contradicts itself", rowid, t.Name)
		}
		if i := t.rowid; i >= 0 && i < len(row) && row[i].Kind == Null {
			row[i] = Value{Kind: Integer, int: rowid}
		}
		return each(rowid, row)
	})
	if err != nil {
		return err
	}
	return t.db.unchanged()
}

// columns finds the names of the columns in a CREATE TABLE statement, and the one declared INTEGER
// PRIMARY KEY, which SQLite does not store since it is the rowid. It knows as much SQL as SQLite
// itself writes into the list of tables for tables without comments.
func columns(sql string) (names []string, rowid int) {
	rowid = -1
	for _, def := range definitions(sql) {
		name, rest := firstWord(def)
		if name == "" {
			continue
		}
		if !strings.ContainsAny(def[:1], "\"`['") {
			switch strings.ToUpper(name) {
			case "PRIMARY", "UNIQUE", "CHECK", "FOREIGN", "CONSTRAINT":
				continue // of the table, not a column
			}
		}
		words := strings.Fields(strings.ToUpper(rest))
		if len(words) >= 3 && words[0] == "INTEGER" && words[1] == "PRIMARY" && words[2] == "KEY" &&
			(len(words) == 3 || words[3] != "DESC") {
			rowid = len(names)
		}
		names = append(names, name)
		if len(names) == maxColumns {
			break
		}
	}
	return names, rowid
}

// definitions splits what is between the outermost parentheses at its commas.
func definitions(sql string) []string {
	var defs []string
	depth, begin := 0, 0
	for i := 0; i < len(sql); i++ {
		switch c := sql[i]; c {
		case '"', '`', '\'', '[':
			if c == '[' {
				c = ']'
			}
			end := strings.IndexByte(sql[i+1:], c)
			if end < 0 {
				return defs
			}
			i += end + 1
		case '(':
			if depth++; depth == 1 {
				begin = i + 1
			}
		case ',', ')':
			if depth == 1 {
				defs = append(defs, strings.TrimSpace(sql[begin:i]))
				begin = i + 1
			}
			if c == ')' {
				if depth--; depth <= 0 {
					return defs
				}
			}
		}
	}
	return defs
}

// firstWord takes a name, quoted or not, from the front of s.
func firstWord(s string) (word, rest string) {
	if s == "" {
		return "", ""
	}
	end := s[0]
	switch end {
	case '[':
		end = ']'
		fallthrough
	case '"', '`', '\'':
		word, rest, _ = strings.Cut(s[1:], string(end))
		return word, rest
	}
	i := strings.IndexAny(s, " \t\r\n(")
	if i < 0 {
		return s, ""
	}
	return s[:i], s[i:]
}
