package maildir

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"offloop/maildir/maildirtest"

	"golang.org/x/sys/unix"
)

// newMaildir is a file system with an empty, durable Maildir /m.
func newMaildir(seed uint64) *maildirtest.FS {
	fs := maildirtest.New(seed)
	fs.Outside(func() {
		if err := Create(fs, "/m"); err != nil {
			panic(err)
		}
	})
	fs.Flush()
	return fs
}

func messageText(i int) string { return fmt.Sprintf("Message-ID: <%d>\n\nbody %d\n", i, i) }

func messageName(i int) string { return FileName(fmt.Sprintf("%d,U=%d,FMD5=x", i, i), 0, ':') }

// write puts messages from to to into a group for /m, odd ones to new. On an error
// the group holds what was written before.
func write(fs FS, g *Group, from, to int) error {
	l := &Lot{Dir: "/m"}
	g.Lots = append(g.Lots, l)
	for i := from; i < to; i++ {
		tmp, err := NewTmp(fs, "/m", fmt.Sprint(i))
		if err != nil {
			return err
		}
		text := messageText(i)
		tmp.Write([]byte(text[:5]))
		tmp.Write([]byte(text[5:]))
		l.Add(&Place{Tmp: tmp, ToNew: i%2 == 1, File: messageName(i), Mtime: time.Unix(1000+int64(i), 0)})
	}
	return nil
}

// deliver writes and commits n messages, in two groups if there are many. The error
// is that of making a file, after which nothing is committed.
func deliver(fs FS, n int, sync SyncMode) ([]*Place, error) {
	first, second := &Group{Sync: sync}, &Group{Sync: sync}
	part := n
	if n > 2*smallGroup {
		part = n - smallGroup - 1
	}
	if err := write(fs, first, 0, part); err != nil {
		return first.Lots[0].Places, err
	}
	ps := first.Lots[0].Places
	first.Flush(fs, nil)
	first.Name(fs)
	if part == n {
		first.Settle(fs)
		return ps, nil
	}
	err := write(fs, second, part, n)
	if err != nil {
		first.Settle(fs)
		return append(slices.Clip(ps), second.Lots[0].Places...), err
	}
	second.Flush(fs, first)
	second.Name(fs)
	second.Settle(fs)
	return append(slices.Clip(ps), second.Lots[0].Places...), nil
}

// checkFolder looks at what lies in cur and new: only whole messages under their
// own names.
func checkFolder(t *testing.T, fs *maildirtest.FS, when string) map[string]string {
	t.Helper()
	got := map[string]string{}
	for path, text := range fs.Files("/m") {
		if strings.HasPrefix(path, "tmp/") {
			continue
		}
		got[path] = text
		n := ParseName(path[4:], ':')
		if text != messageText(int(n.UID)) {
			t.Fatalf("%s: %s holds %q", when, path, text)
		}
	}
	return got
}

func TestDeliver(t *testing.T) {
	for _, n := range []int{0, 1, smallGroup + 1, 40} {
		for _, without := range []string{"", "syncfs", "rename", "links"} {
			fs := newMaildir(1)
			fs.NoSyncFS, fs.NoAtomicRename, fs.NoLinks = without == "syncfs", without == "rename" || without == "links", without == "links"
			ps, err := deliver(fs, n, SyncFull)
			if err != nil || len(ps) != n {
				t.Fatal(err)
			}
			for i, p := range ps {
				if p.Err != nil {
					t.Fatal(p.Err)
				}
				_, _, _, _, mtime, _, _ := fs.Stat(entryPath("/m", Entry{File: p.File, InNew: p.ToNew}))
				if mtime != p.Mtime.UnixNano() {
					t.Errorf("message %d has time %d", i, mtime)
				}
			}
			before := checkFolder(t, fs, "delivered")
			if len(before) != n || len(fs.Files("/m/tmp")) != 0 || fs.OpenFiles() != 0 {
				t.Fatalf("%d messages: %d there, tmp %v, %d files open", n, len(before), fs.Files("/m/tmp"), fs.OpenFiles())
			}
			fs.PowerCut()
			if after := checkFolder(t, fs, "after a power cut"); !maps.Equal(before, after) {
				t.Fatalf("a power cut left %d of %d (without %q)", len(after), n, without)
			}
		}
	}
}

// A group's data is flushed once, not once a message, and directories at the end.
func TestGroupCommitFlushesOnce(t *testing.T) {
	fs := newMaildir(1)
	flushes := map[string]int{}
	fs.Before = func(op, _ string) { flushes[op]++ }
	if _, err := deliver(fs, 100, SyncFull); err != nil {
		t.Fatal(err)
	}
	// Two groups: the second one's flush makes the first one's names durable.
	if flushes["syncfs"] != 2 || flushes["fsync"] != 2 {
		t.Errorf("%d syncfs, %d fsync", flushes["syncfs"], flushes["fsync"])
	}
	clear(flushes)
	fs2 := newMaildir(1)
	fs2.Before = fs.Before
	if _, err := deliver(fs2, 100, SyncNone); err != nil || flushes["syncfs"]+flushes["fsync"] != 0 {
		t.Errorf("SyncNone: %v, %v", flushes, err)
	}
}

// Stopped at any call, by a kill or a power cut, each message is there as a whole
// or not at all; what Settle called delivered is there; and a second run ends
// with all of them, once each.
func TestRule3_DeliveryCrash(t *testing.T) {
	cov := maildirtest.NewCoverage()
	for _, without := range []string{"", "syncfs", "rename"} {
		const n = 2*smallGroup + 2
		var placed []*Place
		var result error
		build := func(seed uint64) *maildirtest.FS {
			fs := newMaildir(seed)
			fs.NoSyncFS, fs.NoAtomicRename, fs.Ordered = without == "syncfs", without == "rename", seed%4 == 1
			fs.Coverage = cov
			return fs
		}
		calls := maildirtest.EachCrash(build, func(fs *maildirtest.FS) {
			placed, result = deliver(fs, n, SyncFull)
		}, func(fs *maildirtest.FS, call int, power bool) {
			when := fmt.Sprintf("without %q, call %d, power %v", without, call, power)
			got := checkFolder(t, fs, when)
			for _, p := range placed {
				_, there := got[Entry{File: p.File, InNew: p.ToNew}.String()]
				if result == nil && p.Err == nil && !there {
					t.Fatalf("%s: %s was delivered and is gone", when, p.File)
				}
			}
			recoverDelivery(t, fs, n, when)
		})
		if calls < 4*n {
			t.Errorf("only %d calls", calls)
		}
	}
	for _, site := range cov.NeverCrashed() {
		if strings.HasPrefix(site, "deliver.go") {
			t.Errorf("no crash at %s", site)
		}
	}
}

// commit takes a lot all the way.
func commit(fs FS, l *Lot) {
	g := &Group{Lots: []*Lot{l}}
	g.Flush(fs, nil)
	g.Name(fs)
	g.Settle(fs)
}

// recoverDelivery fetches again what is missing, as the engine does, and wants
// each message once.
func recoverDelivery(t *testing.T, fs *maildirtest.FS, n int, when string) {
	t.Helper()
	have := checkFolder(t, fs, when)
	l := &Lot{Dir: "/m"}
	for i := range n {
		e := Entry{File: messageName(i), InNew: i%2 == 1}
		if _, ok := have[e.String()]; ok {
			continue
		}
		tmp, err := NewTmp(fs, "/m", fmt.Sprintf("again%d", i))
		if err != nil {
			t.Fatalf("%s: %v", when, err)
		}
		tmp.Write([]byte(messageText(i)))
		l.Add(&Place{Tmp: tmp, ToNew: e.InNew, File: e.File})
	}
	commit(fs, l)
	for _, p := range l.Places {
		if p.Err != nil {
			t.Fatalf("%s: %v", when, p.Err)
		}
	}
	if got := checkFolder(t, fs, when); len(got) != n {
		t.Fatalf("%s: %d messages of %d", when, len(got), n)
	}
}

// Each call in turn fails, once or from there on; whatever Settle says was
// delivered is there after a power cut, the rest left nothing but, at worst, a
// whole message in its place, and no descriptor stays open.
func TestDeliveryEachCallFails(t *testing.T) {
	const n = 2*smallGroup + 2
	for _, errno := range []unix.Errno{unix.EIO, unix.ENOSPC, unix.EMFILE, unix.EROFS} {
		for _, noSyncFS := range []bool{false, true} {
			for _, forever := range []bool{false, true} {
				for at := 1; ; at++ {
					fs := newMaildir(uint64(at))
					fs.NoSyncFS = noSyncFS
					failed := false
					base := fs.Calls()
					fs.Fail = func(op, _ string, call int) error {
						if op == "close" || call-base < at || !forever && call-base > at {
							return nil
						}
						failed = true
						return errno
					}
					ps, err := deliver(fs, n, SyncFull)
					if err != nil && !errors.Is(err, errno) {
						t.Fatalf("call %d: %v became %v", at, errno, err)
					}
					if err != nil { // NewTmp failed: the caller gives up the group
						for _, p := range ps {
							p.Tmp.Discard()
						}
					}
					if fs.OpenFiles() != 0 {
						t.Fatalf("call %d, %v: %d files open", at, errno, fs.OpenFiles())
					}
					fs.Fail = nil
					fs.PowerCut()
					got := checkFolder(t, fs, fmt.Sprintf("call %d, %v", at, errno))
					for _, p := range ps {
						if _, there := got[Entry{File: p.File, InNew: p.ToNew}.String()]; err == nil && p.Err == nil && !there {
							t.Fatalf("call %d, %v: %s was delivered and is gone", at, errno, p.File)
						}
					}
					if !failed && at > base {
						break
					}
					if at > 200 {
						t.Fatal("no end")
					}
				}
			}
		}
	}
}

func TestDeliveryNoSpace(t *testing.T) {
	fs := newMaildir(1)
	fs.SetSpace(70) // two messages and a bit
	l := &Lot{Dir: "/m"}
	var full error
	for i := range 4 {
		tmp, err := NewTmp(fs, "/m", fmt.Sprint(i))
		if err != nil {
			full = err
			break
		}
		tmp.Write([]byte(messageText(i)))
		l.Add(&Place{Tmp: tmp, File: messageName(i)})
	}
	commit(fs, l)
	ps := l.Places
	if ps[0].Err != nil || ps[1].Err != nil {
		t.Errorf("the first two: %v, %v", ps[0].Err, ps[1].Err)
	}
	if !errors.Is(ps[2].Err, unix.ENOSPC) || !errors.Is(full, unix.ENOSPC) || !strings.Contains(ps[2].Err.Error(), "free some space") {
		t.Errorf("the third: %v; creating: %v", ps[2].Err, full)
	}
	if got := checkFolder(t, fs, "full disk"); len(got) != 2 || len(fs.Files("/m/tmp")) != 0 {
		t.Errorf("left: %v", fs.Files("/m"))
	}
}

func TestRule3_DeliveryNeverOverwrites(t *testing.T) {
	for _, noRename := range []bool{false, true} {
		for _, noLinks := range []bool{false, true} {
			fs := newMaildir(1)
			fs.NoAtomicRename, fs.NoLinks = noRename, noLinks
			fs.WriteFile("/m/cur/"+messageName(0), "the user's\n", true)
			ps, err := deliver(fs, 2, SyncFull)
			if err != nil || !errors.As(ps[0].Err, new(*ExistsError)) || !errors.Is(ps[0].Err, unix.EEXIST) || ps[1].Err != nil {
				t.Fatalf("%v, %v, %v", err, ps[0].Err, ps[1].Err)
			}
			if got, _ := fs.ReadFile("/m/cur/" + messageName(0)); got != "the user's\n" {
				t.Errorf("overwritten with %q", got)
			}
			if left := fs.Files("/m/tmp"); len(left) != 0 {
				t.Errorf("left in tmp: %v", left)
			}
		}
	}
}

// A failed flush loses the group for good: nothing is renamed, nothing is tried
// again, though the next flush would claim success.
func TestFailedFlushIsNotRetried(t *testing.T) {
	for _, noSyncFS := range []bool{false, true} {
		fs := newMaildir(1)
		fs.NoSyncFS = noSyncFS
		failed := 0
		fs.Fail = func(op, path string, _ int) error {
			if failed == 0 && (op == "syncfs" && !noSyncFS || op == "fsync") {
				failed++
				return unix.EIO
			}
			return nil
		}
		ps, err := deliver(fs, 10, SyncFull)
		want := 10 - smallGroup - 1 // the first group
		if noSyncFS {
			want = 1 // fsync says which
		}
		bad := 0
		for _, p := range ps {
			if errors.Is(p.Err, unix.EIO) {
				bad++
			}
		}
		if bad != want || err != nil {
			t.Errorf("noSyncFS %v: %d failed, %v", noSyncFS, bad, err)
		}
		if got := checkFolder(t, fs, "failed flush"); len(got) != 10-want || len(fs.Files("/m/tmp")) != 0 {
			t.Errorf("noSyncFS %v: %d there, tmp %v", noSyncFS, len(got), fs.Files("/m/tmp"))
		}
	}
}

func TestTmp(t *testing.T) {
	fs := newMaildir(1)
	tmp, err := NewTmp(fs, "/m", "x")
	if err != nil {
		t.Fatal(err)
	}
	if mode, _, _, _, _, _, _ := fs.Stat("/m/tmp/x"); mode&0o777 != 0o600 {
		t.Errorf("mode %o", mode)
	}
	if _, err := NewTmp(fs, "/m", "x"); !errors.As(err, new(*ExistsError)) {
		t.Errorf("taken name: %v", err)
	}
	tmp.Write([]byte("abc"))
	if tmp.Size() != 3 {
		t.Errorf("size %d", tmp.Size())
	}
	tmp.Discard()
	tmp.Discard()
	if len(fs.Files("/m/tmp")) != 0 || fs.OpenFiles() != 0 || tmp.Write([]byte("x")) == nil {
		t.Error("not discarded")
	}
	p := &Place{Tmp: tmp, File: "x"}
	if commit(fs, &Lot{Dir: "/m", Places: []*Place{p}}); p.Err == nil {
		t.Error("a discarded message was delivered")
	}
}

// Folders that lie on several file systems: each is flushed, and what the flush of
// the next group does not reach is settled by itself.
func TestGroupOnTwoFileSystems(t *testing.T) {
	fs := newMaildir(1)
	fs.Outside(func() {
		if err := Create(fs, "/n"); err != nil {
			panic(err)
		}
	})
	fs.Flush()
	fs.Mount("/n")
	flushed := map[string]int{}
	fs.Before = func(op, path string) {
		if op == "syncfs" || op == "fsync" {
			flushed[op+" "+path[:2]]++
		}
	}
	lot := func(dir string, from int) *Lot {
		l := &Lot{Dir: dir}
		for i := range 2 * smallGroup {
			tmp, err := NewTmp(fs, dir, fmt.Sprint(from+i))
			if err != nil {
				t.Fatal(err)
			}
			tmp.Write([]byte(messageText(from + i)))
			l.Add(&Place{Tmp: tmp, File: messageName(from + i)})
		}
		return l
	}
	first := &Group{Lots: []*Lot{lot("/m", 0), lot("/n", 100)}}
	first.Flush(fs, nil)
	first.Name(fs)
	second := &Group{Lots: []*Lot{lot("/m", 200)}}
	second.Flush(fs, first)
	second.Name(fs)
	second.Settle(fs)
	want := map[string]int{"syncfs /m": 2, "syncfs /n": 1, "fsync /n": 1, "fsync /m": 1}
	if !maps.Equal(flushed, want) {
		t.Errorf("flushed %v, want %v", flushed, want)
	}
	fs.PowerCut()
	if m, n := len(fs.Files("/m/cur")), len(fs.Files("/n/cur")); m != 4*smallGroup || n != 2*smallGroup {
		t.Errorf("a power cut left %d and %d", m, n)
	}
}
