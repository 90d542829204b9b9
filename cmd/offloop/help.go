package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"offloop/cmd/offloop/internal/config"
)

// help is `offloop help [NAME]`: everything, or one command, option or key of the
// configuration. It returns the exit status.
func help(names []string, stdout, stderr io.Writer) int {
	if len(names) == 0 {
		usage(stdout)
		return 0
	}
	for _, name := range names {
		if !helpOn(name, stdout) {
			near := ""
			if n := config.Nearest(strings.TrimLeft(name, "-"), known()); n != "" {
				near = fmt.Sprintf("; did you mean %s?", n)
			}
			fmt.Fprintf(stderr, "offloop: %q is no command, option or key of the configuration%s\n", name, near)
			return 2
		}
	}
	return 0
}

func helpOn(name string, w io.Writer) (found bool) {
	for _, c := range commands {
		if c.name == name {
			fmt.Fprintf(w, "usage: offloop [options] %s\n  %s\n", strings.TrimSpace(c.name+" "+c.args), c.help)
			found = true
		}
	}
	if name == "sync" {
		fmt.Fprintln(w, "offloop without a command syncs: offloop [options]")
		return true
	}
	bare := strings.TrimLeft(name, "-")
	for _, x := range optionTable {
		if x.long == bare && x.long != "" || name == "-"+string(x.short) && x.short != 0 {
			fmt.Fprintf(w, "%s\n  %s\n", x.name(), x.help)
			found = true
		}
	}
	return config.HelpKey(w, name) || found
}

// known is every name that help knows.
func known() []string {
	l := config.KeyNames()
	for _, c := range commands {
		l = append(l, c.name)
	}
	for _, x := range optionTable {
		if x.long != "" {
			l = append(l, x.long)
		}
	}
	slices.Sort(l)
	return slices.Compact(l)
}

// unknownCommand says what was meant by a word that is no command.
func unknownCommand(word string) error {
	var names []string
	for _, c := range commands {
		names = append(names, c.name)
	}
	switch near := config.Nearest(word, append(names, "sync")); near {
	case "":
		return fmt.Errorf("unknown command %q; offloop -h lists what there is", word)
	case "sync":
		return fmt.Errorf("unknown command %q; offloop without a command syncs, offloop -h lists the others", word)
	default:
		return fmt.Errorf("unknown command %q; did you mean %s? offloop -h lists what there is", word, near)
	}
}

// strayWords refuses what a command that takes no names does not know.
func (o *options) strayWords() error {
	known := map[string][]string{"check": {"--connect"}, "status": {}, "demo": {}}
	words, ok := known[o.command]
	if !ok {
		return nil
	}
	for _, w := range o.args {
		if !slices.Contains(words, w) {
			return fmt.Errorf("%s knows no %q; offloop help %s says how it is called", o.command, w, o.command)
		}
	}
	return nil
}

// debugTypes are the values of -d; OfflineIMAP's thread has nothing to say here.
var debugTypes = []string{"imap", "maildir", "thread", "all"}

func (o *options) knownDebug() error {
	for _, t := range splitList(o.debug) {
		if !slices.Contains(debugTypes, t) {
			return fmt.Errorf("-d knows no %q: there are imap, maildir and all", t)
		}
	}
	return nil
}
