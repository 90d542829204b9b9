package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"offloop/cmd/offloop/internal/config"
	"offloop/ui"
)

// offloop status reads what a running offloop notes in a small file of each
// account's metadata: whole or not at all, at most every statusEvery, and at
// least every statusBeat, by which a reader knows that the process lives.
const (
	statusEvery = 2 * time.Second
	statusBeat  = 5 * time.Minute
)

// noter keeps the status files of a run.
type noter struct {
	p       *program
	model   *ui.Model // the screen's, or its own where there is none
	own     bool
	changed bool
	writing bool
	last    time.Time
}

// note begins noting; a run that changes nothing notes nothing.
func (p *program) note() {
	if p.o.dryRun || p.o.info || p.o.command == "check" {
		return
	}
	n := &noter{p: p}
	if p.front.screen != nil {
		n.model = p.front.screen.Model()
	} else {
		n.model, n.own = ui.NewModel(ui.Options{Scrollback: 1}), true
	}
	p.noter = n
	n.tick()
}

// event takes note of e.
func (n *noter) event(e ui.Event) {
	if n == nil {
		return
	}
	if n.own {
		n.model.Event(e)
	}
	n.changed = true
}

func (n *noter) tick() {
	now := n.p.loop.Now()
	if !n.writing && (n.changed || now.Sub(n.last) >= statusBeat) {
		n.changed, n.writing, n.last = false, true, now
		files := n.files(now)
		n.p.loop.Disk(func() { writeStatus(files) }, func() { n.writing = false })
	}
	n.p.loop.CallLater(statusEvery, n.tick)
}

// end notes what was at the end, without a process: it is over.
func (n *noter) end() {
	if n == nil {
		return
	}
	files := n.files(n.p.loop.Now())
	for i := range files {
		files[i].status.Pid = 0
	}
	writeStatus(files)
}

type statusFile struct {
	path   string
	status ui.Status
}

func statusPath(cfg *config.Config, acc *config.Account) string {
	return filepath.Join(cfg.Metadata, "offloop", fileSafe(acc.Name), "status.json")
}

func (n *noter) files(now time.Time) []statusFile {
	var out []statusFile
	for _, r := range n.p.runners {
		if s, ok := n.model.Status(r.acc.Name); ok && r.a != nil {
			s.Pid, s.Time = os.Getpid(), now.UTC().Truncate(time.Second)
			if r.paused && !r.a.Busy() {
				s.State = "paused"
			}
			out = append(out, statusFile{statusPath(n.p.cfg, r.acc), s})
		}
	}
	return out
}

// writeStatus writes the files; it belongs on the disk goroutine. What cannot be
// written is left out: the next one says more anyway.
func writeStatus(files []statusFile) {
	for _, f := range files {
		if b, err := json.Marshal(f.status); err == nil {
			_ = replaceFile(f.path, append(b, '\n'), false)
		}
	}
}

// showStatus prints what the running offloop does with each account: for people,
// or with --json an object a line. It returns 0 if one is running, else 1.
func showStatus(cfg *config.Config, accounts []*config.Account, o *options, now time.Time, stdout, stderr io.Writer) int {
	code := 1
	for _, acc := range accounts {
		s, running, err := readStatus(statusPath(cfg, acc), now)
		if err != nil {
			fmt.Fprintf(stderr, "offloop: account %s: %v\n", acc.Name, err)
			continue
		}
		if running {
			code = 0
		}
		s.Account = acc.Name
		if o.json {
			b, err := json.Marshal(struct {
				Running bool `json:"running"`
				ui.Status
			}{running, s})
			if err != nil {
				fmt.Fprintln(stderr, "offloop:", err)
				continue
			}
			fmt.Fprintf(stdout, "%s\n", b)
			continue
		}
		printStatus(stdout, s, running, now)
	}
	return code
}

// readStatus reads a status file and judges whether its process still lives: it
// is there, and has written not long ago.
func readStatus(path string, now time.Time) (s ui.Status, running bool, err error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return s, false, nil
	}
	if err == nil {
		err = json.Unmarshal(b, &s)
	}
	if err != nil {
		return s, false, fmt.Errorf("%s: %w", path, err)
	}
	if s.Pid > 0 && now.Sub(s.Time) < 2*statusBeat+time.Minute {
		err := syscall.Kill(s.Pid, 0)
		running = err == nil || err == syscall.EPERM
	}
	return s, running, nil
}

func printStatus(w io.Writer, s ui.Status, running bool, now time.Time) {
	when := func(t time.Time) string {
		if now.Sub(t) > 20*time.Hour {
			return t.Local().Format("2006-01-02 15:04")
		}
		return t.Local().Format("15:04:05")
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s: ", ui.Safe(s.Account))
	switch {
	case s.Time.IsZero():
		b.WriteString("never synced by offloop")
	case !running && s.Pid > 0 && s.State == "syncing":
		b.WriteString("not running; it was stopped in the middle of a sync at " + when(s.Time))
	case !running && s.Last.IsZero():
		b.WriteString("not running; no sync has ended yet")
	case !running:
		b.WriteString("not running; the last sync ended at " + when(s.Last))
	default:
		fmt.Fprintf(&b, "%s (pid %d)", s.State, s.Pid)
		if s.State == "syncing" && s.Folders > 0 {
			fmt.Fprintf(&b, ", folder %d of %d", s.Seen, s.Folders)
		}
		if s.State == "syncing" && s.Folder != "" {
			b.WriteString(", " + ui.Safe(s.Folder))
			if s.Total > 0 {
				fmt.Fprintf(&b, " %d of %d", s.N, s.Total)
			}
		}
		if !s.Last.IsZero() {
			b.WriteString(", last " + when(s.Last))
		}
		if !s.Next.IsZero() {
			b.WriteString(", next " + when(s.Next))
		}
	}
	b.WriteByte('\n')
	if c := s.Round; c != (ui.Counts{}) {
		fmt.Fprintf(&b, "  this round: %d downloaded, %d uploaded, %d flags, %d deletes\n", c.Downloaded, c.Uploaded, c.Flags, c.Deleted)
	}
	for _, n := range s.Needs {
		fmt.Fprintf(&b, "  ! %s\n", ui.Safe(n))
	}
	if s.Error != "" {
		fmt.Fprintf(&b, "  %s\n", ui.Safe(s.Error))
	}
	io.WriteString(w, b.String())
}
