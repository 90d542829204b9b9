package verify

import (
	"fmt"
	"slices"
	"sort"
	"strings"
	"time"

	"offloop/cmd/internal/lab/imapc"
)

// Kind is a kind of difference.
type Kind string

// The kinds of differences.
const (
	FolderOnlyServer Kind = "folder only on server"
	FolderOnlyLocal  Kind = "folder only local"
	OnlyServer       Kind = "only on server"
	OnlyLocal        Kind = "only local"
	BytesDiffer      Kind = "bytes differ"
	FlagsDiffer      Kind = "flags differ"
	KeywordsDiffer   Kind = "keywords differ"
	DateDiffers      Kind = "date differs"
	DuplicateLocal   Kind = "duplicate local"
	DuplicateServer  Kind = "duplicate on server"
	BadName          Kind = "file name without this folder's UID"
)

// Difference is one finding.
type Difference struct {
	Kind   Kind
	Folder string
	UID    uint32
	File   string
	Detail string
}

func (d Difference) String() string {
	s := fmt.Sprintf("%s: folder %q", d.Kind, d.Folder)
	if d.UID != 0 {
		s += fmt.Sprintf(" UID %d", d.UID)
	}
	if d.File != "" {
		s += " file " + d.File
	}
	if d.Detail != "" {
		s += ": " + d.Detail
	}
	return s
}

// Report is the outcome of a comparison.
type Report struct {
	Folders, Server, Local int // folders compared, messages on either side
	Differences            []Difference
}

// Equal tells that both sides are the same.
func (r Report) Equal() bool { return len(r.Differences) == 0 }

// Count counts the differences of one kind.
func (r Report) Count(k Kind) int {
	n := 0
	for _, d := range r.Differences {
		if d.Kind == k {
			n++
		}
	}
	return n
}

// Summary is one line.
func (r Report) Summary() string {
	if r.Equal() {
		return fmt.Sprintf("equal: %d messages in %d folders", r.Server, r.Folders)
	}
	counts := map[Kind]int{}
	for _, d := range r.Differences {
		counts[d.Kind]++
	}
	var parts []string
	for k, n := range counts {
		parts = append(parts, fmt.Sprintf("%s %d", k, n))
	}
	sort.Strings(parts)
	return fmt.Sprintf("different: server %d, local %d messages; %s", r.Server, r.Local, strings.Join(parts, ", "))
}

// String is the summary and up to 50 differences.
func (r Report) String() string {
	s := r.Summary()
	for i, d := range r.Differences {
		if i == 50 {
			return s + fmt.Sprintf("\n  and %d more", len(r.Differences)-i)
		}
		s += "\n  " + d.String()
	}
	return s
}

// Check reads both sides and compares them.
func Check(c *imapc.Client, root string, o Options) (Report, error) {
	server, err := ReadServer(c, o)
	if err != nil {
		return Report{}, err
	}
	local, err := ReadMaildir(root, o)
	if err != nil {
		return Report{}, err
	}
	return Compare(server, local, o), nil
}

// Compare lists the differences of two trees, in folder and UID order.
func Compare(server, local Tree, o Options) Report {
	r := Report{Folders: len(server), Server: server.Messages(), Local: local.Messages()}
	names := map[string]bool{}
	for n := range server {
		names[n] = true
	}
	for n := range local {
		names[n] = true
	}
	sorted := make([]string, 0, len(names))
	for n := range names {
		sorted = append(sorted, n)
	}
	sort.Strings(sorted)
	for _, n := range sorted {
		s, l := server[n], local[n]
		switch {
		case l == nil:
			r.add(Difference{Kind: FolderOnlyServer, Folder: n, Detail: fmt.Sprintf("%d messages", len(s.Messages))})
		case s == nil:
			// A Maildir that only holds other folders, or nothing yet.
			if n != "" || len(l.Messages) > 0 {
				r.add(Difference{Kind: FolderOnlyLocal, Folder: n, Detail: fmt.Sprintf("%d messages", len(l.Messages))})
			}
		default:
			r.folder(n, s, l, o)
		}
	}
	return r
}

func (r *Report) add(d Difference) { r.Differences = append(r.Differences, d) }

// folder pairs the messages of a folder by UID, then the rest by content.
func (r *Report) folder(name string, s, l *Folder, o Options) {
	left := make([]bool, len(s.Messages)) // paired
	used := make([]bool, len(l.Messages))
	if !o.AnyNames {
		byUID := map[uint32]int{}
		for i, e := range s.Messages {
			byUID[e.UID] = i
		}
		for j, e := range l.Messages {
			if e.UID == 0 {
				r.add(Difference{Kind: BadName, Folder: name, File: e.File})
				continue
			}
			i, ok := byUID[e.UID]
			if !ok {
				continue
			}
			if left[i] {
				used[j] = true
				r.add(Difference{Kind: DuplicateLocal, Folder: name, UID: e.UID, File: e.File, Detail: "a second file with this UID"})
				continue
			}
			left[i], used[j] = true, true
			r.pair(name, s.Messages[i], e, l.Mapped, o)
		}
	}
	r.byContent(name, s, l, left, used, o)
}

// byContent pairs what is left by hash and reports the rest.
func (r *Report) byContent(name string, s, l *Folder, left, used []bool, o Options) {
	free := map[[32]byte][]int{}
	known := map[[32]byte]bool{}
	for i, e := range s.Messages {
		known[e.Sum] = true
		if !left[i] {
			free[e.Sum] = append(free[e.Sum], i)
		}
	}
	localKnown := map[[32]byte]bool{}
	for j, e := range l.Messages {
		localKnown[e.Sum] = true
		if used[j] {
			continue
		}
		if c := free[e.Sum]; len(c) > 0 {
			k := bestFlags(s, c, e)
			left[c[k]] = true
			r.pair(name, s.Messages[c[k]], e, l.Mapped, o)
			free[e.Sum] = slices.Delete(c, k, k+1)
			continue
		}
		kind := OnlyLocal
		if known[e.Sum] {
			kind = DuplicateLocal
		}
		r.add(Difference{Kind: kind, Folder: name, UID: e.UID, File: e.File, Detail: fmt.Sprintf("%d bytes", e.Size)})
	}
	for i, e := range s.Messages {
		if left[i] {
			continue
		}
		kind := OnlyServer
		if localKnown[e.Sum] {
			kind = DuplicateServer
		}
		r.add(Difference{Kind: kind, Folder: name, UID: e.UID, Detail: fmt.Sprintf("%d bytes", e.Size)})
	}
}

// bestFlags prefers, among identical messages, the one with equal flags.
func bestFlags(s *Folder, candidates []int, e Entry) int {
	for k, i := range candidates {
		if s.Messages[i].Flags == e.Flags {
			return k
		}
	}
	return 0
}

// pair compares one message's two sides.
func (r *Report) pair(folder string, s, l Entry, mapped map[string]bool, o Options) {
	d := Difference{Folder: folder, UID: s.UID, File: l.File}
	report := func(k Kind, format string, a ...any) {
		d.Kind, d.Detail = k, fmt.Sprintf(format, a...)
		r.add(d)
	}
	if s.Sum != l.Sum {
		report(BytesDiffer, "server %d bytes, local %d", s.Size, l.Size)
	}
	if !o.IgnoreFlags {
		a, b := s.Flags, l.Flags
		if o.IgnoreKeywords { // P is the keyword $Forwarded
			a, b = strings.ReplaceAll(a, "P", ""), strings.ReplaceAll(b, "P", "")
		}
		if a != b {
			report(FlagsDiffer, "server %q, local %q", a, b)
		}
	}
	if !o.IgnoreKeywords {
		a := s.Keywords
		if !o.AllKeywords {
			a = slices.DeleteFunc(slices.Clone(a), func(k string) bool { return !mapped[k] })
		}
		if !slices.Equal(a, l.Keywords) {
			report(KeywordsDiffer, "server %v, local %v", a, l.Keywords)
		}
	}
	if o.Dates && !s.Date.Truncate(time.Second).Equal(l.Date.Truncate(time.Second)) {
		report(DateDiffers, "server %v, local %v", s.Date, l.Date)
	}
}
