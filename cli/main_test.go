package cli_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"

	"github.com/rogpeppe/go-internal/testscript"
	"go.uber.org/goleak"

	"devtool.internal/cli"
)

var update = flag.Bool("update", false, "write the actual output into the scripts as the wanted output")

// fakeSDK stands in for the SDK's source in tests that do not compile it.
var fakeSDK = fstest.MapFS{
	"durable/durable.go":        {Data: []byte("package durable\n")},
	"durable/durable_test.go":   {Data: []byte("package durable\n")},
	"durable/objectid/id.go":    {Data: []byte("package objectid\n")},
	"durable/stored/stored.go":  {Data: []byte("package stored\n")},
	"durable/wire/frame.go":     {Data: []byte("package wire\n")},
	"durabletest/start.go":      {Data: []byte("package durabletest\n")},
	"internal/inherited/i.go":   {Data: []byte("package inherited\n")},
	"internal/inside/inside.go": {Data: []byte("package inside\n")},
	"internal/worlds/worlds.go": {Data: []byte("package worlds\n")},
}

// leakChecked fails a run that leaves goroutines behind.
type leakChecked struct{ *testing.M }

func (m leakChecked) Run() int {
	remove, err := useOwnSettings()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer remove()
	heedSignals()
	shareCompiledPackages()
	// Most tests wait for other processes most of the time. The flag -parallel replaces this.
	if err := flag.Set("test.parallel", strconv.Itoa(2*runtime.GOMAXPROCS(0))); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	code := m.M.Run()
	if err := os.RemoveAll(binaryFolder); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

// heedSignals undoes that this process ignores signals, as under nohup and in the background of a
// script. The processes that tests start, and send these signals to, would ignore them, too.
func heedSignals() {
	for _, s := range []os.Signal{os.Interrupt, syscall.SIGHUP} {
		if signal.Ignored(s) {
			signal.Notify(make(chan os.Signal, 1), s)
		}
	}
}

// useOwnSettings gives all tests a folder of their own for the user's settings and tokens. That of
// go stays.
func useOwnSettings() (remove func(), err error) {
	if settings, err := os.UserConfigDir(); err == nil && os.Getenv("GOENV") == "" {
		os.Setenv("GOENV", filepath.Join(settings, "go", "env"))
	}
	folder, err := os.MkdirTemp("", "devtool-settings-")
	if err != nil {
		return nil, err
	}
	for _, name := range []string{"XDG_CONFIG_HOME", "XDG_RUNTIME_DIR", "AppData"} {
		os.Setenv(name, folder)
	}
	return func() { os.RemoveAll(folder) }, nil
}

// userFlags are the flags of go that the user has set for all of its commands.
var userFlags = os.Getenv("GOFLAGS")

// sharedFlags are flags of go with which projects in different folders share what go has compiled.
// Without -trimpath, the folder is part of what go looks for in its cache. Each project of a test
// would compile its copy of the SDK again.
const sharedFlags = "-trimpath"

// shareCompiledPackages sets sharedFlags for all go commands of the tests and of devtool. A test
// whose program must know the paths of its files sets GOFLAGS itself.
func shareCompiledPackages() { os.Setenv("GOFLAGS", strings.TrimSpace(userFlags+" "+sharedFlags)) }

func TestMain(m *testing.M) {
	testscript.Main(leakChecked{m}, map[string]func(){
		"devtool": func() { os.Exit(cli.Main(os.Args[1:], fakeSDK)) },
	})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:           "testdata/script",
		UpdateScripts: *update,
		Setup: func(env *testscript.Env) error {
			env.Vars = append(env.Vars, "DEVTOOL_URL=", "NO_COLOR=", "FORCE_COLOR=", "XDG_CONFIG_HOME="+env.WorkDir)
			return nil
		},
	})
}

// result is the outcome of a command.
type result struct {
	code     int
	out, err string
}

// call holds the environment of a command. Its run method runs one.
type call struct {
	dir      string // must be set
	env      map[string]string
	sdk      fs.FS
	in       string
	terminal bool
}

func (c call) environ() []string {
	var all []string
	for name, value := range c.env {
		all = append(all, name+"="+value)
	}
	return all
}

func (c call) run(ctx context.Context, args ...string) result {
	var out, errs bytes.Buffer
	code := cli.Run(ctx, args, cli.Streams{
		In: strings.NewReader(c.in), Out: &out, Err: &errs,
		Env:        func(name string) string { return c.env[name] },
		Environ:    c.environ,
		Dir:        c.dir,
		SDK:        c.sdk,
		IsTerminal: func(any) bool { return c.terminal },
		Width:      func(any) int { return 40 },
	})
	return result{code, out.String(), errs.String()}
}
