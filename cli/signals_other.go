//go:build !unix

package cli

import "os"

var terminalSignals []os.Signal
