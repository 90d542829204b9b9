package mailsync

import "slices"

// matchFacts pairs one to one: first by content hash, then by Message-ID with
// equal size, then by a Message-ID that is unique on both sides (a server may
// have altered the size), then by a UID hint with equal size. A message with an
// open intent may never have arrived, and what looks like it may be another
// client's: equal size without equal content is not it, and with another size only
// what was stored after it was announced, with the date it was sent with.
func matchFacts(locals []localFact, remotes []remoteFact) []match {
	var out []match
	usedL, usedR := map[int]bool{}, map[int]bool{}
	take := func(same func(l localFact, r remoteFact) bool) {
		for i, l := range locals {
			for k, r := range remotes {
				if !usedL[i] && !usedR[k] && same(l, r) {
					usedL[i], usedR[k] = true, true
					out = append(out, match{r.uid, &locals[i]})
				}
			}
		}
	}
	if len(locals)*len(remotes) > 1<<22 {
		return matchMany(locals, remotes)
	}
	take(func(l localFact, r remoteFact) bool {
		return l.file.hint == r.uid && hintHolds(l, r)
	})
	take(func(l localFact, r remoteFact) bool { return r.hash != "" && l.hash == r.hash })
	take(func(l localFact, r remoteFact) bool {
		return r.hash == "" && !l.open && l.msgID != "" && l.msgID == r.msgID && l.size == r.size
	})
	nl, nr := map[string]int{}, map[string]int{}
	for _, l := range locals {
		nl[l.msgID]++
	}
	for _, r := range remotes {
		nr[r.msgID]++
	}
	take(func(l localFact, r remoteFact) bool {
		return l.msgID != "" && l.msgID == r.msgID && nl[l.msgID] == 1 && nr[l.msgID] == 1 && (!l.open || l.altered(r))
	})
	return out
}

// altered tells whether r may be what the server made of l.
func (l localFact) altered(r remoteFact) bool {
	return l.size != r.size && r.uid >= l.next && l.date > 0 && l.date == r.date
}

// hintHolds tells whether the UID in a file's name may be believed: nothing must
// speak against it, and something for it.
func hintHolds(l localFact, r remoteFact) bool {
	if l.msgID != "" && r.msgID != "" {
		return l.msgID == r.msgID
	}
	return l.size == r.size
}

// matchMany is matchFacts for large folders: by hint, then by Message-ID and
// size, through maps. A whole Maildir may be compared here, so nothing is copied.
func matchMany(locals []localFact, remotes []remoteFact) []match {
	type key struct {
		id   string
		size int64
	}
	byUID := map[uint32]int32{}
	first, next := make(map[key]int32, len(remotes)), make([]int32, len(remotes)) // of those alike; indices are one too high
	hinted := slices.ContainsFunc(locals, func(l localFact) bool { return l.file.hint != 0 })
	for k := len(remotes) - 1; k >= 0; k-- {
		r := &remotes[k]
		if hinted {
			byUID[r.uid] = int32(k)
		}
		at := key{r.msgID, r.size}
		next[k], first[at] = first[at], int32(k+1)
	}
	out := make([]match, 0, min(len(locals), len(remotes)))
	used := make([]bool, len(remotes))
	var rest []int32
	for i := range locals {
		l := &locals[i]
		if l.file.hint != 0 {
			if k, ok := byUID[l.file.hint]; ok && !used[k] && hintHolds(*l, remotes[k]) {
				used[k] = true
				out = append(out, match{remotes[k].uid, l})
				continue
			}
		}
		rest = append(rest, int32(i))
	}
	for _, i := range rest {
		l := &locals[i]
		for k := first[key{l.msgID, l.size}]; k > 0; k = next[k-1] {
			r := &remotes[k-1]
			if !used[k-1] && (r.hash != "" && r.hash == l.hash || r.hash == "" && l.msgID != "" && !l.open) {
				used[k-1] = true
				out = append(out, match{r.uid, l})
				break
			}
		}
	}
	return out
}

// doubts names the server messages whose content must be read to tell them
// apart: equal size, but no Message-ID, or one that several messages share; and
// all that may be the answer to an open intent.
func doubts(locals []localFact, remotes []remoteFact) []uint32 {
	const several = 2
	type bearers struct {
		here, there uint8 // how many have the Message-ID, up to several
		open        bool
	}
	sizes := make(map[int64]struct{}, len(locals))
	ids := make(map[string]bearers, len(locals))
	hinted := map[uint32]int64{}
	for i := range locals {
		l := &locals[i]
		sizes[l.size] = struct{}{}
		b := ids[l.msgID]
		b.here = min(b.here+1, several)
		b.open = b.open || l.open && l.msgID != ""
		ids[l.msgID] = b
		if l.file.hint != 0 {
			hinted[l.file.hint] = l.size
		}
	}
	for i := range remotes {
		b := ids[remotes[i].msgID]
		b.there = min(b.there+1, several)
		ids[remotes[i].msgID] = b
	}
	var out []uint32
	for i := range remotes {
		r := &remotes[i]
		if size, ok := hinted[r.uid]; ok && size == r.size {
			continue
		}
		b := ids[r.msgID]
		_, same := sizes[r.size]
		if b.open || same && (r.msgID == "" || b.there == several || b.here == several) {
			out = append(out, r.uid)
		}
	}
	return out
}
