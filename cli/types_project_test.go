package cli_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// TestTypesCompile writes types for every kind of binding, and compiles a program that uses each.
func TestTypesCompile(t *testing.T) {
	c := call{dir: t.TempDir(), sdk: os.DirFS("..")}
	if got := c.run(t.Context(), "init", ".", "--name", "app", "--template", "counter"); got.code != 0 {
		t.Fatalf("init: %+v", got)
	}
	for name, content := range map[string]string{
		"wrangler.jsonc": `{
			"name": "app", "main": ".", "compatibility_date": "2026-10-01",
			"durable_objects": {"bindings": [{"name": "COUNTER", "class_name": "Counter"}]},
			"migrations": [{"tag": "v1", "new_sqlite_classes": ["Counter"]}],
			"secrets": {"required": ["API_KEY"]},
			"vars": {"env": "", "VAR": "", "durable": 1, "fmt": 0.5, "err": true, "value": [1], "e": {"a": 1}}
		}`,
		"use.go": `package main

import "devtool.internal/durable"

func use(untyped *durable.Env) (err error) {
	env := NewEnv(untyped)
	var _ *durable.Namespace = env.Counter()
	var _, _, _ string = env.APIKey(), env.Env(), env.Var()
	var whole int64
	if whole, err = env.Durable(); err != nil || whole == 0 {
		return err
	}
	var number float64
	if number, err = env.Fmt(); err != nil || number == 0 {
		return err
	}
	var truth bool
	if truth, err = env.Err(); err != nil || truth {
		return err
	}
	var list []int
	if err = env.Value(&list); err != nil {
		return err
	}
	return env.E(&list)
}

var _ = use
`,
	} {
		if err := os.WriteFile(filepath.Join(c.dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got := c.run(t.Context(), "types"); got.code != 0 {
		t.Fatalf("types: %+v", got)
	}
	goCommand(t, c.dir, "vet", ".")
	if got := c.run(t.Context(), "types", "--check"); got.code != 0 {
		t.Errorf("types --check: %+v", got)
	}
	if got := c.run(t.Context(), "config", "check", "--strict"); got.code != 0 {
		t.Errorf("config check: %+v", got)
	}
}

// TestANewProjectsConfigurationHasItsSchema reads the file that $schema names.
func TestANewProjectsConfigurationHasItsSchema(t *testing.T) {
	c := call{dir: t.TempDir(), sdk: fakeSDK}
	if got := c.run(t.Context(), "init"); got.code != 0 {
		t.Fatalf("init: %+v", got)
	}
	want := c.run(t.Context(), "config", "schema")
	if want.code != 0 {
		t.Fatalf("config schema: %+v", want)
	}
	text, err := os.ReadFile(filepath.Join(c.dir, "wrangler.jsonc"))
	if err != nil {
		t.Fatal(err)
	}
	const path = "./.devtool/sdk/config-schema.json"
	if line := []byte(`"$schema": "` + path + `"`); !bytes.Contains(text, line) {
		t.Errorf("wrangler.jsonc does not have %s", line)
	}
	got, err := os.ReadFile(filepath.Join(c.dir, path))
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want.out {
		t.Errorf("%s is not what `devtool config schema` prints", path)
	}
}
