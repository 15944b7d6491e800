package conformance

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestCasesHaveDifferentNames(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range Cases() {
		if seen[c.Name] || c.Name == "" {
			t.Errorf("case %q: another case has this name, so their objects would be the same", c.Name)
		}
		seen[c.Name] = true
	}
	if got, want := len(seen), 150; got < want {
		t.Errorf("%d cases, want at least %d", got, want)
	}
}

func TestEveryChosenDifferenceIsListedWithItsCases(t *testing.T) {
	var got, want []string
	for _, d := range Differences {
		if d.Topic == "" || d.Platform == "" || d.Ours == "" || d.Reason == "" {
			t.Errorf("%+v: a field is empty", d)
		}
		got = append(got, d.Cases...)
	}
	for _, c := range Cases() {
		if c.differs() {
			want = append(want, c.Name)
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("cases of Differences:\n%q\ncases that differ:\n%q", got, want)
	}
}

func TestDocumentHasTheTableOfDifferences(t *testing.T) {
	b, err := os.ReadFile("../docs/conformance.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(b), Table()) {
		t.Errorf("docs/conformance.md does not contain:\n%s", Table())
	}
}

// Both programs must know the same operations, including all that the cases and the random
// sequences use.
func TestBothProgramsKnowTheSameOperations(t *testing.T) {
	goSource, err := os.ReadFile("../testdata/handlers/conformance/operations.go")
	if err != nil {
		t.Fatal(err)
	}
	table := func(source, begin, end, entry string) []string {
		_, rest, _ := strings.Cut(source, begin)
		rest, _, _ = strings.Cut(rest, end)
		var names []string
		for _, m := range regexp.MustCompile(entry).FindAllStringSubmatch(rest, -1) {
			names = append(names, m[1])
		}
		slices.Sort(names)
		return names
	}
	got := table(string(twin), "const operations = {", "\n};", `(?m)^\t(?:async )?(\w+)[(,:]`)
	want := table(string(goSource), "operations = map[string]", "\n\t}\n", `(?m)^\t\t"(\w+)":`)
	if !slices.Equal(got, want) || len(want) == 0 {
		t.Errorf("twin.js has %q\nthe Go program has %q", got, want)
	}
	used := []Op{}
	for _, c := range Cases() {
		used = append(used, c.Do...)
	}
	for seed := range uint64(200) {
		g, parts := random(seed)
		used = append(used, g.program(parts)...)
	}
	anyOp(used, func(o Op) bool {
		if o.Name != goesName && !slices.Contains(want, o.Name) {
			t.Errorf("the programs do not know %q", o.Name)
		}
		return false
	})
}

func TestASeedDecidesItsProgram(t *testing.T) {
	encode := func(seed uint64) string {
		_, parts := random(seed)
		b, err := json.Marshal(parts)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	seen := map[string]uint64{}
	for seed := range uint64(100) {
		program := encode(seed)
		if program != encode(seed) {
			t.Errorf("two programs of seed %d differ", seed)
		}
		if other, again := seen[program]; again {
			t.Errorf("the programs of seeds %d and %d are the same", seed, other)
		}
		seen[program] = seed
	}
}

func TestEachGeneratorAndEachPaceComesUp(t *testing.T) {
	seen := map[string]int{}
	for seed := range uint64(300) {
		g, _ := random(seed)
		seen[g.name]++
		seen[paceOf(seed).String()]++
	}
	if want := len(generators) + int(paces); len(seen) != want {
		t.Errorf("%v in 300 programs, want all of %d", seen, want)
	}
}

// On a frozen clock, nobody would end a sleep.
func TestProgramsForAFrozenClockDoNotSleep(t *testing.T) {
	for seed := range uint64(300) {
		g, parts := random(seed)
		if anyOp(fit(g.program(fit(parts, frozen)), frozen), func(o Op) bool { return o.Name == "sleep" }) {
			t.Fatalf("seed %d: the program sleeps", seed)
		}
	}
}

// The sides differ on what sleeps or calls while another event blocks (see crowding).
func TestACrowdThatBlocksNeitherSleepsNorCalls(t *testing.T) {
	isSleep := func(o Op) bool { return o.Name == "sleep" }
	blocking := 0
	for seed := range uint64(2000) {
		g, parts := random(seed)
		if g.name != "crowd" {
			continue
		}
		var blocks, waits bool
		for _, one := range parts[1:] { // the first one only waits before the others
			for _, o := range one.Do[0].Do {
				long := anyOp(o.Do, isSleep)
				blocks = blocks || o.Name == "block" && long
				waits = waits || isSleep(o) || o.Name != "block" && long
			}
		}
		if blocks && waits {
			t.Fatalf("seed %d: %s", seed, show(parts))
		}
		if blocks {
			blocking++
		}
	}
	if blocking == 0 {
		t.Error("no crowd blocks")
	}
}

func TestRequestsLoseNoOperation(t *testing.T) {
	calls := requests([]Op{request(), get("a"), get("b"), request(), request(), get("c")})
	var got []string
	for _, c := range calls[:len(calls)-2] { // the last two show the final state
		var keys string
		for _, o := range c.Do {
			keys += o.Key
		}
		got = append(got, keys)
	}
	if want := []string{"ab", "c"}; !slices.Equal(got, want) {
		t.Errorf("requests with keys %q, want %q", got, want)
	}
}
