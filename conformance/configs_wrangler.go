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

// wranglerVersion is the wrangler that the configuration files and the differences were written for. Its Node must be
// at least nodeAtLeast; a machine that has none gets nodeVersion.
const (
	wranglerVersion = "4.164.0"
	nodeVersion     = "22.23.3"
)

var nodeAtLeast = [2]int{22, 12}

//go:embed configs.mjs
var configsScript []byte

// ErrNoWrangler is why no configuration was compared: wrangler is not here and can't be fetched.
var ErrNoWrangler = errors.New("wrangler can't be fetched")

// A wrangler reads configurations as the peer does.
type wrangler struct {
	node   string // path of the program
	module string // path of the file that exports its functions
}

// fetchWrangler returns wrangler and a Node for it from the folder cache, to which npm brings them the first time.
func fetchWrangler(ctx context.Context, cache string) (*wrangler, error) {
	dir, err := fetch(ctx, cache, "wrangler-"+wranglerVersion, "wrangler@"+wranglerVersion, ErrNoWrangler)
	if err != nil {
		return nil, err
	}
	w := &wrangler{module: filepath.Join(dir, "node_modules", "wrangler", "wrangler-dist", "cli.js")}
	if w.node, err = exec.LookPath("node"); err == nil {
		if version, err := exec.CommandContext(ctx, w.node, "--version").Output(); err == nil && newEnough(string(version)) {
			return w, nil
		}
	}
	name, program := nodePackage(runtime.GOOS, runtime.GOARCH)
	dir, err = fetch(ctx, cache, "node-"+nodeVersion, name+"@"+nodeVersion, ErrNoWrangler)
	if err != nil {
		return nil, fmt.Errorf("fetch Node for it (or install %d.%d or newer): %w", nodeAtLeast[0], nodeAtLeast[1], err)
	}
	w.node = filepath.Join(dir, "node_modules", name, filepath.FromSlash(program))
	return w, nil
}

// newEnough reports whether wrangler runs on the Node that says version, such as "v22.12.0".
func newEnough(version string) bool {
	var major, minor int
	if _, err := fmt.Sscanf(version, "v%d.%d.", &major, &minor); err != nil {
		return false
	}
	return major > nodeAtLeast[0] || major == nodeAtLeast[0] && minor >= nodeAtLeast[1]
}

// nodePackage is npm's name of Node for a system, and the path of the program in it. For a system that npm has none
// for, it fails to install.
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

// colors are what wrangler puts into its warnings, whoever reads them.
var colors = regexp.MustCompile(`\x1b\[[0-9;]*m`)

// judge returns what wrangler makes of files, whose folder is root, in environments, with
// values if show. It leaves its papers in dir.
func (w *wrangler) judge(ctx context.Context, root, dir string, cases []configCase, show bool) ([]configVerdict, error) {
	script, input, output := filepath.Join(dir, "configs.mjs"), filepath.Join(dir, "cases.json"), filepath.Join(dir, "verdicts.json")
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
			verdicts[i] = configVerdict{Says: saysUnknown, Why: colors.ReplaceAllString(a.Warnings, ""), Values: leaves(a.Config)}
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

// leaves returns the values of comparedKeys in a configuration, objects and arrays taken apart as `devtool config show`
// does.
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

// oddInKeys reports whether a key with r in it stands between quotes in a path.
func oddInKeys(r rune) bool {
	return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-$", r)
}
