package maildirtest

import (
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// call is the gate every method goes through.
func (f *FS) call(op, p string, do func() error) error {
	if f.outside {
		f.Now += f.Step
		return do()
	}
	if f.dead {
		return ErrCrashed
	}
	if f.Before != nil {
		f.Before(op, p)
	}
	f.calls++
	f.Now += f.Step
	if f.Coverage != nil && !f.Coverage.OnlyCrashes {
		f.Coverage.Seen[f.Coverage.caller()]++
	}
	if f.crashAt > 0 && f.calls >= f.crashAt {
		if f.Coverage != nil {
			f.Coverage.Crashed[f.Coverage.caller()]++
		}
		// The call was on its way: it may have worked without anyone knowing.
		if f.rng.IntN(2) == 0 {
			f.tearing = true
			do()
			f.tearing = false
		}
		f.dead = true
		return ErrCrashed
	}
	if f.Fail != nil {
		if err := f.Fail(op, p, f.calls); err != nil {
			return err
		}
	}
	return do()
}

// caller is the place in the code under test that made the call.
func (c *Coverage) caller() string {
	var pcs [12]uintptr
	n := runtime.Callers(3, pcs[:])
	if site, ok := c.known[pcs]; ok {
		return site
	}
	if c.known == nil {
		c.known = map[[12]uintptr]string{}
	}
	site := c.place(pcs[:n])
	c.known[pcs] = site
	return site
}

func (c *Coverage) place(pcs []uintptr) string {
	frames := runtime.CallersFrames(pcs)
	for {
		fr, more := frames.Next()
		wrapper := c.Through != "" && strings.Contains(fr.Function, c.Through)
		if !wrapper && (!strings.Contains(fr.Function, "/maildirtest.") || strings.HasSuffix(fr.File, "_test.go")) {
			return fmt.Sprintf("%s:%d", filepath.Base(fr.File), fr.Line)
		}
		if !more {
			return "?"
		}
	}
}

// Coverage counts at which places of the code under test calls were made, and
// at which a crash happened.
type Coverage struct {
	Seen, Crashed map[string]int
	OnlyCrashes   bool   // count in Crashed only: finding out the place of every call takes time
	Through       string // part of the names of functions between the code under test and this package

	known map[[12]uintptr]string
}

// NewCoverage makes an empty Coverage.
func NewCoverage() *Coverage {
	return &Coverage{Seen: map[string]int{}, Crashed: map[string]int{}}
}

// NeverCrashed lists the call sites, "file.go:line", no crash happened at.
func (c *Coverage) NeverCrashed() []string {
	var out []string
	for site := range c.Seen {
		if c.Crashed[site] == 0 {
			out = append(out, site)
		}
	}
	slices.Sort(out)
	return out
}

// Calls is the number of calls made so far, those inside Outside not counted.
func (f *FS) Calls() int { return f.calls }

// CrashAfter makes the nth call from now the last one: it has an effect or none,
// and it and all later ones return ErrCrashed until PowerCut or Kill.
func (f *FS) CrashAfter(n int) { f.crashAt = f.calls + n }

// Crashed says whether the crash has happened.
func (f *FS) Crashed() bool { return f.dead }

// SetSpace limits how many more bytes can be written; freed ones count. A
// negative n takes the limit away.
func (f *FS) SetSpace(n int64) { f.limited, f.space = n >= 0, n }

// HoldLock makes another process hold (pid 0: give up) the lock of a file.
func (f *FS) HoldLock(p string, pid int) error {
	n, err := f.existing(p)
	if err == nil {
		f.held[n.ino] = pid
	}
	return err
}

// OpenFiles is the number of open descriptors, to find leaks.
func (f *FS) OpenFiles() int { return len(f.files) }

// Outside runs do with all hooks, faults and counting off: for what a test or a
// mail reader does to the disk.
func (f *FS) Outside(do func()) {
	was := f.outside
	f.outside = true
	defer func() { f.outside = was }()
	do()
}

// WriteFile makes a file with its parents, as another program would, and reports
// nothing: for the setup of tests. With flushed it survives a power cut.
func (f *FS) WriteFile(p, content string, flushed bool) {
	f.Outside(func() {
		for i := 1; i < len(p); i++ {
			if p[i] == '/' {
				f.Mkdir(p[:i], 0o700)
			}
		}
		fd, err := f.Open(p, unix.O_WRONLY|unix.O_CREAT|unix.O_TRUNC, 0o600)
		if err != nil {
			panic(fmt.Sprintf("maildirtest: write %s: %v", p, err))
		}
		f.Write(fd, []byte(content))
		f.Close(fd)
		if flushed {
			f.Flush()
		}
	})
}

// Flush makes everything durable, as a long wait would.
func (f *FS) Flush() {
	for _, n := range f.nodes {
		if !n.dir {
			n.flush()
		}
	}
	for _, op := range f.ops {
		op.apply()
	}
	f.prune()
}

// Mount makes the directory p and all below it another file system.
func (f *FS) Mount(p string) {
	n, err := f.existing(p)
	if err != nil {
		panic(fmt.Sprintf("maildirtest: mount %s: %v", p, err))
	}
	f.mounts++
	var down func(n *node)
	down = func(n *node) {
		n.dev = 1 + f.mounts
		for _, c := range n.entries {
			down(c)
		}
	}
	down(n)
}

// ReadFile gives a file's content.
func (f *FS) ReadFile(p string) (string, error) {
	n, err := f.existing(p)
	if err != nil {
		return "", err
	}
	return string(n.data), nil
}

// Files gives all files below a directory, path (relative to it) to content.
func (f *FS) Files(dir string) map[string]string {
	out := map[string]string{}
	if n, err := f.existing(dir); err == nil {
		gather(n, "", out)
	}
	return out
}

func gather(n *node, prefix string, out map[string]string) {
	for name, sub := range n.entries {
		if sub.dir {
			gather(sub, prefix+name+"/", out)
		} else {
			out[prefix+name] = string(sub.data)
		}
	}
}

// EachCrash runs a piece of work again and again, on a new file system each
// time, and stops it at its first call, its second, and so on until it ends by
// itself. build makes the file system (use the seed in it), after judges what a
// crash left, once for the end of the process alone and once for a power cut. It
// returns how many calls there were.
func EachCrash(build func(seed uint64) *FS, run func(*FS), after func(f *FS, call int, powerCut bool)) int {
	for n := 1; ; n++ {
		for i := range 4 {
			f := build(uint64(n)*4 + uint64(i))
			f.CrashAfter(n)
			run(f)
			if !f.Crashed() {
				return n - 1
			}
			power := i > 0
			if power {
				f.PowerCut()
			} else {
				f.Kill()
			}
			after(f, n, power)
		}
	}
}
