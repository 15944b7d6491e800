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
	"slices"

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
			content, err = rename(content, name)
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

// rename replaces the worker's name in a configuration file and changes nothing
// else.
func rename(config []byte, name string) ([]byte, error) {
	value, err := json.Marshal(name)
	if err != nil {
		return nil, err
	}
	parsed, err := hujson.Parse(config)
	if err != nil {
		return nil, err
	}
	patch := fmt.Appendf(nil, `[{"op": "replace", "path": "/name", "value": %s}]`, value)
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
