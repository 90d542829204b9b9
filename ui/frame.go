package ui

import (
	"strings"

	"github.com/rivo/uniseg"
)

// Color is one of the terminal's own eight colours, or its default.
type Color uint8

const (
	DefaultColor Color = iota
	Black
	Red
	Green
	Yellow
	Blue
	Magenta
	Cyan
	White
)

// Attr is a set of text attributes.
type Attr uint8

const (
	Bold Attr = 1 << iota
	Reverse
	Dim
	Underline
)

// Style is how a cell looks.
type Style struct {
	FG, BG Color
	Attr   Attr
}

// Cell is one cell of a frame: a grapheme cluster of Width cells. The cell
// behind one of width 2 has Width 0 and no text.
type Cell struct {
	Text  string
	Style Style
	Width uint8
}

var blankCell = Cell{Text: " ", Width: 1}

// Frame is a picture of the screen, row by row.
type Frame struct {
	W, H             int
	Cells            []Cell // W*H
	CursorX, CursorY int    // -1 = hidden
}

// At returns the cell in column x of row y, which must be inside the frame.
func (f *Frame) At(x, y int) *Cell { return &f.Cells[y*f.W+x] }

func (f *Frame) reset(w, h int) {
	w, h = max(w, 1), max(h, 1)
	f.W, f.H = w, h
	if cap(f.Cells) < w*h {
		f.Cells = make([]Cell, w*h)
	}
	f.Cells = f.Cells[:w*h]
	for i := range min(w, len(f.Cells)) {
		f.Cells[i] = blankCell
	}
	for n := w; n < len(f.Cells); n *= 2 { // doubling copies is several times as fast as a loop
		copy(f.Cells[n:], f.Cells[:n])
	}
	f.CursorX, f.CursorY = -1, -1
}

// ascii holds every printable ASCII character, so that a cell of it needs no
// allocation even where the text does not outlive the call.
const ascii = " !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~"

// cluster returns the first grapheme cluster of s, its width and the rest.
// Clusters without a width are passed over: they have no cell to stand in.
func cluster(s string) (c string, width int, rest string) {
	for s != "" {
		if b := s[0]; b >= ' ' && b <= '~' && (len(s) == 1 || s[1] < 0x80) {
			return ascii[b-' ' : b-' '+1], 1, s[1:]
		} else if isLine(s) && (len(s) == 3 || s[3] < 0x80 || isLine(s[3:])) {
			return s[:3], 1, s[3:]
		}
		c, s, width, _ = uniseg.FirstGraphemeClusterInString(s, -1)
		if width > 0 {
			return c, min(width, 2), s
		}
	}
	return "", 0, ""
}

// isLine reports whether s begins with one of the characters that rules and bars
// are made of (U+2500 to U+25BF): one cell, and nothing to look up.
func isLine(s string) bool {
	return len(s) >= 3 && s[0] == 0xE2 && s[1] >= 0x94 && s[1] <= 0x96
}

// textWidth returns the number of cells s takes.
func textWidth(s string) int {
	n := 0
	for s != "" {
		var w int
		_, w, s = cluster(s)
		n += w
	}
	return n
}

// put writes s, already safe, from column x of row y, in at most limit cells,
// and returns the number of cells used. What does not fit is cut off; a wide
// character is never cut in half.
func (f *Frame) put(x, y, limit int, s string, st Style) int {
	if y < 0 || y >= f.H || x < 0 {
		return 0
	}
	limit = min(limit, f.W-x)
	used := 0
	for s != "" && used < limit {
		var c string
		var w int
		c, w, s = cluster(s)
		if w == 0 {
			break
		}
		if used+w > limit {
			break
		}
		f.set(x+used, y, c, w, st)
		used += w
	}
	return max(used, 0)
}

func (f *Frame) set(x, y int, c string, w int, st Style) {
	row := f.Cells[y*f.W : (y+1)*f.W]
	if row[x].Width == 0 && x > 0 { // the right half of a wide character
		row[x-1].Text, row[x-1].Width = " ", 1
	}
	if x+w < f.W && row[x+w].Width == 0 {
		row[x+w].Text, row[x+w].Width = " ", 1
	}
	row[x] = Cell{c, st, uint8(w)}
	if w == 2 {
		row[x+1] = Cell{"", st, 0}
	}
}

// putCut is put with an ellipsis where s had to be cut.
func (f *Frame) putCut(x, y, limit int, s string, st Style, ellipsis string) int {
	limit = min(limit, f.W-x)
	if limit <= 0 {
		return 0
	}
	if len(s) <= limit || textWidth(s) <= limit {
		return f.put(x, y, limit, s, st)
	}
	used := f.put(x, y, limit-1, s, st)
	return used + f.put(x+used, y, 1, ellipsis, st)
}

// putRight writes s so that it ends before column right, cut to limit cells.
func (f *Frame) putRight(right, y, limit int, s string, st Style) {
	w := min(textWidth(s), limit)
	f.put(right-w, y, w, s, st)
}

// fill gives the cells from x on, n of them, spaces of style st.
func (f *Frame) fill(x, y, n int, st Style) {
	if y < 0 || y >= f.H {
		return
	}
	for i := max(x, 0); i < min(x+n, f.W); i++ {
		f.set(i, y, " ", 1, st)
	}
}

// Text returns the frame's rows without trailing spaces.
func (f *Frame) Text() string {
	var b strings.Builder
	for y := range f.H {
		var row strings.Builder
		for x := range f.W {
			row.WriteString(f.At(x, y).Text)
		}
		b.WriteString(strings.TrimRight(row.String(), " "))
		b.WriteByte('\n')
	}
	return b.String()
}

// Looks returns a row of letters for each row of the frame, one a cell, that
// tells its style: the colour's initial (k is black, . the default; for a
// background that is not the default that of the background, upper-case),
// "*" for bold default, "=" for reverse, "-" for dim, "_" for underline.
func (f *Frame) Looks() string {
	var b strings.Builder
	for y := range f.H {
		row := make([]byte, f.W)
		for x := range f.W {
			row[x] = look(f.At(x, y).Style)
		}
		b.WriteString(strings.TrimRight(string(row), "."))
		b.WriteByte('\n')
	}
	return b.String()
}

func look(s Style) byte {
	switch {
	case s.BG != DefaultColor:
		return ".KRGYBMCW"[s.BG]
	case s.Attr&Reverse != 0:
		return '='
	case s.FG == DefaultColor && s.Attr&Bold != 0:
		return '*'
	case s.FG == DefaultColor && s.Attr&Dim != 0:
		return '-'
	case s.FG == DefaultColor && s.Attr&Underline != 0:
		return '_'
	case s.Attr&Bold != 0: // a bold colour: the digit of it
		return "0123456789"[s.FG]
	}
	return ".krgybmcw"[s.FG]
}
