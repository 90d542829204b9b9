package mailsync

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

// trait is what is known of a message that may have moved between folders,
// without its whole content.
type trait struct {
	folder string
	unique string // of its file's name; "" if it has no file
	size   int64  // with CRLF line ends
	msgID  string
	print  string // fingerprint of its header
	strong bool   // the header tells this delivery from all others
	date   int64  // INTERNALDATE in Unix seconds; 0 = not to be compared
}

// key is the same for messages that cannot be told apart; "" if too little is
// known.
func (t trait) key() string {
	if t.print == "" || t.size <= 0 {
		return ""
	}
	return fmt.Sprintf("%d %s %s", t.size, t.print, t.msgID)
}

// moveMatch says that message lost of one list is message found of another.
type moveMatch struct {
	lost, found int
	named       bool // the file kept its name: then it is the same file, not only an equal one
}

// matchMoves finds out which of the messages that folders have lost are those
// that others have gained. Identity is size, Message-ID and header; the file's
// unique part decides between equals. Where that leaves a choice there is no
// match: the message is then deleted in one folder and new in the other.
func matchMoves(lost, found []trait) []moveMatch {
	var out []moveMatch
	usedL, usedF := map[int]bool{}, map[int]bool{}
	pass := func(named bool, key func(trait) string) {
		byL, byF := group(lost, usedL, key), group(found, usedF, key)
		for i := range lost {
			k := key(lost[i])
			if k == "" || len(byL[k]) != 1 || len(byF[k]) != 1 || byL[k][0] != i {
				continue
			}
			j := byF[k][0]
			l, f := lost[i], found[j]
			if l.folder == f.folder || l.date != 0 && f.date != 0 && l.date != f.date {
				continue
			}
			usedL[i], usedF[j] = true, true
			out = append(out, moveMatch{i, j, named})
		}
	}
	pass(true, func(t trait) string {
		if t.unique == "" || t.key() == "" {
			return ""
		}
		return t.unique + " " + t.key()
	})
	pass(false, func(t trait) string {
		if t.msgID == "" {
			return ""
		}
		return t.key()
	})
	return out
}

func group(l []trait, used map[int]bool, key func(trait) string) map[string][]int {
	m := map[string][]int{}
	for i, t := range l {
		if k := key(t); k != "" && !used[i] {
			m[k] = append(m[k], i)
		}
	}
	return m
}

// printFields are the header fields that make up a fingerprint. Two copies of
// one mail that came by different ways differ in Received, two drafts in Date or
// Subject.
var printFields = []string{"MESSAGE-ID", "DATE", "FROM", "TO", "CC", "SUBJECT", "IN-REPLY-TO", "RECEIVED", "CONTENT-TYPE", "DKIM-SIGNATURE"}

// strongFields are those that no two messages have in common, unless one is a
// copy of the other. Without them (sent mail, drafts) an equal header may come
// with another content.
var strongFields = []string{"RECEIVED", "DKIM-SIGNATURE"}

// fingerprint digests the fields of a header that printFields names. White space
// does not count, nor does the order of the fields: servers fold and sort. A
// header without any gives "". strong tells whether it has one of strongFields.
func fingerprint(header []byte) (print string, strong bool) {
	var fields []string
	wanted := false
	for len(header) > 0 {
		line, rest, _ := bytes.Cut(header, []byte("\n"))
		header = rest
		line = bytes.TrimSuffix(line, []byte("\r"))
		if len(line) == 0 {
			break
		}
		if line[0] == ' ' || line[0] == '\t' {
			if wanted {
				fields[len(fields)-1] += squeeze(line)
			}
			continue
		}
		name, value, ok := bytes.Cut(line, []byte(":"))
		up := strings.ToUpper(string(bytes.TrimRight(name, " \t")))
		wanted = ok && slices.Contains(printFields, up)
		if wanted {
			strong = strong || slices.Contains(strongFields, up)
			fields = append(fields, up+":"+squeeze(value))
		}
	}
	if len(fields) == 0 {
		return "", false
	}
	slices.Sort(fields)
	sum := sha256.Sum256([]byte(strings.Join(fields, "\n")))
	return hex.EncodeToString(sum[:16]), strong
}

// squeeze leaves white space and control bytes out.
func squeeze(b []byte) string {
	return string(slices.DeleteFunc(slices.Clone(b), func(c byte) bool { return c <= ' ' }))
}
