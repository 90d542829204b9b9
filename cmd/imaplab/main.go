// Imaplab is the tool offloop is tested and measured with: real and
// memory IMAP servers, a slow or failing line, generated mail, changes,
// comparison, and a benchmark beside other synchronisers. It stays on the
// loopback interface.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"offloop/cmd/internal/lab/imapc"
)

// command is one subcommand. It gets its arguments and returns when it is
// done or ctx ends.
type command struct {
	name, what string
	run        func(ctx context.Context, args []string) error
}

var commands = []command{
	{"serve", "run a Dovecot (or, with --demo, a memory server) until interrupted", serve},
	{"proxy", "run a delay line to a server, with cuts and stalls; counts at the end", runProxy},
	{"gen", "fill an account, or a Maildir for Dovecot, with generated mail", generate},
	{"mutate", "change an account or a Maildir at random, repeatably", runMutate},
	{"verify", "compare an account with a Maildir tree; exit 1 if they differ", runVerify},
	{"screen", "measure what offloop's live screen costs an initial sync", runScreen},
	{"replay", "show again what offloop --record, or --json, wrote", runReplay},
	{"kill", "kill synchronisers at random moments, restart them at once, count lost and doubled mail", runKill},
	{"bench", "run synchronisers side by side and print a table", runBench},
}

// errDiffer makes the exit code 1 without a further message.
var errDiffer = errors.New("the sides differ")

func main() {
	if len(os.Args) < 2 {
		usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	for _, c := range commands {
		if c.name != os.Args[1] {
			continue
		}
		err := c.run(ctx, os.Args[2:])
		switch {
		case err == nil, errors.Is(err, flag.ErrHelp):
			return
		case errors.Is(err, errDiffer):
			os.Exit(1)
		}
		fmt.Fprintf(os.Stderr, "imaplab %s: %v\n", c.name, err)
		os.Exit(1)
	}
	usage()
	os.Exit(2)
}

func usage() {
	fmt.Fprintln(os.Stderr, "usage: imaplab COMMAND [flags]; imaplab COMMAND -h for its flags")
	for _, c := range commands {
		fmt.Fprintf(os.Stderr, "  %-7s %s\n", c.name, c.what)
	}
}

// parse reads flags and refuses what is left over.
func parse(f *flag.FlagSet, args []string) error {
	if err := f.Parse(args); err != nil {
		return err
	}
	if f.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q", f.Arg(0))
	}
	return nil
}

// login are the flags of commands that speak to a server.
type login struct {
	addr, user, pass string
}

func (l *login) flags(f *flag.FlagSet) {
	f.StringVar(&l.addr, "server", "", "IMAP server, host:port, without TLS")
	f.StringVar(&l.user, "user", "user", "user name")
	f.StringVar(&l.pass, "pass", "pass", "password")
}

func (l *login) dial() (*imapc.Client, error) {
	if l.addr == "" {
		return nil, errors.New("say which server: --server host:port")
	}
	return imapc.Dial(l.addr, imapc.Options{User: l.user, Pass: l.pass, Timeout: 5 * time.Minute})
}

// bounded adds a time limit to ctx; 0 = none.
func bounded(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	if d <= 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, d)
}
