// Command devtool runs Durable Objects that are written in Go on your own
// machine. See package cli.
package main

import (
	"embed"
	"os"

	"devtool.internal/cli"
)

// sdk is what handlers import; `devtool init` copies it into a project.
//
//go:embed durable/*.go durable/wire/*.go durabletest/*.go internal/inside/*.go
var sdk embed.FS

func main() { os.Exit(cli.Main(os.Args[1:], sdk)) }
