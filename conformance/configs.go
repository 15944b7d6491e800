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

// configFolder holds the compared files, below the module's root.
var configFolder = filepath.Join("testdata", "config", "wrangler")

// configEnvironments are the environments that each file is read in: the top level, one that some
// files have, and one that no file has.
var configEnvironments = []string{"", "staging", "nowhere"}

// comparedKeys are the keys whose effective values must be equal on both sides.
var comparedKeys = []string{
	"name", "compatibility_date", "compatibility_flags", "vars", "durable_objects", "migrations", "exports",
	"triggers",
}

// A configCase is a file, read in an environment.
type configCase struct{ File, Env string }

// String returns the name that a filter is matched against.
func (c configCase) String() string {
	if c.Env == "" {
		return "config: " + c.File
	}
	return "config: " + c.File + ", environment " + c.Env
}

// says is how severe a side's verdict on a file is.
type says int

const (
	saysNothing says = iota
	saysUnknown      // the file is usable, but has keys that the side doesn't know
	saysError
)

func (s says) String() string {
	return [...]string{"accepts it", "accepts it, but does not know a key", "rejects it"}[s]
}

// A configVerdict is what a side says of a case.
type configVerdict struct {
	Says   says
	Why    string
	Values map[string]any // the values of comparedKeys by path, if the side accepts the file
}

// ConfigOptions say what RunConfigs compares.
type ConfigOptions struct {
	// Cache is the folder that keeps wrangler between runs.
	Cache string
	// Filter selects cases by name, and the mutants by "config: mutants". Nil selects all.
	Filter *regexp.Regexp
	// Out receives the differences and the summary.
	Out io.Writer
}

// RunConfigs reads the configuration files with wrangler and with devtool. It returns the number of
// cases with a difference that ConfigDifferences does not explain. devtool must reject what
// wrangler rejects, accept what it accepts, with the same effective values, and not know a key that
// wrangler does not know. Of thousands of mutants, devtool must reject what wrangler rejects. The
// error says why nothing was compared; it is an ErrNoWrangler if wrangler can't be fetched.
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
	fmt.Fprintf(o.Out, "%d configuration cases and %d mutants: %d unexplained differences, %d chosen ones "+
		"in %.0f s, against wrangler %s\n",
		len(cases), changed, len(reports), chosen, time.Since(began).Seconds(), wranglerVersion)
	return len(reports), nil
}

// configCases returns the files of a folder, each in every environment.
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

// compareConfigs returns a report for each case with an unlisted difference, and for each listed
// file without a difference. chosen is how many files differ as listed.
func compareConfigs(cases []configCase, theirs, ours []configVerdict) (reports []string, chosen int) {
	listed := make(map[string]bool)
	for _, d := range ConfigDifferences {
		for _, file := range d.Cases {
			listed[file] = true
		}
	}
	reported := make(map[string]string) // from a file to its latest difference
	for i, c := range cases {
		report := compareConfig(theirs[i], ours[i])
		switch before, differs := reported[c.File]; {
		case report == "" || report == before: // most differences are the same in all environments
			continue
		case !listed[c.File]:
			reports = append(reports, fmt.Sprintf("%s\n%s", c, report))
		case !differs:
			chosen++
		}
		reported[c.File] = report
	}
	for _, c := range cases {
		_, differs := reported[c.File]
		if listed[c.File] && !differs && c.Env == "" && allEnvironments(cases, c.File) {
			reports = append(reports, fmt.Sprintf("%s\n    is listed as a difference, but does not differ", c))
		}
	}
	return reports, chosen
}

// allEnvironments reports whether cases has a file in all environments. Otherwise it may differ in
// a missing one.
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
			lines = append(lines, fmt.Sprintf("    %s: wrangler %s, devtool %s",
				path, valueOf(their, there), valueOf(our, here)))
		}
	}
	return strings.Join(lines, "\n")
}

func valueOf(v any, ok bool) string {
	if !ok {
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
