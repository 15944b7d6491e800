package conformance

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
)

// wranglerVersion is the version that the configuration files and the differences were written for.
// It needs a Node of at least minNode; a machine without one gets nodeVersion.
const (
	wranglerVersion = "4.164.0"
	nodeVersion     = "22.23.3"
)

var minNode = [2]int{22, 12}

//go:embed configs.mjs
var configsScript []byte

// ErrNoWrangler is returned if no configuration was compared, because wrangler is missing and can't
// be fetched.
var ErrNoWrangler = errors.New("wrangler can't be fetched")

// A wrangler reads configurations with wrangler's own code.
type wrangler struct {
	node   string // path of the program
	module string // path of the file that exports its functions
}

// fetchWrangler returns wrangler and a Node for it from the folder cache. The first time, npm
// installs them there.
func fetchWrangler(ctx context.Context, cache string) (*wrangler, error) {
	dir, err := fetch(ctx, cache, "wrangler-"+wranglerVersion, "wrangler@"+wranglerVersion, ErrNoWrangler)
	if err != nil {
		return nil, err
	}
	w := &wrangler{module: filepath.Join(dir, "node_modules", "wrangler", "wrangler-dist", "cli.js")}
	if w.node, err = exec.LookPath("node"); err == nil {
		version, err := exec.CommandContext(ctx, w.node, "--version").Output()
		if err == nil && newEnough(string(version)) {
			return w, nil
		}
	}
	name, program := nodePackage(runtime.GOOS, runtime.GOARCH)
	dir, err = fetch(ctx, cache, "node-"+nodeVersion, name+"@"+nodeVersion, ErrNoWrangler)
	if err != nil {
		return nil, fmt.Errorf("fetch Node for it (or install %d.%d or newer): %w", minNode[0], minNode[1], err)
	}
	w.node = filepath.Join(dir, "node_modules", name, filepath.FromSlash(program))
	return w, nil
}

// newEnough reports whether wrangler runs on the Node with this version, such as "v22.12.0".
func newEnough(version string) bool {
	var major, minor int
	if _, err := fmt.Sscanf(version, "v%d.%d.", &major, &minor); err != nil {
		return false
	}
	return major > minNode[0] || major == minNode[0] && minor >= minNode[1]
}

// nodePackage returns npm's package of Node for a system, and the path of the program in it. If npm
// has none for a system, installing the package fails.
func nodePackage(system, machine string) (name, program string) {
	program = "bin/node"
	if system == "windows" {
		system, program = "win", "bin/node.exe"
	}
	if machine == "amd64" {
		machine = "x64"
	}
	return "node-" + system + "-" + machine, program
}

// colors matches the escape sequences that wrangler always puts into its warnings.
var colors = regexp.MustCompile(`\x1b\[[0-9;]*m`)

// judge returns wrangler's verdicts on cases, whose files are in root, with values if show. It
// writes its temporary files to dir.
func (w *wrangler) judge(ctx context.Context, root, dir string, cases []configCase, show bool) ([]configVerdict,
	error) {
	script := filepath.Join(dir, "configs.mjs")
	input, output := filepath.Join(dir, "cases.json"), filepath.Join(dir, "verdicts.json")
	questions := make([]map[string]any, len(cases))
	for i, c := range cases {
		questions[i] = map[string]any{"file": c.File, "env": c.Env, "show": show}
	}
	b, err := json.Marshal(questions)
	if err != nil {
		return nil, fmt.Errorf("write cases for wrangler: %w", err)
	}
	for path, content := range map[string][]byte{script: configsScript, input: b} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			return nil, fmt.Errorf("write cases for wrangler: %w", err)
		}
	}
	if err := w.run(ctx, root, script, w.module, input, output); err != nil {
		return nil, err
	}
	b, err = os.ReadFile(output)
	if err != nil {
		return nil, fmt.Errorf("read wrangler's verdicts: %w", err)
	}
	var answers []struct {
		Error, Warnings string
		Config          map[string]any
	}
	if err := json.Unmarshal(b, &answers); err != nil || len(answers) != len(cases) {
		return nil, fmt.Errorf("read wrangler's verdicts: %d of %d: %w", len(answers), len(cases), err)
	}
	verdicts := make([]configVerdict, len(cases))
	for i, a := range answers {
		switch {
		case a.Error != "":
			verdicts[i] = configVerdict{Says: saysError, Why: a.Error}
		case strings.Contains(a.Warnings, "Unexpected fields found"):
			verdicts[i] = configVerdict{
				Says: saysUnknown, Why: colors.ReplaceAllString(a.Warnings, ""), Values: leaves(a.Config),
			}
		default:
			verdicts[i] = configVerdict{Says: saysNothing, Values: leaves(a.Config)}
		}
	}
	return verdicts, nil
}

// run runs a script in the folder root.
func (w *wrangler) run(ctx context.Context, root string, args ...string) error {
	command := exec.CommandContext(ctx, w.node, args...)
	command.Dir = root
	command.Env = append(os.Environ(), "CLOUDFLARE_ENV=", "WRANGLER_SEND_METRICS=false")
	if said, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("run wrangler: %w\n%s", err, said)
	}
	return nil
}

// leaves returns the values of comparedKeys in a configuration. It takes objects and arrays apart
// as `devtool config show` does.
func leaves(config map[string]any) map[string]any {
	values := make(map[string]any)
	var add func(path string, v any)
	add = func(path string, v any) {
		switch v := v.(type) {
		case map[string]any:
			for key, member := range v {
				if strings.ContainsFunc(key, oddInKeys) || key == "" {
					key = fmt.Sprintf("%q", key)
				}
				add(path+"."+key, member)
			}
		case []any:
			for i, elem := range v {
				add(fmt.Sprintf("%s[%d]", path, i), elem)
			}
		default:
			values[path] = v
		}
	}
	for _, key := range comparedKeys {
		if v, ok := config[key]; ok {
			add(key, v)
		}
	}
	return values
}

// oddInKeys reports whether a key that contains r stands between quotes in a path.
func oddInKeys(r rune) bool {
	return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-$", r)
}
