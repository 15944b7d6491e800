package spelling

import (
	"testing"

	"pgregory.net/rapid"
)

func TestClosestFindsWhatWasMeant(t *testing.T) {
	candidates := []string{"init", "dev", "alarms", "time", "version"}
	for word, want := range map[string]string{
		"tiem":       "time",
		"tim":        "time",
		"timer":      "time",
		"alarm":      "alarms",
		"alrams":     "alarms",
		"ver":        "version",
		"versoin":    "version",
		"dve":        "dev",
		"innit":      "init",
		"":           "",
		"x":          "",
		"d":          "",
		"de":         "dev",
		"frobnicate": "",
		"deploy":     "",
	} {
		if got := Closest(word, candidates); got != want {
			t.Errorf("Closest(%q): got %q, want %q", word, got, want)
		}
	}
}

func TestDistance(t *testing.T) {
	for _, test := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"", "abc", 3}, {"abc", "", 3}, {"abc", "abc", 0}, {"abc", "abd", 1},
		{"abc", "acb", 1}, {"abc", "bc", 1}, {"abc", "xabc", 1}, {"kitten", "sitting", 3}, {"größe", "grösse", 2},
	} {
		if got := distance(test.a, test.b); got != test.want {
			t.Errorf("distance(%q, %q): got %d, want %d", test.a, test.b, got, test.want)
		}
	}
}

func TestDistanceIsSymmetricAndBounded(t *testing.T) {
	word := rapid.StringMatching(`[a-d]{0,8}`)
	rapid.Check(t, func(t *rapid.T) {
		a, b := word.Draw(t, "a"), word.Draw(t, "b")
		there, back := distance(a, b), distance(b, a)
		if there != back {
			t.Errorf("distance(%q, %q) is %d but %d the other way", a, b, there, back)
		}
		if (there == 0) != (a == b) || there > max(len(a), len(b)) {
			t.Errorf("distance(%q, %q) is %d", a, b, there)
		}
	})
}
