package mailsync

import (
	"slices"

	"offloop/maildir"
	"offloop/statefile"
)

// mergeInput is everything a plan depends on. Nothing else may influence it: no
// clock, no descriptor, no log.
type mergeInput struct {
	folder string
	st     *statefile.Folder
	local  *localView
	remote *remoteView
	pairs  []pairing // found by pair.go; their files and UIDs are left out of fresh
	rules  mergeRules
	// blocked tells of a local file that must not be uploaded now: quarantined,
	// or its earlier upload has not settled.
	blocked func(f localFile) blockKind
	// oversize tells of a server message that stays there by rule; nil: none does.
	oversize func(uid uint32) bool
	file     func(r statefile.Record, inNew bool) maildir.Entry
}

// mergeRules are the settings that bear on a merge.
type mergeRules struct {
	localReadOnly, remoteReadOnly       bool
	localSyncDeletes, remoteSyncDeletes bool
	expunge                             bool
	localMask                           statefile.Flags // flags a file name can show
	remoteMask                          statefile.Flags // flags the server can store
}

type blockKind uint8

const (
	blockNone blockKind = iota
	blockQuarantine
	blockIntent // an upload of a killed run may still be executing
)

// merge compares the three views of one folder and says what to do. For every
// flag, an edit made on either side survives: the target is the agreed value
// changed wherever one of the sides differs from it. Flags that a side cannot
// show are never taken for edits.
func merge(in mergeInput) *Plan {
	p := &Plan{Folder: in.folder}
	gone := mergeMissing(in, p)
	mergeFlags(in, p, gone)
	mergeFresh(in, p)
	mergeExpunge(in, p, gone)
	return p
}

// mergeMissing handles messages that one side or both no longer have.
func mergeMissing(in mergeInput, p *Plan) map[uint32]bool {
	gone := map[uint32]bool{}
	missing := map[uint32]bool{}
	for _, uid := range in.local.missing {
		missing[uid] = true
	}
	for _, uid := range in.remote.vanished {
		gone[uid] = true
		i, _ := in.st.Find(uid)
		switch m := in.st.MarkAt(i); {
		case missing[uid], m == markGone, m == markSkipped:
			p.forget = append(p.forget, uid)
		case in.rules.localReadOnly:
			// stays as it is: the Maildir may not be changed
		case !in.rules.remoteSyncDeletes:
			p.markKept = append(p.markKept, uid)
		default:
			p.deleteLocal = append(p.deleteLocal, uid)
		}
	}
	for _, uid := range in.local.missing {
		if gone[uid] {
			continue
		}
		gone[uid] = true
		i, _ := in.st.Find(uid)
		switch {
		case in.st.MarkAt(i) == markKept: // the server lost it long ago
			p.forget = append(p.forget, uid)
		case in.rules.remoteReadOnly:
		case !in.rules.localSyncDeletes:
			p.markGone = append(p.markGone, uid)
		default:
			p.deleteRemote = append(p.deleteRemote, uid)
		}
	}
	return gone
}

// mergeFlags merges the flags of messages that both sides have.
func mergeFlags(in mergeInput, p *Plan, gone map[uint32]bool) {
	one := func(uid uint32) {
		i, ok := in.st.Find(uid)
		if !ok || gone[uid] {
			return
		}
		rec := in.st.At(i)
		if rec.Mark == markGone || rec.Mark == markSkipped {
			mergeAbsent(in, p, rec)
			return
		}
		mergeOne(in, p, rec)
	}
	for _, uid := range unionKeys(in.local.changed, in.remote.changed) {
		one(uid)
	}
}

// mergeAbsent follows the server's flags of a message that has no file here. A
// message whose \Deleted mark of ours was taken back by another client comes
// down again.
func mergeAbsent(in mergeInput, p *Plan, rec statefile.Record) {
	rf, ok := in.remote.changed[rec.UID]
	switch {
	case !ok:
	case rec.Mark == markGone && rec.Flags&statefile.FlagT != 0 && rf&statefile.FlagT == 0 && !in.rules.localReadOnly:
		p.download = append(p.download, remoteMsg{rec.UID, rf})
	default:
		rec.Flags = rf
		p.agree = append(p.agree, rec)
	}
}

func mergeOne(in mergeInput, p *Plan, rec statefile.Record) {
	s, l, r := rec.Flags, rec.Flags, rec.Flags
	lc, lok := in.local.changed[rec.UID]
	if lok {
		l = lc.flags
	}
	if rf, ok := in.remote.changed[rec.UID]; ok {
		r = rf
	}
	target := mergeFlagSets(s, l, r)
	if lok && lc.name != "" {
		rec.Name = lc.name
	}
	var entry maildir.Entry
	switch odd, isOdd := in.local.odd[rec.UID]; {
	case lok:
		entry = lc.entry
	case isOdd:
		entry = odd
	default:
		entry = in.file(rec, in.local.inNew.has(rec.UID))
	}
	needLocal := (l^target)&in.rules.localMask != 0 && !in.rules.localReadOnly
	needRemote := (r^target)&in.rules.remoteMask != 0 && !in.rules.remoteReadOnly && rec.Mark != markKept
	// Only what really becomes equal may be called agreed: a read-only side keeps
	// its own value, and the difference shows again next time.
	lEnd, rEnd := target, target
	if in.rules.localReadOnly {
		lEnd = l&in.rules.localMask | target&^in.rules.localMask
	}
	if in.rules.remoteReadOnly {
		rEnd = r&in.rules.remoteMask | target&^in.rules.remoteMask
	}
	agreed := s ^ (s^lEnd)&^(lEnd^rEnd)
	rec.Flags = agreed
	if needRemote && in.rules.expunge && l&^s&statefile.FlagT != 0 && rec.Mark == statefile.MarkNone {
		rec.Mark = statefile.MarkExpunge
	}
	if agreed&l&statefile.FlagT == 0 && rec.Mark == statefile.MarkExpunge {
		rec.Mark = statefile.MarkNone
	}
	if needLocal {
		p.localFlags = append(p.localFlags, flagChange{uid: rec.UID, old: l, target: target, entry: entry, then: rec, last: !needRemote})
	}
	if needRemote {
		p.remoteFlags = append(p.remoteFlags, flagChange{uid: rec.UID, old: r, target: target, then: rec, last: true})
	}
	if !needLocal && !needRemote && (agreed != s || lok && lc.name != "") {
		p.agree = append(p.agree, rec)
	}
}

// mergeFresh handles messages that only one side has and the state does not
// know.
func mergeFresh(in mergeInput, p *Plan) {
	pairedFile := make(map[string]bool, len(in.pairs))
	for _, x := range in.pairs {
		pairedFile[x.file.name.Base] = true
	}
	p.pairs = in.pairs
	for _, f := range in.local.fresh {
		if pairedFile[f.name.Base] || in.rules.remoteReadOnly {
			continue
		}
		switch in.blocked(f) {
		case blockNone:
			p.upload = append(p.upload, f)
		case blockIntent:
			p.deferred = append(p.deferred, f)
		}
	}
	if in.rules.localReadOnly {
		return
	}
	fresh := unpaired(in.remote.fresh, in.pairs)
	if len(p.download) == 0 && in.oversize == nil {
		p.download = fresh
		return
	}
	for _, m := range fresh {
		if in.oversize != nil && in.oversize(m.uid) {
			p.skip = append(p.skip, m)
		} else {
			p.download = append(p.download, m)
		}
	}
}

// unpaired gives the messages that are no file's. Where that is all of them it is the
// very list: there may be a million.
func unpaired(fresh []remoteMsg, pairs []pairing) []remoteMsg {
	if len(pairs) == 0 {
		return slices.Clip(fresh)
	}
	uids := make([]uint32, 0, len(pairs))
	for _, x := range pairs {
		uids = append(uids, x.uid)
	}
	out := make([]remoteMsg, 0, len(fresh))
	for _, uid := range sorted(uids) {
		i, ok := slices.BinarySearchFunc(fresh, uid, byUID)
		out = append(out, fresh[:i]...)
		if fresh = fresh[i:]; ok {
			fresh = fresh[1:]
		}
	}
	return append(out, fresh...)
}

// mergeExpunge finishes deletions that were begun: messages that carry \Deleted
// because their file carried T, and messages whose file is gone.
func mergeExpunge(in mergeInput, p *Plan, gone map[uint32]bool) {
	if in.rules.remoteReadOnly || !in.rules.expunge {
		return
	}
	for i := range in.st.Marked(markExpunge) {
		uid := in.st.UIDAt(i)
		l, r := in.st.FlagsAt(i), in.st.FlagsAt(i)
		if rf, ok := in.remote.changed[uid]; ok {
			r = rf
		}
		if lc, ok := in.local.changed[uid]; ok {
			l = lc.flags
		}
		if gone[uid] || l&r&statefile.FlagT == 0 {
			continue // not marked on the server yet, or somebody took the mark back
		}
		p.expunge = append(p.expunge, uid)
	}
}

func unionKeys[A, B any](a map[uint32]A, b map[uint32]B) []uint32 {
	l := make([]uint32, 0, len(a)+len(b))
	for u := range a {
		l = append(l, u)
	}
	for u := range b {
		if _, dup := a[u]; !dup {
			l = append(l, u)
		}
	}
	return sorted(l)
}
