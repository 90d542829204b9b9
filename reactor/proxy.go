package reactor

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// ProxyKind is the protocol a proxy speaks.
type ProxyKind uint8

// The kinds of proxy. None of them is asked to log in.
const (
	SOCKS5      ProxyKind = iota // RFC 1928; the proxy looks the name up
	SOCKS4                       // version 4a: likewise
	HTTPConnect                  // RFC 9110 section 9.3.6
)

// String names the protocol.
func (k ProxyKind) String() string {
	switch k {
	case SOCKS5:
		return "SOCKS5"
	case SOCKS4:
		return "SOCKS4"
	case HTTPConnect:
		return "HTTP"
	}
	return "ProxyKind(?)"
}

// Proxy is what a connection is made through.
type Proxy struct {
	Kind ProxyKind
	Host string
	Port int
}

// proxyStep is where the talk with a proxy is:
//
//	Greeting ──method chosen──▶ Asking ──connected──▶ Through
//	    └─────────refused───────────┴──▶ Refused
//
// Only SOCKS5 has a Greeting.
type proxyStep uint8

const (
	proxyGreeting proxyStep = iota
	proxyAsking
	proxyThrough
	proxyRefused
)

func (s proxyStep) String() string {
	return [...]string{"greeting", "asking", "through", "refused"}[s]
}

// maxProxyReply bounds what a proxy may say before it lets us through.
const maxProxyReply = 16 << 10

// tunnel talks with a proxy until the stream reaches the host behind it. It is the
// stream's Protocol meanwhile.
type tunnel struct {
	s    *Stream
	kind ProxyKind
	host string
	port int
	step proxyStep
	buf  []byte
	done func(error)
}

// through asks the proxy at the other end of s for a connection to host. done is
// called once; afterwards the stream is as if it had just been connected.
func through(s *Stream, p *Proxy, host string, port int, done func(error)) *tunnel {
	t := &tunnel{s: s, kind: p.Kind, host: strings.Trim(host, "[]"), port: port, step: proxyAsking, done: done}
	switch p.Kind {
	case SOCKS5:
		t.to(proxyGreeting)
		s.Write([]byte{5, 1, 0}) // version 5, one method: no authentication
	case SOCKS4:
		t.askSOCKS4()
	case HTTPConnect:
		at := net.JoinHostPort(t.host, strconv.Itoa(port))
		s.Write([]byte("CONNECT " + at + " HTTP/1.1\r\nHost: " + at + "\r\n\r\n"))
	}
	s.Start(t)
	return t
}

func (t *tunnel) to(s proxyStep) { t.step = s }

// Data takes what the proxy says.
func (t *tunnel) Data(b []byte) {
	if t.done == nil {
		t.s.Unread(b)
		return
	}
	t.buf = append(t.buf, b...)
	for t.done != nil {
		n, err := t.reply(t.buf)
		switch {
		case err != nil:
			t.to(proxyRefused)
			t.end(err)
			return
		case n == 0 && len(t.buf) > maxProxyReply:
			t.to(proxyRefused)
			t.end(errors.New("it says too much"))
			return
		case n == 0:
			return
		}
		t.buf = t.buf[n:]
		if t.step == proxyThrough {
			t.s.restart(t.buf)
			t.end(nil)
		}
	}
}

// reply understands one reply and returns its length; 0 asks for more bytes.
func (t *tunnel) reply(b []byte) (int, error) {
	switch {
	case t.step == proxyGreeting && len(b) >= 2:
		if b[0] != 5 || b[1] != 0 {
			return 0, errors.New("it wants a login, which is not possible, or speaks no SOCKS5")
		}
		t.to(proxyAsking)
		t.askSOCKS5()
		return 2, nil
	case t.step != proxyAsking:
		return 0, nil
	case t.kind == SOCKS5:
		return t.replySOCKS5(b)
	case t.kind == SOCKS4:
		return t.replySOCKS4(b)
	}
	return t.replyHTTP(b)
}

func (t *tunnel) askSOCKS5() {
	req := []byte{5, 1, 0} // version 5, CONNECT
	if ip, err := netip.ParseAddr(t.host); err == nil {
		kind := byte(1)
		if ip = ip.Unmap().WithZone(""); ip.Is6() {
			kind = 4
		}
		req = append(append(req, kind), ip.AsSlice()...)
	} else {
		req = append(append(req, 3, byte(len(t.host))), t.host...)
	}
	t.s.Write(append(req, byte(t.port>>8), byte(t.port)))
}

var socks5Errors = []string{"", "it failed", "its rules forbid this connection", "it cannot reach the network", "it cannot reach the host",
	"the host refused the connection", "the connection took too long", "it cannot connect", "it cannot handle this kind of address"}

func (t *tunnel) replySOCKS5(b []byte) (int, error) {
	switch {
	case len(b) >= 1 && b[0] != 5:
		return 0, errors.New("it speaks no SOCKS5")
	case len(b) >= 2 && b[1] != 0:
		if int(b[1]) < len(socks5Errors) {
			return 0, errors.New(socks5Errors[b[1]])
		}
		return 0, fmt.Errorf("it failed with code %d", b[1])
	case len(b) < 5:
		return 0, nil
	}
	n := 0 // of the address it connected from
	switch b[3] {
	case 1:
		n = 4
	case 3:
		n = 1 + int(b[4])
	case 4:
		n = 16
	default:
		return 0, errors.New("its answer cannot be understood")
	}
	if len(b) < 4+n+2 {
		return 0, nil
	}
	t.to(proxyThrough)
	return 4 + n + 2, nil
}

func (t *tunnel) askSOCKS4() {
	req := []byte{4, 1, byte(t.port >> 8), byte(t.port)}
	if ip, err := netip.ParseAddr(t.host); err == nil && ip.Unmap().Is4() {
		req = append(append(req, ip.Unmap().AsSlice()...), 0)
	} else {
		req = append(append(append(req, 0, 0, 0, 1, 0), t.host...), 0)
	}
	t.s.Write(req)
}

func (t *tunnel) replySOCKS4(b []byte) (int, error) {
	switch {
	case len(b) < 2:
		return 0, nil
	case b[0] != 0:
		return 0, errors.New("it speaks no SOCKS4")
	case b[1] != 90:
		return 0, errors.New("it refused the connection or could not make it")
	case len(b) < 8:
		return 0, nil
	}
	t.to(proxyThrough)
	return 8, nil
}

func (t *tunnel) replyHTTP(b []byte) (int, error) {
	if first, _, ok := bytes.Cut(b, []byte("\r\n")); ok || len(b) > 12 {
		version, status, _ := strings.Cut(string(first), " ")
		code, text, _ := strings.Cut(status, " ")
		switch {
		case !strings.HasPrefix(version, "HTTP/1."):
			return 0, errors.New("it speaks no HTTP")
		case !ok:
		case len(code) != 3 || code[0] != '2':
			return 0, fmt.Errorf("it refused: %.80q", code+" "+text)
		}
	}
	i := bytes.Index(b, []byte("\r\n\r\n"))
	if i < 0 {
		return 0, nil
	}
	t.to(proxyThrough)
	return i + 4, nil
}

// Lost is the end of the connection to the proxy.
func (t *tunnel) Lost(err error) {
	if err == nil {
		err = errors.New("it hung up")
	}
	t.end(err)
}

func (t *tunnel) end(err error) {
	if done := t.done; done != nil {
		t.done = nil
		done(err)
	}
}

// restart takes the stream's protocol away, so that it can be started with
// another; rest is what came for that one already.
func (s *Stream) restart(rest []byte) {
	s.Unread(rest)
	s.proto, s.started = nil, false
	s.updateInterest()
}
