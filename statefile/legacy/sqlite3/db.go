package sqlite3

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math/bits"
)

const (
	headerSize = 100
	magic      = "SQLite format 3\x00"
)

// encoding is how text is stored.
type encoding uint32

const (
	utf8    encoding = 1
	utf16le encoding = 2
	utf16be encoding = 3
)

// DB is an open database. It belongs to one goroutine.
type DB struct {
	r        io.ReaderAt
	close    func() error
	size     int64
	pageSize int
	usable   int    // of a page, without the bytes reserved for extensions
	pages    uint32 // 0 = a database nothing was ever written to
	enc      encoding
	counter  uint32 // changes with every transaction
}

// Open takes r, which holds size bytes, for a database. It looks at the header only. Neither locks
// nor journals are looked for: that is OpenFile. Errors are those of r, *FormatError and
// *CorruptError. A file of 0 bytes is a database without tables.
func Open(r io.ReaderAt, size int64) (*DB, error) {
	db := &DB{r: r, size: size, enc: utf8}
	if size == 0 {
		return db, nil
	}
	if size < 0 || size < headerSize {
		return nil, &FormatError{"too short"}
	}
	var h [headerSize]byte
	if err := readAt(r, h[:], 0); err != nil {
		return nil, err
	}
	if err := db.header(h[:]); err != nil {
		return nil, err
	}
	return db, nil
}

// header understands the first 100 bytes of the file.
func (db *DB) header(h []byte) error {
	if !bytes.HasPrefix(h, []byte(magic)) {
		return &FormatError{"the first bytes are not SQLite's"}
	}
	db.pageSize = int(binary.BigEndian.Uint16(h[16:]))
	if db.pageSize == 1 {
		db.pageSize = 65536
	}
	if db.pageSize < 512 || bits.OnesCount(uint(db.pageSize)) != 1 {
		return &FormatError{"impossible page size"}
	}
	db.usable = db.pageSize - int(h[20])
	if db.usable < 480 {
		return &FormatError{"impossible size of the reserved space"}
	}
	if h[19] > 2 {
		return &FormatError{"made by a newer SQLite"}
	}
	if h[21] != 64 || h[22] != 32 || h[23] != 32 {
		return &FormatError{"impossible payload fractions"}
	}
	switch e := encoding(binary.BigEndian.Uint32(h[56:])); e {
	case 0: // nothing was ever written
	case utf8, utf16le, utf16be:
		db.enc = e
	default:
		return &FormatError{"unknown text encoding"}
	}
	db.counter = binary.BigEndian.Uint32(h[24:])
	inFile := db.size / int64(db.pageSize)
	db.pages = uint32(min(inFile, 1<<32-2))
	// The count in the header is that of the last writer that knew of it.
	if n := binary.BigEndian.Uint32(h[28:]); n > 0 && binary.BigEndian.Uint32(h[92:]) == db.counter {
		if int64(n) > inFile {
			return corrupt(0, "it should have %d pages and has %d: its end is missing", n, inFile)
		}
		db.pages = n
	}
	if db.pages == 0 {
		return corrupt(0, "it is shorter than one page")
	}
	return nil
}

// Close gives back the file and its lock, if OpenFile opened it. Close twice is allowed.
func (db *DB) Close() error {
	f := db.close
	db.close = nil
	if f == nil {
		return nil
	}
	return f()
}

// read fills b with page no.
func (db *DB) read(no uint32, b []byte) error {
	if no == 0 || no > db.pages {
		return corrupt(no, "there is no such page, of %d", db.pages)
	}
	return readAt(db.r, b, int64(no-1)*int64(db.pageSize))
}

// unchanged returns an error if the database was written to since it was opened.
func (db *DB) unchanged() error {
	if db.pages == 0 {
		return nil
	}
	var b [4]byte
	if err := readAt(db.r, b[:], 24); err != nil {
		return err
	}
	if binary.BigEndian.Uint32(b[:]) != db.counter {
		return &BusyError{}
	}
	return nil
}

// readAt fills b, or the file ended too early.
func readAt(r io.ReaderAt, b []byte, off int64) error {
	n, err := r.ReadAt(b, off)
	if n == len(b) {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		return corrupt(0, "it ends at byte %d", off+int64(n))
	}
	return err
}
