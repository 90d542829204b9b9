package statefile

import (
	"bytes"
	"strconv"
)

// kind is the first word of a line's payload.
type kind uint8

const (
	kindNone     kind = iota
	kindPut           // + uid flags name [mark]
	kindDrop          // - uid
	kindFolder        // folder name fmd5
	kindKeyword       // keyword number name
	kindToken         // token key value
	kindIntent        // intent id base size hash message-id uidvalidity uidnext at flags pid
	kindDone          // done id
	kindHold          // hold side key reason tries next [since]
	kindFree          // free side key
	kindSnapshot      // snapshot
	kindEnd           // end
)

var kindWords = [...]string{
	kindNone: "", kindPut: "+", kindDrop: "-", kindFolder: "folder", kindKeyword: "keyword",
	kindToken: "token", kindIntent: "intent", kindDone: "done", kindHold: "hold",
	kindFree: "free", kindSnapshot: "snapshot", kindEnd: "end",
}

// String gives the word that begins such a line.
func (k kind) String() string { return kindWords[k] }

func kindOf(word []byte) kind {
	for k := kindPut; k <= kindEnd; k++ {
		if string(word) == kindWords[k] {
			return k
		}
	}
	return kindNone
}

// entry is one payload taken apart. Every entry states the new value of one thing, never a
// difference: applying a run of entries twice ends where applying it once does.
type entry struct {
	kind  kind
	uid   uint32
	flags Flags
	mark  Mark
	name  []byte // of a message; valid until the next decode
	num   int    // keyword number
	key   string // folder name, keyword, token key, intent id, quarantined key
	value string // fmd5, token value, quarantined side

	intent Intent
	hold   Quarantined
}

// appendTo adds the payload to dst.
func (e *entry) appendTo(dst []byte) []byte {
	dst = append(dst, e.kind.String()...)
	switch e.kind {
	case kindPut:
		dst = appendUint(dst, uint64(e.uid))
		dst = appendFlags(append(dst, ' '), e.flags)
		dst = appendField(dst, e.name)
		if e.mark != MarkNone {
			dst = appendMark(append(dst, ' '), e.mark)
		}
	case kindDrop:
		dst = appendUint(dst, uint64(e.uid))
	case kindFolder, kindToken:
		dst = appendField(appendField(dst, e.key), e.value)
	case kindKeyword:
		dst = appendField(appendUint(dst, uint64(e.num)), e.key)
	case kindIntent:
		dst = e.intent.appendTo(dst)
	case kindDone:
		dst = appendField(dst, e.key)
	case kindHold:
		q := &e.hold
		dst = appendField(appendField(appendField(dst, q.Side), q.Key), q.Reason)
		dst = appendInt(appendInt(dst, int64(q.Tries)), q.Next)
		if q.Since != 0 {
			dst = appendInt(dst, q.Since)
		}
	case kindFree:
		dst = appendField(appendField(dst, e.value), e.key)
	}
	return dst
}

func (n *Intent) appendTo(dst []byte) []byte {
	dst = appendField(appendField(dst, n.ID), n.Base)
	dst = appendInt(dst, n.Size)
	dst = appendField(appendField(dst, n.Hash), n.MessageID)
	dst = appendUint(appendUint(dst, uint64(n.UIDValidity)), uint64(n.UIDNext))
	dst = appendInt(dst, n.At)
	dst = appendFlags(append(dst, ' '), n.Flags)
	return appendInt(dst, int64(n.Pid))
}

// decode takes payload apart. It accepts exactly what appendTo writes.
func (e *entry) decode(payload []byte) error {
	scratch := e.name[:0]
	*e = entry{name: scratch}
	r := reader{rest: payload, more: true}
	e.kind = kindOf(r.next())
	switch e.kind {
	case kindPut:
		e.uid = uint32(r.uint(1, 1<<32-1))
		e.flags = r.flags()
		e.name = r.bytes(scratch)
		if r.more {
			e.mark = r.mark()
		}
	case kindDrop:
		e.uid = uint32(r.uint(1, 1<<32-1))
	case kindFolder, kindToken:
		e.key, e.value = r.text(), r.text()
	case kindKeyword:
		e.num, e.key = int(r.uint(0, maxKeywords-1)), r.text()
	case kindIntent:
		e.intent = Intent{ID: r.text(), Base: r.text(), Size: r.int(64), Hash: r.text(), MessageID: r.text(),
			UIDValidity: uint32(r.uint(0, 1<<32-1)), UIDNext: uint32(r.uint(0, 1<<32-1)),
			At: r.int(64), Flags: r.flags(), Pid: int(r.int(strconv.IntSize))}
	case kindDone:
		e.key = r.text()
	case kindHold:
		e.hold = Quarantined{Side: r.text(), Key: r.text(), Reason: r.text(),
			Tries: int(r.int(strconv.IntSize)), Next: r.int(64)}
		if r.more {
			if e.hold.Since = r.int(64); e.hold.Since == 0 && r.err == nil {
				return errField // left out when it is 0
			}
		}
	case kindFree:
		e.value, e.key = r.text(), r.text()
	case kindNone:
		return errTag
	}
	if r.err == nil && r.more {
		return errField
	}
	return r.err
}

// reader walks over the fields of a payload and keeps the first error.
type reader struct {
	rest []byte
	more bool // another field follows
	err  error
}

func (r *reader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
}

func (r *reader) next() (field []byte) {
	if !r.more {
		r.fail(errField)
		return nil
	}
	if i := bytes.IndexByte(r.rest, ' '); i >= 0 {
		field, r.rest = r.rest[:i], r.rest[i+1:]
	} else {
		field, r.rest, r.more = r.rest, nil, false
	}
	if len(field) == 0 {
		r.fail(errField)
	}
	return field
}

func (r *reader) bytes(dst []byte) []byte {
	f := r.next()
	if r.err != nil {
		return dst
	}
	dst, err := unescape(dst, f)
	if err != nil {
		r.fail(err)
	}
	return dst
}

func (r *reader) text() string { return string(r.bytes(nil)) }

func (r *reader) uint(lo, hi uint64) uint64 {
	f := r.next()
	v, ok := parseUint(f)
	if !ok || v < lo || v > hi {
		r.fail(errNumber)
	}
	return v
}

func (r *reader) int(bits int) int64 {
	f := string(r.next())
	v, err := strconv.ParseInt(f, 10, bits)
	if err != nil || strconv.FormatInt(v, 10) != f {
		r.fail(errNumber)
	}
	return v
}

func (r *reader) flags() Flags {
	fl, ok := parseFlags(r.next())
	if !ok {
		r.fail(errFlags)
	}
	return fl
}

func (r *reader) mark() Mark {
	f := r.next()
	for m := MarkExpunge; m <= lastMark; m++ {
		if len(f) == 1 && f[0] == markLetters[m] {
			return m
		}
	}
	v, ok := parseUint(f)
	if !ok || v <= uint64(lastMark) || v > 255 {
		r.fail(errNumber)
	}
	return Mark(v)
}

const (
	markLetters = "-egsk"
	lastMark    = MarkKept
)

func appendMark(dst []byte, m Mark) []byte {
	if int(m) < len(markLetters) {
		return append(dst, markLetters[m])
	}
	return strconv.AppendUint(dst, uint64(m), 10)
}

func appendUint(dst []byte, v uint64) []byte { return strconv.AppendUint(append(dst, ' '), v, 10) }
func appendInt(dst []byte, v int64) []byte   { return strconv.AppendInt(append(dst, ' '), v, 10) }

// parseUint reads a decimal number without leading zeros, of at most 18 digits.
func parseUint(f []byte) (v uint64, ok bool) {
	if len(f) == 0 || len(f) > 18 || f[0] == '0' && len(f) > 1 {
		return 0, false
	}
	for _, c := range f {
		if c < '0' || c > '9' {
			return 0, false
		}
		v = v*10 + uint64(c-'0')
	}
	return v, true
}

// flagLetters are the letters of bits 0..6; X stands for the reserved bit.
const flagLetters = "DFPRSTX"

// appendFlags writes the letters in order, then ".n" for each keyword number in order; "-" is none.
func appendFlags(dst []byte, fl Flags) []byte {
	if fl == 0 {
		return append(dst, '-')
	}
	for i := 0; i < len(flagLetters); i++ {
		if fl>>i&1 != 0 {
			dst = append(dst, flagLetters[i])
		}
	}
	for i := 0; i < maxKeywords; i++ {
		if fl>>(firstKeyword+i)&1 != 0 {
			dst = strconv.AppendUint(append(dst, '.'), uint64(i), 10)
		}
	}
	return dst
}

func parseFlags(f []byte) (fl Flags, ok bool) {
	if len(f) == 1 && f[0] == '-' {
		return 0, true
	}
	i, bit := 0, 0
	for ; i < len(f) && f[i] != '.'; i++ {
		for bit < len(flagLetters) && flagLetters[bit] != f[i] {
			bit++
		}
		if bit == len(flagLetters) {
			return 0, false
		}
		fl |= 1 << bit
		bit++
	}
	last := -1
	for i < len(f) {
		end := i + 1
		for end < len(f) && f[end] != '.' {
			end++
		}
		v, good := parseUint(f[i+1 : end])
		if !good || v >= maxKeywords || int(v) <= last {
			return 0, false
		}
		fl |= 1 << (firstKeyword + v)
		last, i = int(v), end
	}
	return fl, len(f) > 0
}
