package main

import (
	"fmt"
	"io"
	"strings"
)

// options are what the command line says.
type options struct {
	config        string
	accounts      []string
	folders       []string
	overrides     []string
	ui            string
	logFile       string
	debug         string
	once          bool
	quick         bool
	single        bool
	dryRun        bool
	info          bool
	version       bool
	help          bool
	helpConfig    bool
	stats         bool
	prune         bool
	syslog        bool
	storePass     bool
	ignoreKeyring bool
	profileDir    string
	record        string
	migrate       bool
	deleteFolder  string
	json          bool
	allowDeletes  []string
	recreate      []string
	forget        []string
	acceptRoot    bool
	retry         []string // folders whose quarantined messages are tried now
	command       string
	args          []string
}

// option is one row of the table that parsing and help are made from.
type option struct {
	short byte
	long  string
	arg   string // name of its argument in the help, "" = none
	help  string
	set   func(o *options, v string)
}

var optionTable = []option{
	{'c', "config", "FILE", "use FILE as configuration", func(o *options, v string) { o.config = v }},
	{'a', "accounts", "A,B", "sync these accounts only", func(o *options, v string) { o.accounts = splitList(v) }},
	{'f', "folders", "F,G", "sync these server folders only (names in UTF-8 or as the server has them)", func(o *options, v string) { o.folders = splitList(v) }},
	{'o', "once", "", "sync once, whatever autorefresh says", func(o *options, _ string) { o.once = true }},
	{'q', "quick", "", "call every sync quick in the hooks' environment; all of them are", func(o *options, _ string) { o.quick = true }},
	{'u', "ui", "UI", "dashboard, blinkenlights, ttyui, basic, quiet, syslog or machineui", func(o *options, v string) { o.ui = v }},
	{'k', "", "[SECTION:]KEY=VALUE", "set a configuration key; _ stands for a blank in SECTION", func(o *options, v string) { o.overrides = append(o.overrides, v) }},
	{'l', "log", "FILE", "append the log to FILE", func(o *options, v string) { o.logFile = v }},
	{'d', "debug", "TYPE,...", "log more: imap (the protocol, without passwords), maildir, all", func(o *options, v string) { o.debug = v }},
	{'1', "", "", "accepted: offloop has one thread anyway", func(o *options, _ string) { o.single = true }},
	{0, "dry-run", "", "say what would be done, change nothing on either side", func(o *options, _ string) { o.dryRun = true }},
	{0, "info", "", "say what is known of the accounts and their servers", func(o *options, _ string) { o.info = true }},
	{0, "allow-deletes", "FOLDER", "let the deletes through that the brake holds back in FOLDER (* = all)", func(o *options, v string) { o.allowDeletes = append(o.allowDeletes, v) }},
	{0, "recreate", "FOLDER", "make a folder again that one side lost; upload what found no partner after a UIDVALIDITY change", func(o *options, v string) { o.recreate = append(o.recreate, v) }},
	{0, "accept-root", "", "take the Maildir root as it is though it is not the one that was synced", func(o *options, _ string) { o.acceptRoot = true }},
	{0, "forget", "FOLDER", "stop syncing a folder that one side lost", func(o *options, v string) { o.forget = append(o.forget, v) }},
	{'s', "", "", "log to syslog as well", func(o *options, _ string) { o.syslog = true }},
	{'P', "", "DIR", "write a profile of the processor's time into DIR, for go tool pprof", func(o *options, v string) { o.profileDir = v }},
	{0, "record", "FILE", "record what the live screen is given (no passwords, but names and subjects), to report what it shows wrong; imaplab replay shows it again", func(o *options, v string) { o.record = v }},
	{0, "delete-folder", "FOLDER", "delete FOLDER and its messages on the server of the one account given with -a; the Maildir is left alone", func(o *options, v string) { o.deleteFolder = v }},
	{0, "ignore-keyring", "", "do not ask the system's keyring for a password that the configuration does not give", func(o *options, _ string) { o.ignoreKeyring = true }},
	{0, "update-keyring", "", "put the password that the server takes into the system's keyring; with --ignore-keyring in place of the one that is there", func(o *options, _ string) { o.storePass = true }},
	{0, "migrate-fmd5-using-nametrans", "", "rename files of OfflineIMAP before 6.3.5, or from before nametrans, to the digest of the folder's translated name", func(o *options, _ string) { o.migrate = true }},
	{0, "mbnames-prune", "", "drop accounts no longer configured from the list that [mbnames] writes", func(o *options, _ string) { o.prune = true }},
	{0, "stats", "", "print totals at the end", func(o *options, _ string) { o.stats = true }},
	{0, "json", "", "print one event a line as JSON", func(o *options, _ string) { o.json = true }},
	{0, "help-config", "", "explain every configuration key", func(o *options, _ string) { o.helpConfig = true }},
	{'V', "version", "", "print the version", func(o *options, _ string) { o.version = true }},
	{'h', "help", "", "print this help", func(o *options, _ string) { o.help = true }},
}

// commands are the words that may stand instead of a plain sync.
var commands = []struct{ name, args, help string }{
	{"demo", "", "sync a built-in mail server into a temporary Maildir, to look at"},
	{"check", "[--connect]", "say what is wrong with the configuration and its Python; with --connect also try the servers"},
	{"status", "[--json]", "say what a running offloop is doing; exit status 0 if one is running, else 1"},
	{"verify", "[--bytes] [ACCOUNT [FOLDER]]", "compare server, Maildir and state, with --bytes contents too; changes nothing"},
	{"quarantine", "[--retry] [ACCOUNT [FOLDER]]", "list messages that are set aside, and why; with --retry sync and try them now"},
	{"undo", undoUsage, "bring back what was deleted here because the server deleted it"},
	{"state", "[--check] [FOLDER...]", "print, or verify, what is recorded of folders"},
	{"help", "[NAME...]", "explain a command, an option or a key of the configuration"},
}

func splitList(s string) []string {
	var l []string
	for part := range strings.SplitSeq(s, ",") {
		if part = strings.TrimSpace(part); part != "" {
			l = append(l, part)
		}
	}
	return l
}

// parse reads a command line the way OfflineIMAP does: short options may be
// joined, an argument may be attached or follow.
func parse(args []string) (*options, error) {
	o := &options{}
	for len(args) > 0 {
		a := args[0]
		args = args[1:]
		var err error
		switch {
		case a == "--":
			o.args = append(o.args, args...)
			args = nil
		case o.command == "help": // options too are what it explains
			o.args = append(o.args, a)
		case strings.HasPrefix(a, "--"):
			args, err = o.long(a[2:], args)
		case strings.HasPrefix(a, "-") && len(a) > 1:
			args, err = o.short(a[1:], args)
		case o.command == "" && isCommand(a) && len(o.args) == 0:
			o.command = a
		default:
			o.args = append(o.args, a)
		}
		if err != nil {
			return o, err
		}
	}
	if len(o.args) > 0 && o.command == "" {
		return o, unknownCommand(o.args[0])
	}
	if err := o.strayWords(); err != nil {
		return o, err
	}
	return o, o.knownDebug()
}

func isCommand(s string) bool {
	for _, c := range commands {
		if c.name == s {
			return true
		}
	}
	return s == demoServerCommand
}

func (o *options) long(name string, rest []string) ([]string, error) {
	whole := name
	name, value, attached := strings.Cut(name, "=")
	if o.command == "" {
		name = unabbreviated(name)
	}
	for _, x := range optionTable {
		if x.long == "" || x.long != name {
			continue
		}
		if x.arg == "" {
			if attached {
				return rest, fmt.Errorf("--%s takes no argument", name)
			}
			x.set(o, "")
			return rest, nil
		}
		if !attached {
			if len(rest) == 0 {
				return rest, fmt.Errorf("--%s needs an argument: %s", name, x.arg)
			}
			value, rest = rest[0], rest[1:]
		}
		x.set(o, value)
		return rest, nil
	}
	if o.command != "" {
		o.args = append(o.args, "--"+whole)
		return rest, nil
	}
	return rest, fmt.Errorf("unknown option --%s; offloop -h lists the options", name)
}

// unabbreviated is the option that alone begins with name, as OfflineIMAP takes it.
func unabbreviated(name string) string {
	found := name
	for _, x := range optionTable {
		switch {
		case x.long == name:
			return name
		case name == "" || !strings.HasPrefix(x.long, name):
		case found != name:
			return name // more than one
		default:
			found = x.long
		}
	}
	return found
}

func (o *options) short(letters string, rest []string) ([]string, error) {
	for i := 0; i < len(letters); i++ {
		x := shortOption(letters[i])
		switch {
		case x == nil:
			return rest, fmt.Errorf("unknown option -%c; offloop -h lists the options", letters[i])
		case x.arg == "":
			x.set(o, "")
			continue
		case i+1 < len(letters):
			x.set(o, letters[i+1:])
		case len(rest) > 0:
			x.set(o, rest[0])
			rest = rest[1:]
		default:
			return rest, fmt.Errorf("-%c needs an argument: %s", letters[i], x.arg)
		}
		return rest, nil
	}
	return rest, nil
}

func shortOption(c byte) *option {
	for i := range optionTable {
		if optionTable[i].short == c {
			return &optionTable[i]
		}
	}
	return nil
}

// name is the option as the help shows it.
func (x *option) name() string {
	name := ""
	if x.short != 0 {
		name = "-" + string(x.short)
	}
	if x.long != "" {
		if name != "" {
			name += ", "
		}
		name += "--" + x.long
	}
	if x.arg != "" {
		name += " " + x.arg
	}
	return name
}

func usage(w io.Writer) {
	fmt.Fprintln(w, "offloop keeps IMAP accounts and local Maildirs the same, both ways.")
	fmt.Fprintf(w, "\nusage: offloop %-40s %s\n", "[options]", "sync")
	for _, c := range commands {
		fmt.Fprintf(w, "       offloop %-40s %s\n", strings.TrimSpace(c.name+" "+c.args), c.help)
	}
	fmt.Fprintln(w)
	for _, x := range optionTable {
		fmt.Fprintf(w, "  %-26s %s\n", x.name(), x.help)
	}
	fmt.Fprintln(w, "\nThe configuration is $XDG_CONFIG_HOME/offlineimap/config or ~/.offlineimaprc.")
	fmt.Fprintln(w, "Exit status: 0 all synced (what waits is told at the end), 1 something of this run failed,\n  2 only files wait after a UIDVALIDITY change (or a wrong option). verify: 1 if anything differs.")
}
