package conformance

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

//go:embed mutants.mjs
var mutantsScript []byte

// A mutant is a configuration file with one changed value.
type mutant struct{ File, Change string }

// looserIn are the parts of a configuration where devtool accepts what wrangler rejects, as
// ConfigDifferences says.
var looserIn = []string{
	"containers", "cloudchamber", "previews", "dev.container_engine", "queues.consumers.0.max_concurrency",
}

// mutants writes mutants of the files of root into a new folder in dir.
func (w *wrangler) mutants(ctx context.Context, root, dir string) (folder string, all []mutant, err error) {
	script, folder := filepath.Join(dir, "mutants.mjs"), filepath.Join(dir, "mutants")
	if err := os.WriteFile(script, mutantsScript, 0o600); err != nil {
		return "", nil, fmt.Errorf("write mutants: %w", err)
	}
	if err := w.run(ctx, root, script, w.module, root, folder); err != nil {
		return "", nil, err
	}
	b, err := os.ReadFile(folder + ".json")
	if err != nil {
		return "", nil, fmt.Errorf("read list of mutants: %w", err)
	}
	if err := json.Unmarshal(b, &all); err != nil {
		return "", nil, fmt.Errorf("read list of mutants: %w", err)
	}
	return folder, all, nil
}

// mutantsName is the name that a filter is matched against.
const mutantsName = "config: mutants"

// runMutants compares the two sides on mutants of the files of root, and returns the number of
// mutants.
func runMutants(ctx context.Context, peer *wrangler, binary, root, dir string) (reports []string, n int, err error) {
	folder, all, err := peer.mutants(ctx, root, dir)
	if err != nil {
		return nil, 0, err
	}
	cases := make([]configCase, len(all))
	for i, m := range all {
		cases[i] = configCase{File: m.File}
	}
	theirs, err := peer.judge(ctx, folder, dir, cases, false)
	if err != nil {
		return nil, 0, err
	}
	ours, err := checkOurs(ctx, binary, folder, cases)
	if err != nil {
		return nil, 0, err
	}
	return compareMutants(all, theirs, ours), len(all), nil
}

// compareMutants returns a report for each mutant that wrangler rejects and devtool accepts. It
// ignores the opposite: devtool's additional rules are few, and each has a file of its own.
func compareMutants(all []mutant, theirs, ours []configVerdict) []string {
	var reports []string
	for i, m := range all {
		if theirs[i].Says == saysError && ours[i].Says != saysError && !m.looser() {
			reports = append(reports,
				fmt.Sprintf("config: mutant of %s\n%s", m.Change, compareConfig(theirs[i], ours[i])))
		}
	}
	return reports
}

// looser reports whether the changed value, or the file, belongs to a part where devtool may accept
// more.
func (m mutant) looser() bool {
	file, change, _ := strings.Cut(m.Change, ": ")
	path, _, _ := strings.Cut(change, " ")
	for _, part := range looserIn {
		if path == part || strings.HasPrefix(path, part+".") || strings.TrimSuffix(file, filepath.Ext(file)) == part {
			return true
		}
	}
	return false
}
