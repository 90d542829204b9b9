package bench

import (
	"slices"
	"time"

	"offloop/cmd/internal/lab/dovecot"
	"offloop/cmd/internal/lab/gen"
	"offloop/cmd/internal/lab/peers"
)

// Workload is a benchmark with everything set but the tools and the number of
// repetitions.
type Workload struct {
	Name, About string
	Phases      []string // nil = all
	RTTs        []time.Duration
	Bandwidth   int64
	Mail        gen.Options
	Capability  string
	TLS         bool
	Alone       bool // for offloop alone: the others take hours or run out of memory
}

const ms = time.Millisecond

var (
	usual = gen.Options{Seed: 1, Nasty: -1, Median: 9500, Mean: 25000, SafeNames: true, NoDots: true}
	small = gen.Options{Seed: 1, Nasty: -1, Median: 1000, Mean: 2000, SafeNames: true, NoDots: true}
	tiny  = gen.Options{Seed: 1, Nasty: -1, Median: 300, Mean: 400, SafeNames: true, NoDots: true}
)

func sized(o gen.Options, messages, folders int) gen.Options {
	o.Messages, o.Folders = messages, folders
	return o
}

func names() []string {
	var all []string
	for _, p := range Phases {
		all = append(all, p.Name)
	}
	return all
}

// Workloads are the ready-made benchmarks.
var Workloads = []Workload{
	{Name: "line", About: "1,000 messages in 20 folders, 40 ms", RTTs: []time.Duration{40 * ms}, Mail: sized(usual, 1000, 20)},
	{Name: "mail", About: "5,000 messages of 125 MB in 20 folders, 0 and 40 ms", RTTs: []time.Duration{0, 40 * ms}, Mail: sized(usual, 5000, 20)},
	{Name: "tls", About: "1,000 messages in 20 folders, TLS, 0, 1, 40 and 200 ms", RTTs: []time.Duration{0, ms, 40 * ms, 200 * ms}, TLS: true, Mail: sized(usual, 1000, 20)},
	{Name: "narrow", About: "1,000 messages in 20 folders, 40 ms, 500 kB a second", RTTs: []time.Duration{40 * ms}, Bandwidth: 500_000, Mail: sized(usual, 1000, 20)},
	{Name: "small", About: "50,000 small messages in 1 folder, 0 ms", RTTs: []time.Duration{0}, Mail: sized(small, 50_000, 1),
		Phases: slices.DeleteFunc(names(), func(n string) bool { return n == "one-new-other" })},
	{Name: "folders", About: "2,000 messages in 100 folders, 40 ms", RTTs: []time.Duration{40 * ms}, Mail: sized(small, 2000, 100),
		Phases: []string{"initial", "unchanged", "one-new", "one-new-other", "pull"}},
	{Name: "bare", About: "1,000 messages in 20 folders, 40 ms, a server with IMAP4rev1 alone", RTTs: []time.Duration{40 * ms}, Capability: dovecot.CapBare, Mail: sized(usual, 1000, 20)},
	{Name: "million", About: "1,000,000 tiny messages in 1 folder, 0 ms, offloop alone", RTTs: []time.Duration{0}, Mail: sized(tiny, 1_000_000, 1), Alone: true,
		Phases: []string{"initial", "unchanged", "one-new"}},
}

// Set makes o the benchmark that the workload describes.
func (w Workload) Set(o *Options) {
	o.Workload, o.Phases, o.RTTs, o.Bandwidth, o.Mail, o.TLS = w.Name, w.Phases, w.RTTs, w.Bandwidth, w.Mail, w.TLS
	o.Server.Capability = w.Capability
	if w.Alone {
		o.Tools = slices.DeleteFunc(slices.Clone(o.Tools), func(t peers.Tool) bool { return !t.Ours })
		o.Verify = false // it would take longer than all the rest
	}
}
