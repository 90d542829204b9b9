package mailsync

import (
	"crypto/tls"
	"errors"
	"fmt"
	"path"
	"runtime/debug"
	"slices"
	"sort"
	"strconv"
	"strings"
	"testing"
	"time"

	"offloop/imapproto/imaptest"
	"offloop/maildir"
	"offloop/maildir/maildirtest"
	"offloop/reactor"
	"offloop/reactor/reactortest"
)

// A world is everything an Account works in, in memory: a model server, a
// crashing file system, a simulated loop and connections that carry pieces of
// bytes. Its processes can be killed at any file-system call and at any piece on
// the wire; the server and the disk then stay as they are.
type world struct {
	batch int // Env.Batch
	tb    testing.TB
	fs    *maildirtest.FS
	srv   *imaptest.Server
	set   Settings
	now   time.Time
	pid   int
	last  *proc

	timing  reactortest.Timing
	seed    uint64
	piece   int           // bytes of a piece on the wire
	latency time.Duration // between a write and what comes of it; 0 = none
	lazy    bool          // the server executes one command a turn; a killed connection leaves commands behind

	wireSites *wireSites // where pieces are counted; may be shared

	pieces  int // pieces that went over the wire so far
	killAt  int // the process is killed at this piece; 0 = never
	cutAt   int // the connection is cut at this piece; 0 = never
	onPiece func(n int)
	cutHere func(c *wire) bool // cuts the connection at this piece

	onEvent func(e Event)
	// stat may lie about directories and files.
	stat    func(path string, dev, ino *uint64, mtime, ctime *int64)
	logFrom int // where the run under test begins in the server's log

	slow  time.Duration // what each call takes that changes a directory or flushes
	taken time.Duration // by the calls of a job of the disk door

	atDoor  bool // work of the disk door is being done
	running bool // a round is under way

	moved func(write bool, path string, n int) // bytes read or written of a file

	powerCut bool // one happened: files in tmp may have come back

	mail   map[string]string // content as on the wire -> name
	events []Event
}

const (
	wRoot  = "/mail"
	wMeta  = "/meta"
	wState = "/meta/offloop/acc"
)

func newWorld(tb testing.TB, caps imaptest.Caps, seed uint64) *world {
	w := &world{tb: tb, fs: maildirtest.New(seed), srv: imaptest.NewServer("joe", "secret"), now: reactortest.Epoch, seed: seed,
		timing: reactortest.NextTurn, piece: 1 << 20, mail: map[string]string{}}
	w.fs.Step = 1000
	w.fs.Before = w.call
	w.srv.Caps = caps
	w.srv.Faults.Settle = true
	same := func(name, _ string) (string, error) { return name, nil }
	all := func(string) bool { return true }
	w.set = Settings{Name: "acc", LocalRepo: "local", RemoteRepo: "remote", StateDir: wState, MetaDir: wMeta, Root: wRoot, Sep: "/", InfoSep: ':',
		FSync: true, Host: "imap.example", Port: 143, User: "joe", Timeout: time.Minute, Settle: 10 * time.Second, FullCheck: 24 * time.Hour,
		LocalSyncDeletes: true, RemoteSyncDeletes: true, CreateLocalFolders: true, CreateRemoteFolders: true, Expunge: true, ConfigDigest: "d",
		RemoteWanted: all, LocalWanted: all, LocalName: same, RemoteName: same}
	w.clock()
	return w
}

// clock makes the world's clocks agree.
func (w *world) clock() {
	w.fs.Now = max(w.fs.Now, w.now.UnixNano())
	w.srv.Now = w.now
}

func (w *world) wait(d time.Duration) { w.now = w.now.Add(d); w.clock() }

// proc is one life of the program.
type proc struct {
	w    *world
	loop *reactortest.FakeLoop
	a    *Account
	set  *Settings
	dead bool
	open []*wire
	jobs []func() // for a slow disk; the first is under way
}

// start begins a process.
func (w *world) start() *proc {
	w.pid++
	p := &proc{w: w, loop: reactortest.NewFakeTiming(w.timing, w.seed+uint64(w.pid))}
	p.loop.Advance(w.now.Sub(reactortest.Epoch))
	set := w.set
	p.set = &set
	life := newLifeFS(w.fs)
	life.w = w
	p.a = New(&Env{Loop: procLoop{p}, FS: life, Dial: p.dial,
		TLSConfig: func(*Settings, func(*tls.Config, error)) { w.tb.Error("STARTTLS is not part of this world") },
		Password:  func(_ *Settings, done func(string, error)) { done("secret", nil) },
		Notify: func(e Event) {
			if !p.dead {
				w.events = append(w.events, e)
				if w.onEvent != nil {
					w.onEvent(e)
				}
			}
		},
		Batch: w.batch, Namer: maildir.NewNamer("host", w.pid), Pid: w.pid, Started: p.loop.Now()}, p.set)
	w.last = p
	return p
}

// lifeFS is the file system as one life of the program sees it. The program
// remembers which lock files it holds by device and inode, for systems whose
// locks are the process's; all lives here are one process, so each is shown lock
// files on a device of its own.
type lifeFS struct {
	*maildirtest.FS
	w     *world
	paths map[int]string
	life  uint64
}

var lives uint64

func newLifeFS(fs *maildirtest.FS) *lifeFS {
	lives++
	return &lifeFS{FS: fs, paths: map[int]string{}, life: lives << 32}
}

func isLock(p string) bool { return strings.HasSuffix(p, ".lock") || strings.HasSuffix(p, "/lock") }

func (l *lifeFS) Open(p string, flags int, perm uint32) (int, error) {
	fd, err := l.FS.Open(p, flags, perm)
	if err == nil {
		l.paths[fd] = p
	}
	return fd, err
}

func (l *lifeFS) Read(fd int, p []byte) (int, error) {
	n, err := l.FS.Read(fd, p)
	if l.w != nil && l.w.moved != nil {
		l.w.moved(false, l.paths[fd], n)
	}
	return n, err
}

func (l *lifeFS) Write(fd int, p []byte) (int, error) {
	n, err := l.FS.Write(fd, p)
	if l.w != nil && l.w.moved != nil {
		l.w.moved(true, l.paths[fd], n)
	}
	return n, err
}

func (l *lifeFS) Stat(p string) (mode uint32, size int64, dev, ino uint64, mtime, ctime int64, err error) {
	mode, size, dev, ino, mtime, ctime, err = l.FS.Stat(p)
	l.shown(p, &dev, &ino, &mtime, &ctime)
	return
}

func (l *lifeFS) Fstat(fd int) (mode uint32, size int64, dev, ino uint64, mtime, ctime int64, err error) {
	mode, size, dev, ino, mtime, ctime, err = l.FS.Fstat(fd)
	l.shown(l.paths[fd], &dev, &ino, &mtime, &ctime)
	return
}

func (l *lifeFS) shown(p string, dev, ino *uint64, mtime, ctime *int64) {
	if isLock(p) {
		*dev += l.life
	}
	if l.w != nil && l.w.stat != nil {
		l.w.stat(p, dev, ino, mtime, ctime)
	}
}

// procLoop is the loop as the engine asks for it; nothing happens in it any more
// once the process is dead.
type procLoop struct{ p *proc }

func (l procLoop) Now() time.Time { return l.p.loop.Now() }
func (l procLoop) After(d time.Duration, f func()) func() {
	return l.p.loop.CallLater(d, func() {
		if !l.p.gone() {
			f()
		}
	}).Cancel
}
func (l procLoop) NextTurn(f func()) {
	l.p.loop.NextTurn(func() {
		if !l.p.gone() {
			f()
		}
	})
}
func (l procLoop) Disk(work, done func()) {
	w := l.p.w
	if w.slow > 0 {
		l.p.slowly(work, done)
		return
	}
	l.p.loop.Disk(func() {
		if l.p.gone() {
			return
		}
		w.fs.Now = max(w.fs.Now, l.p.loop.Now().UnixNano())
		w.atDoor = true
		defer func() { w.atDoor = false }()
		work()
	}, func() {
		if !l.p.gone() {
			done()
		}
	})
}

// call sees each call of the file system: any of them may take as long as the disk
// likes, so in a round none is made on the loop.
func (w *world) call(op, path string) {
	if w.running && !w.atDoor {
		w.tb.Errorf("%s %s is not done at the disk's door but on the loop, which may hang in it\n%s", op, path, stack())
	}
	switch op {
	case "open", "rename", "rename-noreplace", "link", "unlink", "mkdir", "fsync", "syncfs":
		w.taken += w.slow
	}
}

func (p *proc) gone() bool {
	if !p.dead && p.w.fs.Crashed() {
		p.die()
	}
	return p.dead
}

// die ends the process at once; what it had written to its sockets is still sent.
func (p *proc) die() {
	p.dead = true
	for _, c := range p.open {
		c.end(true)
	}
}

func (p *proc) dial(_ *Settings, done func(Transport, bool, error)) func() {
	cancelled := false
	procLoop{p}.NextTurn(func() {
		if cancelled {
			return
		}
		p.w.srv.Now = p.loop.Now()
		c := &wire{p: p, sess: p.w.srv.NewSession()}
		p.open = append(p.open, c)
		done(c, true, nil)
	})
	return func() { cancelled = true }
}

// round runs one round and tells whether it ended; a round that neither ends nor
// dies has lost a callback.
func (p *proc) round() bool {
	done := 0
	p.w.running = true
	defer func() { p.w.running = false }()
	p.a.Round(func() { done++ })
	p.loop.Until(time.Hour, func() bool { return done > 0 || p.gone() })
	if done == 0 && !p.dead {
		var at []string
		for _, f := range p.a.folders {
			at = append(at, f.pair.local+": "+f.step.String())
		}
		p.w.tb.Fatalf("the round hangs: account %v, folders %v", p.a.state, at)
	}
	if !p.dead {
		p.loop.Settle()
	}
	if done > 1 {
		p.w.tb.Fatalf("the round ended %d times", done)
	}
	p.w.now = p.loop.Now()
	p.w.clock()
	return !p.dead
}

// sync is one run of the program: rounds until nothing waits, as the runner does
// it. It returns nil if the process was killed.
func (w *world) sync() *Result {
	p := w.start()
	for range 6 {
		n := len(p.a.result.Errors)
		if !p.round() {
			return nil
		}
		lost := slices.ContainsFunc(p.a.result.Errors[n:], func(e *Error) bool { return e.Lost })
		at := p.a.SettleAt()
		switch {
		case !at.IsZero():
			p.loop.Advance(max(0, at.Sub(p.loop.Now())) + 100*time.Millisecond)
		case lost:
			p.loop.Advance(time.Second)
		default:
			if k := w.fs.OpenFiles(); k > 0 {
				w.tb.Errorf("%d files stay open after a run", k)
			}
			w.wait(time.Minute)
			return &p.a.result
		}
	}
	w.tb.Errorf("a run does not come to an end: %v", p.a.result.Errors)
	return &p.a.result
}

// must is a run that has to end without error.
func (w *world) must() *Result {
	w.tb.Helper()
	r := w.sync()
	if r == nil {
		w.tb.Fatal("the process died")
	}
	for _, e := range r.Errors {
		w.tb.Errorf("error: %v", e)
	}
	return r
}

// wire is a connection in memory: it implements Transport for the engine and
// plays the network and the server's side.
type wire struct {
	p        *proc
	sess     *imaptest.Session
	proto    reactor.Protocol
	up       []byte // written by the client, not yet with the server
	down     []byte // said by the server, not yet with the client
	drain    func()
	full     bool
	paused   bool
	closing  bool
	ended    bool
	pumping  bool
	in, out  int64
	aborting error
}

func (c *wire) Start(p reactor.Protocol) { c.proto = p; c.pump() }
func (c *wire) Write(b []byte) {
	if c.closing || c.ended || c.p.dead {
		return
	}
	c.up = append(c.up, b...)
	c.out += int64(len(b))
	c.full = c.full || len(c.up) >= sendAhead
	c.pump()
}
func (c *wire) Buffered() int    { return len(c.up) }
func (c *wire) OnDrain(f func()) { c.drain = f }
func (c *wire) Pause()           { c.paused = true }
func (c *wire) Resume()          { c.paused = false; c.pump() }
func (c *wire) Unread([]byte)    { c.p.w.tb.Error("COMPRESS is not part of this world") }
func (c *wire) StartDeflate() error {
	c.p.w.tb.Error("COMPRESS is not part of this world")
	return nil
}
func (c *wire) Close() { c.closing = true; c.pump() }
func (c *wire) Abort(err error) {
	c.closing, c.aborting, c.up = true, err, nil
	c.pump()
}
func (c *wire) Counts() (in, out int64) { return c.in, c.out }
func (c *wire) StartTLS(*tls.Config, func(tls.ConnectionState, error)) {
	c.p.w.tb.Error("STARTTLS is not part of this world")
}

func (c *wire) pump() {
	if c.pumping || c.ended {
		return
	}
	c.pumping = true
	carry := func() {
		c.pumping = false
		if !c.p.gone() && !c.ended {
			c.carry()
		}
	}
	if d := c.p.w.latency; d > 0 {
		procLoop{c.p}.After(d, carry)
	} else {
		c.p.loop.NextTurn(carry)
	}
}

// carry moves what there is, piece by piece.
func (c *wire) carry() {
	w := c.p.w
	w.srv.Now = c.p.loop.Now()
	for len(c.up) > 0 {
		n := min(len(c.up), w.piece)
		if !c.step("up", c.up[:n]) {
			return
		}
		b := c.up[:n]
		c.up = c.up[n:]
		c.sess.Feed(b)
	}
	if c.full && c.drain != nil {
		c.full = false
		c.drain()
	}
	if w.lazy && c.sess.Step() {
		c.pump()
	}
	c.down = append(c.down, c.sess.Output()...)
	for len(c.down) > 0 && !c.paused && !c.closing {
		n := min(len(c.down), w.piece)
		if !c.step("down", c.down[:n]) {
			return
		}
		b := slices.Clone(c.down[:n])
		c.down = c.down[n:]
		c.in += int64(n)
		c.proto.Data(b)
		for i := range b {
			b[i] = '#' // valid only during the call
		}
		if c.p.dead || c.ended {
			return
		}
	}
	switch {
	case c.closing && len(c.up) == 0:
		c.end(false)
		c.proto.Lost(c.aborting)
	case c.sess.Closed() && len(c.down) == 0:
		c.end(false)
		c.proto.Lost(nil)
	}
}

// step counts a piece, and is where lives end. False: nothing goes on.
func (c *wire) step(dir string, b []byte) bool {
	w := c.p.w
	w.pieces++
	if stops := w.pieces == w.killAt || w.pieces == w.cutAt; w.wireSites != nil && (stops || !w.wireSites.onlyStops) {
		step := wireStep(dir, b)
		w.wireSites.Seen[step]++
		if stops {
			w.wireSites.Stopped[step]++
		}
	}
	if w.onPiece != nil {
		w.onPiece(w.pieces)
	}
	switch {
	case w.pieces == w.killAt:
		c.p.die()
		return false
	case w.pieces == w.cutAt, w.cutHere != nil && w.cutHere(c):
		c.end(false)
		c.proto.Lost(errors.New("connection reset by peer"))
		return false
	}
	return true
}

func (c *wire) end(sendRest bool) {
	if c.ended {
		return
	}
	c.ended = true
	if sendRest {
		c.sess.Feed(c.up)
	}
	c.sess.Kill()
}

// letter makes a message and remembers it under its name. Messages differ in
// their line ends, in 8-bit bytes and in what they lack.
func (w *world) letter(name string) string {
	var b string
	switch {
	case strings.HasPrefix(name, "noid"):
		b = "From: x\r\nSubject: " + name + "\r\n\r\nno id " + name + "\r\n"
	case strings.HasPrefix(name, "twin"): // all twins share a Message-ID, and a size if their names are of equal length
		b = "Message-ID: <twin@x>\r\nSubject: " + name + "\r\n\r\n" + name + "\r\n"
	case strings.HasPrefix(name, "alike"): // all of these have one header
		b = "Message-ID: <alike@x>\r\nSubject: alike\r\n\r\n" + name + "\r\n"
	case strings.HasPrefix(name, "raw"):
		b = "Subject: " + name + "\r\nno empty line \xe9\xff and no line end"
	case strings.HasPrefix(name, "size"): // so many bytes
		n, _ := strconv.Atoi(name[4:])
		b = "Subject: " + name + "\r\n\r\n"
		b += strings.Repeat("x", n-len(b)-2) + "\r\n"
	case strings.HasPrefix(name, "big"):
		b = "Message-ID: <" + name + "@x>\r\nSubject: " + name + "\r\n\r\n" + strings.Repeat("0123456789abcdef 0123456789\r\n", 12000)
	default:
		b = "Received: by mx with SMTP id " + name + "\r\nFrom: x\r\nMessage-ID: <" + name + "@x>\r\nSubject: " + name + "\r\n\r\nbody of " + name + "\r\n.\r\n\r\n"
	}
	w.mail[b] = name
	return b
}

// remoteAdd delivers to the server.
func (w *world) remoteAdd(folder, name string, flags ...string) uint32 {
	return w.remoteDated(folder, name, time.Date(2020, 5, 6, 7, 8, 9, 0, time.UTC), flags...)
}

// remoteDated is remoteAdd with an INTERNALDATE.
func (w *world) remoteDated(folder, name string, date time.Time, flags ...string) uint32 {
	return w.srv.AddMessage(folder, imaptest.Message{Body: []byte(w.letter(name)), Flags: flags, Date: date})
}

// localAdd delivers to the Maildir, as a mail reader does: into new without
// flags, else into cur.
func (w *world) localAdd(folder, name, flags string) {
	w.localDated(folder, name, time.Unix(1600000000, 0), flags)
}

// localDated is localAdd with a time in the file's name.
func (w *world) localDated(folder, name string, at time.Time, flags string) {
	dir := wRoot + "/" + folder
	w.fs.Outside(func() {
		if err := maildir.Create(w.fs, dir); err != nil {
			w.tb.Fatal(err)
		}
		w.fs.Flush()
	})
	file := fmt.Sprintf("new/%d.M%s.reader", at.Unix(), name)
	if flags != "" {
		file = fmt.Sprintf("cur/%d.M%s.reader:2,%s", at.Unix(), name, strings.Trim(flags, "-"))
	}
	w.fs.WriteFile(dir+"/"+file, strings.ReplaceAll(w.letter(name), "\r\n", "\n"), true)
}

// uid finds a message on the server by name.
func (w *world) uid(folder, name string) uint32 {
	for _, m := range w.srv.Messages(folder) {
		if w.mail[string(m.Body)] == name {
			return m.UID
		}
	}
	w.tb.Fatalf("%s is not in %s on the server", name, folder)
	return 0
}

func (w *world) remoteFlags(folder, name string, flags ...string) {
	w.srv.SetFlags(folder, w.uid(folder, name), flags...)
}
func (w *world) remoteDel(folder, name string) { w.srv.Expunge(folder, w.uid(folder, name)) }

// file finds a message's file by name.
func (w *world) file(folder, name string) string {
	for _, f := range w.files(folder) {
		if f.name == name {
			return f.path
		}
	}
	w.tb.Fatalf("%s is not in %s in the Maildir", name, folder)
	return ""
}

// localFlags renames as a mail reader does: into cur, with these letters.
func (w *world) localFlags(folder, name, flags string) {
	from := w.file(folder, name)
	n := maildir.ParseName(path.Base(from), ':')
	w.fs.Outside(func() {
		if err := w.fs.Rename(from, wRoot+"/"+folder+"/cur/"+n.Base+":2,"+flags); err != nil {
			w.tb.Fatal(err)
		}
		w.fs.Flush()
	})
}

func (w *world) localDel(folder, name string) {
	file := w.file(folder, name)
	w.fs.Outside(func() { w.fs.Unlink(file); w.fs.Flush() })
}

type mailFile struct{ path, name, flags string }

// files lists a Maildir's messages with their content.
func (w *world) files(folder string) []mailFile {
	var l []mailFile
	var words [26]string
	all := w.fs.Files(wRoot + "/" + folder)
	words = parseKeywords([]byte(all[keywordsFile]))
	for p, content := range all {
		sub := path.Dir(p)
		if sub != "new" && sub != "cur" {
			continue
		}
		n := maildir.ParseName(path.Base(p), ':')
		f := mailFile{path: wRoot + "/" + folder + "/" + p, name: w.named(strings.ReplaceAll(content, "\n", "\r\n"))}
		var fl []string
		for _, c := range []byte(n.Flags.String()) {
			if c >= 'a' && words[c-'a'] != "" {
				fl = append(fl, "{"+strings.ToLower(words[c-'a'])+"}")
			} else {
				fl = append(fl, string(c))
			}
		}
		sort.Strings(fl)
		f.flags = strings.Join(fl, "")
		l = append(l, f)
	}
	return l
}

func (w *world) named(content string) string {
	if n, ok := w.mail[content]; ok {
		return n
	}
	return fmt.Sprintf("?%d bytes?", len(content))
}

var wireLetters = map[string]string{`\draft`: "D", `\flagged`: "F", "$forwarded": "P", `\answered`: "R", `\seen`: "S", `\deleted`: "T"}

// state is both sides' mail in one line a folder: "INBOX a:S b:-" where they
// agree, "INBOX a:S | a:FS" (Maildir | server) where they do not.
func (w *world) state() string {
	local, remote := map[string][]string{}, map[string][]string{}
	for _, d := range w.localFolders() {
		local[d] = []string{}
		for _, f := range w.files(d) {
			local[d] = append(local[d], f.name+":"+orDash(f.flags))
		}
	}
	for _, b := range w.srv.Mailboxes() {
		remote[b] = []string{}
		for _, m := range w.srv.Messages(b) {
			var fl []string
			for _, s := range m.Flags {
				if l, ok := wireLetters[strings.ToLower(s)]; ok {
					fl = append(fl, l)
				} else if !strings.EqualFold(s, `\Recent`) {
					fl = append(fl, "{"+strings.ToLower(s)+"}")
				}
			}
			sort.Strings(fl)
			remote[b] = append(remote[b], w.named(string(m.Body))+":"+orDash(strings.Join(fl, "")))
		}
	}
	names := map[string]bool{}
	for n := range local {
		names[n] = true
	}
	for n := range remote {
		names[n] = true
	}
	text := func(m map[string][]string, n string) string {
		l, ok := m[n]
		if !ok {
			return " (none)"
		}
		sort.Strings(l)
		if len(l) == 0 {
			return ""
		}
		return " " + strings.Join(l, " ")
	}
	var out []string
	for n := range names {
		l, r := text(local, n), text(remote, n)
		if l == r {
			out = append(out, n+l)
		} else {
			out = append(out, n+l+" |"+r)
		}
	}
	sort.Strings(out)
	return strings.Join(out, "\n")
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func (w *world) localFolders() []string {
	var l []string
	w.fs.Outside(func() { l, _ = (maildir.Layout{Root: wRoot, Sep: "/"}).Folders(w.fs) })
	return l
}

func (w *world) expect(want string) {
	w.tb.Helper()
	if got := w.state(); got != strings.TrimSpace(want) {
		w.tb.Errorf("both sides are\n%s\nwant\n%s", got, strings.TrimSpace(want))
	}
}

// mutating are the commands that change something on the server.
var mutating = []string{"APPEND", "STORE", "UID STORE", "EXPUNGE", "UID EXPUNGE", "COPY", "UID COPY", "MOVE", "UID MOVE", "CREATE", "DELETE", "RENAME", "SUBSCRIBE", "UNSUBSCRIBE", "CLOSE"}

// idle runs once more and demands that nothing changes: not on the server, not
// in the Maildirs, and no message is fetched again.
func (w *world) idle() {
	w.tb.Helper()
	from := len(w.srv.Log)
	before, snap := w.fs.Files(wRoot), w.srv.Snapshot()
	r := w.sync()
	if r == nil {
		w.tb.Error("the process died in an idle run")
		return
	}
	for _, e := range w.srv.Log[from:] {
		if slices.Contains(mutating, e.Name) {
			w.tb.Errorf("run again: %s", e.Line)
		}
	}
	if r.Down+r.Up+r.FlagsLocal+r.FlagsRemote+r.DelLocal+r.DelRemote+r.MovedLocal+r.MovedRemote > 0 {
		w.tb.Errorf("run again: %+v", r)
	}
	if d := snap.Diff(w.srv.Snapshot()); d != "" {
		w.tb.Errorf("run again: the server changed:\n%s", d)
	}
	after := w.fs.Files(wRoot)
	for p := range before {
		if after[p] != before[p] && !strings.HasPrefix(p, hidden+"/") && !(w.powerCut && strings.Contains(p, "/tmp/")) {
			w.tb.Errorf("run again: %s changed", p)
		}
	}
	for p := range after {
		if _, ok := before[p]; !ok && !strings.HasPrefix(p, hidden+"/") {
			w.tb.Errorf("run again: %s appeared", p)
		}
	}
	for p := range after {
		if strings.Contains(p, "/tmp/") && !w.powerCut {
			w.tb.Errorf("%s is left", p)
		}
	}
}

// still runs once more, after things have settled: now not even the folders'
// state files may be written.
func (w *world) still() {
	w.tb.Helper()
	before := w.fs.Files(wState)
	var wrote []string
	w.fs.Before = func(op, p string) {
		switch op {
		case "rename", "rename-noreplace", "link", "unlink", "mkdir", "truncate", "utimes", "write":
			if !strings.HasPrefix(p, wRoot+"/"+hidden) && !strings.HasSuffix(p, ".lock") && !strings.HasSuffix(p, "account.state") {
				wrote = append(wrote, op+" "+p)
			}
		}
	}
	w.idle()
	w.fs.Before = nil
	if len(wrote) > 0 {
		w.tb.Errorf("an idle run writes: %v", wrote)
	}
	for p, c := range w.fs.Files(wState) {
		if before[p] != c && p != "account.state" {
			w.tb.Errorf("an idle run changes %s", p)
		}
	}
}

func (w *world) noComplaints() {
	w.tb.Helper()
	for _, c := range w.srv.Complaints {
		w.tb.Errorf("the server complains: %s", c)
	}
}

func stack() string { return string(debug.Stack()) }
