package mailsync

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"testing"

	"offloop/maildir/maildirtest"
	"offloop/reactor/reactortest"
)

// full is every crash point instead of a sample.
var full = os.Getenv("OFFLOOP_FULL") != ""

func TestMain(m *testing.M) {
	// These worlds are small and many: collecting their garbage often would take
	// most of the time.
	debug.SetGCPercent(800)
	os.Exit(m.Run())
}

// coverage is where the program was seen, and where it was stopped.
type coverage struct {
	calls *maildirtest.Coverage
	wire  *wireSites
	tally
}

// wireSites counts kinds of pieces on the wire: the direction and the command or
// response a piece begins with.
type wireSites struct {
	Seen, Stopped map[string]int
	onlyStops     bool
}

// tally is what a shard reports.
type tally struct {
	Points, Power, Again, Kills, Cuts, Lazy, Wrong int
	SeenCalls, StoppedCalls, SeenWire, StoppedWire map[string]int
}

func newCoverage() *coverage {
	c := &coverage{calls: maildirtest.NewCoverage(), wire: &wireSites{Seen: map[string]int{}, Stopped: map[string]int{}}}
	c.calls.Through = "lifeFS"
	return c
}

func (t *tally) add(c crash) {
	t.Points++
	for _, x := range []struct {
		is bool
		n  *int
	}{{c.power, &t.Power}, {c.again > 0, &t.Again}, {c.kill > 0, &t.Kills}, {c.cut > 0, &t.Cuts}, {c.lazy, &t.Lazy}} {
		if x.is {
			*x.n++
		}
	}
}

func (t *tally) merge(o tally) {
	t.Points += o.Points
	t.Power += o.Power
	t.Again += o.Again
	t.Kills += o.Kills
	t.Cuts += o.Cuts
	t.Lazy += o.Lazy
	t.Wrong += o.Wrong
	for _, m := range []struct {
		to   *map[string]int
		from map[string]int
	}{{&t.SeenCalls, o.SeenCalls}, {&t.StoppedCalls, o.StoppedCalls}, {&t.SeenWire, o.SeenWire}, {&t.StoppedWire, o.StoppedWire}} {
		if *m.to == nil {
			*m.to = map[string]int{}
		}
		for k, n := range m.from {
			(*m.to)[k] += n
		}
	}
}

// never lists the places that were reached but never stopped at.
func never(seen, stopped map[string]int) []string {
	var l []string
	for k := range seen {
		if stopped[k] == 0 {
			l = append(l, k)
		}
	}
	slices.Sort(l)
	return l
}

func (t *tally) String() string {
	return fmt.Sprintf("%d crash points: at %d file-system calls (%d with the power) and %d pieces on the wire (%d kills, %d cuts; %d with a slow server); %d crashed again while recovering; "+
		"%d call sites and %d wire steps reached, %d and %d of them stopped at; %d wrong",
		t.Points, t.Points-t.Kills-t.Cuts, t.Power, t.Kills+t.Cuts, t.Kills, t.Cuts, t.Lazy, t.Again,
		len(t.SeenCalls), len(t.SeenWire), len(t.SeenCalls)-len(never(t.SeenCalls, t.StoppedCalls)), len(t.SeenWire)-len(never(t.SeenWire, t.StoppedWire)), t.Wrong)
}

// TestRule3_CrashAnywhere interrupts every scenario on every server at
// file-system calls (the process alone, and with the power) and at pieces on the
// wire (the process, and the connection), and demands the same end. With
// OFFLOOP_FULL=1 at every call and piece, and some resumed runs once more, on all
// processors.
func TestRule3_CrashAnywhere(t *testing.T) {
	if full && os.Getenv("OFFLOOP_SHARD") == "" {
		inShards(t)
		return
	}
	shard, shards := 0, 1
	if v := os.Getenv("OFFLOOP_SHARD"); v != "" {
		if _, err := fmt.Sscanf(v, "%d/%d", &shard, &shards); err != nil {
			t.Fatal(err)
		}
	}
	cov := newCoverage()
	number := 0
	for i := range scenarios {
		s := &scenarios[i]
		if s.noCrash {
			continue
		}
		for _, v := range servers {
			if s.only != "" && !strings.Contains(s.only, v.name) || testing.Short() && v.name != "qresync" {
				continue
			}
			if number++; number%shards != shard {
				continue
			}
			t.Run(s.name+"/"+v.name, func(t *testing.T) {
				b, failed := s.prepare(t, v.caps, v.name == "bare", 7)
				if len(failed) > 0 {
					t.Fatalf("the scenario fails uninterrupted: %v", failed)
				}
				b.crashAll(t, s.name+v.name, cov)
			})
		}
	}
	cov.SeenCalls, cov.StoppedCalls, cov.SeenWire, cov.StoppedWire = cov.calls.Seen, cov.calls.Crashed, cov.wire.Seen, cov.wire.Stopped
	report(t, &cov.tally)
}

// report tells the counts; a shard writes them down instead.
func report(t *testing.T, c *tally) {
	if path := os.Getenv("OFFLOOP_SHARD_REPORT"); path != "" {
		text, err := json.Marshal(c)
		if err == nil {
			err = os.WriteFile(path, text, 0o600)
		}
		if err != nil {
			t.Error(err)
		}
		return
	}
	t.Log(c)
	t.Logf("never stopped at calls: %v", never(c.SeenCalls, c.StoppedCalls))
	t.Logf("never stopped at steps on the wire: %v", never(c.SeenWire, c.StoppedWire))
}

// inShards runs the test in one process a processor.
func inShards(t *testing.T) {
	n := runtime.NumCPU()
	dir := t.TempDir()
	type child struct {
		cmd  *exec.Cmd
		path string
		out  strings.Builder
	}
	var children []*child
	for i := range n {
		c := &child{path: filepath.Join(dir, fmt.Sprint(i))}
		c.cmd = exec.Command(os.Args[0], "-test.run", "^"+t.Name()+"$", "-test.timeout", "3h")
		c.cmd.Env = append(os.Environ(), fmt.Sprintf("OFFLOOP_SHARD=%d/%d", i, n), "OFFLOOP_SHARD_REPORT="+c.path)
		c.cmd.Stdout, c.cmd.Stderr = &c.out, &c.out
		if err := c.cmd.Start(); err != nil {
			t.Fatal(err)
		}
		children = append(children, c)
	}
	var sum tally
	for _, c := range children {
		if err := c.cmd.Wait(); err != nil {
			t.Errorf("%v\n%s", err, c.out.String())
		}
		text, err := os.ReadFile(c.path)
		var part tally
		if err == nil {
			err = json.Unmarshal(text, &part)
		}
		if err != nil {
			t.Error(err)
		}
		sum.merge(part)
	}
	report(t, &sum)
}

// crashAll interrupts one scenario on one server.
func (b *base) crashAll(t *testing.T, name string, cov *coverage) {
	cov.calls.OnlyCrashes, cov.wire.onlyStops = false, false
	m, failed := b.play(t, reactortest.NextTurn, 7, crash{}, cov)
	if len(failed) > 0 {
		t.Fatalf("the scenario fails uninterrupted: %v", failed)
	}
	h := fnv.New32a()
	h.Write([]byte(name))
	off := int(h.Sum32() >> 1)
	bad := 0
	try := func(c crash) {
		if bad >= 3 {
			return
		}
		cov.add(c)
		cov.calls.OnlyCrashes = cov.Points%8 != 0 // recovery has places of its own
		cov.wire.onlyStops = cov.calls.OnlyCrashes
		timing := []reactortest.Timing{reactortest.NextTurn, reactortest.Immediate, reactortest.Shuffled}[(c.call+c.kill+c.cut+c.again)%3]
		if _, failed := b.play(t, timing, uint64(7+c.call+c.kill+c.cut), c, cov); len(failed) > 0 {
			bad++
			cov.Wrong++
			t.Errorf("%v (%v): %s", c, timing, strings.Join(failed, "\n"))
		}
	}
	power := b.w.set.FSync
	for _, k := range steps(m.calls, 10, off) {
		try(crash{call: k})
		if power {
			try(crash{call: k, power: true})
		}
		switch {
		case full:
			for j := 1 + (off+k)%(1+m.calls/2); j < m.calls; j += 1 + m.calls/2 {
				try(crash{call: k, again: j, power: power && (j+k)%2 == 0})
			}
		case k%3 == 0:
			try(crash{call: k, again: 1 + (off+k)%m.calls, power: power && k%2 == 0})
		}
	}
	for _, k := range steps(m.pieces, 4, off) {
		try(crash{kill: k})
		try(crash{cut: k})
		try(crash{kill: k, lazy: true})
		try(crash{cut: k, lazy: true})
		if full {
			try(crash{kill: k, again: 1 + (off+k)%m.calls})
		}
	}
}

// steps chooses up to n of the numbers 1..of, all of them in a full run.
func steps(of, n, off int) []int {
	if raceOn {
		n = (n + 9) / 10
	}
	stride := 1
	if !full {
		stride = max(1, of/n)
	}
	var l []int
	for k := 1 + off%stride; k <= of; k += stride {
		l = append(l, k)
	}
	return slices.Clip(l)
}

// wireStep names a piece on the wire.
func wireStep(dir string, b []byte) string {
	line, _, _ := strings.Cut(string(b[:min(len(b), 200)]), "\r\n")
	f := strings.Fields(line)
	words := 1
	if len(f) > 2 && (strings.EqualFold(f[1], "UID") || f[0] == "*" && f[1] != "" && f[1][0] >= '0' && f[1][0] <= '9') {
		words = 2
	}
	if len(f) > words {
		if word := strings.ToUpper(f[words]); wireWords[word] {
			return dir + " " + word
		}
	}
	if len(f) > 0 && strings.HasPrefix(f[0], "+") {
		return dir + " +"
	}
	return dir + " middle of something"
}

var wireWords = func() map[string]bool {
	m := map[string]bool{}
	for w := range strings.FieldsSeq("LOGIN AUTHENTICATE CAPABILITY ENABLE ID NAMESPACE LIST LSUB STATUS SELECT EXAMINE FETCH STORE EXPUNGE APPEND COPY MOVE SEARCH CREATE SUBSCRIBE NOOP CHECK UNSELECT CLOSE LOGOUT OK NO BAD BYE FLAGS EXISTS RECENT VANISHED ENABLED PREAUTH") {
		m[w] = true
	}
	return m
}()
