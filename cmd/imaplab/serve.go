package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	"offloop/cmd/internal/lab/dovecot"
	"offloop/cmd/internal/lab/gen"
	"offloop/cmd/internal/lab/imapc"
	"offloop/cmd/internal/lab/memserver"
	"offloop/cmd/internal/lab/proxy"
)

// serve runs a server, filled if asked, until interrupted.
func serve(ctx context.Context, args []string) error {
	f := flag.NewFlagSet("imaplab serve", flag.ContinueOnError)
	demo := f.Bool("demo", false, "a memory server instead of Dovecot")
	user := f.String("user", "user", "whose account is filled (Dovecot lets any user in)")
	format := f.String("format", string(dovecot.MaildirFS), "Dovecot's mail format: maildir-fs, maildir++, sdbox")
	caps := f.String("capability", "", "advertise only this; bare, uidplus and condstore are short for useful sets")
	fsync := f.String("fsync", "never", "Dovecot's mail_fsync: never, optimized, always")
	limit := f.Duration("for", 0, "stop by itself after this long")
	mail := mailFlags(f, 0)
	if err := parse(f, args); err != nil {
		return err
	}
	ctx, cancel := bounded(ctx, *limit)
	defer cancel()
	if *demo {
		return serveMemory(ctx, *user, mail())
	}
	if set, ok := map[string]string{"bare": dovecot.CapBare, "uidplus": dovecot.CapUIDPlus, "condstore": dovecot.CapCondstore}[*caps]; ok {
		*caps = set
	}
	s, err := dovecot.Start(dovecot.Options{Format: dovecot.Format(*format), Capability: *caps, FSync: *fsync})
	if err != nil {
		return err
	}
	defer s.Stop()
	if err := fill(s.Addr(), *user, dovecot.Password, mail()); err != nil {
		return err
	}
	fmt.Printf("imap    %s\nimaps   %s\nuser    %s (any)\npass    %s\nca      %s\nsha256  %s\nmaildir %s\npreauth %s\n",
		s.Addr(), s.TLSAddr(), *user, dovecot.Password, s.CAFile, s.Leaf.Fingerprint(), s.Maildir(*user), s.Preauth(*user))
	<-ctx.Done()
	return nil
}

func serveMemory(ctx context.Context, user string, o gen.Options) error {
	s, err := memserver.Start(memserver.Options{User: user, Pass: dovecot.Password})
	if err != nil {
		return err
	}
	defer s.Stop()
	if err := fill(s.Addr(), user, dovecot.Password, o); err != nil {
		return err
	}
	fmt.Printf("imap    %s\nuser    %s\npass    %s\n", s.Addr(), user, dovecot.Password)
	<-ctx.Done()
	return nil
}

// mailFlags are the flags that describe generated mail.
func mailFlags(f *flag.FlagSet, messages int) func() gen.Options {
	n := f.Int("messages", messages, "messages in all")
	folders := f.Int("folders", 20, "folders")
	seed := f.Uint64("seed", 1, "same seed, same mail")
	nasty := f.Int("nasty", 40, "nasty messages in a thousand; -1 for none")
	median := f.Int("median", 9500, "median size of a message in bytes")
	mean := f.Int("mean", 25000, "mean size")
	safe := f.Bool("safe-names", false, "no folder names with quotes, backslashes, %, #, trailing spaces")
	dots := f.Bool("no-dots", false, "no folder names with dots")
	keywords := f.Bool("keywords", true, "some messages have keywords")
	return func() gen.Options {
		o := gen.Options{Seed: *seed, Messages: *n, Folders: *folders, Nasty: *nasty, Median: *median, Mean: *mean,
			SafeNames: *safe, NoDots: *dots, Keywords: *keywords}
		if o.Nasty == 0 {
			o.Nasty = -1
		}
		if o.Messages == 0 {
			o.Messages = -1 // none, not the default
		}
		return o
	}
}

// fill appends generated mail over IMAP, if any is asked for.
func fill(addr, user, pass string, o gen.Options) error {
	if o.Messages <= 0 {
		return nil
	}
	c, err := imapc.Dial(addr, imapc.Options{User: user, Pass: pass, Timeout: 5 * time.Minute})
	if err != nil {
		return err
	}
	defer c.Logout()
	began := time.Now()
	if err := gen.New(o).FillIMAP(c); err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "%d messages in %d folders, %.1f s\n", o.Messages, o.Folders, time.Since(began).Seconds())
	return nil
}

// generate fills an account or a Maildir.
func generate(_ context.Context, args []string) error {
	f := flag.NewFlagSet("imaplab gen", flag.ContinueOnError)
	var l login
	l.flags(f)
	dir := f.String("maildir", "", "instead of a server: write a Maildir for Dovecot's fs layout here")
	mail := mailFlags(f, 500)
	if err := parse(f, args); err != nil {
		return err
	}
	if *dir != "" {
		return gen.New(mail()).FillDovecot(*dir)
	}
	c, err := l.dial()
	if err != nil {
		return err
	}
	c.Logout()
	return fill(l.addr, l.user, l.pass, mail())
}

// runProxy runs a delay line until interrupted, then prints its counts.
func runProxy(ctx context.Context, args []string) error {
	f := flag.NewFlagSet("imaplab proxy", flag.ContinueOnError)
	o := proxy.Options{}
	f.StringVar(&o.Target, "to", "", "the server, host:port")
	f.StringVar(&o.Listen, "listen", "127.0.0.1:0", "where clients connect")
	f.DurationVar(&o.RTT, "rtt", 0, "round-trip time added")
	f.Int64Var(&o.Bandwidth, "bandwidth", 0, "bytes a second in each direction; 0 = unlimited")
	transcript := f.Bool("transcript", false, "print what passes (passwords too)")
	fault := f.String("fault", "", "ACTION:DIRECTION:BYTES, e.g. cut:down:5000, stall:up:0, reset:down:1 (strikes once)")
	limit := f.Duration("for", 0, "stop by itself after this long")
	if err := parse(f, args); err != nil {
		return err
	}
	if o.Target == "" {
		return fmt.Errorf("say which server: --to host:port")
	}
	if *transcript {
		o.Transcript = os.Stdout
	}
	p, err := proxy.Start(o)
	if err != nil {
		return err
	}
	defer p.Close()
	if *fault != "" {
		ft, err := parseFault(*fault)
		if err != nil {
			return err
		}
		p.Arm(ft)
	}
	fmt.Printf("listening on %s\n", p.Addr())
	ctx, cancel := bounded(ctx, *limit)
	defer cancel()
	<-ctx.Done()
	n := p.Counts()
	fmt.Printf("connections %d (most at once %d), flights %d (from the greeting on %d), bytes up %d, down %d, waited %v\n",
		n.Connections, n.MostOpen, n.Flights, n.Commands, n.Up, n.Down, n.Waited.Round(time.Millisecond))
	return nil
}

func parseFault(s string) (proxy.Fault, error) {
	var ft proxy.Fault
	w := strings.Split(s, ":")
	if len(w) == 3 {
		a, ok1 := map[string]proxy.Action{"cut": proxy.Cut, "reset": proxy.Reset, "stall": proxy.Stall}[w[0]]
		d, ok2 := map[string]proxy.Direction{"up": proxy.Up, "down": proxy.Down}[w[1]]
		_, err := fmt.Sscan(w[2], &ft.After)
		ft.Action, ft.Direction = a, d
		if ok1 && ok2 && err == nil && ft.After >= 0 {
			return ft, nil
		}
	}
	return ft, fmt.Errorf("fault %q: want ACTION:DIRECTION:BYTES, e.g. cut:down:5000", s)
}
