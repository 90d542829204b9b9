package mailsync

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	imap "github.com/emersion/go-imap/v2"

	"offloop/imapproto"
	"offloop/maildir"
	"offloop/statefile"
)

// Bounds of the upload path.
const (
	uploadBatch  = 100     // messages announced together
	uploadBytes  = 1 << 20 // bytes of them
	unseenWait   = 24 * time.Hour
	uploadSmall  = 256 << 10 // a message up to this size is read at once, a larger one while it is sent
	literalMinus = 4096
	uploadAhead  = 4 << 20 // bytes sent by all folders whose answers are awaited, before another batch is read
)

// upload sends the plan's new files to the server, in batches of four steps:
//
//	read and flush the files ─> record the intents ─> APPEND ─> name the files by UID, record
//
// A stop anywhere leaves either no intent (nothing was sent), or an intent that
// the next run compares with the mailbox before it sends anything again. The next
// batch is read while the one before is still on its way.
type upload struct {
	f      *folder
	files  []localFile
	total  int
	n      int
	err    error
	done   func(error)
	flying int         // batches that were read and are not yet recorded
	busy   bool        // one of them is being read or announced
	lost   []*outgoing // sent and accepted, but the server did not say under which UID
	taken  uidBits     // UIDs that stood for a message before, or for another file of ours
}

func (f *folder) upload(done func(error)) {
	u := &upload{f: f, files: f.plan.upload, total: len(f.plan.upload), done: done, taken: uidBits{}}
	if u.total > 0 {
		u.taken.addAll(f.remote.fresh)
	}
	u.batch()
}

func (u *upload) finish(err error) {
	if err != nil && u.err == nil {
		u.err = err
	}
	if done := u.done; done != nil {
		u.done = nil
		done(u.err)
	}
}

// batch reads the next files, unless enough is on its way already.
func (u *upload) batch() {
	f := u.f
	if u.done == nil || u.busy {
		return
	}
	if len(u.files) > 0 && f.a.overspent() || f.a.stopping || f.err != nil {
		u.fail(errStopped)
	}
	switch {
	case len(u.files) == 0 || ScopeOf(u.err) > ScopeMessage:
		if u.flying == 0 {
			u.findLost()
		}
		return
	case f.a.sentBytes < uploadAhead:
	case u.flying > 0:
		return // its own answers bring it back here
	default:
		f.a.uploads = append(f.a.uploads, u)
		return
	}
	u.busy = true
	u.flying++
	u.read(u.files[:min(len(u.files), uploadBatch)])
}

func (u *upload) fail(err error) {
	if u.err == nil {
		u.err = err
	}
}

// landed ends a batch: everything the server said of it is recorded.
func (u *upload) landed(err error) {
	if err != nil {
		u.fail(err)
	}
	u.flying--
	u.batch()
}

// sending counts bytes whose answers are awaited; when there are fewer again,
// folders that wait to send go on.
func (a *Account) sending(n int64) {
	a.sentBytes += n
	for a.sentBytes < uploadAhead && len(a.uploads) > 0 {
		u := a.uploads[0]
		a.uploads[0] = nil
		a.uploads = a.uploads[1:]
		u.batch()
	}
}

func (u *upload) read(files []localFile) {
	f := u.f
	fs, dir, sync, most := f.a.env.FS, f.dir, f.a.set.FSync, sizeLimits{rule: f.a.set.MaxSize, server: f.a.appendLimit()}
	var outs []*outgoing
	var err error
	f.a.env.Loop.Disk(func() {
		outs, err = readBatch(fs, dir, files, most, sync)
	}, func() {
		u.files = u.files[len(outs):]
		if err != nil {
			for _, o := range outs {
				o.close(f.a.env.Loop)
			}
			u.busy = false
			u.landed(&Error{Scope: ScopeFolder, Err: fmt.Errorf("read new messages in %s: %w", dir, err), Did: "they were not uploaded; the next run tries again"})
			return
		}
		u.announce(outs)
	})
}

// announce records the intents, flushed, and then sends.
func (u *upload) announce(outs []*outgoing) {
	f := u.f
	now := f.a.env.Loop.Now()
	next := uint32(1)
	if f.data != nil {
		next = f.data.UIDNext
	} else if v := parseUint32(f.st.Token(tokUIDNext)); v != 0 {
		next = v
	}
	var send []*outgoing
	for _, o := range outs {
		switch {
		case o.gone:
			continue // deleted by its reader before it was ever sent
		case o.large:
			f.a.emit(Event{Kind: "log", Severity: "debug", Folder: f.pair.local, Text: o.file.entry.File + " is larger than maxsize and stays here"})
			f.a.failedUploads[o.fact.msgID] = true
			continue
		case o.err != nil:
			f.quarantine("local", o.file.name.Base, o.err.Error())
			f.a.failedUploads["*"] = true
			continue
		case o.reason != "":
			f.quarantine("local", o.file.name.Base, o.reason)
			f.a.failedUploads[o.fact.msgID] = true
			continue
		}
		o.intent = fmt.Sprintf("%x-%d-%s", f.a.env.Started.UnixNano(), now.UnixNano(), o.file.name.Unique)
		f.st.AddIntent(statefile.Intent{ID: o.intent, Base: o.file.name.Base, Size: o.fact.size, Hash: o.fact.hash, MessageID: o.fact.msgID,
			UIDValidity: parseUint32(f.st.Token(tokValidity)), UIDNext: next, At: now.UnixNano() + int64(len(send)), Flags: o.file.flags, Pid: f.a.env.Pid})
		send = append(send, o)
	}
	f.flush(func(err error) {
		u.busy = false
		if k := f.a.link; err == nil && (k == nil || k.closed) {
			err = f.a.lostError()
		}
		if err != nil || len(send) == 0 {
			for _, o := range send {
				o.close(f.a.env.Loop)
			}
			u.landed(err)
			return
		}
		u.send(send)
		u.batch()
	})
}

// send queues the APPENDs: small messages of a batch in one command where the
// server takes MULTIAPPEND (RFC 3502), the others one each; all pipelined.
func (u *upload) send(outs []*outgoing) {
	f := u.f
	open := len(outs)
	ended := func(n int) {
		if open -= n; open == 0 {
			u.name(outs)
		}
	}
	var bytes int64
	var joint []*outgoing
	var groups [][]*outgoing
	for _, o := range outs {
		u.n++
		f.a.emit(Event{Kind: "upload", Folder: f.pair.local, Conn: 1, N: int64(u.n), Total: int64(u.total), Bytes: o.fact.size,
			Text: fmt.Sprintf("Copy message UID -%d (%d/%d) %s:%s -> %s:%s", u.n, u.n, u.total, f.a.set.LocalRepo, f.pair.local, f.a.set.RemoteRepo, f.pair.remote)})
		bytes += o.fact.size
		if f.a.mayJoin(o) {
			joint = append(joint, o)
		} else {
			groups = append(groups, []*outgoing{o})
		}
	}
	if len(joint) > 0 {
		groups = slices.Insert(groups, 0, joint)
	}
	f.a.sending(bytes)
	for _, g := range groups {
		u.append(g, ended)
	}
}

// mayJoin tells whether a message may go in one command with others: it is in memory,
// and the server takes it without being asked first (RFC 7888: LITERAL- up to 4096 bytes).
func (a *Account) mayJoin(o *outgoing) bool {
	return a.has("MULTIAPPEND") && !a.singly && o.msg == nil && (a.has("LITERAL+") || a.has("LITERAL-") && o.fact.size <= literalMinus)
}

// append sends messages in one command. The server takes all of them or none; if
// it refuses, they are sent again in halves, until what it does not want stands
// alone.
func (u *upload) append(group []*outgoing, ended func(int)) {
	f := u.f
	msgs := make([]imapproto.AppendMessage, len(group))
	for i, o := range group {
		msgs[i] = u.message(o)
	}
	f.a.link.conn.Append(f.pair.remote, msgs, func(d imapproto.AppendData, err error) {
		var refused *imapproto.CommandError
		if n := len(group); n > 1 && errors.As(err, &refused) && !f.a.stopping {
			if strings.EqualFold(refused.Status, "BAD") {
				f.a.singly = true // it did not understand
				for i := range group {
					u.append(group[i:i+1], ended)
				}
				return
			}
			u.append(group[:n/2], ended)
			u.append(group[n/2:], ended)
			return
		}
		var uids []imap.UID
		if nums, ok := d.UIDs.Nums(); ok && len(nums) == len(group) && d.UIDValidity == parseUint32(f.st.Token(tokValidity)) {
			uids = nums
		}
		for i, o := range group {
			o.close(f.a.env.Loop)
			uid := uint32(0)
			if uids != nil {
				uid = uint32(uids[i])
			}
			f.a.sending(-o.fact.size)
			u.answered(o, uid, err)
		}
		ended(len(group))
	})
}

func (u *upload) message(o *outgoing) imapproto.AppendMessage {
	f := u.f
	m := imapproto.AppendMessage{Flags: f.flags.toIMAP(o.file.flags & f.remoteMaskNow()), Date: sentDate(o.mtime), Size: o.fact.size}
	if o.msg == nil {
		m.Body = &memSource{b: o.body}
	} else {
		m.Body = &fileSource{f: f, msg: o.msg, base: o.file.name.Base, want: o.fact.hash, left: o.fact.size, sum: sha256.New()}
	}
	return m
}

func (f *folder) remoteMaskNow() statefile.Flags {
	d := f.data
	if d == nil {
		d = f.first // between a SELECT and its answer
	}
	if d == nil || d.ReadOnly {
		return ^statefile.Flags(0) // nothing can be stored, but what others store shows
	}
	return f.flags.remoteMask(d.Flags, d.PermanentFlags)
}

// answered takes the server's answer to one APPEND.
func (u *upload) answered(o *outgoing, uid uint32, err error) {
	f := u.f
	var refused *imapproto.CommandError
	switch {
	case errors.As(err, &refused):
		// A clear no: the message is not there, and its intent is answered.
		f.st.EndIntent(o.intent)
		if strings.EqualFold(refused.Code, "TRYCREATE") {
			u.err = f.commandError("upload", err)
		} else {
			f.quarantine("local", o.file.name.Base, "the server refused it: "+refused.Error())
		}
		f.a.failedUploads[o.fact.msgID] = true
		o.reason = "refused"
	case err != nil:
		u.fail(err) // its fate is open: the intent stays
		o.err = err
		f.a.failedUploads["*"] = true
	default:
		f.a.result.Up++
		f.a.result.BytesUp += o.fact.size
		f.a.emit(Event{Kind: "uploaded", Severity: "debug", Folder: f.pair.local, Conn: 1, N: int64(u.n), Total: int64(u.total), Bytes: o.fact.size})
		o.uid = u.uidOf(o, uid)
		if o.uid == 0 {
			u.lost = append(u.lost, o)
		}
	}
}

// uidOf believes APPENDUID (RFC 4315) only if it fits: the folder's UIDVALIDITY,
// as many UIDs as messages, and none that is paired already.
func (u *upload) uidOf(o *outgoing, uid uint32) uint32 {
	f := u.f
	if uid == 0 {
		return 0
	}
	if _, dup := f.st.Find(uid); dup || u.taken.has(uid) {
		f.a.emit(Event{Kind: "warn", Severity: "warn", Folder: f.pair.local, UID: int64(uid),
			Text: fmt.Sprintf("the server says it stored %s under UID %d, which is another message's; it is looked for by content", o.file.entry.File, uid)})
		return 0
	}
	u.taken.add(uid)
	return uid
}

// name gives the files of uploaded messages their UID, flushes, and records.
func (u *upload) name(outs []*outgoing) {
	f := u.f
	var named []*outgoing
	for _, o := range outs {
		if o.uid != 0 {
			o.name = f.a.env.Namer.Next(f.a.env.Loop.Now())
			named = append(named, o)
		}
	}
	if len(named) == 0 {
		f.flush(u.landed)
		return
	}
	f.nameFiles(named, u.landed)
}

// nameFiles renames files to carry the UID the server gave them, makes that
// durable, and records the pairs.
func (f *folder) nameFiles(outs []*outgoing, done func(error)) {
	fs, dir, sep, fmd5, sync := f.a.env.FS, f.dir, f.a.set.InfoSep, f.look.fmd5, f.a.set.FSync
	var err error
	still := f.a.set.LocalReadOnly // then a file keeps its name, and is known by it
	f.a.env.Loop.Disk(func() {
		for _, o := range outs {
			if still {
				o.name = recordName(o.file.name, o.uid, fmd5)
				continue
			}
			n := maildir.ParseName(o.entry.File, sep)
			n.Base, n.Info = maildir.BaseWithUID(o.name, o.uid, fmd5), true
			if o.letters != nil {
				n.Flags = *o.letters
			}
			var at maildir.Entry
			if at, o.err = maildir.Rename(fs, dir, o.entry, maildir.Entry{File: n.File(sep), InNew: o.entry.InNew}); o.err == nil {
				o.entry = at
			}
		}
		if sync && !still {
			err = maildir.Sync(fs, dir, nil, true)
		}
	}, func() {
		if err != nil {
			done(&Error{Scope: ScopeFolder, Err: err, Did: "uploaded messages are recognised by the next run"})
			return
		}
		for _, o := range outs {
			rec := statefile.Record{UID: o.uid, Flags: o.agreed, Name: o.name}
			if errors.As(o.err, new(*maildir.VanishedError)) {
				// Its reader deleted it meanwhile: the next round sees a known
				// message without a file, and deletes it on the server.
			} else if o.err != nil {
				f.a.report(&Error{Scope: ScopeMessage, Account: f.a.set.Name, Folder: f.pair.local, Message: o.entry.File, Err: o.err,
					Did: "it is on the server; the next run pairs it", Hint: "check the permissions of the Maildir"})
				continue
			}
			f.st.Put(rec)
			f.st.EndIntent(o.intent)
			f.st.ClearQuarantine("local", o.file.name.Base)
		}
		f.flush(done)
	})
}

// findLost learns the UIDs of messages that a server without UIDPLUS took: it is
// asked for what is new, and identity is settled by Message-ID, size and hash.
func (u *upload) findLost() {
	f := u.f
	if len(u.lost) == 0 || f.a.stopping || ScopeOf(u.err) > ScopeMessage {
		u.finish(nil)
		return
	}
	low := ^uint32(0)
	for _, i := range f.st.Intents() {
		low = min(low, max(i.UIDNext, 1))
	}
	f.newUIDs(low, func(uids []uint32, err error) {
		if err != nil {
			u.finish(err)
			return
		}
		uids = slices.DeleteFunc(uids, func(uid uint32) bool { return u.taken.has(uid) })
		f.askRemote(uids, func(remotes []remoteFact, err error) {
			if err != nil {
				u.finish(err)
				return
			}
			u.settleLost(remotes)
		})
	})
}

func (u *upload) settleLost(remotes []remoteFact) {
	f := u.f
	var locals []localFact
	byIntent := map[string]*outgoing{}
	for _, o := range u.lost {
		o.fact.intent = o.intent
		locals = append(locals, o.fact)
		byIntent[o.intent] = o
	}
	u.lost = nil
	f.hashRemote(doubts(locals, remotes), func(hashes map[uint32]string, err error) {
		if err != nil {
			u.finish(err)
			return
		}
		for i := range remotes {
			remotes[i].hash = hashes[remotes[i].uid]
		}
		var named []*outgoing
		for _, m := range matchFacts(locals, remotes) {
			o := byIntent[m.local.intent]
			o.uid = m.uid
			o.name = f.a.env.Namer.Next(f.a.env.Loop.Now())
			named = append(named, o)
			delete(byIntent, o.intent)
		}
		for _, o := range byIntent {
			// It keeps its intent, so that it is recognised when it shows up, and
			// is not sent again soon: some servers drop what they have already,
			// and others file it elsewhere.
			f.quarantineFor("local", o.file.name.Base, "the server took it but does not show it", unseenWait)
			f.a.failedUploads[o.fact.msgID] = true
		}
		f.a.result.Open += len(byIntent)
		f.nameFiles(named, u.finish)
	})
}

// newUIDs lists the UIDs from low on that the state does not know, as the server
// has them now.
func (f *folder) newUIDs(low uint32, done func([]uint32, error)) {
	l := &listing{}
	k := f.a.link
	if k == nil || k.closed {
		done(nil, f.a.lostError())
		return
	}
	k.turn(func(release func()) {
		f.selectNow(func(error) {}) // selecting anew shows what arrived
		k.conn.UIDFetch(f.sel, allUIDs(low), imapproto.FetchItems{Flags: true}, l, func(err error) {
			if f.selErr != nil {
				done(nil, f.selErr)
				return
			}
			if err != nil && f.data != nil && f.data.Exists > 0 {
				done(nil, f.commandError("look for uploaded messages", err))
				return
			}
			var uids []uint32
			for u := range l.uids() {
				if _, known := f.st.Find(u); !known && u >= low {
					uids = append(uids, u)
				}
			}
			done(uids, nil)
		})
		release()
	})
}
