package plugin

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

func TestGOFLAGSAreReadAsTheGoCommandDoes(t *testing.T) {
	for text, want := range map[string][]string{
		"":                                nil,
		" \t ":                            nil,
		"-v":                              {"-v"},
		"-v  -tags=a,b\n-x":               {"-v", "-tags=a,b", "-x"},
		"'-ldflags=-X a.b=c -X d.e=f' -v": {"-ldflags=-X a.b=c -X d.e=f", "-v"},
		`"-ldflags=-X 'a.b=c d'"`:         {"-ldflags=-X 'a.b=c d'"},
		`-ldflags='-s -w'`:                {"-ldflags='-s", "-w'"}, // a quote inside a word is part of it
		"'-v":                             nil,
		"-v '-x":                          {"-v"},
	} {
		if got := splitQuoted(text); !slices.Equal(got, want) {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

func TestTheUsersFlagsAreMerged(t *testing.T) {
	t.Setenv("GOOS", "")
	t.Setenv("GOARCH", "")
	for flags, want := range map[string]string{
		"":                              "-ldflags=-s -w",
		"-tags=x -mod=mod -race":        "-ldflags=-s -w",
		"-ldflags=-X=a.b=c":             "-ldflags=-s -w|-ldflags=-X=a.b=c -s -w",
		"--ldflags=-X=a.b=c":            "-ldflags=-s -w|-ldflags=-X=a.b=c -s -w",
		"'-ldflags=-X a.b=c'":           "-ldflags=-s -w|-ldflags=-X a.b=c -s -w",
		"-ldflags=":                     "-ldflags=-s -w|-ldflags=-s -w",
		"-ldflags=-w":                   "-ldflags=-s -w|-ldflags=-w",
		"-ldflags=-s=false":             "-ldflags=-s -w|-ldflags=-s=false",
		"-ldflags=all=-X=a.b=c":         "-ldflags=-s -w|-ldflags=all=-X=a.b=c -s -w",
		"-ldflags=./...=-w":             "-ldflags=-s -w|-ldflags=./...=-w",
		"-ldflags=-X=a.b=-s":            "-ldflags=-s -w|-ldflags=-X=a.b=-s -s -w",
		"-ldflags=-X=a -ldflags=b=-X=c": "-ldflags=-s -w|-ldflags=-X=a -s -w|-ldflags=b=-X=c -s -w",
		"-o=/x -n -json=true -x":        "-n=false|-json=false|-ldflags=-s -w",
		"-buildmode=pie":                "-ldflags=-s -w",
		"-buildmode=c-shared":           "-buildmode=default|-ldflags=-s -w",
	} {
		users := goFlags([]string{"GOFLAGS=" + flags})
		got := (&Builder{}).buildFlags("out", users)
		always := []string{"-v", "-buildvcs=false", "-o", "out"}
		if !slices.Equal(got[:4], always) || strings.Join(got[4:], "|") != want {
			t.Errorf("%s: got %q, want %q", flags, got, want)
		}
		debug := (&Builder{Debug: true}).buildFlags("out", users)
		if slices.ContainsFunc(debug, func(f string) bool { return strings.HasPrefix(f, "-ldflags") }) {
			t.Errorf("%s: got %q for a debugger, want the user's flags alone", flags, debug)
		}
	}
}

func TestFlagsOfTheLinkerForAnotherSystemAreLeftOut(t *testing.T) {
	for flags, want := range map[string]string{
		"-ldflags=-H=windowsgui":                           "-s -w",
		"'-ldflags=-H windowsgui -X a.b=c'":                "-X a.b=c -s -w",
		`"-ldflags=-X 'a.b=c d' -extldflags '-static -x'"`: "-X 'a.b=c d' -s -w",
		"'-ldflags=all=-X a.b=c -H=windowsgui'":            "all=-X a.b=c -s -w",
		"-ldflags=-X=a.b=-H":                               "-X=a.b=-H -s -w",
		"-ldflags=-H=js -ldflags=-X=a=b":                   "-s -w|-X=a=b -s -w",
	} {
		users := goFlags([]string{"GOFLAGS=" + flags})
		want := "-ldflags=-s -w|-ldflags=" + strings.ReplaceAll(want, "|", "|-ldflags=")
		b := Builder{Env: []string{"GOOS=js", "GOARCH=wasm"}}
		if got := strings.Join(b.buildFlags("out", users)[4:], "|"); got != want {
			t.Errorf("%s: got %q, want %q", flags, got, want)
		}
		b.Debug = true
		for _, f := range b.buildFlags("out", users) {
			if strings.Contains(f, "windowsgui") || strings.Contains(f, "-s -w") {
				t.Errorf("%s: got %q for a debugger", flags, f)
			}
		}
	}
}

func TestFlagsThatGoEnvHasWrittenCount(t *testing.T) {
	file := filepath.Join(t.TempDir(), "env")
	if err := os.WriteFile(file, []byte("GOPROXY=off\r\nGOFLAGS=-ldflags=-X=a.b=c\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	want := []goFlag{{"ldflags", "-X=a.b=c"}}
	if got := goFlags([]string{"GOENV=" + file}); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got := goFlags([]string{"GOENV=" + file, "GOFLAGS=-v"}); !slices.Equal(got, []goFlag{{"v", ""}}) {
		t.Errorf("with GOFLAGS: got %v, want that alone", got)
	}
	if got := goFlags([]string{"GOENV=off"}); len(got) != 0 {
		t.Errorf("without a file: got %v", got)
	}
}

func TestGoCollectsGarbageSeldomUnlessTheUserSaysOtherwise(t *testing.T) {
	for own, want := range map[string]string{"": "400", "100": "100", "off": "off"} {
		t.Setenv("GOGC", own)
		if got := lookup((&Builder{}).environ(), "GOGC"); got != want {
			t.Errorf("GOGC=%s: got %s, want %s", own, got, want)
		}
	}
	t.Setenv("GOGC", "")
	if got := lookup((&Builder{Env: []string{"GOGC=50"}}).environ(), "GOGC"); got != "50" {
		t.Errorf("GOGC=50 of the builder: got %s", got)
	}
}

func TestTheProgramIsForThisMachine(t *testing.T) {
	t.Setenv("CC", "no-such-compiler")
	t.Setenv("GOOS", "")
	t.Setenv("GOARCH", "")
	for _, test := range []struct {
		env  []string
		keep bool // the C toolchain
	}{
		{nil, true},
		{[]string{"GOOS=" + runtime.GOOS, "GOARCH=" + runtime.GOARCH}, true},
		{[]string{"GOOS=js", "GOARCH=wasm"}, false},
		{[]string{"GOARCH=wasm"}, false},
	} {
		got := (&Builder{Env: append(test.env, "GOEXPERIMENT=x", "CGO_ENABLED=0")}).environ("GOTMPDIR=here")
		if lookup(got, "GOOS") != runtime.GOOS || lookup(got, "GOARCH") != runtime.GOARCH {
			t.Errorf("%q: got GOOS=%s GOARCH=%s", test.env, lookup(got, "GOOS"), lookup(got, "GOARCH"))
		}
		if kept := lookup(got, "CC") != ""; kept != test.keep {
			t.Errorf("%q: kept the C compiler: %v, want %v", test.env, kept, test.keep)
		}
		for _, same := range []string{"GOEXPERIMENT=x", "CGO_ENABLED=0", "GOTMPDIR=here"} {
			if !slices.Contains(got, same) {
				t.Errorf("%q: %s is gone", test.env, same)
			}
		}
	}
}
