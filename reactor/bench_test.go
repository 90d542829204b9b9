package reactor

import (
	"bytes"
	"compress/flate"
	"crypto/tls"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func BenchmarkNextTurn(b *testing.B) {
	l := newTestLoop(b)
	n := 0
	var f func()
	f = func() {
		if n++; n == b.N {
			l.Stop(nil)
			return
		}
		l.NextTurn(f)
	}
	l.NextTurn(f)
	b.ReportAllocs()
	b.ResetTimer()
	l.Run()
}

func BenchmarkTimers(b *testing.B) {
	now := time.Unix(0, 0)
	l := NewSim(Sim{Clock: func() time.Time { return now }})
	timers := make([]*Timer, 1000)
	for i := range timers {
		timers[i] = l.CallLater(time.Duration(i)*time.Second, func() {})
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		timers[i%1000].Reset(time.Duration(i%777) * time.Second)
	}
}

// One event: a byte through a pipe and back through the loop.
func BenchmarkEvent(b *testing.B) {
	l := newTestLoop(b)
	r, w := nonblockingPipe(b)
	one := []byte{1}
	buf := make([]byte, 8)
	n := 0
	watch, err := l.Watch(r, Readable, func(Events) {
		unix.Read(r, buf)
		if n++; n == b.N {
			l.Stop(nil)
			return
		}
		unix.Write(w, one)
	})
	if err != nil {
		b.Fatal(err)
	}
	defer watch.Close()
	unix.Write(w, one)
	b.ReportAllocs()
	b.ResetTimer()
	l.Run()
}

func BenchmarkDiskRoundTrip(b *testing.B) {
	for _, procs := range []int{1, 2} {
		b.Run("procs"+itoa(procs), func(b *testing.B) {
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(procs))
			l := newTestLoop(b)
			n := 0
			var next func()
			next = func() {
				if n++; n > b.N {
					l.Stop(nil)
					return
				}
				l.Disk(func() {}, next)
			}
			next()
			b.ReportAllocs()
			b.ResetTimer()
			l.Run()
		})
	}
}

// A post after a pause, when the loop sleeps: the case the parking is for.
func BenchmarkWakeFromSleep(b *testing.B) {
	for _, procs := range []int{1, 2} {
		b.Run("procs"+itoa(procs), func(b *testing.B) {
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(procs))
			l := newTestLoop(b)
			var sum, worst time.Duration
			n := b.N
			go func() {
				for i := range n {
					time.Sleep(200 * time.Microsecond)
					at := time.Now()
					l.Post(func() {
						d := time.Since(at)
						sum += d
						worst = max(worst, d)
						if i == n-1 {
							l.Stop(nil)
						}
					})
				}
			}()
			l.Run()
			b.ReportMetric(float64(sum.Microseconds())/float64(n), "µs/wake")
			b.ReportMetric(float64(worst.Microseconds()), "µs-worst")
		})
	}
}

type benchSink struct {
	l    *Loop
	left int
}

func (p *benchSink) Data(b []byte) {
	if p.left -= len(b); p.left <= 0 {
		p.l.Stop(nil)
	}
}
func (p *benchSink) Lost(error) { p.l.Stop(io.ErrUnexpectedEOF) }

func benchReceive(b *testing.B, conf *tls.Config, deflate bool, send func(net.Conn)) {
	l := newTestLoop(b)
	port := serve(b, "tcp", "127.0.0.1:0", send)
	s, err := dialOne(b, l, DialOptions{Host: "127.0.0.1", Port: port, TLS: conf})
	if err != nil {
		b.Fatal(err)
	}
	if deflate {
		if err := s.StartDeflate(); err != nil {
			b.Fatal(err)
		}
	}
	const chunk = 1 << 20
	b.SetBytes(chunk)
	s.Start(&benchSink{l, chunk * b.N})
	b.ReportAllocs()
	b.ResetTimer()
	if err := l.Run(); err != nil {
		b.Fatal(err)
	}
	b.StopTimer()
	s.Abort(nil)
}

func flood(c io.Writer) {
	b := make([]byte, 256<<10)
	for {
		if _, err := c.Write(b); err != nil {
			return
		}
	}
}

func BenchmarkReceivePlain(b *testing.B) {
	benchReceive(b, nil, false, func(c net.Conn) { flood(c) })
}

func BenchmarkReceiveTLS(b *testing.B) {
	cert, pool := testCert(b)
	benchReceive(b, &tls.Config{RootCAs: pool}, false, func(c net.Conn) {
		flood(tls.Server(c, &tls.Config{Certificates: []tls.Certificate{cert}, DynamicRecordSizingDisabled: true}))
	})
}

func BenchmarkReceiveDeflate(b *testing.B) {
	line := strings.Repeat("* 1234 FETCH (FLAGS (\\Seen \\Answered) UID 98765 MODSEQ (123456))\r\n", 2000)
	var z bytes.Buffer
	w, _ := flate.NewWriter(&z, 6)
	w.Write([]byte(line))
	w.Flush()
	benchReceive(b, nil, true, func(c net.Conn) {
		for {
			if _, err := c.Write(z.Bytes()); err != nil {
				return
			}
			// The window refers to the block before, so the same bytes would do
			// only once: start every block anew.
			z.Reset()
			w.Reset(&z)
			w.Write([]byte(line))
			w.Flush()
		}
	})
}

func benchSend(b *testing.B, conf, server *tls.Config) {
	l := newTestLoop(b)
	port := serve(b, "tcp", "127.0.0.1:0", func(c net.Conn) {
		if server != nil {
			c = tls.Server(c, server)
		}
		io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{c}, make([]byte, 256<<10))
	})
	s, err := dialOne(b, l, DialOptions{Host: "127.0.0.1", Port: port, TLS: conf})
	if err != nil {
		b.Fatal(err)
	}
	const chunk = 1 << 20
	b.SetBytes(chunk)
	piece := make([]byte, 16<<10)
	left := chunk * b.N
	fill := func() {
		for left > 0 && s.Buffered() < highWater {
			s.Write(piece)
			left -= len(piece)
		}
		if left <= 0 {
			s.Close()
		}
	}
	s.OnDrain(fill)
	s.Start(&benchSink{l, 1})
	b.ReportAllocs()
	b.ResetTimer()
	fill()
	l.Run()
}

func BenchmarkSendPlain(b *testing.B) { benchSend(b, nil, nil) }

func BenchmarkSendTLS(b *testing.B) {
	cert, pool := testCert(b)
	benchSend(b, &tls.Config{RootCAs: pool}, &tls.Config{Certificates: []tls.Certificate{cert}})
}

func BenchmarkHandshake(b *testing.B) {
	cert, pool := testCert(b)
	l := newTestLoop(b)
	port := serve(b, "tcp", "127.0.0.1:0", func(c net.Conn) { echo(tls.Server(c, &tls.Config{Certificates: []tls.Certificate{cert}})) })
	for b.Loop() {
		s, err := dialOne(b, l, DialOptions{Host: "127.0.0.1", Port: port, TLS: &tls.Config{RootCAs: pool}})
		if err != nil {
			b.Fatal(err)
		}
		s.Abort(nil)
	}
	d, _ := l.LongestTurn()
	b.ReportMetric(float64(d.Microseconds()), "µs-worst-turn")
}

func BenchmarkExec(b *testing.B) {
	l := newTestLoop(b)
	for b.Loop() {
		l.Exec(Command{Args: []string{"/bin/true"}}, func(r Result) { l.Stop(r.Err) })
		if err := l.Run(); err != nil {
			b.Fatal(err)
		}
	}
}
