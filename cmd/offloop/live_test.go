package main

import (
	"bytes"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"testing"
	"time"
)

// live is an offloop that goes on running.
type live struct {
	t    testing.TB
	cmd  *exec.Cmd
	mu   sync.Mutex
	buf  bytes.Buffer
	over bool
}

func (p *live) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.buf.Write(b)
}

// keepRunning runs offloop until stop.
func (m *mailbox) keepRunning(args ...string) *live {
	m.t.Helper()
	p := &live{t: m.t, cmd: exec.Command(binary, append([]string{"-c", m.config, "-u", "basic", "--stats"}, args...)...)}
	p.cmd.Stdout, p.cmd.Stderr = p, p
	if err := p.cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() {
		if !p.over {
			p.cmd.Process.Kill()
			p.cmd.Wait()
		}
	})
	return p
}

func (p *live) output() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.buf.String()
}

// until waits for something to be so.
func (p *live) until(what string, so func() bool) {
	p.t.Helper()
	for end := time.Now().Add(30 * time.Second); !so(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			p.t.Fatalf("%s did not come about\n%s", what, tail(p.output(), 4000))
		}
	}
}

func (p *live) signal(s os.Signal) { p.cmd.Process.Signal(s) }

// stop ends it, which must not take long, and returns all it printed.
func (p *live) stop() string {
	p.t.Helper()
	begin := time.Now()
	p.signal(syscall.SIGTERM)
	p.cmd.Wait()
	p.over = true
	if d := time.Since(begin); d > 5*time.Second {
		p.t.Errorf("it took %v to stop", d)
	}
	return p.output()
}
