package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// This file has the measures of the loop from an edit to its answer.

// wranglerMeasures are the measures that another dev server has, too.
var wranglerMeasures = []measure{
	{"start to first answer, nothing to build", "ms", true, bench,
		func(ctx context.Context, s *server, _ time.Duration) (float64, error) {
			_, err := one(ctx, s.address, get("/hello", "one"))
			return milliseconds(time.Since(s.started)), err
		}},
	saving,
	atRest,
	toOneObject,
}

var saving = measure{"save to new code served", "ms", true, bench,
	func(ctx context.Context, s *server, _ time.Duration) (float64, error) {
		var took []float64
		for range saves {
			version, err := edit(s.source)
			if err != nil {
				return 0, err
			}
			saved := time.Now()
			if err := serves(ctx, s.address, version); err != nil {
				return 0, err
			}
			took = append(took, milliseconds(time.Since(saved)))
		}
		return median(took), nil
	}}

const (
	saves       = 5
	pollEvery   = 2 * time.Millisecond // short against the figure, but long enough to leave the processors to the build
	reloadLimit = 30 * time.Second
)

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// versionLine matches the line of a program that edit changes.
var versionLine = regexp.MustCompile(`(?m)^(const version = )"[^"]*"`)

// edit gives the program a new version, different from all earlier ones, and returns it.
func edit(source string) (version string, err error) {
	text, err := os.ReadFile(source)
	if err != nil {
		return "", fmt.Errorf("edit program: %w", err)
	}
	if !versionLine.Match(text) {
		return "", fmt.Errorf("edit program: %s has no line %s", source, versionLine)
	}
	version = fmt.Sprint(time.Now().UnixNano())
	text = versionLine.ReplaceAll(text, []byte(`${1}"`+version+`"`))
	if err := os.WriteFile(source, text, 0o600); err != nil {
		return "", fmt.Errorf("edit program: %w", err)
	}
	return version, nil
}

// serves waits until the worker answers with that version. It asks again while the server refuses
// requests or drops connections during a reload.
func serves(ctx context.Context, address, version string) error {
	late := errors.New("the new code was not served within " + reloadLimit.String())
	ctx, cancel := context.WithTimeoutCause(ctx, reloadLimit, late)
	defer cancel()
	var last error
	for ctx.Err() == nil {
		var answer string
		answer, last = one(ctx, address, get("/version", "one"))
		if last == nil && strings.TrimSpace(answer) == version {
			return nil
		}
		select {
		case <-time.After(pollEvery):
		case <-ctx.Done():
		}
	}
	return errors.Join(context.Cause(ctx), last)
}

// compareBuild compares a save with the part that every tool needs: the go command building the
// same program after the same kind of edit.
func (b *benchmark) compareBuild(ctx context.Context, ours *devtool) (table, error) {
	fmt.Fprintf(b.progress, "go build 1/1 %s\n", saving.name)
	source := ours.source(bench)
	var saved, built []float64
	for range b.rounds {
		err := b.with(ctx, ours, bench, func(s *server) error {
			figure, err := saving.take(ctx, s, b.duration)
			saved = append(saved, figure)
			return err
		})
		if err != nil {
			return table{}, err
		}
		var took []float64
		for range saves {
			if _, err := edit(source); err != nil {
				return table{}, err
			}
			build := exec.CommandContext(ctx, "go", "build", "-o", filepath.Join(b.work, "built"), ".")
			build.Dir = filepath.Dir(source)
			build.Env = append(os.Environ(), "CGO_ENABLED=0")
			began := time.Now()
			if _, err := output(build); err != nil {
				return table{}, fmt.Errorf("build program: %w", err)
			}
			took = append(took, milliseconds(time.Since(began)))
		}
		built = append(built, median(took))
	}
	version, err := output(exec.CommandContext(ctx, "go", "env", "GOVERSION"))
	if err != nil {
		return table{}, fmt.Errorf("ask for the version of Go: %w", err)
	}
	return table{Peer: "go build", Version: version, Rows: []row{newRow(saving, saved, built)}}, nil
}
