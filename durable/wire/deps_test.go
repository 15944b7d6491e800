package wire_test

import (
	"errors"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// Every save of a handler links again what the SDK imports. It has to be there offline, and has to
// compile for Cloudflare's runtime. So the SDK imports the standard library and its own packages.
// For Cloudflare's runtime (js/wasm) it leaves out the protocol, which nobody speaks there.
func TestTheSDKNeedsOnlyTheStandardLibrary(t *testing.T) {
	everywhere := []string{"durable", "durable/objectid", "durable/stored"}
	withProtocol := append(slices.Clone(everywhere), "durable/wire", "internal/inherited", "internal/inside")
	for _, test := range []struct {
		target string
		want   []string // the packages of this module
	}{
		{"linux/amd64", withProtocol},
		{"darwin/arm64", withProtocol},
		{"windows/amd64", withProtocol},
		{"js/wasm", everywhere},
	} {
		t.Run(test.target, func(t *testing.T) {
			goos, goarch, _ := strings.Cut(test.target, "/")
			cmd := exec.Command("go", "list", "-deps", "devtool.internal/durable")
			cmd.Env = append(os.Environ(), "GOOS="+goos, "GOARCH="+goarch, "CGO_ENABLED=0")
			out, err := cmd.Output()
			if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
				t.Fatalf("go list: %v\n%s", err, exit.Stderr)
			} else if err != nil {
				t.Fatal(err)
			}
			var got []string
			for path := range strings.Lines(string(out)) {
				path = strings.TrimSpace(path)
				first, below, _ := strings.Cut(path, "/")
				switch {
				case first == "devtool.internal":
					got = append(got, below)
				case strings.Contains(first, "."):
					t.Errorf("the SDK imports %s", path)
				}
			}
			slices.Sort(got)
			if !slices.Equal(got, test.want) {
				t.Errorf("of this module the SDK links %q, want %q", got, test.want)
			}
		})
	}
}

func TestTheSDKBuildsForCloudflaresRuntime(t *testing.T) {
	cmd := exec.Command("go", "build", "devtool.internal/durable")
	cmd.Env = append(os.Environ(), "GOOS=js", "GOARCH=wasm", "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("go build: %v\n%s", err, out)
	}
}
