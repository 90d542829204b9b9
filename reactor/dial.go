package reactor

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const (
	defaultDialTimeout = 30 * time.Second
	// defaultStagger is the Connection Attempt Delay of RFC 8305 section 5.
	defaultStagger = 250 * time.Millisecond
)

// DialOptions says where to connect and how.
type DialOptions struct {
	Host    string        // name or address
	Port    int           // 1 to 65535
	Network string        // "tcp" (also if empty), "tcp4" or "tcp6"
	TLS     *tls.Config   // nil = plain; ServerName defaults to Host
	Timeout time.Duration // for all of it: lookup, connecting, handshake; default 30 s
	Proxy   *Proxy        // nil = directly; Host is then looked up by the proxy
	Stagger time.Duration // head start of each address over the next; default 250 ms
}

// ErrCanceled is the error that done receives after Cancel.
var ErrCanceled = errors.New("cancelled")

// dialState is where a Dialing is:
//
//	Resolving ──addresses──▶ Connecting ──one answers──▶ Proxying ──let through──▶ Securing ──handshake──▶ Done
//	    └─────no such host───────┴──────all failed, too late, Cancel─────┴───────────────┴──▶ Done
//
// Proxying is skipped without a proxy (whose talk has a machine of its own, see
// proxyStep), Securing without TLS. With a proxy it is the proxy that is resolved and
// connected to.
type dialState uint8

const (
	dialResolving dialState = iota
	dialConnecting
	dialProxying
	dialSecuring
	dialDone
)

func (s dialState) String() string {
	switch s {
	case dialResolving:
		return "looking up the name"
	case dialConnecting:
		return "connecting"
	case dialProxying:
		return "asking the proxy"
	case dialSecuring:
		return "in the TLS handshake"
	case dialDone:
		return "done"
	}
	return "dialState(?)"
}

// Dialing is a connection being made.
type Dialing struct {
	l     *Loop
	o     DialOptions
	state dialState
	done  func(*Stream, error)

	deadline *Timer
	stagger  *Timer
	giveUp   func() // ends the lookup, or a simulated dial

	addrs    []netip.Addr // still to be tried
	attempts []*attempt   // being tried
	tries    []Try        // failed
	stream   *Stream      // in Securing
	canceled bool         // after the outcome, but before done was told of it
}

// attempt is one address being connected to.
type attempt struct {
	fd   int
	w    *Watch
	addr netip.AddrPort
}

// Dial connects to a host: the name is looked up aside, its addresses are tried
// in an order that alternates between IPv6 and IPv4, each getting a head start
// (Happy Eyeballs, RFC 8305), and with TLS set the handshake is done as well.
// done is called exactly once, never before Dial returns, with the stream (not
// yet started) or a *DialError. TCP keepalive is on, at 60 seconds.
func (l *Loop) Dial(o DialOptions, done func(*Stream, error)) *Dialing {
	if o.Timeout <= 0 {
		o.Timeout = defaultDialTimeout
	}
	if o.Stagger <= 0 {
		o.Stagger = defaultStagger
	}
	if o.Network == "" {
		o.Network = "tcp"
	}
	d := &Dialing{l: l, o: o, done: done, giveUp: func() {}}
	d.deadline = l.CallLater(o.Timeout, func() { d.fail(fmt.Errorf("no answer within %v while %s", o.Timeout, d.state)) })
	if l.sim != nil {
		d.giveUp = l.simDial(o, d.simulated)
		return d
	}
	if o.TLS != nil && o.TLS.RootCAs == nil && !o.TLS.InsecureSkipVerify {
		l.loadRoots(func(error) {}) // beside the lookup; StartTLS reports an error
	}
	host, _ := d.peer()
	ip, err := netip.ParseAddr(strings.Trim(host, "[]"))
	switch {
	case o.Host == "":
		l.NextTurn(func() { d.fail(errors.New("no host name given")) })
	case o.Port < 1 || o.Port > 65535:
		l.NextTurn(func() { d.fail(fmt.Errorf("port %d is not between 1 and 65535", o.Port)) })
	case o.Proxy != nil && (o.Proxy.Host == "" || o.Proxy.Port < 1 || o.Proxy.Port > 65535 || len(o.Host) > 255):
		l.NextTurn(func() {
			d.fail(errors.New("the proxy has no host or port that can be used, or the host's name is too long for it"))
		})
	case err == nil:
		l.NextTurn(func() { d.resolved([]netip.Addr{ip}, nil) })
	default:
		d.giveUp = l.lookup("ip"+strings.TrimPrefix(o.Network, "tcp"), host, d.resolved)
	}
	return d
}

// peer is what is connected to: the host, or the proxy.
func (d *Dialing) peer() (host string, port int) {
	if p := d.o.Proxy; p != nil {
		return p.Host, p.Port
	}
	return d.o.Host, d.o.Port
}

// Cancel gives the connection up; done then gets an error that wraps ErrCanceled.
// After done it does nothing: the stream belongs to whoever got it.
func (d *Dialing) Cancel() {
	d.canceled = true
	if d.state != dialDone {
		d.finish(nil, d.cancelError())
	}
}

func (d *Dialing) cancelError() error {
	return &DialError{Host: d.o.Host, Port: d.o.Port, Tries: d.tries, Err: ErrCanceled}
}

func (d *Dialing) to(s dialState) { d.state = s }

func (d *Dialing) resolved(addrs []netip.Addr, err error) {
	if d.state != dialResolving {
		return
	}
	if err == nil {
		addrs = interleave(addrs, d.o.Network)
		if len(addrs) == 0 {
			err = fmt.Errorf("the name has no address usable with %s", d.o.Network)
		}
	}
	if err != nil {
		d.fail(err)
		return
	}
	d.addrs = addrs
	d.to(dialConnecting)
	d.tryNext()
}

// tryNext starts the next address. One that fails at once (no route) is passed
// over in the same go; the last to fail ends the dialing.
func (d *Dialing) tryNext() {
	d.stagger.Cancel()
	for len(d.addrs) > 0 && d.state == dialConnecting {
		_, port := d.peer()
		ap := netip.AddrPortFrom(d.addrs[0], uint16(port))
		d.addrs = d.addrs[1:]
		fd, inProgress, err := connect(ap)
		if err != nil {
			d.tries = append(d.tries, Try{ap.String(), err})
			continue
		}
		a := &attempt{fd: fd, addr: ap}
		if !inProgress {
			d.connected(a)
			return
		}
		if a.w, err = d.l.Watch(fd, Writable, func(Events) { d.answered(a) }); err != nil {
			unix.Close(fd)
			d.tries = append(d.tries, Try{ap.String(), err})
			continue
		}
		d.attempts = append(d.attempts, a)
		if len(d.addrs) > 0 {
			d.stagger = d.l.CallLater(d.o.Stagger, d.tryNext)
		}
		return
	}
	if len(d.attempts) == 0 && d.state == dialConnecting {
		d.fail(nil)
	}
}

// answered handles the outcome of one attempt.
func (d *Dialing) answered(a *attempt) {
	errno, err := unix.GetsockoptInt(a.fd, unix.SOL_SOCKET, unix.SO_ERROR)
	if err == nil && errno != 0 {
		err = unix.Errno(errno)
	}
	d.drop(a)
	if err == nil {
		d.connected(a)
		return
	}
	unix.Close(a.fd)
	d.tries = append(d.tries, Try{a.addr.String(), err})
	// A failure need not wait for the stagger: the next address starts now.
	d.tryNext()
}

func (d *Dialing) drop(a *attempt) {
	a.w.Close()
	for i, other := range d.attempts {
		if other == a {
			d.attempts = append(d.attempts[:i], d.attempts[i+1:]...)
			return
		}
	}
}

// connected takes the first address that answered; the others are closed.
func (d *Dialing) connected(a *attempt) {
	d.stagger.Cancel()
	d.closeAttempts()
	tuneTCP(a.fd)
	s, err := d.l.Adopt(a.fd, a.addr.String())
	if err != nil {
		unix.Close(a.fd)
		d.fail(err)
		return
	}
	d.proxied(s)
}

// simulated continues where a simulated dial has an outcome.
func (d *Dialing) simulated(s *Stream, err error) {
	switch {
	case d.state != dialResolving:
		if s != nil {
			s.Abort(ErrCanceled)
		}
	case err != nil:
		d.fail(err)
	default:
		d.proxied(s)
	}
}

// proxied has the proxy, where there is one, connect to the host.
func (d *Dialing) proxied(s *Stream) {
	p := d.o.Proxy
	if p == nil {
		d.secure(s)
		return
	}
	d.to(dialProxying)
	d.stream = s
	through(s, p, d.o.Host, d.o.Port, func(err error) {
		if d.state != dialProxying {
			return
		}
		if err != nil {
			d.fail(fmt.Errorf("the %v proxy %s: %w", p.Kind, net.JoinHostPort(p.Host, strconv.Itoa(p.Port)), err))
			return
		}
		d.secure(s)
	})
}

func (d *Dialing) secure(s *Stream) {
	if d.o.TLS == nil {
		d.finish(s, nil)
		return
	}
	d.to(dialSecuring)
	d.stream = s
	conf := d.o.TLS.Clone()
	if conf.ServerName == "" {
		conf.ServerName = strings.Trim(d.o.Host, "[]")
	}
	s.startTLS(conf, false, func(_ tls.ConnectionState, err error) {
		if d.state != dialSecuring {
			return
		}
		if err != nil {
			d.tries = append(d.tries, Try{s.remote, err})
			d.fail(nil)
			return
		}
		d.finish(s, nil)
	})
}

// fail ends the dialing with what was tried, and err where there is more to say.
func (d *Dialing) fail(err error) {
	if d.state == dialDone {
		return
	}
	for _, a := range d.attempts {
		d.tries = append(d.tries, Try{a.addr.String(), errors.New("no answer")})
	}
	d.finish(nil, &DialError{Host: d.o.Host, Port: d.o.Port, Tries: d.tries, Err: err})
}

func (d *Dialing) closeAttempts() {
	for _, a := range d.attempts {
		a.w.Close()
		unix.Close(a.fd)
	}
	d.attempts = nil
}

func (d *Dialing) finish(s *Stream, err error) {
	d.to(dialDone)
	d.deadline.Cancel()
	d.stagger.Cancel()
	d.giveUp()
	d.closeAttempts()
	if err != nil && d.stream != nil {
		d.stream.Abort(err)
	}
	d.stream = nil
	d.l.NextTurn(func() {
		if d.canceled && s != nil {
			s.Abort(ErrCanceled)
			s, err = nil, d.cancelError()
		}
		d.done(s, err)
	})
}

// Try is one address that was tried and why it failed.
type Try struct {
	Addr string
	Err  error
}

// DialError says why no connection could be made.
type DialError struct {
	Host  string
	Port  int
	Tries []Try // every address tried, in order
	Err   error // set if the reason is not one of the addresses
}

// Error names the host, the port, and each address with its own error.
func (e *DialError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "cannot connect to %s", net.JoinHostPort(e.Host, strconv.Itoa(e.Port)))
	sep := ": "
	if e.Err != nil {
		b.WriteString(sep + e.Err.Error())
		sep = "; "
	}
	if len(e.Tries) == 1 && e.Err == nil && e.Tries[0].Addr == net.JoinHostPort(e.Host, strconv.Itoa(e.Port)) {
		return b.String() + sep + e.Tries[0].Err.Error()
	}
	for _, t := range e.Tries {
		fmt.Fprintf(&b, "%s%s: %v", sep, t.Addr, t.Err)
		sep = "; "
	}
	return b.String()
}

// Unwrap gives access to all underlying errors.
func (e *DialError) Unwrap() []error {
	var errs []error
	if e.Err != nil {
		errs = append(errs, e.Err)
	}
	for _, t := range e.Tries {
		errs = append(errs, t.Err)
	}
	return errs
}

// Hint says what the user could do about it, or "".
func (e *DialError) Hint() string {
	var dns *net.DNSError
	var cert *tls.CertificateVerificationError
	var header tls.RecordHeaderError
	switch {
	case errors.Is(e, ErrCanceled):
		return ""
	case errors.As(e, &dns) && dns.IsNotFound:
		return "check the spelling of the host name"
	case errors.As(e, &dns):
		return "check the network connection and the name servers"
	case errors.As(e, &cert):
		return "the server's certificate is not trusted: check the host name, the clock, and the CA file or fingerprint configured"
	case errors.As(e, &header):
		return "the server does not speak TLS on this port: 993 is the usual port for TLS, 143 for STARTTLS"
	case errors.Is(e, unix.ECONNREFUSED):
		return "nothing listens on this port: check the port and that the server runs"
	case errors.Is(e, unix.ENETUNREACH), errors.Is(e, unix.EHOSTUNREACH):
		return "check the network connection"
	}
	return ""
}

func lookupContext() (context.Context, context.CancelFunc) {
	return context.WithCancel(context.Background())
}
