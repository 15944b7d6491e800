package cli_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"devtool.internal/emulator/control"
	"devtool.internal/emulator/control/client"
)

// The end-to-end tests (e2e_*_test.go) drive the binary itself as its users do: with real
// processes, real projects in temporary folders and real ports, but without a network. This file
// has their common parts.
//
// Each test has projects. project.dev starts an emulator for one and returns when it is ready.
// project.devtool runs any other command.

// long makes the tests that ask it run at full length. `make long` and its step of .ci/run set it.
// These find the tests by the words *long, leaveToLong and leftToLong in their source.
var long = flag.Bool("long", false, "run the long tests at full length")

// leaveToLong leaves a test that takes long to `make long`. Most of them build many programs.
func leaveToLong(t *testing.T) {
	t.Helper()
	if !*long {
		t.Skip("takes long: `make long` runs it")
	}
}

// leftToLong reports whether a case is left to `make long`. Other runs have only the short ones.
func leftToLong(name string, short ...string) bool { return !*long && !slices.Contains(short, name) }

// patience bounds every wait. It is long because the machine may be busy. A test that works needs
// only a small part of it.
const patience = 60 * time.Second

// eventually waits until condition holds.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for !condition() {
		if time.Now().After(deadline) {
			t.Fatalf("not so after %s: %s", patience, what)
		}
		<-ticker.C
	}
}

// binaryFolder is the folder of the binary, or empty before a test has needed it.
var binaryFolder string

// binary builds devtool once for all tests, and returns its path. CGO_ENABLED is that of the tests,
// for which go has compiled most of its packages already.
var binary = sync.OnceValues(func() (path string, err error) {
	if binaryFolder, err = os.MkdirTemp("", "devtool-e2e-"); err != nil {
		return "", err
	}
	path = filepath.Join(binaryFolder, "devtool")
	build := exec.Command("go", "build", "-o", path, "..")
	build.Env = append(os.Environ(), "GOFLAGS="+userFlags)
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build devtool: %w\n%s", err, out)
	}
	return path, nil
})

// command returns a call of the binary in dir that can't reach the network.
func command(t *testing.T, dir string, args ...string) *exec.Cmd {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	if len(args) > 0 && (args[0] == "dev" || args[0] == "exec") {
		takeProgram(dir)
	}
	cmd := exec.Command(path, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOPROXY=off", "GOWORK=off",
		"NO_COLOR=1", "DEVTOOL_URL=", "CLOUDFLARE_ENV=")
	return cmd
}

// A project is a folder in which a test runs devtool.
type project struct {
	t   *testing.T
	dir string
}

func emptyProject(t *testing.T) project { return project{t, t.TempDir()} }

// handlerProject returns a project with one of the programs of testdata/handlers.
func handlerProject(t *testing.T, name string) project {
	t.Helper()
	p := emptyProject(t)
	if err := os.CopyFS(p.dir, os.DirFS(filepath.Join("..", "testdata", "handlers", name))); err != nil {
		t.Fatal(err)
	}
	p.write("go.mod", "module handler\n\ngo 1.26\n\n"+
		"require devtool.internal v0.0.0\n\nreplace devtool.internal => ./.devtool/sdk\n")
	return p
}

func (p project) path(name string) string { return filepath.Join(p.dir, filepath.FromSlash(name)) }

func (p project) read(name string) string {
	p.t.Helper()
	b, err := os.ReadFile(p.path(name))
	if err != nil {
		p.t.Fatal(err)
	}
	return string(b)
}

func (p project) write(name, content string) {
	p.t.Helper()
	if err := os.MkdirAll(filepath.Dir(p.path(name)), 0o755); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(p.path(name), []byte(content), 0o644); err != nil {
		p.t.Fatal(err)
	}
}

// edit replaces texts in one save. pairs are old and new texts in turn. Each old text must occur
// exactly once.
func (p project) edit(name string, pairs ...string) {
	p.t.Helper()
	content := p.read(name)
	for i := 0; i < len(pairs); i += 2 {
		if n := strings.Count(content, pairs[i]); n != 1 {
			p.t.Fatalf("%s has %q %d times, want once", name, pairs[i], n)
		}
		content = strings.Replace(content, pairs[i], pairs[i+1], 1)
	}
	p.write(name, content)
}

// devtool runs a command to its end.
func (p project) devtool(args ...string) result {
	p.t.Helper()
	cmd := command(p.t, p.dir, args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if failed := (*exec.ExitError)(nil); err != nil && !errors.As(err, &failed) {
		p.t.Fatalf("devtool %s: %v", strings.Join(args, " "), err)
	}
	return result{cmd.ProcessState.ExitCode(), out.String(), errs.String()}
}

// succeed runs a command that must succeed and decodes its JSON, if v is not nil.
func (p project) succeed(v any, args ...string) {
	p.t.Helper()
	got := p.devtool(args...)
	if got.code != 0 {
		p.t.Fatalf("devtool %s: got exit code %d, want 0\n%s", strings.Join(args, " "), got.code, got.err)
	}
	if v == nil {
		return
	}
	if err := json.Unmarshal([]byte(got.out), v); err != nil {
		p.t.Fatalf("devtool %s printed no JSON: %v\n%s", strings.Join(args, " "), err, got.out)
	}
}

// advance moves the clock of the project's emulator.
func (p project) advance(d string) control.Advanced {
	p.t.Helper()
	return p.move("advance", d)
}

// move runs a command of `devtool time` that must succeed in moving the clock.
func (p project) move(args ...string) control.Advanced {
	p.t.Helper()
	got := p.devtool(append(append([]string{"time"}, args...), "--json")...)
	if got.code != 0 {
		p.t.Fatalf("devtool time %s: got exit code %d, want 0\n%s", strings.Join(args, " "), got.code, got.err)
	}
	return advancedOf(p.t, got.out)
}

func (p project) alarms() (pending control.Alarms) {
	p.t.Helper()
	p.succeed(&pending, "alarms", "list", "--json")
	return pending
}

func (p project) time() (now control.Time) {
	p.t.Helper()
	p.succeed(&now, "time", "now", "--json")
	return now
}

// A server is a running `devtool dev`.
type server struct {
	control.Status
	t      *testing.T
	cmd    *exec.Cmd
	client *http.Client
	stdout output
	stderr output
	ended  chan struct{}
}

// dev starts an emulator on a free port and returns when it is ready. The end of the test
// interrupts it, if it still runs.
func (p project) dev(args ...string) *server {
	p.t.Helper()
	return p.devOn("0", args...)
}

func (p project) devOn(port string, args ...string) *server {
	p.t.Helper()
	s := p.start(append([]string{"--port", port}, args...)...)
	s.awaitReady()
	return s
}

// start starts `devtool dev --json` with args, and does not wait until it is ready.
func (p project) start(args ...string) *server {
	p.t.Helper()
	return p.startAs(nil, args...)
}

// startAs is start with more variables of the environment.
func (p project) startAs(env []string, args ...string) *server {
	p.t.Helper()
	return p.startLogging(io.Discard, env, args...)
}

// startLogging is startAs that also writes standard error to log.
func (p project) startLogging(log io.Writer, env []string, args ...string) *server {
	p.t.Helper()
	cmd := command(p.t, p.dir, append([]string{"dev", "--json"}, args...)...)
	cmd.Env = append(cmd.Env, env...)
	return p.startCommand(cmd, log)
}

// startInto is start with log as standard error itself.
func (p project) startInto(log *os.File, args ...string) *server {
	p.t.Helper()
	cmd := command(p.t, p.dir, append([]string{"dev", "--json"}, args...)...)
	cmd.Stderr = log
	return p.startCommand(cmd, io.Discard)
}

// startCommand is startLogging with any command that runs `devtool dev --json`. If the command has
// a standard error, that is left as it is.
func (p project) startCommand(cmd *exec.Cmd, log io.Writer) *server {
	p.t.Helper()
	s := &server{t: p.t, ended: make(chan struct{}), cmd: cmd}
	s.cmd.Stdout = &s.stdout
	if s.cmd.Stderr == nil {
		s.cmd.Stderr = io.MultiWriter(&s.stderr, log)
	}
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	go func() {
		defer close(s.ended)
		s.cmd.Wait() //nolint:errcheck // ProcessState has the outcome
	}()
	s.client = httpClient(s.t)
	s.t.Cleanup(func() {
		s.interrupt()
		if s.t.Failed() {
			s.t.Logf("devtool dev printed:\n%s%s", s.stdout.String(), s.stderr.String())
		}
	})
	return s
}

// httpClient returns a client whose connections are closed at the end of the test.
func httpClient(t *testing.T) *http.Client {
	transport := &http.Transport{MaxIdleConnsPerHost: 8}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

func (s *server) awaitReady() {
	s.t.Helper()
	eventually(s.t, "devtool dev is ready", func() bool {
		select {
		case <-s.ended:
			s.t.Fatalf("devtool dev ended with exit code %d before it was ready", s.cmd.ProcessState.ExitCode())
		default:
		}
		return json.Unmarshal([]byte(s.stdout.String()), &s.Status) == nil
	})
	leaveProgram(s.cmd.Dir)
}

// interrupt ends the emulator as Ctrl-C does, and returns its exit code.
func (s *server) interrupt() int {
	s.cmd.Process.Signal(os.Interrupt) //nolint:errcheck // it may have ended
	return s.await()
}

// kill kills the emulator, which has no chance to clean up.
func (s *server) kill() {
	s.cmd.Process.Kill() //nolint:errcheck // it may have ended
	s.await()
}

// await waits until the emulator has ended, and returns its exit code.
func (s *server) await() int {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-s.ended:
	case <-timer.C:
		s.t.Errorf("devtool dev did not end within %s", patience)
		s.cmd.Process.Kill() //nolint:errcheck // it may have ended
		<-s.ended
	}
	return s.cmd.ProcessState.ExitCode()
}

// awaitLog waits until the emulator has printed text to stderr.
func (s *server) awaitLog(text string) {
	s.t.Helper()
	eventually(s.t, "devtool dev prints "+text, func() bool { return strings.Contains(s.stderr.String(), text) })
}

// send sends a request and returns status and body of the response.
func (s *server) send(r *http.Request) (status int, body string, err error) {
	response, err := s.client.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	b, err := io.ReadAll(response.Body)
	return response.StatusCode, string(b), err
}

// request returns a request, with the token if it is for the control API.
func (s *server) request(method, path string, body io.Reader) *http.Request {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), method, s.URL+path, body)
	if err != nil {
		s.t.Fatal(err)
	}
	if strings.HasPrefix(path, control.Prefix) {
		r.Header.Set("Authorization", "Bearer "+s.token())
	}
	return r
}

// token returns the token of the control API.
func (s *server) token() string {
	s.t.Helper()
	content, err := os.ReadFile(filepath.Join(filepath.Dir(s.Config), client.TokenFile))
	if err != nil {
		s.t.Fatal(err)
	}
	return strings.TrimSpace(string(content))
}

// control returns a client of the control API.
func (s *server) control() *client.Client {
	s.t.Helper()
	return &client.Client{URL: s.URL, Token: s.token()}
}

// fetch sends a request and returns status and body of the response.
func (s *server) fetch(method, path, body string) (status int, answer string) {
	s.t.Helper()
	status, answer, err := s.send(s.request(method, path, strings.NewReader(body)))
	if err != nil {
		s.t.Fatal(err)
	}
	return status, answer
}

// get sends a GET, whose response must be 200, and returns the body.
func (s *server) get(path string) string { s.t.Helper(); return s.ok(http.MethodGet, path, "") }

// post is get for a POST.
func (s *server) post(path, body string) string {
	s.t.Helper()
	return s.ok(http.MethodPost, path, body)
}

func (s *server) ok(method, path, body string) string {
	s.t.Helper()
	status, answer := s.fetch(method, path, body)
	if status != http.StatusOK {
		s.t.Fatalf("%s %s: got %d %s, want 200", method, path, status, answer)
	}
	return answer
}

// output collects what a process prints.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// takenPort occupies the port want, or any for "0", until the test ends, and returns it.
func takenPort(t *testing.T, want string) string {
	t.Helper()
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", want))
	if err != nil {
		return want // another process has it
	}
	t.Cleanup(func() { l.Close() })
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}
