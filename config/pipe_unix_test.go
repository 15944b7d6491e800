//go:build unix

package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"devtool.internal/config"
)

// namedPipe makes a named pipe called name beside a configuration, and returns both.
func namedPipe(t *testing.T, name string) (c *config.Config, pipe string) {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "wrangler.json")
	if err := os.WriteFile(file, []byte(`{"name": "app", "main": "."}`), 0o600); err != nil {
		t.Fatal(err)
	}
	pipe = filepath.Join(dir, name)
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	c, _, err := config.Load(file, config.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return c, pipe
}

// TestAPipeThatNobodyWritesToIsAnError is about the start of dev, which would wait for ever.
func TestAPipeThatNobodyWritesToIsAnError(t *testing.T) {
	t.Cleanup(config.SetPipePatience(time.Millisecond))
	for _, name := range []string{".dev.vars", ".env"} {
		t.Run(name, func(t *testing.T) {
			c, pipe := namedPipe(t, name)
			_, err := c.LoadVars(config.VarSources{})
			if err == nil || !strings.Contains(err.Error(), pipe+" is no regular file") {
				t.Errorf("got %v, want an error that names the pipe", err)
			}
			if writer, err := os.OpenFile(pipe, os.O_WRONLY, 0); err == nil {
				writer.Close() //nolint:errcheck // it lets the reader that stayed behind end
			}
		})
	}
}

// TestVariablesComeFromAPipe is about password managers, which offer .env as a pipe.
func TestVariablesComeFromAPipe(t *testing.T) {
	c, pipe := namedPipe(t, ".env")
	go os.WriteFile(pipe, []byte("SECRET=from a pipe\n"), 0) //nolint:errcheck // the test misses the variable then
	if _, err := c.LoadVars(config.VarSources{}); err != nil {
		t.Fatal(err)
	}
	for _, v := range c.Vars {
		if v.Name == "SECRET" && v.Value == "from a pipe" {
			return
		}
	}
	t.Errorf("got variables %v, want SECRET", c.Vars)
}
