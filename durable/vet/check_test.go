package vet_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"devtool.internal/durable/vet"
)

// module returns a folder with a handler program that consists of files and builds offline.
func module(t *testing.T, files map[string]string) string {
	t.Helper()
	t.Setenv("GOFLAGS", "")
	t.Setenv("GOWORK", "off")
	t.Setenv("GOPROXY", "off")
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	write := func(name, content string) {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	sdk, err := os.ReadFile("testdata/src/devtool.internal/durable/durable.go")
	if err != nil {
		t.Fatal(err)
	}
	write("go.mod", "module app\n\ngo 1.26\n\nrequire devtool.internal v0.0.0\n\nreplace devtool.internal => ./.sdk\n")
	write(".sdk/go.mod", "module devtool.internal\n\ngo 1.26\n")
	write(".sdk/durable/durable.go", string(sdk))
	for name, content := range files {
		write(name, content)
	}
	return dir
}

const late = `package main

import (
	"context"
	"time"

	"app/queue"
	"devtool.internal/durable"
)

func late(ctx context.Context, _ *durable.State, t time.Time) bool {
	return time.Since(
		t,
	) > queue.Grace() || time.Until(t) < 0
}

func main() {}
`

const queue = `package queue

import "time"

func Grace() time.Duration { return grace() }

func grace() time.Duration { return time.Duration(time.Now().Second()) }
`

func TestFindingsAreInOrderAndSayWhatToWrite(t *testing.T) {
	const own = " goes by the machine's clock, not by the emulator's: use "
	const far = " goes by the machine's clock, not by the emulator's (time.Now at queue.go:7): " +
		"let it use durable.Now(ctx), or take the time as an argument"
	dir := module(t, map[string]string{
		"main.go": late, "queue/queue.go": queue,
		"a/a.go": "package a\n\nimport (\n\t\"time\"\n\n\t_ \"devtool.internal/durable\"\n)\n\n" +
			"func F() { time.Sleep(1) }\n",
		"a/a_test.go": "package a\n\nimport \"time\"\n\nfunc g() { time.Sleep(1) }\n",
	})
	inMain := []vet.Finding{
		{
			File: "main.go", Line: 12, Column: 9, Use: "time.Since",
			Message: "time.Since" + own + "durable.Now(ctx).Sub(t)",
			Was:     "time.Since(\n\t\t", Fix: "durable.Now(ctx).Sub(",
		},
		{
			File: "main.go", Line: 14, Column: 6, Use: "time.Now",
			Message: "queue.Grace" + far,
		},
		{
			File: "main.go", Line: 14, Column: 23, Use: "time.Until",
			Message: "time.Until" + own + "t.Sub(durable.Now(ctx))",
			Was:     "time.Until(t)", Fix: "t.Sub(durable.Now(ctx))",
		},
	}
	inA := vet.Finding{
		File: filepath.FromSlash("a/a.go"), Line: 9, Column: 12, Use: "time.Sleep",
		Message: "time.Sleep" + own + "durable.Sleep(ctx, d)",
	}
	for _, test := range []struct {
		patterns []string
		want     []vet.Finding
	}{
		{[]string{"./..."}, append([]vet.Finding{inA}, inMain...)},
		{[]string{"./a"}, []vet.Finding{inA}},
		{[]string{"./queue"}, nil},
	} {
		for i := range test.want {
			test.want[i].Analyzer = "handlertime"
		}
		got, err := vet.Check(t.Context(), dir, test.patterns...)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%v (-want +got):\n%s", test.patterns, diff)
		}
	}
}

func TestWhatCannotBeCheckedIsAnError(t *testing.T) {
	dir := module(t, map[string]string{
		"main.go":     "package main\n\nfunc main() { missing() }\n",
		"syntax/a.go": "package a\n\nfunc {\n",
		"lost/a.go":   "package a\n\nimport _ \"app/nowhere\"\n",
	})
	for pattern, want := range map[string]string{
		".":         "the program does not compile: main.go:3:15: undefined: missing",
		"./syntax":  "the program does not compile: " + filepath.FromSlash("syntax/a.go") + ":3:6: ",
		"./lost":    "app/nowhere",
		"./missing": "missing",
	} {
		found, err := vet.Check(t.Context(), dir, pattern)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, %v, want an error with %q", pattern, found, err, want)
		}
		if broken := (*vet.BrokenError)(nil); !errors.As(err, &broken) {
			t.Errorf("%s: got a %T, want a BrokenError", pattern, err)
		}
	}
}

func TestACheckEndsWithItsContext(t *testing.T) {
	dir := module(t, map[string]string{"main.go": late, "queue/queue.go": queue})
	ctx, cancel := context.WithCancelCause(t.Context())
	want := errors.New("another build has begun")
	cancel(want)
	if found, err := vet.Check(ctx, dir, "./..."); !errors.Is(err, want) {
		t.Errorf("got %v, %v, want %v", found, err, want)
	}
}

// TestOurOwnHandlersKeepTheRule checks the templates, which users copy.
func TestOurOwnHandlersKeepTheRule(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	found, err := vet.Check(t.Context(), root, "./templates/...")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range found {
		t.Error(f)
	}
}
