package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strings"

	"devtool.internal/config"
	"devtool.internal/internal/safefile"
)

type typesOptions struct {
	config string
	name   string
	check  bool
	json   bool
}

// typesFile is the default file of types, in the folder of main.
const typesFile = "env_gen.go"

const defaultTypeName = "Env"

func typesCommand() *command {
	o := typesOptions{name: defaultTypeName}
	return &command{
		name:    "types",
		summary: "Write a Go file with a method for each binding and variable",
		about: `With this file, handlers write NewEnv(env).Batcher() instead of env.Namespace("BATCHER"),
and the compiler finds misspelt names. The file covers the bindings of all environments.
Run it after each change of the bindings. With --check it writes nothing, and exits with
1 if the file is out of date.`,
		args: []argument{{name: "FILE", optional: true,
			usage: "Go file to write (default: " + typesFile + " in the folder of main)"}},
		flags: []flag{
			{name: "check", usage: "only compare the file, for CI", target: &o.check},
			{name: "env-interface", value: "NAME", target: &o.name,
				usage: "name of the type (default: " + defaultTypeName + ")"},
			{name: "config", short: "c", value: "FILE", usage: "read this configuration", target: &o.config},
			{name: "json", usage: "print JSON", target: &o.json},
		},
		examples: []example{
			{"devtool types", ""},
			{"devtool types --check", "in CI"},
		},
		run: func(_ context.Context, s Streams, args []string) error {
			target := ""
			if len(args) > 0 {
				target = s.path(args[0])
			}
			return types(s, o, target)
		},
	}
}

func types(s Streams, o typesOptions, target string) error {
	if !validTypeName.MatchString(o.name) {
		return misuse("begin it with a capital, like --env-interface Bindings",
			"%q is not the name of an exported type", o.name)
	}
	if target != "" && (filepath.Ext(target) != ".go" || strings.HasSuffix(target, "_test.go")) {
		return misuse("name a file like "+typesFile, "%s is not a Go file of a program", s.short(target))
	}
	path, err := s.configPath(o.config)
	if err != nil {
		return err
	}
	configs, err := everyEnvironment(path)
	if err != nil {
		return s.explainDev(s.Err, err)
	}
	if target == "" {
		if wrong := checkMain(configs[0]); wrong != nil {
			return s.explainDev(s.Err, wrong)
		}
		target = filepath.Join(mainFolder(configs[0]), typesFile)
	}
	present, err := readTypes(s, target)
	if err != nil {
		return err
	}
	if err := refuseOldModule(s, filepath.Dir(target)); err != nil {
		return err
	}
	bindings, err := collectBindings(configs)
	if err != nil {
		return err
	}
	file := envFile{config: filepath.Base(path), typeName: o.name, bindings: bindings}
	for _, c := range configs {
		file.all = append(file.all, c.Env)
	}
	if file.pkg, err = readPackage(target); err != nil {
		return err
	}
	if err := file.pkg.checkNames(s, file); err != nil {
		return err
	}
	source, err := file.source()
	if err != nil {
		return err
	}
	stale := !bytes.Equal(present, source)
	if o.check && stale {
		return staleTypes(s, target, path, present)
	}
	if stale {
		if err := replaceFile(target, filepath.Dir(target), source); err != nil {
			return fmt.Errorf("write types: %w", err)
		}
	}
	result := struct {
		File     string       `json:"file"`
		Package  string       `json:"package"`
		Type     string       `json:"type"`
		Changed  bool         `json:"changed"`
		Bindings []envBinding `json:"bindings"`
	}{s.short(target), file.pkg.name, o.name, stale, append([]envBinding{}, bindings...)}
	return printer{out: s.Out, json: o.json}.print(result, func(w io.Writer) {
		if !stale {
			fmt.Fprintf(w, "%s is up to date\n", result.File)
			return
		}
		fmt.Fprintf(w, "wrote %s:\n\n", result.File)
		rows := [][]string{{"BINDING", "METHOD OF " + strings.ToUpper(o.name)}}
		for _, b := range bindings {
			rows = append(rows, []string{b.Name, b.Method + b.Signature})
		}
		table(w, rows...)
	})
}

// everyEnvironment loads the file at path for the top level, and for each environment.
func everyEnvironment(path string) ([]*config.Config, error) {
	names, err := config.Environments(path)
	if err != nil {
		return nil, err
	}
	var configs []*config.Config
	for _, env := range append([]string{""}, names...) {
		c, _, err := config.Load(path, config.Options{Env: env})
		if err != nil {
			return nil, err
		}
		configs = append(configs, c)
	}
	return configs, nil
}

// mainFolder returns the folder of the Go program. In the configuration, main may also name a file
// in it.
func mainFolder(c *config.Config) string {
	main := filepath.Join(c.Dir(), c.Main)
	if filepath.Ext(main) == ".go" {
		return filepath.Dir(main)
	}
	return main
}

// readTypes returns the file at target with LF line endings, or nil if there is no file. git may
// have changed the line endings. A file that devtool did not generate is an error, because it must
// not be overwritten.
func readTypes(s Streams, target string) ([]byte, error) {
	present, err := safefile.ReadSource(target, safefile.MaxSource)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read types: %w", err)
	}
	if !bytes.HasPrefix(present, []byte(generatedBy)) {
		return nil, failure("name another file, or move this one away",
			"%s was not written by `devtool types`", s.short(target))
	}
	return bytes.ReplaceAll(present, []byte("\r\n"), []byte("\n")), nil
}

// staleTypes returns the error for a file that differs from what devtool would write.
func staleTypes(s Streams, target, path string, present []byte) error {
	const hint = "run `devtool types`, and commit what it writes"
	switch {
	case present == nil:
		return failure(hint, "%s is missing", s.short(target))
	case !intact(present):
		return failure(hint, "%s was edited after `devtool types` wrote it", s.short(target))
	}
	return failure(hint, "%s is out of date with %s", s.short(target), s.short(path))
}
