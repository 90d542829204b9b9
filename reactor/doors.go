package reactor

import (
	"crypto/x509"
	"net/netip"
	"os"
	"os/signal"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// This file is where other goroutines exist, and the only one. A goroutine
// started here owns what it works on, touches nothing of the loop, and answers
// through Post.

// diskQueue is how many disk jobs the channel holds; more wait on the loop's side.
const diskQueue = 128

type doors struct {
	// posts is a stack: Post pushes, the loop takes all and turns them round.
	// It needs no lock, and a pointer is atomic on 32-bit machines as well.
	posts  atomic.Pointer[posted]
	wake   *os.File // written by Post; an os.File so that a late Post meets an error, not a stranger's descriptor
	wakeR  int      // read by the loop; on Linux the same descriptor
	wakeRF *os.File
	watch  *Watch

	disk    chan diskJob
	diskEnd chan struct{}
	backlog []diskJob // jobs the channel had no room for, in order

	signals  chan os.Signal
	onSignal map[os.Signal][]func()
}

type posted struct {
	f    func()
	next *posted
}

type diskJob struct{ work, done func() }

func (l *Loop) openDoors() error {
	r, w, err := newWake()
	if err != nil {
		return err
	}
	d := &l.doors
	d.wakeR = r
	d.wake = os.NewFile(uintptr(w), "wake")
	if r != w {
		d.wakeRF = os.NewFile(uintptr(r), "wake")
	}
	d.watch, err = l.Watch(r, Readable, func(Events) { l.takePosts() })
	return err
}

// Post runs f on the loop, in a turn to come. It is the one method that other
// goroutines may call. Functions of one goroutine run in the order posted. After
// Close it does nothing.
func (l *Loop) Post(f func()) {
	d := &l.doors
	p := &posted{f: f}
	top := d.posts.Load()
	for p.next = top; !d.posts.CompareAndSwap(top, p); p.next = top {
		top = d.posts.Load()
	}
	// From here on p is the loop's.
	// Whoever found the stack empty rings; the loop clears the bell before it
	// takes the stack, so no post is slept through.
	if top == nil && d.wake != nil {
		one := [8]byte{1, 1, 1, 1, 1, 1, 1, 1}
		_, _ = d.wake.Write(one[:]) // full means it rings already; closed means too late
	}
}

func (l *Loop) takePosts() {
	if l.doors.wake != nil {
		var b [64]byte
		_, _ = unix.Read(l.doors.wakeR, b[:])
	}
	var first *posted
	for p := l.doors.posts.Swap(nil); p != nil; {
		p.next, first, p = first, p, p.next
	}
	l.meter.after(piecePost, nil)
	for ; first != nil; first = first.next {
		first.f()
		l.meter.after(piecePost, first.f)
	}
}

// Disk runs work on the disk goroutine and then done on the loop. There is one
// such goroutine: jobs run, and their done functions are called, in the order
// handed in. work must own whatever it touches until done. done may be nil.
func (l *Loop) Disk(work func(), done func()) {
	if l.sim != nil {
		l.sim.Disk(work, done)
		return
	}
	d := &l.doors
	if d.disk == nil {
		d.disk, d.diskEnd = make(chan diskJob, diskQueue), make(chan struct{})
		go func(in chan diskJob, end chan struct{}) {
			defer close(end)
			for j := range in {
				j.work()
				l.Post(func() { l.diskDone(j.done) })
			}
		}(d.disk, d.diskEnd)
	}
	d.backlog = append(d.backlog, diskJob{work, done})
	d.feedDisk()
}

func (l *Loop) diskDone(done func()) {
	if l.closed {
		return
	}
	l.doors.feedDisk()
	if done != nil {
		done()
	}
}

// feedDisk hands over as many jobs as the channel has room for, never blocking.
func (d *doors) feedDisk() {
	for len(d.backlog) > 0 {
		select {
		case d.disk <- d.backlog[0]:
			d.backlog[0] = diskJob{}
			d.backlog = d.backlog[1:]
		default:
			return
		}
	}
	d.backlog = nil
}

// Aside runs work on a goroutine of its own and then done on the loop. It is for
// the few library calls that only come blocking. done may be nil.
func (l *Loop) Aside(work func(), done func()) {
	if l.sim != nil {
		l.sim.Aside(work, done)
		return
	}
	go func() {
		work()
		if done != nil {
			l.Post(done)
		}
	}()
}

// Signal calls f on the loop each time the program receives s. Several functions
// may be set for one signal. A nil f removes them all and restores the signal's
// default effect.
func (l *Loop) Signal(s os.Signal, f func()) {
	d := &l.doors
	if f == nil {
		signal.Reset(s)
		delete(d.onSignal, s)
		return
	}
	if d.signals == nil {
		d.signals = make(chan os.Signal, 16)
		d.onSignal = map[os.Signal][]func(){}
		go func(in chan os.Signal) {
			for got := range in {
				l.Post(func() { l.raise(got) })
			}
		}(d.signals)
	}
	d.onSignal[s] = append(d.onSignal[s], f)
	signal.Notify(d.signals, s)
}

func (l *Loop) raise(s os.Signal) {
	for _, f := range l.doors.onSignal[s] {
		f()
	}
}

// awaitExit waits for a child where no descriptor tells of its exit. The number
// is free for reuse as soon as wait4 returns, so the loop may for an instant hold
// a stale one; it signals a child only while it thinks it alive.
func (l *Loop) awaitExit(pid int, done func(unix.WaitStatus)) {
	go func() {
		var ws unix.WaitStatus
		for {
			_, err := unix.Wait4(pid, &ws, 0, nil)
			if err != unix.EINTR {
				break
			}
		}
		l.Post(func() { done(ws) })
	}()
}

// lookup resolves a name in a goroutine; cancel makes it give up early.
func (l *Loop) lookup(network, host string, done func([]netip.Addr, error)) (cancel func()) {
	ctx, cancel := lookupContext()
	var addrs []netip.Addr
	var err error
	l.Aside(
		func() { addrs, err = resolve(ctx, network, host) },
		func() { cancel(); done(addrs, err) },
	)
	return cancel
}

// SystemRoots loads the system's certificate authorities. It reads files and may
// take a tenth of a second: call it through Aside.
func SystemRoots() (*x509.CertPool, error) { return x509.SystemCertPool() }

func (l *Loop) closeDoors() {
	d := &l.doors
	if d.signals != nil {
		signal.Stop(d.signals)
		close(d.signals)
	}
	if d.disk != nil {
		for _, j := range d.backlog {
			d.disk <- j
		}
		d.backlog = nil
		close(d.disk)
		<-d.diskEnd
	}
	d.watch.Close()
	if d.wake != nil {
		d.wake.Close()
	}
	if d.wakeRF != nil {
		d.wakeRF.Close()
	}
}
