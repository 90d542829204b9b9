package bench

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Row is the medians of one tool, phase and RTT.
type Row struct {
	Run
	Runs int `json:"runs"`
	// Ratios to mbsync in the same phase at the same RTT; 0 = none.
	WallRatio    float64 `json:"wall_ratio,omitempty"`
	CPURatio     float64 `json:"cpu_ratio,omitempty"`
	RSSRatio     float64 `json:"rss_ratio,omitempty"`
	FlightsRatio float64 `json:"flights_ratio,omitempty"`
	MinWall      float64 `json:"min_wall_s"`
	MaxWall      float64 `json:"max_wall_s"`
}

// CPU is user and system time, in seconds.
func (r Run) CPU() float64 { return r.User + r.Sys }

// Medians makes one row of all repetitions, in the order of first
// appearance within phases and RTTs. The longest turn is the worst of all.
func Medians(runs []Run) []Row {
	type key struct {
		workload, phase string
		rtt             float64
		tool            string
	}
	groups := map[key][]Run{}
	var order []key
	for _, r := range runs {
		k := key{r.Workload, r.Phase, r.RTT, r.Tool}
		if groups[k] == nil {
			order = append(order, k)
		}
		groups[k] = append(groups[k], r)
	}
	slices.SortStableFunc(order, func(a, b key) int {
		if d := workloadIndex(a.workload) - workloadIndex(b.workload); d != 0 {
			return d
		}
		if d := phaseIndex(a.phase) - phaseIndex(b.phase); d != 0 {
			return d
		}
		return int(1000 * (a.rtt - b.rtt))
	})
	rows := make([]Row, 0, len(order))
	base := map[string]Row{}
	for _, k := range order {
		row := medianRow(groups[k])
		rows = append(rows, row)
		if k.tool == "mbsync" {
			base[fmt.Sprint(k.workload, k.phase, k.rtt)] = row
		}
	}
	for i := range rows {
		b, ok := base[fmt.Sprint(rows[i].Workload, rows[i].Phase, rows[i].RTT)]
		if !ok || rows[i].Error != "" {
			continue
		}
		rows[i].WallRatio = ratio(rows[i].Wall, b.Wall)
		rows[i].CPURatio = ratio(rows[i].CPU(), b.CPU())
		rows[i].RSSRatio = ratio(float64(rows[i].RSS), float64(b.RSS))
		rows[i].FlightsRatio = ratio(float64(rows[i].Flights), float64(b.Flights))
	}
	return rows
}

func phaseIndex(name string) int {
	return slices.IndexFunc(Phases, func(p Phase) bool { return p.Name == name })
}

func workloadIndex(name string) int {
	return slices.IndexFunc(Workloads, func(w Workload) bool { return w.Name == name })
}

func ratio(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}

func medianRow(g []Run) Row {
	row := Row{Run: g[0], Runs: len(g)}
	of := func(f func(Run) float64) float64 {
		var v []float64
		for _, r := range g {
			v = append(v, f(r))
		}
		slices.Sort(v)
		if n := len(v); n%2 == 0 {
			return (v[n/2-1] + v[n/2]) / 2
		}
		return v[len(v)/2]
	}
	wall := func(r Run) float64 { return r.Wall }
	row.Wall = of(wall)
	row.User = of(func(r Run) float64 { return r.User })
	row.Sys = of(func(r Run) float64 { return r.Sys })
	row.RSS = int64(of(func(r Run) float64 { return float64(r.RSS) }))
	row.Flights = int(of(func(r Run) float64 { return float64(r.Flights) }))
	row.Connections = int(of(func(r Run) float64 { return float64(r.Connections) }))
	row.Up = int64(of(func(r Run) float64 { return float64(r.Up) }))
	row.Down = int64(of(func(r Run) float64 { return float64(r.Down) }))
	row.Waited = of(func(r Run) float64 { return r.Waited })
	row.MinWall, row.MaxWall = g[0].Wall, g[0].Wall
	for _, r := range g {
		row.MinWall, row.MaxWall = min(row.MinWall, r.Wall), max(row.MaxWall, r.Wall)
		row.LongestTurn = max(row.LongestTurn, r.LongestTurn)
		if r.Error != "" {
			row.Error = r.Error
		}
		if r.Outcome != "" && !strings.HasPrefix(r.Outcome, "equal") {
			row.Outcome = r.Outcome
		}
	}
	return row
}

// Markdown writes the rows as a table; "x" columns are ratios to mbsync.
func Markdown(w io.Writer, rows []Row) {
	for len(rows) > 0 {
		n := slices.IndexFunc(rows, func(r Row) bool { return r.Workload != rows[0].Workload })
		if n < 0 {
			n = len(rows)
		}
		if name := rows[0].Workload; name != "" {
			fmt.Fprintf(w, "\n%s: %s\n\n", name, Workloads[workloadIndex(name)].About)
		}
		section(w, rows[:n])
		rows = rows[n:]
	}
}

func section(w io.Writer, rows []Row) {
	fmt.Fprintln(w, "| phase | RTT ms | tool | wall s (min..max) | x mbsync | CPU s | x mbsync | RSS MB | flights | conns | kB up | kB down | waited s | longest turn ms | outcome |")
	fmt.Fprintln(w, "|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|")
	for _, r := range rows {
		outcome := r.Outcome
		if r.Error != "" {
			outcome = r.Error
		}
		fmt.Fprintf(w, "| %s | %g | %s | %.2f (%.2f..%.2f) | %s | %.2f | %s | %.1f | %d | %d | %.1f | %.1f | %.2f | %s | %s |\n",
			r.Phase, r.RTT, r.Tool, r.Wall, r.MinWall, r.MaxWall, orDash(r.WallRatio), r.CPU(), orDash(r.CPURatio), float64(r.RSS)/1e6,
			r.Flights, r.Connections, float64(r.Up)/1e3, float64(r.Down)/1e3, r.Waited, orDash(r.LongestTurn), strings.ReplaceAll(outcome, "|", "/"))
	}
}

func orDash(v float64) string {
	if v == 0 {
		return "-"
	}
	return fmt.Sprintf("%.2f", v)
}

// JSON writes medians and single runs for other programs.
func JSON(w io.Writer, runs []Run) error {
	e := json.NewEncoder(w)
	e.SetIndent("", " ")
	return e.Encode(map[string]any{"medians": Medians(runs), "runs": runs})
}
