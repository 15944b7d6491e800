package plugin_test

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// patience limits every wait for something that must happen. It does not measure speed: only a
// broken program makes a test wait that long.
const patience = 60 * time.Second

// fakeGo in the environment makes this test program behave like a go command.
const fakeGo = "PLUGIN_TEST_FAKE_GO"

func TestMain(m *testing.M) {
	if mode := os.Getenv(fakeGo); mode != "" {
		runFakeGo(mode)
		return
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		for _, f := range cleanUp {
			f()
		}
		os.Exit(code)
	}))
}

// cleanUp undoes what several tests share.
var cleanUp []func()

// runFakeGo acts as a go command that does not end by itself.
func runFakeGo(mode string) {
	switch mode {
	case "slow":
		fmt.Fprintln(os.Stderr, "go: downloading example.com/a v1.0.0")
		fmt.Fprintln(os.Stderr, "internal/goarch\nruntime\nerrors")
		witness()
	case "compiler":
		// A compiler does the work of this go command, and both must end.
		compiler := exec.Command(os.Args[0])
		compiler.Env = append(os.Environ(), fakeGo+"=slow")
		compiler.Stderr = os.Stderr
		if err := compiler.Run(); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	case "touch":
		// When it is killed, half a program is at the output.
		for i, arg := range os.Args {
			if arg == "-o" {
				_ = os.WriteFile(os.Args[i+1], []byte("half a prog"), 0o777)
			}
		}
		witness()
	case "silent":
		os.Exit(7)
	}
}

// witness tells the test that this process runs, and runs until it is killed.
func witness() {
	conn, err := net.Dial("unix", os.Getenv("WITNESS"))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Fprintln(conn, os.Getpid())
	_, _ = io.Copy(io.Discard, conn)
}

// useFakeGo puts a fake go command on PATH, as the only one.
func useFakeGo(t *testing.T, mode string) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.Symlink(exe, filepath.Join(dir, "go")); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir)
	t.Setenv(fakeGo, mode)
}

// witnesses lets a test observe processes that it has no handle of.
type witnesses struct {
	path string
	ln   net.Listener
}

// newWitnesses listens at a path for the variable WITNESS.
func newWitnesses(t *testing.T) *witnesses {
	t.Helper()
	dir, err := os.MkdirTemp("", "wit") // the path of t.TempDir is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	path := filepath.Join(dir, "s")
	ln, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	return &witnesses{path: path, ln: ln}
}

// alive waits until a process has connected and returns the connection.
func (w *witnesses) alive(t *testing.T) net.Conn {
	t.Helper()
	if err := w.ln.(*net.UnixListener).SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	conn, err := w.ln.Accept()
	if err != nil {
		t.Fatalf("no process connected: %v", err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	readUntil(t, conn, "\n")
	return conn
}

// gone waits until the process at the other end has ended, and fails the test if it does not end.
func gone(t *testing.T, conn net.Conn) {
	t.Helper()
	if err := conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Read(make([]byte, 1)); err == nil || os.IsTimeout(err) {
		t.Fatalf("the process still runs: read gives %v", err)
	}
}

// readUntil reads until the text ends in end.
func readUntil(t *testing.T, conn net.Conn, end string) string {
	t.Helper()
	if err := conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	var got []byte
	for b := make([]byte, 1); !strings.HasSuffix(string(got), end); {
		if _, err := conn.Read(b); err != nil {
			t.Fatalf("read after %q: %v", got, err)
		}
		got = append(got, b[0])
	}
	return string(got)
}

// await waits for a channel to close or deliver.
func await[T any](t *testing.T, what string, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		t.Fatalf("waited in vain for %s", what)
		panic("unreachable")
	}
}

// write writes files below dir, and creates the folders they need.
func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
}

// buffer is a bytes.Buffer for several goroutines, with a wait for a text.
type buffer struct {
	mu      sync.Mutex
	text    strings.Builder
	changed chan struct{} // closed and replaced at each write
}

func newBuffer() *buffer { return &buffer{changed: make(chan struct{})} }

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	close(b.changed)
	b.changed = make(chan struct{})
	return b.text.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// contains waits until the text contains want.
func (b *buffer) contains(t *testing.T, want string) {
	t.Helper()
	deadline := time.After(patience)
	for {
		b.mu.Lock()
		text, changed := b.text.String(), b.changed
		b.mu.Unlock()
		if strings.Contains(text, want) {
			return
		}
		select {
		case <-changed:
		case <-deadline:
			t.Fatalf("waited in vain for %q, got %q", want, text)
		}
	}
}
