package peers

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Usage is what one run of a program took.
type Usage struct {
	Wall, User, Sys time.Duration
	MaxRSS          int64 // bytes, the most the process had at once
	Exit            int
	Output          string            // the last 16 kB of standard output and error
	Stats           map[string]string // offloop's "stats:" line
}

// CPU is user and system time together.
func (u Usage) CPU() time.Duration { return u.User + u.Sys }

// Measure runs a program to its end, or kills it when ctx ends. A program
// that exits with an error is not an error here: see Usage.Exit.
func Measure(ctx context.Context, dir string, env []string, argv ...string) (Usage, error) {
	var out tail
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return Usage{}, fmt.Errorf("run %s: %w", argv[0], err)
	}
	ended := make(chan struct{})
	sampled := make(chan int64, 1)
	go func() { sampled <- watch(ctx, cmd.Process.Pid, ended) }()
	err := cmd.Wait()
	u := Usage{Wall: time.Since(began), Output: string(out.b), Exit: cmd.ProcessState.ExitCode()}
	close(ended)
	u.MaxRSS = <-sampled
	u.User, u.Sys = cmd.ProcessState.UserTime(), cmd.ProcessState.SystemTime()
	if ru, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		u.MaxRSS = peak(u.MaxRSS, int64(ru.Maxrss))
	}
	u.Stats = parseStats(u.Output)
	if ctx.Err() != nil {
		return u, fmt.Errorf("%s was killed after %v: %w", argv[0], u.Wall.Round(time.Second), ctx.Err())
	}
	if _, isExit := err.(*exec.ExitError); err != nil && !isExit {
		return u, fmt.Errorf("run %s: %w", argv[0], err)
	}
	return u, nil
}

// peak combines the sampled peak with the kernel's. On Linux the kernel's
// value is never below our own peak, because a child begins in our memory;
// only above that is it the child's.
func peak(sampled int64, maxrss int64) int64 {
	if runtime.GOOS == "darwin" {
		return maxrss // bytes
	}
	kernel := maxrss << 10
	if runtime.GOOS != "linux" || kernel > highWater(os.Getpid())+(1<<20) {
		return max(sampled, kernel)
	}
	return sampled
}

// watch samples the peak memory and ends the process group with ctx.
func watch(ctx context.Context, pid int, ended chan struct{}) (most int64) {
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	own := highWater(os.Getpid())
	for n := 0; ; n++ {
		select {
		case <-ended:
			return most
		case <-ctx.Done():
			syscall.Kill(-pid, syscall.SIGKILL)
			<-ended
			return most
		case <-tick.C:
			// Dense at first, then every 20 ms: the peak is a high-water mark.
			if n > 100 && n%10 != 0 {
				continue
			}
			// Before exec the child still has our memory.
			if rss := highWater(pid); rss > most && (n > 5 || rss != own) {
				most = rss
			}
		}
	}
}

// highWater is a process's peak memory on Linux, else 0.
func highWater(pid int) int64 {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		return 0
	}
	_, rest, ok := bytes.Cut(b, []byte("VmHWM:"))
	if !ok {
		return 0
	}
	f := strings.Fields(string(rest[:min(len(rest), 40)]))
	if len(f) == 0 {
		return 0
	}
	kb, err := strconv.ParseInt(f[0], 10, 64)
	if err != nil {
		return 0
	}
	return kb << 10
}

// tail keeps the end of what is written to it.
type tail struct{ b []byte }

func (t *tail) Write(p []byte) (int, error) {
	t.b = append(t.b, p...)
	if len(t.b) > 32<<10 {
		t.b = append(t.b[:0], t.b[len(t.b)-16<<10:]...)
	}
	return len(p), nil
}

// parseStats reads the last "stats: key=value key=value" line.
func parseStats(out string) map[string]string {
	i := strings.LastIndex(out, "stats: ")
	if i < 0 {
		return nil
	}
	line, _, _ := strings.Cut(out[i+len("stats: "):], "\n")
	m := map[string]string{}
	for _, f := range strings.Fields(line) {
		if k, v, ok := strings.Cut(f, "="); ok {
			m[k] = v
		}
	}
	return m
}
