package bench

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"offloop/cmd/internal/lab"
	"offloop/cmd/internal/lab/dovecot"
	"offloop/cmd/internal/lab/gen"
	"offloop/cmd/internal/lab/peers"
)

func TestMediansAndRatios(t *testing.T) {
	var runs []Run
	for _, w := range []float64{3, 1, 2} {
		runs = append(runs, Run{Tool: "offloop", Phase: "pull", RTT: 40, Wall: w, User: 1, Flights: 3, LongestTurn: w})
	}
	runs = append(runs, Run{Tool: "mbsync", Phase: "pull", RTT: 40, Wall: 8, User: 4, Flights: 60, RSS: 5e6},
		Run{Tool: "mbsync", Phase: "initial", RTT: 0, Wall: 100, Outcome: "different: x"})
	rows := Medians(runs)
	if len(rows) != 3 || rows[0].Phase != "initial" || rows[1].Tool != "offloop" {
		t.Fatalf("rows %+v", rows)
	}
	o := rows[1]
	if o.Wall != 2 || o.WallRatio != 0.25 || o.CPURatio != 0.25 || o.FlightsRatio != 0.05 || o.MinWall != 1 || o.MaxWall != 3 || o.LongestTurn != 3 {
		t.Errorf("row %+v", o)
	}
	var b bytes.Buffer
	Markdown(&b, rows)
	if !strings.Contains(b.String(), "| pull | 40 | offloop | 2.00 (1.00..3.00) | 0.25 |") {
		t.Errorf("table:\n%s", b.String())
	}
}

// TestSmallBench runs every phase with mbsync; a tool that is not there is
// left out.
func TestSmallBench(t *testing.T) {
	if testing.Short() {
		t.Skip("runs mbsync a dozen times")
	}
	lab.NeedDovecot(t)
	if !peers.Mbsync().Available() {
		t.Skip("mbsync is not installed")
	}
	var log bytes.Buffer
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	runs, err := Do(ctx, Options{
		Tools:  []peers.Tool{peers.Mbsync(), peers.Offloop("offloop", "/nonexistent/offloop")},
		RTTs:   []time.Duration{2 * time.Millisecond},
		Repeat: 1, Verify: true, Pause: time.Millisecond, Log: &log,
		// From the 27th on the folders have a parent that is no mailbox.
		Mail: gen.Options{Messages: 300, Folders: 30, Nasty: -1, SafeNames: true, Median: 1500, Mean: 3000},
	})
	if errors.Is(err, dovecot.ErrNotInstalled) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, log.String())
	}
	if len(runs) != len(Phases) || !strings.Contains(log.String(), "left out") {
		t.Errorf("%d runs\n%s", len(runs), log.String())
	}
	for _, r := range runs {
		if r.Exit != 0 || r.Error != "" || r.Flights < 5 || r.Connections != 1 || r.Wall <= 0 || r.RSS <= 0 || r.Down < 500 {
			t.Errorf("%+v", r)
		}
		if r.Phase != "unchanged" && !strings.HasPrefix(r.Outcome, "equal") {
			t.Errorf("%s: %s", r.Phase, r.Outcome)
		}
	}
}
