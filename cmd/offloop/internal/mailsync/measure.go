package mailsync

// measure tells what the round that ends has cost on the line.
func (a *Account) measure(k *link, flights int) {
	a.emit(Event{Kind: "stats", Dest: "flights", N: int64(flights)})
	if k.rtt > 0 {
		a.emit(Event{Kind: "stats", Dest: "rtt", N: int64(k.rtt)})
	}
}

// Sample tells what the connection is at just now, for whoever watches it.
func (a *Account) Sample() {
	k := a.link
	if k == nil || k.conn == nil || k.closed {
		return
	}
	command, mailbox := k.conn.Oldest()
	in, out := k.tr.Counts()
	a.emit(Event{Kind: "command", Severity: "debug", Conn: 1, Folder: mailbox, Dest: command, N: int64(k.conn.InFlight()), Bytes: in, Total: out})
}
