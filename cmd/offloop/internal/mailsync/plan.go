package mailsync

import (
	"fmt"
	"slices"
	"strings"

	"offloop/maildir"
	"offloop/statefile"
)

// flagChange is one message whose flags change on a side.
type flagChange struct {
	uid    uint32
	old    statefile.Flags  // what that side shows now
	target statefile.Flags  // what both sides shall show
	entry  maildir.Entry    // the file (local changes)
	then   statefile.Record // what the state records once all changes of the message are done
	last   bool             // no change of the same message comes after this one
}

// pairing joins a local file and a server message that are the same.
type pairing struct {
	uid    uint32
	file   localFile
	flags  statefile.Flags // the server's
	intent string          // the upload intent this answers, "" if none
	moved  *movedFlags     // it came from another folder, with flags that were agreed there
}

// target is what both sides shall show: with an agreed value the merge of both
// sides' edits, without one all flags that are set.
func (p *pairing) target() statefile.Flags {
	if p.moved == nil {
		return p.file.flags | p.flags
	}
	return mergeFlagSets(p.moved.agreed, p.moved.local, p.flags)
}

// base is what may be recorded as agreed before the target is reached.
func (p *pairing) base() statefile.Flags {
	if p.moved == nil {
		return p.file.flags & p.flags
	}
	return p.moved.base()
}

// mergeFlagSets keeps every edit of either side.
func mergeFlagSets(agreed, local, remote statefile.Flags) statefile.Flags {
	return agreed ^ ((agreed ^ local) | (agreed ^ remote))
}

// Plan is what one folder's round will do, as a value: --dry-run prints it and
// tests assert on it.
type Plan struct {
	Folder string

	pairs        []pairing
	download     []remoteMsg // may be the view's own list: see dropDownloads
	skip         []remoteMsg // recorded, not downloaded (maxsize)
	left         []remoteMsg // likewise (maxage, startdate, copy_ignore_eval)
	oldLocal     []localFile // new here and not uploaded, for their age; nothing is recorded of them
	upload       []localFile
	localFlags   []flagChange
	remoteFlags  []flagChange
	agree        []statefile.Record // both sides changed alike, or a file was renamed: only the record
	deleteLocal  []uint32
	deleteRemote []uint32
	expunge      []uint32 // flagged \Deleted by us, not yet expunged
	forget       []uint32 // gone on both sides
	markGone     []uint32 // deleted here, stays there, by configuration
	markKept     []uint32 // deleted there, stays here, by configuration
	heldLocal    []uint32 // deletes the brake holds back
	heldRemote   []uint32
	deferred     []localFile // uploads that wait for their intent to settle

	moveRemote []*move  // the file came from another folder: the server's message follows
	moveLocal  []*move  // the message came from another folder: the file follows
	movedOut   []uint32 // went to another folder by COPY: deleted here like others, but no matter for the brake
}

// Ops counts the operations that touch mail on a side.
func (p *Plan) Ops() int {
	return len(p.download) + len(p.upload) + len(p.localFlags) + len(p.remoteFlags) +
		len(p.deleteLocal) + len(p.deleteRemote) + len(p.expunge) + len(p.moveRemote) + len(p.moveLocal) + len(p.movedOut)
}

// dropDownloads takes messages out of the plan. The list stays as it is for whoever
// shares it.
func (p *Plan) dropDownloads(drop func(remoteMsg) bool) {
	if slices.ContainsFunc(p.download, drop) {
		p.download = slices.DeleteFunc(slices.Clone(p.download), drop)
	}
}

// Empty tells whether nothing at all is to be done, not even in the state.
func (p *Plan) Empty() bool {
	return p.Ops() == 0 && len(p.pairs)+len(p.skip)+len(p.left)+len(p.agree)+len(p.forget)+len(p.markGone)+
		len(p.markKept)+len(p.heldLocal)+len(p.heldRemote)+len(p.deferred) == 0
}

// String gives one line an operation, in the order they would be carried out.
func (p *Plan) String() string {
	var b strings.Builder
	line := func(format string, args ...any) {
		fmt.Fprintf(&b, "%s: ", p.Folder)
		fmt.Fprintf(&b, format, args...)
		b.WriteByte('\n')
	}
	for _, x := range p.pairs {
		line("pair %s with UID %d", x.file.entry.File, x.uid)
	}
	for _, x := range p.moveRemote {
		line("move UID %d of %s here on the server, as %s was", x.uid, x.from.pair.local, x.file.entry.File)
	}
	for _, x := range p.moveLocal {
		line("move the file of UID %d of %s here, as UID %d was on the server", x.uid, x.from.pair.local, x.msg.uid)
	}
	for _, x := range p.download {
		line("download UID %d", x.uid)
	}
	for _, x := range append(p.skip[:len(p.skip):len(p.skip)], p.left...) {
		line("leave UID %d on the server", x.uid)
	}
	for _, x := range p.oldLocal {
		line("leave %s in the Maildir", x.entry.File)
	}
	for _, x := range p.upload {
		line("upload %s", x.entry.File)
	}
	for _, x := range p.deferred {
		line("upload %s once its earlier upload is known to have failed", x.entry.File)
	}
	for _, x := range p.localFlags {
		line("flags of UID %d in the Maildir: %s -> %s", x.uid, flagText(x.old), flagText(x.target))
	}
	for _, x := range p.remoteFlags {
		line("flags of UID %d on the server: %s -> %s", x.uid, flagText(x.old), flagText(x.target))
	}
	uids := func(what string, l []uint32) {
		for _, u := range l {
			line("%s UID %d", what, u)
		}
	}
	uids("forget", p.forget)
	uids("keep in the Maildir only", p.markKept)
	uids("keep on the server only", p.markGone)
	uids("delete in the Maildir", p.deleteLocal)
	uids("delete on the server", p.deleteRemote)
	uids("expunge on the server", p.expunge)
	uids("held back by the brake: delete in the Maildir", p.heldLocal)
	uids("held back by the brake: delete on the server", p.heldRemote)
	return b.String()
}

func flagText(f statefile.Flags) string {
	s := maildirFlags(f).String()
	for b := firstKeyword; b < 64; b++ {
		if f&(1<<b) != 0 {
			s += fmt.Sprintf("+%d", b-firstKeyword)
		}
	}
	if s == "" {
		return "-"
	}
	return s
}

// sorted returns l in ascending order.
func sorted(l []uint32) []uint32 { slices.Sort(l); return l }

func sortByUID(l []remoteMsg) {
	slices.SortStableFunc(l, func(a, b remoteMsg) int { return int(int64(a.uid) - int64(b.uid)) })
}
