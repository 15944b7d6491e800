package config_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"devtool.internal/config"
)

// tree creates files in a new folder and returns it. A name that ends in a slash creates a folder.
// The text after a "=" is the file's content.
func tree(t *testing.T, files ...string) string {
	t.Helper()
	root := t.TempDir()
	for _, f := range files {
		name, content, _ := strings.Cut(f, "=")
		path := filepath.Join(root, name)
		dir := filepath.Dir(path)
		if strings.HasSuffix(name, "/") {
			dir = path
		}
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(name, "/") {
			if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	return root
}

func TestFindTakesTheNearestFolderAndThereTheFirstName(t *testing.T) {
	tests := []struct {
		name  string
		files []string // a trailing slash makes a folder
		from  string
		want  string
	}{
		{"own folder", []string{"wrangler.toml"}, ".", "wrangler.toml"},
		{"json before jsonc before toml",
			[]string{"wrangler.toml", "wrangler.jsonc", "wrangler.json"}, ".", "wrangler.json"},
		{"jsonc before toml", []string{"wrangler.toml", "wrangler.jsonc"}, ".", "wrangler.jsonc"},
		{"a folder above", []string{"wrangler.jsonc", "a/b/"}, "a/b", "wrangler.jsonc"},
		{"an outer wrangler.json shadows nothing",
			[]string{"wrangler.json", "a/wrangler.toml", "a/b/"}, "a/b", "a/wrangler.toml"},
		{"a folder of that name is no file", []string{"wrangler.toml", "a/wrangler.json/"}, "a", "wrangler.toml"},
		{"a start below a file", []string{"wrangler.toml", "main.go"}, "main.go", "wrangler.toml"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			root := tree(t, tt.files...)
			got, err := config.Find(filepath.Join(root, tt.from))
			if want := filepath.Join(root, tt.want); err != nil || got != want {
				t.Errorf("Find = %q, %v, want %q", got, err, want)
			}
		})
	}
}

func TestFindReturnsAnAbsolutePath(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile("wrangler.toml", nil, 0o644); err != nil {
		t.Fatal(err)
	}
	got, err := config.Find(".")
	if err != nil || !filepath.IsAbs(got) || filepath.Base(got) != "wrangler.toml" {
		t.Errorf("Find(.) = %q, %v, want an absolute path of wrangler.toml", got, err)
	}
}

func TestFindSaysWhereItLookedAndWhatToDo(t *testing.T) {
	dir := t.TempDir()
	_, err := config.Find(dir)
	if !errors.Is(err, config.ErrNotFound) {
		t.Fatalf("error %v, want ErrNotFound", err)
	}
	for _, want := range []string{dir, "devtool init", "wrangler.jsonc"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q does not mention %q", err, want)
		}
	}
}

func TestWranglersChoiceIsReturnedIfItDiffers(t *testing.T) {
	const redirect = ".wrangler/deploy/config.json="
	tests := []struct {
		name  string
		files []string
		from  string
		want  string // "" if wrangler reads the same file
		why   string
	}{
		{"the same", []string{"a/wrangler.jsonc", "a/b/"}, "a/b", "", ""},
		{"the same of several", []string{"wrangler.toml", "a/wrangler.jsonc", "a/wrangler.toml"}, "a", "", ""},
		{"an outer file of an earlier name", []string{"wrangler.json", "a/wrangler.jsonc"}, "a", "wrangler.json",
			"it looks for wrangler.json in all folders first"},
		{"an outer file of a later name", []string{"wrangler.toml", "a/wrangler.jsonc"}, "a", "", ""},
		{"an outer jsonc before a toml", []string{"wrangler.jsonc", "a/wrangler.toml"}, "a", "wrangler.jsonc",
			"it looks for wrangler.jsonc in all folders first"},
		{"redirected", []string{"wrangler.jsonc", redirect + `{"configPath": "../../dist/wrangler.json"}`}, ".",
			"dist/wrangler.json", "config.json redirects it"},
		{"redirected from below",
			[]string{"wrangler.jsonc", redirect + `{"configPath": "../../dist/wrangler.json"}`, "a/"}, "a",
			"dist/wrangler.json", "config.json redirects it"},
		{"redirected to the same",
			[]string{"wrangler.jsonc", redirect + `{"configPath": "../../wrangler.jsonc"}`}, ".", "", ""},
		{"a redirect that can't be read", []string{"wrangler.jsonc", redirect + `{"configPath": `}, ".", "", ""},
		{"a redirect without a path", []string{"wrangler.jsonc", redirect + `{}`}, ".", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			root := tree(t, tt.files...)
			dir := filepath.Join(root, tt.from)
			path, err := config.Find(dir)
			if err != nil {
				t.Fatal(err)
			}
			got, why := config.WranglersChoice(dir, path)
			want := tt.want
			if want != "" {
				want = filepath.Join(root, want)
			}
			if got != want || !strings.HasSuffix(why, tt.why) || (why == "") != (tt.why == "") {
				t.Errorf("got %q because %q, want %q because %q", got, why, want, tt.why)
			}
		})
	}
}
