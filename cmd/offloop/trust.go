package main

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"offloop/cmd/offloop/internal/config"
	"offloop/cmd/offloop/internal/mailsync"
	"offloop/ui"
)

// Certificates trusted on first use. A server whose certificate no known
// authority signed is not spoken to, unless a person at the live screen has seen
// its fingerprint and said yes; that is kept in a file of the account's metadata,
// and holds for this very certificate only. cert_fingerprint, where it is set,
// decides alone.

// trusted is one certificate a person said yes to.
type trusted struct {
	server string // host:port
	sum    string // SHA-256 of the certificate, hex
	since  string // the day
}

// trustFile is the list of them: a line each, "host:port sha256 day".
type trustFile struct {
	path string
	list []trusted
}

const trustHead = "# Certificates that no authority vouches for and a person trusted: server, SHA-256, day.\n"

// load reads the file; none is an empty one. A line that is no entry is an error:
// what is trusted must not be guessed.
func (t *trustFile) load() error {
	t.list = nil
	b, err := os.ReadFile(t.path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("trusted certificates: %w", err)
	}
	sc := bufio.NewScanner(bytes.NewReader(b))
	for n := 1; sc.Scan(); n++ {
		f := strings.Fields(sc.Text())
		if len(f) == 0 || strings.HasPrefix(f[0], "#") {
			continue
		}
		if raw, err := hex.DecodeString(f[min(1, len(f)-1)]); len(f) != 3 || err != nil || len(raw) != sha256.Size {
			return fmt.Errorf("trusted certificates: line %d of %s is damaged; remove it, and the question is asked again", n, t.path)
		}
		t.list = append(t.list, trusted{f[0], f[1], f[2]})
	}
	return sc.Err()
}

// find returns the entry of a server.
func (t *trustFile) find(server string) (trusted, bool) {
	i := slices.IndexFunc(t.list, func(x trusted) bool { return x.server == server })
	if i < 0 {
		return trusted{}, false
	}
	return t.list[i], true
}

// with returns the list with n in it, in place of its server's entry before.
func (t trustFile) with(n trusted) trustFile {
	t.list = slices.DeleteFunc(slices.Clone(t.list), func(x trusted) bool { return x.server == n.server })
	t.list = append(t.list, n)
	return t
}

// save writes the file anew, readable by its owner only.
func (t *trustFile) save() error {
	var b bytes.Buffer
	b.WriteString(trustHead)
	for _, x := range t.list {
		fmt.Fprintf(&b, "%s %s %s\n", x.server, x.sum, x.since)
	}
	return replaceFile(t.path, b.Bytes(), true)
}

// replaceFile puts a file with b in the place of path, whole or not at all.
func replaceFile(path string, b []byte, durable bool) error {
	f, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err == nil && durable {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(path+".new", path)
	}
	if err != nil || !durable {
		return err
	}
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// doubt is a certificate that was not trusted.
type doubt struct {
	server string
	cert   *x509.Certificate
	why    error
	before trusted // what was trusted before, if anything
}

func (d *doubt) sum() string {
	h := sha256.Sum256(d.cert.Raw)
	return hex.EncodeToString(h[:])
}

// colons writes a fingerprint the way other programs show it.
func colons(sum string) string {
	var b strings.Builder
	for i := 0; i+1 < len(sum); i += 2 {
		if i > 0 {
			b.WriteByte(':')
		}
		b.WriteString(sum[i : i+2])
	}
	return b.String()
}

// newAccess prepares the way to an account's server.
func newAccess(p *program, acc *config.Account, ask func(string, func(string, error))) *access {
	return &access{loop: p.loop, acc: acc, ask: ask, say: p.show, noKeyring: p.o.ignoreKeyring || p.cfg.IgnoreKeyring,
		trust: trustFile{path: filepath.Join(p.cfg.Metadata, "offloop", fileSafe(acc.Name), "trusted-certificates")}}
}

// verify accepts a certificate that a known authority signed for this host, as the
// library would, or the very one that was trusted before.
func (x *access) verify(cs tls.ConnectionState) error {
	r := &x.acc.Remote
	if len(cs.PeerCertificates) == 0 {
		return errors.New("the server showed no certificate")
	}
	leaf := cs.PeerCertificates[0]
	o := x509.VerifyOptions{Roots: x.roots, DNSName: r.Host, Intermediates: x509.NewCertPool(), CurrentTime: x.loop.Now()}
	for _, c := range cs.PeerCertificates[1:] {
		o.Intermediates.AddCert(c)
	}
	_, err := leaf.Verify(o)
	if err == nil {
		return nil
	}
	d := &doubt{server: net.JoinHostPort(r.Host, strconv.Itoa(r.Port)), cert: leaf, why: err}
	known, ok := x.trust.find(d.server)
	if ok && known.sum == d.sum() {
		return nil
	}
	d.before = known
	x.doubt = d
	text := fmt.Sprintf("the certificate of %s is not trusted: %v; its SHA-256 fingerprint is %s", d.server, err, d.sum())
	if ok {
		text += fmt.Sprintf(", not the %s trusted on %s", known.sum, known.since)
	}
	return &mailsync.Error{Scope: mailsync.ScopeAccount, Account: x.acc.Name, Err: errors.New(text), Did: "neither name nor password was sent",
		Hint: fmt.Sprintf("if the server's owner confirms the fingerprint, write cert_fingerprint = %s into [Repository %s], or say yes in the live screen; name the CA file of an authority of your own in sslcacertfile", d.sum(), r.Name)}
}

// question is what a person is shown of the certificate.
func (d *doubt) question() string {
	c := d.cert
	s := fmt.Sprintf("The certificate of %s is not trusted: %v\nsubject  %s\nissuer   %s\nvalid    %s to %s\nSHA-256  %s\n", d.server, d.why, c.Subject, c.Issuer,
		c.NotBefore.Format("2006-01-02"), c.NotAfter.Format("2006-01-02"), colons(d.sum()))
	if d.before.sum == "" {
		return s + "It is the first one seen here. Trust it only if the server's owner confirms the fingerprint."
	}
	return s + fmt.Sprintf("CHANGED: on %s you trusted %s. Trust the new one only if the server's owner says that it was replaced: someone in between would look like this.", d.before.since, colons(d.before.sum))
}

// askTrust opens the question and lets the account rest until it is answered;
// the other accounts go on. Only how it ends goes on the record.
func (r *runner) askTrust(res *mailsync.Result) {
	r.state = runnerSleeping
	r.doubted = res.Errors[len(res.Errors)-1]
	r.dropLost(res)
	r.p.show(ui.Event{Kind: "attention", Severity: "warn", Account: r.acc.Name, Dest: ui.TopicCertificate, Text: r.access.doubt.question()})
}

// undecided puts the failure back on the record.
func (r *runner) undecided() {
	if r.doubted != nil {
		res := r.a.Result()
		res.Errors = append(res.Errors, r.doubted)
		r.doubted, r.total = nil, *res
	}
}

// decided takes the person's answer about a certificate.
func (r *runner) decided(yes bool) {
	d := r.access.doubt
	if d == nil || r.doubted == nil {
		return
	}
	if !yes {
		err := r.doubted
		r.undecided()
		r.p.show(ui.Event{Kind: "attention", Severity: "error", Account: r.acc.Name, Dest: ui.TopicCertificate, Text: err.Error(), Hint: err.Hint})
		if r.acc.AutoRefresh > 0 && !r.p.o.once {
			r.sleep(r.acc.AutoRefresh, true)
			return
		}
		r.state = runnerDone
		r.p.loop.NextTurn(r.p.startNext)
		return
	}
	list := r.access.trust.with(trusted{d.server, d.sum(), r.p.loop.Now().Format("2006-01-02")})
	r.access.trust, r.doubted = list, nil
	var err error
	r.p.loop.Disk(func() { err = list.save() }, func() {
		if err != nil {
			r.p.show(ui.Event{Kind: "warn", Severity: "warn", Account: r.acc.Name, Text: fmt.Sprintf("the certificate is trusted until offloop ends; it could not be noted: %v", err)})
		}
		r.wake()
	})
}
