package imapproto

import (
	"bytes"
	"strings"

	"github.com/emersion/go-imap/v2"
)

// StoreOp says what UIDStore does with the flags.
type StoreOp uint8

// The operations of UIDStore.
const (
	StoreAdd StoreOp = iota
	StoreRemove
)

func (op StoreOp) String() string {
	if op == StoreRemove {
		return "-FLAGS.SILENT"
	}
	return "+FLAGS.SILENT"
}

// UIDStore adds or removes flags. With unchangedSince (RFC 7162 section 3.1.3, 0 =
// without) messages changed after it are left alone and returned in modified, also
// when the server reports that with NO.
func (c *Conn) UIDStore(sel *Selection, set imap.UIDSet, op StoreOp, flags []string, unchangedSince uint64,
	done func(modified imap.UIDSet, err error)) {
	if err := c.bind("UID STORE", sel, true); err != nil {
		done(nil, err)
		return
	}
	var modified setBuilder
	c.several(set, func(part imap.UIDSet) *command {
		return &command{kind: kindStore, name: "UID STORE", mailbox: sel.name, sel: sel,
			encode: func(e *encoder) {
				e.text("UID STORE ")
				e.set(part)
				if unchangedSince > 0 && e.need("UID STORE (UNCHANGEDSINCE)", "CONDSTORE") {
					e.text(" (UNCHANGEDSINCE ")
					e.number(unchangedSince)
					e.text(")")
				}
				e.text(" " + op.String() + " ")
				e.flags(flags)
			},
			finish: func(r *reply, err error) {
				if r != nil && r.code == "MODIFIED" {
					addSet(&modified, r.arg)
				}
			}}
	}, func(err error) { done(modified.take(), err) })
}

// addSet adds a set from a response code; what is no set is ignored.
func addSet(sb *setBuilder, b []byte) {
	set, _ := parseSet(b)
	for _, r := range set {
		sb.add(uint32(r.Start), uint32(r.Stop))
	}
}

// UIDExpunge expunges those of the given messages that are marked \Deleted
// (RFC 4315). There is no way to expunge others' marks with it; without UIDPLUS it
// completes with *UnsupportedError.
func (c *Conn) UIDExpunge(sel *Selection, set imap.UIDSet, done func(error)) {
	if err := c.bind("UID EXPUNGE", sel, true); err != nil {
		done(err)
		return
	}
	c.several(set, func(part imap.UIDSet) *command {
		return &command{kind: kindExpunge, name: "UID EXPUNGE", mailbox: sel.name, sel: sel,
			encode: func(e *encoder) {
				if e.need("UID EXPUNGE", "UIDPLUS") {
					e.text("UID EXPUNGE ")
					e.set(part)
				}
			}}
	}, done)
}

// CopyData is what COPYUID told (RFC 4315 section 3); all zero if it did not. The
// n-th UID of Source became the n-th of Dest.
type CopyData struct {
	UIDValidity  uint32
	Source, Dest imap.UIDSet
}

// UIDCopy copies messages to another mailbox.
func (c *Conn) UIDCopy(sel *Selection, set imap.UIDSet, dest string, done func(CopyData, error)) {
	c.copyOrMove(kindCopy, "UID COPY", sel, set, dest, done)
}

// UIDMove moves messages to another mailbox (RFC 6851); without MOVE it completes
// with *UnsupportedError.
func (c *Conn) UIDMove(sel *Selection, set imap.UIDSet, dest string, done func(CopyData, error)) {
	c.copyOrMove(kindMove, "UID MOVE", sel, set, dest, done)
}

func (c *Conn) copyOrMove(k kind, name string, sel *Selection, set imap.UIDSet, dest string, done func(CopyData, error)) {
	if err := c.bind(name, sel, true); err != nil {
		done(CopyData{}, err)
		return
	}
	var d CopyData
	c.several(set, func(part imap.UIDSet) *command {
		return &command{kind: k, name: name, mailbox: dest, sel: sel,
			encode: func(e *encoder) {
				if k == kindMove && !e.need(name, "MOVE") {
					return
				}
				e.text(name + " ")
				e.set(part)
				e.text(" ")
				e.mailbox(dest)
			},
			// MOVE tells COPYUID in an untagged OK (RFC 6851 section 4.3).
			untag: func(u *untagged) bool { return u.reply != nil && d.take(u.reply) },
			finish: func(r *reply, err error) {
				if r != nil {
					d.take(r)
				}
			}}
	}, func(err error) { done(d, err) })
}

// take files a COPYUID code. Sets are appended in the order told, since the pairing
// depends on it; Exchange sends them empty, and then there is nothing to pair.
func (d *CopyData) take(r *reply) bool {
	if r.code != "COPYUID" {
		return false
	}
	f := bytes.Fields(r.arg)
	if len(f) != 3 {
		return true
	}
	v, _ := parseUint(f[0])
	src, ok1 := parseSet(f[1])
	dst, ok2 := parseSet(f[2])
	if ok1 && ok2 && v > 0 && v < 1<<32 && countUIDs(src) == countUIDs(dst) && ascending(f[1]) && ascending(f[2]) &&
		(d.UIDValidity == 0 || d.UIDValidity == uint32(v)) {
		d.UIDValidity = uint32(v)
		d.Source = append(d.Source, src...)
		d.Dest = append(d.Dest, dst...)
	}
	return true
}

// ascending reports whether a set is written in ascending order, so that sorting
// it did not change which UID belongs to which.
func ascending(b []byte) bool {
	last := uint64(0)
	for _, e := range strings.FieldsFunc(string(b), func(r rune) bool { return r == ',' || r == ':' }) {
		v, _ := parseUint([]byte(e))
		if v <= last {
			return false
		}
		last = v
	}
	return true
}

// UIDSearch searches the mailbox; criteria are sent as they are ("ALL", "SINCE
// 1-Jan-2024"). With ESEARCH the answer comes as ranges.
func (c *Conn) UIDSearch(sel *Selection, criteria string, done func(imap.UIDSet, error)) {
	if err := c.bind("UID SEARCH", sel, false); err != nil {
		done(nil, err)
		return
	}
	j := &numberJob{}
	c.enqueue(&command{kind: kindSearch, name: "UID SEARCH", mailbox: sel.name, sel: sel, list: j,
		encode: func(e *encoder) {
			if criteria == "" || strings.ContainsAny(criteria, "\r\n\x00") || len(criteria) > maxLine {
				e.bad("the search criteria", criteria)
				return
			}
			e.text("UID SEARCH ")
			if e.caps.Has("ESEARCH") {
				e.text("RETURN (ALL) ")
			}
			e.text(criteria)
		},
		finish: func(_ *reply, err error) {
			if err != nil {
				done(nil, err)
				return
			}
			done(j.found.take(), nil)
		}})
}
