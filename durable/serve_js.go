package durable

import (
	"fmt"
	"os"
)

// Serve prints that this build cannot serve, and exits with code 1.
func Serve(Worker) {
	fmt.Fprintln(os.Stderr,
		"durable: this build of the SDK cannot serve with GOOS=js yet: build the program for this machine")
	os.Exit(1)
}
