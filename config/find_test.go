package config_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"devtool/config"
)

func TestFindTakesTheNearestFolderAndThereTheFirstName(t *testing.T) {
	tests := []struct {
		name  string
		files []string // a trailing slash makes a folder
		from  string
		want  string
	}{
		{"own folder", []string{"wrangler.toml"}, ".", "wrangler.toml"},
		{"json before jsonc before toml", []string{"wrangler.toml", "wrangler.jsonc", "wrangler.json"}, ".", "wrangler.json"},
		{"jsonc before toml", []string{"wrangler.toml", "wrangler.jsonc"}, ".", "wrangler.jsonc"},
		{"a folder above", []string{"wrangler.jsonc", "a/b/"}, "a/b", "wrangler.jsonc"},
		{"an outer wrangler.json shadows nothing", []string{"wrangler.json", "a/wrangler.toml", "a/b/"}, "a/b", "a/wrangler.toml"},
		{"a folder of that name is no file", []string{"wrangler.toml", "a/wrangler.json/"}, "a", "wrangler.toml"},
		{"a start below a file", []string{"wrangler.toml", "main.go"}, "main.go", "wrangler.toml"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			root := t.TempDir()
			for _, f := range tt.files {
				path := filepath.Join(root, f)
				dir := filepath.Dir(path)
				if strings.HasSuffix(f, "/") {
					dir = path
				}
				if err := os.MkdirAll(dir, 0o755); err != nil {
					t.Fatal(err)
				}
				if !strings.HasSuffix(f, "/") {
					if err := os.WriteFile(path, nil, 0o644); err != nil {
						t.Fatal(err)
					}
				}
			}
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
