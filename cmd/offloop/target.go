package main

import (
	"fmt"
	"strings"
)

// target takes the arguments of a command that works on [ACCOUNT [FOLDER]] apart;
// flags are the words it knows besides. The account becomes the one selected.
func (o *options) target(flags ...string) (set map[string]bool, folder string, err error) {
	set = map[string]bool{}
	var words []string
	for _, a := range o.args {
		switch {
		case hasArg(flags, a):
			set[a] = true
		case strings.HasPrefix(a, "--"):
			return nil, "", fmt.Errorf("offloop %s knows no %s; offloop -h lists what there is", o.command, a)
		default:
			words = append(words, a)
		}
	}
	if len(words) > 2 {
		return nil, "", fmt.Errorf("offloop %s takes an account and a folder, not %q as well", o.command, words[2])
	}
	if len(words) > 0 {
		o.accounts = words[:1]
	}
	if len(words) == 2 {
		folder = words[1]
	}
	return set, folder, nil
}
