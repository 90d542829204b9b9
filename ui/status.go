package ui

import "time"

// Status is what an account is at, for people and programs elsewhere. Its JSON
// form is stable: fields are only ever added, and an absent one has its zero
// value. Times are RFC 3339.
type Status struct {
	Account string    `json:"account"`
	Pid     int       `json:"pid"`
	Time    time.Time `json:"time"`  // when this was so
	State   string    `json:"state"` // syncing, sleeping, paused, done, failed, starting
	Server  string    `json:"server,omitempty"`
	Last    time.Time `json:"last,omitzero"` // end of the last round
	Next    time.Time `json:"next,omitzero"` // begin of the next

	Folders int64  `json:"folders,omitempty"` // folders of the account
	Seen    int64  `json:"seen,omitempty"`    // of them, begun or skipped this round
	Folder  string `json:"folder,omitempty"`  // the one with the most to do
	N       int64  `json:"n,omitempty"`       // of its messages, done
	Total   int64  `json:"total,omitempty"`

	Round Counts   `json:"round"`
	Today Counts   `json:"today"`           // of all accounts of the process
	Needs []string `json:"needs,omitempty"` // what a person has to look at
	Error string   `json:"error,omitempty"` // the last one of the last round
}

// Counts is what was done in some time.
type Counts struct {
	Downloaded int64 `json:"downloaded"`
	BytesDown  int64 `json:"bytesDown"`
	Uploaded   int64 `json:"uploaded"`
	BytesUp    int64 `json:"bytesUp"`
	Flags      int64 `json:"flags"`
	Deleted    int64 `json:"deleted"`
}

func (t totals) counts() Counts {
	return Counts{t.down, t.downBytes, t.up, t.upBytes, t.flags, t.deleted}
}

// Status returns what an account is at; false if no event told of it yet. Time
// and Pid are the caller's to fill in.
func (m *Model) Status(account string) (Status, bool) {
	a := m.byName[account]
	if a == nil {
		return Status{}, false
	}
	s := Status{Account: a.name, State: a.stateWord(), Server: a.server, Folders: int64(a.total), Seen: int64(a.seen), Round: a.round.counts(), Today: m.today.counts()}
	if a.last > 0 {
		s.Last = time.Unix(0, a.last).UTC().Truncate(time.Second)
	}
	if a.next > 0 {
		s.Next = time.Unix(0, a.next).UTC().Truncate(time.Second)
	}
	for _, w := range a.folders {
		if w.active && (s.Folder == "" || w.total-w.n > s.Total-s.N) {
			s.Folder, s.N, s.Total = w.name, w.n, w.total
		}
	}
	for _, t := range m.todo {
		if t.account == a.name {
			text, _ := t.headline()
			s.Needs = append(s.Needs, text)
		}
	}
	if a.failed && len(a.errors) > 0 {
		s.Error = first(a.errors[len(a.errors)-1].lines)
	}
	return s, true
}

func (a *account) stateWord() string {
	switch {
	case a.active:
		return "syncing"
	case a.paused:
		return "paused"
	case a.next > 0:
		return "sleeping"
	case a.failed:
		return "failed"
	case a.last > 0:
		return "done"
	}
	return "starting"
}
