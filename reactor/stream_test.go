package reactor

import (
	"bytes"
	"compress/flate"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestEchoLargeWrite(t *testing.T) {
	l := newTestLoop(t)
	port := serve(t, "tcp", "127.0.0.1:0", echo)
	s, err := dialOne(t, l, DialOptions{Host: "127.0.0.1", Port: port})
	if err != nil {
		t.Fatal(err)
	}
	data := pattern(3 << 20)
	p := &sink{}
	p.onData = func() {
		if p.got.Len() == len(data) {
			s.Close()
		}
	}
	p.onLost = func(error) { l.Stop(nil) }
	s.Start(p)
	s.Write(data)
	if s.Buffered() != len(data) {
		t.Errorf("Buffered %d", s.Buffered())
	}
	run(t, l)
	if !bytes.Equal(p.got.Bytes(), data) || p.lost != 1 || p.err != nil {
		t.Errorf("got %d bytes, lost %d times (%v)", p.got.Len(), p.lost, p.err)
	}
	if in, out := s.Counts(); in != int64(len(data)) || out != int64(len(data)) {
		t.Errorf("Counts %d, %d", in, out)
	}
	if s.RemoteAddr() == "" || s.Buffered() != 0 {
		t.Error("RemoteAddr or Buffered wrong after the end")
	}
}

func TestWritesOfOneTurnAreGathered(t *testing.T) {
	l := newTestLoop(t)
	s, c := pair(t, l)
	s.Start(&sink{})
	for range 100 {
		s.Write([]byte("x"))
	}
	writes := 0
	s.t = &countingTransport{s.t, &writes}
	l.CallLater(5*time.Millisecond, func() { l.Stop(nil) })
	run(t, l)
	if writes != 1 {
		t.Errorf("%d system calls for the writes of one turn", writes)
	}
	b := make([]byte, 100)
	if _, err := io.ReadFull(c, b); err != nil {
		t.Fatal(err)
	}
}

type countingTransport struct {
	Transport
	writes *int
}

func (c *countingTransport) Write(p []byte) (int, error) { *c.writes++; return c.Transport.Write(p) }

func TestBackPressure(t *testing.T) {
	l := newTestLoop(t)
	s, c := pair(t, l)
	p := &sink{onLost: func(error) { l.Stop(nil) }}
	s.Start(p)
	const total = 8 << 20
	wrote, most, drains := 0, 0, 0
	chunk := pattern(16 << 10)
	fill := func() {
		for wrote < total && s.Buffered() < highWater {
			s.Write(chunk)
			wrote += len(chunk)
		}
		most = max(most, s.Buffered())
		if wrote >= total {
			s.Close()
		}
	}
	s.OnDrain(func() { drains++; fill() })
	fill()
	read := make(chan int)
	go func() {
		time.Sleep(50 * time.Millisecond) // let it fill up
		n, _ := io.Copy(io.Discard, c)
		read <- int(n)
	}()
	run(t, l)
	if n := <-read; n != total || p.err != nil {
		t.Errorf("peer read %d of %d bytes, lost: %v", n, total, p.err)
	}
	if most > highWater+len(chunk) || drains < 10 {
		t.Errorf("buffer rose to %d, %d drains", most, drains)
	}
}

func TestPauseHoldsDataAndResumeDelivers(t *testing.T) {
	l := newTestLoop(t)
	s, c := pair(t, l)
	p := &sink{}
	s.Start(p)
	s.Pause()
	c.Write([]byte("hello"))
	l.CallLater(30*time.Millisecond, func() {
		if p.got.Len() != 0 {
			t.Error("Data while paused")
		}
		s.Resume()
	})
	p.onData = func() { l.Stop(nil) }
	run(t, l)
	if p.got.String() != "hello" {
		t.Errorf("got %q", p.got.String())
	}
}

func TestPausedStreamWithHangupDoesNotSpin(t *testing.T) {
	l := newTestLoop(t)
	s, c := pair(t, l)
	p := &sink{}
	s.Start(p)
	s.Pause()
	c.(*net.TCPConn).SetLinger(0)
	c.Close() // RST: error and hang-up are reported whether asked for or not
	turns := 0
	l.BeforeSleep(func() { turns++ })
	l.CallLater(50*time.Millisecond, func() { l.Stop(nil) })
	run(t, l)
	if turns > 5 {
		t.Errorf("%d turns while nothing was wanted", turns)
	}
	s.Resume()
	p.onLost = func(error) { l.Stop(nil) }
	run(t, l)
	if !errors.Is(p.err, unix.ECONNRESET) {
		t.Errorf("lost with %v", p.err)
	}
}

func TestOneBufferPerTurn(t *testing.T) {
	l := newTestLoop(t)
	s, c := pair(t, l)
	const total = 1 << 20
	go c.Write(pattern(total))
	p := &sink{}
	last := uint64(0)
	p.onData = func() {
		if l.turn == last {
			t.Error("two reads in one turn")
		}
		last = l.turn
		if p.got.Len() == total {
			l.Stop(nil)
		}
	}
	s.Start(p)
	run(t, l)
}

func TestEOFAndAbortAndLateStart(t *testing.T) {
	l := newTestLoop(t)

	s, c := pair(t, l)
	p := &sink{onLost: func(error) { l.Stop(nil) }}
	s.Start(p)
	c.Write([]byte("bye"))
	c.Close()
	run(t, l)
	if p.got.String() != "bye" || p.err != nil || p.lost != 1 {
		t.Errorf("EOF: got %q, lost %d times with %v", p.got.String(), p.lost, p.err)
	}

	s, _ = pair(t, l)
	p = &sink{onLost: func(error) { l.Stop(nil) }}
	s.Start(p)
	why := errors.New("why")
	l.NextTurn(func() {
		s.Write([]byte("never sent"))
		s.Abort(why)
		s.Abort(errors.New("again"))
		s.Close()
		s.Write([]byte("x"))
		if p.lost != 0 {
			t.Error("Lost called inside Abort")
		}
	})
	run(t, l)
	if p.err != why || p.lost != 1 {
		t.Errorf("Abort: lost %d times with %v", p.lost, p.err)
	}

	s, _ = pair(t, l)
	s.Abort(why)
	l.CallLater(time.Millisecond, func() { l.Stop(nil) })
	run(t, l)
	p = &sink{onLost: func(error) { l.Stop(nil) }}
	s.Start(p)
	run(t, l)
	if p.err != why || p.lost != 1 {
		t.Errorf("late Start: lost %d times with %v", p.lost, p.err)
	}
}

// A server that says why it hangs up must be heard, though writing to it fails.
func TestLastWordsAreHeardAfterAWriteError(t *testing.T) {
	l := newTestLoop(t)
	a, b, err := newSocketpair()
	if err != nil {
		t.Fatal(err)
	}
	s, err := l.Adopt(a, "pair")
	if err != nil {
		t.Fatal(err)
	}
	unix.Write(b, []byte("* BYE overloaded"))
	unix.Close(b)
	p := &sink{onLost: func(error) { l.Stop(nil) }}
	s.Start(p)
	s.Pause() // so that the write fails first
	s.Write([]byte("a1 NOOP"))
	l.CallLater(10*time.Millisecond, s.Resume)
	run(t, l)
	if p.got.String() != "* BYE overloaded" || !errors.Is(p.err, unix.EPIPE) {
		t.Errorf("got %q, lost with %v", p.got.String(), p.err)
	}
}

func TestCloseGivesUpOnAPeerThatTakesNothing(t *testing.T) {
	now := time.Unix(0, 0)
	l := NewSim(Sim{Clock: func() time.Time { return now }})
	s, err := l.NewStream(stuckTransport{}, "stuck")
	if err != nil {
		t.Fatal(err)
	}
	p := &sink{}
	s.Start(p)
	s.Write([]byte("x"))
	s.Close()
	for range 5 {
		l.Turn()
	}
	if p.lost != 0 {
		t.Fatal("lost at once")
	}
	now = now.Add(lingerTime)
	l.Turn()
	l.Turn()
	if p.lost != 1 || p.err == nil {
		t.Errorf("lost %d times with %v", p.lost, p.err)
	}
}

type stuckTransport struct{}

func (stuckTransport) Attach(*Loop, func(Events)) error { return nil }
func (stuckTransport) Interest(Events)                  {}
func (stuckTransport) Read([]byte) (int, error)         { return 0, ErrWouldBlock }
func (stuckTransport) Write([]byte) (int, error)        { return 0, ErrWouldBlock }
func (stuckTransport) Close() error                     { return nil }

func TestDeflateBothWays(t *testing.T) {
	l := newTestLoop(t)
	for _, piece := range []int{1, 7, 65536} {
		s, c := pair(t, l)
		data := []byte(strings.Repeat("* 1 FETCH (FLAGS (\\Seen) UID 17)\r\n", 20000))
		go func() {
			c.Write([]byte("plain\n"))
			w, _ := flate.NewWriter(slowConn{c, piece}, 6)
			r := flate.NewReader(c)
			buf := make([]byte, 4096)
			for n := 0; n < len(data); {
				k, err := r.Read(buf)
				if err != nil {
					return
				}
				n += k
				w.Write(buf[:k])
				w.Flush()
			}
		}()
		p := &sink{}
		deflated := false
		p.onData = func() {
			if !deflated && strings.HasSuffix(p.got.String(), "plain\n") {
				deflated = true
				p.got.Reset()
				s.Write([]byte("")) // nothing
				if err := s.StartDeflate(); err != nil {
					t.Error(err)
				}
				if err := s.StartDeflate(); err == nil {
					t.Error("DEFLATE started twice")
				}
				s.Write(data)
			}
			if deflated && p.got.Len() == len(data) {
				l.Stop(nil)
			}
		}
		s.Start(p)
		run(t, l)
		if !bytes.Equal(p.got.Bytes(), data) {
			t.Errorf("pieces of %d: data damaged", piece)
		}
		if _, out := s.Counts(); out > int64(len(data)/10) {
			t.Errorf("pieces of %d: %d bytes sent for %d", piece, out, len(data))
		}
		s.Abort(nil)
	}
}

func TestDeflateUnreadAndBomb(t *testing.T) {
	l := newTestLoop(t)
	s, c := pair(t, l)
	const total = 32 << 20
	var z bytes.Buffer
	z.WriteString("OK\n")
	w, _ := flate.NewWriter(&z, 9)
	w.Write(make([]byte, total))
	w.Flush()
	go c.Write(z.Bytes())
	n, most, turn := 0, 0, uint64(0)
	inTurn := 0
	p := &funcProtocol{data: nil, lost: func(error) {}}
	first := true
	p.data = func(b []byte) {
		if first {
			first = false
			if err := s.StartDeflate(); err != nil {
				t.Error(err)
			}
			s.Unread(b[len("OK\n"):])
			return
		}
		if l.turn != turn {
			turn, inTurn = l.turn, 0
		}
		n += len(b)
		inTurn += len(b)
		most = max(most, inTurn)
		if n == total {
			l.Stop(nil)
		}
	}
	s.Start(p)
	run(t, l)
	if most > decodeBudget+64<<10 {
		t.Errorf("%d bytes inflated in one turn", most)
	}
}

type funcProtocol struct {
	data func([]byte)
	lost func(error)
}

func (p *funcProtocol) Data(b []byte)  { p.data(b) }
func (p *funcProtocol) Lost(err error) { p.lost(err) }

func TestDeflateGarbage(t *testing.T) {
	l := newTestLoop(t)
	s, c := pair(t, l)
	p := &sink{onLost: func(error) { l.Stop(nil) }}
	s.Start(p)
	if err := s.StartDeflate(); err != nil {
		t.Fatal(err)
	}
	c.Write([]byte("\xff\xff this is not deflate"))
	run(t, l)
	if p.err == nil || !strings.Contains(p.err.Error(), "DEFLATE") {
		t.Errorf("lost with %v", p.err)
	}
}
