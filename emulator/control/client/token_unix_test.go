//go:build unix

package client_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"devtool.internal/emulator/control/client"
)

// An emulator that ends must not wait for whatever took the place of its file.
func TestNobodyWaitsForAPipeInPlaceOfATokenFile(t *testing.T) {
	useSettings(t)
	project, token, release := announced(t, "http://localhost:8787")
	file := filepath.Join(project, filepath.FromSlash(client.TokenFile))
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(file, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := release(); err != nil {
		t.Error(err)
	}
	if info, err := os.Lstat(file); err != nil || info.Mode().Type() != os.ModeNamedPipe {
		t.Errorf("got %v, %v, want that the pipe stays", info, err)
	}
	if got := client.TokenFor("http://localhost:8787", func(string) string { return "" }); got == token {
		t.Error("the file that is named after the port is still there")
	}
}
