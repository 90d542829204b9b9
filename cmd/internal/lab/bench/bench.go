// Package bench runs synchronisers side by side: one server, the same mail,
// the same changes, the same line, and prints medians and their ratios to
// mbsync.
package bench

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"offloop/cmd/internal/lab/dovecot"
	"offloop/cmd/internal/lab/gen"
	"offloop/cmd/internal/lab/imapc"
	"offloop/cmd/internal/lab/mutate"
	"offloop/cmd/internal/lab/peers"
	"offloop/cmd/internal/lab/proxy"
	"offloop/cmd/internal/lab/verify"
)

// Options say what is run.
type Options struct {
	Workload   string       // its name, for the table
	Tools      []peers.Tool // those not installed are left out, with a word
	Phases     []string     // names of Phases; nil = all
	RTTs       []time.Duration
	Bandwidth  int64 // bytes a second; 0 = unlimited
	Repeat     int   // default 3
	Mail       gen.Options
	Server     dovecot.Options
	TLS        bool
	Direct     bool          // no proxy: no flights, no bytes (RTT 0 only)
	FSync      bool          // the tools flush what they store
	Verify     bool          // compare both sides after each phase
	RunTimeout time.Duration // for each run of a tool; default 10 min
	// Pause before each unmeasured run; default 2.5 s. Directory times younger
	// than that prove nothing to a tool that goes by them, and between a
	// person's runs they always are older.
	Pause time.Duration
	Keep  string    // directory for the tools' files; "" = temporary
	Log   io.Writer // progress; nil = none
}

// Run is one measured run of a tool.
type Run struct {
	Workload    string  `json:"workload,omitempty"`
	Tool        string  `json:"tool"`
	Phase       string  `json:"phase"`
	RTT         float64 `json:"rtt_ms"`
	Repetition  int     `json:"repetition"`
	Wall        float64 `json:"wall_s"`
	User        float64 `json:"user_s"`
	Sys         float64 `json:"sys_s"`
	RSS         int64   `json:"rss_bytes"`
	Flights     int     `json:"flights"` // from the greeting on
	Connections int     `json:"connections"`
	Up          int64   `json:"bytes_up"`
	Down        int64   `json:"bytes_down"`
	Waited      float64 `json:"waited_s"`
	LongestTurn float64 `json:"longest_turn_ms,omitempty"`
	Exit        int     `json:"exit"`
	Outcome     string  `json:"outcome,omitempty"` // of the comparison
	Error       string  `json:"error,omitempty"`
}

// bencher is one benchmark under way.
type bencher struct {
	o      Options
	server *dovecot.Server
	dir    string
	runs   []Run
}

// Do runs the benchmark. What was measured before an error is returned too.
func Do(ctx context.Context, o Options) ([]Run, error) {
	if err := o.defaults(); err != nil {
		return nil, err
	}
	b := &bencher{o: o, dir: o.Keep}
	if b.dir == "" {
		d, err := os.MkdirTemp("", "lab-bench-")
		if err != nil {
			return nil, err
		}
		defer os.RemoveAll(d)
		b.dir = d
	}
	s, err := dovecot.Start(o.Server)
	if err != nil {
		return nil, err
	}
	defer s.Stop()
	b.server = s
	b.logf("filling %d messages into %d folders", o.Mail.Messages, o.Mail.Folders)
	if err := b.template(); err != nil {
		return nil, err
	}
	for rep := 1; rep <= o.Repeat; rep++ {
		for _, rtt := range o.RTTs {
			for _, t := range o.Tools {
				if err := b.tool(ctx, t, rtt, rep); err != nil {
					return b.runs, err
				}
			}
		}
	}
	return b.runs, nil
}

func (o *Options) defaults() error {
	if o.Repeat == 0 {
		o.Repeat = 3
	}
	if o.RunTimeout == 0 {
		o.RunTimeout = 10 * time.Minute
	}
	if o.Pause == 0 {
		o.Pause = 2500 * time.Millisecond
	}
	if len(o.RTTs) == 0 {
		o.RTTs = []time.Duration{0}
	}
	if o.Direct && (len(o.RTTs) > 1 || o.RTTs[0] != 0 || o.Bandwidth != 0) {
		return fmt.Errorf("without the proxy there is no RTT and no bandwidth limit")
	}
	if o.Server.Format == dovecot.Sdbox || o.Server.Format == dovecot.MaildirPP {
		return fmt.Errorf("the benchmark fills the server's %s layout only", dovecot.MaildirFS)
	}
	o.Tools = slices.DeleteFunc(slices.Clone(o.Tools), func(t peers.Tool) bool {
		if !t.Available() && o.Log != nil {
			fmt.Fprintf(o.Log, "%s: %s is not there; left out\n", t.Name, t.Binary)
		}
		return !t.Available()
	})
	if len(o.Tools) == 0 {
		return fmt.Errorf("none of the tools is installed")
	}
	for _, p := range o.Phases {
		if !slices.ContainsFunc(Phases, func(q Phase) bool { return q.Name == p }) {
			return fmt.Errorf("no phase %q", p)
		}
	}
	return nil
}

func (b *bencher) logf(format string, a ...any) {
	if b.o.Log != nil {
		fmt.Fprintf(b.o.Log, time.Now().Format("15:04:05 ")+format+"\n", a...)
	}
}

const templateUser = "template"

// template fills the account that every tool gets a copy of, and lets
// Dovecot index it.
func (b *bencher) template() error {
	a := gen.New(b.o.Mail)
	if err := a.FillDovecot(b.server.Maildir(templateUser)); err != nil {
		return err
	}
	if err := b.server.Own(b.server.Home(templateUser)); err != nil {
		return err
	}
	return b.warm(templateUser)
}

// warm opens every folder once, so that no tool pays for Dovecot's indexes.
func (b *bencher) warm(user string) error {
	c, err := b.dial(user)
	if err != nil {
		return err
	}
	defer c.Logout()
	boxes, err := c.List()
	if err != nil {
		return err
	}
	for _, m := range boxes {
		if !m.Selectable() {
			continue
		}
		s, err := c.Examine(m.Name)
		if err != nil {
			return err
		}
		if s.Exists == 0 {
			continue
		}
		err = c.Fetch("1:*", "(UID FLAGS INTERNALDATE RFC822.SIZE)", nil, func(imapc.Message) error { return nil })
		if err != nil {
			return err
		}
	}
	return nil
}

func (b *bencher) dial(user string) (*imapc.Client, error) {
	return imapc.Dial(b.server.Addr(), imapc.Options{User: user, Pass: dovecot.Password, Timeout: 5 * time.Minute})
}

// bout is one tool's way through the phases.
type bout struct {
	b     *bencher
	job   *peers.Job
	line  *proxy.Proxy // nil when direct
	rtt   time.Duration
	rep   int
	user  string
	label string
}

// tool is one tool's turn. Nothing is removed before the end of all: for some minutes
// after that, ext4 steps over each inode that became free, and whoever makes files next
// pays for it with several times the processor's time.
func (b *bencher) tool(ctx context.Context, t peers.Tool, rtt time.Duration, rep int) error {
	user := fmt.Sprintf("%s-%dms-%d", t.Name, rtt.Milliseconds(), rep)
	if err := b.server.CopyUser(templateUser, user); err != nil {
		return err
	}
	if err := b.warm(user); err != nil {
		return err
	}
	x := &bout{b: b, rtt: rtt, rep: rep, user: user, label: fmt.Sprintf("%-13s RTT %v, run %d", t.Name, rtt, rep)}
	host, port := "127.0.0.1", b.server.Port
	target := b.server.Addr()
	if b.o.TLS {
		host, port, target = "localhost", b.server.TLSPort, b.server.TLSAddr()
	}
	if !b.o.Direct {
		p, err := proxy.Start(proxy.Options{Target: target, RTT: rtt, Bandwidth: b.o.Bandwidth})
		if err != nil {
			return err
		}
		defer p.Close()
		x.line, port = p, p.Port()
	}
	local := user + "-local"
	job, err := t.Setup(filepath.Join(b.dir, user), peers.Account{
		Host: host, Port: port, User: user, Pass: dovecot.Password, TLS: b.o.TLS, CAFile: b.server.CAFile, FSync: b.o.FSync,
		LocalUser: local, LocalCommand: b.server.Preauth(local, "-o", "mail_fsync="+map[bool]string{true: "optimized", false: "never"}[b.o.FSync]),
	})
	if err != nil {
		return err
	}
	x.job = job
	return x.phases(ctx)
}

func (x *bout) phases(ctx context.Context) error {
	for _, p := range Phases {
		if len(x.b.o.Phases) > 0 && p.Name != "initial" && !slices.Contains(x.b.o.Phases, p.Name) {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if p.Settle {
			time.Sleep(x.b.o.Pause)
			if _, err := x.run(ctx); err != nil {
				return fmt.Errorf("%s, before %s: %w", x.label, p.Name, err)
			}
		}
		if err := x.change(p); err != nil {
			return fmt.Errorf("%s, changes for %s: %w", x.label, p.Name, err)
		}
		r := x.measure(ctx, p)
		x.b.runs = append(x.b.runs, r)
		x.b.logf("%s, %-13s %7.2f s, %4d flights, %5.1f MB RSS %s%s", x.label, p.Name, r.Wall, r.Flights, float64(r.RSS)/1e6, r.Outcome, r.Error)
		if p.Name == "initial" && x.rtt == 0 && !x.job.Tool.LocalIMAP {
			x.copyTree()
			x.drain()
		}
		if r.Error != "" {
			return nil // the tool's next phases would measure nothing
		}
	}
	return nil
}

// change makes a phase's changes.
func (x *bout) change(p Phase) error {
	if p.Server != nil {
		c, err := x.b.dial(x.user)
		if err != nil {
			return err
		}
		defer c.Logout()
		if _, err := mutate.Server(c, x.with(*p.Server)); err != nil {
			return err
		}
	}
	if p.Local == nil {
		return nil
	}
	o := x.with(*p.Local)
	if !x.job.Tool.LocalIMAP {
		_, err := mutate.Maildir(x.job.Maildir, "/", o)
		return err
	}
	c, err := x.b.dial(x.job.Account.LocalUser)
	if err != nil {
		return err
	}
	defer c.Logout()
	_, err = mutate.Server(c, o)
	return err
}

// with gives the changes the size of mail this benchmark is about.
func (x *bout) with(o mutate.Options) mutate.Options {
	o.Mail = x.b.o.Mail
	return o
}

func (x *bout) run(ctx context.Context) (peers.Usage, error) {
	ctx, cancel := context.WithTimeout(ctx, x.b.o.RunTimeout)
	defer cancel()
	return x.job.Run(ctx)
}

func (x *bout) measure(ctx context.Context, p Phase) Run {
	// What earlier work left unwritten must not be paid for by this run.
	syscall.Sync()
	if x.line != nil {
		x.line.ResetCounts()
	}
	u, err := x.run(ctx)
	r := Run{Workload: x.b.o.Workload, Tool: x.job.Tool.Name, Phase: p.Name, RTT: float64(x.rtt) / 1e6, Repetition: x.rep,
		Wall: u.Wall.Seconds(), User: u.User.Seconds(), Sys: u.Sys.Seconds(), RSS: u.MaxRSS, Exit: u.Exit}
	if x.line != nil {
		n := x.line.Counts()
		r.Flights, r.Connections, r.Up, r.Down, r.Waited = n.Commands, n.Connections, n.Up, n.Down, n.Waited.Seconds()
	}
	if d, perr := time.ParseDuration(u.Stats["longest-turn"]); perr == nil {
		r.LongestTurn = float64(d) / 1e6
	}
	switch {
	case err != nil:
		r.Error = err.Error()
	case u.Exit != 0:
		r.Outcome = fmt.Sprintf("exit %d; ", u.Exit)
		x.b.logf("%s, %s: exit %d\n%s", x.label, p.Name, u.Exit, u.Output)
	}
	if x.b.o.Verify && r.Error == "" && p.Name != "unchanged" {
		r.Outcome += x.compare()
	}
	return r
}

// compare verifies both sides as far as the tool goes.
func (x *bout) compare() string {
	c, err := x.b.dial(x.user)
	if err != nil {
		return err.Error()
	}
	defer c.Logout()
	o := x.job.Tool.Verify
	if !x.job.Tool.LocalIMAP {
		r, err := verify.Check(c, x.job.Maildir, o)
		if err != nil {
			return err.Error()
		}
		return r.Summary()
	}
	l, err := x.b.dial(x.job.Account.LocalUser)
	if err != nil {
		return err.Error()
	}
	defer l.Logout()
	server, err := verify.ReadServer(c, o)
	if err != nil {
		return err.Error()
	}
	local, err := verify.ReadServer(l, o)
	if err != nil {
		return err.Error()
	}
	o.AnyNames, o.AllKeywords = true, true
	return verify.Compare(server, local, o).Summary()
}

// copyTree measures the floor: cp -r of the tree that was just made, and
// sync.
func (x *bout) copyTree() {
	to := x.job.Dir + "-copy"
	syscall.Sync()
	began := time.Now()
	if err := exec.Command("cp", "-r", x.job.Maildir, to).Run(); err != nil {
		return
	}
	syscall.Sync()
	x.b.runs = append(x.b.runs, Run{Workload: x.b.o.Workload, Tool: "cp -r; sync (" + x.job.Tool.Name + ")", Phase: "initial", RTT: 0, Repetition: x.rep, Wall: time.Since(began).Seconds()})
}
