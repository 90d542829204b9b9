package mailsync

import (
	"errors"
	"fmt"

	"offloop/maildir"
	"offloop/statefile"
)

// fileMove is one file on its way to this folder.
type fileMove struct {
	*move
	to     maildir.Entry
	name   string // the unique part
	intent string
	err    error
}

// moveFiles brings the files of messages here that came to this folder on the
// server:
//
//	record the intents ─> rename ─> flush the directories, this folder's first ─> record ─> drop the old records
func (f *folder) moveFiles(done func(error)) {
	if len(f.plan.moveLocal) == 0 {
		done(nil)
		return
	}
	now := f.a.env.Loop.Now()
	var jobs []*fileMove
	for _, m := range f.plan.moveLocal {
		j := &fileMove{move: m, name: m.flags.name}
		base := maildir.BaseWithUID(j.name, m.msg.uid, f.look.fmd5)
		letters := *f.showing(m.flags.local)
		j.to = maildir.Entry{File: maildir.FileName(base, letters, f.a.set.InfoSep), InNew: m.entry.InNew && !letters.Has('S')}
		j.intent = moveID(m.flags.local, now, j.name)
		f.st.AddIntent(statefile.Intent{ID: j.intent, Base: base, Size: m.fact.size, Hash: m.fact.hash, MessageID: m.fact.msgID, UIDValidity: parseUint32(f.st.Token(tokValidity)), UIDNext: m.msg.uid,
			At: now.UnixNano(), Flags: m.flags.agreed, Pid: f.a.env.Pid})
		jobs = append(jobs, j)
	}
	f.a.emit(Event{Kind: "move-local", Folder: f.pair.local, N: int64(len(jobs)),
		Text: fmt.Sprintf("Moving %d messages to Maildir[%s], as they were on the server", len(jobs), f.pair.local)})
	f.flush(func(err error) {
		if err != nil {
			done(err)
			return
		}
		f.renameFiles(jobs, done)
	})
}

func (f *folder) renameFiles(jobs []*fileMove, done func(error)) {
	fs, dir, sync := f.a.env.FS, f.dir, f.a.set.FSync
	var err error
	f.a.env.Loop.Disk(func() {
		var dirs []string
		seen := map[string]bool{}
		for _, j := range jobs {
			j.to, j.err = maildir.MoveEntry(fs, j.from.dir, j.entry, dir, j.to)
			if !seen[j.from.dir] {
				seen[j.from.dir] = true
				dirs = append(dirs, j.from.dir)
			}
		}
		if !sync {
			return
		}
		err = maildir.Sync(fs, dir, nil, true)
		for _, d := range dirs {
			if err == nil {
				err = maildir.Sync(fs, d, nil, true)
			}
		}
	}, func() {
		if err != nil {
			done(&Error{Scope: ScopeFolder, Err: fmt.Errorf("move files to %s: %w", dir, err), Did: "the next run finds out which are there"})
			return
		}
		f.movedFiles(jobs, done)
	})
}

// movedFiles records what is here now. A file that could not be moved is left to
// what happens without moves: a download here, a deletion there.
func (f *folder) movedFiles(jobs []*fileMove, done func(error)) {
	var order []*folder
	gone := map[*folder][]uint32{}
	var came []*fileMove
	for _, j := range jobs {
		f.st.EndIntent(j.intent)
		if j.err != nil {
			f.plan.download = append(f.plan.download, j.msg)
			if !errors.As(j.err, new(*maildir.VanishedError)) {
				j.from.plan.deleteLocal = append(j.from.plan.deleteLocal, j.uid)
			}
			continue
		}
		f.st.Put(statefile.Record{UID: j.msg.uid, Flags: j.flags.base(), Name: j.name})
		f.a.result.MovedLocal++
		came = append(came, j)
		if gone[j.from] == nil {
			order = append(order, j.from)
		}
		gone[j.from] = append(gone[j.from], j.uid)
	}
	f.flush(func(err error) {
		if err != nil {
			done(err)
			return
		}
		for _, j := range came {
			f.arrived(j.move, j.msg.uid, j.to)
		}
		f.leave(order, gone, done)
	})
}
