package mailsync

import (
	"fmt"
	"slices"
	"strings"

	"offloop/maildir"
	"offloop/statefile"
)

// loses tells whether the plan has messages that are gone on a side, and so may
// have gone to another folder.
func (p *Plan) loses() bool { return len(p.deleteLocal)+len(p.deleteRemote)+len(p.forget) > 0 }

// gains tells whether the plan has messages that are new on a side.
func (p *Plan) gains() bool { return len(p.upload)+len(p.download)+len(p.deferred) > 0 }

// checkMeet lets folders go on from their plans to the transfers. One with
// nothing new and nothing gone may do so at once; the others wait for those that
// may turn out to have lost what is new here, or to have got what is gone.
func (a *Account) checkMeet() {
	if a.meeting || a.ending {
		return
	}
	var waiting, planning []*folder
	lost := false
	for _, f := range a.folders {
		switch {
		case f.step < stepMeet:
			planning = append(planning, f)
		case f.step == stepMeet && f.err == nil:
			waiting = append(waiting, f)
			lost = lost || f.plan.loses()
		}
	}
	if len(waiting) > 0 && len(planning) == 0 && a.mapped {
		a.meet(waiting)
		return
	}
	for _, f := range waiting {
		if a.meeting || a.ending {
			return // the folder before went through at once, and its end began this
		}
		mayLose := func(g *folder) bool { return g.mayLose(f) }
		if !f.plan.loses() && (!f.plan.gains() || a.mapped && !lost && !slices.ContainsFunc(planning, mayLose)) {
			f.proceed()
		}
	}
}

// proceed begins to carry out a plan that is now whole: what moved between
// folders is known, and the brake looks at the deletes that are left.
func (f *folder) proceed() {
	if f.step != stepMeet || f.err != nil {
		return
	}
	if k := f.a.link; k == nil || k.closed {
		// Others may not have been looked at: where a message that both sides
		// moved went is still to be found out.
		f.open = f.open || len(f.plan.forget) > 0
		f.plan.forget = nil
	}
	f.sortMoved()
	f.sortTrashed()
	f.leaveOut()
	f.brake()
	f.tellStrangers()
	if f.a.set.DryRun {
		for line := range strings.Lines(f.plan.String()) {
			f.a.emit(Event{Kind: "plan", Folder: f.pair.local, Text: strings.TrimRight(line, "\n")})
		}
		f.err = errDry
		f.goTo(stepDone)
		return
	}
	n := f.plan.Ops()
	f.a.emit(Event{Kind: "plan", Severity: "debug", Folder: f.pair.local, N: int64(n), Text: fmt.Sprintf("%s: %d changes", f.pair.local, n)})
	f.goTo(stepTransfer)
}

// mayLose tells whether a folder that is still being looked at may turn out to
// lack messages that are new in f.
func (f *folder) mayLose(to *folder) bool {
	switch {
	case !f.known || f.token.messages == 0 && !f.token.pending:
		return false
	case len(to.plan.upload) > 0 && !(f.step > stepQuiet && f.localQuiet):
		return true
	}
	return len(to.plan.download) > 0 && f.mayHaveShrunk()
}

// mayHaveShrunk tells whether the server may have lost messages of the folder
// since it was last seen. Its counters can rule that out.
func (f *folder) mayHaveShrunk() bool {
	s, t := f.pair.status, f.token
	return f.known && (t.messages > 0 || t.pending) &&
		(s == nil || t.pending || s.UIDValidity != t.validity || s.UIDNext < t.uidNext || uint64(s.Messages) < uint64(t.messages)+uint64(s.UIDNext-t.uidNext))
}

// movedHere tells whether what is new on the server in f may have come from
// another folder: then it is not fetched on the promise of counters alone.
func (f *folder) movedHere() bool {
	return slices.ContainsFunc(f.a.folders, func(g *folder) bool { return g != f && g.mayHaveShrunk() })
}

// meeting finds out what moved between folders. At first the candidates are
// narrowed down by what costs nothing, then by what little is asked of server
// and disk; only what is beyond doubt is taken out of the folders' plans.
type meeting struct {
	a       *Account
	folders []*folder

	lost  []*lostMail
	files []*foundFile
	msgs  []*foundMsg
}

// lostMail is a message that one side of a folder has lost.
type lostMail struct {
	trait
	f     *folder
	rec   statefile.Record
	entry maildir.Entry
	hash  string
	hit   bool // a file's name points to it
}

// foundFile is a file that is new in a folder.
type foundFile struct {
	trait
	f     *folder
	file  localFile
	hash  string
	hit   bool // its name points to a lost message
	waits bool // an upload of it by a killed run may still be executing
}

// foundMsg is a message that is new in a mailbox.
type foundMsg struct {
	trait
	f   *folder
	msg remoteMsg
}

// meet finds the moves among folders that all have their plans, and lets them go
// on.
func (a *Account) meet(folders []*folder) {
	a.meeting = true
	m := &meeting{a: a, folders: folders}
	m.joinBoth(func() {
		m.followFiles(func() {
			m.followMessages(func() {
				a.meeting = false
				for _, f := range a.selectedFirst() {
					if slices.Contains(folders, f) {
						f.proceed()
					}
				}
				a.checkBarrier()
			})
		})
	})
}

// worth bounds the search: one new message is not looked for among a million
// that are gone, nor the other way round.
func worth(few, many int) bool { return few > 0 && many > 0 && many <= 1000+4*few }

// narrow looks which files' names point to lost messages of other folders, and
// leaves out whatever is not worth a look.
func (m *meeting) narrow() bool {
	byName := map[string][]*lostMail{}
	type tag struct {
		fmd5 string
		uid  uint32
	}
	byTag := map[tag]*lostMail{}
	for _, l := range m.lost {
		byName[l.unique] = append(byName[l.unique], l)
		byTag[tag{l.f.look.fmd5, l.rec.UID}] = l
	}
	hit := func(x *foundFile, l *lostMail) {
		if l.f != x.f {
			l.hit, x.hit = true, true
		}
	}
	for _, x := range m.files {
		for _, l := range byName[x.unique] {
			hit(x, l)
		}
		if l := byTag[tag{x.file.name.FMD5, x.file.name.UID}]; l != nil && x.file.name.HasUID {
			hit(x, l)
		}
	}
	restL, restF := 0, 0
	for _, l := range m.lost {
		restL += boolRank(!l.hit)
	}
	for _, x := range m.files {
		restF += boolRank(!x.hit)
	}
	if !worth(restF, restL) || !worth(restL, restF) {
		m.lost = slices.DeleteFunc(m.lost, func(l *lostMail) bool { return !l.hit })
		m.files = slices.DeleteFunc(m.files, func(x *foundFile) bool { return !x.hit })
	}
	return len(m.lost) > 0 && len(m.files) > 0
}

// collect gathers the lost messages that pick names, and the new files.
func (m *meeting) collect(pick func(f *folder) []uint32) {
	m.lost, m.files = nil, nil
	for _, f := range m.folders {
		if f.step != stepMeet || f.err != nil || f.data != nil && f.data.ReadOnly {
			continue
		}
		for _, uid := range pick(f) {
			i, ok := f.st.Find(uid)
			if !ok || f.st.MarkAt(i) != statefile.MarkNone && f.st.MarkAt(i) != markMoved {
				continue
			}
			r := f.st.At(i)
			m.lost = append(m.lost, &lostMail{trait: trait{folder: f.pair.local, unique: uniqueOf(r.Name)}, f: f, rec: r, entry: f.entryOf(r)})
		}
		if parseUint32(f.st.Token(tokValidity)) == 0 {
			continue
		}
		for _, x := range f.plan.upload {
			m.files = append(m.files, &foundFile{trait: trait{folder: f.pair.local, unique: x.name.Unique}, f: f, file: x})
		}
	}
}

// askLost asks the server what identifies the lost messages, which it still has.
func (m *meeting) askLost(done func()) {
	byFolder := map[*folder][]uint32{}
	for _, l := range m.lost {
		byFolder[l.f] = append(byFolder[l.f], l.rec.UID)
	}
	m.askAll(byFolder, func(found map[*folder]map[uint32]trait) {
		for _, l := range m.lost {
			t := found[l.f][l.rec.UID]
			l.size, l.msgID, l.print, l.strong = t.size, t.msgID, t.print, t.strong
		}
		done()
	})
}

// askAll asks about messages of several folders. One that cannot be asked has
// nothing to say; why shows in its transfers.
func (m *meeting) askAll(uids map[*folder][]uint32, done func(map[*folder]map[uint32]trait)) {
	out := map[*folder]map[uint32]trait{}
	open := 1
	end := func() {
		if open--; open == 0 {
			done(out)
		}
	}
	for _, f := range m.folders { // in the folders' order, for repeatable dialogues
		l := uids[f]
		if len(l) == 0 || f.err != nil {
			continue
		}
		open++
		f.traits(l, func(found map[uint32]trait, err error) {
			if err == nil {
				out[f] = found
			}
			end()
		})
	}
	end()
}

// diskSlice is how many messages one disk job reads.
const diskSlice = 100

// inSlices runs one on the disk goroutine for each of n things, some in a job.
func (a *Account) inSlices(n int, one func(i int), done func()) {
	var next func(from int)
	next = func(from int) {
		if from >= n {
			done()
			return
		}
		to := min(from+diskSlice, n)
		a.env.Loop.Disk(func() {
			for i := from; i < to; i++ {
				one(i)
			}
		}, func() { next(to) })
	}
	next(0)
}

// sizes tells which sizes on the wire a file of a given size on disk may have,
// among those of the messages it could be.
type sizes map[int64]bool

func (s sizes) fit(file int64) bool {
	for size := range s {
		if file <= size && size <= file+file/2+64 {
			return true
		}
	}
	return false
}

// readFiles reads the new files that may be lost messages by their size.
func (m *meeting) readFiles(done func()) {
	want := sizes{}
	for _, l := range m.lost {
		if l.print != "" {
			want[l.size] = true
		}
	}
	fs := m.a.env.FS
	m.a.inSlices(len(m.files), func(i int) {
		x := m.files[i]
		if _, size, _, _, _, _, err := fs.Stat(x.f.dir + "/" + x.file.entry.String()); err != nil || !want.fit(size) {
			return
		}
		t, hash, at, _, err := readTrait(fs, x.f.dir, x.file.entry)
		if err == nil {
			x.size, x.msgID, x.print, x.strong, x.hash, x.file.entry = t.size, t.msgID, t.print, t.strong, hash, at
		}
	}, done)
}

func (m *meeting) traitsOf() (lost, files []trait) {
	for _, l := range m.lost {
		lost = append(lost, l.trait)
	}
	for _, x := range m.files {
		files = append(files, x.trait)
	}
	return lost, files
}
