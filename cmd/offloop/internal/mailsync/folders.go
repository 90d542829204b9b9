package mailsync

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"offloop/imapproto"
	"offloop/maildir"
	"offloop/statefile"
)

// pair is one folder under its two names.
type pair struct {
	remote string // UTF-8 name on the server
	local  string // name below the root, with the local separator
	status *imapproto.Status
	told   bool // it has been said that the Maildir will be made
}

// has tells whether the server can do something that is not switched off. What others
// imply is among a.caps.
func (a *Account) has(name string) bool {
	if name == "ENABLE" && a.book != nil && a.book.Token(tokMute) != "" {
		return false
	}
	return slices.Contains(a.caps, name)
}

// enable switches QRESYNC on, which must happen before a mailbox is selected (RFC 5161
// section 3.1). Nothing is awaited: that it took effect shows before it is relied on.
func (a *Account) enable() {
	if a.has("QRESYNC") && a.has("ENABLE") {
		a.link.enabling = true
		a.link.conn.Enable([]string{"QRESYNC"}, func([]string, error) {})
	}
}

// qresync tells whether a SELECT may ask what changed. Not on a connection whose server
// turned out to be able to only when it was too late to switch it on.
func (a *Account) qresync() bool {
	return a.link != nil && a.link.enabling && a.has("QRESYNC") && a.has("ENABLE")
}

// list asks for the folders, and for their counters where one command can.
func (a *Account) list() {
	a.listed = true
	c := a.link.conn
	o := imapproto.ListOptions{Pattern: "*", SubscribedOnly: a.set.Subscribed, SpecialUse: a.set.Trash}
	var asked map[string]*imapproto.Status
	switch {
	case a.canTell() && a.has("LIST-STATUS"):
		o.Status = counters
	case a.canTell():
		asked = a.askCounters()
	}
	c.List(o, func(boxes []imapproto.Mailbox, err error) {
		if err != nil {
			if a.round.err == nil {
				a.round.err = connectError(a.set, err)
				if errors.As(err, new(*imapproto.CommandError)) {
					a.round.err = &Error{Scope: ScopeAccount, Err: fmt.Errorf("list folders: %w", err), Did: "nothing was synced",
						Hint: "the server did not say which folders there are; -d imap shows what it says, and the next run tries again"}
				}
			}
			a.end(a.round.err)
			return
		}
		if a.state == accountConnect {
			a.to(accountList)
		}
		giveCounters(boxes, asked)
		if a.state == accountList {
			a.prepareNames(boxes, func() {
				a.to(accountFolders)
				a.arrange(boxes)
			})
		}
	})
}

// prepareNames lets the rules that need another program for it see every name
// there is, before any of them decides about a folder.
func (a *Account) prepareNames(boxes []imapproto.Mailbox, then func()) {
	if a.env.Names == nil {
		then()
		return
	}
	var remote []string
	delim := ""
	for _, m := range boxes {
		if m.Delim != "" {
			delim = m.Delim
		}
		remote = append(remote, m.Name)
	}
	a.env.Names(a.set, remote, a.localNames, delim, func(err error) {
		switch {
		case a.state != accountList:
		case err != nil:
			a.round.err = &Error{Scope: ScopeAccount, Account: a.set.Name, Err: err, Did: "nothing was synced"}
			a.end(a.round.err)
		default:
			then()
		}
	})
}

// arrange pairs the server's folders with the Maildirs and starts each pair.
func (a *Account) arrange(boxes []imapproto.Mailbox) {
	a.findTrash(boxes)
	pairs, problems := a.pairFolders(boxes)
	a.order(pairs)
	for _, e := range problems {
		a.report(e)
	}
	a.emit(Event{Kind: "folders", N: int64(len(pairs)), Severity: "debug", Text: fmt.Sprintf("%d folders", len(pairs))})
	if len(pairs) == 0 && len(problems) == 0 {
		a.report(a.noFolders())
	}
	a.unknownNames(boxes, pairs)
	a.mapped = true
	started := map[string]*folder{}
	for _, f := range a.folders {
		started[f.pair.local] = f
	}
	kept := map[string]bool{}
	if slices.ContainsFunc(pairs, func(p pair) bool { return a.book.Token(tokFolder+p.local) == "" }) {
		a.findClashes(boxes)
	}
	var begin []*folder
	for _, p := range pairs {
		kept[p.local] = true
		if f := started[p.local]; f != nil {
			f.pair.status = p.status
		} else {
			begin = append(begin, a.addFolder(p))
		}
	}
	a.wave = wave{}
	for _, f := range begin {
		if f.inWave = !f.known; f.inWave {
			a.wave.coming++
		}
	}
	for _, f := range a.folders {
		if !kept[f.pair.local] {
			f.fail(errGone)
		}
	}
	a.compress(pairs)
	for _, f := range begin {
		f.run()
	}
	a.checkBarrier()
}

// order sorts folders as the user wants, else by name whatever its case.
func (a *Account) order(pairs []pair) {
	slices.SortFunc(pairs, func(p, q pair) int {
		byRank := 0
		if a.set.Rank != nil {
			byRank = cmp.Compare(a.set.Rank(p.local), a.set.Rank(q.local))
		}
		return cmp.Or(byRank, strings.Compare(strings.ToLower(p.local), strings.ToLower(q.local)), strings.Compare(p.local, q.local))
	})
}

var errGone = errors.New("the folder is not on the server any more")

func (a *Account) addFolder(p pair) *folder {
	f := newFolder(a, p)
	a.folders = append(a.folders, f)
	return f
}

// startKnown starts the folders known from earlier rounds before the server has
// listed any; arrange stops those it does not list.
func (a *Account) startKnown() {
	var begin []*folder
	for _, p := range a.knownPairs() {
		begin = append(begin, a.addFolder(p))
	}
	for _, f := range begin {
		f.run()
	}
}

func (a *Account) wanted(remote, local string) bool {
	s := a.set
	if len(s.OnlyFolders) > 0 && !slices.Contains(s.OnlyFolders, remote) {
		return false
	}
	return (len(s.OnlyFolders) > 0 || s.RemoteWanted(remote)) && s.LocalWanted(local)
}

// localName gives the Maildir name of a server folder, and makes sure that it
// stays below the root.
func (a *Account) localName(remote, delim string) (string, error) {
	name, err := a.set.LocalName(remote, delim)
	if err != nil {
		return "", err
	}
	_, err = maildir.Layout{Root: a.set.Root, Sep: a.set.Sep}.Path(name)
	return name, err
}

// remoteName gives the server name of a Maildir.
func (a *Account) remoteName(local, delim string) (string, error) {
	name, err := a.set.RemoteName(local, delim)
	if err == nil && strings.ContainsAny(name, "\x00\r\n") {
		err = errors.New("the name contains control characters")
	}
	return name, err
}

// pairFolders decides which folders are synced with which. Folders that cannot
// be are returned as problems; folders missing on one side though they were
// synced before rest until the user chooses.
func (a *Account) pairFolders(boxes []imapproto.Mailbox) (pairs []pair, problems []error) {
	byLocal := map[string]pair{}
	remoteOf := map[string]string{}
	delim := ""
	problem := func(folder, remote string, err error, hint string) {
		problems = append(problems, &Error{Scope: ScopeFolder, Account: a.set.Name, Folder: folder,
			Err: fmt.Errorf("server folder %q: %w", remote, err), Did: "this folder was left alone", Hint: hint})
	}
	for _, m := range boxes {
		if m.Delim != "" {
			delim = m.Delim
		}
		if m.HasAttr(`\Noselect`) || m.HasAttr(`\NonExistent`) {
			continue
		}
		if strings.EqualFold(m.Name, "INBOX") {
			m.Name = "INBOX"
		}
		if len(a.set.OnlyFolders) > 0 && !slices.Contains(a.set.OnlyFolders, m.Name) || len(a.set.OnlyFolders) == 0 && !a.set.RemoteWanted(m.Name) {
			continue
		}
		local, err := a.localName(m.Name, m.Delim)
		if err != nil {
			problem("", m.Name, err, "rename it on the server, or give it another local name with rename/nametrans")
			continue
		}
		if !a.set.LocalWanted(local) {
			continue
		}
		key := a.fold.Key(local)
		if other, dup := remoteOf[key]; dup && other != m.Name {
			problem(local, m.Name, fmt.Errorf("its local name is also that of %q", other), "give one of them another local name with rename/nametrans")
			delete(byLocal, a.byKey(byLocal, key))
			continue
		}
		remoteOf[key] = m.Name
		byLocal[local] = pair{remote: m.Name, local: local, status: m.Status}
	}
	have := map[string]bool{}
	for _, n := range a.localNames {
		have[n] = true
	}
	var created []pair
	for _, local := range slices.Sorted(maps.Keys(byLocal)) {
		p := byLocal[local]
		switch {
		case a.maimed[local] && !slices.Contains(a.set.Recreate, local):
			problems = append(problems, a.maimedError(local))
		case have[local]:
			if slices.Contains(a.set.Recreate, local) {
				a.forgetState(local)
			}
			pairs = append(pairs, p)
		case a.mayCreateLocal(p):
			p.told = true
			pairs, created = append(pairs, p), append(created, p)
		}
	}
	a.tellCreated(created)
	if len(a.set.OnlyFolders) == 0 {
		more, errs := a.localOnly(byLocal, remoteOf, delim)
		pairs, problems = append(pairs, more...), append(problems, errs...)
	}
	slices.SortFunc(pairs, func(x, y pair) int {
		return strings.Compare(strings.ToLower(x.local), strings.ToLower(y.local))
	})
	return pairs, problems
}

// tellCreated says which Maildirs will be made, as OfflineIMAP does before any folder
// is synced; each is made when its turn comes.
func (a *Account) tellCreated(pairs []pair) {
	a.order(pairs)
	for _, p := range pairs {
		a.tellMaildir(p.local)
	}
}

func (a *Account) tellMaildir(local string) {
	a.emit(Event{Kind: "create", Folder: local, Dest: "Maildir", Text: fmt.Sprintf("Creating folder %s[%s]", local, a.set.LocalRepo)})
}

func (a *Account) byKey(m map[string]pair, key string) string {
	for k := range m {
		if a.fold.Key(k) == key {
			return k
		}
	}
	return ""
}

// mayCreateLocal decides about a folder that is only on the server.
func (a *Account) mayCreateLocal(p pair) bool {
	s := a.set
	if s.Verify != nil {
		a.lacks(p, "the folder is only on the server")
		return false
	}
	may := s.CreateLocalFolders && !s.LocalReadOnly
	t, known := parseFolderToken(a.book.Token(tokFolder + p.local))
	switch {
	case slices.Contains(s.Recreate, p.local) && may:
		a.forgetState(p.local)
	case known && t.forgotten:
		return false
	case slices.Contains(s.Forget, p.local):
		a.giveUp(p.local, t)
		return false
	case known:
		many := ""
		if p.status != nil && p.status.Set.Has(imapproto.StatusMessages) {
			many = fmt.Sprintf(" (%d)", p.status.Messages)
		}
		a.rests(p.local, "the Maildir is gone but the server still has the folder", choices{may: may, repo: s.LocalRepo,
			again: fmt.Sprintf("The Maildir is made, and every message that the server has in it%s is downloaded. On the server nothing changes.", many),
			leave: "Nothing is made or deleted; the server keeps the folder, which is no longer synced."})
		return false
	}
	return may
}

// maimedError tells of a folder that lacks a directory. Nothing is known of what
// was in it, so nothing may be done.
func (a *Account) maimedError(local string) error {
	dir, _ := maildir.Layout{Root: a.set.Root, Sep: a.set.Sep}.Path(local)
	return &Error{Scope: ScopeFolder, Account: a.set.Name, Folder: local, Err: fmt.Errorf("%s lacks its cur, new or tmp directory", dir),
		Did: "this folder was left alone; nothing was deleted", Hint: "bring the missing directory back, or make it empty if it is really gone"}
}

// choices is what may become of a folder that rests.
type choices struct {
	may   bool   // the configuration lets it be made again
	repo  string // where it is missing
	again string // what making it again does
	leave string // what forgetting it does
}

// rests tells the user that a folder waits for a choice, and what each would do.
func (a *Account) rests(local, why string, c choices) {
	again, can := "m: make it again. "+c.again, "makes it again on the side that lacks it"
	if !c.may {
		can = "would make it again, but the configuration of " + c.repo + " forbids it (createfolders, readonly)"
		again = "It cannot be made again: the configuration of " + c.repo + " forbids it (createfolders, readonly)."
	}
	a.emit(Event{Kind: "attention", Severity: "warn", Folder: local, Dest: "missing",
		Text: fmt.Sprintf("Folder %s rests: %s. Nothing was deleted.", local, why),
		Hint: fmt.Sprintf("--recreate %q %s, --forget %q stops syncing it", local, can, local)})
	a.emit(Event{Kind: "held", Severity: "debug", Folder: local, Dest: "missing",
		Text: fmt.Sprintf("%s\nf: forget it. %s --recreate %q takes it up again.\nn: leave it as it is; you are asked again.", again, c.leave, local)})
}

// giveUp ends the syncing of a folder, once: if it is taken up again and one side
// loses it again, that waits for a choice of its own.
func (a *Account) giveUp(local string, t folderToken) {
	if a.set.DryRun {
		return
	}
	a.forgetState(local)
	a.set.Forget = slices.DeleteFunc(slices.Clone(a.set.Forget), func(n string) bool { return n == local })
	t.forgotten = true
	a.book.SetToken(tokFolder+local, t.String())
	a.emit(Event{Kind: "log", Folder: local, Text: "Folder " + local + " is no longer synced"})
}

// forgetState drops what is known of a folder's messages.
func (a *Account) forgetState(local string) {
	if a.set.DryRun {
		return
	}
	// Once: a later round must not forget what this one announces.
	a.set.Recreate = slices.DeleteFunc(slices.Clone(a.set.Recreate), func(n string) bool { return n == local })
	a.book.SetToken(tokFolder+local, "")
	a.book.SetToken(tokAnew+local, "1")
	path := a.statePath(local)
	aside := path + ".old-" + a.env.Loop.Now().UTC().Format("20060102T150405")
	fs := a.env.FS
	a.env.Loop.Disk(func() { forgetMessages(fs, path, aside, local) }, func() {})
}

// forgetMessages puts a folder's state aside, but for its open uploads: those of a
// killed run may still be executing on the server.
func forgetMessages(fs FS, path, aside, local string) {
	st, _, err := statefile.Load(fs, path)
	if err != nil || len(st.Intents()) == 0 {
		fs.Rename(path, aside)
		return
	}
	kept := statefile.NewFolder(local, st.FMD5())
	kept.SetToken(tokName, local)
	for _, i := range st.Intents() {
		kept.AddIntent(i)
	}
	if statefile.WriteSnapshot(fs, aside, st.Snapshot()) == nil {
		statefile.WriteSnapshot(fs, path, kept.Snapshot())
	}
}

// localOnly decides about Maildirs that the server has no folder for, and asks
// the server to create them.
func (a *Account) localOnly(byLocal map[string]pair, remoteOf map[string]string, delim string) (pairs []pair, problems []error) {
	s := a.set
	for _, local := range a.localNames {
		if _, paired := byLocal[local]; paired || local == "" || !s.LocalWanted(local) {
			continue
		}
		remote, err := a.remoteName(local, delim)
		if err != nil {
			problems = append(problems, &Error{Scope: ScopeFolder, Account: s.Name, Folder: local, Err: err,
				Did: "this Maildir was left alone", Hint: "rename it, or exclude it with folders/folderfilter in the local repository"})
			continue
		}
		if !s.RemoteWanted(remote) {
			continue
		}
		if back, err := a.localName(remote, delim); err != nil || back != local {
			problems = append(problems, &Error{Scope: ScopeFolder, Account: s.Name, Folder: local,
				Err: fmt.Errorf("its server name %q would come back as %q", remote, back), Did: "it was not created on the server",
				Hint: "make the rename rules (nametrans) of both repositories each other's inverse"})
			continue
		}
		if other, dup := remoteOf[a.fold.Key(local)]; dup {
			problems = append(problems, &Error{Scope: ScopeFolder, Account: s.Name, Folder: local,
				Err: fmt.Errorf("its name collides with the server's folder %q", other), Did: "this Maildir was left alone"})
			continue
		}
		if a.mayCreateRemote(local) {
			a.createRemote(remote)
			pairs = append(pairs, pair{remote: remote, local: local})
		}
	}
	return pairs, problems
}

func (a *Account) mayCreateRemote(local string) bool {
	s := a.set
	if s.Verify != nil {
		a.lacks(pair{local: local}, "the folder is only in the Maildir")
		return false
	}
	may := s.CreateRemoteFolders && !s.RemoteReadOnly
	t, known := parseFolderToken(a.book.Token(tokFolder + local))
	switch {
	case slices.Contains(s.Recreate, local) && may:
		a.forgetState(local)
	case known && t.forgotten:
		return false
	case slices.Contains(s.Forget, local):
		a.giveUp(local, t)
		return false
	case known:
		a.rests(local, "the server has no such folder any more but the Maildir is still there", choices{may: may, repo: s.RemoteRepo,
			again: "The folder is made on the server, and every message of the Maildir is uploaded into it. Here nothing changes.",
			leave: "Nothing is made or deleted; the Maildir stays as it is, and is no longer synced."})
		return false
	}
	if s.DryRun {
		a.emit(Event{Kind: "create", Folder: local, Text: fmt.Sprintf("Would create folder %s[%s]", local, s.RemoteRepo)})
		return false
	}
	return may
}

// createRemote asks the server for a folder; that it exists already is fine, and
// any other refusal shows when it is selected.
func (a *Account) createRemote(remote string) {
	a.emit(Event{Kind: "create", Repo: a.set.RemoteRepo, Folder: remote, Dest: "IMAP", Text: fmt.Sprintf("Creating folder %s[%s]", remote, a.set.RemoteRepo)})
	a.link.conn.Create(remote, func(err error) {
		var c *imapproto.CommandError
		if err != nil && !(errors.As(err, &c) && strings.EqualFold(c.Code, "ALREADYEXISTS")) {
			a.emit(Event{Kind: "warn", Severity: "warn", Folder: remote, Text: fmt.Sprintf("server did not create %s: %v", remote, err)})
		}
	})
	a.link.conn.Subscribe(remote, func(error) {})
}

// fullCheckDue tells whether a folder must be compared in full again.
func (a *Account) fullCheckDue(t folderToken) bool {
	return a.set.Verify != nil || a.set.FullCheck > 0 && a.env.Loop.Now().Sub(time.Unix(t.full, 0)) >= a.set.FullCheck
}
