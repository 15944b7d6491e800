package wire_test

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// What the SDK imports is linked at every save of its user, has to be there
// offline, and has to compile for Cloudflare's runtime: so it is the standard
// library, and of ours only the SDK itself.
func TestTheSDKNeedsOnlyTheStandardLibrary(t *testing.T) {
	for _, target := range []string{"linux/amd64", "darwin/arm64", "windows/amd64", "js/wasm"} {
		t.Run(target, func(t *testing.T) {
			goos, goarch, _ := strings.Cut(target, "/")
			cmd := exec.Command("go", "list", "-deps", "devtool.internal/durable", "devtool.internal/durable/wire")
			cmd.Env = append(os.Environ(), "GOOS="+goos, "GOARCH="+goarch, "CGO_ENABLED=0")
			out, err := cmd.Output()
			if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
				t.Fatalf("go list: %v\n%s", err, exit.Stderr)
			} else if err != nil {
				t.Fatal(err)
			}
			wire := false
			for path := range strings.Lines(string(out)) {
				path = strings.TrimSpace(path)
				wire = wire || path == "devtool.internal/durable/wire"
				first, _, _ := strings.Cut(path, "/")
				ours := first == "devtool.internal" && path != "devtool.internal/durable" && !strings.HasPrefix(path, "devtool.internal/durable/") && path != "devtool.internal/internal/inside"
				if ours || first != "devtool.internal" && strings.Contains(first, ".") {
					t.Errorf("the SDK imports %s", path)
				}
			}
			if !wire {
				t.Errorf("go list does not name this package:\n%s", out)
			}
		})
	}
}
