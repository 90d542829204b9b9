package cert

import (
	"crypto/tls"
	"net"
	"testing"
	"time"
)

// handshake runs one TLS handshake and gives the client's error.
func handshake(t *testing.T, l *Leaf, c *tls.Config) error {
	t.Helper()
	pair, err := l.TLS()
	if err != nil {
		t.Fatal(err)
	}
	ln, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{pair}})
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	go func() {
		c, err := ln.Accept()
		if err != nil {
			return
		}
		c.(*tls.Conn).Handshake()
		c.Close()
	}()
	a, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	a.SetDeadline(time.Now().Add(5 * time.Second))
	return tls.Client(a, c).Handshake()
}

func TestIssuedCertificateIsTrustedOnlyForItsNames(t *testing.T) {
	a, err := NewAuthority()
	if err != nil {
		t.Fatal(err)
	}
	good, err := a.Issue(Request{Names: []string{"localhost", "127.0.0.1"}})
	if err != nil {
		t.Fatal(err)
	}
	old, err := a.Issue(Request{Names: []string{"localhost"}, NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: time.Now().Add(-time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	other, err := NewAuthority()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		what string
		leaf *Leaf
		conf *tls.Config
		ok   bool
	}{
		{"name", good, &tls.Config{RootCAs: a.Pool(), ServerName: "localhost"}, true},
		{"address", good, &tls.Config{RootCAs: a.Pool(), ServerName: "127.0.0.1"}, true},
		{"wrong name", good, &tls.Config{RootCAs: a.Pool(), ServerName: "mail.example"}, false},
		{"wrong authority", good, &tls.Config{RootCAs: other.Pool(), ServerName: "localhost"}, false},
		{"expired", old, &tls.Config{RootCAs: a.Pool(), ServerName: "localhost"}, false},
	} {
		if err := handshake(t, c.leaf, c.conf); (err == nil) != c.ok {
			t.Errorf("%s: err = %v, want ok %v", c.what, err, c.ok)
		}
	}
}
