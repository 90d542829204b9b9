package mailsync

import "fmt"

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
					out = append(out, match{r.uid, l})
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
// size, through maps.
func matchMany(locals []localFact, remotes []remoteFact) []match {
	var out []match
	byUID := map[uint32]int{}
	byKey := map[string][]int{}
	key := func(id string, size int64) string { return fmt.Sprintf("%d %s", size, id) }
	for k, r := range remotes {
		byUID[r.uid] = k
		byKey[key(r.msgID, r.size)] = append(byKey[key(r.msgID, r.size)], k)
	}
	used := map[int]bool{}
	var rest []localFact
	for _, l := range locals {
		k, ok := byUID[l.file.hint]
		if ok && l.file.hint != 0 && !used[k] && hintHolds(l, remotes[k]) {
			used[k] = true
			out = append(out, match{remotes[k].uid, l})
			continue
		}
		rest = append(rest, l)
	}
	for _, l := range rest {
		for _, k := range byKey[key(l.msgID, l.size)] {
			r := remotes[k]
			if !used[k] && (r.hash != "" && r.hash == l.hash || r.hash == "" && l.msgID != "" && !l.open) {
				used[k] = true
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
	sizes := map[int64]bool{}
	ids := map[string]int{}
	for _, l := range locals {
		sizes[l.size] = true
		ids[l.msgID]++
	}
	rids := map[string]int{}
	for _, r := range remotes {
		rids[r.msgID]++
	}
	hinted := map[uint32]int64{}
	open := map[string]bool{}
	for _, l := range locals {
		open[l.msgID] = open[l.msgID] || l.open && l.msgID != ""
		if l.file.hint != 0 {
			hinted[l.file.hint] = l.size
		}
	}
	var out []uint32
	for _, r := range remotes {
		if size, ok := hinted[r.uid]; ok && size == r.size {
			continue
		}
		if open[r.msgID] || sizes[r.size] && (r.msgID == "" || rids[r.msgID] > 1 || ids[r.msgID] > 1) {
			out = append(out, r.uid)
		}
	}
	return out
}
