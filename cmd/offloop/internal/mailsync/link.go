package mailsync

import (
	"crypto/tls"
	"errors"
	"fmt"
	"time"

	"offloop/imapproto"
)

// sendAhead is how much output may wait in the transport before the connection
// is asked for more: a large upload is read from disk at the pace it is sent.
const sendAhead = 256 << 10

// link joins a transport with an IMAP connection: bytes from one to the other,
// one timer for the connection's deadline, and the order in which folders may
// select.
type link struct {
	a       *Account
	n       int // its number among the account's connections, from 1
	tr      Transport
	conn    *imapproto.Conn
	pumping bool
	closed  bool
	cancel  func() // of the deadline timer
	dialing func()
	secure  bool

	// turnstile: who may queue a SELECT. A writer keeps it until its STORE is
	// queued, so that no other folder's SELECT comes in between.
	busy    bool
	looping bool
	queue   []func(release func())

	unanswered int // commands under way when something was last sent

	in, out int64
	spent   int64    // bytes that are in the day's count
	told    struct { // what tally has counted
		flights int
		in, out int64
	}

	// Whoever uses the connection:
	dialled func()                      // it is made, nothing has been said; may be nil
	ready   func(imapproto.Info)        // logged in
	news    func(imapproto.Unsolicited) // the server speaks unasked
	lost    func(error)                 // it has ended; commands have completed with errors

	enabling   bool          // ENABLE QRESYNC was sent
	compressed bool          // COMPRESS was asked for
	rtt        time.Duration // the shortest flight so far, 0 = none yet
	asked      time.Time     // when the flight under way began
	opened     time.Time
	setup      time.Duration // from open to ready; 0 = not ready yet
}

// open dials and logs in; ready is called exactly once.
func (k *link) open(pass string, ready func(error)) {
	once := func(err error) {
		if r := ready; r != nil {
			ready = nil
			r(err)
		}
	}
	s := k.a.set
	k.opened = k.a.env.Loop.Now()
	k.a.emit(Event{Kind: "connecting", Repo: s.RemoteRepo, Conn: k.n, Dest: fmt.Sprintf("%s:%d", s.Host, s.Port), Text: fmt.Sprintf("Establishing connection to %s:%d (%s)", s.Host, s.Port, s.RemoteRepo)})
	k.dialing = k.a.env.Dial(s, func(t Transport, secure bool, err error) {
		k.dialing = nil
		if err != nil {
			k.closed = true
			once(err)
			return
		}
		if k.closed {
			t.Abort(errStopped)
			return
		}
		k.tr, k.secure = t, secure
		k.conn = imapproto.NewConn(k.a.env.Loop.Now(), k.options(pass, once))
		t.OnDrain(func() {
			k.conn.Progress(k.a.env.Loop.Now())
			k.wake()
		})
		if k.dialled != nil {
			k.dialled()
		}
		t.Start(k)
		k.wake()
	})
}

func (k *link) options(pass string, once func(error)) imapproto.Options {
	s := k.a.set
	depth, _ := k.a.depth()
	o := imapproto.Options{
		User: s.User, Pass: pass, Token: s.Token, AuthzID: s.AuthzID, Mechanisms: k.a.mechanisms(),
		RequireTLS: s.RequireTLS && !k.secure, TLSActive: k.secure,
		OpportunisticTLS: s.OptionalTLS && !k.secure,
		PipelineLogin:    true,
		Pipeline:         depth, Disable: s.Disable, Timeout: s.Timeout,
		ID:       map[string]string{"name": "offloop"},
		StartTLS: k.startTLS,
		Deflate:  k.deflate,
		Ready: func(i imapproto.Info) {
			k.setup = max(k.a.env.Loop.Now().Sub(k.opened), 1)
			k.ready(i)
			once(nil)
		},
		Wake: k.wake,
		Closed: func(err error) {
			if err == nil {
				err = errors.New("connection closed")
			}
			k.close()
			once(err)
			k.lost(err)
		},
		Unsolicited: k.news,
	}
	if k.a.loginAhead() {
		o.Caps = k.a.caps
	}
	if k.a.env.Trace != nil {
		o.Trace = func(out bool, b []byte) { k.a.env.Trace(s.Name, out, b) }
	}
	if k.a.env.Tracing != nil {
		o.Tracing = func() bool { return k.a.env.Tracing(s.Name) }
	}
	return o
}

func (k *link) startTLS() {
	k.a.env.TLSConfig(k.a.set, func(c *tls.Config, err error) {
		if k.closed {
			return
		}
		if err != nil {
			k.conn.TLSStarted(k.a.env.Loop.Now(), err)
			k.wake()
			return
		}
		k.tr.StartTLS(c, func(_ tls.ConnectionState, err error) {
			k.conn.TLSStarted(k.a.env.Loop.Now(), err)
			k.wake()
		})
	})
}

// Data passes bytes from the server on.
func (k *link) Data(b []byte) {
	k.timeFlight(k.a.env.Loop.Now())
	k.conn.Feed(k.a.env.Loop.Now(), b)
	k.wake()
}

// Lost ends the connection: every command of it completes with an error.
func (k *link) Lost(err error) {
	if err == nil {
		err = errors.New("the server closed the connection")
	}
	if !k.closed {
		k.in, k.out = k.tr.Counts()
	}
	k.closed = true
	k.stopTimer()
	k.conn.Lost(err)
}

// wake arranges for output to be sent once everything of this turn has been
// queued: what belongs in one flight leaves in one write.
func (k *link) wake() {
	if k.pumping || k.conn == nil {
		return
	}
	k.pumping = true
	k.a.env.Loop.NextTurn(func() {
		k.pumping = false
		k.pump()
	})
}

func (k *link) pump() {
	if k.closed {
		return
	}
	for k.tr.Buffered() < sendAhead {
		idle := k.conn.InFlight() == 0
		b := k.conn.Take(64 << 10)
		if len(b) == 0 {
			break
		}
		if idle {
			k.asked = k.a.env.Loop.Now()
		}
		k.tr.Write(b)
	}
	k.unanswered = k.conn.InFlight()
	k.arm()
}

// arm sets the timer to the connection's own deadline.
func (k *link) arm() {
	k.stopTimer()
	at, ok := k.conn.Deadline()
	if !ok || k.closed {
		return
	}
	d := max(at.Sub(k.a.env.Loop.Now()), time.Millisecond)
	k.cancel = k.a.env.Loop.After(d, func() {
		k.cancel = nil
		if k.closed {
			return
		}
		if k.a.paused && k.a.link == k {
			k.conn.Progress(k.a.env.Loop.Now()) // it is we who do not listen
		}
		k.conn.Expire(k.a.env.Loop.Now())
		if !k.closed {
			k.wake()
		}
	})
}

func (k *link) stopTimer() {
	if k.cancel != nil {
		k.cancel()
		k.cancel = nil
	}
}

// close ends the transport; the protocol has said all it wanted.
func (k *link) close() {
	if k.dialing != nil {
		k.dialing()
		k.dialing = nil
	}
	k.stopTimer()
	if k.closed {
		return
	}
	k.closed = true
	if k.tr != nil {
		k.in, k.out = k.tr.Counts()
		k.tr.Close()
	}
}

// abort breaks the connection off; commands complete with err.
func (k *link) abort(err error) {
	if k.conn != nil && !k.closed {
		k.close()
		k.conn.Lost(err)
		return
	}
	k.close()
}

// turn waits for the right to queue a SELECT. f must call release exactly once,
// when other folders may select again.
func (k *link) turn(f func(release func())) {
	k.queue = append(k.queue, f)
	k.next()
}

func (k *link) next() {
	if k.looping {
		return
	}
	k.looping = true
	for !k.busy && len(k.queue) > 0 {
		f := k.queue[0]
		k.queue[0] = nil // what it holds may be a whole folder's
		k.queue = k.queue[1:]
		k.busy = true
		released := false
		f(func() {
			if released {
				return
			}
			released = true
			k.busy = false
			k.next()
		})
	}
	k.looping = false
}
