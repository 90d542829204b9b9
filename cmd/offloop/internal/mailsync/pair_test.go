package mailsync

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"offloop/maildir"
)

func fact(id string, size int64, content string, hint uint32) localFact {
	return localFact{file: localFile{entry: maildir.Entry{File: "f"}, hint: hint}, size: size, msgID: id, hash: content}
}

// pairUp does what the engine does: asks for the hashes of the doubtful, then
// matches. contents is what each remote message really holds.
func pairUp(locals []localFact, remotes []remoteFact, contents map[uint32]string) []match {
	r := append([]remoteFact(nil), remotes...)
	for _, uid := range doubts(locals, r) {
		for i := range r {
			if r[i].uid == uid {
				r[i].hash = contents[uid]
			}
		}
	}
	return matchFacts(locals, r)
}

func TestMatchFacts(t *testing.T) {
	type remote struct {
		uid     uint32
		id      string
		size    int64
		content string
	}
	sent := func(id string, size int64, hash string, next uint32, date int64) localFact {
		l := fact(id, size, hash, 0)
		l.next, l.date = next, date
		return l
	}
	for _, c := range []struct {
		name    string
		locals  []localFact
		remotes []remote
		want    string
	}{
		{"equal", []localFact{fact("x", 10, "A", 0)}, []remote{{1, "x", 10, "A"}}, "0-1"},
		{"altered by the server", []localFact{fact("x", 10, "A", 0)}, []remote{{1, "x", 12, "A'"}}, "0-1"},
		{"another", []localFact{fact("x", 10, "A", 0)}, []remote{{1, "y", 10, "B"}}, ""},
		{"no Message-ID, equal content", []localFact{fact("", 10, "A", 0)}, []remote{{1, "", 10, "A"}}, "0-1"},
		{"no Message-ID, equal size", []localFact{fact("", 10, "A", 0)}, []remote{{1, "", 10, "B"}}, ""},
		{"one Message-ID, two contents", []localFact{fact("x", 10, "A", 0), fact("x", 10, "B", 0)}, []remote{{1, "x", 10, "B"}, {2, "x", 10, "A"}}, "0-2 1-1"},
		{"one Message-ID, one of each alike", []localFact{fact("x", 10, "A", 0), fact("x", 20, "B", 0)}, []remote{{1, "x", 10, "A"}, {2, "x", 25, "C"}}, "0-1"},
		{"twins on both sides", []localFact{fact("x", 10, "A", 0), fact("x", 10, "A", 0)}, []remote{{1, "x", 10, "A"}, {2, "x", 10, "A"}}, "0-1 1-2"},
		{"twins here, one there", []localFact{fact("x", 10, "A", 0), fact("x", 10, "A", 0)}, []remote{{1, "x", 10, "A"}}, "0-1"},
		{"hint with equal size", []localFact{fact("", 10, "A", 1)}, []remote{{1, "", 10, "A"}}, "0-1"},
		{"hint that is wrong", []localFact{fact("x", 10, "A", 1)}, []remote{{1, "y", 11, "B"}, {2, "x", 10, "A"}}, "0-2"},
		{"open: arrived", []localFact{fact("x", 10, "A", 0)}, []remote{{1, "x", 10, "A"}}, "0-1"},
		{"open: another client's", []localFact{fact("x", 10, "A", 0)}, []remote{{1, "x", 10, "B"}}, ""},
		{"open: arrived beside another client's", []localFact{fact("x", 10, "A", 0)}, []remote{{1, "x", 10, "B"}, {2, "x", 10, "A"}}, "0-2"},
		{"open: a size that is not true", []localFact{fact("x", 10, "A", 0)}, []remote{{1, "x", 12, "A"}, {2, "x", 10, "B"}}, "0-1"},
		{"open: altered by the server", []localFact{sent("x", 10, "A", 1, 99)}, []remote{{1, "x", 12, "A'"}}, "0-1"},
		{"open: altered, but stored before", []localFact{sent("x", 10, "A", 2, 99)}, []remote{{1, "x", 12, "A'"}}, ""},
		{"open: altered, with another date", []localFact{sent("x", 10, "A", 1, 98)}, []remote{{1, "x", 12, "A'"}}, ""},
		{"open: altered, sent without a date", []localFact{sent("x", 10, "A", 1, 0)}, []remote{{1, "x", 12, "A'"}}, ""},
		{"no hint is not UID 0", []localFact{fact("x", 10, "A", 0)}, []remote{{1, "", 10, "B"}}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			var rs []remoteFact
			contents := map[uint32]string{}
			for _, r := range c.remotes {
				rs = append(rs, remoteFact{date: 99, uid: r.uid, size: r.size, msgID: r.id})
				contents[r.uid] = r.content
			}
			for i := range c.locals {
				c.locals[i].intent = fmt.Sprint(i)
				c.locals[i].open = strings.HasPrefix(c.name, "open: ")
			}
			byLocal := map[string]uint32{}
			for _, m := range pairUp(c.locals, rs, contents) {
				byLocal[m.local.intent] = m.uid
			}
			got := ""
			for i := range c.locals {
				if u := byLocal[fmt.Sprint(i)]; u != 0 {
					if got != "" {
						got += " "
					}
					got += fmt.Sprintf("%d-%d", i, u)
				}
			}
			if got != c.want {
				t.Errorf("pairs %q, want %q", got, c.want)
			}
		})
	}
}

// TestRule6_NeverPairsDifferentMessages draws messages of which many share a
// Message-ID, a size or both. A pair must hold equal content, or a Message-ID
// that no other message on either side carries. Every pair is one to one, and no
// equal message is missed.
func TestRule6_NeverPairsDifferentMessages(t *testing.T) {
	for name, matcher := range map[string]func([]localFact, []remoteFact) []match{"small": matchFacts, "large": matchMany} {
		t.Run(name, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(5, 6))
			type mail struct {
				id   string
				size int64
			}
			for n := range 4000 {
				draw := func() (mail, string) {
					m := mail{"", int64(10 + rng.IntN(3))}
					if k := rng.IntN(4); k > 0 {
						m.id = fmt.Sprintf("id%d", rng.IntN(4))
					}
					return m, fmt.Sprintf("%v/%d", m, rng.IntN(2))
				}
				var locals []localFact
				var remotes []remoteFact
				contents := map[uint32]string{}
				idsL, idsR := map[string]int{}, map[string]int{}
				here, there := map[string]int{}, map[string]int{}
				for i := range rng.IntN(6) {
					m, c := draw()
					f := fact(m.id, m.size, c, 0)
					f.intent = fmt.Sprint(i)
					locals = append(locals, f)
					idsL[m.id]++
					here[c]++
				}
				for i := range rng.IntN(6) {
					m, c := draw()
					uid := uint32(i + 1)
					remotes = append(remotes, remoteFact{uid: uid, size: m.size, msgID: m.id})
					contents[uid] = c
					idsR[m.id]++
					there[c]++
				}
				d := map[uint32]bool{}
				for _, uid := range doubts(locals, remotes) {
					d[uid] = true
				}
				for i := range remotes {
					if d[remotes[i].uid] {
						remotes[i].hash = contents[remotes[i].uid]
					}
				}
				usedL, usedR := map[string]bool{}, map[uint32]bool{}
				pairs := matcher(locals, remotes)
				equal := 0
				for _, m := range pairs {
					if usedL[m.local.intent] || usedR[m.uid] {
						t.Fatalf("case %d: paired twice", n)
					}
					usedL[m.local.intent], usedR[m.uid] = true, true
					if m.local.hash == contents[m.uid] {
						equal++
						continue
					}
					id := m.local.msgID
					var rid string
					for _, r := range remotes {
						if r.uid == m.uid {
							rid = r.msgID
						}
					}
					if id == "" || id != rid || idsL[id] != 1 || idsR[id] != 1 {
						t.Fatalf("case %d: %s is paired with UID %d, which holds %s\nlocals %v\nremotes %v", n, m.local.hash, m.uid, contents[m.uid], locals, remotes)
					}
				}
				possible := 0
				for c, k := range here {
					possible += min(k, there[c])
				}
				if equal < possible {
					t.Fatalf("case %d: %d of %d equal messages are paired\nlocals %v\nremotes %v", n, equal, possible, locals, remotes)
				}
			}
		})
	}
}
