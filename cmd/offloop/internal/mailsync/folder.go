package mailsync

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"offloop/imapproto"
	"offloop/maildir"
	"offloop/statefile"
)

// folderStep is where one folder's work stands; the steps run in this order, and
// any of them may go straight to Commit (something durable is to be recorded) or
// Done.
//
//	Quiet ─> Load ─> Look ─> Pair ─> Plan ─> Meet ─> Transfer ─> Wait ─> Delete ─> Commit ─> Done
type folderStep uint8

const (
	stepQuiet    folderStep = iota // did anything change at all?
	stepLoad                       // read the state; make the Maildir if it is new
	stepLook                       // scan the Maildir and list the mailbox, at the same time
	stepPair                       // find files and messages that are the same
	stepPlan                       // three-way merge
	stepMeet                       // until it is known what moved between folders; then the brake may hold deletes back
	stepTransfer                   // moves, downloads, uploads, flags
	stepWait                       // until no folder of the account has transfers or moves left
	stepDelete                     // last: nothing is removed before everything else is safe
	stepCommit                     // record what was seen
	stepDone
)

// String names the step.
func (s folderStep) String() string {
	return [...]string{"quiet", "load", "look", "pair", "plan", "meet", "transfer", "wait", "delete", "commit", "done"}[s]
}

// folder is one folder pair at work.
type folder struct {
	a    *Account
	pair pair
	dir  string
	step folderStep
	err  error

	token       folderToken // what the account's state knew of it
	known       bool
	remoteQuiet bool
	localQuiet  bool

	look    *localLook
	st      *statefile.Folder
	flags   *flagTable
	goodLen int64
	// journalErr is the disk goroutine's: why lines could not be written. Then no
	// later ones are, since they may mean nothing without them.
	journalErr error
	wrote      bool // records were written in this round

	sel     *imapproto.Selection
	data    *imapproto.SelectData
	selErr  error                // why the last SELECT may not be used
	checked *imapproto.Selection // the last one with the expected UIDVALIDITY; a later SELECT may be on its way already
	list    listing
	diff    *remoteDiff // the listing is being compared
	local   localView
	remote  remoteView
	pairs   []pairing
	young   map[uint32]bool // which of the server's new messages are young enough; asked only where that counts
	plan    *Plan
	created bool // the Maildir was made in this round
	trusted bool // the state knew the UIDVALIDITY before this round, and both sides have been paired under it

	deferred    []statefile.Intent // uploads of a killed run whose fate is open
	localFailed map[uint32]bool
	transferErr error
	open        bool                  // something waits for the next round
	let         int                   // deletes of the plan that a person let through, and that were not carried out yet
	holdMarked  bool                  // the brake: messages marked T in this round are not expunged in it
	first       *imapproto.SelectData // of the SELECT that began the comparison
	spec        *speculation
	early       *download
	asked       map[uint32]trait // what identifies new messages, where it was asked with the SELECT
	renumber    *renumbering     // in this round the server's new numbers were taken over
	inWave      bool             // others wait for its first question
	late        bool             // its flags for the server go with its deletes
	owed        int              // flights that its changes on the server will take, about
	settled     bool             // nothing but flags is under way any more: others may delete
}

func newFolder(a *Account, p pair) *folder {
	dir, _ := maildir.Layout{Root: a.set.Root, Sep: a.set.Sep}.Path(p.local)
	f := &folder{a: a, pair: p, dir: dir, goodLen: -1, localFailed: map[uint32]bool{}}
	f.token, f.known = parseFolderToken(a.book.Token(tokFolder + p.local))
	if f.token.remote != p.remote {
		f.token, f.known = folderToken{remote: p.remote}, false
	}
	return f
}

func (a *Account) statePath(local string) string {
	return a.set.StateDir + "/" + statefile.FileName(local) + ".state"
}

// run starts the work of f.step. Reading the cases downwards is reading the sync.
func (f *folder) run() {
	if f.a.stopping && f.err == nil && f.step != stepDone {
		f.err = errStopped
		f.step = stepDone
	}
	switch f.step {
	case stepQuiet:
		f.checkQuiet(f.then)
	case stepLoad:
		f.load(f.then)
	case stepLook:
		f.lookBoth(f.then)
	case stepPair:
		if f.a.set.Verify != nil {
			f.verify(f.then)
			return
		}
		f.findPairs(func(err error) {
			if err != nil || f.err != nil {
				f.then(err)
				return
			}
			f.findYoung(f.then)
		})
	case stepPlan:
		f.then(f.makePlan())
	case stepMeet:
		if f.a.ending {
			f.a.maybeEnd() // nobody is waited for any more
			return
		}
		f.a.checkMeet()
	case stepTransfer:
		f.transfer(f.then)
	case stepWait:
		f.a.barrier()
	case stepDelete:
		f.deletes(f.then)
	case stepCommit:
		f.commit(f.then)
	case stepDone:
		f.finish()
	}
}

// then ends a step: on to the next, or, on an error wider than one message, to
// the end.
func (f *folder) then(err error) {
	if f.step == stepDone || f.err != nil {
		return
	}
	if ScopeOf(err) > ScopeMessage {
		f.fail(err)
		return
	}
	f.goTo(f.step + 1)
}

func (f *folder) goTo(s folderStep) {
	f.step = s
	f.a.emit(Event{Kind: "step", Severity: "debug", Folder: f.pair.local, Text: f.pair.local + ": " + s.String()})
	f.run()
}

// fail ends the folder's round with err. What was recorded in memory as durable
// is still written.
func (f *folder) fail(err error) {
	if f.step == stepDone || f.err != nil {
		return
	}
	f.err = err
	if err == nil {
		f.err = errors.New("failed")
	}
	f.flush(func(error) { f.goTo(stepDone) })
}

// finish tells the account that the folder is through.
func (f *folder) finish() {
	var lost *imapproto.LostError
	switch {
	case f.err == nil, f.err == errDry, f.err == errGone, errors.Is(f.err, errStopped):
	case errors.As(f.err, &lost):
		// The connection's end is told once, by the account.
		if f.a.round.err == nil {
			f.a.round.err = connectError(f.a.set, f.err)
		}
	default:
		f.a.report(f.a.asError(f.err, ScopeFolder, f.pair.local))
	}
	if f.err != nil {
		f.unquiet()
		if len(f.local.fresh) > 0 && f.err != errDry && f.err != errGone {
			f.a.failedUploads["*"] = true // what was moved here may be deleted nowhere
		}
	}
	if f.early != nil {
		f.early.dropAll()
	}
	f.joinWave(nil)
	f.owe(0)
	f.countHeld()
	if f.err == nil {
		f.st, f.look, f.list = nil, nil, listing{} // after an error, answers may still be under way
	}
	f.a.checkBarrier()
}

// unquiet makes the next round look at the folder whatever the counters say.
func (f *folder) unquiet() {
	if t, ok := parseFolderToken(f.a.book.Token(tokFolder + f.pair.local)); ok && !t.pending && !f.a.set.DryRun {
		t.pending = true
		f.a.book.SetToken(tokFolder+f.pair.local, t.String())
	}
}

// checkQuiet finds out whether a side can be taken as unchanged without opening
// the folder there.
func (f *folder) checkQuiet(done func(error)) {
	if v := f.a.set.Verify; v != nil && !v.verifies(f.pair) {
		done(errDry)
		return
	}
	if f.spec != nil && !f.spec.ended {
		f.spec.then(func(error) { f.checkQuiet(done) })
		return
	}
	s, t := f.pair.status, f.token
	usable := f.known && !t.pending && t.digest == f.a.set.ConfigDigest && !f.a.fullCheckDue(t)
	if usable && s != nil && f.a.canTell() {
		f.remoteQuiet = s.HighestModSeq > 0 && s.UIDValidity != 0 && s.UIDValidity == t.validity &&
			s.UIDNext == t.uidNext && s.Messages == t.messages && s.HighestModSeq == t.modSeq
	}
	if usable && f.spec != nil {
		f.remoteQuiet = f.specQuiet()
	}
	if !usable {
		done(nil)
		return
	}
	var stamps [2]maildir.Stamp
	var err error
	f.a.env.Loop.Disk(func() { stamps[0], stamps[1], err = maildir.Stamps(f.a.env.FS, f.dir) }, func() {
		f.localQuiet = err == nil && stamps == t.stamps && stamps[0] != (maildir.Stamp{})
		if f.remoteQuiet && f.localQuiet {
			f.a.emit(Event{Kind: "folder-skip", Folder: f.pair.local, Text: fmt.Sprintf("Skipping %s (not changed)", f.pair.local)})
			f.goTo(stepDone)
			return
		}
		done(nil)
	})
}

// load reads the state file and makes sure that the Maildir is there.
func (f *folder) load(done func(error)) {
	a := f.a
	a.emit(Event{Kind: "folder-start", Folder: f.pair.local, Conn: 1, Text: fmt.Sprintf("Syncing %s: IMAP -> Maildir", f.pair.local)})
	k := &localLook{fs: a.env.FS, dir: f.dir, statePath: a.statePath(f.pair.local), name: f.pair.local, fmd5: a.set.fmd5(f.pair.local),
		infoSep: a.set.InfoSep, keywords: a.set.Keywords, autoAll: a.set.KeywordsAuto, autoOff: a.set.KeywordsOff, digest: a.set.ConfigDigest, wanted: f.token.stamps, quick: f.localQuiet,
		namer: a.env.Namer, dry: a.set.DryRun, still: a.set.LocalReadOnly, readEarlier: f.readEarlier()}
	f.look = k
	dry := a.set.DryRun
	var made []string
	var err error
	a.env.Loop.Disk(func() {
		k.load()
		if k.err != nil || dry {
			return
		}
		fresh := k.st.Len() == 0 && k.earlier == nil && k.earlierErr == nil
		switch k.exists {
		case maildir.Missing:
			// Not where messages are on record: an empty directory would look like the
			// deletion of them all, and its inode may even be the old one's.
			if k.st.Len() == 0 {
				made, err = maildir.Make(k.fs, k.dir)
			}
		case maildir.Damaged:
			// Begun by a killed run; without records nothing can seem deleted.
			if !fresh {
				break
			}
			if made, err = maildir.Make(k.fs, k.dir); err == nil {
				k.exists = maildir.Whole
			}
		case maildir.Whole:
			if fresh && k.st.Token(tokName) == "" { // made by a killed run, perhaps, and not flushed
				made, err = maildir.Make(k.fs, k.dir)
			}
		}
	}, func() {
		if len(made) > 0 {
			a.made = append(a.made, madeMaildir{f, made})
		}
		done(f.loaded(err))
	})
}

func (f *folder) loaded(made error) error {
	a, k := f.a, f.look
	switch {
	case k.err != nil:
		return &Error{Scope: ScopeFolder, Err: k.err, Did: "this folder was left alone"}
	case k.exists == maildir.Damaged:
		return &Error{Scope: ScopeFolder, Err: fmt.Errorf("%s lacks its cur, new or tmp directory", f.dir), Did: "this folder was left alone; nothing was deleted",
			Hint: "bring the missing directory back, or create it empty if it is really gone"}
	case made != nil:
		return &Error{Scope: ScopeFolder, Err: made, Did: "this folder was left alone", Hint: "check the permissions and the free space of the Maildir"}
	}
	f.st, f.flags = k.st, k.flags
	f.beginTakeOver()
	if k.report.Torn {
		f.goodLen = k.report.GoodLen
		a.emit(Event{Kind: "warn", Severity: "warn", Folder: f.pair.local,
			Text: fmt.Sprintf("the last %d bytes of the state of %s were cut short by a crash and are left out", k.report.TornBytes, f.pair.local)})
	}
	if k.damaged != nil && !a.set.DryRun {
		f.setAside(k.damaged)
	}
	if k.exists == maildir.Missing {
		if f.st.Len() > 0 && !a.set.DryRun {
			return &Error{Scope: ScopeFolder, Err: fmt.Errorf("the Maildir %s is gone though its state is there", f.dir), Did: "nothing was deleted",
				Hint: fmt.Sprintf("--recreate %q downloads it again", f.pair.local)}
		}
		f.created = true
		if !f.pair.told {
			a.tellMaildir(f.pair.local)
		}
		k.exists = maildir.Whole
		if a.set.DryRun {
			k.exists = maildir.Missing
		}
	}
	if f.known && f.st.Token(tokGen) != f.token.generation() {
		f.known, f.remoteQuiet, f.localQuiet, k.quick = false, false, false, false
	}
	if f.st.Token(tokName) != f.pair.local {
		f.st.SetToken(tokName, f.pair.local)
	}
	f.trusted = f.st.Token(tokValidity) != "" && f.st.Token(tokPaired) != ""
	if f.data != nil {
		f.selErr = f.checkValidity()
	}
	return nil
}

// lookBoth scans the Maildir and lists the mailbox side by side.
func (f *folder) lookBoth(done func(error)) {
	done = f.tellLook(done)
	if f.mayStream() {
		f.lookNew(done)
		return
	}
	f.joinWave(nil)
	open, failed := 2, error(nil)
	join := func(err error) {
		if ScopeOf(err) > ScopeOf(failed) {
			failed = err
		}
		if open--; open > 0 {
			return
		}
		if failed == nil {
			f.compareLong(func(err error) { f.looked(err, done) })
			return
		}
		f.looked(failed, done)
	}
	if f.look.earlier != nil {
		open = 1
		f.lookAndTake(join)
		return
	}
	f.listRemote(join)
	f.scanLocal(join)
}

// makePlan merges the three views.
func (f *folder) makePlan() error {
	s := f.a.set
	now := f.a.env.Loop.Now()
	in := mergeInput{folder: f.pair.local, st: f.st, local: &f.local, remote: &f.remote, pairs: f.pairs,
		rules: mergeRules{localReadOnly: s.LocalReadOnly, remoteReadOnly: s.RemoteReadOnly || f.data != nil && f.data.ReadOnly && !s.DryRun,
			localSyncDeletes: s.LocalSyncDeletes, remoteSyncDeletes: s.RemoteSyncDeletes, expunge: s.Expunge && f.a.canExpunge(),
			localMask: f.flags.mergeMask(), remoteMask: ^statefile.Flags(0)},
		blocked: func(l localFile) blockKind { return f.blocked(l, now) },
		file:    f.entry,
	}
	if s.MaxSize > 0 {
		in.oversize = f.list.large.has
	}
	if f.data != nil {
		in.rules.remoteMask = f.remoteMaskNow()
	}
	f.clearStale()
	f.plan = merge(in)
	f.leaveHeld(now)
	f.spareRenumbered()
	f.tellReadOnly()
	f.planned()
	return nil
}

var errDry = errors.New("dry run")

// entry guesses the file of a record that was not seen under another name. Without
// a scan, mail that was not read lies most likely where it was delivered.
func (f *folder) entry(r statefile.Record, inNew bool) maildir.Entry {
	if !f.local.scanned {
		inNew = r.Flags&statefile.FlagS == 0
	}
	return maildir.Entry{File: maildir.FileName(f.base(r.Name, r.UID), f.flags.toLettersKnown(r.Flags), f.a.set.InfoSep), InNew: inNew}
}

// base gives the full base name of a record's file.
func (f *folder) base(name string, uid uint32) string {
	if strings.Contains(name, ",") {
		return name
	}
	return maildir.BaseWithUID(name, uid, f.look.fmd5)
}

// blocked tells whether a local file must not be uploaded now.
func (f *folder) blocked(l localFile, now time.Time) blockKind {
	for _, i := range f.deferred {
		if i.Base == l.name.Base {
			f.a.failedUploads[i.MessageID] = true
			return blockIntent
		}
	}
	if f.quarantined("local", l.name.Base, now) {
		f.a.heldFiles = append(f.a.heldFiles, heldFile{f.dir, l.entry})
		return blockQuarantine
	}
	return blockNone
}
