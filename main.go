// Command devtool runs Durable Objects written in Go on your own machine. See package cli.
package main

import (
	"embed"
	"os"

	"devtool.internal/cli"
)

// sdk holds the packages that handlers and their tests import; `devtool init` copies them.
//
//go:embed durable/*.go durable/objectid/*.go durable/stored/*.go durable/wire/*.go durabletest/*.go
//go:embed internal/inherited/*.go internal/inside/*.go internal/worlds/*.go
var sdk embed.FS

func main() { os.Exit(cli.Main(os.Args[1:], sdk)) }
