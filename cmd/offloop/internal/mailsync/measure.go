package mailsync

// measure tells what the round that ends has cost on the line.
func (a *Account) measure(k *link, flights int) {
	a.emit(Event{Kind: "stats", Dest: "flights", N: int64(flights)})
	if k.rtt > 0 {
		a.emit(Event{Kind: "stats", Dest: "rtt", N: int64(k.rtt)})
	}
}

// Sample tells what the connections are at just now, for whoever watches them.
func (a *Account) Sample() {
	a.sample(a.link)
	for _, h := range a.helpers {
		a.sample(h.k)
	}
}

func (a *Account) sample(k *link) {
	if k == nil || k.conn == nil || k.closed {
		return
	}
	command, mailbox := k.conn.Oldest()
	in, out := k.tr.Counts()
	a.emit(Event{Kind: "command", Severity: "debug", Conn: k.n, Folder: mailbox, Dest: command, N: int64(k.conn.InFlight()), Bytes: in, Total: out})
}
