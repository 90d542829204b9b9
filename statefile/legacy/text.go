package legacy

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

const (
	magicLine = "OFFLINEIMAP LocalStatus CACHE DATA - DO NOT MODIFY - FORMAT "
	// maxLine bounds a line. Gmail's labels of one message have a few kilobytes at most.
	maxLine = 1 << 20
	// maxInterned bounds how many strings an intern remembers.
	maxInterned = 4096
)

// readText reads a status of LocalStatus; nil, nil if there is none.
func readText(path string) (*Status, error) {
	f, err := openPlain(path)
	if missing(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	return parseText(f)
}

// parseText understands a status in text. An empty one was lost in a crash and is no status.
func parseText(r io.Reader) (*Status, error) {
	st := &Status{}
	known := newIntern()
	err := eachLine(r, func(no int, line string) error {
		if no == 1 {
			version, ok := strings.CutPrefix(line, magicLine)
			n, err := strconv.Atoi(version)
			switch {
			case !ok || err != nil || n < 1:
				return errors.New("it does not begin as a status of OfflineIMAP")
			case n > newest:
				return &VersionError{Version: n}
			}
			st.Format = Text1
			if n == 2 {
				st.Format = Text2
			}
			return nil
		}
		m, ok := parseMessage(line, st.Format, known)
		if !ok {
			return fmt.Errorf("line %d is %.60q", no, line)
		}
		if m.UID == 0 {
			st.Skipped++
			return nil
		}
		st.Messages = append(st.Messages, m)
		return nil
	})
	if err != nil {
		return nil, err
	}
	if st.Format == NoStatus {
		return nil, nil
	}
	return st, nil
}

// parseMessage understands a line. A number that is no UID gives UID 0.
func parseMessage(line string, format Format, known intern) (m Message, ok bool) {
	// Labels may contain "|". OfflineIMAP writes that and then fails to read it; we need not.
	sep, fields := "|", 4
	if format == Text1 {
		sep, fields = ":", 2
	}
	part := strings.SplitN(line, sep, fields)
	if len(part) != fields {
		return m, false
	}
	uid, err := strconv.ParseInt(strings.TrimSpace(part[0]), 10, 64)
	if err != nil {
		return m, false
	}
	if uid > 0 && uid <= math.MaxUint32 {
		m.UID = uint32(uid)
	}
	m.Flags = known.flags(part[1])
	if format == Text1 {
		return m, true
	}
	m.MTime, err = strconv.ParseInt(strings.TrimSpace(part[2]), 10, 64)
	m.Labels = known.labels(part[3])
	return m, err == nil
}

// readValidity reads a UIDVALIDITY; 0 if none was saved.
func readValidity(dir, file string) (uint32, error) {
	path, ok := filePath(dir, file)
	if !ok {
		return 0, nil
	}
	f, err := openPlain(path)
	if missing(err) {
		return 0, nil
	}
	if err != nil {
		return 0, asError(path, err)
	}
	defer func() { _ = f.Close() }()
	b, err := io.ReadAll(io.LimitReader(f, 64))
	if err != nil {
		return 0, asError(path, err)
	}
	line, _, _ := strings.Cut(string(b), "\n")
	n, err := strconv.ParseUint(strings.TrimSpace(line), 10, 32)
	if err != nil {
		return 0, &Error{Path: path, Err: fmt.Errorf("%.60q is not a UIDVALIDITY", b),
			Do: "put a backup of it in its place, or, if you know that the folder was never deleted and created again on the server, remove it"}
	}
	return uint32(n), nil
}

// readMap reads the pairs of a folder on two IMAP servers; nil if there are none.
func readMap(dir, file string) ([]Pair, error) {
	path, ok := filePath(dir, file)
	if !ok {
		return nil, nil
	}
	f, err := openPlain(path)
	if missing(err) {
		return nil, nil
	}
	if err != nil {
		return nil, asError(path, err)
	}
	defer func() { _ = f.Close() }()
	pairs, err := parseMap(f)
	if err != nil {
		return nil, asError(path, err)
	}
	return pairs, nil
}

// parseMap understands a UIDMapping.
func parseMap(r io.Reader) ([]Pair, error) {
	var pairs []Pair
	err := eachLine(r, func(no int, line string) error {
		l, m, _ := strings.Cut(line, ":")
		local, lerr := strconv.ParseUint(strings.TrimSpace(l), 10, 32)
		remote, rerr := strconv.ParseUint(strings.TrimSpace(m), 10, 32)
		if lerr != nil || rerr != nil || local == 0 || remote == 0 {
			return fmt.Errorf("line %d is %.60q, not LOCALUID:REMOTEUID", no, line)
		}
		pairs = append(pairs, Pair{uint32(local), uint32(remote)})
		return nil
	})
	if err != nil {
		return nil, err
	}
	return inOrder(pairs, func(p Pair) uint32 { return p.Remote }), nil
}

// eachLine calls f for every line, counted from 1, without white space around it. OfflineIMAP ends
// every line: a last one without an end was cut off, and might pass for another number.
func eachLine(r io.Reader, f func(no int, line string) error) error {
	in := bufio.NewReaderSize(r, 64<<10)
	for no := 1; ; no++ {
		b, err := in.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			b = slices.Clone(b)
			for errors.Is(err, bufio.ErrBufferFull) && len(b) <= maxLine {
				var more []byte
				more, err = in.ReadSlice('\n')
				b = append(b, more...)
			}
			if len(b) > maxLine {
				return fmt.Errorf("line %d is too long", no)
			}
		}
		switch {
		case errors.Is(err, io.EOF) && len(b) == 0:
			return nil
		case errors.Is(err, io.EOF):
			return fmt.Errorf("line %d, the last, is cut off", no)
		case err != nil:
			return err
		}
		if err := f(no, strings.TrimSpace(string(b))); err != nil {
			return err
		}
	}
}

// openPlain opens a regular file for reading.
func openPlain(path string) (*os.File, error) {
	// Without O_NONBLOCK a FIFO put there would stop us for ever.
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	fi, err := f.Stat()
	if err == nil && !fi.Mode().IsRegular() {
		err = errors.New("it is not a regular file")
	}
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

// nameTooLong tells of a name no file can have, so that there is none.
func nameTooLong(err error) bool { return errors.Is(err, unix.ENAMETOOLONG) }

// intern keeps one copy of strings that come again and again.
type intern struct{ flagsOf, labelsOf map[string]string }

func newIntern() intern {
	return intern{flagsOf: map[string]string{}, labelsOf: map[string]string{}}
}

// labels returns s in the one form OfflineIMAP writes: no empty labels, ", " between them.
func (in intern) labels(s string) string {
	return keep(in.labelsOf, s, func() string {
		parts := strings.Split(s, ",")
		kept := parts[:0]
		for _, p := range parts {
			if p = strings.TrimSpace(p); p != "" {
				kept = append(kept, p)
			}
		}
		return strings.Join(kept, ", ")
	})
}

// flags returns the letters of s, ascending and each once. OfflineIMAP keeps flags as a set.
func (in intern) flags(s string) string {
	return keep(in.flagsOf, s, func() string {
		var has [128]bool
		for i := 0; i < len(s); i++ {
			if c := s[i]; 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' {
				has[c] = true
			}
		}
		b := make([]byte, 0, 8)
		for c, yes := range has {
			if yes {
				b = append(b, byte(c))
			}
		}
		return string(b)
	})
}

// keep returns what was made of s before, or makes it.
func keep(known map[string]string, s string, make func() string) string {
	if s == "" {
		return ""
	}
	if t, ok := known[s]; ok {
		return t
	}
	t := make()
	if len(known) < maxInterned {
		known[strings.Clone(s)] = t
	}
	return t
}
