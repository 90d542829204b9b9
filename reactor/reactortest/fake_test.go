package reactortest

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"offloop/reactor"
)

func TestAdvanceStopsAtEveryTimer(t *testing.T) {
	f := NewFake()
	var got []string
	at := func() string { return f.Now().Sub(Epoch).String() }
	f.CallLater(3*time.Second, func() { got = append(got, "b "+at()) })
	f.CallLater(time.Second, func() {
		got = append(got, "a "+at())
		f.CallLater(time.Second, func() { got = append(got, "c "+at()) })
	})
	f.Advance(2500 * time.Millisecond)
	if want := []string{"a 1s", "c 2s"}; !slices.Equal(got, want) {
		t.Errorf("after 2.5 s: %v", got)
	}
	if at() != "2.5s" {
		t.Errorf("now %s", at())
	}
	f.Advance(time.Hour)
	if len(got) != 3 || got[2] != "b 3s" {
		t.Errorf("in the end: %v", got)
	}
}

func TestDiskTimings(t *testing.T) {
	for _, timing := range []Timing{Immediate, NextTurn, Shuffled} {
		t.Run(timing.String(), func(t *testing.T) {
			f := NewFakeTiming(timing, 1)
			var work, done []int
			for i := range 50 {
				f.Disk(func() { work = append(work, i) }, func() {
					done = append(done, i)
					if i == 10 { // a completion that hands in more
						f.Disk(func() { work = append(work, 100) }, func() { done = append(done, 100) })
					}
				})
				if inside := len(done) > i; inside != (timing == Immediate) {
					t.Fatalf("job %d completed inside the call: %v", i, inside)
				}
			}
			f.Advance(0)
			if len(work) != 51 || len(done) != 51 || f.DiskPending() != 0 || f.DiskJobs() != 51 {
				t.Fatalf("%d worked, %d done, %d pending", len(work), len(done), f.DiskPending())
			}
			if !slices.Equal(work, done) {
				t.Errorf("completed in another order: %v, %v", work, done)
			}
			if timing != Immediate && !slices.IsSorted(work) {
				t.Errorf("worked out of order: %v", work)
			}
		})
	}
}

func TestImmediateNestedJobKeepsOrder(t *testing.T) {
	f := NewFakeTiming(Immediate, 0)
	var got []string
	say := func(s string) func() { return func() { got = append(got, s) } }
	f.Disk(func() {
		got = append(got, "work1")
	}, func() {
		got = append(got, "done1(")
		f.Disk(say("work2"), say("done2"))
		got = append(got, ")")
	})
	if s := strings.Join(got, " "); s != "work1 done1( work2 done2 )" {
		t.Errorf("got %s", s)
	}
}

func TestManualAndDrop(t *testing.T) {
	f := NewFakeTiming(Manual, 0)
	n := 0
	for range 3 {
		f.Disk(func() { n++ }, nil)
	}
	f.Advance(time.Hour)
	if n != 0 || !f.DiskStep() || n != 1 || f.DiskPending() != 2 {
		t.Errorf("n = %d, pending %d", n, f.DiskPending())
	}
	f.DropDisk()
	if f.DiskStep() {
		t.Error("dropped work was carried out")
	}
}

// shuffledRun returns the order in which completions and other events came.
func shuffledRun(seed uint64) string {
	f := NewFakeTiming(Shuffled, seed)
	var got []string
	for i := range 5 {
		f.Disk(func() { got = append(got, fmt.Sprint("w", i)) }, func() { got = append(got, fmt.Sprint("d", i)) })
		f.Aside(func() {}, func() { got = append(got, fmt.Sprint("a", i)) })
	}
	f.Advance(0)
	return strings.Join(got, " ")
}

func TestShuffledIsDeterministicAndVaries(t *testing.T) {
	seen := map[string]bool{}
	for seed := range uint64(10) {
		a := shuffledRun(seed)
		if b := shuffledRun(seed); a != b {
			t.Fatalf("seed %d: %s\nthen %s", seed, a, b)
		}
		seen[a] = true
	}
	if len(seen) < 8 {
		t.Errorf("10 seeds gave %d orders", len(seen))
	}
}

func TestPeerAndFaults(t *testing.T) {
	for _, c := range []struct {
		name   string
		faults Faults
		want   string
		err    error
	}{
		{"perfect", Faults{}, "hello world", nil},
		{"one byte at a time", Faults{ReadMax: 1}, "hello world", nil},
		{"narrow window", Faults{Window: 2}, "hello world", nil},
		{"cut", Faults{CutAfter: 5}, "hello", unix.ECONNRESET},
		{"cut, byte by byte", Faults{CutAfter: 5, ReadMax: 1}, "hello", unix.ECONNRESET},
		{"ended early", Faults{CutAfter: 5, CutErr: io.EOF}, "hello", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := NewFake()
			near, far := f.Peer(c.faults)
			p := NewPeer(near)
			far.Send("hello ")
			far.Send("world")
			far.Close()
			f.Advance(time.Minute)
			if got := p.Take(); got != c.want {
				t.Errorf("got %q", got)
			}
			if gone, err := p.Gone(); !gone || !errors.Is(err, c.err) {
				t.Errorf("gone %v with %v", gone, err)
			}
		})
	}
}

func TestOneByteReadsComeOneATurn(t *testing.T) {
	f := NewFake()
	near, far := f.Peer(Faults{ReadMax: 1})
	n := 0
	near.Start(&counter{&n})
	far.Send("abc")
	before := 0
	for f.Turn() {
		if n > before+1 {
			t.Fatal("two reads in one turn")
		}
		before = n
	}
	if n != 3 {
		t.Errorf("%d Data calls for 3 bytes", n)
	}
}

type counter struct{ n *int }

func (c *counter) Data([]byte) { *c.n++ }
func (c *counter) Lost(error)  {}

func TestLatencyAndDial(t *testing.T) {
	f := NewFake()
	const lat = 50 * time.Millisecond
	var server *Peer
	f.Serve("imap.example.org:143", Faults{Latency: lat}, func(s *reactor.Stream) {
		server = NewPeer(s)
		server.Send("* OK")
	})
	var client *Peer
	f.Dial(reactor.DialOptions{Host: "imap.example.org", Port: 143}, func(s *reactor.Stream, err error) {
		if err != nil {
			t.Fatal(err)
		}
		client = NewPeer(s)
	})
	ok := f.Until(time.Second, func() bool { return client != nil && string(client.got) == "* OK" })
	if took := f.Now().Sub(Epoch); !ok || took != 3*lat {
		t.Errorf("greeting after %v, want %v", took, 3*lat)
	}
	client.Send("a1 NOOP")
	f.Until(time.Second, func() bool { return string(server.got) == "a1 NOOP" })
	if took := f.Now().Sub(Epoch); took != 4*lat {
		t.Errorf("command after %v", took)
	}
}

func TestDialFailures(t *testing.T) {
	f := NewFake()
	f.Refuse("closed:143", nil)
	f.Stall("slow:143")
	for host, want := range map[string]string{"closed": "refused", "slow": "within 30s", "unknown": "no such host"} {
		var got error
		n := 0
		f.Dial(reactor.DialOptions{Host: host, Port: 143}, func(s *reactor.Stream, err error) { got = err; n++ })
		f.Advance(time.Minute)
		var de *reactor.DialError
		if n != 1 || !errors.As(got, &de) || !strings.Contains(got.Error(), want) {
			t.Errorf("%s: %d calls, %v", host, n, got)
		}
	}
}

func TestBackPressureInMemory(t *testing.T) {
	f := NewFake()
	a, b := f.Pair(Faults{}, Faults{})
	pb := NewPeer(b)
	b.Pause()
	drained := 0
	a.OnDrain(func() { drained++ })
	NewPeer(a)
	a.Write(make([]byte, 1<<20))
	f.Advance(time.Second)
	if drained != 0 || a.Buffered() != 1<<20-defaultWindow {
		t.Errorf("drained %d times, %d buffered while the reader pauses", drained, a.Buffered())
	}
	b.Resume()
	f.Advance(time.Second)
	if drained != 1 || len(pb.Take()) != 1<<20 || a.Buffered() != 0 {
		t.Errorf("drained %d times, %d buffered", drained, a.Buffered())
	}
}

func TestExecAndSpawn(t *testing.T) {
	f := NewFake()
	f.Commands["pass show mail"] = func(in []byte) reactor.Result { return reactor.Result{Stdout: []byte("secret\n")} }
	f.ServeTunnel("ssh host imapd", func(s *reactor.Stream) { NewPeer(s).Send("* PREAUTH") })
	var out string
	var err error
	f.Exec(reactor.Command{Shell: "pass show mail"}, func(r reactor.Result) { out = string(r.Stdout) })
	f.Exec(reactor.Command{Shell: "nothing"}, func(r reactor.Result) { err = r.Err })
	var p *Peer
	child := f.Spawn(reactor.Command{Shell: "ssh host imapd"}, func(s *reactor.Stream, e error) {
		if e != nil {
			t.Fatal(e)
		}
		p = NewPeer(s)
	})
	f.Advance(time.Second)
	if out != "secret\n" || err == nil || p == nil || p.Take() != "* PREAUTH" {
		t.Errorf("out %q, err %v", out, err)
	}
	child.Kill()
	f.Advance(time.Second)
	if gone, _ := p.Gone(); !gone {
		t.Error("a killed tunnel lives on")
	}
}

func TestSuspend(t *testing.T) {
	f := NewFake()
	var gap time.Duration
	fired := false
	f.OnJump(func(d time.Duration) {
		gap = d
		if fired {
			t.Error("timers ran before the jump was reported")
		}
	})
	f.CallLater(time.Minute, func() { fired = true })
	f.Suspend(8 * time.Hour)
	if gap != 8*time.Hour || !fired {
		t.Errorf("gap %v, fired %v", gap, fired)
	}
}

func TestPostAndStop(t *testing.T) {
	f := NewFake()
	why := errors.New("why")
	f.Post(func() { f.Stop(why) })
	f.Advance(time.Hour)
	if ok, err := f.Stopped(); !ok || err != why {
		t.Errorf("stopped %v, %v", ok, err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
}
