package reactor

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// proxyScript answers like a proxy of the kind and then speaks first itself, in
// the same packet as its last answer.
func proxyScript(kind ProxyKind, port int, oneByOne bool) func(net.Conn) {
	return func(c net.Conn) {
		var asked, answer string
		switch kind {
		case SOCKS5:
			if read(c, 3) != "\x05\x01\x00" {
				return
			}
			c.Write([]byte{5, 0})
			asked, answer = "\x05\x01\x00\x03\x08far.test"+string([]byte{byte(port >> 8), byte(port)}), "\x05\x00\x00\x03\x02xy\x00\x01"
		case SOCKS4:
			asked, answer = "\x04\x01"+string([]byte{byte(port >> 8), byte(port)})+"\x00\x00\x00\x01\x00far.test\x00", "\x00\x5a\x00\x00\x00\x00\x00\x00"
		case HTTPConnect:
			asked, answer = fmt.Sprintf("CONNECT far.test:%d HTTP/1.1\r\nHost: far.test:%d\r\n\r\n", port, port), "HTTP/1.1 200 fine\r\nX: y\r\n\r\n"
		}
		if got := read(c, len(asked)); got != asked {
			fmt.Fprintf(c, "%q is not %q", got, asked)
			return
		}
		all := []byte(answer + "welcome ")
		for i := range all {
			if !oneByOne {
				c.Write(all)
				break
			}
			c.Write(all[i : i+1])
			time.Sleep(time.Millisecond)
		}
		io.Copy(c, c)
	}
}

func read(c net.Conn, n int) string {
	b := make([]byte, n)
	m, _ := io.ReadFull(c, b)
	return string(b[:m])
}

func TestProxy(t *testing.T) {
	for _, kind := range []ProxyKind{SOCKS5, SOCKS4, HTTPConnect} {
		for _, oneByOne := range []bool{false, true} {
			t.Run(fmt.Sprint(kind, oneByOne), func(t *testing.T) {
				l := newTestLoop(t)
				port := serve(t, "tcp4", "127.0.0.1:0", proxyScript(kind, 0x1234, oneByOne))
				got := ""
				l.Dial(DialOptions{Host: "far.test", Port: 0x1234, Proxy: &Proxy{kind, "127.0.0.1", port}}, func(s *Stream, err error) {
					if err != nil {
						t.Error(err)
						l.Stop(nil)
						return
					}
					s.Start(&collector{func(b []byte) {
						if got += string(b); strings.HasSuffix(got, "!") {
							s.Abort(nil)
						}
					}, func(error) { l.Stop(nil) }})
					s.Write([]byte("hello!"))
				})
				run(t, l)
				if got != "welcome hello!" {
					t.Errorf("received %q", got)
				}
			})
		}
	}
}

// TestProxyTLS: the handshake is with the host behind the proxy.
func TestProxyTLS(t *testing.T) {
	l := newTestLoop(t)
	cert, pool := testCert(t)
	far := serve(t, "tcp4", "127.0.0.1:0", func(c net.Conn) {
		s := tls.Server(c, &tls.Config{Certificates: []tls.Certificate{cert}})
		io.Copy(s, s)
	})
	port := serve(t, "tcp4", "127.0.0.1:0", func(c net.Conn) {
		read(c, len(fmt.Sprintf("CONNECT localhost:%d HTTP/1.1\r\nHost: localhost:%d\r\n\r\n", far, far)))
		io.WriteString(c, "HTTP/1.0 200 OK\r\n\r\n")
		d, err := net.Dial("tcp4", fmt.Sprint("127.0.0.1:", far))
		if err != nil {
			return
		}
		defer d.Close()
		go io.Copy(d, c)
		io.Copy(c, d)
	})
	got := ""
	l.Dial(DialOptions{Host: "localhost", Port: far, TLS: &tls.Config{RootCAs: pool}, Proxy: &Proxy{HTTPConnect, "127.0.0.1", port}}, func(s *Stream, err error) {
		if err != nil {
			t.Error(err)
			l.Stop(nil)
			return
		}
		s.Start(&collector{func(b []byte) { got += string(b); s.Close() }, func(error) { l.Stop(nil) }})
		s.Write([]byte("secret"))
	})
	run(t, l)
	if got != "secret" {
		t.Errorf("received %q", got)
	}
}

func TestProxyRefuses(t *testing.T) {
	for _, c := range []struct {
		kind   ProxyKind
		answer string
		want   string
	}{
		{SOCKS5, "\x05\xff", "wants a login"},
		{SOCKS5, "\x05\x00\x05\x05", "the host refused the connection"},
		{SOCKS5, "\x05\x00\x05\x63", "code 99"},
		{SOCKS5, "\x05\x00\x05\x00\x00\x09\x00", "cannot be understood"},
		{SOCKS5, "HTTP", "speaks no SOCKS5"},
		{SOCKS4, "\x00\x5b", "refused the connection"},
		{SOCKS4, "HTTP", "speaks no SOCKS4"},
		{HTTPConnect, "HTTP/1.1 407 Proxy Authentication Required\r\n", "407 Proxy"},
		{HTTPConnect, "* OK IMAP server ready\r\n", "speaks no HTTP"},
		{HTTPConnect, "HTTP/1.1 200 " + strings.Repeat("x", maxProxyReply), "says too much"},
		{SOCKS4, "", "hung up"},
	} {
		l := newTestLoop(t)
		port := serve(t, "tcp4", "127.0.0.1:0", func(n net.Conn) {
			if c.answer == "" {
				// Closing with the request unread would be a reset, not an end.
				n.Read(make([]byte, 256))
				return
			}
			io.WriteString(n, c.answer)
			io.Copy(io.Discard, n)
		})
		var err error
		l.Dial(DialOptions{Host: "far.test", Port: 1, Proxy: &Proxy{c.kind, "127.0.0.1", port}}, func(s *Stream, e error) {
			if err = e; s != nil {
				s.Abort(nil)
			}
			l.Stop(nil)
		})
		run(t, l)
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "far.test:1") {
			t.Errorf("%v %q: %v, want %q", c.kind, c.answer, err, c.want)
		}
	}
}

// TestProxySilent: a proxy that never answers costs the dial's own time-out.
func TestProxySilent(t *testing.T) {
	l := newTestLoop(t)
	port := serve(t, "tcp4", "127.0.0.1:0", func(c net.Conn) { io.Copy(io.Discard, c) })
	var err error
	l.Dial(DialOptions{Host: "far.test", Port: 1, Timeout: 200 * time.Millisecond, Proxy: &Proxy{SOCKS5, "127.0.0.1", port}}, func(_ *Stream, e error) {
		err = e
		l.Stop(nil)
	})
	run(t, l)
	if err == nil || !strings.Contains(err.Error(), "asking the proxy") {
		t.Error(err)
	}
}

// FuzzProxyReply: whatever a proxy says, in whatever pieces, it is either let
// through with the rest of its bytes untouched, or refused, or waited for.
func FuzzProxyReply(f *testing.F) {
	f.Add(uint8(0), []byte("\x05\x00\x05\x00\x00\x01\x01\x02\x03\x04\x00\x50rest"), uint8(3))
	f.Add(uint8(1), []byte("\x00\x5a\x00\x00\x00\x00\x00\x00rest"), uint8(1))
	f.Add(uint8(2), []byte("HTTP/1.1 200 OK\r\n\r\nrest"), uint8(7))
	f.Fuzz(func(t *testing.T, kind uint8, b []byte, piece uint8) {
		var whole [2]string
		for i, n := range []int{len(b), int(piece)%16 + 1} {
			l := NewSim(Sim{Clock: time.Now})
			s, err := l.NewStream(deafTransport{}, "proxy")
			if err != nil {
				t.Fatal(err)
			}
			outcome := "waiting"
			p := through(s, &Proxy{Kind: ProxyKind(kind % 3)}, "far.test", 80, func(err error) { outcome = fmt.Sprint(err) })
			for rest := b; len(rest) > 0; {
				k := min(n, len(rest))
				if p.done == nil {
					s.unread = append(s.unread, rest...)
					break
				}
				p.Data(rest[:k])
				rest = rest[k:]
			}
			if outcome == "<nil>" && !bytes.HasSuffix(b, s.unread) {
				t.Fatalf("the rest of %q became %q", b, s.unread)
			}
			whole[i] = outcome
			if outcome == "<nil>" {
				whole[i] += string(s.unread)
			}
		}
		if whole[0] != whole[1] && whole[0] != "it says too much" && whole[1] != "it says too much" {
			t.Fatalf("%q: at once %q, in pieces %q", b, whole[0], whole[1])
		}
	})
}

// deafTransport carries nothing.
type deafTransport struct{}

func (deafTransport) Attach(*Loop, func(Events)) error { return nil }
func (deafTransport) Interest(Events)                  {}
func (deafTransport) Read([]byte) (int, error)         { return 0, ErrWouldBlock }
func (deafTransport) Write([]byte) (int, error)        { return 0, ErrWouldBlock }
func (deafTransport) Close() error                     { return nil }
