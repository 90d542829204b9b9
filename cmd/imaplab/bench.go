package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"offloop/cmd/internal/lab/bench"
	"offloop/cmd/internal/lab/dovecot"
	"offloop/cmd/internal/lab/peers"
)

// runBench runs the benchmark, prints the table and writes the JSON file.
func runBench(ctx context.Context, args []string) error {
	f := flag.NewFlagSet("imaplab bench", flag.ContinueOnError)
	tools := f.String("tools", "offloop,mbsync,offlineimap", "offloop, offloop-old, mbsync, offlineimap (1 connection), offlineimap-4, interimap")
	old := f.String("old", "offloop-old", "the binary of offloop-old, another build to compare with")
	workloads := f.String("workload", "", "ready-made benchmarks, separated by commas, instead of the flags about mail (but -messages) and line (but -rtt); -phases counts too:"+workloadNames())
	binary := f.String("offloop", "offloop", "offloop's binary; offloop is left out if it is not there")
	rtts := f.String("rtt", "0,40", "round-trip times in milliseconds")
	phases := f.String("phases", "", "phases, separated by commas; all if empty: "+phaseNames())
	caps := f.String("capability", "", "what Dovecot advertises; empty = everything, bare = IMAP4rev1 alone")
	serverFSync := f.String("server-fsync", "never", "Dovecot's mail_fsync: never, optimized, always")
	out := f.String("json", "", "write medians and runs to this file")
	o := bench.Options{Log: os.Stderr}
	f.IntVar(&o.Repeat, "repeat", 3, "repetitions; the table has medians")
	f.Int64Var(&o.Bandwidth, "bandwidth", 0, "bytes a second in each direction; 0 = unlimited")
	f.BoolVar(&o.TLS, "tls", false, "implicit TLS")
	f.BoolVar(&o.Direct, "direct", false, "without the proxy (RTT 0 only; nothing is counted)")
	f.BoolVar(&o.FSync, "fsync", true, "the tools flush what they store")
	f.BoolVar(&o.Verify, "verify", true, "compare both sides after each phase")
	f.DurationVar(&o.RunTimeout, "timeout", 10*time.Minute, "for each run of a tool")
	f.StringVar(&o.Keep, "keep", "", "keep the tools' files in this directory")
	limit := f.Duration("for", 0, "stop after this long and print what there is")
	mail := mailFlags(f, 500)
	if err := parse(f, args); err != nil {
		return err
	}
	o.Mail, o.Server.FSync, o.Server.Capability = mail(), *serverFSync, *caps
	if *caps == "bare" {
		o.Server.Capability = dovecot.CapBare
	}
	if *phases != "" {
		o.Phases = strings.Split(*phases, ",")
	}
	for _, t := range strings.Split(*tools, ",") {
		tool, err := toolNamed(t, *binary, *old)
		if err != nil {
			return err
		}
		o.Tools = append(o.Tools, tool)
	}
	for _, r := range strings.Split(*rtts, ",") {
		var ms float64
		if _, err := fmt.Sscan(r, &ms); err != nil || ms < 0 {
			return fmt.Errorf("rtt %q: want milliseconds", r)
		}
		o.RTTs = append(o.RTTs, time.Duration(ms*float64(time.Millisecond)))
	}
	ctx, cancel := bounded(ctx, *limit)
	defer cancel()
	given := map[string]bool{}
	f.Visit(func(x *flag.Flag) { given[x.Name] = true })
	runs, err := runWorkloads(ctx, *workloads, given, o)
	if len(runs) > 0 {
		bench.Markdown(os.Stdout, bench.Medians(runs))
	}
	if *out != "" && len(runs) > 0 {
		if werr := writeJSON(*out, runs); werr != nil {
			return werr
		}
	}
	return err
}

// runWorkloads runs the ready-made benchmarks named, with other phases, round-trip
// times or numbers of messages where these are given, or the one of the flags.
func runWorkloads(ctx context.Context, names string, given map[string]bool, o bench.Options) (runs []bench.Run, err error) {
	if names == "" {
		return bench.Do(ctx, o)
	}
	for _, name := range strings.Split(names, ",") {
		i := slices.IndexFunc(bench.Workloads, func(w bench.Workload) bool { return w.Name == name })
		if i < 0 {
			return runs, fmt.Errorf("no workload %q", name)
		}
		one := o
		bench.Workloads[i].Set(&one)
		if given["messages"] {
			one.Mail.Messages = o.Mail.Messages
		}
		if given["phases"] {
			one.Phases = o.Phases
		}
		if given["rtt"] {
			one.RTTs = o.RTTs
		}
		more, err := bench.Do(ctx, one)
		runs = append(runs, more...)
		if err != nil {
			return runs, err
		}
	}
	return runs, nil
}

func workloadNames() string {
	var b strings.Builder
	for _, w := range bench.Workloads {
		fmt.Fprintf(&b, "\n%-8s %s", w.Name, w.About)
	}
	return b.String()
}

func writeJSON(path string, runs []bench.Run) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := bench.JSON(f, runs); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

func toolNamed(name, binary, old string) (peers.Tool, error) {
	switch name {
	case "offloop":
		return peers.Offloop(name, binary), nil
	case "offloop-old":
		return peers.Offloop(name, old), nil
	case "mbsync":
		return peers.Mbsync(), nil
	case "offlineimap", "offlineimap-1":
		return peers.OfflineIMAP(1), nil
	case "offlineimap-4":
		return peers.OfflineIMAP(4), nil
	case "interimap":
		return peers.Interimap(), nil
	}
	return peers.Tool{}, fmt.Errorf("no tool %q", name)
}

func phaseNames() string {
	var n []string
	for _, p := range bench.Phases {
		n = append(n, p.Name)
	}
	return strings.Join(n, ",")
}
