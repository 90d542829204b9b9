package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"offloop/cmd/internal/lab"
	"offloop/cmd/internal/lab/dovecot"
)

// tokens is a token server, and the server that Dovecot asks whether one is good.
type tokens struct {
	mu      sync.Mutex
	user    string
	served  int
	expires string
	refuse  bool
	rotate  bool
	forms   []url.Values
}

func (s *tokens) now() string { return fmt.Sprintf("tok-%s-%d-secret", s.user, s.served) }

func (s *tokens) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case r.URL.Path == "/check":
		if r.URL.Query().Get("token") != s.now() {
			w.WriteHeader(http.StatusUnauthorized)
			io.WriteString(w, `{"error":"invalid_token"}`)
			return
		}
		fmt.Fprintf(w, `{"email":%q,"active":"true"}`, s.user)
	case s.refuse:
		w.WriteHeader(http.StatusBadRequest)
		io.WriteString(w, `{"error":"invalid_grant","error_description":"Token has been revoked.\u001b[31m"}`)
	default:
		r.ParseForm()
		s.forms = append(s.forms, r.PostForm)
		s.served++
		refresh := ""
		if s.rotate {
			refresh = `"refresh_token":"rotated-secret",`
		}
		out := fmt.Sprintf(`{"token_type":"Bearer",%s"access_token":%q,"expires_in":%s}`, refresh, s.now(), s.expires)
		w.(http.Flusher).Flush() // chunked
		io.WriteString(w, out[:10])
		w.(http.Flusher).Flush()
		io.WriteString(w, out[10:])
	}
}

// oauthDovecot is a Dovecot that takes passwords and the tokens of a tokens server.
func oauthDovecot(t *testing.T, user string) (*dovecot.Server, *tokens, string) {
	t.Helper()
	s := &tokens{user: user, expires: "3600"}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	web := &http.Server{Handler: s}
	go web.Serve(ln)
	t.Cleanup(func() { web.Close() })
	base := "http://" + ln.Addr().String()
	conf := filepath.Join(t.TempDir(), "oauth2.conf")
	if err := os.WriteFile(conf, []byte("introspection_mode = get\nintrospection_url = "+base+"/check?token=\nusername_attribute = email\nactive_attribute = active\nactive_value = true\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	os.Chmod(filepath.Dir(conf), 0o755)
	srv := lab.NeedDovecot(t, dovecot.Options{Extra: "auth_mechanisms = plain login cram-md5 scram-sha-1 scram-sha-256 xoauth2 oauthbearer\npassdb {\n  driver = oauth2\n  mechanisms = xoauth2 oauthbearer\n  args = " + conf + "\n}\n"})
	return srv, s, base
}

// noSecrets fails the test if one of the secrets, in whatever form, is in a text.
func noSecrets(t *testing.T, text string, secrets ...string) {
	t.Helper()
	for _, s := range secrets {
		for _, form := range []string{s, base64.StdEncoding.EncodeToString([]byte(s)), url.QueryEscape(s), hex.EncodeToString([]byte(s))} {
			if strings.Contains(text, form) {
				t.Errorf("%q shows in\n%s", form, tail(text, 2000))
			}
		}
	}
	for _, line := range strings.Split(text, "\n") {
		if i := strings.Index(line, "AUTHENTICATE"); i >= 0 && strings.Contains(line, "> ") && len(strings.Fields(line[i:])) > 2 && !strings.HasSuffix(line, "***") {
			t.Errorf("an initial response shows: %q", line)
		}
	}
}

func TestAuthMechanisms(t *testing.T) {
	srv, tok, base := oauthDovecot(t, "auth")
	for _, mech := range []string{"CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256", "PLAIN", "LOGIN", "XOAUTH2", "OAUTHBEARER"} {
		t.Run(mech, func(t *testing.T) {
			m := newMailbox(t, srv, "auth")
			m.put("INBOX", "for "+mech)
			m.extra["auth_mechanisms"] = "GSSAPI, " + mech
			m.extra["oauth2_client_id"], m.extra["oauth2_client_secret"] = "the-id", "client-secret"
			m.extra["oauth2_refresh_token"], m.extra["oauth2_request_url"] = "refresh-secret", base+"/token"
			m.write()
			first := m.sync("-d", "imap", "-l", m.dir+"/log")
			again := m.sync("-d", "imap")
			log, _ := os.ReadFile(m.dir + "/log")
			noSecrets(t, first+again+string(log), dovecot.Password, "refresh-secret", "client-secret", tok.now())
			want := " AUTHENTICATE " + mech
			if mech == "LOGIN" {
				want = " LOGIN ***"
			}
			for _, out := range []string{first, again} {
				if !strings.Contains(out, want) {
					t.Errorf("no %q in\n%s", want, tail(out, 3000))
				}
			}
			quiet(t, again)
			m.extra["remotepass"], m.extra["oauth2_access_token"] = "wrong-secret", "old-secret"
			m.write()
			out, code := m.run("-d", "imap")
			noSecrets(t, out, "wrong-secret", "old-secret")
			if code != 1 || !strings.Contains(out, "login failed") {
				t.Errorf("a wrong secret: exit status %d\n%s", code, tail(out, 2000))
			}
		})
	}
}

func TestOAuth(t *testing.T) {
	srv, tok, base := oauthDovecot(t, "bearer")
	m := newMailbox(t, srv, "bearer")
	m.put("INBOX", "one")
	m.extra["remotepass"] = ""
	m.extra["oauth2_client_id"], m.extra["oauth2_refresh_token"], m.extra["oauth2_request_url"] = "the-id", "refresh-secret", base+"/token"
	m.write()
	m.sync()
	tok.mu.Lock()
	f := tok.forms[0]
	tok.refuse = true
	tok.mu.Unlock()
	if f.Get("grant_type") != "refresh_token" || f.Get("refresh_token") != "refresh-secret" || f.Get("client_id") != "the-id" || f.Has("client_secret") {
		t.Errorf("asked with %v", f)
	}
	out, code := m.run()
	noSecrets(t, out, "refresh-secret")
	if code != 1 || !strings.Contains(out, "it refused: invalid_grant Token has been revoked.") || strings.Contains(out, "\x1b") {
		t.Errorf("exit status %d\n%s", code, out)
	}
	tok.mu.Lock()
	m.extra["oauth2_access_token_cmd"] = "echo " + tok.now()
	tok.mu.Unlock()
	m.write()
	m.sync()
	m.extra["oauth2_access_token_cmd"] = "echo no wallet >&2; exit 3"
	m.write()
	if out, code := m.run(); code != 1 || !strings.Contains(out, "oauth2_access_token_cmd") || !strings.Contains(out, "no wallet") {
		t.Errorf("exit status %d\n%s", code, out)
	}
	delete(m.extra, "oauth2_access_token_cmd")
	m.extra["oauth2_request_url"] = "http://127.0.0.1:1/token"
	m.write()
	if out, code := m.run(); code != 1 || !strings.Contains(out, "127.0.0.1:1") || !strings.Contains(out, "refused") {
		t.Errorf("exit status %d\n%s", code, out)
	}
}

// TestOAuthRefresh: in a long run a token is used for half its life, and a new refresh
// token takes the old one's place.
func TestOAuthRefresh(t *testing.T) {
	srv, tok, base := oauthDovecot(t, "again")
	tok.expires, tok.rotate = `"4"`, true
	m := newMailbox(t, srv, "again")
	m.extra["remotepass"] = ""
	m.extra["oauth2_client_id"], m.extra["oauth2_refresh_token"], m.extra["oauth2_request_url"] = "the-id", "refresh-secret", base+"/token"
	m.write()
	m.accountKeys("autorefresh = 0.02")
	p := m.keepRunning()
	p.until("the fourth round", func() bool { return strings.Count(p.output(), "*** Finished account") >= 4 })
	out := p.stop()
	tok.mu.Lock()
	defer tok.mu.Unlock()
	noSecrets(t, out, "refresh-secret", "rotated-secret")
	if n := len(tok.forms); n < 2 || tok.forms[1].Get("refresh_token") != "rotated-secret" || n >= strings.Count(out, "*** Processing account") {
		t.Errorf("%d rounds asked for a token with %v", strings.Count(out, "*** Processing account"), tok.forms)
	}
	if strings.Contains(out, "ERROR") || !strings.Contains(out, "new refresh token") {
		t.Error(out)
	}
}

// proxyServer connects through by one of the protocols and counts.
func proxyServer(t *testing.T) (port int, used func() int) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	var mu sync.Mutex
	n := 0
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				var b [512]byte
				k, _ := c.Read(b[:])
				head, _, _ := bytes.Cut(b[:k], []byte(" HTTP/1.1\r\n"))
				d, err := net.Dial("tcp", strings.TrimPrefix(string(head), "CONNECT "))
				if err != nil {
					io.WriteString(c, "HTTP/1.1 502 no\r\n\r\n")
					return
				}
				defer d.Close()
				mu.Lock()
				n++
				mu.Unlock()
				io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\n")
				go io.Copy(d, c)
				io.Copy(c, d)
			}()
		}
	}()
	return ln.Addr().(*net.TCPAddr).Port, func() int { mu.Lock(); defer mu.Unlock(); return n }
}

func TestProxyKeys(t *testing.T) {
	srv, _, base := oauthDovecot(t, "proxied")
	port, used := proxyServer(t)
	m := newMailbox(t, srv, "proxied")
	m.put("INBOX", "one")
	m.extra["oauth2_refresh_token"], m.extra["oauth2_request_url"], m.extra["remotepass"] = "r", base+"/token", ""
	m.write()
	m.accountKeys(fmt.Sprintf("proxy = HTTP:127.0.0.1:%d", port))
	m.sync()
	if n := used(); n != 2 {
		t.Errorf("the proxy saw %d connections, not those to the mail and the token server", n)
	}
	m.write()
	m.accountKeys(fmt.Sprintf("proxy = HTTP:127.0.0.1:%d", port), "authproxy =")
	m.sync()
	if n := used(); n != 3 {
		t.Errorf("with an empty authproxy the proxy saw %d connections", n-2)
	}
	m.write()
	m.accountKeys("proxy = SOCKS5:127.0.0.1:1", "authproxy =")
	if out, code := m.run(); code != 1 || !strings.Contains(out, "127.0.0.1:1") {
		t.Errorf("exit status %d\n%s", code, out)
	}
}

// clientCert makes a certificate that is its own authority, and its key.
func clientCert(t *testing.T, dir string) (cert, key string) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "cert"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &k.PublicKey, k)
	if err != nil {
		t.Fatal(err)
	}
	priv, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = dir+"/client.pem", dir+"/client.key"
	if os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o644) != nil ||
		os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: priv}), 0o600) != nil {
		t.Fatal("cannot write to", dir)
	}
	return cert, key
}

// TestClientCert: the server demands a certificate of us.
func TestClientCert(t *testing.T) {
	dir := t.TempDir()
	cert, key := clientCert(t, dir)
	srv := lab.NeedDovecot(t, dovecot.Options{Extra: "auth_ssl_require_client_cert = yes\nssl_verify_client_cert = yes\nssl_require_crl = no\nssl_ca = <" + cert + "\n"})
	m := newMailbox(t, srv, "cert")
	m.write()
	if out, code := m.run(); code != 1 {
		t.Fatalf("without a certificate: exit status %d\n%s", code, out)
	}
	m.extra["sslclientcert"], m.extra["sslclientkey"] = cert, key
	m.write()
	m.sync()
	m.extra["sslclientcert"] = dir + "/none.pem"
	m.write()
	if out, code := m.run(); code != 1 || !strings.Contains(out, "sslclientcert "+dir+"/none.pem") {
		t.Errorf("exit status %d\n%s", code, out)
	}
}

func TestFingerprintAlone(t *testing.T) {
	srv := lab.NeedDovecot(t)
	m := newMailbox(t, srv, "pinned")
	m.extra["sslcacertfile"] = ""
	m.extra["cert_fingerprint"] = strings.Repeat("ab", sha256.Size)
	m.write()
	out, code := m.run()
	i := strings.Index(out, "SHA-256 fingerprint ")
	if code != 1 || i < 0 {
		t.Fatalf("exit status %d\n%s", code, out)
	}
	m.extra["cert_fingerprint"] = strings.ToUpper(out[i+20 : i+20+64])
	m.extra["ssl_version"] = "tls1_2"
	m.write()
	m.sync()
}

func TestParseAnswer(t *testing.T) {
	for _, c := range []struct {
		in    string
		whole bool
		want  string
	}{
		{"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nabc", false, "200 ab <nil>"},
		{"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabc", false, "0  " + errShort.Error()},
		{"HTTP/1.1 200 OK\r\n\r\nabc", false, "0  " + errShort.Error()},
		{"HTTP/1.1 200 OK\r\n\r\nabc", true, "200 abc <nil>"},
		{"HTTP/1.1 200", true, "0  " + errShort.Error()},
		{"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404 no\r\ncontent-length:0\r\n\r\n", false, "404  <nil>"},
		{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n3;x=y\r\ncde\r\n0\r\n", false, "200 abcde <nil>"},
		{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n3", true, "200  " + errShort.Error()},
		{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabcd\r\n", true, "200  " + errNotHTTP.Error()},
		{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\n", true, "200  " + errNotHTTP.Error()},
		{"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", true, "0  " + errNotHTTP.Error()},
		{"* OK IMAP\r\n\r\n", true, "0  " + errNotHTTP.Error()},
	} {
		status, body, err := parseAnswer([]byte(c.in), c.whole)
		if got := fmt.Sprintf("%d %s %v", status, body, err); got != c.want {
			t.Errorf("%q: %s, want %s", c.in, got, c.want)
		}
	}
}

func FuzzParseAnswer(f *testing.F) {
	f.Add([]byte("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n"))
	f.Add([]byte("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab"))
	f.Fuzz(func(t *testing.T, b []byte) {
		_, part, err := parseAnswer(b, false)
		_, all, err2 := parseAnswer(b, true)
		if err == nil && (err2 != nil || string(part) != string(all)) {
			t.Errorf("%q: %q then %q %v", b, part, all, err2)
		}
		readGrant(200, part, time.Time{})
	})
}

// A mechanism the server offers and cannot do, for it keeps crypted passwords, is
// passed over within the same connection, and not tried again in the next run, which
// logs in ahead as ever. A wrong password is tried once with each run after that.
func TestAuthFallback(t *testing.T) {
	srv := lab.NeedDovecot(t, dovecot.Options{Extra: "auth_mechanisms = plain cram-md5\n", Crypted: true})
	m := newMailbox(t, srv, "crypted")
	m.put("INBOX", "one")
	m.extra["auth_mechanisms"] = "GSSAPI, XOAUTH2, CRAM-MD5, PLAIN, LOGIN"
	m.write()
	logins := func(out string) string {
		var got []string
		for _, line := range strings.Split(out, "\n") {
			if _, after, ok := strings.Cut(line, " AUTHENTICATE "); ok && strings.Contains(line, "> ") {
				got = append(got, strings.Fields(after)[0])
			}
		}
		return strings.Join(got, " ")
	}
	if got := logins(m.sync("-d", "imap")); got != "CRAM-MD5 PLAIN" {
		t.Errorf("the first run logged in with %q", got)
	}
	again := m.sync("-d", "imap")
	if got := logins(again); got != "PLAIN" {
		t.Errorf("the second run logged in with %q", got)
	}
	quiet(t, again)
	m.extra["remotepass"] = "wrong-secret"
	m.write()
	for range 2 {
		out, code := m.run("-d", "imap")
		noSecrets(t, out, "wrong-secret")
		if got := logins(out); got != "PLAIN" || code != 1 {
			t.Errorf("a wrong password: logged in with %q, exit status %d", got, code)
		}
	}
}
