package mailsync

import (
	"fmt"
	"time"

	"offloop/imapproto"
)

const (
	// idleTime is how long one IDLE lasts: below the times after which home routers
	// and the stricter servers forget a silent connection. RFC 2177 asks for less
	// than 29 minutes.
	idleTime = 9 * time.Minute
	// pollTime is how often a server without IDLE is asked for news.
	pollTime = time.Minute
	// maxWatchWait is the longest pause between two attempts to connect.
	maxWatchWait = 5 * time.Minute
)

// watchState is where a watcher stands; it is named after what is awaited.
//
//	Off ─> Dial ─> Select ─> News ─> News …
//	        ^         │        │
//	        └─ Wait <─┴─ lost ─┘
//
// Every state may move to Off.
type watchState uint8

const (
	watchOff    watchState = iota
	watchDial              // a connection and a login
	watchSelect            // the folder to be opened
	watchNews              // something to happen in it
	watchWait              // time before the next attempt
)

// String names the state.
func (s watchState) String() string {
	return [...]string{"off", "dial", "select", "news", "wait"}[s]
}

// watcher waits for news of one folder, on a connection of its own: it goes on
// waiting while a round is carried out, so nothing that happens meanwhile is missed.
type watcher struct {
	a      *Account
	n      int // connection number
	folder string
	state  watchState
	link   *link
	news   func()
	stop   func() // ends IDLE
	timer  func()
	fails  int
}

// Watch waits for news of the folders, by their server names, for ever; news is called
// each time there are some. Connections that are lost are made anew.
func (a *Account) Watch(folders []string, news func()) {
	if len(a.watchers) > 0 {
		return
	}
	for i, name := range folders {
		w := &watcher{a: a, n: i + 2, folder: name, news: news}
		a.watchers = append(a.watchers, w)
		w.dial()
	}
}

func (w *watcher) to(s watchState) {
	w.state = s
	w.a.emit(Event{Kind: "state", Severity: "debug", Folder: w.folder, Text: "watch of " + w.folder + " is at " + s.String()})
}

func (w *watcher) dial() {
	w.to(watchDial)
	w.timer = nil
	w.a.env.Password(w.a.set, func(pass string, err error) {
		switch {
		case w.state != watchDial:
		case err != nil:
			w.broken(err)
		default:
			w.connect(pass)
		}
	})
}

func (w *watcher) connect(pass string) {
	k := &link{a: w.a, n: w.n, ready: func(imapproto.Info) {}, news: w.heard}
	k.lost = func(err error) {
		if w.link == k {
			w.broken(err)
		}
	}
	w.link = k
	k.open(pass, func(err error) {
		switch {
		case w.link != k:
		case err != nil:
			w.broken(err)
		default:
			w.open()
		}
	})
}

// open opens the folder without touching it, and looks whether something happened in
// it since it was last synced.
func (w *watcher) open() {
	if w.state != watchDial {
		return
	}
	w.to(watchSelect)
	k := w.link
	k.conn.Select(w.folder, imapproto.SelectOptions{ReadOnly: true}, func(d *imapproto.SelectData, err error) {
		switch {
		case w.link != k || w.state != watchSelect:
		case err != nil:
			w.refused(err)
		default:
			w.fails = 0
			w.to(watchNews)
			w.wait()
			if !w.knownAs(d) {
				w.news()
			}
		}
	})
}

// refused tells, once, of a folder that cannot be opened.
func (w *watcher) refused(err error) {
	if w.fails == 0 {
		w.a.emit(Event{Kind: "warn", Severity: "warn", Folder: w.folder, Text: fmt.Sprintf("folder %s cannot be watched: %v", w.folder, err),
			Hint: "check idlefolders, which holds the server's names"})
	}
	k := w.link
	w.a.env.Loop.NextTurn(func() { // we are inside the connection's own doing
		if w.link == k {
			w.broken(err)
		}
	})
}

// knownAs tells whether the server's counters are those of the last round.
func (w *watcher) knownAs(d *imapproto.SelectData) bool {
	if w.a.book == nil {
		return false
	}
	for _, key := range w.a.book.Tokens() {
		t, ok := parseFolderToken(w.a.book.Token(key))
		if ok && t.remote == w.folder {
			return t.validity == d.UIDValidity && t.uidNext == d.UIDNext && t.messages == d.Exists && (d.NoModSeq || t.modSeq == d.HighestModSeq)
		}
	}
	return false
}

// wait asks the server to speak up; again after some time, so that the connection is
// not forgotten and its death is noticed.
func (w *watcher) wait() {
	k := w.link
	again := func(err error) {
		w.stop = nil
		if w.link == k && w.state == watchNews && err == nil {
			w.wait()
		}
	}
	if !w.a.has("IDLE") {
		w.timer = w.a.env.Loop.After(pollTime, func() {
			w.timer = nil
			k.conn.Noop(again)
		})
		return
	}
	w.stop = k.conn.Idle(again)
	stop := w.stop
	w.timer = w.a.env.Loop.After(idleTime, func() {
		w.timer = nil
		stop()
	})
}

// heard takes what the server says unasked.
func (w *watcher) heard(u imapproto.Unsolicited) {
	switch u.Kind {
	case imapproto.UnsolicitedExists, imapproto.UnsolicitedExpunge, imapproto.UnsolicitedVanished, imapproto.UnsolicitedFetch:
		if w.state == watchNews {
			w.news()
		}
	}
}

// broken gives the connection up and tries again later, for ever.
func (w *watcher) broken(err error) {
	if w.state == watchOff || w.state == watchWait {
		return
	}
	w.drop(err)
	w.fails++
	d := min(time.Second<<min(w.fails-1, 10), maxWatchWait)
	w.to(watchWait)
	w.a.emit(Event{Kind: "log", Severity: "debug", Folder: w.folder, Conn: w.n, Text: fmt.Sprintf("watch of %s: %v; next attempt in %v", w.folder, err, d)})
	w.timer = w.a.env.Loop.After(d, w.dial)
}

// drop ends what the watcher has under way.
func (w *watcher) drop(err error) {
	if w.timer != nil {
		w.timer()
		w.timer = nil
	}
	if k := w.link; k != nil {
		w.link, w.stop = nil, nil
		k.abort(err)
		w.a.tally(k)
	}
}

// end is for good.
func (w *watcher) end() {
	w.to(watchOff)
	w.drop(errStopped)
}
