package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"offloop/cmd/internal/lab/imapc"
	"offloop/cmd/internal/lab/verify"
	"offloop/cmd/offloop/internal/config"
	"offloop/reactor"
	"offloop/ui"
)

const (
	// demoLive is how long the demonstration goes on where nobody can press q.
	demoLive = 9 * time.Second
	// demoLiveEnv holds another time for that, in seconds, for tests.
	demoLiveEnv = "OFFLOOP_DEMO_SECONDS"
	// demoLimit ends a part that should have ended by itself long before.
	demoLimit = 40 * time.Second
)

// demonstration is one run of offloop demo: a server in a process of its own,
// and an account that syncs it into a new directory.
//
//	live  while the server's mail changes, round after round
//	last  one more round, once the server's mail stands still
//
// Then both sides must be equal.
type demonstration struct {
	o      *options
	dir    string
	peer   *demoPeer
	cfg    *config.Config
	say    io.Writer
	stderr io.Writer
	screen bool // the live part had a screen
	asked  int  // how often the user asked to stop
	broken bool // a part could not run at all; the reason has been said
}

// demo runs the demonstration. It returns 0 only if both sides are equal at its
// end.
func demo(o *options, stdout, stderr io.Writer) int {
	if err := demoOptions(o); err != nil {
		fmt.Fprintln(stderr, "offloop demo:", err)
		return 2
	}
	d := &demonstration{o: o, say: stdout, stderr: stderr}
	if o.json || strings.Contains(strings.ToLower(o.ui), "machineui") {
		d.say = stderr // the output is for a program
	}
	if err := d.open(); err != nil {
		fmt.Fprintln(stderr, "offloop demo:", err)
		return 1
	}
	defer d.peer.stop()
	code := d.run(stdout)
	d.where()
	return code
}

// demoOptions refuses what a demonstration cannot do.
func demoOptions(o *options) error {
	switch {
	case len(o.args) > 0:
		return fmt.Errorf("it takes no argument, so not %q", o.args[0])
	case o.config != "" || len(o.accounts) > 0:
		return fmt.Errorf("it has a configuration and an account of its own; leave out -c and -a")
	case o.dryRun || o.info:
		return fmt.Errorf("there would be nothing to see; leave out --dry-run and --info")
	}
	return nil
}

// open makes the directory, starts the server and loads the configuration. If
// it fails, nothing is left behind.
func (d *demonstration) open() (err error) {
	if d.dir, err = os.MkdirTemp("", "offloop-demo-"); err != nil {
		return err
	}
	fmt.Fprintf(d.say, "Starting a mail server on the loopback interface, with %d messages in %d folders…\n", demoMail, demoFolders)
	if d.peer, err = startDemoServer(d.dir); err == nil {
		if err = d.configure(); err != nil {
			d.peer.stop()
		}
	}
	if err != nil {
		_ = os.RemoveAll(d.dir)
	}
	return err
}

// demoConfig is the configuration, complete but for directory, port and
// password. autorefresh is in minutes: three seconds.
const demoConfig = `# The configuration that offloop demo ran with.
[general]
accounts = Demo
metadata = %[1]s/state

[Account Demo]
localrepository = Here
remoterepository = There
autorefresh = 0.05
utf8foldernames = yes

[Repository Here]
type = Maildir
localfolders = %[1]s/Mail
sep = /
mtime_from_date = yes

[Repository There]
type = IMAP
remotehost = 127.0.0.1
remoteport = %[2]d
remoteuser = %[3]s
remotepass = %[4]s
# No encryption: this server does not leave the machine.
ssl = no
starttls = no
`

func (d *demonstration) configure() error {
	over, err := overrides(d.o)
	if err != nil {
		return err
	}
	file := filepath.Join(d.dir, "offlineimaprc")
	text := fmt.Sprintf(demoConfig, strings.ReplaceAll(d.dir, "%", "%%"), d.peer.port, demoUser, d.peer.pass)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return err
	}
	cfg, problems, err := config.Load(file, over)
	for _, p := range problems {
		fmt.Fprintln(d.stderr, p)
	}
	if err == nil && (cfg == nil || len(cfg.Accounts) != 1 || len(cfg.Accounts[0].Refused) > 0) {
		err = fmt.Errorf("its configuration is refused: leave out -k")
	}
	d.cfg = cfg
	return err
}

func (d *demonstration) mail() string { return filepath.Join(d.dir, "Mail") }

// run runs both parts and compares the sides.
func (d *demonstration) run(stdout io.Writer) int {
	code := d.sync(d.o, d.live, stdout)
	if d.broken {
		return 1
	}
	if d.asked > 1 {
		fmt.Fprintln(d.say, "\nStopped at once: the two sides were not compared.")
		return 1
	}
	if d.screen {
		code = 0 // whatever was broken off by the key, the last round mends
	}
	if err := d.peer.hold(); err != nil {
		fmt.Fprintln(d.stderr, "offloop demo:", err)
		return 1
	}
	last := *d.o
	last.once = true
	if d.screen {
		last.ui = "quiet"
		fmt.Fprintln(d.say, "The server gets no more mail now; one last round…")
	}
	code = max(code, d.sync(&last, nil, stdout))
	if d.broken {
		return 1
	}
	equal, err := d.compare()
	switch {
	case err != nil:
		fmt.Fprintln(d.stderr, "offloop demo: the two sides cannot be compared:", err)
		return 1
	case !equal.Equal():
		fmt.Fprintf(d.say, "\nThe two sides are %s\n", equal)
		return max(code, 1)
	}
	fmt.Fprintf(d.say, "\nBoth sides are %s.\n", equal.Summary())
	return code
}

// sync is syncAll for one part; begin may add to what happens in it.
func (d *demonstration) sync(o *options, begin func(*program), stdout io.Writer) int {
	loop, err := reactor.New()
	if err != nil {
		return d.broke(err)
	}
	defer loop.Close()
	p := &program{loop: loop, cfg: d.cfg, o: o, started: loop.Now()}
	if p.front, err = newFront(p, stdout, d.stderr); err != nil {
		return d.broke(err)
	}
	defer p.front.rescue()
	p.prepare(d.cfg.Accounts)
	p.signals()
	loop.NextTurn(p.startNext)
	if begin != nil {
		begin(p)
	}
	if p.front.screen == nil {
		loop.CallLater(demoLimit, p.quit)
	}
	err = loop.Run()
	p.front.close()
	d.asked = max(d.asked, p.stop)
	if err != nil && err != errQuit {
		return d.broke(err)
	}
	p.totals(p.front.stdout)
	p.front.drain()
	return p.exitCode()
}

func (d *demonstration) broke(err error) int {
	d.broken = true
	fmt.Fprintln(d.stderr, "offloop demo:", err)
	return 1
}

// live is the part people look at. Without a screen it ends by itself.
func (d *demonstration) live(p *program) {
	d.screen = p.front.screen != nil
	p.show(ui.Event{Kind: "log", Account: demoAccount, Text: "The mail lies in " + d.mail() + ": change it with a mail reader and watch"})
	reader := &demoReader{root: d.mail()}
	reader.sit(p)
	if d.screen {
		return
	}
	span := demoLive
	if s, err := strconv.ParseFloat(os.Getenv(demoLiveEnv), 64); err == nil {
		span = time.Duration(s * float64(time.Second))
	}
	p.loop.CallLater(span, func() {
		for _, r := range p.runners {
			r.last = true
			r.wake()
		}
	})
}

// compare reads both sides to the last byte.
func (d *demonstration) compare() (verify.Report, error) {
	c, err := imapc.Dial(fmt.Sprintf("127.0.0.1:%d", d.peer.port), imapc.Options{User: demoUser, Pass: d.peer.pass})
	if err != nil {
		return verify.Report{}, err
	}
	defer c.Close()
	return verify.Check(c, d.mail(), verify.Options{Sep: "/", Dates: true})
}

// where says what is left, and what to do with it. Without any mail, nothing is.
func (d *demonstration) where() {
	if _, err := os.Stat(d.mail()); os.IsNotExist(err) {
		_ = os.RemoveAll(d.dir)
		return
	}
	inbox, all := shellWord(filepath.Join(d.mail(), "INBOX")), shellWord(d.dir)
	fmt.Fprintf(d.say, "The mail lies in %s\n\n", d.mail())
	fmt.Fprintf(d.say, "  mutt -f %s    reads it\n", inbox)
	fmt.Fprintf(d.say, "  rm -r %s    removes it\n\n", all)
	fmt.Fprintln(d.say, "The mail server has ended with the demonstration.")
}

// shellWord quotes a path for a shell, if it must be.
func shellWord(s string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("/._-+,@", r)
	}
	if s != "" && strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
