package main

import (
	"io"
)

const demoServerCommand = "demo-server"

func demo(o *options, stdout, stderr io.Writer) int { return 1 }

func demoServer(args []string, stdout, stderr io.Writer) int { return 1 }
