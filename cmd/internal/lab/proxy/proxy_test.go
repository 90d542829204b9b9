package proxy

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// echo greets with a line, then answers every line; "send N" gets N bytes.
func echo(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				c.Write([]byte("hello\n"))
				io.Copy(c, c)
			}()
		}
	}()
	return ln.Addr().String()
}

func start(t *testing.T, o Options) *Proxy {
	t.Helper()
	p, err := Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

func dial(t *testing.T, p *Proxy) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(10 * time.Second))
	return c
}

func read(t *testing.T, c net.Conn, n int) string {
	t.Helper()
	b := make([]byte, n)
	if _, err := io.ReadFull(c, b); err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestDelayAndFlights(t *testing.T) {
	var transcript bytes.Buffer
	const rtt = 60 * time.Millisecond
	p := start(t, Options{Target: echo(t), RTT: rtt, Transcript: &transcript})
	began := time.Now()
	c := dial(t, p)
	read(t, c, 6)
	if d := time.Since(began); d < 2*rtt || d > 4*rtt {
		t.Errorf("greeting after %v, want two round trips", d)
	}
	for range 3 {
		sent := time.Now()
		io.WriteString(c, "a\n")
		io.WriteString(c, "b\n") // same flight: nothing came in between
		read(t, c, 4)
		if d := time.Since(sent); d < rtt || d > 2*rtt {
			t.Errorf("answer after %v, want %v", d, rtt)
		}
	}
	n := p.Counts()
	if n.Flights != 3 || n.Commands != 3 || n.Up != 12 || n.Down != 18 || n.Connections != 1 || n.MostOpen != 1 {
		t.Errorf("counts %+v", n)
	}
	if n.Waited < 3*rtt/2 {
		t.Errorf("waited %v", n.Waited)
	}
	p.Close()
	if s := transcript.String(); !strings.Contains(s, "1 S: hello\n") || strings.Count(s, "1 C: ") != 6 {
		t.Errorf("transcript:\n%s", s)
	}
}

func TestTLSHandshakeIsNotACommand(t *testing.T) {
	p := start(t, Options{Target: echo(t)})
	c := dial(t, p)
	read(t, c, 6)
	for _, s := range []string{"\x16hello", "finished", "command"} {
		io.WriteString(c, s)
		read(t, c, len(s))
	}
	if n := p.Counts(); n.Flights != 3 || n.Commands != 1 {
		t.Errorf("counts %+v", n)
	}
}

func TestBandwidth(t *testing.T) {
	p := start(t, Options{Target: echo(t), Bandwidth: 1 << 20})
	c := dial(t, p)
	read(t, c, 6)
	began := time.Now()
	go c.Write(make([]byte, 300<<10))
	read(t, c, 300<<10)
	if d := time.Since(began); d < 280*time.Millisecond || d > time.Second {
		t.Errorf("300 kB at 1 MB/s took %v", d)
	}
}

func TestCutAfterExactByte(t *testing.T) {
	for _, rtt := range []time.Duration{0, 4 * time.Millisecond} {
		for _, after := range []int64{0, 1, 6, 1000} {
			p := start(t, Options{Target: echo(t), RTT: rtt})
			p.Arm(Fault{Direction: Down, After: after, Action: Cut})
			c := dial(t, p)
			c.Write(bytes.Repeat([]byte("x"), 5000))
			got, err := io.ReadAll(c)
			if err != nil || int64(len(got)) != after {
				t.Errorf("rtt %v: cut after %d: got %d bytes, %v", rtt, after, len(got), err)
			}
			if p.Disarm() != 0 {
				t.Error("the fault is still armed")
			}
			// It strikes once.
			d := dial(t, p)
			d.Write(bytes.Repeat([]byte("x"), 5000))
			read(t, d, 5006)
		}
	}
}

func TestCutUpAndReset(t *testing.T) {
	p := start(t, Options{Target: echo(t)})
	p.Arm(Fault{Conn: 1, Direction: Up, After: 10, Action: Cut})
	c := dial(t, p)
	read(t, c, 6)
	io.WriteString(c, "0123456789abcdef")
	got, _ := io.ReadAll(c)
	if n := p.Counts().Up; n != 10 {
		t.Errorf("server got %d bytes and echoed %q", n, got)
	}
	c = dial(t, p)
	read(t, c, 6)
	p.Arm(Fault{Conn: 2, Direction: Down, After: 9, Action: Reset})
	io.WriteString(c, "abcdef")
	if _, err := io.ReadAll(c); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("reset gave %v", err)
	}
	c = dial(t, p)
	read(t, c, 6)
	if n := p.Kill(); n != 1 {
		t.Errorf("killed %d connections", n)
	}
	if _, err := c.Read(make([]byte, 1)); err == nil {
		t.Error("killed connection still reads")
	}
}

func TestStallAndRelease(t *testing.T) {
	p := start(t, Options{Target: echo(t)})
	p.Arm(Fault{Direction: Down, After: 8, Action: Stall})
	c := dial(t, p)
	io.WriteString(c, "abcd")
	read(t, c, 8)
	c.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("read through a stall: %v", err)
	}
	p.Release()
	c.SetReadDeadline(time.Now().Add(5 * time.Second))
	if s := read(t, c, 2); s != "cd" {
		t.Errorf("after release: %q", s)
	}
}

func BenchmarkThroughput(b *testing.B) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer ln.Close()
	go func() {
		c, err := ln.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		for buf := make([]byte, 1<<20); ; {
			if _, err := c.Write(buf); err != nil {
				return
			}
		}
	}()
	p, err := Start(Options{Target: ln.Addr().String()})
	if err != nil {
		b.Fatal(err)
	}
	defer p.Close()
	c, err := net.Dial("tcp", p.Addr())
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	buf := make([]byte, 1<<20)
	b.SetBytes(1 << 20)
	for b.Loop() {
		if _, err := io.ReadFull(c, buf); err != nil {
			b.Fatal(err)
		}
	}
}
