package mailsync

import (
	"slices"

	"offloop/maildir"
)

// A file that left a folder may have gone to one that has no part in this round:
// because of -f, or because it rests. Its message must then stay where it is on
// the server until a round has both folders in view.

// lookOutside makes sure that this has been looked at before anything is deleted
// on the server. False: a look has begun, and checkBarrier is called at its end.
func (a *Account) lookOutside() bool {
	deletes := slices.ContainsFunc(a.folders, func(f *folder) bool {
		return (f.step == stepWait || f.settled) && f.step != stepDone && f.err == nil && f.deletesThere()
	})
	outside := a.outside()
	if a.lookedOut || !deletes || len(outside) == 0 {
		return true
	}
	if a.lookingOut {
		return false
	}
	a.lookingOut = true
	var looks []*localLook
	for _, name := range outside {
		dir, _ := maildir.Layout{Root: a.set.Root, Sep: a.set.Sep}.Path(name)
		looks = append(looks, &localLook{fs: a.env.FS, dir: dir, statePath: a.statePath(name), name: name, fmd5: a.set.fmd5(name), infoSep: a.set.InfoSep,
			keywords: a.set.Keywords, autoOff: true, digest: a.set.ConfigDigest, namer: a.env.Namer, dry: true})
	}
	a.inSlices(len(looks), func(i int) { looks[i].whole() }, func() {
		for _, k := range looks {
			if k.err != nil || k.damaged != nil || !k.view.stable {
				a.failedUploads["*"] = true // what came there cannot be known
			}
			for _, x := range k.view.fresh {
				a.heldFiles = append(a.heldFiles, heldFile{k.dir, x.entry})
			}
		}
		a.lookedOut = true
		a.checkBarrier()
	})
	return false
}

// outside names the Maildirs that are synced as a rule, but not in this round.
func (a *Account) outside() (names []string) {
	in := map[string]bool{}
	for _, f := range a.folders {
		in[f.pair.local] = true
	}
	for _, name := range a.localNames {
		t, known := parseFolderToken(a.book.Token(tokFolder + name))
		if in[name] || t.forgotten || !a.set.LocalWanted(name) {
			continue
		}
		if known || len(a.set.OnlyFolders) > 0 && a.comesLater(name) {
			names = append(names, name)
		}
	}
	return names
}

// comesLater tells whether a Maildir that has never been synced will be once -f
// no longer keeps it out.
func (a *Account) comesLater(local string) bool {
	remote, err := a.remoteName(local, "/")
	return err == nil && a.set.CreateRemoteFolders && a.set.RemoteWanted(remote)
}

// whole loads the state and scans the directories in one go.
func (k *localLook) whole() {
	k.load()
	if k.err != nil || k.begin() {
		return
	}
	for !k.step() {
	}
}
