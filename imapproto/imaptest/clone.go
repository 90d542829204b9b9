package imaptest

import "maps"

// Clone copies the server with its mail and history, so that many tests can go
// on from one state. All its sessions must be over; in the clone they are there
// only to be counted. Hooks in Faults are the same functions: set those that
// look at the server after cloning.
func (v *Server) Clone() *Server {
	c := *v
	c.Faults.In, c.Faults.Out = append([]Cut(nil), v.Faults.In...), append([]Cut(nil), v.Faults.Out...)
	c.Faults.Rules = append([]Rule(nil), v.Faults.Rules...)
	c.Log, c.Complaints = v.Log[:len(v.Log):len(v.Log)], v.Complaints[:len(v.Complaints):len(v.Complaints)]
	c.subscribed = maps.Clone(v.subscribed)
	c.sessions = make([]*Session, len(v.sessions))
	for i, s := range v.sessions {
		if !s.Closed() || !s.closing && len(s.in) > 0 {
			panic("imaptest: Clone with a live session")
		}
		c.sessions[i] = &Session{srv: &c, num: s.num, state: StateLogout, closing: true, dead: true, hold: -1}
	}
	c.boxes = make(map[string]*box, len(v.boxes))
	for name, b := range v.boxes {
		c.boxes[name] = b.clone()
	}
	return &c
}

func (b *box) clone() *box {
	d := *b
	copies := make(map[*msg]*msg, len(b.msgs)+len(b.news))
	copied := func(list []*msg) []*msg {
		out := make([]*msg, len(list))
		for i, m := range list {
			if copies[m] == nil {
				c := *m
				copies[m] = &c
			}
			out[i] = copies[m]
		}
		return out
	}
	d.msgs, d.news = copied(b.msgs), copied(b.news)
	d.graves = b.graves[:len(b.graves):len(b.graves)]
	d.keywords = b.keywords[:len(b.keywords):len(b.keywords)]
	return &d
}
