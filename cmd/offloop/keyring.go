package main

import (
	"encoding/hex"
	"errors"
	"fmt"
	"os/exec"
	"runtime"
	"strings"

	"offloop/cmd/offloop/internal/mailsync"
	"offloop/reactor"
	"offloop/ui"
)

// keyringProgram is the program that works on the system's keyring, as the keyring
// module does that OfflineIMAP uses: the service is the server's name. It runs as a
// child, so that a keyring which asks to be unlocked keeps nothing waiting but this
// account, and nothing is linked in for it.
func keyringProgram() (string, error) {
	name := "secret-tool"
	if runtime.GOOS == "darwin" {
		name = "security"
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return "", fmt.Errorf("the keyring needs the program %s, which is not installed; install it, or leave this out", name)
	}
	return path, nil
}

// keyringLookup prints a password.
func keyringLookup(program, host, user string) reactor.Command {
	args := []string{program, "lookup", "service", host, "username", user}
	if runtime.GOOS == "darwin" {
		args = []string{program, "find-generic-password", "-s", host, "-a", user, "-w"}
	}
	return reactor.Command{Args: args, Terminal: true, Timeout: commandTimeout, MaxOutput: 64 << 10}
}

// keyringStore stores a password, which only travels through the child's input. The
// attributes are those of the keyring module, so that its item is replaced.
func keyringStore(program, host, user, pass string) reactor.Command {
	c := reactor.Command{Terminal: true, Timeout: commandTimeout, MaxOutput: 64 << 10, Stdin: []byte(pass)}
	c.Args = []string{program, "store", "--label", fmt.Sprintf("Password for '%s' on '%s'", user, host),
		"application", "Python keyring library", "service", host, "username", user}
	if runtime.GOOS == "darwin" {
		quote := strings.NewReplacer(`\`, `\\`, `"`, `\"`)
		c.Args = []string{program, "-i"}
		c.Stdin = fmt.Appendf(nil, "add-generic-password -U -s \"%s\" -a \"%s\" -X %s\n", quote.Replace(host), quote.Replace(user), hex.EncodeToString([]byte(pass)))
	}
	return c
}

// keyring asks the keyring for the account's password. done gets "" if it has none:
// the user is then asked. A password that the server refused is not taken again.
func (x *access) keyring(host, user string, done func(pass string)) {
	program, err := keyringProgram()
	if x.noKeyring || err != nil {
		done("")
		return
	}
	x.lookup(program, host, user, func(pass string, _ error) {
		if pass == x.refused {
			pass = ""
		}
		done(pass)
	})
}

func (x *access) lookup(program, host, user string, done func(string, error)) {
	x.loop.Exec(keyringLookup(program, host, user), func(res reactor.Result) {
		if res.Err != nil || res.ExitCode != 0 {
			done("", res.Err)
			return
		}
		done(strings.TrimSuffix(string(res.Stdout), "\n"), nil)
	})
}

// store puts the password into the keyring, and looks whether it is there.
func (x *access) store(done func(error)) {
	host, user, pass := x.acc.Remote.Host, x.name, x.pass
	program, err := keyringProgram()
	if err == nil && strings.ContainsFunc(host+user, func(r rune) bool { return r < ' ' }) {
		err = errors.New("the user's name has a control character in it")
	}
	if err != nil {
		done(err)
		return
	}
	x.loop.Exec(keyringStore(program, host, user, pass), func(res reactor.Result) {
		if res.Err != nil {
			done(res.Err)
			return
		}
		x.lookup(program, host, user, func(got string, err error) {
			if err == nil && got != pass {
				err = errors.New("it gives another password back than was put into it")
			}
			done(err)
		})
	})
}

// keepPassword puts the password with which a round went well into the keyring, where
// --update-keyring wants that, before the round is over.
func (r *runner) keepPassword() {
	x, res := r.access, r.a.Result()
	bad := r.p.stop > 0
	for _, e := range res.Errors[min(r.known, len(res.Errors)):] {
		bad = bad || e.Scope >= mailsync.ScopeAccount
	}
	if !r.p.o.storePass || bad || !x.known || x.keyed || x.pass == "" {
		r.ended()
		return
	}
	x.keyed = true
	x.store(func(err error) {
		if err != nil {
			e := &mailsync.Error{Scope: mailsync.ScopeAccount, Account: r.acc.Name, Err: fmt.Errorf("put the password into the keyring: %w", err),
				Did: "everything else of this round is done", Hint: "is the keyring unlocked? or leave --update-keyring out"}
			res.Errors = append(res.Errors, e)
			r.p.show(ui.Event{Kind: "error", Severity: "error", Account: r.acc.Name, Text: "ERROR: " + e.Error(), Hint: e.Hint})
		} else {
			r.p.show(ui.Event{Kind: "log", Account: r.acc.Name, Text: fmt.Sprintf("Put the password of %s at %s into the keyring", x.name, x.acc.Remote.Host)})
		}
		r.ended()
	})
}
