package peers

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"offloop/cmd/internal/lab"
	"offloop/cmd/internal/lab/dovecot"
	"offloop/cmd/internal/lab/gen"
	"offloop/cmd/internal/lab/imapc"
	"offloop/cmd/internal/lab/verify"
)

// TestPeersFetchAnAccount shows that each tool's configuration works: on
// mail without nasty messages both sides are equal.
func TestPeersFetchAnAccount(t *testing.T) {
	s := lab.NeedDovecot(t)
	for _, tool := range []Tool{Mbsync(), OfflineIMAP(1), Interimap()} {
		for _, tls := range []bool{false, true} {
			name := tool.Name + map[bool]string{false: "", true: "-tls"}[tls]
			t.Run(name, func(t *testing.T) {
				if !tool.Available() {
					t.Skipf("%s is not installed", tool.Binary)
				}
				peerFetches(t, s, tool, name, tls)
			})
		}
	}
}

func peerFetches(t *testing.T, s *dovecot.Server, tool Tool, user string, tls bool) {
	dial := func(user string) *imapc.Client {
		c, err := imapc.Dial(s.Addr(), imapc.Options{User: user, Pass: dovecot.Password})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	c := dial(user)
	if err := gen.New(gen.Options{Messages: 30, Folders: 6, Nasty: -1, SafeNames: true}).FillIMAP(c); err != nil {
		t.Fatal(err)
	}
	a := Account{Host: "127.0.0.1", Port: s.Port, User: user, Pass: dovecot.Password, TLS: tls, CAFile: s.CAFile,
		LocalUser: user + "-local", LocalCommand: s.Preauth(user + "-local")}
	if tls {
		a.Host, a.Port = "localhost", s.TLSPort
	}
	j, err := tool.Setup(t.TempDir(), a)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	u, err := j.Run(ctx)
	if err != nil || u.Exit != 0 {
		t.Fatalf("exit %d, %v\n%s", u.Exit, err, u.Output)
	}
	if u.Wall <= 0 || u.CPU() <= 0 || u.MaxRSS < 1<<20 {
		t.Errorf("usage %+v", u)
	}
	var r verify.Report
	if tool.LocalIMAP {
		server, err1 := verify.ReadServer(c, tool.Verify)
		local, err2 := verify.ReadServer(dial(a.LocalUser), tool.Verify)
		if err1 != nil || err2 != nil {
			t.Fatal(err1, err2)
		}
		r = verify.Compare(server, local, tool.Verify)
	} else if r, err = verify.Check(c, j.Maildir, tool.Verify); err != nil {
		t.Fatal(err)
	}
	if !r.Equal() || r.Server != 30 {
		t.Errorf("%v\n%s", r, u.Output)
	}
}

func TestMeasure(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	if _, err := Measure(ctx, "", nil, "sleep", "30"); err == nil {
		t.Error("a program that does not end was not killed")
	}
	u, err := Measure(context.Background(), "", nil, "sh", "-c", "echo stats: longest-turn=12.3ms flights=4; sleep 0.05; exit 3")
	if err != nil || u.Exit != 3 || u.Stats["longest-turn"] != "12.3ms" || u.Stats["flights"] != "4" {
		t.Errorf("%+v, %v", u, err)
	}
	if u.Wall < 50*time.Millisecond || u.MaxRSS > 6<<20 || u.MaxRSS < 200<<10 {
		t.Errorf("a shell took %v and %d bytes", u.Wall, u.MaxRSS)
	}
	if _, err := Measure(context.Background(), "", nil, "/nonexistent"); err == nil || !strings.Contains(err.Error(), "nonexistent") {
		t.Errorf("missing binary: %v", err)
	}
}

// TestOffloopByRelativePath: each run has a working directory of its own, so a relative
// path of the binary must not be taken from there.
func TestOffloopByRelativePath(t *testing.T) {
	j := &Job{Dir: "/d", Tool: Offloop("offloop", "./offloop")}
	if argv := j.Tool.argv(j); !filepath.IsAbs(j.Tool.Binary) || argv[0] != j.Tool.Binary {
		t.Errorf("%s runs as %s", j.Tool.Binary, argv[0])
	}
	if b := Offloop("offloop", "offloop").Binary; b != "offloop" {
		t.Errorf("a name to be looked up becomes %s", b)
	}
}
