package reactor

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"math/big"
	"net"
	"runtime"
	"testing"
	"time"
)

// testCert makes a self-signed certificate for localhost and a pool trusting it.
func testCert(t testing.TB) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

// serve accepts one connection after another and gives each to f in a goroutine.
func serve(t testing.TB, network, addr string, f func(net.Conn)) (port int) {
	t.Helper()
	ln, err := net.Listen(network, addr)
	if err != nil {
		t.Skipf("listen on %s: %v", addr, err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() { defer c.Close(); f(c) }()
		}
	}()
	return ln.Addr().(*net.TCPAddr).Port
}

// slowConn cuts what it writes into pieces of n bytes, each sent by itself.
type slowConn struct {
	net.Conn
	n int
}

func (c slowConn) Write(p []byte) (int, error) {
	for i := 0; i < len(p); i += c.n {
		if _, err := c.Conn.Write(p[i:min(i+c.n, len(p))]); err != nil {
			return i, err
		}
		if c.n < 16 && i%64 == 0 {
			runtime.Gosched() // gives the loop a chance to see the pieces apart
		}
	}
	return len(p), nil
}

// sink is a Protocol that collects, and calls back.
type sink struct {
	got    bytes.Buffer
	onData func()
	onLost func(error)
	lost   int
	err    error
}

func (p *sink) Data(b []byte) {
	p.got.Write(b)
	if p.onData != nil {
		p.onData()
	}
}

func (p *sink) Lost(err error) {
	p.lost++
	p.err = err
	if p.onLost != nil {
		p.onLost(err)
	}
}

// pair returns a stream and the other end of its socket.
func pair(t testing.TB, l *Loop) (*Stream, net.Conn) {
	t.Helper()
	got := make(chan net.Conn, 1)
	port := serve(t, "tcp", "127.0.0.1:0", func(c net.Conn) {
		got <- c
		<-t.Context().Done()
	})
	var s *Stream
	l.Dial(DialOptions{Host: "127.0.0.1", Port: port}, func(st *Stream, err error) {
		if err != nil {
			t.Error(err)
		}
		s = st
		l.Stop(nil)
	})
	run(t, l)
	if s == nil {
		t.Fatal("no stream")
	}
	return s, <-got
}

func dialOne(t testing.TB, l *Loop, o DialOptions) (*Stream, error) {
	t.Helper()
	var s *Stream
	var err error
	n := 0
	l.Dial(o, func(st *Stream, e error) { s, err = st, e; n++; l.Stop(nil) })
	run(t, l)
	if n != 1 {
		t.Fatalf("done called %d times", n)
	}
	return s, err
}

// echo hides the connection's own ReadFrom: splice would keep a pipe for later
// and disturb tests that count descriptors.
func echo(c net.Conn) { io.Copy(struct{ io.Writer }{c}, struct{ io.Reader }{c}) }

// pattern is n bytes that show a lost or doubled piece.
func pattern(n int) []byte {
	b := make([]byte, n)
	x := uint32(7)
	for i := range b {
		x = x*1664525 + 1013904223
		b[i] = byte(x >> 24)
	}
	return b
}

func waitGoroutines(t testing.TB, want int) {
	t.Helper()
	for range 100 {
		if runtime.NumGoroutine() <= want {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	buf := make([]byte, 1<<16)
	t.Errorf("%d goroutines, want %d:\n%s", runtime.NumGoroutine(), want, buf[:runtime.Stack(buf, true)])
}
