package mailsync

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"offloop/imapproto"
	"offloop/maildir"
	"offloop/reactor"
	"offloop/statefile"
)

var errStopped = errors.New("stopped by the user")

// accountState is where an account's round stands; it is named after what is
// awaited.
//
//	Idle ─> Lock ─> Connect ─> List ─> Folders ─> Deletes ─> Commit ─> Logout ─> Idle
//
// Any state may go to Commit when the round cannot go on: what is durable is
// always recorded.
type accountState uint8

const (
	accountIdle accountState = iota
	accountLock
	accountConnect
	accountList
	accountFolders
	accountDeletes
	accountCommit
	accountLogout
)

// String names the state.
func (s accountState) String() string {
	return [...]string{"idle", "lock", "connect", "list", "folders", "deletes", "commit", "logout"}[s]
}

// accountMoves is the table of legal moves; any other is a bug of ours.
var accountMoves = [...][]accountState{
	accountIdle:    {accountLock},
	accountLock:    {accountConnect, accountCommit},
	accountConnect: {accountList, accountCommit},
	accountList:    {accountFolders, accountCommit},
	accountFolders: {accountDeletes, accountCommit},
	accountDeletes: {accountCommit},
	accountCommit:  {accountLogout},
	accountLogout:  {accountIdle},
}

// Account is one account's synchronisation: a machine that runs rounds.
type Account struct {
	env   *Env
	set   *Settings
	state accountState

	result   Result
	round    roundErr
	stopping bool
	roundEnd func()

	locks    []*statefile.Lock
	book     *statefile.Folder
	bookPath string
	unknown  map[string]bool // folders of the command line that are not there, as they were told
	bookLen  int64           // good length if the tail was torn, else -1
	caps     []string
	greeting string
	link     *link
	onDialed func()
	keeper   func()     // ends the timer of a connection kept between rounds
	watchers []*watcher // wait for news of the folders watched

	localNames []string
	alerts     int             // alerts of the server that were shown
	marker     string          // the Maildir root's
	maimed     map[string]bool // folders synced before that lack cur, new or tmp now
	fold       maildir.Folding
	trust      maildir.Trust
	purged     time.Time // when the trash was last looked through
	spent      spending
	skew       time.Duration // the Maildir's clock minus ours
	folders    []*folder
	atBarrier  int // folders that wait for the deletes
	listed     bool
	ending     bool
	mapped     bool
	trashBox   string    // the server's folder for deleted mail, where trash = yes
	began      time.Time // this round
	settleAt   time.Time // when folders with unsettled uploads may be looked at again

	buffers   buffers
	toDisk    *delivery
	made      []madeMaildir // not flushed
	heldBytes int           // bodies received but not yet on disk
	paused    bool          // the socket is not read until the disk has caught up

	failedUploads map[string]bool // Message-IDs whose upload failed: deleted nowhere; "*" = any
	heldFiles     []heldFile      // files that were not uploaded: their messages are deleted nowhere either
	newMail       int             // unseen messages that came into INBOX in this round
	unhook        func()          // ends the hook that runs
	sentBytes     int64           // of uploads whose answers are awaited
	uploads       []*upload       // wait until there are fewer
	wave          wave
	singly        bool               // the server does not understand several messages in one APPEND
	deletes       int                // deletes of this round, for the account's brake
	held          int                // deletes the brake holds back
	setAsides     int                // messages in quarantine
	clashes       map[string]bool    // local names whose state OfflineIMAP kept in one file with another folder's
	patience      time.Duration      // the server asked to be left alone for so long
	broke         map[brokenMail]int // how often the connection broke in the midst of a message
	readOnlyTold  map[string]bool    // local folders whose mailboxes are known to be read-only
	noDelta       bool               // the server refused to say only what changed
	meeting       bool               // moves between folders are being looked for
	lookingOut    bool               // files that went to folders outside of this round are being looked for
	lookedOut     bool
	changes       []*change // wait for a connection that is free
	helpers       []*helper // further connections
	owed          int       // flights that the changes of all folders will take, about
	alone         bool      // no further connection in this round
	helperFlights int
}

// roundErr is the failure that ended the current round early, if any.
type roundErr struct{ err error }

// New prepares an account; nothing happens before Round.
func New(env *Env, set *Settings) *Account {
	return &Account{env: env, set: set, bookPath: set.StateDir + "/account.state"}
}

// Name is the account's name in the configuration.
func (a *Account) Name() string { return a.set.Name }

// Result is what the rounds so far came to.
func (a *Account) Result() *Result { return &a.result }

// SettleAt tells when a folder that holds uploads of a killed run may be looked
// at again; zero if there is none.
func (a *Account) SettleAt() time.Time { return a.settleAt }

// Folders are the local names of the folders that the last round found on both sides,
// in its order; none if it did not come so far.
func (a *Account) Folders() []string {
	var l []string
	if !a.mapped {
		return nil
	}
	for _, f := range a.folders {
		if f.err != errGone {
			l = append(l, f.pair.local)
		}
	}
	return l
}

// RemoteFolder gives the server's name of a folder that an earlier round synced.
func (a *Account) RemoteFolder(local string) (string, bool) {
	if a.book == nil {
		return "", false
	}
	t, ok := parseFolderToken(a.book.Token(tokFolder + local))
	return t.remote, ok && !t.forgotten
}

// Busy tells whether a round is going on.
func (a *Account) Busy() bool { return a.state != accountIdle }

func (a *Account) to(s accountState) {
	for _, ok := range accountMoves[a.state] {
		if ok == s {
			a.state = s
			a.emit(Event{Kind: "state", Severity: "debug", Text: "account is at " + s.String()})
			return
		}
	}
	panic(fmt.Sprintf("mailsync: account moves from %v to %v", a.state, s))
}

// Round runs one round; done is called once, when everything durable has been
// recorded and the locks are free again.
func (a *Account) Round(done func()) {
	if a.Busy() {
		panic("mailsync: a round is going on")
	}
	started := a.env.Loop.Now()
	a.began = started
	a.emit(Event{Kind: "account-start", Text: "*** Processing account " + a.set.Name})
	a.round = roundErr{}
	a.stopping, a.ending, a.folders, a.atBarrier, a.listed, a.mapped, a.settleAt = false, false, nil, 0, false, false, time.Time{}
	a.failedUploads, a.heldFiles, a.deletes, a.held, a.newMail, a.setAsides = map[string]bool{}, nil, 0, 0, 0, 0
	a.sentBytes, a.uploads, a.patience = 0, nil, 0
	a.meeting, a.lookingOut, a.lookedOut = false, false, false
	a.changes, a.owed, a.alone, a.helperFlights = nil, 0, false, 0
	a.roundEnd = func() {
		d := a.env.Loop.Now().Sub(started)
		a.result.Rounds++
		a.emit(Event{Kind: "account-done", N: int64(d.Seconds()), Text: fmt.Sprintf("*** Finished account '%s' in %d:%02d", a.set.Name, int(d.Minutes()), int(d.Seconds())%60)})
		done()
	}
	a.to(accountLock)
	a.lockAndLook(func(err error) {
		if err != nil {
			a.end(err)
			return
		}
		if a.loadSpent(); a.overspent() {
			a.end(errStopped)
			return
		}
		a.connect()
	})
}

// Stop ends the round at once: nothing new is begun, what is durable is
// recorded, and Round's done is called as soon as the disk is quiet.
func (a *Account) Stop() {
	if !a.Busy() || a.stopping {
		return
	}
	a.stopping = true
	if a.round.err == nil {
		a.round.err = errStopped
	}
	if stop := a.unhook; stop != nil {
		stop()
	}
	switch {
	case a.link != nil:
		a.breakOff(errStopped)
	case a.state == accountConnect: // waiting for a password
		a.end(errStopped)
	}
}

func (a *Account) connect() {
	if a.stopping {
		a.end(errStopped)
		return
	}
	a.unkeep()
	a.to(accountConnect)
	if a.link.usable() {
		a.resume()
		return
	}
	if a.link != nil {
		a.heldLost(a.link)
	}
	round := a.result.Rounds
	a.env.Password(a.set, func(pass string, err error) {
		if a.state != accountConnect || a.ending || round != a.result.Rounds {
			return // the user was quicker to stop than to answer
		}
		if err != nil || a.stopping {
			if a.stopping {
				err = errStopped
			}
			a.end(&Error{Scope: ScopeAccount, Err: fmt.Errorf("no password for %s: %w", a.set.User, err),
				Hint: "give remotepass, remotepassfile or remotepasscmd in the repository's section"})
			return
		}
		a.onDialed = a.preload
		a.link = a.mainLink()
		a.link.open(pass, func(err error) {
			if err != nil {
				a.loginRefused(err)
				a.end(connectError(a.set, err))
				return
			}
			if !a.listed {
				a.enable()
				a.list()
			}
		})
	})
}

// preload runs when the connection has been dialled, before the greeting: with
// the capabilities remembered from last time, the list of folders and, on
// servers that cannot tell what changed, the folders themselves ride in the same
// flight as the login.
func (a *Account) preload() {
	if !a.loginAhead() {
		return
	}
	a.enable()
	a.list()
	if a.canTell() {
		a.speculate()
	} else {
		a.startKnown()
	}
}

// loggedIn remembers what the server can do.
func (a *Account) loggedIn(i imapproto.Info) {
	a.emit(Event{Kind: "connected", Severity: "debug", Repo: a.set.RemoteRepo, Conn: 1, Dest: fmt.Sprintf("%s:%d", a.set.Host, a.set.Port), Text: "Connected: " + i.Greeting})
	caps := strings.Join(i.Caps, " ")
	if a.book != nil && a.book.Token(tokCaps) != caps && !a.set.DryRun {
		if a.book.Token(tokCaps) != "" {
			i.Mechanism = "" // another server, perhaps: the order asked for is tried anew
		}
		a.book.SetToken(tokCaps, caps)
		a.book.SetToken(tokMute, "")
		a.book.SetToken(tokAuth, i.Mechanism)
	}
	a.loggedInWith(i.Mechanism)
	a.caps, a.greeting = i.Caps, i.Greeting
	a.greetedBy(i.Greeting)
	if a.state == accountConnect {
		a.to(accountList)
	}
}

// linkLost is called when the connection has ended, for whatever reason; the
// commands in flight have completed with errors already.
func (a *Account) linkLost(k *link, err error) {
	if a.link != k || a.state == accountLogout {
		return
	}
	if a.state < accountConnect {
		a.heldLost(k)
		return
	}
	if t := (*imapproto.TimeoutError)(nil); errors.As(err, &t) && t.Command == "ENABLE" && !a.set.DryRun {
		a.book.SetToken(tokMute, "1") // ENABLE only makes things faster
	}
	if a.round.err == nil && a.state > accountConnect && a.state < accountCommit {
		a.round.err = connectError(a.set, err)
		if a.stopping {
			a.round.err = errStopped
		}
	}
	if a.state == accountList {
		a.end(a.round.err)
	}
	a.checkBarrier()
}

// maxAlerts is how many alerts of a server are shown in one process: a person must
// see them (RFC 9051 section 7.1), but not a million.
const maxAlerts = 50

// unsolicited takes what the server says without being asked.
func (a *Account) unsolicited(u imapproto.Unsolicited) {
	if u.Kind == imapproto.UnsolicitedAlert && a.alerts < maxAlerts {
		a.alerts++
		a.emit(Event{Kind: "warn", Severity: "warn", Repo: a.set.RemoteRepo, Text: "server says: " + u.Text})
	}
}

// end finishes the round, early or normally, as soon as every folder has
// stopped; what is durable gets recorded.
func (a *Account) end(err error) {
	if err != nil && a.round.err == nil {
		a.round.err = err
	}
	a.ending = true
	a.maybeEnd()
}

func (a *Account) maybeEnd() {
	if !a.ending || a.state >= accountCommit || a.state == accountIdle {
		return
	}
	stuck := false
	for _, f := range a.folders {
		if f.step == stepWait {
			f.skipDeletes()
		}
		if f.step == stepMeet {
			f.fail(errStopped) // the round goes no further; the next one does
		}
		stuck = stuck || f.step != stepDone
	}
	if stuck || a.state >= accountCommit || a.state == accountIdle { // a folder may have ended the round meanwhile
		return
	}
	if !a.toDisk.idle() {
		a.toDisk.due()
		return
	}
	a.to(accountCommit)
	a.dismiss()
	a.tellHeld()
	a.adaptDepth(a.round.err)
	a.noteDistance()
	if e := a.round.err; e != nil && !errors.Is(e, errStopped) {
		a.report(a.asError(e, ScopeAccount, ""))
	}
	a.commit(func() {
		a.hooksAfter(func() {
			a.to(accountLogout)
			a.logout()
		})
	})
}

func (a *Account) logout() {
	finish := func() {
		a.unlock(func() {
			a.to(accountIdle)
			a.roundEnd()
		})
	}
	k := a.link
	if a.mayHold() {
		a.hold()
		a.measure(k, a.tally(k)+a.helperFlights)
		finish()
		return
	}
	a.link = nil
	if k.usable() {
		// Nothing depends on the answer to LOGOUT: it is sent and not awaited.
		k.conn.Logout(func(error) {})
		k.pump()
	}
	if k != nil {
		k.close()
		if flights := a.tally(k); k.conn != nil {
			a.measure(k, flights+a.helperFlights)
		}
	}
	finish()
}

// connectError says what to do about a connection that could not be made or was
// lost.
func connectError(s *Settings, err error) error {
	e := &Error{Scope: ScopeAccount, Account: s.Name, Err: fmt.Errorf("%s: %w", s.Host, err), Did: "the round ended", Lost: true,
		Hint: "the next run goes on where this one stopped"}
	var known *Error
	var auth *imapproto.AuthError
	switch {
	case errors.Is(err, errStopped):
		return err
	case errors.As(err, &known):
		return known
	case notThePassword(err):
		e.Away, e.Lost = true, false
		e.Hint = "the server refuses every login for now; try again later; nothing was changed"
	case errors.As(err, &auth):
		// What was sent behind the login failed with it, as if the line had been cut.
		e.Err = fmt.Errorf("%s: %w", s.Host, auth)
		e.Refused, e.Lost = true, false
		e.Hint = "check remoteuser and the password of this repository; nothing was changed"
	}
	if errors.As(err, new(*reactor.DialError)) {
		e.Away, e.Lost = true, false
		e.Hint = "check remotehost, remoteport and the network; nothing was changed"
	}
	if errors.As(err, new(*imapproto.ProtocolError)) {
		e.Lost = false // it would say the same again
		e.Hint = "check that remotehost and remoteport are an IMAP server's; -d imap shows what it says"
	}
	if h, ok := err.(interface{ Hint() string }); ok && h.Hint() != "" {
		e.Hint = h.Hint()
	}
	return e
}

// Reconnect breaks the connection off: the machine was asleep and nobody at the
// other end knows it any more.
func (a *Account) Reconnect() {
	if a.Busy() && a.link != nil {
		a.breakOff(errors.New("the machine was suspended"))
	}
}

// breakOff ends the connection, or the attempt to make one. Giving up a dial may
// be answered at once, later or never.
func (a *Account) breakOff(err error) {
	k := a.link
	dialling := k.conn == nil
	k.abort(err)
	for _, h := range a.helpers {
		h.off = true
		h.k.abort(err)
	}
	if dialling && a.link == k {
		a.end(connectError(a.set, err))
	}
}
