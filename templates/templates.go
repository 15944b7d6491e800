// Package templates holds the projects that `devtool init` can write. Each
// template is a real project in its own folder, which this module compiles and
// tests. A new project gets a copy of its files, with only the name replaced.
// To add a template, add its folder and a line in All.
package templates

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/tailscale/hujson"
)

//go:embed batcher counter
var folders embed.FS

// Template is one project to start from.
type Template struct {
	Name        string
	Description string // one line
	Try         string // a command that shows the project at work while `devtool dev` runs
}

// All returns the templates. The first one is the default.
func All() []Template {
	return []Template{
		{
			Name:        "batcher",
			Description: "collects what you post and sends it on in batches, from an alarm",
			Try:         `curl http://localhost:8787/ -d '{"hello":"world"}'`,
		},
		{
			Name:        "counter",
			Description: "the smallest object that stores something",
			Try:         "curl http://localhost:8787/",
		},
	}
}

// Lookup returns the template of that name.
func Lookup(name string) (Template, bool) {
	i := slices.IndexFunc(All(), func(t Template) bool { return t.Name == name })
	if i < 0 {
		return Template{}, false
	}
	return All()[i], true
}

// FS returns the template's files as they are in this repository.
func (t Template) FS() (fs.FS, error) {
	files, err := fs.Sub(folders, t.Name)
	if err != nil {
		return nil, fmt.Errorf("open template %q: %w", t.Name, err)
	}
	return files, nil
}

// Files returns the files of a project called name, by slash-separated path. The
// name is in the configuration, whose comments stay, and in the README's title.
// Nothing else depends on it.
func (t Template) Files(name string) (map[string][]byte, error) {
	source, err := t.FS()
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	err = fs.WalkDir(source, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := fs.ReadFile(source, path)
		if err != nil {
			return err
		}
		switch path {
		case "wrangler.jsonc":
			content, err = patched(content, map[string]string{"name": name})
		case "README.md":
			content, err = retitle(content, t.Name, name)
		}
		files[path] = content
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read template %q: %w", t.Name, err)
	}
	return files, nil
}

// Handlers returns the Go files of the template's program, without its tests, by name.
func (t Template) Handlers() (map[string][]byte, error) {
	source, err := t.FS()
	if err != nil {
		return nil, err
	}
	names, err := fs.Glob(source, "*.go")
	if err != nil {
		return nil, fmt.Errorf("list template %q: %w", t.Name, err)
	}
	files := map[string][]byte{}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		if files[name], err = fs.ReadFile(source, name); err != nil {
			return nil, fmt.Errorf("read template %q: %w", t.Name, err)
		}
	}
	return files, nil
}

// Config returns the template's configuration for a worker called name whose handlers are in the
// folder main. schema is the path of the schema. The last two are relative to the configuration.
func (t Template) Config(name, main, schema string) ([]byte, error) {
	source, err := t.FS()
	if err != nil {
		return nil, err
	}
	content, err := fs.ReadFile(source, "wrangler.jsonc")
	if err == nil {
		content, err = patched(content, map[string]string{"name": name, "main": main, "$schema": schema})
	}
	if err != nil {
		return nil, fmt.Errorf("read template %q: %w", t.Name, err)
	}
	return content, nil
}

// patched replaces texts of a configuration file and changes nothing else.
func patched(config []byte, texts map[string]string) ([]byte, error) {
	parsed, err := hujson.Parse(config)
	if err != nil {
		return nil, err
	}
	type operation struct {
		Op    string `json:"op"`
		Path  string `json:"path"`
		Value string `json:"value"`
	}
	var operations []operation
	for _, key := range slices.Sorted(maps.Keys(texts)) {
		operations = append(operations, operation{"replace", "/" + key, texts[key]})
	}
	patch, err := json.Marshal(operations)
	if err != nil {
		return nil, err
	}
	if err := parsed.Patch(patch); err != nil {
		return nil, err
	}
	return parsed.Pack(), nil
}

// retitle replaces the first line of a README, which must be the title from.
func retitle(readme []byte, from, to string) ([]byte, error) {
	rest, found := bytes.CutPrefix(readme, []byte("# "+from+"\n"))
	if !found {
		return nil, fmt.Errorf("README.md does not begin with the title %q", from)
	}
	return append([]byte("# "+to+"\n"), rest...), nil
}
