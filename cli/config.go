package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"devtool.internal/config"
)

func configCommand() *command {
	return &command{
		name:    "config",
		summary: "Check the configuration, or show what applies",
		commands: []*command{
			configCheckCommand(),
			configShowCommand(),
			configSchemaCommand(),
		},
	}
}

func configSchemaCommand() *command {
	return &command{
		name:    "schema",
		summary: "Print a JSON Schema of the configuration, for editors",
		about: `The schema has the keys of wrangler, as devtool reads them. New projects have a copy in
.devtool/sdk/config-schema.json, which $schema in their configuration names.`,
		run: func(_ context.Context, s Streams, _ []string) error {
			if _, err := s.Out.Write(config.Schema()); err != nil {
				return fmt.Errorf("print schema: %w", err)
			}
			return nil
		},
	}
}

// configPath returns the absolute path of the given configuration, or else of the nearest one.
func (s Streams) configPath(given string) (string, error) {
	if given == "" {
		return config.Find(s.Dir)
	}
	path := s.path(given)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return "", failure("name an existing one, or leave it out to read the nearest wrangler file",
			"there is no configuration file %s", given)
	}
	return path, nil
}

// environment returns the given environment, or else that of CLOUDFLARE_ENV.
func (s Streams) environment(given string) string {
	if given == unset {
		return s.Env("CLOUDFLARE_ENV")
	}
	return given
}

// stateFolder returns the given folder for the state, or else that of the project.
func (s Streams) stateFolder(project, given string) string {
	if given != "" {
		return s.path(given)
	}
	return filepath.Join(project, ".devtool", "state")
}

// short returns path relative to the command's folder, or unchanged if it is outside of that.
func (s Streams) short(path string) string {
	rel, err := filepath.Rel(s.Dir, path)
	if err != nil || rel == ".." || strings.HasPrefix(rel, ".."+string(filepath.Separator)) {
		return path
	}
	return rel
}
