//go:build unix

package cli_test

import (
	"os"
	"strings"
	"testing"
)

// TestDevEndsWhenItsFoldersAreTakenAway expects one line that says so, exit code 1, and nothing at
// the old path afterwards. The emulator's own tests have other ways to take a folder away.
func TestDevEndsWhenItsFoldersAreTakenAway(t *testing.T) {
	t.Parallel()
	for name, take := range map[string]func(p project) (gone string, err error){
		"state deleted": func(p project) (string, error) {
			state := p.path(".devtool/state")
			return state, os.RemoveAll(state)
		},
		"project renamed": func(p project) (string, error) {
			return p.dir, os.Rename(p.dir, p.dir+"-renamed")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := handlerProject(t, "basic")
			s := p.dev()
			s.post("/again", "")
			gone, err := take(p)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { os.RemoveAll(p.dir + "-renamed") })
			if code := s.await(); code != 1 {
				t.Errorf("got exit code %d, want 1", code)
			}
			const says = "/.devtool/state was deleted or moved while `devtool dev` used it"
			printed := s.stderr.String()
			if strings.Count(printed, " ERR ") != 1 || strings.Count(printed, says) != 1 {
				t.Errorf("want one error, which says that %s", says)
			}
			if _, err := os.Lstat(gone); err == nil {
				t.Errorf("%s was made again", gone)
			}
		})
	}
}
