package mailsync

import (
	"fmt"
	"runtime"
	"slices"
	"sort"
	"strings"
	"testing"

	"offloop/maildir"
	"offloop/maildir/maildirtest"
	"offloop/statefile"
)

// lookBench is one folder with a state, looked at without the rest of the engine.
type lookBench struct {
	t  *testing.T
	fs *maildirtest.FS
	st *statefile.Folder
}

const lookDir = "/mail/F"

func newLookBench(t *testing.T) *lookBench {
	fs := maildirtest.New(1)
	fs.Step = 1000
	fs.Outside(func() {
		if err := maildir.Create(fs, lookDir); err != nil {
			t.Fatal(err)
		}
	})
	st := statefile.NewFolder("F", maildir.FMD5("F"))
	st.SetToken(tokName, "F")
	return &lookBench{t, fs, st}
}

// has records message uid, and puts its file there under the usual name.
func (b *lookBench) has(uid uint32, fl statefile.Flags) string {
	b.st.Put(statefile.Record{UID: uid, Flags: fl, Name: fmt.Sprintf("n%d", uid)})
	file := "cur/" + maildir.FileName(maildir.BaseWithUID(fmt.Sprintf("n%d", uid), uid, maildir.FMD5("F")), maildirFlags(fl), ':')
	b.fs.WriteFile(lookDir+"/"+file, "x", true)
	return file
}

func (b *lookBench) move(from, to string) {
	b.fs.Outside(func() {
		if err := b.fs.Rename(lookDir+"/"+from, lookDir+"/"+to); err != nil {
			b.t.Fatal(err)
		}
	})
}

func (b *lookBench) remove(file string) { b.fs.Outside(func() { b.fs.Unlink(lookDir + "/" + file) }) }

func (b *lookBench) look() *localLook {
	b.t.Helper()
	b.fs.Outside(func() {
		if j := b.st.TakeJournal(); j != nil {
			if err := statefile.AppendJournal(b.fs, "/state/F", j, true); err != nil {
				b.t.Fatal(err)
			}
		}
	})
	k := &localLook{fs: b.fs, dir: lookDir, statePath: "/state/F", name: "F", fmd5: maildir.FMD5("F"), infoSep: ':'}
	k.load()
	if k.err == nil && !k.begin() {
		for !k.step() {
		}
	}
	if k.err != nil {
		b.t.Fatal(k.err)
	}
	return k
}

func viewText(v localView) string {
	var l []string
	for u, c := range v.changed {
		l = append(l, strings.TrimSuffix(fmt.Sprintf("changed %d %s %s", u, flagText(c.flags), c.name), " "))
	}
	for _, u := range v.missing {
		l = append(l, fmt.Sprintf("missing %d", u))
	}
	for _, f := range v.fresh {
		l = append(l, fmt.Sprintf("fresh %s %s hint %d", f.name.Base, flagText(f.flags), f.hint))
	}
	for piece := range v.inNew {
		for u := piece << 9; u < (piece+1)<<9; u++ {
			if v.inNew.has(u) {
				l = append(l, fmt.Sprintf("new %d", u))
			}
		}
	}
	for u := range v.odd {
		l = append(l, fmt.Sprintf("odd %d", u))
	}
	sort.Strings(l)
	return strings.Join(l, "; ")
}

func TestLocalLook(t *testing.T) {
	fmd5 := maildir.FMD5("F")
	full := func(unique string, uid uint32) string { return maildir.BaseWithUID(unique, uid, fmd5) }
	for _, c := range []struct {
		name string
		do   func(b *lookBench, one, two string)
		want string
	}{
		{"unchanged", func(b *lookBench, one, two string) {}, ""},
		{"flags", func(b *lookBench, one, two string) { b.move(one, "cur/"+full("n1", 1)+":2,FR") }, "changed 1 FR"},
		{"moved to new", func(b *lookBench, one, two string) { b.move(one, "new/"+full("n1", 1)+":2,") }, "changed 1 -; new 1"},
		{"deleted", func(b *lookBench, one, two string) { b.remove(two) }, "missing 2"},
		{"new file", func(b *lookBench, one, two string) { b.fs.WriteFile(lookDir+"/new/fresh", "x", true) }, "fresh fresh - hint 0"},
		{"another's UID in the name", func(b *lookBench, one, two string) {
			b.fs.WriteFile(lookDir+"/cur/z,U=1,FMD5=0123:2,S", "x", true)
		}, "fresh z,U=1,FMD5=0123 S hint 0"},
		{"second file with one U= is a new message", func(b *lookBench, one, two string) {
			b.fs.WriteFile(lookDir+"/cur/"+full("copy", 1)+":2,S", "x", true)
		}, "fresh " + full("copy", 1) + " S hint 1"},
		{"unknown U= is a new message", func(b *lookBench, one, two string) {
			b.fs.WriteFile(lookDir+"/cur/"+full("z", 77)+":2,", "x", true)
		}, "fresh " + full("z", 77) + " - hint 77"},
		{"renamed, U= kept", func(b *lookBench, one, two string) { b.move(one, "cur/"+full("other", 1)+":2,S") }, "changed 1 S other"},
		{"renamed, unique part kept", func(b *lookBench, one, two string) { b.move(one, "cur/n1:2,S") }, "changed 1 S n1"},
		{"renamed, the rest too", func(b *lookBench, one, two string) { b.move(one, "cur/zzz:2,S") }, "fresh zzz S hint 0; missing 1"},
		{"seen twice, in new and cur", func(b *lookBench, one, two string) {
			b.fs.WriteFile(lookDir+"/new/"+full("n1", 1), "x", true)
		}, "changed 1 -; new 1; odd 1"},
		{"no info part", func(b *lookBench, one, two string) { b.move(two, "cur/"+full("n2", 2)) }, "odd 2"},
		{"dot files are passed over", func(b *lookBench, one, two string) { b.fs.WriteFile(lookDir+"/cur/.nfs123", "x", true) }, ""},
		{"marks without a file", func(b *lookBench, one, two string) {
			b.st.Put(statefile.Record{UID: 8, Name: "n8", Mark: markGone})
			b.st.Put(statefile.Record{UID: 9, Mark: markSkipped})
		}, ""},
		{"a file of a message marked gone is new", func(b *lookBench, one, two string) {
			b.st.Put(statefile.Record{UID: 8, Name: "n8", Mark: markGone})
			b.fs.WriteFile(lookDir+"/cur/"+full("n8", 8)+":2,", "x", true)
		}, "fresh " + full("n8", 8) + " - hint 8"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newLookBench(t)
			one, two := b.has(1, statefile.FlagS), b.has(2, 0)
			c.do(b, one, two)
			k := b.look()
			if got := viewText(k.view); got != c.want || !k.view.stable || !k.view.scanned {
				t.Errorf("sees %q, want %q (stable %v)", got, c.want, k.view.stable)
			}
		})
	}
}

// TestRule4_UnstableScanIsRepeated: a mail reader renames files while the
// directory is read. A scan during which something moved is repeated; no file
// that is there is called missing by a scan that calls itself stable.
func TestRule4_UnstableScanIsRepeated(t *testing.T) {
	for _, stops := range []int{1, 3, 1000} {
		missed := 0
		for seed := range 40 {
			b := newLookBench(t)
			files := map[int]string{}
			for i := 1; i <= 300; i++ {
				files[i] = b.has(uint32(i), 0)
			}
			n, reads := seed, 0
			b.fs.Before = func(op, path string) {
				if op != "readnames" || !strings.HasSuffix(path, "/cur") {
					return
				}
				if reads++; reads > stops {
					return
				}
				for range 20 {
					n++
					i := n%300 + 1
					to := files[i]
					if strings.HasSuffix(to, "S") {
						to = strings.TrimSuffix(to, "S")
					} else {
						to += "S"
					}
					b.move(files[i], to)
					files[i] = to
				}
			}
			k := b.look()
			missed += len(k.view.missing)
			if k.view.stable && len(k.view.missing) > 0 {
				t.Fatalf("stops %d seed %d: a stable scan misses %v", stops, seed, k.view.missing)
			}
			if stops == 1000 && k.view.stable {
				t.Errorf("seed %d: stable though files moved in every scan", seed)
			}
			if stops == 1 && !k.view.stable {
				t.Errorf("seed %d: never became stable", seed)
			}
			if len(k.view.fresh) > 0 {
				t.Fatalf("a renamed file is taken for a new one")
			}
		}
		if stops == 1000 && missed == 0 {
			t.Error("the file system never hides a renamed file: this test proves nothing")
		}
	}
}

// TestRule4_UnstableViewDeletesNothing: what an unstable scan lacks is not missing.
func TestRule4_UnstableViewDeletesNothing(t *testing.T) {
	st := statefile.NewFolder("F", "x")
	st.Put(statefile.Record{UID: 1, Name: "n"})
	a := &Account{env: &Env{}, set: &Settings{}}
	f := &folder{a: a, st: st, flags: newFlagTable(st, nil, [26]string{}, false), remoteQuiet: false, token: folderToken{}}
	f.local = localView{scanned: true, stable: false, missing: []uint32{1}}
	f.data = nil
	f.remoteQuiet = false
	f.list = listing{complete: true}
	f.data = newSelectData(1)
	if err := f.compare(); err != nil {
		t.Fatal(err)
	}
	if len(f.local.missing) != 0 {
		t.Error("an unstable scan's gaps are taken for deletions")
	}
}

// TestQuickLook: with the recorded stamps nothing is read, and a change of either
// directory makes it read.
func TestQuickLook(t *testing.T) {
	b := newLookBench(t)
	b.has(1, 0)
	k := b.look()
	stamps := k.view.stamps
	quick := func() *localLook {
		q := &localLook{fs: b.fs, dir: lookDir, statePath: "/state/F", name: "F", fmd5: maildir.FMD5("F"), infoSep: ':', quick: true, wanted: stamps}
		q.load()
		if !q.begin() {
			for !q.step() {
			}
		}
		return q
	}
	if q := quick(); q.view.scanned || !q.view.stable {
		t.Error("read though nothing changed")
	}
	b.fs.Now += 1e9
	b.fs.WriteFile(lookDir+"/new/x", "x", true)
	if q := quick(); !q.view.scanned || len(q.view.fresh) != 1 {
		t.Error("the new file is not seen")
	}
}

// TestRulesDigestForgetsSkipped: with other rules, what was left on the server is
// looked at again.
func TestRulesDigestForgetsSkipped(t *testing.T) {
	b := newLookBench(t)
	b.has(1, 0)
	b.st.Put(statefile.Record{UID: 2, Mark: markSkipped})
	b.st.SetToken(tokDigest, "old")
	k := b.look()
	var uids []uint32
	for i := range k.st.Len() {
		uids = append(uids, k.st.UIDAt(i))
	}
	if !slices.Equal(uids, []uint32{1}) || k.st.Token(tokDigest) != "" {
		t.Errorf("records %v, digest %q", uids, k.st.Token(tokDigest))
	}
}

// TestOneNewFileAmongMany: what is kept to tell a new file from a renamed one does not depend on
// the size of the folder.
func TestOneNewFileAmongMany(t *testing.T) {
	const n = 50_000
	b := newLookBench(t)
	for uid := range uint32(n) {
		b.st.Put(statefile.Record{UID: uid + 1, Name: fmt.Sprintf("n%d", uid+1)})
	}
	k := &localLook{st: b.st, flags: newFlagTable(b.st, nil, [26]string{}, false), seen: make([]uint64, n/64+1)}
	k.view.changed = map[uint32]localChange{}
	for i := range k.seen {
		k.seen[i] = ^uint64(0)
	}
	k.seen[0] &^= 1 << 7
	for _, file := range []string{"n8:2,S", "n9:2,S", "other:2,"} {
		k.view.fresh = append(k.view.fresh, localFile{name: maildir.ParseName(file, ':')})
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	k.finish()
	runtime.ReadMemStats(&after)
	if got := viewText(k.view); !strings.Contains(got, "changed 8 S n8") || !strings.Contains(got, "fresh n9") || !strings.Contains(got, "fresh other") {
		t.Errorf("found %s", got)
	}
	if size := after.TotalAlloc - before.TotalAlloc; size > 100<<10 {
		t.Errorf("%d bytes for 3 files among %d messages", size, n)
	}
}
