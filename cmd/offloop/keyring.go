package main

import (
	"os/exec"
	"runtime"
	"strings"

	"offloop/reactor"
)

// keyringCommand is the program that reads a password from the system's keyring, as
// the keyring module that OfflineIMAP uses stores it: the service is the server's
// name. It runs as a child, so that a keyring which asks to be unlocked keeps nothing
// waiting but this account, and nothing is linked in for it; nil if it is not installed.
func keyringCommand(host, user string) []string {
	args := []string{"secret-tool", "lookup", "service", host, "username", user}
	if runtime.GOOS == "darwin" {
		args = []string{"security", "find-generic-password", "-s", host, "-a", user, "-w"}
	}
	path, err := exec.LookPath(args[0])
	if err != nil {
		return nil
	}
	args[0] = path
	return args
}

// keyring asks the keyring for the account's password. done gets "" if it has none:
// the user is then asked. A password that the server refused is not taken again.
func (x *access) keyring(host, user string, done func(pass string)) {
	args := keyringCommand(host, user)
	if x.noKeyring || args == nil {
		done("")
		return
	}
	x.loop.Exec(reactor.Command{Args: args, Terminal: true, Timeout: commandTimeout, MaxOutput: 64 << 10}, func(res reactor.Result) {
		pass := ""
		if res.Err == nil && res.ExitCode == 0 {
			pass = strings.TrimSuffix(string(res.Stdout), "\n")
		}
		if pass == x.refused {
			pass = ""
		}
		done(pass)
	})
}
