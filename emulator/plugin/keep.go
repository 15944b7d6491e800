package plugin

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// Keep gives the program at binary the second name kept, so that a later build does not remove it.
// It replaces an existing file of that name.
func Keep(binary, kept string) error {
	if err := os.Remove(kept); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("keep program %s: %w", binary, err)
	}
	if os.Link(binary, kept) == nil {
		return nil
	}
	if err := copyProgram(binary, kept); err != nil {
		return fmt.Errorf("keep program %s: %w", binary, err)
	}
	return nil
}
