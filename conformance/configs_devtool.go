package conformance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
)

// ignoredIDs are the ids of diagnostics that don't count. wrangler looks for main when it builds,
// and not in the file.
var ignoredIDs = []string{"missing-main", "main-not-found"}

// judgeOurs returns the verdicts of the devtool at binary on cases, whose files are in root.
func judgeOurs(ctx context.Context, binary, root string, cases []configCase) ([]configVerdict, error) {
	verdicts, err := checkOurs(ctx, binary, root, cases)
	if err != nil {
		return nil, err
	}
	return verdicts, forEach(ctx, 4, len(cases), func(ctx context.Context, i int) error {
		if verdicts[i].Says == saysError {
			return nil
		}
		var err error
		verdicts[i].Values, err = showOurs(ctx, binary, root, cases[i])
		return err
	})
}

// checkOurs is judgeOurs without the values.
func checkOurs(ctx context.Context, binary, root string, cases []configCase) ([]configVerdict, error) {
	verdicts := make([]configVerdict, len(cases))
	batches := make(map[string][]int) // indexes of verdicts, by environment: the length of a command line is limited
	for i, c := range cases {
		batches[c.Env] = append(batches[c.Env], i)
	}
	for env, all := range batches {
		for batch := range slices.Chunk(all, 1000) {
			if err := checkBatch(ctx, binary, root, env, cases, batch, verdicts); err != nil {
				return nil, err
			}
		}
	}
	return verdicts, nil
}

// checkBatch runs devtool on some of the cases, all in one environment.
func checkBatch(
	ctx context.Context, binary, root, env string, cases []configCase, batch []int, verdicts []configVerdict,
) error {
	args := []string{"config", "check", "--json", "--env=" + env}
	of := make(map[string]int) // from a file to its verdict
	for _, i := range batch {
		args = append(args, cases[i].File)
		of[cases[i].File] = i
	}
	var answer struct {
		Diagnostics []struct{ File, Severity, ID, Message string }
	}
	if err := askDevtool(ctx, binary, root, args, &answer); err != nil {
		return err
	}
	for _, d := range answer.Diagnostics {
		v := &verdicts[of[d.File]]
		says := saysNothing
		switch {
		case slices.Contains(ignoredIDs, d.ID):
		case d.Severity == "error":
			says = saysError
		case d.ID == "unknown-key" || d.ID == "top-level-only":
			says = saysUnknown
		}
		if says > v.Says {
			v.Says, v.Why = says, d.Message
		}
	}
	return nil
}

// showOurs returns the values of comparedKeys that a file has in an environment, without defaults.
func showOurs(ctx context.Context, binary, root string, c configCase) (map[string]any, error) {
	var answer struct {
		Settings []struct {
			Key, From string
			Value     any
		}
	}
	args := []string{"config", "show", "--json", "--env=" + c.Env, "--config=" + c.File}
	if err := askDevtool(ctx, binary, root, args, &answer); err != nil {
		return nil, err
	}
	values := make(map[string]any)
	for _, s := range answer.Settings {
		top := s.Key
		if end := strings.IndexAny(top, ".["); end >= 0 {
			top = top[:end]
		}
		if s.From == "default" || !slices.Contains(comparedKeys, top) {
			continue
		}
		switch v := s.Value.(type) {
		case map[string]any, []any: // empty: others are taken apart
		default:
			values[s.Key] = v
		}
	}
	return values, nil
}

// askDevtool runs a command that answers in JSON, even if it fails.
func askDevtool(ctx context.Context, binary, root string, args []string, answer any) error {
	command := exec.CommandContext(ctx, binary, args...)
	command.Dir = root
	output, err := command.Output()
	var failed *exec.ExitError
	if err != nil && !errors.As(err, &failed) {
		return fmt.Errorf("run devtool: %w", err)
	}
	if err := json.Unmarshal(output, answer); err != nil {
		said := ""
		if failed != nil {
			said = string(failed.Stderr)
		}
		return fmt.Errorf("read the answer of devtool %s: %w\n%s%s", strings.Join(args, " "), err, output, said)
	}
	return nil
}
