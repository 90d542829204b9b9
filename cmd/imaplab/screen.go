package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"offloop/cmd/internal/lab/dovecot"
	"offloop/cmd/internal/lab/gen"
)

// screenTest measures what the live screen costs an initial sync: the same sync
// with the screen and without, on one core, beside a real Dovecot.
type screenTest struct {
	offloop string
	srv     *dovecot.Server
	dir     string
	user    string
	runs    int
}

// screenRun is one sync.
type screenRun struct {
	name        string
	cols, rows  int
	bytesPerSec int // the terminal's; 0 = as fast as it can
	wall, cpu   time.Duration
	frames      string  // of offloop's own stats
	share       float64 // of the wall time, spent in the screen
	worstFrame  string
	keys        []time.Duration // from a key to its effect on the terminal
	output      int
}

// runScreen prints a table of runs.
func runScreen(ctx context.Context, args []string) error {
	f := flag.NewFlagSet("imaplab screen", flag.ContinueOnError)
	t := &screenTest{user: "screen"}
	f.StringVar(&t.offloop, "offloop", "./offloop", "the program to measure")
	f.IntVar(&t.runs, "repeat", 1, "runs of each kind; the fastest counts")
	fast := f.Bool("fast-only", false, "leave out the terminal that takes 2 kB a second")
	mail := mailFlags(f, 50000)
	if err := parse(f, args); err != nil {
		return err
	}
	var err error
	if t.offloop, err = filepath.Abs(t.offloop); err != nil {
		return err
	}
	if t.srv, err = dovecot.Start(dovecot.Options{}); err != nil {
		return err
	}
	defer t.srv.Stop()
	if t.dir, err = os.MkdirTemp("", "imaplab-screen-"); err != nil {
		return err
	}
	defer os.RemoveAll(t.dir)
	o := mail()
	if err := gen.New(o).FillDovecot(t.srv.Maildir(t.user)); err != nil {
		return err
	}
	if err := t.srv.Own(t.srv.Home(t.user)); err != nil {
		return err
	}
	// The first run is not counted: it lets Dovecot index the mail.
	if _, err := t.best(ctx, screenRun{name: "first"}, 1); err != nil {
		return err
	}
	fmt.Printf("| %d messages | terminal | wall s | CPU s | UI share of the time | frames | worst frame | worst key (of) |\n|---|---|---|---|---|---|---|---|\n", o.Messages)
	for _, r := range []screenRun{
		{name: "quiet"},
		{name: "dashboard", cols: 80, rows: 24},
		{name: "dashboard", cols: 200, rows: 60},
		{name: "dashboard", cols: 80, rows: 24, bytesPerSec: 2000},
		{name: "dashboard", cols: 200, rows: 60, bytesPerSec: 2000},
		{name: "quiet"},
	} {
		if *fast && r.bytesPerSec > 0 {
			continue
		}
		got, err := t.best(ctx, r, t.runs)
		if err != nil {
			return err
		}
		fmt.Println(got)
	}
	return nil
}

// best repeats a run and returns the fastest, with the worst key of them all.
func (t *screenTest) best(ctx context.Context, r screenRun, n int) (screenRun, error) {
	var best screenRun
	for i := range n {
		got, err := t.sync(ctx, r)
		if err != nil {
			return got, err
		}
		keys := append(best.keys, got.keys...)
		if i == 0 || got.wall < best.wall {
			best = got
		}
		best.keys = keys
	}
	return best, nil
}

// String is the run as a row of the table.
func (r screenRun) String() string {
	if r.cols == 0 {
		return fmt.Sprintf("| %s | | %.1f | %.1f | | | | |", r.name, r.wall.Seconds(), r.cpu.Seconds())
	}
	speed := "fast"
	if r.bytesPerSec > 0 {
		speed = fmt.Sprintf("%.0f kB/s", float64(r.bytesPerSec)/1000)
	}
	var worst time.Duration
	for _, k := range r.keys {
		worst = max(worst, k)
	}
	return fmt.Sprintf("| %s | %d×%d, %s | %.1f | %.1f | %.1f %% | %s | %s | %d ms (%d) |", r.name, r.cols, r.rows, speed, r.wall.Seconds(), r.cpu.Seconds(),
		r.share*100, r.frames, r.worstFrame, worst.Milliseconds(), len(r.keys))
}

// config writes a configuration with an empty Maildir and empty metadata.
func (t *screenTest) config() (string, error) {
	for _, d := range []string{"mail", "meta"} {
		if err := os.RemoveAll(filepath.Join(t.dir, d)); err != nil {
			return "", err
		}
	}
	file := filepath.Join(t.dir, "rc")
	return file, os.WriteFile(file, fmt.Appendf(nil, `[general]
accounts = Work
metadata = %[1]s/meta
[Account Work]
localrepository = Here
remoterepository = There
[Repository Here]
type = Maildir
localfolders = %[1]s/mail
[Repository There]
type = IMAP
remotehost = %[2]s
remoteport = %[3]d
remoteuser = %[4]s
remotepass = %[5]s
ssl = no
starttls = no
`, t.dir, t.srv.Host, t.srv.Port, t.user, dovecot.Password), 0o600)
}

var screenStats = regexp.MustCompile(`screen-frames=(\d+) screen-time=(\S+) worst-frame=(\S+)`)

// sync runs one sync from nothing, offloop on one core with one thread of Go's.
func (t *screenTest) sync(ctx context.Context, r screenRun) (screenRun, error) {
	rc, err := t.config()
	if err != nil {
		return r, err
	}
	ui := r.name
	if r.cols == 0 {
		ui = "quiet"
	}
	cmd := exec.CommandContext(ctx, "taskset", "-c", "0", t.offloop, "-c", rc, "-o", "-u", ui, "--stats")
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1", "TERM=xterm-256color", "LC_ALL=C.UTF-8", "NO_COLOR=")
	var out string
	if r.cols == 0 {
		began := time.Now()
		b, e := cmd.CombinedOutput()
		out, err, r.wall = string(b), e, time.Since(began)
	} else {
		out, err = onTerminal(cmd, &r)
	}
	if err != nil {
		return r, fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, out[max(0, len(out)-2000):])
	}
	r.cpu = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	r.output = len(out)
	if r.cols == 0 {
		return r, nil
	}
	m := screenStats.FindStringSubmatch(out)
	if m == nil {
		return r, errors.New("offloop printed no stats of its screen")
	}
	spent, err := time.ParseDuration(m[2])
	r.frames, r.worstFrame, r.share = m[1], m[3], spent.Seconds()/r.wall.Seconds()
	return r, err
}
