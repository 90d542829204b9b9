// Package verify compares an account on a server with a Maildir tree, byte
// for byte, and lists every difference. It keeps a hash a message, not the
// messages. It knows OfflineIMAP's file names, and pairs by content where a
// name holds no UID.
package verify

import (
	"bufio"
	"bytes"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"offloop/cmd/internal/lab/imapc"
)

// Options say what is compared. The zero value compares bytes, the six
// Maildir flags and those keywords that have a letter in the folder's
// dovecot-keywords file, on a tree with sep "/".
type Options struct {
	Sep string // of the Maildir tree: "/" (default) = nested, else flat
	// Keywords maps letters to keywords, for folders without a
	// dovecot-keywords file.
	Keywords map[byte]string
	// AllKeywords compares keywords that have no letter too;
	// IgnoreKeywords none.
	AllKeywords, IgnoreKeywords bool
	IgnoreFlags                 bool
	// Dates compares INTERNALDATE with the files' modification times.
	Dates bool
	// AnyNames does not mind file names without ",U=" and ",FMD5=", and
	// pairs by content only (mbsync).
	AnyNames bool
	// DropHeader leaves out one header field on both sides (mbsync's X-TUID).
	DropHeader string
	// Rename maps a server's folder name (with "/" between levels) to the
	// local one.
	Rename func(string) string
	// Skip leaves out folders, by the server-side name with "/" between
	// levels.
	Skip func(string) bool
	// InfoSep is what stands before "2," in file names; ':' if 0.
	InfoSep byte
}

// Entry is one message on one side.
type Entry struct {
	UID      uint32 // 0 = the name holds none, or another folder's
	File     string // local: cur/… or new/…
	Sum      [sha256.Size]byte
	Size     int64    // in wire form (CRLF)
	Flags    string   // Maildir letters DFPRST, sorted
	Keywords []string // lower case, sorted
	Date     time.Time
}

// Folder is one folder of one side.
type Folder struct {
	Messages []Entry
	// Mapped holds the keywords that have letters (local side only).
	Mapped map[string]bool
}

// Tree is one side: folders by their local name.
type Tree map[string]*Folder

// Messages counts them all.
func (t Tree) Messages() int {
	n := 0
	for _, f := range t {
		n += len(f.Messages)
	}
	return n
}

func (o Options) sep() string {
	if o.Sep == "" {
		return "/"
	}
	return o.Sep
}

func (o Options) infoSep() string {
	if o.InfoSep == 0 {
		return ":"
	}
	return string(o.InfoSep)
}

// localName maps a server's name to the name below the Maildir root.
func (o Options) localName(server, delim string) string {
	name := server
	if delim != "" {
		name = strings.ReplaceAll(server, delim, "/")
	}
	if o.Rename != nil {
		name = o.Rename(name)
	}
	return strings.ReplaceAll(name, "/", o.sep())
}

// ReadServer reads a whole account, one FETCH a folder.
func ReadServer(c *imapc.Client, o Options) (Tree, error) {
	boxes, err := c.List()
	if err != nil {
		return nil, err
	}
	t := Tree{}
	for _, b := range boxes {
		if !b.Selectable() || o.Skip != nil && o.Skip(strings.ReplaceAll(b.Name, b.Delim, "/")) {
			continue
		}
		f, err := readMailbox(c, b.Name, o)
		if err != nil {
			return nil, fmt.Errorf("read folder %q from the server: %w", b.Name, err)
		}
		t[o.localName(b.Name, b.Delim)] = f
	}
	return t, nil
}

func readMailbox(c *imapc.Client, name string, o Options) (*Folder, error) {
	s, err := c.Examine(name)
	if err != nil {
		return nil, err
	}
	f := &Folder{}
	if s.Exists == 0 {
		return f, nil
	}
	var d *digest
	sink := func(int64) io.Writer { d = newDigest(o.DropHeader, true); return d }
	err = c.Fetch("1:*", "(UID FLAGS INTERNALDATE BODY.PEEK[])", sink, func(m imapc.Message) error {
		if d == nil {
			return fmt.Errorf("UID %d came without a body", m.UID)
		}
		e := Entry{UID: m.UID, Date: m.Date}
		e.Sum, e.Size = d.result()
		e.Flags, e.Keywords = split(m.Flags)
		f.Messages = append(f.Messages, e)
		d = nil
		return nil
	})
	return f, err
}

var letterOf = map[string]byte{`\draft`: 'D', `\flagged`: 'F', `$forwarded`: 'P', `\answered`: 'R', `\seen`: 'S', `\deleted`: 'T'}

// split sorts IMAP flags into Maildir letters and keywords.
func split(flags []string) (letters string, keywords []string) {
	var l []byte
	for _, f := range flags {
		f = strings.ToLower(f)
		if c := letterOf[f]; c != 0 {
			l = append(l, c)
		} else if !strings.HasPrefix(f, `\`) {
			keywords = append(keywords, f)
		}
	}
	slices.Sort(l)
	slices.Sort(keywords)
	return string(l), keywords
}

// ReadMaildir reads every Maildir below root.
func ReadMaildir(root string, o Options) (Tree, error) {
	t := Tree{}
	var walk func(dir, name string) error
	walk = func(dir, name string) error {
		ents, err := os.ReadDir(dir)
		if err != nil {
			return err
		}
		sub := map[string]bool{}
		for _, e := range ents {
			if e.IsDir() {
				sub[e.Name()] = true
			}
		}
		if sub["cur"] && sub["new"] && sub["tmp"] {
			f, err := readFolder(dir, name, o)
			if err != nil {
				return fmt.Errorf("read folder %q: %w", dir, err)
			}
			t[name] = f
		}
		if o.sep() != "/" && name != "" {
			return nil
		}
		for d := range sub {
			if d == "cur" || d == "new" || d == "tmp" || strings.HasPrefix(d, ".") {
				continue
			}
			if err := walk(filepath.Join(dir, d), strings.TrimPrefix(name+"/"+d, "/")); err != nil {
				return err
			}
		}
		return nil
	}
	return t, walk(root, "")
}

func readFolder(dir, name string, o Options) (*Folder, error) {
	letters := o.Keywords
	if m, err := dovecotKeywords(filepath.Join(dir, "dovecot-keywords")); err == nil {
		letters = m
	}
	f := &Folder{Mapped: map[string]bool{}}
	for _, k := range letters {
		f.Mapped[strings.ToLower(k)] = true
	}
	sum := md5.Sum([]byte(name))
	fmd5 := ",FMD5=" + hex.EncodeToString(sum[:])
	for _, sub := range []string{"new", "cur"} {
		ents, err := os.ReadDir(filepath.Join(dir, sub))
		if err != nil {
			return nil, err
		}
		for _, ent := range ents {
			if strings.HasPrefix(ent.Name(), ".") {
				continue
			}
			e, err := readFile(dir, sub+"/"+ent.Name(), fmd5, letters, o)
			if err != nil {
				return nil, err
			}
			f.Messages = append(f.Messages, e)
		}
	}
	sort.Slice(f.Messages, func(i, j int) bool { return f.Messages[i].UID < f.Messages[j].UID })
	return f, nil
}

func readFile(dir, file, fmd5 string, letters map[byte]string, o Options) (Entry, error) {
	e := Entry{File: file}
	base, info, _ := strings.Cut(file, o.infoSep()+"2,")
	if strings.Contains(base, fmd5) {
		e.UID = uidIn(base)
	}
	var l []byte
	for _, c := range []byte(info) {
		switch {
		case strings.IndexByte("DFPRST", c) >= 0:
			l = append(l, c)
		case letters[c] != "":
			e.Keywords = append(e.Keywords, strings.ToLower(letters[c]))
		case c >= 'a' && c <= 'z':
			e.Keywords = append(e.Keywords, "letter "+string(c))
		}
	}
	slices.Sort(l)
	slices.Sort(e.Keywords)
	e.Flags = string(l)
	in, err := os.Open(filepath.Join(dir, file))
	if err != nil {
		return e, err
	}
	defer in.Close()
	st, err := in.Stat()
	if err != nil {
		return e, err
	}
	e.Date = st.ModTime()
	d := newDigest(o.DropHeader, false)
	if _, err := io.Copy(d, in); err != nil {
		return e, err
	}
	e.Sum, e.Size = d.result()
	return e, nil
}

func uidIn(base string) uint32 {
	_, rest, ok := strings.Cut(base, ",U=")
	if !ok {
		return 0
	}
	digits, _, _ := strings.Cut(rest, ",")
	n, err := strconv.ParseUint(digits, 10, 32)
	if err != nil {
		return 0
	}
	return uint32(n)
}

// dovecotKeywords reads lines "number keyword"; number 0 is letter a.
func dovecotKeywords(path string) (map[byte]string, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	m := map[byte]string{}
	for _, line := range strings.Split(string(b), "\n") {
		n, word, ok := strings.Cut(line, " ")
		i, err := strconv.Atoi(n)
		if ok && err == nil && i >= 0 && i < 26 {
			m[byte('a'+i)] = word
		}
	}
	return m, nil
}

// digest hashes a message in wire form; a local file's LF becomes CRLF on
// the way.
type digest struct {
	h    hash.Hash
	n    int64
	out  []byte
	last byte
	wire bool
	drop []byte // lower-case "name:"
	head bytes.Buffer
	body bool
}

func newDigest(drop string, wire bool) *digest {
	d := &digest{h: sha256.New(), wire: wire, body: drop == ""}
	if drop != "" {
		d.drop = []byte(strings.ToLower(drop) + ":")
	}
	return d
}

// Write takes the next bytes of the message.
func (d *digest) Write(p []byte) (int, error) {
	if d.wire {
		d.feed(p)
		return len(p), nil
	}
	d.out = d.out[:0]
	for _, c := range p {
		if c == '\n' && d.last != '\r' {
			d.out = append(d.out, '\r')
		}
		d.out = append(d.out, c)
		d.last = c
	}
	d.feed(d.out)
	return len(p), nil
}

// feed hashes, but holds the header back while a field must be left out.
func (d *digest) feed(p []byte) {
	if d.body {
		d.h.Write(p)
		d.n += int64(len(p))
		return
	}
	d.head.Write(p)
	if bytes.Contains(d.head.Bytes(), []byte("\r\n\r\n")) || d.head.Len() > 1<<20 {
		d.flush()
	}
}

func (d *digest) flush() {
	d.body = true
	r := bufio.NewReader(&d.head)
	for inHead := true; ; {
		line, err := r.ReadBytes('\n')
		if len(line) <= 2 {
			inHead = false
		}
		if !inHead || !bytes.HasPrefix(bytes.ToLower(line), d.drop) {
			d.h.Write(line)
			d.n += int64(len(line))
		}
		if err != nil {
			return
		}
	}
}

func (d *digest) result() (sum [sha256.Size]byte, n int64) {
	if !d.body {
		d.flush()
	}
	return [sha256.Size]byte(d.h.Sum(nil)), d.n
}
