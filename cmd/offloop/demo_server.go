package main

import (
	"bufio"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"offloop/cmd/internal/lab/gen"
	"offloop/cmd/internal/lab/imapc"
	"offloop/cmd/internal/lab/memserver"
)

// demoServerCommand is the word that makes this program the demonstration's
// mail server. Nobody types it: demo starts it.
const demoServerCommand = "demo-server"

const (
	demoUser    = "demo"
	demoMail    = 300 // messages the server begins with
	demoFolders = 16
	// demoPatience is how long the two processes wait for each other.
	demoPatience = 30 * time.Second
)

// demoServer is the server's process. It is spoken to over its standard input
// and answers on its standard output, line by line:
//
//	<- the password
//	-> port N           it is filled and listens on the loopback interface
//	<- hold
//	-> held             nothing changes any more, except what clients change
//
// At the end of its input, which comes when the demonstration ends or dies, it
// exits. It is a process of its own because go-imap's server lives on
// goroutines and locks, which this program does without.
func demoServer(_ []string, stdout, stderr io.Writer) int {
	// ctrl-c on the terminal is for the demonstration; its end is ours.
	signal.Ignore(syscall.SIGINT, syscall.SIGHUP)
	in := bufio.NewScanner(os.Stdin)
	if !in.Scan() {
		return 0
	}
	pass := in.Text()
	s, err := memserver.Start(memserver.Options{User: demoUser, Pass: pass})
	if err != nil {
		fmt.Fprintln(stderr, "offloop demo-server:", err)
		return 1
	}
	defer s.Stop()
	w, err := newDemoWorld(s.Addr(), pass)
	if err == nil {
		fmt.Fprintln(stdout, "port", s.Port())
		err = w.live(in, stdout)
	}
	if err != nil {
		fmt.Fprintln(stderr, "offloop demo-server:", err)
		return 1
	}
	return 0
}

// demoWorld is everybody who writes to the account, and its owner's other mail
// reader.
type demoWorld struct {
	c *imapc.Client
	n int // seconds it has been alive
}

func newDemoWorld(addr, pass string) (*demoWorld, error) {
	c, err := imapc.Dial(addr, imapc.Options{User: demoUser, Pass: pass})
	if err != nil {
		return nil, err
	}
	a := gen.New(gen.Options{Seed: 1, Messages: demoMail, Folders: demoFolders, Median: 3000, Mean: 6000, MaxSize: 100_000, SafeNames: true, Keywords: true})
	return &demoWorld{c: c}, a.FillIMAP(c)
}

// live changes the account every second, until told to hold.
func (w *demoWorld) live(in *bufio.Scanner, stdout io.Writer) error {
	lines := make(chan string)
	go func() {
		for in.Scan() {
			lines <- in.Text()
		}
		close(lines)
	}()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case line, more := <-lines:
			switch {
			case !more:
				return nil
			case line == "hold":
				tick.Stop()
				fmt.Fprintln(stdout, "held")
			}
		case now := <-tick.C:
			if err := w.second(now); err != nil {
				return err
			}
		}
	}
}

// arrivals are where mail arrives and what it is about, over and over.
var arrivals = []struct{ folder, from, subject string }{
	{"INBOX", "Ada Lovelace", "Notes on the engine"},
	{"INBOX", "Zoë Čapek", "Café tomorrow?"},
	{"Lists/日本語", "山田太郎", "Re: 新しい予定"},
	{"INBOX", "Grace Hopper", "Found a moth"},
	{"Work/Größe und Été", "Jürgen Müller", "Budget, second draft"},
	{"Travel/Été à Kyōto 京都", "Railway office", "Your seat reservation"},
	{"Lists/golang-nuts", "Bob", "Re: one goroutine is enough"},
}

// second makes new mail, and now and then reads, flags and deletes some.
func (w *demoWorld) second(now time.Time) error {
	n := w.n
	w.n++
	a := arrivals[n%len(arrivals)]
	if n == 5 {
		if err := w.c.Create(a.folder); err != nil {
			return err
		}
	}
	body := fmt.Sprintf("From: %q <someone@example.org>\nTo: \"You\" <you@example.org>\nSubject: %s (%d)\nDate: %s\nMessage-ID: <%d.%d@demo.example>\n"+
		"MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n\nThis message has just arrived.\n\n-- \n%s\n",
		a.from, a.subject, n+1, now.Format(time.RFC1123Z), now.UnixNano(), n, a.from)
	if _, err := w.c.Append(a.folder, imapc.Upload{Date: now, Body: []byte(strings.ReplaceAll(body, "\n", "\r\n"))}); err != nil {
		return err
	}
	switch n % 6 {
	case 1:
		return w.pick("INBOX", "UNSEEN", func(uid string) error { return w.c.Store(uid, "+", `\Seen`) })
	case 3:
		return w.pick("INBOX", "UNFLAGGED", func(uid string) error { return w.c.Store(uid, "+", `\Flagged`) })
	case 5:
		return w.pick("Archive", "SEEN", w.c.Expunge)
	}
	return nil
}

// pick does something to one message in the middle of what a search finds, if
// anything: most likely the Maildir has it already.
func (w *demoWorld) pick(folder, search string, do func(uid string) error) error {
	if _, err := w.c.Select(folder); err != nil {
		return err
	}
	uids, err := w.c.Search(search)
	if err == nil && len(uids) > 0 {
		err = do(fmt.Sprint(uids[len(uids)/2]))
	}
	if err != nil {
		return err
	}
	return w.c.Unselect()
}

// demoPeer is the server's process as the demonstration sees it. Its calls
// block: no loop runs while they are made.
type demoPeer struct {
	cmd     *exec.Cmd
	in, out *os.File
	lines   *bufio.Reader
	log     string // file with what it had to complain about
	port    int
	pass    string
}

// startDemoServer starts this program once more, as the server.
func startDemoServer(dir string) (*demoPeer, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	log, err := os.Create(filepath.Join(dir, "server.log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	childIn, in, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer childIn.Close()
	out, childOut, err := os.Pipe()
	if err != nil {
		in.Close()
		return nil, err
	}
	defer childOut.Close()
	p := &demoPeer{cmd: exec.Command(self, demoServerCommand), in: in, out: out, lines: bufio.NewReader(out), log: log.Name(), pass: rand.Text()}
	p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = childIn, childOut, log
	if err := p.cmd.Start(); err != nil {
		in.Close()
		out.Close()
		return nil, err
	}
	answer, err := p.ask(p.pass)
	if err == nil {
		_, err = fmt.Sscanf(answer, "port %d", &p.port)
	}
	if err != nil {
		p.stop()
		return nil, err
	}
	return p, nil
}

// ask says a line to the server and returns the line it answers.
func (p *demoPeer) ask(line string) (string, error) {
	if err := p.out.SetReadDeadline(time.Now().Add(demoPatience)); err != nil {
		return "", err
	}
	if _, err := io.WriteString(p.in, line+"\n"); err != nil {
		return "", p.failed(err)
	}
	answer, err := p.lines.ReadString('\n')
	if err != nil {
		return "", p.failed(err)
	}
	return strings.TrimSpace(answer), nil
}

// failed puts the server's last words in front of our own.
func (p *demoPeer) failed(err error) error {
	if b, rerr := os.ReadFile(p.log); rerr == nil && len(b) > 0 {
		return errors.New(strings.TrimSpace(string(b)))
	}
	return fmt.Errorf("the demonstration's mail server does not answer: %w", err)
}

// hold makes the server change nothing any more by itself.
func (p *demoPeer) hold() error {
	answer, err := p.ask("hold")
	if err == nil && answer != "held" {
		err = fmt.Errorf("the demonstration's mail server said %q", answer)
	}
	return err
}

// stop ends the server, by force if it does not go.
func (p *demoPeer) stop() {
	p.in.Close()
	if err := p.out.SetReadDeadline(time.Now().Add(2 * time.Second)); err == nil {
		// The error is the point: the end of its output, or of our patience.
		_, _ = io.Copy(io.Discard, p.lines)
	}
	p.out.Close()
	_ = p.cmd.Process.Kill() // fails if it has gone, as it should
	_ = p.cmd.Wait()
	if st, err := os.Stat(p.log); err == nil && st.Size() == 0 {
		_ = os.Remove(p.log)
	}
}
