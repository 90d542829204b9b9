// Offloop keeps IMAP accounts and local Maildirs the same, both ways.
package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"time"

	"offloop/cmd/offloop/internal/config"
)

const version = "0.1.0"

func main() {
	tune()
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// run is main without the process: it returns the exit status.
func run(args []string, stdout, stderr io.Writer) int {
	o, err := parse(args)
	switch {
	case err != nil:
		fmt.Fprintln(stderr, "offloop:", err)
		return 2
	case o.help:
		usage(stdout)
		return 0
	case o.version:
		fmt.Fprintln(stdout, "offloop", version)
		return 0
	case o.helpConfig:
		if err := config.Help(stdout); err != nil {
			fmt.Fprintln(stderr, "offloop:", err)
			return 1
		}
		return 0
	case o.command == "help":
		return help(o.args, stdout, stderr)
	case o.command == "demo":
		return demo(o, stdout, stderr)
	case o.command == demoServerCommand:
		return demoServer(o.args, stdout, stderr)
	}
	return command(o, stdout, stderr)
}

// command does what needs the configuration.
func command(o *options, stdout, stderr io.Writer) int {
	words, folder, err := map[string]bool{}, "", error(nil)
	var back undoArgs
	switch o.command {
	case "verify":
		words, folder, err = o.target("--bytes")
	case "quarantine":
		words, folder, err = o.target("--retry")
	case "undo":
		back, err = parseUndo(o)
	}
	if o.storePass && err == nil && (o.info || o.prune || o.migrate || o.deleteFolder != "" || o.command != "" && !words["--retry"]) {
		err = errors.New("--update-keyring is for a sync: it stores the password with which one went well")
	}
	if err != nil {
		fmt.Fprintln(stderr, "offloop:", err)
		return 2
	}
	cfg, accounts, code := load(o, stdout, stderr)
	o.dryRun = o.dryRun || code < 0 && cfg.DryRun
	switch {
	case code >= 0:
		return code
	case o.deleteFolder != "":
		return deleteFolder(cfg, accounts, o, time.Now(), stdout, stderr)
	case o.migrate:
		return migrate(cfg, accounts, o, time.Now(), stdout, stderr)
	case o.prune:
		return pruneMBNames(cfg, stderr)
	case o.command == "verify":
		return verifyAll(cfg, accounts, o, words["--bytes"], folder, time.Now(), stdout, stderr)
	case o.command == "quarantine" && !words["--retry"]:
		return listQuarantine(cfg, accounts, o, folder, time.Now(), stdout, stderr)
	case o.command == "quarantine":
		o.once, o.retry = true, []string{cmp.Or(folder, "*")}
	case o.command == "state":
		return showState(cfg, accounts, o, stdout, stderr)
	case o.command == "status":
		return showStatus(cfg, accounts, o, time.Now(), stdout, stderr)
	case o.command == "undo":
		return undo(cfg, accounts, o, back, time.Now(), stdout, stderr)
	case o.info || o.command == "check":
		return inspectAll(cfg, accounts, o, time.Now(), stdout, stderr)
	}
	if o.storePass = (o.storePass || cfg.UpdateKeyring) && !o.dryRun; o.storePass {
		if _, err := keyringProgram(); err != nil {
			fmt.Fprintln(stderr, "offloop: --update-keyring:", err)
			return 1
		}
	}
	if o.profileDir != "" {
		stop, err := profile(o.profileDir, time.Now())
		if err != nil {
			fmt.Fprintln(stderr, "offloop:", err)
			return 1
		}
		defer stop()
	}
	return syncAll(cfg, accounts, o, time.Now(), stdout, stderr)
}

// load reads the configuration and selects the accounts; a code of 0 or more
// means that this was all, or that it failed.
func load(o *options, stdout, stderr io.Writer) (*config.Config, []*config.Account, int) {
	path, err := config.Find(o.config)
	if err != nil {
		fmt.Fprintln(stderr, "offloop:", err)
		fmt.Fprintln(stderr, "hint: a minimal configuration looks like this:")
		fmt.Fprintln(stderr)
		fmt.Fprint(stderr, config.Sample())
		return nil, nil, 1
	}
	over, err := overrides(o)
	if err != nil {
		fmt.Fprintln(stderr, "offloop:", err)
		return nil, nil, 2
	}
	cfg, problems, err := config.Load(path, over)
	for _, p := range problems {
		fmt.Fprintln(stderr, p)
	}
	if err != nil || cfg == nil {
		if err != nil && len(problems) == 0 {
			fmt.Fprintln(stderr, "offloop:", err)
		}
		return nil, nil, 1
	}
	accounts, err := cfg.Select(o.accounts)
	if err != nil {
		fmt.Fprintln(stderr, "offloop:", err)
		return nil, nil, 1
	}
	if o.command == "check" && !hasArg(o.args, "--connect") {
		return nil, nil, checked(cfg, accounts, problems, stdout, stderr)
	}
	return cfg, accounts, -1
}

func overrides(o *options) ([]config.Override, error) {
	var over []config.Override
	for _, k := range o.overrides {
		v, err := config.ParseOverride(k)
		if err != nil {
			return nil, err
		}
		over = append(over, v)
	}
	return over, nil
}

// checked ends `offloop check`: the problems have been printed, but for those that
// python3 finds.
func checked(cfg *config.Config, accounts []*config.Account, problems []config.Problem, stdout, stderr io.Writer) int {
	bad, odd := config.HasErrors(problems), len(problems) > 0
	for _, a := range accounts {
		found, err := checkPython(a)
		if err != nil {
			fmt.Fprintln(stderr, "offloop:", err)
			return 1
		}
		for _, p := range found {
			fmt.Fprintln(stderr, p)
			odd = true
		}
		switch {
		case len(a.Refused) > 0 || config.HasErrors(found):
			bad = true
			fmt.Fprintf(stdout, "account %s: will not be synced\n", a.Name)
		default:
			fmt.Fprintf(stdout, "account %s: %s <-> %s:%d (%s)\n", a.Name, a.Local.Root, a.Remote.Host, a.Remote.Port, a.Remote.TLS)
		}
	}
	switch {
	case bad:
		fmt.Fprintf(stdout, "%s needs the changes above\n", cfg.File)
		return 1
	case odd:
		fmt.Fprintf(stdout, "%s can be used; see the warnings above. offloop check --connect also tries the servers\n", cfg.File)
		return 0
	}
	fmt.Fprintf(stdout, "%s is fine; offloop check --connect also tries the servers\n", cfg.File)
	return 0
}

func hasArg(args []string, want string) bool {
	for _, a := range args {
		if a == want {
			return true
		}
	}
	return false
}

var errQuit = errors.New("quit")

// tune sets the runtime for a program that is one loop: the garbage collector
// keeps the heap small, since what is live is small and mostly holds no pointers,
// and a second processor has nothing to do, while each has memory of its own and
// is woken in vain. GOGC and GOMAXPROCS in the environment come first.
//
// The first collection comes at 2 MB (GOGC counts from 4), the others at a quarter
// more than is live. A round over an unchanged account ends below that, and then no
// page is touched that only the collector needs.
func tune() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(50)
		runtime.AddCleanup(new([64]byte), func(percent int) { debug.SetGCPercent(percent) }, 25)
	}
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(1)
	}
}
