package reactor

import (
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestInterleave(t *testing.T) {
	in := []netip.Addr{}
	for _, a := range []string{"2001:db8::1", "2001:db8::2", "2001:db8::3", "192.0.2.1", "192.0.2.1", "::ffff:192.0.2.2"} {
		in = append(in, netip.MustParseAddr(a))
	}
	for network, want := range map[string]string{
		"tcp":  "2001:db8::1 192.0.2.1 2001:db8::2 192.0.2.2 2001:db8::3",
		"tcp4": "192.0.2.1 192.0.2.2",
		"tcp6": "2001:db8::1 2001:db8::2 2001:db8::3",
	} {
		var got []string
		for _, a := range interleave(in, network) {
			got = append(got, a.String())
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %v", network, got)
		}
	}
	if got := interleave(nil, "tcp"); len(got) != 0 {
		t.Errorf("of nothing: %v", got)
	}
}

// dialAddrs dials as if a lookup had given addrs.
func dialAddrs(l *Loop, o DialOptions, addrs []netip.Addr, done func(*Stream, error)) *Dialing {
	o.Host = "0.0.0.0" // replaced below, before the next turn
	d := l.Dial(o, done)
	l.next = l.next[:len(l.next)-1]
	l.NextTurn(func() { d.resolved(addrs, nil) })
	return d
}

func TestHappyEyeballsRefusedThenOK(t *testing.T) {
	l := newTestLoop(t)
	port := serve(t, "tcp4", "127.0.0.1:0", echo)
	var s *Stream
	begin := time.Now()
	dialAddrs(l, DialOptions{Port: port, Stagger: 5 * time.Second},
		[]netip.Addr{netip.IPv6Loopback(), netip.MustParseAddr("127.0.0.1")},
		func(st *Stream, err error) {
			if err != nil {
				t.Error(err)
			}
			s = st
			l.Stop(nil)
		})
	run(t, l)
	if d := time.Since(begin); d > time.Second {
		t.Errorf("a refusal waited for the stagger: %v", d)
	}
	if s == nil || !strings.HasPrefix(s.RemoteAddr(), "127.0.0.1:") {
		t.Error("not connected by IPv4")
	}
}

// stalledListener accepts nothing and has a full queue, so connecting hangs.
func stalledListener(t *testing.T, addr [4]byte, port int) {
	t.Helper()
	fd, err := newSocket(unix.AF_INET)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
	if err := unix.Bind(fd, &unix.SockaddrInet4{Port: port, Addr: addr}); err != nil {
		t.Skipf("bind %v: %v", addr, err)
	}
	if err := unix.Listen(fd, 0); err != nil {
		t.Fatal(err)
	}
	for range 4 { // fill the queue
		c, _, err := connect(netip.AddrPortFrom(netip.AddrFrom4(addr), uint16(port)))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { unix.Close(c) })
	}
	time.Sleep(5 * time.Millisecond)
}

func TestHappyEyeballsStalledThenStaggered(t *testing.T) {
	l := newTestLoop(t)
	port := serve(t, "tcp4", "127.0.0.1:0", echo)
	stalledListener(t, [4]byte{127, 0, 0, 2}, port)
	before := countFDs(t)
	var s *Stream
	begin := time.Now()
	dialAddrs(l, DialOptions{Port: port, Stagger: 60 * time.Millisecond},
		[]netip.Addr{netip.MustParseAddr("127.0.0.2"), netip.MustParseAddr("127.0.0.1")},
		func(st *Stream, err error) {
			if err != nil {
				t.Error(err)
			}
			s = st
			l.Stop(nil)
		})
	run(t, l)
	if d := time.Since(begin); d < 55*time.Millisecond || d > 2*time.Second {
		t.Errorf("connected after %v, the stagger is 60 ms", d)
	}
	if s == nil || !strings.HasPrefix(s.RemoteAddr(), "127.0.0.1:") {
		t.Fatal("not connected to the second address")
	}
	s.Abort(nil)
	waitFDs(t, before)
}

func TestDialErrors(t *testing.T) {
	l := newTestLoop(t)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := ln.Addr().(*net.TCPAddr).Port
	ln.Close()
	for _, c := range []struct {
		name  string
		o     DialOptions
		tries int
		is    error
		want  []string
	}{
		{"refused", DialOptions{Host: "127.0.0.1", Port: closed}, 1, unix.ECONNREFUSED, []string{"127.0.0.1:", "refused"}},
		{"no host", DialOptions{Port: 143}, 0, nil, []string{"no host name"}},
		{"bad port", DialOptions{Host: "127.0.0.1", Port: 70000}, 0, nil, []string{"70000", "65535"}},
		{"family", DialOptions{Host: "127.0.0.1", Port: 143, Network: "tcp6"}, 0, nil, []string{"tcp6"}},
		{"unknown name", DialOptions{Host: "no-such-host.invalid", Port: 993, Timeout: 5 * time.Second}, 0, nil, []string{"no-such-host.invalid:993"}},
	} {
		s, err := dialOne(t, l, c.o)
		var de *DialError
		if s != nil || !errors.As(err, &de) {
			t.Errorf("%s: %v, %v", c.name, s, err)
			continue
		}
		if len(de.Tries) != c.tries || (c.is != nil && !errors.Is(err, c.is)) {
			t.Errorf("%s: %v", c.name, err)
		}
		for _, w := range c.want {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%s: %q lacks %q", c.name, err, w)
			}
		}
	}
}

func TestDialTimeoutNamesEveryAddress(t *testing.T) {
	l := newTestLoop(t)
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := ln.Addr().(*net.TCPAddr).Port
	ln.Close()
	stalledListener(t, [4]byte{127, 0, 0, 2}, port)
	var got error
	n := 0
	dialAddrs(l, DialOptions{Port: port, Timeout: 100 * time.Millisecond, Stagger: 20 * time.Millisecond},
		[]netip.Addr{netip.MustParseAddr("127.0.0.2"), netip.MustParseAddr("127.0.0.1")},
		func(_ *Stream, err error) { got = err; n++; l.Stop(nil) })
	run(t, l)
	var de *DialError
	if !errors.As(got, &de) || n != 1 || len(de.Tries) != 2 {
		t.Fatalf("done %d times: %v", n, got)
	}
	var addrs []string
	for _, tr := range de.Tries {
		addrs = append(addrs, tr.Addr[:9])
	}
	slices.Sort(addrs)
	if !slices.Equal(addrs, []string{"127.0.0.1", "127.0.0.2"}) || !strings.Contains(got.Error(), "connecting") {
		t.Errorf("%v", got)
	}
}

func TestDialCancel(t *testing.T) {
	l := newTestLoop(t)
	port := serve(t, "tcp", "127.0.0.1:0", echo)
	n := 0
	done := func(s *Stream, err error) {
		if s != nil || !errors.Is(err, ErrCanceled) {
			t.Errorf("done with %v, %v", s, err)
		}
		if n++; n == 2 {
			l.CallLater(5*time.Millisecond, func() { l.Stop(nil) })
		}
	}
	d := l.Dial(DialOptions{Host: "127.0.0.1", Port: port}, done)
	d.Cancel()
	d.Cancel()
	// Cancelled between the outcome and its delivery.
	e := l.Dial(DialOptions{Host: "127.0.0.1", Port: port}, done)
	hooked := false
	l.BeforeSleep(func() {
		if e.state == dialDone && !hooked {
			hooked = true
			e.Cancel()
		}
	})
	run(t, l)
	if n != 2 {
		t.Errorf("done called %d times", n)
	}
}

func TestKeepaliveAndNoDelayAreSet(t *testing.T) {
	l := newTestLoop(t)
	s, err := dialOne(t, l, DialOptions{Host: "127.0.0.1", Port: serve(t, "tcp", "127.0.0.1:0", echo)})
	if err != nil {
		t.Fatal(err)
	}
	fd := s.t.(*fdTransport).fd
	if v, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE); err != nil || v == 0 {
		t.Errorf("keepalive %d, %v", v, err)
	}
	if v, err := unix.GetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY); err != nil || v == 0 {
		t.Errorf("nodelay %d, %v", v, err)
	}
}
