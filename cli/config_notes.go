package cli

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"

	"devtool.internal/config"
)

// configNotes logs facts about a configuration that are neither errors nor warnings, each once.
type configNotes struct {
	log    *slog.Logger
	unused []string // the keys that were logged
}

// found logs it if wrangler, called in dir, would not read the file at path but another one.
func (n *configNotes) found(dir, path string) {
	if other, why := config.WranglersChoice(dir, path); other != "" {
		n.log.Info(fmt.Sprintf("this is %s; wrangler would read %s, because %s", path, other, why))
	}
}

// loaded logs the keys of c that have no effect here. The reasons are in the debug log.
func (n *configNotes) loaded(c *config.Config) {
	var keys []string
	for _, u := range c.Unused {
		keys = append(keys, u.Key)
	}
	if slices.Equal(keys, n.unused) {
		return
	}
	n.unused = keys
	if len(keys) == 0 {
		return
	}
	const most = 4
	list := strings.Join(keys[:min(len(keys), most)], ", ")
	if more := len(keys) - most; more > 0 {
		list += fmt.Sprintf(" and %d more", more)
	}
	n.log.Info(fmt.Sprintf("without effect here, in %s: %s (--log-level debug shows why)", filepath.Base(c.Path), list))
	for _, u := range c.Unused {
		n.log.Debug(fmt.Sprintf("%s: %s %s", u.Pos, u.Key, u.Reason))
	}
}
