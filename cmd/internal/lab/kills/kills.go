// Package kills kills synchronisers at random moments, starts them again at once
// and counts the mail that was lost or doubled: the same for offloop, mbsync and
// OfflineIMAP.
package kills

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"offloop/cmd/internal/lab/dovecot"
	"offloop/cmd/internal/lab/imapc"
	"offloop/cmd/internal/lab/peers"
	"offloop/cmd/internal/lab/proxy"
	"offloop/cmd/internal/lab/verify"
)

// Options say what is killed, and how often.
type Options struct {
	Tool     peers.Tool
	Server   *dovecot.Server
	Dir      string // for the accounts' files
	Kills    int
	Seed     uint64
	Parallel int // accounts at one time; default 4
}

// Result is what came of it.
type Result struct {
	Tool            string
	Kills, InUpload int
	Early           int // runs that ended before they could be killed
	Messages        int // that had to be on both sides, once
	Lost, Doubled   int // missing on a side; copies too many, on the server
	Refused         int // accounts the tool did not want to go on with (exit status)
	First           string
}

// String is the one-line summary.
func (r Result) String() string {
	s := fmt.Sprintf("%s: %d kills (%d in uploads, %d runs ended first), %d messages: %d lost, %d doubled", r.Tool, r.Kills, r.InUpload, r.Early, r.Messages, r.Lost, r.Doubled)
	if r.Refused > 0 {
		s += fmt.Sprintf("; %d last runs failed", r.Refused)
	}
	return s
}

const (
	perAccount = 50 // kills; then another account, so that folders stay small
	perBatch   = 10 // kills in a row before a run may end
)

var folders = []string{"INBOX", "Work", "Lists"}

// Run kills Options.Kills runs.
func Run(ctx context.Context, o Options) (Result, error) {
	sum := Result{Tool: o.Tool.Name}
	var mu sync.Mutex
	var wg sync.WaitGroup
	var failed error
	room := make(chan struct{}, max(1, o.Parallel))
	for i := 0; i*perAccount < o.Kills; i++ {
		room <- struct{}{}
		wg.Go(func() {
			defer func() { <-room }()
			a := &account{o: o, r: rand.New(rand.NewPCG(o.Seed, uint64(i))), book: map[id]bool{}, user: fmt.Sprintf("k-%s-%d-%d", o.Tool.Name, o.Seed, i)}
			err := a.run(ctx, min(perAccount, o.Kills-i*perAccount))
			mu.Lock()
			defer mu.Unlock()
			sum.add(a.res)
			if err != nil && failed == nil {
				failed = fmt.Errorf("%s: account %d of seed %d: %w", o.Tool.Name, i, o.Seed, err)
			}
		})
	}
	wg.Wait()
	return sum, failed
}

func (r *Result) add(o Result) {
	r.Kills += o.Kills
	r.InUpload += o.InUpload
	r.Early += o.Early
	r.Messages += o.Messages
	r.Lost += o.Lost
	r.Doubled += o.Doubled
	r.Refused += o.Refused
	if r.First == "" {
		r.First = o.First
	}
}

type id = [sha256.Size]byte

// account is one user's mail and the book of what must be there.
type account struct {
	o      Options
	r      *rand.Rand
	user   string
	job    *peers.Job
	upload *appendWatch
	next   int
	book   map[id]bool
	length time.Duration
	res    Result
}

// appendWatch reads the proxy's transcript and tells when an upload has begun.
type appendWatch struct{ seen atomic.Bool }

func (w *appendWatch) Write(p []byte) (int, error) {
	if bytes.Contains(p, []byte(" C: ")) && bytes.Contains(p, []byte("APPEND ")) {
		w.seen.Store(true)
	}
	return len(p), nil
}

func (a *account) run(ctx context.Context, kills int) error {
	a.upload = &appendWatch{}
	// Slow enough for a kill to find an upload under way.
	p, err := proxy.Start(proxy.Options{Target: a.o.Server.Addr(), RTT: 4 * time.Millisecond, Bandwidth: 600_000, Transcript: a.upload})
	if err != nil {
		return err
	}
	defer p.Close()
	a.job, err = a.o.Tool.Setup(filepath.Join(a.o.Dir, a.user), peers.Account{Host: "127.0.0.1", Port: p.Port(), User: a.user, Pass: dovecot.Password, FSync: true})
	if err != nil {
		return err
	}
	c, err := imapc.Dial(a.o.Server.Addr(), imapc.Options{User: a.user, Pass: dovecot.Password})
	if err != nil {
		return err
	}
	defer c.Close()
	for _, f := range folders[1:] {
		if err := c.Create(f); err != nil {
			return err
		}
	}
	if err := a.there(c, 40); err != nil {
		return err
	}
	if u, err := a.job.Run(ctx); err != nil || u.Exit != 0 {
		return fmt.Errorf("the first run: exit status %d, %v\n%s", u.Exit, err, u.Output)
	}
	if err := a.measure(ctx, c); err != nil {
		return err
	}
	for a.res.Kills < kills && ctx.Err() == nil {
		if err := a.batch(ctx, c, min(perBatch, kills-a.res.Kills)); err != nil {
			return err
		}
	}
	return a.count(c)
}

// measure learns how long an uninterrupted run of such changes takes.
func (a *account) measure(ctx context.Context, c *imapc.Client) error {
	if err := a.there(c, 4); err != nil {
		return err
	}
	if err := a.here(10); err != nil {
		return err
	}
	u, err := a.job.Run(ctx)
	if err != nil || u.Exit != 0 {
		return fmt.Errorf("an uninterrupted run: exit status %d, %v\n%s", u.Exit, err, u.Output)
	}
	a.length = u.Wall
	return nil
}

// batch kills n runs in a row, each started at once after the one before, with
// more mail on both sides; then it lets the tool come to an end.
func (a *account) batch(ctx context.Context, c *imapc.Client, n int) error {
	for killed, try := 0, 0; killed < n && try < 3*n; try++ {
		if err := a.there(c, a.r.IntN(8)); err != nil {
			return err
		}
		if err := a.here(4 + a.r.IntN(12)); err != nil {
			return err
		}
		inUpload, early, err := a.kill(ctx)
		if err != nil {
			return err
		}
		if early {
			a.res.Early++
			continue
		}
		killed++
		a.res.Kills++
		if inUpload {
			a.res.InUpload++
		}
	}
	var last peers.Usage
	for range 5 {
		u, err := a.job.Run(ctx)
		if err != nil {
			return err
		}
		if last = u; u.Exit == 0 {
			return nil
		}
	}
	a.res.Refused++
	if a.res.First == "" {
		a.res.First = last.Output
	}
	return nil
}

// kill starts the tool and kills it: two times in three in its uploads, else at
// any moment.
func (a *account) kill(ctx context.Context) (inUpload, early bool, err error) {
	a.upload.seen.Store(false)
	run, stop := context.WithCancel(ctx)
	defer stop()
	type end struct {
		u   peers.Usage
		err error
	}
	ended := make(chan end, 1)
	go func() { u, err := a.job.Run(run); ended <- end{u, err} }()
	wait := time.Duration(a.r.Int64N(int64(a.length)))
	if a.r.IntN(3) > 0 {
		for began := time.Now(); !a.upload.seen.Load() && time.Since(began) < 2*a.length && len(ended) == 0; {
			time.Sleep(time.Millisecond)
		}
		wait = time.Duration(a.r.Int64N(int64(a.length/2) + 1))
	}
	select {
	case e := <-ended:
		return false, true, e.err
	case <-time.After(wait):
	}
	inUpload = a.upload.seen.Load()
	stop()
	e := <-ended
	if ctx.Err() != nil {
		return false, false, ctx.Err()
	}
	return inUpload, e.u.Exit >= 0, nil
}

func (a *account) message() []byte {
	a.next++
	size := 200 + a.r.IntN(4000)
	if a.r.IntN(20) == 0 {
		size = 80_000
	}
	head := fmt.Sprintf("From: a@example\r\nTo: b@example\r\nSubject: message %d\r\nMessage-ID: <%s.%d@lab.example>\r\nDate: Mon, 02 Feb 2026 10:00:00 +0000\r\n\r\n", a.next, a.user, a.next)
	b := []byte(head + strings.Repeat("All work and no play makes a dull mailbox.\r\n", size/44+1))
	a.book[sha256.Sum256(b)] = true
	return b
}

func (a *account) there(c *imapc.Client, n int) error {
	for range n {
		if _, err := c.Append(folders[a.r.IntN(len(folders))], imapc.Upload{Body: a.message()}); err != nil {
			return err
		}
	}
	return nil
}

// here delivers into the Maildir as an MDA does.
func (a *account) here(n int) error {
	for range n {
		b := bytes.ReplaceAll(a.message(), []byte("\r\n"), []byte("\n"))
		dir := filepath.Join(a.job.Maildir, folders[a.r.IntN(len(folders))])
		name := fmt.Sprintf("%d.M%dP%d.lab", time.Now().Unix(), a.next, os.Getpid())
		if err := os.WriteFile(filepath.Join(dir, "tmp", name), b, 0o600); err != nil {
			return err
		}
		if err := os.Rename(filepath.Join(dir, "tmp", name), filepath.Join(dir, "new", name)); err != nil {
			return err
		}
	}
	return nil
}

// count compares both sides with the book.
func (a *account) count(c *imapc.Client) error {
	server, err := verify.ReadServer(c, a.o.Tool.Verify)
	if err != nil {
		return err
	}
	local, err := verify.ReadMaildir(a.job.Maildir, a.o.Tool.Verify)
	if err != nil {
		return err
	}
	copies := func(t verify.Tree) map[id]int {
		n := map[id]int{}
		for _, f := range t {
			for _, m := range f.Messages {
				n[m.Sum]++
			}
		}
		return n
	}
	s, l := copies(server), copies(local)
	a.res.Messages = len(a.book)
	for m := range a.book {
		if s[m] == 0 || l[m] == 0 {
			a.res.Lost++
		}
		a.res.Doubled += max(0, s[m]-1)
	}
	return nil
}
