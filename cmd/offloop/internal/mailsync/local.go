package mailsync

import (
	"bytes"
	"fmt"
	"slices"

	"offloop/maildir"
	"offloop/statefile"
	"offloop/statefile/legacy"
)

// keywordsFile is where Dovecot records which letter of a Maildir file name
// stands for which keyword.
const keywordsFile = "dovecot-keywords"

// scanTries is how often a directory is read again because files moved while it
// was read.
const scanTries = 5

// scanSlice is how many names one disk job looks at, so that other disk work is
// not kept waiting by a folder of a million messages.
const scanSlice = 8192

// localLook is the disk's half of looking at a folder: the state is loaded, the
// directories are read, and each file is compared with its record on the way,
// so that only differences are kept. It runs in jobs on the disk goroutine and
// owns everything it touches until it is handed back.
type localLook struct {
	fs        FS
	dir       string
	statePath string
	name      string // local folder name
	fmd5      string
	infoSep   byte
	keywords  map[byte]string
	autoAll   bool // letters may be given out in any folder
	autoOff   bool // and in none
	digest    string
	wanted    [2]maildir.Stamp // stamps under which no scan is needed
	quick     bool
	namer     *maildir.Namer
	dry       bool
	still     bool // the Maildir may not be changed
	// readEarlier reads OfflineIMAP's state, nil if it must not be used.
	readEarlier func() (*legacy.Status, error)

	st      *statefile.Folder
	report  statefile.Report
	flags   *flagTable
	exists  maildir.State
	damaged *statefile.DamageError
	// earlier is OfflineIMAP's state, if this folder has no other.
	earlier    *legacy.Status
	earlierErr error
	view       localView
	err        error

	scanner *maildir.Scanner
	tries   int
	seen    []uint64    // one bit a record
	twice   []localFile // second names of known messages
	second  map[string]localFile
}

// load reads the state and finds out whether the folder exists.
func (k *localLook) load() {
	k.st, k.report, k.err = statefile.Load(k.fs, k.statePath)
	if d, ok := k.err.(*statefile.DamageError); ok {
		k.damaged, k.err = d, nil
		k.st = statefile.NewFolder(k.name, k.fmd5)
	}
	if k.err != nil {
		k.err = fmt.Errorf("read state file %s: %w", k.statePath, k.err)
		return
	}
	if k.st.Len() == 0 && k.st.Token(tokName) == "" {
		k.st = statefile.NewFolder(k.name, k.fmd5)
	}
	k.exists, k.err = maildir.Exists(k.fs, k.dir)
	if k.err != nil {
		return
	}
	if k.loadEarlier(); k.err != nil {
		return
	}
	if k.exists == maildir.Whole && !k.dry {
		k.sweep()
	}
	if k.st.Token(tokDigest) != k.digest {
		dropSkipped(k.st)
		k.st.SetToken(tokDigest, k.digest)
	}
	var letters [26]string
	b, err := readSmall(k.fs, k.dir+"/"+keywordsFile, 64<<10)
	if err == nil {
		letters = parseKeywords(b)
	}
	k.flags = newFlagTable(k.st, k.keywords, letters, !k.autoOff && (k.autoAll || err == nil || k.st.Token(tokOurs) != ""))
}

// sweep removes what a killed run left in tmp. The lock of the root is ours, so
// no other run is writing there; names of other programs are left alone.
func (k *localLook) sweep() {
	tmp := k.dir + "/tmp"
	for _, name := range namesIn(k.fs, tmp) {
		if k.namer.Leftover(name) {
			k.fs.Unlink(tmp + "/" + name)
		}
	}
}

// dropSkipped forgets which messages were left on the server by rule: the rules
// have changed.
func dropSkipped(st *statefile.Folder) {
	var l []uint32
	for i := range st.Marked(markSkipped) {
		l = append(l, st.UIDAt(i))
	}
	for _, u := range l {
		st.Drop(u)
	}
}

// begin prepares a scan. done tells that none is needed.
func (k *localLook) begin() (done bool) {
	k.view = localView{changed: map[uint32]localChange{}, inNew: uidBits{}, odd: map[uint32]maildir.Entry{}}
	if k.exists != maildir.Whole {
		k.view.stable = true
		return true
	}
	n, c, err := maildir.Stamps(k.fs, k.dir)
	if err != nil {
		k.err = err
		return true
	}
	k.view.stamps = [2]maildir.Stamp{n, c}
	if k.quick && k.wanted == k.view.stamps && n != (maildir.Stamp{}) {
		k.view.stable = true
		return true
	}
	k.view.scanned = true
	k.scanner = maildir.NewScanner(k.fs, k.dir)
	k.seen = make([]uint64, (k.st.Len()+63)/64)
	k.second, k.twice = nil, nil
	return false
}

// step looks at the next files; done tells that the scan has ended.
func (k *localLook) step() (done bool) {
	done, err := k.scanner.Next(scanSlice, k.file)
	if err != nil {
		k.err = fmt.Errorf("read %s: %w", k.dir, err)
		return true
	}
	if !done {
		return false
	}
	if !k.scanner.Stable() && k.tries < scanTries {
		k.tries++
		return k.begin()
	}
	k.view.stable = k.scanner.Stable()
	if k.view.stable && !k.dry && !k.still {
		k.joinLinks()
	}
	k.finish()
	return true
}

// file compares one directory entry with the state.
func (k *localLook) file(file string, inNew bool) {
	k.view.count++
	n := maildir.ParseName(file, k.infoSep)
	f := localFile{entry: maildir.Entry{File: file, InNew: inNew}, name: n}
	if n.HasUID && n.FMD5 == k.fmd5 && n.UID != 0 {
		f.hint = n.UID
		if i, ok := k.st.Find(n.UID); ok && hasFile(k.st.MarkAt(i)) && (k.sameName(i, n) || k.claim(i, n)) {
			k.known(i, f)
			return
		}
	}
	k.view.fresh = append(k.view.fresh, f)
}

// sameName tells whether record i's file is the one called n, flags apart.
func (k *localLook) sameName(i int, n maildir.Name) bool {
	name := k.st.NameAt(i)
	return name == n.Unique && n.Base == maildir.BaseWithUID(n.Unique, n.UID, k.fmd5) || name == n.Base
}

func hasFile(m statefile.Mark) bool { return m != markGone && m != markSkipped }

// known takes the file of record i.
func (k *localLook) known(i int, f localFile) {
	uid := k.st.UIDAt(i)
	if k.isSeen(i) {
		k.twice = append(k.twice, f)
		// The same message under two names: it was renamed while we looked, or
		// it lies in new and cur both. Which name is real shows at the next scan.
		k.view.odd[uid] = f.entry
		return
	}
	k.seen[i/64] |= 1 << (i % 64)
	old := k.st.FlagsAt(i)
	fl := k.flags.fromLetters(f.name.Flags, old)
	if fl != old {
		k.view.changed[uid] = localChange{flags: fl, entry: f.entry}
	} else if f.name.Extra != "" || !f.name.Info {
		k.view.odd[uid] = f.entry
	}
	if f.entry.InNew {
		k.view.inNew.add(uid)
	}
}

// joinLinks finishes renames that were stopped between their link and their
// unlink: of two names of one file the old one goes.
func (k *localLook) joinLinks() {
	for _, second := range k.twice {
		i, ok := k.st.Find(second.hint)
		if !ok {
			continue
		}
		uid, old := second.hint, k.st.FlagsAt(i)
		first := maildir.Entry{File: maildir.FileName(second.name.Base, k.flags.toLettersKnown(old), k.infoSep), InNew: k.view.inNew.has(uid)}
		c, changed := k.view.changed[uid]
		if changed {
			first = c.entry
		}
		fl := k.flags.fromLetters(second.name.Flags, old)
		switch {
		case !changed && k.drop(first, second.entry):
			delete(k.view.odd, uid)
			k.view.inNew.remove(uid)
			if second.entry.InNew {
				k.view.inNew.add(uid)
			}
			if fl != old {
				k.view.changed[uid] = localChange{flags: fl, entry: second.entry}
			}
		case changed && fl == old && k.drop(second.entry, first):
			delete(k.view.odd, uid)
		}
	}
	var hinted []localFile
	for _, f := range k.view.fresh {
		if f.hint != 0 {
			hinted = append(hinted, f)
		}
	}
	if len(hinted) == 0 || len(hinted) == len(k.view.fresh) {
		return
	}
	byIno := map[[2]uint64]maildir.Entry{}
	for _, f := range hinted {
		if _, _, dev, ino, _, _, err := k.fs.Stat(k.path(f.entry)); err == nil {
			byIno[[2]uint64{dev, ino}] = f.entry
		}
	}
	k.view.fresh = slices.DeleteFunc(k.view.fresh, func(f localFile) bool {
		_, _, dev, ino, _, _, err := k.fs.Stat(k.path(f.entry))
		named, same := byIno[[2]uint64{dev, ino}]
		return f.hint == 0 && err == nil && same && k.drop(f.entry, named)
	})
}

func (k *localLook) path(e maildir.Entry) string { return k.dir + "/" + e.String() }

// drop removes an entry if it names the same file as another that stays, which
// is made durable first.
func (k *localLook) drop(e, stays maildir.Entry) bool {
	_, _, dev, ino, _, _, err := k.fs.Stat(k.path(e))
	_, _, dev2, ino2, _, _, err2 := k.fs.Stat(k.path(stays))
	if e == stays || err != nil || err2 != nil || dev != dev2 || ino != ino2 {
		return false
	}
	return maildir.SyncDir(k.fs, k.dir+"/"+stays.Sub()) == nil && k.fs.Unlink(k.path(e)) == nil
}

// finish finds out which records have no file, and whether a file that seemed
// new is one of those under another name: a mail reader may give a message a new
// unique part and keep ",U=", or keep the unique part and drop the rest. The unique
// part says more: UIDs in names change when the server numbers a folder anew.
func (k *localLook) finish() {
	if len(k.view.fresh) > 0 {
		byName, others := k.recordsOf(k.view.fresh)
		k.assign(func(f localFile) (int, bool) {
			i, ok := byName[f.name.Unique]
			return i, ok
		})
		k.assign(func(f localFile) (int, bool) {
			if f.hint == 0 || others[f.name.Unique] {
				return 0, false // the second name of another message, in the midst of a rename
			}
			i, ok := k.st.Find(f.hint)
			return i, ok && hasFile(k.st.MarkAt(i))
		})
	}
	for i := 0; i < k.st.Len(); i++ {
		if !k.isSeen(i) && hasFile(k.st.MarkAt(i)) {
			k.view.missing = append(k.view.missing, k.st.UIDAt(i))
		}
	}
	for i := range k.view.fresh {
		f := &k.view.fresh[i]
		f.flags = k.flags.fromLetters(f.name.Flags, 0)
	}
	k.seen, k.scanner = nil, nil
}

// recordsOf gives the records that have the unique part of one of the files: those
// whose own file was not found, and whether there are others. Of a million records
// only these are kept.
func (k *localLook) recordsOf(files []localFile) (byName map[string]int, others map[string]bool) {
	byName, others = map[string]int{}, map[string]bool{}
	wanted := make(map[string]bool, len(files))
	for _, f := range files {
		wanted[f.name.Unique] = true
	}
	var name []byte
	for i := 0; i < k.st.Len(); i++ {
		name = k.st.AppendName(name[:0], i)
		unique, _, _ := bytes.Cut(name, []byte{','})
		switch {
		case !wanted[string(unique)] || !hasFile(k.st.MarkAt(i)):
		case k.isSeen(i):
			others[string(unique)] = true
		default:
			byName[string(unique)] = i
		}
	}
	return byName, others
}

func (k *localLook) isSeen(i int) bool { return k.seen[i/64]&(1<<(i%64)) != 0 }

// assign takes those of the files that seemed new for the records of gives, which have
// no file yet.
func (k *localLook) assign(of func(localFile) (record int, ok bool)) {
	k.view.fresh = slices.DeleteFunc(k.view.fresh, func(f localFile) bool {
		i, ok := of(f)
		if !ok || k.isSeen(i) {
			return false
		}
		k.seen[i/64] |= 1 << (i % 64)
		old := k.st.FlagsAt(i)
		k.view.changed[k.st.UIDAt(i)] = localChange{
			flags: k.flags.fromLetters(f.name.Flags, old), entry: f.entry, name: recordName(f.name, k.st.UIDAt(i), k.fmd5),
		}
		return true
	})
}

// recordName is what the state keeps of a file's name.
func recordName(n maildir.Name, uid uint32, fmd5 string) string {
	if n.Base == maildir.BaseWithUID(n.Unique, uid, fmd5) {
		return n.Unique
	}
	return n.Base
}

// uniqueOf gives the unique part of a record's name.
func uniqueOf(name string) string {
	for i := 0; i < len(name); i++ {
		if name[i] == ',' {
			return name[:i]
		}
	}
	return name
}

// setAside keeps a damaged state file for a person to look at; the folder is
// then paired anew from what both sides hold, and nothing is deleted.
func (f *folder) setAside(d *statefile.DamageError) {
	a, path := f.a, f.a.statePath(f.pair.local)
	aside := path + ".damaged-" + a.env.Loop.Now().UTC().Format("20060102T150405")
	a.env.Loop.Disk(func() { a.env.FS.Rename(path, aside) }, func() {})
	a.report(&Error{Scope: ScopeMessage, Account: a.set.Name, Folder: f.pair.local, Err: d,
		Did:  "the file was kept as " + aside + " and both sides are paired anew; nothing is deleted",
		Hint: "nothing has to be done; if it happens again, check the disk"})
}

// scanLocal looks at the Maildir, in slices.
func (f *folder) scanLocal(done func(error)) {
	k, a := f.look, f.a
	ended := false
	finish := func() {
		f.local = k.view
		if k.err != nil {
			done(&Error{Scope: ScopeFolder, Err: k.err, Did: "nothing was changed in this folder"})
			return
		}
		done(nil)
	}
	var step func()
	step = func() {
		if ended || a.stopping {
			finish()
			return
		}
		a.env.Loop.Disk(func() { ended = k.step() || k.err != nil }, step)
	}
	a.env.Loop.Disk(func() {
		ended = k.begin() || k.step() || k.err != nil
	}, step)
}
