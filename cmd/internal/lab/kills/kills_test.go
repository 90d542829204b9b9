package kills_test

import (
	"os/exec"
	"path/filepath"
	"testing"

	"offloop/cmd/internal/lab"
	"offloop/cmd/internal/lab/kills"
	"offloop/cmd/internal/lab/peers"
)

// TestKills kills a few runs of each tool that is there; of offloop nothing may
// be lost or doubled.
func TestKills(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a real server and many processes")
	}
	srv := lab.NeedDovecot(t)
	binary := filepath.Join(t.TempDir(), "offloop")
	if out, err := exec.Command("go", "build", "-o", binary, "offloop/cmd/offloop").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, tool := range []peers.Tool{peers.Offloop("offloop", binary), peers.Mbsync(), peers.OfflineIMAP(1)} {
		if !tool.Available() {
			continue
		}
		r, err := kills.Run(t.Context(), kills.Options{Tool: tool, Server: srv, Dir: t.TempDir(), Kills: 4, Seed: 1})
		t.Log(r)
		if err != nil {
			t.Error(err)
		}
		if r.Kills == 0 || r.Messages < 60 || tool.Name == "offloop" && r.Lost+r.Doubled+r.Refused > 0 {
			t.Errorf("%s\n%s", r, r.First)
		}
	}
}
