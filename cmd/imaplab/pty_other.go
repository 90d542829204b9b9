//go:build !linux

package main

import (
	"errors"
	"os/exec"
)

// onTerminal needs Linux's way to open a terminal.
func onTerminal(*exec.Cmd, *screenRun) (string, error) {
	return "", errors.New("imaplab screen works on Linux only")
}
