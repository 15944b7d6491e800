package conformance

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"
)

// configFolder has the files that are compared, below the module's root.
var configFolder = filepath.Join("testdata", "config", "wrangler")

// configEnvironments are those that each file is read in: the top level, one that some files have, and one that none
// has.
var configEnvironments = []string{"", "staging", "nowhere"}

// comparedKeys are those whose values, as they apply in the end, must be the same on both sides.
var comparedKeys = []string{"name", "compatibility_date", "compatibility_flags", "vars", "durable_objects", "migrations", "exports", "triggers"}

// A configCase is a file that is read in an environment.
type configCase struct{ File, Env string }

// String is the name that a filter is held against.
func (c configCase) String() string {
	if c.Env == "" {
		return "config: " + c.File
	}
	return "config: " + c.File + ", environment " + c.Env
}

// says is how bad a side finds a file.
type says int

const (
	saysNothing says = iota
	saysUnknown      // it can be used, but has keys that the side doesn't know
	saysError
)

func (s says) String() string {
	return [...]string{"takes it", "takes it, and does not know a key", "refuses it"}[s]
}

// A configVerdict is what a side makes of a case.
type configVerdict struct {
	Says   says
	Why    string
	Values map[string]any // those of comparedKeys by their path, if it takes the file
}

// ConfigOptions say what RunConfigs compares.
type ConfigOptions struct {
	// Cache is the folder that keeps wrangler from one run to the next.
	Cache string
	// Filter chooses cases by name, and "config: mutants"; nil chooses all.
	Filter *regexp.Regexp
	// Out is where differences and the summary are written.
	Out io.Writer
}

// RunConfigs reads the configuration files with wrangler and with devtool, and returns on how many cases they differ in
// a way that ConfigDifferences does not explain. Where wrangler refuses a file we have to, where it takes one too, with
// the same values in the end, and where it does not know a key we must not either. Of thousands of mutants we have to refuse
// what it refuses. The error says why there was nothing to compare; it is an ErrNoWrangler if wrangler could not be had.
func RunConfigs(ctx context.Context, o ConfigOptions) (different int, err error) {
	began := time.Now()
	root, err := moduleRoot()
	if err != nil {
		return 0, err
	}
	root = filepath.Join(root, configFolder)
	cases, err := configCases(root, o.Filter)
	withMutants := o.Filter == nil || o.Filter.MatchString(mutantsName)
	if err != nil || len(cases) == 0 && !withMutants {
		return 0, err
	}
	peer, err := fetchWrangler(ctx, o.Cache)
	if err != nil {
		return 0, err
	}
	dir, err := os.MkdirTemp("", "conformance-")
	if err != nil {
		return 0, fmt.Errorf("make folder for devtool: %w", err)
	}
	defer os.RemoveAll(dir)
	binary, _, err := buildDevtool(ctx, dir)
	if err != nil {
		return 0, err
	}
	theirs, err := peer.judge(ctx, root, dir, cases, true)
	if err != nil {
		return 0, err
	}
	ours, err := judgeOurs(ctx, binary, root, cases)
	if err != nil {
		return 0, err
	}
	reports, chosen := compareConfigs(cases, theirs, ours)
	changed := 0
	if withMutants {
		more, n, err := runMutants(ctx, peer, binary, root, dir)
		if err != nil {
			return 0, err
		}
		reports, changed = append(reports, more...), n
	}
	for _, r := range reports {
		fmt.Fprintln(o.Out, r)
	}
	fmt.Fprintf(o.Out, "%d readings of configuration files and %d of mutants: %d unexplained differences, %d files that differ as chosen in %.0f s, against wrangler %s\n",
		len(cases), changed, len(reports), chosen, time.Since(began).Seconds(), wranglerVersion)
	return len(reports), nil
}

// configCases are the files of a folder, in each environment.
func configCases(root string, filter *regexp.Regexp) ([]configCase, error) {
	entries, err := os.ReadDir(root)
	if err != nil {
		return nil, fmt.Errorf("list configuration files: %w", err)
	}
	var cases []configCase
	for _, e := range entries {
		for _, env := range configEnvironments {
			if c := (configCase{e.Name(), env}); filter == nil || filter.MatchString(c.String()) {
				cases = append(cases, c)
			}
		}
	}
	return cases, nil
}

// compareConfigs returns a report for each case on which the sides differ and should not, and for each file that is
// listed as a difference and is none; and how many files differ because we chose so.
func compareConfigs(cases []configCase, theirs, ours []configVerdict) (reports []string, chosen int) {
	listed := make(map[string]bool)
	for _, d := range ConfigDifferences {
		for _, file := range d.Cases {
			listed[file] = true
		}
	}
	told := make(map[string]string) // from a file to what it differs in, said last
	for i, c := range cases {
		report := compareConfig(theirs[i], ours[i])
		switch before, differs := told[c.File]; {
		case report == "" || report == before: // most often it is the same in all environments
			continue
		case !listed[c.File]:
			reports = append(reports, fmt.Sprintf("%s\n%s", c, report))
		case !differs:
			chosen++
		}
		told[c.File] = report
	}
	for _, c := range cases {
		if _, differs := told[c.File]; listed[c.File] && !differs && c.Env == "" && allEnvironments(cases, c.File) {
			reports = append(reports, fmt.Sprintf("%s\n    is listed as a difference, and is none", c))
		}
	}
	return reports, chosen
}

// allEnvironments reports whether a file is compared in all of them: else a difference may be in one that is not.
func allEnvironments(cases []configCase, file string) bool {
	n := 0
	for _, c := range cases {
		if c.File == file {
			n++
		}
	}
	return n == len(configEnvironments)
}

func compareConfig(theirs, ours configVerdict) string {
	if theirs.Says != ours.Says {
		return fmt.Sprintf("    wrangler %s\n    devtool  %s", theirs.reason(), ours.reason())
	}
	if theirs.Says == saysError {
		return ""
	}
	var lines []string
	paths := slices.Collect(maps.Keys(theirs.Values))
	for path := range ours.Values {
		if _, both := theirs.Values[path]; !both {
			paths = append(paths, path)
		}
	}
	slices.Sort(paths)
	for _, path := range paths {
		their, there := theirs.Values[path]
		our, here := ours.Values[path]
		if there != here || !reflect.DeepEqual(their, our) {
			lines = append(lines, fmt.Sprintf("    %s: wrangler %s, devtool %s", path, valueOf(their, there), valueOf(our, here)))
		}
	}
	return strings.Join(lines, "\n")
}

func valueOf(v any, there bool) string {
	if !there {
		return "has none"
	}
	return fmt.Sprintf("%#v", v)
}

func (v configVerdict) reason() string {
	if v.Why == "" {
		return v.Says.String()
	}
	return v.Says.String() + ": " + strings.Join(strings.Fields(v.Why), " ")
}
