package statefile

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

const version = "1"
const headWord = "offloop-state "

// Report says what Load or Check found in a file.
type Report struct {
	Path    string
	Missing bool  // there is no such file
	Size    int64 // bytes in the file
	GoodLen int64 // bytes of whole lines from its start; Truncate to it before appending if Torn
	Lines   int   // whole lines
	Records int   // messages
	Torn    bool  // the file ends in something that was never flushed and is not whole
	// TornBytes is Size - GoodLen if Torn, else 0.
	TornBytes int64
	Reason    string   // why the torn line is not whole
	Notes     []string // by Check: oddities that are no damage
}

// String tells it in one line.
func (r Report) String() string {
	switch {
	case r.Missing:
		return fmt.Sprintf("%s: does not exist yet", r.Path)
	case r.Torn:
		return fmt.Sprintf("%s: %d lines, %d messages; %d bytes at the end were not completely written (%s) and are cut off",
			r.Path, r.Lines, r.Records, r.TornBytes, r.Reason)
	}
	return fmt.Sprintf("%s: %d lines, %d messages, whole", r.Path, r.Lines, r.Records)
}

// Load reads a state file. A missing file gives an empty Folder without a name. A torn tail is
// cut off in memory and reported; the caller must Truncate the file to Report.GoodLen before
// appending to it. Damage is a *DamageError, a format of the future a *VersionError; the file is
// never changed.
func Load(fs FS, path string) (*Folder, Report, error) {
	l := loader{f: emptyFolder(), rep: Report{Path: path}}
	fd, err := fs.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if errors.Is(err, os.ErrNotExist) {
		l.rep.Missing = true
		return l.f, l.rep, nil
	}
	if err != nil {
		return nil, l.rep, pathError("open state file", path, err)
	}
	err = l.read(fs, fd)
	if cerr := fs.Close(fd); err == nil && cerr != nil {
		err = pathError("close state file", path, cerr)
	}
	if err == nil {
		err = l.verdict()
	}
	if err != nil {
		return nil, l.rep, err
	}
	l.f.lines = l.rep.Lines
	l.rep.Records = l.f.Len()
	return l.f, l.rep, nil
}

// loader takes a file line by line. After the first bad line it only looks for proof that the bad
// one had been flushed.
type loader struct {
	f        *Folder
	rep      Report
	e        entry
	sum      uint32 // checksum of the last good line
	snapshot bool   // inside a snapshot

	bad        bool
	badOff     int64
	head       []byte   // what stands where the head line should be
	headEnded  bool     // and it has an LF
	seeds      []uint32 // what the checksum before a good line may have been, other than sum
	whole      int      // good lines behind the bad one
	wasFlushed bool     // one of them proves that
	err        error    // a line that is whole and wrong
}

// A file is read in pieces of at most readLen bytes; but an account has many files, and most are
// smaller than firstRead.
const (
	firstRead = 4 << 10
	readLen   = 64 << 10
)

func (l *loader) read(fs FS, fd int) error {
	buf := make([]byte, firstRead)
	n := 0
	for {
		m, err := fs.Read(fd, buf[n:])
		if err != nil && err != io.EOF {
			return pathError("read state file", l.rep.Path, err)
		}
		n += m
		full := n == len(buf)
		rest := buf[:n]
		for {
			i := bytes.IndexByte(rest, '\n')
			if i < 0 {
				break
			}
			l.line(rest[:i], true)
			if l.err != nil {
				return l.err
			}
			rest = rest[i+1:]
		}
		if m == 0 {
			if len(rest) > 0 {
				l.line(rest, false)
			}
			return l.err
		}
		if full && len(buf) < readLen {
			buf = make([]byte, 4*len(buf))
			n = copy(buf, rest)
			continue
		}
		n = copy(buf, rest)
		if n == len(buf) {
			if n < maxLine {
				buf = append(buf, make([]byte, n)...)
			} else { // no line of ours; what of it is kept is wrong anyhow
				l.rep.Size += int64(n)
				n = 0
				l.setBad("a line is too long", buf, false)
			}
		}
	}
}

// line takes one line without its LF.
func (l *loader) line(line []byte, ended bool) {
	off := l.rep.Size
	l.rep.Size += int64(len(line))
	if ended {
		l.rep.Size++
	}
	payload, m, stored, ok := split(line)
	ok = ok && ended
	sum := sumOf(line, l.sum)
	if l.bad {
		if ok && l.follows(line, stored) {
			l.whole++
			l.wasFlushed = l.wasFlushed || m.after()
		}
		l.sum, l.seeds[0] = stored, sum
		return
	}
	if !ok || stored != sum {
		reason := "its checksum is wrong"
		if !ended {
			reason = "it is not complete"
		}
		l.setBad(reason, line, ended)
		l.sum, l.seeds[0] = stored, sum
		return
	}
	l.sum = sum
	l.rep.Lines++
	l.rep.GoodLen = l.rep.Size
	if err := l.take(payload); err != nil {
		l.err = l.damage(l.rep.Lines, off, err.Error())
		if v, future := err.(*VersionError); future {
			l.err = v
		}
	}
}

func (l *loader) setBad(reason string, line []byte, ended bool) {
	if !l.bad {
		l.bad, l.rep.Reason, l.badOff = true, reason, l.rep.GoodLen
		l.head, l.headEnded = bytes.Clone(line[:min(len(line), 64)]), ended
		// A line that was put in: the next one follows the last good one. A byte of the
		// checksum that became an LF: it follows what stands before.
		l.seeds = append(l.seeds, 0, l.sum)
		for k := 0; k <= min(sumLen, len(line)); k++ {
			l.seeds = append(l.seeds, crc32.Update(l.sum, castagnoli, line[:len(line)-k]))
		}
	}
}

// follows tells whether a line behind the bad one is whole, as far as what stands before it still
// shows which checksum it was made from.
func (l *loader) follows(line []byte, stored uint32) bool {
	return stored == sumOf(line, l.sum) || slices.ContainsFunc(l.seeds, func(seed uint32) bool {
		return stored == sumOf(line, seed)
	})
}

// take makes a good line's payload true.
func (l *loader) take(payload []byte) error {
	if l.rep.Lines == 1 {
		v, ok := strings.CutPrefix(string(payload), headWord)
		if !ok {
			return errNotState
		}
		if v != version {
			return &VersionError{Path: l.rep.Path, Version: v}
		}
		return nil
	}
	if err := l.e.decode(payload); err != nil {
		return err
	}
	switch {
	case l.e.kind == kindSnapshot && l.rep.Lines == 2:
		l.snapshot = true
	case l.e.kind == kindEnd && l.snapshot:
		l.snapshot = false
	case l.e.kind == kindSnapshot || l.e.kind == kindEnd:
		return errPlace
	default:
		l.f.apply(&l.e)
	}
	return nil
}

var (
	errNotState = errors.New("this is not a state file of offloop")
	errPlace    = errors.New("a snapshot begins or ends where none can")
)

// verdict tells a torn tail from damage.
func (l *loader) verdict() error {
	switch {
	case !l.bad && !l.snapshot:
		return nil
	case l.snapshot: // renamed into place only after all of it was flushed
		if !l.bad {
			l.badOff, l.rep.Reason = l.rep.GoodLen, "the rest of the snapshot is missing"
		}
		return l.damage(l.rep.Lines+1, l.badOff, l.rep.Reason)
	case l.wasFlushed:
		return l.damage(l.rep.Lines+1, l.badOff, l.rep.Reason)
	case l.rep.Lines == 0 && !l.tornHead():
		return l.damage(1, 0, errNotState.Error())
	}
	l.rep.Torn, l.rep.TornBytes = true, l.rep.Size-l.rep.GoodLen
	return nil
}

// tornHead: all there is is the beginning of a head line, or there are the zeros a power cut leaves
// in place of one. Any other file was not ours to begin with and is not to be cut to nothing.
func (l *loader) tornHead() bool {
	full, _ := seal([]byte(headWord+version), 0, markPlain, 0)
	begin, _, zeros := bytes.Cut(l.head, []byte{0})
	return bytes.HasPrefix(full, begin) && (zeros || !l.headEnded)
}

func (l *loader) damage(line int, off int64, reason string) error {
	return &DamageError{Path: l.rep.Path, Line: line, Offset: off, Reason: reason, Whole: l.whole}
}

// Check reads a state file as Load does and also looks for what is odd in it without being
// damage: flags of keywords that have no name, two messages with one file.
func Check(fs FS, path string) (Report, error) {
	f, rep, err := Load(fs, path)
	if err != nil || rep.Missing {
		return rep, err
	}
	var used Flags
	twice := 0
	for i := range f.Len() {
		used |= f.FlagsAt(i)
		if name := f.NameAt(i); name != "" {
			if k, ok := f.FindName(name); ok && k != i {
				twice++
			}
		}
	}
	for n := range maxKeywords {
		if used>>(firstKeyword+n)&1 != 0 && (n >= len(f.keywords) || f.keywords[n] == "") {
			rep.Notes = append(rep.Notes, fmt.Sprintf("messages carry keyword %d, which has no name", n))
		}
	}
	if twice > 0 {
		rep.Notes = append(rep.Notes, fmt.Sprintf("%d messages name a file that another message names too", twice))
	}
	if f.name == "" && f.Len() > 0 {
		rep.Notes = append(rep.Notes, "the file does not say which folder it belongs to")
	}
	return rep, nil
}
