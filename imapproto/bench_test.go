package imapproto_test

import (
	"bytes"
	"fmt"
	"io"
	"runtime"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"

	"offloop/imapproto"
)

// counter is a FetchHandler that only counts.
type counter struct{ messages, bytes int64 }

func (h *counter) Write(p []byte)                                { h.bytes += int64(len(p)) }
func (h *counter) Body(*imapproto.Message, int64) imapproto.Sink { return h }
func (h *counter) Message(m *imapproto.Message)                  { h.messages++ }
func (h *counter) Vanished(imap.UIDSet)                          {}
func all() imap.UIDSet                                           { return imap.UIDSet{{Start: 1, Stop: 1<<32 - 1}} }

// fetching returns a Conn that waits for the answer to a UID FETCH.
func fetching(t testing.TB, h imapproto.FetchHandler, it imapproto.FetchItems) *imapproto.Conn {
	// A trace that nobody wants to see just now must cost nothing.
	c := imapproto.NewConn(time.Time{}, imapproto.Options{Pass: "secret", Trace: func(bool, []byte) { t.Error("traced") }, Tracing: func() bool { return false }})
	c.Feed(time.Time{}, []byte("* PREAUTH [CAPABILITY IMAP4rev1 CONDSTORE LITERAL+] hi\r\n"))
	sel := c.Select("INBOX", imapproto.SelectOptions{}, func(_ *imapproto.SelectData, err error) {
		if err != nil {
			t.Fatal(err)
		}
	})
	c.UIDFetch(sel, all(), it, h, func(err error) {})
	c.Take(0)
	c.Feed(time.Time{}, []byte("A1 OK\r\n"))
	return c
}

func flagLines(n int) []byte {
	var b []byte
	for i := 1; i <= n; i++ {
		b = fmt.Appendf(b, "* %d FETCH (UID %d FLAGS (\\Seen \\Answered $Forwarded) MODSEQ (%d))\r\n", i, 100000+i, int64(1)<<33+int64(i))
	}
	return b
}

// TestFlagsAllocateNothing: a FETCH response with flags costs no allocation, also
// when it is cut by the end of a fragment.
func TestFlagsAllocateNothing(t *testing.T) {
	h := &counter{}
	c := fetching(t, h, imapproto.FetchItems{Flags: true, ModSeq: true})
	b := flagLines(1000)
	feed := func() {
		for p := b; len(p) > 0; {
			n := min(len(p), 1371)
			c.Feed(time.Time{}, p[:n])
			p = p[n:]
		}
	}
	feed()
	if n := testing.AllocsPerRun(10, feed); n != 0 {
		t.Errorf("%v allocations for 1000 responses", n)
	}
	if h.messages != 12*1000 {
		t.Errorf("%d messages", h.messages)
	}
}

// zeros is a Source of endless text.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

// TestLargeBodies: 200 MB in each direction, in constant memory.
func TestLargeBodies(t *testing.T) {
	const size = 200 << 20
	allocated := func() int64 {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.TotalAlloc)
	}
	h := &counter{}
	c := fetching(t, h, imapproto.FetchItems{Body: true})
	before := allocated()
	c.Feed(time.Time{}, fmt.Appendf(nil, "* 1 FETCH (UID 1 BODY[] {%d}\r\n", size))
	chunk := bytes.Repeat([]byte("x"), 64<<10)
	for i := 0; i < size/len(chunk); i++ {
		c.Feed(time.Time{}, chunk)
	}
	c.Feed(time.Time{}, []byte(")\r\nA2 OK\r\n"))
	if h.bytes != size || h.messages != 1 {
		t.Errorf("%d messages of %d bytes", h.messages, h.bytes)
	}
	done := false
	c.Append("INBOX", []imapproto.AppendMessage{{Size: size, Body: zeros{}}}, func(_ imapproto.AppendData, err error) {
		done = err == nil
	})
	sent := 0
	for b := c.Take(0); b != nil; b = c.Take(0) {
		sent += len(b)
	}
	c.Feed(time.Time{}, []byte("A3 OK\r\n"))
	if want := size + len(fmt.Sprintf("A3 APPEND INBOX {%d+}\r\n\r\n", size)); sent != want || !done {
		t.Errorf("sent %d of %d bytes, done %v", sent, want, done)
	}
	if n := allocated() - before; n > 1<<20 {
		t.Errorf("%d bytes were allocated", n)
	}
}

// TestSourceTooShort: a message that ends before its size breaks the connection.
func TestSourceTooShort(t *testing.T) {
	c := fetching(t, &counter{}, imapproto.FetchItems{Body: true})
	c.Feed(time.Time{}, []byte("A2 OK\r\n"))
	var got error
	c.Append("INBOX", []imapproto.AppendMessage{{Size: 9, Body: bytes.NewReader([]byte("hello"))}}, func(_ imapproto.AppendData, err error) { got = err })
	c.Take(0)
	if lost, ok := got.(*imapproto.LostError); !ok || c.State() != imapproto.StateDead {
		t.Errorf("err %v (%v), state %v", got, lost, c.State())
	}
}

func BenchmarkFetchFlags(b *testing.B) {
	h := &counter{}
	c := fetching(b, h, imapproto.FetchItems{Flags: true, ModSeq: true})
	data := flagLines(200) // about what one read brings
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		c.Feed(time.Time{}, data)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(h.messages), "ns/msg")
}

func BenchmarkFetchBody4K(b *testing.B) {
	h := &counter{}
	c := fetching(b, h, imapproto.FetchItems{Flags: true, Body: true, InternalDate: true})
	data := fmt.Appendf(nil, "* 1 FETCH (UID 7 FLAGS (\\Seen) INTERNALDATE \"17-Jul-1996 02:44:25 +0000\" BODY[] {4096}\r\n%s)\r\n", bytes.Repeat([]byte("x"), 4096))
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		c.Feed(time.Time{}, data)
	}
}

func BenchmarkAppend64K(b *testing.B) {
	c := fetching(b, &counter{}, imapproto.FetchItems{Body: true})
	c.Append("INBOX", []imapproto.AppendMessage{{Size: 1 << 50, Body: zeros{}}}, func(imapproto.AppendData, error) {})
	c.Feed(time.Time{}, []byte("A2 OK\r\n"))
	b.SetBytes(64 << 10)
	for b.Loop() {
		if len(c.Take(64<<10)) == 0 {
			b.Fatal(io.ErrShortWrite)
		}
	}
}

func BenchmarkSearch(b *testing.B) {
	c := imapproto.NewConn(time.Time{}, imapproto.Options{})
	c.Feed(time.Time{}, []byte("* PREAUTH [CAPABILITY IMAP4rev1] hi\r\n"))
	sel := c.Select("INBOX", imapproto.SelectOptions{}, func(*imapproto.SelectData, error) {})
	c.Take(0)
	c.Feed(time.Time{}, []byte("A1 OK\r\n"))
	data := []byte("* SEARCH")
	for i := range 10000 {
		data = fmt.Appendf(data, " %d", 100000+i)
	}
	data = append(data, '\r', '\n')
	b.SetBytes(int64(len(data)))
	tag := 2
	for b.Loop() {
		c.UIDSearch(sel, "ALL", func(imap.UIDSet, error) {})
		c.Take(0)
		c.Feed(time.Time{}, data)
		c.Feed(time.Time{}, fmt.Appendf(nil, "A%d OK\r\n", tag))
		tag++
	}
}
