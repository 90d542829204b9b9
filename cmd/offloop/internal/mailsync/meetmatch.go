package mailsync

import (
	"slices"

	"offloop/maildir"
	"offloop/statefile"
)

// followFiles finds files that came from other folders, whose messages are to
// follow on the server.
func (m *meeting) followFiles(done func()) {
	m.collect(func(f *folder) []uint32 { return f.plan.deleteRemote })
	if m.a.set.LocalReadOnly || !m.a.canMove() || !m.narrow() {
		done()
		return
	}
	m.askLost(func() {
		m.readFiles(func() {
			m.proveFiles(matchMoves(m.traitsOf()), done)
		})
	})
}

// proveFiles settles what is left of doubt: the content of a message whose file
// has another name now is compared as a whole, and the file must still be gone
// from the old folder when that is scanned again.
func (m *meeting) proveFiles(matches []moveMatch, done func()) {
	again := map[*folder][]uint32{}
	read := map[*folder][]uint32{}
	for _, x := range matches {
		l := m.lost[x.lost]
		again[l.f] = append(again[l.f], l.rec.UID)
		if !x.named {
			read[l.f] = append(read[l.f], l.rec.UID)
		}
	}
	hashes := map[*folder]map[uint32]string{}
	here := map[*folder]map[uint32]bool{}
	open := 1
	end := func() {
		if open--; open > 0 {
			return
		}
		for _, x := range matches {
			l, file := m.lost[x.lost], m.files[x.found]
			there, looked := here[l.f]
			if l.f.err == nil && looked && !there[l.rec.UID] && (x.named || file.hash != "" && hashes[l.f][l.rec.UID] == file.hash) {
				m.followFile(l, file)
			}
		}
		done()
	}
	for _, f := range m.folders {
		if len(again[f]) == 0 {
			continue
		}
		open += 2
		f.lookAgain(again[f], func(found map[uint32]bool, stable bool, err error) {
			if err == nil && stable {
				here[f] = found
			}
			end()
		})
		f.hashRemote(read[f], func(sums map[uint32]string, err error) {
			hashes[f] = sums
			end()
		})
	}
	end()
}

func (m *meeting) followFile(l *lostMail, x *foundFile) {
	to := x.f
	mv := &move{from: l.f, uid: l.rec.UID, file: x.file, flags: to.flagsOf(l.f, l.rec, x.file.name), remote: to.translate(l.f, l.shown()),
		fact: localFact{file: x.file, size: x.size, msgID: x.msgID, hash: x.hash}, print: x.print}
	to.plan.moveRemote = append(to.plan.moveRemote, mv)
	to.plan.upload = slices.DeleteFunc(to.plan.upload, func(f localFile) bool { return f.name.Base == x.file.name.Base })
	l.f.plan.deleteRemote = slices.DeleteFunc(l.f.plan.deleteRemote, func(u uint32) bool { return u == l.rec.UID })
}

// followMessages finds messages that came from other folders on the server, whose
// files are to follow.
func (m *meeting) followMessages(done func()) {
	m.collect(func(f *folder) []uint32 { return f.plan.deleteLocal })
	if len(m.lost) == 0 {
		done()
		return
	}
	m.collectMsgs()
	if !worth(len(m.lost), len(m.msgs)) {
		done()
		return
	}
	m.askMsgs(func() {
		m.readLost(func() {
			var lost, msgs []trait
			for _, l := range m.lost {
				lost = append(lost, l.trait)
			}
			for _, x := range m.msgs {
				msgs = append(msgs, x.trait)
			}
			matches := matchMoves(lost, msgs)
			var weak []*foundMsg
			for _, x := range matches {
				weak = append(weak, m.msgs[x.found])
			}
			m.readWeak(weak, func(same func(x *foundMsg, hash string) bool) {
				for _, x := range matches {
					if same(m.msgs[x.found], m.lost[x.lost].hash) {
						m.followMessage(m.lost[x.lost], m.msgs[x.found])
					}
				}
				done()
			})
		})
	})
}

func (m *meeting) followMessage(l *lostMail, x *foundMsg) {
	to := x.f
	mv := &move{from: l.f, uid: l.rec.UID, msg: x.msg, fact: localFact{size: l.size, msgID: l.msgID, hash: l.hash}, remote: x.msg.flags, entry: l.entry,
		flags: to.flagsOf(l.f, l.rec, maildir.ParseName(l.entry.File, m.a.set.InfoSep))}
	to.plan.moveLocal = append(to.plan.moveLocal, mv)
	to.plan.dropDownloads(func(r remoteMsg) bool { return r.uid == x.msg.uid })
	l.f.plan.deleteLocal = slices.DeleteFunc(l.f.plan.deleteLocal, func(u uint32) bool { return u == l.rec.UID })
}

func (m *meeting) collectMsgs() {
	m.msgs = nil
	for _, f := range m.folders {
		if f.err != nil {
			continue
		}
		for _, r := range f.plan.download {
			if _, known := f.st.Find(r.uid); !known {
				m.msgs = append(m.msgs, &foundMsg{trait: trait{folder: f.pair.local}, f: f, msg: r})
			}
		}
	}
}

// askMsgs asks the server what identifies its new messages.
func (m *meeting) askMsgs(done func()) {
	byFolder := map[*folder][]uint32{}
	for _, x := range m.msgs {
		byFolder[x.f] = append(byFolder[x.f], x.msg.uid)
	}
	m.askAll(byFolder, func(found map[*folder]map[uint32]trait) {
		for _, x := range m.msgs {
			t := found[x.f][x.msg.uid]
			x.size, x.msgID, x.print, x.strong, x.date = t.size, t.msgID, t.print, t.strong, t.date
		}
		done()
	})
}

// readLost reads the files of lost messages that may be new ones by their size.
func (m *meeting) readLost(done func()) {
	want := sizes{}
	for _, x := range m.msgs {
		if x.print != "" {
			want[x.size] = true
		}
	}
	fs, dated := m.a.env.FS, m.a.set.MtimeFromDate
	m.a.inSlices(len(m.lost), func(i int) {
		l := m.lost[i]
		size, found := statEntry(fs, l.f.dir, &l.entry)
		if found && !want.fit(size) {
			return
		}
		t, hash, at, mtime, err := readTrait(fs, l.f.dir, l.entry)
		if err != nil {
			return
		}
		l.size, l.msgID, l.print, l.strong, l.hash, l.entry = t.size, t.msgID, t.print, t.strong, hash, at
		if dated {
			l.date = mtime
		}
	}, done)
}

// statEntry gives a file's size. Where a folder was not scanned the file may lie
// in new as well as in cur.
func statEntry(fs FS, dir string, e *maildir.Entry) (int64, bool) {
	for _, inNew := range []bool{e.InNew, !e.InNew} {
		at := maildir.Entry{File: e.File, InNew: inNew}
		if _, size, _, _, _, _, err := fs.Stat(dir + "/" + at.String()); err == nil {
			*e = at
			return size, true
		}
	}
	return 0, false
}

// joinBoth finds messages that both sides moved to the same folder: they are
// neither sent nor fetched.
func (m *meeting) joinBoth(done func()) {
	m.collect(func(f *folder) []uint32 { return f.plan.forget })
	if len(m.lost) == 0 {
		done()
		return
	}
	for _, f := range m.folders {
		for _, x := range f.plan.deferred {
			m.files = append(m.files, &foundFile{trait: trait{folder: f.pair.local, unique: x.name.Unique}, f: f, file: x, waits: true})
		}
	}
	m.collectMsgs()
	if len(m.msgs) == 0 || !m.narrow() {
		done()
		return
	}
	from := map[*foundFile]*lostMail{}
	m.files = slices.DeleteFunc(m.files, func(x *foundFile) bool {
		for _, l := range m.lost {
			if l.f != x.f && (l.unique == x.unique || x.file.name.HasUID && x.file.name.FMD5 == l.f.look.fmd5 && x.file.name.UID == l.rec.UID) {
				from[x] = l
			}
		}
		return from[x] == nil
	})
	m.msgs = slices.DeleteFunc(m.msgs, func(r *foundMsg) bool {
		return !slices.ContainsFunc(m.files, func(x *foundFile) bool { return x.f == r.f })
	})
	if len(m.files) == 0 || !worth(len(m.files), len(m.msgs)) {
		done()
		return
	}
	m.askMsgs(func() {
		m.lost = nil
		for _, x := range m.msgs {
			m.lost = append(m.lost, &lostMail{trait: trait{size: x.size, print: x.print}}) // only for their sizes
		}
		m.readFiles(func() {
			m.joinMatches(from, done)
		})
	})
}

// joinMatches makes pairs of files and messages that are the same. The list of
// what was lost plays no part any more: here the two lists are one folder's.
func (m *meeting) joinMatches(from map[*foundFile]*lostMail, done func()) {
	type couple struct {
		x *foundFile
		r *foundMsg
	}
	var couples []couple
	var found []*foundMsg
	for _, f := range m.folders {
		var files, msgs []trait
		var xs []*foundFile
		var rs []*foundMsg
		for _, x := range m.files {
			if x.f == f {
				t := x.trait
				t.folder, t.unique = "here", ""
				files, xs = append(files, t), append(xs, x)
			}
		}
		for _, r := range m.msgs {
			if r.f == f {
				t := r.trait
				t.date = 0
				msgs, rs = append(msgs, t), append(rs, r)
			}
		}
		for _, k := range matchMoves(files, msgs) {
			couples, found = append(couples, couple{xs[k.lost], rs[k.found]}), append(found, rs[k.found])
		}
	}
	m.readWeak(found, func(same func(*foundMsg, string) bool) {
		for _, c := range couples {
			if same(c.r, c.x.hash) {
				joinMoved(from[c.x], c.x, c.r)
			}
		}
		done()
	})
}

// joinMoved makes a pair of the file and the message that both sides moved.
func joinMoved(l *lostMail, x *foundFile, r *foundMsg) {
	f := x.f
	fl := f.flagsOf(l.f, l.rec, x.file.name)
	// The old record goes only when the pair is safe: the next round does that.
	l.f.plan.forget = slices.DeleteFunc(l.f.plan.forget, func(u uint32) bool { return u == l.rec.UID })
	l.f.open = true
	f.plan.dropDownloads(func(y remoteMsg) bool { return y.uid == r.msg.uid })
	if x.waits {
		f.open = true // first it must be known what became of its upload
		return
	}
	f.plan.pairs = append(f.plan.pairs, pairing{uid: r.msg.uid, file: x.file, flags: r.msg.flags, moved: &fl})
	f.plan.upload = slices.DeleteFunc(f.plan.upload, func(y localFile) bool { return y.name.Base == x.file.name.Base })
}

// readWeak reads those of the messages whose headers are no proof of their
// content, and gives a comparison of messages with files' hashes. One that could
// not be read is equal to nothing.
func (m *meeting) readWeak(msgs []*foundMsg, done func(same func(x *foundMsg, hash string) bool)) {
	read := map[*folder][]uint32{}
	for _, x := range msgs {
		if !x.strong {
			read[x.f] = append(read[x.f], x.msg.uid)
		}
	}
	sums := map[*folder]map[uint32]string{}
	open := 1
	end := func() {
		if open--; open == 0 {
			done(func(x *foundMsg, hash string) bool {
				return x.strong || hash != "" && sums[x.f][x.msg.uid] == hash
			})
		}
	}
	for _, f := range m.folders {
		if len(read[f]) == 0 || f.err != nil {
			continue
		}
		open++
		f.hashRemote(read[f], func(found map[uint32]string, _ error) {
			sums[f] = found
			end()
		})
	}
	end()
}

// shown gives the flags that the server shows of a message that lost its file.
func (l *lostMail) shown() statefile.Flags {
	if fl, ok := l.f.remote.changed[l.rec.UID]; ok {
		return fl
	}
	return l.rec.Flags
}
