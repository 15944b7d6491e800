package cli

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// readme returns the lines of the README.
func readme(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
}

func TestTheREADMEIsShortAndBeginsWithTheCommandsThatDoEverything(t *testing.T) {
	lines := readme(t)
	if len(lines) > 150 {
		t.Errorf("got %d lines, want at most 150", len(lines))
	}
	first := strings.Join(lines[:30], "\n")
	for _, command := range []string{"\n$ go run . dev templates/batcher", "\n$ go test ./..."} {
		if !strings.Contains(first, command) {
			t.Errorf("the first screen does not have %q", command)
		}
	}
}

// TestTheCommandsOfTheREADMEExist parses them. Their outputs were pasted from a terminal.
func TestTheCommandsOfTheREADMEExist(t *testing.T) {
	called := regexp.MustCompile("(?:go run \\.|\\bdevtool) ((?:init|dev|exec -- |time|completion)[^#;&`)|]*)")
	found := 0
	for _, line := range readme(t) {
		for _, match := range called.FindAllStringSubmatch(line, -1) {
			found++
			if _, err := arrange(rootCommand(new(globals)), strings.Fields(match[1])); err != nil {
				t.Errorf("%s: %v", match[0], err)
			}
		}
	}
	if found < 10 {
		t.Errorf("found %d calls, want at least 10", found)
	}
}

func TestTheREADMEShowsTheKeys(t *testing.T) {
	text, _ := new(hotkeys{leaving: "exit"}).legend(100)
	if !slices.Contains(readme(t), text) {
		t.Errorf("the README does not show %q", text)
	}
}
