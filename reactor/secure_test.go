package reactor

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"
)

func TestTLSFragments(t *testing.T) {
	cert, pool := testCert(t)
	data := pattern(100 << 10)
	for _, v := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		for _, piece := range []int{1, 3, 1000, 65536} {
			t.Run(fmt.Sprintf("%s/%d", tls.VersionName(v), piece), func(t *testing.T) {
				l := newTestLoop(t)
				port := serve(t, "tcp", "127.0.0.1:0", func(c net.Conn) {
					c.(*net.TCPConn).SetNoDelay(true)
					sc := tls.Server(slowConn{c, piece}, &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: v, MaxVersion: v})
					sc.Write([]byte("* OK greeting")) // right behind the handshake
					echo(sc)
				})
				s, err := dialOne(t, l, DialOptions{Host: "localhost", Network: "tcp4", Port: port, TLS: &tls.Config{RootCAs: pool}})
				if err != nil {
					t.Fatal(err)
				}
				cs, ok := s.TLSState()
				if !ok || cs.Version != v {
					t.Errorf("TLSState %v %x", ok, cs.Version)
				}
				want := append([]byte("* OK greeting"), data...)
				p := &sink{}
				p.onData = func() {
					if p.got.Len() == len(want) {
						s.Close()
					}
				}
				p.onLost = func(error) { l.Stop(nil) }
				s.Start(p)
				s.Write(data)
				run(t, l)
				if !bytes.Equal(p.got.Bytes(), want) || p.err != nil {
					t.Errorf("got %d bytes of %d, lost with %v", p.got.Len(), len(want), p.err)
				}
				if in, out := s.Counts(); in <= int64(len(want)) || out <= int64(len(data)) {
					t.Errorf("Counts %d, %d do not include TLS's own bytes", in, out)
				}
			})
		}
	}
}

func TestTLSCloseNotifyAndTruncation(t *testing.T) {
	cert, pool := testCert(t)
	l := newTestLoop(t)
	for _, orderly := range []bool{true, false} {
		port := serve(t, "tcp", "127.0.0.1:0", func(c net.Conn) {
			sc := tls.Server(c, &tls.Config{Certificates: []tls.Certificate{cert}})
			sc.Write([]byte("hello"))
			if orderly {
				sc.Close()
			} else {
				c.Close()
			}
		})
		s, err := dialOne(t, l, DialOptions{Host: "127.0.0.1", Port: port, TLS: &tls.Config{RootCAs: pool}})
		if err != nil {
			t.Fatal(err)
		}
		p := &sink{onLost: func(error) { l.Stop(nil) }}
		s.Start(p)
		run(t, l)
		if p.got.String() != "hello" || (p.err == nil) != orderly {
			t.Errorf("orderly %v: got %q, lost with %v", orderly, p.got.String(), p.err)
		}
		if !orderly && !errors.Is(p.err, io.ErrUnexpectedEOF) {
			t.Errorf("a cut stream is reported as %v", p.err)
		}
	}
}

func TestOurCloseSendsCloseNotify(t *testing.T) {
	cert, pool := testCert(t)
	l := newTestLoop(t)
	result := make(chan error, 1)
	port := serve(t, "tcp", "127.0.0.1:0", func(c net.Conn) {
		sc := tls.Server(c, &tls.Config{Certificates: []tls.Certificate{cert}})
		b, err := io.ReadAll(sc)
		if err == nil && len(b) != 500000 {
			err = fmt.Errorf("%d bytes", len(b))
		}
		result <- err
	})
	s, err := dialOne(t, l, DialOptions{Host: "127.0.0.1", Port: port, TLS: &tls.Config{RootCAs: pool}})
	if err != nil {
		t.Fatal(err)
	}
	s.Start(&sink{onLost: func(error) { l.Stop(nil) }})
	s.Write(make([]byte, 500000))
	s.Close()
	run(t, l)
	if err := <-result; err != nil {
		t.Errorf("server: %v", err)
	}
}

func TestTLSRefusals(t *testing.T) {
	cert, pool := testCert(t)
	l := newTestLoop(t)
	ok := serve(t, "tcp", "127.0.0.1:0", func(c net.Conn) { echo(tls.Server(c, &tls.Config{Certificates: []tls.Certificate{cert}})) })
	old := serve(t, "tcp", "127.0.0.1:0", func(c net.Conn) {
		echo(tls.Server(c, &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}))
	})
	plain := serve(t, "tcp", "127.0.0.1:0", func(c net.Conn) { io.WriteString(c, "* OK I speak no TLS\r\n"); echo(c) })
	gone := serve(t, "tcp", "127.0.0.1:0", func(c net.Conn) {})
	pin := errors.New("wrong fingerprint")
	for _, c := range []struct {
		name string
		port int
		conf *tls.Config
		want string
	}{
		{"unknown authority", ok, &tls.Config{RootCAs: x509.NewCertPool()}, "certificate"},
		{"system roots do not know it", ok, &tls.Config{}, "certificate"},
		{"wrong name", ok, &tls.Config{RootCAs: pool, ServerName: "other.example"}, "other.example"},
		{"pinning", ok, &tls.Config{RootCAs: pool, VerifyConnection: func(tls.ConnectionState) error { return pin }}, "wrong fingerprint"},
		{"callback panics", ok, &tls.Config{RootCAs: pool, VerifyConnection: func(tls.ConnectionState) error { panic("boom") }}, "boom"},
		{"below TLS 1.2", old, &tls.Config{RootCAs: pool}, "protocol version"},
		{"no TLS there", plain, &tls.Config{RootCAs: pool}, "TLS handshake"},
		{"hangs up", gone, &tls.Config{RootCAs: pool}, ""},
	} {
		s, err := dialOne(t, l, DialOptions{Host: "127.0.0.1", Port: c.port, TLS: c.conf})
		var de *DialError
		if s != nil || !errors.As(err, &de) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if c.name == "pinning" && !errors.Is(err, pin) {
			t.Errorf("the cause is not wrapped: %v", err)
		}
		var pe *PanicError
		if c.name == "callback panics" && (!errors.As(err, &pe) || !strings.Contains(string(pe.Stack), "secure_test.go")) {
			t.Errorf("the panic's own stack is missing: %v", err)
		}
		if c.name == "no TLS there" && !strings.Contains(de.Hint(), "993") {
			t.Errorf("hint %q", de.Hint())
		}
	}
}

// startTLSServer answers a line with "OK", possibly with more in the same packet.
func startTLSServer(t *testing.T, cert tls.Certificate, answer string) int {
	return serve(t, "tcp", "127.0.0.1:0", func(c net.Conn) {
		b := make([]byte, 100)
		c.Read(b)
		io.WriteString(c, answer)
		time.Sleep(5 * time.Millisecond)
		sc := tls.Server(c, &tls.Config{Certificates: []tls.Certificate{cert}})
		echo(sc)
	})
}

func TestStartTLS(t *testing.T) {
	cert, pool := testCert(t)
	l := newTestLoop(t)
	s, err := dialOne(t, l, DialOptions{Host: "localhost", Network: "tcp4", Port: startTLSServer(t, cert, "OK\n")})
	if err != nil {
		t.Fatal(err)
	}
	p := &sink{}
	p.onLost = func(err error) { l.Stop(err) }
	returned := false
	p.onData = func() {
		switch p.got.String() {
		case "OK\n":
			s.StartTLS(&tls.Config{RootCAs: pool, ServerName: "localhost"}, func(cs tls.ConnectionState, err error) {
				if err != nil || !cs.HandshakeComplete || !returned {
					t.Errorf("done: %v (StartTLS had returned: %v)", err, returned)
				}
			})
			s.Write([]byte("early")) // waits for the handshake
			returned = true
		case "OK\nearly":
			l.Stop(nil)
		}
	}
	s.Start(p)
	s.Write([]byte("STARTTLS\n"))
	run(t, l)
}

func TestRule10_StartTLSInjection(t *testing.T) {
	cert, pool := testCert(t)
	for _, how := range []string{"unread", "socket"} {
		l := newTestLoop(t)
		s, err := dialOne(t, l, DialOptions{Host: "127.0.0.1", Port: startTLSServer(t, cert, "OK\n* evil\n")})
		if err != nil {
			t.Fatal(err)
		}
		var got error
		calls := 0
		begin := func() {
			s.StartTLS(&tls.Config{RootCAs: pool, ServerName: "localhost"}, func(_ tls.ConnectionState, err error) { got = err; calls++ })
		}
		p := &funcProtocol{lost: func(error) { l.CallLater(0, func() { l.Stop(nil) }) }}
		p.data = func(b []byte) {
			if how == "unread" {
				s.Unread(b[3:])
				begin()
			}
		}
		s.Write([]byte("STARTTLS\n"))
		s.Start(p)
		if how == "socket" {
			s.Pause()
			time.Sleep(1 * time.Millisecond)
			l.CallLater(30*time.Millisecond, begin)
		}
		run(t, l)
		if !errors.Is(got, ErrPlaintext) || calls != 1 {
			t.Errorf("%s: done called %d times with %v", how, calls, got)
		}
	}
}

func TestCancelInMidHandshakeLeaksNothing(t *testing.T) {
	port := serve(t, "tcp", "127.0.0.1:0", func(c net.Conn) { io.Copy(io.Discard, c) }) // never answers
	l := newTestLoop(t)
	l.Aside(func() {}, func() { l.Stop(nil) })
	run(t, l)
	fds, before := countFDs(t), runtime.NumGoroutine()
	const n = 200
	done := 0
	for i := range n {
		d := l.Dial(DialOptions{Host: "127.0.0.1", Port: port, TLS: &tls.Config{InsecureSkipVerify: true}}, func(s *Stream, err error) {
			if s != nil || !errors.Is(err, ErrCanceled) {
				t.Errorf("done with %v", err)
			}
			if done++; done == n {
				l.Stop(nil)
			}
		})
		l.CallLater(time.Duration(i%20)*time.Millisecond, d.Cancel)
	}
	run(t, l)
	waitGoroutines(t, before)
	if runtime.GOOS == "linux" {
		waitFDs(t, fds)
	}
}

// Abort from inside a verification callback runs inside the coroutine, which
// cannot stop itself.
func TestAbortFromInsideTheHandshake(t *testing.T) {
	cert, pool := testCert(t)
	port := serve(t, "tcp", "127.0.0.1:0", func(c net.Conn) { echo(tls.Server(c, &tls.Config{Certificates: []tls.Certificate{cert}})) })
	l := newTestLoop(t)
	s, err := dialOne(t, l, DialOptions{Host: "127.0.0.1", Port: port})
	if err != nil {
		t.Fatal(err)
	}
	before := runtime.NumGoroutine()
	why := errors.New("why")
	var got error
	calls := 0
	p := &sink{onLost: func(error) { l.CallLater(0, func() { l.Stop(nil) }) }}
	s.Start(p)
	s.StartTLS(&tls.Config{RootCAs: pool, ServerName: "localhost", VerifyConnection: func(tls.ConnectionState) error {
		s.Abort(why)
		return nil
	}}, func(_ tls.ConnectionState, err error) { got = err; calls++ })
	run(t, l)
	if got != why || calls != 1 || p.lost != 1 || p.err != why {
		t.Errorf("done %d times with %v, lost %d times with %v", calls, got, p.lost, p.err)
	}
	waitGoroutines(t, before)
}

func TestCloseOfTheLoopFreesSuspendedCoroutines(t *testing.T) {
	port := serve(t, "tcp", "127.0.0.1:0", func(c net.Conn) { io.Copy(io.Discard, c) })
	before := runtime.NumGoroutine()
	l, err := New()
	if err != nil {
		t.Fatal(err)
	}
	for range 10 {
		l.Dial(DialOptions{Host: "127.0.0.1", Port: port, TLS: &tls.Config{InsecureSkipVerify: true}}, func(*Stream, error) {})
	}
	l.CallLater(30*time.Millisecond, func() { l.Stop(nil) })
	run(t, l)
	if runtime.NumGoroutine() < before+10 {
		t.Error("no handshake was suspended: the test tests nothing")
	}
	l.Close()
	waitGoroutines(t, before)
}

// joinConn holds writes back until the next read, so that the server's last
// handshake message and its first data arrive as one piece.
type joinConn struct {
	net.Conn
	buf []byte
}

func (c *joinConn) Write(p []byte) (int, error) { c.buf = append(c.buf, p...); return len(p), nil }

func (c *joinConn) Read(p []byte) (int, error) {
	if len(c.buf) > 0 {
		c.Conn.Write(c.buf)
		c.buf = nil
	}
	return c.Conn.Read(p)
}

func TestDataBehindTheHandshakeReachesAStartedStream(t *testing.T) {
	cert, pool := testCert(t)
	l := newTestLoop(t)
	port := serve(t, "tcp", "127.0.0.1:0", func(c net.Conn) {
		sc := tls.Server(&joinConn{Conn: c}, &tls.Config{Certificates: []tls.Certificate{cert}, MaxVersion: tls.VersionTLS12})
		sc.Write([]byte("hello"))
		echo(sc)
	})
	s, err := dialOne(t, l, DialOptions{Host: "127.0.0.1", Port: port})
	if err != nil {
		t.Fatal(err)
	}
	s.Start(&sink{onData: func() { l.Stop(nil) }})
	s.StartTLS(&tls.Config{RootCAs: pool, ServerName: "localhost"}, func(_ tls.ConnectionState, err error) {
		if err != nil {
			t.Error(err)
		}
	})
	run(t, l)
}

func TestTLSPauseHoldsDecodedBytes(t *testing.T) {
	cert, pool := testCert(t)
	l := newTestLoop(t)
	data := pattern(300 << 10)
	port := serve(t, "tcp", "127.0.0.1:0", func(c net.Conn) {
		sc := tls.Server(c, &tls.Config{Certificates: []tls.Certificate{cert}, DynamicRecordSizingDisabled: true})
		sc.Write(data)
		echo(sc)
	})
	s, err := dialOne(t, l, DialOptions{Host: "127.0.0.1", Port: port, TLS: &tls.Config{RootCAs: pool}})
	if err != nil {
		t.Fatal(err)
	}
	// Another stream keeps overwriting the loop's read buffer meanwhile.
	noise, err := dialOne(t, l, DialOptions{Host: "127.0.0.1", Port: serve(t, "tcp", "127.0.0.1:0", func(c net.Conn) { flood(c) })})
	if err != nil {
		t.Fatal(err)
	}
	noise.Start(&funcProtocol{func([]byte) {}, func(error) {}})
	p := &sink{}
	paused := false
	p.onData = func() { // pause after every piece
		if paused {
			t.Error("Data while paused")
		}
		if p.got.Len() == len(data) {
			l.Stop(nil)
			return
		}
		paused = true
		s.Pause()
		l.CallLater(time.Millisecond, func() { paused = false; s.Resume() })
	}
	s.Start(p)
	run(t, l)
	if !bytes.Equal(p.got.Bytes(), data) {
		t.Error("data damaged")
	}
}

func TestDeflateInsideTLS(t *testing.T) {
	cert, pool := testCert(t)
	l := newTestLoop(t)
	port := serve(t, "tcp", "127.0.0.1:0", func(c net.Conn) { echo(tls.Server(c, &tls.Config{Certificates: []tls.Certificate{cert}})) })
	s, err := dialOne(t, l, DialOptions{Host: "127.0.0.1", Port: port, TLS: &tls.Config{RootCAs: pool}})
	if err != nil {
		t.Fatal(err)
	}
	data := []byte(strings.Repeat("a line of text\r\n", 30000))
	p := &sink{}
	p.onData = func() {
		if p.got.Len() == len(data) {
			l.Stop(nil)
		}
	}
	s.Start(p)
	if err := s.StartDeflate(); err != nil {
		t.Fatal(err)
	}
	s.Write(data) // the echo is our own deflated stream
	run(t, l)
	if !bytes.Equal(p.got.Bytes(), data) {
		t.Error("data damaged")
	}
	if in, _ := s.Counts(); in > int64(len(data))/5 {
		t.Errorf("%d bytes on the wire for %d", in, len(data))
	}
}

func TestAcceptTLSOnTheSameLoop(t *testing.T) {
	cert, pool := testCert(t)
	l := newTestLoop(t)
	a, b, err := newSocketpair()
	if err != nil {
		t.Fatal(err)
	}
	client, _ := l.Adopt(a, "server")
	server, _ := l.Adopt(b, "client")
	server.AcceptTLS(&tls.Config{Certificates: []tls.Certificate{cert}}, func(_ tls.ConnectionState, err error) {
		if err != nil {
			t.Error(err)
		}
		server.Write([]byte("hello"))
	})
	p := &sink{onData: func() { l.Stop(nil) }}
	client.Start(p)
	client.StartTLS(&tls.Config{RootCAs: pool, ServerName: "localhost"}, func(_ tls.ConnectionState, err error) {
		if err != nil {
			t.Error(err)
		}
	})
	run(t, l)
	if p.got.String() != "hello" {
		t.Errorf("got %q", p.got.String())
	}
}
