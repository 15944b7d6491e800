package durable

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"devtool.internal/durable/wire"
)

const handlers = `package main

import (
	"io"
	"net/http"

	"devtool.internal/durable"
)

func main() {
	durable.Serve(durable.Worker{Handler: func(env *durable.Env) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, env.Var("GREETING"))
		})
	}})
}
`

// build builds a handler program and returns its path.
func build(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	main, binary := filepath.Join(dir, "main.go"), filepath.Join(dir, "handlers.exe")
	if err := os.WriteFile(main, []byte(handlers), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("go", "build", "-o", binary, main)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return binary
}

// A result is how a program ended.
type result struct {
	code           int
	stdout, stderr string
}

// start starts binary with env, and without other variables of an emulator. It returns a function
// that waits for the program to end.
func start(t *testing.T, binary string, files []*os.File, env ...string) (wait func() result) {
	t.Helper()
	return startIn(t, "", binary, files, env...)
}

// startIn is start in the folder dir.
func startIn(t *testing.T, dir, binary string, files []*os.File, env ...string) (wait func() result) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd := exec.Command(binary)
	cmd.Dir = dir
	cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = &stdout, &stderr, files
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "DEVTOOL_") {
			cmd.Env = append(cmd.Env, v)
		}
	}
	cmd.Env = append(cmd.Env, env...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return func() result {
		if err := cmd.Wait(); err != nil && !errors.As(err, new(*exec.ExitError)) {
			t.Error(err)
		}
		return result{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
	}
}

func TestProgramWithoutAnEmulatorExplainsItself(t *testing.T) {
	binary := build(t)
	project := t.TempDir()
	file := filepath.Join(project, filepath.FromSlash(wire.AttachFile))
	check := func(why string) {
		t.Helper()
		got := startIn(t, project, binary, nil)()
		first := "handlers.exe is a handler program of devtool and does not run by itself: " + why + "\n"
		if got.code != 2 || got.stdout != "" || !strings.HasPrefix(got.stderr, first) ||
			!strings.Contains(got.stderr, "`devtool dev --attach`") {
			t.Errorf("got %+v, want code 2, and first %s", got, first)
		}
	}
	check("no emulator serves the project of " + project + ".")
	if err := os.Mkdir(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	lead := func(socket, folder string) {
		t.Helper()
		content, err := wire.AttachContent(socket, folder)
		if err == nil {
			err = os.WriteFile(file, []byte(content), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	lead(filepath.Join(project, "none"), project)
	check("the emulator that " + file + " leads to is gone.")
	lead(filepath.Join(project, "none"), t.TempDir()) // as in a copied project
	check("no emulator serves the project of " + project + "; " + file + " belongs to the project in another " +
		"folder, from which it was copied.")
}

func TestProgramFindsTheEmulatorOfItsProject(t *testing.T) {
	binary := build(t)
	socket, err := os.MkdirTemp("", "sdk") // t.TempDir may be too long a path for a socket
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(socket)
	l, err := net.Listen("unix", filepath.Join(socket, "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	project := t.TempDir()
	file, below := filepath.Join(project,
		filepath.FromSlash(wire.AttachFile)), filepath.Join(project, "cmd", "handlers")
	content, err := wire.AttachContent(l.Addr().String(), project)
	if err != nil {
		t.Fatal(err)
	}
	err = errors.Join(
		os.MkdirAll(filepath.Dir(file), 0o700),
		os.MkdirAll(below, 0o700),
		os.WriteFile(file, []byte(content), 0o600),
	)
	if err != nil {
		t.Fatal(err)
	}
	wait := startIn(t, below, binary, nil)
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	conn := attach(c, nil)
	expectGreeting(t, conn)
	conn.Close()
	want := result{
		stderr: "durable: serving for the emulator of " + project + "\ndurable: the emulator has ended, or another " +
			"program serves for it now\n",
	}
	if got := wait(); got != want {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
}

func TestProgramThatCannotReachTheEmulatorSaysSo(t *testing.T) {
	binary := build(t)
	tests := []struct{ env, wantStart string }{
		{wire.EnvFD + "=x", `durable: read DEVTOOL_FD: "x" is not a file descriptor`},
		{wire.EnvFD + "=-1", `durable: read DEVTOOL_FD: "-1" is not a file descriptor`},
		{wire.EnvFD + "=99", `durable: use descriptor 99 from DEVTOOL_FD: `},
		{
			wire.EnvSocket + "=" + filepath.Join(t.TempDir(), "none"),
			`durable: reach the emulator at DEVTOOL_SOCKET: dial unix `,
		},
	}
	for _, tt := range tests {
		got := start(t, binary, nil, tt.env)()
		if got.code != 1 || got.stdout != "" || !strings.HasPrefix(got.stderr, tt.wantStart) ||
			strings.Count(got.stderr, "\n") != 1 {
			t.Errorf("%s: got %+v, want code 1 and one line that begins with %q", tt.env, got, tt.wantStart)
		}
	}
}

// attach plays the emulator on c. It welcomes the program, or refuses it with an error.
func attach(c net.Conn, refusal *wire.Error) *wire.Conn {
	return wire.NewConn(c, wire.Emulator, wire.Callbacks{Serve: func(s *wire.Stream) {
		switch {
		case refusal != nil:
			s.Fail(refusal)
		case s.Method == wire.MethodHello:
			s.Answer(&configuration, true)
		default: // Ready
			s.Answer(&wire.Empty{}, true)
		}
	}})
}

// expectGreeting asks the program at the other end of c for a page.
func expectGreeting(t *testing.T, c *wire.Conn) {
	t.Helper()
	var got wire.Response
	q := &wire.Fetch{Event: 1, Request: wire.Request{Method: "GET", URL: "http://a.test/", Host: "a.test"}}
	if err := c.Call(context.Background(), wire.MethodFetch, q, &got); err != nil || string(got.Body) != "hello" {
		t.Errorf("got %q, %v; want hello", got.Body, err)
	}
}

func TestProgramServesOnASocketUntilTheEmulatorCloses(t *testing.T) {
	binary := build(t)
	tests := []struct {
		name    string
		refusal *wire.Error
		want    result
	}{
		{"welcome", nil, result{}},
		{
			"not welcome",
			&wire.Error{Message: "the program has no class Batcher"},
			result{code: 1, stderr: "durable: the program has no class Batcher\n"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir, err := os.MkdirTemp("", "sdk") // t.TempDir may be too long a path for a socket
			if err != nil {
				t.Fatal(err)
			}
			defer os.RemoveAll(dir)
			l, err := net.Listen("unix", filepath.Join(dir, "s"))
			if err != nil {
				t.Fatal(err)
			}
			wait := start(t, binary, nil, wire.EnvSocket+"="+l.Addr().String())
			ended := make(chan result, 1)
			go func() {
				ended <- wait()
				l.Close() // ends Accept if the program has not come
			}()
			c, err := l.Accept()
			if err != nil {
				t.Fatalf("the program does not connect: %+v", <-ended)
			}
			conn := attach(c, tt.refusal)
			if tt.refusal == nil {
				expectGreeting(t, conn)
				conn.Close()
			}
			if got := <-ended; got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
			conn.Close()
		})
	}
}
