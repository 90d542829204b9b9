package sqlite3

import "encoding/binary"

const (
	interiorTable = 5
	leafTable     = 13

	maxDepth = 20 // as in SQLite
	// maxPayload bounds one record. What this reader is for has a few hundred bytes.
	maxPayload = 1 << 20
)

// walk goes through one table's tree, in the order of rowids.
type walk struct {
	db      *DB
	left    uint32 // pages that may still be visited
	started bool
	last    int64            // the greatest rowid so far
	bufs    [maxDepth][]byte // one page for every level
	payload []byte           // of a record with overflow
	over    []byte           // an overflow page
	each    func(rowid int64, payload []byte) error
}

// tree calls each for every row of the table with that root. payload is valid during the call.
func (db *DB) tree(root uint32, each func(rowid int64, payload []byte) error) error {
	w := &walk{db: db, left: db.pages, each: each}
	return w.page(root, 0)
}

// visit counts a page. No table has more pages than the file: if it seems to, there is a loop.
func (w *walk) visit(no uint32) error {
	if w.left == 0 {
		return corrupt(no, "the table's pages lead in a circle")
	}
	w.left--
	return nil
}

// page walks the subtree of page no.
func (w *walk) page(no uint32, depth int) error {
	if depth == maxDepth {
		return corrupt(no, "the table's tree is too deep")
	}
	if err := w.visit(no); err != nil {
		return err
	}
	if w.bufs[depth] == nil {
		w.bufs[depth] = make([]byte, w.db.pageSize)
	}
	b := w.bufs[depth]
	if err := w.db.read(no, b); err != nil {
		return err
	}
	b = b[:w.db.usable]
	head := 0
	if no == 1 {
		head = headerSize
	}
	switch b[head] {
	case interiorTable:
		return w.interior(no, b, head, depth)
	case leafTable:
		return w.leaf(no, b, head)
	}
	return corrupt(no, "it is not a page of a table (kind %d)", b[head])
}

// cells returns the offsets of the page's cells, as stored.
func (w *walk) cells(no uint32, b []byte, head, headLen int) ([]byte, error) {
	n := int(binary.BigEndian.Uint16(b[head+3:]))
	at := head + headLen
	if at+2*n > len(b) {
		return nil, corrupt(no, "it claims %d cells, more than fit", n)
	}
	return b[at : at+2*n], nil
}

// interior walks all children of a page.
func (w *walk) interior(no uint32, b []byte, head, depth int) error {
	cells, err := w.cells(no, b, head, 12)
	if err != nil {
		return err
	}
	for ; len(cells) > 0; cells = cells[2:] {
		at := int(binary.BigEndian.Uint16(cells))
		if at+4 > len(b) {
			return corrupt(no, "a cell lies outside")
		}
		// The key behind the child is for searching. That rowids ascend is checked on the leaves.
		if err := w.page(binary.BigEndian.Uint32(b[at:]), depth+1); err != nil {
			return err
		}
	}
	return w.page(binary.BigEndian.Uint32(b[head+8:]), depth+1)
}

// leaf hands out the rows of a page.
func (w *walk) leaf(no uint32, b []byte, head int) error {
	cells, err := w.cells(no, b, head, 8)
	if err != nil {
		return err
	}
	// Cells that overlap could say the same bytes thousands of times.
	room := len(b)
	for ; len(cells) > 0; cells = cells[2:] {
		at := int(binary.BigEndian.Uint16(cells))
		if at >= len(b) {
			return corrupt(no, "a cell lies outside")
		}
		rowid, payload, used, err := w.cell(no, b[at:])
		if err != nil {
			return err
		}
		if room -= used; room < 0 {
			return corrupt(no, "its cells overlap")
		}
		if w.started && rowid <= w.last {
			return corrupt(no, "row %d follows row %d", rowid, w.last)
		}
		w.started, w.last = true, rowid
		if err := w.each(rowid, payload); err != nil {
			return err
		}
	}
	return nil
}

// cell understands one cell of a leaf; used is the cell's size in the leaf.
func (w *walk) cell(no uint32, c []byte) (rowid int64, payload []byte, used int, err error) {
	size, n := varint(c)
	id, m := varint(c[n:])
	if n == 0 || m == 0 {
		return 0, nil, 0, corrupt(no, "a cell is cut off")
	}
	used = n + m
	if size > maxPayload {
		return 0, nil, 0, corrupt(no, "row %d has %d bytes, more than any row should", int64(id), size)
	}
	local := w.db.local(int(size))
	if used+local > len(c) {
		return 0, nil, 0, corrupt(no, "row %d is cut off", int64(id))
	}
	payload = c[used : used+local]
	used += local
	if local == int(size) {
		return int64(id), payload, used, nil
	}
	if used+4 > len(c) {
		return 0, nil, 0, corrupt(no, "row %d is cut off", int64(id))
	}
	payload, err = w.overflow(payload, binary.BigEndian.Uint32(c[used:]), int(size))
	return int64(id), payload, used + 4, err
}

// local is how many bytes of a record of that size lie in the leaf itself.
func (db *DB) local(size int) int {
	u := db.usable
	if size <= u-35 {
		return size
	}
	least := (u-12)*32/255 - 23
	if k := least + (size-least)%(u-4); k <= u-35 {
		return k
	}
	return least
}

// overflow puts a record of that size together, from its beginning and the pages from no on.
func (w *walk) overflow(begin []byte, no uint32, size int) ([]byte, error) {
	if w.over == nil {
		w.over = make([]byte, w.db.pageSize)
	}
	w.payload = append(w.payload[:0], begin...)
	for len(w.payload) < size {
		if err := w.visit(no); err != nil {
			return nil, err
		}
		if err := w.db.read(no, w.over); err != nil {
			return nil, err
		}
		part := w.over[4:w.db.usable]
		w.payload = append(w.payload, part[:min(len(part), size-len(w.payload))]...)
		no = binary.BigEndian.Uint32(w.over)
	}
	return w.payload, nil
}
