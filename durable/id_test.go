package durable_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Two IDs of one object may differ in whether they know its name. So neither == nor a map may
// compare them.
func TestIDsAreNotCompared(t *testing.T) {
	file := filepath.Join(t.TempDir(), "main.go")
	const program = `package main

import "devtool.internal/durable"

var seen map[durable.ID]bool

func main() { println((&durable.Stub{}).ID() == (durable.ID{})) }
`
	if err := os.WriteFile(file, []byte(program), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", os.DevNull, file)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=")
	out, err := cmd.CombinedOutput()
	for _, want := range []string{
		"main.go:5:14: invalid map key type durable.ID",
		"main.go:7:23: invalid operation: ",
		"cannot be compared",
	} {
		if err == nil || !strings.Contains(string(out), want) {
			t.Errorf("got %v, want %q in\n%s", err, want, out)
		}
	}
}
